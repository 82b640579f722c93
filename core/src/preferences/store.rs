//! SQL of the `preferences` table, and nothing else. A user without a row wants every mail.
use chrono::{DateTime, NaiveTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Emails, HeuresCalmes, Preferences};
use crate::Result;

struct Row {
    emails_refuses: Vec<String>,
    digest_seulement: bool,
    silence_debut: Option<NaiveTime>,
    silence_fin: Option<NaiveTime>,
    version: i64,
}

impl From<Row> for Preferences {
    fn from(row: Row) -> Self {
        Self {
            emails: Emails::without(&row.emails_refuses),
            digest_seulement: row.digest_seulement,
            heures_calmes: row
                .silence_debut
                .zip(row.silence_fin)
                .map(|(debut, fin)| HeuresCalmes { debut, fin }),
            version: row.version,
        }
    }
}

/// The preferences of a user; the default ones if there is no row.
pub async fn find(db: impl PgExecutor<'_>, user_id: i64) -> Result<Preferences> {
    let row = sqlx::query_as!(
        Row,
        r#"
            select emails_refuses, digest_seulement, silence_debut, silence_fin, version
            from preferences where user_id = $1
        "#,
        user_id,
    );
    Ok(row.fetch_optional(db).await?.map(Into::into).unwrap_or_default())
}

/// The same; no other transaction changes them until this one ends.
pub async fn find_for_update(tx: &mut PgConnection, user_id: i64) -> Result<Preferences> {
    sqlx::query!("select id from users where id = $1 for no key update", user_id)
        .fetch_optional(&mut *tx)
        .await?;
    find(tx, user_id).await
}

pub(super) async fn save(
    tx: &mut PgConnection,
    user_id: i64,
    new: &Preferences,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into preferences (user_id, emails_refuses, digest_seulement, silence_debut, silence_fin, updated_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (user_id) do update
            set emails_refuses = $2, digest_seulement = $3, silence_debut = $4, silence_fin = $5, updated_at = $6
        "#,
        user_id,
        &new.emails.refused(),
        new.digest_seulement,
        new.heures_calmes.map(|quiet| quiet.debut),
        new.heures_calmes.map(|quiet| quiet.fin),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}
