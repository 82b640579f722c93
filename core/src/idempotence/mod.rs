//! Requests that are repeated because their response was lost. A request with a key has its effect once: its response is stored
//! in the transaction of the effect, and a repeat gets that response. A request that failed changed nothing and is not stored,
//! so its key stays free.
//!
//! The words are those of the IETF draft *The Idempotency-Key HTTP Header Field*.
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;

use crate::{Code, Error, Result, Tx};

/// How long an answer is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);

/// The largest body of a response that is kept, in bytes.
pub const MOST_BYTES: usize = 256 * 1024;

/// The identity of a request: two requests are the same if their user, route and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRequest {
    pub user_id: i64,
    /// `POST /interventions`: method and route, with `{id}` where a path has an id.
    pub route: String,
    /// The key, as the client sent it: 1 to 255 visible ASCII characters.
    pub cle: String,
}

/// The answer to a request, as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptResponse {
    /// HMAC-SHA256 of the request.
    pub empreinte: Vec<u8>,
    /// The HTTP status.
    pub statut: u16,
    /// The body: JSON, or empty. `None` if it was larger than [`MOST_BYTES`].
    pub corps: Option<String>,
}

impl KeyedRequest {
    /// The response that was given to this request within the last [`KEPT`], if there is one.
    pub async fn answered(
        &self,
        db: impl PgExecutor<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<KeptResponse>> {
        store::find(db, self, now - KEPT).await
    }

    /// Locks this request until `tx` ends. 409 when another transaction holds the lock, or when the request has been answered.
    pub async fn hold(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<()> {
        if !store::try_lock(tx, self.lock()).await? {
            return Err(under_way());
        }
        // The caller looked for a response before taking the lock, perhaps before the commit of a concurrent request.
        match self.answered(&mut **tx, now).await? {
            Some(_) => Err(under_way()),
            None => Ok(()),
        }
    }

    /// Stores the response, if `tx` commits. `tx` must hold the request ([`Self::hold`]).
    pub async fn keep(
        &self,
        tx: &mut Tx<'_>,
        response: &KeptResponse,
        now: DateTime<Utc>,
    ) -> Result<()> {
        store::put(tx, self, response, now).await
    }

    /// The number of the advisory lock. When two concurrent requests have the same number, one of them gets a 409, and retries.
    fn lock(&self) -> i64 {
        let Self { user_id, route, cle } = self;
        let text = format!("erp-mif idempotence\n{user_id}\n{route}\n{cle}");
        let hash = Sha256::digest(text.as_bytes());
        hash.iter().take(8).fold(0, |number, byte| (number << 8) | i64::from(*byte))
    }
}

/// Removes responses that were kept for [`KEPT`], at most `limit`; returns how many.
pub async fn prune(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let gone = store::prune(tx, now - KEPT, limit).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}

fn under_way() -> Error {
    Error::conflict(
        Code::RequeteEnCours,
        "Cette demande est déjà en cours : renvoyez-la dans un instant avec la même clé, vous aurez sa réponse.",
        "This request is being dealt with: send it again in a moment with the same key to get its answer.",
    )
}
