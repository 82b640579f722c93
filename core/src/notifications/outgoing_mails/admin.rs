//! Mails for operators: the list, and sending one again.
use sqlx::PgPool;
use ulid::Ulid;

use super::{EnvoiFilter, EnvoiOut, SORTABLE, StatutEnvoi, store};
use crate::{
    Code, Error, Noun, Result, Tx,
    page::{self, Listed},
};

pub async fn list(pool: &PgPool, filter: &EnvoiFilter) -> Result<Listed<EnvoiOut>> {
    page::list(pool, "envois", SORTABLE, &filter.page, |query| {
        query.push(" where true");
        if let Some(statut) = filter.statut {
            query.push(" and statut = ").push_bind(statut);
        }
        if let Some(user_id) = filter.user_id {
            query.push(" and user_id = ").push_bind(user_id);
        }
    })
    .await
}

/// Enqueues a mail again that was given up, or whose outcome is in doubt: the same bytes under the same Message-ID if it was
/// transmitted before.
///
/// 409 `envoi_non_renvoyable`: it waits, is being sent, was sent, was cancelled without content, or its bytes were removed.
pub async fn resend(tx: &mut Tx<'_>, envoi_id: i64) -> Result<()> {
    let found = store::find_for_update(tx, envoi_id).await?;
    let (statut, of_account) = found.ok_or(Error::NotFound(Noun::ENVOI))?;
    let stopped = matches!(statut, StatutEnvoi::Incertaine | StatutEnvoi::Echouee);
    if !stopped || !store::revive(tx, envoi_id).await? {
        return Err(Error::conflict(
            Code::EnvoiNonRenvoyable,
            "Ce courriel est en route, déjà parti, sans objet ou trop ancien : il ne peut pas être renvoyé.",
            "This mail is under way, has left, is void or too old: it cannot be sent again.",
        ));
    }
    // The row lock and the state ensure that it is enqueued once; the key is a new one each time.
    let renvoi = format!("renvoi-{}", Ulid::generate());
    super::send_again(tx, envoi_id, of_account, renvoi).await
}
