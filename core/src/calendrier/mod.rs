//! Visits and deadlines in the calendar of a phone. The address of a calendar contains a secret of its owner: a calendar
//! program has no other way to sign in. The secret gives access to these calendars and nothing else, and can be revoked.
mod render;
mod store;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;
use uuid::Uuid;

pub use render::{Calendrier, of_plannings, of_technicien};

use crate::{Code, Ctx, Error, Result, Text, Tx, auth, secret, techniciens, users};

/// The addresses of somebody's calendars. They are shown once: only their owner keeps them.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CalendrierOut {
    /// The secret in the addresses.
    pub jeton: String,
    /// The visits of the plannings.
    pub planning_url: String,
    /// The interventions of the owner, who is a technicien.
    pub technicien_url: Option<String>,
}

/// Whether somebody has such addresses.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct CalendrierEtat {
    pub actif: bool,
    pub created_at: Option<DateTime<Utc>>,
}

/// Gives user `user_id` new addresses, and ends those given before. `session` is the session of the request: a 401 if it has
/// ended.
pub async fn renew(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    user_id: i64,
    session: Uuid,
) -> Result<CalendrierOut> {
    auth::hold_session(tx, user_id, session, ctx.clock.now()).await?;
    let jeton = secret::draw();
    store::save(tx, user_id, &secret::hash(&jeton), ctx.clock.now()).await?;
    let technicien = techniciens::find_by_user(&mut **tx, user_id).await?;
    let base = format!("{}/api/v1", ctx.config.http.public_url);
    Ok(CalendrierOut {
        planning_url: format!("{base}/planning/calendrier.ics?jeton={jeton}"),
        technicien_url: technicien
            .map(|id| format!("{base}/techniciens/{id}/calendrier.ics?jeton={jeton}")),
        jeton,
    })
}

/// Ends the addresses of user `user_id`.
pub async fn revoke(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    store::delete(tx, user_id).await
}

/// Whether user `user_id` has addresses, and since when.
pub async fn etat(pool: &PgPool, user_id: i64) -> Result<CalendrierEtat> {
    let created_at = store::created_at(pool, user_id).await?;
    Ok(CalendrierEtat { actif: created_at.is_some(), created_at })
}

/// The owner of an address; a 401 if the secret is unknown or the account disabled, a 403 if its client is.
pub async fn owner(pool: &PgPool, jeton: &str) -> Result<users::Account> {
    let found = match store::owner(pool, &secret::hash(jeton)).await? {
        Some(id) => users::find_account(pool, id).await?,
        None => None,
    };
    let account =
        found.filter(|account| account.is_active).ok_or_else(|| Error::Unauthenticated {
            code: Code::JetonInvalide,
            text: Text::new(
                "Ce lien d'agenda n'est plus valable : créez-en un nouveau dans vos paramètres.",
                "This calendar link is no longer valid: make a new one in your settings.",
            ),
        })?;
    auth::ensure_may_work(&account)?;
    Ok(account)
}
