//! SQL of taking a person out of the system.
use chrono::{DateTime, Utc};

use crate::{Result, Tx};

pub(super) async fn is_pseudonym(tx: &mut Tx<'_>, id: i64) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from users where id = $1 and pseudonymise_le is not null) as "it!""#,
        id,
    );
    Ok(found.fetch_one(&mut **tx).await?)
}

/// Gives account `id` a number for a name, and remembers the old one for the job.
pub(super) async fn rename(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
            insert into pseudonymisations (user_id, nom, partage, demande_le)
            select u.id, u.full_name,
                   exists (select from users o join techniciens t on t.user_id = o.id where o.full_name = u.full_name and o.id <> u.id),
                   $2
            from users u where u.id = $1
        "#,
        id,
        now,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        r#"
            update users
            set username = 'utilisateur-' || id, full_name = 'Utilisateur ' || id, email = 'utilisateur-' || id || '@pseudonyme.invalid',
                password_hash = '', last_login = null, pseudonymise_le = $2, updated_at = $2
            where id = $1
        "#,
        id,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Removes the preferences of account `id`, and its answers to requests that were sent with a key: few rows.
pub(super) async fn forget_rows(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from preferences where user_id = $1", id).execute(&mut **tx).await?;
    sqlx::query!("delete from depots_du_jour where user_id = $1", id).execute(&mut **tx).await?;
    sqlx::query!("delete from liens_compte where user_id = $1", id).execute(&mut **tx).await?;
    sqlx::query!("delete from idempotence where user_id = $1", id).execute(&mut **tx).await?;
    Ok(())
}

/// Removes some mails and notifications of user `user_id`, at most `limit` of each; returns how many.
pub(super) async fn delete_some(tx: &mut Tx<'_>, user_id: i64, limit: i64) -> Result<u64> {
    let mails = sqlx::query!(
        "delete from envois where id in (select id from envois where user_id = $1 limit $2)",
        user_id,
        limit,
    );
    let mails = mails.execute(&mut **tx).await?.rows_affected();
    let ids = sqlx::query_scalar!(
        "select id from notifications where user_id = $1 order by id limit $2",
        user_id,
        limit,
    );
    let ids = ids.fetch_all(&mut **tx).await?;
    sqlx::query!("delete from evenements_notifies where notification_id = any($1)", &ids)
        .execute(&mut **tx)
        .await?;
    let told = sqlx::query!("delete from notifications where id = any($1)", &ids);
    Ok(mails + told.execute(&mut **tx).await?.rows_affected())
}

/// What is still to be taken out of the journals.
pub(super) struct Waiting {
    pub nom: String,
    /// Whether another technicien had that name when it was asked for.
    pub partage: bool,
}

pub(super) async fn waiting(tx: &mut Tx<'_>, user_id: i64) -> Result<Option<Waiting>> {
    let found = sqlx::query_as!(
        Waiting,
        "select nom, partage from pseudonymisations where user_id = $1",
        user_id
    );
    Ok(found.fetch_optional(&mut **tx).await?)
}

/// Takes up to `limit` of those that were asked for before `before`, and returns their users.
pub(super) async fn take_up(
    tx: &mut Tx<'_>,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            update pseudonymisations set demande_le = $2
            where user_id in (select user_id from pseudonymisations where demande_le < $1 order by user_id limit $3)
            returning user_id
        "#,
        before,
        now,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Takes `name` out of the lines of assignments with ids after `after` and up to `end`. No number stands in its place: the line may
/// be about somebody of that name who had left before.
pub(super) async fn rename_in_journal(
    tx: &mut Tx<'_>,
    name: &str,
    after: i64,
    end: i64,
) -> Result<()> {
    sqlx::query!(
        r#"
            update historique set remarque = 'Affectation à un technicien retiré'
            where id > $2 and id <= $3 and remarque = 'Affectation à ' || $1
        "#,
        name,
        after,
        end,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The greatest id of the journals.
pub(super) async fn last_line(tx: &mut Tx<'_>) -> Result<i64> {
    let found = sqlx::query_scalar!(r#"select coalesce(max(id), 0) as "last!" from historique"#);
    Ok(found.fetch_one(&mut **tx).await?)
}

pub(super) async fn finish(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    sqlx::query!("delete from pseudonymisations where user_id = $1", user_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
