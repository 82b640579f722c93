//! The numbers of the dashboard, read only: how many interventions, machines and people there are, and how long repairs take.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor, types::Json};
use utoipa::ToSchema;

use crate::{Result, local, scope::Scope};

/// How many months the numbers cover, including the current one.
const MONTHS: u32 = 6;
/// Only repairs that were closed within this time count for the mean.
const RECENT: TimeDelta = TimeDelta::days(90);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    pub interventions: StatsInterventions,
    /// Percent of all interventions that are closed or archived, with one decimal; 0 when there is none.
    pub taux_resolution: f64,
    /// The last six months, this one last.
    pub evolution_mensuelle: Vec<StatsMois>,
    /// All interventions.
    pub priorites: StatsPriorites,
    pub equipements: StatsEquipements,
    pub utilisateurs: StatsUtilisateurs,
    /// Mean hours from the opening to the closing of the corrective interventions closed in the last 90 days.
    pub mttr_heures: Option<f64>,
}

/// Months are those of Morocco.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsInterventions {
    pub ouverte: i64,
    pub affectee: i64,
    pub en_cours: i64,
    pub en_attente: i64,
    /// Closed or archived.
    pub terminees: i64,
    pub annulees: i64,
    /// Past their `date_limite` and not over.
    pub en_retard: i64,
    /// Opened this month.
    pub total_mensuel: i64,
    /// Closed this month, whenever they were opened.
    pub terminees_mensuel: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsMois {
    /// `2026-11`
    pub month: String,
    /// Opened in it.
    pub total: i64,
    /// Closed in it.
    pub terminees: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsPriorites {
    pub urgente: i64,
    pub haute: i64,
    pub normale: i64,
    pub basse: i64,
    pub programmee: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsEquipements {
    /// With those that are `retire`.
    pub total: i64,
    pub operationnel: i64,
    pub maintenance: i64,
    pub panne: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatsUtilisateurs {
    pub total: i64,
    pub actifs: i64,
}

/// The statement for the dashboard. `$vues` are the interventions that the reader may see, `$sommes` how many of them there are by state and
/// priority, `$de` restricts machines and users.
macro_rules! query_stats {
    ($vues:literal, $sommes:literal, $de:literal, $now:expr, $bounds:expr, $names:expr $(, $client:expr)?) => {
        sqlx::query_scalar!(
            "with vues as " + $vues + ", sommes as (" + $sommes + " group by statut, priorite)," +
            r#"
            totaux as (
                select jsonb_build_object(
                           'ouverte', coalesce(sum(n) filter (where statut = 'ouverte'), 0),
                           'affectee', coalesce(sum(n) filter (where statut = 'affectee'), 0),
                           'en_cours', coalesce(sum(n) filter (where statut = 'en_cours'), 0),
                           'en_attente', coalesce(sum(n) filter (where statut = 'en_attente'), 0),
                           'terminees', coalesce(sum(n) filter (where statut in ('cloturee', 'archivee')), 0),
                           'annulees', coalesce(sum(n) filter (where statut = 'annulee'), 0),
                           'en_retard', (
                               select count(*)
                               from vues
                               where date_limite < $1 and statut in ('ouverte', 'affectee', 'en_cours', 'en_attente'))
                       ) as interventions,
                       jsonb_build_object(
                           'urgente', coalesce(sum(n) filter (where priorite = 'urgente'), 0),
                           'haute', coalesce(sum(n) filter (where priorite = 'haute'), 0),
                           'normale', coalesce(sum(n) filter (where priorite = 'normale'), 0),
                           'basse', coalesce(sum(n) filter (where priorite = 'basse'), 0),
                           'programmee', coalesce(sum(n) filter (where priorite = 'programmee'), 0)
                       ) as priorites,
                       coalesce(round(100.0 * sum(n) filter (where statut in ('cloturee', 'archivee'))
                           / nullif(sum(n), 0), 1), 0) as taux
                from sommes
            ),
            -- $2 and $3: when each month begins, and when the last of them ends. A month is the place of its beginning.
            mois as (
                select place, month from unnest($3::text[]) with ordinality as noms (month, place)
            ),
            -- Two scans, and not one for each month.
            evenements as (
                select width_bucket(date_creation, $2::timestamptz[]) as place, false as fin
                from vues
                where date_creation >= $4
                union all
                select width_bucket(date_cloture, $2::timestamptz[]), true
                from vues
                where statut in ('cloturee', 'archivee') and date_cloture >= $4
            ),
            evolution as (
                select place, month, count(*) filter (where not fin) as total, count(*) filter (where fin) as terminees
                from mois left join evenements using (place)
                group by place, month
            )
            select jsonb_build_object(
                'interventions', totaux.interventions || (
                    select jsonb_build_object('total_mensuel', total, 'terminees_mensuel', terminees)
                    from evolution
                    order by place desc
                    limit 1
                ),
                'taux_resolution', totaux.taux,
                'evolution_mensuelle', (
                    select jsonb_agg(
                        jsonb_build_object('month', month, 'total', total, 'terminees', terminees) order by place)
                    from evolution
                ),
                'priorites', totaux.priorites,
                'equipements', (
                    select jsonb_build_object(
                        'total', count(*),
                        'operationnel', count(*) filter (where statut = 'operationnel'),
                        'maintenance', count(*) filter (where statut = 'maintenance'),
                        'panne', count(*) filter (where statut = 'panne'))
                    from equipements "# + $de + r#"
                ),
                'utilisateurs', (
                    select jsonb_build_object('total', count(*), 'actifs', count(*) filter (where is_active))
                    from users "# + $de + r#"
                ),
                'mttr_heures', (
                    select round(extract(epoch from avg(date_cloture - date_creation)) / 3600, 2)
                    from vues
                    where statut in ('cloturee', 'archivee') and type = 'corrective' and date_cloture > $5 and date_cloture <= $1
                )
            ) as "stats!: Json<Stats>"
            from totaux
            "#,
            $now,
            $bounds,
            $names,
            $bounds[0],
            $now - RECENT,
            $($client,)?
        )
    };
}

/// The numbers at `now`, in one round trip, for the machines in `scope` and the users of their clients. Those of all are added up before
/// (`interventions_totaux`), or counted in indexes; the interventions of one client are read, once.
pub async fn stats(db: impl PgExecutor<'_>, scope: Scope, now: DateTime<Utc>) -> Result<Stats> {
    let months = local::months_until(now, MONTHS);
    let bounds: Vec<_> = months.iter().map(|day| local::start_of(*day)).collect();
    let names: Vec<_> =
        months[..MONTHS as usize].iter().map(|d| d.format("%Y-%m").to_string()).collect();
    let stats = match scope.client_id() {
        None => {
            query_stats!(
                "not materialized (select * from interventions)",
                "select statut, priorite, sum(n) as n from interventions_totaux",
                "",
                now,
                &bounds,
                &names
            )
            .fetch_one(db)
            .await?
        }
        Some(client_id) => {
            query_stats!(
                "materialized (
                select statut, priorite, type, date_creation, date_limite, date_cloture
                from interventions
                where equipement_id = any(array(select id from equipements where client_id = $6)))",
                "select statut, priorite, count(*) as n from vues",
                "where client_id = $6",
                now,
                &bounds,
                &names,
                client_id
            )
            .fetch_one(db)
            .await?
        }
    };
    Ok(stats.0)
}

/// Replaces up to `limit` rows of `interventions_totaux` by their sums, one for each status and priority. A new intervention adds one row,
/// a change of its status or priority two, and a dashboard reads them all. Returns how many were replaced: fewer than `limit` when these were all.
pub async fn add_up(tx: &mut PgConnection, limit: i64) -> Result<usize> {
    let rows = sqlx::query_scalar!(
        r#"
            with partielles as (
                delete from interventions_totaux
                where id = any(array(select id from interventions_totaux order by id limit $1))
                returning statut, priorite, n
            ),
            totales as (
                insert into interventions_totaux (statut, priorite, n)
                select statut, priorite, sum(n)
                from partielles
                group by statut, priorite
                having sum(n) <> 0
            )
            select count(*) as "count!" from partielles
        "#,
        limit,
    );
    Ok(usize::try_from(rows.fetch_one(tx).await?).unwrap_or(usize::MAX))
}

/// Compares the totals with the interventions, at one instant, and adds what is missing. Returns how many totals were wrong: none, unless
/// interventions were written past the triggers, by a restore of the rows alone or a replication.
pub async fn correct(tx: &mut PgConnection) -> Result<u64> {
    let corrected = sqlx::query!(
        r#"
            insert into interventions_totaux (statut, priorite, n)
            select statut, priorite, sum(n)
            from (
                select statut, priorite, count(*) as n from interventions group by statut, priorite
                union all
                select statut, priorite, -n from interventions_totaux
            ) as ecarts
            group by statut, priorite
            having sum(n) <> 0
        "#
    );
    Ok(corrected.execute(tx).await?.rows_affected())
}
