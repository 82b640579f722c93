//! The companies and people that are served.
mod store;
mod types;

use chrono::{DateTime, Utc};

use crate::{Error, Noun, Result, Tx, error::OnConstraint as _};

pub use store::{find, find_for_update, list};
pub use types::{
    Client, ClientFields, ClientFilter, ClientPatch, Ice, NiveauService, SORTABLE, Telephone,
    TypeClient,
};

impl Noun {
    pub const CLIENT: Self =
        Self::new("client_introuvable", "Client introuvable.", "Client not found.");
}

/// Records a client. Its ICE, when it has one, is no other client's.
pub async fn create(tx: &mut Tx<'_>, new: &ClientFields, now: DateTime<Utc>) -> Result<Client> {
    let id = store::insert(tx, new, now).await.on_constraint("clients_ice_key", ice_taken)?;
    store::find(&mut **tx, id).await
}

/// Changes the fields that `patch` names.
pub async fn update(tx: &mut Tx<'_>, id: i64, patch: ClientPatch) -> Result<Client> {
    let old = store::find_for_update(tx, id).await?;
    let new = patch.over(old);
    store::update(tx, id, &new).await.on_constraint("clients_ice_key", ice_taken)?;
    store::find(&mut **tx, id).await
}

/// Removes a client that no equipment and no user refers to.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id)
        .await
        .on_constraint("equipements_client_id_fkey", || {
            Error::conflict(
                "client_utilise",
                "Ce client a des équipements : rattachez-les à un autre client, ou désactivez plutôt celui-ci.",
                "This client has equipment: move it to another client, or disable this one instead.",
            )
        })
        .on_constraint("users_client_id_fkey", || {
            Error::conflict(
                "client_utilise",
                "Des utilisateurs appartiennent à ce client : désactivez-le plutôt que de le supprimer.",
                "Users belong to this client: disable it instead of removing it.",
            )
        })
}

fn ice_taken() -> Error {
    Error::conflict(
        "ice_deja_utilise",
        "Un autre client porte déjà cet ICE : vérifiez le numéro, ou cherchez ce client dans la liste.",
        "Another client already has this ICE: check the number, or look for that client in the list.",
    )
}
