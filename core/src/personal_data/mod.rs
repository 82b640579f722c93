//! What the system knows about a person, for that person (law 09-08, article 7): a ZIP of JSON files, made by a job.
//!
//! One file for an account: a request while one is being made joins it, and a later one replaces the file. It is removed after a
//! week, and when access to the account ends for good.
pub mod jobs;
mod rows;
mod sources;
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

pub use sources::{Batch, Source, batch};
pub use store::{Made, without_row};

use crate::{
    Code, Error, Noun, Result, Tx,
    auth::hold_session,
    documents::jobs::DeleteFiles,
    enumeration,
    jobs::enqueue,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
};

/// How long a file is kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// A request within so long of one that is ready is answered with that file.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// A file that is being made for so long has lost its job: the next request begins another.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// Where the files are in storage.
pub const FOLDER: &str = "personnel/";

impl Noun {
    pub const EXPORT: Self = Self::new(
        Code::ExportIntrouvable,
        "Aucun fichier de vos données : demandez-en un.",
        "There is no file of your data: ask for one.",
    );
}

enumeration! {
    StatutExport {
        Pending = "pending",
        Ready = "ready",
        Failed = "failed",
    }
}

/// A file of somebody's data, as that person sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ExportOut {
    pub statut: StatutExport,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was ready.
    pub ready_at: Option<DateTime<Utc>>,
    /// When it is removed.
    pub expires_at: Option<DateTime<Utc>>,
    /// Bytes.
    pub size: Option<i64>,
}

/// The name in storage of file `fichier`.
#[must_use]
pub fn key(fichier: Uuid) -> String {
    format!("{FOLDER}{fichier}.zip")
}

/// Asks for the file of user `user_id`, whose session is `session`. One that is being made, or was made within the hour, is the
/// answer. Returns what there is, and whether a new one was begun.
pub async fn ask(
    tx: &mut Tx<'_>,
    user_id: i64,
    session: Uuid,
    now: DateTime<Utc>,
) -> Result<(ExportOut, bool)> {
    hold_session(tx, user_id, session, now).await?;
    if let Some(found) = store::find(&mut **tx, user_id, now).await? {
        let serves = match found.statut {
            StatutExport::Pending => found.created_at > now - PATIENCE,
            StatutExport::Ready => found.created_at > now - FRESH,
            StatutExport::Failed => false,
        };
        if serves {
            return Ok((found, false));
        }
    }
    remove(tx, user_id).await?;
    let id = Uuid::now_v7();
    store::insert(tx, user_id, id, now).await?;
    enqueue(tx, &jobs::ExportPersonalData { user_id, id }).await?;
    let begun = store::find(&mut **tx, user_id, now).await?;
    Ok((begun.ok_or(Error::NotFound(Noun::EXPORT))?, true))
}

/// The file of user `user_id`, ready or not; `NotFound` if none was asked for, or its time is over.
pub async fn state(pool: &PgPool, user_id: i64, now: DateTime<Utc>) -> Result<ExportOut> {
    store::find(pool, user_id, now).await?.ok_or(Error::NotFound(Noun::EXPORT))
}

/// The stored file of user `user_id` that is ready at `now`; `NotFound` if there is none.
pub async fn ready_file(pool: &PgPool, user_id: i64, now: DateTime<Utc>) -> Result<Uuid> {
    store::ready_file(pool, user_id, now).await?.ok_or(Error::NotFound(Noun::EXPORT))
}

/// Whether request `id` of user `user_id` still waits for its file.
pub async fn is_wanted(pool: &PgPool, user_id: i64, id: Uuid) -> Result<bool> {
    store::is_wanted(pool, user_id, id).await
}

/// Records the file `made` for request `id`, and mails its owner. Returns `false`, and changes nothing, if nobody waits for it any
/// more.
pub async fn finish(tx: &mut Tx<'_>, id: Uuid, made: &Made, now: DateTime<Utc>) -> Result<bool> {
    if !store::save(tx, id, made, now, now + KEPT).await? {
        return Ok(false);
    }
    let avis = AccountNotice::new(AccountEvent::DonneesPretes, now);
    outgoing_mails::open_account_notice(tx, made.user_id, &avis, now).await?;
    Ok(true)
}

/// Removes the request of user `user_id`, and its file.
pub(crate) async fn remove(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    let files = store::delete(tx, user_id).await?;
    remove_files(tx, files).await
}

/// Removes up to `limit` files whose time is over.
pub async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: usize) -> Result<usize> {
    let files = store::delete_ended(tx, now, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let gone = files.len();
    remove_files(tx, files).await?;
    Ok(gone)
}

async fn remove_files(tx: &mut Tx<'_>, files: Vec<Uuid>) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    enqueue(tx, &DeleteFiles { keys: files.into_iter().map(key).collect() }).await
}
