//! Taking a person out of the system (law 09-08): a number stands for the name wherever the account is named, and what belongs to
//! the person alone is removed. What the company did stays: interventions, their journals, files, durations.
//!
//! The transaction of the request ends all access and replaces the name; a job removes mails and notifications, and the name from
//! the journals. **The audit stays as it is** until its time is over (`AUDIT_DAYS`): its rows are chained, and it is the proof of who
//! did what. Free texts (reports, remarks, messages to others) are not searched for names.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{disable, identites, pseudonym_store as store};
use crate::{
    Code, Error, Result, Tx, auth, interventions,
    jobs::{Job, enqueue},
    techniciens,
};

/// The ids of a journal that one transaction looks through.
const WINDOW: i64 = 50_000;
/// The rows that one transaction removes.
const BATCH: i64 = 1000;

/// Removes the mails and notifications of user `user_id`, and their name from the journals.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pseudonymise {
    pub user_id: i64,
}

impl Job for Pseudonymise {
    const QUEUE: &'static str = "comptes.pseudonymiser";
    const TIMEOUT: Duration = Duration::from_mins(30);
    const CONCURRENCY: usize = 1;
}

/// Disables the account `id` for good, and calls its owner "Utilisateur" and that number. A technicien's record is removed, and their open
/// interventions are unassigned. The errors are those of [`disable`]; `Conflict` if it was done before.
pub async fn pseudonymise(tx: &mut Tx<'_>, id: i64, by: i64, now: DateTime<Utc>) -> Result<()> {
    disable(tx, id, by, now).await?;
    ensure_named(tx, id).await?;
    if let Some(technicien) = techniciens::find_by_user(&mut **tx, id).await? {
        interventions::remove_technicien(tx, technicien, by, now).await?;
    }
    auth::forget_person(tx, id).await?;
    identites::forget(tx, id).await?;
    store::forget_rows(tx, id).await?;
    store::rename(tx, id, now).await?;
    enqueue(tx, &Pseudonymise { user_id: id }).await
}

/// Refuses, with a 409, an account whose person was taken out of the system.
pub(super) async fn ensure_named(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    if store::is_pseudonym(tx, id).await? { Err(gone()) } else { Ok(()) }
}

/// One step of the job: removes some mails and notifications, or takes the name out of the next part of the journals. Returns where
/// the next step begins; `None` when all is done.
pub async fn step(tx: &mut Tx<'_>, user_id: i64, after: i64) -> Result<Option<i64>> {
    if store::delete_some(tx, user_id, BATCH).await? > 0 {
        return Ok(Some(after));
    }
    let Some(waiting) = store::waiting(tx, user_id).await? else { return Ok(None) };
    let end = after + WINDOW;
    if !waiting.partage {
        store::rename_in_journal(tx, &waiting.nom, after, end).await?;
        if store::last_line(tx).await? > end {
            return Ok(Some(end));
        }
    }
    store::finish(tx, user_id).await?;
    Ok(None)
}

/// Begins again, at most `limit` times, what was asked for before `before` and is not done: its job was given up or is lost. Returns
/// how many.
pub async fn take_up(
    tx: &mut Tx<'_>,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let waiting = store::take_up(tx, before, now, limit).await?;
    for &user_id in &waiting {
        enqueue(tx, &Pseudonymise { user_id }).await?;
    }
    Ok(waiting.len())
}

fn gone() -> Error {
    Error::conflict(
        Code::ComptePseudonymise,
        "Cette personne a été retirée du système : créez un nouveau compte.",
        "This person was taken out of the system: make a new account.",
    )
}
