//! Promises in the documentation of Oban and River that this crate makes too: one test for each, whose comment quotes it.
//!
//! Read in the repositories `oban-bg/oban` (2.23.0, 2026-08-18) and `riverqueue/river` (0.43.0 and what was unreleased on
//! 2026-08-07), and on `oban.pro` and `riverqueue.com`. Promises that tests of the other files show already:
//!
//! | Promise | By | Shown by |
//! |---|---|---|
//! | A job is committed or rolled back with other changes | Oban, README, Transactional Control; River, `docs/README.md` | `enqueueing::a_job_exists_if_and_only_if…`, `river::a_job_is_worked_after…` |
//! | Unique jobs, also between transactions | Oban, `unique_jobs.md`; River, `UniqueOpts` | `enqueueing::jobs_of_one_key…`, `enqueueing::two_transactions…` |
//! | Scheduled jobs, not before their time | Oban, `scheduling_jobs.md`; River, `InsertOpts.ScheduledAt` | `enqueueing::a_delayed_job…` |
//! | Jobs begin as soon as they are inserted | Oban, README, Triggered Execution; River, `FetchPollInterval` | `enqueueing::an_announcement…` |
//! | Clients that only insert | River, `doc.go` | `backend::tasks_pushed_by_apalis…` |
//! | A job may run on any node, each on one | Oban, `clustering.md` | `attempts::several_processes…` |
//! | No more at once than the limit of the queue | Oban, `defining_queues.md`; River, `MaxWorkers` | `attempts::no_more_run_at_once…` |
//! | Discarded after `max_attempts` | Oban, `error_handling.md`; River, `MaxAttempts` | `attempts::a_failure_waits_durably…` |
//! | An error that ends the job for good (theirs is then cancelled, ours dead) | Oban, `{:cancel, reason}`; River, `JobCancel` | `attempts::abort_error…` |
//! | A snooze consumes no attempt | Oban, `worker.ex`; River, `JobSnooze` | `attempts::retry_after_error…` |
//! | Time limits and panics are failures like any other | Oban, `worker.ex`, Execution Timeout; River, `JobTimeout`, `HandlePanic` | `attempts::a_panic_and_a_late_attempt…` |
//! | Jobs of a node that is gone are rescued | Oban, `Lifeline`; River, `RescueStuckJobsAfter` | `deaths::others_take_up…` |
//! | A job that kills its workers is not rescued without end | Oban Pro, `DynamicLifeline`, Rescuing Exhausted Jobs | `deaths::a_job_that_kills_its_workers…` |
//! | A running job can be cancelled from elsewhere | Oban, README, Job Canceling; River, `JobCancel` | `long_work::a_cancellation_reaches…` |
//! | A stop cancels the contexts of what runs | River, `StopAndCancel` | `long_work::what_runs_is_asked_to_end…` |
//! | What a hard stop interrupts costs no attempt and is available at once | River, CHANGELOG, unreleased | `deaths::what_does_not_end_in_time…` |
//! | A paused queue stays paused until it is resumed | River, pausing-queues | `operators::a_paused_queue…` |
//! | Dead and cancelled jobs can be retried by hand | Oban, `retry_job/1`; River, `JobRetry` | `operators::the_dead_and_the_cancelled…` |
//! | Ended jobs stay for inspection and figures | Oban, README, Historic Metrics; River, maintenance-services | `attempts::a_job_that_is_done…`, `backend::queues_workers…` |
//! | They are pruned by their age | Oban, `Pruner`; River, `CompletedJobRetentionPeriod` | `ledger::…` |
//! | The output of a job is kept | Oban Pro, output recording; River, `RecordOutput` | `backend::tasks_pushed_by_apalis…` |
//! | A job follows a batch when all have ended | Oban Pro, `batch_exhausted` | `batches::what_follows_comes_once…` |
//!
//! The promises that this crate does not make are listed in the README.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use apalis_hot::{NewJob, Options, Process, admin};
use tokio::sync::{Semaphore, watch};

use crate::support::{Bench, Handler, Probe, handler, run};

mod oban;
mod oban_queues;
mod river;

/// Enqueues `count` jobs in `queue` in one transaction; returns their ids.
async fn enqueue_to(bench: &Bench, queue: &str, count: usize) -> Vec<String> {
    let mut tx = bench.pool.begin().await.unwrap();
    let mut ids = Vec::new();
    for n in 0..count {
        let job = NewJob::new(queue, &Probe { n }).unwrap();
        ids.push(apalis_hot::enqueue(&mut tx, &job).await.unwrap().unwrap());
    }
    tx.commit().await.unwrap();
    ids
}

/// Whether each of these jobs is in this state.
async fn all_are(bench: &Bench, ids: &[String], state: admin::State) -> bool {
    let jobs = admin::find_all(&bench.pool, ids).await.unwrap();
    jobs.len() == ids.len() && jobs.iter().all(|job| job.state == state)
}

/// Whether every process has been heard of more than a second after `since` (an expression of SQL): it has polled many times by
/// then.
async fn all_heard_after(bench: &Bench, since: &str) -> bool {
    let heard =
        format!("select bool_and(last_seen > ({since}) + interval '1 second') from queue.workers");
    let heard = sqlx::query_scalar::<_, Option<bool>>(sqlx::AssertSqlSafe(heard));
    heard.fetch_one(&bench.pool).await.unwrap().unwrap_or(false)
}

/// Runs each of `processes` with its handler until `scenario` has ended.
async fn run_both(
    processes: &[(Process, Handler); 2],
    options: &Options,
    scenario: impl Future<Output = ()>,
) {
    let (tell, told) = watch::channel(false);
    let [first, second] = processes.each_ref().map(|(process, handler)| {
        let mut told = told.clone();
        let stop = async move {
            told.wait_for(|over| *over).await.unwrap();
            Ok(())
        };
        run(process, options.clone(), handler.clone(), stop)
    });
    let scenario = async {
        scenario.await;
        tell.send_replace(true);
    };
    tokio::join!(first, second, scenario);
}

/// A gate at which attempts wait until they are let through.
#[derive(Clone)]
struct Gate {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    open: Arc<Semaphore>,
}

impl Gate {
    fn new() -> Self {
        Self { begun: Arc::default(), ended: Arc::default(), open: Arc::new(Semaphore::new(0)) }
    }

    /// Lets `count` attempts through: those that wait already, and the next that come.
    fn let_through(&self, count: usize) {
        self.open.add_permits(count);
    }

    fn running(&self) -> usize {
        self.begun.load(SeqCst) - self.ended.load(SeqCst)
    }

    /// A handler that waits at the gate, and then is done.
    fn handler(&self) -> Handler {
        let gate = self.clone();
        handler(move |_, _| {
            let gate = gate.clone();
            async move {
                gate.begun.fetch_add(1, SeqCst);
                gate.open.acquire().await?.forget();
                gate.ended.fetch_add(1, SeqCst);
                Ok(())
            }
        })
    }
}
