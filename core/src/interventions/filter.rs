//! Which interventions a list shows.
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};

use super::{InterventionType, PrioriteIntervention, SORTABLE, StatutIntervention};
use crate::{
    input::{Fields, Id, Input},
    page::{Page, push_search},
};

#[derive(Debug, Clone)]
pub struct InterventionFilter {
    pub statut: Option<StatutIntervention>,
    pub urgence: Option<bool>,
    pub type_: Option<InterventionType>,
    pub priorite: Option<PrioriteIntervention>,
    pub technicien_id: Option<i64>,
    pub equipement_id: Option<i64>,
    pub client_id: Option<i64>,
    pub en_retard: Option<bool>,
    /// Words of the title or the description.
    pub q: Option<String>,
    /// Opened at this time or later.
    pub date_from: Option<DateTime<Utc>>,
    /// Opened at this time or earlier.
    pub date_to: Option<DateTime<Utc>>,
    pub page: Page,
}

impl Input for InterventionFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let statut = fields.optional("statut");
        let urgence = fields.optional("urgence");
        let type_ = fields.optional("type");
        let priorite = fields.optional("priorite");
        let technicien_id = fields.optional::<Id>("technicien_id");
        let equipement_id = fields.optional::<Id>("equipement_id");
        let client_id = fields.optional::<Id>("client_id");
        let en_retard = fields.optional("en_retard");
        let q = fields.optional("q");
        let date_from = fields.optional("date_from");
        let date_to = fields.optional("date_to");
        let page = Page::read(fields, SORTABLE);
        Some(Self {
            statut: statut?,
            urgence: urgence?,
            type_: type_?,
            priorite: priorite?,
            technicien_id: technicien_id?.map(|id| id.0),
            equipement_id: equipement_id?.map(|id| id.0),
            client_id: client_id?.map(|id| id.0),
            en_retard: en_retard?,
            page: page?.searching(q.as_ref()?.as_ref()),
            q: q?,
            date_from: date_from?,
            date_to: date_to?,
        })
    }
}

impl InterventionFilter {
    /// Appends the `where` clause; `only` limits it to the equipment of one client.
    pub(super) fn push_where(
        &self,
        query: &mut QueryBuilder<Postgres>,
        only: Option<i64>,
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
        for client_id in [self.client_id, only].into_iter().flatten() {
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
