//! What each indicator is: its formula, where it comes from, and what is done where data are missing.
mod charge;
mod delais;
mod fiabilite;
mod preventif;

use super::{Entrees, Indicateur, Indicateurs, Periode, store::Mesures, types::round};
use crate::{Lang, Text};

/// Words in French and in English.
type Words = (&'static str, &'static str);

/// What is said of an indicator whatever its value.
#[derive(Debug, Clone, Copy)]
struct Definition {
    unite: Words,
    formule: Words,
    source: Words,
    donnees_manquantes: Words,
}

const HEURES: Words = ("heures", "hours");
const SEMAINES: Words = ("semaines", "weeks");
const POUR_CENT: Words = ("%", "%");

/// All of them, in the words of `lang`.
pub(super) fn all(mesures: &Mesures, periode: &Periode, lang: Lang) -> Indicateurs {
    let Mesures { service, arrets, correctives, visites, charge, travaux, delais, techniciens } =
        mesures;
    let [premiere_reponse_p50, premiere_reponse_p90] = delais::premiere_reponse(delais, lang);
    let [resolution_p50, resolution_p90] = delais::resolution(delais, lang);
    let all = Indicateurs {
        mtbf: fiabilite::mtbf(service, arrets, lang),
        mttr: fiabilite::mttr(correctives, lang),
        disponibilite: fiabilite::disponibilite(service, arrets, lang),
        conformite_preventif: preventif::conformite(visites, lang),
        backlog: charge::backlog(charge, *techniciens, lang),
        ratio_planifie: charge::ratio_planifie(travaux, lang),
        premiere_reponse_p50,
        premiere_reponse_p90,
        resolution_p50,
        resolution_p90,
    };
    if periode.is_empty() { all.of_the_future(lang) } else { all }
}

impl Definition {
    /// The indicator with this value, or the reason why there is none.
    fn with(self, valeur: Result<f64, Text>, entrees: Entrees, lang: Lang) -> Indicateur {
        let choose = |(fr, en): Words| lang.choose(fr, en);
        Indicateur {
            valeur: valeur.as_ref().ok().copied().map(round),
            unite: choose(self.unite),
            formule: choose(self.formule),
            source: choose(self.source),
            entrees,
            donnees_manquantes: choose(self.donnees_manquantes),
            raison: valeur.err().map(|text| text.in_lang(lang).to_owned()),
        }
    }
}

impl Indicateurs {
    /// These, of a period that has not begun: nothing is known of it.
    fn of_the_future(mut self, lang: Lang) -> Self {
        let raison = Text::new("La période n'a pas commencé.", "The period has not begun.");
        for one in [
            &mut self.mtbf,
            &mut self.mttr,
            &mut self.disponibilite,
            &mut self.conformite_preventif,
            &mut self.backlog,
            &mut self.ratio_planifie,
            &mut self.premiere_reponse_p50,
            &mut self.premiere_reponse_p90,
            &mut self.resolution_p50,
            &mut self.resolution_p90,
        ] {
            (one.valeur, one.raison) = (None, Some(raison.in_lang(lang).to_owned()));
        }
        self
    }
}

fn hours(seconds: f64) -> f64 {
    seconds / 3600.0
}

/// A count as a number to divide by. It is exact: there are fewer rows than 2^53.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn number(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/KPI.md` says what the answers say, word for word.
    #[test]
    fn those_in_charge_read_the_same_definitions() {
        let page = include_str!("../../../../docs/KPI.md");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let page = words(&page.replace('\u{a0}', " "));
        for definition in [
            fiabilite::MTBF,
            fiabilite::MTTR,
            fiabilite::DISPONIBILITE,
            preventif::CONFORMITE,
            charge::BACKLOG,
            charge::RATIO_PLANIFIE,
            delais::PREMIERE_REPONSE,
            delais::RESOLUTION,
        ] {
            let Definition { unite, formule, source, donnees_manquantes } = definition;
            for (fr, en) in [unite, formule, source, donnees_manquantes] {
                assert!(page.contains(fr), "docs/KPI.md does not say: {fr}");
                assert!(!en.is_empty());
            }
        }
    }

    #[test]
    fn nothing_is_known_of_nothing_and_each_says_why() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let day = |text: &str| Some(text.parse().unwrap());
        let of = |du, au| {
            let filter = crate::kpi::KpiFilter { client_id: None, equipement_id: None, du, au };
            let periode = Periode::of(&filter, now).unwrap();
            serde_json::to_value(all(&Mesures::default(), &periode, Lang::En)).unwrap()
        };
        for (name, one) in of(None, None).as_object().unwrap() {
            assert!(one["valeur"].is_null() && one["raison"].is_string(), "{name}: {one}");
        }
        for (name, one) in of(day("2027-01-01"), day("2027-01-31")).as_object().unwrap() {
            assert_eq!(one["raison"], "The period has not begun.", "{name}");
        }
    }
}
