//! What would help a queue that is behind, reckoned from how quickly it was worked off lately (docs/CONSOLE.md has the formula).
use chrono::TimeDelta;
use erp_core::operate::{QueueOut, programs::Count};

/// The minutes whose pace counts.
const LATELY: usize = 10;
/// The time in which whoever adds workers wants to have caught up.
const WANTED: TimeDelta = TimeDelta::minutes(10);
/// More workers than these are not proposed: something else is wrong then.
const MOST_MORE: i64 = 20;

/// How a queue would catch up, if nothing new came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// At the pace of late.
    pub alone: TimeDelta,
    /// With so many more workers, and the time it takes then; `None` when it is quick enough alone, or no number would do.
    pub with_more: Option<(i64, TimeDelta)>,
}

/// The advice for a queue that `workers` work off; `None` when nothing was done lately, so that nothing can be reckoned.
///
/// `alone = ready / pace`, where the pace is what was done in the last ten minutes, divided by ten; with `n` more of `w` workers
/// `ready / (pace · (w + n) / w)`, and `n` is the least with which that is at most ten minutes.
pub fn advice(queue: &QueueOut, minutes: &[Count], workers: i64) -> Option<Advice> {
    let lately = minutes.iter().rev().take(LATELY);
    let done: i64 = lately.map(|minute| i64::from(minute.done)).sum();
    if done == 0 || workers < 1 {
        return None;
    }
    let minutes = i64::try_from(LATELY).unwrap_or(i64::MAX);
    let seconds = |more: i64| {
        let (ready, all) = (i128::from(queue.ready), i128::from(workers + more));
        let seconds =
            ready * i128::from(minutes) * 60 * i128::from(workers) / (i128::from(done) * all);
        TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1000))
    };
    let alone = seconds(0);
    let enough = (1..=MOST_MORE).find(|more| seconds(*more) <= WANTED);
    let with_more = enough.filter(|_| alone > WANTED).map(|more| (more, seconds(more)));
    Some(Advice { alone, with_more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(ready: i64) -> QueueOut {
        QueueOut {
            name: "documents.process".to_owned(),
            paused: false,
            paused_at: None,
            paused_by: None,
            concurrency: None,
            ready,
            scheduled: 0,
            retrying: 0,
            running: 0,
            dead: 0,
            oldest_ready_seconds: Some(240.0),
        }
    }

    #[test]
    fn as_many_workers_are_proposed_as_catch_up_in_ten_minutes() {
        // 60 a minute for ten minutes, by two workers: 1 800 take half an hour.
        let minutes = vec![Count { done: 60, failed: 0, millis: 0 }; 60];
        let found = advice(&queue(1800), &minutes, 2).unwrap();
        assert_eq!(found.alone, TimeDelta::minutes(30));
        assert_eq!(found.with_more, Some((4, TimeDelta::minutes(10))));
        let quick = advice(&queue(300), &minutes, 2).unwrap();
        assert_eq!((quick.alone, quick.with_more), (TimeDelta::minutes(5), None));
        // No number of workers is the answer to everything.
        assert_eq!(advice(&queue(10_000_000), &minutes, 2).unwrap().with_more, None);
        assert_eq!(advice(&queue(10), &[Count::default(); 60], 2), None);
        assert_eq!(advice(&queue(10), &minutes, 0), None);
    }
}
