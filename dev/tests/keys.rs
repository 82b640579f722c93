//! Rotation of the key of tokens, with the real programs: no user is logged out.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt as _};

use reqwest::StatusCode;
use serde_json::Value;

use support::{System, command};

const PASSWORD: &str = "atlas pompe quai 4";

/// Signs in, or exchanges a refresh token; the access token and the refresh token of the response.
async fn tokens(system: &System, path: &str, form: &[(&str, &str)]) -> (String, String) {
    let url = format!("{}/api/v1/auth/{path}", system.url);
    let answer = system.client.post(url).form(form).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body: Value = answer.json().await.unwrap();
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn login(system: &System) -> (String, String) {
    tokens(system, "login", &[("username", "responsable"), ("password", PASSWORD)]).await
}

async fn me(system: &System, token: &str) -> StatusCode {
    let url = format!("{}/api/v1/auth/me", system.url);
    system.client.get(url).bearer_auth(token).send().await.unwrap().status()
}

/// The first part of a token, which names its key.
fn header(token: &str) -> &str {
    token.split('.').next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_outlives_one_rotation_and_its_access_token_not_two() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, previous) = (path("key"), path("previous"));
    fs::write(&key, "the very first key of this system, of 2026\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let mut system = System::start_with(&[
        ("SECRET_KEY", ""),
        ("SECRET_KEY_FILE", &key),
        ("SECRET_KEY_PREVIOUS_FILE", &previous),
    ])
    .await;
    let (first, refresh) = login(&system).await;
    assert_eq!(me(&system, &first).await, StatusCode::OK);

    let rotate = async |system: &System| {
        let api = &system.programs.api;
        let said = command::run(api, &["rotate-keys"], &system.environment, "").await;
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains("Redémarrez") && said.out.contains("60 minutes"), "{said:?}");
        for file in [&key, &previous] {
            assert!(!said.out.contains(fs::read_to_string(file).unwrap().trim()), "it is a secret");
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        }
    };
    rotate(&system).await;
    assert_eq!(
        me(&system, &first).await,
        StatusCode::OK,
        "what runs goes on with what it has read"
    );
    system.restart_api().await;
    assert_eq!(me(&system, &first).await, StatusCode::OK, "opened before the rotation");
    let (second, refresh) = tokens(&system, "refresh", &[("refresh_token", &refresh)]).await;
    assert_ne!(header(&first), header(&second), "the new key has another name");
    assert_eq!(header(&login(&system).await.0), header(&second));

    rotate(&system).await;
    system.restart_api().await;
    assert_eq!(me(&system, &first).await, StatusCode::UNAUTHORIZED, "its key is gone");
    assert_eq!(me(&system, &second).await, StatusCode::OK);
    let (third, _) = tokens(&system, "refresh", &[("refresh_token", &refresh)]).await;
    assert_eq!(me(&system, &third).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_in_no_file_is_not_rotated_but_the_lines_are_given() {
    let system = System::start().await;
    let said = command::run(&system.programs.api, &["rotate-keys"], &system.environment, "").await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.line("SECRET_KEY=").len() == 11 + 64, "{said:?}");
    said.line("SECRET_KEY_PREVIOUS=");
    assert!(said.err.contains("Rien n'a été changé"), "{said:?}");
}
