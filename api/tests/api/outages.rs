//! Long outages of outside services: nothing is lost, attempts are limited, and all work resumes when the service is back.
use std::time::Duration;

use apalis_hot::breaker;
use erp_core::{
    input::Fields,
    notifications::{self, NewNotification},
    users::UserRole,
};
use erp_dev::samples;
use erp_worker::Settings;
use serde_json::{Value, json};

use crate::{
    relay::Relay,
    support::{App, User},
};

/// The attempts that may be under way in three workers when a breaker opens, plus the failures that open it.
const BEFORE_IT_OPENS: usize = 3 * 4 + breaker::OPENS_AFTER as usize;

async fn with_relay(settings: &[(&str, &str)]) -> (Relay, App) {
    let relay = Relay::start().await;
    let port = relay.port.to_string();
    let settings: Vec<_> = settings.iter().copied().chain([("SMTP_PORT", port.as_str())]).collect();
    (relay, App::with(&settings).await)
}

/// Creates `count` mails to one new reader, which wait to be sent.
async fn mails(app: &App, count: usize) {
    let (boss, reader) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let intervention = app.intervention(&boss).await;
    let new = json!({
        "type": "information", "canal": "email", "contenu": "La pièce est arrivée.",
        "intervention_id": intervention, "user_id": reader.id,
    });
    let new = Fields::json(new.as_object().unwrap().clone()).parse::<NewNotification>().unwrap();
    let new = new.into();
    for _ in 0..count {
        let mut tx = app.ctx.begin().await.unwrap();
        notifications::create(&mut tx, &new, app.ctx.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Polls `so` every 20 ms until it is true.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..30_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within ten minutes: {what}");
}

/// Runs `workers` workers until `story` ends.
async fn workers(app: &App, workers: usize, story: impl Future<Output = ()>) {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let settings = app.settings().await;
    let run = |_| {
        // Each worker has a name of its own.
        let instance = Settings::new(&app.ctx).instance;
        let (settings, mut stopped) = (Settings { instance, ..settings.clone() }, stopped.clone());
        let ctx = app.ctx.clone();
        tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
                Ok(())
            };
            erp_worker::run(&ctx, &settings, stop).await.unwrap();
        })
    };
    let running: Vec<_> = (0..workers).map(run).collect();
    story.await;
    stop.send_replace(true);
    for worker in running {
        worker.await.unwrap();
    }
}

async fn smtp_breaker(app: &App, admin: &User) -> Value {
    let all = app.get(admin, "/admin/breakers").await.expect(200);
    all.as_array().unwrap().iter().find(|b| b["dependency"] == "smtp").cloned().unwrap()
}

async fn count(app: &App, condition: &str) -> i64 {
    let query = format!("select count(*) from queue.everything where {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&app.ctx.pool).await.unwrap()
}

async fn execute(app: &App, statement: &'static str) {
    sqlx::query(statement).execute(&app.ctx.pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_at_a_time_asks_a_relay_that_is_away_and_all_mails_leave_when_it_is_back() {
    const MAILS: usize = 500;
    let (relay, app) = with_relay(&[]).await;
    let admin = app.user(UserRole::Admin).await;
    mails(&app, MAILS).await;
    relay.set_away(true);
    workers(&app, 3, async {
        until("open", async || smtp_breaker(&app, &admin).await["open"] == true).await;
        // The attempts that were under way when the breaker opened have ended.
        until("quiet", async || relay.open() == 0).await;
        relay.forget_most_open();
        until("three probes", async || {
            smtp_breaker(&app, &admin).await["probes"].as_u64().unwrap() >= 3
        })
        .await;
        let now = smtp_breaker(&app, &admin).await;
        assert_eq!(relay.most_open(), 1, "one at a time: {now}");
        assert_eq!(now["queues"], json!(["emails", "emails.compte", "emails.group"]));
        assert!(now["last_error"].as_str().unwrap().contains("421"), "{now}");
        let probes = usize::try_from(now["probes"].as_u64().unwrap()).unwrap();
        let (connections, tried) = (relay.connections(), count(&app, "history is not null or not live").await);
        // One more attempt may be under way.
        assert!(connections <= BEFORE_IT_OPENS + probes + 1, "{connections} connections: {now}");
        assert!(usize::try_from(tried).unwrap() <= BEFORE_IT_OPENS + probes, "{tried} jobs tried");
        let metrics = app.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        assert!(metrics.contains("erp_breaker_open{dependency=\"smtp\"} 1"), "{metrics}");
        assert!(metrics.contains("erp_breaker_open{dependency=\"storage\"} 0"), "{metrics}");

        // Jobs that have failed would wait for an hour; the others have not been tried.
        execute(
            &app,
            "update queue.jobs set run_at = now() + interval '1 hour' where error is not null and lock_by is null",
        )
        .await;
        relay.set_away(false);
        until("all accepted", async || relay.accepted() == MAILS).await;
        until("all done", async || count(&app, "state <> 'done'").await == 0).await;
    })
    .await;
    let now = smtp_breaker(&app, &admin).await;
    assert_eq!((&now["open"], &now["failures"]), (&json!(false), &json!(0)), "{now}");
    assert_eq!(relay.begun().len(), MAILS, "each once");
    assert_eq!(count(&app, "attempts <> 1").await, 0, "the outage cost no attempt");
}

#[tokio::test]
async fn a_mail_that_cannot_leave_for_thirty_hours_dies_after_24_and_can_be_sent_again() {
    let (relay, app) = with_relay(&[]).await;
    let admin = app.user(UserRole::Admin).await;
    mails(&app, 1).await;
    relay.set_away(true);
    let mut died_after = None;
    for hour in (0..=30).step_by(6) {
        execute(&app, "update queue.breakers set probe_at = '-infinity'").await;
        app.skip_backoff().await;
        app.run_jobs().await;
        let dead = count(&app, "state = 'dead'").await == 1;
        died_after = died_after.or(dead.then_some(hour));
        // As if six hours had passed.
        execute(&app, "update queue.jobs set outage_since = outage_since - interval '6 hours'")
            .await;
    }
    assert_eq!(died_after, Some(24));
    let list = app.get(&admin, "/admin/jobs?state=dead").await.expect(200);
    let [dead] = list.as_array().unwrap().as_slice() else { panic!("{list}") };
    assert!(dead["error"].as_str().unwrap().contains("421"), "{dead}");
    assert_eq!(dead["attempts"], 1, "{dead}");
    let mail = app.get(&admin, "/admin/emails").await.expect(200);
    assert_eq!(mail[0]["statut"], "echouee", "{mail}");

    relay.set_away(false);
    let path = format!("/admin/jobs/{}/retry", dead["id"].as_str().unwrap());
    app.post(&admin, &path, json!({})).await.expect(200);
    // More than one run is needed where this machine is so slow that a step of SMTP takes too long.
    until("sent", async || {
        execute(&app, "update queue.breakers set probe_at = '-infinity'").await;
        app.skip_backoff().await;
        app.run_jobs().await;
        relay.accepted() == 1
    })
    .await;
    let mail = app.get(&admin, "/admin/emails").await.expect(200);
    assert_eq!(mail[0]["statut"], "envoyee", "{mail}");
}

#[tokio::test]
async fn a_photo_outlives_a_storage_that_is_away_for_longer_than_a_job_has_attempts() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let photo = app.upload(&boss, id, "pompe.jpg", samples::jpeg(640, 480, 3)).await.expect(201);
    // A file in the place of the folder: nothing can be stored there.
    let (folder, aside) = (app.files.path().to_owned(), tempfile::tempdir().unwrap());
    std::fs::rename(&folder, aside.path().join("files")).unwrap();
    std::fs::write(&folder, "").unwrap();
    for attempt in 1..=9 {
        execute(&app, "update queue.breakers set probe_at = '-infinity'").await;
        app.skip_backoff().await;
        app.run_jobs().await;
        let [(queue, state, attempts)] = &app.jobs().await[..] else { panic!() };
        assert_eq!(
            (queue.as_str(), state.as_str(), *attempts),
            ("documents.process", "retrying", 0)
        );
        assert_eq!(count(&app, &format!("jsonb_array_length(history) = {attempt}")).await, 1);
    }
    let open: Vec<String> =
        sqlx::query_scalar("select name from queue.breakers where open_since is not null")
            .fetch_all(&app.ctx.pool)
            .await
            .unwrap();
    assert_eq!(open, ["storage"]);

    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(aside.path().join("files"), &folder).unwrap();
    execute(&app, "update queue.breakers set probe_at = '-infinity'").await;
    app.skip_backoff().await;
    app.run_jobs().await;
    let ready = app.document(&boss, &photo).await;
    assert_eq!(ready["status"], "ready", "{ready}");
}

/// Claims the probe for a worker that is dead, as if it had been killed then.
async fn die_with_the_probe(app: &App) {
    for _ in 0..breaker::OPENS_AFTER {
        breaker::failed(&app.ctx.pool, "smtp", "away", None).await.unwrap();
    }
    for takes in [
        "insert into queue.workers (id, queues, last_seen, heard_since) values ('dead', '{emails}', now(), now())",
        "update queue.jobs set attempts = 1, lock_by = 'dead', lock_at = clock_timestamp()
            where id = (select min(id) from queue.jobs where queue = 'emails')",
        "update queue.breakers set probe_at = '-infinity', probe_by = 'dead', probe_until = clock_timestamp() + interval '15 seconds',
            probe_job = (select id from queue.jobs where lock_by = 'dead') where name = 'smtp'",
    ] {
        execute(app, takes).await;
    }
}

#[tokio::test]
async fn another_worker_takes_over_the_probe_of_one_that_was_killed() {
    let (relay, app) = with_relay(&[("WORKER_RESCUE_SECONDS", "5")]).await;
    mails(&app, 6).await;
    die_with_the_probe(&app).await;
    workers(&app, 1, async {
        until("all accepted", async || relay.accepted() == 6).await;
        until("all done", async || count(&app, "state <> 'done'").await == 0).await;
    })
    .await;
    assert_eq!(relay.begun().len(), 6, "each once");
}

#[tokio::test]
async fn failures_with_an_answer_between_them_open_nothing() {
    let app = App::new().await;
    let fail = async || breaker::failed(&app.ctx.pool, "storage", "away", None).await.unwrap();
    for _ in 0..3 {
        for _ in 1..breaker::OPENS_AFTER {
            assert!(!fail().await);
        }
        let open_since = breaker::answered(&app.ctx.pool, "storage", &[]).await.unwrap();
        assert_eq!(open_since, None);
    }
    for _ in 1..breaker::OPENS_AFTER {
        assert!(!fail().await);
    }
    assert!(fail().await);
    assert!(!fail().await, "it opens once");
    assert!(breaker::answered(&app.ctx.pool, "storage", &[]).await.unwrap().is_some());
}

// --- Limits of all workers together ---

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_together_keep_the_pace() {
    const MAILS: usize = 30;
    let (relay, app) = with_relay(&[("SMTP_MAX_PER_MINUTE", "120")]).await;
    mails(&app, MAILS).await;
    workers(&app, 3, async {
        until("all accepted", async || relay.accepted() == MAILS).await;
        until("all done", async || count(&app, "state <> 'done'").await == 0).await;
    })
    .await;
    let begun = relay.begun();
    assert_eq!(begun.len(), MAILS);
    // Two a second: in any five seconds ten, plus one at the edge; plus one more because this machine may be late.
    for from in &begun {
        let within = begun
            .iter()
            .filter(|at| *at >= from && at.duration_since(*from) < Duration::from_secs(5));
        let within = within.count();
        assert!(within <= 12, "{within} within five seconds");
    }
    assert_eq!(
        count(&app, "attempts <> 1 or history is not null").await,
        0,
        "they waited in place"
    );
}

#[tokio::test]
async fn who_waits_for_its_moment_is_handed_back_at_a_stop() {
    let (relay, app) = with_relay(&[("SMTP_MAX_PER_MINUTE", "1")]).await;
    mails(&app, 4).await;
    workers(&app, 1, async {
        until("the first", async || relay.accepted() == 1).await;
        until("the rest waits", async || count(&app, "state = 'running'").await == 3).await;
        assert_eq!(relay.connections(), 1, "no connection is held meanwhile");
    })
    .await;
    assert_eq!(count(&app, "state = 'ready' and attempts = 0").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_workers_together_keep_to_two_connections() {
    const MAILS: usize = 90;
    let (relay, app) = with_relay(&[("SMTP_MAX_CONNECTIONS", "2")]).await;
    mails(&app, MAILS).await;
    workers(&app, 3, async {
        until("all accepted", async || relay.accepted() == MAILS).await;
        until("all done", async || count(&app, "state <> 'done'").await == 0).await;
        until("given back", async || relay.open() == 0).await;
        until("free", async || held_places(&app).await == 0).await;
    })
    .await;
    assert_eq!(relay.begun().len(), MAILS, "each once");
    let most = relay.most_open();
    assert!((1..=3).contains(&most), "{most} at once");
}

async fn held_places(app: &App) -> i64 {
    sqlx::query_scalar("select count(*) from places where tenue_par is not null")
        .fetch_one(&app.ctx.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_place_of_a_worker_that_was_killed_is_free_when_it_has_been_silent() {
    let limits = [("SMTP_MAX_CONNECTIONS", "1"), ("WORKER_RESCUE_SECONDS", "5")];
    let (relay, app) = with_relay(&limits).await;
    mails(&app, 3).await;
    execute(
        &app,
        "insert into queue.workers (id, queues, last_seen, heard_since) values ('dead', '{}', now() + interval '1 hour', now())",
    )
    .await;
    execute(&app, "insert into places (nom, numero, tenue_par) values ('smtp', 1, 'dead')").await;
    workers(&app, 1, async {
        until("they wait", async || count(&app, "state = 'running'").await == 3).await;
        assert_eq!(relay.connections(), 0);
        // From now on the dead worker is silent.
        execute(&app, "update queue.workers set last_seen = now() where id = 'dead'").await;
        until("all accepted", async || relay.accepted() == 3).await;
    })
    .await;
    assert_eq!(relay.most_open(), 1);
}
