//! The suite on a local folder, what only a folder can show, and the time limit of a call.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Error, S3Options, Storage, suite};

#[path = "../../tests/support/s3_server.rs"]
mod s3_server;

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name != "deep").collect()
}

/// Removal after a drop is a task of its own: give it a moment.
async fn settled(folder: &Path) -> Vec<String> {
    for _ in 0..100 {
        if files(folder).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    files(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_a_storage() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/when/absent");
    suite::run(&Storage::local(&root).unwrap()).await;
    assert_eq!(settled(&root).await, Vec::<String>::new());
}

#[tokio::test]
async fn fifty_uploads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path()).unwrap();
    let piece = Bytes::from(vec![7; 60_000]);
    let uploads = (0..50).map(|n| {
        let (storage, piece) = (storage.clone(), piece.clone());
        async move {
            let mut writer = storage.writer(&format!("{n}.bin")).unwrap();
            for _ in 0..20 {
                writer.write(piece.clone()).await.unwrap();
            }
            if n % 2 == 0 {
                writer.finish().await.unwrap();
            }
        }
    });
    futures_util::future::join_all(uploads).await;
    for n in (0..50).step_by(2) {
        let key = format!("{n}.bin");
        assert_eq!(storage.stat(&key).await.unwrap().size, 1_200_000);
        storage.delete(&key).await.unwrap();
    }
    assert_eq!(settled(folder.path()).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path()).unwrap();
    let mut writer = storage.writer("a.bin").unwrap();
    writer.write(vec![1; 300_000].into()).await.unwrap();
    std::mem::forget(writer);
    storage.put("b.bin", Bytes::from_static(b"kept")).await.unwrap();
    fs::write(folder.path().join(".gitkeep"), "").unwrap();
    assert_eq!(files(folder.path()).len(), 3);

    assert_eq!(storage.remove_abandoned(chrono::DateTime::UNIX_EPOCH).await.unwrap(), 0);
    assert_eq!(storage.remove_abandoned(suite::in_an_hour()).await.unwrap(), 1);
    let mut left = files(folder.path());
    left.sort();
    assert_eq!(left, [".gitkeep", "b.bin"]);
}

#[tokio::test]
async fn what_a_killed_writer_of_one_key_left_goes_without_touching_others() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path()).unwrap();
    for key in ["a.bin", "a.bin", "ab.bin"] {
        let mut writer = storage.writer(key).unwrap();
        writer.write(vec![1; 300_000].into()).await.unwrap();
        std::mem::forget(writer);
    }
    storage.put("a.bin", Bytes::from_static(b"kept")).await.unwrap();
    assert_eq!(files(folder.path()).len(), 4);

    storage.remove_unfinished("a.bin").await.unwrap();
    assert_eq!(storage.get("a.bin", 10).await.unwrap(), "kept");
    assert_eq!(files(folder.path()).len(), 2, "only the writing of ab.bin is left");
    storage.delete("ab.bin").await.unwrap();
    assert_eq!(files(folder.path()), ["a.bin"]);
}

#[tokio::test]
async fn a_folder_that_went_away_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::local(folder.path().join("f")).unwrap();
    fs::remove_dir(folder.path().join("f")).unwrap();
    assert!(matches!(storage.check().await, Err(Error::Unavailable { .. })));
}

/// A bucket of the server at `address`, and the limit of each call to it.
fn bucket(address: SocketAddr, limit: Duration) -> Storage {
    let options = S3Options {
        endpoint: Some(format!("http://{address}")),
        access_key_id: Some("key".into()),
        secret_access_key: Some("secret".into()),
        allow_http: true,
        ..S3Options::default()
    };
    Storage { limit, ..Storage::from_url("s3://bucket/x", options).unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_unavailable_in_time() {
    let server = s3_server::server().await;
    let limit = Duration::from_secs(2);
    let storage = bucket(server.address, limit);
    storage.put("a.txt", "a".into()).await.unwrap();
    assert!(server.folder.path().join("bucket/x/a.txt").exists());
    drop(server);

    let start = Instant::now();
    assert!(matches!(storage.check().await, Err(Error::Unavailable { .. })));
    assert!(matches!(storage.get("a.txt", 10).await, Err(Error::Unavailable { .. })));
    let mut writer = storage.writer("b.txt").unwrap();
    writer.write("b".into()).await.unwrap();
    assert!(matches!(writer.finish().await, Err(Error::Unavailable { .. })));
    assert!(start.elapsed() < limit * 4, "three calls took {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_unavailable_in_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let storage = bucket(listener.local_addr().unwrap(), Duration::from_millis(300));
    let start = Instant::now();
    assert!(matches!(storage.check().await, Err(Error::Unavailable { .. })));
    assert!(start.elapsed() < Duration::from_secs(2));
}
