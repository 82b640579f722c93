//! People who do the work: their team, availability and skills.
mod store;
mod types;

use chrono::{DateTime, Utc};

pub use store::{find, find_by_user, list, list_competences, user_of};
pub use types::{
    Competence, CompetenceCreate, DisponibiliteTechnicien, SORTABLE, TechnicienCreate,
    TechnicienOut, TechnicienUpdate,
};

use crate::{
    Code, Error, Noun, Result, Text, Tx,
    error::OnConstraint as _,
    users::{self, UserRole},
};

impl Noun {
    pub const COMPETENCE: Self =
        Self::new(Code::CompetenceIntrouvable, "Compétence introuvable.", "Skill not found.");
    pub const TECHNICIEN: Self =
        Self::new(Code::TechnicienIntrouvable, "Technicien introuvable.", "Technician not found.");
}

/// Makes a user of role technicien a technicien.
pub async fn create(tx: &mut Tx<'_>, new: &TechnicienCreate) -> Result<TechnicienOut> {
    // Locked: until this transaction ends nobody gives the user another role.
    let user = users::find_for_update(tx, new.user_id).await?;
    if user.role != UserRole::Technicien {
        return Err(Error::refused(
            Code::RoleIncompatible,
            "Cet utilisateur n'a pas le rôle technicien : changez d'abord son rôle.",
            "This user does not have the role technicien: change the role first.",
        ));
    }
    let id = store::insert(tx, new).await.on_constraint("techniciens_user_id_key", || {
        Error::conflict(
            Code::TechnicienExiste,
            "Cet utilisateur est déjà technicien.",
            "This user is already a technician.",
        )
    })?;
    set_competences(tx, id, &new.competences_ids).await?;
    store::find(&mut **tx, id).await
}

/// The 403 for a user of role technicien who has no record yet, or none any more: nothing belongs to such a user, who cannot
/// take up any intervention.
#[must_use]
pub fn without_record() -> Error {
    Error::Forbidden {
        code: Code::TechnicienSansFiche,
        text: Text::new(
            "Votre compte n'a pas encore de fiche de technicien : adressez-vous à un responsable.",
            "Your account has no technician's record yet: ask a manager.",
        ),
    }
}

/// The technicien `id`, locked until `tx` ends.
pub async fn find_for_update(tx: &mut Tx<'_>, id: i64) -> Result<TechnicienOut> {
    store::lock(tx, id).await?;
    store::find(&mut **tx, id).await
}

/// Changes the fields that `edit` names; a list of skills replaces the old one.
pub async fn update(tx: &mut Tx<'_>, id: i64, edit: TechnicienUpdate) -> Result<TechnicienOut> {
    let old = find_for_update(tx, id).await?;
    let equipe = edit.equipe.over(old.equipe);
    // Null means the default, as at creation.
    let disponibilite = edit.disponibilite.over(Some(old.disponibilite));
    let disponibilite = disponibilite.unwrap_or(DisponibiliteTechnicien::Disponible);
    store::update(tx, id, equipe.as_deref(), disponibilite).await?;
    if let Some(competences) = &edit.competences_ids {
        set_competences(tx, id, competences).await?;
    }
    store::find(&mut **tx, id).await
}

/// Locks technicien `id`, who is about to be removed, until `tx` ends.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::lock(tx, id).await
}

/// Marks a technicien as removed whose interventions have been released under the same [`lock`]; the row stays, since past work
/// names it.
pub(crate) async fn delete_released(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    store::delete(tx, id, now).await
}

/// Records a skill. Its name is unique, without regard to case and accents.
pub async fn create_competence(tx: &mut Tx<'_>, new: &CompetenceCreate) -> Result<Competence> {
    let taken = || {
        Error::refused(
            Code::CompetenceExiste,
            "Cette compétence existe déjà.",
            "This skill already exists.",
        )
    };
    let id = store::insert_competence(tx, &new.nom)
        .await
        .on_constraint("competences_nom_key", taken)
        .on_constraint("competences_nom_cle_key", taken)?;
    Ok(Competence { id, nom: new.nom.clone() })
}

async fn set_competences(tx: &mut Tx<'_>, id: i64, competences: &[i64]) -> Result<()> {
    store::set_competences(tx, id, competences)
        .await
        .on_constraint("technicien_competences_competence_id_fkey", || {
            Error::NotFound(Noun::COMPETENCE)
        })
}
