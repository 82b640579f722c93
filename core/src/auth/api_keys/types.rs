//! What API keys are on the wire.
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    enumeration, enumeration_field,
    input::{Fields, Input, Trimmed, Wrong},
};

enumeration! {
    /// What an API key may do with one noun: read, or change (which includes reading). The role of its owner still decides what of it.
    /// No key changes accounts: one that did could make another account, and outlive its own end there.
    Portee {
        AdminLire = "admin:lire",
        AdminEcrire = "admin:ecrire",
        ClientsLire = "clients:lire",
        ClientsEcrire = "clients:ecrire",
        DashboardLire = "dashboard:lire",
        DocumentsLire = "documents:lire",
        DocumentsEcrire = "documents:ecrire",
        EquipementsLire = "equipements:lire",
        EquipementsEcrire = "equipements:ecrire",
        InterventionsLire = "interventions:lire",
        InterventionsEcrire = "interventions:ecrire",
        NotificationsLire = "notifications:lire",
        NotificationsEcrire = "notifications:ecrire",
        PlanningLire = "planning:lire",
        PlanningEcrire = "planning:ecrire",
        TechniciensLire = "techniciens:lire",
        TechniciensEcrire = "techniciens:ecrire",
        UsersLire = "users:lire",
    }
}
enumeration_field!(Portee);

impl Portee {
    /// Reading, or changing, what is named by the noun `noun` of the routes; `None` if no key may.
    #[must_use]
    pub fn of(noun: &str, changes: bool) -> Option<Self> {
        Self::from_text(&format!("{noun}:{}", if changes { "ecrire" } else { "lire" }))
    }

    /// The noun, and whether it may be changed.
    #[must_use]
    pub fn parts(self) -> (&'static str, bool) {
        match self.as_str().split_once(':') {
            Some((noun, right)) => (noun, right == "ecrire"),
            None => (self.as_str(), false),
        }
    }

    /// Whether a key with this may do what asks for `wanted`: who may change a noun may read it.
    pub(super) fn covers(self, wanted: Self) -> bool {
        let ((noun, changes), (asked, change)) = (self.parts(), wanted.parts());
        noun == asked && (changes || !change)
    }
}

/// A key to be made.
#[derive(Debug, Clone, Input)]
#[input(check = at_least_one(portees))]
pub struct ApiKeyCreate {
    /// What the key is for, in the words of its owner.
    #[input(as = Trimmed<100>)]
    pub nom: String,
    pub portees: Vec<Portee>,
    /// When it ends: within a year. Absent: in ninety days.
    pub expires_at: Option<DateTime<Utc>>,
}

fn at_least_one(fields: &mut Fields, portees: Option<&Vec<Portee>>) {
    if portees.is_some_and(Vec::is_empty) {
        let wrong = Wrong::new(
            "too_short",
            "Choisissez au moins un droit.",
            "List should have at least 1 item",
        );
        fields.fault("portees", wrong);
    }
}

/// A key as its owner sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ApiKeyOut {
    pub id: Uuid,
    pub nom: String,
    /// What the key begins with.
    pub debut: String,
    pub portees: Vec<Portee>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
#[derive(Clone, Serialize, utoipa::ToSchema)]
pub struct ApiKeyMade {
    #[serde(flatten)]
    pub row: ApiKeyOut,
    /// The key, for `Authorization: Bearer`. Shown once.
    pub cle: String,
}

impl std::fmt::Debug for ApiKeyMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyMade").field("row", &self.row).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_includes_reading_and_no_noun_another() {
        let covers = |has: Portee, wanted| has.covers(wanted);
        assert!(covers(Portee::InterventionsEcrire, Portee::InterventionsLire));
        assert!(covers(Portee::InterventionsLire, Portee::InterventionsLire));
        assert!(!covers(Portee::InterventionsLire, Portee::InterventionsEcrire));
        assert!(!covers(Portee::InterventionsEcrire, Portee::DocumentsLire));
        assert_eq!(Portee::of("dashboard", false), Some(Portee::DashboardLire));
        assert_eq!((Portee::of("dashboard", true), Portee::of("users", true)), (None, None));
    }
}
