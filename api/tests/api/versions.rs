//! Two people, or two devices, edit one row: no edit is overwritten unnoticed.
use erp_core::users::UserRole;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, User};

async fn send(
    app: &App,
    user: &User,
    method: Method,
    path: &str,
    tags: &[&str],
    body: &Value,
) -> Answer {
    let path = format!("/api/v1{path}");
    let mut request = app.request(method, &path).bearer_auth(&user.token).json(body);
    for tag in tags {
        request = request.header("if-match", *tag);
    }
    app.send(request).await
}

async fn put(app: &App, user: &User, path: &str, tag: &str, body: Value) -> Answer {
    send(app, user, Method::PUT, path, &[tag], &body).await
}

/// The row at `path`, and its tag.
async fn read(app: &App, user: &User, path: &str) -> (Value, String) {
    let answer = app.get(user, path).await;
    let tag = answer.header("etag").to_owned();
    let row = answer.expect(200);
    assert_eq!(tag, format!("\"{}\"", row["version"]), "{path}: {row}");
    (row, tag)
}

/// The differences in a 412: field, current value, sent value.
#[track_caller]
fn differences(answer: &Answer) -> Vec<(String, Value, Value)> {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (412, "version_perimee"),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("etag"), format!("\"{}\"", answer.body["version"]));
    assert!(answer.body["detail"].as_str().unwrap().contains("entre-temps"));
    assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
    let listed = answer.body["differences"].as_array().unwrap().iter();
    listed
        .map(|d| {
            (d["champ"].as_str().unwrap().to_owned(), d["actuel"].clone(), d["envoye"].clone())
        })
        .collect()
}

#[tokio::test]
async fn of_two_devices_the_stale_one_is_told_what_differs_and_the_one_that_repeats_does_nothing_twice()
 {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}");
    let history = async || {
        let lines = app.get(&boss, &format!("{path}/historique")).await.expect(200);
        lines.as_array().unwrap().len()
    };
    // Both devices have read version 1.
    let (row, first) = read(&app, &boss, &path).await;
    assert_eq!(row["version"], 1);
    let edit = json!({"priorite": "urgente", "date_limite": "2026-12-01"});
    let edited = put(&app, &boss, &path, &first, edit.clone()).await;
    let second = edited.header("etag").to_owned();
    assert_eq!(edited.expect(200)["version"], 2);

    // The response was lost, and the phone repeats the request: no second effect.
    let lines = history().await;
    let again = put(&app, &boss, &path, &first, edit).await;
    assert_eq!(again.header("etag"), second);
    assert_eq!(again.expect(200)["version"], 2);
    assert_eq!(history().await, lines);

    // The tablet still has version 1.
    let edit = json!({"titre": "Fuite au joint", "priorite": "haute", "type": "corrective"});
    let stale = put(&app, &boss, &path, &first, edit.clone()).await;
    assert_eq!(
        differences(&stale),
        [
            ("priorite".to_owned(), json!("urgente"), json!("haute")),
            ("titre".to_owned(), json!("Fuite à la garniture"), json!("Fuite au joint")),
        ]
    );
    assert_eq!(read(&app, &boss, &path).await.1, second, "nothing was changed");
    assert_eq!(history().await, lines);
    // Its user has compared, and sends the edit again with the current version.
    assert_eq!(put(&app, &boss, &path, &second, edit).await.expect(200)["version"], 3);
}

#[tokio::test]
async fn steps_know_versions_too() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}");
    let (_, first) = read(&app, &boss, &path).await;
    let assign = format!("{path}/affectation");
    let body = json!({"technicien_id": technicien_id});
    let assigned = send(&app, &boss, Method::PATCH, &assign, &[&first], &body).await;
    let second = assigned.header("etag").to_owned();
    assigned.expect(200);
    let step = format!("{path}/statut?statut=en_cours");
    let stale = send(&app, &technicien, Method::PATCH, &step, &[&first], &json!({})).await;
    let differences = differences(&stale);
    assert!(
        differences.contains(&("statut".to_owned(), json!("affectee"), json!("en_cours"))),
        "{differences:?}"
    );
    let stepped = send(&app, &technicien, Method::PATCH, &step, &[&second], &json!({})).await;
    assert_eq!(stepped.expect(200)["statut"], "en_cours");
    // What the business rules forbid is still refused.
    let again = send(&app, &technicien, Method::PATCH, &step, &[&second], &json!({})).await;
    again.expect_error(409, "transition_interdite");
}

#[tokio::test]
async fn everything_that_can_be_edited_has_a_version() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let made = async |path: &str, body: Value| {
        let row = app.post(&admin, path, body).await;
        assert!(row.status.is_success(), "{}", row.body);
        assert_eq!(row.body["version"], 1, "{path}: {}", row.body);
        format!("{path}/{}", row.body["id"])
    };
    let equipement_id = app.equipement(&admin).await;
    let (_, technicien_id) = app.technicien().await;
    let skill = app.post(&admin, "/techniciens/competences", json!({"nom": "Soudure"})).await;
    let skill = skill.expect(200)["id"].clone();
    let planning = json!({"frequence": "mensuel", "equipement_id": equipement_id});
    let edits = [
        (made("/clients", json!({"nom_entreprise": "OCP"})).await, "ville", json!("Safi")),
        (format!("/equipements/{equipement_id}"), "marque", json!("KSB")),
        (format!("/techniciens/{technicien_id}"), "equipe", json!("Mécanique A")),
        (made("/planning", planning).await, "commentaire", json!("Vidange")),
        (
            "/users/me/preferences".to_owned(),
            "heures_calmes",
            json!({"debut": "20:00", "fin": "07:00"}),
        ),
        (
            format!("/interventions/{}", app.intervention(&admin).await),
            "description",
            json!("Bruit"),
        ),
    ];
    for (path, field, value) in edits {
        let (row, first) = read(&app, &admin, &path).await;
        let version = row["version"].as_i64().unwrap();
        let edit = json!({ field: value });
        let edited = put(&app, &admin, &path, &first, edit.clone()).await;
        assert_eq!(edited.header("etag"), format!("\"{}\"", version + 1), "{path}");
        assert_eq!(edited.expect(200)[field], value, "{path}");
        // A repeat changes nothing, so the version stays.
        assert_eq!(put(&app, &admin, &path, "*", edit).await.expect(200)["version"], version + 1);
        let stale = put(&app, &admin, &path, &first, json!({ field: null })).await;
        let differing = differences(&stale);
        assert_eq!(differing, [(field.to_owned(), value, Value::Null)], "{path}");
        assert_eq!(read(&app, &admin, &path).await.0["version"], version + 1);
    }
    // A new description of a document is a new version; the result of its processing is not.
    let id = app.intervention(&admin).await;
    let document = app.upload(&admin, id, "note.txt", b"note".to_vec()).await.expect(201);
    assert_eq!(document["version"], 1);
    app.run_jobs().await;
    let ready = app.document(&admin, &document).await;
    assert_eq!((&ready["status"], &ready["version"]), (&json!("ready"), &json!(1)));
    let path = format!("/documents/{}", document["id"]);
    let edited = put(&app, &admin, &path, "\"1\"", json!({"description": "Avant"})).await;
    assert_eq!((edited.header("etag"), edited.status.as_u16()), ("\"2\"", 200));
    let stale = put(&app, &admin, &path, "\"1\"", json!({"description": "Après"})).await;
    assert_eq!(differences(&stale), [("description".to_owned(), json!("Avant"), json!("Après"))]);
    // Lists contain the versions.
    for list in ["/clients", "/equipements", "/techniciens", "/planning", "/interventions"] {
        let rows = app.get(&admin, list).await.expect(200);
        assert!(rows[0]["version"].as_i64().unwrap() >= 1, "{list}: {rows}");
    }
    // A change of skills is an edit of the technicien.
    let path = format!("/techniciens/{technicien_id}");
    let (_, before) = read(&app, &admin, &path).await;
    let skilled = put(&app, &admin, &path, &before, json!({"competences_ids": [skill]})).await;
    assert_ne!(skilled.header("etag"), before);
    skilled.expect(200);
    let stale = put(&app, &admin, &path, &before, json!({"competences_ids": []})).await;
    assert_eq!(differences(&stale)[0].0, "competences");
    let date = format!("/planning/{}/dates", planning_id(&app, &admin).await);
    let moved = json!({"nouvelle_date": "2027-01-01"});
    let stale = send(&app, &admin, Method::PATCH, &date, &["\"1\""], &moved).await;
    assert!(differences(&stale).iter().any(|(champ, ..)| champ == "prochaine_date"));
}

async fn planning_id(app: &App, user: &User) -> i64 {
    app.get(user, "/planning").await.expect(200)[0]["id"].as_i64().unwrap()
}

#[tokio::test]
async fn an_account_and_a_schedule_have_versions_that_programs_do_not_raise() {
    let app = App::new().await;
    app.leaves_jobs();
    let admin = app.user(UserRole::Admin).await;
    for path in ["/users/me", "/auth/me", &format!("/users/{}", admin.id)] {
        read(&app, &admin, path).await;
    }
    let (_, first) = read(&app, &admin, "/users/me").await;
    let form = [("username", admin.username.as_str()), ("password", crate::support::PASSWORD)];
    app.send(app.request(Method::POST, "/auth/login").form(&form)).await.expect(200);
    assert_eq!(read(&app, &admin, "/users/me").await.1, first, "a sign-in is no edit");
    let edited = put(&app, &admin, "/users/update", &first, json!({"full_name": "Salma A."})).await;
    assert_eq!(edited.expect(200)["version"], 2);
    let stale = put(&app, &admin, "/users/update", &first, json!({"full_name": "Salma B."})).await;
    assert_eq!(
        differences(&stale),
        [("full_name".to_owned(), json!("Salma A."), json!("Salma B."))]
    );
    // A new password is an edit too; the 412 does not contain its value.
    let password = "un-autre-mot-de-passe-9";
    let edit = json!({"password": password, "current_password": crate::support::PASSWORD});
    let stale = put(&app, &admin, "/users/update", &first, edit.clone()).await;
    assert_eq!(differences(&stale), [("password".to_owned(), Value::Null, Value::Null)]);
    assert!(!stale.body.to_string().contains("passe-9"), "{}", stale.body);
    let (_, second) = read(&app, &admin, "/users/me").await;
    app.send(app.request(Method::POST, "/auth/login").form(&form)).await.expect(200);

    let path = "/admin/schedules/planning.rappel";
    let version = async || {
        let all = app.get(&admin, "/admin/schedules").await.expect(200);
        let mut all = all.as_array().unwrap().iter();
        all.find(|row| row["name"] == "planning.rappel").unwrap()["version"].as_i64().unwrap()
    };
    let first = version().await;
    let tag = format!("\"{first}\"");
    put(&app, &admin, path, &tag, json!({"cron": "30 6 * * *"})).await.expect(200);
    assert_eq!(version().await, first + 1);
    let stale = put(&app, &admin, path, &tag, json!({"cron": "0 8 * * *"})).await;
    let differing = differences(&stale);
    assert_eq!(differing[0], ("cron".to_owned(), json!("30 6 * * *"), json!("0 8 * * *")));
    app.run_schedule(&admin, "planning.rappel").await;
    sqlx::query!("update schedules set next_run_at = now() where name = 'planning.rappel'")
        .execute(&app.ctx.pool)
        .await
        .unwrap();
    assert_eq!(version().await, first + 1, "a tick is no edit");

    put(&app, &admin, "/users/update", &second, edit).await.expect(200);
    app.get(&admin, "/users/me").await.expect_error(401, "session_terminee");
}

#[tokio::test]
async fn of_twenty_edits_of_one_version_one_stands() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let made = app.post(&boss, "/clients", json!({"nom_entreprise": "OCP"})).await.expect(201);
    let path = format!("/clients/{}", made["id"]);
    let edits =
        (0..20).map(|n| put(&app, &boss, &path, "\"1\"", json!({"ville": format!("V{n}")})));
    let answers = join_all(edits).await;
    let stood: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(stood.len(), 1, "{answers:?}");
    let won = stood[0].body["ville"].clone();
    let (row, _) = read(&app, &boss, &path).await;
    assert_eq!((&row["ville"], &row["version"]), (&won, &json!(2)));
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        assert_eq!(differences(&answer)[0].1, won);
    }
}

#[tokio::test]
async fn tags_are_compared_as_rfc_9110_says() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let made = app.post(&boss, "/clients", json!({"nom_entreprise": "OCP"})).await.expect(201);
    let path = format!("/clients/{}", made["id"]);
    let edit = async |tags: &[&str], ville: &str| {
        send(&app, &boss, Method::PUT, &path, tags, &json!({"ville": ville})).await
    };
    edit(&["*"], "Agadir").await.expect(200);
    edit(&["\"1\", \"2\""], "Berkane").await.expect(200);
    edit(&["\"x,y\"", "\"1\", W/\"3\""], "Casablanca").await.expect(200);
    // A weak tag (as of a proxy that compresses) counts as the strong one; a tag in another form matches nothing.
    for tags in [&["W/\"3\""][..], &["\"04\""], &["\"\""], &["\"5\"", "\"3\""]] {
        assert_eq!(differences(&edit(tags, "Dakhla").await).len(), 1, "{tags:?}");
    }
    for wrong in ["4", "\"4", "\"4\" \"5\"", "", "*, \"4\""] {
        let answer = edit(&[wrong], "Dakhla").await.expect(422);
        let fault = &answer["detail"][0];
        assert_eq!(fault["loc"], json!(["header", "If-Match"]), "{wrong}: {answer}");
        assert_eq!(fault["type"], "if_match_invalid");
    }
    put(&app, &boss, "/clients/987654", "*", json!({"ville": "Safi"}))
        .await
        .expect_error(404, "client_introuvable");
    assert_eq!(edit(&[], "Essaouira").await.expect(200)["version"], 5, "nobody must say");
    // In English, if the request asks for it.
    let english = app.request(Method::PUT, &format!("/api/v1{path}")).bearer_auth(&boss.token);
    let english = english.header("if-match", "\"1\"").header("accept-language", "en");
    let answer = app.send(english.json(&json!({"ville": "Fès"}))).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("Somebody else"), "{}", answer.body);
}

#[tokio::test]
async fn where_it_is_required_an_edit_without_a_version_is_refused() {
    let app = App::with(&[("REQUIRE_IF_MATCH", "true")]).await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}");
    app.put(&boss, &path, json!({"titre": "Bruit"})).await.expect_error(428, "version_requise");
    app.step(&boss, id, "en_cours").await.expect_error(428, "version_requise");
    assert_eq!(read(&app, &boss, &path).await.0["version"], 1);
    put(&app, &boss, &path, "\"1\"", json!({"titre": "Bruit"})).await.expect(200);
    put(&app, &boss, &path, "*", json!({"titre": "Fuite"})).await.expect(200);
    // The role is checked before the version, and the routes in `EXCEPTIONS` need no version.
    app.put(&app.user(UserRole::Client).await, &path, json!({}))
        .await
        .expect_error(403, "action_interdite");
    app.put(&boss, "/notifications/987654/read", json!({}))
        .await
        .expect_error(404, "notification_introuvable");
}

#[tokio::test]
async fn browsers_may_send_and_read_the_headers() {
    let app = App::new().await;
    let origin = "http://localhost:5173";
    let preflight = app
        .request(Method::OPTIONS, "/api/v1/clients/1")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "if-match,idempotency-key");
    let answer = app.send(preflight).await;
    let allowed = answer.header("access-control-allow-headers");
    assert!(allowed.contains("if-match") && allowed.contains("idempotency-key"), "{allowed}");
    let health = app.send(app.request(Method::GET, "/health").header("origin", origin)).await;
    let exposed = health.header("access-control-expose-headers");
    assert!(exposed.contains("etag") && exposed.contains("idempotency-replayed"), "{exposed}");
}

#[test]
fn every_edit_takes_a_version_or_says_why_not() {
    let document = erp_api::openapi_document();
    let edits = || {
        let table = erp_api::rbac::TABLE.iter();
        table.filter(|(method, ..)| [Method::PUT, Method::PATCH].contains(method))
    };
    for (method, path, _) in edits() {
        let operation =
            &document["paths"][format!("/api/v1{path}")][method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let takes_one = parameters.iter().any(|parameter| parameter["name"] == "If-Match");
        let excepted = erp_api::if_match::is_excepted(method.as_str(), path);
        assert_ne!(takes_one, excepted, "{method} {path}");
        let tagged = operation["responses"]["200"]["headers"].get("ETag").is_some();
        assert!(tagged || excepted, "{method} {path} answers with something that has no version");
    }
    for (method, path, reason) in erp_api::if_match::EXCEPTIONS {
        assert!(edits().any(|(m, p, _)| (m.as_str(), *p) == (method, path)), "{method} {path}");
        assert!(reason.contains(' '));
    }
}
