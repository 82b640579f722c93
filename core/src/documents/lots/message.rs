//! The notification about a lot whose files have all been processed.
use super::Lot;
use crate::Text;

/// « 40 photos prêtes, 1 refusée. » `None` when nothing was uploaded, or all of it was removed.
pub(super) fn of(lot: &Lot) -> Option<Text> {
    if lot.prets + lot.refuses == 0 {
        return None;
    }
    let fr = Words { noun: if lot.images { "photo" } else { "fichier" }, feminine: lot.images };
    let en = if lot.images { "photo" } else { "file" };
    let (prets, refuses) = (lot.prets, lot.refuses);
    let again = match refuses {
        1 => (
            if lot.images {
                " Renvoyez-la : le motif du refus est indiqué dans les documents de l'intervention."
            } else {
                " Renvoyez-le : le motif du refus est indiqué dans les documents de l'intervention."
            },
            " Send it again: the documents of the intervention say why it was refused.",
        ),
        _ => (
            " Renvoyez-les : les motifs du refus sont indiqués dans les documents de l'intervention.",
            " Send them again: the documents of the intervention say why they were refused.",
        ),
    };
    Some(match (prets, refuses) {
        (prets, 0) => Text::new(
            format!("{} {}.", fr.count(prets), fr.agree("prêt", prets)),
            format!("{prets} {en}{} ready.", s(prets)),
        ),
        (0, refuses) => Text::new(
            format!("{} {}.{}", fr.count(refuses), fr.agree("refusé", refuses), again.0),
            format!("{refuses} {en}{} refused.{}", s(refuses), again.1),
        ),
        (prets, refuses) => Text::new(
            format!(
                "{} {}, {refuses} {}.{}",
                fr.count(prets),
                fr.agree("prêt", prets),
                fr.agree("refusé", refuses),
                again.0
            ),
            format!("{prets} {en}{} ready, {refuses} refused.{}", s(prets), again.1),
        ),
    })
}

/// A French noun, and whether it is feminine.
struct Words {
    noun: &'static str,
    feminine: bool,
}

impl Words {
    fn count(&self, n: i64) -> String {
        format!("{n} {}{}", self.noun, s(n))
    }

    fn agree(&self, adjective: &str, n: i64) -> String {
        format!("{adjective}{}{}", if self.feminine { "e" } else { "" }, s(n))
    }
}

fn s(n: i64) -> &'static str {
    if n > 1 { "s" } else { "" }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn said(prets: i64, refuses: i64, images: bool) -> Option<(String, String)> {
        let lot = Lot {
            id: 1,
            intervention_id: 1,
            ouvert_par: None,
            ouvert_le: DateTime::UNIX_EPOCH,
            ferme_le: None,
            attente: String::new(),
            prets,
            refuses,
            en_cours: 0,
            images,
        };
        of(&lot).map(|text| (text.fr, text.en))
    }

    #[test]
    fn what_is_said_agrees_with_its_numbers() {
        let fr = |prets, refuses, images| said(prets, refuses, images).map(|(fr, _)| fr);
        assert_eq!(fr(0, 0, true), None);
        assert_eq!(fr(40, 0, true).unwrap(), "40 photos prêtes.");
        assert_eq!(fr(1, 0, false).unwrap(), "1 fichier prêt.");
        assert_eq!(
            fr(40, 1, true).unwrap(),
            "40 photos prêtes, 1 refusée. Renvoyez-la : le motif du refus est indiqué dans les documents de l'intervention."
        );
        assert_eq!(
            fr(1, 2, false).unwrap(),
            "1 fichier prêt, 2 refusés. Renvoyez-les : les motifs du refus sont indiqués dans les documents de l'intervention."
        );
        assert_eq!(
            said(0, 1, false).unwrap(),
            (
                "1 fichier refusé. Renvoyez-le : le motif du refus est indiqué dans les documents de l'intervention.".to_owned(),
                "1 file refused. Send it again: the documents of the intervention say why it was refused.".to_owned(),
            )
        );
    }
}
