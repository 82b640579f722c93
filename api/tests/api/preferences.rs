//! Preferences for mails: which types, and when; and notifications that are grouped into one mail.
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

const PATH: &str = "/users/me/preferences";

async fn tell(app: &App, boss: &User, to: &User, type_: &str, count: usize) -> Value {
    let intervention = app.intervention(boss).await;
    let mut last = Value::Null;
    for n in 1..=count {
        let new = json!({
            "type": type_, "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": to.id,
        });
        last = app.post(boss, "/notifications", new).await.expect(201);
    }
    last
}

#[tokio::test]
async fn preferences_are_read_changed_in_part_and_checked() {
    let app = App::new().await;
    let (boss, worker) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let all = json!({
        "affectation": true, "cloture": true, "rappel": true, "retard": true, "alerte": true, "information": true,
        "digest": true,
    });
    let default =
        json!({"emails": all, "digest_seulement": false, "heures_calmes": null, "version": 0});
    assert_eq!(app.get(&boss, PATH).await.expect(200), default);
    let quiet = json!({"debut": "20:00", "fin": "07:30"});
    let edit = json!({"emails": {"cloture": false}, "heures_calmes": quiet});
    let edited = app.put(&boss, PATH, edit).await.expect(200);
    assert_eq!((&edited["emails"]["cloture"], &edited["heures_calmes"]), (&json!(false), &quiet));
    let edited = app
        .put(&boss, PATH, json!({"digest_seulement": true, "heures_calmes": null}))
        .await
        .expect(200);
    assert_eq!(
        (&edited["emails"]["cloture"], &edited["digest_seulement"], &edited["heures_calmes"]),
        (&json!(false), &json!(true), &Value::Null)
    );
    assert_eq!(app.get(&boss, PATH).await.expect(200), edited);
    assert_eq!(app.get(&worker, PATH).await.expect(200), default, "each their own");
    for bad in [
        json!({"emails": {"cloture": "non"}}),
        json!({"heures_calmes": {"debut": "25:00", "fin": "07:00"}}),
        json!({"heures_calmes": {"debut": "07:00", "fin": "07:00"}}),
        json!({"digest_seulement": "oui"}),
    ] {
        app.put(&boss, PATH, bad).await.expect_error(422, "donnees_invalides");
    }
    let unknown = app.put(&boss, PATH, json!({"emails": {"telegramme": true}})).await.expect(200);
    assert_eq!(unknown, edited, "what is not known is ignored");
    // With `digest_seulement`, the digest cannot be switched off too.
    let nothing = json!({"emails": {"digest": false}});
    app.put(&boss, PATH, nothing).await.expect_error(422, "donnees_invalides");
    // A technicien gets no digest, so `digest_seulement` would mean no mail at all.
    let only = json!({"digest_seulement": true});
    app.put(&worker, PATH, only).await.expect_error(422, "donnees_invalides");
    assert_eq!(app.get(&boss, PATH).await.expect(200), edited, "a refusal changes nothing");
}

#[tokio::test]
async fn what_is_not_wanted_by_mail_is_in_the_application_all_the_same() {
    let app = App::new().await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Responsable).await);
    app.put(&reader, PATH, json!({"emails": {"information": false}})).await.expect(200);
    let told = tell(&app, &boss, &reader, "information", 1).await;
    assert_eq!((&told["canal"], &told["statut"]), (&json!("log"), &json!("envoyee")));
    tell(&app, &boss, &reader, "alerte", 1).await;
    app.put(&reader, PATH, json!({"digest_seulement": true})).await.expect(200);
    tell(&app, &boss, &reader, "alerte", 1).await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
    assert_eq!(app.told(&reader).await, ["information", "alerte", "alerte"]);
    let count = app.get(&reader, "/notifications/user/me/count").await.expect(200);
    assert_eq!(count, json!({"unread": 3, "total": 3}));
}

/// An application that groups mails, with a stopped clock.
async fn gathering(now: &str) -> App {
    let clock = Clock::stopped_at(now.parse().unwrap());
    App::at(clock, &[("EMAILS_GROUP_SECONDS", "600")]).await
}

/// Seconds until the open mail leaves.
async fn leaves_in(app: &App) -> i64 {
    let due = sqlx::query_scalar!(
        r#"
            select round(extract(epoch from run_at - now()))::bigint as "seconds!" from queue.jobs
            where queue = 'emails'
        "#
    );
    due.fetch_one(&app.ctx.pool).await.unwrap()
}

#[tokio::test]
async fn a_burst_for_one_person_is_one_mail_and_what_follows_within_ten_minutes_the_next() {
    let app = gathering("2026-11-24T09:00:00Z").await;
    let (boss, reader, other) = (
        app.user(UserRole::Responsable).await,
        app.user(UserRole::Technicien).await,
        app.user(UserRole::Technicien).await,
    );
    tell(&app, &boss, &reader, "information", 7).await;
    tell(&app, &boss, &reader, "alerte", 1).await;
    tell(&app, &boss, &other, "information", 1).await;
    app.run_jobs().await;
    assert!(app.mails().is_empty(), "they gather for some seconds");
    app.skip_backoff().await;
    app.run_jobs().await;
    let mails = app.mails();
    let to = |user: &User| -> Vec<_> {
        mails.iter().filter(|m| m.to == [user.email.clone()]).cloned().collect()
    };
    assert_eq!((mails.len(), to(&reader).len(), to(&other).len()), (2, 1, 1));
    let mail = &to(&reader)[0];
    assert!(mail.subject.starts_with('8'), "{}", mail.subject);
    let (text, html) = (mail.text.as_deref().unwrap(), mail.html.as_deref().unwrap());
    for n in 1..=7 {
        let said = format!("Message {n}");
        assert!(text.contains(&said) && html.contains(&said), "{said}: {text}");
    }
    assert!(to(&other)[0].subject.contains("Information"), "one alone is as it always was");
    let list = app.get(&boss, "/notifications?limit=200&sort=id").await.expect(200);
    assert!(
        list.as_array().unwrap().iter().all(|n| n["statut"] == "envoyee" && n["tentatives"] == 1)
    );

    app.set_clock("2026-11-24T09:04:00Z");
    tell(&app, &boss, &reader, "information", 3).await;
    app.run_jobs().await;
    let wait = leaves_in(&app).await;
    assert!((350..=360).contains(&wait), "six minutes later: {wait}");
    tell(&app, &boss, &reader, "information", 3).await;
    app.run_jobs().await;
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 3);
    assert!(app.mails()[2].subject.starts_with('6'), "{}", app.mails()[2].subject);
}

#[tokio::test]
async fn in_quiet_hours_no_mail_leaves() {
    let app = gathering("2026-11-24T20:00:00Z").await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let quiet = json!({"heures_calmes": {"debut": "20:00", "fin": "07:30"}});
    app.put(&reader, PATH, quiet).await.expect(200);
    tell(&app, &boss, &reader, "information", 2).await;
    app.run_jobs().await;
    let wait = leaves_in(&app).await;
    let expected = 10 * 3600 + 30 * 60;
    assert!((expected - 10..=expected).contains(&wait), "from 21:00 to 07:30: {wait}");
    let count = app.get(&reader, "/notifications/user/me/count").await.expect(200);
    assert_eq!(count["unread"], 2, "in the application at once");
}

#[tokio::test]
async fn a_gathered_mail_that_fails_is_tried_again_and_one_that_is_refused_says_why() {
    let mut app = gathering("2026-11-24T09:00:00Z").await;
    app.leaves_jobs();
    let (boss, reader) = (
        app.user(UserRole::Responsable).await,
        app.user_with(UserRole::Technicien, json!({"email": "refuse.salma@mif.example"})).await,
    );
    let worker = app.user(UserRole::Technicien).await;
    tell(&app, &boss, &reader, "information", 2).await;
    tell(&app, &boss, &worker, "information", 2).await;
    app.run_jobs().await;
    app.stop_smtp().await;
    app.skip_backoff().await;
    app.run_jobs().await;
    let states = async || -> Vec<_> {
        let list = app.get(&boss, "/notifications?sort=id").await.expect(200);
        list.as_array().unwrap().iter().map(|n| n["statut"].clone()).collect()
    };
    assert_eq!(states().await, ["en_file", "en_file", "en_file", "en_file"]);
    app.start_smtp();
    app.skip_backoff().await;
    app.run_jobs().await;
    let states = async || -> Vec<_> {
        let list = app.get(&boss, "/notifications?sort=id").await.expect(200);
        list.as_array().unwrap().iter().map(|n| n["statut"].clone()).collect()
    };
    assert_eq!(states().await, ["echouee", "echouee", "envoyee", "envoyee"]);
    assert_eq!(app.mails().len(), 1);
}

#[tokio::test]
async fn mails_and_alerts_are_in_the_language_of_their_reader() {
    let app = App::at(Clock::stopped_at("2026-11-24T08:00:00Z".parse().unwrap()), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    let boss = app.user_with(UserRole::Responsable, json!({"langue": "en"})).await;
    assert_eq!(app.get(&boss, "/users/me").await.expect(200)["langue"], "en");
    assert_eq!(app.get(&admin, "/users/me").await.expect(200)["langue"], "fr");
    let new = json!({
        "titre": "Leak", "type": "corrective", "equipement_id": app.equipement(&boss).await, "priorite": "urgente",
    });
    app.post(&boss, "/interventions", new).await.expect(200);
    app.set_clock("2026-11-24T12:00:00Z");
    app.run_schedule(&admin, "interventions.sla").await;
    let mails = app.mails();
    let to = |user: &User| {
        mails.iter().find(|m| m.to == [user.email.clone()]).unwrap().text.clone().unwrap()
    };
    assert!(to(&boss).contains("Without a technician for 4\u{a0}h"), "{}", to(&boss));
    assert!(to(&admin).contains("Sans technicien depuis 4\u{a0}h"), "{}", to(&admin));
    let changed =
        app.call(&boss, Method::PUT, "/users/update", Some(json!({"langue": "fr"}))).await;
    assert_eq!(changed.expect(200)["langue"], "fr");
    let bad = app.put(&boss, "/users/update", json!({"langue": "de"})).await;
    bad.expect_error(422, "donnees_invalides");
}

#[tokio::test]
async fn a_mail_that_would_leave_in_quiet_hours_waits_for_their_end() {
    let app = gathering("2026-11-24T18:55:00Z").await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let quiet = json!({"heures_calmes": {"debut": "20:00", "fin": "07:30"}});
    app.put(&reader, PATH, quiet).await.expect(200);
    let send = async || {
        app.run_jobs().await;
        app.skip_backoff().await;
        app.run_jobs().await;
    };
    tell(&app, &boss, &reader, "information", 1).await;
    send().await;
    assert_eq!(app.mails().len(), 1, "19:55");
    app.set_clock("2026-11-24T18:58:00Z");
    tell(&app, &boss, &reader, "information", 1).await;
    app.run_jobs().await;
    let wait = leaves_in(&app).await;
    let expected = 11 * 3600 + 32 * 60;
    assert!((expected - 10..=expected).contains(&wait), "20:05 is 07:30: {wait}");
    // A mail that becomes due in quiet hours (its job runs early here) is postponed again.
    app.set_clock("2026-11-24T21:00:00Z");
    send().await;
    assert_eq!(app.mails().len(), 1, "22:00");
    app.set_clock("2026-11-25T06:30:00Z");
    send().await;
    assert_eq!(app.mails().len(), 2);
}

#[tokio::test]
async fn an_outage_of_the_mail_server_ends_in_one_mail_a_person() {
    let mut app = gathering("2026-11-24T09:00:00Z").await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    app.stop_smtp().await;
    for minute in [0, 11, 22, 33] {
        app.set_clock(&format!("2026-11-24T09:{minute:02}:00Z"));
        tell(&app, &boss, &reader, "information", 2).await;
        for _ in 0..2 {
            app.skip_backoff().await;
            app.run_jobs().await;
        }
    }
    app.start_smtp();
    app.skip_backoff().await;
    app.run_jobs().await;
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject.starts_with('8'), "{}", mails[0].subject);
    let list = app.get(&boss, "/notifications").await.expect(200);
    assert!(list.as_array().unwrap().iter().all(|n| n["statut"] == "envoyee"), "{list}");
}

#[tokio::test]
async fn an_admin_who_wants_the_digest_alone_gets_it() {
    let app = App::at(Clock::stopped_at("2026-11-24T06:30:00Z".parse().unwrap()), &[]).await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.intervention(&boss).await;
    app.put(&admin, PATH, json!({"digest_seulement": true})).await.expect(200);
    app.run_schedule(&admin, "digest.quotidien").await;
    let mut to: Vec<_> = app.mails().into_iter().flat_map(|m| m.to).collect();
    to.sort();
    assert_eq!(to, [admin.email, boss.email]);
}
