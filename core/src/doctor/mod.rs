//! Checks everything that the system needs, one line a check, with what to do where it is not good: `erp-worker doctor` prints the
//! lines, and the console shows them.
mod database;
mod hours;
mod jobs;
mod look;
mod outside;

use std::time::Duration;

use tokio::time::timeout;

pub use look::{look_inside, look_outside};

use crate::{
    Config, Lang, Text, catalogue::QUEUES, config::SettingFault, keys::Keys, mailer::Mailer,
};

/// The time limit of one check of the command. SMTP has its own (`SMTP_TIMEOUT_SECONDS`), which may be longer.
const LIMIT: Duration = Duration::from_secs(10);

/// What is checked, in the order of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Settings,
    Database,
    Schema,
    Queues,
    Breakers,
    Workers,
    Schedules,
    TimeZones,
    Clock,
    Files,
    Smtp,
}

impl Check {
    /// Those that need good settings.
    const BEYOND_SETTINGS: [Self; 10] = [
        Self::Database,
        Self::Schema,
        Self::Queues,
        Self::Breakers,
        Self::Workers,
        Self::Schedules,
        Self::TimeZones,
        Self::Clock,
        Self::Files,
        Self::Smtp,
    ];
    /// Those that need the schema.
    const OF_SCHEMA: [Self; 5] =
        [Self::Queues, Self::Breakers, Self::Workers, Self::Schedules, Self::TimeZones];
    /// Those that need a database that answers.
    const OF_DATABASE: [Self; 7] = [
        Self::Schema,
        Self::Queues,
        Self::Breakers,
        Self::Workers,
        Self::Schedules,
        Self::TimeZones,
        Self::Clock,
    ];

    /// Its name in a line.
    #[must_use]
    pub fn name(self, lang: Lang) -> &'static str {
        let (fr, en) = match self {
            Self::Settings => ("réglages", "settings"),
            Self::Database => ("base", "database"),
            Self::Schema => ("schéma", "schema"),
            Self::Queues => ("files", "queues"),
            Self::Breakers => ("disjoncteurs", "breakers"),
            Self::Workers => ("workers", "workers"),
            Self::Schedules => ("planifications", "schedules"),
            Self::TimeZones => ("fuseaux", "time zones"),
            Self::Clock => ("horloge", "clock"),
            Self::Files => ("fichiers", "files"),
            Self::Smtp => ("smtp", "smtp"),
        };
        lang.choose(fr, en)
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Good(Text),
    /// Works, but somebody should look at it.
    Attention {
        found: Text,
        todo: Text,
    },
    Bad {
        found: Text,
        todo: Text,
    },
    /// Was not checked, for this reason.
    Skipped(Text),
}

impl Finding {
    /// What was found, or why nothing was.
    #[must_use]
    pub fn found(&self) -> &Text {
        match self {
            Self::Good(found)
            | Self::Skipped(found)
            | Self::Attention { found, .. }
            | Self::Bad { found, .. } => found,
        }
    }

    /// What to do, where something is to be done.
    #[must_use]
    pub fn todo(&self) -> Option<&Text> {
        match self {
            Self::Attention { todo, .. } | Self::Bad { todo, .. } => Some(todo),
            Self::Good(_) | Self::Skipped(_) => None,
        }
    }

    fn good(fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Good(Text::new(fr, en))
    }

    fn attention(found: Text, todo: Text) -> Self {
        Self::Attention { found, todo }
    }

    fn bad(found: Text, todo: Text) -> Self {
        Self::Bad { found, todo }
    }

    fn skipped(fr: &str, en: &str) -> Self {
        Self::Skipped(Text::new(fr, en))
    }

    /// That a service has not answered within `limit`.
    fn late(limit: Duration) -> Self {
        let seconds = limit.as_secs();
        Self::bad(
            Text::new(
                format!("pas de réponse en {seconds} s"),
                format!("no answer within {seconds} s"),
            ),
            Text::new(
                "vérifiez le réseau et la charge, puis recommencez",
                "check the network and the load, then try again",
            ),
        )
    }
}

/// What an error says, which is the same in all languages.
fn error(error: &impl std::fmt::Display) -> Text {
    let text = error.to_string();
    Text { en: text.clone(), fr: text }
}

/// What is found by `check`, or that it took longer than `limit`.
async fn within(limit: Duration, check: impl Future<Output = Finding>) -> Finding {
    timeout(limit, check).await.unwrap_or_else(|_| Finding::late(limit))
}

/// Hears of each line as soon as it is known.
type Tell<'a> = dyn FnMut(Check, Finding) + Send + 'a;

/// Runs all checks, on connections of their own, and tells each line.
pub async fn examine(config: Result<Config, Vec<SettingFault>>, tell: &mut Tell<'_>) {
    let config = match config {
        Ok(config) => config,
        Err(faults) => {
            for fault in &faults {
                tell(Check::Settings, Finding::bad(error(fault), correct_it()));
            }
            for check in Check::BEYOND_SETTINGS {
                tell(check, Finding::skipped("les réglages d'abord", "the settings first"));
            }
            return;
        }
    };
    tell(Check::Settings, settings(&config));
    database::examine(&config, tell).await;
    tell(Check::Files, within(LIMIT, outside::storage(&config)).await);
    let longest = config.mail.smtp.timeout + Duration::from_secs(1);
    tell(Check::Smtp, within(longest, Box::pin(outside::smtp(&config))).await);
}

/// Checks the settings beyond their syntax: names of queues, keys and addresses.
fn settings(config: &Config) -> Finding {
    if let Some(fault) = config.worker.faults_of_queues(QUEUES).first() {
        return Finding::bad(error(fault), correct_it());
    }
    if let Err(fault) = Keys::new(&config.auth) {
        let todo = Text::new(
            "vérifiez ALGORITHM et les fichiers des clés",
            "check ALGORITHM and the files of the keys",
        );
        return Finding::bad(error(&fault), todo);
    }
    if let Err(fault) = Mailer::new(&config.mail.smtp) {
        let todo = Text::new(
            "vérifiez EMAILS_FROM_EMAIL, EMAILS_FROM_NAME et SMTP_HOST",
            "check EMAILS_FROM_EMAIL, EMAILS_FROM_NAME and SMTP_HOST",
        );
        return Finding::bad(error(&fault), todo);
    }
    let given = config.sources.given();
    Finding::good(
        format!("{given} variables données (erp-api check-config les montre)"),
        format!("{given} variables given (erp-api check-config shows them)"),
    )
}

fn correct_it() -> Text {
    Text::new("corrigez cette variable", "correct this variable")
}
