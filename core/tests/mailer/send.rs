//! Sending: accepted, refused, later, silent, away, and connections that die between two mails.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use erp_core::mailer::{
    Mailer, OutgoingMail, Renderer, SmtpConfig, SmtpTls, Template, list_unsubscribe, message_id,
    samples,
};
use erp_core::{Error, Lang};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::server;

fn config(port: u16) -> SmtpConfig {
    SmtpConfig {
        host: "127.0.0.1".into(),
        port,
        user: None,
        password: None,
        tls: SmtpTls::None,
        from_email: "erp@mif-maroc.example".into(),
        from_name: "ERP MIF Maroc – Équipe".into(),
        timeout: Duration::from_secs(2),
    }
}

fn mail(to_email: &str) -> OutgoingMail {
    let context = samples::notification(Template::NotificationRetard, Lang::Fr);
    OutgoingMail {
        to_name: "Zoé Benchekroun".into(),
        to_email: to_email.into(),
        message_id: message_id(42, "mif-maroc.example"),
        rendered: Renderer::new()
            .and_then(|renderer| renderer.render(Template::NotificationRetard, &context))
            .expect("it renders"),
        headers: vec![("X-Notification-Id", "42".into())],
    }
}

#[tokio::test]
async fn an_accepted_mail_arrives_whole_and_the_connection_is_kept() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    assert_eq!(mailer.domain(), "mif-maroc.example");
    for _ in 0..3 {
        mailer.send(&mail("zoe@exemple.ma")).await.unwrap();
    }
    assert_eq!(seen.connections.load(SeqCst), 1);
    let mails = seen.mails.lock().unwrap();
    assert_eq!(mails.len(), 3);
    for expected in [
        "Message-ID: <notification-42@mif-maroc.example>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "X-Auto-Response-Suppress: All\r\n",
        "X-Notification-Id: 42\r\n",
        "<zoe@exemple.ma>\r\n",
        "<erp@mif-maroc.example>\r\n",
        "Date: ",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
    ] {
        assert!(mails[0].contains(expected), "{expected:?} in:\n{}", mails[0]);
    }
    assert!(mails[0].lines().all(|line| line.len() < 998));
}

#[tokio::test]
async fn a_digest_can_be_stopped_with_one_click() {
    let (port, seen) = server::start().await;
    let context = samples::digest(Lang::En);
    let renderer = Renderer::new().unwrap();
    let mail = OutgoingMail {
        rendered: renderer.render(Template::DigestQuotidien, &context).unwrap(),
        headers: list_unsubscribe(&context.desabonnement),
        ..mail("zoe@exemple.ma")
    };
    Mailer::new(&config(port)).unwrap().send(&mail).await.unwrap();
    let mails = seen.mails.lock().unwrap();
    // However long the address: a program that follows it must find it whole.
    assert!(context.desabonnement.len() > 300);
    for expected in [
        format!("\r\nList-Unsubscribe: <{}>\r\n", context.desabonnement),
        "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n".to_owned(),
    ] {
        assert!(mails[0].contains(&expected), "{expected:?} in:\n{}", mails[0]);
    }
    let plain = list_unsubscribe("http://localhost:5173/x");
    assert_eq!(plain, [("List-Unsubscribe", "<http://localhost:5173/x>".to_owned())]);
}

#[tokio::test]
async fn a_550_is_final_and_says_why() {
    let (port, _seen) = server::start().await;
    let error =
        Mailer::new(&config(port)).unwrap().send(&mail("550@exemple.ma")).await.unwrap_err();
    let Error::Refused { code: "smtp_refuse", text } = error else { panic!("{error}") };
    let detail = text.fr;
    assert_eq!(detail, "550 5.1.1 unknown user");
}

#[tokio::test]
async fn an_address_that_is_none_never_reaches_the_server() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let error = mailer.send(&mail("zoe@exemple.ma>\r\nRCPT TO:<x@y.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    // A server without SMTPUTF8 has no means to carry this one.
    let error = mailer.send(&mail("zoé@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(seen.mails.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_451_may_be_tried_again() {
    let (port, _seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let error = mailer.send(&mail("451@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { what: "smtp", .. }), "{error}");
    assert!(error.to_string().contains("451 4.7.1 greylisted"), "{error}");
    mailer.send(&mail("zoe@exemple.ma")).await.unwrap();
}

#[tokio::test]
async fn silence_ends_with_the_time_limit_and_does_not_spoil_the_next_mail() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    mailer.send(&mail("zoe@exemple.ma")).await.unwrap();
    let start = Instant::now();
    let error = mailer.send(&mail("muet@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    mailer.send(&mail("zoe@exemple.ma")).await.unwrap();
    assert_eq!(seen.mails.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let closed = server::listen(|_stream| async { Ok(()) }).await;
    let error =
        Mailer::new(&config(closed)).unwrap().send(&mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        Mailer::new(&config(free)).unwrap().send(&mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_connection_that_died_between_two_mails_is_no_failure() {
    let (port, seen) = server::start().await;
    seen.hangs_up.store(true, SeqCst);
    let mailer = Mailer::new(&config(port)).unwrap();
    for _ in 0..3 {
        mailer.send(&mail("zoe@exemple.ma")).await.unwrap();
    }
    assert_eq!(seen.connections.load(SeqCst), 3);
}

#[tokio::test]
async fn connections_that_nobody_answers_on_cost_one_short_wait() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let to = mail("zoe@exemple.ma");
    let (a, b, c) = tokio::join!(mailer.send(&to), mailer.send(&to), mailer.send(&to));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(seen.connections.load(SeqCst), 3);
    seen.goes_deaf.store(true, SeqCst);
    mailer.send(&to).await.unwrap();
    assert_eq!(seen.connections.load(SeqCst), 4);
    assert_eq!(seen.mails.lock().unwrap().len(), 4);
}

/// A server that offers `AUTH` only, and repeats what it is sent when it refuses it.
async fn login_refused() -> u16 {
    server::listen(|stream| async move {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 essai\r\n").await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let reply = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["EHLO", ..] => "250-essai\r\n250 AUTH PLAIN\r\n".to_owned(),
                ["AUTH", "PLAIN", sent] => format!("535 5.7.8 no: {sent} azerty-42\r\n"),
                _ => "503 no\r\n".to_owned(),
            };
            stream.write_all(reply.as_bytes()).await?;
            line.clear();
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_wrong_password_is_for_the_operator_and_stays_secret() {
    let mut config = config(login_refused().await);
    config.user = Some("erp".into());
    config.password = Some("azerty-42".into());
    let mailer = Mailer::new(&config).unwrap();
    let error = mailer.send(&mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().ends_with("535 5.7.8 no: *** ***"), "{error}");
    assert!(!format!("{mailer:?} {config:?} {error:?}").contains("azerty"));
}

#[tokio::test]
async fn without_starttls_nothing_is_said_in_clear() {
    let (port, seen) = server::start().await;
    let mut config = config(port);
    config.tls = SmtpTls::Starttls;
    let error = Mailer::new(&config).unwrap().send(&mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert_eq!(seen.mails.lock().unwrap().len(), 0);
}

#[test]
fn the_kinds_of_protection_have_names() {
    assert_eq!("starttls".parse(), Ok(SmtpTls::Starttls));
    assert!("ssl".parse::<SmtpTls>().is_err());
}
