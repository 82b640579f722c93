//! One mail for what comes to a person within a while (`EMAILS_GROUP_SECONDS`): a mail gathers for some seconds, and the
//! next one leaves no sooner than the while after it. In a person's quiet hours none leaves.
mod store;

use chrono::{DateTime, TimeDelta, Utc};

pub(super) use store::{forget, revive, waiting};
pub use store::{is_admitted, reader, record_departure};

use super::jobs::SendGroup;
use crate::{Result, Tx, jobs::enqueue_in, preferences};

/// How long a mail gathers before it leaves: assignments made one after the other are one mail, and nobody waits.
const GATHER: TimeDelta = TimeDelta::seconds(5);

/// What a mail is made of.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The notifications that wait to be sent, by id.
    pub waiting: Vec<i64>,
    /// The first of all that it has gathered: it names the mail, at every attempt.
    pub first: i64,
}

/// Adds the mail of a notification to the one that gathers for its reader, or begins another. Nothing happens to one that
/// was added before.
pub async fn admit(
    tx: &mut Tx<'_>,
    notification_id: i64,
    user_id: i64,
    group: TimeDelta,
    now: DateTime<Utc>,
) -> Result<()> {
    // From here on the row is ours: whoever closes it waits, and sees what is added.
    let (envoi_id, is_new) = store::open(tx, user_id, now).await?;
    store::add(tx, envoi_id, notification_id).await?;
    if !is_new {
        return Ok(());
    }
    let last = store::last_departure(tx, user_id).await?;
    let gathered = (now + GATHER.min(group)).max(last.map_or(now, |last| last + group));
    let wants = preferences::find(&mut **tx, user_id).await?;
    let part_le = wants.quiet_until(gathered).unwrap_or(gathered);
    store::set_departure(tx, envoi_id, part_le).await?;
    let delay = (part_le - now).to_std().unwrap_or_default();
    enqueue_in(tx, &SendGroup { envoi_id }, delay).await
}

/// Closes a mail, so that nothing more is added, and gives what it is made of; `None`: there is nothing left of it.
pub async fn close(tx: &mut Tx<'_>, envoi_id: i64, now: DateTime<Utc>) -> Result<Option<Contents>> {
    store::close(tx, envoi_id, now).await?;
    let waiting = waiting(tx, envoi_id).await?;
    let first = store::first(tx, envoi_id).await?;
    Ok(first.filter(|_| !waiting.is_empty()).map(|first| Contents { waiting, first }))
}

/// Lets a mail that could not be sent gather again; where another one gathers already, that one takes it over. So a long
/// outage of the mail server ends in one mail a person.
pub async fn reopen(tx: &mut Tx<'_>, envoi_id: i64) -> Result<()> {
    if !store::reopen(tx, envoi_id).await? {
        store::hand_over(tx, envoi_id).await?;
    }
    Ok(())
}
