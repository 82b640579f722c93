//! The life of one intervention, by the rules of the contract.

use chrono::{DateTime, Utc};
use erp_core::interventions::{PrioriteIntervention, StatutIntervention};

use super::{Act, Dossier, Event, Report, Who};
use crate::demo::{
    calendar::after_work,
    dice::Dice,
    machines::{MACHINES, Machine},
    people::TECHNICIENS,
    scenarios::PAR_TELEPHONE,
};
use StatutIntervention::{Affectee, Annulee, Archivee, Cloturee, EnAttente, EnCours, Ouverte};

const BEGUN: [&str; 5] = [
    "Arrivée sur site, machine consignée",
    "Prise en charge avec le conducteur de ligne",
    "Plan de prévention signé, début des travaux",
    "Machine arrêtée et consignée",
    "Début des travaux",
];
/// Why work stops, and why it goes on afterwards.
const WAITING: [(&str, &str); 4] = [
    (
        "Pièce commandée chez le fournisseur, livraison annoncée sous huit jours",
        "Pièce reçue, reprise des travaux",
    ),
    ("En attente de l'accord du client sur le devis", "Devis accepté, reprise des travaux"),
    ("En attente d'un arrêt de production", "Arrêt de production accordé, reprise des travaux"),
    (
        "Pièce en rupture au magasin, transfert demandé",
        "Pièce arrivée du magasin central, reprise des travaux",
    ),
];
const CLOSED: [&str; 4] = [
    "Travaux terminés, machine rendue à la production",
    "Essais concluants, zone nettoyée",
    "Bon d'intervention signé par le client",
    "Contrôlé avec le client, rien à redire",
];
const CANCELLED: [&str; 3] = [
    "Doublon d'une demande déjà traitée",
    "Annulée à la demande du client",
    "Travaux repris par le constructeur sous garantie",
];

/// The states that the latest thirty non-urgent interventions have reached, the newest first.
#[rustfmt::skip]
const LATEST: [StatutIntervention; 30] = [
    Ouverte, Affectee, EnCours, Ouverte, Cloturee, Affectee, Ouverte, EnCours, Cloturee, Affectee,
    EnAttente, EnCours, Ouverte, Affectee, Cloturee, EnCours, Annulee, Affectee, Cloturee, EnAttente,
    Ouverte, EnCours, Cloturee, Affectee, Cloturee, EnAttente, EnCours, Cloturee, Cloturee, Affectee,
];

/// All that happens to a dossier, as if there were time for all of it. `rank` is the number of newer non-urgent dossiers.
pub(super) fn live(dossier: usize, facts: &Dossier, rank: usize, dice: &mut Dice) -> Vec<Event> {
    let finished = if dice.chance(75) { Archivee } else { Cloturee };
    let target = match rank {
        _ if facts.is_urgent() => finished,
        33 => Ouverte,
        38 => EnAttente,
        _ if rank % 17 == 5 && rank >= LATEST.len() => Annulee,
        _ => LATEST.get(rank).copied().unwrap_or(finished),
    };
    let recent = rank < LATEST.len();
    let technicien = choose(&MACHINES[facts.machine], target, dice);
    let (at, events) = (facts.opened, Vec::new());
    let mut life = Life { dossier, facts, technicien, at, events, dice };
    life.live(target, recent);
    life.events
}

/// A technicien who fits best: who is there, has the skill, and is of the team of the place, in this order.
fn choose(machine: &Machine, target: StatutIntervention, dice: &mut Dice) -> usize {
    let fit = |index: &usize| {
        let technicien = &TECHNICIENS[*index];
        let near = i32::from(technicien.team == machine.team);
        let able = i32::from(technicien.skills.contains(&machine.kind.skill));
        let there = i32::from(target.is_terminal() || technicien.is_there());
        10 * there + 3 * able + 2 * near
    };
    let best = (0..TECHNICIENS.len()).map(|index| fit(&index)).max().unwrap_or(0);
    let able: Vec<usize> = (0..TECHNICIENS.len()).filter(|index| fit(index) == best).collect();
    *dice.pick(&able)
}

struct Life<'a> {
    dossier: usize,
    facts: &'a Dossier,
    technicien: usize,
    /// The time of the last step.
    at: DateTime<Utc>,
    events: Vec<Event>,
    dice: &'a mut Dice,
}

impl Life<'_> {
    fn live(&mut self, target: StatutIntervention, recent: bool) {
        if std::ptr::eq(self.facts.scenario, &raw const PAR_TELEPHONE) {
            self.push(Act::Open { technicien: None });
            self.at = after_work(self.at, PAR_TELEPHONE.minutes);
            return self.close(PAR_TELEPHONE.minutes, target);
        }
        let visit = self.facts.planning.is_some();
        let at_once = !visit && !matches!(target, Ouverte | Annulee) && self.dice.chance(30);
        self.push(Act::Open { technicien: at_once.then_some(self.technicien) });
        match target {
            Ouverte => {
                // Sometimes assigned to a technicien who cannot come after all.
                if self.dice.chance(35) {
                    self.step(20, 60, Act::Assign(Some(self.technicien)));
                    self.step(30, 240, Act::Assign(None));
                }
            }
            Annulee => {
                let remarque = *self.dice.pick(&CANCELLED);
                self.step(60, 900, self.by_responsable(Annulee, remarque));
            }
            _ => {
                // Sometimes a technicien takes up an unassigned intervention.
                let takes_it = target != Affectee && self.dice.chance(12);
                if !at_once && !takes_it {
                    self.step(15, 60, Act::Assign(Some(self.technicien)));
                }
                if target != Affectee {
                    self.work(target, recent);
                }
            }
        }
    }

    fn work(&mut self, target: StatutIntervention, recent: bool) {
        let (soon, late) = match self.facts.scenario.priorite {
            _ if recent => (30, 90),
            PrioriteIntervention::Urgente => (20, 90),
            PrioriteIntervention::Haute => (60, 500),
            PrioriteIntervention::Normale => (200, 2200),
            PrioriteIntervention::Basse | PrioriteIntervention::Programmee => (500, 4300),
        };
        let remarque = *self.dice.pick(&BEGUN);
        self.step(soon, late, self.by_technicien(EnCours, remarque));
        if target == EnCours {
            return;
        }
        let minutes = self.facts.scenario.minutes * self.dice.between(85, 125) / 500 * 5;
        let mut left = minutes;
        if target == EnAttente || (!recent && self.dice.chance(18)) {
            let (waiting, resumed) = *self.dice.pick(&WAITING);
            let before = minutes / 3;
            self.step(before, before, self.by_technicien(EnAttente, waiting));
            if target == EnAttente {
                return;
            }
            self.step(1100, 4300, self.by_technicien(EnCours, resumed));
            left -= before;
        }
        self.at = after_work(self.at, left);
        self.close(minutes, target);
    }

    /// The steps that remain once the work is done.
    fn close(&mut self, minutes: i64, target: StatutIntervention) {
        let pieces = self.facts.scenario.pieces * self.dice.between(92, 112);
        // 190 MAD an hour.
        let report = Report { minutes, pieces, main_oeuvre: minutes * 19_000 / 60 };
        self.step(5, 40, Act::Report(report));
        let remarque = *self.dice.pick(&CLOSED);
        let close = if minutes > PAR_TELEPHONE.minutes && self.dice.chance(50) {
            self.by_technicien(Cloturee, remarque)
        } else {
            self.by_responsable(Cloturee, remarque)
        };
        self.step(5, 90, close);
        if target == Archivee {
            // Some five to eight weeks later: 22 to 40 workdays.
            self.step(22 * 540, 40 * 540, self.by_responsable(Archivee, "Dossier archivé"));
        }
    }

    fn by_technicien(&self, to: StatutIntervention, remarque: &'static str) -> Act {
        Act::Move { to, remarque, by: Who::Technicien(self.technicien) }
    }

    fn by_responsable(&self, to: StatutIntervention, remarque: &'static str) -> Act {
        Act::Move { to, remarque, by: Who::Responsable(self.facts.responsable) }
    }

    /// Records the next event, after `low` to `high` minutes of work.
    fn step(&mut self, low: i64, high: i64, act: Act) {
        self.at = after_work(self.at, self.dice.between(low, high));
        self.push(act);
    }

    fn push(&mut self, act: Act) {
        self.events.push(Event { at: self.at, dossier: Some(self.dossier), act });
    }
}
