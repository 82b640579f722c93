//! The nightly reconciler finds rows that have lost their jobs, and enqueues new ones.
use erp_core::users::UserRole;
use serde_json::json;

use crate::support::{App, PASSWORD};

/// How many of `finding` the reconciler's last run found, and how many it repaired.
async fn found(app: &App, finding: &str) -> (i32, i32) {
    let all = erp_core::reconcile::findings(&app.ctx.pool).await.unwrap();
    let one = all.iter().find(|f| f.finding == finding).unwrap_or_else(|| panic!("{all:?}"));
    (one.found, one.mended)
}

#[tokio::test]
async fn rows_without_a_job_are_found_at_night_and_set_going() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let reader = app.user(UserRole::Technicien).await;
    let id = app.intervention(&boss).await;
    for _ in 0..3 {
        let new = json!({
            "type": "alerte", "canal": "email", "intervention_id": id, "user_id": reader.id,
        });
        app.post(&boss, "/notifications", new).await.expect(201);
    }
    let document =
        app.upload(&boss, id, "p.jpg", erp_dev::samples::jpeg(320, 240, 1)).await.expect(201);
    // Damage from outside: the jobs are gone, one mail is lost, and another was given up while its notification waits.
    for harm in [
        "delete from queue.jobs",
        "update envois set part_le = now() - interval '2 hours'",
        "update notifications set date_creation = now() - interval '2 hours'",
        "update documents set date_upload = now() - interval '2 hours'",
        "delete from envois where id = (select max(id) from envois)",
        "update envois set statut = 'echouee' where id = (select min(id) from envois)",
    ] {
        sqlx::raw_sql(harm).execute(&app.ctx.pool).await.unwrap();
    }
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 0, "nobody knows of them");

    app.run_schedule(&admin, "maintenance.reconcile").await;
    app.run_jobs().await;
    assert_eq!(found(&app, "mails_without_job").await, (1, 1));
    assert_eq!(found(&app, "notifications_without_mail").await, (2, 2));
    assert_eq!(found(&app, "documents_without_job").await, (1, 1));
    assert_eq!(found(&app, "plannings_due").await, (0, 0));
    assert_eq!(app.mails().len(), 3);
    assert_eq!(app.document(&boss, &document).await["status"], "ready");
    let list = app.get(&boss, "/notifications").await.expect(200);
    assert!(list.as_array().unwrap().iter().all(|n| n["statut"] == "envoyee"), "{list}");
    let metrics = app.request(reqwest::Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let line = r#"erp_reconciler_findings{finding="notifications_without_mail",mended="true"} 2"#;
    assert!(metrics.contains(line), "{metrics}");

    app.run_schedule(&admin, "maintenance.reconcile").await;
    for finding in ["mails_without_job", "notifications_without_mail", "documents_without_job"] {
        assert_eq!(found(&app, finding).await, (0, 0), "{finding}");
    }
    assert_eq!(app.mails().len(), 3, "each once");
}

#[tokio::test]
async fn jobs_whose_subject_is_gone_are_told_and_end_by_themselves() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.notify(&boss, &boss).await;
    for harm in [
        "delete from envois",
        "update queue.jobs set created_at = now() - interval '2 hours', run_at = now() + interval '1 hour'",
    ] {
        sqlx::raw_sql(harm).execute(&app.ctx.pool).await.unwrap();
    }
    app.run_schedule(&admin, "maintenance.reconcile").await;
    assert_eq!(found(&app, "jobs_without_subject").await, (1, 0));
    app.skip_backoff().await;
    app.run_jobs().await;
    assert!(app.jobs().await.iter().all(|(_, state, _)| state == "done"));
}

#[tokio::test]
async fn another_attempt_goes_on_where_one_ended() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.notify(&boss, &boss).await;
    let id = app.intervention(&boss).await;
    app.upload(&boss, id, "p.jpg", erp_dev::samples::jpeg(320, 240, 1)).await.expect(201);
    for harm in [
        "delete from queue.jobs",
        "update envois set part_le = now() - interval '2 hours'",
        "update documents set date_upload = now() - interval '2 hours'",
        // A payload that cannot be read: the checks of documents and of the last kind fail.
        r"insert into queue.jobs (id, queue, run_at, created_at, max_attempts, payload)
            values ('0', 'documents.process', now() + interval '1 day', now() - interval '2 hours', 1, '\xff')",
    ] {
        sqlx::raw_sql(harm).execute(&app.ctx.pool).await.unwrap();
    }
    app.post(&admin, "/admin/schedules/maintenance.reconcile/run", json!({})).await.expect(202);
    app.run_jobs().await;
    assert_eq!(found(&app, "mails_without_job").await, (1, 1));
    let path = "/admin/jobs?type=maintenance.reconcile";
    let jobs = app.get(&admin, path).await.expect(200);
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["progress_note"]),
        (&json!("retrying"), &json!("tâches sans objet")),
        "{jobs}"
    );

    // A mail that loses its job after the checkpoint is left to the next night.
    app.notify(&boss, &boss).await;
    for change in [
        "delete from queue.jobs where queue in ('emails', 'documents.process')",
        "update envois set part_le = now() - interval '2 hours'",
    ] {
        sqlx::raw_sql(change).execute(&app.ctx.pool).await.unwrap();
    }
    app.skip_backoff().await;
    app.run_jobs().await;
    let jobs = app.get(&admin, path).await.expect(200);
    assert_eq!((&jobs[0]["state"], &jobs[0]["attempts"]), (&json!("done"), &json!(2)), "{jobs}");
    assert_eq!(found(&app, "mails_without_job").await, (1, 1), "not looked at again");
    assert_eq!(found(&app, "documents_without_job").await, (1, 1), "looked at at last");
    app.run_schedule(&admin, "maintenance.reconcile").await;
    assert_eq!(found(&app, "mails_without_job").await, (1, 1), "of this night");
    assert_eq!(found(&app, "documents_without_job").await, (0, 0));
}

#[tokio::test]
async fn a_mail_about_an_account_waits_in_its_own_queue_and_is_enqueued_there_again() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let user = app.user(UserRole::Technicien).await;
    let change = json!({"current_password": PASSWORD, "password": "une autre phrase de passe"});
    app.put(&user, "/users/update", change).await.expect(200);
    for harm in [
        "update queue.jobs set run_at = now() + interval '1 hour'",
        "update envois set part_le = now() - interval '2 hours'",
    ] {
        sqlx::raw_sql(harm).execute(&app.ctx.pool).await.unwrap();
    }
    app.run_schedule(&admin, "maintenance.reconcile").await;
    assert_eq!(found(&app, "mails_without_job").await, (0, 0), "it has one");

    sqlx::raw_sql("delete from queue.jobs").execute(&app.ctx.pool).await.unwrap();
    app.run_schedule(&admin, "maintenance.reconcile").await;
    app.run_jobs().await;
    assert_eq!(found(&app, "mails_without_job").await, (1, 1));
    assert_eq!(app.mails().len(), 1);
    let queues = app.jobs().await.into_iter().map(|(queue, ..)| queue);
    assert!(queues.clone().any(|queue| queue == "emails.compte"));
    assert!(queues.into_iter().all(|queue| queue != "emails"));
}
