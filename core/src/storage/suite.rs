//! What every storage must do; run on a folder by the unit tests, on S3 by `tests/storage_s3.rs`.
//! The module that includes this one brings `Storage` and `Error` into scope.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;

use super::{Error, Storage};

pub fn in_an_hour() -> DateTime<Utc> {
    (SystemTime::now() + Duration::from_hours(1)).into()
}

fn pattern(len: usize) -> Bytes {
    (0..len).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap()).collect()
}

async fn keys(storage: &Storage, time: DateTime<Utc>) -> Vec<String> {
    let mut keys: Vec<_> = storage.list_older_than(time).try_collect().await.unwrap();
    keys.sort();
    keys
}

async fn read(storage: &Storage, key: &str, range: Option<std::ops::Range<u64>>) -> Vec<u8> {
    let download = storage.open(key, range).await.unwrap();
    let expected = download.range.end - download.range.start;
    let pieces: Vec<Bytes> = download.stream.try_collect().await.unwrap();
    let bytes = pieces.concat();
    assert_eq!(bytes.len() as u64, expected);
    bytes
}

/// Runs all checks on an empty storage, and leaves it empty.
pub async fn run(storage: &Storage) {
    storage.check().await.unwrap();
    whole_files(storage).await;
    streamed_files(storage).await;
    unfinished_files(storage).await;
    strange_keys(storage).await;
    assert_eq!(keys(storage, in_an_hour()).await, Vec::<String>::new());
}

async fn whole_files(storage: &Storage) {
    assert!(matches!(storage.get("a.txt", 10).await, Err(Error::NotFound(_))));
    assert!(matches!(storage.open("a.txt", None).await, Err(Error::NotFound(_))));
    assert!(!storage.exists("a.txt").await.unwrap());
    storage.delete("a.txt").await.unwrap();

    storage.put("a.txt", Bytes::from_static(b"bonjour")).await.unwrap();
    let first = storage.stat("a.txt").await.unwrap();
    storage.put("a.txt", Bytes::from_static(b"bonsoir !")).await.unwrap();
    let second = storage.stat("a.txt").await.unwrap();
    assert_eq!((first.size, second.size), (7, 9));
    assert_ne!(first.etag, second.etag);
    assert!(!second.etag.unwrap().contains('"'));

    assert_eq!(storage.get("a.txt", 9).await.unwrap(), "bonsoir !");
    assert!(matches!(storage.get("a.txt", 8).await, Err(Error::Internal(_))));
    assert_eq!(read(storage, "a.txt", Some(3..7)).await, b"soir");
    assert_eq!(read(storage, "a.txt", Some(7..900)).await, b" !");
    assert!(matches!(storage.open("a.txt", Some(9..12)).await, Err(Error::Unavailable { .. })));

    assert_eq!(keys(storage, in_an_hour()).await, ["a.txt"]);
    assert_eq!(keys(storage, DateTime::UNIX_EPOCH).await, Vec::<String>::new());
    storage.delete("a.txt").await.unwrap();
    assert!(!storage.exists("a.txt").await.unwrap());
}

async fn streamed_files(storage: &Storage) {
    for (key, len) in [("empty", 0), ("small", 1000), ("deep/er/big", (11 << 20) + 17)] {
        let bytes = pattern(len);
        let mut writer = storage.writer(key).unwrap();
        for start in (0..len).step_by(100_000) {
            writer.write(bytes.slice(start..len.min(start + 100_000))).await.unwrap();
        }
        assert!(!storage.exists(key).await.unwrap(), "{key} is seen before its end");
        writer.finish().await.unwrap();
        assert!(read(storage, key, None).await == bytes, "{key} came back changed");
        if len > 2000 {
            assert!(read(storage, key, Some(70_000..9_000_000)).await == bytes[70_000..9_000_000]);
        }
        storage.delete(key).await.unwrap();
    }
}

async fn unfinished_files(storage: &Storage) {
    let mut writer = storage.writer("aborted").unwrap();
    writer.write(pattern(6 << 20)).await.unwrap();
    writer.abort().await;
    let mut writer = storage.writer("dropped").unwrap();
    writer.write(pattern(6 << 20)).await.unwrap();
    drop(writer);
    // Cancelled in the middle of a write, as when a client disconnects.
    let mut writer = storage.writer("cut").unwrap();
    let _ = tokio::time::timeout(Duration::from_millis(2), async {
        loop {
            writer.write(pattern(300_000)).await.unwrap();
        }
    })
    .await;
    drop(writer);
    for key in ["aborted", "dropped", "cut"] {
        assert!(!storage.exists(key).await.unwrap());
    }
}

async fn strange_keys(storage: &Storage) {
    for key in ["", "/", "../x", "a/../b", "/etc/passwd", "a//b", ".hidden", "a#1", "a\0b", "é"] {
        assert!(matches!(storage.open(key, None).await, Err(Error::NotFound(_))), "{key:?}");
        assert!(matches!(storage.put(key, Bytes::new()).await, Err(Error::NotFound(_))));
        assert!(storage.writer(key).is_err());
        storage.delete(key).await.unwrap();
    }
    assert!(matches!(storage.open(&"x".repeat(256), None).await, Err(Error::NotFound(_))));
}
