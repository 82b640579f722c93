//! Where ended jobs are, and for how long.
use apalis::prelude::AbortError;
use apalis_hot::{Options, admin};
use chrono::{TimeDelta, Utc};

use crate::support::{Bench, QUEUE, Seen, handler, run, until};

async fn days(bench: &Bench) -> Vec<String> {
    let days = "select relname::text from pg_class where relname ~ '^ended_[0-9]{8}$' and relkind = 'r' order by 1";
    sqlx::query_scalar(days).fetch_all(&bench.pool).await.unwrap()
}

#[tokio::test]
async fn each_day_has_a_table_and_an_old_one_is_dropped_with_what_ended_in_it() {
    let bench = Bench::new().await;
    // The test's database is a copy of one that may have been made on an earlier day.
    admin::keep_days(&bench.pool, 7).await.unwrap();
    let id = bench.one().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    let before = days(&bench).await;
    let today = Utc::now();
    let ahead =
        [0, 1, 2, 3].map(|n| (today + TimeDelta::days(n)).format("ended_%Y%m%d").to_string());
    assert!(ahead.iter().all(|day| before.contains(day)), "today and three more: {before:?}");
    let (in_rest, of): (i64, String) =
        sqlx::query_as("select (select count(*) from queue.ended_rest), (select tableoid::regclass::text from queue.ended)")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
    assert_eq!((in_rest, of.as_str()), (0, &*format!("queue.{}", ahead[0])));

    // The table of a day long past.
    let old = "create table queue.ended_20200101 partition of queue.ended_days
        for values from ('2020-01-01 00:00Z') to ('2020-01-02 00:00Z')";
    sqlx::raw_sql(old).execute(&bench.pool).await.unwrap();
    assert_eq!(admin::keep_days(&bench.pool, 7).await.unwrap(), 1);
    assert_eq!(days(&bench).await, before);
    assert_eq!(bench.job(&id).await.id, id, "what is young stays");
}

#[tokio::test]
async fn what_ended_without_a_table_of_its_day_is_kept_and_pruned_too() {
    let bench = Bench::new().await;
    for day in days(&bench).await {
        let drop = format!("drop table queue.{day}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&bench.pool).await.unwrap();
    }
    let ended = "insert into queue.ended (id, queue, payload, outcome, attempts, max_attempts, rescues, ended_at, run_at, created_at)
        values ('a', 'probes', '1', 'done', 1, 1, 0, now(), now(), now())";
    sqlx::raw_sql(ended).execute(&bench.pool).await.unwrap();
    assert_eq!(bench.job("a").await.state, admin::State::Done);
    admin::keep_days(&bench.pool, 7).await.unwrap();
    assert_eq!(days(&bench).await.len(), 3, "that of today waits until its rows are gone");
    let long_ago = "update queue.ended set ended_at = ended_at - interval '216 hours'";
    sqlx::raw_sql(long_ago).execute(&bench.pool).await.unwrap();
    let mut db = bench.pool.acquire().await.unwrap();
    let week = Utc::now() - TimeDelta::days(7);
    assert_eq!(admin::prune_rest(&mut db, week, 10).await.unwrap(), 1);
    assert!(admin::find(&bench.pool, "a").await.is_err());
    admin::keep_days(&bench.pool, 7).await.unwrap();
    assert_eq!(days(&bench).await.len(), 4);
}

#[tokio::test]
async fn the_dead_are_pruned_by_their_age_and_keys_by_theirs() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Err(AbortError::new("no").into()))).await;
    let mut db = bench.pool.acquire().await.unwrap();
    let hour = TimeDelta::hours(1);
    assert_eq!(admin::prune_dead(&mut db, Utc::now() - hour, 10).await.unwrap(), 0);
    assert_eq!(admin::prune_dead(&mut db, Utc::now() + hour, 10).await.unwrap(), 1);
    assert!(admin::find(&bench.pool, &id).await.is_err());

    let live = bench.one().await;
    let keys =
        "insert into queue.keys (queue, key, job) values ('probes', 'a', $1), ('probes', 'b', $2)";
    sqlx::query(keys).bind(&live).bind(&id).execute(&bench.pool).await.unwrap();
    assert_eq!(
        admin::forget_keys(&mut db, Utc::now() + hour, 10).await.unwrap(),
        1,
        "that of a live job stays"
    );
}

/// A claim, its end, and a report of progress write to no index of the live jobs.
#[tokio::test]
async fn updates_of_live_jobs_are_hot() {
    let bench = Bench::new().await;
    bench.enqueue(500).await;
    bench
        .drain(
            Options { concurrency: 50, ..Options::new(QUEUE) },
            handler(async |_, lease: apalis_hot::Lease| {
                lease.progress(0.5, "half").await?;
                Ok(())
            }),
        )
        .await;
    let mut db = bench.pool.acquire().await.unwrap();
    sqlx::query("select pg_stat_force_next_flush()").execute(&mut *db).await.unwrap();
    crate::support::until("the figures are there", async || {
        let figures =
            "select n_tup_upd from pg_stat_user_tables where relid = 'queue.jobs'::regclass";
        sqlx::query_scalar::<_, i64>(figures).fetch_one(&bench.pool).await.unwrap() >= 1000
    })
    .await;
    let (all, hot): (i64, i64) = sqlx::query_as(
        "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relid = 'queue.jobs'::regclass",
    )
    .fetch_one(&bench.pool)
    .await
    .unwrap();
    // With an index on a changed column none would be HOT. While other snapshots are open a page may have no room left for a
    // new version.
    assert!(hot * 2 >= all, "{hot} of {all}");
}

/// A claim reads only what it claims, however many jobs wait; also in a queue that needs a service.
#[tokio::test]
async fn a_claim_does_not_read_what_waits() {
    let bench = Bench::new().await;
    let payloads = vec![br#"{"n":0}"#.to_vec(); 20_000];
    let mut db = bench.pool.acquire().await.unwrap();
    apalis_hot::enqueue_all(&mut db, QUEUE, 1, &payloads).await.unwrap();
    sqlx::query("analyze queue.jobs").execute(&mut *db).await.unwrap();
    let (process, seen) = (bench.process(), Seen::default());
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            async { Ok(()) }
        })
    };
    let options = Options { concurrency: 10, needs: vec!["storage".into()], ..Options::new(QUEUE) };
    let some = async {
        until("some are done", async || seen.len() >= 1000).await;
        Ok(())
    };
    run(&process, options, work, some).await;
    let figures = "select n_tup_upd, seq_tup_read from pg_stat_user_tables where relid = 'queue.jobs'::regclass";
    let mut read = 0;
    until("the figures are there", async || {
        let (updates, rows): (i64, i64) =
            sqlx::query_as(figures).fetch_one(&bench.pool).await.unwrap();
        read = rows;
        updates >= 1000
    })
    .await;
    // `analyze`, and the searches for what the process holds when it begins and ends, read all rows; a hundred claims do not.
    assert!(read < 20 * 20_000, "{read} rows were read");
}
