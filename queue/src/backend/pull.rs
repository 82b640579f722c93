//! Claims for the worker of one queue: when there may be something, and a place for it.
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use apalis_core::backend::future::BoxSyncFuture;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;

use super::CLAIM_LIMIT;
use crate::{
    Claimed, Process, Result,
    claim::{claim, claim_needing},
    process::Lane,
};

/// After an error of the database; between half of it and all, so that processes do not come back together.
const PAUSE: Duration = Duration::from_secs(1);
/// While more wait than there are places, so long may free places gather: one question for many jobs.
const GATHER: Duration = Duration::from_millis(5);
/// So often all ready jobs are looked at, also those due earlier than the ones found last: their transaction took its time.
const LOOK_AT_ALL: Duration = Duration::from_secs(1);
/// Jobs that one statement claims at the most.
const MOST: usize = 200;

type Answer = Option<Result<Vec<Claimed>>>;

pub(super) struct Pull {
    claimed: VecDeque<Claimed>,
    step: Step,
    /// Where the last jobs were found, and when all were looked at.
    from: Option<DateTime<Utc>>,
    looked_at_all: Instant,
}

enum Step {
    /// Until there may be something to claim, and a place for it. May be dropped.
    Wait(BoxSyncFuture<()>),
    /// Must come to its end: what it claims is ours.
    Claim(BoxSyncFuture<Answer>),
}

impl Pull {
    pub(super) fn new(process: &Process, lane: &Arc<Lane>) -> Self {
        let mut known = process.0.known.subscribe();
        let lane = lane.clone();
        let first = async move {
            drop(known.wait_for(|known| *known).await);
            lane.slots.wait_for(1).await;
        };
        Self {
            claimed: VecDeque::new(),
            step: Step::Wait(first.boxed().into()),
            from: None,
            looked_at_all: Instant::now(),
        }
    }

    /// The next job of the queue; never ends.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        process: &Process,
        lane: &Arc<Lane>,
    ) -> Poll<Claimed> {
        loop {
            if let Some(job) = self.claimed.pop_front() {
                return Poll::Ready(job);
            }
            self.step = match &mut self.step {
                Step::Wait(wait) => {
                    ready!(wait.poll_unpin(cx));
                    self.claim(process, lane)
                }
                Step::Claim(claim) => {
                    let answer = ready!(claim.poll_unpin(cx));
                    let step = self.wait(answer.as_ref(), process, lane);
                    self.claimed.extend(answer.into_iter().flatten().flatten());
                    step
                }
            };
        }
    }

    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Step::Claim(claim) = &mut self.step {
            let _ = ready!(claim.poll_unpin(cx));
            self.step = Step::Wait(std::future::pending().boxed().into());
        }
        Poll::Ready(())
    }

    fn claim(&mut self, process: &Process, lane: &Arc<Lane>) -> Step {
        let free = lane.slots.free().min(MOST);
        if self.looked_at_all.elapsed() >= LOOK_AT_ALL {
            self.from = None;
        }
        if self.from.is_none() {
            self.looked_at_all = Instant::now();
        }
        let (process, lane, from) = (process.clone(), lane.clone(), self.from);
        let work = async move {
            let (pool, queue, name) = (&process.0.pool, &lane.options.queue, process.name());
            let claim = async {
                match lane.needs.as_slice() {
                    [] => claim(pool, queue, name, free, from).await,
                    needs => claim_needing(pool, queue, name, free, from, needs).await,
                }
            };
            let answer = tokio::time::timeout(CLAIM_LIMIT, claim).await.ok();
            if !matches!(answer, Some(Ok(_))) {
                process.0.suspect();
            }
            answer
        };
        Step::Claim(work.boxed().into())
    }

    /// What comes after a claim.
    fn wait(
        &mut self,
        answer: Option<&Result<Vec<Claimed>>>,
        process: &Process,
        lane: &Arc<Lane>,
    ) -> Step {
        let queue = &*lane.options.queue;
        let poll = match answer {
            // Fewer than asked for may mean that other workers had their hands on the rest.
            Some(Ok(jobs)) if !jobs.is_empty() => {
                self.from = jobs.first().map(|job| job.run_at);
                None
            }
            // Perhaps there is one that is due earlier than those found last.
            Some(Ok(_)) if self.from.take().is_some() => return self.claim(process, lane),
            Some(Ok(_)) => Some(process.0.settings.poll),
            Some(Err(error)) => {
                tracing::warn!(%error, queue, "no jobs claimed");
                return Step::Wait(tokio::time::sleep(pause()).boxed().into());
            }
            None => {
                tracing::warn!(queue, "no jobs claimed: the database does not answer");
                return Step::Wait(tokio::time::sleep(pause()).boxed().into());
            }
        };
        let lane = lane.clone();
        let wait = async move {
            if let Some(poll) = poll {
                let _ = tokio::time::timeout(poll, lane.wakeup.woken()).await;
            }
            lane.slots.wait_for(1).await;
            if poll.is_none() {
                let half = lane.slots.limit().min(MOST).div_ceil(2);
                drop(tokio::time::timeout(GATHER, lane.slots.wait_for(half)).await);
            }
        };
        Step::Wait(wait.boxed().into())
    }
}

fn pause() -> Duration {
    PAUSE.mul_f64(f64::midpoint(1.0, rand::random::<f64>()))
}
