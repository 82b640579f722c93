//! The calls for signing in, for accounts and for techniciens.
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::json;

use super::{NONE, Page, form, has};
use crate::support::{App, PASSWORD, User};

#[tokio::test]
async fn auth() {
    let app = App::new().await;
    let user = app.user(UserRole::Responsable).await;
    let page = Page::of(&app, "auth");
    let login = |password: &str| {
        let fields = form(&[("username", &user.username), ("password", password)]);
        page.request(None, ("POST", "/auth/login"), &NONE, "").multipart(fields)
    };
    let wrong = app.send(login("pas le bon")).await;
    assert!(wrong.body["detail"].is_string(), "the page shows it: {}", wrong.body);
    wrong.expect_error(401, "identifiants_incorrects");
    let before = app.ctx.clock.now();
    let tokens = app.send(login(PASSWORD)).await.expect(200);
    has(&tokens, &["access_token", "refresh_token", "token_type", "expires_in"]);

    let renew = page.request(None, ("POST", "/auth/refresh"), &NONE, "");
    let renewed =
        app.send(renew.json(&json!({"refresh_token": tokens["refresh_token"]}))).await.expect(200);
    let user = User { token: renewed["access_token"].as_str().unwrap().to_owned(), ..user };
    let me = page.get(&user, "/auth/me", &NONE, "").await.expect(200);
    has(&me, &["id", "username", "full_name", "email", "role", "is_active"]);
    let last_login: chrono::DateTime<chrono::Utc> =
        me["last_login"].as_str().unwrap().parse().unwrap();
    assert!(last_login >= before - chrono::Duration::milliseconds(1), "{me}");
    page.send(&user, ("POST", "/auth/logout"), &NONE, "", NONE).await.expect(200);
    page.get(&user, "/auth/me", &NONE, "").await.expect_error(401, "session_terminee");
    page.ends_complete();
}

#[tokio::test]
async fn users() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let page = Page::of(&app, "users");
    let create = ("POST", "/users/");
    let new = |password: &str| {
        json!({
            "username": "nadia@conserverie.example", "full_name": "Nadia El Fassi", "email": "n.elfassi@conserverie.example",
            "role": "client", "password": password,
        })
    };
    // A weak password is refused with a `message` that the page can show.
    for (password, said) in [
        ("azertyuiop", "Ce mot de passe est trop facile à deviner"),
        ("court", "Au moins 8 caractères sont attendus."),
    ] {
        let refused = page.send(&admin, create, &NONE, "", new(password)).await.expect(422);
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with(said) && message.ends_with('.'), "{message}");
        assert_eq!(message.matches('.').count(), 1, "one sentence: {message}");
        assert!(refused["detail"].is_array(), "{refused}");
    }
    let mut more = new("azertyuiop");
    more["email"] = json!("x");
    let refused = page.send(&admin, create, &NONE, "", more).await.expect(422);
    assert!(refused.get("message").is_none(), "not the password alone: {refused}");
    let made = page.send(&admin, create, &NONE, "", new(PASSWORD)).await.expect(201);
    assert_eq!(made["last_login"], NONE, "nobody has signed in yet");

    let all = page.get(&admin, "/users/", &NONE, "").await.expect(200);
    assert_eq!(all[0]["id"], made["id"], "the newest first");
    has(&all[0], &["username", "email", "role", "is_active", "created_at", "last_login"]);

    // A responsable chooses whom to make a technicien, but does not see the addresses of clients' users.
    let seen = page.get(&boss, "/users/", &NONE, "").await;
    assert_eq!(seen.header("x-total-count"), "3");
    let text = seen.body.to_string();
    assert!(!text.contains("conserverie.example") && !text.contains("last_login"), "{text}");
    let row = |id: i64| {
        let rows = seen.body.as_array().unwrap().iter();
        rows.clone().find(|row| row["id"] == id).cloned().unwrap()
    };
    let client = row(made["id"].as_i64().unwrap());
    assert_eq!((&client["full_name"], &client["role"]), (&made["full_name"], &made["role"]));
    assert_eq!((&client["is_active"], &client["email"]), (&json!(true), &NONE));
    assert_eq!(
        (&row(admin.id)["email"], &row(admin.id)["username"]),
        (&json!(admin.email), &json!(admin.username))
    );
    let sorted = page.get(&boss, "/users/", &NONE, "?sort=email").await.expect(200);
    assert_eq!(sorted[2]["id"], made["id"], "what is not shown sorts nothing");
    let technicien = app.user(UserRole::Technicien).await;
    page.get(&technicien, "/users/", &NONE, "").await.expect_error(403, "action_interdite");

    let renamed = json!({"full_name": "Salma Idrissi"});
    let renamed = page.send(&boss, ("PUT", "/users/update"), &NONE, "", renamed).await.expect(200);
    assert_eq!(renamed["full_name"], "Salma Idrissi");
    page.send(&admin, ("DELETE", "/users/{id}"), &made["id"], "", NONE).await.expect(204);
    page.ends_complete();
}

#[tokio::test]
async fn the_small_one_signs_in_asks_who_it_is_and_lists_the_users() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let fields = [("email", admin.email.as_str()), ("password", PASSWORD)];
    let tokens = app.send(app.request(Method::POST, "/auth/token").form(&fields)).await.expect(200);
    let get = async |path: &str| {
        let request = app.request(Method::GET, path);
        app.send(request.bearer_auth(tokens["access_token"].as_str().unwrap())).await.expect(200)
    };
    assert_eq!(get("/auth/me").await["email"], admin.email);
    assert_eq!(get("/users/").await[0]["id"], admin.id);
}

#[tokio::test]
async fn techniciens() {
    let app = App::new().await;
    let (boss, user) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let page = Page::of(&app, "techniciens");
    let skill = ("POST", "/techniciens/competences");
    let skill = page.send(&boss, skill, &NONE, "", json!({"nom": "Hydraulique"})).await.expect(200);
    let skills = page.get(&boss, "/techniciens/competences", &NONE, "").await.expect(200);
    assert_eq!(skills, json!([skill]));
    let new = json!({
        "user_id": user.id, "equipe": "Mécanique A", "disponibilite": "Disponible", "competences_ids": [skill["id"]],
    });
    let made = page.send(&boss, ("POST", "/techniciens/"), &NONE, "", new).await.expect(200);
    assert_eq!(
        (&made["user"]["id"], &made["disponibilite"]),
        (&json!(user.id), &json!("disponible"))
    );
    let list = page.get(&user, "/techniciens/", &NONE, "").await.expect(200);
    has(&list[0], &["id", "equipe", "disponibilite", "competences"]);
    has(&list[0]["user"], &["full_name", "email"]);
    page.ends_complete();
}
