//! The journal of an intervention: append-only, each line written in the transaction of the step that it records.
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgPool, QueryBuilder, Row as _, postgres::PgRow};

use super::StatutIntervention;
use crate::{
    Result, Tx,
    page::{Listed, Page},
    users::{self, Personne, UserOut},
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

/// Writes a line, and returns its id; `user_id` is `None` for what the system does by itself.
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

/// Reads a row that has the columns of the line, whose id is named `ligne_id`, and those of its user.
impl FromRow<'_, PgRow> for HistoriqueOut {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        // Null: the system wrote the line, or its user was deleted.
        let user: Option<i64> = row.try_get("id")?;
        Ok(Self {
            id: row.try_get("ligne_id")?,
            statut: row.try_get("statut")?,
            remarque: row.try_get("remarque")?,
            horodatage: row.try_get("horodatage")?,
            user: user.map(|_| UserOut::from_row(row)).transpose()?.map(Personne::Compte),
        })
    }
}

/// The lines of one intervention, newest first unless `page` sorts otherwise.
pub async fn list(
    pool: &PgPool,
    intervention_id: i64,
    page: &Page,
) -> Result<Listed<HistoriqueOut>> {
    let column = |field: &str| match field {
        "statut" => Some("h.statut"),
        "horodatage" => Some("h.horodatage"),
        _ => None,
    };
    let mut query =
        QueryBuilder::new("select h.id as ligne_id, h.statut, h.remarque, h.horodatage, ");
    query.push(users::columns_for_others("u")).push(page.place("h.id", column));
    query.push(
        " from historique h left join users u on u.id = h.user_id where h.intervention_id = ",
    );
    query.push_bind(intervention_id);
    page.push(&mut query, ("historique", "h.id"), column);
    let (rows, next) = page.fetch(pool, &mut query).await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!" from historique where intervention_id = $1"#,
        intervention_id,
    )
    .fetch_one(pool)
    .await?;
    Ok(Listed::whole(rows, next, total))
}
