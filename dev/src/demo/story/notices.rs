//! The notices that people get besides the steps of an intervention: reminders, delays, alerts, news.

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    interventions::{PrioriteIntervention as Priorite, StatutIntervention},
    notifications::{
        CanalNotification::{self, Email, Log},
        TypeNotification,
    },
};

use super::{Act, Event, Story, Who};
use crate::demo::{machines::MACHINES, people::RESPONSABLES};

pub(super) fn of(story: &Story, midnight: DateTime<Utc>) -> Vec<Event> {
    let mut events = reminders(story, midnight);
    for dossier in 0..story.dossiers.len() {
        events.extend(late(story, dossier));
        events.extend(unassigned(story, dossier));
    }
    events.extend(news(midnight));
    events
}

/// Announces the visits of the last month on the morning before.
fn reminders(story: &Story, midnight: DateTime<Utc>) -> Vec<Event> {
    let lately = midnight - TimeDelta::days(30);
    let visits = story.dossiers.iter();
    let visits = visits.filter(|visit| visit.planning.is_some() && visit.opened >= lately);
    let told = visits.flat_map(|visit| {
        let at = visit.opened - TimeDelta::hours(26);
        let contenu = format!("Prévue demain : {}", visit.titre);
        responsables()
            .map(move |to| notice(at, None, TypeNotification::Rappel, Email, contenu.clone(), to))
    });
    told.collect()
}

/// Tells once of an unfinished intervention past its deadline, to all who can do something about it.
fn late(story: &Story, dossier: usize) -> Vec<Event> {
    let facts = &story.dossiers[dossier];
    let (statut, technicien) = story.outcome(dossier);
    if statut.is_terminal() {
        return Vec::new();
    }
    let at = facts.limite + TimeDelta::minutes(15);
    let contenu = format!("Échéance dépassée : {} ({})", facts.titre, MACHINES[facts.machine].nom);
    technicien
        .map(Who::Technicien)
        .into_iter()
        .chain(responsables())
        .map(|to| notice(at, Some(dossier), TypeNotification::Retard, Email, contenu.clone(), to))
        .collect()
}

/// Tells of an intervention that has had no technicien for longer than its priority allows.
fn unassigned(story: &Story, dossier: usize) -> Vec<Event> {
    let facts = &story.dossiers[dossier];
    if story.outcome(dossier) != (StatutIntervention::Ouverte, None) {
        return Vec::new();
    }
    let hours = match facts.scenario.priorite {
        Priorite::Urgente => 2,
        Priorite::Haute => 24,
        Priorite::Normale => 72,
        Priorite::Basse => 168,
        Priorite::Programmee => return Vec::new(),
    };
    let at = facts.opened + TimeDelta::hours(hours);
    let contenu = format!("Sans technicien depuis plus de {hours} h : {}", facts.titre);
    responsables()
        .map(|to| notice(at, Some(dossier), TypeNotification::Alerte, Email, contenu.clone(), to))
        .collect()
}

fn news(midnight: DateTime<Utc>) -> Vec<Event> {
    let tell = |days, contenu: &str, to| {
        let at = midnight - TimeDelta::days(days) + TimeDelta::hours(9);
        notice(at, None, TypeNotification::Information, Log, contenu.to_owned(), to)
    };
    vec![
        tell(
            40,
            "Formation à l'habilitation H2V : inscriptions ouvertes jusqu'à la fin du mois.",
            Who::Technicien(0),
        ),
        tell(
            21,
            "Nouveaux gants isolants de classe 0 disponibles au magasin de Casablanca.",
            Who::Technicien(0),
        ),
        tell(
            9,
            "La gamme de maintenance des compresseurs à vis a été révisée.",
            Who::Technicien(0),
        ),
        tell(
            4,
            "Le tarif horaire de main-d'œuvre reste à 190 MAD jusqu'à la fin de l'année.",
            Who::Responsable(0),
        ),
        tell(
            2,
            "Inventaire du magasin de Tanger samedi : pas de sortie de pièces ce jour-là.",
            Who::Technicien(3),
        ),
    ]
}

fn responsables() -> impl Iterator<Item = Who> {
    (0..RESPONSABLES.len()).map(Who::Responsable)
}

fn notice(
    at: DateTime<Utc>,
    dossier: Option<usize>,
    type_: TypeNotification,
    canal: CanalNotification,
    contenu: String,
    to: Who,
) -> Event {
    Event { at, dossier, act: Act::Tell { type_, canal, contenu, to } }
}
