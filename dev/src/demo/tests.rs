//! A story is consistent, whatever its day.

use std::collections::{HashMap, HashSet};

use chrono::{NaiveDate, Timelike as _};
use erp_core::{
    equipements::StatutEquipement,
    interventions::{InterventionType, PrioriteIntervention, StatutIntervention},
};

use super::{
    calendar::{CLOSES, OPENS, at, is_workday},
    machines::{MACHINES, RETIRED},
    people::{CLIENTS, SKILLS, TECHNICIENS, everyone},
    story::{Act, INTERVENTIONS, Sample, Story, tell},
};

/// Days of a year and a half, of every weekday, at the ends of months and among holidays.
fn days() -> impl Iterator<Item = NaiveDate> {
    let first = NaiveDate::from_ymd_opt(2026, 8, 1).unwrap();
    first.iter_days().step_by(11).take(50)
}

fn each(check: impl Fn(NaiveDate, &Story)) {
    days().for_each(|today| check(today, &tell(today)));
}

#[test]
fn the_same_day_tells_the_same_story() {
    let [one, other] = [0, 1].map(|_| format!("{:?}", tell(days().next().unwrap())));
    assert_eq!(one, other);
}

#[test]
fn there_is_something_of_everything() {
    each(|today, story| {
        assert_eq!(story.dossiers.len(), INTERVENTIONS, "{today}");
        let mut reached: HashMap<StatutIntervention, usize> = HashMap::new();
        for dossier in 0..INTERVENTIONS {
            *reached.entry(story.outcome(dossier).0).or_default() += 1;
        }
        for (statut, least) in StatutIntervention::TEXTS.iter().zip([4, 4, 3, 2, 15, 2, 25]) {
            let number = reached.get(&StatutIntervention::from_text(statut).unwrap());
            assert!(number.is_some_and(|n| *n >= least), "{today}: {statut} {number:?}");
        }
        let types: HashSet<InterventionType> =
            story.dossiers.iter().map(|dossier| dossier.scenario.type_).collect();
        let priorites: HashSet<PrioriteIntervention> =
            story.dossiers.iter().map(|dossier| dossier.scenario.priorite).collect();
        assert_eq!((types.len(), priorites.len()), (4, 5), "{today}");
        let statuts: Vec<StatutEquipement> =
            (0..MACHINES.len()).map(|machine| story.statut_of(machine)).collect();
        for (statut, least) in StatutEquipement::TEXTS.iter().zip([10, 1, 1, 1]) {
            let number = statuts.iter().filter(|found| found.as_str() == *statut).count();
            assert!(number >= least, "{today}: {number} {statut}");
        }
    });
}

#[test]
fn some_but_not_all_unfinished_work_is_late() {
    each(|today, story| {
        let open = (0..INTERVENTIONS).filter(|d| !story.outcome(*d).0.is_terminal());
        let open: Vec<usize> = open.collect();
        let late = open.iter().filter(|d| story.dossiers[**d].limite < at(today, 0)).count();
        assert!(
            (2..=12).contains(&late) && late < open.len() / 2,
            "{today}: {late} of {}",
            open.len()
        );
    });
}

#[test]
fn twelve_files_are_attached_and_each_photo_once() {
    each(|today, story| {
        let attached = story.events.iter().filter_map(|event| match event.act {
            Act::Attach { file, .. } => Some(file),
            _ => None,
        });
        let attached: Vec<Sample> = attached.collect();
        assert_eq!(attached.len(), 12, "{today}");
        for photo in (0..6).map(Sample::Photo) {
            assert_eq!(attached.iter().filter(|file| **file == photo).count(), 1, "{today}");
        }
    });
}

#[test]
fn people_step_at_work_in_order_and_before_today() {
    each(|today, story| {
        assert!(story.events.is_sorted_by_key(|event| event.at));
        assert!(story.events.last().unwrap().at < at(today, 0));
        assert!(story.dossiers.is_sorted_by_key(|dossier| dossier.opened));
        for event in &story.events {
            if let Act::Move { .. } | Act::Report(_) | Act::Assign(_) = event.act {
                let minute = i64::from(event.at.time().num_seconds_from_midnight()) / 60;
                assert!(is_workday(event.at.date_naive()), "{event:?}");
                assert!((OPENS..=CLOSES).contains(&minute), "{event:?}");
            }
        }
        for planning in story.plannings.iter().filter(|planning| planning.statut == "actif") {
            assert!(planning.next > at(today, 24 * 60) && planning.last < at(today, 0));
        }
    });
}

#[test]
fn the_tables_agree_with_each_other() {
    let unique = |names: Vec<&str>| names.iter().collect::<HashSet<_>>().len() == names.len();
    assert!(unique(MACHINES.iter().map(|machine| machine.nom).collect()));
    assert!(unique(everyone().map(|person| person.username).collect()));
    assert!(unique(everyone().map(|person| person.email).collect()));
    for machine in &MACHINES[..RETIRED] {
        let able = TECHNICIENS.iter().filter(|technicien| technicien.team == machine.team);
        let able = able.filter(|technicien| technicien.skills.contains(&machine.kind.skill));
        assert!(machine.client < CLIENTS.len() && able.count() > 0, "{}", machine.nom);
        assert!(machine.kind.skill < SKILLS.len());
    }
    assert!(MACHINES[RETIRED].nom.contains("réformé"));
}
