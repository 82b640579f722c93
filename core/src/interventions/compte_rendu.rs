//! The report of an intervention: what was found and done, how long it took and what it cost.
use chrono::{DateTime, Utc};

use super::{
    Actor, Intervention, StatutIntervention, ensure_not_of_another, historique, over_conflict,
    steps, store,
};
use crate::{
    Code, Error, Result, Text, Tx, enumeration, enumeration_field,
    input::{Centimes, Input, Minutes, Patch, Whole},
    scope::Scope,
};

enumeration! {
    /// The one status that a report brings.
    Cloture { Cloturee = "cloturee" }
}
enumeration_field!(Cloture);

/// The fields of a report: an absent field keeps its value, null clears it (except a cost, which is never null and stays).
#[derive(Debug, Clone, Input)]
#[input(changes = Intervention)]
pub struct CompteRendu {
    rapport_intervention: Patch<String>,
    travaux_realises: Patch<String>,
    recommandations: Patch<String>,
    #[input(as = Minutes)]
    duree_reelle: Patch<i32>,
    #[input(as = Minutes)]
    temps_deplacement: Patch<i32>,
    #[input(as = Centimes)]
    cout_pieces: Option<i64>,
    #[input(as = Centimes)]
    cout_main_oeuvre: Option<i64>,
    #[input(as = Whole<1, 5>)]
    satisfaction: Patch<i16>,
    /// Closes the intervention with the report.
    #[input(apart)]
    statut: Option<Cloture>,
}

/// Writes the report of an intervention, and closes the intervention when the report says so. 409 when it is cancelled or
/// archived, or when work has not begun and the report does not close it. A technicien may report only on interventions
/// assigned to them.
pub async fn report(
    tx: &mut Tx<'_>,
    id: i64,
    report: CompteRendu,
    by: Actor,
    now: DateTime<Utc>,
) -> Result<Intervention> {
    use StatutIntervention::{Affectee, Annulee, Archivee, Cloturee, EnAttente, EnCours, Ouverte};
    let old = store::find_for_update(tx, id).await?;
    ensure_theirs(&old, by)?;
    let cloture = report.statut.is_some();
    match old.statut {
        EnCours | EnAttente | Cloturee => {}
        Annulee | Archivee => return Err(over_conflict(&old)),
        // A quick repair is reported and closed at once.
        Ouverte | Affectee if cloture => {}
        Ouverte | Affectee => return Err(not_begun(&old)),
    }
    let new = report.over(old.clone());
    if new != old {
        store::save(tx, &new).await?;
        let remarque = Some("Compte rendu");
        historique::record(tx, id, new.statut, remarque, Some(by.user_id), now).await?;
    }
    // A repeat whose first response was lost: the intervention is closed already.
    if cloture && !(new == old && old.statut == Cloturee) {
        let remarque = Some("Clôturée avec le compte rendu");
        return steps::change_statut(tx, id, Cloturee, remarque, by, now).await;
    }
    store::find(&mut **tx, id, Scope::All).await
}

/// 403 for a technicien who reports on an intervention that is assigned to another technicien, or to nobody.
fn ensure_theirs(intervention: &Intervention, by: Actor) -> Result<()> {
    ensure_not_of_another(intervention, by)?;
    if by.technicien_id.is_none() || intervention.technicien_id.is_some() {
        return Ok(());
    }
    Err(Error::Forbidden {
        code: Code::InterventionSansTechnicien,
        text: Text::new(
            "Cette intervention n'est affectée à personne : prenez-la d'abord en charge.",
            "This intervention is assigned to nobody: take it up first.",
        ),
    })
}

fn not_begun(intervention: &Intervention) -> Error {
    let statut = intervention.statut;
    Error::conflict(
        Code::InterventionNonCommencee,
        format!(
            "L'intervention est « {statut} » : passez-la à « en_cours » avant d'écrire son compte rendu, ou clôturez-la avec lui."
        ),
        format!(
            "The intervention is \"{statut}\": set it to \"en_cours\" before you write its report, or close it with it."
        ),
    )
}
