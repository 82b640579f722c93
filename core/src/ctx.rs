//! The context that routes and jobs share.
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use apalis_hot::Announcer;
use sqlx::{PgPool, Postgres, Transaction};

use crate::{
    Clock, Config, Result,
    config::StorageConfig,
    database::{self, Reserved},
    keys::{Fingerprints, Keys, Sealing, SignedIds, SignedUrls},
    limits::Limits,
    mailer::Mailer,
    oidc::Oidc,
    onlookers::Onlookers,
    storage::Storage,
};

/// What routes and job handlers work with. A clone is one pointer: the layers of the router clone it for every request.
#[derive(Clone)]
pub struct Ctx(Arc<Parts>);

/// The fields of a [`Ctx`].
#[derive(Clone)]
pub struct Parts {
    pub pool: PgPool,
    /// Notifies workers of new jobs.
    pub announcer: Announcer,
    /// A connection beside the pool, for `/metrics`, which must also report when the pool is exhausted.
    pub aside: Arc<Reserved>,
    pub clock: Clock,
    pub storage: Storage,
    pub mailer: Mailer,
    pub keys: Arc<Keys>,
    pub signed_urls: Arc<SignedUrls>,
    pub fingerprints: Arc<Fingerprints>,
    pub account_links: Arc<SignedIds>,
    pub report_links: Arc<SignedIds>,
    pub page_cookies: Arc<SignedIds>,
    pub page_forms: Arc<SignedIds>,
    pub sealing: Arc<Sealing>,
    /// The provider of the company, if people sign in there.
    pub oidc: Option<Arc<Oidc>>,
    pub limits: Arc<Limits>,
    pub onlookers: Arc<Onlookers>,
    pub config: Arc<Config>,
}

impl Ctx {
    /// Makes everything from `config`. Does not connect yet: a database that is unavailable does not delay the start.
    pub fn new(config: Config) -> Result<Self> {
        let pool = database::pool(&config.database)?;
        Self::with_pool(config, pool)
    }

    /// The same, with a pool made elsewhere.
    pub fn with_pool(config: Config, pool: PgPool) -> Result<Self> {
        Ok(Self(Arc::new(Parts {
            aside: Arc::new(Reserved::beside(&pool)),
            announcer: Announcer::new(&pool),
            onlookers: Arc::new(Onlookers::new(Clock::default().now())),
            pool,
            clock: Clock::default(),
            storage: match &config.uploads.storage {
                StorageConfig::Folder(folder) => Storage::local(folder)?,
                StorageConfig::S3 { url, options } => Storage::from_url(url, options.clone())?,
            },
            mailer: Mailer::new(&config.mail.smtp)?,
            keys: Arc::new(Keys::new(&config.auth)?),
            signed_urls: Arc::new(SignedUrls::new(&config.auth)?),
            fingerprints: Arc::new(Fingerprints::new(&config.auth)?),
            account_links: Arc::new(SignedIds::of_account_links(&config.auth)?),
            report_links: Arc::new(SignedIds::of_report_links(&config.auth)?),
            page_cookies: Arc::new(SignedIds::of_cookies(&config.auth)?),
            page_forms: Arc::new(SignedIds::of_forms(&config.auth)?),
            sealing: Arc::new(Sealing::new(&config.auth)?),
            oidc: Oidc::new(&config)?.map(Arc::new),
            limits: Arc::default(),
            config: Arc::new(config),
        })))
    }

    /// Turns a transaction that has begun into a [`crate::Tx`].
    #[must_use]
    pub fn tx<'a>(&self, begun: Transaction<'a, Postgres>) -> crate::Tx<'a> {
        crate::Tx::new(begun, self.announcer.clone(), self.config.mail.group)
    }

    /// Begins a transaction; if it is dropped without a commit, nothing is changed.
    pub async fn begin(&self) -> Result<crate::Tx<'static>> {
        Ok(self.tx(database::begin(&self.pool).await?))
    }
}

impl Deref for Ctx {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// A change concerns this clone alone.
impl DerefMut for Ctx {
    fn deref_mut(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }
}
