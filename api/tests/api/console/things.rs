//! What the system page says of this program and of what it needs.
use erp_core::users::UserRole::Admin;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::App;

#[tokio::test]
async fn the_system_page_says_what_the_doctor_would_and_waits_for_nobody() {
    // It takes connections, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = mute.local_addr().unwrap().port().to_string();
    let app = App::with(&[("SMTP_PORT", &port), ("SMTP_TIMEOUT_SECONDS", "50")]).await;
    app.leaves_jobs();
    let english = app.user_with(Admin, json!({ "langue": "en" })).await;
    let (browser, english) = (app.browser(Admin).await, app.browser_of(english).await);
    let visite = app.intervention(&browser.user).await;
    app.upload(&browser.user, visite, "notes.txt", vec![b'x'; 3 * 1024 * 1024]).await.expect(201);

    let html = browser.open("/console/systeme").await.expect(200);
    let line = |name: &str| {
        let (_, checks) = html.split_once("id=\"verifications\"").unwrap();
        let row = checks
            .split("<tr>")
            .find(|row| row.contains(&format!("<th scope=\"row\">{name}</th>")));
        row.unwrap_or_else(|| panic!("{name}: {html}")).to_owned()
    };
    for name in ["réglages", "base", "schéma", "files", "disjoncteurs", "horloge", "fichiers"] {
        assert!(line(name).contains("bon</span>"), "{}", line(name));
    }
    assert!(line("workers").contains("lancez erp-worker run"), "{}", line("workers"));
    assert!(line("smtp").contains("pas de réponse en 3 s"), "{}", line("smtp"));
    assert_eq!(app.stored_files().len(), 1, "it leaves no file");
    assert!(html.contains("<dd>1, 3,0\u{a0}Mio</dd>"), "{html}");

    // The next look is of all who have the page open.
    let html = english.open("/console/systeme").await.expect(200);
    for text in ["no worker is heard of", "no answer within 3 s", "3.0\u{a0}MiB"] {
        assert!(html.contains(text), "{text}: {html}");
    }
}
