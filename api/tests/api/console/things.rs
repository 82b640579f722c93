//! From a job to what it is about, and back; and what the system page says of this program and of what it needs.
use chrono::TimeDelta;
use erp_core::{
    Clock,
    users::UserRole::{Admin, Responsable},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::App;

#[tokio::test]
async fn a_job_leads_to_what_it_is_about_and_that_leads_back() {
    let app = App::new().await;
    let (browser, reader) = (app.browser(Admin).await, app.browser(Responsable).await);
    let boss = reader.user.clone();
    // A monthly planning whose first visit is due, and a photo of that visit.
    let machine = app.equipement(&boss).await;
    let new = json!({"frequence": "mensuelle", "equipement_id": machine, "prochaine_date": "2026-01-15T08:00:00Z"});
    let planning = app.post(&boss, "/planning", new).await.expect(201)["id"].clone();
    app.run_schedule(&browser.user, "planning.generate").await;
    let visites = app.get(&boss, "/interventions").await.expect(200);
    let visite = visites[0]["id"].as_i64().unwrap();
    let document = app.upload(&boss, visite, "notes.txt", b"rien".to_vec()).await.expect(201);
    let document = document["id"].as_i64().unwrap();
    let notice = json!({"type": "information", "canal": "email", "contenu": "Vue.", "intervention_id": visite, "user_id": boss.id});
    app.post(&boss, "/notifications", notice).await.expect(201);
    app.run_jobs().await;
    app.post(&boss, &format!("/documents/{document}/reprocess"), json!({})).await;

    let jobs = app.get(&browser.user, "/admin/jobs?limit=100").await.expect(200);
    let of = |type_: &str| -> Vec<String> {
        let jobs = jobs.as_array().unwrap().iter();
        let ids = jobs.filter(|job| job["type"] == type_).map(|job| job["id"].as_str());
        ids.map(|id| id.unwrap().to_owned()).collect()
    };
    let (processing, mails) = (of("documents.process"), of("emails"));
    assert!(processing.len() == 2 && !mails.is_empty(), "{jobs}");

    let (of_visite, of_document) = (
        format!("/console/objets/intervention/{visite}"),
        format!("/console/objets/document/{document}"),
    );
    let of_planning = format!("/console/objets/planning/{planning}");
    let leads = async |from: &str, to: &[&str]| {
        let html = browser.open(from).await.expect(200);
        for to in to {
            assert!(html.contains(&format!("href=\"{to}\"")), "{from} to {to}: {html}");
        }
    };
    let job = |id: &String| format!("/console/taches/{id}");
    leads(&job(&processing[0]), &[&of_document, &of_visite]).await;
    leads(&of_document, &[&job(&processing[0]), &job(&processing[1]), &of_visite]).await;
    let mail = app.get(&browser.user, "/admin/emails?sort=-id").await.expect(200)[0]["id"].clone();
    let mail = format!("/console/emails/{mail}");
    leads(&job(&mails[0]), &[&mail, &of_visite]).await;
    leads(&mail, &[&job(&mails[0]), &of_visite]).await;
    let application = format!("https://erp.example/interventions/{visite}");
    let all =
        [&of_document, &of_planning, &mail, &job(&mails[0]), &job(&processing[1]), &application];
    leads(&of_visite, &all.map(String::as_str)).await;
    leads(&of_planning, &[&of_visite, "/console/planifications/planning.generate"]).await;
    let tick = &of("planning.generate")[0];
    leads(&job(tick), &["/console/planifications/planning.generate"]).await;

    // A manager sees the same, but for the text of mails.
    let html = reader.open(&of_visite).await.expect(200);
    assert!(html.contains(&of_document) && !html.contains(&mail), "{html}");
    // What is gone is not linked to.
    sqlx::raw_sql("delete from envois").execute(&app.ctx.pool).await.unwrap();
    let html = browser.open(&job(&mails[0])).await.expect(200);
    assert!(!html.contains(&mail), "{html}");
    app.delete(&boss, &format!("/documents/{document}")).await.expect(200);
    browser.open(&of_document).await.expect(404);
    let html = browser.open(&job(&processing[0])).await.expect(200);
    assert!(!html.contains(&of_document), "{html}");
    app.run_jobs().await;
}

#[tokio::test]
async fn the_system_page_says_what_the_doctor_would_and_waits_for_nobody() {
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port().to_string();
    let settings = [("SMTP_PORT", port.as_str()), ("SMTP_TIMEOUT_SECONDS", "50")];
    let app = App::at(Clock::stopped_at(Clock::default().now()), &settings).await;
    app.leaves_jobs();
    let english = app.user_with(Admin, json!({ "langue": "en" })).await;
    let (browser, english) = (app.browser(Admin).await, app.browser_of(english).await);
    let reader = app.browser(Responsable).await;
    let visite = app.intervention(&browser.user).await;
    app.upload(&browser.user, visite, "notes.txt", vec![b'x'; 3 * 1024 * 1024]).await.expect(201);

    let html = browser.open("/console/systeme").await.expect(200);
    let line = |name: &str| line_of(&html, name);
    for name in ["réglages", "base", "schéma", "files", "disjoncteurs", "horloge", "fichiers"] {
        assert!(line(name).contains("bon</span>"), "{}", line(name));
    }
    assert!(line("workers").contains("lancez erp-worker run"), "{}", line("workers"));
    assert!(line("smtp").contains("pas de réponse en 3 s"), "{}", line("smtp"));
    assert_eq!(app.stored_files().len(), 1, "it leaves no file");
    assert!(html.contains("<dd>1, 3,0\u{a0}Mio</dd>"), "{html}");

    // What was seen serves all who have the page open.
    let html = english.open("/console/systeme").await.expect(200);
    for text in ["no worker is heard of", "no answer within 3 s", "3.0\u{a0}MiB"] {
        assert!(html.contains(text), "{text}: {html}");
    }

    // Soon the database is seen anew, though a page may show the look before; what is outside is left alone for longer.
    app.post(&browser.user, "/admin/queues/emails/pause", json!({})).await.expect(200);
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::seconds(30));
    let mut html = browser.open("/console/systeme").await.expect(200);
    for _ in 0..100 {
        if line_of(&html, "files").contains("en pause\u{a0}: emails") {
            break;
        }
        html = browser.open("/console/systeme").await.expect(200);
    }
    let queues = line_of(&html, "files");
    assert!(queues.contains("→ <a href=\"/console\">reprenez-les dans l’aperçu</a>"), "{queues}");
    assert!(line_of(&html, "smtp").contains("pas de réponse en 3 s"), "{html}");
    assert!(html.contains("les fichiers et les e-mails, il y a 30\u{a0}s"), "{html}");
    // Who only reads gets neither hosts nor paths.
    let html = reader.open("/console/systeme").await.expect(200);
    let files = line_of(&html, "fichiers");
    assert!(files.contains("bon</span>") && !files.contains("supprimé"), "{files}");
    assert!(line_of(&html, "workers").contains("→ lancez erp-worker run"), "{html}");
    assert!(!line_of(&html, "base").contains("PostgreSQL"), "{html}");
}

/// The line of the check `name` on the page.
fn line_of(html: &str, name: &str) -> String {
    let (_, checks) = html.split_once("id=\"verifications\"").unwrap();
    let row =
        checks.split("<tr>").find(|row| row.contains(&format!("<th scope=\"row\">{name}</th>")));
    row.unwrap_or_else(|| panic!("{name}: {html}")).to_owned()
}

#[tokio::test]
async fn errors_are_said_in_the_language_of_the_account() {
    let app = App::new().await;
    let french = app.browser(Responsable).await;
    let english = app.browser_of(app.user_with(Responsable, json!({ "langue": "en" })).await).await;
    let said = async |browser: &super::Browser<'_>, path: &str, status: u16| {
        // What the browser prefers is for those who are not known.
        let request = browser.request(reqwest::Method::GET, path);
        let request = request.header("accept-language", "de, en;q=0.9, fr;q=0.1");
        app.shown(request).await.expect(status)
    };
    for (path, status, fr, en) in [
        ("/console/taches/none", 404, "Tâche introuvable.", "Job not found."),
        (
            "/console/nowhere/at/all",
            404,
            "Cette adresse n&#39;existe pas.",
            "There is nothing at this address.",
        ),
        (
            "/compte/nowhere",
            404,
            "Cette adresse n&#39;existe pas.",
            "There is nothing at this address.",
        ),
        ("/console/audit", 403, "Seul un administrateur", "Only an administrator"),
        ("/console/taches?request_id=none", 422, "Cela n’a pas marché", "That did not work"),
        ("/console/objets/document/999999", 404, "Document introuvable.", "Document not found."),
    ] {
        let html = said(&french, path, status).await;
        assert!(
            html.replace('\'', "&#39;").contains(fr) && html.contains("<html lang=\"fr\">"),
            "{path}: {html}"
        );
        let html = said(&english, path, status).await;
        assert!(html.contains(en) && html.contains("<html lang=\"en\">"), "{path}: {html}");
    }
    let form = english.send("/console/files/emails/suspendre", &[]).await.expect(403);
    assert!(form.contains("Only an administrator"), "{form}");
}
