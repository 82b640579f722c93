//! The words that depend on a value: labels of codes, counts with their plurals, dates in a
//! phrase. Both languages stand side by side, as in the templates.

use chrono::{DateTime, Utc};

use super::date::date_heure;
use crate::Lang;

/// The types of notifications, in the order in which a mail of several lists them: first what
/// asks the reader to do something.
pub(super) const TYPES: [&str; 6] =
    ["affectation", "retard", "alerte", "rappel", "cloture", "information"];

/// « 3 alertes »; each language gives its singular and its plural.
pub(super) fn count(n: i64, langue: Lang, fr: [&str; 2], en: [&str; 2]) -> String {
    // French uses the singular for zero, too.
    let single = langue.choose(n.abs() < 2, n == 1);
    let [one, many] = langue.choose(fr, en);
    format!("{n} {}", if single { one } else { many })
}

/// An unknown type is an information, as in [`super::Template::notification`].
pub(super) fn known_type(code: &str) -> &'static str {
    TYPES.into_iter().find(|known| *known == code).unwrap_or("information")
}

/// « 3 affectations ».
pub(super) fn count_of_type(n: i64, code: &str, langue: Lang) -> String {
    let (fr, en) = forms(code);
    count(n, langue, fr, en)
}

/// « Affectations ».
pub(super) fn heading_of_type(code: &str, langue: Lang) -> String {
    let (fr, en) = forms(code);
    let mut letters = langue.choose(fr, en)[1].chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn forms(code: &str) -> ([&'static str; 2], [&'static str; 2]) {
    match code {
        "affectation" => (["affectation", "affectations"], ["assignment", "assignments"]),
        "retard" => (["retard", "retards"], ["overdue", "overdue"]),
        "alerte" => (["alerte", "alertes"], ["alert", "alerts"]),
        "rappel" => (["rappel", "rappels"], ["reminder", "reminders"]),
        "cloture" => (["clôture", "clôtures"], ["closure", "closures"]),
        _ => (["information", "informations"], ["notice", "notices"]),
    }
}

/// The label of a priority; an unknown code is returned as it is.
pub(super) fn priorite(code: &str, langue: Lang) -> &str {
    match code {
        "urgente" => langue.choose("Urgente", "Urgent"),
        "haute" => langue.choose("Haute", "High"),
        "normale" => langue.choose("Normale", "Normal"),
        "basse" => langue.choose("Basse", "Low"),
        "programmee" => langue.choose("Programmée", "Scheduled"),
        other => other,
    }
}

/// « Pour le mardi 24 novembre 2026 à 09 h 30 ».
pub(super) fn echeance(instant: DateTime<Utc>, langue: Lang) -> String {
    format!("{} {}", langue.choose("Pour le", "Due"), date_heure(instant, langue))
}

/// « Prévue le mardi 24 novembre 2026 à 09 h 30 ».
pub(super) fn prevue(instant: DateTime<Utc>, langue: Lang) -> String {
    format!("{} {}", langue.choose("Prévue le", "Planned for"), date_heure(instant, langue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_their_nouns() {
        let visites = |n, langue| count(n, langue, ["visite", "visites"], ["visit", "visits"]);
        assert_eq!([0, 1, 2].map(|n| visites(n, Lang::Fr)), ["0 visite", "1 visite", "2 visites"]);
        assert_eq!([0, 1, 2].map(|n| visites(n, Lang::En)), ["0 visits", "1 visit", "2 visits"]);
        assert_eq!(count_of_type(2, "cloture", Lang::Fr), "2 clôtures");
        assert_eq!(heading_of_type("retard", Lang::En), "Overdue");
    }

    #[test]
    fn every_type_of_notification_has_its_place() {
        for code in crate::notifications::TypeNotification::TEXTS {
            assert_eq!(known_type(code), *code);
        }
        assert_eq!(known_type("inconnu"), "information");
    }

    #[test]
    fn every_priority_has_its_label() {
        for code in crate::interventions::PrioriteIntervention::TEXTS {
            assert_ne!(priorite(code, Lang::Fr), *code);
            assert_ne!(priorite(code, Lang::En), *code);
        }
    }
}
