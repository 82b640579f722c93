//! What an equipment is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    described, enumeration, enumeration_field,
    input::{Field, Fields, Id, Input, Line, Patch, Whole, Wrong, one_of_schema},
    page::Page,
    versioned,
};

enumeration! {
    StatutEquipement {
        Operationnel = "operationnel",
        Maintenance = "maintenance",
        Panne = "panne",
        Retire = "retire",
    }
}
enumeration_field!(StatutEquipement);

enumeration! {
    CriticiteEquipement {
        Critique = "critique",
        Important = "important",
        Standard = "standard",
        NonCritique = "non_critique",
    }
}
enumeration_field!(CriticiteEquipement);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Equipement {
    pub id: i64,
    /// Unique.
    pub nom: String,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub type_: String,
    pub localisation: String,
    /// Days between two visits, as text: `"30"`.
    pub frequence_entretien: Option<String>,
    pub numero_serie: Option<String>,
    pub marque: Option<String>,
    pub modele: Option<String>,
    pub statut: StatutEquipement,
    pub criticite: CriticiteEquipement,
    pub description: Option<String>,
    pub date_acquisition: Option<DateTime<Utc>>,
    pub client_id: Option<i64>,
    /// What an edit names in `If-Match`: raised whenever something changes.
    pub version: i64,
}

versioned!(Equipement);

/// The fields that a list of equipment can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "nom",
    "type",
    "localisation",
    "numero_serie",
    "marque",
    "modele",
    "statut",
    "criticite",
    "date_acquisition",
    "client_id",
];

/// `"30"` or `30`: a number of days, 1 to 3650, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days(pub String);

/// Labels that the frontend sends for a number of days, in lower case.
const LABELS: &[(&str, i64)] = &[
    ("hebdomadaire", 7),
    ("bimensuel", 15),
    ("bimensuelle", 15),
    ("mensuel", 30),
    ("mensuelle", 30),
    ("trimestriel", 90),
    ("trimestrielle", 90),
    ("semestriel", 180),
    ("semestrielle", 180),
    ("annuel", 365),
    ("annuelle", 365),
];

impl Field for Days {
    /// A number, as text or not, or one of the labels in any case.
    fn read(value: &Value) -> Result<Self, Wrong> {
        let days = match value {
            Value::String(text) => {
                let label = text.trim().to_lowercase();
                match LABELS.iter().find(|(known, _)| *known == label) {
                    Some((_, days)) => Ok(Whole(*days)),
                    None => Whole::<1, 3650>::read_text(text),
                }
            }
            value => Whole::read(value),
        };
        days.map(|n| Self(n.0.to_string()))
    }

    fn schema() -> Value {
        let digits = json!({ "type": "string", "pattern": "^([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-4][0-9]|3650)$" });
        let labels: Vec<_> = LABELS.iter().map(|(label, _)| *label).collect();
        json!({ "anyOf": [digits, Whole::<1, 3650>::schema(), one_of_schema(&labels)] })
    }
}

/// All fields of a machine but its id.
#[derive(Debug, Clone)]
pub struct EquipementFields {
    pub nom: String,
    pub type_: String,
    pub localisation: String,
    pub frequence_entretien: Option<String>,
    pub numero_serie: Option<String>,
    pub marque: Option<String>,
    pub modele: Option<String>,
    pub statut: StatutEquipement,
    pub criticite: CriticiteEquipement,
    pub description: Option<String>,
    pub date_acquisition: Option<DateTime<Utc>>,
    pub client_id: Option<i64>,
}

described!(EquipementFields, EquipementPatch);

impl Input for EquipementFields {
    fn read(fields: &mut Fields) -> Option<Self> {
        let nom = fields.required::<Line<200>>("nom");
        let type_ = fields.required::<Line<200>>("type");
        let localisation = fields.required::<Line<200>>("localisation");
        let frequence_entretien = fields.optional::<Days>("frequence_entretien");
        let numero_serie = fields.optional::<Line<200>>("numero_serie");
        let marque = fields.optional::<Line<200>>("marque");
        let modele = fields.optional::<Line<200>>("modele");
        let statut = fields.or("statut", StatutEquipement::Operationnel);
        let criticite = fields.or("criticite", CriticiteEquipement::Standard);
        let description = fields.optional("description");
        let date_acquisition = fields.optional("date_acquisition");
        let client_id = fields.optional::<Id>("client_id");
        Some(Self {
            nom: nom?.0,
            type_: type_?.0,
            localisation: localisation?.0,
            frequence_entretien: frequence_entretien?.map(|d| d.0),
            numero_serie: numero_serie?.map(|l| l.0),
            marque: marque?.map(|l| l.0),
            modele: modele?.map(|l| l.0),
            statut: statut?,
            criticite: criticite?,
            description: description?,
            date_acquisition: date_acquisition?,
            client_id: client_id?.map(|id| id.0),
        })
    }
}

/// What an edit of a machine changes.
#[derive(Debug, Clone)]
pub struct EquipementPatch {
    nom: Patch<Line<200>>,
    type_: Patch<Line<200>>,
    localisation: Patch<Line<200>>,
    frequence_entretien: Patch<Days>,
    numero_serie: Patch<Line<200>>,
    marque: Patch<Line<200>>,
    modele: Patch<Line<200>>,
    statut: Patch<StatutEquipement>,
    criticite: Patch<CriticiteEquipement>,
    description: Patch<String>,
    date_acquisition: Patch<DateTime<Utc>>,
    client_id: Patch<Id>,
}

impl Input for EquipementPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        let nom = fields.set("nom");
        let type_ = fields.set("type");
        let localisation = fields.set("localisation");
        let frequence_entretien = fields.patch("frequence_entretien");
        let numero_serie = fields.patch("numero_serie");
        let marque = fields.patch("marque");
        let modele = fields.patch("modele");
        let statut = fields.set("statut");
        let criticite = fields.set("criticite");
        let description = fields.patch("description");
        let date_acquisition = fields.patch("date_acquisition");
        let client_id = fields.patch("client_id");
        Some(Self {
            nom: nom?,
            type_: type_?,
            localisation: localisation?,
            frequence_entretien: frequence_entretien?,
            numero_serie: numero_serie?,
            marque: marque?,
            modele: modele?,
            statut: statut?,
            criticite: criticite?,
            description: description?,
            date_acquisition: date_acquisition?,
            client_id: client_id?,
        })
    }
}

impl EquipementPatch {
    /// What `old` becomes.
    pub(super) fn over(self, old: Equipement) -> EquipementFields {
        let line = |patch: Patch<Line<200>>, old| patch.over_with(old, |l| l.0);
        EquipementFields {
            nom: self.nom.map(|l| l.0).or_keep(old.nom),
            type_: self.type_.map(|l| l.0).or_keep(old.type_),
            localisation: self.localisation.map(|l| l.0).or_keep(old.localisation),
            frequence_entretien: self
                .frequence_entretien
                .over_with(old.frequence_entretien, |d| d.0),
            numero_serie: line(self.numero_serie, old.numero_serie),
            marque: line(self.marque, old.marque),
            modele: line(self.modele, old.modele),
            statut: self.statut.or_keep(old.statut),
            criticite: self.criticite.or_keep(old.criticite),
            description: self.description.over(old.description),
            date_acquisition: self.date_acquisition.over(old.date_acquisition),
            client_id: self.client_id.over_with(old.client_id, |id| id.0),
        }
    }
}

/// Which machines a list shows.
#[derive(Debug, Clone)]
pub struct EquipementFilter {
    pub type_: Option<String>,
    pub localisation: Option<String>,
    pub statut: Option<StatutEquipement>,
    pub criticite: Option<CriticiteEquipement>,
    pub client_id: Option<i64>,
    /// Part of the name, the place, the serial number, the make or the model.
    pub q: Option<String>,
    pub page: Page,
}

impl Input for EquipementFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let type_ = fields.optional("type");
        let localisation = fields.optional("localisation");
        let statut = fields.optional("statut");
        let criticite = fields.optional("criticite");
        let client_id = fields.optional::<Id>("client_id");
        let q = fields.optional("q");
        let page = Page::read(fields, SORTABLE);
        Some(Self {
            type_: type_?,
            localisation: localisation?,
            statut: statut?,
            criticite: criticite?,
            client_id: client_id?.map(|id| id.0),
            page: page?.searching(q.as_ref()?.as_ref()),
            q: q?,
        })
    }
}
