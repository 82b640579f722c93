//! A small SMTP server on `mailin`. The recipient's address says how it shall behave:
//! `451@`, `550@` answer with that code, `muet@` is never answered; after the dot `451.point@`, `554.point@` answer with that
//! code, `lent@` is accepted after three seconds, and `coupe@` without a word.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// What the server saw, and what it does to a connection after a mail: it hangs up, or goes deaf.
#[derive(Default)]
pub struct Seen {
    pub mails: Mutex<Vec<String>>,
    pub connections: AtomicUsize,
    pub hangs_up: AtomicBool,
    pub goes_deaf: AtomicBool,
}

struct Inbox {
    seen: Arc<Seen>,
    mail: Vec<u8>,
    to: String,
}

impl Handler for Inbox {
    fn rcpt(&mut self, to: &str) -> Response {
        to.clone_into(&mut self.to);
        match to.split('@').next() {
            Some("451") => Response::custom(451, "4.7.1 greylisted, come back later".into()),
            Some("550") => Response::custom(550, "5.1.1 unknown user".into()),
            _ => response::OK,
        }
    }
    fn data(&mut self, buf: &[u8]) -> io::Result<()> {
        self.mail.extend_from_slice(buf);
        Ok(())
    }
    fn data_end(&mut self) -> Response {
        let mail = String::from_utf8(std::mem::take(&mut self.mail)).expect("ASCII");
        match self.to.split('@').next() {
            Some("451.point") => return Response::custom(451, "4.3.0 later".into()),
            Some("554.point") => return Response::custom(554, "5.7.1 no spam".into()),
            _ => {}
        }
        self.seen.mails.lock().expect("no test panicked").push(mail);
        response::OK
    }
}

/// Starts the server; its port, and what it sees.
pub async fn start() -> (u16, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let port = listen(move |stream| {
        shared.connections.fetch_add(1, SeqCst);
        session(stream, Arc::clone(&shared))
    })
    .await;
    (port, seen)
}

/// A server that runs `conversation` for each connection.
#[expect(clippy::disallowed_methods, reason = "the server of a test is no job")]
pub async fn listen<F>(conversation: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(conversation(stream));
        }
    });
    port
}

async fn session(stream: impl AsyncRead + AsyncWrite + Unpin, seen: Arc<Seen>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let inbox = Inbox { seen: Arc::clone(&seen), mail: Vec::new(), to: String::new() };
    let mut session = SessionBuilder::new("essai").build(IpAddr::V4(Ipv4Addr::LOCALHOST), inbox);
    let mut reply = session.greeting();
    let mut to = String::new();
    loop {
        let mut bytes = Vec::new();
        if !matches!(reply.action, Action::NoReply) {
            reply.write_to(&mut bytes)?;
            stream.write_all(&bytes).await?;
        }
        let count = seen.mails.lock().expect("no test panicked").len();
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if line.windows(5).any(|part| part == b"muet@") && line.starts_with(b"RCPT") {
            return std::future::pending().await;
        }
        if line.starts_with(b"NOOP") && seen.goes_deaf.load(SeqCst) {
            return std::future::pending().await;
        }
        if line.starts_with(b"RCPT") {
            to = String::from_utf8_lossy(&line).into_owned();
        }
        reply = session.process(&line);
        if line == b".\r\n" && to.contains("lent@") {
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        }
        if line == b".\r\n" && to.contains("coupe@") {
            return Ok(());
        }
        if seen.hangs_up.load(SeqCst) && seen.mails.lock().expect("no test panicked").len() > count
        {
            let mut last = Vec::new();
            reply.write_to(&mut last)?;
            return stream.write_all(&last).await;
        }
    }
}
