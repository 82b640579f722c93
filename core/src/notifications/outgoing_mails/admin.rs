//! Mails for operators: the list, and sending one again.
use sqlx::PgPool;
use ulid::Ulid;

use super::{EnvoiFilter, EnvoiOut, SORTABLE, StatutEnvoi, store};
use crate::{
    Code, Error, Noun, Result, Tx,
    page::{self, Listed, Page},
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

/// The mails `ids`, the newest first.
pub async fn list_of(pool: &PgPool, ids: &[i64], page: &Page) -> Result<Vec<EnvoiOut>> {
    let mails = page::list(pool, "envois", SORTABLE, page, |query| {
        query.push(" where id = any(").push_bind(ids.to_vec()).push(")");
    });
    Ok(mails.await?.rows)
}

/// A mail as an operator looks at it.
#[derive(Debug)]
pub struct Looked {
    pub envoi: EnvoiOut,
    /// As it left, or will leave; `None` before its transmission began, and after its retention time.
    pub bytes: Option<Vec<u8>>,
    /// Whether it is about the account of its reader. Such a mail may have a link that opens the account: nobody else reads it.
    pub is_personal: bool,
}

/// Mail `id`, without its bytes if it is personal.
pub async fn look(pool: &PgPool, id: i64) -> Result<Looked> {
    let found = sqlx::query!(
        r#"
            select id, user_id, statut as "statut: StatutEnvoi", jour, destinataire, message_id, transmissions, transmis_le,
                part_le, parti_le, derniere_erreur, avis is not null as "is_personal!",
                case when avis is null then corps end as bytes
            from envois where id = $1
        "#,
        id,
    );
    let row = found.fetch_optional(pool).await?.ok_or(Error::NotFound(Noun::ENVOI))?;
    let envoi = EnvoiOut {
        id: row.id,
        user_id: row.user_id,
        statut: row.statut,
        jour: row.jour,
        destinataire: row.destinataire,
        message_id: row.message_id,
        transmissions: row.transmissions,
        transmis_le: row.transmis_le,
        part_le: row.part_le,
        parti_le: row.parti_le,
        derniere_erreur: row.derniere_erreur,
    };
    Ok(Looked { envoi, bytes: row.bytes, is_personal: row.is_personal })
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
