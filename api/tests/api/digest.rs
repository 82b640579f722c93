//! The daily digest, which is mailed on working mornings.
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::json;

use crate::support::App;

const SETTINGS: [(&str, &str); 1] = [("PUBLIC_URL", "https://api.erp.example/")];

async fn morning() -> App {
    App::at(Clock::stopped_at("2026-11-24T06:30:00Z".parse().unwrap()), &SETTINGS).await
}

#[tokio::test]
async fn everybody_in_charge_gets_the_state_of_the_day_once() {
    let app = morning().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let other = app.user_with(UserRole::Responsable, json!({"langue": "en"})).await;
    let (_, technicien_id) = app.technicien().await;
    app.run_schedule(&admin, "digest.quotidien").await;
    assert!(app.mails().is_empty(), "nothing to say");

    let machine = app.equipement(&boss).await;
    let open = async |titre: &str, date_limite: Option<&str>, technicien: Option<i64>| {
        let new = json!({
            "titre": titre, "type": "corrective", "equipement_id": machine, "date_limite": date_limite,
            "technicien_id": technicien,
        });
        app.post(&boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
    };
    open("En retard", Some("2026-11-23T12:00:00Z"), Some(technicien_id)).await;
    open("Ce soir", Some("2026-11-24T22:59:00Z"), Some(technicien_id)).await;
    open("Demain", Some("2026-11-24T23:00:00Z"), Some(technicien_id)).await;
    open("Pour qui ?", None, None).await;
    let done = open("Finie", Some("2026-11-01T00:00:00Z"), None).await;
    app.step(&boss, done, "cloturee").await.expect(200);
    let plan = async |date: &str| {
        let machine = app.equipement(&boss).await;
        let new =
            json!({"frequence": "trimestriel", "equipement_id": machine, "prochaine_date": date});
        app.post(&boss, "/planning", new).await.expect(201);
    };
    plan("2026-11-30T22:59:00Z").await;
    plan("2026-11-30T23:00:00Z").await;
    app.run_jobs().await;
    let before = app.mails().len();
    for _ in 0..2 {
        app.run_schedule(&admin, "digest.quotidien").await;
    }
    let mails = app.mails().split_off(before);
    for (user, digests) in [(&boss, 1), (&other, 1), (&admin, 0)] {
        let own = mails.iter().filter(|m| m.to == [user.email.clone()]);
        assert_eq!(own.count(), digests, "each once, and no admin while there are responsables");
    }
    let mail = mails.iter().find(|m| m.to == [boss.email.clone()]).unwrap();
    let text = mail.text.as_deref().unwrap().replace('\u{a0}', " ");
    assert!(text.contains("Ouvertes : 4"), "{text}");
    for (section, title) in [
        ("En retard (1)", "En retard"),
        ("À terminer aujourd’hui (1)", "Ce soir"),
        ("À affecter (1)", "Pour qui ?"),
    ] {
        let begin = text.find(section).unwrap_or_else(|| panic!("{section} in {text}"));
        assert!(text[begin..].contains(&format!("- {title}")), "{section}: {text}");
    }
    assert!(
        text.contains("Maintenance trimestrielle") && text.contains("30 novembre 2026"),
        "{text}"
    );
    assert!(!text.contains("1er décembre"), "the eighth day: {text}");
    assert!(!text.contains("Finie") && !text.contains("Demain"), "{text}");
    let english = mails.iter().find(|m| m.to == [other.email.clone()]).unwrap();
    assert!(english.text.as_deref().unwrap().contains("Quarterly maintenance"));
    let sent = app.get(&admin, "/admin/emails").await.expect(200);
    let row = sent.as_array().unwrap().iter().find(|m| m["user_id"] == boss.id).unwrap();
    assert_eq!((&row["jour"], &row["statut"]), (&json!("2026-11-24"), &json!("envoyee")), "{row}");
    assert!(row["message_id"].as_str().unwrap().contains(mail.message_id.as_deref().unwrap()));
}

#[tokio::test]
async fn one_click_on_the_link_of_a_digest_ends_them_and_looking_at_it_does_not() {
    let app = morning().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.intervention(&boss).await;
    app.run_schedule(&admin, "digest.quotidien").await;
    let mails = app.mails();
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(mail.header("List-Unsubscribe-Post"), Some("List-Unsubscribe=One-Click"));
    let link = mail.header("List-Unsubscribe").unwrap().trim_matches(['<', '>']).to_owned();
    let path = link.strip_prefix("https://api.erp.example").unwrap();

    let page = app.request(Method::GET, path).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("method=\"post\""));
    let preferences = app.get(&boss, "/users/me/preferences").await.expect(200);
    assert_eq!(preferences["emails"]["digest"], true);
    let click = app.request(Method::POST, path).body("List-Unsubscribe=One-Click");
    assert_eq!(click.send().await.unwrap().status(), 200);
    let preferences = app.get(&boss, "/users/me/preferences").await.expect(200);
    assert_eq!(preferences["emails"]["digest"], false);

    app.set_clock("2026-11-25T06:30:00Z");
    app.run_schedule(&admin, "digest.quotidien").await;
    assert_eq!(app.mails().len(), 1);
    for bad in
        ["/api/v1/desabonnement?jeton=faux", &format!("/api/v1/desabonnement?jeton={}", boss.token)]
    {
        app.send(app.request(Method::POST, bad)).await.expect_error(401, "jeton_invalide");
    }
    app.send(app.request(Method::GET, "/api/v1/desabonnement"))
        .await
        .expect_error(422, "donnees_invalides");
    app.get(&boss, &format!("/users/me?jeton={path}")).await.expect(200);
}

#[tokio::test]
async fn a_job_of_the_release_before_sends_one_person_the_digest() {
    let app = morning().await;
    let boss = app.user(UserRole::Responsable).await;
    app.intervention(&boss).await;
    app.run_jobs().await;
    let before = app.mails().len();
    let job = json!({"user_id": boss.id, "jour": "2026-11-24"}).to_string();
    sqlx::query(
        "insert into queue.jobs (id, queue, payload, max_attempts, run_at)
         values ('ancienne', 'emails.digest', convert_to($1, 'UTF8'), 8, now())",
    )
    .bind(job)
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    app.run_jobs().await;
    let mails = app.mails().split_off(before);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, [boss.email.as_str()]);
    assert!(mails[0].text.as_deref().unwrap().contains("À affecter"), "{:?}", mails[0].text);
}
