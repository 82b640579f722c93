//! The numbers of the dashboard, read only: how many interventions, machines and people there are, and how long repairs take.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, types::Json};
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

/// The numbers at `now`, in one round trip, for the machines in `scope` and the users of their clients.
pub async fn stats(db: impl PgExecutor<'_>, scope: Scope, now: DateTime<Utc>) -> Result<Stats> {
    let months = local::months_until(now, MONTHS);
    let bounds: Vec<_> = months.iter().map(|day| local::start_of(*day)).collect();
    let names: Vec<_> =
        months[..MONTHS as usize].iter().map(|d| d.format("%Y-%m").to_string()).collect();
    let stats = sqlx::query_scalar!(
        r#"
            with vues as not materialized (
                select *, statut in ('cloturee', 'archivee') as terminee
                from interventions
                where $2::bigint is null or equipement_id in (select id from equipements where client_id = $2)
            ),
            totaux as (
                select jsonb_build_object(
                           'ouverte', count(*) filter (where statut = 'ouverte'),
                           'affectee', count(*) filter (where statut = 'affectee'),
                           'en_cours', count(*) filter (where statut = 'en_cours'),
                           'en_attente', count(*) filter (where statut = 'en_attente'),
                           'terminees', count(*) filter (where terminee),
                           'annulees', count(*) filter (where statut = 'annulee'),
                           'en_retard', count(*) filter (
                               where date_limite < $1 and statut in ('ouverte', 'affectee', 'en_cours', 'en_attente'))
                       ) as interventions,
                       jsonb_build_object(
                           'urgente', count(*) filter (where priorite = 'urgente'),
                           'haute', count(*) filter (where priorite = 'haute'),
                           'normale', count(*) filter (where priorite = 'normale'),
                           'basse', count(*) filter (where priorite = 'basse'),
                           'programmee', count(*) filter (where priorite = 'programmee')
                       ) as priorites,
                       coalesce(round(100.0 * count(*) filter (where terminee) / nullif(count(*), 0), 1), 0) as taux,
                       round(extract(epoch from avg(date_cloture - date_creation) filter (
                           where terminee and type = 'corrective' and date_cloture > $6
                             and date_cloture <= $1)) / 3600, 2) as mttr
                from vues
            ),
            -- $3 and $4: when each month begins, and when the last of them ends. A month is the place of its beginning.
            mois as (
                select place, month from unnest($4::text[]) with ordinality as noms (month, place)
            ),
            -- Two scans, and not one for each month.
            evenements as (
                select width_bucket(date_creation, $3::timestamptz[]) as place, false as fin
                from vues
                where date_creation >= $5
                union all
                select width_bucket(date_cloture, $3::timestamptz[]), true
                from vues
                where terminee and date_cloture >= $5
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
                    from equipements
                    where $2::bigint is null or client_id = $2
                ),
                'utilisateurs', (
                    select jsonb_build_object('total', count(*), 'actifs', count(*) filter (where is_active))
                    from users
                    where $2::bigint is null or client_id = $2
                ),
                'mttr_heures', totaux.mttr
            ) as "stats!: Json<Stats>"
            from totaux
        "#,
        now,
        scope.client_id(),
        &bounds,
        &names,
        bounds[0],
        now - RECENT,
    )
    .fetch_one(db)
    .await?;
    Ok(stats.0)
}
