//! The companies and people that are served.
mod store;
mod types;

use chrono::{DateTime, Utc};

use crate::{Code, Error, Noun, Result, Tx, error::OnConstraint as _};

pub use store::{find, find_for_update, list};
pub use types::{
    Client, ClientFields, ClientFilter, ClientPatch, Ice, NiveauService, SORTABLE, Telephone,
    TypeClient,
};

impl Noun {
    pub const CLIENT: Self =
        Self::new(Code::ClientIntrouvable, "Client introuvable.", "Client not found.");
}

/// Creates a client. `Conflict` if another client has its ICE.
pub async fn create(tx: &mut Tx<'_>, new: &ClientFields, now: DateTime<Utc>) -> Result<Client> {
    let id = store::insert(tx, new, now).await.on_constraint("clients_ice_key", ice_taken)?;
    store::find(&mut **tx, id).await
}

/// Changes the fields of `old` that `patch` names; `old` was read by [`find_for_update`] in this transaction.
pub async fn update(tx: &mut Tx<'_>, old: Client, patch: ClientPatch) -> Result<Client> {
    let id = old.id;
    store::update(tx, id, &patch.over(old)).await.on_constraint("clients_ice_key", ice_taken)?;
    store::find(&mut **tx, id).await
}

/// Removes a client. `Conflict` if equipment or a user refers to it.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id)
        .await
        .on_constraint("equipements_client_id_fkey", || {
            Error::conflict(
                Code::ClientUtilise,
                "Ce client a des équipements : rattachez-les à un autre client, ou désactivez plutôt celui-ci.",
                "This client has equipment: move it to another client, or disable this one instead.",
            )
        })
        .on_constraint("users_client_id_fkey", || {
            Error::conflict(
                Code::ClientUtilise,
                "Des utilisateurs appartiennent à ce client : désactivez-le plutôt que de le supprimer.",
                "Users belong to this client: disable it instead of removing it.",
            )
        })
}

fn ice_taken() -> Error {
    Error::conflict(
        Code::IceDejaUtilise,
        "Un autre client porte déjà cet ICE : vérifiez le numéro, ou cherchez ce client dans la liste.",
        "Another client already has this ICE: check the number, or look for that client in the list.",
    )
}
