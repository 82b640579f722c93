//! API keys: what they open, and what ends them.
use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

const PATH: &str = "/auth/api-keys";

async fn make(app: &App, user: &User, portees: &[&str]) -> Value {
    app.post(user, PATH, json!({ "nom": "relevés", "portees": portees })).await.expect(201)
}

/// Whoever has the key of `made`.
fn script(user: &User, made: &Value) -> User {
    User { token: made["cle"].as_str().unwrap().to_owned(), ..user.clone() }
}

async fn show(app: &App, with: &User) -> Answer {
    app.send(app.request(Method::GET, "/auth/me").bearer_auth(&with.token)).await
}

#[tokio::test]
async fn a_key_does_what_its_rights_name_and_never_more_than_its_owner() {
    let app = App::new().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let rights = ["interventions:lire", "documents:ecrire", "clients:ecrire", "admin:lire"];
    let made = make(&app, &boss, &rights).await;
    let key = script(&boss, &made);
    assert!(key.token.starts_with(made["debut"].as_str().unwrap()) && key.token.len() > 60);

    assert_eq!(show(&app, &key).await.expect(200)["id"], boss.id);
    app.get(&key, "/interventions").await.expect(200);
    // To write includes to read, of that noun alone.
    app.get(&key, "/documents").await.expect(200);
    let client = json!({ "nom_entreprise": "Cimenterie" });
    app.post(&key, "/clients", client).await.expect(201);
    let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": 1});
    app.post(&key, "/interventions", new).await.expect_error(403, "portee_insuffisante");
    app.get(&key, "/equipements").await.expect_error(403, "portee_insuffisante");
    // What the owner may not do, their key may not either.
    app.get(&key, "/admin/jobs").await.expect_error(403, "action_interdite");
    // What belongs to a person is not for keys: sessions, keys, passwords, the own account.
    for (method, path) in [
        (Method::GET, "/auth/sessions"),
        (Method::GET, PATH),
        (Method::POST, PATH),
        (Method::POST, "/auth/logout"),
        (Method::PUT, "/users/update"),
        (Method::POST, "/users/me/calendrier"),
        (Method::GET, "/users/me/export/fichier"),
    ] {
        let answer = app.call(&key, method, path, Some(json!({}))).await;
        answer.expect_error(403, "portee_insuffisante");
    }

    // The owner sees it, not the secret; nobody else sees or revokes it.
    let listed = app.get(&boss, PATH).await.expect(200);
    assert_eq!((listed[0]["id"].as_str(), listed[0]["cle"].as_str()), (made["id"].as_str(), None));
    assert!(listed[0]["last_used_at"].is_string(), "{listed}");
    assert_eq!(app.get(&admin, PATH).await.expect(200), json!([]));
    let one = format!("{PATH}/{}", made["id"].as_str().unwrap());
    app.delete(&admin, &one).await.expect_error(404, "cle_api_introuvable");
    let kept: String =
        sqlx::query_scalar("select string_agg(to_jsonb(k)::text, ' ') from cles_api k")
            .fetch_one(&app.ctx.pool)
            .await
            .unwrap();
    assert!(!kept.contains(&key.token[16..]), "only its hash is stored: {kept}");

    let replica = app.replica().await;
    let there = async || {
        let request = app.client.get(format!("{replica}/interventions"));
        app.send(request.bearer_auth(&key.token)).await
    };
    there().await.expect(200);
    app.delete(&boss, &one).await.expect(204);
    there().await.expect_error(401, "jeton_invalide");
    app.delete(&boss, &one).await.expect_error(404, "cle_api_introuvable");

    // The audit says that it was made and revoked; its owner was told.
    let lines = app.get(&admin, "/admin/audit?cible=cle_api&sort=id").await.expect(200);
    let actions: Vec<_> = lines.as_array().unwrap().iter().map(|l| &l["action"]).collect();
    assert_eq!(actions, ["cle_api_creee", "cle_api_revoquee"]);
    assert_eq!(lines[0]["cible_id"], made["id"]);
    // What is done with a key is recorded with its id.
    let made = make(&app, &admin, &["admin:ecrire", "users:lire"]).await;
    let key = script(&admin, &made);
    app.post(&key, "/admin/queues/emails.group/pause", json!({})).await.expect(200);
    let line = app.get(&admin, "/admin/audit?action=file_suspendue").await.expect(200);
    assert_eq!((&line[0]["session_id"], &line[0]["user_id"]), (&made["id"], &json!(admin.id)));
    // No key of anybody changes an account: it would outlive itself there.
    app.get(&key, "/users").await.expect(200);
    let path = format!("/users/{}", boss.id);
    app.put(&key, &path, json!({"role": "admin"})).await.expect_error(403, "portee_insuffisante");
    app.delete(&key, &path).await.expect_error(403, "portee_insuffisante");

    app.run_jobs().await;
    let mails = app.mails();
    let told = mails.iter().find(|mail| mail.to == [boss.email.clone()]).unwrap();
    assert_eq!(told.subject, "Une clé d’API a été créée pour votre compte");
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_with_its_reason() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let boss = app.user(UserRole::Responsable).await;
    let now = app.ctx.clock.now();
    let ends = |end: TimeDelta| json!({ "nom": "n", "portees": ["planning:lire"], "expires_at": (now + end).to_rfc3339() });
    for wrong in [
        json!({ "nom": "n", "portees": [] }),
        json!({ "nom": "n", "portees": ["planning:tout"] }),
        json!({ "nom": "n", "portees": ["users:ecrire"] }),
        json!({ "nom": " ", "portees": ["planning:lire"] }),
        ends(TimeDelta::zero()),
        ends(TimeDelta::days(367)),
    ] {
        app.post(&boss, PATH, wrong.clone()).await.expect_error(422, "donnees_invalides");
    }
    app.post(&boss, PATH, ends(TimeDelta::days(365))).await.expect(201);
    for _ in 1..20 {
        make(&app, &boss, &["planning:lire"]).await;
    }
    let one_more = json!({ "nom": "n", "portees": ["planning:lire"] });
    app.post(&boss, PATH, one_more).await.expect_error(409, "trop_de_cles_api");
}

#[tokio::test]
async fn a_key_ends_with_its_time_and_with_what_ends_all_access_of_its_owner() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    for how in ["time", "password", "role", "admin", "disabled", "client"] {
        let role = if how == "client" { UserRole::Client } else { UserRole::Responsable };
        let client = app.post(&admin, "/clients", json!({"nom_entreprise": how})).await.expect(201);
        let fields = if how == "client" { json!({"client_id": client["id"]}) } else { json!({}) };
        let user = app.user_with(role, fields).await;
        let key = script(&user, &make(&app, &user, &["interventions:lire"]).await);
        show(&app, &key).await.expect(200);
        let path = format!("/users/{}", user.id);
        let expected = match how {
            "time" => {
                app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(90));
                (401, "jeton_invalide")
            }
            "password" => {
                let body = json!({"current_password": PASSWORD, "password": "une autre phrase"});
                app.put(&user, "/users/update", body).await.expect(200);
                (401, "jeton_invalide")
            }
            "role" => {
                app.put(&admin, &path, json!({"role": "client"})).await.expect(200);
                (401, "jeton_invalide")
            }
            "admin" => {
                app.delete(&admin, &format!("{path}/sessions")).await.expect(204);
                (401, "jeton_invalide")
            }
            "disabled" => {
                app.delete(&admin, &path).await.expect(204);
                show(&app, &key).await.expect_error(401, "jeton_invalide");
                // It does not return with the account.
                app.patch(&admin, &format!("{path}/activate"), json!({})).await.expect(200);
                (401, "jeton_invalide")
            }
            _ => {
                let path = format!("/clients/{}", client["id"]);
                app.put(&admin, &path, json!({"is_active": false})).await.expect(200);
                (403, "client_inactif")
            }
        };
        show(&app, &key).await.expect_error(expected.0, expected.1);
    }
    // A text that only looks like a key.
    let forged = User { token: format!("mif_{}", "0".repeat(64)), ..admin.clone() };
    show(&app, &forged).await.expect_error(401, "jeton_invalide");
}
