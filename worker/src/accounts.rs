//! What accounts need done apart: links that are mailed to their owners, and the names of those who were taken out of the system.
use erp_core::{
    Result,
    accounts::{
        links::{self, MailLink},
        pseudonyms::{self, Pseudonymise},
    },
};

use crate::work::Work;

pub(crate) async fn mail_link(work: Work, job: MailLink) -> Result<()> {
    let mut tx = work.begin().await?;
    links::mail_link(&mut tx, &job, work.clock.now()).await?;
    tx.commit().await
}

/// In small steps, each a transaction of its own: an attempt that is interrupted is done again from the start, and finds less to do.
pub(crate) async fn pseudonymise(work: Work, job: Pseudonymise) -> Result<()> {
    let mut next = Some(0);
    while let Some(after) = next {
        let mut tx = work.begin().await?;
        next = pseudonyms::step(&mut tx, job.user_id, after).await?;
        tx.commit().await?;
    }
    Ok(())
}
