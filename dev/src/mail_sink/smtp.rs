//! The SMTP half of the mailbox: the loop around the parser of `mailin`, with limits on time and
//! size so that a broken client cannot hold a connection or fill the memory.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mailin::{Action, Handler, Response, SessionBuilder, response};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::desk::{Arrived, Desk, Moment, Step, Turn};

const MAIL_LIMIT: usize = 32 << 20;
const LINE_LIMIT: u64 = 64 << 10;
const RECIPIENT_LIMIT: usize = 100;
const SESSION_LIMIT: usize = 200;
/// RFC 5321 asks for five minutes between commands: enough for a pooled connection to stay open.
const IDLE_LIMIT: Duration = Duration::from_mins(5);

/// Accepts connections until told to stop, or until the sender of `stop` is dropped; then the port and every connection are
/// closed.
pub(super) async fn serve(listener: TcpListener, desk: impl Desk, stop: oneshot::Receiver<()>) {
    let mut sessions = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            accepted = listener.accept(), if sessions.len() < SESSION_LIMIT => match accepted {
                Ok((stream, peer)) => { sessions.spawn(session(stream, peer.ip(), desk.clone())); }
                // Most likely out of file descriptors: wait until some are free again.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = sessions.join_next() => {}
        }
    }
    drop(listener);
    sessions.shutdown().await;
}

async fn session(stream: TcpStream, peer: IpAddr, desk: impl Desk) -> std::io::Result<()> {
    let inbox = Inbox::default();
    let mut stream = BufReader::new(stream);
    let mut session = SessionBuilder::new("erp-dev").build(peer, inbox.clone());
    let mut line = Vec::new();
    let mut in_data = false;
    match desk.at(inbox.moment(Step::Greeting, &line)).await {
        Turn::Go => reply(&mut stream, &session.greeting()).await?,
        Turn::Answer(code, text) => return reply(&mut stream, &refusal(code, &text)).await,
        Turn::Close => return Ok(()),
    }
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
        if in_data && line == b".\r\n" {
            session.process(&line);
            in_data = false;
            if !arrive(&mut stream, &desk, &inbox).await? {
                return Ok(());
            }
            continue;
        }
        if let Some(step) = Step::of(&line).filter(|_| !in_data) {
            match desk.at(inbox.moment(step, &line)).await {
                Turn::Go => {}
                // The parser does not see a command that was refused.
                Turn::Answer(code, text) => {
                    reply(&mut stream, &refusal(code, &text)).await?;
                    if code == response::NO_SERVICE.code {
                        return Ok(());
                    }
                    continue;
                }
                Turn::Close => return Ok(()),
            }
        }
        let answer = session.process(&line);
        in_data |= answer.code == response::START_DATA.code;
        match answer.action {
            Action::NoReply => {}
            Action::Close => return reply(&mut stream, &answer).await,
            Action::Reply | Action::UpgradeTls => reply(&mut stream, &answer).await?,
        }
    }
}

/// A mail has arrived whole: keeps it, and then answers; false when the connection is to be closed.
async fn arrive<D: Desk>(
    stream: &mut BufReader<TcpStream>,
    desk: &D,
    inbox: &Inbox,
) -> std::io::Result<bool> {
    let moment = inbox.moment(Step::Dot, &[]);
    let mail = std::mem::take(&mut *inbox.lock());
    if mail.too_large {
        reply(stream, &refusal(552, "5.3.4 Message trop volumineux")).await?;
        return Ok(true);
    }
    let Ok(kept) = desk.keep(&mail) else {
        reply(stream, &response::INTERNAL_ERROR).await?;
        return Ok(true);
    };
    let turn = tokio::select! {
        turn = desk.at(moment) => turn,
        () = gone(stream) => return Ok(false),
    };
    match turn {
        Turn::Go => {
            reply(stream, &response::OK).await?;
            desk.answered(kept);
            Ok(true)
        }
        Turn::Answer(code, text) => {
            desk.give_back(kept);
            reply(stream, &refusal(code, &text)).await?;
            Ok(code != response::NO_SERVICE.code)
        }
        Turn::Close => Ok(false),
    }
}

/// Resolves when the client has closed its connection.
async fn gone(stream: &mut BufReader<TcpStream>) {
    if stream.fill_buf().await.is_ok_and(|said| !said.is_empty()) {
        // It sends more before it was answered: that is read later.
        std::future::pending::<()>().await;
    }
}

async fn reply(stream: &mut BufReader<TcpStream>, answer: &Response) -> std::io::Result<()> {
    stream.get_mut().write_all(&answer.buffer()?).await
}

fn refusal(code: u16, text: &str) -> Response {
    Response::custom(code, text.into())
}

/// The mail that one connection is sending, filled by the parser.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Arrived>>);

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Arrived> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self, step: Step, line: &[u8]) -> Moment {
        let mail = self.lock();
        let to =
            if step == Step::Rcpt { address(line).into_iter().collect() } else { mail.to.clone() };
        Moment { step, from: mail.from.clone(), to }
    }
}

/// The text between the angle brackets of a command.
fn address(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (_, rest) = line.split_once('<')?;
    rest.split_once('>').map(|(address, _)| address.to_owned())
}

impl Handler for Inbox {
    fn mail(&mut self, _: IpAddr, _: &str, from: &str) -> Response {
        *self.lock() = Arrived { from: from.into(), ..Arrived::default() };
        response::OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if to.starts_with("temporaire.") {
            return refusal(451, "4.3.0 Essayez plus tard");
        }
        if to.starts_with("refuse.") {
            return refusal(550, "5.1.1 Destinataire inconnu");
        }
        let mut mail = self.lock();
        if mail.to.len() == RECIPIENT_LIMIT {
            return response::OUT_OF_SPACE;
        }
        mail.to.push(to.into());
        response::OK
    }

    fn data(&mut self, line: &[u8]) -> std::io::Result<()> {
        let mut mail = self.lock();
        mail.too_large |= mail.body.len() + line.len() > MAIL_LIMIT;
        if !mail.too_large {
            mail.body.extend_from_slice(line);
        }
        Ok(())
    }
}
