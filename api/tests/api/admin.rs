//! What operators can see and repair without SQL.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{Clock, schedules, users::UserRole};
use erp_worker::Settings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

impl App {
    /// Creates a notification to `to`, whose mail waits to be sent.
    pub async fn notify(&self, boss: &User, to: &User) -> Value {
        let intervention_id = self.intervention(boss).await;
        let new = json!({
            "type": "information", "canal": "email", "contenu": "Réunion à 8 h 30.",
            "intervention_id": intervention_id, "user_id": to.id,
        });
        let answer = self.post(boss, "/notifications", new).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        answer.body
    }

    /// The only job of this type.
    pub async fn job_of(&self, admin: &User, type_: &str) -> Value {
        let list = self.get(admin, &format!("/admin/jobs?type={type_}")).await.expect(200);
        assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
        let id = list[0]["id"].as_str().unwrap();
        self.get(admin, &format!("/admin/jobs/{id}")).await.expect(200)
    }

    async fn queue(&self, admin: &User, name: &str) -> Value {
        let list = self.get(admin, "/admin/queues").await.expect(200);
        list.as_array().unwrap().iter().find(|q| q["name"] == name).cloned().unwrap()
    }

    async fn delivery(&self, boss: &User, notification: &Value) -> Value {
        let list = self.get(boss, "/notifications?limit=200&sort=id").await.expect(200);
        list.as_array().unwrap().iter().find(|n| n["id"] == notification["id"]).cloned().unwrap()
    }
}

#[tokio::test]
async fn a_job_tells_what_became_of_it_and_who_caused_it() {
    let mut app = App::new().await;
    app.leaves_jobs();
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.notify(&boss, &boss).await;
    app.stop_smtp().await;
    app.run_jobs().await;
    app.hold_backoff().await;

    let job = app.job_of(&admin, "emails").await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("retrying"), &json!(0)), "{job}");
    assert!(job["payload"]["envoi_id"].is_i64() && job["request_id"].is_string(), "{job}");
    let attempt = &job["history"][0];
    assert_eq!(attempt["outcome"], "outage");
    assert!(attempt["worker"].is_string() && attempt["started_at"].is_string(), "{attempt}");
    assert!(attempt["error"].as_str().unwrap().contains("smtp"), "{attempt}");
    assert_eq!(job["error"], attempt["error"]);

    let count = async |filter: &str| {
        let list = app.get(&admin, &format!("/admin/jobs?{filter}")).await.expect(200);
        list.as_array().unwrap().len()
    };
    for (filter, found) in [
        ("state=retrying", 1),
        ("state=ready", 0),
        ("state=done", 0),
        ("error=SMTP&type=emails", 1),
        ("error=100%25", 0),
        ("created_from=2020-01-01T00:00:00Z", 1),
        ("created_from=2999-01-01T00:00:00Z", 0),
        ("created_to=2020-01-01T00:00:00Z", 0),
        ("type=documents.process", 0),
    ] {
        assert_eq!(count(filter).await, found, "{filter}");
    }
    app.get(&admin, "/admin/jobs?state=lost").await.expect_error(422, "donnees_invalides");
    app.get(&admin, "/admin/jobs/none").await.expect_error(404, "tache_introuvable");

    let queue = app.queue(&admin, "emails").await;
    assert_eq!((&queue["retrying"], &queue["ready"]), (&json!(1), &json!(0)), "{queue}");
}

#[tokio::test]
async fn a_dead_job_is_run_again_when_its_cause_is_mended_and_then_never_again() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let gone = app.user(UserRole::Technicien).await;
    let notification = app.notify(&boss, &gone).await;
    app.delete(&admin, &format!("/users/{}", gone.id)).await.expect(204);
    app.run_jobs().await;

    let job = app.job_of(&admin, "emails").await;
    assert_eq!((&job["state"], &job["attempts"]), (&json!("dead"), &json!(1)), "{job}");
    let told = app.delivery(&boss, &notification).await;
    assert_eq!((&told["statut"], &told["tentatives"]), (&json!("echouee"), &json!(0)), "{told}");

    app.patch(&admin, &format!("/users/{}/activate", gone.id), json!({})).await.expect(200);
    let retry = format!("/admin/jobs/{}/retry", job["id"].as_str().unwrap());
    for _ in 0..2 {
        let again = app.post(&admin, &retry, json!({})).await.expect(200);
        assert_eq!((&again["state"], &again["attempts"]), (&json!("ready"), &json!(0)), "{again}");
    }
    assert_eq!(app.delivery(&boss, &notification).await["statut"], "en_file");
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
    assert_eq!(app.delivery(&boss, &notification).await["statut"], "envoyee");
    app.post(&admin, &retry, json!({})).await.expect_error(409, "tache_non_relancable");

    let job = app.job_of(&admin, "emails").await;
    let outcomes: Vec<_> =
        job["history"].as_array().unwrap().iter().map(|a| a["outcome"].clone()).collect();
    assert_eq!(outcomes, ["dead", "redriven", "done"]);
    assert_eq!(job["error"], Value::Null);
}

#[tokio::test]
async fn a_job_is_called_off_and_taken_up_again() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let notification = app.notify(&boss, &boss).await;
    let job = app.job_of(&admin, "emails").await;
    let path = format!("/admin/jobs/{}", job["id"].as_str().unwrap());
    app.delete(&admin, &path).await.expect_error(409, "tache_non_terminee");
    for _ in 0..2 {
        let cancelled = app.post(&admin, &format!("{path}/cancel"), json!({})).await.expect(200);
        assert_eq!(cancelled["state"], "cancelled");
    }
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 0);
    assert_eq!(app.delivery(&boss, &notification).await["statut"], "echouee");

    app.post(&admin, &format!("{path}/retry"), json!({})).await.expect(200);
    app.run_jobs().await;
    let job = app.get(&admin, &path).await.expect(200);
    assert_eq!(app.mails().len(), 1, "{job}");
    app.post(&admin, &format!("{path}/cancel"), json!({}))
        .await
        .expect_error(409, "tache_terminee");
    app.delete(&admin, &path).await.expect(204);
    app.get(&admin, &path).await.expect_error(404, "tache_introuvable");
}

#[tokio::test]
async fn a_filter_is_previewed_then_done_once() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    for _ in 0..3 {
        app.notify(&boss, &boss).await;
    }
    let count = async |method: Method, path: &str| {
        let answer = app.call(&admin, method, path, None).await.expect(200);
        assert_eq!(answer["more"], false);
        answer["count"].as_i64().unwrap()
    };
    let cancel = "/admin/jobs/cancel?type=emails";
    assert_eq!(count(Method::POST, &format!("{cancel}&preview=true")).await, 3);
    assert_eq!(count(Method::POST, "/admin/jobs/cancel?type=documents.process").await, 0);
    assert_eq!(count(Method::POST, cancel).await, 3);
    assert_eq!(count(Method::POST, cancel).await, 0, "repeated, nothing happens twice");

    let retry = "/admin/jobs/retry?state=cancelled";
    assert_eq!(count(Method::POST, &format!("{retry}&preview=true")).await, 3);
    assert_eq!(count(Method::POST, retry).await, 3);
    assert_eq!(count(Method::POST, retry).await, 0);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 3);

    assert_eq!(count(Method::DELETE, "/admin/jobs?state=done&preview=true").await, 3);
    assert_eq!(count(Method::DELETE, "/admin/jobs?state=done").await, 3);
    assert_eq!(app.jobs().await, []);
    for (method, path) in [
        (Method::POST, "/admin/jobs/retry"),
        (Method::POST, "/admin/jobs/cancel"),
        (Method::DELETE, "/admin/jobs"),
    ] {
        app.call(&admin, method, path, None).await.expect_error(400, "critere_manquant");
    }
}

#[tokio::test]
async fn a_paused_queue_waits_on_every_worker_while_the_others_go_on() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.notify(&boss, &boss).await;
    app.post(&admin, "/admin/queues/emails.sent/pause", json!({}))
        .await
        .expect_error(404, "file_introuvable");
    app.post(&admin, "/admin/queues/emails/pause", json!({})).await.expect(200);
    let queue = app.queue(&admin, "emails").await;
    assert_eq!((&queue["paused"], &queue["paused_by"]), (&json!(true), &json!(admin.username)));
    assert!(queue["oldest_ready_seconds"].as_f64().unwrap() >= 0.0, "{queue}");

    let settings = Settings::new(&app.ctx);
    let story = async {
        app.post(&admin, "/admin/schedules/maintenance.purge/run", json!({})).await.expect(202);
        while app.job_of(&admin, "maintenance.purge").await["state"] != "done" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let workers = app.get(&admin, "/admin/workers").await.expect(200);
        assert_eq!(workers[0]["id"], settings.instance);
        assert!(workers[0]["queues"].as_array().unwrap().contains(&json!("emails")));
        assert_eq!(app.mails().len(), 0);
        app.post(&admin, "/admin/queues/emails/resume", json!({})).await.expect(200);
        while app.mails().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    let limit = Duration::from_mins(1);
    let run = Box::pin(erp_worker::run(&app.ctx, &settings, story));
    tokio::time::timeout(limit, run).await.unwrap().unwrap();
    assert_eq!(app.get(&admin, "/admin/workers").await.expect(200), json!([]), "it has signed off");
}

#[tokio::test]
async fn an_admin_decides_how_many_jobs_of_a_queue_run_at_once() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let path = "/admin/queues/emails/concurrency";
    assert_eq!(app.queue(&admin, "emails").await["concurrency"], Value::Null);
    let all = app.post(&admin, path, json!({"concurrency": 2})).await.expect(200);
    assert!(all.as_array().unwrap().iter().any(|queue| queue["concurrency"] == 2), "{all}");
    assert_eq!(app.queue(&admin, "emails").await["concurrency"], 2);
    for bad in
        [json!({"concurrency": 0}), json!({"concurrency": 1001}), json!({"concurrency": "x"})]
    {
        app.post(&admin, path, bad).await.expect_error(422, "donnees_invalides");
    }
    app.post(&admin, "/admin/queues/emails.sent/concurrency", json!({"concurrency": 2}))
        .await
        .expect_error(404, "file_introuvable");
    app.post(&admin, path, json!({"concurrency": null})).await.expect(200);
    assert_eq!(app.queue(&admin, "emails").await["concurrency"], Value::Null);
}

#[tokio::test]
async fn an_admin_decides_when_schedules_come_due() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let list = app.get(&admin, "/admin/schedules").await.expect(200);
    let purge = list.as_array().unwrap().iter().find(|s| s["name"] == "maintenance.purge").unwrap();
    assert_eq!(
        (&purge["cron"], &purge["timezone"]),
        (&json!("0 3 * * *"), &json!("Africa/Casablanca"))
    );

    let path = "/admin/schedules/maintenance.purge";
    let edited = app
        .put(&admin, path, json!({"cron": "30 4 * * 0", "timezone": "Europe/Paris"}))
        .await
        .expect(200);
    let next: DateTime<Utc> = edited["next_run_at"].as_str().unwrap().parse().unwrap();
    let local = erp_core::local::zone("Europe/Paris").unwrap().wall(next);
    assert_eq!(local.format("%a %H:%M:%S").to_string(), "Sun 04:30:00");
    assert!(next > Utc::now() && next <= Utc::now() + TimeDelta::days(8));

    let disabled = json!({"name": "maintenance.purge", "enabled": false});
    let disabled = app.put(&admin, "/admin/schedules", disabled).await.expect(200);
    assert_eq!((&disabled["enabled"], &disabled["next_run_at"]), (&json!(false), &Value::Null));
    assert_eq!(disabled["cron"], "30 4 * * 0", "what is not named stays");

    for (bad, field) in [
        (json!({"cron": "61 * * * *"}), "cron"),
        (json!({"cron": "every night"}), "cron"),
        (json!({"timezone": "Mars/Olympus"}), "timezone"),
        (json!({"enabled": "perhaps"}), "enabled"),
    ] {
        let answer = app.put(&admin, path, bad).await;
        assert_eq!(answer.body["detail"][0]["loc"][1], field, "{}", answer.body);
        answer.expect_error(422, "donnees_invalides");
    }
    let never = json!({"cron": "0 0 30 2 *", "enabled": true});
    app.put(&admin, path, never).await.expect_error(409, "planification_sans_date");
    app.put(&admin, "/admin/schedules/none", json!({"enabled": true}))
        .await
        .expect_error(404, "planification_introuvable");
    app.post(&admin, "/admin/schedules/none/run", json!({}))
        .await
        .expect_error(404, "planification_introuvable");
}

#[tokio::test]
async fn the_purge_removes_what_has_had_its_time_and_nothing_else() {
    let later = Utc::now() + TimeDelta::days(2);
    let app = App::at(Clock::stopped_at(later), &[]).await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let id = app.intervention(&boss).await;
    app.upload(&boss, id, "bon.pdf", erp_dev::samples::pdf(2, &["Bon de travail"]))
        .await
        .expect(201);
    app.run_jobs().await;
    let kept = app.stored_files();
    // As left by a worker or an API that was killed between the file and its row.
    let stray = format!("{}.jpg", uuid::Uuid::new_v4());
    std::fs::write(app.files.path().join(&stray), b"nobody's").unwrap();
    std::fs::write(app.files.path().join(".gitkeep"), b"").unwrap();
    sqlx::query!("update queue.ended set ended_at = now() - interval '8 days'")
        .execute(&app.ctx.pool)
        .await
        .unwrap();

    app.post(&admin, "/admin/schedules/maintenance.purge/run", json!({})).await.expect(202);
    app.run_jobs().await;
    let mut expected = kept.clone();
    expected.insert(0, ".gitkeep".to_owned());
    assert_eq!(app.stored_files(), expected);
    assert_eq!(app.jobs().await, [("maintenance.purge".to_owned(), "done".to_owned(), 1)]);
}

#[tokio::test]
async fn prometheus_is_told_what_waits_and_how_long_requests_take() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    app.notify(&boss, &boss).await;
    let answer = app.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for line in [
        r#"erp_queue_jobs{queue="emails",state="ready"} "#,
        r#"erp_queue_oldest_ready_seconds{queue="emails"} "#,
        r#"erp_queue_paused{queue="emails"} 0"#,
        r#"erp_http_request_duration_seconds_count{method="POST",route="/notifications",status=""#,
        r#"erp_database_connections{state="max"} "#,
        "erp_database_up 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn of_the_ticks_that_were_missed_one_is_run_and_an_edit_loses_none() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let behind = async || {
        sqlx::query!("update schedules set next_run_at = now() - interval '3 days'")
            .execute(&app.ctx.pool)
            .await
            .unwrap();
    };
    let tick = async || {
        let mut tx = app.ctx.begin().await.unwrap();
        let ticks = schedules::tick(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        ticks.len()
    };
    sqlx::query!("delete from schedules where name <> 'maintenance.purge'")
        .execute(&app.ctx.pool)
        .await
        .unwrap();
    // A schedule of another version: this version does not know its job.
    sqlx::query!(
        "insert into schedules (name, cron, timezone, next_run_at) values ('autre.version', '* * * * *', 'UTC', now())"
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    let other = "/admin/schedules/autre.version/run";
    app.post(&admin, other, json!({})).await.expect_error(404, "planification_introuvable");
    assert_eq!(tick().await, 0, "it learns when it is due");
    let left = schedules::seconds_to_next(&app.ctx.pool).await.unwrap().unwrap();
    assert!(left > 0.0, "{left}");

    behind().await;
    assert!(schedules::seconds_to_next(&app.ctx.pool).await.unwrap().unwrap() < 0.0);
    assert_eq!(tick().await, 1);
    assert_eq!(tick().await, 0, "three days late, once");

    behind().await;
    let path = "/admin/schedules/maintenance.purge";
    let edited = app.put(&admin, path, json!({"cron": "0 5 * * *"})).await.expect(200);
    assert!(edited["last_run_at"].is_string(), "{edited}");
    assert_eq!(app.jobs().await.len(), 2, "the tick that was due is run all the same");
    assert_eq!(tick().await, 0);
}
