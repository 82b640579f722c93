//! What the pages show: right, in both languages, and never as anything but text.
use erp_core::users::UserRole::{Admin, Responsable};
use reqwest::header::{CONTENT_SECURITY_POLICY, COOKIE};
use serde_json::json;

use super::Browser;
use crate::support::App;

const PAGES: [&str; 11] = [
    "/console",
    "/console/taches",
    "/console/taches?state=dead&type=emails&error=x",
    "/console/echecs",
    "/console/emails",
    "/console/planifications",
    "/console/planifications/planning.generate",
    "/console/audit",
    "/console/systeme",
    "/compte",
    "/compte/second-facteur",
];

#[tokio::test]
async fn no_page_has_scripts_or_styles_of_its_own_nor_loads_from_elsewhere() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    for path in PAGES.into_iter().chain(["/console/connexion", "/console/nowhere"]) {
        let shown = browser.open(path).await;
        let policy = shown.headers[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(shown.header("cache-control"), "no-store", "{path}");
        let html = shown.html;
        for bad in [" style=", " onclick=", " onload=", "javascript:", "http://", "<style"] {
            assert!(!html.contains(bad), "{path}: {bad}: {html}");
        }
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script src=\"/console/static/").count(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_first_page_is_light_and_its_files_are_kept() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let shown = browser.open("/console").await;
    let mut bytes = shown.html.len();
    let files: Vec<_> =
        shown.html.split('"').filter(|part| part.starts_with("/console/static/")).collect();
    assert_eq!(files.len(), 3);
    for file in files {
        let response = app.request(reqwest::Method::GET, file).send().await.unwrap();
        assert_eq!(response.status(), 200, "{file}");
        assert!(response.headers()["cache-control"].to_str().unwrap().contains("immutable"));
        bytes += response.bytes().await.unwrap().len();
    }
    assert!(bytes < 60 * 1024, "{bytes} bytes");
}

#[tokio::test]
async fn limits_that_are_set_say_how_much_of_them_is_in_use() {
    let app = App::with(&[("SMTP_MAX_PER_MINUTE", "60"), ("SMTP_MAX_CONNECTIONS", "4")]).await;
    let browser = app.browser(Admin).await;
    // A worker that is heard of holds three of the four connections, another that is silent the last one; mails wait for their moment.
    for sql in [
        "insert into queue.workers (id, queues, last_seen, heard_since) values \
         ('a', '{emails,documents.process}', now(), now()), ('b', '{emails}', now() - interval '1 hour', now() - interval '2 hours')",
        "insert into places (nom, numero, tenue_par) values ('smtp', 1, 'a'), ('smtp', 2, 'a'), ('smtp', 3, 'a'), ('smtp', 4, 'b')",
        "insert into cadences (nom, prochain) values ('smtp.transmission', now() + interval '90 seconds')",
        "insert into rythmes (file, minute, faites, echouees, duree_ms) \
         select 'emails', to_timestamp(floor(extract(epoch from now()) / 60) * 60 - 60 * ago), 42, 1, 9 from generate_series(0, 2) ago",
    ] {
        sqlx::query(sql).execute(&app.ctx.pool).await.unwrap();
    }
    browser
        .send("/console/files/documents.process/reglage", &[("concurrency", "5")])
        .await
        .expect(303);
    let html = browser.open("/console").await.expect(200);
    let (_, limits) = html.split_once("id=\"limites\"").unwrap();
    let row = |setting: &str| {
        let row = limits.split("<tr>").find(|row| row.contains(setting)).expect(setting);
        let numbers: Vec<_> = row
            .split("class=\"nombre\">")
            .skip(1)
            .map(|cell| cell.split('<').next().unwrap())
            .collect();
        (numbers.join(" / "), row.to_owned())
    };
    let (numbers, row_of_pace) = row("SMTP_MAX_PER_MINUTE");
    assert_eq!(numbers, "42 / 60");
    assert!(
        row_of_pace.contains("le prochain e-mail peut partir dans 1\u{a0}min"),
        "{row_of_pace}"
    );
    assert_eq!(row("SMTP_MAX_CONNECTIONS").0, "3 / 4");
    assert_eq!(row("Tâches de documents.process").0, "0 / 5");
    assert!(!limits.contains("Aucune limite"), "{limits}");
}

#[tokio::test]
async fn what_people_type_stays_text() {
    let app = App::new().await;
    let hostile = "<script>alert(1)</script>\" onfocus=x '&";
    let admin = app.user_with(Admin, json!({ "full_name": hostile })).await;
    let browser = app.browser_of(admin).await;
    sqlx::query("insert into queue.ended (id, queue, outcome, ended_at, run_at, created_at, attempts, max_attempts, rescues, key, error, payload) \
        values ('01M8F5HX7AHK7CJ0S3NJVRDQEJ', $1, 'dead', now(), now(), now(), 1, 1, 0, $1, $1 || ' x?jeton=s3cret', convert_to($2, 'UTF8'))")
        .bind(hostile).bind(json!({ "titre": hostile }).to_string())
        .execute(&app.ctx.pool).await.unwrap();
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("error", hostile)
        .append_pair("type", hostile)
        .finish();
    for path in [
        "/console",
        "/console/taches",
        "/console/echecs",
        "/console/taches/01M8F5HX7AHK7CJ0S3NJVRDQEJ",
        &format!("/console/taches?{query}"),
        &format!("/console/taches/agir?acte=relancer&portee=toutes&{query}"),
    ] {
        let html = browser.open(path).await.expect(200);
        assert!(!html.contains("<script>alert"), "{path}: {html}");
        assert!(!html.contains("\" onfocus="), "{path}: {html}");
        assert!(!html.contains("s3cret"), "{path}: {html}");
    }
    let html = browser.open("/console/taches").await.expect(200);
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
}

#[tokio::test]
async fn pages_are_in_the_language_of_their_reader_and_show_buttons_to_those_who_may() {
    let app = App::with(&[("UPLOAD_QUOTA_MB", "0")]).await;
    let english = app.user_with(Responsable, json!({ "langue": "en" })).await;
    let boss = app.browser_of(english).await;
    let html = boss.open("/console").await.expect(200);
    assert!(
        html.contains("<html lang=\"en\">") && html.contains("Queues") && html.contains("To do"),
        "{html}"
    );
    for button in ["Pause", "/console/audit", "reglage"] {
        assert!(!html.contains(button), "{button}: {html}");
    }
    let admin = app.browser(Admin).await;
    let html = admin.open("/console").await.expect(200);
    for text in ["<html lang=\"fr\">", "Files d’attente", "Suspendre", "/console/audit"] {
        assert!(html.contains(text), "{text}: {html}");
    }
    // No worker runs here, and nothing is limited.
    assert!(html.contains("Aucun worker ne travaille"), "{html}");
    assert!(html.contains("Aucune limite n’est réglée"), "{html}");
}

#[tokio::test]
async fn jobs_are_found_by_what_one_knows_of_them() {
    let app = App::new().await;
    app.leaves_jobs();
    let browser = app.browser(Admin).await;
    let boss = app.user(Responsable).await;
    app.notify(&boss, &boss).await;
    let job = app.job_of(&browser.user, "emails").await;
    let (id, request) = (job["id"].as_str().unwrap(), job["request_id"].as_str().unwrap());
    let key = job["key"].as_str().map(str::to_owned);
    let finds = async |query: &str| {
        browser.open(&format!("/console/taches?{query}")).await.expect(200).contains(id)
    };
    assert!(finds("type=emails&state=ready&error=").await, "an empty field is no criterion");
    assert!(finds(&format!("request_id={request}")).await);
    assert!(!finds(&format!("request_id={}", uuid::Uuid::now_v7())).await);
    assert!(!finds("state=dead").await && !finds("error=x").await && !finds("key=none").await);
    assert!(finds(&format!("key={}", key.unwrap())).await);
    browser.open("/console/taches?request_id=none").await.expect(422);

    let html = browser.open(&format!("/console/taches/{id}")).await.expect(200);
    assert!(
        html.contains(request) && html.contains("Annuler") && html.contains("/console/emails/"),
        "{html}"
    );
}

#[tokio::test]
async fn a_trace_is_linked_where_the_operator_says_how() {
    let app = App::with(&[("TRACE_URL_TEMPLATE", "https://traces.example/?q={request_id}")]).await;
    app.leaves_jobs();
    let browser = app.browser(Admin).await;
    let boss = app.user(Responsable).await;
    app.notify(&boss, &boss).await;
    let job = app.job_of(&browser.user, "emails").await;
    let html =
        browser.open(&format!("/console/taches/{}", job["id"].as_str().unwrap())).await.expect(200);
    let link = format!("https://traces.example/?q={}", job["request_id"].as_str().unwrap());
    assert!(html.contains(&link), "{html}");
}

#[tokio::test]
async fn a_mail_is_shown_as_it_left_and_one_about_an_account_is_not() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let boss = app.user(Responsable).await;
    app.notify(&boss, &boss).await;
    let forgot = [("email", boss.email.as_str())];
    app.send(app.request(reqwest::Method::POST, "/auth/forgot").form(&forgot)).await.expect(202);
    app.run_jobs().await;
    let mails = app.get(&browser.user, "/admin/emails?sort=id").await.expect(200);
    let of = async |id: &serde_json::Value| {
        browser.open(&format!("/console/emails/{id}")).await.expect(200)
    };
    let (mut shown, mut hidden) = (0, 0);
    for mail in mails.as_array().unwrap() {
        let html = of(&mail["id"]).await;
        if !html.contains("Réunion à 8 h 30.") {
            assert!(html.contains("ne se lit pas ici") && !html.contains("jeton=\""), "{html}");
            assert!(!html.contains("mot-de-passe?jeton"), "{html}");
            browser.open(&format!("/console/emails/{}/html", mail["id"])).await.expect(404);
            hidden += 1;
            continue;
        }
        let framed = browser.open(&format!("/console/emails/{}/html", mail["id"])).await;
        assert!(framed.header("content-security-policy").starts_with("sandbox;"));
        assert!(framed.expect(200).contains("Réunion à 8"));
        shown += 1;
    }
    assert!(shown == 1 && hidden >= 1, "{shown} {hidden} {mails}");

    let reader = app.browser(Responsable).await;
    reader.open(&format!("/console/emails/{}", mails[0]["id"])).await.expect(403);
}

#[tokio::test]
async fn the_audit_is_shown_and_its_chain_verified() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    browser.send("/console/files/emails/suspendre", &[]).await.expect(303);
    let html = browser.open("/console/audit?action=file_suspendue").await.expect(200);
    assert!(html.contains("file_suspendue") && html.contains("<code>emails</code>"), "{html}");
    let html = browser.send("/console/audit/verifier", &[]).await.expect(200);
    assert!(html.contains("La chaîne est entière"), "{html}");
}

#[tokio::test]
async fn a_page_that_fails_says_so_as_a_page() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let html = browser.open("/console/taches/none").await.expect(404);
    assert!(html.contains("Tâche introuvable.") && html.contains("Retour à l’aperçu"), "{html}");
    let html = browser.open("/console/nowhere").await.expect(404);
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
    let stranger = Browser { app: &app, user: browser.user.clone(), cookie: "other=1".to_owned() };
    let request = stranger.request(reqwest::Method::GET, "/console").header("hx-request", "true");
    let shown = app.shown(request).await;
    assert!(
        shown.header("hx-redirect").starts_with("/console/connexion"),
        "{:?}",
        shown.headers.get(COOKIE)
    );
}
