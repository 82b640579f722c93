//! The limits of requests of one caller.
use erp_core::{
    Clock, Error,
    limits::{Caller, Limits},
    users::UserRole,
};
use reqwest::Method;
use serde_json::json;

use crate::support::{App, PASSWORD};

/// A stopped clock, so that a slow test stays within one minute.
fn stopped() -> Clock {
    Clock::stopped_at(Clock::default().now())
}

#[tokio::test]
async fn each_user_has_its_limit_and_probes_are_never_refused() {
    let app = App::at(stopped(), &[("RATE_LIMIT_PER_MINUTE", "3")]).await;
    let (one, other) = (app.user(UserRole::Admin).await, app.user(UserRole::Admin).await);
    for _ in 0..3 {
        app.get(&one, "/auth/me").await.expect(200);
    }
    let refused = app.get(&one, "/users").await;
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    refused.expect_error(429, "trop_de_requetes");
    app.get(&other, "/auth/me").await.expect(200);

    // Without a valid token requests are counted by address, those with a guessed token too.
    for _ in 0..3 {
        app.send(app.request(Method::GET, "/users")).await.expect(401);
    }
    let guess = app.request(Method::GET, "/users").bearer_auth("guess");
    app.send(guess).await.expect_error(429, "trop_de_requetes");
    for path in ["/health", "/live", "/ready", "/api/v1/health", "/"] {
        app.send(app.request(Method::GET, path)).await.expect(200);
    }
    app.get(&other, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn signing_in_has_a_limit_of_its_own_whatever_a_stranger_forwards() {
    let app = App::at(stopped(), &[("LOGIN_LIMIT_PER_MINUTE", "2")]).await;
    let user = app.user(UserRole::Client).await;
    let sign_in = async |path: &str, forwarded: &str| {
        let form = [("username", &*user.username), ("email", &*user.email), ("password", PASSWORD)];
        let request = app.request(Method::POST, path).header("x-forwarded-for", forwarded);
        app.send(request.form(&form)).await
    };
    sign_in("/auth/login", "192.0.2.1").await.expect(200);
    sign_in("/api/v1/auth/token", "192.0.2.2").await.expect(200);
    sign_in("/auth/login", "192.0.2.3").await.expect_error(429, "trop_de_requetes");
    app.get(&user, "/auth/me").await.expect(200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_counts_for_itself() {
    let settings = [("LOGIN_LIMIT_PER_MINUTE", "1"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let app = App::at(stopped(), &settings).await;
    let sign_in = async |forwarded: &str| {
        let request = app.request(Method::POST, "/auth/login").header("x-forwarded-for", forwarded);
        app.send(request.json(&json!({"username": "nobody", "password": "wrong"}))).await
    };
    sign_in("192.0.2.1").await.expect_error(401, "identifiants_incorrects");
    sign_in("192.0.2.2").await.expect_error(401, "identifiants_incorrects");
    sign_in("192.0.2.9, 192.0.2.1").await.expect_error(429, "trop_de_requetes");
}

#[tokio::test]
async fn replicas_share_their_counts() {
    let app = App::new().await;
    let (pool, now, caller) = (&app.ctx.pool, app.ctx.clock.now(), Caller::User(7));
    let replicas = [Limits::default(), Limits::default()];
    let mut served = 0;
    for replica in replicas.iter().cycle().take(30) {
        match replica.count(caller, 10, now) {
            Ok(()) => served += 1,
            Err(Error::TooMany { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        replica.exchange(pool, now).await.unwrap();
    }
    // One more at the most: a request that the other replica had not yet reported.
    assert!((10..=11).contains(&served), "{served} of 10");
    for replica in &replicas {
        replica.count(caller, 10, now + chrono::TimeDelta::minutes(1)).unwrap();
    }
}
