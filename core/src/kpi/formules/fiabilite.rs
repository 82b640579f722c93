//! How often machines fail, how long they stand still, and how much of their time they are available.
use super::{Definition, HEURES, POUR_CENT, hours, number};
use crate::{
    Lang, Text,
    kpi::{
        Entrees, Indicateur,
        store::{Arrets, Correctives, Service},
    },
};

/// EN 15341:2007, T17. A failure is the event by which a machine loses the ability to perform (EN 13306): here each corrective intervention
/// that is opened. Of the required time only the calendar is known, so machines count day and night.
pub(super) const MTBF: Definition = Definition {
    unite: HEURES,
    formule: (
        "(heures_en_service - heures_arret) / defaillances",
        "(heures_en_service - heures_arret) / defaillances",
    ),
    source: ("EN 15341:2007, T17 ; termes de EN 13306", "EN 15341:2007, T17; terms of EN 13306"),
    donnees_manquantes: MACHINES,
};

/// EN 15341:2007, T21: the time to restoration, from the notice of the failure (the opening) until the end, with the time for parts and
/// people to come, since the machine stands still then too.
pub(super) const MTTR: Definition = Definition {
    unite: HEURES,
    formule: ("heures_de_remise_en_etat / cloturees", "heures_de_remise_en_etat / cloturees"),
    source: ("EN 15341:2007, T21 ; termes de EN 13306", "EN 15341:2007, T21; terms of EN 13306"),
    donnees_manquantes: (
        "Comptent les correctives clôturées dans la période, de leur ouverture à leur clôture, attentes comprises ; celles qui \
         sont encore ouvertes à la fin ne comptent pas. Une intervention annulée, ou reprise sans date de clôture, ne compte jamais.",
        "Counted are the corrective interventions closed in the period, from their opening to their closing, waiting included; those \
         still open at its end are not. One that was cancelled, or imported without a date of closing, never counts.",
    ),
};

/// EN 15341:2007, T6: only failures take availability away. Whether preventive work stops a machine is not recorded.
pub(super) const DISPONIBILITE: Definition = Definition {
    unite: POUR_CENT,
    formule: (
        "100 × (heures_en_service - heures_arret) / heures_en_service",
        "100 × (heures_en_service - heures_arret) / heures_en_service",
    ),
    source: (
        "EN 15341:2007, T6 (arrêts liés aux défaillances) ; termes de EN 13306",
        "EN 15341:2007, T6 (downtime related to failures); terms of EN 13306",
    ),
    donnees_manquantes: MACHINES,
};

const MACHINES: (&str, &str) = (
    "Une machine est en service jour et nuit, depuis sa date d'acquisition, ou toute la période si elle n'en a pas ; une machine retirée ne \
     compte pas, ni ses défaillances, car la date de son retrait n'est pas connue. Chaque corrective ouverte est une défaillance ; elle arrête \
     la machine de son ouverture à sa clôture, ou à la fin de la période si elle est encore ouverte ; deux à la fois sur une machine sont un \
     seul arrêt. Une intervention annulée, ou reprise sans date de clôture, ne compte jamais.",
    "A machine is in service day and night, from its date of acquisition, or all the period if it has none; a retired machine does not count, \
     nor do its failures, since the date of its retirement is not known. Each corrective intervention that is opened is a failure; it stops \
     the machine from its opening to its closing, or to the end of the period if it is still open; two at a time on one machine are one \
     stop. One that was cancelled, or imported without a date of closing, never counts.",
);

pub(super) fn mtbf(service: &Service, arrets: &Arrets, lang: Lang) -> Indicateur {
    let valeur = in_service(service).and_then(|seconds| match arrets.defaillances {
        0 => Err(Text::new(
            "Aucune défaillance dans la période : le temps moyen entre deux n'est pas connu.",
            "There was no failure in the period: the mean time between two is not known.",
        )),
        n => Ok(hours(seconds - arrets.secondes) / number(n)),
    });
    let entrees = machines(service, arrets).count("defaillances", arrets.defaillances);
    MTBF.with(valeur, entrees, lang)
}

pub(super) fn mttr(correctives: &Correctives, lang: Lang) -> Indicateur {
    let valeur = match correctives.cloturees {
        0 => Err(Text::new(
            "Aucune intervention corrective n'a été clôturée dans la période.",
            "No corrective intervention was closed in the period.",
        )),
        n => Ok(hours(correctives.secondes) / number(n)),
    };
    let entrees = Entrees::default()
        .measure("heures_de_remise_en_etat", hours(correctives.secondes))
        .count("cloturees", correctives.cloturees)
        .count("encore_ouvertes_a_la_fin", correctives.encore_ouvertes);
    MTTR.with(valeur, entrees, lang)
}

pub(super) fn disponibilite(service: &Service, arrets: &Arrets, lang: Lang) -> Indicateur {
    let valeur = in_service(service).map(|seconds| 100.0 * (seconds - arrets.secondes) / seconds);
    DISPONIBILITE.with(valeur, machines(service, arrets), lang)
}

/// The seconds that machines were in service.
fn in_service(service: &Service) -> Result<f64, Text> {
    if service.secondes > 0.0 {
        return Ok(service.secondes);
    }
    Err(if service.retires > 0 {
        Text::new(
            "Aucun équipement n'était en service dans la période, hors ceux qui sont retirés : la date de leur retrait n'est pas connue.",
            "No equipment was in service in the period but for those that are retired: the date of their retirement is not known.",
        )
    } else {
        Text::new(
            "Aucun équipement n'était en service dans la période.",
            "No equipment was in service in the period.",
        )
    })
}

fn machines(service: &Service, arrets: &Arrets) -> Entrees {
    Entrees::default()
        .measure("heures_en_service", hours(service.secondes))
        .measure("heures_arret", hours(arrets.secondes))
        .count("equipements_en_service", service.equipements)
        .count("equipements_sans_date_acquisition", service.sans_date_acquisition)
        .count("equipements_retires", service.retires)
}
