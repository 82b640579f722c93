//! A cell of a report: what a column says of a row.
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use super::{Colonne, Genre, mots::mot};
use crate::{Lang, local};

/// The value of a cell, with its type: a spreadsheet counts with numbers and dates, not with texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cellule {
    Vide,
    Texte(String),
    Entier(i64),
    /// Centimes of MAD.
    Montant(i64),
    /// On the clocks of Morocco.
    Instant(NaiveDateTime),
    Booleen(bool),
}

impl Colonne {
    /// What this column says of `row`, a row of a route's answer.
    #[must_use]
    pub fn cellule(&self, row: &Value, langue: Lang) -> Cellule {
        let Some(value) = self.chemin.split('.').try_fold(row, |at, name| at.get(name)) else {
            return Cellule::Vide;
        };
        if value.is_null() {
            return Cellule::Vide;
        }
        let read = match self.genre {
            Genre::Texte => value.as_str().map(texte),
            Genre::Mot => value.as_str().map(|code| texte(mot(code, langue))),
            Genre::Entier => entier(value).map(Cellule::Entier),
            Genre::Montant => value.as_i64().map(Cellule::Montant),
            Genre::Instant => instant(value).map(Cellule::Instant),
            Genre::OuiNon => value.as_bool().map(Cellule::Booleen),
            Genre::Noms => value.as_array().map(|rows| noms(rows)),
            Genre::Objet => None,
        };
        // What is of another type than its column is shown as it is, and not lost.
        read.unwrap_or_else(|| Cellule::Texte(value.to_string()))
    }
}

fn texte(text: &str) -> Cellule {
    if text.is_empty() { Cellule::Vide } else { Cellule::Texte(text.to_owned()) }
}

/// A number, which some fields have as text.
fn entier(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn instant(value: &Value) -> Option<NaiveDateTime> {
    let instant: DateTime<Utc> = value.as_str()?.parse().ok()?;
    Some(local::wall(instant))
}

fn noms(rows: &[Value]) -> Cellule {
    let noms: Vec<_> = rows.iter().filter_map(|row| row.get("nom")?.as_str()).collect();
    texte(&noms.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cellule(genre: Genre, value: &Value) -> Cellule {
        let colonne = Colonne { chemin: "a.b", fr: "", en: "", genre, largeur: 10 };
        colonne.cellule(&json!({ "a": { "b": value } }), Lang::Fr)
    }

    #[test]
    fn a_value_keeps_its_type_and_nothing_is_lost() {
        assert_eq!(cellule(Genre::Texte, &json!(null)), Cellule::Vide);
        assert_eq!(cellule(Genre::Texte, &json!("=1+1")), Cellule::Texte("=1+1".to_owned()));
        assert_eq!(cellule(Genre::Entier, &json!("30")), Cellule::Entier(30));
        assert_eq!(cellule(Genre::Montant, &json!(28_830)), Cellule::Montant(28_830));
        assert_eq!(cellule(Genre::OuiNon, &json!(true)), Cellule::Booleen(true));
        assert_eq!(cellule(Genre::Mot, &json!("en_cours")), Cellule::Texte("En cours".to_owned()));
        assert_eq!(cellule(Genre::Mot, &json!("inconnu")), Cellule::Texte("inconnu".to_owned()));
        // 23:30 UTC is half past midnight in Morocco: the next day.
        let wall = cellule(Genre::Instant, &json!("2025-06-15T23:30:00Z"));
        assert_eq!(wall, Cellule::Instant("2025-06-16T00:30:00".parse().unwrap()));
        let competences = json!([{ "id": 1, "nom": "Froid" }, { "id": 2, "nom": "Vide" }]);
        assert_eq!(cellule(Genre::Noms, &competences), Cellule::Texte("Froid, Vide".to_owned()));
        let objet = cellule(Genre::Objet, &json!({ "role": "admin" }));
        assert_eq!(objet, Cellule::Texte(r#"{"role":"admin"}"#.to_owned()));
        assert_eq!(cellule(Genre::Entier, &json!("deux")), Cellule::Texte(r#""deux""#.to_owned()));
        let absent = Colonne { chemin: "x", fr: "", en: "", genre: Genre::Texte, largeur: 10 };
        assert_eq!(absent.cellule(&json!({}), Lang::Fr), Cellule::Vide);
    }
}
