//! Whether the audit is what was written.
use std::collections::HashSet;

use chrono::NaiveDate;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::Result;

/// What was found.
#[derive(Debug, Default)]
pub struct Verification {
    /// Chains that are whole, and those of which by design only the last hash is left.
    pub days: u64,
    pub pruned: u64,
    pub rows: u64,
    /// The end of the last chain. Nothing here shows that rows were cut off at the very end: a copy of this, kept elsewhere, does.
    pub last: Option<(NaiveDate, i64, Vec<u8>)>,
    pub broken: Vec<Broken>,
}

/// Where the audit is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// What this row says is not what was sealed.
    Changed { jour: NaiveDate, id: i64 },
    /// Between the row before and this one something was removed or put in.
    Gap { jour: NaiveDate, id: i64 },
    /// Rows are missing at the end of this day, or were added to it.
    End { jour: NaiveDate, expected: i64, found: i64 },
    /// A row that no chain has.
    Unsealed { id: i64 },
    /// A day that does not follow from the day before it that is there: one in between was removed.
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

/// Reads the whole audit, on one connection and in one snapshot if that is in a transaction of `repeatable read`. What a row is
/// hashed from is computed here, by none of the functions of the database.
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
    // The hashes that the day before had: a day that began while that one still went on does not begin with the last.
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

/// Follows the chain of one day; the hashes in it.
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
