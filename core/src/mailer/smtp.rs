//! The mail server, and the connections to it. `connect` opens one; `conversation` sends a mail
//! over it.
//!
//! lettre's connection speaks the protocol; its `send` and its pool are not used. `send` goes from `MAIL FROM` to the final dot
//! in one call, but a mail must be claimed between `354` and the dot. The pool reuses a connection in the state in which a time
//! limit left it, so that the next mail would read the answers to this one, and it has no time limit for reading. Here a
//! connection is reused only after an accepted mail, or after a refused recipient and a successful `RSET`.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::login::Login;
use super::message::{Frozen, OutgoingMail, mailbox};
use super::places::{Place, Places};
use crate::{Result, roots};

/// A connection that was idle for longer is not tested, and not reused: servers close such connections.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// More idle connections than this are closed.
const IDLE_COUNT: usize = 8;
/// The longest idle time where places limit the connections, and other processes wait for them.
const IDLE_MAX_OF_FEW: Duration = Duration::from_secs(1);
/// Where places limit the connections, one of this age is closed after its mail, so that another process gets its place.
const LIFE_OF_FEW: Duration = Duration::from_secs(5);
/// The time limit for NOOP on an idle connection: a server that works answers at once.
const TEST_LIMIT: Duration = Duration::from_secs(2);
/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: a relay on this machine, or a test.
    None,
    /// Starts in clear text and must switch to TLS before anything else (port 587).
    Starttls,
    /// TLS from the first byte (port 465).
    Tls,
}

/// The mail server and the sender. Its `Debug` does not show the password.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Name of the server; with TLS its certificate must carry it.
    pub host: String,
    /// 25, 465, 587...
    pub port: u16,
    /// Login; `None` if the server asks for none.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// Protection of the connection.
    pub tls: SmtpTls,
    /// Address of the sender; the part after `@` also ends each `Message-ID`.
    pub from_email: String,
    /// Name of the sender; may be empty.
    pub from_name: String,
    /// Time limit for each step up to `354`: to connect, then for each command and its answer.
    pub timeout: Duration,
    /// Time limit for the body, the final dot and the answer to it.
    pub dot_timeout: Duration,
    /// The most transmissions under way at once in this process, between the claim of a mail and the record of its outcome.
    pub transmissions: usize,
    /// Name of a header that repeats the Message-ID, for relays that recognise a mail that is sent again by it.
    pub idempotency_header: Option<String>,
}

impl SmtpConfig {
    /// The time limit of a step when the configuration names none.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// [RFC 5321, 4.5.3.2.6](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6): a server may need so long after the
    /// dot, and a client that gives up sooner sends the mail again although it was accepted.
    pub const DOT_TIMEOUT: Duration = Duration::from_mins(10);
}

impl fmt::Debug for SmtpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("user", &self.user)
            .field("from_email", &self.from_email)
            .finish_non_exhaustive()
    }
}

/// Sends mails; clones share the connections.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

pub(super) struct Inner {
    pub(super) config: SmtpConfig,
    pub(super) from: Mailbox,
    pub(super) tls: Option<TlsParameters>,
    pub(super) credentials: Option<Credentials>,
    idle: Mutex<Vec<(Instant, Box<Connected>)>>,
    /// Notified when an idle connection is added.
    freed: Notify,
    turns: Arc<Semaphore>,
    places: Option<Places>,
    /// Whether the warning that mails leave without the login was logged, which happens once.
    pub(super) warned: AtomicBool,
}

/// A connection after greeting, TLS and login.
pub(super) struct Connected {
    // In this order: the connection is closed before its place is given back.
    pub(super) smtp: AsyncSmtpConnection,
    since: Instant,
    place: Option<Place>,
}

/// The connection for the next conversation.
pub(super) enum Turn {
    /// An idle one, since this instant; used if the server still answers on it.
    Idle(Instant, Box<Connected>),
    /// A new one, with its place where places limit the connections.
    New(Option<Place>),
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailer").field(&self.0.config).finish()
    }
}

impl Mailer {
    /// Checks the configuration; connects to nothing yet.
    pub fn new(config: &SmtpConfig) -> Result<Self> {
        let from = mailbox(&config.from_name, &config.from_email).map_err(anyhow::Error::msg)?;
        let tls = match config.tls {
            SmtpTls::None => None,
            SmtpTls::Starttls | SmtpTls::Tls => {
                let parameters = TlsParameters::builder(config.host.clone())
                    .certificate_store(roots::for_mail());
                Some(parameters.build().map_err(anyhow::Error::from)?)
            }
        };
        let credentials = config
            .user
            .clone()
            .map(|user| Credentials::new(user, config.password.clone().unwrap_or_default()));
        let turns = Arc::new(Semaphore::new(config.transmissions));
        let (config, idle) = (config.clone(), Mutex::default());
        let (freed, places, warned) = (Notify::new(), None, AtomicBool::new(false));
        let inner = Inner { config, from, tls, credentials, idle, freed, turns, places, warned };
        Ok(Self(Arc::new(inner)))
    }

    /// The same mailer with at most as many open connections, idle ones included, as there are places. [`Mailer::check`] takes no
    /// place.
    #[must_use]
    pub fn limited(&self, places: Places) -> Self {
        let Inner { config, from, tls, credentials, .. } = &*self.0;
        let limited = Self(Arc::new(Inner {
            config: config.clone(),
            from: from.clone(),
            tls: tls.clone(),
            credentials: credentials.clone(),
            idle: Mutex::default(),
            freed: Notify::new(),
            turns: Arc::new(Semaphore::new(config.transmissions)),
            places: Some(places),
            warned: AtomicBool::new(false),
        }));
        #[expect(clippy::disallowed_methods, reason = "ends with its mailer")]
        tokio::spawn(close_idle(Arc::downgrade(&limited.0)));
        limited
    }

    /// The domain of the sender, for [`super::message_id`].
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.from.email.domain()
    }

    /// Connects and signs in as for a mail, and sends none.
    pub async fn check(&self) -> Result<Login> {
        let (mut connection, login) = self.0.connect().await?;
        // The answer to QUIT does not matter.
        let _ = timeout(self.0.config.timeout, connection.quit()).await;
        Ok(login)
    }

    /// The bytes to send, and to whom. An unusable address is `Refused`.
    pub fn freeze(&self, mail: &OutgoingMail) -> Result<Frozen> {
        mail.freeze(&self.0.from, self.0.config.idempotency_header.as_deref())
    }

    /// Waits for one of the permits (`transmissions`) to claim a mail, held until it is dropped: at most so many mails are in
    /// doubt when this process is killed.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        Ok(self.0.turns.clone().acquire_owned().await.map_err(anyhow::Error::from)?)
    }

    pub(super) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Inner {
    /// Waits for an idle connection or the right to open one; waits only where places limit the connections.
    pub(super) async fn place(&self) -> Result<Turn> {
        loop {
            let idle = self.idle().pop();
            if let Some((since, connection)) = idle
                && connection.place.as_ref().is_none_or(Place::is_ours)
            {
                return Ok(Turn::Idle(since, connection));
            }
            let Some(places) = &self.places else { return Ok(Turn::New(None)) };
            if let Some(place) = places.take(&self.freed).await? {
                return Ok(Turn::New(Some(place)));
            }
        }
    }

    /// A connection that works. A failure is `Unavailable`: the server refuses us, not a mail, and the operator may correct that.
    pub(super) async fn connection(&self, turn: Turn) -> Result<Box<Connected>> {
        let place = match turn {
            Turn::New(place) => place,
            Turn::Idle(since, mut connection) => {
                if self.answers(since, &mut connection.smtp).await {
                    return Ok(connection);
                }
                // The other idle ones are most likely dead, too (the server was restarted, the network changed): closed untested.
                self.idle().clear();
                return self.renew(connection).await;
            }
        };
        let (smtp, _) = self.connect().await?;
        Ok(Box::new(Connected { smtp, since: Instant::now(), place }))
    }

    /// Closes a connection, and opens a new one at its place.
    pub(super) async fn renew(&self, connection: Box<Connected>) -> Result<Box<Connected>> {
        let Connected { smtp, place, .. } = *connection;
        drop(smtp);
        let (smtp, _) = self.connect().await?;
        Ok(Box::new(Connected { smtp, since: Instant::now(), place }))
    }

    async fn answers(&self, since: Instant, connection: &mut AsyncSmtpConnection) -> bool {
        since.elapsed() < IDLE_MAX
            && timeout(TEST_LIMIT.min(self.config.timeout / 3), connection.test_connected())
                .await
                .unwrap_or(false)
    }

    /// Keeps a connection for the next mail.
    pub(super) fn keep(&self, connection: Box<Connected>) {
        let may_stay = |place: &Place| place.is_ours() && connection.since.elapsed() < LIFE_OF_FEW;
        let mut idle = self.idle();
        if idle.len() < IDLE_COUNT && connection.place.as_ref().is_none_or(may_stay) {
            idle.push((Instant::now(), connection));
            self.freed.notify_one();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Box<Connected>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that are idle for `IDLE_MAX_OF_FEW`, so that other processes get their places.
async fn close_idle(mailer: Weak<Inner>) {
    let mut tick = tokio::time::interval(IDLE_MAX_OF_FEW / 2);
    loop {
        tick.tick().await;
        let Some(mailer) = mailer.upgrade() else { return };
        mailer.idle().retain(|(since, _)| since.elapsed() < IDLE_MAX_OF_FEW);
    }
}
