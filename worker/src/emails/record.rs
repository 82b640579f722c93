//! Recording what became of a mail, however long the database is away.
use std::time::Duration;

use erp_core::{
    Result, metrics,
    notifications::envois::{self, Fin},
};

use crate::work::Work;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Records the end of a transmission under the lease of this attempt; once the lease is lost, somebody else decides, and
/// nothing is changed.
pub(super) async fn record(work: &Work, envoi_id: i64, fin: &Fin) -> Result<()> {
    let now = work.clock.now();
    patiently(|| async move {
        let mut tx = work.begin().await?;
        envois::record(&mut tx, envoi_id, fin, now).await?;
        tx.commit().await
    })
    .await?;
    if let Fin::Incertaine(reason) = fin {
        tracing::warn!(envoi.id = envoi_id, reason, "a mail whose end is in doubt is kept");
    }
    metrics::MAILS.with_label_values(&[fin.as_str()]).inc();
    Ok(())
}

/// Repeats `step` while the database does not answer: another attempt would send again what was accepted.
pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(step: impl Fn() -> F) -> Result<T> {
    loop {
        match step().await {
            Err(error) if error.is_unavailable() => {
                tracing::warn!(%error, "what became of a mail is not recorded yet");
                tokio::time::sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}
