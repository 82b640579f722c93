//! How soon somebody must take up an intervention (contract, section 7): a target by priority, counted from its creation
//! to its assignment. Time spent `en_attente` without a technicien does not count.
use chrono::{DateTime, TimeDelta, Utc};

use super::{Intervention, PrioriteIntervention, StatutIntervention};

/// The levels of escalation: how many times the target has passed when each is reached.
pub const NIVEAUX: [i32; 3] = [1, 2, 4];

/// The targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sla {
    pub urgente: TimeDelta,
    pub haute: TimeDelta,
    pub normale: TimeDelta,
    pub basse: TimeDelta,
}

impl Default for Sla {
    fn default() -> Self {
        Self {
            urgente: TimeDelta::hours(2),
            haute: TimeDelta::hours(24),
            normale: TimeDelta::hours(72),
            basse: TimeDelta::hours(168),
        }
    }
}

impl Sla {
    /// The target of an intervention; one that is flagged urgent is `urgente`, and what is planned (`programmee`) has none.
    #[must_use]
    pub fn target(&self, priorite: PrioriteIntervention, urgence: bool) -> Option<TimeDelta> {
        match priorite {
            _ if urgence => Some(self.urgente),
            PrioriteIntervention::Urgente => Some(self.urgente),
            PrioriteIntervention::Haute => Some(self.haute),
            PrioriteIntervention::Normale => Some(self.normale),
            PrioriteIntervention::Basse => Some(self.basse),
            PrioriteIntervention::Programmee => None,
        }
    }

    /// The level of escalation that is reached when `elapsed` of `target` has passed: 0 in time, then 1 to 3.
    #[must_use]
    pub fn niveau(elapsed: TimeDelta, target: TimeDelta) -> i16 {
        let reached = NIVEAUX.iter().filter(|&&times| elapsed >= target * times).count();
        i16::try_from(reached).unwrap_or(i16::MAX)
    }
}

impl Intervention {
    /// Stops or starts the response clock after a step of any kind.
    pub(super) fn keep_clock(&mut self, now: DateTime<Utc>) {
        let waits = self.statut == StatutIntervention::EnAttente && self.technicien_id.is_none();
        match (waits, self.attente_depuis) {
            (true, None) => self.attente_depuis = Some(now),
            (false, Some(since)) => {
                self.attente_secondes += (now - since).num_seconds().max(0);
                self.attente_depuis = None;
            }
            _ => {}
        }
    }

    /// How long the response clock has stood still.
    fn waited(&self, now: DateTime<Utc>) -> TimeDelta {
        let now_waiting = self.attente_depuis.map_or_else(TimeDelta::zero, |since| now - since);
        TimeDelta::seconds(self.attente_secondes) + now_waiting.max(TimeDelta::zero())
    }

    /// How much of the target has been used up at `now`.
    pub(super) fn elapsed(&self, now: DateTime<Utc>) -> TimeDelta {
        now - self.date_creation - self.waited(now)
    }

    /// Until when somebody must take it up.
    #[must_use]
    pub fn sla_echeance(&self, sla: &Sla, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let target = sla.target(self.priorite, self.urgence)?;
        Some(self.date_creation + target + self.waited(now))
    }

    /// Whether somebody took it up in time; unknown while there is time, and of what was called off unanswered.
    #[must_use]
    pub fn sla_respecte(&self, sla: &Sla, now: DateTime<Utc>) -> Option<bool> {
        let echeance = self.sla_echeance(sla, now)?;
        let answered = match self.technicien_id {
            Some(_) => self.date_affectation.or(self.date_debut_travaux),
            None => self.date_cloture,
        };
        match answered {
            Some(answered) => Some(answered <= echeance),
            None if self.statut.is_terminal() => None,
            None => (now > echeance).then_some(false),
        }
    }

    /// Whether nobody has taken it up yet.
    pub(super) fn is_unanswered(&self) -> bool {
        self.technicien_id.is_none() && !self.statut.is_terminal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn opened(priorite: PrioriteIntervention) -> Intervention {
        Intervention { priorite, date_creation: at(0), ..Intervention::sample() }
    }

    #[test]
    fn the_targets_are_those_of_the_contract() {
        use PrioriteIntervention::{Basse, Haute, Normale, Programmee, Urgente};
        let sla = Sla::default();
        let hours = |priorite, urgence| sla.target(priorite, urgence).map(|t| t.num_hours());
        assert_eq!(
            [Urgente, Haute, Normale, Basse, Programmee].map(|p| hours(p, false)),
            [Some(2), Some(24), Some(72), Some(168), None]
        );
        assert_eq!(hours(Basse, true), Some(2), "flagged urgent");
    }

    #[test]
    fn the_levels_come_at_once_twice_and_four_times_the_target() {
        let target = TimeDelta::hours(2);
        let niveau = |minutes| Sla::niveau(TimeDelta::minutes(minutes), target);
        assert_eq!([0, 119, 120, 239, 240, 479, 480, 9999].map(niveau), [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn waiting_without_a_technicien_stops_the_clock() {
        let sla = Sla::default();
        let mut one = opened(PrioriteIntervention::Haute);
        one.statut = StatutIntervention::EnAttente;
        one.keep_clock(at(10));
        assert_eq!(one.elapsed(at(20)), TimeDelta::hours(10));
        assert_eq!(one.sla_echeance(&sla, at(20)), Some(at(34)), "it moves on while it waits");
        one.statut = StatutIntervention::EnCours;
        one.keep_clock(at(30));
        assert_eq!((one.attente_depuis, one.attente_secondes), (None, 20 * 3600));
        assert_eq!(one.sla_echeance(&sla, at(99)), Some(at(44)));
        assert_eq!(one.sla_respecte(&sla, at(44)), None);
        assert_eq!(one.sla_respecte(&sla, at(45)), Some(false));
        one.technicien_id = Some(1);
        one.date_affectation = Some(at(43));
        assert_eq!(one.sla_respecte(&sla, at(99)), Some(true));
    }

    #[test]
    fn what_is_closed_by_nobody_was_answered_when_it_was_closed() {
        let sla = Sla::default();
        let mut one = opened(PrioriteIntervention::Urgente);
        one.statut = StatutIntervention::Cloturee;
        one.date_cloture = Some(at(2));
        assert_eq!(one.sla_respecte(&sla, at(9)), Some(true));
        one.date_cloture = Some(at(3));
        assert_eq!(one.sla_respecte(&sla, at(9)), Some(false));
        one.statut = StatutIntervention::Annulee;
        one.date_cloture = None;
        assert_eq!(one.sla_respecte(&sla, at(9)), None);
        assert_eq!(opened(PrioriteIntervention::Programmee).sla_respecte(&sla, at(999)), None);
    }
}
