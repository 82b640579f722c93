//! What outsiders do not learn: users of a client about the staff, and strangers about the API.
use erp_api::rbac::TABLE;
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

/// Path, status and body of the answer of every GET route to `user`, with these ids in the paths.
async fn every_answer(app: &App, user: &User, ids: &[(&str, i64)]) -> Vec<(String, u16, String)> {
    let mut answers = Vec::new();
    for (_, path, _) in TABLE.iter().filter(|(method, ..)| *method == Method::GET) {
        let noun = path.trim_start_matches('/').split('/').next().unwrap();
        let id = ids.iter().find(|(of, _)| *of == noun).map_or(1, |(_, id)| *id);
        let path = path.replace("{id}", &id.to_string()).replace("{user_id}", &user.id.to_string());
        let path = path.replace("{name}", "emails").replace("{file}", "x.png");
        let request = app.request(Method::GET, &format!("/api/v1{path}")).bearer_auth(&user.token);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        answers.push((path, status, text));
    }
    answers
}

#[tokio::test]
async fn users_of_a_client_see_of_staff_the_name_and_the_function() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let (technicien, technicien_id) = app.technicien().await;
    let new = json!({"nom_entreprise": "Conserverie", "type_client": "entreprise"});
    let client = app.post(&boss, "/clients", new).await.expect(201)["id"].clone();
    let user = app.user_with(UserRole::Client, json!({"client_id": client})).await;
    let machine = json!({"nom": "Pompe", "type": "P", "localisation": "L", "client_id": client});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200)["id"].clone();
    let plan = json!({"frequence": "mensuel", "equipement_id": machine});
    let plan = app.post(&boss, "/planning", plan).await.expect(201)["id"].as_i64().unwrap();
    let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine});
    let id = app.post(&admin, "/interventions", new).await.expect(200)["id"].as_i64().unwrap();
    let to = json!({"technicien_id": technicien_id});
    app.patch(&boss, &format!("/interventions/{id}/affectation"), to).await.expect(200);
    app.upload(&technicien, id, "a.png", samples::png(64, 48, 1)).await.expect(201);
    app.step(&technicien, id, "cloturee").await.expect(200);
    app.run_jobs().await;
    assert!(!app.told(&user).await.is_empty(), "the client was told of the end");

    let ids = [
        ("interventions", id),
        ("documents", id),
        ("planning", plan),
        ("techniciens", technicien_id),
        ("equipements", machine.as_i64().unwrap()),
    ];
    let answers = every_answer(&app, &user, &ids).await;
    let good = answers.iter().filter(|(_, status, _)| *status == 200).count();
    assert!(good >= 20, "{good} answers");
    for (path, _, text) in &answers {
        for staff in [&admin, &boss, &technicien] {
            for secret in [&staff.email, &staff.username] {
                // In these tests a full name does not contain the username, so the search is not ambiguous.
                assert!(!text.contains(secret.as_str()), "{path} names {secret}: {text}");
            }
        }
        for role in ["admin", "responsable", "technicien"] {
            let told = format!(r#""role":"{role}""#);
            assert!(!text.contains(&told), "{path} tells a role: {text}");
        }
    }
    let of = |path: &str| {
        let (_, status, text) = answers.iter().find(|(p, ..)| p == path).unwrap();
        assert_eq!(*status, 200, "{path}");
        serde_json::from_str::<Value>(text).unwrap()
    };
    let one = of(&format!("/techniciens/{technicien_id}"));
    let name = |user: &Value| user["full_name"].as_str().unwrap().to_owned();
    let mut keys: Vec<_> = one["user"].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        (keys, &one["user"]["fonction"]),
        (vec!["fonction", "full_name"], &json!("technicien"))
    );
    assert_eq!(of("/techniciens")[0]["user"], one["user"]);
    let lines = of(&format!("/interventions/{id}/historique"));
    let first = lines.as_array().unwrap().last().unwrap();
    assert_eq!(first["user"]["fonction"], "responsable", "an admin is one more, from outside");
    assert!(name(&first["user"]).starts_with("Salma"));

    // Staff see the accounts of each other.
    let seen = app.get(&technicien, &format!("/techniciens/{technicien_id}")).await.expect(200);
    assert_eq!(seen["user"]["email"], technicien.email);
    let lines = app.get(&boss, &format!("/interventions/{id}/historique")).await.expect(200);
    assert!(lines.as_array().unwrap().iter().any(|line| line["user"]["role"] == "admin"));
}

#[tokio::test]
async fn a_technicien_without_a_record_takes_closes_and_cancels_nothing() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let technicien = app.user(UserRole::Technicien).await;
    let free = app.intervention(&boss).await;
    for statut in ["affectee", "en_cours", "cloturee", "annulee", "en_attente"] {
        app.step(&technicien, free, statut).await.expect_error(403, "technicien_sans_fiche");
    }
    let now = app.get(&boss, &format!("/interventions/{free}")).await.expect(200);
    assert_eq!((&now["statut"], &now["technicien_id"]), (&json!("ouverte"), &json!(null)));
    let lines = app.get(&boss, &format!("/interventions/{free}/historique")).await;
    assert_eq!(lines.header("x-total-count"), "1");
    let record = json!({"user_id": technicien.id});
    app.post(&boss, "/techniciens", record).await.expect(200);
    app.step(&technicien, free, "cloturee").await.expect(200);
}

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn no_answer_is_kept_nor_taken_for_a_page() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let paths = [
        ("/users/me", 200),
        ("/interventions", 200),
        ("/health", 200),
        ("/dashboard/stats", 200),
        ("/interventions/987654", 404),
        ("/nulle-part", 404),
        ("/admin/queues", 403),
        ("/interventions?limit=0", 422),
        ("/static/uploads/x.png", 404),
    ];
    for (path, status) in paths {
        let answer = app.get(&boss, path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("content-security-policy"), NOTHING, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let nobody = app.send(app.request(Method::GET, "/api/v1/users/me")).await;
    assert_eq!((nobody.status.as_u16(), nobody.header("cache-control")), (401, "no-store"));
    let form = [("username", boss.username.as_str()), ("password", crate::support::PASSWORD)];
    let token = app.send(app.request(Method::POST, "/auth/login").form(&form)).await;
    assert_eq!((token.status.as_u16(), token.header("cache-control")), (200, "no-store"));
    let document = app.send(app.request(Method::GET, "/openapi.json")).await;
    assert_eq!((document.status.as_u16(), document.header("cache-control")), (200, "no-store"));
    let page = app.send(app.request(Method::GET, "/docs")).await;
    assert!(page.header("content-security-policy").contains("'self'"), "the pages keep theirs");
}

#[tokio::test]
async fn the_documentation_is_for_those_who_are_signed_in_where_the_operator_says_so() {
    let app = App::with(&[("DOCS_PUBLIC", "false")]).await;
    let user = app.user(UserRole::Client).await;
    for path in [
        "/docs",
        "/docs/",
        "/docs/swagger-ui-bundle.js",
        "/redoc",
        "/redoc/redoc.standalone.js",
        "/openapi.json",
        "/openapi.generated.json",
    ] {
        let request = || app.request(Method::GET, path);
        app.send(request()).await.expect_error(401, "non_authentifie");
        app.send(request().bearer_auth("x.y.z")).await.expect_error(401, "jeton_invalide");
        let answer = app.send(request().bearer_auth(&user.token)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("cache-control")),
            (200, "no-store"),
            "{path}"
        );
    }
}
