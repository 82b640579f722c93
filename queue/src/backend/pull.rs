//! Claims jobs for the worker of one queue, when there may be some and there is room for them.
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use apalis_core::backend::future::BoxSyncFuture;
use futures_util::FutureExt as _;

use super::{CLAIM_LIMIT, looks::Looks, search::Search, was_too_slow};
use crate::{
    Claimed, Error, Process, Result,
    claim::{Look, Wanted, Worker, claim, claim_needing},
    older::Older,
    process::{Lane, WAITS},
    slots::Counted,
};

/// The pause after an error of the database: between half of it and all, so that processes do not retry together.
const PAUSE: Duration = Duration::from_secs(1);
/// While more jobs wait than there is room for, a claim waits this long for more room: one statement for many jobs.
const GATHER: Duration = Duration::from_millis(5);
/// A claim waits this long for the search that has just begun: the oldest job is to be claimed first, when it is found soon.
const FOR_SEARCH: Duration = Duration::from_millis(10);
/// The most jobs that one statement claims.
const MOST: usize = 400;

/// The claimed jobs, and how long the statement took; `None` if the database did not answer in time.
type Answer = Option<Result<(Vec<Claimed>, Duration)>>;

pub(super) struct Pull {
    process: Process,
    lane: Arc<Lane>,
    /// Jobs that wait for a place.
    claimed: VecDeque<Waiting>,
    place: Option<BoxSyncFuture<()>>,
    /// The claim that is on its way. It must come to its end: the jobs that it claims are held by this process.
    claim: Option<Claim>,
    /// Resolves when the next claim is due. May be dropped.
    rest: BoxSyncFuture<()>,
    /// Whether the last claim brought as many as it asked for, and none whose earlier workers died.
    more: bool,
    /// Where the next claim looks, if there is nothing `older`.
    look: Look,
    looks: Looks,
    /// Whether the next claim waits for the search to answer.
    waits_for_search: bool,
    /// Finds ready jobs at which `look` does not look.
    search: Search,
    /// Those that it has found; the next claim takes them.
    older: Option<Older>,
}

struct Waiting {
    job: Claimed,
    since: Instant,
    _counted: Counted,
}

struct Claim {
    answer: BoxSyncFuture<Answer>,
    limit: usize,
    look: Look,
    /// What the search had found, if it takes those.
    older: Option<Older>,
}

impl Pull {
    pub(super) fn new(process: &Process, lane: &Arc<Lane>) -> Self {
        let mut known = process.0.known.subscribe();
        let slots = lane.slots.clone();
        let first = async move {
            drop(known.wait_for(|known| *known).await);
            slots.wait_for(1).await;
        };
        let looks = Looks::new(process.0.settings.poll);
        Self {
            process: process.clone(),
            lane: lane.clone(),
            claimed: VecDeque::new(),
            place: None,
            claim: None,
            rest: first.boxed().into(),
            more: false,
            look: looks.lately(),
            looks,
            waits_for_search: false,
            search: Search::default(),
            older: None,
        }
    }

    /// The next job of the queue, when there is a place for it; never ends.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Claimed> {
        loop {
            if let Some(job) = self.begin() {
                return Poll::Ready(job);
            }
            if let Poll::Ready(found) = self.search.poll(&mut self.looks, cx) {
                self.older = found;
                if self.claim.is_none() && (found.is_some() || self.waits_for_search) {
                    self.rest = room(self.lane.clone()).boxed().into();
                }
                continue;
            }
            if let Some(claim) = &mut self.claim {
                if let Poll::Ready(answer) = claim.answer.poll_unpin(cx) {
                    self.answered(answer);
                    continue;
                }
            } else if self.rest.poll_unpin(cx).is_ready() {
                self.claim();
                continue;
            }
            if self.claimed.is_empty() {
                return Poll::Pending;
            }
            let place = self.place.get_or_insert_with(|| {
                let slots = self.lane.slots.clone();
                async move { slots.wait_for(1).await }.boxed().into()
            });
            ready!(place.poll_unpin(cx));
            self.place = None;
        }
    }

    /// The next waiting job that may begin, if there is a place for it.
    fn begin(&mut self) -> Option<Claimed> {
        while self.lane.slots.free() > 0 {
            let Waiting { mut job, since, .. } = self.claimed.pop_front()?;
            if let Some(waited) = self.process.0.may_begin(&job) {
                self.place = None;
                job.waited += waited.as_secs_f64();
                return Some(job);
            }
            self.process.0.give_up_probe(&job);
            if since.elapsed() >= WAITS {
                self.lane.pace.forget();
            }
        }
        None
    }

    /// Waits for a claim that is on its way; its jobs are handed back with the others of the process.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(claim) = &mut self.claim {
            if let Some(Ok((jobs, _))) = ready!(claim.answer.poll_unpin(cx)) {
                self.process.0.hold_waiting(&jobs);
            }
            self.claim = None;
        }
        self.search = Search::default();
        self.rest = std::future::pending().boxed().into();
        Poll::Ready(())
    }

    fn claim(&mut self) {
        let (process, lane) = (self.process.clone(), self.lane.clone());
        if matches!(self.look, Look::Within(_)) {
            self.look = self.looks.lately();
        }
        if !self.search.runs() && self.looks.begin_all() {
            let before = if let Look::From(due) = self.look { Some(due) } else { None };
            self.search.begin(&process, &lane, before);
            self.waits_for_search = true;
            self.rest = tokio::time::sleep(FOR_SEARCH).boxed().into();
            return;
        }
        self.waits_for_search = false;
        let ahead = self.ahead();
        let most = self.older.map_or(MOST, |older| older.count.min(MOST));
        let limit = lane.slots.room(ahead).min(most);
        if limit == 0 {
            self.rest = gather(lane, ahead).boxed().into();
            return;
        }
        let older = self.older.take();
        let look = older.map_or(self.look, |older| older.look());
        let work = async move {
            let wanted = Wanted {
                queue: &lane.options.queue,
                limit,
                look,
                // A job that kills its process would take the jobs held ready with it.
                also_rescued: ahead == 0,
            };
            let claim = async {
                let mut db = process.0.pool.acquire().await?;
                let begun = Instant::now();
                let worker = Worker { db: &mut db, name: process.name() };
                let jobs = match lane.needs.as_slice() {
                    [] => claim(worker, wanted).await?,
                    needs => claim_needing(worker, wanted, needs).await?,
                };
                Ok((jobs, begun.elapsed()))
            };
            let answer = tokio::time::timeout(CLAIM_LIMIT, claim).await.ok();
            if !matches!(answer, Some(Ok(_))) {
                process.0.suspect();
            }
            answer
        };
        let answer = work.boxed().into();
        self.claim = Some(Claim { answer, limit, look, older });
    }

    /// How many jobs to hold ready beside the running ones, while more wait than there are places. None with a claim of older
    /// jobs, which also takes those whose earlier workers died; none while such a job runs, or a service that these jobs need
    /// fails.
    fn ahead(&self) -> usize {
        let lane = &self.lane;
        let may = self.more
            && self.older.is_none()
            && matches!(self.look, Look::From(_))
            && !lane.slots.runs_suspects()
            && !self.process.0.breakers.are_failing(&lane.needs);
        if may { lane.pace.ahead(lane.slots.limit()) } else { 0 }
    }

    /// Takes the jobs of a claim, and decides when the next claim comes, and where it looks.
    fn answered(&mut self, answer: Answer) {
        let Some(claim) = self.claim.take() else { return };
        let lane = self.lane.clone();
        let (jobs, took) = match answer {
            Some(Ok(answer)) => answer,
            failed => {
                let error = failed.and_then(Result::err);
                self.failed(&claim, error);
                return;
            }
        };
        self.looks.took(claim.look, took);
        // Behind many older jobs there are more: the next claims go on from here. A few leave the place of the other claims as it is.
        if claim.older.is_none_or(|older| older.are_many()) {
            self.more = jobs.len() >= claim.limit && jobs.iter().all(|job| job.rescues == 0);
            self.look = jobs.first().map_or(self.looks.lately(), |first| Look::From(first.run_at));
        } else {
            let rest = claim.older.and_then(|older| older.after(&jobs, claim.limit));
            self.older = self.older.or(rest);
        }
        self.rest = if !jobs.is_empty() {
            self.hold(jobs);
            gather(lane, self.ahead()).boxed().into()
        } else if claim.older.is_some()
            || self.older.is_some()
            || matches!(claim.look, Look::From(_))
        {
            // Looks at once for recent jobs: one may be due a little earlier than those found last.
            room(lane).boxed().into()
        } else {
            let poll = self.process.0.settings.poll;
            next(lane, poll.min(self.looks.until_next())).boxed().into()
        };
    }

    /// Notes that no answer came to this claim, or an error.
    fn failed(&mut self, claim: &Claim, error: Option<Error>) {
        if !was_too_slow("no jobs claimed", &self.lane.options.queue, error) {
            self.looks.failed();
        } else if claim.older.is_some() {
            self.looks.all_was_late();
        } else {
            self.looks.was_late(claim.look);
        }
        self.look = self.looks.lately();
        self.rest = tokio::time::sleep(pause()).boxed().into();
    }

    /// Takes over claimed jobs, until there is a place for each.
    fn hold(&mut self, jobs: Vec<Claimed>) {
        self.process.0.hold_waiting(&jobs);
        for job in jobs {
            let probe = job.probe;
            let counted = self.lane.slots.waiting();
            let waiting = Waiting { job, since: Instant::now(), _counted: counted };
            // The probe goes first: no other job may probe meanwhile.
            if probe {
                self.claimed.push_front(waiting);
            } else {
                self.claimed.push_back(waiting);
            }
        }
    }
}

/// A worker that is dropped, perhaps to be restarted, leaves jobs that this process holds without knowing: those that apalis
/// was given and had not begun, and those of a claim whose answer is dropped.
impl Drop for Pull {
    fn drop(&mut self) {
        self.process.0.suspect();
    }
}

/// Resolves when there is room for many jobs, or for some and [`GATHER`] has passed.
async fn gather(lane: Arc<Lane>, ahead: usize) {
    let half = (lane.slots.limit() + ahead).min(MOST).div_ceil(2);
    lane.slots.wait_until(|slots| slots.room(ahead) > 0).await;
    let many = lane.slots.wait_until(|slots| slots.room(ahead) >= half);
    drop(tokio::time::timeout(GATHER, many).await);
}

async fn room(lane: Arc<Lane>) {
    lane.slots.wait_until(|slots| slots.room(0) > 0).await;
}

/// Resolves when there may be a job again, and a place for it.
async fn next(lane: Arc<Lane>, poll: Duration) {
    let _ = tokio::time::timeout(poll, lane.wakeup.woken()).await;
    room(lane).await;
}

fn pause() -> Duration {
    PAUSE.mul_f64(f64::midpoint(1.0, rand::random::<f64>()))
}
