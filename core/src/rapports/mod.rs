//! Reports: files that a job makes of what somebody may read, for whoever asked. One can be watched, stopped, made again, and given
//! away by an address that ends.
//!
//! A report is made for its owner with the rights that they have when it is made. Its file is kept for seven days; the row stays for
//! ninety, so that it can be made again.
pub mod generation;
pub mod jobs;
pub mod liens;
pub mod listes;
mod store;
mod types;
mod version;

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

pub use types::{
    FormatRapport, LienCreate, LienOut, Motif, Rapport, RapportCreate, RapportFilter, RapportOut,
    Reprise, SORTABLE, StatutRapport, TypeRapport,
};

use crate::{
    Code, Error, Noun, Result, Tx, auth::hold_session, documents::jobs::DeleteFiles, jobs::enqueue,
    local, page::Listed, secret,
};

/// How long a file is kept.
pub const KEPT: TimeDelta = TimeDelta::days(7);
/// How long it is kept what was asked for.
const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// The same request within so long is the same report.
const SAME: TimeDelta = TimeDelta::minutes(1);
/// The most reports of one user that are not made yet.
const MOST_OPEN: i64 = 20;
/// The most files of one user.
const MOST_READY: i64 = 100;
/// Where the files are in storage.
pub const FOLDER: &str = "rapports/";

impl Noun {
    pub const RAPPORT: Self =
        Self::new(Code::RapportIntrouvable, "Rapport introuvable.", "Report not found.");
}

/// The name in storage of file `fichier`.
#[must_use]
pub fn key(fichier: Uuid, format: FormatRapport) -> String {
    format!("{FOLDER}{fichier}.{format}")
}

/// Asks for a report, for user `user_id` whose session is `session`. Its filters were checked ([`listes::Liste::open`]). The same
/// request within a minute is answered with the first, unless the data have changed since that was begun. Returns the report, and whether it is new; `Conflict` if too many wait.
pub async fn ask(
    tx: &mut Tx<'_>,
    (user_id, session): (i64, Uuid),
    new: &RapportCreate,
    now: DateTime<Utc>,
) -> Result<(Rapport, bool)> {
    // Also the turn of this user: two requests at once do not both find nothing.
    hold_session(tx, user_id, session, now).await?;
    let langue = match new.langue {
        Some(langue) => langue,
        None => crate::users::find(&mut **tx, user_id).await?.langue,
    };
    let filtres = Value::Object(new.filtres.0.clone());
    let asked = json!([new.type_, new.format, filtres, langue, new.titre]);
    let empreinte = secret::hash(&asked.to_string());
    let version = version::of(tx, new.type_).await?;
    if let Some((same, of)) = store::find_same(tx, user_id, &empreinte, now - SAME).await?
        && (same.statut == StatutRapport::Pending || of == version)
    {
        return Ok((same, false));
    }
    ensure_room(tx, user_id).await?;
    let titre = new.titre.clone().unwrap_or_else(|| {
        let day = local::day_of(now);
        let day = langue.choose(day.format("%d/%m/%Y"), day.format("%Y-%m-%d"));
        format!("{}, {day}", new.type_.titre(langue))
    });
    let (id, type_, format) = (Uuid::now_v7(), new.type_, new.format);
    let row = store::New {
        id,
        user_id,
        type_,
        format,
        filtres: &filtres,
        langue,
        titre: &titre,
        empreinte: &empreinte,
        version: &version,
    };
    store::insert(tx, &row, now).await?;
    enqueue(tx, &jobs::MakeReport { id, tour: 1 }).await?;
    Ok((found(store::find(&mut **tx, id).await?)?, true))
}

async fn ensure_room(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    let (open, ready) = store::count(tx, user_id).await?;
    if ready >= MOST_READY {
        return Err(Error::conflict(
            Code::TropDeRapports,
            format!(
                "Vous avez déjà {MOST_READY} rapports prêts : supprimez ceux dont vous n'avez plus besoin."
            ),
            format!(
                "You have {MOST_READY} reports that are ready: remove those that you need no more."
            ),
        ));
    }
    if open < MOST_OPEN {
        return Ok(());
    }
    Err(Error::conflict(
        Code::TropDeRapports,
        format!(
            "{MOST_OPEN} de vos rapports attendent déjà : attendez qu'ils soient prêts, ou annulez-en."
        ),
        format!(
            "{MOST_OPEN} of your reports wait already: wait until they are ready, or cancel some."
        ),
    ))
}

fn found(rapport: Option<Rapport>) -> Result<Rapport> {
    rapport.ok_or(Error::NotFound(Noun::RAPPORT))
}

/// The reports of `filter`.
pub async fn list(pool: &PgPool, filter: &RapportFilter) -> Result<Listed<Rapport>> {
    store::list(pool, filter).await
}

/// `rapport` if it is of user `user_id` (`None`: of anybody).
fn of(rapport: Option<Rapport>, user_id: Option<i64>) -> Result<Rapport> {
    found(rapport.filter(|rapport| user_id.is_none_or(|user_id| rapport.user_id == user_id)))
}

/// Report `id`, if it is of user `user_id` (`None`: of anybody).
pub async fn find(pool: &PgPool, id: Uuid, user_id: Option<i64>) -> Result<Rapport> {
    of(store::find(pool, id).await?, user_id)
}

/// The same, locked until the transaction ends.
async fn hold(tx: &mut Tx<'_>, id: Uuid, user_id: Option<i64>) -> Result<Rapport> {
    of(store::find_for_update(tx, id).await?, user_id)
}

/// Makes a report of user `user_id` again, of what there is now; the file of before is gone, and its addresses. `Conflict` while it is
/// being made, or if too many wait.
pub async fn restart(
    tx: &mut Tx<'_>,
    id: Uuid,
    (user_id, session): (i64, Uuid),
    now: DateTime<Utc>,
) -> Result<Rapport> {
    hold_session(tx, user_id, session, now).await?;
    let rapport = hold(tx, id, Some(user_id)).await?;
    if rapport.is_open() {
        return Err(Error::conflict(
            Code::RapportEnCours,
            "Ce rapport est déjà en cours : attendez-le, ou annulez-le d'abord.",
            "This report is being made already: wait for it, or cancel it first.",
        ));
    }
    ensure_room(tx, user_id).await?;
    remove_its_files(tx, &rapport).await?;
    liens::revoke(tx, id).await?;
    store::restart(tx, id).await?;
    enqueue(tx, &jobs::MakeReport { id, tour: rapport.tour + 1 }).await?;
    found(store::find(&mut **tx, id).await?)
}

/// Stops report `id` while it waits or is being made: it stays, and can be made again. Removes one that is over, with its file and
/// addresses. Of user `user_id`, or (`None`) of anybody. Returns it as it was.
pub async fn remove(
    tx: &mut Tx<'_>,
    id: Uuid,
    user_id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Rapport> {
    let rapport = hold(tx, id, user_id).await?;
    remove_its_files(tx, &rapport).await?;
    if rapport.is_open() {
        store::end(tx, id, StatutRapport::Cancelled, None, now).await?;
    } else {
        store::delete(tx, id).await?;
    }
    Ok(rapport)
}

/// The name in storage of the file of a report that is ready at `now`; `Conflict` if there is none (yet, or any more).
pub fn file(rapport: &Rapport, now: DateTime<Utc>) -> Result<String> {
    let is_kept = rapport.expire_le.is_some_and(|end| end > now);
    match rapport.fichier {
        Some(fichier) if rapport.statut == StatutRapport::Ready && is_kept => {
            Ok(key(fichier, rapport.format))
        }
        _ => Err(not_ready()),
    }
}

/// The 409 of a report without a file.
#[must_use]
pub fn not_ready() -> Error {
    Error::conflict(
        Code::RapportPasPret,
        "Ce rapport n'a pas de fichier : attendez qu'il soit prêt, ou relancez-le s'il a expiré.",
        "This report has no file: wait until it is ready, or make it again if it has expired.",
    )
}

/// Removes all reports of user `user_id`, with their files.
pub(crate) async fn remove_all(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    let files = store::delete_all(tx, user_id).await?;
    remove_files(tx, files).await
}

/// Removes up to `limit` files whose time is over, and then rows that are kept no longer.
pub async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let files = store::expire(tx, now, limit).await?;
    let expired = files.len();
    remove_files(tx, files).await?;
    let parts = store::drop_parts(tx, now - KEPT, limit).await?;
    let given_up = parts.len();
    remove_files(tx, parts).await?;
    let gone = store::forget(tx, now - REMEMBERED, limit).await?;
    Ok(expired.max(given_up).max(usize::try_from(gone).unwrap_or(usize::MAX)))
}

/// Of the storage keys `keys`, those of files of reports that no row names: an attempt that was interrupted has left them.
pub async fn without_row(pool: &PgPool, keys: &[String]) -> Result<Vec<String>> {
    let fichier = |key: &String| {
        let (name, _) = key.strip_prefix(FOLDER)?.rsplit_once('.')?;
        Some((Uuid::try_parse(name).ok()?, key.clone()))
    };
    let files: Vec<_> = keys.iter().filter_map(fichier).collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let known: HashSet<_> = store::known(pool, &names).await?.into_iter().collect();
    Ok(files.into_iter().filter(|(name, _)| !known.contains(name)).map(|(_, key)| key).collect())
}

/// Removes the file of `rapport`, and the parts of one that is being made.
async fn remove_its_files(tx: &mut Tx<'_>, rapport: &Rapport) -> Result<()> {
    let parts = store::parts(tx, rapport.id).await?;
    let files = rapport.fichier.into_iter().chain(parts);
    remove_files(tx, files.map(|file| (file, rapport.format)).collect()).await
}

async fn remove_files(tx: &mut Tx<'_>, files: Vec<(Uuid, FormatRapport)>) -> Result<()> {
    // A job is small, and an export has up to hundreds of parts.
    for some in files.chunks(500) {
        let keys = some.iter().map(|(file, format)| key(*file, *format)).collect();
        enqueue(tx, &DeleteFiles { keys }).await?;
    }
    Ok(())
}
