//! Which interventions a list shows.
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::{InterventionType, PrioriteIntervention, SORTABLE, StatutIntervention};
use crate::{
    input::{Id, Input},
    page::{Page, push_search},
    scope::Scope,
};

#[derive(Debug, Clone, Input)]
pub struct InterventionFilter {
    pub statut: Option<StatutIntervention>,
    pub urgence: Option<bool>,
    pub type_: Option<InterventionType>,
    pub priorite: Option<PrioriteIntervention>,
    #[input(as = Id)]
    pub technicien_id: Option<i64>,
    #[input(as = Id)]
    pub equipement_id: Option<i64>,
    #[input(as = Id)]
    pub client_id: Option<i64>,
    pub en_retard: Option<bool>,
    /// Words to look for in the title and the description.
    pub q: Option<String>,
    /// Opened at this time or later.
    pub date_from: Option<DateTime<Utc>>,
    /// Opened at this time or earlier.
    pub date_to: Option<DateTime<Utc>>,
    #[input(page = SORTABLE, searching = q)]
    pub page: Page,
}

impl InterventionFilter {
    /// Appends the `where` clause, limited to machines in `scope`.
    pub(super) fn push_where(
        &self,
        query: &mut QueryBuilder<Postgres>,
        scope: Scope,
        now: DateTime<Utc>,
    ) {
        query.push(" where true");
        if let Some(statut) = self.statut {
            query.push(" and statut = ").push_bind(statut);
        }
        if let Some(urgence) = self.urgence {
            query.push(" and urgence = ").push_bind(urgence);
        }
        if let Some(type_) = self.type_ {
            query.push(" and type = ").push_bind(type_);
        }
        if let Some(priorite) = self.priorite {
            query.push(" and priorite = ").push_bind(priorite);
        }
        if let Some(technicien_id) = self.technicien_id {
            query.push(" and technicien_id = ").push_bind(technicien_id);
        }
        if let Some(equipement_id) = self.equipement_id {
            query.push(" and equipement_id = ").push_bind(equipement_id);
        }
        scope.push(query, "equipement_id in (select id from equipements where client_id = ?)");
        if let Some(client_id) = self.client_id {
            query.push(" and equipement_id in (select id from equipements where client_id = ");
            query.push_bind(client_id).push(")");
        }
        if let Some(en_retard) = self.en_retard {
            let open = "statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')";
            query.push(if en_retard { " and " } else { " and not coalesce(" });
            query.push(open).push(" and date_limite < ").push_bind(now);
            query.push(if en_retard { "" } else { ", false)" });
        }
        if let Some(q) = &self.q {
            push_search(query, "recherche", q);
        }
        if let Some(from) = self.date_from {
            query.push(" and date_creation >= ").push_bind(from);
        }
        if let Some(to) = self.date_to {
            query.push(" and date_creation <= ").push_bind(to);
        }
    }
}
