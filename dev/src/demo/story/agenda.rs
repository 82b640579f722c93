//! When machines are visited, and what people request between the visits.

use chrono::{DateTime, Months, NaiveDate, Utc};
use erp_core::interventions::PrioriteIntervention as Priorite;

use super::{DAYS, Dossier, INTERVENTIONS, Planning};
use crate::demo::{
    calendar::{OPENS, at, workdays_after, workdays_before},
    dice::Dice,
    machines::{MACHINES, Machine, RETIRED},
    scenarios::{PAR_TELEPHONE, Scenario},
};

/// The machine whose visits are suspended.
const SUSPENDED: usize = 18;
/// When a visit is due, in minutes of its day (UTC).
const DUE: i64 = 8 * 60;

pub(super) fn plannings(today: NaiveDate, dice: &mut Dice) -> Vec<Planning> {
    let mut plannings = Vec::new();
    for (machine, facts) in MACHINES.iter().enumerate() {
        let months = facts.every.months();
        // The first one is due tomorrow, so that there is a visit to send a reminder of.
        let ahead = if machine == 0 { 1 } else { dice.between(1, i64::from(months) * 28) };
        let (ahead, statut, commentaire) = match machine {
            SUSPENDED => (
                -20,
                "suspendu",
                Some("Suspendu à la demande du client : chariot prêté à un autre site."),
            ),
            RETIRED => (-400, "termine", Some("Machine réformée.")),
            _ => (ahead, "actif", None),
        };
        let next = today + chrono::TimeDelta::days(ahead);
        let last = next - Months::new(months);
        let (next, last) = (at(next, DUE), at(last, DUE));
        plannings.push(Planning { machine, next, last, statut, commentaire });
    }
    plannings
}

/// Everything that is opened in the six months, in the order of time.
pub(super) fn dossiers(today: NaiveDate, plannings: &[Planning], dice: &mut Dice) -> Vec<Dossier> {
    let mut dossiers = visits(today, plannings, dice);
    let requests = INTERVENTIONS.saturating_sub(dossiers.len());
    dossiers.extend(self::requests(today, requests, dice));
    dossiers.sort_by_key(|dossier| dossier.opened);
    dossiers
}

/// The dossiers that the plannings have opened: one each time a visit was due.
fn visits(today: NaiveDate, plannings: &[Planning], dice: &mut Dice) -> Vec<Dossier> {
    let mut visits = Vec::new();
    for (index, planning) in plannings.iter().enumerate() {
        let facts = &MACHINES[planning.machine];
        if planning.statut != "actif" {
            continue;
        }
        let due = (1..).map(|n| planning.next.date_naive() - Months::new(n * facts.every.months()));
        for day in due.take_while(|day| *day >= today - DAYS) {
            let titre = format!("Maintenance préventive - {}", facts.nom);
            let opened = at(day, DUE);
            let dossier = dossier(planning.machine, &facts.kind.visit, titre, opened, dice);
            visits.push(Dossier { planning: Some(index), ..dossier });
        }
    }
    visits
}

/// The dossiers that people have requested: more of them lately, since the company grows.
fn requests(today: NaiveDate, number: usize, dice: &mut Dice) -> Vec<Dossier> {
    const LATELY: usize = 22;
    const BY_PHONE: [usize; 3] = [27, 41, 60];
    let mut wishes: Vec<(usize, &Machine, &'static Scenario)> = Vec::new();
    for (index, machine) in MACHINES.iter().enumerate().filter(|(index, _)| *index != RETIRED) {
        wishes.extend(machine.kind.others.iter().map(|scenario| (index, machine, scenario)));
    }
    (0..number)
        .map(|n| {
            let chosen = dice.between(0, i64::try_from(wishes.len()).unwrap_or(1) - 1);
            let (machine, _, scenario) = wishes.swap_remove(usize::try_from(chosen).unwrap_or(0));
            let back = if n < LATELY {
                1 + n * 11 / LATELY
            } else {
                12 + (n - LATELY) * 112 / (number - LATELY)
            };
            let opened = at(workdays_before(today, back), dice.between(OPENS, 12 * 60));
            let scenario = if BY_PHONE.contains(&n) { &PAR_TELEPHONE } else { scenario };
            dossier(machine, scenario, scenario.titre.to_owned(), opened, dice)
        })
        .collect()
}

fn dossier(
    machine: usize,
    scenario: &'static Scenario,
    titre: String,
    opened: DateTime<Utc>,
    dice: &mut Dice,
) -> Dossier {
    let days = match scenario.priorite {
        Priorite::Urgente => 2,
        Priorite::Haute => 4,
        Priorite::Normale => 10,
        Priorite::Basse => 25,
        Priorite::Programmee => 15,
    };
    let limite = at(workdays_after(opened.date_naive(), days), 16 * 60);
    let responsable = usize::from(dice.chance(40));
    Dossier { machine, scenario, planning: None, titre, opened, limite, responsable }
}
