//! The data of the templates: the contexts, with codes, counts and dates in words. Every list is
//! a [`SectionView`], so that one partial renders all of them.

use serde::Serialize;

use super::context::{
    CompteMail, DigestLigne, DigestMail, DigestSection, GroupeLigne, GroupeMail, NotificationMail,
    PlanningLigne, PlanningSection,
};
use super::{date, words};
use crate::Lang;

#[derive(Serialize)]
pub(super) struct NotificationView {
    langue: Lang,
    destinataire_nom: String,
    intervention_id: Option<i64>,
    titre: String,
    equipement: Option<String>,
    localisation: Option<String>,
    priorite: Option<String>,
    date_limite: Option<String>,
    technicien: Option<String>,
    contenu: Option<String>,
    lien: String,
    desabonnement: Option<String>,
}

#[derive(Serialize)]
pub(super) struct GroupeView {
    langue: Lang,
    destinataire_nom: String,
    compte: String,
    resume: String,
    sections: Vec<SectionView>,
    autres: i64,
    lien: String,
    desabonnement: Option<String>,
}

#[derive(Serialize)]
pub(super) struct DigestView {
    langue: Lang,
    destinataire_nom: String,
    jour: String,
    resume: String,
    rien_a_traiter: bool,
    ouvertes: i64,
    en_retard: SectionView,
    echeance_du_jour: SectionView,
    non_affectees: SectionView,
    plannings: SectionView,
    lien: String,
    desabonnement: Option<String>,
}

#[derive(Serialize)]
pub(super) struct CompteView {
    langue: Lang,
    destinataire_nom: String,
    quand: String,
    appareil: Option<String>,
    adresse: Option<String>,
    auteur: Option<String>,
    lien: String,
    desabonnement: Option<String>,
}

impl From<CompteMail> for CompteView {
    fn from(mail: CompteMail) -> Self {
        Self {
            langue: mail.langue,
            destinataire_nom: mail.destinataire_nom,
            quand: date::date_heure(mail.quand, mail.langue),
            appareil: mail.appareil,
            adresse: mail.adresse,
            auteur: mail.auteur,
            lien: mail.lien,
            desabonnement: None,
        }
    }
}

#[derive(Serialize)]
struct SectionView {
    titre: String,
    total: i64,
    autres: i64,
    lignes: Vec<LigneView>,
}

#[derive(Serialize)]
struct LigneView {
    titre: String,
    intervention_id: Option<i64>,
    equipement: Option<String>,
    localisation: Option<String>,
    priorite: Option<String>,
    echeance: Option<String>,
    technicien: Option<String>,
    extrait: Option<String>,
    lien: String,
}

impl From<NotificationMail> for NotificationView {
    fn from(mail: NotificationMail) -> Self {
        let langue = mail.langue;
        Self {
            langue,
            destinataire_nom: mail.destinataire_nom,
            intervention_id: mail.intervention_id,
            titre: mail.titre,
            equipement: mail.equipement,
            localisation: mail.localisation,
            priorite: mail.priorite.map(|code| words::priorite(&code, langue).to_owned()),
            date_limite: mail.date_limite.map(|instant| date::date_heure(instant, langue)),
            technicien: mail.technicien,
            contenu: mail.contenu,
            lien: mail.lien,
            desabonnement: None,
        }
    }
}

impl From<GroupeMail> for GroupeView {
    fn from(mail: GroupeMail) -> Self {
        let langue = mail.langue;
        let autres = beyond(mail.total, mail.lignes.len());
        let mut counts = Vec::new();
        let mut sections = Vec::new();
        for type_ in words::TYPES {
            let lignes: Vec<LigneView> = mail
                .lignes
                .iter()
                .filter(|ligne| words::known_type(&ligne.type_) == type_)
                .map(|ligne| ligne_groupe(ligne.clone(), langue))
                .collect();
            if !lignes.is_empty() {
                let total = i64::try_from(lignes.len()).unwrap_or(i64::MAX);
                counts.push(words::count_of_type(total, type_, langue));
                sections.push(section(words::heading_of_type(type_, langue), total, lignes));
            }
        }
        if autres > 0 {
            counts.push(words::count(autres, langue, ["autre", "autres"], ["other", "others"]));
        }
        let noun = ["notification", "notifications"];
        Self {
            langue,
            destinataire_nom: mail.destinataire_nom,
            compte: words::count(mail.total, langue, noun, noun),
            resume: counts.join(", "),
            sections,
            autres,
            lien: mail.lien,
            desabonnement: None,
        }
    }
}

impl From<DigestMail> for DigestView {
    fn from(mail: DigestMail) -> Self {
        let langue = mail.langue;
        let urgent = [
            (mail.en_retard.total, "en retard", "overdue"),
            (mail.echeance_du_jour.total, "pour aujourd’hui", "due today"),
            (mail.non_affectees.total, "à affecter", "unassigned"),
        ];
        let mut parts: Vec<String> = urgent
            .into_iter()
            .filter(|(total, ..)| *total > 0)
            .map(|(total, fr, en)| format!("{total} {}", langue.choose(fr, en)))
            .collect();
        let rien_a_traiter = parts.is_empty();
        if rien_a_traiter {
            parts.push(langue.choose("rien d’urgent", "nothing urgent").to_owned());
        }
        if mail.plannings.total > 0 {
            let (fr, en) = (["visite à venir", "visites à venir"], ["visit ahead", "visits ahead"]);
            parts.push(words::count(mail.plannings.total, langue, fr, en));
        }
        let section = |fr: &str, en: &str, list: DigestSection| {
            let lignes = list.lignes.into_iter().map(|ligne| ligne_digest(ligne, langue));
            section(langue.choose(fr, en).to_owned(), list.total, lignes.collect())
        };
        Self {
            langue,
            destinataire_nom: mail.destinataire_nom,
            jour: date::date(mail.jour, langue),
            resume: parts.join(", "),
            rien_a_traiter,
            ouvertes: mail.ouvertes,
            en_retard: section("En retard", "Overdue", mail.en_retard),
            echeance_du_jour: section("À terminer aujourd’hui", "Due today", mail.echeance_du_jour),
            non_affectees: section("À affecter", "Unassigned", mail.non_affectees),
            plannings: section_plannings(mail.plannings, langue),
            lien: mail.lien,
            desabonnement: Some(mail.desabonnement),
        }
    }
}

fn section(titre: String, total: i64, lignes: Vec<LigneView>) -> SectionView {
    SectionView { titre, total, autres: beyond(total, lignes.len()), lignes }
}

fn section_plannings(list: PlanningSection, langue: Lang) -> SectionView {
    let titre = langue.choose("Visites des sept prochains jours", "Visits of the next seven days");
    let lignes = list.lignes.into_iter().map(|ligne| ligne_planning(ligne, langue));
    section(titre.to_owned(), list.total, lignes.collect())
}

/// How many of `total` are not among the `shown`.
fn beyond(total: i64, shown: usize) -> i64 {
    (total - i64::try_from(shown).unwrap_or(i64::MAX)).max(0)
}

fn ligne_groupe(ligne: GroupeLigne, langue: Lang) -> LigneView {
    let visite = ligne.type_ == "rappel" && ligne.intervention_id.is_none();
    let echeance = if visite { words::prevue } else { words::echeance };
    LigneView {
        titre: ligne.titre,
        intervention_id: ligne.intervention_id,
        equipement: ligne.equipement,
        localisation: ligne.localisation,
        priorite: None,
        echeance: ligne.date_limite.map(|instant| echeance(instant, langue)),
        technicien: None,
        extrait: ligne.contenu,
        lien: ligne.lien,
    }
}

fn ligne_digest(ligne: DigestLigne, langue: Lang) -> LigneView {
    LigneView {
        titre: ligne.titre,
        intervention_id: None,
        equipement: Some(ligne.equipement),
        localisation: ligne.localisation,
        priorite: Some(words::priorite(&ligne.priorite, langue).to_lowercase()),
        echeance: ligne.date_limite.map(|instant| words::echeance(instant, langue)),
        technicien: ligne.technicien,
        extrait: None,
        lien: ligne.lien,
    }
}

fn ligne_planning(ligne: PlanningLigne, langue: Lang) -> LigneView {
    LigneView {
        titre: ligne.titre,
        intervention_id: None,
        equipement: Some(ligne.equipement),
        localisation: ligne.localisation,
        priorite: None,
        echeance: Some(words::prevue(ligne.date, langue)),
        technicien: None,
        extrait: None,
        lien: ligne.lien,
    }
}
