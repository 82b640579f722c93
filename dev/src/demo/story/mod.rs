//! Six months of a maintenance company, made up before anything is written: what happens, when, and by whom. It ends with
//! the day before `today`; the same day gives the same story.

mod agenda;
mod life;
mod notices;

use chrono::{DateTime, Days, NaiveDate, Utc};
use erp_core::{
    equipements::StatutEquipement,
    interventions::{InterventionType, PrioriteIntervention, StatutIntervention},
    notifications::{CanalNotification, TypeNotification},
};

use super::{calendar, dice::Dice, machines, scenarios::Scenario};

/// How many interventions there are, whatever the day.
pub(super) const INTERVENTIONS: usize = 120;
/// How far back the story begins.
const DAYS: Days = Days::new(180);

#[derive(Debug)]
pub(super) struct Story {
    pub plannings: Vec<Planning>,
    /// In the order in which they were opened.
    pub dossiers: Vec<Dossier>,
    /// In the order of time.
    pub events: Vec<Event>,
}

/// The regular visits to one machine.
#[derive(Debug)]
pub(super) struct Planning {
    /// An index, like all references in a story.
    pub machine: usize,
    pub next: DateTime<Utc>,
    pub last: DateTime<Utc>,
    pub statut: &'static str,
    pub commentaire: Option<&'static str>,
}

/// What an intervention is about.
#[derive(Debug)]
pub(super) struct Dossier {
    pub machine: usize,
    pub scenario: &'static Scenario,
    /// The planning that opened it; `None` if a person did.
    pub planning: Option<usize>,
    pub titre: String,
    pub opened: DateTime<Utc>,
    pub limite: DateTime<Utc>,
    /// The responsable who looks after it.
    pub responsable: usize,
}

impl Dossier {
    /// Whether it must not wait.
    fn is_urgent(&self) -> bool {
        self.scenario.priorite == PrioriteIntervention::Urgente
    }
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub at: DateTime<Utc>,
    /// The dossier that it is about; `None` for a general notice.
    pub dossier: Option<usize>,
    pub act: Act,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Open { technicien: Option<usize> },
    Assign(Option<usize>),
    Move { to: StatutIntervention, remarque: &'static str, by: Who },
    Report(Report),
    Attach { file: Sample, by: Who },
    Tell { type_: TypeNotification, canal: CanalNotification, contenu: String, to: Who },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Responsable(usize),
    Technicien(usize),
}

/// What a responsable notes once the work is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    pub minutes: i64,
    /// Centimes.
    pub pieces: i64,
    /// Centimes.
    pub main_oeuvre: i64,
}

/// A file that someone attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sample {
    Photo(usize),
    Rapport,
    Bon,
    Releve,
    Pieces,
}

pub(super) fn tell(today: NaiveDate) -> Story {
    let mut dice = Dice::new(212);
    let plannings = agenda::plannings(today, &mut dice);
    let dossiers = agenda::dossiers(today, &plannings, &mut dice);
    let mut events = Vec::new();
    let mut newer = 0;
    for (dossier, facts) in dossiers.iter().enumerate().rev() {
        events.extend(life::live(dossier, facts, newer, &mut dice));
        newer += usize::from(!facts.is_urgent());
    }
    let midnight = calendar::at(today, 0);
    events.retain(|event| event.at < midnight);
    let mut story = Story { plannings, dossiers, events };
    story.events.extend(notices::of(&story, midnight));
    story.events.retain(|event| event.at < midnight);
    story.attach();
    // A stable sort: the events of one intervention keep their order.
    story.events.sort_by_key(|event| event.at);
    story
}

impl Story {
    fn events_of(&self, dossier: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.dossier == Some(dossier))
    }

    /// The state of an intervention at the end, and its technicien.
    pub fn outcome(&self, dossier: usize) -> (StatutIntervention, Option<usize>) {
        use StatutIntervention::{Affectee, EnCours, Ouverte};
        let start = (Ouverte, None);
        self.events_of(dossier).fold(start, |(statut, technicien), event| match event.act {
            Act::Open { technicien: Some(who) } => (Affectee, Some(who)),
            Act::Assign(Some(who)) if statut == Ouverte => (Affectee, Some(who)),
            Act::Assign(Some(who)) => (statut, Some(who)),
            Act::Assign(None) if statut == Affectee => (Ouverte, None),
            Act::Assign(None) => (statut, None),
            // A technicien who begins an unassigned intervention takes it.
            Act::Move { to: EnCours, by: Who::Technicien(who), .. } => {
                (EnCours, technicien.or(Some(who)))
            }
            Act::Move { to, .. } => (to, technicien),
            _ => (statut, technicien),
        })
    }

    /// The state of a machine, judged by its unfinished interventions.
    pub fn statut_of(&self, machine: usize) -> StatutEquipement {
        use StatutIntervention::{Affectee, EnAttente, EnCours};
        if machine == machines::RETIRED {
            return StatutEquipement::Retire;
        }
        let of_it = (0..self.dossiers.len()).filter(|d| self.dossiers[*d].machine == machine);
        let mut statut = StatutEquipement::Operationnel;
        for dossier in of_it {
            let scenario = self.dossiers[dossier].scenario;
            let (reached, _) = self.outcome(dossier);
            let begun = matches!(reached, EnCours | EnAttente);
            let known = begun || reached == Affectee;
            let stops = scenario.type_ == InterventionType::Corrective
                && match scenario.priorite {
                    PrioriteIntervention::Urgente => !reached.is_terminal(),
                    PrioriteIntervention::Haute => known,
                    _ => false,
                };
            if stops {
                return StatutEquipement::Panne;
            }
            if begun {
                statut = StatutEquipement::Maintenance;
            }
        }
        statut
    }

    /// Attaches photos to the latest works, and papers to the latest reports.
    fn attach(&mut self) {
        const PAPERS: [Sample; 6] = [
            Sample::Rapport,
            Sample::Releve,
            Sample::Bon,
            Sample::Rapport,
            Sample::Pieces,
            Sample::Bon,
        ];
        let (mut photos, mut papers) = ((0..6).map(Sample::Photo), PAPERS.into_iter());
        for dossier in (0..self.dossiers.len()).rev() {
            let mut found = Vec::new();
            for event in self.events_of(dossier) {
                let sample = match event.act {
                    Act::Move { to: StatutIntervention::EnCours, by, .. } => {
                        photos.next().map(|file| (file, by))
                    }
                    Act::Report(_) => papers
                        .next()
                        .map(|file| (file, Who::Responsable(self.dossiers[dossier].responsable))),
                    _ => None,
                };
                if let Some((file, by)) = sample {
                    let at = event.at + chrono::TimeDelta::seconds(37);
                    found.push(Event { at, dossier: Some(dossier), act: Act::Attach { file, by } });
                }
            }
            self.events.extend(found);
        }
    }
}
