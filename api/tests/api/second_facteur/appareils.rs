//! Trusted devices.
use chrono::TimeDelta;
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Phone, defi, enrol, later, login, still, with};
use crate::support::{App, PASSWORD, User};

/// Signs in with a code of `phone` and trusts the device; the answer.
pub async fn trust(app: &App, user: &User, phone: &Phone) -> Value {
    later(app, TimeDelta::seconds(60));
    let form =
        json!({ "defi": defi(app, user).await, "code": phone.code(app), "se_souvenir": true });
    app.send(app.request(Method::POST, "/auth/second-factor").json(&form)).await.expect(200)
}

async fn signs_in(app: &App, user: &User, appareil: &Value) -> bool {
    let answer = login(app, user, json!({ "appareil": appareil })).await;
    if answer.status != 200 {
        assert_eq!((answer.status.as_u16(), answer.code()), (401, "second_facteur_requis"));
    }
    answer.status == 200
}

#[tokio::test]
async fn a_trusted_device_is_asked_for_no_code_for_thirty_days_and_is_of_one_account() {
    let app = still(&[]).await;
    let (user, other) = (app.user(UserRole::Admin).await, app.user(UserRole::Admin).await);
    let (phone, _) = enrol(&app, &user).await;
    let answer = trust(&app, &user, &phone).await;
    let user = with(&user, &answer);
    let device = &answer["appareil"];
    assert_eq!(device.as_str().unwrap().len(), 64);
    assert!(signs_in(&app, &user, device).await);
    assert!(!signs_in(&app, &user, &json!("")).await);
    let form = json!({ "email": user.email, "password": "pas le bon", "appareil": device });
    app.send(app.request(Method::POST, "/auth/token").json(&form))
        .await
        .expect_error(401, "identifiants_incorrects");
    enrol(&app, &other).await;
    assert!(!signs_in(&app, &other, device).await, "of another account");

    let state = app.get(&user, "/auth/second-factor").await.expect(200);
    assert_eq!(state["appareils"].as_array().unwrap().len(), 1);
    assert_eq!(state["appareils"][0]["adresse_ip"], "127.0.0.1");
    assert!(!state.to_string().contains(device.as_str().unwrap()));
    later(&app, TimeDelta::days(30) - TimeDelta::minutes(3));
    assert!(signs_in(&app, &user, device).await);
    later(&app, TimeDelta::minutes(3));
    assert!(!signs_in(&app, &user, device).await);
    let state = app.get(&user, "/auth/second-factor").await.expect(200);
    assert_eq!(state["appareils"], json!([]));
}

#[tokio::test]
async fn of_trusted_devices_the_ten_newest_stay_and_their_owner_forgets_them_all() {
    let app = still(&[]).await;
    let user = app.user(UserRole::Technicien).await;
    let (phone, _) = enrol(&app, &user).await;
    let mut devices = Vec::new();
    for _ in 0..11 {
        devices.push(trust(&app, &user, &phone).await["appareil"].clone());
    }
    assert!(!signs_in(&app, &user, &devices[0]).await);
    for device in [&devices[1], &devices[10]] {
        assert!(signs_in(&app, &user, device).await);
    }
    assert_eq!(app.delete(&user, "/auth/second-factor/appareils").await.status, 204);
    assert!(!signs_in(&app, &user, &devices[10]).await);
}

#[tokio::test]
async fn a_new_password_another_role_a_reset_and_the_end_of_all_sessions_end_the_trust() {
    let app = still(&[]).await;
    let admin = app.user(UserRole::Admin).await;
    for what in ["password", "email", "role", "sessions", "reset"] {
        let user = app.user(UserRole::Responsable).await;
        let (phone, _) = enrol(&app, &user).await;
        let answer = trust(&app, &user, &phone).await;
        let (user, device) = (with(&user, &answer), &answer["appareil"]);
        assert!(signs_in(&app, &user, device).await);
        let account = format!("/users/{}", user.id);
        let mut password = PASSWORD;
        match what {
            "password" => {
                password = "grue jaune bassin 9";
                let change = json!({ "current_password": PASSWORD, "new_password": password });
                app.post(&user, "/auth/change-password", change).await.expect(200);
            }
            "email" => {
                let change = json!({ "email": format!("autre{}@mif.example", user.id) });
                app.put(&admin, &account, change).await.expect(200);
            }
            "role" => {
                app.put(&admin, &account, json!({ "role": "technicien" })).await.expect(200);
            }
            "sessions" => {
                assert_eq!(app.delete(&admin, &format!("{account}/sessions")).await.status, 204);
            }
            _ => {
                let reset = format!("{account}/second-factor");
                assert_eq!(app.delete(&admin, &reset).await.status, 204);
                let fresh = with(&user, &login(&app, &user, json!({})).await.expect(200));
                enrol(&app, &fresh).await;
            }
        }
        let again = login(&app, &user, json!({ "password": password, "appareil": device })).await;
        assert_eq!(again.code(), "second_facteur_requis", "{what}: {}", again.body);
    }
}
