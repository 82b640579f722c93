//! Oversized or invalid heads of requests, and connections that do not end by themselves.
use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::App;

/// Sends `head` unchanged, and returns everything received until the connection ends.
async fn raw(app: &App, head: &str) -> String {
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer))
        .await
        .expect("the connection ends")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(headers: &str) -> String {
    format!("GET /health HTTP/1.1\r\nHost: erp\r\nConnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_flood_of_headers_is_a_431_in_the_envelope() {
    let app = App::new().await;
    assert!(raw(&app, &request("")).await.starts_with("HTTP/1.1 200 "));
    let many = "X-Flood: 1\r\n".repeat(1000);
    let large = format!("Cookie: {}\r\n", "x".repeat(100_000));
    for flood in [many, large] {
        let answer = raw(&app, &request(&flood)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert!(answer.contains(r#""code":"entetes_trop_grands""#), "{answer}");
    }
    // More than is read at all: the refusal is the bare status.
    let answer = raw(&app, &request(&"X-Flood: 1\r\n".repeat(1500))).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // Too large to be read to its end: the connection may break, but the server stays up.
    let mut socket = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let _ =
        socket.write_all(request(&format!("Cookie: {}\r\n", "x".repeat(900_000))).as_bytes()).await;
    drop(socket);
    assert!(raw(&app, &request("")).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let app = App::new().await;
    for nonsense in
        ["\x16\x03\x01\x02\x00\x01\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"]
    {
        let answer = raw(&app, nonsense).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{nonsense:?}: {answer}");
    }
}

#[tokio::test]
async fn a_stop_waits_for_requests_under_way_but_not_for_ever() {
    let app = App::new().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { stopped.await.unwrap() };
    let grace = Duration::from_secs(2);
    let server = tokio::spawn(erp_api::serve(listener, erp_api::service(&app.ctx), stopped, grace));

    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(
        b"POST /auth/refresh HTTP/1.1\r\nHost: erp\r\nContent-Length: 25\r\n\r\nrefresh_",
    )
    .await
    .unwrap();
    let mut never = TcpStream::connect(address).await.unwrap();
    never
        .write_all(b"POST /auth/refresh HTTP/1.1\r\nHost: erp\r\nContent-Length: 9\r\n\r\nx")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).unwrap();
    half.write_all(b"token=inconnu____").await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    server.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
