//! Requests that are sent again because their answer was lost. A request that names itself by a key has its effect once: its
//! answer is written in the transaction of the effect, and a repeat gets that answer. What failed changed nothing and is not
//! written, so that its key is free.
//!
//! The words are those of the IETF draft *The Idempotency-Key HTTP Header Field*.
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;

use crate::{Error, Result, Tx};

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// The most bytes of an answer that are kept.
pub const MOST_BYTES: usize = 256 * 1024;

/// Which request: two are the same if who asks, the route and the key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demande {
    pub user_id: i64,
    /// `POST /interventions`: method and route, with `{id}` where a path has an id.
    pub route: String,
    /// As the client named it: 1 to 255 visible ASCII characters.
    pub cle: String,
}

/// The answer to a request, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reponse {
    /// HMAC-SHA256 of the request.
    pub empreinte: Vec<u8>,
    /// The HTTP status.
    pub statut: u16,
    /// JSON, or nothing; `None`: it was larger than [`MOST_BYTES`].
    pub corps: Option<String>,
}

impl Demande {
    /// The answer that was given to this request in the last [`KEPT`].
    pub async fn answered(
        &self,
        db: impl PgExecutor<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Reponse>> {
        store::find(db, self, now - KEPT).await
    }

    /// Makes sure that until `tx` ends nobody else does what this request asks for. 409 when somebody does, or has just done.
    pub async fn hold(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
        if !store::try_lock(tx, self.lock()).await? {
            return Err(under_way());
        }
        // Who looked before the lock may have looked before the other's commit.
        match self.answered(&mut **tx, now).await? {
            Some(_) => Err(under_way()),
            None => Ok(()),
        }
    }

    /// Keeps the answer, if `tx` commits. For a request that `tx` holds.
    pub async fn keep(&self, tx: &mut Tx<'_>, reponse: &Reponse, now: DateTime<Utc>) -> Result<()> {
        store::put(tx, self, reponse, now).await
    }

    /// The number of the advisory lock. Two requests with one number would only make one of them wait for its retry.
    fn lock(&self) -> i64 {
        let Self { user_id, route, cle } = self;
        let text = format!("erp-mif idempotence\n{user_id}\n{route}\n{cle}");
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

/// Forgets answers that were kept for [`KEPT`], at most `limit`; gives how many.
pub async fn prune(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let gone = store::prune(tx, now - KEPT, limit).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}

fn under_way() -> Error {
    Error::conflict(
        "requete_en_cours",
        "Cette demande est déjà en cours : renvoyez-la dans un instant avec la même clé, vous aurez sa réponse.",
        "This request is being dealt with: send it again in a moment with the same key to get its answer.",
    )
}
