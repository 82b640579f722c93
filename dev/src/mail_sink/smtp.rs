//! The SMTP half of the mailbox: the loop around the parser of `mailin`, with limits on time and
//! size so that a broken client cannot hold a connection or fill the memory.

use std::net::IpAddr;
use std::time::Duration;

use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::store::Store;

const MAIL_LIMIT: usize = 32 << 20;
const LINE_LIMIT: u64 = 64 << 10;
const RECIPIENT_LIMIT: usize = 100;
const SESSION_LIMIT: usize = 200;
/// RFC 5321 asks for five minutes between commands: enough for a pooled connection to stay open.
const IDLE_LIMIT: Duration = Duration::from_mins(5);

/// Takes connections until told to stop, or until `stop` is dropped; then neither the port nor
/// any connection is left.
pub(super) async fn serve(listener: TcpListener, store: Store, stop: oneshot::Receiver<()>) {
    let mut sessions = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            accepted = listener.accept(), if sessions.len() < SESSION_LIMIT => match accepted {
                Ok((stream, peer)) => { sessions.spawn(session(stream, peer.ip(), store.clone())); }
                // Out of file descriptors, most likely: wait for some to come back.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    drop(listener);
    sessions.shutdown().await;
}

async fn session(stream: TcpStream, peer: IpAddr, store: Store) -> std::io::Result<()> {
    let begin = || SessionBuilder::new("erp-dev").build(peer, Inbox::new(store.clone()));
    let mut stream = BufReader::new(stream);
    let mut session = begin();
    let mut line = Vec::new();
    reply(&mut stream, &session.greeting()).await?;
    loop {
        line.clear();
        let mut limited = (&mut stream).take(LINE_LIMIT);
        let read = limited.read_until(b'\n', &mut line);
        let Ok(read) = tokio::time::timeout(IDLE_LIMIT, read).await else {
            return reply(&mut stream, &response::NO_SERVICE).await;
        };
        if read? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            return reply(&mut stream, &refusal(500, "5.5.2 Ligne trop longue")).await;
        }
        let answer = session.process(&line);
        match answer.action {
            Action::NoReply => {}
            Action::Close => return reply(&mut stream, &answer).await,
            Action::Reply | Action::UpgradeTls => reply(&mut stream, &answer).await?,
        }
        // After a refusal at the end of the data the parser would go on reading data.
        if line == b".\r\n" && answer.is_error {
            session = begin();
            session.process(b"HELO again\r\n");
        }
    }
}

async fn reply(stream: &mut BufReader<TcpStream>, answer: &Response) -> std::io::Result<()> {
    stream.get_mut().write_all(&answer.buffer()?).await
}

fn refusal(code: u16, text: &str) -> Response {
    Response::custom(code, text.into())
}

/// The mail that one connection is sending.
struct Inbox {
    store: Store,
    from: String,
    to: Vec<String>,
    body: Vec<u8>,
    too_large: bool,
}

impl Inbox {
    fn new(store: Store) -> Inbox {
        Inbox { store, from: String::new(), to: vec![], body: vec![], too_large: false }
    }
}

impl Handler for Inbox {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        self.from = from.into();
        self.to.clear();
        self.body.clear();
        self.too_large = false;
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("temporaire.") {
            return refusal(451, "4.3.0 Essayez plus tard");
        }
        if to.starts_with("refuse.") {
            return refusal(550, "5.1.1 Destinataire inconnu");
        }
        if self.to.len() == RECIPIENT_LIMIT {
            return response::OUT_OF_SPACE;
        }
        self.to.push(to.into());
        response::OK
    }

    // Never an error here: the parser would answer in the middle of the data.
    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        self.too_large |= self.body.len() + line.len() > MAIL_LIMIT;
        if !self.too_large {
            self.body.extend_from_slice(line);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        if self.too_large {
            return refusal(552, "5.3.4 Message trop volumineux");
        }
        match self.store.add(&self.from, &self.to, &std::mem::take(&mut self.body)) {
            Ok(()) => response::OK,
            Err(_) => response::INTERNAL_ERROR,
        }
    }
}
