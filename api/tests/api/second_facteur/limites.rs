//! How many codes are looked at, and for whom.
use chrono::TimeDelta;
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::json;

use super::{Phone, acts, defi, enrol, login, still, verify};
use crate::support::{Answer, App, PASSWORD, User};

/// Names a code from the client `address`, behind a proxy.
async fn verify_from(app: &App, address: &str, defi: &str, code: &str) -> Answer {
    let form = [("defi", defi), ("code", code)];
    let request = app.request(Method::POST, "/auth/second-factor").form(&form);
    app.send(request.header("x-forwarded-for", address)).await
}

async fn login_from(app: &App, address: &str, user: &User) -> Answer {
    let form = [("username", user.username.as_str()), ("password", PASSWORD)];
    let request = app.request(Method::POST, "/auth/login").form(&form);
    app.send(request.header("x-forwarded-for", address)).await
}

/// A challenge for the client `address`, or nothing if that is locked.
async fn defi_from(app: &App, address: &str, user: &User) -> Option<String> {
    login_from(app, address, user).await.body["defi"].as_str().map(str::to_owned)
}

const PROXY: &[(&str, &str)] = &[("TRUSTED_PROXIES", "127.0.0.1")];

#[tokio::test]
async fn five_wrong_codes_lock_the_account_for_the_network_though_the_password_is_right() {
    let app = still(PROXY).await;
    let (user, admin) = (app.user(UserRole::Technicien).await, app.user(UserRole::Admin).await);
    let (phone, codes) = enrol(&app, &user).await;
    for _ in 0..5 {
        // The right password in between forgets no wrong code.
        let challenge = defi_from(&app, "192.0.2.7", &user).await.unwrap();
        verify_from(&app, "192.0.2.7", &challenge, &phone.wrong(&app))
            .await
            .expect_error(401, "code_incorrect");
    }
    login_from(&app, "192.0.2.7", &user).await.expect_error(401, "identifiants_incorrects");
    assert!(acts(&app, &admin, user.id).await.contains(&"verrouillage".to_owned()));
    // Its owner signs in from elsewhere; and there, five minutes later.
    let challenge = defi_from(&app, "198.51.100.7", &user).await.unwrap();
    verify_from(&app, "198.51.100.7", &challenge, &codes[0]).await.expect(200);
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::seconds(301));
    let challenge = defi_from(&app, "192.0.2.7", &user).await.unwrap();
    verify_from(&app, "192.0.2.7", &challenge, &phone.code(&app)).await.expect(200);
}

/// Wherever they come from, five for a challenge and ten within an hour, even if all come at once.
#[tokio::test]
async fn of_codes_from_everywhere_five_a_challenge_and_ten_an_hour_are_looked_at() {
    let app = still(PROXY).await;
    let user = app.user(UserRole::Responsable).await;
    let (phone, codes) = enrol(&app, &user).await;
    let wrong = phone.wrong(&app);
    let guess = async |challenge: &str, n: usize, code: &str| {
        verify_from(&app, &format!("10.{n}.0.1"), challenge, code).await
    };
    let challenge = defi(&app, &user).await;
    let guesses = (0..5).map(|n| guess(&challenge, n, &wrong));
    futures_util::future::join_all(guesses).await;
    guess(&challenge, 5, &codes[0]).await.expect_error(401, "code_incorrect");
    // Another challenge has five more, of which that one took one.
    let other = defi(&app, &user).await;
    guess(&other, 6, &codes[0]).await.expect(200);
    for n in 7..11 {
        guess(&defi(&app, &user).await, n, &wrong).await.expect_error(401, "code_incorrect");
    }
    guess(&defi(&app, &user).await, 11, &codes[1]).await.expect_error(401, "code_incorrect");
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::minutes(61));
    guess(&defi(&app, &user).await, 12, &codes[1]).await.expect(200);
}

/// Without the password there is no challenge: nobody locks a stranger out by codes.
#[tokio::test]
async fn a_challenge_is_of_one_account_for_five_minutes_and_until_its_password_changes() {
    let app = still(&[]).await;
    let (user, other) = (app.user(UserRole::Client).await, app.user(UserRole::Client).await);
    let (phone, _) = enrol(&app, &user).await;
    let (theirs, codes): (Phone, _) = enrol(&app, &other).await;
    let challenge = defi(&app, &user).await;
    for bad in ["x", "a.b.c", &user.token, &format!("{challenge}x")] {
        verify(&app, bad, &phone.code(&app)).await.expect_error(401, "defi_invalide");
    }
    verify(&app, &challenge, &theirs.code(&app)).await.expect_error(401, "code_incorrect");
    verify(&app, &challenge, &codes[0]).await.expect_error(401, "code_incorrect");
    // It opens no route by itself.
    let bearer = User { token: challenge.clone(), ..user.clone() };
    app.get(&bearer, "/auth/me").await.expect_error(401, "jeton_invalide");

    let new = "grue jaune bassin 9";
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    app.post(&user, "/auth/change-password", change).await.expect(200);
    verify(&app, &challenge, &phone.code(&app)).await.expect_error(401, "defi_invalide");
    let challenge = login(&app, &user, json!({ "password": new })).await.body["defi"].clone();
    let challenge = challenge.as_str().unwrap();
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::minutes(5));
    verify(&app, challenge, &phone.code(&app)).await.expect_error(401, "defi_invalide");
}
