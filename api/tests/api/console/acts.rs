//! What the console changes: the same as REST, audited, and first shown.
use erp_core::users::UserRole::{Admin, Responsable, Technicien};
use serde_json::json;

use crate::support::App;

/// Leaves two dead jobs that failed alike, and two that wait; the ids of the dead ones.
async fn two_dead(app: &App) -> Vec<String> {
    let (admin, boss) = (app.user(Admin).await, app.user(Responsable).await);
    for _ in 0..2 {
        let gone = app.user(Technicien).await;
        app.notify(&boss, &gone).await;
        app.delete(&admin, &format!("/users/{}", gone.id)).await.expect(204);
    }
    app.run_jobs().await;
    app.leaves_jobs();
    let dead = app.get(&admin, "/admin/jobs?state=dead").await.expect(200);
    dead.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_group_of_dead_jobs_is_one_line_and_runs_again_together() {
    let app = App::new().await;
    let dead = two_dead(&app).await;
    assert_eq!(dead.len(), 2);
    let browser = app.browser(Admin).await;
    let html = browser.open("/console/echecs").await.expect(200);
    let (_, link) = html.split_once(r#"href="/console/taches/agir?"#).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    assert!(link.contains("error_alike=") && link.contains("acte=relancer"), "{link}");

    // The page before shows how many, and changes nothing.
    let html = browser.open(&format!("/console/taches/agir?{link}")).await.expect(200);
    assert!(html.contains("Relancer\u{a0}: 2 tâches\u{a0}?"), "{html}");
    for id in &dead {
        assert!(html.contains(id), "{html}");
    }
    let mut fields: Vec<_> = form_urlencoded::parse(link.as_bytes()).into_owned().collect();
    fields.push(("vu".to_owned(), "1".to_owned()));
    let send = async |fields: &[(String, String)]| {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.send("/console/taches/agir", &fields).await
    };
    // Not more than were shown.
    let some = send(&fields).await;
    assert!(
        some.location().contains("reste=1") && some.location().ends_with("n=1"),
        "{}",
        some.location()
    );
    assert_eq!(app.jobs().await.iter().filter(|job| job.1 == "ready").count(), 1);
    fields.pop();
    fields.push(("vu".to_owned(), "2".to_owned()));

    let done = send(&fields).await;
    assert_eq!(done.status, 303);
    assert!(
        done.location().contains("fait=relancer") && done.location().ends_with("n=1"),
        "{}",
        done.location()
    );
    assert_eq!(app.jobs().await.iter().filter(|job| job.1 == "ready").count(), 2);

    let audited = app.get(&browser.user, "/admin/audit?action=taches_relancees").await.expect(200);
    assert_eq!(audited[0]["user_id"], json!(browser.user.id));
    assert_eq!(audited[0]["apres"]["count"], json!(1), "{audited}");
    assert_eq!(audited[0]["apres"]["filter"]["state"], json!("dead"), "{audited}");
    assert!(audited[0]["apres"]["filter"]["error_alike"].is_string(), "{audited}");
    let why = "Le compte du destinataire est désactivé.";
    assert_eq!(audited[0]["apres"]["error"], json!(why), "{audited}");
}

#[tokio::test]
async fn only_the_ticked_jobs_are_changed_and_all_or_none() {
    let app = App::new().await;
    let dead = two_dead(&app).await;
    let browser = app.browser(Admin).await;
    let ticked = format!("/console/taches/agir?acte=supprimer&portee=choix&id={}", dead[0]);
    let html = browser.open(&ticked).await.expect(200);
    assert!(html.contains("Supprimer\u{a0}: 1 tâche\u{a0}?"), "{html}");
    assert!(html.contains(&dead[0]) && !html.contains(&dead[1]), "{html}");

    // One that cannot be cancelled keeps the other as it is.
    let notified = app.user(Responsable).await;
    app.notify(&notified, &notified).await;
    let waiting = app.get(&browser.user, "/admin/jobs?state=ready").await.expect(200);
    let waiting = waiting[0]["id"].as_str().unwrap().to_owned();
    let both = [("acte", "annuler"), ("id", &waiting), ("id", &dead[0])];
    browser.send("/console/taches/agir", &both).await.expect(409);
    let job = app.get(&browser.user, &format!("/admin/jobs/{waiting}")).await.expect(200);
    assert_eq!(job["state"], "ready");

    let one = [("acte", "supprimer"), ("id", dead[0].as_str())];
    assert_eq!(browser.send("/console/taches/agir", &one).await.status, 303);
    let left = app.get(&browser.user, "/admin/jobs?state=dead").await.expect(200);
    assert_eq!(left[0]["id"], json!(dead[1]));
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_is_done_to_everything_nor_to_nothing() {
    let app = App::new().await;
    let dead = two_dead(&app).await;
    let browser = app.browser(Admin).await;
    for query in [
        "acte=supprimer&portee=toutes",
        "acte=supprimer",
        "portee=toutes&state=dead",
        "acte=autre&state=dead&portee=toutes",
    ] {
        browser.open(&format!("/console/taches/agir?{query}")).await.expect(400);
    }
    browser
        .send("/console/taches/agir", &[("acte", "supprimer"), ("portee", "toutes")])
        .await
        .expect(400);
    assert_eq!(app.jobs().await.iter().filter(|job| job.1 == "dead").count(), dead.len());
}

#[tokio::test]
async fn a_queue_is_paused_resumed_and_set_and_the_audit_knows() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let queue = async || {
        let queues = app.get(&browser.user, "/admin/queues").await.expect(200);
        queues.as_array().unwrap().iter().find(|queue| queue["name"] == "emails").cloned().unwrap()
    };
    browser.send("/console/files/emails/suspendre", &[]).await.expect(303);
    assert_eq!(
        (&queue().await["paused"], &queue().await["paused_by"]),
        (&json!(true), &json!(browser.user.username))
    );
    let html = browser.open("/console").await.expect(200);
    assert!(html.contains("suspendue") && html.contains("Reprendre"), "{html}");
    browser.send("/console/files/emails/reprendre", &[]).await.expect(303);
    assert_eq!(queue().await["paused"], false);

    browser.send("/console/files/emails/reglage", &[("concurrency", "7")]).await.expect(303);
    assert_eq!(queue().await["concurrency"], 7);
    browser.send("/console/files/emails/reglage", &[("concurrency", "0")]).await.expect(422);
    assert_eq!(queue().await["concurrency"], 7);
    browser.send("/console/files/emails/reglage", &[("concurrency", "")]).await.expect(303);
    assert_eq!(queue().await["concurrency"], json!(null));
    browser.send("/console/files/none/suspendre", &[]).await.expect(404);

    let lines = app.get(&browser.user, "/admin/audit?cible=file").await.expect(200);
    assert_eq!(lines.as_array().unwrap().len(), 4, "{lines}");
}

#[tokio::test]
async fn a_schedule_is_tried_changed_and_run_and_no_change_is_overwritten() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let at = "/console/planifications/maintenance.purge";
    let html = browser.open(at).await.expect(200);
    let (_, version) = html.split_once(r#"name="version" value=""#).unwrap();
    let version = version.split('"').next().unwrap().to_owned();

    let essay = async |cron: &str| {
        let fields = [("cron", cron), ("version", version.as_str()), ("enabled", "false")];
        browser.send(&format!("{at}/essayer"), &fields).await.expect(200)
    };
    let html = essay("30 7 * * MON-FRI").await;
    assert!(html.contains(&format!("name=\"version\" value=\"{version}\"")), "{html}");
    assert!(html.contains("value=\"false\" checked"), "{html}");
    assert!(
        html.contains("du lundi au vendredi à 07:30") && html.contains("rien n’est encore modifié"),
        "{html}"
    );
    let html = essay("0 0 30 2 *").await;
    assert!(html.contains("Aucune date"), "{html}");

    let edit = async |cron: &str, version: &str| {
        let fields = [
            ("cron", cron),
            ("timezone", "Africa/Casablanca"),
            ("enabled", "true"),
            ("version", version),
        ];
        browser.send(at, &fields).await.status.as_u16()
    };
    assert_eq!(edit("30 7 * * MON-FRI", &version).await, 303);
    assert_eq!(edit("0 9 * * *", &version).await, 412, "made from a version that is over");
    assert_eq!(edit("never", &version).await, 422);
    let schedules = app.get(&browser.user, "/admin/schedules").await.expect(200);
    let one = schedules
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "maintenance.purge")
        .unwrap();
    assert_eq!(one["cron"], "30 7 * * MON-FRI");

    browser.send(&format!("{at}/lancer"), &[]).await.expect(303);
    assert_eq!(app.jobs().await.iter().filter(|job| job.0 == "maintenance.purge").count(), 1);
    app.run_jobs().await;
}
