//! Signing in, staying in, and being shut out.
use erp_core::users::UserRole;
use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

async fn login(app: &App, name: &str, password: &str) -> Answer {
    let form = [("username", name), ("password", password)];
    app.send(app.request(Method::POST, "/api/v1/auth/login").form(&form)).await
}

fn with(tokens: &Value) -> User {
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    User { id: 0, username: String::new(), email: String::new(), token }
}

#[tokio::test]
async fn a_user_signs_in_with_either_form_on_either_route() {
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;

    let tokens = login(&app, &user.username, PASSWORD).await.expect(200);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("bearer"), &json!(3600)));

    let form = multipart::Form::new().text("email", user.email.clone()).text("password", PASSWORD);
    let tokens =
        app.send(app.request(Method::POST, "/auth/token/").multipart(form)).await.expect(200);

    let me = app.get(&with(&tokens), "/auth/me").await.expect(200);
    assert_eq!((&me["id"], &me["role"]), (&json!(user.id), &json!("technicien")));
    assert!(me.as_object().unwrap().keys().all(|key| !key.contains("password")));
}

#[tokio::test]
async fn an_unknown_account_and_a_wrong_password_are_answered_alike() {
    let app = App::new().await;
    let user = app.user(UserRole::Client).await;
    let wrong = login(&app, &user.username, "pas le bon").await;
    let unknown = login(&app, "personne", "pas le bon").await;
    assert_eq!(wrong.body["detail"], unknown.body["detail"]);
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    wrong.expect_error(401, "identifiants_incorrects");
    unknown.expect_error(401, "identifiants_incorrects");
}

#[tokio::test]
async fn five_failures_lock_the_account_for_that_address_even_for_the_right_password() {
    let app = App::new().await;
    let (user, other) = (app.user(UserRole::Client).await, app.user(UserRole::Client).await);
    for _ in 0..5 {
        login(&app, &user.username, "pas le bon").await.expect(401);
    }
    let locked = login(&app, &user.email, PASSWORD).await;
    let wait: u64 = locked.header("retry-after").parse().unwrap();
    assert!((1..=301).contains(&wait), "{wait}");
    locked.expect_error(429, "compte_verrouille");
    login(&app, &other.username, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn guesses_made_all_at_once_do_not_get_past_the_lock() {
    let app = App::new().await;
    let user = app.user(UserRole::Client).await;
    let guesses =
        (0..20).map(|n| login(&app, &user.username, if n == 19 { PASSWORD } else { "non" }));
    let answers = futures_util::future::join_all(guesses).await;
    assert!(answers.iter().all(|a| [401, 429, 200].contains(&a.status.as_u16())));
    login(&app, &user.username, PASSWORD).await.expect_error(429, "compte_verrouille");
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_second_use_ends_the_family() {
    let app = App::new().await;
    let user = app.user(UserRole::Responsable).await;
    let first = login(&app, &user.username, PASSWORD).await.expect(200);
    let refresh = async |tokens: &Value| {
        let body = json!({"refresh_token": tokens["refresh_token"]});
        app.send(app.request(Method::POST, "/api/v1/auth/refresh").json(&body)).await
    };
    let second = refresh(&first).await.expect(200);
    refresh(&first).await.expect_error(401, "session_terminee");
    refresh(&second).await.expect_error(401, "session_terminee");
    // Another login of the same user is another family.
    let other = login(&app, &user.username, PASSWORD).await.expect(200);
    let form = [("refresh_token", other["refresh_token"].as_str().unwrap())];
    app.send(app.request(Method::POST, "/auth/refresh").form(&form)).await.expect(200);
}

#[tokio::test]
async fn a_new_password_makes_every_older_token_worthless() {
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;
    let tokens = login(&app, &user.username, PASSWORD).await.expect(200);
    let change = async |current: &str, new: &str| {
        let form = [("current_password", current), ("new_password", new)];
        let request = app.request(Method::POST, "/api/v1/auth/change-password");
        app.send(request.bearer_auth(&user.token).form(&form)).await
    };
    change("pas le bon", "une autre phrase de passe")
        .await
        .expect_error(400, "mot_de_passe_actuel_incorrect");
    change(PASSWORD, "azertyuiop").await.expect_error(422, "donnees_invalides");
    change(PASSWORD, "une autre phrase de passe").await.expect(200);

    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    let body = json!({"refresh_token": tokens["refresh_token"]});
    app.send(app.request(Method::POST, "/auth/refresh").json(&body)).await.expect(401);
    login(&app, &user.username, PASSWORD).await.expect(401);
    login(&app, &user.username, "une autre phrase de passe").await.expect(200);
}

#[tokio::test]
async fn a_disabled_account_is_told_so_only_with_the_right_password() {
    let app = App::new().await;
    let (admin, user) = (app.user(UserRole::Admin).await, app.user(UserRole::Technicien).await);
    app.delete(&admin, &format!("/users/{}", user.id)).await.expect(204);
    app.get(&user, "/auth/me").await.expect_error(403, "compte_desactive");
    login(&app, &user.username, "pas le bon").await.expect_error(401, "identifiants_incorrects");
    login(&app, &user.username, PASSWORD).await.expect_error(403, "compte_desactive");
    app.patch(&admin, &format!("/users/{}/activate", user.id), json!({})).await.expect(200);
    login(&app, &user.username, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn tokens_that_are_not_ours_or_not_whole_are_refused() {
    let app = App::new().await;
    let user = app.user(UserRole::Admin).await;
    let (head, _signature) = user.token.rsplit_once('.').unwrap();
    for token in ["", "abc", "a.b.c", head, &format!("{head}.AAAA")] {
        let request = app
            .request(Method::GET, "/api/v1/auth/me")
            .header("authorization", format!("Bearer {token}"));
        let answer = app.send(request).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.expect(401);
    }
    app.send(app.request(Method::GET, "/api/v1/auth/me"))
        .await
        .expect_error(401, "non_authentifie");
}
