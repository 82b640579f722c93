//! The one context of routes and jobs.
use std::{
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    Config, Result, auth::Keys, config::StorageConfig, limits::Limits, mailer::Mailer,
    storage::Storage,
};

/// What a route and a job handler both work with. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    pub pool: PgPool,
    pub clock: Clock,
    pub storage: Storage,
    pub mailer: Mailer,
    pub keys: Arc<Keys>,
    pub limits: Arc<Limits>,
    pub config: Arc<Config>,
}

impl Ctx {
    /// Everything made from `config`. Connects to nothing yet: a database that is away delays no start-up.
    pub fn new(config: Config) -> Result<Self> {
        // No statement of ours takes so long; one that does has met a lock or a plan that nobody meant.
        let options = PgConnectOptions::from_str(config.database.url.reveal())?
            .application_name("erp")
            .options([
                ("statement_timeout", "30s"),
                ("idle_in_transaction_session_timeout", "60s"),
                // Compiling a plan takes longer than any of our queries.
                ("jit", "off"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.database.max_connections)
            .acquire_timeout(Duration::from_secs(5))
            // A ping before each use costs as much as most of our queries. One that was used a moment ago is alive; should
            // it not be, its request is answered 503, as those that come while Postgres is away.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for >= Duration::from_secs(1) {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Self::with_pool(config, pool)
    }

    /// The same on a pool made elsewhere.
    pub fn with_pool(config: Config, pool: PgPool) -> Result<Self> {
        Ok(Self {
            pool,
            clock: Clock::default(),
            storage: match &config.uploads.storage {
                StorageConfig::Folder(folder) => Storage::local(folder)?,
                StorageConfig::S3 { url, options } => Storage::from_url(url, options.clone())?,
            },
            mailer: Mailer::new(&config.mail.smtp)?,
            keys: Arc::new(Keys::new(&config.auth)?),
            limits: Arc::default(),
            config: Arc::new(config),
        })
    }

    /// Begins a transaction; dropped without a commit, it changes nothing.
    pub async fn begin(&self) -> Result<crate::Tx<'static>> {
        Ok(crate::Tx::new(self.pool.begin().await?, self.config.mail.group))
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
