//! What an admin changes of accounts.
use erp_core::users::UserRole;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use crate::support::{App, PASSWORD, User};

async fn sign_in(app: &App, login: &str) -> Option<String> {
    let form = [("username", login), ("password", PASSWORD)];
    let answer = app.send(app.request(Method::POST, "/api/v1/auth/login").form(&form)).await;
    answer.body["access_token"].as_str().map(ToOwned::to_owned)
}

#[tokio::test]
async fn an_admin_changes_an_account_and_its_owner_signs_in_again() {
    let app = App::new().await;
    let (admin, user) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let path = format!("/users/{}", user.id);
    let before = app.get(&admin, &path).await.expect(200);

    // What gives no other access signs nobody out.
    let edit = json!({"full_name": "Nadia Tazi", "langue": "en"});
    let changed = app.put(&admin, &path, edit).await.expect(200);
    assert_eq!((&changed["full_name"], &changed["langue"]), (&json!("Nadia Tazi"), &json!("en")));
    assert_eq!(changed["email"], before["email"]);
    app.get(&user, "/auth/me").await.expect(200);
    // An edit of an older version is refused, and changes nothing.
    let request = app.request(Method::PUT, &format!("/api/v1{path}")).bearer_auth(&admin.token);
    let request = request.header("if-match", format!("\"{}\"", before["version"]));
    app.send(request.json(&json!({"role": "client"}))).await.expect(412);
    app.get(&user, "/auth/me").await.expect(200);

    let address = format!("nadia{}@mif.example", user.id);
    let changed = app.put(&admin, &path, json!({"email": address})).await.expect(200);
    assert_eq!(changed["email"], json!(address));
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    assert_eq!(sign_in(&app, &user.email).await, None);
    let token = sign_in(&app, &address).await.unwrap();
    let user = User { token, ..user };

    app.put(&admin, &path, json!({"role": "technicien"})).await.expect(200);
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    let user = User { token: sign_in(&app, &address).await.unwrap(), ..user };
    app.get(&user, "/clients").await.expect_error(403, "action_interdite");

    app.put(&admin, &path, json!({"is_active": false})).await.expect(200);
    app.get(&user, "/auth/me").await.expect_error(403, "compte_desactive");
    app.put(&admin, &path, json!({"is_active": true})).await.expect(200);
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");

    let audit = app.get(&admin, "/admin/audit?action=compte_modifie").await.expect(200);
    let lines = audit.as_array().unwrap();
    assert_eq!(lines.len(), 5, "{audit}");
    assert_eq!(lines[3]["avant"], json!({"email": before["email"]}));
    assert_eq!(lines[3]["apres"], json!({"email": address}));
    // An edit that changes nothing is no line.
    app.put(&admin, &path, json!({})).await.expect(200);
    let audit = app.get(&admin, "/admin/audit?action=compte_modifie").await.expect(200);
    assert_eq!(audit.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn what_does_not_fit_an_account_is_refused_and_changes_nothing() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let path = format!("/users/{}", boss.id);
    let client = app.post(&admin, "/clients", json!({"nom_entreprise": "Rif"})).await.expect(201);
    let before = app.get(&admin, &path).await.expect(200);

    app.put(&admin, &path, json!({"client_id": client["id"]}))
        .await
        .expect_error(422, "donnees_invalides");
    app.put(&admin, &path, json!({"role": "client", "client_id": 987_654}))
        .await
        .expect_error(404, "client_introuvable");
    app.put(&admin, &path, json!({"email": admin.email.to_uppercase()}))
        .await
        .expect_error(409, "email_deja_utilise");
    app.put(&admin, &path, json!({"email": "x", "role": "chef"})).await.expect(422);
    app.put(&admin, "/users/987654", json!({})).await.expect_error(404, "utilisateur_introuvable");
    app.put(&boss, &path, json!({"role": "admin"})).await.expect_error(403, "action_interdite");
    assert_eq!(app.get(&admin, &path).await.expect(200), before);
    app.get(&boss, "/auth/me").await.expect(200);

    // A client's user sees what is the client's; with another role they belong to none.
    let edit = json!({"role": "client", "client_id": client["id"]});
    app.put(&admin, &path, edit).await.expect(200);
    // An edit of that alone, which no answer shows, is judged by its version, too.
    let version = app.get(&admin, &path).await.expect(200)["version"].as_i64().unwrap();
    let other = app.post(&admin, "/clients", json!({"nom_entreprise": "Souss"})).await.expect(201);
    app.put(&admin, &path, json!({"client_id": other["id"]})).await.expect(200);
    let request = app.request(Method::PUT, &format!("/api/v1{path}")).bearer_auth(&admin.token);
    let request = request.header("if-match", format!("\"{version}\""));
    app.send(request.json(&json!({"client_id": client["id"]}))).await.expect(412);
    app.put(&admin, &path, json!({"client_id": client["id"]})).await.expect(200);
    let belongs = format!("/clients/{}", client["id"]);
    app.delete(&admin, &belongs).await.expect_error(409, "client_utilise");
    app.put(&admin, &path, json!({"role": "responsable"})).await.expect(200);
    app.delete(&admin, &belongs).await.expect(204);

    let (technicien, _) = app.technicien().await;
    app.put(&admin, &format!("/users/{}", technicien.id), json!({"role": "responsable"}))
        .await
        .expect_error(409, "compte_de_technicien");
}

#[tokio::test]
async fn the_last_active_admin_stays_one_however_many_take_admins_away_at_once() {
    let app = App::new().await;
    let mut one = app.user(UserRole::Admin).await;
    let path = |user: &User| format!("/users/{}", user.id);
    app.put(&one, &path(&one), json!({"role": "responsable"}))
        .await
        .expect_error(409, "dernier_administrateur");
    app.put(&one, &path(&one), json!({"is_active": false}))
        .await
        .expect_error(409, "desactivation_de_soi");

    for round in 0..12 {
        let two = app.user(UserRole::Admin).await;
        let (a, b) = if round % 2 == 0 {
            join(app.delete(&one, &path(&two)), app.delete(&two, &path(&one))).await
        } else {
            let edit = || json!({"role": "technicien"});
            join(app.put(&one, &path(&two), edit()), app.put(&two, &path(&one), edit())).await
        };
        // The second was signed out by the first before it was looked at, or would have taken the last one away.
        let done = [&a, &b].iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(done, 1, "round {round}: {a:?} {b:?}");
        let other = if a.status.is_success() { &b } else { &a };
        assert!(
            ["dernier_administrateur", "session_terminee", "compte_desactive", "action_interdite"]
                .contains(&other.code()),
            "round {round}: {other:?}"
        );
        if b.status.is_success() {
            one = two;
        }
        app.get(&one, "/admin/queues").await.expect(200);
    }
}
