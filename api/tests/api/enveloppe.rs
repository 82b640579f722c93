//! The multipart envelope of a file has limits, as the file has; an upload has a limit of time.
use std::time::Duration;

use erp_core::users::UserRole;
use futures_util::StreamExt as _;
use reqwest::{Body, Method, RequestBuilder};
use sha2::Digest as _;

use crate::support::{Answer, App, PASSWORD, User};

const FORM: &str = "multipart/form-data; boundary=B";

/// A body without a content length, in pieces of `size` bytes.
fn pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<_> = bytes.chunks(size).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect();
    Body::wrap_stream(futures_util::stream::iter(pieces))
}

/// A part whose headers contain `head`.
fn part(name: &str, head: &str, content: &[u8]) -> Vec<u8> {
    let mut part =
        format!("--B\r\ncontent-disposition: form-data; {name}\r\n{head}\r\n").into_bytes();
    part.extend_from_slice(content);
    part.extend_from_slice(b"\r\n");
    part
}

fn file(head: &str, content: &[u8]) -> Vec<u8> {
    [part("name=\"file\"; filename=\"a.txt\"", head, content), b"--B--\r\n".to_vec()].concat()
}

/// A header line of `bytes` bytes, including its CRLF.
fn header(bytes: usize) -> String {
    format!("x-long: {}\r\n", "y".repeat(bytes - 10))
}

struct Site {
    app: App,
    boss: User,
    path: String,
}

impl Site {
    async fn new(max: &str) -> Self {
        let app = App::with(&[("MAX_UPLOAD_BYTES", max)]).await;
        let boss = app.user(UserRole::Responsable).await;
        let path = format!("/documents/upload?intervention_id={}", app.intervention(&boss).await);
        Self { app, boss, path }
    }

    fn request(&self) -> RequestBuilder {
        let request = self.app.request(Method::POST, &self.path).bearer_auth(&self.boss.token);
        request.header("content-type", FORM)
    }

    async fn send(&self, body: &[u8], size: usize) -> Answer {
        self.app.send(self.request().body(pieces(body, size))).await
    }

    async fn expect_nothing_stored(&self) {
        assert!(self.app.stored_files().is_empty(), "{:?}", self.app.stored_files());
        assert_eq!(self.app.get(&self.boss, "/documents").await.header("x-total-count"), "0");
    }
}

#[tokio::test]
async fn the_head_of_a_part_has_eight_kibibytes() {
    let site = Site::new("10485760").await;
    for (bytes, size) in [(9_000, 100_000), (9_000, 1000), (4 * 1024 * 1024, 16 * 1024)] {
        let answer = site.send(&file(&header(bytes), b"bonjour"), size).await;
        assert_eq!(answer.body["detail"][0]["type"], "multipart_invalid", "{}", answer.body);
        answer.expect_error(422, "donnees_invalides");
    }
    // Behind another part, and all in one piece: the limit holds although the parser gets everything at once.
    let two = [part("name=\"autre\"", "", b"x"), file(&header(9_000), b"bonjour")].concat();
    site.send(&two, 1_000_000).await.expect_error(422, "donnees_invalides");
    // More parts than are allowed.
    let many = [part("name=\"autre\"", "", b"x").repeat(40), file("", b"bonjour")].concat();
    site.send(&many, 1_000_000).await.expect_error(422, "donnees_invalides");
    let boundary = format!("multipart/form-data; boundary={}", "B".repeat(1000));
    let long = site.app.request(Method::POST, &site.path).bearer_auth(&site.boss.token);
    let long = long.header("content-type", boundary).body(file("", b"bonjour"));
    site.app.send(long).await.expect_error(422, "donnees_invalides");
    site.expect_nothing_stored().await;
    site.send(&file(&header(8_000), b"bonjour"), 1000).await.expect(201);
    // As many as are allowed.
    let all = [part("name=\"autre\"", "", b"x").repeat(31), file("", b"bonjour")].concat();
    site.send(&all, 1_000_000).await.expect(201);
}

#[tokio::test]
async fn a_body_ends_at_the_size_of_a_file_and_its_wrapping_whatever_it_is_made_of() {
    let site = Site::new("100000").await;
    let with = |other: usize, content: usize| {
        let other = part("name=\"autre\"", "", &vec![b'x'; other]);
        [other, file("", &vec![b'y'; content])].concat()
    };
    for size in [1000, 1_000_000] {
        site.send(&with(200_000, 10), size).await.expect_error(413, "fichier_trop_grand");
    }
    let preamble = [vec![b'x'; 200_000], b"\r\n".to_vec(), file("", b"bonjour")].concat();
    let answer = site.send(&preamble, 1000).await;
    assert!(matches!(answer.status.as_u16(), 413 | 422), "{}", answer.body);
    site.expect_nothing_stored().await;
    // A field before the file is skipped.
    site.send(&with(50_000, 90_000), 1000).await.expect(201);
}

#[tokio::test]
async fn a_file_arrives_whole_however_it_is_cut_and_whatever_it_resembles() {
    let site = Site::new("10485760").await;
    let content = b"a;b\r\n--B\r\r\n--\r\n-\r\n--C--\r\n\r\n--b\n--B\r\n".repeat(40);
    let content = [&content[..content.len() - 2], b"\r", b"\r\n--"].concat();
    // The content must not contain the boundary itself.
    let content = String::from_utf8(content).unwrap().replace("\r\n--B", "\r\n--A").into_bytes();
    let sha256 = erp_core::secret::hex(&sha2::Sha256::digest(&content));
    for size in [1, 2, 3, 7, 64, 1_000_000] {
        let made = site.send(&file("", &content), size).await.expect(201);
        assert_eq!(made["sha256"], sha256, "in pieces of {size}");
    }
}

#[tokio::test]
async fn forms_have_the_same_bounds() {
    let site = Site::new("10485760").await;
    let fields = |head: &str| {
        let (name, password) = (site.boss.username.as_bytes(), PASSWORD.as_bytes());
        let password = part("name=\"password\"", head, password);
        [part("name=\"username\"", "", name), password, b"--B--\r\n".to_vec()].concat()
    };
    let login = async |body: &[u8], size: usize| {
        let request = site.app.request(Method::POST, "/auth/login").header("content-type", FORM);
        site.app.send(request.body(pieces(body, size))).await
    };
    for size in [1, 1_000_000] {
        login(&fields(""), size).await.expect(200);
    }
    login(&fields(&header(9_000)), 1000).await.expect_error(422, "donnees_invalides");
    login(&fields(&header(900_000)), 50).await.expect_error(422, "donnees_invalides");
    let large = [part("name=\"x\"", "", &vec![b'x'; 1_100_000]), fields("")].concat();
    login(&large, 10_000).await.expect_error(413, "corps_trop_grand");
}

/// A body of a few bytes at a time must not keep a connection open without end.
#[tokio::test]
async fn an_upload_that_trickles_is_ended() {
    let site = Site::new("10485760").await;
    let start = file("", b"bonjour");
    let start = start[..start.len() - 20].to_vec();
    let trickle = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Some((vec![b'x'; 10], ()))
    });
    let body = futures_util::stream::iter([start]).chain(trickle).map(Ok::<_, std::io::Error>);
    let request = site.request().body(Body::wrap_stream(body));
    let answer = tokio::time::timeout(Duration::from_mins(2), site.app.send(request)).await;
    answer.expect("it is ended").expect_error(408, "requete_trop_lente");
    site.expect_nothing_stored().await;
}
