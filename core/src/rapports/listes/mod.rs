//! The lists that a report can be of: read as their routes read them, with the same filters and rights, page by page.
mod cellules;
mod colonnes;
mod mots;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;

pub use cellules::Cellule;
pub use colonnes::{Colonne, Genre};

use super::TypeRapport;
use crate::{
    Error, Lang, Result,
    audit::{self, AuditFilter, AuditList},
    clients::{self, ClientFilter},
    config::Sla,
    documents::{self, Document},
    equipements::{self, EquipementFilter},
    input::{Fault, Field as _, Fields, Id, Input, Source, Wrong, describe},
    interventions::{
        self, InterventionFilter,
        historique::{self, HistoriqueOut},
    },
    keys::SignedUrls,
    notifications::{self, NotificationFilter, OwnFilter},
    page::{Cursor, Listed, Page},
    planning::{self, PlanningFilter},
    scope::Scope,
    techniciens::{self, TechnicienOut},
    users::{Account, UserRole},
};

/// Rows are counted up to this number, and for so long.
const MOST_COUNTED: i64 = 5_000_000;
const COUNTING: Duration = Duration::from_secs(2);
/// Filters that choose a part of a list by its place: a report is the whole list, the newest row first. By their ids no row is in
/// it twice, whatever changes meanwhile.
const PLACES: [&str; 4] = ["limit", "offset", "apres", "sort"];

/// Who reads.
#[derive(Debug, Clone, Copy)]
pub struct Reader {
    pub user_id: i64,
    pub role: UserRole,
    pub client_id: Option<i64>,
}

impl Reader {
    /// Whose rows they see.
    fn scope(self) -> Scope {
        self.role.scope(self.client_id)
    }

    fn is_responsable(self) -> bool {
        matches!(self.role, UserRole::Admin | UserRole::Responsable)
    }
}

impl From<&Account> for Reader {
    fn from(account: &Account) -> Self {
        Self { user_id: account.id, role: account.role, client_id: account.client_id }
    }
}

/// What reading takes beside the database.
#[derive(Debug, Clone, Copy)]
pub struct With<'a> {
    pub sla: &'a Sla,
    pub signed_urls: &'a SignedUrls,
    /// The time as of which is said what depends on it.
    pub as_of: DateTime<Utc>,
}

/// A list of which a report is made, for its reader.
#[derive(Debug)]
pub struct Liste {
    what: What,
    reader: Reader,
}

#[derive(Debug)]
enum What {
    Interventions(InterventionFilter),
    Equipements(EquipementFilter),
    Techniciens,
    Clients(ClientFilter),
    Plannings(PlanningFilter),
    /// Those of one intervention, or all.
    Documents(Option<i64>),
    Notifications(NotificationFilter),
    Historique(i64),
    Audit(AuditFilter),
}

/// Some rows of a list.
#[derive(Debug, Default)]
pub struct Lot {
    pub lignes: Vec<Vec<Cellule>>,
    /// Where the next ones begin; `None` after the last.
    pub suite: Option<String>,
}

#[derive(Input)]
struct None_ {}

#[derive(Input)]
struct OfIntervention {
    #[input(as = Id)]
    intervention_id: Option<i64>,
}

#[derive(Input)]
struct OfOneIntervention {
    #[input(as = Id)]
    intervention_id: i64,
}

impl Liste {
    /// The list of `type_` and `filtres` for `reader`. `Forbidden` if its route is not for them, `NotFound` if an intervention is
    /// not theirs to see, `Invalid` with all the faults of the filters.
    pub async fn open(
        pool: &PgPool,
        type_: TypeRapport,
        filtres: &Map<String, Value>,
        reader: Reader,
    ) -> Result<Self> {
        let what = What::read(type_, filtres, reader)?;
        let of = match &what {
            What::Historique(id) | What::Documents(Some(id)) => Some(*id),
            _ => None,
        };
        if let Some(id) = of {
            interventions::find(pool, id, reader.scope()).await?;
        }
        Ok(Self { what, reader })
    }

    /// The columns, as this reader sees them.
    #[must_use]
    pub fn colonnes(&self) -> &'static [Colonne] {
        match &self.what {
            What::Interventions(_) => colonnes::INTERVENTIONS,
            What::Equipements(_) => colonnes::EQUIPEMENTS,
            What::Techniciens if self.reader.scope().is_outside() => colonnes::TECHNICIENS_DEHORS,
            What::Techniciens => colonnes::TECHNICIENS,
            What::Clients(_) => colonnes::CLIENTS,
            What::Plannings(_) => colonnes::PLANNINGS,
            What::Documents(_) => colonnes::DOCUMENTS,
            What::Notifications(_) => colonnes::NOTIFICATIONS,
            What::Historique(_) => colonnes::HISTORIQUE,
            What::Audit(_) => colonnes::AUDIT,
        }
    }

    /// Whom the rows are for, and which columns they have: rows for others do not belong into the same file.
    #[must_use]
    pub fn pour(&self) -> String {
        let columns: Vec<_> = self.colonnes().iter().map(|colonne| colonne.chemin).collect();
        let Reader { user_id, role, client_id } = self.reader;
        format!("{role} {user_id} {client_id:?} {}", columns.join(" "))
    }

    /// How many rows there are; `None` where counting takes too long, or there are too many.
    pub async fn count(&self, pool: &PgPool, with: With<'_>) -> Option<i64> {
        let page =
            Page { limit: 1, offset: 0, after: None, sort: None, most_counted: MOST_COUNTED };
        let counting = self.rows(pool, page, with, |_| ());
        // It only tells how far the report is.
        let counted = tokio::time::timeout(COUNTING, counting).await.ok()?.ok()?;
        (!counted.and_more).then_some(counted.total)
    }

    /// At most `limit` rows after `apres`, or the first ones.
    pub async fn lot(
        &self,
        pool: &PgPool,
        apres: Option<&str>,
        limit: i64,
        langue: Lang,
        with: With<'_>,
    ) -> Result<Lot> {
        let after = apres.map(|text| Cursor::read(&Value::String(text.to_owned())));
        let after = after.transpose().map_err(|_| anyhow::anyhow!("a place of no list"))?;
        let page = Page { limit, offset: 0, after, sort: None, most_counted: 0 };
        let colonnes = self.colonnes();
        let ligne = |row: &Value| colonnes.iter().map(|c| c.cellule(row, langue)).collect();
        let listed = self.rows(pool, page, with, ligne).await?;
        let suite = listed.next.and_then(|cursor| cursor.text());
        Ok(Lot { lignes: listed.rows, suite })
    }

    /// One page: what `of` makes of each row, as the answer of the route has it.
    async fn rows<U>(
        &self,
        pool: &PgPool,
        page: Page,
        with: With<'_>,
        of: impl Fn(&Value) -> U,
    ) -> Result<Listed<U>> {
        let (scope, now) = (self.reader.scope(), with.as_of);
        let outside = scope.is_outside();
        match &self.what {
            What::Interventions(filter) => {
                let filter = InterventionFilter { page, ..filter.clone() };
                let listed = interventions::list(pool, &filter, scope, now).await?;
                each(listed.map(|row| row.seen_at(now, with.sla)), of)
            }
            What::Equipements(filter) => {
                let filter = EquipementFilter { page, ..filter.clone() };
                each(equipements::list(pool, &filter, scope).await?, of)
            }
            What::Techniciens => {
                let listed = techniciens::list(pool, &page).await?;
                let seen = |row: TechnicienOut| if outside { row.from_outside() } else { row };
                each(listed.map(seen), of)
            }
            What::Clients(filter) => {
                each(clients::list(pool, &ClientFilter { page, ..filter.clone() }).await?, of)
            }
            What::Plannings(filter) => {
                let filter = PlanningFilter { page, ..filter.clone() };
                each(planning::list(pool, &filter, scope).await?, of)
            }
            What::Documents(intervention) => {
                let listed = match intervention {
                    Some(id) => documents::list_of_intervention(pool, *id, &page).await?,
                    None => documents::list(pool, &page).await?,
                };
                let shown = |row: Document| row.shown(with.signed_urls, outside, now);
                each(listed.map(shown), of)
            }
            What::Notifications(filter) => {
                let filter = NotificationFilter { page, ..filter.clone() };
                each(notifications::list(pool, &filter).await?, of)
            }
            What::Historique(id) => {
                let listed = historique::list(pool, *id, &page).await?;
                let seen = |row: HistoriqueOut| if outside { row.from_outside() } else { row };
                each(listed.map(seen), of)
            }
            What::Audit(filter) => {
                let list = AuditList { filter: filter.clone(), page };
                each(audit::list(pool, &list).await?, of)
            }
        }
    }
}

/// Makes each row into JSON, and of that what is wanted, one after the other: a lot of long texts is in memory once.
fn each<T: Serialize, U>(listed: Listed<T>, of: impl Fn(&Value) -> U) -> Result<Listed<U>> {
    let Listed { rows, total, next, and_more } = listed;
    let made = rows.into_iter().map(|row| Ok(of(&serde_json::to_value(row)?)));
    let rows = made.collect::<serde_json::Result<_>>().map_err(anyhow::Error::from)?;
    Ok(Listed { rows, total, next, and_more })
}

impl What {
    /// Whom it is for is what the table of routes says (`api/src/rbac.rs`; `rapports::a_report_is_for_whoever_may_read…` compares them).
    fn read(type_: TypeRapport, filtres: &Map<String, Value>, reader: Reader) -> Result<Self> {
        let is_allowed = match type_ {
            TypeRapport::Clients => reader.is_responsable(),
            TypeRapport::Audit => reader.role == UserRole::Admin,
            _ => true,
        };
        if !is_allowed {
            return Err(Error::forbidden());
        }
        Ok(match type_ {
            TypeRapport::Interventions => Self::Interventions(filters(filtres)?),
            TypeRapport::Equipements => Self::Equipements(filters(filtres)?),
            TypeRapport::Techniciens => filters(filtres).map(|None_ {}| Self::Techniciens)?,
            TypeRapport::Clients => Self::Clients(filters(filtres)?),
            TypeRapport::Plannings => Self::Plannings(filters(filtres)?),
            // Users of a client see those of an intervention, never all.
            TypeRapport::Documents if reader.scope().is_outside() => {
                let OfOneIntervention { intervention_id } = filters(filtres)?;
                Self::Documents(Some(intervention_id))
            }
            TypeRapport::Documents => {
                let OfIntervention { intervention_id } = filters(filtres)?;
                Self::Documents(intervention_id)
            }
            TypeRapport::Notifications if reader.is_responsable() => {
                Self::Notifications(filters(filtres)?)
            }
            TypeRapport::Notifications => {
                Self::Notifications(filters::<OwnFilter>(filtres)?.of(reader.user_id))
            }
            TypeRapport::Historique => {
                let OfOneIntervention { intervention_id } = filters(filtres)?;
                Self::Historique(intervention_id)
            }
            TypeRapport::Audit => Self::Audit(filters(filtres)?),
        })
    }
}

/// Reads the filters of a list. One that it does not know is a fault: it would be ignored, and the report hold more than was meant.
fn filters<T: Input>(filtres: &Map<String, Value>) -> Result<T> {
    let known = describe::<T>(Source::Body);
    let known: Vec<_> = known.iter().map(|field| field.name.as_str()).collect();
    let known: Vec<_> = known.into_iter().filter(|name| !PLACES.contains(name)).collect();
    let mut fields = Fields::json(filtres.clone());
    for name in filtres.keys().filter(|name| !known.contains(&name.as_str())).take(20) {
        fields.fault(name, unknown(&known));
    }
    fields.parse().map_err(|error| match error {
        Error::Invalid(faults) => Error::Invalid(faults.into_iter().map(within).collect()),
        other => other,
    })
}

/// The fault where the request has it: `["body", "filtres", "statut"]`.
fn within(mut fault: Fault) -> Fault {
    fault.loc.insert(1.min(fault.loc.len()), "filtres".to_owned());
    fault
}

fn unknown(known: &[&str]) -> Wrong {
    let (fr, en) = if known.is_empty() {
        ("Cette liste n'a pas de filtre.".to_owned(), "This list has no filter".to_owned())
    } else {
        let known = known.join(", ");
        (
            format!("Filtre inconnu : cette liste a {known}."),
            format!("Unknown filter: this list has {known}"),
        )
    };
    Wrong::new("extra_forbidden", fr, en)
}
