//! The report of an intervention: what was found and done, how long it took and what it cost.
use chrono::{DateTime, Utc};

use super::{Actor, Intervention, StatutIntervention, historique, over, steps, store};
use crate::{
    Error, Result, Text, Tx, described,
    input::{Centimes, Fields, Input, Minutes, Patch, Whole, not_one_of},
};

/// What a report says: a field that is absent keeps what was said before, null takes it back (a cost, which is never null, stays).
#[derive(Debug, Clone)]
pub struct CompteRendu {
    rapport_intervention: Patch<String>,
    travaux_realises: Patch<String>,
    recommandations: Patch<String>,
    duree_reelle: Patch<Minutes>,
    temps_deplacement: Patch<Minutes>,
    cout_pieces: Patch<Centimes>,
    cout_main_oeuvre: Patch<Centimes>,
    satisfaction: Patch<Whole<1, 5>>,
    /// Whether the intervention is closed with it.
    cloture: bool,
}

described!(CompteRendu);

impl Input for CompteRendu {
    fn read(fields: &mut Fields) -> Option<Self> {
        const CLOTUREE: &str = "cloturee";
        let rapport_intervention = fields.patch("rapport_intervention");
        let travaux_realises = fields.patch("travaux_realises");
        let recommandations = fields.patch("recommandations");
        let duree_reelle = fields.patch("duree_reelle");
        let temps_deplacement = fields.patch("temps_deplacement");
        let cout_pieces = fields.set("cout_pieces");
        let cout_main_oeuvre = fields.set("cout_main_oeuvre");
        let satisfaction = fields.patch("satisfaction");
        let statut = fields.optional::<String>("statut");
        fields.limit_to([CLOTUREE.to_owned()]);
        if let Some(Some(statut)) = &statut
            && statut != CLOTUREE
        {
            fields.fault("statut", not_one_of(&[CLOTUREE]));
            return None;
        }
        Some(Self {
            rapport_intervention: rapport_intervention?,
            travaux_realises: travaux_realises?,
            recommandations: recommandations?,
            duree_reelle: duree_reelle?,
            temps_deplacement: temps_deplacement?,
            cout_pieces: cout_pieces?,
            cout_main_oeuvre: cout_main_oeuvre?,
            satisfaction: satisfaction?,
            cloture: statut?.is_some(),
        })
    }
}

impl CompteRendu {
    /// What `old` becomes; closing is a step of its own.
    fn over(self, old: Intervention) -> Intervention {
        let satisfaction = |Whole(note)| i16::try_from(note).unwrap_or(i16::MAX);
        Intervention {
            rapport_intervention: self.rapport_intervention.over(old.rapport_intervention),
            travaux_realises: self.travaux_realises.over(old.travaux_realises),
            recommandations: self.recommandations.over(old.recommandations),
            duree_reelle: self.duree_reelle.over_with(old.duree_reelle, |m| m.0),
            temps_deplacement: self.temps_deplacement.over_with(old.temps_deplacement, |m| m.0),
            cout_pieces: self.cout_pieces.map(|c| c.0).or_keep(old.cout_pieces),
            cout_main_oeuvre: self.cout_main_oeuvre.map(|c| c.0).or_keep(old.cout_main_oeuvre),
            satisfaction: self.satisfaction.over_with(old.satisfaction, satisfaction),
            ..old
        }
    }
}

/// Notes the report of an intervention on which work has begun, until it is archived, and closes it when the report says so. A
/// technicien reports on what is theirs alone.
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
    let cloture = report.cloture;
    match old.statut {
        EnCours | EnAttente | Cloturee => {}
        Annulee | Archivee => return Err(over(&old)),
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
    // Sent again, because the answer to the first time was lost: it is closed, and says so already.
    if cloture && !(new == old && old.statut == Cloturee) {
        let remarque = Some("Clôturée avec le compte rendu");
        return steps::change_statut(tx, id, Cloturee, remarque, by, now).await;
    }
    store::find(&mut **tx, id, None).await
}

/// The 403 of a technicien who reports on what is another's, or nobody's.
fn ensure_theirs(intervention: &Intervention, by: Actor) -> Result<()> {
    if by.technicien_id.is_none() || by.technicien_id == intervention.technicien_id {
        return Ok(());
    }
    let (code, fr, en) = match intervention.technicien_id {
        Some(_) => (
            "intervention_d_un_autre",
            "Cette intervention est affectée à un autre technicien.",
            "This intervention is assigned to another technician.",
        ),
        None => (
            "intervention_sans_technicien",
            "Cette intervention n'est affectée à personne : prenez-la d'abord en charge.",
            "This intervention is assigned to nobody: take it up first.",
        ),
    };
    Err(Error::Forbidden { code, text: Text::new(fr, en) })
}

fn not_begun(intervention: &Intervention) -> Error {
    let statut = intervention.statut;
    Error::conflict(
        "intervention_non_commencee",
        format!(
            "L'intervention est « {statut} » : passez-la à « en_cours » avant d'écrire son compte rendu, ou clôturez-la avec lui."
        ),
        format!(
            "The intervention is \"{statut}\": set it to \"en_cours\" before you write its report, or close it with it."
        ),
    )
}
