use erp_dev::TestDb;

use super::*;
use crate::{
    Claimed, Error, Lease, NewJob, Process, Settings,
    claim::{Look, Wanted, Worker, claim},
    enqueue,
};

/// The silence after which a process is taken for dead here.
const SILENCE: Duration = Duration::from_mins(1);
const QUEUE: &str = "probes";

/// A job that process `worker` holds.
async fn held_by(pool: &PgPool, worker: &str) -> Claimed {
    let mut db = pool.acquire().await.unwrap();
    enqueue(&mut db, &NewJob::new(QUEUE, &1).unwrap()).await.unwrap();
    beat(pool, worker, &[], SILENCE).await.unwrap();
    let worker = Worker { db: &mut db, name: worker };
    let wanted = Wanted {
        queue: QUEUE,
        limit: 9,
        look: Look::From(DateTime::UNIX_EPOCH),
        also_rescued: true,
    };
    let mut claimed = claim(worker, wanted).await.unwrap();
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

/// Makes `worker` one that has been heard of without a gap from `since` seconds ago until `until` seconds ago.
async fn heard(pool: &PgPool, worker: &str, since: i32, until: i32) {
    beat(pool, worker, &[], SILENCE).await.unwrap();
    sqlx::query!(
        "update queue.workers set heard_since = now() - make_interval(secs => $2), last_seen = now() - make_interval(secs => $3)
         where id = $1",
        worker,
        f64::from(since),
        f64::from(until),
    )
    .execute(pool)
    .await
    .unwrap();
}

async fn rescued(pool: &PgPool, rescuer: &str) -> i64 {
    let back = rescue(pool, rescuer, SILENCE, "gone").await.unwrap();
    back.iter().map(|(_, jobs)| jobs).sum()
}

#[tokio::test]
async fn who_was_not_heard_of_itself_holds_nobody_for_dead() {
    let db = TestDb::new().await;
    let pool = &db.pool;
    held_by(pool, "dead").await;
    heard(pool, "dead", 7200, 3600).await;
    // In turn: a process that the database does not know, a new one, one that was frozen until now, and the same after its next
    // heartbeat, from which on it is heard of anew.
    assert_eq!(rescued(pool, "nobody").await, 0);
    heard(pool, "young", 30, 0).await;
    assert_eq!(rescued(pool, "young").await, 0);
    heard(pool, "frozen", 3600, 40).await;
    assert_eq!(rescued(pool, "frozen").await, 0);
    beat(pool, "frozen", &[], SILENCE).await.unwrap();
    assert_eq!(rescued(pool, "frozen").await, 0);
    // A gap shorter than half of the silence does not count.
    heard(pool, "steady", 3600, 20).await;
    beat(pool, "steady", &[], SILENCE).await.unwrap();
    assert_eq!(rescued(pool, "steady").await, 1);
}

#[tokio::test]
async fn nobody_takes_a_job_over_while_its_attempt_writes() {
    let db = TestDb::new().await;
    let pool = &db.pool;
    let job = held_by(pool, "silent").await;
    let lease = Lease::new(&job, Duration::from_mins(1), pool.clone());
    let tx = lease.begin().await.unwrap();
    heard(pool, "silent", 7200, 3600).await;
    heard(pool, "rescuer", 3600, 0).await;
    assert_eq!(rescued(pool, "rescuer").await, 0, "it is written to at the moment");
    tx.commit().await.unwrap();
    // The next search is due later; this makes it due now.
    sqlx::query!("update queue.workers set searched_at = null").execute(pool).await.unwrap();
    assert_eq!(rescued(pool, "rescuer").await, 1);
    assert!(matches!(lease.begin().await, Err(Error::LeaseLost)));
}

#[tokio::test]
async fn a_claim_that_commits_after_the_search_is_found_by_the_next() {
    let db = TestDb::new().await;
    let pool = &db.pool;
    heard(pool, "dead", 7200, 3600).await;
    heard(pool, "rescuer", 3600, 0).await;
    assert_eq!(rescued(pool, "rescuer").await, 0);
    let job = held_by(pool, "late").await;
    let late = "update queue.jobs set lock_by = 'dead' where id = $1";
    #[expect(clippy::disallowed_methods, reason = "what no statement of ours does")]
    sqlx::query(late).bind(&job.id).execute(pool).await.unwrap();
    assert_eq!(rescued(pool, "rescuer").await, 0, "not a search a second");
    sqlx::query!(
        "update queue.workers set searched_at = now() - interval '20 minutes' where id = 'dead'"
    )
    .execute(pool)
    .await
    .unwrap();
    assert_eq!(rescued(pool, "rescuer").await, 1);
}

#[tokio::test]
async fn what_is_taken_away_while_it_waits_for_a_place_does_not_begin() {
    let db = TestDb::new().await;
    let process = Process::new(&db.pool, Settings::new("one"));
    let (first, second) = (held_by(&db.pool, "one").await, held_by(&db.pool, "one").await);
    process.0.hold_waiting(&[first.clone(), second.clone()]);
    process.0.stop(&first.key());
    assert!(process.0.may_begin(&first).is_none());
    assert!(process.0.may_begin(&second).is_some());
    assert!(process.0.may_begin(&second).is_none(), "once");
}
