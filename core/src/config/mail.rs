//! How mails are sent, and what they link to.
use std::time::Duration;

use chrono::TimeDelta;
use lettre::message::header::HeaderName;

use super::env::Env;
use crate::mailer::{SmtpConfig, SmtpTls};

#[derive(Debug, Clone)]
pub struct MailConfig {
    /// `SMTP_HOST` (localhost), `SMTP_PORT` (25, 587 or 465, by `SMTP_TLS`), `SMTP_USER`, `SMTP_PASSWORD`, `SMTP_TLS`,
    /// `EMAILS_FROM_EMAIL`, `EMAILS_FROM_NAME`, `SMTP_TIMEOUT_SECONDS`, `SMTP_DOT_TIMEOUT_SECONDS`, `EMAILS_TRANSMISSIONS`,
    /// `EMAILS_IDEMPOTENCY_HEADER`.
    pub smtp: SmtpConfig,
    /// `FRONTEND_URL`, without a slash at its end: where links in mails lead.
    pub frontend_url: String,
    /// `EMAILS_GROUP_SECONDS` (600): what a person is told within so long is one mail; 0: one mail each, at once.
    pub group: TimeDelta,
    /// `EMAILS_INCERTAINS` (`par_type`)
    pub in_doubt: InDoubt,
    /// `SMTP_MAX_PER_MINUTE` (0: no limit): transmissions that all workers together begin in a minute.
    pub per_minute: Option<u32>,
    /// `SMTP_MAX_CONNECTIONS` (0: no limit): connections that all workers together have open.
    pub connections: Option<u32>,
}

/// What happens to a mail of which nobody knows whether the server has accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubt {
    /// `renvoyer`: it is sent again, under the same Message-ID.
    Resend,
    /// `garder`: it becomes `incertaine`; an admin may send it again.
    Keep,
    /// `par_type`: a mail that asks for an action or concerns the account is sent again; information and digests are kept.
    ByType,
}

/// The headers that mails have already: `EMAILS_IDEMPOTENCY_HEADER` can be none of them.
const OWN_HEADERS: &[&str] = &[
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Date",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

const IN_DOUBT: &[(&str, InDoubt)] =
    &[("par_type", InDoubt::ByType), ("renvoyer", InDoubt::Resend), ("garder", InDoubt::Keep)];

impl MailConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        let frontend_url =
            env.text("FRONTEND_URL").unwrap_or_else(|| "http://localhost:3000".to_owned());
        let is_web = frontend_url.starts_with("http://") || frontend_url.starts_with("https://");
        // An accepted invitation adds a fragment of its own.
        if !is_web || frontend_url.contains(['#', '?']) {
            let fault =
                format!("« {frontend_url} » n'est pas une adresse web, sans « ? » ni « # »");
            env.fault("FRONTEND_URL", fault, "https://erp.mif-maroc.example");
        }
        let group = env.parse(
            "EMAILS_GROUP_SECONDS",
            600,
            |n| (0..=86_400).contains(n),
            "un nombre de secondes de 0 à 86400",
            "600",
        );
        let mut limit = |name| {
            let number =
                env.parse(name, 0, |n| (0..=100_000).contains(n), "un nombre de 0 à 100000", "0");
            (number > 0).then_some(number)
        };
        Self {
            per_minute: limit("SMTP_MAX_PER_MINUTE"),
            connections: limit("SMTP_MAX_CONNECTIONS"),
            smtp: Self::smtp(env),
            frontend_url: frontend_url.trim_end_matches('/').to_owned(),
            group: TimeDelta::seconds(group),
            in_doubt: env.one_of("EMAILS_INCERTAINS", IN_DOUBT, InDoubt::ByType),
        }
    }

    fn smtp(env: &mut Env) -> SmtpConfig {
        const TLS: &[(&str, SmtpTls)] =
            &[("none", SmtpTls::None), ("starttls", SmtpTls::Starttls), ("tls", SmtpTls::Tls)];
        let tls = env.one_of("SMTP_TLS", TLS, SmtpTls::None);
        let default_port = match tls {
            SmtpTls::None => 25,
            SmtpTls::Starttls => 587,
            SmtpTls::Tls => 465,
        };
        let from_email =
            env.text("EMAILS_FROM_EMAIL").unwrap_or_else(|| "erp@mif-maroc.example".to_owned());
        if from_email.parse::<lettre::Address>().is_err() {
            let fault = format!("« {from_email} » n'est pas une adresse");
            env.fault("EMAILS_FROM_EMAIL", fault, "erp@mif-maroc.example");
        }
        let seconds = env.parse(
            "SMTP_TIMEOUT_SECONDS",
            SmtpConfig::TIMEOUT.as_secs(),
            |n| (1..=50).contains(n),
            "un nombre de secondes de 1 à 50",
            "10",
        );
        let dot_seconds = env.parse(
            "SMTP_DOT_TIMEOUT_SECONDS",
            SmtpConfig::DOT_TIMEOUT.as_secs(),
            |n| (1..=1800).contains(n),
            "un nombre de secondes de 1 à 1800",
            "600",
        );
        let transmissions = env.parse(
            "EMAILS_TRANSMISSIONS",
            1,
            |n| (1..=8).contains(n),
            "un nombre de 1 à 8",
            "1",
        );
        let idempotency_header = env.text("EMAILS_IDEMPOTENCY_HEADER");
        if let Some(name) = &idempotency_header
            && (!name.bytes().all(|byte| byte.is_ascii_graphic())
                || OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name))
                || HeaderName::new_from_ascii(name.clone()).is_err())
        {
            let fault = format!("« {name} » ne peut pas être cet en-tête");
            env.fault("EMAILS_IDEMPOTENCY_HEADER", fault, "Resend-Idempotency-Key");
        }
        SmtpConfig {
            host: env.text("SMTP_HOST").unwrap_or_else(|| "localhost".to_owned()),
            port: env.parse("SMTP_PORT", default_port, |p| *p > 0, "un port", "587"),
            user: env.text("SMTP_USER"),
            password: env.secret("SMTP_PASSWORD").unwrap_or_default(),
            tls,
            from_email,
            from_name: env.text("EMAILS_FROM_NAME").unwrap_or_else(|| "ERP MIF Maroc".to_owned()),
            timeout: Duration::from_secs(seconds),
            dot_timeout: Duration::from_secs(dot_seconds),
            transmissions,
            idempotency_header,
        }
    }
}
