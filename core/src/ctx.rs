//! The one context of routes and jobs.
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use apalis_hot::Announcer;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::{PgPool, Postgres, Transaction};

use crate::{
    Config, Result,
    auth::Keys,
    config::StorageConfig,
    database::{self, Reserved},
    documents::Liens,
    idempotence::Empreintes,
    limits::Limits,
    mailer::Mailer,
    storage::Storage,
};

/// What a route and a job handler both work with. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    pub pool: PgPool,
    /// Announces jobs.
    pub announcer: Announcer,
    /// For `/metrics`, which must tell of a pool that is exhausted.
    pub aside: Arc<Reserved>,
    pub clock: Clock,
    pub storage: Storage,
    pub mailer: Mailer,
    pub keys: Arc<Keys>,
    pub liens: Arc<Liens>,
    pub empreintes: Arc<Empreintes>,
    pub limits: Arc<Limits>,
    pub config: Arc<Config>,
}

impl Ctx {
    /// Everything made from `config`. Connects to nothing yet: a database that is away delays no start-up.
    pub fn new(config: Config) -> Result<Self> {
        let pool = database::pool(&config.database)?;
        Self::with_pool(config, pool)
    }

    /// The same on a pool made elsewhere.
    pub fn with_pool(config: Config, pool: PgPool) -> Result<Self> {
        Ok(Self {
            aside: Arc::new(Reserved::beside(&pool)),
            announcer: Announcer::new(&pool),
            pool,
            clock: Clock::default(),
            storage: match &config.uploads.storage {
                StorageConfig::Folder(folder) => Storage::local(folder)?,
                StorageConfig::S3 { url, options } => Storage::from_url(url, options.clone())?,
            },
            mailer: Mailer::new(&config.mail.smtp)?,
            keys: Arc::new(Keys::new(&config.auth)?),
            liens: Arc::new(Liens::new(&config.auth)?),
            empreintes: Arc::new(Empreintes::new(&config.auth)?),
            limits: Arc::default(),
            config: Arc::new(config),
        })
    }

    /// A transaction that has begun, as one of ours.
    #[must_use]
    pub fn tx<'a>(&self, begun: Transaction<'a, Postgres>) -> crate::Tx<'a> {
        crate::Tx::new(begun, self.announcer.clone(), self.config.mail.group)
    }

    /// Begins a transaction; dropped without a commit, it changes nothing.
    pub async fn begin(&self) -> Result<crate::Tx<'static>> {
        Ok(self.tx(self.pool.begin().await?))
    }
}

/// The only source of the current time, to the microsecond, which is what Postgres keeps.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock stopped at `now`, for tests. Its clones are the same clock.
    #[must_use]
    pub fn stopped_at(now: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.timestamp_micros()))))
    }

    /// Moves the hands of a stopped clock, and of all its clones; one that runs is left alone.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Some(stopped) = &self.0 {
            stopped.store(now.timestamp_micros(), Ordering::Relaxed);
        }
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let stopped = self.0.as_ref().map(|stopped| stopped.load(Ordering::Relaxed));
        let now = stopped.and_then(DateTime::from_timestamp_micros).unwrap_or_else(Utc::now);
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}
