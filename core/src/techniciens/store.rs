//! SQL of `techniciens`, `competences` and what joins them.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder, types::Json};

use super::{Competence, DisponibiliteTechnicien, TechnicienCreate, TechnicienOut};
use crate::{
    Error, Noun, Result,
    page::{Listed, Page},
    users::{self, Personne, UserOut},
};

/// The columns of a technicien, renamed, beside those of the user.
#[derive(sqlx::FromRow)]
struct Row {
    technicien_id: i64,
    equipe: Option<String>,
    disponibilite: DisponibiliteTechnicien,
    #[sqlx(flatten)]
    user: UserOut,
    competences: Json<Vec<Competence>>,
    technicien_version: i64,
}

impl From<Row> for TechnicienOut {
    fn from(row: Row) -> Self {
        Self {
            id: row.technicien_id,
            equipe: row.equipe,
            disponibilite: row.disponibilite,
            user: Personne::Compte(row.user),
            competences: row.competences.0,
            version: row.technicien_version,
        }
    }
}

/// Techniciens with their users and their skills, in one round trip.
fn select(place: &str) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("select ");
    query.push(users::columns_for_others("u"));
    query.push(place).push(
        ", t.id as technicien_id, t.equipe, t.disponibilite,
           coalesce((
               select jsonb_agg(jsonb_build_object('id', c.id, 'nom', c.nom) order by c.id)
               from technicien_competences tc join competences c on c.id = tc.competence_id
               where tc.technicien_id = t.id
           ), '[]') as competences, t.version as technicien_version
        from techniciens t join users u on u.id = t.user_id
        where t.supprime_le is null",
    );
    query
}

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<TechnicienOut> {
    let mut query = select("");
    query.push(" and t.id = ").push_bind(id);
    let row: Option<Row> = query.build_query_as().fetch_optional(db).await?;
    row.map(Into::into).ok_or(Error::NotFound(Noun::TECHNICIEN))
}

pub async fn list(pool: &PgPool, page: &Page) -> Result<Listed<TechnicienOut>> {
    let column = |field: &str| match field {
        "equipe" => Some("t.equipe"),
        "disponibilite" => Some("t.disponibilite"),
        _ => None,
    };
    let mut query = select(&page.place("t.id", column));
    page.push(&mut query, ("techniciens", "t.id"), column);
    let (rows, next): (Vec<Row>, _) = page.fetch(pool, &mut query).await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!" from techniciens where supprime_le is null"#
    )
    .fetch_one(pool)
    .await?;
    Ok(Listed::whole(rows.into_iter().map(Into::into).collect(), next, total))
}

/// The id of the technicien who is user `user_id`.
pub async fn find_by_user(db: impl PgExecutor<'_>, user_id: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "select id from techniciens where user_id = $1 and supprime_le is null",
        user_id
    )
    .fetch_optional(db)
    .await?)
}

/// The id of the user who is technicien `id`. Until the transaction ends, no other transaction deletes that technicien.
pub async fn user_of(tx: &mut PgConnection, id: i64) -> Result<i64> {
    sqlx::query_scalar!(
        "select user_id from techniciens where id = $1 and supprime_le is null for share",
        id
    )
    .fetch_optional(tx)
    .await?
    .ok_or(Error::NotFound(Noun::TECHNICIEN))
}

pub async fn list_competences(pool: &PgPool, page: &Page) -> Result<Listed<Competence>> {
    let column = |field: &str| (field == "nom").then_some("nom");
    let mut query = QueryBuilder::new("select id, nom");
    query.push(page.place("id", column)).push(" from competences where true");
    page.push(&mut query, ("competences", "id"), column);
    let (rows, next): (Vec<Competence>, _) = page.fetch(pool, &mut query).await?;
    let total = sqlx::query_scalar!(r#"select count(*) as "count!" from competences"#)
        .fetch_one(pool)
        .await?;
    Ok(Listed::whole(rows, next, total))
}

pub(super) async fn lock(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("select id from techniciens where id = $1 and supprime_le is null for update", id)
        .fetch_optional(tx)
        .await?
        .map(drop)
        .ok_or(Error::NotFound(Noun::TECHNICIEN))
}

pub(super) async fn insert(tx: &mut PgConnection, new: &TechnicienCreate) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        "insert into techniciens (user_id, equipe, disponibilite) values ($1, $2, $3) returning id",
        new.user_id,
        new.equipe,
        new.disponibilite as DisponibiliteTechnicien,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn update(
    tx: &mut PgConnection,
    id: i64,
    equipe: Option<&str>,
    disponibilite: DisponibiliteTechnicien,
) -> Result<()> {
    sqlx::query!(
        "update techniciens set equipe = $2, disponibilite = $3 where id = $1",
        id,
        equipe,
        disponibilite as DisponibiliteTechnicien,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_competences(
    tx: &mut PgConnection,
    id: i64,
    competences: &[i64],
) -> sqlx::Result<()> {
    // Skills that stay are not rewritten: only a change raises the version of the technicien.
    sqlx::query!(
        "delete from technicien_competences where technicien_id = $1 and competence_id <> all($2)",
        id,
        competences,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        r#"
            insert into technicien_competences (technicien_id, competence_id)
            select $1, competence_id from unnest($2::bigint[]) as competence_id
            on conflict do nothing
        "#,
        id,
        competences,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update techniciens set supprime_le = $2 where id = $1", id, now)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn insert_competence(tx: &mut PgConnection, nom: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!("insert into competences (nom) values ($1) returning id", nom)
        .fetch_one(tx)
        .await
}
