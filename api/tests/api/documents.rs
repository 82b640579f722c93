//! Documents: from the upload to the download of the previews.
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::Method;
use serde_json::json;

use crate::support::{App, User};

async fn fetch(app: &App, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let request = app.request(Method::GET, path);
    headers.iter().fold(request, |r, (k, v)| r.header(*k, *v)).send().await.unwrap()
}

async fn technicien_on_site(app: &App) -> (User, i64) {
    let boss = app.user(UserRole::Responsable).await;
    (app.user(UserRole::Technicien).await, app.intervention(&boss).await)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle)
}

#[tokio::test]
async fn a_photo_becomes_viewable_upright_and_without_its_place() {
    let app = App::new().await;
    let (technicien, intervention) = technicien_on_site(&app).await;
    let photo = samples::jpeg_with_gps(600, 800, 6);
    assert!(contains(&photo, b"Exif"));
    let made = app
        .upload(&technicien, intervention, "C:\\photos\\pompe é.JPG", photo.clone())
        .await
        .expect(201);
    assert_eq!((&made["status"], &made["filename"]), (&json!("pending"), &json!("pompe é.JPG")));
    assert_eq!(
        (&made["content_type"], &made["size_bytes"]),
        (&json!("image/jpeg"), &json!(photo.len()))
    );
    let sha256 = erp_core::secret::hex(&sha2::Sha256::digest(&photo));
    assert_eq!(made["sha256"], sha256);
    let path = made["path"].as_str().unwrap();
    assert!(path.starts_with("static/uploads/") && path.ends_with(".jpg"), "{path}");

    app.run_jobs().await;
    let ready = app.document(&technicien, &made).await;
    assert_eq!((&ready["status"], &ready["error"]), (&json!("ready"), &json!(null)), "{ready}");
    assert_eq!((&ready["width"], &ready["height"]), (&json!(600), &json!(800)), "upright");
    for (path, longest) in [("thumbnail_url", 320), ("preview_url", 800), ("url", 800)] {
        let answer = fetch(&app, ready[path].as_str().unwrap(), &[]).await;
        assert_eq!(answer.status(), 200, "{path}");
        let bytes = answer.bytes().await.unwrap();
        // The original keeps its pixels, and only the orientation of its EXIF.
        assert_eq!(contains(&bytes, b"Exif"), path == "url", "{path}");
        assert!(!contains(&bytes, b"GPS"), "{path} has metadata");
        let picture = upright(&bytes);
        assert_eq!(
            (picture.width() * 4, picture.height()),
            (picture.height() * 3, longest),
            "{path}"
        );
    }
    assert_eq!(app.stored_files().len(), 3);
}

use sha2::Digest as _;

/// The picture as viewers show it: rotated by its EXIF orientation.
fn upright(bytes: &[u8]) -> image::DynamicImage {
    let reader =
        image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().unwrap();
    let mut decoder = reader.into_decoder().unwrap();
    let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
    let mut picture = image::DynamicImage::from_decoder(decoder).unwrap();
    picture.apply_orientation(orientation);
    picture
}

#[tokio::test]
async fn papers_are_checked_and_counted() {
    let app = App::new().await;
    let (technicien, intervention) = technicien_on_site(&app).await;
    for (name, bytes, pages) in [
        ("rapport.pdf", samples::pdf(3, &["Rapport d'intervention"]), json!(3)),
        ("bon.docx", samples::docx("Bon de travail"), json!(null)),
        ("pieces.xlsx", samples::xlsx(&[vec!["Joint", "2"]]), json!(null)),
        ("releve.csv", b"date;temp\n2026-11-23;81\n".to_vec(), json!(null)),
        ("note.txt", "Contrôle effectué".as_bytes().to_vec(), json!(null)),
        ("plan.png", samples::png(64, 48, 1), json!(null)),
        ("plan.webp", samples::webp(64, 48, 1), json!(null)),
        ("anim.gif", samples::gif(64, 48, 3), json!(null)),
    ] {
        let made = app.upload(&technicien, intervention, name, bytes).await.expect(201);
        app.run_jobs().await;
        let ready = app.document(&technicien, &made).await;
        assert_eq!(
            (&ready["status"], &ready["pages"]),
            (&json!("ready"), &pages),
            "{name}: {ready}"
        );
        let answer = fetch(&app, ready["url"].as_str().unwrap(), &[]).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let shown = ["pdf", "png", "webp", "gif"].iter().any(|ext| name.ends_with(ext));
        assert_eq!(header("content-disposition").starts_with("inline"), shown, "{name}");
        assert_eq!(header("content-type"), ready["content_type"].as_str().unwrap());
        assert_eq!(
            (header("x-content-type-options"), header("content-security-policy")),
            ("nosniff".into(), "sandbox".into())
        );
        let cache = header("cache-control");
        let seconds = cache.strip_prefix("private, max-age=").unwrap();
        let seconds: u32 = seconds.strip_suffix(", immutable").unwrap().parse().unwrap();
        assert!(seconds <= 3600, "no longer than the address lives: {cache}");
    }
}

#[tokio::test]
async fn a_file_is_served_in_parts_and_only_once_to_who_has_it() {
    let app = App::new().await;
    let (technicien, intervention) = technicien_on_site(&app).await;
    let text: Vec<u8> = (0..1000).flat_map(|n| format!("{n:04};").into_bytes()).collect();
    let made = app.upload(&technicien, intervention, "releve.csv", text.clone()).await.expect(201);
    app.run_jobs().await;
    let url = made["url"].as_str().unwrap();
    let whole = fetch(&app, url, &[]).await;
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.bytes().await.unwrap(), text);

    let part = fetch(&app, url, &[("range", "bytes=5-9")]).await;
    assert_eq!(
        (part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()),
        (206, "bytes 5-9/5000")
    );
    assert_eq!(part.bytes().await.unwrap(), "0001;");
    let end = fetch(&app, url, &[("range", "bytes=-5"), ("if-range", etag.as_str())]).await;
    assert_eq!(end.bytes().await.unwrap(), "0999;");
    let stale = fetch(&app, url, &[("range", "bytes=5-9"), ("if-range", "\"old\"")]).await;
    assert_eq!((stale.status().as_u16(), stale.content_length()), (200, Some(5000)));
    let beyond = fetch(&app, url, &[("range", "bytes=5000-")]).await;
    assert_eq!(
        (beyond.status().as_u16(), beyond.headers()["content-range"].to_str().unwrap()),
        (416, "bytes */5000")
    );
    assert_eq!(fetch(&app, url, &[("if-none-match", etag.as_str())]).await.status(), 304);
    let head = app.request(Method::HEAD, url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], "5000");
}

#[tokio::test]
async fn what_is_not_ready_is_shown_only_to_those_who_may_and_what_failed_to_nobody() {
    let app = App::new().await;
    let (technicien, intervention) = technicien_on_site(&app).await;
    let stranger = app.user(UserRole::Client).await;
    let made =
        app.upload(&technicien, intervention, "a.png", samples::png(8, 8, 1)).await.expect(201);
    let url = made["url"].as_str().unwrap();
    let status = async |user: Option<&User>| {
        let request = app.request(Method::GET, url);
        let request = user.map_or(request.try_clone().unwrap(), |u| request.bearer_auth(&u.token));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(
        (status(None).await, status(Some(&technicien)).await, status(Some(&stranger)).await),
        (404, 200, 404)
    );

    let mut cut = samples::jpeg(400, 300, 1);
    cut.truncate(cut.len() / 2);
    let broken = app.upload(&technicien, intervention, "b.jpg", cut).await.expect(201);
    app.run_jobs().await;
    let failed = app.document(&technicien, &broken).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("incomplète"), "{failed}");
    let request =
        app.request(Method::GET, failed["url"].as_str().unwrap()).bearer_auth(&technicien.token);
    assert_eq!(request.send().await.unwrap().status(), 404);
    assert_eq!(status(None).await, 200, "the good one is ready meanwhile");
    for path in
        ["", "nope.png", "../../Cargo.toml", "%2e%2e/x", "00000000-0000-4000-8000-000000000000.png"]
    {
        let request = app.request(Method::GET, &format!("/static/uploads/{path}"));
        let request = request.bearer_auth(&technicien.token);
        assert_eq!(request.send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_deleted_document_takes_its_files_along_and_reprocessing_makes_them_anew() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    let made =
        app.upload(&boss, intervention, "a.png", samples::png(640, 480, 1)).await.expect(201);
    app.run_jobs().await;
    let ready = app.document(&boss, &made).await;
    let thumbnail = app
        .files
        .path()
        .join(ready["thumbnail_path"].as_str().unwrap().trim_start_matches("static/uploads/"));
    std::fs::remove_file(&thumbnail).unwrap();
    let path = format!("/documents/{}", made["id"]);
    let again = app.post(&boss, &format!("{path}/reprocess"), json!({})).await.expect(202);
    assert_eq!(again["status"], "pending");
    app.run_jobs().await;
    assert!(thumbnail.exists());

    app.delete(&boss, &path).await.expect(200);
    assert_eq!(fetch(&app, made["url"].as_str().unwrap(), &[]).await.status(), 404);
    app.run_jobs().await;
    assert!(app.stored_files().is_empty());
    app.delete(&boss, &path).await.expect_error(404, "document_introuvable");
}

#[tokio::test]
async fn a_document_deleted_while_it_waits_leaves_nothing() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    let made = app.upload(&boss, intervention, "a.png", samples::png(64, 48, 1)).await.expect(201);
    app.delete(&boss, &format!("/documents/{}", made["id"])).await.expect(200);
    app.run_jobs().await;
    assert!(app.stored_files().is_empty());
    assert!(app.jobs().await.iter().all(|(_, status, _)| status == "done"));
}
