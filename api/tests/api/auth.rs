//! Signing in, staying signed in, and being locked out.
use chrono::TimeDelta;
use erp_core::{
    Clock,
    users::{self, UserRole},
};
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

/// Status and body of an answer, without the id of the request.
fn said(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body["request_id"] = Value::Null;
    json!([answer.status.as_u16(), body])
}

#[tokio::test]
async fn five_failures_lock_the_account_by_name_and_by_address_and_nobody_sees_it() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let (user, other) = (app.user(UserRole::Client).await, app.user(UserRole::Client).await);
    let wrong = said(&login(&app, &user.username, "pas le bon").await);
    assert_eq!(wrong[1]["code"], "identifiants_incorrects");
    for name in [&user.email, &user.username, &user.email.to_uppercase(), &user.email] {
        assert_eq!(said(&login(&app, name, "pas le bon").await), wrong);
    }
    // The right password is not checked, whatever login is typed; an account that does not exist gets the same answer.
    for name in [&user.username, &user.email, &format!(" {} ", user.username), "personne"] {
        assert_eq!(said(&login(&app, name, PASSWORD).await), wrong, "{name}");
    }
    login(&app, &other.username, PASSWORD).await.expect(200);

    let now = app.ctx.clock.now();
    app.ctx.clock.set(now + TimeDelta::seconds(299));
    assert_eq!(said(&login(&app, &user.username, PASSWORD).await), wrong);
    app.ctx.clock.set(now + TimeDelta::seconds(301));
    login(&app, &user.username, PASSWORD).await.expect(200);
}

/// How many attempts with `login` had their password checked and failed.
async fn judged(app: &App, login: &str) -> i32 {
    let query =
        "select coalesce(max(echecs), 0) from login_failures where compte = $1 and adresse = '*'";
    let query = sqlx::query_scalar(query).bind(format!("nom:{login}"));
    query.fetch_one(&app.ctx.pool).await.unwrap()
}

#[tokio::test]
async fn of_guesses_made_all_at_once_five_are_looked_at_and_the_right_one_among_the_rest_is_not() {
    let app = App::new().await;
    let mut rounds = 0;
    for round in 0..25 {
        let user = app.user(UserRole::Client).await;
        let guesses =
            (0..20).map(|n| login(&app, &user.username, if n == 19 { PASSWORD } else { "non" }));
        let answers = futures_util::future::join_all(guesses).await;
        if answers.iter().any(|answer| answer.status == 503) {
            continue; // a busy machine refuses some of them
        }
        rounds += 1;
        if rounds > 5 {
            return;
        }
        let right = answers.iter().filter(|answer| answer.status == 200).count();
        if right == 1 {
            continue; // the right password was among the five, and the count was reset
        }
        assert_eq!(judged(&app, &user.username).await, 5, "round {round}");
        let wrong = said(&answers[0]);
        assert!(answers.iter().all(|answer| said(answer) == wrong), "round {round}");
        let by_mail = login(&app, &user.email, PASSWORD).await;
        assert!(
            by_mail.status == 503 || said(&by_mail) == wrong,
            "round {round}: {}",
            by_mail.body
        );
    }
    panic!("the machine is too busy: {rounds} rounds");
}

#[tokio::test]
async fn a_home_with_ipv6_is_one_address_and_others_are_slowed_but_not_locked_out() {
    let app = App::with(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let user = app.user(UserRole::Client).await;
    let from = async |address: &str, password: &str| {
        let form = [("username", user.username.as_str()), ("password", password)];
        let request = app.request(Method::POST, "/auth/login").header("x-forwarded-for", address);
        app.send(request.form(&form)).await
    };
    for n in 1..=5 {
        from(&format!("2001:db8:0:7::{n}"), "pas le bon").await.expect(401);
    }
    from("2001:db8:0:7:ffff::1", PASSWORD).await.expect(401);
    for n in 1..=7 {
        from(&format!("192.0.2.{n}"), "pas le bon").await.expect(401);
    }
    // An attempt that was not checked does not count; the thirteenth is delayed, and succeeds.
    assert_eq!(judged(&app, &user.username).await, 12);
    from("2001:db8:0:8::1", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_wrong_current_password_counts_like_a_failed_sign_in() {
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;
    let new = "une autre phrase de passe";
    let change = async |current: &str| {
        let form = [("current_password", current), ("new_password", new)];
        let request = app.request(Method::POST, "/api/v1/auth/change-password");
        app.send(request.bearer_auth(&user.token).form(&form)).await
    };
    for _ in 0..3 {
        change("pas le bon").await.expect_error(400, "mot_de_passe_actuel_incorrect");
    }
    let update = json!({"password": new, "current_password": "pas le bon"});
    for _ in 0..2 {
        app.put(&user, "/users/update", update.clone()).await.expect(422);
    }
    change(PASSWORD).await.expect_error(400, "mot_de_passe_actuel_incorrect");
    login(&app, &user.username, PASSWORD).await.expect_error(401, "identifiants_incorrects");
}

#[tokio::test]
async fn a_hash_of_another_time_is_made_anew_at_the_next_sign_in_and_nobody_is_signed_out() {
    // By argon2-cffi: `PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4).hash("pompe bleue")`.
    const OLD: &str = "$argon2id$v=19$m=65536,t=3,p=4$3t+2537BK6X1IQU17l7ulA$c9VfxP99O1rkQnZwxP/23bEgHMNMBi+1bSprMdkNAlw";
    let app = App::new().await;
    let user = app.user(UserRole::Responsable).await;
    let old = "update users set password_hash = $2 where id = $1";
    sqlx::query(old).bind(user.id).bind(OLD).execute(&app.ctx.pool).await.unwrap();
    let others = users::other_hashes(&app.ctx.pool).await.unwrap();
    assert_eq!(others, ["$argon2id$v=19$m=65536,t=3,p=4"]);

    login(&app, &user.username, "pompe verte").await.expect(401);
    assert_eq!(users::other_hashes(&app.ctx.pool).await.unwrap().len(), 1);
    login(&app, &user.username, "pompe bleue").await.expect(200);
    assert_eq!(users::other_hashes(&app.ctx.pool).await.unwrap(), [""; 0]);
    login(&app, &user.username, "pompe bleue").await.expect(200);
    app.get(&user, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn the_users_of_a_client_that_is_suspended_are_out_at_once_and_in_again_with_it() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let client = json!({"nom_entreprise": "Conserverie de Safi", "type_client": "entreprise"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let user = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    let tokens = login(&app, &user.username, PASSWORD).await.expect(200);
    let agenda = app.post(&user, "/users/me/calendrier", json!({})).await.expect(201);
    let agenda = format!("/planning/calendrier.ics?jeton={}", agenda["jeton"].as_str().unwrap());
    let refresh = async || {
        let body = json!({"refresh_token": tokens["refresh_token"]});
        app.send(app.request(Method::POST, "/auth/refresh").json(&body)).await
    };
    let set = async |active: bool| {
        let path = format!("/clients/{}", client["id"]);
        app.put(&boss, &path, json!({"is_active": active})).await.expect(200);
    };

    set(false).await;
    app.get(&user, "/auth/me").await.expect_error(403, "client_inactif");
    refresh().await.expect_error(403, "client_inactif");
    login(&app, &user.username, PASSWORD).await.expect_error(403, "client_inactif");
    login(&app, &user.username, "pas le bon").await.expect_error(401, "identifiants_incorrects");
    app.send(app.request(Method::GET, &agenda)).await.expect_error(403, "client_inactif");

    set(true).await;
    app.get(&user, "/auth/me").await.expect(200);
    refresh().await.expect(200);
    login(&app, &user.username, PASSWORD).await.expect(200);
    app.send(app.request(Method::GET, &agenda)).await.expect(200);
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

#[tokio::test]
async fn the_api_answers_while_passwords_are_scored() {
    // One: all tests of this process share the slots for scoring, and wait for one no longer than users of the API do.
    const PASSWORDS: usize = 1;
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;
    // Expensive to score: as long as a password may be, and each character can stand for several others.
    let leet = "4@8({[<369&#!1/|0$5+7%2".chars().cycle().take(128).collect::<String>();
    let waiting = std::cell::Cell::new(PASSWORDS);
    let scored = futures_util::future::join_all((0..PASSWORDS).map(async |_| {
        let form = [("current_password", "pas le bon"), ("new_password", leet.as_str())];
        let request = app.request(Method::POST, "/auth/change-password").form(&form);
        let answer = app.send(request.bearer_auth(&user.token)).await;
        waiting.set(waiting.get() - 1);
        assert!([400, 422, 503].contains(&answer.status.as_u16()), "{}", answer.body);
    }));
    // The server has one thread here, so scoring on it would delay all later requests.
    let mut between = 0;
    let asked = async {
        while waiting.get() > 0 {
            app.send(app.request(Method::GET, "/health")).await.expect(200);
            between += usize::from(waiting.get() > 0);
        }
    };
    futures_util::future::join(scored, asked).await;
    assert!(between > PASSWORDS, "{between} answers while {PASSWORDS} passwords were scored");
}
