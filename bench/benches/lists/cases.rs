//! The lists that are measured, each with the query of its route.
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Lang, Result, audit, dashboard, documents,
    input::{Fields, Input, Source},
    interventions::{self, historique},
    kpi,
    notifications::{self, outgoing_mails},
    page::Page,
    scope::Scope,
};
use sqlx::PgPool;

/// A list, of which table and for whom.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    Interventions(Scope),
    /// Of one intervention.
    Historique,
    /// Those of everybody, or of one user.
    Notifications,
    /// The two counts beside the bell.
    NotificationsCounts,
    Documents,
    DocumentsOfEquipement,
    Envois,
    Audit,
    Dashboard(Scope),
    Kpi(Scope),
}

/// Name, list and query. A page is one of 50.
pub const CASES: &[(&str, Of, &str)] = &[
    ("all", Of::Interventions(Scope::All), ""),
    ("the latest", Of::Interventions(Scope::All), "sort=-date_creation"),
    ("by title", Of::Interventions(Scope::All), "sort=titre"),
    ("by cost, the highest first", Of::Interventions(Scope::All), "sort=-cout_pieces"),
    ("the second page by deadline", Of::Interventions(Scope::All), "sort=date_limite&offset=50"),
    ("open ones", Of::Interventions(Scope::All), "statut=ouverte"),
    (
        "open ones, the oldest first",
        Of::Interventions(Scope::All),
        "statut=ouverte&sort=date_creation",
    ),
    (
        "archived ones, the latest first",
        Of::Interventions(Scope::All),
        "statut=archivee&sort=-date_creation",
    ),
    ("late ones", Of::Interventions(Scope::All), "en_retard=true"),
    ("not late ones", Of::Interventions(Scope::All), "en_retard=false&sort=-id"),
    (
        "of one technicien, the latest first",
        Of::Interventions(Scope::All),
        "technicien_id=7&sort=-id",
    ),
    ("of one machine", Of::Interventions(Scope::All), "equipement_id=11"),
    ("of one client", Of::Interventions(Scope::All), "client_id=3"),
    ("urgent ones by priority", Of::Interventions(Scope::All), "urgence=true&sort=priorite"),
    (
        "preventive, high, by deadline",
        Of::Interventions(Scope::All),
        "type=preventive&priorite=haute&sort=-date_limite",
    ),
    ("of the last 30 days", Of::Interventions(Scope::All), "date_from=LAST_MONTH"),
    ("with a rare word", Of::Interventions(Scope::All), "q=hydrofuge"),
    ("with a common word", Of::Interventions(Scope::All), "q=garniture"),
    ("with two words", Of::Interventions(Scope::All), "q=moteur echauffement"),
    ("with a word of two letters", Of::Interventions(Scope::All), "q=du"),
    ("by type", Of::Interventions(Scope::All), "sort=type"),
    ("as one client sees them", Of::Interventions(Scope::Client(3)), "sort=-id"),
    (
        "as one client sees them, by deadline",
        Of::Interventions(Scope::Client(3)),
        "sort=date_limite",
    ),
    ("history of one", Of::Historique, ""),
    ("notifications of all", Of::Notifications, ""),
    ("notifications that failed", Of::Notifications, "statut=echouee"),
    ("notifications by date", Of::Notifications, "sort=-date_envoi"),
    ("notifications by type", Of::Notifications, "sort=type"),
    ("notifications of one user", Of::Notifications, "user_id=7"),
    ("notifications of one user, by date", Of::Notifications, "user_id=7&sort=-date_envoi"),
    ("counts of one user", Of::NotificationsCounts, ""),
    ("documents", Of::Documents, ""),
    ("documents by name", Of::Documents, "sort=filename"),
    ("documents by size", Of::Documents, "sort=-size_bytes"),
    ("documents of one machine", Of::DocumentsOfEquipement, ""),
    ("mails", Of::Envois, ""),
    ("half way, by offset", Of::Interventions(Scope::All), "sort=-id&offset=HALF"),
    ("half way, at a cursor", Of::Interventions(Scope::All), "sort=-id&apres=HALF"),
    ("half way by title, by offset", Of::Interventions(Scope::All), "sort=titre&offset=HALF"),
    ("half way by title, at a cursor", Of::Interventions(Scope::All), "sort=titre&apres=HALF"),
    // A field that may be empty.
    (
        "half way by deadline, by offset",
        Of::Interventions(Scope::All),
        "sort=date_limite&offset=HALF",
    ),
    (
        "half way by deadline, at a cursor",
        Of::Interventions(Scope::All),
        "sort=date_limite&apres=HALF",
    ),
    ("mails that failed", Of::Envois, "statut=echouee"),
    ("mails that were sent", Of::Envois, "statut=envoyee"),
    ("mails of one user", Of::Envois, "user_id=7"),
    ("audit", Of::Audit, ""),
    ("audit, of one user", Of::Audit, "user_id=7"),
    ("audit, of one rare action", Of::Audit, "action=jeton_reutilise"),
    ("audit, of the last 30 days", Of::Audit, "date_from=LAST_MONTH"),
    ("audit, of one account", Of::Audit, "cible=compte&cible_id=7"),
    ("dashboard", Of::Dashboard(Scope::All), ""),
    ("dashboard of one client", Of::Dashboard(Scope::Client(3)), ""),
    ("indicators of 90 days", Of::Kpi(Scope::All), ""),
    ("indicators of three years", Of::Kpi(Scope::All), "du=2023-11-19&au=2026-11-18"),
    ("indicators of one client", Of::Kpi(Scope::Client(3)), ""),
    ("indicators of one machine", Of::Kpi(Scope::All), "equipement_id=11"),
];

/// The query in a table of `size` rows: `HALF` is the offset or the cursor of the page after half of them.
pub async fn query(pool: &PgPool, query: &str, size: i64, now: DateTime<Utc>) -> Result<String> {
    let half = size / 2;
    let Some((rest, _)) = query.split_once("apres=HALF") else {
        return Ok(query.replace("HALF", &half.to_string()));
    };
    let before = parse(&format!("{rest}offset={}", half - 50), now)?;
    let before = interventions::list(pool, &before, Scope::All, now).await?;
    let cursor = before.next.and_then(|next| next.text()).unwrap_or_default();
    Ok(query.replace("HALF", &cursor))
}

impl Of {
    /// Reads the page and its total, as the route does.
    pub async fn read(self, pool: &PgPool, query: &str, now: DateTime<Utc>) -> Result<()> {
        match self {
            Self::Interventions(scope) => {
                interventions::list(pool, &parse(query, now)?, scope, now).await?;
            }
            Self::Historique => {
                historique::list(pool, 11, &Page::newest(50)).await?;
            }
            Self::Notifications => {
                notifications::list(pool, &parse(query, now)?).await?;
            }
            Self::NotificationsCounts => {
                notifications::counts(pool, 7).await?;
            }
            Self::Documents => {
                let mut fields = fields(query, now);
                let page = Page::read(&mut fields, documents::SORTABLE);
                documents::list(pool, &page.ok_or_else(|| fields.into_error())?).await?;
            }
            Self::DocumentsOfEquipement => {
                documents::list_of_equipement(pool, 11, &Page::newest(50)).await?;
            }
            Self::Envois => {
                outgoing_mails::list(pool, &parse(query, now)?).await?;
            }
            Self::Audit => {
                audit::list(pool, &parse(query, now)?).await?;
            }
            Self::Dashboard(scope) => {
                dashboard::stats(pool, scope, now).await?;
            }
            Self::Kpi(scope) => {
                kpi::kpi(pool, &parse(query, now)?, scope, Lang::Fr, now).await?;
            }
        }
        Ok(())
    }
}

fn parse<T: Input>(query: &str, now: DateTime<Utc>) -> Result<T> {
    fields(query, now).parse()
}

fn fields(query: &str, now: DateTime<Utc>) -> Fields {
    let last_month = (now - TimeDelta::days(30)).to_rfc3339();
    let query = format!("limit=50&{query}");
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: Vec<_> =
        pairs.map(|(k, v)| (k.to_owned(), v.replace("LAST_MONTH", &last_month))).collect();
    Fields::pairs(Source::Query, pairs)
}
