//! Calendars at an address that contains a secret: what they show, to whom, and until when. `.ci/contract` reads them with an
//! independent library.
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

async fn plant() -> (App, User) {
    let app = App::at(Clock::stopped_at("2026-11-24T08:00:00Z".parse().unwrap()), &[]).await;
    let boss = app.user(UserRole::Responsable).await;
    (app, boss)
}

/// The calendar at an address, unfolded.
async fn read(app: &App, url: &Value) -> String {
    let path = url.as_str().unwrap().strip_prefix("https://erp.example").unwrap();
    let answer = app.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/calendar; charset=utf-8");
    let text = answer.text().await.unwrap();
    assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
    for once in ["PRODID:", "VERSION:2.0", "BEGIN:VCALENDAR"] {
        assert_eq!(text.matches(once).count(), 1, "{once} in {text}");
    }
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
    // In UTC, so that a phone needs no time zone rules of Morocco.
    assert!(!text.contains("TZID"), "{text}");
    let mut times =
        text.split("\r\n").filter(|l| l.starts_with("DTSTART") || l.starts_with("DTEND"));
    assert!(times.all(|line| line.ends_with('Z')), "{text}");
    text.replace("\r\n ", "")
}

#[tokio::test]
async fn visits_and_interventions_are_in_the_calendar_of_a_phone_until_the_address_is_revoked() {
    let (app, boss) = plant().await;
    let (worker, technicien_id) = app.technicien().await;
    let machine = app.equipement(&boss).await;
    let new = json!({"frequence": "mensuel", "equipement_id": machine, "prochaine_date": "2026-11-30T09:00:00Z",
        "commentaire": "Graisser;\r\nvider, puis \\ remplir\u{7}"});
    let planning = app.post(&boss, "/planning", new).await.expect(201);
    let new = json!({
        "titre": "Fuite; à la, garniture\nBEGIN:VALARM", "type": "corrective", "equipement_id": machine,
        "technicien_id": technicien_id, "date_limite": "2026-11-25T16:00:00Z", "duree_estimee": 90,
    });
    let id = app.post(&boss, "/interventions", new).await.expect(200)["id"].clone();

    let state = app.get(&worker, "/users/me/calendrier").await.expect(200);
    assert_eq!(state, json!({"actif": false, "created_at": null}));
    let made = app.post(&worker, "/users/me/calendrier", json!({})).await.expect(201);
    let visits = read(&app, &made["planning_url"]).await;
    assert_eq!(visits.matches("BEGIN:VEVENT").count(), 3, "three months ahead: {visits}");
    for line in [
        "DTSTART:20261130T090000Z",
        "DTEND:20261130T100000Z",
        "DTSTART:20261230T090000Z",
        "DTSTART:20270130T090000Z",
        "DESCRIPTION:Graisser\\;\\nvider\\, puis \\\\ remplir",
        "LOCATION:Jorf Lasfar",
        &format!("URL:https://erp.example/planning/{}", planning["id"]),
    ] {
        assert!(visits.contains(&format!("{line}\r\n")), "{line} in {visits}");
    }
    let own = read(&app, &made["technicien_url"]).await;
    for line in [
        "DTSTART:20261125T143000Z",
        "DTEND:20261125T160000Z",
        &format!("UID:intervention-{id}@mif-maroc.example"),
        &format!("URL:https://erp.example/interventions/{id}"),
    ] {
        assert!(own.contains(&format!("{line}\r\n")), "{line} in {own}");
    }
    assert!(own.contains("SUMMARY:Fuite\\; à la\\, garniture BEGIN:VALARM - Pompe"), "{own}");
    assert!(!own.contains("\r\nBEGIN:VALARM"));

    // A new address invalidates the first; after the revocation none works.
    let again = app.post(&worker, "/users/me/calendrier", json!({})).await.expect(201);
    let gone = async |made: &Value| {
        let path =
            made["planning_url"].as_str().unwrap().strip_prefix("https://erp.example").unwrap();
        app.send(app.request(Method::GET, path)).await.expect_error(401, "jeton_invalide");
    };
    gone(&made).await;
    read(&app, &again["planning_url"]).await;
    assert_eq!(app.get(&worker, "/users/me/calendrier").await.expect(200)["actif"], true);
    app.delete(&worker, "/users/me/calendrier").await.expect(204);
    gone(&again).await;
}

#[tokio::test]
async fn a_calendar_shows_nobody_what_they_may_not_see() {
    let (app, boss) = plant().await;
    let admin = app.user(UserRole::Admin).await;
    let (worker, technicien_id) = app.technicien().await;
    let (other, _) = app.technicien().await;
    let path = format!("/techniciens/{technicien_id}/calendrier.ics");
    for (user, status) in [(&worker, 200), (&boss, 200), (&admin, 200), (&other, 403)] {
        assert_eq!(app.get(user, &path).await.status.as_u16(), status);
    }
    app.get(&boss, "/techniciens/987654/calendrier.ics")
        .await
        .expect_error(404, "technicien_introuvable");
    let nobody = app.request(Method::GET, &format!("/api/v1{path}"));
    app.send(nobody).await.expect_error(401, "jeton_invalide");

    let client = json!({"nom_entreprise": "Conserverie d'Agadir"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let reader = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    for _ in 0..2 {
        let new = json!({"frequence": "annuel", "equipement_id": app.equipement(&boss).await, "prochaine_date": "2026-12-01"});
        app.post(&boss, "/planning", new).await.expect(201);
    }
    let made = app.post(&reader, "/users/me/calendrier", json!({})).await.expect(201);
    assert_eq!(made["technicien_url"], Value::Null);
    assert_eq!(read(&app, &made["planning_url"]).await.matches("BEGIN:VEVENT").count(), 0);
    let machines = app.get(&boss, "/equipements").await.expect(200);
    let machine = format!("/equipements/{}", machines[0]["id"]);
    app.put(&boss, &machine, json!({"client_id": client["id"]})).await.expect(200);
    assert_eq!(read(&app, &made["planning_url"]).await.matches("BEGIN:VEVENT").count(), 1);

    // The secret gives access to calendars only, and ends with the account.
    let jeton = made["jeton"].as_str().unwrap();
    let elsewhere = app.request(Method::GET, "/api/v1/planning").bearer_auth(jeton);
    app.send(elsewhere).await.expect_error(401, "jeton_invalide");
    app.delete(&admin, &format!("/users/{}", reader.id)).await.expect(204);
    let path = format!("/api/v1/planning/calendrier.ics?jeton={jeton}");
    app.send(app.request(Method::GET, &path)).await.expect_error(401, "jeton_invalide");
}
