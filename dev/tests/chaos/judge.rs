//! Compares what was accepted with the state of the mail server, the disk and the API, and prints both.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use erp_dev::mail_sink::relay::Accepted as Copy;
use serde_json::Value;

use super::{
    client::{Accepted, Client},
    episode::Episode,
    fault::Fault,
    files::judge_files,
    plan::Plan,
    stage::Stage,
};
use crate::support::faults::{Fate, changed_contents, tokens};

/// Within so many seconds after the death of a worker its jobs must be rescued (a generous limit).
const RESCUE: f64 = 60.0;

/// The consequences of one kind of fault.
#[derive(Default)]
struct Toll {
    times: usize,
    not_run: usize,
    doubled: usize,
    in_doubt: usize,
    recovery: Duration,
    /// From the end of the fault until the last mail that was accepted during it had arrived.
    rest: Duration,
}

pub async fn judge(stage: &Stage, client: &Client, episodes: &[Episode], plan: &Plan) {
    let rows = client.all("/notifications").await;
    let fates: HashMap<i64, Fate> = rows
        .iter()
        .map(|row| (row["id"].as_i64().unwrap(), Fate::of(row["statut"].as_str().unwrap())))
        .collect();
    let accepted = std::mem::take(&mut *client.accepted.lock().unwrap());
    let mails = Mails::read(stage.relay.accepted());
    let mut tolls = tolls(episodes);
    mails.count_doubles(&mut tolls, episodes);
    mails.count_in_doubt(&mut tolls, episodes, &accepted, &fates, &begun(stage).await);
    mails.measure(&mut tolls, episodes, &accepted);

    let has_fate = |id: i64, fate| fates.get(&id).is_some_and(|found| *found == fate);
    let lost = accepted.mails.iter().filter(|mail| {
        let arrived = mails.first.contains_key(&mail.token) && has_fate(mail.id, Fate::Sent);
        !(arrived || has_fate(mail.id, Fate::InDoubt))
    });
    let (stuck, lost): (Vec<_>, Vec<_>) = lost.partition(|mail| has_fate(mail.id, Fate::Open));
    let (lost, stuck) = (lost.len(), stuck.len());
    let changed = changed_contents(&mails.copies).len();
    println!(
        "mails      {} accepted, {} seen in {} copies; {lost} lost, {stuck} queued for ever, {changed} Message-IDs with two contents",
        accepted.mails.len(),
        mails.first.len(),
        mails.copies.len(),
    );
    let unknown = accepted.unknown.iter().filter(|token| mails.first.contains_key(*token)).count();
    println!(
        "requests   {} refused with 503, or without an answer; {unknown} of their mails exist",
        accepted.refused
    );
    let wrong_files = judge_files(stage, &accepted).await;
    let longest = rescues(stage).await;
    print(&tolls, plan);

    assert_eq!((lost, stuck, changed, wrong_files), (0, 0, 0, 0));
    assert!(longest < RESCUE, "a rescue took {longest:.1} s");
    for (fault, toll) in tolls {
        let allowed = fault.map_or(0, |fault| fault.in_doubt(plan)) * toll.times;
        let found = toll.doubled + toll.in_doubt;
        assert!(found <= allowed, "{fault:?}: {found} mails doubled or in doubt, {allowed} may be");
    }
}

/// The mails that arrived, with the tokens of their texts.
struct Mails {
    copies: Vec<Arc<Copy>>,
    tokens: Vec<Vec<String>>,
    /// For each token, the index of the first copy that contains it.
    first: HashMap<String, usize>,
}

impl Mails {
    fn read(copies: Vec<Arc<Copy>>) -> Self {
        let tokens: Vec<_> = copies.iter().map(|copy| tokens(copy.text())).collect();
        let mut first = HashMap::new();
        for (n, token) in
            tokens.iter().enumerate().flat_map(|(n, all)| all.iter().map(move |t| (n, t)))
        {
            first.entry(token.clone()).or_insert(n);
        }
        Self { copies, tokens, first }
    }

    /// Counts copies that repeat a token of an earlier copy. Each is attributed to the fault during which the earlier copy
    /// arrived.
    fn count_doubles(&self, tolls: &mut Tolls, episodes: &[Episode]) {
        for (n, tokens) in self.tokens.iter().enumerate() {
            let before =
                tokens.iter().map(|token| self.first[token]).filter(|first| *first < n).max();
            if let Some(before) = before {
                toll(tolls, episodes, self.copies[before].at).doubled += 1;
            }
        }
    }

    /// Counts mails in doubt. All notifications of one arrived mail count once. A mail that did not arrive is attributed to the
    /// fault during which its transmission began, which may be the fault after the one during which it was accepted.
    fn count_in_doubt(
        &self,
        tolls: &mut Tolls,
        episodes: &[Episode],
        accepted: &Accepted,
        fates: &HashMap<i64, Fate>,
        begun: &HashMap<i64, Instant>,
    ) {
        let in_doubt =
            accepted.mails.iter().filter(|mail| fates.get(&mail.id) == Some(&Fate::InDoubt));
        let mut counted = BTreeSet::new();
        for mail in in_doubt {
            let copy = self.first.get(&mail.token).map(|n| &self.copies[*n]);
            if copy.is_none_or(|copy| counted.insert(copy.message_id().to_owned())) {
                toll(tolls, episodes, copy.map_or(begun[&mail.id], |copy| copy.at)).in_doubt += 1;
            }
        }
    }

    fn measure(&self, tolls: &mut Tolls, episodes: &[Episode], accepted: &Accepted) {
        for episode in episodes {
            let during =
                accepted.mails.iter().filter(|m| episode.begun < m.at && m.at < episode.ended);
            let arrived = during.filter_map(|mail| self.first.get(&mail.token));
            let last = arrived.map(|n| self.copies[*n].at.saturating_duration_since(episode.ended));
            let toll = tolls.entry(Some(episode.fault)).or_default();
            toll.rest = toll.rest.max(last.max().unwrap_or_default());
        }
    }
}

/// By fault; `None` is the time after the last fault.
type Tolls = BTreeMap<Option<Fault>, Toll>;

fn tolls(episodes: &[Episode]) -> Tolls {
    let mut tolls = Tolls::new();
    for episode in episodes {
        let toll = tolls.entry(Some(episode.fault)).or_default();
        match episode.recovery {
            Some(recovery) => {
                toll.times += 1;
                toll.recovery = toll.recovery.max(recovery);
            }
            None => toll.not_run += 1,
        }
    }
    tolls
}

/// The entry of the fault that was active at that moment, or else of the next one: it may break what began before it.
fn toll<'a>(tolls: &'a mut Tolls, episodes: &[Episode], at: Instant) -> &'a mut Toll {
    let episode = episodes.iter().find(|episode| at <= episode.over());
    tolls.entry(episode.map(|episode| episode.fault)).or_default()
}

/// When the last transmission of the mail of each notification began.
async fn begun(stage: &Stage) -> HashMap<i64, Instant> {
    let (now, clock) = (Instant::now(), Utc::now());
    let rows = sqlx::query!(
        r#"
            select en.notification_id, e.transmis_le as "transmis_le!"
            from envois e join envoi_notifications en on en.envoi_id = e.id
            where e.transmis_le is not null
        "#,
    );
    let rows = rows.fetch_all(&stage.system.ctx.pool).await.unwrap();
    let at = |transmis_le: DateTime<Utc>| {
        let ago = (clock - transmis_le).to_std().unwrap_or_default();
        now.checked_sub(ago).unwrap()
    };
    rows.into_iter().map(|row| (row.notification_id, at(row.transmis_le))).collect()
}

/// Prints how many jobs lost their worker, and returns the longest time from a death to a rescue, in seconds.
async fn rescues(stage: &Stage) -> f64 {
    let pool = &stage.system.ctx.pool;
    let jobs = sqlx::query!("select history from queue.everything where history is not null")
        .fetch_all(pool)
        .await
        .unwrap();
    let host = |worker: &str| worker.rsplit('-').nth(1).and_then(|pid| pid.parse::<u32>().ok());
    let (mut rescues, mut longest) = (0, 0.0_f64);
    for (worker, ended) in jobs.iter().flat_map(|job| lost_attempts(job.history.as_ref().unwrap()))
    {
        rescues += 1;
        if let Some(death) = host(&worker).and_then(|pid| stage.killed.get(&pid)) {
            longest = longest.max((ended - *death).as_seconds_f64());
        }
    }
    println!(
        "rescues    {rescues}; {} processes killed, the last of their jobs taken up {longest:.1} s after the death",
        stage.killed.len()
    );
    longest
}

/// The worker of each lost attempt, and the time of its rescue.
fn lost_attempts(history: &Value) -> Vec<(String, DateTime<Utc>)> {
    let attempts = history.as_array().unwrap().iter().filter(|a| a["outcome"] == "lost");
    attempts
        .map(|a| {
            let ended = a["ended_at"].as_str().unwrap().parse().unwrap();
            (a["worker"].as_str().unwrap().to_owned(), ended)
        })
        .collect()
}

fn print(tolls: &Tolls, plan: &Plan) {
    println!(
        "fault            times   doubled  in doubt  works again  its mails arrived (at most, s after its end)"
    );
    for (fault, toll) in tolls {
        let name = fault.map_or_else(|| "none".to_owned(), |fault| format!("{fault:?}"));
        if toll.not_run > 0 {
            println!("{name:<14} NOT RUN");
            continue;
        }
        let [recovery, rest] = [toll.recovery, toll.rest].map(|time| time.as_secs_f64());
        println!(
            "{name:<14} {:>7} {:>9} {:>9} {recovery:>12.1} {rest:>18.1}",
            toll.times, toll.doubled, toll.in_doubt
        );
    }
    println!("seed {}, {} workers", plan.seed, plan.workers);
}
