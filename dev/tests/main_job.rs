//! The real programs as processes that are killed and stopped while they work: nothing is lost, nothing is done twice.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use erp_dev::samples;
use rustix::process::Signal;
use serde_json::json;

use support::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_whose_worker_is_killed_all_become_ready_and_no_file_twice() {
    const PHOTOS: usize = 30;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let (first, second) = (system.worker(), system.worker());
    let photo = samples::jpeg(1600, 1200, 1);
    for n in 0..PHOTOS {
        system.upload(&intervention, photo.clone()).await;
        if n == PHOTOS / 3 {
            system.until_ready(1).await;
            first.signal(Signal::KILL);
        }
    }
    system.until_ready(i64::try_from(PHOTOS).unwrap()).await;

    let files = std::fs::read_dir(system.files.path()).unwrap().count();
    assert_eq!(files, 3 * PHOTOS, "an original, a preview and a thumbnail each, and nothing else");
    let unfinished = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from queue.everything where state <> 'done'"#
        )
    };
    for _ in 0..200 {
        // The end of the job is recorded a moment after the document is ready.
        if unfinished().fetch_one(&system.ctx.pool).await.unwrap() == 0 {
            return drop(second);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a job is stuck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_asked_to_stop_finishes_what_it_holds_and_exits_cleanly() {
    const PHOTOS: usize = 8;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let mut worker = system.worker();
    let photo = samples::jpeg(1600, 1200, 1);
    for _ in 0..PHOTOS {
        system.upload(&intervention, photo.clone()).await;
    }
    system.until_ready(1).await;
    worker.signal(Signal::TERM);
    assert!(worker.ended().await.success());
    assert_eq!(system.documents("processing").await, 0, "what was begun is finished");
    let held = sqlx::query_scalar!(
        r#"select count(*) as "count!" from queue.everything where state not in ('done', 'ready') or attempts > 1"#
    );
    assert_eq!(held.fetch_one(&system.ctx.pool).await.unwrap(), 0);
    let _next = system.worker();
    system.until_ready(i64::try_from(PHOTOS).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_of_a_killed_worker_arrive_and_none_is_lost() {
    const MAILS: usize = 40;
    // The mail that a kill leaves in doubt is sent again, whatever its type.
    let system = System::start_with(&[("EMAILS_INCERTAINS", "renvoyer")]).await;
    let intervention = system.intervention().await;
    let (first, _second) = (system.worker(), system.worker());
    for n in 0..MAILS {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        if n == MAILS / 2 {
            first.signal(Signal::KILL);
        }
    }
    let sent = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from notifications where statut = 'envoyee'"#
        )
    };
    let started = Instant::now();
    while sent().fetch_one(&system.ctx.pool).await.unwrap() < i64::try_from(MAILS).unwrap() {
        assert!(started.elapsed() < Duration::from_mins(1), "not sent within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mails = system.mails();
    let mut ids: Vec<_> = mails.iter().map(|m| m.message_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), MAILS, "every notification, by its Message-ID");
    // The killed worker ran at most four mail jobs; a mail may have been accepted without being recorded.
    assert!(mails.len() <= MAILS + 4, "{} mails", mails.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_mails_that_gather_none_is_lost_when_workers_are_killed() {
    const MESSAGES: usize = 60;
    let system =
        System::start_with(&[("EMAILS_GROUP_SECONDS", "1"), ("EMAILS_INCERTAINS", "renvoyer")])
            .await;
    let intervention = system.intervention().await;
    let mut workers = [system.worker(), system.worker()];
    let mut kills = 0;
    for n in 0..MESSAGES {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n} fin"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        if n % 20 == 10 {
            let victim = n / 20 % 2;
            workers[victim].signal(Signal::KILL);
            workers[victim] = system.worker();
            kills += 1;
        }
    }
    let waiting = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from notifications where statut <> 'envoyee'"#
        )
    };
    let started = Instant::now();
    while waiting().fetch_one(&system.ctx.pool).await.unwrap() > 0 {
        assert!(started.elapsed() < Duration::from_mins(1), "not sent within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mails = system.mails();
    let telling = |n: usize| {
        let said = format!("Message {n} fin");
        mails.iter().filter(|m| m.text.as_deref().unwrap_or_default().contains(&said)).count()
    };
    let told: Vec<usize> = (0..MESSAGES).map(telling).collect();
    assert!(told.iter().all(|times| *times >= 1), "lost: {told:?}");
    let mut ids: Vec<_> = mails.iter().map(|m| m.message_id.clone()).collect();
    ids.sort();
    ids.dedup();
    println!(
        "{MESSAGES} messages in {} mails, {} of them twice",
        ids.len(),
        mails.len() - ids.len()
    );
    assert!(ids.len() < MESSAGES / 3, "{} mails: they do not gather", ids.len());
    // At each kill one mail of the person may be between its acceptance and the record of it.
    assert!(mails.len() - ids.len() <= kills, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_and_doubles_nothing() {
    const MAILS: usize = 400;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let mut workers: Vec<_> = (0..4).map(|_| system.worker()).collect();
    for n in 0..MAILS {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        if n % (MAILS / 4) == MAILS / 8 {
            let mut old = workers.remove(0);
            old.signal(Signal::TERM);
            workers.push(system.worker());
            assert!(old.ended().await.success());
        }
    }
    let ended = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from queue.ended where outcome = 'done' and attempts = 1 and queue = 'emails'"#
        )
    };
    let started = Instant::now();
    while ended().fetch_one(&system.ctx.pool).await.unwrap() < i64::try_from(MAILS).unwrap() {
        assert!(started.elapsed() < Duration::from_mins(1), "not sent within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(system.mails().len(), MAILS, "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_of_every_second_runs_once_a_second_on_five_workers() {
    ticks_on_five_workers(8).await;
}

/// `cargo test -p erp-dev --test main_job -- --ignored two_hundred`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes 200 seconds"]
async fn two_hundred_ticks_are_two_hundred_runs() {
    ticks_on_five_workers(200).await;
}

async fn ticks_on_five_workers(ticks: usize) {
    let system = System::start().await;
    let _workers: Vec<_> = (0..5).map(|_| system.worker()).collect();
    sqlx::query!(
        "update schedules set cron = '* * * * * *', next_run_at = null where name = 'maintenance.purge'"
    )
    .execute(&system.ctx.pool)
    .await
    .unwrap();
    let runs = || {
        sqlx::query_scalar!(
            r#"
                select key as "tick!" from queue.ended
                where queue = 'maintenance.purge' and outcome = 'done' and attempts = 1
                order by 1 limit $1
            "#,
            i64::try_from(ticks).unwrap()
        )
    };
    let started = Instant::now();
    let mut done = Vec::new();
    while done.len() < ticks {
        assert!(started.elapsed() < Duration::from_secs(60 + 2 * ticks as u64), "{done:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        done = runs().fetch_all(&system.ctx.pool).await.unwrap();
    }
    let seconds: Vec<i64> = done
        .iter()
        .map(|tick| tick.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp())
        .collect();
    let every: Vec<i64> = (0..i64::try_from(ticks).unwrap()).map(|n| seconds[0] + n).collect();
    assert_eq!(seconds, every, "each second once, and none left out");
    println!("{ticks} ticks, {} runs", done.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_documents_waiting_do_not_delay_a_mail() {
    let system = System::start().await;
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(1600, 1200, 1)).await;
    // Ten thousand more jobs with the same payload.
    let mut tx = system.ctx.begin().await.unwrap();
    sqlx::query!(
        r#"
            insert into queue.jobs (payload, id, queue, max_attempts, run_at)
            select j.payload, 'waiting-' || n, j.queue, 8, now()
            from queue.jobs j, generate_series(1, 10000) n where j.queue = 'documents.process'
        "#
    )
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let _worker = system.worker();
    let waiting = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from queue.jobs where queue = 'documents.process' and lock_by is null"#
        )
    };
    while waiting().fetch_one(&system.ctx.pool).await.unwrap() > 9_990 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for n in 0..10 {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        let started = Instant::now();
        while system.mails().len() <= n {
            assert!(started.elapsed() < Duration::from_mins(1), "not sent within a minute");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert!(
        waiting().fetch_one(&system.ctx.pool).await.unwrap() > 100,
        "documents were waiting all the time"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_tells_whether_it_lives_and_what_it_does() {
    let system = System::start().await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let _worker = system.worker_with(&[("WORKER_BIND_ADDR", &format!("127.0.0.1:{port}"))]);
    let get = async |path: &str| {
        let url = format!("http://127.0.0.1:{port}{path}");
        let answer = system.client.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.unwrap()))
    };
    let started = Instant::now();
    while get("/live").await.is_none() {
        assert!(started.elapsed() < Duration::from_mins(1), "the port is not open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get("/ready").await.unwrap().0, 200);
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(320, 240, 1)).await;
    system.until_ready(1).await;
    let done = r#"erp_job_attempts_total{outcome="done",queue="documents.process"} 1"#;
    while !get("/metrics").await.unwrap().1.contains(done) {
        assert!(started.elapsed() < Duration::from_mins(1), "{}", get("/metrics").await.unwrap().1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, metrics) = get("/metrics").await.unwrap();
    for name in ["erp_job_wait_seconds", "erp_outside_duration_seconds", "erp_database_connections"]
    {
        assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
    }
}
