//! How soon a technicien must take up an intervention (contract, section 7): a target by priority, counted from its creation
//! until a technicien first has it or it is closed. Time spent `en_attente` does not count, nor, if it is unassigned again, the
//! time in which a technicien had it.
use chrono::{DateTime, TimeDelta, Utc};

use super::{Intervention, PrioriteIntervention, StatutIntervention};
use crate::config::Sla;

/// The levels of escalation: each is reached when so many times the target has passed.
pub const NIVEAUX: [i32; 3] = [1, 2, 4];

/// The target of an intervention: that of `urgente` if it is flagged urgent, otherwise by its priority; `programmee` has none.
#[must_use]
pub fn target(sla: &Sla, priorite: PrioriteIntervention, urgence: bool) -> Option<TimeDelta> {
    match priorite {
        _ if urgence => Some(sla.urgente),
        PrioriteIntervention::Urgente => Some(sla.urgente),
        PrioriteIntervention::Haute => Some(sla.haute),
        PrioriteIntervention::Normale => Some(sla.normale),
        PrioriteIntervention::Basse => Some(sla.basse),
        PrioriteIntervention::Programmee => None,
    }
}

/// The level of escalation after `elapsed`: 0 before `target`, then 1 to 3.
#[must_use]
pub fn niveau(elapsed: TimeDelta, target: TimeDelta) -> i16 {
    let reached = NIVEAUX.iter().filter(|&&times| elapsed >= target * times).count();
    i16::try_from(reached).unwrap_or(i16::MAX)
}

impl Intervention {
    /// Whether the response clock stands still: a technicien has the intervention, it is `en_attente`, or it is over.
    fn stands_still(&self) -> bool {
        self.technicien_id.is_some()
            || self.statut == StatutIntervention::EnAttente
            || self.statut.is_terminal()
    }

    /// Stops or starts the response clock after a step that changed `old` into this, and records what the clock shows when the
    /// intervention is first taken up or closed.
    pub(super) fn keep_clock(&mut self, old: &Self, now: DateTime<Utc>) {
        // The clock stood still already before this column existed.
        let since = match self.attente_depuis {
            None if old.stands_still() => Some(old.date_affectation.unwrap_or(now)),
            since => since,
        };
        if self.prise_en_charge_le.is_none()
            && (self.technicien_id.is_some() || self.statut == StatutIntervention::Cloturee)
        {
            self.attente_depuis = since;
            self.prise_en_charge_secondes = Some(self.elapsed(now).num_seconds().max(0));
            self.prise_en_charge_le = Some(now);
        }
        self.attente_depuis = match (self.stands_still(), since) {
            (true, since) => since.or(Some(now)),
            (false, Some(since)) => {
                self.attente_secondes += (now - since).num_seconds().max(0);
                None
            }
            (false, None) => None,
        };
    }

    /// What the response clock shows: the time since the creation, without the time in which the clock stood still.
    pub(super) fn elapsed(&self, now: DateTime<Utc>) -> TimeDelta {
        let still = self.attente_depuis.map_or_else(TimeDelta::zero, |since| now - since);
        let stood = TimeDelta::seconds(self.attente_secondes) + still.max(TimeDelta::zero());
        now - self.date_creation - stood
    }

    /// When the intervention was first taken up, and what the clock showed then.
    fn answer(&self) -> Option<(DateTime<Utc>, TimeDelta)> {
        if let (Some(at), Some(seconds)) = (self.prise_en_charge_le, self.prise_en_charge_secondes)
        {
            return Some((at, TimeDelta::seconds(seconds)));
        }
        // A row from before the response clock existed.
        let at = match self.technicien_id {
            Some(_) => self.date_affectation.or(self.date_debut_travaux),
            None => self.date_cloture,
        };
        at.map(|at| (at, at - self.date_creation))
    }

    /// The time by which a technicien must take the intervention up, or had to.
    #[must_use]
    pub fn sla_echeance(&self, sla: &Sla, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let target = target(sla, self.priorite, self.urgence)?;
        let (at, elapsed) = self.answer().unwrap_or_else(|| (now, self.elapsed(now)));
        Some(at + (target - elapsed))
    }

    /// Whether the intervention was taken up in time. `None` without a target, while there is time left, and when it was called
    /// off before anybody took it up.
    #[must_use]
    pub fn sla_respecte(&self, sla: &Sla, now: DateTime<Utc>) -> Option<bool> {
        let target = target(sla, self.priorite, self.urgence)?;
        match self.answer() {
            Some((_, elapsed)) => Some(elapsed <= target),
            None if self.statut.is_terminal() => None,
            None => (self.elapsed(now) > target).then_some(false),
        }
    }

    /// Whether nobody has the intervention, and it is not over.
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
        let hours = |priorite, urgence| target(&sla, priorite, urgence).map(|t| t.num_hours());
        assert_eq!(
            [Urgente, Haute, Normale, Basse, Programmee].map(|p| hours(p, false)),
            [Some(2), Some(24), Some(72), Some(168), None]
        );
        assert_eq!(hours(Basse, true), Some(2), "flagged urgent");
    }

    #[test]
    fn the_levels_come_at_once_twice_and_four_times_the_target() {
        let target = TimeDelta::hours(2);
        let after = |minutes| niveau(TimeDelta::minutes(minutes), target);
        assert_eq!([0, 119, 120, 239, 240, 479, 480, 9999].map(after), [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    /// Applies `change` to `one` at hour `hours`.
    fn step(one: &mut Intervention, hours: i64, change: impl FnOnce(&mut Intervention)) {
        let old = one.clone();
        change(one);
        one.keep_clock(&old, at(hours));
    }

    #[test]
    fn waiting_stops_the_clock() {
        let sla = Sla::default();
        let mut one = opened(PrioriteIntervention::Haute);
        step(&mut one, 10, |one| one.statut = StatutIntervention::EnAttente);
        assert_eq!(one.elapsed(at(20)), TimeDelta::hours(10));
        assert_eq!(one.sla_echeance(&sla, at(20)), Some(at(34)), "it moves on while it waits");
        step(&mut one, 30, |one| one.statut = StatutIntervention::EnCours);
        assert_eq!((one.attente_depuis, one.attente_secondes), (None, 20 * 3600));
        assert_eq!(one.sla_echeance(&sla, at(99)), Some(at(44)));
        assert_eq!(one.sla_respecte(&sla, at(44)), None);
        assert_eq!(one.sla_respecte(&sla, at(45)), Some(false));
        step(&mut one, 43, |one| one.technicien_id = Some(1));
        assert_eq!(one.sla_respecte(&sla, at(99)), Some(true));
        assert_eq!(one.sla_echeance(&sla, at(99)), Some(at(44)), "and stays there");
    }

    #[test]
    fn another_technicien_changes_nothing_and_none_starts_the_clock_again() {
        let sla = Sla::default();
        let mut one = opened(PrioriteIntervention::Urgente);
        step(&mut one, 1, |one| one.technicien_id = Some(1));
        step(&mut one, 30, |one| one.technicien_id = Some(2));
        assert_eq!(one.sla_respecte(&sla, at(99)), Some(true));
        step(&mut one, 500, |one| one.technicien_id = None);
        assert_eq!(one.elapsed(at(500)), TimeDelta::hours(1), "nobody had it for an hour");
        assert_eq!(one.elapsed(at(501)), TimeDelta::hours(2));
        assert_eq!(one.sla_respecte(&sla, at(999)), Some(true), "once and for all");
    }

    #[test]
    fn what_was_assigned_before_there_was_a_clock_is_not_held_against_anybody() {
        let mut one = opened(PrioriteIntervention::Haute);
        one.technicien_id = Some(1);
        one.date_affectation = Some(at(3));
        assert_eq!(one.sla_respecte(&Sla::default(), at(99)), Some(true));
        step(&mut one, 900, |one| {
            one.technicien_id = None;
            one.date_affectation = None;
        });
        assert_eq!(one.elapsed(at(900)), TimeDelta::hours(3));
    }

    #[test]
    fn what_is_closed_by_nobody_was_answered_when_it_was_closed() {
        let sla = Sla::default();
        for (hours, in_time) in [(2, true), (3, false)] {
            let mut one = opened(PrioriteIntervention::Urgente);
            step(&mut one, hours, |one| one.statut = StatutIntervention::Cloturee);
            assert_eq!(one.sla_respecte(&sla, at(9)), Some(in_time));
        }
        let mut off = opened(PrioriteIntervention::Urgente);
        step(&mut off, 9, |one| one.statut = StatutIntervention::Annulee);
        assert_eq!(off.sla_respecte(&sla, at(99)), None);
        let planned = opened(PrioriteIntervention::Programmee);
        assert_eq!(planned.sla_respecte(&sla, at(999)), None);
    }
}
