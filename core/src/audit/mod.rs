//! Who did what, when, and on which row: written in the transaction of what it records, so that one is never there without the
//! other. Rows are only added; each carries the hash of the one before it, so that a row that was changed, removed or put in
//! afterwards shows (`erp-api audit verify`).
mod store;
mod types;
mod verify;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgConnection;

pub use store::{after, list};
pub use types::{Acte, AuditFilter, AuditList, AuditOut, Auteur, Cible, SORTABLE};
pub use verify::{Broken, Verification, verify};

use crate::{Result, Tx, jobs};

/// One thing that was done.
#[derive(Debug)]
pub struct Entry<'a> {
    pub acte: Acte,
    pub auteur: &'a Auteur,
    /// What it was done to.
    pub cible: Option<(Cible, String)>,
    /// The fields that changed, as they were and as they are now. **Never a secret.**
    pub avant: Option<Value>,
    pub apres: Option<Value>,
}

impl<'a> Entry<'a> {
    #[must_use]
    pub fn new(acte: Acte, auteur: &'a Auteur) -> Self {
        Self { acte, auteur, cible: None, avant: None, apres: None }
    }

    /// Done to `id` of `cible`.
    #[must_use]
    pub fn on(self, cible: Cible, id: &impl ToString) -> Self {
        Self { cible: Some((cible, id.to_string())), ..self }
    }

    #[must_use]
    pub fn before(self, avant: Value) -> Self {
        Self { avant: Some(avant), ..self }
    }

    #[must_use]
    pub fn after(self, apres: Value) -> Self {
        Self { apres: Some(apres), ..self }
    }

    /// Writes it down; it is there if, and only if, `tx` commits. Its place in the chain is found at the commit.
    pub async fn record(self, tx: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
        store::insert(tx, &self, jobs::cause(), now).await
    }
}

/// Removes whole days that ended before `now - kept`, and keeps the last hash of each; gives how many rows. The database keeps
/// those that are younger than what `erp-api migrate` last read as `AUDIT_DAYS`, by its own clock and whatever is asked here.
pub async fn prune(
    tx: &mut Tx<'_>,
    kept: TimeDelta,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let gone = store::prune(&mut **tx, (now - kept).date_naive(), limit, now).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}
