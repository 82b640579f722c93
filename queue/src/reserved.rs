//! A connection apart from the pool.
use std::time::Duration;

use sqlx::{PgPool, postgres::PgPoolOptions};

/// A connection apart from the pool, for what must not wait behind the work of others: the heartbeat of a process, its look at
/// what it holds, its searches, its notifications. Opened when it is first used.
#[derive(Debug)]
pub struct Reserved {
    parent: PgPool,
    pool: PgPool,
}

impl Reserved {
    /// A connection to the database of `pool`, with the same options.
    #[must_use]
    pub fn beside(pool: &PgPool) -> Self {
        Self { parent: pool.clone(), pool: one(pool) }
    }

    /// A pool of this one connection.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Makes the next use open a new connection: this one did not answer in time, and may hang until its limit.
    pub fn renew(&mut self) {
        self.pool = one(&self.parent);
    }
}

fn one(parent: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with((*parent.connect_options()).clone())
}
