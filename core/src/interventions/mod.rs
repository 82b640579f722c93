//! Interventions: opened, assigned, worked on, closed. Every step writes its line of historique and its notifications in the
//! transaction of the step.
mod alertes;
mod compte_rendu;
mod filter;
pub mod historique;
mod input;
pub mod jobs;
mod sla;
mod statut;
mod steps;
mod store;
mod types;
mod visite;

use chrono::{DateTime, Utc};

pub use alertes::{alert_late, alert_unassigned, remind};
pub use compte_rendu::{CompteRendu, report};
pub use filter::InterventionFilter;
pub use input::{Affectation, InterventionCreate, InterventionUpdate, StatutChange};
pub use sla::NIVEAUX;
pub use statut::StatutIntervention;
pub use steps::{assign, change_statut, remove_technicien};
pub use store::{
    CalendarRow, calendar, find, find_for_update, list, list_of_equipement, list_of_planning,
};
pub(crate) use types::mad;
pub use types::{
    ClientDe, EquipementDe, Intervention, InterventionOut, InterventionType, PrioriteIntervention,
    SORTABLE, TechnicienDe,
};
pub use visite::NewVisite;
pub(crate) use visite::open_for_planning;

use crate::{
    Code, Error, Noun, Result, Text, Tx,
    error::OnConstraint as _,
    notifications::{
        self,
        TypeNotification::{Alerte, Rappel, Retard},
    },
    scope::Scope,
    techniciens,
};

impl Noun {
    pub const INTERVENTION: Self = Self::new(
        Code::InterventionIntrouvable,
        "Intervention introuvable.",
        "Intervention not found.",
    );
}

/// Who does something to an intervention: the person, and the technicien that the person is, if one.
#[derive(Debug, Clone, Copy)]
pub struct Actor {
    pub user_id: i64,
    pub technicien_id: Option<i64>,
}

/// Opens an intervention. With a technicien and no status it is `affectee`. The technicien is told, unless they open it
/// themselves.
pub async fn create(
    tx: &mut Tx<'_>,
    new: &InterventionCreate,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<Intervention> {
    if let Some(technicien_id) = new.technicien_id {
        techniciens::user_of(tx, technicien_id).await?;
    }
    let statut = new.statut.unwrap_or(match new.technicien_id {
        Some(_) => StatutIntervention::Affectee,
        None => StatutIntervention::Ouverte,
    });
    let id = store::insert(tx, new, statut, by.user_id, now)
        .await
        .on_constraint("interventions_equipement_id_fkey", || Error::NotFound(Noun::EQUIPEMENT))?;
    let intervention = store::find(&mut **tx, id, Scope::All).await?;
    let line =
        historique::record(tx, intervention.id, statut, Some("Création"), Some(by.user_id), now)
            .await?;
    steps::tell_technicien(tx, &intervention, line, by, now).await?;
    if statut == StatutIntervention::Cloturee {
        steps::tell_closed(tx, &intervention, line, now).await?;
    }
    Ok(intervention)
}

/// Edits an intervention; 409 when it is over. A new technicien or status among the fields obeys the same rules as in the
/// routes for it.
pub async fn update(
    tx: &mut Tx<'_>,
    id: i64,
    edit: InterventionUpdate,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<Intervention> {
    let old = store::find_for_update(tx, id).await?;
    if old.statut.is_terminal() {
        return Err(over_conflict(&old));
    }
    let (technicien, statut) = (edit.technicien_id.clone(), edit.statut);
    let new = edit.over(old.clone());
    if new != old {
        store::save(tx, &new).await.on_constraint("interventions_equipement_id_fkey", || {
            Error::NotFound(Noun::EQUIPEMENT)
        })?;
        if new.date_limite != old.date_limite {
            notifications::withdraw_alerts(tx, id, &[Retard, Rappel], now).await?;
        }
        if (new.priorite, new.urgence) != (old.priorite, old.urgence) {
            // The target has changed: alerts about the old one have lost their cause.
            notifications::withdraw_alerts(tx, id, &[Alerte], now).await?;
        }
        historique::record(tx, id, new.statut, Some("Modification"), Some(by.user_id), now).await?;
    }
    let technicien = technicien.over(new.technicien_id);
    if technicien != new.technicien_id {
        steps::assign(tx, id, technicien, by, now).await?;
    }
    match statut {
        // The assignment may have set the requested status already.
        Some(statut) if statut != store::find(&mut **tx, id, Scope::All).await?.statut => {
            steps::change_statut(tx, id, statut, None, by, now).await
        }
        _ => store::find(&mut **tx, id, Scope::All).await,
    }
}

/// 403 for a technicien when the intervention is assigned to another technicien.
fn ensure_not_of_another(intervention: &Intervention, by: Actor) -> Result<()> {
    match (by.technicien_id, intervention.technicien_id) {
        (Some(me), Some(theirs)) if me != theirs => Err(Error::Forbidden {
            code: Code::InterventionDUnAutre,
            text: Text::new(
                "Cette intervention est affectée à un autre technicien.",
                "This intervention is assigned to another technician.",
            ),
        }),
        _ => Ok(()),
    }
}

/// The 409 of a change to an intervention that is over.
fn over_conflict(intervention: &Intervention) -> Error {
    let statut = intervention.statut;
    Error::conflict(
        Code::InterventionTerminee,
        format!("L'intervention est terminée (« {statut} ») et ne se modifie plus."),
        format!("The intervention is over (\"{statut}\") and cannot be changed any more."),
    )
}
