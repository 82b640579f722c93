//! The one context of routes and jobs.
use std::sync::Arc;

use apalis_hot::Announcer;
use sqlx::{PgPool, Postgres, Transaction};

use crate::{
    Clock, Config, Result,
    config::StorageConfig,
    database::{self, Reserved},
    keys::{Fingerprints, Keys, Liens},
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
    pub fingerprints: Arc<Fingerprints>,
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
            fingerprints: Arc::new(Fingerprints::new(&config.auth)?),
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
