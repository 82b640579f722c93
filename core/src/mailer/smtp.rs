//! Sends mails over SMTP, within a time limit, and tells a refusal (give up) from a server
//! that is away (try later). Connections are kept for the next mail.
//!
//! lettre's own pool is not used: the time limit abandons a conversation in its middle, and that
//! pool would hand the connection out again, so that the next mail would take the answers of this
//! one for its own and count as sent. Nor has it a limit for reading, or for its test of a dead
//! connection. Here a connection comes back only after a mail that went through.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use super::clean;
use super::message::{OutgoingMail, mailbox};
use crate::{Error, Result, metrics::outside, roots};

/// Servers close what is idle for long; what is older is not worth a test.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// More idle connections than this are closed.
const IDLE_COUNT: usize = 8;
/// A living server answers NOOP at once.
const TEST_LIMIT: Duration = Duration::from_secs(2);
/// Answers that blame our login or our configuration, not this mail.
const OUR_FAULT: [u16; 4] = [530, 534, 535, 538];

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// Not at all: a relay on this machine, or a test.
    None,
    /// Starts in clear and must become TLS before anything is said (port 587).
    Starttls,
    /// TLS from the first byte (port 465).
    Tls,
}

impl FromStr for SmtpTls {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "starttls" => Ok(Self::Starttls),
            "tls" => Ok(Self::Tls),
            _ => Err("attendu : none, starttls ou tls"),
        }
    }
}

/// Where mails leave, and in whose name. Its `Debug` does not show the password.
#[derive(Clone)]
pub struct SmtpConfig {
    /// Name of the server; with TLS its certificate must carry it.
    pub host: String,
    /// 25, 465, 587...
    pub port: u16,
    /// Login; none means that the server asks for none.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// Protection of the connection.
    pub tls: SmtpTls,
    /// Address of the sender; the part after `@` also ends each `Message-ID`.
    pub from_email: String,
    /// Name of the sender; may be empty.
    pub from_name: String,
    /// For one mail as a whole, from connecting to the last answer.
    pub timeout: Duration,
}

impl SmtpConfig {
    /// The time limit when the configuration names none.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
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

/// The way out for mails; clones share the connections.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    config: SmtpConfig,
    from: Mailbox,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<(Instant, AsyncSmtpConnection)>>,
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
        let idle = Mutex::default();
        Ok(Self(Arc::new(Inner { config: config.clone(), from, tls, credentials, idle })))
    }

    /// The domain of the sender, for [`super::message_id`].
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.from.email.domain()
    }

    /// Connects, greets, protects the connection and signs in as for a mail, and sends none.
    pub async fn check(&self) -> Result<()> {
        let limit = self.0.config.timeout;
        let call = async {
            let mut connection = self.0.connect().await.map_err(|err| self.0.unavailable(&err))?;
            // The answer to a farewell does not matter.
            let _ = connection.quit().await;
            Ok(())
        };
        timeout(limit, call).await.unwrap_or_else(|_elapsed| Err(self.0.too_late()))
    }

    /// Hands `mail` over to the server, which has accepted it when this is `Ok`.
    ///
    /// `Refused` when the server refuses this mail for good or its address is none; anything else
    /// that goes wrong is `Unavailable`, and may be tried again: the receiver sees by the
    /// `Message-ID` when an answer was lost and the mail comes twice.
    pub async fn send(&self, mail: &OutgoingMail) -> Result<()> {
        let message = mail.message(&self.0.from)?;
        let limit = self.0.config.timeout;
        let call = async {
            timeout(limit, self.0.deliver(&message))
                .await
                .unwrap_or_else(|_elapsed| Err(self.0.too_late()))
        };
        outside("smtp", call).await
    }
}

impl Inner {
    async fn deliver(&self, message: &lettre::Message) -> Result<()> {
        // Taken out of the pool, so that whoever gives up in the middle closes it.
        let mut connection = match self.reuse().await {
            Some(connection) => connection,
            // A refusal here is of us, not of the mail: it may pass when the operator mends it.
            None => self.connect().await.map_err(|err| self.unavailable(&err))?,
        };
        match connection.send(message.envelope(), &message.formatted()).await {
            Ok(_answer) => {
                let mut idle = self.idle();
                if idle.len() < IDLE_COUNT {
                    idle.push((Instant::now(), connection));
                }
                Ok(())
            }
            Err(err) if is_final(&err) => {
                let answer = self.explain(&err);
                Err(Error::refused("smtp_refuse", answer.clone(), answer))
            }
            Err(err) => Err(self.unavailable(&err)),
        }
    }

    /// The connection used last, if the server still answers on it. If not, the others are most
    /// likely as dead (the server was restarted, the network changed) and are closed untested.
    async fn reuse(&self) -> Option<AsyncSmtpConnection> {
        let (since, mut connection) = self.idle().pop()?;
        let alive = since.elapsed() < IDLE_MAX
            && timeout(TEST_LIMIT.min(self.config.timeout / 3), connection.test_connected())
                .await
                .unwrap_or(false);
        if alive {
            return Some(connection);
        }
        self.idle().clear();
        None
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let SmtpConfig { host, port, timeout, tls, .. } = &self.config;
        let hello = ClientId::default();
        let wrapper = self.tls.clone().filter(|_| *tls == SmtpTls::Tls);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), *port),
            Some(*timeout),
            &hello,
            wrapper,
            None,
        )
        .await?;
        if let (SmtpTls::Starttls, Some(tls)) = (tls, self.tls.clone()) {
            connection.starttls(tls, &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn too_late(&self) -> Error {
        let SmtpConfig { host, port, timeout, .. } = &self.config;
        let late = anyhow::anyhow!("{host}:{port}: no answer within {timeout:?}");
        Error::unavailable("smtp", late)
    }

    fn unavailable(&self, err: &SmtpError) -> Error {
        let SmtpConfig { host, port, .. } = &self.config;
        Error::unavailable("smtp", anyhow::anyhow!("{host}:{port}: {}", self.explain(err)))
    }

    /// The server's own words after its code ("550 5.1.1 unknown user"), or the chain of causes;
    /// in one line, bounded, and without the password even if a server repeats it.
    fn explain(&self, err: &SmtpError) -> String {
        let source = std::error::Error::source(err);
        let mut text = match (err.status(), source) {
            (Some(code), Some(words)) => format!("{code} {words}"),
            _ => err.to_string(),
        };
        let user = self.config.user.as_deref().unwrap_or_default();
        for secret in self.config.password.iter().filter(|password| !password.is_empty()) {
            let plain = BASE64.encode(format!("\0{user}\0{secret}"));
            for form in [plain, BASE64.encode(secret), secret.clone()] {
                text = text.replace(&form, "***");
            }
        }
        clean::shorten(&clean::one_line(&text), 500)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, AsyncSmtpConnection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server will say the same about this mail for ever: a 5xx, unless it is about our
/// login; or an address that this server has no means to carry (the one client error there is
/// once connected, for what we send is ASCII but for the addresses).
fn is_final(err: &SmtpError) -> bool {
    match err.status() {
        Some(code) => err.is_permanent() && !OUR_FAULT.contains(&code.into()),
        None => err.is_client(),
    }
}
