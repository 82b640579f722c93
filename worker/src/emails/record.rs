//! Recording what became of a mail.
use std::time::Duration;

use erp_core::{
    Error, Result, metrics,
    notifications::outgoing_mails::{self, Ending},
};

use crate::work::Work;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Records the end of a transmission under the lease of this attempt; retries for as long as the database is away. When the
/// lease is lost nothing is changed, because another attempt decides.
pub(super) async fn record(work: &Work, envoi_id: i64, ending: &Ending) -> Result<()> {
    patiently(|| write(work, envoi_id, ending)).await
}

/// Records in a single try why a mail was not begun: nothing depends on this record.
pub(super) async fn note(work: &Work, envoi_id: i64, ending: &Ending) -> Result<()> {
    write(work, envoi_id, ending).await
}

async fn write(work: &Work, envoi_id: i64, ending: &Ending) -> Result<()> {
    let mut tx = work.begin().await?;
    outgoing_mails::record(&mut tx, envoi_id, ending, work.clock.now()).await?;
    tx.commit().await?;
    if let Ending::Incertaine(reason) = ending {
        tracing::warn!(envoi.id = envoi_id, reason, "a mail whose end is in doubt is kept");
    }
    metrics::MAILS.with_label_values(&[ending.as_str()]).inc();
    Ok(())
}

/// Closes a mail that has nothing to say any more. False when something has joined it meanwhile.
pub(super) async fn close_if_empty(work: &Work, envoi_id: i64) -> Result<bool> {
    let now = work.clock.now();
    let mut tx = work.begin().await?;
    if !outgoing_mails::close(&mut tx, envoi_id, now).await?.is_empty() {
        return Ok(false);
    }
    outgoing_mails::record(&mut tx, envoi_id, &Ending::Annulee, now).await?;
    tx.commit().await?;
    metrics::MAILS.with_label_values(&[Ending::Annulee.as_str()]).inc();
    Ok(true)
}

/// Repeats `step` until it succeeds or the lease is lost. It retries after any other error: if the attempt gave up, the
/// next one would send again what was accepted.
pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(step: impl Fn() -> F) -> Result<T> {
    loop {
        match step().await {
            Err(error) if !matches!(error, Error::LeaseLost) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what became of a mail is not recorded yet"
                );
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}
