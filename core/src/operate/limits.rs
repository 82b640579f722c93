//! The limits that are set, and how much of each is in use.
use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{QueueOut, WorkerOut, programs::Count};
use crate::{Ctx, Result, catalogue, documents, jobs::Dependency, limits, mailer};

/// What a limit is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `SMTP_MAX_PER_MINUTE`, with how long it is until the next mail may be transmitted; in use: the jobs of mails that were
    /// done in the last whole minute. The checks of the mail server come on top, and jobs that end without a transmission count.
    MailsPerMinute { free_in: TimeDelta },
    /// `SMTP_MAX_CONNECTIONS`
    MailConnections,
    /// The concurrency that an operator has set for a queue: so many jobs at once in each of its workers.
    Queue { name: String, each: i32, workers: i64 },
    /// `RATE_LIMIT_PER_MINUTE`; in use: by the caller who asks the most.
    Requests,
    /// `LOGIN_LIMIT_PER_MINUTE`; in use: by the address that tries the most.
    SignIns,
    /// `UPLOAD_QUOTA_MB`; in use: by the user who has uploaded the most today.
    Uploads,
}

/// A limit that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    pub kind: Kind,
    pub used: i64,
    pub most: i64,
}

/// The limits that are set, as this process knows them: those of mails and requests by its own settings. `queues`, `workers` and
/// `rates` are what was just read of them.
pub async fn list(
    ctx: &Ctx,
    queues: &[QueueOut],
    workers: &[WorkerOut],
    rates: &BTreeMap<String, Vec<Count>>,
) -> Result<Vec<Limit>> {
    let (config, pool, now) = (&ctx.config, &ctx.pool, ctx.clock.now());
    let mut limits = Vec::new();
    if let Some(most) = config.mail.per_minute {
        let wait = mailer::pace::wait(pool, mailer::pace::TRANSMISSION).await?;
        let free_in = TimeDelta::from_std(wait).unwrap_or_default();
        let kind = Kind::MailsPerMinute { free_in };
        limits.push(Limit { kind, used: mails_of_last_minute(rates), most: i64::from(most) });
    }
    if let Some(most) = config.mail.connections {
        let used = mailer::held(pool, most, config.worker.rescue_after).await?;
        limits.push(Limit { kind: Kind::MailConnections, used, most: i64::from(most) });
    }
    for queue in queues {
        if let Some(each) = queue.concurrency {
            let serving = workers.iter().filter(|worker| worker.serves(&queue.name, now));
            let workers = i64::try_from(serving.count()).unwrap_or(i64::MAX);
            let kind = Kind::Queue { name: queue.name.clone(), each, workers };
            let most = i64::from(each).saturating_mul(workers);
            limits.push(Limit { kind, used: queue.running, most });
        }
    }
    let (per_minute, sign_ins) =
        (config.http.rate_limit_per_minute, config.http.login_limit_per_minute);
    if per_minute > 0 || sign_ins > 0 {
        let (requests, tries) = limits::busiest(pool, now).await?;
        for (kind, used, most) in
            [(Kind::Requests, requests, per_minute), (Kind::SignIns, tries, sign_ins)]
        {
            if most > 0 {
                limits.push(Limit { kind, used, most: i64::from(most) });
            }
        }
    }
    if config.uploads.quota_mib > 0 {
        let used = documents::most_uploaded(pool, now).await? / (1024 * 1024);
        limits.push(Limit { kind: Kind::Uploads, used, most: i64::from(config.uploads.quota_mib) });
    }
    Ok(limits)
}

/// What the queues of mails have done in the last whole minute.
fn mails_of_last_minute(rates: &BTreeMap<String, Vec<Count>>) -> i64 {
    let last = |queue| Some(i64::from(rates.get(queue)?.iter().rev().nth(1)?.done));
    catalogue::needing(Dependency::Smtp).filter_map(last).sum()
}
