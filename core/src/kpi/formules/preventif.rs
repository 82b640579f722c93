//! Whether visits are held when they are due.
use super::{Definition, POUR_CENT, number};
use crate::{
    Lang, Text,
    kpi::{Entrees, Indicateur, store::Visites},
};

/// EN 15341:2007, O22 (work orders performed as scheduled), with the ten-percent rule of preventive maintenance for what is in time.
pub(super) const CONFORMITE: Definition = Definition {
    unite: POUR_CENT,
    formule: (
        "100 × tenues_dans_la_tolerance / visites_dues, à 10 % de la période près, et au moins un jour : un jour pour une visite \
         journalière ou hebdomadaire, 3 mensuelle, 9 trimestrielle, 18 semestrielle, 36 annuelle",
        "100 × tenues_dans_la_tolerance / visites_dues, within 10 % of the interval, and at least a day: a day for a daily or weekly \
         visit, 3 for a monthly, 9 for a quarterly, 18 for a half-yearly, 36 for a yearly one",
    ),
    source: (
        "EN 15341:2007, O22, et la règle des 10 % de la maintenance préventive",
        "EN 15341:2007, O22, and the 10 % rule of preventive maintenance",
    ),
    donnees_manquantes: (
        "Comptent les visites dont l'échéance est dans la période, selon la fréquence d'aujourd'hui de leur planning ; une visite tenue est \
         une visite clôturée, au jour près de l'heure du Maroc. Celle qui n'est pas tenue et a encore du temps ne compte pas encore ; celle que \
         son planning n'a pas ouverte compte comme due, sauf si sa machine est retirée ; celle qui a été ouverte compte, même si sa machine est \
         retirée depuis ; celle dont le planning est supprimé a un jour de tolérance ; une visite annulée, ou reprise sans date de clôture, ne \
         compte jamais. Les échéances d'un planning suspendu, ou sautées pour rattraper un retard, ne sont pas connues.",
        "Counted are the visits whose due date is in the period, by the present frequency of their planning; a visit is held when it is \
         closed, by the day of the clock in Morocco. One that was not held and has time left does not count yet; one that its planning has \
         not opened counts as due, unless its machine is retired; one that was opened counts, even if its machine was retired since; \
         one whose planning was removed has a day of tolerance; one that was cancelled, or imported without a date of closing, never counts. \
         Due dates of a suspended planning, or left out to make up for a delay, are not known.",
    ),
};

pub(super) fn conformite(visites: &Visites, lang: Lang) -> Indicateur {
    let valeur = match visites.jugees {
        0 => Err(Text::new(
            "Aucune visite de la période n'a encore été tenue, ni manquée.",
            "No visit of the period was held yet, or missed.",
        )),
        n => Ok(100.0 * number(visites.dans_la_tolerance) / number(n)),
    };
    let entrees = Entrees::default()
        .count("tenues_dans_la_tolerance", visites.dans_la_tolerance)
        .count("visites_dues", visites.jugees)
        .count("encore_dans_le_delai", visites.encore_dans_le_delai)
        .count("annulees", visites.annulees)
        .count("non_ouvertes", visites.non_ouvertes)
        .count("sans_planning", visites.sans_planning);
    CONFORMITE.with(valeur, entrees, lang)
}
