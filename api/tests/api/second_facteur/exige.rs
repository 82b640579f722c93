//! Roles that need a second factor.
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::json;

use super::{Phone, defi, enrol, login, still, verify, with};
use crate::support::{PASSWORD, User};

const REQUIRED: &[(&str, &str)] = &[("REQUIRE_2FA", "admin,responsable")];

#[tokio::test]
async fn who_must_have_a_second_factor_can_only_enrol_one_and_then_works_at_once() {
    let app = still(REQUIRED).await;
    let (boss, technicien) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    app.get(&technicien, "/interventions").await.expect(200);
    let tokens = login(&app, &boss, json!({})).await.expect(200);
    let boss = with(&boss, &tokens);
    for path in ["/interventions", "/users", "/users/me", "/auth/sessions", "/dashboard/stats"] {
        app.get(&boss, path).await.expect_error(403, "second_facteur_a_activer");
    }
    let change = json!({ "current_password": PASSWORD, "new_password": "grue jaune bassin 9" });
    app.post(&boss, "/auth/change-password", change)
        .await
        .expect_error(403, "second_facteur_a_activer");
    app.get(&boss, "/auth/me").await.expect(200);
    assert_eq!(app.get(&boss, "/auth/second-factor").await.expect(200)["exige"], true);
    let form = [("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let tokens = app.send(app.request(Method::POST, "/auth/refresh").form(&form)).await.expect(200);
    let boss = with(&boss, &tokens);

    let given = json!({ "password": PASSWORD });
    let phone = Phone::new(&app.post(&boss, "/auth/second-factor/enrol", given).await.expect(200));
    // Another replica knows the caller as one who must enrol, when the first code comes.
    let replica = app.replica().await;
    let there = || async {
        let request = app.client.get(format!("{replica}/api/v1/interventions"));
        app.send(request.bearer_auth(&boss.token)).await
    };
    there().await.expect_error(403, "second_facteur_a_activer");
    let code = json!({ "code": phone.code(&app) });
    app.post(&boss, "/auth/second-factor/confirm", code).await.expect(200);
    there().await.expect(200);
    app.get(&boss, "/interventions").await.expect(200);
    let signed_out = app.post(&boss, "/auth/logout", json!({})).await;
    signed_out.expect(200);
}

#[tokio::test]
async fn who_must_have_a_second_factor_cannot_remove_it_and_enrols_another_after_a_reset() {
    let app = still(REQUIRED).await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let (phone, codes) = enrol(&app, &boss).await;
    let proof = json!({ "password": PASSWORD, "code": codes[0] });
    app.call(&boss, Method::DELETE, "/auth/second-factor", Some(proof))
        .await
        .expect_error(409, "second_facteur_exige");
    let tokens = verify(&app, &defi(&app, &boss).await, &phone.code(&app)).await.expect(200);
    let boss = with(&boss, &tokens);
    app.get(&boss, "/interventions").await.expect(200);
    let key = json!({ "nom": "relevés", "portees": ["interventions:lire"] });
    let key = app.post(&boss, "/auth/api-keys", key).await.expect(201);
    let script = User { token: key["cle"].as_str().unwrap().to_owned(), ..boss.clone() };
    app.get(&script, "/interventions").await.expect(200);

    enrol(&app, &admin).await;
    let reset = format!("/users/{}/second-factor", boss.id);
    assert_eq!(app.delete(&admin, &reset).await.status, 204);
    app.get(&script, "/interventions").await.expect_error(403, "second_facteur_a_activer");
    let boss = with(&boss, &login(&app, &boss, json!({})).await.expect(200));
    app.get(&boss, "/interventions").await.expect_error(403, "second_facteur_a_activer");
    enrol(&app, &boss).await;
    app.get(&boss, "/interventions").await.expect(200);
}
