//! Decoders that hang or are killed. Scripts replace the real decoder, and get a file in the same way.
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration};

use erp_core::users::UserRole;
use erp_dev::samples;
use erp_worker::Settings;

use crate::support::App;

/// Writes an executable to `folder` that runs `script`, and returns its path.
fn program(folder: &tempfile::TempDir, script: &str) -> PathBuf {
    let path = folder.path().join("decoder");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_decoder_that_hangs_is_killed_and_its_place_is_free_again() {
    let app = App::with(&[("DECODER_CPU_SECONDS", "1")]).await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let hang = format!("echo $$ >>{}; exec sleep 600", pids.display());
    let settings = Settings { decoder: program(&folder, &hang), ..app.settings().await };
    // More files than decoders may run at once.
    let mut documents = Vec::new();
    for n in 0..3 {
        let photo = samples::jpeg(320, 240, n);
        documents.push(app.upload(&boss, id, "p.jpg", photo).await.expect(201));
    }
    app.run_jobs_with(settings).await;
    for document in &documents {
        let failed = app.document(&boss, document).await;
        assert_eq!(failed["status"], "failed");
        assert!(failed["error"].as_str().unwrap().contains("trop de temps"), "{failed}");
    }
    assert!(app.jobs().await.iter().all(|(_, state, attempts)| state == "done" && *attempts == 1));
    let pids = fs::read_to_string(&pids).unwrap();
    assert_eq!(pids.lines().count(), 3);
    for pid in pids.lines() {
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists(), "{pid} is still there");
    }
    let sound = app.upload(&boss, id, "p.jpg", samples::jpeg(320, 240, 9)).await.expect(201);
    app.run_jobs().await;
    assert_eq!(app.document(&boss, &sound).await["status"], "ready");
}

/// For example because the machine, not this file, ran out of memory.
#[tokio::test]
async fn a_file_whose_decoder_was_killed_from_outside_is_tried_again() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { decoder: program(&folder, "kill -9 $$"), ..app.settings().await };
    let document = app.upload(&boss, id, "p.jpg", samples::jpeg(320, 240, 1)).await.expect(201);
    let once = async {
        while !app.jobs().await.iter().any(|(_, _, attempts)| *attempts == 1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    erp_worker::run(&app.ctx, &settings, once).await.unwrap();
    let waiting = app.document(&boss, &document).await;
    assert_eq!(waiting["status"], "processing", "{waiting}");
    assert!(app.jobs().await.iter().all(|(_, state, _)| state != "done" && state != "dead"));
}
