//! The storage suite against a real S3-compatible server, over TCP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, time::Duration};

use erp_core::{
    Error,
    storage::{S3Options, Storage},
};
use s3_server::{Server, server};

#[path = "support/s3_server.rs"]
mod s3_server;
#[path = "../src/storage/suite.rs"]
mod suite;

fn storage(server: &Server, url: &str, secret: &str) -> Storage {
    let options = S3Options {
        endpoint: Some(format!("http://{}", server.address)),
        access_key_id: Some("key".into()),
        secret_access_key: Some(secret.into()),
        allow_http: true,
        ..S3Options::default()
    };
    assert!(!format!("{options:?}").contains("secret_access"), "a secret must not be logged");
    Storage::from_url(url, options).unwrap()
}

/// Parts not yet put together, below the server's folder. (Its own `.tmp.*` files do not count: it
/// loses one when a request is broken off at the wrong moment, and sweeps them when it starts.)
fn parts(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().contains(".part-")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_a_storage() {
    let server = server().await;
    let storage = storage(&server, "s3://bucket/some/prefix", "secret");
    suite::run(&storage).await;
    for _ in 0..500 {
        if parts(server.folder.path()) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(parts(server.folder.path()), 0, "parts of unfinished uploads stay in the bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_uploads_than_buffers_take_turns() {
    let server = server().await;
    let storage = storage(&server, "s3://bucket", "secret");
    let uploads = (0..40).map(|n| {
        let storage = storage.clone();
        async move {
            let mut writer = storage.writer(&format!("{n}.bin")).unwrap();
            writer.write(vec![7; 10_000].into()).await.unwrap();
            writer.finish().await.unwrap();
        }
    });
    futures_util::future::join_all(uploads).await;
    assert_eq!(storage.stat("39.bin").await.unwrap().size, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_or_bucket_is_unavailable() {
    let server = server().await;
    let elsewhere = storage(&server, "s3://elsewhere", "secret");
    assert!(matches!(elsewhere.check().await, Err(Error::Unavailable { .. })));
    let wrong = storage(&server, "s3://bucket", "wrong");
    assert!(matches!(wrong.check().await, Err(Error::Unavailable { .. })));
    assert!(matches!(wrong.get("a.txt", 10).await, Err(Error::Unavailable { .. })));
    assert!(matches!(wrong.put("a.txt", "a".into()).await, Err(Error::Unavailable { .. })));
}

#[test]
fn a_url_of_another_form_is_refused() {
    for url in ["", "s3://", "s3:///x", "https://bucket/x", "bucket"] {
        assert!(Storage::from_url(url, S3Options::default()).is_err(), "{url}");
    }
}
