//! How soon somebody comes, and how soon it is done, for what nobody had planned. Time spent `en_attente` (of parts, of the client) does not
//! count.
use super::{Definition, HEURES, hours};
use crate::{
    Lang, Text,
    kpi::{Entrees, Indicateur, store::Delais},
};

/// The technicien at work and not the assignment, which a plan makes in advance: the SLA of an intervention has the assignment.
pub(super) const PREMIERE_REPONSE: Definition = Definition {
    unite: HEURES,
    formule: (
        "centile de (premier passage à en_cours - ouverture - temps en_attente d'ici là)",
        "percentile of (first en_cours - opening - time en_attente until then)",
    ),
    source: (
        "Pratique des contrats de service (délai de première réponse) ; centile continu : percentile_cont de SQL",
        "Practice of service contracts (time to first response); continuous percentile: percentile_cont of SQL",
    ),
    donnees_manquantes: (
        "Comptent les interventions non planifiées dont la première réponse est dans la période. Celle qui est clôturée sans être \
         passée à en_cours a sa réponse à la clôture ; celle qui l'attend encore à la fin ne compte pas. Une attente que \
         l'historique ne dit pas n'est pas déduite.",
        "Counted are the unplanned interventions whose first response is in the period. One that was closed without en_cours has its \
         response then; one that still waits for it at the end does not count. Waiting that the history does not tell of is not deducted.",
    ),
};

pub(super) const RESOLUTION: Definition = Definition {
    unite: HEURES,
    formule: (
        "centile de (clôture - ouverture - temps en_attente)",
        "percentile of (closing - opening - time en_attente)",
    ),
    source: (
        "Pratique des contrats de service (délai de résolution) ; centile continu : percentile_cont de SQL",
        "Practice of service contracts (time to resolution); continuous percentile: percentile_cont of SQL",
    ),
    donnees_manquantes: (
        "Comptent les interventions non planifiées clôturées dans la période ; celles qui sont encore ouvertes à la fin ne comptent pas. Une \
         attente que l'historique ne dit pas n'est pas déduite.",
        "Counted are the unplanned interventions closed in the period; those still open at its end are not. Waiting that the history does not \
         tell of is not deducted.",
    ),
};

/// The half and the nine tenths.
pub(super) fn premiere_reponse(delais: &Delais, lang: Lang) -> [Indicateur; 2] {
    let why = Text::new(
        "Aucune intervention non planifiée n'a eu sa première réponse dans la période.",
        "No unplanned intervention had its first response in the period.",
    );
    let entrees = Entrees::default()
        .count("reponses", delais.reponses)
        .measure("heures_attente_deduites", hours(delais.attente_reponse))
        .count("sans_reponse_a_la_fin", delais.sans_reponse);
    percentiles(PREMIERE_REPONSE, delais.reponse, &why, &entrees, lang)
}

/// The half and the nine tenths.
pub(super) fn resolution(delais: &Delais, lang: Lang) -> [Indicateur; 2] {
    let why = Text::new(
        "Aucune intervention non planifiée n'a été clôturée dans la période.",
        "No unplanned intervention was closed in the period.",
    );
    let entrees = Entrees::default()
        .count("resolutions", delais.resolutions)
        .measure("heures_attente_deduites", hours(delais.attente_resolution))
        .count("non_resolues_a_la_fin", delais.non_resolues);
    percentiles(RESOLUTION, delais.resolution, &why, &entrees, lang)
}

fn percentiles(
    definition: Definition,
    seconds: Option<[f64; 2]>,
    why: &Text,
    entrees: &Entrees,
    lang: Lang,
) -> [Indicateur; 2] {
    [(0, 50), (1, 90)].map(|(place, centile)| {
        let valeur = seconds.map(|both| hours(both[place])).ok_or_else(|| why.clone());
        definition.with(valeur, entrees.clone().count("centile", centile), lang)
    })
}
