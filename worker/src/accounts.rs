//! Links that are mailed to the owners of accounts.
use erp_core::{
    Result,
    accounts::links::{self, MailLink},
};

use crate::work::Work;

pub(crate) async fn mail_link(work: Work, job: MailLink) -> Result<()> {
    let mut tx = work.begin().await?;
    links::mail_link(&mut tx, &job, work.clock.now()).await?;
    tx.commit().await
}
