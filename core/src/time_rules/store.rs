//! SQL of the rules of time zones, and of the dates that were computed by them.
use std::collections::{BTreeSet, HashMap};

use apalis_hot::schedules;
use chrono::{DateTime, NaiveTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::{
    Result,
    local::{CASABLANCA, Rules, Version},
};

/// Whether the dates in the database are computed by `version`; if so, this does not change until the transaction ends.
pub(super) async fn hold(tx: &mut PgConnection, version: &Version) -> Result<bool> {
    let held = sqlx::query_scalar!(
        "select zone from regles_horaires where zone = $1 and version = $2 for key share",
        CASABLANCA,
        version.to_string(),
    );
    Ok(held.fetch_optional(tx).await?.is_some())
}

/// The release in force, as text.
pub(super) async fn version(db: impl PgExecutor<'_>) -> Result<Option<String>> {
    let version =
        sqlx::query_scalar!("select version from regles_horaires where zone = $1", CASABLANCA);
    Ok(version.fetch_optional(db).await?)
}

/// The release in force and its rules by zone, whose rows are locked until the transaction ends.
pub(super) async fn lock(
    tx: &mut PgConnection,
) -> Result<Option<(Version, HashMap<String, Vec<u8>>)>> {
    let rows = sqlx::query!(
        "select zone, version, tzif from regles_horaires order by zone limit 1000 for update"
    )
    .fetch_all(tx)
    .await?;
    let version = rows.iter().find(|row| row.zone == CASABLANCA).map(|row| row.version.clone());
    // A release that cannot be read counts as older than any other.
    let version = version.and_then(|version| Version::parse(&version));
    let zones = rows.into_iter().map(|row| (row.zone, row.tzif)).collect();
    Ok(version.map(|version| (version, zones)))
}

/// Writes the rules of `zones`, and their release.
pub(super) async fn save(tx: &mut PgConnection, rules: &Rules, zones: &[String]) -> Result<()> {
    for zone in zones {
        let Some(tzif) = rules.tzif(zone) else { continue };
        sqlx::query!(
            r#"
                insert into regles_horaires (zone, version, tzif) values ($1, $2, $3)
                on conflict (zone) do update
                set version = $2, tzif = $3, depuis = now() where regles_horaires.version <> $2
            "#,
            zone,
            rules.version.to_string(),
            tzif,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// The zones that schedules name, each once.
pub(super) async fn zones(db: impl PgExecutor<'_>) -> Result<Vec<String>> {
    let zones: BTreeSet<_> =
        schedules::list(db).await?.into_iter().map(|schedule| schedule.timezone).collect();
    Ok(zones.into_iter().collect())
}

/// Records that rules were taken over; returns the id of the entry.
pub(super) async fn insert_entry(
    tx: &mut PgConnection,
    before: Option<&Rules>,
    rules: &Rules,
    instance: &str,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"
            insert into regles_horaires_journal
                (version_avant, tzif_avant, version_apres, source, instance, planifications, plannings, echeances)
            values ($1, $2, $3, $4, $5, 0, 0, 0)
            returning id
        "#,
        before.map(|before| before.version.to_string()),
        before.and_then(|before| before.tzif(CASABLANCA)),
        rules.version.to_string(),
        rules.source.to_string(),
        instance,
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn set_counts(
    tx: &mut PgConnection,
    id: i64,
    schedules: usize,
    plannings: usize,
    deadlines: usize,
) -> Result<()> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
            update regles_horaires_journal set planifications = $2, plannings = $3, echeances = $4
            where id = $1
        "#,
        id,
        count(schedules),
        count(plannings),
        count(deadlines),
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn now(tx: &mut PgConnection) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(tx).await?)
}

/// Moves the next tick of a schedule, and records the move.
pub(super) async fn move_schedule(
    tx: &mut PgConnection,
    entry: i64,
    name: &str,
    before: DateTime<Utc>,
    after: DateTime<Utc>,
) -> Result<()> {
    schedules::set_next(tx, name, after).await?;
    sqlx::query!(
        r#"
            insert into regles_horaires_reports (journal_id, objet, cle, avant, apres)
            values ($1, 'planification', $2, $3, $4)
        "#,
        entry,
        name,
        before,
        after,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The dates of a planning.
pub(super) struct PlanningDates {
    pub id: i64,
    pub prochaine_date: DateTime<Utc>,
    pub heure: Option<NaiveTime>,
    pub rappel_signale: Option<DateTime<Utc>>,
}

/// The plannings after `after`, by id, locked.
pub(super) async fn lock_plannings(
    tx: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<PlanningDates>> {
    Ok(sqlx::query_as!(
        PlanningDates,
        r#"
            select id, prochaine_date, heure, rappel_signale
            from plannings where id > $1 order by id limit $2 for update
        "#,
        after,
        limit,
    )
    .fetch_all(tx)
    .await?)
}

/// Dates that move, one at each index: the id of its row, the date before and after, and the marks of its announcements after.
#[derive(Default)]
pub(super) struct Moves {
    pub ids: Vec<i64>,
    pub before: Vec<DateTime<Utc>>,
    pub after: Vec<DateTime<Utc>>,
    pub marks: Vec<Option<DateTime<Utc>>>,
    pub late_marks: Vec<Option<DateTime<Utc>>>,
}

pub(super) async fn move_plannings(tx: &mut PgConnection, entry: i64, moves: &Moves) -> Result<()> {
    sqlx::query!(
        r#"
            with moves as (
                select * from unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
                    as m (id, avant, apres, rappel)
            ),
            moved as (
                update plannings p set prochaine_date = m.apres, rappel_signale = m.rappel
                from moves m where p.id = m.id
                returning p.id, m.avant, m.apres
            )
            insert into regles_horaires_reports (journal_id, objet, cle, avant, apres)
            select $1, 'planning', id::text, avant, apres from moved
        "#,
        entry,
        &moves.ids,
        &moves.before,
        &moves.after,
        &moves.marks as &[Option<DateTime<Utc>>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The deadline of an intervention, and the marks of its announcements.
pub(super) struct Deadline {
    pub id: i64,
    pub date_limite: DateTime<Utc>,
    pub rappel_signale: Option<DateTime<Utc>>,
    pub retard_signale: Option<DateTime<Utc>>,
}

/// The deadlines of interventions after `after` that are not over, by id.
pub(super) async fn deadlines(
    tx: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Deadline>> {
    Ok(sqlx::query_as!(
        Deadline,
        r#"
            select id, date_limite as "date_limite!", rappel_signale, retard_signale
            from interventions
            where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and date_limite is not null and id > $1
            order by id limit $2
        "#,
        after,
        limit,
    )
    .fetch_all(tx)
    .await?)
}

/// Moves those deadlines that have not changed meanwhile, with a line in the history of each; returns how many.
pub(super) async fn move_deadlines(
    tx: &mut PgConnection,
    entry: i64,
    moves: &Moves,
    remarque: &str,
) -> Result<u64> {
    Ok(sqlx::query!(
        r#"
            with moves as (
                select *
                from unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
                    as m (id, avant, apres, rappel, retard)
            ),
            moved as (
                update interventions i
                set date_limite = m.apres, rappel_signale = m.rappel, retard_signale = m.retard
                from moves m
                where i.id = m.id and i.date_limite = m.avant
                  and i.statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
                returning i.id, i.statut, m.avant, m.apres
            ),
            noted as (
                insert into historique (intervention_id, statut, remarque, horodatage)
                select id, statut, $7, clock_timestamp() from moved
            )
            insert into regles_horaires_reports (journal_id, objet, cle, avant, apres)
            select $1, 'intervention', id::text, avant, apres from moved
        "#,
        entry,
        &moves.ids,
        &moves.before,
        &moves.after,
        &moves.marks as &[Option<DateTime<Utc>>],
        &moves.late_marks as &[Option<DateTime<Utc>>],
        remarque,
    )
    .execute(tx)
    .await?
    .rows_affected())
}

/// A process, and the releases that it has: that of the system, and the built-in one.
#[derive(Debug, Clone)]
pub struct Instance {
    pub instance: String,
    pub programme: String,
    /// The newer of the two that follow.
    pub version: String,
    pub systeme: Option<String>,
    pub embarquee: String,
}

/// Records the releases of a process; deletes the processes that have not been seen for a day.
pub(super) async fn announce(tx: &mut PgConnection, one: &Instance) -> Result<()> {
    sqlx::query!(
        r#"
            insert into regles_horaires_instances (instance, programme, version, systeme, embarquee, vu_le)
            values ($1, $2, $3, $4, $5, clock_timestamp())
            on conflict (instance) do update
            set programme = $2, version = $3, systeme = $4, embarquee = $5, vu_le = clock_timestamp()
        "#,
        one.instance,
        one.programme,
        one.version,
        one.systeme,
        one.embarquee,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from regles_horaires_instances where vu_le < clock_timestamp() - interval '24 hours'"
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The processes that were seen within the last three minutes, by program and name.
pub(super) async fn instances(db: impl PgExecutor<'_>) -> Result<Vec<Instance>> {
    Ok(sqlx::query_as!(
        Instance,
        r#"
            select instance, programme, version, systeme, embarquee from regles_horaires_instances
            where vu_le > clock_timestamp() - interval '3 minutes' order by programme, instance limit 1000
        "#
    )
    .fetch_all(db)
    .await?)
}

/// How many seconds the clock in Morocco is ahead of UTC at each of `times`, as Postgres computes it. It is only used for a line
/// for operators: dates are computed by this program alone.
pub(super) async fn offsets_of_postgres(
    db: impl PgExecutor<'_>,
    times: &[DateTime<Utc>],
) -> Result<Vec<i32>> {
    Ok(sqlx::query_scalar!(
        r#"
            select extract(epoch from timezone($1, t) - timezone('UTC', t))::int as "offset!"
            from unnest($2::timestamptz[]) with ordinality as times (t, place) order by place
        "#,
        CASABLANCA,
        times,
    )
    .fetch_all(db)
    .await?)
}

/// The rules in force, and up to 20 that were in force before, the latest first.
pub(super) async fn all(db: impl PgExecutor<'_>) -> Result<Vec<(String, Vec<u8>)>> {
    let rows = sqlx::query!(
        r#"
            (select version as "version!", tzif as "tzif!" from regles_horaires where zone = $1)
            union all
            (select version_avant, tzif_avant from regles_horaires_journal
             where version_avant is not null and tzif_avant is not null order by id desc limit 20)
        "#,
        CASABLANCA,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.version, row.tzif)).collect())
}
