//! Long work: its progress is seen, it is cancelled or stopped, and it continues from its checkpoint.
use std::{sync::Arc, time::Duration};

use apalis::prelude::BoxDynError;
use apalis_hot::{
    Lease, Options, Process, Settings,
    admin::{self, State},
};
use tokio::sync::Notify;

use crate::support::{Bench, QUEUE, Seen, handler, run, until};

fn options() -> Options {
    Options { timeout: Duration::from_hours(1), ..Options::new(QUEUE) }
}

#[tokio::test]
async fn progress_is_seen_while_the_job_runs() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let go_on = Arc::new(Notify::new());
    let work = {
        let go_on = go_on.clone();
        handler(move |_, lease: Lease| {
            let go_on = go_on.clone();
            async move {
                lease.progress(0.4, "40 photos sur 100").await?;
                go_on.notified().await;
                lease.progress(7.0, "fini").await?;
                Ok(())
            }
        })
    };
    let stop = async {
        until("40 percent", async || {
            let job = bench.job(&id).await;
            job.progress == Some(0.4) && job.progress_note.as_deref() == Some("40 photos sur 100")
        })
        .await;
        go_on.notify_one();
        until("the end", async || bench.job(&id).await.state == State::Done).await;
        Ok(())
    };
    run(&bench.process(), options(), work, stop).await;
}

#[tokio::test]
async fn a_cancellation_reaches_the_handler_soon_and_what_follows_is_not_written() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let (begun, cancelled) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let work = {
        let (begun, cancelled) = (begun.clone(), cancelled.clone());
        handler(move |_, lease: Lease| {
            let (begun, cancelled) = (begun.clone(), cancelled.clone());
            async move {
                begun.notify_one();
                lease.cancel.cancelled().await;
                assert!(lease.begin().await.is_err());
                assert!(lease.progress(0.5, "").await.is_err());
                cancelled.notify_one();
                Ok(())
            }
        })
    };
    let stop = async {
        begun.notified().await;
        let mut tx = bench.pool.begin().await.unwrap();
        assert!(admin::cancel(&mut tx, &id, "called off").await.unwrap());
        tx.commit().await.unwrap();
        tokio::time::timeout(Duration::from_secs(30), cancelled.notified()).await.unwrap();
        Ok(())
    };
    run(&bench.process(), options(), work, stop).await;
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.error.as_deref()), (State::Cancelled, Some("called off")));
    assert_eq!(bench.outcomes(&id).await, ["cancelled"]);
}

#[tokio::test]
async fn the_next_attempt_goes_on_where_the_last_one_stood() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let seen = Seen::default();
    let work = || {
        let seen = seen.clone();
        handler(move |_, lease: Lease| {
            let seen = seen.clone();
            async move {
                let from = lease.checkpoint::<usize>().unwrap_or(0);
                for step in from..4 {
                    seen.push(step);
                    let mut tx = lease.begin().await?;
                    lease.save_checkpoint(&mut tx, &(step + 1)).await?;
                    tx.commit().await?;
                    if step == 1 {
                        return Err(BoxDynError::from("cut off"));
                    }
                }
                Ok(())
            }
        })
    };
    bench.drain(options(), work()).await;
    assert_eq!(bench.job(&id).await.state, State::Retrying);
    bench.hurry().await;
    bench.drain(options(), work()).await;
    assert_eq!(seen.all(), [0, 1, 2, 3]);
    assert_eq!(bench.job(&id).await.state, State::Done);
}

#[tokio::test]
async fn what_runs_is_asked_to_end_when_its_process_stops() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let begun = Arc::new(Notify::new());
    let settings = Settings { shutdown: Duration::from_secs(20), ..Bench::settings() };
    let work = {
        let begun = begun.clone();
        handler(move |_, lease: Lease| {
            let begun = begun.clone();
            async move {
                begun.notify_one();
                lease.cancel.cancelled().await;
                Ok(())
            }
        })
    };
    let stop = {
        let begun = begun.clone();
        async move {
            begun.notified().await;
            Ok(())
        }
    };
    run(&Process::new(&bench.pool, settings), options(), work, stop).await;
    assert_eq!(bench.job(&id).await.state, State::Done);
}
