//! The life of an intervention: which step may follow which (contract, section 4).
use crate::{Code, Error, enumeration, enumeration_field};

enumeration! {
    StatutIntervention {
        Ouverte = "ouverte",
        Affectee = "affectee",
        EnCours = "en_cours",
        EnAttente = "en_attente",
        Cloturee = "cloturee",
        Annulee = "annulee",
        Archivee = "archivee",
    }
}
enumeration_field!(StatutIntervention);

use StatutIntervention::{Affectee, Annulee, Archivee, Cloturee, EnAttente, EnCours, Ouverte};

impl StatutIntervention {
    /// Whether the work is over, one way or another.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Cloturee | Annulee | Archivee)
    }

    /// `Ok` when `next` may follow; otherwise 409, or 400 for another status once the work is over.
    pub fn may_become(self, next: Self) -> Result<(), Error> {
        match (self, next) {
            (Ouverte, Affectee | EnCours)
            | (Affectee, EnCours | Ouverte)
            | (EnCours, EnAttente)
            | (EnAttente, EnCours)
            | (Ouverte | Affectee | EnCours | EnAttente, Cloturee | Annulee)
            | (Cloturee, Archivee) => Ok(()),
            (from, to) if from == to => Err(Error::conflict(
                Code::TransitionInterdite,
                format!("L'intervention est déjà au statut « {to} »."),
                format!("The intervention already has the status \"{to}\"."),
            )),
            (from, _) if from.is_terminal() => Err(Error::refused(
                Code::InterventionTerminee,
                format!(
                    "L'intervention est terminée (« {from} ») : ouvrez-en une nouvelle si le travail reprend."
                ),
                format!("The intervention is over (\"{from}\"): open a new one if work resumes."),
            )),
            (from, to) => Err(Error::conflict(
                Code::TransitionInterdite,
                format!("Une intervention « {from} » ne peut pas passer à « {to} »."),
                format!("An intervention cannot go from \"{from}\" to \"{to}\"."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::sources::files;

    /// SQL spells the list out, where the planner can match it with the indexes. A list that misses a status would leave
    /// interventions out of a digest, a deadline or a count, and nothing else would tell.
    #[test]
    fn sql_lists_the_statuses_that_are_not_terminal() {
        let quoted = |statuts: &[&str]| format!("('{}')", statuts.join("', '"));
        let is_open = |text: &&&str| !StatutIntervention::from_text(text).unwrap().is_terminal();
        let open: Vec<_> = StatutIntervention::TEXTS.iter().filter(is_open).copied().collect();
        // Interventions that nobody has taken up: the response clock stands still while one is `en_attente`.
        let running: Vec<_> = open.iter().copied().filter(|text| *text != "en_attente").collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut lists, mut exceptions) = (0, Vec::new());
        for file in files(&root, ".rs") {
            let source = fs::read_to_string(&file).unwrap();
            for rest in source.split("in ('ouverte").skip(1) {
                let list = format!("('ouverte{}", &rest[..=rest.find(')').unwrap()]);
                let within = file.strip_prefix(&root).unwrap();
                if list == quoted(&running) {
                    exceptions.push(within.display().to_string().replace('\\', "/"));
                } else if rest.starts_with('\'') {
                    assert_eq!(list, quoted(&open), "{}", within.display());
                    lists += 1;
                }
            }
        }
        assert_eq!(exceptions, ["interventions/alertes/store.rs"]);
        assert!(lists > 10, "only {lists} lists were found: does this test still see them?");
    }

    /// Every pair, against a second copy of the contract's diagram.
    #[test]
    fn the_state_machine_is_that_of_the_contract() {
        let allowed = [
            "ouverte affectee",
            "ouverte en_cours",
            "ouverte cloturee",
            "ouverte annulee",
            "affectee en_cours",
            "affectee ouverte",
            "affectee cloturee",
            "affectee annulee",
            "en_cours en_attente",
            "en_cours cloturee",
            "en_cours annulee",
            "en_attente en_cours",
            "en_attente cloturee",
            "en_attente annulee",
            "cloturee archivee",
        ];
        for from in StatutIntervention::TEXTS {
            for to in StatutIntervention::TEXTS {
                let (f, t) = (
                    StatutIntervention::from_text(from).unwrap(),
                    StatutIntervention::from_text(to).unwrap(),
                );
                let code = match f.may_become(t) {
                    Ok(()) => "ok",
                    Err(Error::Refused { code, .. } | Error::Conflict { code, .. }) => {
                        code.as_str()
                    }
                    Err(other) => panic!("{other}"),
                };
                let expected = if allowed.contains(&format!("{from} {to}").as_str()) {
                    "ok"
                } else if from != to && ["cloturee", "annulee", "archivee"].contains(from) {
                    "intervention_terminee"
                } else {
                    "transition_interdite"
                };
                assert_eq!(code, expected, "{from} -> {to}");
            }
        }
    }
}
