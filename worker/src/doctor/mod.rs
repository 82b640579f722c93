//! `erp-worker doctor`: checks everything that the system needs. One line per check, with what to do where it is not good.
mod database;
mod hours;
mod jobs;
mod outside;

use std::time::Duration;

use erp_core::{Config, catalogue::QUEUES, config::SettingFault, keys, mailer::Mailer};
use tokio::time::timeout;

/// The time limit of one check. SMTP has its own (`SMTP_TIMEOUT_SECONDS`), which may be longer.
const LIMIT: Duration = Duration::from_secs(10);

/// The checks that need good settings.
const BEYOND_SETTINGS: [&str; 10] = [
    "base",
    "schéma",
    "files",
    "disjoncteurs",
    "workers",
    "planifications",
    "fuseaux",
    "horloge",
    "fichiers",
    "smtp",
];

/// What a check has found.
#[derive(Debug)]
enum Finding {
    Good(String),
    /// Works, but somebody should look at it.
    Attention {
        found: String,
        todo: String,
    },
    Bad {
        found: String,
        todo: String,
    },
    /// Was not checked, because another check is bad.
    Skipped(&'static str),
}

impl Finding {
    fn good(found: impl Into<String>) -> Self {
        Self::Good(found.into())
    }

    fn attention(found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::Attention { found: found.into(), todo: todo.into() }
    }

    fn bad(found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::Bad { found: found.into(), todo: todo.into() }
    }
}

/// Prints every line as soon as it is known, and remembers whether anything is bad or was skipped.
#[derive(Debug)]
struct Report {
    healthy: bool,
}

impl Report {
    fn line(&mut self, name: &str, verdict: &Finding) {
        let (word, found, todo) = match verdict {
            Finding::Good(found) => ("ok", found.as_str(), None),
            Finding::Attention { found, todo } => ("attention", found.as_str(), Some(todo)),
            Finding::Bad { found, todo } => ("ÉCHEC", found.as_str(), Some(todo)),
            Finding::Skipped(why) => ("non vérifié", *why, None),
        };
        self.healthy &= !matches!(verdict, Finding::Bad { .. } | Finding::Skipped(_));
        let todo = todo.map(|todo| format!(" → {todo}")).unwrap_or_default();
        println!("{word:<12} {name:<14} {found}{todo}");
    }

    /// Prints the verdict of `check`, or that it took too long.
    async fn check(&mut self, name: &str, limit: Duration, check: impl Future<Output = Finding>) {
        let verdict = timeout(limit, check).await.unwrap_or_else(|_| {
            let found = format!("pas de réponse en {} s", limit.as_secs());
            Finding::bad(found, "vérifiez le réseau et la charge, puis recommencez")
        });
        self.line(name, &verdict);
    }
}

/// Runs all checks; true when the system is healthy.
pub async fn examine(config: Result<Config, Vec<SettingFault>>) -> bool {
    let mut report = Report { healthy: true };
    let config = match config {
        Ok(config) => config,
        Err(faults) => {
            for fault in &faults {
                let bad = Finding::bad(fault.to_string(), "corrigez cette variable");
                report.line("réglages", &bad);
            }
            for name in BEYOND_SETTINGS {
                report.line(name, &Finding::Skipped("les réglages d'abord"));
            }
            return false;
        }
    };
    report.line("réglages", &settings(&config));
    database::examine(&config, &mut report).await;
    report.check("fichiers", LIMIT, outside::storage(&config)).await;
    let longest = config.mail.smtp.timeout + Duration::from_secs(1);
    report.check("smtp", longest, Box::pin(outside::smtp(&config))).await;
    report.healthy
}

/// Checks the settings beyond their syntax: names of queues, keys and addresses.
fn settings(config: &Config) -> Finding {
    if let Some(fault) = config.worker.faults_of_queues(QUEUES).first() {
        return Finding::bad(fault.to_string(), "corrigez cette variable");
    }
    if let Err(error) = keys::Keys::new(&config.auth) {
        return Finding::bad(format!("{error}"), "vérifiez ALGORITHM et les fichiers des clés");
    }
    if let Err(error) = Mailer::new(&config.mail.smtp) {
        return Finding::bad(
            format!("{error}"),
            "vérifiez EMAILS_FROM_EMAIL, EMAILS_FROM_NAME et SMTP_HOST",
        );
    }
    let given = config.sources.given();
    Finding::good(format!("{given} variables données (erp-api check-config les montre)"))
}
