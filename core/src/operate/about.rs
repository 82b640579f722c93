//! What a job is about, and the jobs that are about a thing.
use serde_json::Value;
use sqlx::PgPool;

use super::{JobOut, store};
use crate::{
    Error, Result,
    documents::{self, jobs::ProcessDocument, lots},
    jobs::Job as _,
    notifications::{
        jobs::{SendAccountMail, SendMail},
        outgoing_mails,
    },
    page::Page,
};

/// The most jobs, mails and documents of a thing that are shown.
pub const MOST: i64 = 50;

/// Something that jobs are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Intervention(i64),
    Document(i64),
    Planning(i64),
    Mail(i64),
}

/// What the job with this payload is about, and what that belongs to. Things that are gone are left out.
pub async fn of_job(pool: &PgPool, payload: &Value) -> Result<Vec<Thing>> {
    let id = |name: &str| payload[name].as_i64();
    if let Some(id) = id("envoi_id") {
        if outgoing_mails::find(pool, id).await?.is_none() {
            return Ok(Vec::new());
        }
        let mut things = vec![Thing::Mail(id)];
        things.extend(of_mail(pool, id).await?);
        return Ok(things);
    }
    if let Some(id) = id("document_id") {
        return Ok(match found(documents::find(pool, id).await)? {
            Some(document) => {
                vec![Thing::Document(id), Thing::Intervention(document.intervention_id)]
            }
            None => Vec::new(),
        });
    }
    if let Some(id) = id("lot_id") {
        let lot = found(lots::find(pool, id).await)?;
        return Ok(lot.map(|lot| Thing::Intervention(lot.intervention_id)).into_iter().collect());
    }
    Ok(Vec::new())
}

/// What is gone is `None`.
fn found<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The interventions and plannings that mail `id` tells of.
pub async fn of_mail(pool: &PgPool, id: i64) -> Result<Vec<Thing>> {
    let subjects = outgoing_mails::subjects(pool, id, MOST).await?;
    let mut things: Vec<_> = subjects
        .into_iter()
        .flat_map(|(intervention, planning)| {
            [intervention.map(Thing::Intervention), planning.map(Thing::Planning)]
        })
        .flatten()
        .collect();
    things.sort_unstable();
    things.dedup();
    Ok(things)
}

/// The jobs about these documents and mails, the newest first. Those that ended are known for seven days, as their keys are
/// ([`super::KEPT_DAYS`]).
pub async fn jobs(pool: &PgPool, documents: &[i64], mails: &[i64]) -> Result<Vec<JobOut>> {
    let of_documents = documents.iter().map(|id| (ProcessDocument::QUEUE, id));
    let of_mails = [SendMail::QUEUE, SendAccountMail::QUEUE];
    let of_mails = of_mails.into_iter().flat_map(|queue| mails.iter().map(move |id| (queue, id)));
    let (queues, subjects): (Vec<_>, Vec<_>) =
        of_documents.chain(of_mails).map(|(queue, id)| (queue.to_owned(), id.to_string())).unzip();
    store::of_subjects(pool, &queues, &subjects, &Page::newest(MOST)).await
}
