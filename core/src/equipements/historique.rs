//! What happened to a machine: interventions, visits, documents, and what it cost.
use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::Serialize;
use sqlx::PgPool;

use super::{Equipement, store};
use crate::{
    Result,
    config::Sla,
    documents::{self, DocumentOut},
    input::{Input, Whole},
    interventions::{self, Intervention, InterventionOut, mad},
    keys::SignedUrls,
    local,
    page::Page,
    scope::Scope,
};

/// The number of years for which costs are given, the current one included.
const YEARS: i32 = 20;

/// How many rows of each kind are shown.
#[derive(Debug, Clone, Input)]
pub struct HistoriqueFilter {
    /// 1..=200
    #[input(as = Whole<1, 200>, or = Whole(50))]
    pub limit: i64,
}

/// The past of a machine: of each kind the newest rows, and how many there are in all (counted up to 10 000).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct EquipementHistorique {
    pub equipement: Equipement,
    /// Those that people opened.
    pub interventions: Vec<InterventionOut>,
    /// Those that a planning opened.
    pub visites: Vec<InterventionOut>,
    pub documents: Vec<DocumentOut>,
    pub totaux: Totaux,
    /// The newest year first, at most twenty; a year without any is left out.
    pub couts: Vec<CoutsAnnee>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Totaux {
    pub interventions: i64,
    pub visites: i64,
    pub documents: i64,
}

/// What the interventions on a machine cost in a year of the clock in Morocco: that of their end, or of their beginning where
/// they have not ended. Centimes of MAD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CoutsAnnee {
    pub annee: i32,
    /// With the visits.
    pub interventions: i64,
    pub cout_pieces: i64,
    pub cout_main_oeuvre: i64,
    /// Both.
    pub cout_reel: i64,
    /// MAD, with two decimals.
    pub cout_pieces_mad: String,
    /// MAD, with two decimals.
    pub cout_main_oeuvre_mad: String,
    /// MAD, with two decimals.
    pub cout_reel_mad: String,
}

/// What the history is shown by: the scope of the reader, the keys of links, the targets, and the time of the request.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    pub scope: Scope,
    pub signed_urls: &'a SignedUrls,
    pub sla: &'a Sla,
    pub now: DateTime<Utc>,
}

/// The history of machine `id`, as `reader` may see it. `NotFound` when the machine is outside the reader's scope.
pub async fn historique(
    pool: &PgPool,
    id: i64,
    filter: &HistoriqueFilter,
    reader: Reader<'_>,
) -> Result<EquipementHistorique> {
    let Reader { scope, signed_urls, sla, now } = reader;
    let equipement = store::find(pool, id, scope).await?;
    let page = Page::newest(filter.limit);
    let seen = |row: Intervention| row.seen_at(now, sla);
    let interventions = interventions::list_of_equipement(pool, id, false, &page).await?.map(seen);
    let visites = interventions::list_of_equipement(pool, id, true, &page).await?.map(seen);
    let documents = documents::list_of_equipement(pool, id, &page).await?;
    let documents = documents.map(|document| document.shown(signed_urls, scope.is_outside(), now));
    Ok(EquipementHistorique {
        equipement,
        totaux: Totaux {
            interventions: interventions.total,
            visites: visites.total,
            documents: documents.total,
        },
        interventions: interventions.rows,
        visites: visites.rows,
        documents: documents.rows,
        couts: couts(pool, id, now).await?,
    })
}

async fn couts(pool: &PgPool, id: i64, now: DateTime<Utc>) -> Result<Vec<CoutsAnnee>> {
    let first = local::day_of(now).year() - (YEARS - 1);
    let begin = |year| NaiveDate::from_ymd_opt(year, 1, 1).map(local::start_of);
    let bounds: Vec<_> = (first..first + YEARS).filter_map(begin).collect();
    let rows = sqlx::query!(
        r#"
            select width_bucket(coalesce(date_cloture, date_creation), $2::timestamptz[]) as "place!", count(*) as "nombre!",
                   sum(cout_pieces)::bigint as "cout_pieces!", sum(cout_main_oeuvre)::bigint as "cout_main_oeuvre!"
            from interventions
            where equipement_id = $1
            group by 1
            order by 1 desc
        "#,
        id,
        &bounds,
    )
    .fetch_all(pool)
    .await?;
    // `width_bucket` gives 0 for dates before the first of these years.
    let rows = rows.into_iter().filter(|row| row.place > 0);
    let couts = rows.map(|row| {
        let cout_reel = row.cout_pieces.saturating_add(row.cout_main_oeuvre);
        CoutsAnnee {
            annee: first + row.place - 1,
            interventions: row.nombre,
            cout_pieces: row.cout_pieces,
            cout_main_oeuvre: row.cout_main_oeuvre,
            cout_reel,
            cout_pieces_mad: mad(row.cout_pieces),
            cout_main_oeuvre_mad: mad(row.cout_main_oeuvre),
            cout_reel_mad: mad(cout_reel),
        }
    });
    Ok(couts.collect())
}
