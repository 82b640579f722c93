//! What a technicien is on the wire and in the program.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    enumeration,
    input::{Field, Id, Ids, Input, Patch, Trimmed, Wrong, not_one_of, one_of_schema},
    users::Personne,
    versioned,
};

enumeration! {
    DisponibiliteTechnicien {
        Disponible = "disponible",
        Occupe = "occupe",
        Conge = "conge",
        Formation = "formation",
        Indisponible = "indisponible",
    }
}

impl Field for DisponibiliteTechnicien {
    /// In any case, upper or lower, as the frontend sends it.
    fn read(value: &Value) -> Result<Self, Wrong> {
        value
            .as_str()
            .and_then(|text| Self::from_text(&text.trim().to_lowercase()))
            .ok_or_else(|| not_one_of(Self::TEXTS))
    }

    /// In lower case; other cases are read as well.
    fn schema() -> Value {
        one_of_schema(Self::TEXTS)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Competence {
    pub id: i64,
    pub nom: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TechnicienOut {
    pub id: i64,
    pub equipe: Option<String>,
    pub disponibilite: DisponibiliteTechnicien,
    pub user: Personne,
    pub competences: Vec<Competence>,
    /// What an edit names in `If-Match`: raised whenever something of it changes, its skills included.
    pub version: i64,
}

versioned!(TechnicienOut);

impl TechnicienOut {
    /// The technicien as users of a client see them.
    #[must_use]
    pub fn from_outside(self) -> Self {
        Self { user: self.user.from_outside(), ..self }
    }
}

/// The fields that a list of techniciens can be sorted by.
pub const SORTABLE: &[&str] = &["id", "equipe", "disponibilite"];

#[derive(Debug, Clone, Input)]
pub struct TechnicienCreate {
    #[input(as = Id)]
    pub user_id: i64,
    #[input(as = Trimmed<200>)]
    pub equipe: Option<String>,
    #[input(or = DisponibiliteTechnicien::Disponible)]
    pub disponibilite: DisponibiliteTechnicien,
    #[input(as = Ids, or = Ids(Vec::new()))]
    pub competences_ids: Vec<i64>,
}

#[derive(Debug, Clone, Input)]
pub struct TechnicienUpdate {
    #[input(as = Trimmed<200>)]
    pub equipe: Patch<String>,
    pub disponibilite: Patch<DisponibiliteTechnicien>,
    #[input(as = Ids)]
    pub competences_ids: Option<Vec<i64>>,
}

#[derive(Debug, Clone, Input)]
pub struct CompetenceCreate {
    #[input(as = Trimmed<200>)]
    pub nom: String,
}
