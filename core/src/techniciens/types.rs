//! What a technicien is on the wire and in the program.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    described, enumeration,
    input::{Field, Fields, Id, Input, Line, Patch, Wrong, not_one_of, one_of_schema},
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
    /// In any case: that is what the frontend sends.
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
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

#[derive(Debug, Clone)]
pub struct TechnicienCreate {
    pub user_id: i64,
    pub equipe: Option<String>,
    pub disponibilite: DisponibiliteTechnicien,
    pub competences_ids: Vec<i64>,
}

described!(TechnicienCreate, TechnicienUpdate, CompetenceCreate);

impl Input for TechnicienCreate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let user_id = fields.required::<Id>("user_id");
        let equipe = fields.optional::<Line<200>>("equipe");
        let disponibilite = fields.or("disponibilite", DisponibiliteTechnicien::Disponible);
        let competences_ids = fields.optional::<Vec<Id>>("competences_ids");
        Some(Self {
            user_id: user_id?.0,
            equipe: equipe?.map(|l| l.0),
            disponibilite: disponibilite?,
            competences_ids: competences_ids?.unwrap_or_default().iter().map(|id| id.0).collect(),
        })
    }
}

#[derive(Debug, Clone)]
pub struct TechnicienUpdate {
    pub equipe: Patch<Line<200>>,
    pub disponibilite: Patch<DisponibiliteTechnicien>,
    pub competences_ids: Option<Vec<i64>>,
}

impl Input for TechnicienUpdate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let equipe = fields.patch("equipe");
        // Null means the default, as at creation.
        let disponibilite = fields.patch("disponibilite").map(|patch| match patch {
            Patch::Clear => Patch::Set(DisponibiliteTechnicien::Disponible),
            other => other,
        });
        let competences_ids = fields.optional::<Vec<Id>>("competences_ids");
        Some(Self {
            equipe: equipe?,
            disponibilite: disponibilite?,
            competences_ids: competences_ids?.map(|ids| ids.iter().map(|id| id.0).collect()),
        })
    }
}

#[derive(Debug, Clone)]
pub struct CompetenceCreate {
    pub nom: String,
}

impl Input for CompetenceCreate {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { nom: fields.required::<Line<200>>("nom")?.0 })
    }
}
