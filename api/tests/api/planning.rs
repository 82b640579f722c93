//! Plannings of preventive maintenance: dates that follow the calendar, and who sees them.
use chrono::{DateTime, Months, TimeDelta, Utc};
use erp_core::{Clock, local, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

/// The system on a day of November 2026.
async fn app() -> App {
    App::at(Clock::stopped_at("2026-11-24T09:00:00Z".parse().unwrap()), &[]).await
}

/// A new planning of a new machine: monthly, with `fields`.
async fn plan(app: &App, boss: &User, fields: Value) -> Value {
    let mut new = json!({"frequence": "mensuel", "equipement_id": app.equipement(boss).await});
    new.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.post(boss, "/planning", new).await.expect(201)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_planning_is_made_edited_found_and_removed() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let fields = json!({"frequence": "MENSUELLE", "prochaine_date": "2027-05-10T08:00:00Z", "commentaire": "Graissage"});
    let made = plan(&app, &boss, fields).await;
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "id",
        "frequence",
        "prochaine_date",
        "derniere_date",
        "statut",
        "commentaire",
        "equipement_id",
        "date_creation",
        "version",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(
        (&made["frequence"], &made["prochaine_date"], &made["derniere_date"], &made["statut"]),
        (&json!("mensuelle"), &json!("2027-05-10T08:00:00Z"), &json!(null), &json!("actif"))
    );

    let path = format!("/planning/{}", made["id"]);
    let edit = json!({"frequence": "Trimestriel", "statut": "suspendu", "commentaire": null});
    let edited = app.put(&boss, &path, edit).await.expect(200);
    assert_eq!(
        (
            &edited["frequence"],
            &edited["statut"],
            &edited["commentaire"],
            &edited["prochaine_date"]
        ),
        (&json!("trimestrielle"), &json!("suspendu"), &json!(null), &made["prochaine_date"])
    );
    assert_eq!(app.get(&boss, &path).await.expect(200), edited);

    for (sent, answered) in [
        ("daily", "journalier"),
        ("weekly", "hebdomadaire"),
        ("Monthly", "mensuelle"),
        ("quarterly", "trimestrielle"),
        ("semiannual", "semestrielle"),
        ("YEARLY", "annuelle"),
    ] {
        let edited = app.put(&boss, &path, json!({"frequence": sent})).await.expect(200);
        assert_eq!(edited["frequence"], answered, "{sent}");
    }

    plan(&app, &boss, json!({"frequence": "hebdomadaire"})).await;
    for (query, total) in [
        (String::new(), "2"),
        ("?statut=suspendu".to_owned(), "1"),
        (format!("?equipement_id={}", made["equipement_id"]), "1"),
        (format!("?equipement_id={}&statut=actif", made["equipement_id"]), "0"),
    ] {
        let answer = app.get(&boss, &format!("/planning{query}")).await;
        assert_eq!(answer.header("x-total-count"), total, "{query}: {}", answer.body);
    }
    let sorted = app.get(&boss, "/planning?sort=-prochaine_date").await.expect(200);
    assert_eq!(sorted[0]["id"], made["id"]);

    app.delete(&boss, &path).await.expect(204);
    app.delete(&boss, &path).await.expect_error(404, "planning_introuvable");
    app.get(&boss, &path).await.expect_error(404, "planning_introuvable");
    app.put(&boss, &path, json!({})).await.expect_error(404, "planning_introuvable");
}

#[tokio::test]
async fn a_planning_without_a_date_begins_a_period_after_the_last_visit_or_now() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let last = json!({"derniere_date": "2027-08-31T09:00:00Z", "frequence": "semestrielle"});
    let made = plan(&app, &boss, last).await;
    // In Ramadan 2028 Morocco is on UTC: 10:00 local time, as in August.
    assert_eq!(made["prochaine_date"], "2028-02-29T10:00:00Z", "{made}");

    // Computed in local time; one hour later if the clocks go forward just then.
    let local = local::wall;
    let before = local(app.ctx.clock.now());
    let made = plan(&app, &boss, json!({})).await;
    let (next, after) = (local(time(&made["prochaine_date"])), local(app.ctx.clock.now()));
    assert!(next >= before + Months::new(1), "{before} {next}");
    assert!(next <= after + Months::new(1) + TimeDelta::hours(1), "{next} {after}");
}

#[tokio::test]
async fn the_31st_comes_back_after_february() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let made = plan(&app, &boss, json!({"derniere_date": "2026-12-31T09:00:00Z"})).await;
    assert_eq!(made["prochaine_date"], "2027-01-31T09:00:00Z");
    let path = format!("/planning/{}/dates", made["id"]);
    let step = async |date: &str| app.patch(&boss, &path, json!({"nouvelle_date": date})).await;
    step("2027-02-28T09:00:00Z").await.expect(200);
    // An edit that sends the date unchanged keeps the stored day of the month.
    let same = json!({"prochaine_date": "2027-02-28T09:00:00Z", "commentaire": "Rien à signaler"});
    app.put(&boss, &format!("/planning/{}", made["id"]), same).await.expect(200);
    let jour = sqlx::query_scalar!("select jour from plannings").fetch_one(&app.ctx.pool);
    assert_eq!(jour.await.unwrap(), Some(31));

    let moved = step("2027-03-20").await.expect(200);
    assert_eq!(
        (&moved["prochaine_date"], &moved["derniere_date"]),
        (&json!("2027-03-20T00:00:00Z"), &json!("2027-02-28T09:00:00Z"))
    );
    let jour = sqlx::query_scalar!("select jour from plannings").fetch_one(&app.ctx.pool);
    assert_eq!(jour.await.unwrap(), Some(20), "another day was chosen");
}

#[tokio::test]
async fn a_new_date_comes_in_the_query_or_in_the_body() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let made = plan(&app, &boss, json!({"prochaine_date": "2027-05-10T08:00:00Z"})).await;
    let path = format!("/planning/{}/dates", made["id"]);
    let send = async |query: &str, body: Option<Value>| {
        app.call(&boss, Method::PATCH, &format!("{path}{query}"), body).await
    };
    let moved = send("?nouvelle_date=2027-06-10T08:00:00Z", None).await.expect(200);
    assert_eq!(
        (&moved["prochaine_date"], &moved["derniere_date"]),
        (&json!("2027-06-10T08:00:00Z"), &json!("2027-05-10T08:00:00Z"))
    );
    let moved = send("?nouvelle_date=2027-07-10", Some(json!({}))).await.expect(200);
    assert_eq!(moved["prochaine_date"], "2027-07-10T00:00:00Z");
    let moved = send("", Some(json!({"nouvelle_date": "2027-08-10T08:00:00"}))).await.expect(200);
    assert_eq!(moved["derniere_date"], "2027-07-10T00:00:00Z");

    let faults = send("", None).await;
    assert_eq!(faults.body["detail"][0]["loc"], json!(["query", "nouvelle_date"]));
    faults.expect_error(422, "donnees_invalides");
    let faults = send("", Some(json!({"nouvelle_date": "demain"}))).await;
    assert_eq!(faults.body["detail"][0]["loc"], json!(["body", "nouvelle_date"]));
    faults.expect_error(422, "donnees_invalides");
    let nowhere = "/planning/987654/dates?nouvelle_date=2027-06-10";
    app.call(&boss, Method::PATCH, nowhere, None).await.expect_error(404, "planning_introuvable");
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let unknown = json!({"frequence": "annuel", "equipement_id": 987_654});
    app.post(&boss, "/planning", unknown).await.expect_error(404, "equipement_introuvable");
    let answer = app.post(&boss, "/planning", json!({"frequence": "bimestrielle"})).await;
    let types: Vec<_> =
        answer.body["detail"].as_array().unwrap().iter().map(|f| f["type"].clone()).collect();
    assert_eq!(types, ["enum", "missing"]);
    answer.expect_error(422, "donnees_invalides");
    let path = format!("/planning/{}", plan(&app, &boss, json!({})).await["id"]);
    for bad in [json!({"statut": "fini"}), json!({"frequence": 3}), json!({"prochaine_date": "x"})]
    {
        app.put(&boss, &path, bad).await.expect_error(422, "donnees_invalides");
    }
}

#[tokio::test]
async fn a_client_sees_the_plannings_of_its_own_machines() {
    let app = app().await;
    let boss = app.user(UserRole::Responsable).await;
    let client = json!({"nom_entreprise": "Conserverie d'Agadir"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let reader = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    let stray = app.user(UserRole::Client).await;
    let (mine, other) = (plan(&app, &boss, json!({})).await, plan(&app, &boss, json!({})).await);
    let machine = format!("/equipements/{}", mine["equipement_id"]);
    app.put(&boss, &machine, json!({"client_id": client["id"]})).await.expect(200);

    let seen = app.get(&reader, "/planning").await.expect(200);
    assert_eq!(seen.as_array().unwrap().len(), 1);
    assert_eq!(seen[0]["id"], mine["id"]);
    app.get(&reader, &format!("/planning/{}", mine["id"])).await.expect(200);
    let path = format!("/planning/{}", other["id"]);
    app.get(&reader, &path).await.expect_error(404, "planning_introuvable");
    app.delete(&reader, &path).await.expect_error(403, "action_interdite");
    let filter = format!("/planning?equipement_id={}", other["equipement_id"]);
    assert_eq!(app.get(&reader, &filter).await.header("x-total-count"), "0");
    assert_eq!(app.get(&stray, "/planning").await.header("x-total-count"), "0");
}
