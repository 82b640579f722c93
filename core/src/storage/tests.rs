//! The suite on a local folder, and what only a folder can show.

use std::{fs, path::Path, time::Duration};

use bytes::Bytes;

use super::{Error, Storage, suite};

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
