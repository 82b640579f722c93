//! The journal of an intervention: append-only, each line written in the transaction it tells of.
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgPool, QueryBuilder};

use super::StatutIntervention;
use crate::{
    Lang, Result, Tx,
    page::{Listed, Page},
    users::{Personne, UserOut, UserRole},
};

/// One line: who (null: the system), when, the status it left, and a remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HistoriqueOut {
    pub id: i64,
    pub statut: StatutIntervention,
    pub remarque: Option<String>,
    pub horodatage: DateTime<Utc>,
    pub user: Option<Personne>,
}

impl HistoriqueOut {
    /// The line as users of a client see it.
    #[must_use]
    pub fn from_outside(self) -> Self {
        Self { user: self.user.map(Personne::from_outside), ..self }
    }
}

/// Writes a line, and gives its id; `user_id` is null for what the system does by itself.
pub async fn record(
    tx: &mut Tx<'_>,
    intervention_id: i64,
    statut: StatutIntervention,
    remarque: Option<&str>,
    user_id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"
            insert into historique (intervention_id, statut, remarque, horodatage, user_id)
            values ($1, $2, $3, $4, $5)
            returning id
        "#,
        intervention_id,
        statut as StatutIntervention,
        remarque,
        now,
        user_id,
    )
    .fetch_one(&mut **tx)
    .await?)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    statut: StatutIntervention,
    remarque: Option<String>,
    horodatage: DateTime<Utc>,
    user_id: Option<i64>,
    username: Option<String>,
    full_name: Option<String>,
    email: Option<String>,
    role: Option<UserRole>,
    is_active: Option<bool>,
    langue: Option<Lang>,
    created_at: Option<DateTime<Utc>>,
    updated_at: Option<DateTime<Utc>>,
    user_version: Option<i64>,
}

impl From<Row> for HistoriqueOut {
    fn from(row: Row) -> Self {
        let user = || {
            Some(UserOut {
                id: row.user_id?,
                username: row.username?,
                full_name: row.full_name?,
                email: row.email?,
                role: row.role?,
                is_active: row.is_active?,
                langue: row.langue?,
                created_at: row.created_at?,
                updated_at: row.updated_at?,
                last_login: None, // for an admin, and for oneself
                version: row.user_version?,
            })
        };
        Self {
            id: row.id,
            statut: row.statut,
            remarque: row.remarque.clone(),
            horodatage: row.horodatage,
            user: user().map(Personne::Compte),
        }
    }
}

/// The lines of one intervention, newest first unless `page` sorts otherwise.
pub async fn list(
    pool: &PgPool,
    intervention_id: i64,
    page: &Page,
) -> Result<Listed<HistoriqueOut>> {
    let mut query = QueryBuilder::new(
        "select h.id, h.statut, h.remarque, h.horodatage, h.user_id, u.username, u.full_name, u.email, u.role,
                u.is_active, u.langue, u.created_at, u.updated_at, u.version as user_version
         from historique h left join users u on u.id = h.user_id
         where h.intervention_id = ",
    );
    query.push_bind(intervention_id);
    let newest_first = Page { sort: page.sort.clone().or_else(|| Some("-id".to_owned())), ..*page };
    newest_first.push(&mut query, "h.id", |field| match field {
        "statut" => Some("h.statut"),
        "horodatage" => Some("h.horodatage"),
        _ => None,
    });
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!" from historique where intervention_id = $1"#,
        intervention_id,
    )
    .fetch_one(pool)
    .await?;
    Ok(Listed::whole(rows.into_iter().map(Into::into).collect(), total))
}
