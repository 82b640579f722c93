//! Checks that the rows of the audit are those that were written.
use std::collections::HashSet;

use chrono::NaiveDate;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};

use crate::{Result, database::begin};

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Verification {
    /// Days whose chain was followed row by row.
    pub days: u64,
    /// Days whose rows were pruned: by design only their last hash is left.
    pub pruned: u64,
    pub rows: u64,
    /// The day, number of rows and hash of the last chain. Nothing here shows that rows were cut off at the very end: a copy of
    /// this value, kept elsewhere, does.
    pub last: Option<(NaiveDate, i64, Vec<u8>)>,
    pub broken: Vec<Broken>,
}

/// A place where the audit differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The content of this row does not match its hash.
    Changed { jour: NaiveDate, id: i64 },
    /// Between the row before and this one, rows were removed or inserted.
    Gap { jour: NaiveDate, id: i64 },
    /// Rows are missing at the end of this day, or were added to it.
    End { jour: NaiveDate, expected: i64, found: i64 },
    /// A row that is in no chain.
    Unsealed { id: i64 },
    /// The chain of this day does not start from a hash of the day that now stands before it: a day in between was removed.
    Day { jour: NaiveDate },
    /// Rows of a day that has no chain.
    Orphans { jour: NaiveDate, rows: i64 },
}

struct Day {
    jour: NaiveDate,
    depart: Vec<u8>,
    lignes: i64,
    empreinte: Vec<u8>,
    is_pruned: bool,
}

/// The same beside the work of everybody, in one snapshot.
pub async fn verify_snapshot(pool: &PgPool) -> Result<Verification> {
    let mut tx = begin(pool).await?;
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(&mut *tx)
        .await?;
    verify(&mut tx).await
}

/// Reads the whole audit on one connection; in one snapshot if `db` is in a transaction of `repeatable read`. The text that a
/// row's hash covers is built by this program's SQL, not by a function of the database.
pub async fn verify(db: &mut PgConnection) -> Result<Verification> {
    let days = sqlx::query_as!(
        Day,
        r#"
            select jour, depart, lignes, empreinte, elague_le is not null as "is_pruned!"
            from audit_jours order by jour
        "#
    )
    .fetch_all(&mut *db)
    .await?;
    let mut verification = Verification::default();
    // The hashes of the day before. A day whose first row committed before the last one of that day does not start from the
    // last hash.
    let mut before: Option<(HashSet<Vec<u8>>, bool)> = None;
    for day in &days {
        match &before {
            None if day.depart.is_empty() => {}
            Some((hashes, is_pruned)) if *is_pruned || hashes.contains(&day.depart) => {}
            _ => verification.broken.push(Broken::Day { jour: day.jour }),
        }
        let hashes = if day.is_pruned {
            verification.pruned += 1;
            HashSet::from([day.empreinte.clone()])
        } else {
            verification.days += 1;
            chain(db, day, &mut verification).await?
        };
        before = Some((hashes, day.is_pruned));
        verification.last = Some((day.jour, day.lignes, day.empreinte.clone()));
    }
    for row in sqlx::query!("select id from audit where empreinte is null order by id limit 100")
        .fetch_all(&mut *db)
        .await?
    {
        verification.broken.push(Broken::Unsealed { id: row.id });
    }
    let orphans = sqlx::query!(
        r#"
            select jour, count(*) as "rows!" from audit
            where not exists (select from audit_jours j where j.jour = audit.jour) group by jour order by jour limit 100
        "#
    );
    for row in orphans.fetch_all(&mut *db).await? {
        verification.broken.push(Broken::Orphans { jour: row.jour, rows: row.rows });
    }
    Ok(verification)
}

/// Follows the chain of one day; returns the hashes in it.
async fn chain(
    db: &mut PgConnection,
    day: &Day,
    verification: &mut Verification,
) -> Result<HashSet<Vec<u8>>> {
    let mut rows = sqlx::query!(
        r#"
            select id, numero, empreinte_avant, empreinte,
                   jsonb_build_array(id, jour, numero, extract(epoch from horodatage)::text, action, user_id, session_id, adresse,
                                     request_id, cible, cible_id, avant, apres)::text as "texte!"
            from audit
            where jour = $1 and empreinte is not null
            order by numero, id
        "#,
        day.jour,
    )
    .fetch(db);
    let (jour, mut last, mut found) = (day.jour, day.depart.clone(), 0);
    let mut hashes = HashSet::from([last.clone()]);
    while let Some(row) = rows.try_next().await? {
        found += 1;
        verification.rows += 1;
        let (before, said) =
            (row.empreinte_avant.unwrap_or_default(), row.empreinte.unwrap_or_default());
        let hash = Sha256::new().chain_update(&before).chain_update(row.texte).finalize();
        if hash[..] != said[..] {
            verification.broken.push(Broken::Changed { jour, id: row.id });
        }
        if before != last || row.numero != Some(found) {
            verification.broken.push(Broken::Gap { jour, id: row.id });
        }
        hashes.insert(said.clone());
        last = said;
    }
    if found != day.lignes || last != day.empreinte {
        verification.broken.push(Broken::End { jour, expected: day.lignes, found });
    }
    Ok(hashes)
}
