//! The mailbox, as an SMTP client and a reader use it.
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::Request;
use erp_dev::MailSink;
use lettre::message::{MultiPart, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::Value;
use tower::ServiceExt as _;

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn client(port: u16) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).build()
}

fn mail(to: &str, text: &str) -> Message {
    Message::builder()
        .from("ERP <erp@mif-maroc.example>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("Intervention planifiée n° 12")
        .header(ContentType::TEXT_PLAIN)
        .body(text.to_owned())
        .unwrap()
}

#[tokio::test]
async fn a_mail_arrives_byte_for_byte_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let text = format!(".\r\n..\r\nÀ bientôt\r\n{}\r\n.fin", "long ".repeat(400));
    let sent = Message::builder()
        .from("ERP <erp@mif-maroc.example>".parse().unwrap())
        .to("Amina <amina@client.example>".parse().unwrap())
        .bcc("archive@mif-maroc.example".parse().unwrap())
        .subject("Intervention planifiée n° 12")
        .multipart(MultiPart::alternative_plain_html(text.clone(), "<p>À bientôt</p>".to_owned()))
        .unwrap();
    client(sink.smtp_port()).send(sent.clone()).await.unwrap();
    sink.stop().await;

    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let messages = sink.messages().unwrap();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    // The client adds a final line break.
    let expected = [sent.formatted().as_slice(), b"\r\n"].concat();
    assert_eq!(String::from_utf8_lossy(&message.raw), String::from_utf8_lossy(&expected));
    assert_eq!(message.from, "erp@mif-maroc.example");
    assert_eq!(message.to, ["amina@client.example", "archive@mif-maroc.example"]);
    assert_eq!(message.subject, "Intervention planifiée n° 12");
    assert_eq!(message.text.as_deref().unwrap().trim_end(), text);
    assert_eq!(message.html.as_deref().unwrap().trim_end(), "<p>À bientôt</p>");
}

#[tokio::test]
async fn an_outage_cuts_everything_and_the_same_port_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let port = sink.smtp_port();
    let client = client(port); // pooled: its connection stays open between mails
    client.send(mail("a@client.example", "un")).await.unwrap();

    sink.stop().await;
    let error = client.send(mail("a@client.example", "deux")).await.unwrap_err();
    assert!(!error.is_permanent(), "{error:?}");

    let sink = MailSink::start(([127, 0, 0, 1], port), dir.path()).unwrap();
    client.send(mail("a@client.example", "trois")).await.unwrap();
    let texts: Vec<_> = sink
        .messages()
        .unwrap()
        .iter()
        .map(|m| m.text.clone().unwrap().trim().to_owned())
        .collect();
    assert_eq!(texts, ["trois", "un"]);
}

#[tokio::test]
async fn some_recipients_are_refused_for_now_or_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let client = client(sink.smtp_port());
    let later = client.send(mail("temporaire.amina@client.example", "x")).await.unwrap_err();
    assert!(later.is_transient(), "{later:?}");
    let never = client.send(mail("refuse.amina@client.example", "x")).await.unwrap_err();
    assert!(never.is_permanent(), "{never:?}");
    client.send(mail("amina@client.example", "x")).await.unwrap();
    assert_eq!(sink.messages().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_too_large_is_refused_and_the_connection_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let client = client(sink.smtp_port());
    let line = "x".repeat(70) + "\r\n";
    let error = client.send(mail("a@client.example", &line.repeat(500_000))).await.unwrap_err();
    assert!(error.is_permanent(), "{error:?}");
    client.send(mail("a@client.example", "petit")).await.unwrap();
    assert_eq!(sink.messages().unwrap().len(), 1);
}

#[tokio::test]
async fn the_api_lists_shows_and_clears() {
    let dir = tempfile::tempdir().unwrap();
    let sink = MailSink::start(any_port(), dir.path()).unwrap();
    let client = client(sink.smtp_port());
    client.send(mail("a@client.example", "premier")).await.unwrap();
    client.send(mail("b@client.example", "second")).await.unwrap();

    let ask = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let reply = sink.router().oneshot(request).await.unwrap();
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let body = axum::body::to_bytes(reply.into_body(), usize::MAX).await.unwrap();
        (status, headers, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    let (status, headers, _) = ask("GET", "/").await;
    assert_eq!(status, 200);
    assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));

    let (_, _, list) = ask("GET", "/api/messages").await;
    assert_eq!(list[0]["to"][0], "b@client.example");
    assert_eq!(list[1]["to"][0], "a@client.example");
    assert_eq!(list[0]["subject"], "Intervention planifiée n° 12");
    assert!(list[0]["size_bytes"].as_u64().unwrap() > 100);
    assert!(list[0].get("raw").is_none());

    let path = format!("/api/messages/{}", list[1]["id"].as_str().unwrap());
    let (_, _, one) = ask("GET", &path).await;
    assert_eq!(one["text"].as_str().unwrap().trim_end(), "premier");
    assert!(one["raw"].as_str().unwrap().starts_with("From: "));
    assert_eq!(one["headers"][0][0], "From");
    assert_eq!(ask("GET", "/api/messages/..%2Fsecret").await.0, 404);

    assert_eq!(ask("DELETE", "/api/messages").await.0, 204);
    assert_eq!(ask("GET", &path).await.0, 404);
    assert!(sink.messages().unwrap().is_empty());
}
