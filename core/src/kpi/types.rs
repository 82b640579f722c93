//! What is asked of the indicators, and what each of them says.
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};
use serde_json::Number;
use utoipa::ToSchema;

use super::periode::in_order;
use crate::input::{Id, Input};

/// Which machines and days the indicators are of.
#[derive(Debug, Clone, Input)]
#[input(check = in_order(du, au))]
pub struct KpiFilter {
    #[input(as = Id)]
    pub client_id: Option<i64>,
    #[input(as = Id)]
    pub equipement_id: Option<i64>,
    /// The first day.
    pub du: Option<NaiveDate>,
    /// The last day, included.
    pub au: Option<NaiveDate>,
}

/// The indicators of a period, and what they were computed from.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Kpi {
    /// The first day, of the clock in Morocco.
    pub du: NaiveDate,
    /// The last day, included.
    pub au: NaiveDate,
    /// When the first day begins.
    pub debut: DateTime<Utc>,
    /// When the last day has ended, or `calcule_le` if that is earlier.
    pub fin: DateTime<Utc>,
    /// The zone whose clock decides where days begin.
    pub zone: &'static str,
    /// Only the machines of this client; null: those of all, or none at all for a user of no client.
    pub client_id: Option<i64>,
    /// Only this machine; null: all of them.
    pub equipement_id: Option<i64>,
    pub calcule_le: DateTime<Utc>,
    pub indicateurs: Indicateurs,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Indicateurs {
    /// Mean time between failures.
    pub mtbf: Indicateur,
    /// Mean time to restoration.
    pub mttr: Indicateur,
    pub disponibilite: Indicateur,
    /// Visits held when they were due.
    pub conformite_preventif: Indicateur,
    /// The work at hand, in weeks of the team.
    pub backlog: Indicateur,
    /// The share of planned work.
    pub ratio_planifie: Indicateur,
    /// Half of the requests had their first response within this time.
    pub premiere_reponse_p50: Indicateur,
    pub premiere_reponse_p90: Indicateur,
    /// Half of the requests were resolved within this time.
    pub resolution_p50: Indicateur,
    pub resolution_p90: Indicateur,
}

/// A number that explains itself, in the language of the caller.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Indicateur {
    /// Null where it cannot be known: then `raison` says why.
    pub valeur: Option<f64>,
    pub unite: &'static str,
    /// How it is computed from `entrees`.
    pub formule: &'static str,
    /// The standard or practice that it follows.
    pub source: &'static str,
    /// What it was computed from, by name. Hours and percents have two decimals.
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    pub entrees: Entrees,
    /// What is done where data are missing.
    pub donnees_manquantes: &'static str,
    pub raison: Option<String>,
}

/// The inputs of an indicator, in the order in which its formula names them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entrees(Vec<(&'static str, Number)>);

impl Entrees {
    /// Adds a number of things.
    pub(super) fn count(mut self, name: &'static str, n: i64) -> Self {
        self.0.push((name, n.into()));
        self
    }

    /// Adds a time or a share, with two decimals.
    pub(super) fn measure(mut self, name: &'static str, value: f64) -> Self {
        self.0.extend(Number::from_f64(round(value)).map(|value| (name, value)));
        self
    }

    /// The inputs by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Number)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl Serialize for Entrees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// With two decimals.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
