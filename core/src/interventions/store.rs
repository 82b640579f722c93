//! SQL of the `interventions` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::{
    Intervention, InterventionCreate, InterventionFilter, InterventionType, NewVisite,
    PrioriteIntervention, SORTABLE, StatutIntervention,
};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, Page},
    scope::Scope,
};

/// Joins the rows that an intervention refers to.
const NAMED: &str = "join equipements e on e.id = page.equipement_id \
    left join clients c on c.id = e.client_id \
    left join techniciens t on t.id = page.technicien_id \
    left join users u on u.id = t.user_id";

/// `query_as!` of interventions, with the names of the rows that they refer to.
macro_rules! query_interventions {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Intervention,
            r#"
                select i.id, titre, i.description, i.type as "type_: InterventionType", i.statut as "statut: StatutIntervention",
                       priorite as "priorite: PrioriteIntervention", urgence, i.date_creation, date_limite, date_affectation,
                       date_debut_travaux, date_cloture, technicien_id, equipement_id, planning_id, createur_id,
                       duree_estimee, duree_reelle, cout_pieces, cout_main_oeuvre, cout_estime, i.version, rapport_intervention,
                       travaux_realises, recommandations, temps_deplacement, satisfaction,
                       prise_en_charge_le, prise_en_charge_secondes, attente_depuis, attente_secondes,
                       e.nom as equipement_nom, e.localisation as equipement_localisation, c.id as "client_id?",
                       c.nom_entreprise as "client_nom?", t.equipe as "technicien_equipe?", u.full_name as "technicien_nom?"
                from interventions i
                join equipements e on e.id = i.equipement_id
                left join clients c on c.id = e.client_id
                left join techniciens t on t.id = i.technicien_id
                left join users u on u.id = t.user_id
            "# + $rest,
            $($argument),+
        )
    };
}

/// The intervention `id` if its machine is in `scope`.
pub async fn find(db: impl PgExecutor<'_>, id: i64, scope: Scope) -> Result<Intervention> {
    query_interventions!(
        "where i.id = $1 and ($2::bigint is null or e.client_id = $2)",
        id,
        scope.client_id(),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::INTERVENTION))
}

/// The interventions that match `filter`, on machines in `scope`.
pub async fn list(
    pool: &PgPool,
    filter: &InterventionFilter,
    scope: Scope,
    now: DateTime<Utc>,
) -> Result<Listed<Intervention>> {
    page::list_joined(pool, "interventions", NAMED, SORTABLE, &filter.page, |query| {
        filter.push_where(query, scope, now);
    })
    .await
}

/// The interventions on the machine `equipement_id` that a planning opened (`visites`), or those that people opened.
pub async fn list_of_equipement(
    pool: &PgPool,
    equipement_id: i64,
    visites: bool,
    page: &Page,
) -> Result<Listed<Intervention>> {
    page::list_joined(pool, "interventions", NAMED, SORTABLE, page, |query| {
        query.push(" where equipement_id = ").push_bind(equipement_id);
        // The visits of a planning that was removed keep their due date.
        query.push(if visites { " and " } else { " and not " });
        query.push("(planning_id is not null or echeance is not null)");
    })
    .await
}

/// The latest visits of a planning, `limit` at the most.
pub async fn list_of_planning(
    db: impl PgExecutor<'_>,
    planning_id: i64,
    limit: i64,
) -> Result<Vec<Intervention>> {
    let visites = query_interventions!(
        "where i.planning_id = $1 order by i.id desc limit $2",
        planning_id,
        limit,
    );
    Ok(visites.fetch_all(db).await?)
}

/// The intervention `id`, locked until the transaction ends.
pub async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Intervention> {
    // The lock first, in a statement of its own. A statement with joins that waited for the lock would go on with the machine
    // and the technicien that it read before: if the intervention was given another one meanwhile, it would find nothing.
    sqlx::query!("select id from interventions where id = $1 for update", id)
        .fetch_optional(&mut *tx)
        .await?;
    find(tx, id, Scope::All).await
}

/// The interventions of a technicien that are not over, locked until the transaction ends.
pub(super) async fn open_of_technicien_for_update(
    tx: &mut PgConnection,
    technicien_id: i64,
) -> Result<Vec<Intervention>> {
    // The lock first, as in `find_for_update`.
    let ids = sqlx::query_scalar!(
        r#"
            select id from interventions
            where technicien_id = $1 and statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
            order by id
            for update
        "#,
        technicien_id,
    )
    .fetch_all(&mut *tx)
    .await?;
    of_ids(tx, &ids).await
}

/// The interventions `ids`, in that order.
pub(super) async fn of_ids(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<Intervention>> {
    Ok(query_interventions!("where i.id = any($1) order by array_position($1, i.id)", ids)
        .fetch_all(db)
        .await?)
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &InterventionCreate,
    statut: StatutIntervention,
    createur_id: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    use StatutIntervention::{Archivee, Cloturee, EnAttente, EnCours};
    let begun = matches!(statut, EnCours | EnAttente);
    let closed = matches!(statut, Cloturee | Archivee);
    let answered = closed || new.technicien_id.is_some();
    sqlx::query_scalar!(
        r#"
            insert into interventions
                (titre, description, type, statut, priorite, urgence, date_creation, date_limite, date_affectation,
                 date_debut_travaux, date_cloture, technicien_id, equipement_id, createur_id, duree_estimee, duree_reelle,
                 prise_en_charge_le, prise_en_charge_secondes, attente_depuis, cout_estime)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
            returning id
        "#,
        new.titre,
        new.description,
        new.type_ as InterventionType,
        statut as StatutIntervention,
        new.priorite as PrioriteIntervention,
        new.urgence,
        now,
        new.date_limite,
        new.technicien_id.map(|_| now),
        begun.then_some(now),
        closed.then_some(now),
        new.technicien_id,
        new.equipement_id,
        createur_id,
        new.duree_estimee,
        closed.then_some(0),
        answered.then_some(now),
        answered.then_some(0),
        (answered || statut == EnAttente || statut.is_terminal()).then_some(now),
        new.cout_estime,
    )
    .fetch_one(tx)
    .await
}

/// Writes all columns of `intervention` that can change.
pub(super) async fn save(tx: &mut PgConnection, intervention: &Intervention) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
            update interventions
            set titre = $2, description = $3, type = $4, statut = $5, priorite = $6, urgence = $7, date_limite = $8,
                date_affectation = $9, date_debut_travaux = $10, date_cloture = $11, technicien_id = $12,
                equipement_id = $13, duree_estimee = $14, duree_reelle = $15, cout_pieces = $16,
                cout_main_oeuvre = $17, rapport_intervention = $18, attente_depuis = $19, attente_secondes = $20,
                prise_en_charge_le = $21, prise_en_charge_secondes = $22, cout_estime = $23, travaux_realises = $24,
                recommandations = $25, temps_deplacement = $26, satisfaction = $27
            where id = $1
        "#,
        intervention.id,
        intervention.titre,
        intervention.description,
        intervention.type_ as InterventionType,
        intervention.statut as StatutIntervention,
        intervention.priorite as PrioriteIntervention,
        intervention.urgence,
        intervention.date_limite,
        intervention.date_affectation,
        intervention.date_debut_travaux,
        intervention.date_cloture,
        intervention.technicien_id,
        intervention.equipement_id,
        intervention.duree_estimee,
        intervention.duree_reelle,
        intervention.cout_pieces,
        intervention.cout_main_oeuvre,
        intervention.rapport_intervention,
        intervention.attente_depuis,
        intervention.attente_secondes,
        intervention.prise_en_charge_le,
        intervention.prise_en_charge_secondes,
        intervention.cout_estime,
        intervention.travaux_realises,
        intervention.recommandations,
        intervention.temps_deplacement,
        intervention.satisfaction,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Opens the intervention of a visit. Returns `None` if its planning has one for that due date already.
pub(super) async fn insert_visite(
    tx: &mut PgConnection,
    visite: &NewVisite,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            insert into interventions
                (titre, description, type, statut, priorite, date_creation, date_limite, equipement_id, planning_id, echeance)
            values ($1, $2, 'preventive', 'ouverte', 'programmee', $3, $4, $5, $6, $7)
            on conflict (planning_id, echeance) where echeance is not null do nothing
            returning id
        "#,
        visite.titre,
        visite.description,
        now,
        visite.date_limite,
        visite.equipement_id,
        visite.planning_id,
        visite.echeance,
    )
    .fetch_optional(tx)
    .await?)
}

/// What the calendar of a technicien shows of an intervention.
#[derive(Debug, Clone)]
pub struct CalendarRow {
    pub id: i64,
    pub titre: String,
    pub description: Option<String>,
    pub date_limite: DateTime<Utc>,
    /// Minutes.
    pub duree_estimee: Option<i32>,
    pub equipement: String,
    pub localisation: String,
}

/// The interventions of a technicien that are not over and have a deadline: up to `limit`, the earliest deadline first.
pub async fn calendar(
    db: impl PgExecutor<'_>,
    technicien_id: i64,
    limit: i64,
) -> Result<Vec<CalendarRow>> {
    Ok(sqlx::query_as!(
        CalendarRow,
        r#"
            select i.id, i.titre, i.description, i.date_limite as "date_limite!", i.duree_estimee, e.nom as equipement,
                   e.localisation
            from interventions i join equipements e on e.id = i.equipement_id
            where i.technicien_id = $1 and i.date_limite is not null
              and i.statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
            order by i.date_limite, i.id limit $2
        "#,
        technicien_id,
        limit,
    )
    .fetch_all(db)
    .await?)
}
