//! Who may read a file: anybody with a signed address, until it expires, and anybody with a token of a user who may see the document.
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{Clock, users::UserRole};
use erp_dev::samples;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::support::{App, User};

/// A responsable, a user of the document's client, a user of another client, and the document, which is ready.
async fn scene(app: &App) -> (User, User, User, Value) {
    let boss = app.user(UserRole::Responsable).await;
    let of_client = async |nom: &str| {
        let new = json!({"nom_entreprise": nom, "type_client": "entreprise"});
        let id = app.post(&boss, "/clients", new).await.expect(201)["id"].as_i64().unwrap();
        (id, app.user_with(UserRole::Client, json!({"client_id": id})).await)
    };
    let ((client, owner), (_, stranger)) = (of_client("Safi").await, of_client("Agadir").await);
    let machine = json!({"nom": "Pompe", "type": "P", "localisation": "L", "client_id": client});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200)["id"].clone();
    let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine});
    let intervention = app.post(&boss, "/interventions", new).await.expect(200)["id"].clone();
    let intervention = intervention.as_i64().unwrap();
    let photo = samples::png(640, 480, 1);
    let made = app.upload(&boss, intervention, "a.png", photo).await.expect(201);
    app.run_jobs().await;
    let ready = app.document(&owner, &made).await;
    assert_eq!(ready["status"], "ready");
    (boss, owner, stranger, ready)
}

async fn get(app: &App, path: &str, user: Option<&User>) -> Response {
    let request = app.request(Method::GET, path);
    user.map_or(request.try_clone().unwrap(), |u| request.bearer_auth(&u.token))
        .send()
        .await
        .unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

const ADDRESSES: [(&str, &str); 3] =
    [("path", "url"), ("thumbnail_path", "thumbnail_url"), ("preview_path", "preview_url")];

#[tokio::test]
async fn a_plain_address_opens_nothing_without_a_token_of_somebody_who_may_read() {
    let app = App::new().await;
    let (boss, owner, stranger, ready) = scene(&app).await;
    for (path, url) in ADDRESSES {
        let plain = format!("/{}", ready[path].as_str().unwrap());
        for place in [plain.clone(), format!("/api/v1{plain}")] {
            for (user, status) in
                [(None, 401), (Some(&stranger), 404), (Some(&owner), 200), (Some(&boss), 200)]
            {
                assert_eq!(get(&app, &place, user).await.status(), status, "{place}");
            }
        }
        let kept = get(&app, &plain, Some(&owner)).await;
        assert_eq!(header(&kept, "cache-control"), "private, no-cache");
        assert_eq!(header(&kept, "x-accel-expires"), "0", "nor by nginx");
        let url = ready[url].as_str().unwrap();
        assert_eq!(url.split_once('?').unwrap().0, plain);
        assert_eq!(get(&app, url, None).await.status(), 200, "{url}");
        let head = app.request(Method::HEAD, url).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_ne!(header(&head, "content-length").parse::<u64>().unwrap(), 0);
        let part = app.request(Method::GET, url).header("range", "bytes=0-3").send().await.unwrap();
        assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().len()), (206, 4));
    }
    // A signature is for one file only.
    let query = ready["url"].as_str().unwrap().split_once('?').unwrap().1;
    let other = format!("/{}?{query}", ready["thumbnail_path"].as_str().unwrap());
    let answer = app.send(app.request(Method::GET, &other)).await;
    answer.expect_error(401, "lien_invalide");
    // Without rights, a missing file looks the same as an existing one.
    let absent = "/static/uploads/00000000-0000-4000-8000-000000000000.png";
    app.send(app.request(Method::GET, absent)).await.expect_error(401, "non_authentifie");
    let signed = format!("{absent}?{query}");
    app.send(app.request(Method::GET, &signed)).await.expect_error(401, "lien_invalide");
}

#[tokio::test]
async fn a_signed_address_ends_within_the_hour_and_caches_with_it() {
    let start = "2026-11-26T08:12:00Z".parse().unwrap();
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let (boss, _, _, ready) = scene(&app).await;
    let url = ready["url"].as_str().unwrap();
    // Addresses issued at 8:12 expire at 9:10.
    let fresh = get(&app, url, None).await;
    assert_eq!(header(&fresh, "cache-control"), "private, max-age=3420, immutable");
    assert_eq!(header(&fresh, "x-accel-expires"), "60");
    assert_eq!(header(&fresh, "referrer-policy"), "no-referrer");
    app.set_clock("2026-11-26T08:19:59Z");
    assert_eq!(app.document(&boss, &ready).await["url"], url, "the same for a while");
    app.set_clock("2026-11-26T09:09:30Z");
    let last = get(&app, url, None).await;
    assert_eq!(header(&last, "cache-control"), "private, max-age=0, immutable");
    assert_eq!(header(&last, "x-accel-expires"), "30");
    app.set_clock("2026-11-26T09:10:00Z");
    app.send(app.request(Method::GET, url)).await.expect_error(401, "lien_expire");
    let again = app.document(&boss, &ready).await;
    assert_eq!(get(&app, again["url"].as_str().unwrap(), None).await.status(), 200);
}

#[tokio::test]
async fn plain_addresses_are_open_only_where_the_operator_says_so() {
    let app = App::with(&[("PUBLIC_UPLOADS", "true")]).await;
    let (_, _, stranger, ready) = scene(&app).await;
    for (path, url) in ADDRESSES {
        for place in
            [format!("/{}", ready[path].as_str().unwrap()), ready[url].as_str().unwrap().to_owned()]
        {
            let answer = get(&app, &place, None).await;
            assert_eq!(answer.status(), 200, "{place}");
            assert_eq!(header(&answer, "cache-control"), "private, max-age=31536000, immutable");
            assert_eq!(get(&app, &place, Some(&stranger)).await.status(), 200, "{place}");
        }
    }
}

#[tokio::test]
async fn a_day_of_uploads_is_bounded_even_when_they_come_at_once() {
    let start: DateTime<Utc> = "2026-11-26T12:00:00Z".parse().unwrap();
    // Read from the answers, so that the test does not depend on the rules of Morocco's time zone.
    let mut midnight = start;
    let app = App::at(
        Clock::stopped_at(start),
        &[("UPLOAD_QUOTA_MB", "1"), ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440")],
    )
    .await;
    let boss = app.user(UserRole::Responsable).await;
    let other = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    let text = |size| b"0123456789abcdef".iter().copied().cycle().take(size).collect::<Vec<u8>>();
    let upload = |user| app.upload(user, intervention, "a.txt", text(300_000));
    let eight = futures_util::future::join_all((0..8).map(|_| upload(&boss))).await;
    let done = eight.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(done, 3, "three of 300 000 bytes are in a mebibyte");
    for answer in eight.into_iter().filter(|answer| answer.status != 201) {
        let seconds: i64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=13 * 3600).contains(&seconds), "until midnight: {seconds}");
        midnight = start + TimeDelta::seconds(seconds);
        answer.expect_error(429, "quota_depots_atteint");
    }
    assert_eq!(app.stored_files().len(), 3);
    assert_eq!(app.get(&boss, "/documents").await.header("x-total-count"), "3");
    // Files are accepted up to the last byte of the quota; each user has a quota of their own.
    app.upload(&boss, intervention, "b.txt", text(1024 * 1024 - 900_000)).await.expect(201);
    app.upload(&boss, intervention, "c.txt", text(1))
        .await
        .expect_error(429, "quota_depots_atteint");
    upload(&other).await.expect(201);
    app.ctx.clock.set(midnight);
    upload(&boss).await.expect(201);
}

#[tokio::test]
async fn a_quota_of_nothing_is_no_quota() {
    let app = App::with(&[("UPLOAD_QUOTA_MB", "0")]).await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    for _ in 0..2 {
        app.upload(&boss, intervention, "a.txt", vec![b'x'; 2_000_000]).await.expect(201);
    }
}
