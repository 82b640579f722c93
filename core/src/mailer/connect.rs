//! Opens a connection to the mail server (greeting, TLS, login), and words the error when that fails.
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::warn;

use super::clean;
use super::login::{Login, may_sign_in};
use super::smtp::{Inner, SmtpConfig, SmtpTls};
use crate::{Error, Result};

impl Inner {
    /// Opens a connection, with greeting, TLS and login; returns it with the outcome of the login. Every failure is
    /// `Unavailable`: the server refuses us, not a mail, and the operator may correct that.
    pub(super) async fn connect(&self) -> Result<(AsyncSmtpConnection, Login)> {
        let SmtpConfig { timeout: limit, tls, .. } = &self.config;
        let hello = ClientId::default();
        // Three limits: the connection, the greeting, the answer to EHLO.
        let (mut connection, address) = self.step(*limit * 3, self.greeted(&hello)).await?;
        if let (SmtpTls::Starttls, Some(tls)) = (tls, self.tls.clone()) {
            // Three limits: the command, TLS, the second EHLO.
            self.step(*limit * 3, connection.starttls(tls, &hello)).await?;
        }
        let Some(credentials) = &self.credentials else { return Ok((connection, Login::None)) };
        let offered = connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_some();
        let sign_in = may_sign_in(address, connection.is_encrypted(), offered)
            .map_err(|why| self.unavailable(why))?;
        if !sign_in {
            if !self.warned.swap(true, Relaxed) {
                warn!(%address, "SMTP_USER is set, and the server offers no AUTH: mails leave without it");
            }
            return Ok((connection, Login::NotOffered));
        }
        self.step(*limit * 2, connection.auth(DEFAULT_MECHANISMS, credentials)).await?;
        Ok((connection, Login::Accepted))
    }

    /// Tries the addresses of the server in order; returns the first connection that is greeted, or the last error.
    async fn greeted(&self, hello: &ClientId) -> Result<(AsyncSmtpConnection, IpAddr), Refusal> {
        let SmtpConfig { host, port, timeout: limit, tls, .. } = &self.config;
        let addresses: Vec<SocketAddr> = lookup_host((host.as_str(), *port)).await?.collect();
        let mut refused = Refusal::Name(io::ErrorKind::NotFound.into());
        for address in addresses {
            let wrapper = self.tls.clone().filter(|_| *tls == SmtpTls::Tls);
            let connect =
                AsyncSmtpConnection::connect_tokio1(address, Some(*limit), hello, wrapper, None);
            match connect.await {
                Ok(connection) => return Ok((connection, address.ip())),
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// Runs one step of a conversation within its limit; every failure is `Unavailable`.
    async fn step<T>(
        &self,
        limit: Duration,
        step: impl Future<Output = Result<T, impl Into<Refusal>>>,
    ) -> Result<T> {
        match timeout(limit, step).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(refusal)) => Err(self.unavailable(&match refusal.into() {
                Refusal::Name(error) => error.to_string(),
                Refusal::Smtp(error) => self.explain(&error),
            })),
            Err(_) => Err(self.unavailable(&too_late(limit))),
        }
    }

    pub(super) fn unavailable(&self, why: &str) -> Error {
        let SmtpConfig { host, port, .. } = &self.config;
        Error::unavailable("smtp", anyhow::anyhow!("{host}:{port}: {why}"))
    }

    /// The server's code and words ("550 5.1.1 unknown user"), or the error and its cause; in one
    /// line of at most 500 characters, and without the password even if a server repeats it.
    pub(super) fn explain(&self, err: &SmtpError) -> String {
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
}

/// Why there is no connection.
enum Refusal {
    /// The name of the server was not resolved.
    Name(io::Error),
    Smtp(SmtpError),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Name(error)
    }
}

impl From<SmtpError> for Refusal {
    fn from(error: SmtpError) -> Self {
        Self::Smtp(error)
    }
}

pub(super) fn too_late(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}
