//! The steps in the life of an intervention. Each locks the row first: of two concurrent steps, the second sees the state that
//! the first left.
use chrono::{DateTime, Utc};

use super::{
    Actor, Intervention, StatutIntervention, ensure_not_of_another, historique, over_conflict,
    store,
};
use crate::{
    Code, Error, Result, Tx,
    notifications::{
        self, Announcement, Event,
        TypeNotification::{Affectation, Alerte, Rappel, Retard},
    },
    scope::Scope,
    techniciens, users,
};

/// Moves an intervention to `next`, if the rules allow it. A technicien may move those that are theirs or unassigned; an
/// unassigned one that they move to `affectee` or `en_cours` becomes theirs.
pub async fn change_statut(
    tx: &mut Tx<'_>,
    id: i64,
    next: StatutIntervention,
    remarque: Option<&str>,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<Intervention> {
    let old = store::find_for_update(tx, id).await?;
    let mut intervention = old.clone();
    ensure_not_of_another(&old, by)?;
    intervention.statut.may_become(next)?;

    match next {
        StatutIntervention::Ouverte => {
            intervention.technicien_id = None;
            intervention.date_affectation = None;
        }
        StatutIntervention::Affectee | StatutIntervention::EnCours => {
            if intervention.technicien_id.is_none() {
                intervention.technicien_id = by.technicien_id;
            }
            if next == StatutIntervention::Affectee || intervention.technicien_id.is_some() {
                intervention.date_affectation.get_or_insert(now);
            }
            if next == StatutIntervention::EnCours {
                intervention.date_debut_travaux.get_or_insert(now);
            }
        }
        StatutIntervention::Cloturee => {
            intervention.date_cloture = Some(now);
            let debut = intervention.date_debut_travaux.unwrap_or(intervention.date_creation);
            let minutes = i32::try_from((now - debut).num_minutes().max(0)).unwrap_or(i32::MAX);
            intervention.duree_reelle.get_or_insert(minutes);
        }
        StatutIntervention::EnAttente
        | StatutIntervention::Annulee
        | StatutIntervention::Archivee => {}
    }
    intervention.statut = next;
    save(tx, &old, &mut intervention, now).await?;
    let line = historique::record(tx, id, next, remarque, Some(by.user_id), now).await?;
    if next == StatutIntervention::Cloturee {
        tell_closed(tx, &intervention, line, now).await?;
    }
    // Read again, for the name of the current technicien.
    store::find(&mut **tx, id, Scope::All).await
}

/// Assigns an intervention to a technicien, who is told, or (`None`) to nobody. 409 when it is over, or is assigned so already.
pub async fn assign(
    tx: &mut Tx<'_>,
    id: i64,
    technicien_id: Option<i64>,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<Intervention> {
    let old = store::find_for_update(tx, id).await?;
    let mut intervention = old.clone();
    if intervention.statut.is_terminal() {
        return Err(over_conflict(&intervention));
    }
    if intervention.technicien_id == technicien_id {
        return Err(match technicien_id {
            Some(_) => Error::conflict(
                Code::DejaAffectee,
                "L'intervention est déjà affectée à ce technicien.",
                "The intervention is already assigned to this technician.",
            ),
            None => Error::conflict(
                Code::DejaSansTechnicien,
                "L'intervention n'est affectée à personne.",
                "The intervention is not assigned to anybody.",
            ),
        });
    }
    let remarque = match technicien_id {
        Some(technicien_id) => {
            let user_id = techniciens::user_of(tx, technicien_id).await?;
            let user = users::find(&mut **tx, user_id).await?;
            format!("Affectation à {}", user.full_name)
        }
        None => "Affectation retirée".to_owned(),
    };
    set_technicien(&mut intervention, technicien_id, now);
    save(tx, &old, &mut intervention, now).await?;
    let line =
        historique::record(tx, id, intervention.statut, Some(&remarque), Some(by.user_id), now)
            .await?;
    tell_technicien(tx, &intervention, line, by, now).await?;
    store::find(&mut **tx, id, Scope::All).await
}

/// Removes a technicien, whose name stays on past work. Their open interventions are unassigned, each with a line of
/// historique.
pub async fn remove_technicien(
    tx: &mut Tx<'_>,
    technicien_id: i64,
    by: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    techniciens::lock(tx, technicien_id).await?;
    for old in store::open_of_technicien_for_update(tx, technicien_id).await? {
        let mut intervention = old.clone();
        set_technicien(&mut intervention, None, now);
        save(tx, &old, &mut intervention, now).await?;
        let remarque = Some("Affectation retirée : le technicien a quitté l'équipe");
        historique::record(tx, intervention.id, intervention.statut, remarque, Some(by), now)
            .await?;
    }
    techniciens::delete_released(tx, technicien_id, now).await
}

/// Sets the technicien, and the status with it: `ouverte` and `affectee` follow; work that has begun keeps its status.
fn set_technicien(intervention: &mut Intervention, technicien_id: Option<i64>, now: DateTime<Utc>) {
    use StatutIntervention::{Affectee, Ouverte};
    intervention.technicien_id = technicien_id;
    intervention.date_affectation = technicien_id.map(|_| now);
    intervention.statut = match (intervention.statut, technicien_id) {
        (Ouverte, Some(_)) => Affectee,
        (Affectee, None) => Ouverte,
        (statut, _) => statut,
    };
}

/// Writes `new`, which a step made of `old`. Updates the response clock, and withdraws alerts that have lost their cause.
async fn save(
    tx: &mut Tx<'_>,
    old: &Intervention,
    new: &mut Intervention,
    now: DateTime<Utc>,
) -> Result<()> {
    new.keep_clock(old, now);
    store::save(tx, new).await?;
    if new.statut.is_terminal() && !old.statut.is_terminal() {
        return notifications::withdraw_alerts(
            tx,
            new.id,
            &[Affectation, Alerte, Retard, Rappel],
            now,
        )
        .await;
    }
    if old.is_unanswered() && !new.is_unanswered() {
        notifications::withdraw_alerts(tx, new.id, &[Alerte], now).await?;
    }
    if old.technicien_id.is_some() && old.technicien_id != new.technicien_id {
        // The previous technicien does not have it any more.
        notifications::withdraw_alerts(tx, new.id, &[Affectation], now).await?;
    }
    Ok(())
}

/// Tells the technicien of an intervention that it is assigned to them by `line` of its historique, unless they took it
/// themselves or it is over.
pub(super) async fn tell_technicien(
    tx: &mut Tx<'_>,
    intervention: &Intervention,
    line: i64,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(technicien_id) = intervention.technicien_id else { return Ok(()) };
    if intervention.statut.is_terminal() || by.technicien_id == Some(technicien_id) {
        return Ok(());
    }
    tell(tx, Event::Affectation, intervention, line, now).await
}

/// Tells those concerned that an intervention was closed by `line` of its historique.
pub(super) async fn tell_closed(
    tx: &mut Tx<'_>,
    intervention: &Intervention,
    line: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    tell(tx, Event::Cloture, intervention, line, now).await
}

async fn tell(
    tx: &mut Tx<'_>,
    event: Event,
    intervention: &Intervention,
    line: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let announcement = Announcement {
        event,
        cle: format!("historique:{line}"),
        intervention_id: Some(intervention.id),
        planning_id: None,
        contenu: None,
    };
    notifications::announce(tx, &announcement, now).await
}
