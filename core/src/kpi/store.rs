//! The sums that the indicators are made of: one statement, and nothing else.
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{PgExecutor, types::Json};

use super::Periode;
use crate::{Result, planning::FrequencePlanning, scope::Scope};

/// What the database adds up for a period. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Mesures {
    pub service: Service,
    pub arrets: Arrets,
    pub correctives: Correctives,
    pub visites: Visites,
    pub charge: Charge,
    pub travaux: Travaux,
    pub delais: Delais,
    /// People who are techniciens today, or left after the end of the period.
    pub techniciens: i64,
}

/// The machines, and the time that they were in service.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Service {
    pub equipements: i64,
    pub sans_date_acquisition: i64,
    pub retires: i64,
    pub secondes: f64,
}

/// The failures of these machines, and the time that they stood still.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Arrets {
    pub defaillances: i64,
    pub secondes: f64,
}

/// Corrective interventions.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Correctives {
    pub cloturees: i64,
    pub secondes: f64,
    pub encore_ouvertes: i64,
}

/// The visits that were due in the period.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Visites {
    /// Held in time, or not, or too late by now.
    pub jugees: i64,
    pub dans_la_tolerance: i64,
    /// Not held, with time left.
    pub encore_dans_le_delai: i64,
    pub annulees: i64,
    /// Due, and not opened by their planning.
    pub non_ouvertes: i64,
    pub sans_planning: i64,
}

/// What was open at the end of the period.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Charge {
    pub ouvertes: i64,
    pub estimees: i64,
    pub minutes: i64,
}

/// What was closed in the period.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Travaux {
    pub cloturees: i64,
    pub planifiees: i64,
    pub sans_duree: i64,
    pub minutes: i64,
    pub minutes_planifiees: i64,
}

/// Requests, which are the interventions that nobody had planned.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Delais {
    pub reponses: i64,
    pub sans_reponse: i64,
    /// The half and nine tenths of them were quicker; null when there is none.
    pub reponse: Option<[f64; 2]>,
    pub attente_reponse: f64,
    pub resolutions: i64,
    pub non_resolues: i64,
    pub resolution: Option<[f64; 2]>,
    pub attente_resolution: f64,
}

/// The statement. `$machines` restricts the machines, `$interventions` the interventions to those of them.
macro_rules! query_mesures {
    ($machines:literal, $interventions:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_scalar!(
            r#"
            -- $1 and $2: when the period begins and ends; $3: now; $4: when each day begins. A day is its place among these.
            with machines as materialized (
                select id, statut = 'retire' as retire, date_acquisition is null as sans_date,
                       greatest(date_acquisition, $1::timestamptz) as debut
                from equipements "# + $machines + r#"
            ),
            -- All that was under way in the period: closed in it or later, or open still. What was called off never counts.
            vues as materialized (
                select id, equipement_id, type, date_creation, cloture, coalesce(date_debut_travaux, cloture) as reponse, duree_estimee,
                       type = 'preventive' or priorite = 'programmee' or planning_id is not null or echeance is not null as planifiee,
                       -- Without a begin of work, closing fills in all the time since the opening, which is not how long the work took.
                       case when date_debut_travaux is null
                            then nullif(duree_reelle, greatest(floor(extract(epoch from cloture - date_creation) / 60), 0))
                            else coalesce(duree_reelle, greatest(floor(extract(epoch from cloture - date_debut_travaux) / 60), 0))
                       end as minutes
                from interventions, lateral (select case when statut in ('cloturee', 'archivee') then date_cloture end as cloture) fin
                where date_creation < $2::timestamptz
                  and (statut in ('cloturee', 'archivee') and date_cloture >= $1
                       or statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')) "# + $interventions + r#"
            ),
            service as (
                select count(*) filter (where en_service) as equipements,
                       count(*) filter (where en_service and sans_date) as sans_date_acquisition,
                       count(*) filter (where retire) as retires,
                       coalesce(sum(extract(epoch from $2 - debut)) filter (where en_service), 0) as secondes
                from machines, lateral (select not retire and debut < $2 as en_service) present
            ),
            pannes as (
                select equipement_id, date_creation >= debut as nouvelle, greatest(date_creation, debut) as arret,
                       least(cloture, $2) as reprise
                from vues join machines on machines.id = equipement_id
                where type = 'corrective' and not retire and debut < $2
            ),
            -- Two failures of a machine at a time are one stop: each adds what comes after the end of those before it.
            arrets as (
                select count(*) filter (where nouvelle) as defaillances,
                       coalesce(sum(greatest(extract(epoch from reprise - greatest(arret, couvert)), 0)), 0) as secondes
                from (
                    select *, max(reprise) over (partition by equipement_id order by arret, reprise
                                                 rows between unbounded preceding and 1 preceding) as couvert
                    from pannes
                ) suites
            ),
            correctives as (
                select count(*) filter (where cloture < $2) as cloturees,
                       coalesce(sum(greatest(extract(epoch from cloture - date_creation), 0)) filter (where cloture < $2), 0) as secondes,
                       count(*) filter (where cloture is null or cloture >= $2) as encore_ouvertes
                from vues
                where type = 'corrective'
            ),
            tolerances as (
                select frequence, jours from unnest($5::text[], $6::integer[]) as t (frequence, jours)
            ),
            echeances as (
                select statut = 'annulee' as annulee, true as ouverte, p.id is null as sans_planning,
                       width_bucket(echeance, $4::timestamptz[]) as jour,
                       case when i.statut in ('cloturee', 'archivee') then width_bucket(date_cloture, $4) end as tenue,
                       coalesce(t.jours, 1) as tolerance
                from (select * from interventions where echeance >= $1 and echeance < $2 "# + $interventions + r#") i
                left join (select id, frequence from plannings) p on p.id = i.planning_id
                left join tolerances t using (frequence)
                -- Held, and nobody knows when.
                where i.statut not in ('cloturee', 'archivee') or date_cloture is not null
                union all
                select false, false, false, width_bucket(prochaine_date, $4), null, t.jours
                from plannings p
                join machines m on m.id = p.equipement_id and not m.retire
                join tolerances t using (frequence)
                where prochaine_date >= $1 and prochaine_date < $2 and p.statut in ('actif', 'en_retard')
            ),
            visites as (
                select count(*) filter (where jugee) as jugees,
                       count(*) filter (where jugee and abs(tenue - jour) <= tolerance) as dans_la_tolerance,
                       count(*) filter (where not annulee and not jugee) as encore_dans_le_delai,
                       count(*) filter (where annulee) as annulees,
                       count(*) filter (where not ouverte) as non_ouvertes,
                       count(*) filter (where sans_planning and not annulee) as sans_planning
                from echeances, lateral (
                    select not annulee and (tenue is not null or width_bucket($3::timestamptz, $4) > jour + tolerance) as jugee
                ) verdict
            ),
            charge as (
                select count(*) as ouvertes, count(duree_estimee) as estimees, coalesce(sum(duree_estimee), 0) as minutes
                from vues
                where cloture is null or cloture >= $2
            ),
            travaux as (
                select count(*) as cloturees, count(*) filter (where planifiee) as planifiees,
                       count(*) filter (where minutes is null) as sans_duree, coalesce(sum(minutes), 0) as minutes,
                       coalesce(sum(minutes) filter (where planifiee), 0) as minutes_planifiees
                from vues
                where cloture < $2
            ),
            demandes as materialized (
                select id, date_creation, reponse, cloture, reponse >= $1 and reponse < $2 as repondue, cloture < $2 as resolue
                from vues
                where not planifiee
            ),
            -- A status lasts until the next line of the history.
            attentes as materialized (
                select d.id,
                       sum(greatest(extract(epoch from least(s.horodatage, d.reponse) - h.horodatage), 0)) as avant_reponse,
                       sum(greatest(extract(epoch from least(s.horodatage, d.cloture) - h.horodatage), 0)) as avant_cloture
                from demandes d
                join historique h on h.intervention_id = d.id and h.statut = 'en_attente'
                left join lateral (
                    select horodatage from historique where intervention_id = h.intervention_id and historique.id > h.id
                    order by historique.id limit 1
                ) s on true
                where d.repondue or d.resolue
                group by d.id
            ),
            durees as (
                select repondue, resolue, reponse, cloture, avant_reponse, avant_cloture,
                       greatest(extract(epoch from reponse - date_creation) - coalesce(avant_reponse, 0), 0)::float8 as reponse_nette,
                       greatest(extract(epoch from cloture - date_creation) - coalesce(avant_cloture, 0), 0)::float8 as cloture_nette
                from demandes left join attentes using (id)
            ),
            delais as (
                select count(*) filter (where repondue) as reponses,
                       count(*) filter (where reponse is null or reponse >= $2) as sans_reponse,
                       percentile_cont(array[0.5, 0.9]) within group (order by reponse_nette) filter (where repondue) as reponse,
                       coalesce(sum(avant_reponse) filter (where repondue), 0) as attente_reponse,
                       count(*) filter (where resolue) as resolutions,
                       count(*) filter (where cloture is null or cloture >= $2) as non_resolues,
                       percentile_cont(array[0.5, 0.9]) within group (order by cloture_nette) filter (where resolue) as resolution,
                       coalesce(sum(avant_cloture) filter (where resolue), 0) as attente_resolution
                from durees
            )
            select jsonb_build_object(
                'service', to_jsonb(service), 'arrets', to_jsonb(arrets), 'correctives', to_jsonb(correctives),
                'visites', to_jsonb(visites), 'charge', to_jsonb(charge), 'travaux', to_jsonb(travaux), 'delais', to_jsonb(delais),
                -- Who has left since was there then; since when the others are, nobody knows. Who left and came back is one person.
                'techniciens', (
                    select count(distinct t.user_id) from techniciens t join users u on u.id = t.user_id
                    where coalesce(t.supprime_le >= $2, u.is_active)
                )
            ) as "mesures!: Json<Mesures>"
            from service, arrets, correctives, visites, charge, travaux, delais
            "#,
            $($argument),+
        )
    };
}

/// The sums of `periode` at `now`, for the machines in `scope`, or one of them.
pub(super) async fn mesures(
    db: impl PgExecutor<'_>,
    periode: &Periode,
    scope: Scope,
    equipement_id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Mesures> {
    let (frequences, tolerances): (Vec<_>, Vec<_>) = FrequencePlanning::ALL
        .iter()
        .map(|one| (one.stored().to_owned(), one.conformite_jours()))
        .unzip();
    let Periode { debut, fin, .. } = *periode;
    let jours = periode.jours();
    let mesures = if scope == Scope::All && equipement_id.is_none() {
        query_mesures!("", "", debut, fin, now, &jours, &frequences, &tolerances)
            .fetch_one(db)
            .await?
    } else {
        query_mesures!(
            "where ($7::bigint is null or client_id = $7) and ($8::bigint is null or id = $8)",
            "and equipement_id = any(array(select id from machines))",
            debut,
            fin,
            now,
            &jours,
            &frequences,
            &tolerances,
            scope.client_id(),
            equipement_id,
        )
        .fetch_one(db)
        .await?
    };
    Ok(mesures.0)
}
