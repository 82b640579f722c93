//! The audit: who did what, when, and on which row. An entry is written in the transaction of the action, so that neither
//! exists without the other. Rows are only added. Each carries the hash of the row before it, so that `erp-api audit verify`
//! finds rows that were changed, removed or inserted afterwards.
mod store;
mod types;
mod verify;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgConnection;

pub use store::{after, list};
pub use types::{Acte, AuditFilter, AuditList, AuditOut, Auteur, Cible, SORTABLE};
pub use verify::{Broken, Verification, verify, verify_snapshot};

use crate::{Result, Tx, jobs};

/// An action to be recorded.
#[derive(Debug)]
pub struct Entry<'a> {
    pub acte: Acte,
    pub auteur: &'a Auteur,
    /// The kind and the id of what the action was done to.
    pub cible: Option<(Cible, String)>,
    /// The changed fields before the action, and in `apres` after it. **Never a secret.**
    pub avant: Option<Value>,
    pub apres: Option<Value>,
}

impl<'a> Entry<'a> {
    #[must_use]
    pub fn new(acte: Acte, auteur: &'a Auteur) -> Self {
        Self { acte, auteur, cible: None, avant: None, apres: None }
    }

    /// Sets what the action was done to: `id`, of the kind `cible`.
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

    /// Writes the entry; it exists if, and only if, `tx` commits. The commit gives it its place in the chain.
    pub async fn record(self, tx: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
        store::insert(tx, &self, jobs::cause(), now).await
    }
}

/// Removes the rows of whole days that ended before `now - kept`, at most `limit` rows, and keeps the last hash of each day.
/// Returns the number of rows. Whatever `kept` is, the database keeps, by its own clock, the days younger than the `AUDIT_DAYS`
/// that `erp-api migrate` read last.
pub async fn prune(
    tx: &mut Tx<'_>,
    kept: TimeDelta,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let gone = store::prune(&mut **tx, (now - kept).date_naive(), limit, now).await?;
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}
