//! The secrets of second factors in the database, and the keys that seal them.
use std::sync::Arc;

use chrono::TimeDelta;
use erp_core::{
    auth::second_factor::{count_unreadable, seal_again},
    config::Secret,
    keys::{Keys, Sealing},
    secret::hex,
    users::UserRole,
};
use serde_json::json;

use super::{defi, enrol, later, login, still, verify};
use crate::support::{App, PASSWORD};

/// The keys of the system after a rotation from key `previous` to `key`.
fn rotate(app: &mut App, key: &str, previous: Option<&str>) {
    let mut config = (*app.ctx.config).clone();
    config.auth.secret_key = Secret::new(key);
    config.auth.previous_secret_key = previous.map(Secret::new);
    app.ctx.keys = Arc::new(Keys::new(&config.auth).unwrap());
    app.ctx.sealing = Arc::new(Sealing::new(&config.auth).unwrap());
    app.ctx.config = Arc::new(config);
}

const FIRST: &str = "the key of tests, long enough to sign";
const SECOND: &str = "the second key of tests, long enough";
const THIRD: &str = "the third key of tests, long enough..";

/// Everything that the tables of second factors hold.
async fn dump(app: &App) -> String {
    let query = "select concat(
        (select string_agg(f::text, ' ') from seconds_facteurs f), (select string_agg(c::text, ' ') from codes_secours c),
        (select string_agg(a::text, ' ') from appareils_surs a), (select string_agg(u::text, ' ') from audit u))";
    sqlx::query_scalar(query).fetch_one(&app.ctx.pool).await.unwrap()
}

#[tokio::test]
async fn the_database_holds_no_secret_that_makes_a_code_or_stands_for_one() {
    let app = still(&[]).await;
    let user = app.user(UserRole::Admin).await;
    let enrolment = app
        .post(&user, "/auth/second-factor/enrol", json!({ "password": PASSWORD }))
        .await
        .expect(200);
    let base32 = enrolment["secret"].as_str().unwrap();
    let secret = totp_rs::Secret::try_from_base32(base32).unwrap();
    let waiting = dump(&app).await;
    assert!(!waiting.contains(base32) && !waiting.contains(&hex(secret.as_bytes())), "{waiting}");

    let (phone, codes) = enrol(&app, &user).await;
    let form =
        json!({ "defi": defi(&app, &user).await, "code": phone.code(&app), "se_souvenir": true });
    let request = app.request(reqwest::Method::POST, "/auth/second-factor").json(&form);
    let device = app.send(request).await.expect(200)["appareil"].clone();
    let all = dump(&app).await;
    let code = codes[0].replace('-', "");
    for known in [&codes[0], &code, &hex(code.as_bytes()), device.as_str().unwrap()] {
        assert!(!all.contains(known), "{known}: {all}");
    }
}

#[tokio::test]
async fn a_rotation_of_the_key_keeps_second_factors_used_or_not_and_a_lost_key_keeps_recovery_codes()
 {
    let mut app = still(&[]).await;
    let (used, idle) = (app.user(UserRole::Admin).await, app.user(UserRole::Client).await);
    let (phone, _) = enrol(&app, &used).await;
    let (other, codes) = enrol(&app, &idle).await;
    rotate(&mut app, SECOND, Some(FIRST));
    let replica = app.replica().await;
    app.url = replica;
    verify(&app, &defi(&app, &used).await, &phone.code(&app)).await.expect(200);
    // What nobody used is sealed again in steps; what was used is already.
    let mut tx = app.ctx.begin().await.unwrap();
    assert_eq!(seal_again(&mut tx, &app.ctx.sealing, 10).await.unwrap(), 1);
    assert_eq!(seal_again(&mut tx, &app.ctx.sealing, 10).await.unwrap(), 0);
    tx.commit().await.unwrap();

    rotate(&mut app, THIRD, Some(SECOND));
    let replica = app.replica().await;
    app.url = replica;
    later(&app, TimeDelta::seconds(30));
    verify(&app, &defi(&app, &used).await, &phone.code(&app)).await.expect(200);
    verify(&app, &defi(&app, &idle).await, &other.code(&app)).await.expect(200);

    rotate(&mut app, FIRST, None);
    let replica = app.replica().await;
    app.url = replica;
    assert_eq!(count_unreadable(&app.ctx.pool, &app.ctx.sealing).await.unwrap(), 2);
    later(&app, TimeDelta::seconds(30));
    verify(&app, &defi(&app, &idle).await, &other.code(&app))
        .await
        .expect_error(500, "erreur_interne");
    verify(&app, &defi(&app, &idle).await, &codes[0]).await.expect(200);
    login(&app, &used, json!({})).await.expect_error(401, "second_facteur_requis");
}
