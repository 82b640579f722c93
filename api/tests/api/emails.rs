//! The whole path of a mail: row and job in one transaction, rendering, transmission, and the recorded outcome.
use erp_core::users::UserRole;
use serde_json::{Value, json};

use crate::support::{App, User};

async fn notification(app: &App, boss: &User, to: &User) -> Value {
    notification_of(app, boss, to, "information").await
}

/// A notification of a type that somebody has to act on.
async fn urgent(app: &App, boss: &User, to: &User) -> Value {
    notification_of(app, boss, to, "alerte").await
}

async fn notification_of(app: &App, boss: &User, to: &User, type_: &str) -> Value {
    let new = json!({
        "type": type_, "canal": "email", "contenu": "La pièce est arrivée.",
        "intervention_id": app.intervention(boss).await, "user_id": to.id,
    });
    app.post(boss, "/notifications", new).await.expect(201)
}

async fn as_it_is(app: &App, boss: &User, id: &Value) -> Value {
    let list = app.get(boss, "/notifications?limit=200&sort=id").await.expect(200);
    list.as_array().unwrap().iter().find(|n| n["id"] == *id).cloned().unwrap()
}

#[tokio::test]
async fn an_assignment_sends_its_mail_in_two_parts_with_a_link() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}/affectation");
    app.patch(&boss, &path, json!({"technicien_id": technicien_id})).await.expect(200);
    assert!(app.mails().is_empty(), "no mail is sent inside a request");
    app.run_jobs().await;

    let mails = app.mails();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(mail.to, [technicien.email]);
    let link = format!("https://erp.example/interventions/{id}");
    let (text, html) = (mail.text.as_deref().unwrap(), mail.html.as_deref().unwrap());
    for part in [text, html] {
        assert!(part.contains("Fuite à la garniture") && part.contains(&link), "{part}");
        assert!(part.contains("Jorf Lasfar") && part.contains("Salma technicien"), "{part}");
    }
    assert!(mail.subject.contains("Fuite à la garniture"), "{}", mail.subject);
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));

    let told = app.get(&boss, "/notifications").await.expect(200);
    assert_eq!((&told[0]["type"], &told[0]["statut"]), (&json!("affectation"), &json!("envoyee")));
    assert_eq!((&told[0]["tentatives"], &told[0]["derniere_erreur"]), (&json!(1), &Value::Null));
    assert!(told[0]["date_envoi"].is_string());
    let listed = app.get(&app.user(UserRole::Admin).await, "/admin/emails").await.expect(200);
    assert_eq!(
        (&listed[0]["statut"], &listed[0]["transmissions"], &listed[0]["destinataire"]),
        (&json!("envoyee"), &json!(1), &json!(mail.to[0]))
    );
    let message_id = listed[0]["message_id"].as_str().unwrap().trim_matches(['<', '>']);
    assert_eq!(mail.message_id.as_deref().unwrap().trim_matches(['<', '>']), message_id);
}

#[tokio::test]
async fn closing_tells_the_creator_and_the_users_of_the_client() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let client_id = sqlx::query_scalar!(
        "insert into clients (nom_entreprise, date_creation) values ('OCP Jorf', now()) returning id"
    )
    .fetch_one(&app.ctx.pool)
    .await
    .unwrap();
    let client = app.user_with(UserRole::Client, json!({"client_id": client_id})).await;
    let id = app.intervention(&boss).await;
    let machine =
        app.get(&boss, &format!("/interventions/{id}")).await.expect(200)["equipement_id"].clone();
    app.put(&boss, &format!("/equipements/{machine}"), json!({"client_id": client_id}))
        .await
        .expect(200);
    app.step(&boss, id, "cloturee").await.expect(200);
    app.run_jobs().await;
    let mut to: Vec<_> = app.mails().into_iter().flat_map(|m| m.to).collect();
    to.sort();
    let mut expected = vec![boss.email, client.email];
    expected.sort();
    assert_eq!(to, expected);
}

#[tokio::test]
async fn mails_made_during_an_outage_arrive_once_each_when_it_is_over() {
    let mut app = App::new().await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    app.stop_smtp().await;
    let mut made = Vec::new();
    // Too few failures to open the breaker, whose count is reset in between: each mail is tried each time (`outages` tests the rest).
    for _ in 0..4 {
        made.push(notification(&app, &boss, &reader).await);
    }
    for attempt in 1..=2 {
        sqlx::query("update queue.breakers set failures = 0").execute(&app.ctx.pool).await.unwrap();
        app.skip_backoff().await;
        app.run_jobs().await;
        for n in &made {
            let now = as_it_is(&app, &boss, &n["id"]).await;
            assert_eq!(
                (&now["statut"], &now["tentatives"]),
                (&json!("en_file"), &json!(attempt)),
                "{now}"
            );
            assert!(now["derniere_erreur"].as_str().unwrap().contains("127.0.0.1"), "{now}");
        }
    }
    app.start_smtp();
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 4);
    for n in &made {
        let now = as_it_is(&app, &boss, &n["id"]).await;
        assert_eq!((&now["statut"], &now["tentatives"]), (&json!("envoyee"), &json!(3)), "{now}");
    }
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 4, "each once");
}

#[tokio::test]
async fn an_address_that_the_server_refuses_for_good_is_given_up_and_says_why() {
    let app = App::new().await;
    app.leaves_jobs();
    let boss = app.user(UserRole::Responsable).await;
    let nobody =
        app.user_with(UserRole::Technicien, json!({"email": "refuse.nadia@mif.example"})).await;
    let made = notification(&app, &boss, &nobody).await;
    app.run_jobs().await;
    let now = as_it_is(&app, &boss, &made["id"]).await;
    assert_eq!((&now["statut"], &now["tentatives"]), (&json!("echouee"), &json!(1)), "{now}");
    assert!(now["derniere_erreur"].as_str().unwrap().contains("550"), "{now}");
    let [(queue, state, _)] = &app.jobs().await[..] else { panic!() };
    assert_eq!((queue.as_str(), state.as_str()), ("emails", "dead"));
}

/// Makes all jobs that have ended ready again.
const AGAIN: &str = "with gone as (delete from queue.ended returning *)
    insert into queue.jobs (id, queue, run_at, attempts, max_attempts, key, metadata, payload)
    select id, queue, now(), attempts, max_attempts, key, metadata, payload from gone";

/// Leaves all mails as after the death of a worker between the server's acceptance and the record of it.
async fn die_after_the_dot(app: &App) {
    for leaves in [
        "update notifications set statut = 'en_file', date_envoi = null where canal = 'email'",
        "update envois set statut = 'en_transmission', parti_le = null",
        AGAIN,
    ] {
        sqlx::raw_sql(leaves).execute(&app.ctx.pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_mail_sent_again_after_a_crash_is_the_same_mail() {
    let app = App::new().await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let made = urgent(&app, &boss, &reader).await;
    app.run_jobs().await;
    die_after_the_dot(&app).await;
    app.run_jobs().await;
    let mails = app.mails();
    let [first, second] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!((&first.message_id, &first.raw), (&second.message_id, &second.raw));
    // A mail that is recorded as sent is not sent again.
    sqlx::raw_sql(AGAIN).execute(&app.ctx.pool).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 2);
    assert_eq!(as_it_is(&app, &boss, &made["id"]).await["statut"], "envoyee");
}

#[tokio::test]
async fn what_comes_after_a_mail_in_doubt_is_another_mail() {
    let app = App::with(&[("EMAILS_GROUP_SECONDS", "1")]).await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    urgent(&app, &boss, &reader).await;
    app.skip_backoff().await;
    app.run_jobs().await;
    die_after_the_dot(&app).await;
    let late = urgent(&app, &boss, &reader).await;
    app.skip_backoff().await;
    app.run_jobs().await;
    app.skip_backoff().await;
    app.run_jobs().await;
    let mut mails: Vec<_> = app.mails().into_iter().map(|m| (m.message_id, m.raw)).collect();
    assert_eq!(mails.len(), 3);
    mails.sort();
    mails.dedup();
    assert_eq!(mails.len(), 2, "one id, one content");
    assert_eq!(as_it_is(&app, &boss, &late["id"]).await["statut"], "envoyee");
}

#[tokio::test]
async fn a_mail_in_doubt_is_kept_or_sent_again_by_what_it_says() {
    let app = App::new().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let reader = app.user(UserRole::Technicien).await;
    let news = notification(&app, &boss, &reader).await;
    app.run_jobs().await;
    die_after_the_dot(&app).await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1, "information is not worth a second mail");
    let now = as_it_is(&app, &boss, &news["id"]).await;
    assert_eq!(now["statut"], "incertaine", "{now}");
    let kept = app.get(&admin, "/admin/emails?statut=incertaine").await.expect(200);
    assert_eq!(kept.as_array().unwrap().len(), 1);

    let again = format!("/admin/emails/{}/renvoyer", kept[0]["id"]);
    app.post(&boss, &again, json!({})).await.expect(403);
    app.post(&admin, &again, json!({})).await.expect(202);
    app.post(&admin, &again, json!({})).await.expect(409);
    app.run_jobs().await;
    let mails = app.mails();
    let [first, second] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!((&first.message_id, &first.raw), (&second.message_id, &second.raw));
    assert_eq!(as_it_is(&app, &boss, &news["id"]).await["statut"], "envoyee");
    let refused = app.post(&admin, &again, json!({})).await.expect(409);
    assert_eq!(refused["code"], "envoi_non_renvoyable");
    app.post(&admin, "/admin/emails/999999/renvoyer", json!({})).await.expect(404);
    let acts = app.get(&admin, "/admin/audit?action=email_renvoye").await.expect(200);
    assert_eq!(acts.as_array().unwrap().len(), 1, "{acts}");
    assert_eq!(acts[0]["cible_id"], kept[0]["id"].to_string());
}

#[tokio::test]
async fn a_mail_that_is_refused_can_be_sent_again_and_again() {
    let app = App::new().await;
    app.leaves_jobs();
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let nobody =
        app.user_with(UserRole::Technicien, json!({"email": "refuse.nadia@mif.example"})).await;
    let made = notification(&app, &boss, &nobody).await;
    app.run_jobs().await;
    for attempts in 2..=4 {
        let mails = app.get(&admin, "/admin/emails?statut=echouee").await.expect(200);
        app.post(&admin, &format!("/admin/emails/{}/renvoyer", mails[0]["id"]), json!({}))
            .await
            .expect(202);
        app.run_jobs().await;
        let now = as_it_is(&app, &boss, &made["id"]).await;
        assert_eq!(
            (&now["statut"], &now["tentatives"]),
            (&json!("echouee"), &json!(attempts)),
            "{now}"
        );
    }
}

#[tokio::test]
async fn two_jobs_of_one_mail_send_it_once() {
    let app = App::new().await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    for _ in 0..5 {
        urgent(&app, &boss, &reader).await;
    }
    sqlx::raw_sql(
        "insert into queue.jobs (id, queue, payload, attempts, max_attempts, run_at, metadata)
         select 'again-' || id, queue, payload, attempts, max_attempts, run_at, metadata from queue.jobs",
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    app.run_jobs().await;
    app.skip_backoff().await;
    app.run_jobs().await;
    let jobs = app.jobs().await;
    assert!(jobs.len() == 10 && jobs.iter().all(|(_, state, _)| state == "done"), "{jobs:?}");
    assert_eq!(app.mails().len(), 5);
}

#[tokio::test]
async fn a_job_of_the_release_before_sends_the_mail_that_it_names() {
    let app = App::new().await;
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let made = urgent(&app, &boss, &reader).await;
    let renamed = "update queue.jobs set queue = 'emails.group' where queue = 'emails'";
    let renamed = sqlx::raw_sql(renamed).execute(&app.ctx.pool).await.unwrap();
    assert_eq!(renamed.rows_affected(), 1);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
    assert_eq!(as_it_is(&app, &boss, &made["id"]).await["statut"], "envoyee");
}

#[tokio::test]
async fn the_jobs_of_the_release_before_are_done_and_can_be_called_off() {
    let app = App::new().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let reader = app.user(UserRole::Technicien).await;
    let (sent, cancelled) =
        (urgent(&app, &boss, &reader).await, urgent(&app, &boss, &reader).await);
    // As that release leaves it: one job for each notification, and no mail yet.
    for statement in [
        "delete from queue.jobs",
        "delete from envois",
        "insert into queue.jobs (id, queue, payload, max_attempts, run_at)
         select 'old-' || id, 'emails.send', convert_to('{\"notification_id\":' || id || '}', 'UTF8'), 55, now()
         from notifications",
    ] {
        sqlx::raw_sql(statement).execute(&app.ctx.pool).await.unwrap();
    }
    let job = format!("/admin/jobs/old-{}", cancelled["id"]);
    app.post(&admin, &format!("{job}/cancel"), json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
    assert_eq!(as_it_is(&app, &boss, &sent["id"]).await["statut"], "envoyee");
    assert_eq!(as_it_is(&app, &boss, &cancelled["id"]).await["statut"], "echouee");

    app.post(&admin, &format!("{job}/retry"), json!({})).await.expect(200);
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 2);
    assert_eq!(as_it_is(&app, &boss, &cancelled["id"]).await["statut"], "envoyee");
}

#[tokio::test]
async fn a_mail_that_is_called_off_while_it_is_sent_stays_in_doubt() {
    let app = App::new().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let reader = app.user(UserRole::Technicien).await;
    let made = urgent(&app, &boss, &reader).await;
    app.run_jobs().await;
    die_after_the_dot(&app).await;
    let job = app.job_of(&admin, "emails").await;
    let cancel = format!("/admin/jobs/{}/cancel", job["id"].as_str().unwrap());
    app.post(&admin, &cancel, json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(as_it_is(&app, &boss, &made["id"]).await["statut"], "incertaine");
    // The uncertain mail does not block later notifications of the same person.
    let later = urgent(&app, &boss, &reader).await;
    app.run_jobs().await;
    assert_eq!(as_it_is(&app, &boss, &later["id"]).await["statut"], "envoyee");
}

#[tokio::test]
async fn a_deleted_notification_is_not_mailed_and_a_disabled_reader_neither() {
    let app = App::new().await;
    app.leaves_jobs();
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let (gone, disabled) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Technicien).await);
    let deleted = notification(&app, &boss, &gone).await;
    app.delete(&admin, &format!("/notifications/{}", deleted["id"])).await.expect(200);
    let unsent = notification(&app, &boss, &disabled).await;
    app.delete(&admin, &format!("/users/{}", disabled.id)).await.expect(204);
    app.run_jobs().await;
    assert!(app.mails().is_empty());
    let now = as_it_is(&app, &boss, &unsent["id"]).await;
    assert_eq!(now["statut"], "echouee");
    assert!(now["derniere_erreur"].as_str().unwrap().contains("désactivé"), "{now}");
}

#[tokio::test]
async fn a_mail_server_that_does_not_answer_stops_no_document() {
    // It accepts connections (in the backlog) and sends nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let app = App::with(&[
        ("SMTP_PORT", &port),
        ("SMTP_TIMEOUT_SECONDS", "50"),
        ("SHUTDOWN_TIMEOUT", "1"),
    ])
    .await;
    let boss = app.user(UserRole::Responsable).await;
    for _ in 0..10 {
        notification(&app, &boss, &boss).await;
    }
    let id = app.intervention(&boss).await;
    let document =
        app.upload(&boss, id, "p.jpg", erp_dev::samples::jpeg(320, 240, 1)).await.expect(201);
    let ready = async {
        while app.document(&boss, &document).await["status"] != "ready" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    };
    let settings = app.settings().await;
    Box::pin(erp_worker::run(&app.ctx, &settings, ready)).await.unwrap();
    // A mail that is under way when the worker stops is handed back, and costs no attempt.
    let mails = app.jobs().await.into_iter().filter(|(queue, ..)| queue == "emails");
    assert!(mails.into_iter().all(|(_, state, attempts)| (state == "ready" || state == "scheduled") && attempts == 0));
}
