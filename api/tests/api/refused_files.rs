//! Files that are not accepted: the status and code of each, and nothing stored.
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::{Body, Method, StatusCode, multipart};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::App;

const MAX: usize = 10 * 1024 * 1024;

#[tokio::test]
async fn bad_input_is_refused_with_its_own_code_and_stores_nothing() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, client) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Client).await);
    let intervention = app.intervention(&boss).await;
    let png = samples::png(8, 8, 1);
    let text = |size| b"0123456789abcdef".iter().copied().cycle().take(size).collect::<Vec<u8>>();

    for (name, bytes, status, code) in [
        ("outil.exe", b"MZ\x90\0".to_vec(), 415, "type_de_fichier_refuse"),
        ("page.svg", b"<svg/>".to_vec(), 415, "type_de_fichier_refuse"),
        ("photo.jpg", png.clone(), 415, "type_de_fichier_refuse"),
        ("rapport.pdf", samples::jpeg(16, 16, 1), 415, "type_de_fichier_refuse"),
        ("notes.txt", b"MZ\x90\0\x03\0\0\0".to_vec(), 415, "type_de_fichier_refuse"),
        ("bon.docx", samples::pdf(1, &["x"]), 415, "type_de_fichier_refuse"),
        ("photo", png.clone(), 422, "donnees_invalides"),
        ("vide.png", Vec::new(), 422, "donnees_invalides"),
        ("grand.txt", text(MAX + 1), 413, "fichier_trop_grand"),
        ("enorme.txt", text(2 * MAX), 413, "fichier_trop_grand"),
    ] {
        let answer = app.upload(&technicien, intervention, name, bytes).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{name}: {}",
            answer.body
        );
    }
    app.upload(&technicien, 987_654, "a.png", png.clone())
        .await
        .expect_error(404, "intervention_introuvable");
    app.upload(&client, intervention, "a.png", png.clone())
        .await
        .expect_error(403, "action_interdite");

    let form = || {
        multipart::Form::new().part("file", multipart::Part::bytes(png.clone()).file_name("a.png"))
    };
    let path = format!("/api/v1/documents?intervention_id={intervention}");
    app.send(app.request(Method::POST, &path).multipart(form()))
        .await
        .expect_error(401, "non_authentifie");
    let as_boss = |path: &str| app.request(Method::POST, path).bearer_auth(&boss.token);
    app.send(as_boss("/api/v1/documents").multipart(form()))
        .await
        .expect_error(422, "donnees_invalides");
    app.send(as_boss(&path).json(&json!({}))).await.expect_error(415, "type_de_contenu_refuse");
    let without = multipart::Form::new().text("autre", "valeur");
    app.send(as_boss(&path).multipart(without)).await.expect_error(422, "donnees_invalides");
    let garbled =
        as_boss(&path).header("content-type", "multipart/form-data; boundary=B").body("--B\r\nnon");
    app.send(garbled).await.expect_error(422, "donnees_invalides");

    assert!(app.stored_files().is_empty(), "{:?}", app.stored_files());
    assert!(app.jobs().await.is_empty());
    assert_eq!(app.get(&boss, "/documents").await.header("x-total-count"), "0");
}

#[tokio::test]
async fn what_only_decoding_shows_fails_with_a_reason_in_french() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    let mut truncated = samples::jpeg(640, 480, 1);
    truncated.truncate(truncated.len() * 2 / 3);
    for (name, bytes, reason) in [
        ("bombe.png", samples::png_bomb(30_000, 30_000), "trop grande"),
        ("coupee.jpg", truncated, "incomplète"),
        ("faux.pdf", [b"%PDF-1.7\n".as_slice(), &[0xA5; 4000]].concat(), "PDF"),
        ("faux.docx", zip_of_nothing(), "Word"),
    ] {
        let made = app.upload(&boss, intervention, name, bytes).await.expect(201);
        app.run_jobs().await;
        let failed = app.document(&boss, &made).await;
        assert_eq!(failed["status"], "failed", "{name}");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(reason), "{name}: {error}");
        assert!(failed["thumbnail_path"].is_null());
    }
}

/// A file name that contains a path is stored as a plain text.
#[tokio::test]
async fn a_path_in_the_name_stays_data() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    for name in ["../../etc/passwd.png", "..\\..\\boot.png", "/abs/olute.png", "a\u{202e}gpj.png"] {
        let made = app.upload(&boss, intervention, name, samples::png(8, 8, 1)).await.expect(201);
        let kept = made["filename"].as_str().unwrap();
        assert!(!kept.contains(['/', '\\', '\u{202e}']) && kept.ends_with(".png"), "{kept}");
    }
    assert_eq!(app.stored_files().len(), 4);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_neither_row_nor_file() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    for sent in [0, 100, 300_000, 2_000_000] {
        let mut stream =
            tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST /api/v1/documents?intervention_id={intervention} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: multipart/form-data; boundary=B\r\ncontent-length: 5000000\r\n\r\n\
             --B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n",
            boss.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; sent]).await.unwrap();
        stream.flush().await.unwrap();
        // Gives the server time to read a part of it: otherwise the test would prove nothing.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        drop(stream);
    }
    for _ in 0..100 {
        if app.stored_files().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(app.stored_files().is_empty(), "{:?}", app.stored_files());
    assert_eq!(app.get(&boss, "/documents").await.header("x-total-count"), "0");
    assert!(app.jobs().await.is_empty());
}

/// A chunked body without a content length: the server stops reading at the limit, and its answer arrives.
#[tokio::test]
async fn a_body_without_a_length_is_stopped_at_the_limit() {
    let app = App::with(&[("MAX_UPLOAD_BYTES", "100000")]).await;
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    let chunks = (0..50).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 10_000]));
    let body = Body::wrap_stream(futures_util::stream::iter(chunks));
    let form =
        multipart::Form::new().part("file", multipart::Part::stream(body).file_name("a.txt"));
    let path = format!("/api/v1/documents/upload?intervention_id={intervention}");
    let answer = app
        .request(Method::POST, &path)
        .bearer_auth(&boss.token)
        .multipart(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(app.stored_files().is_empty());
}

fn zip_of_nothing() -> Vec<u8> {
    let mut end = b"PK\x05\x06".to_vec();
    end.extend([0; 18]);
    [b"PK\x03\x04".to_vec(), vec![0; 26], end].concat()
}

#[tokio::test]
async fn the_answer_to_a_refused_upload_reaches_a_client_that_is_still_sending() {
    let app = App::new().await;
    let mut stream =
        tokio::net::TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /api/v1/documents?intervention_id=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\
                content-type: multipart/form-data; boundary=B\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; 3_000_000]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
