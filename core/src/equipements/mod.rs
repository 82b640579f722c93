//! Machines and installations that are maintained.
mod historique;
mod store;
mod types;

use crate::{Code, Error, Noun, Result, Tx, error::OnConstraint as _, scope::Scope};

pub use historique::{
    CoutsAnnee, EquipementHistorique, HistoriqueFilter, Reader, Totaux, historique,
};
pub use store::{find, find_for_update, list};
pub use types::{
    CriticiteEquipement, Equipement, EquipementFields, EquipementFilter, EquipementPatch, SORTABLE,
    StatutEquipement,
};

impl Noun {
    pub const EQUIPEMENT: Self =
        Self::new(Code::EquipementIntrouvable, "Équipement introuvable.", "Equipment not found.");
}

/// Records a machine. Its name is unique, without regard to case and accents.
pub async fn create(tx: &mut Tx<'_>, new: &EquipementFields) -> Result<Equipement> {
    let id = refused_by_constraints(store::insert(tx, new).await)?;
    store::find(&mut **tx, id, Scope::All).await
}

/// Changes the fields of `old` that `patch` names; `old` was read by [`find_for_update`] in this transaction.
pub async fn update(
    tx: &mut Tx<'_>,
    old: Equipement,
    patch: EquipementPatch,
) -> Result<Equipement> {
    let id = old.id;
    refused_by_constraints(store::update(tx, id, &patch.over(old)).await)?;
    store::find(&mut **tx, id, Scope::All).await
}

/// Removes a machine. 409 when an intervention refers to it.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id).await.on_constraint("interventions_equipement_id_fkey", || {
        Error::conflict(
            Code::EquipementUtilise,
            "Cet équipement a des interventions : passez-le plutôt au statut « retire ».",
            "This equipment has interventions: set its status to \"retire\" instead.",
        )
    })
}

fn refused_by_constraints<T>(result: sqlx::Result<T>) -> Result<T> {
    let name_taken = || {
        Error::refused(
            Code::EquipementExiste,
            "Un équipement porte déjà ce nom : choisissez-en un autre.",
            "An equipment already has this name: choose another one.",
        )
    };
    result
        .on_constraint("equipements_nom_key", name_taken)
        .on_constraint("equipements_nom_cle_key", name_taken)
        .on_constraint("equipements_client_id_fkey", || Error::NotFound(Noun::CLIENT))
}
