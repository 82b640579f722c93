//! Upload, processing and download with an S3 bucket instead of a folder.
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::Method;

use crate::{s3_server::server, support::App};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_live_in_a_bucket_from_upload_to_removal() {
    let bucket = server().await;
    let endpoint = format!("http://{}", bucket.address);
    let app = App::with(&[
        ("UPLOAD_URL", "s3://bucket/mif"),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ALLOW_HTTP", "true"),
    ])
    .await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    // One file of several parts of a multipart upload, and one of less than a part.
    let text = b"0123456789abcde\n".repeat(400_000);
    let papers = app.upload(&boss, intervention, "releve.txt", text.clone()).await.expect(201);
    let photo = app
        .upload(&boss, intervention, "pompe.jpg", samples::jpeg_with_gps(640, 480, 3))
        .await
        .expect(201);
    app.run_jobs().await;

    let ready = app.document(&boss, &photo).await;
    assert_eq!(ready["status"], "ready", "{ready}");
    let thumbnail = app.request(Method::GET, ready["thumbnail_url"].as_str().unwrap());
    let thumbnail = thumbnail.send().await.unwrap().bytes().await.unwrap();
    assert_eq!(image::load_from_memory(&thumbnail).unwrap().width(), 320);
    let part =
        app.request(Method::GET, papers["url"].as_str().unwrap()).header("range", "bytes=6399990-");
    assert_eq!(part.send().await.unwrap().bytes().await.unwrap(), text[6_399_990..]);
    assert!(app.stored_files().is_empty(), "the folder is not used");

    for document in [photo, papers] {
        app.delete(&boss, &format!("/documents/{}", document["id"])).await.expect(200);
    }
    app.run_jobs().await;
    let left =
        std::fs::read_dir(bucket.folder.path().join("bucket/mif")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "no object is left");
}
