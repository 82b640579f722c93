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
    use super::*;

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
