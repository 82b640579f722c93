//! How much work is at hand, and how much of the work was planned.
use super::{Definition, POUR_CENT, SEMAINES, number};
use crate::{
    Lang, Text,
    kpi::{
        Entrees, Indicateur,
        store::{Charge, Travaux},
    },
};

/// Hours that a technicien works in a week: no calendar of theirs is kept, so the legal time of work.
const HEURES_SEMAINE: f64 = 44.0;

/// EN 15341 has no indicator in weeks; the practice (SMRP) divides the hours of the work at hand by those of the crew in a week.
pub(super) const BACKLOG: Definition = Definition {
    unite: SEMAINES,
    formule: (
        "(heures_estimees + heures_supposees) / (techniciens × heures_par_technicien)",
        "(heures_estimees + heures_supposees) / (techniciens × heures_par_technicien)",
    ),
    source: (
        "Pratique de la SMRP (backlog en semaines) ; 44 heures par semaine : Code du travail du Maroc, article 184",
        "Practice of the SMRP (backlog in weeks); 44 hours a week: Labour Code of Morocco, article 184",
    ),
    donnees_manquantes: (
        "Comptent les interventions ouvertes à la fin de la période, de leur durée estimée entière, car le reste à faire n'est pas saisi. Celles \
         qui n'ont pas d'estimation sont supposées durer la moyenne des autres ; si moins de la moitié en ont une, aucune valeur n'est donnée (null). \
         La capacité, absences non déduites, est celle de toute l'équipe, quels que soient le client et l'équipement demandés : les techniciens \
         actifs aujourd'hui, et ceux qui sont partis depuis la fin de la période ; la date d'arrivée n'est pas connue.",
        "Counted are the interventions open at the end of the period, with their whole estimated duration, since what remains is not recorded. \
         Those without an estimate are taken to last the mean of the others; if fewer than half have one, no value is given (null). The capacity, \
         absences not deducted, is that of the whole team, whichever client and equipment are asked for: the technicians active today, and \
         those who have left since the end of the period; the date on which they came is not known.",
    ),
};

/// EN 15341:2007, O5 (planned and scheduled man-hours), of the work that was done instead of the hours that were available.
pub(super) const RATIO_PLANIFIE: Definition = Definition {
    unite: POUR_CENT,
    formule: (
        "100 × heures_planifiees / heures ; si une durée manque, ou si toutes les durées sont nulles, 100 × planifiees / cloturees",
        "100 × heures_planifiees / heures; if a duration is missing, or all durations are zero, 100 × planifiees / cloturees",
    ),
    source: (
        "D'après EN 15341:2007, O5, sur le travail fait et non sur les heures disponibles",
        "After EN 15341:2007, O5, of the work done instead of the hours available",
    ),
    donnees_manquantes: (
        "Comptent les interventions clôturées dans la période. Sont planifiées les préventives, celles de priorité programmée et celles \
         d'un planning. La durée réelle est celle qui est saisie, ou le temps du début des travaux à la clôture ; sans l'un ni l'autre elle \
         manque. Le ratio est celui des nombres si une durée manque, et aussi si toutes les durées sont nulles.",
        "Counted are the interventions closed in the period. Planned are the preventive ones, those of the priority programmee and those of a \
         planning. The real duration is the one entered, or the time from the start of work to the closing; without either it is missing. \
         The ratio is that of the numbers if a duration is missing, and also if all durations are zero.",
    ),
};

pub(super) fn backlog(charge: &Charge, techniciens: i64, lang: Lang) -> Indicateur {
    let sans_estimation = charge.ouvertes - charge.estimees;
    let known = number(charge.minutes) / 60.0;
    let supposed = if charge.estimees > 0 { known / number(charge.estimees) } else { 0.0 }
        * number(sans_estimation);
    let valeur = if techniciens == 0 {
        Err(Text::new(
            "Aucun technicien actif : la capacité n'est pas connue.",
            "There is no active technician: the capacity is not known.",
        ))
    } else if sans_estimation > charge.estimees {
        Err(Text::new(
            "Moins de la moitié des interventions ouvertes ont une durée estimée : saisissez-la pour connaître le backlog.",
            "Fewer than half of the open interventions have an estimated duration: enter it to know the backlog.",
        ))
    } else {
        Ok((known + supposed) / (number(techniciens) * HEURES_SEMAINE))
    };
    let entrees = Entrees::default()
        .measure("heures_estimees", known)
        .measure("heures_supposees", supposed)
        .count("techniciens", techniciens)
        .measure("heures_par_technicien", HEURES_SEMAINE)
        .count("ouvertes_a_la_fin", charge.ouvertes)
        .count("sans_duree_estimee", sans_estimation);
    BACKLOG.with(valeur, entrees, lang)
}

pub(super) fn ratio_planifie(travaux: &Travaux, lang: Lang) -> Indicateur {
    let valeur = if travaux.cloturees == 0 {
        Err(Text::new(
            "Aucune intervention n'a été clôturée dans la période.",
            "No intervention was closed in the period.",
        ))
    } else if travaux.sans_duree == 0 && travaux.minutes > 0 {
        Ok(100.0 * number(travaux.minutes_planifiees) / number(travaux.minutes))
    } else {
        Ok(100.0 * number(travaux.planifiees) / number(travaux.cloturees))
    };
    let entrees = Entrees::default()
        .measure("heures_planifiees", number(travaux.minutes_planifiees) / 60.0)
        .measure("heures", number(travaux.minutes) / 60.0)
        .count("planifiees", travaux.planifiees)
        .count("cloturees", travaux.cloturees)
        .count("sans_duree_reelle", travaux.sans_duree);
    RATIO_PLANIFIE.with(valeur, entrees, lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_estimate_lasts_the_mean_of_the_rest_while_that_is_half() {
        let weeks = |ouvertes, estimees, minutes, techniciens| {
            backlog(&Charge { ouvertes, estimees, minutes }, techniciens, Lang::Fr).valeur
        };
        assert_eq!(weeks(2, 2, 44 * 60, 1), Some(1.0));
        assert_eq!(weeks(4, 2, 44 * 60, 1), Some(2.0), "half of them");
        assert_eq!(weeks(5, 2, 44 * 60, 1), None, "fewer");
        assert_eq!(weeks(2, 2, 44 * 60, 4), Some(0.25));
        assert_eq!(weeks(0, 0, 0, 3), Some(0.0), "nothing to do");
        assert_eq!(weeks(0, 0, 0, 0), None);
    }

    #[test]
    fn hours_count_where_all_are_known() {
        let ratio = |sans_duree, minutes, minutes_planifiees| {
            let travaux =
                Travaux { cloturees: 4, planifiees: 3, sans_duree, minutes, minutes_planifiees };
            ratio_planifie(&travaux, Lang::Fr).valeur
        };
        assert_eq!(ratio(0, 200, 30), Some(15.0));
        assert_eq!(ratio(1, 200, 30), Some(75.0));
        assert_eq!(ratio(0, 0, 0), Some(75.0), "all within a minute");
    }
}
