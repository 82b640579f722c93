//! Addresses that open the file of a report without a session: until their end, and so many times.
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{LienCreate, LienOut, Rapport, StatutRapport, hold};
use crate::{
    Code, Ctx, Error, Result, Text, Tx,
    auth::{ensure_may_work, hold_session},
    keys::SignedIds,
    users,
};

/// The most addresses of one report at a time.
const MOST: i64 = 20;

/// Makes an address for the file of report `id`, which user `user_id`, whose session is `session`, owns; it ends with the file at the latest. `Conflict` if there
/// is no file, or there are too many addresses.
pub async fn open(
    tx: &mut Tx<'_>,
    secrets: &SignedIds,
    id: Uuid,
    (user_id, session): (i64, Uuid),
    new: &LienCreate,
    now: DateTime<Utc>,
) -> Result<LienOut> {
    hold_session(tx, user_id, session, now).await?;
    let rapport = hold(tx, id, Some(user_id)).await?;
    let end = rapport.expire_le.filter(|end| rapport.statut == StatutRapport::Ready && *end > now);
    let end = end.ok_or_else(super::not_ready)?;
    let expire_le = end.min(now + TimeDelta::days(new.jours));
    let count = sqlx::query_scalar!(
        r#"select count(*) as "n!" from rapports_liens where rapport_id = $1 and expire_le > $2"#,
        id,
        now,
    );
    if count.fetch_one(&mut **tx).await? >= MOST {
        return Err(Error::conflict(
            Code::TropDeLiens,
            format!(
                "Ce rapport a déjà {MOST} liens : donnez l'un d'eux, ou attendez la fin du premier."
            ),
            format!(
                "This report has {MOST} links already: give one of them, or wait until the first ends."
            ),
        ));
    }
    let lien = Uuid::new_v4();
    sqlx::query!(
        r#"
            insert into rapports_liens (id, rapport_id, cree_le, expire_le, telechargements_max)
            values ($1, $2, $3, $4, $5)
        "#,
        lien,
        id,
        now,
        expire_le,
        new.telechargements_max.and_then(|most| i32::try_from(most).ok()),
    )
    .execute(&mut **tx)
    .await?;
    let url = format!("/api/v1/rapports/{id}/fichier?lien={}", secrets.secret(lien));
    Ok(LienOut { url, expires_at: expire_le, telechargements_max: new.telechargements_max })
}

/// Ends all addresses of the reports of user `user_id`.
pub(crate) async fn revoke_all(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    sqlx::query!(
        "delete from rapports_liens l using rapports r where r.id = l.rapport_id and r.user_id = $1",
        user_id,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends all addresses of report `id`: they were given for the file that it had.
pub(super) async fn revoke(tx: &mut Tx<'_>, id: Uuid) -> Result<()> {
    sqlx::query!("delete from rapports_liens where rapport_id = $1", id).execute(&mut **tx).await?;
    Ok(())
}

/// Report `id`, whose file the address with this secret opens. A 401 if the address is not good, is for another report, is over, or
/// is used up; a 403 while the owner of the report may not work.
pub async fn follow(ctx: &Ctx, id: Uuid, secret: &str, now: DateTime<Utc>) -> Result<Rapport> {
    let lien = ctx.report_links.read(secret).ok_or_else(invalid)?;
    let is_good = sqlx::query_scalar!(
        r#"
            select exists (
                select from rapports_liens
                where id = $1 and rapport_id = $2 and expire_le > $3
                  and (telechargements_max is null or telechargements < telechargements_max)) as "it!"
        "#,
        lien,
        id,
        now,
    );
    if !is_good.fetch_one(&ctx.pool).await? {
        return Err(invalid());
    }
    let rapport = super::store::find(&ctx.pool, id).await?.ok_or_else(invalid)?;
    let owner = users::find_account(&ctx.pool, rapport.user_id).await?.ok_or_else(invalid)?;
    ensure_may_work(&owner)?;
    Ok(rapport)
}

/// Counts one more download by the address with this secret. A 401 if it is used up: when two come at once, only so many pass.
pub async fn count(ctx: &Ctx, tx: &mut Tx<'_>, secret: &str, now: DateTime<Utc>) -> Result<()> {
    let lien = ctx.report_links.read(secret).ok_or_else(invalid)?;
    let counted = sqlx::query!(
        r#"
            update rapports_liens set telechargements = telechargements + 1
            where id = $1 and expire_le > $2 and (telechargements_max is null or telechargements < telechargements_max)
        "#,
        lien,
        now,
    );
    let counted = counted.execute(&mut **tx).await?.rows_affected();
    if counted == 1 { Ok(()) } else { Err(invalid()) }
}

fn invalid() -> Error {
    Error::Unauthenticated {
        code: Code::LienInvalide,
        text: Text::new(
            "Ce lien n'est pas valable, ou plus : demandez-en un autre à qui vous l'a donné.",
            "This link is not valid, or not any more: ask whoever gave it to you for another one.",
        ),
    }
}
