//! Sending: accepted, refused, later, silent, away, in doubt, and connections that die between two mails.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use erp_core::mailer::{
    Login, Mailer, OutgoingMail, Renderer, SmtpConfig, SmtpTls, Template, Transmission,
    list_unsubscribe, message_id, samples,
};
use erp_core::{Code, Error, Lang, Result};
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
        dot_timeout: Duration::from_secs(20),
        transmissions: 1,
        idempotency_header: None,
    }
}

/// Freezes a mail and sends it, without a claim between.
async fn transmit(mailer: &Mailer, mail: &OutgoingMail) -> Result<Transmission> {
    let frozen = mailer.freeze(mail)?;
    Ok(mailer.open(&frozen.to_email).await?.transmit(&frozen.bytes).await)
}

/// The same for a mail that the server is to accept.
async fn send(mailer: &Mailer, mail: &OutgoingMail) -> Result<()> {
    assert_eq!(transmit(mailer, mail).await?, Transmission::Accepted);
    Ok(())
}

fn mail(to_email: &str) -> OutgoingMail {
    let context = samples::notification(Template::NotificationRetard, Lang::Fr);
    OutgoingMail {
        to_name: "Zoé Benchekroun".into(),
        to_email: to_email.into(),
        message_id: "<42@mif-maroc.example>".into(),
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
        send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    }
    assert_eq!(seen.connections.load(SeqCst), 1);
    let mails = seen.mails.lock().unwrap();
    assert_eq!(mails.len(), 3);
    for expected in [
        "Message-ID: <42@mif-maroc.example>\r\n",
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
    send(&Mailer::new(&config(port)).unwrap(), &mail).await.unwrap();
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
        send(&Mailer::new(&config(port)).unwrap(), &mail("550@exemple.ma")).await.unwrap_err();
    let Error::Refused { code: Code::SmtpRefuse, text } = error else { panic!("{error}") };
    let detail = text.fr;
    assert_eq!(detail, "550 5.1.1 unknown user");
}

#[tokio::test]
async fn an_address_that_is_none_never_reaches_the_server() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let error = send(&mailer, &mail("zoe@exemple.ma>\r\nRCPT TO:<x@y.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    // A server without SMTPUTF8 has no means to carry this one.
    let error = send(&mailer, &mail("zoé@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert_eq!(seen.mails.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn who_asks_to_come_later_is_not_away() {
    let (port, _seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let error = send(&mailer, &mail("451@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Deferred(_)), "{error}");
    assert!(error.to_string().contains("451 4.7.1 greylisted"), "{error}");
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
}

#[tokio::test]
async fn silence_ends_with_the_time_limit_and_does_not_spoil_the_next_mail() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    let error = send(&mailer, &mail("muet@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    assert_eq!(seen.mails.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_answer_to_the_dot_may_take_longer_than_any_other() {
    let (port, seen) = server::start().await;
    // The server takes three seconds for it; each other step has two.
    send(&Mailer::new(&config(port)).unwrap(), &mail("lent@exemple.ma")).await.unwrap();
    assert_eq!(seen.mails.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_the_server_says_after_the_dot_is_certain_and_silence_is_not() {
    let (port, seen) = server::start().await;
    let mut config = config(port);
    config.dot_timeout = Duration::from_secs(1);
    let mailer = Mailer::new(&config).unwrap();
    let outcome = async |to: &str| transmit(&mailer, &mail(to)).await.unwrap();
    let Transmission::Refused(why) = outcome("554.point@exemple.ma").await else { panic!() };
    assert_eq!(why, "554 5.7.1 no spam");
    let Transmission::Deferred(why) = outcome("451.point@exemple.ma").await else { panic!() };
    assert_eq!(why, "451 4.3.0 later");
    assert_eq!(seen.mails.lock().unwrap().len(), 0);
    // Accepted, and nobody told us: the connection is cut, or the answer takes too long.
    assert!(matches!(outcome("coupe@exemple.ma").await, Transmission::InDoubt(_)));
    assert!(matches!(outcome("lent@exemple.ma").await, Transmission::InDoubt(_)));
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
}

#[tokio::test]
async fn a_conversation_that_is_dropped_sends_nothing() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    drop(mailer.open("zoe@exemple.ma").await.unwrap());
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    assert_eq!(seen.mails.lock().unwrap().len(), 1);
}

#[test]
fn a_relay_that_knows_mails_by_a_header_gets_their_id_in_it() {
    let mut config = config(25);
    config.idempotency_header = Some("Resend-Idempotency-Key".into());
    let frozen = Mailer::new(&config).unwrap().freeze(&mail("zoe@exemple.ma")).unwrap();
    let text = String::from_utf8(frozen.bytes).unwrap();
    assert!(text.contains("\r\nResend-Idempotency-Key: <42@mif-maroc.example>\r\n"), "{text}");
    assert_ne!(message_id("mif-maroc.example"), message_id("mif-maroc.example"));
}

#[tokio::test]
async fn a_server_that_is_away_may_come_back() {
    let closed = server::listen(|_stream| async { Ok(()) }).await;
    let error =
        send(&Mailer::new(&config(closed)).unwrap(), &mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error =
        send(&Mailer::new(&config(free)).unwrap(), &mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_connection_that_died_between_two_mails_is_no_failure() {
    let (port, seen) = server::start().await;
    seen.hangs_up.store(true, SeqCst);
    let mailer = Mailer::new(&config(port)).unwrap();
    for _ in 0..3 {
        send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    }
    assert_eq!(seen.connections.load(SeqCst), 3);
}

#[tokio::test]
async fn connections_that_nobody_answers_on_cost_one_short_wait() {
    let (port, seen) = server::start().await;
    let mailer = Mailer::new(&config(port)).unwrap();
    let to = mail("zoe@exemple.ma");
    let (a, b, c) = tokio::join!(send(&mailer, &to), send(&mailer, &to), send(&mailer, &to));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(seen.connections.load(SeqCst), 3);
    seen.goes_deaf.store(true, SeqCst);
    send(&mailer, &to).await.unwrap();
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
    let error = send(&mailer, &mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().ends_with("535 5.7.8 no: *** ***"), "{error}");
    assert!(!format!("{mailer:?} {config:?} {error:?}").contains("azerty"));
}

#[tokio::test]
async fn a_mailbox_of_developers_that_asks_nobody_who_they_are_gets_the_mail() {
    let (port, seen) = server::start().await;
    let mut config = config(port);
    config.user = Some("user".into());
    config.password = Some("password".into());
    let mailer = Mailer::new(&config).unwrap();
    assert_eq!(mailer.check().await.unwrap(), Login::NotOffered);
    send(&mailer, &mail("zoe@exemple.ma")).await.unwrap();
    assert_eq!(seen.mails.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_starttls_nothing_is_said_in_clear() {
    let (port, seen) = server::start().await;
    let mut config = config(port);
    config.tls = SmtpTls::Starttls;
    let error = send(&Mailer::new(&config).unwrap(), &mail("zoe@exemple.ma")).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("STARTTLS"), "{error}");
    assert_eq!(seen.mails.lock().unwrap().len(), 0);
}
