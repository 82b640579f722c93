//! The pages of one's own account.
use erp_core::users::UserRole::{Admin, Client, Responsable, Technicien};
use reqwest::Method;
use serde_json::json;

use super::Browser;
use crate::support::{App, PASSWORD};

/// The token and the version of the first form at `/compte`.
async fn version(browser: &Browser<'_>, form: &str) -> String {
    let html = browser.open("/compte").await.expect(200);
    let (_, form) = html.split_once(&format!("action=\"{form}\"")).unwrap();
    let (_, version) = form.split_once(r#"name="version" value=""#).unwrap();
    version.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn name_language_and_mails_are_ones_own_to_change() {
    let app = App::new().await;
    let browser = app.browser(Responsable).await;
    let stale = version(&browser, "/compte/profil").await;
    let fields = [("full_name", "Nadia El Fassi"), ("langue", "en"), ("version", stale.as_str())];
    assert_eq!(browser.send("/compte/profil", &fields).await.location(), "/compte?fait=profil");
    let html = browser.open("/compte?fait=profil").await.expect(200);
    assert!(html.contains("Nadia El Fassi") && html.contains("Your profile is changed."), "{html}");
    let again = [("full_name", "Somebody"), ("langue", "fr"), ("version", stale.as_str())];
    browser.send("/compte/profil", &again).await.expect(412);
    browser.send("/compte/profil", &[("full_name", "x"), ("langue", "de")]).await.expect(422);

    let wanted = [("rappel", "true"), ("digest", "true"), ("debut", "20:00"), ("fin", "07:00")];
    browser.send("/compte/preferences", &wanted).await.expect(303);
    let found = app.get(&browser.user, "/users/me/preferences").await.expect(200);
    assert_eq!(found["emails"]["rappel"], true);
    assert_eq!(found["emails"]["cloture"], false);
    assert_eq!(found["heures_calmes"], json!({ "debut": "20:00", "fin": "07:00" }));
    browser.send("/compte/preferences", &[("debut", "20:00")]).await.expect(422);
    browser.send("/compte/preferences", &[("cloture", "true")]).await.expect(303);
    let found = app.get(&browser.user, "/users/me/preferences").await.expect(200);
    assert_eq!(
        (&found["heures_calmes"], &found["emails"]["cloture"]),
        (&json!(null), &json!(true))
    );
}

#[tokio::test]
async fn a_session_is_ended_by_its_owner_alone() {
    let app = App::new().await;
    let (one, stranger) = (app.browser(Client).await, app.browser(Admin).await);
    let other = app.browser_of(one.user.clone()).await;
    let sessions = app.get(&one.user, "/auth/sessions").await.expect(200);
    assert_eq!(sessions.as_array().unwrap().len(), 3);
    let html = one.open("/compte").await.expect(200);
    let ids: Vec<_> = html
        .split("/compte/sessions/")
        .filter_map(|rest| rest.split_once("/terminer"))
        .map(|(id, _)| id.to_owned())
        .filter(|id| id.len() == 36)
        .collect();
    assert_eq!(ids.len(), 2, "all but its own: {html}");
    for id in &ids {
        stranger.send(&format!("/compte/sessions/{id}/terminer"), &[]).await.expect(404);
    }
    for id in &ids {
        one.send(&format!("/compte/sessions/{id}/terminer"), &[]).await.expect(303);
    }
    other.open("/compte").await.expect(303);
    app.get(&one.user, "/auth/me").await.expect(401);

    let again = app.browser_of(one.user.clone()).await;
    one.send("/compte/sessions/terminer", &[]).await.expect(303);
    again.open("/compte").await.expect(303);
    one.open("/compte").await.expect(200);
}

#[tokio::test]
async fn a_password_is_changed_with_the_current_one_and_ends_every_session() {
    let app = App::new().await;
    let browser = app.browser(Technicien).await;
    let send = async |current: &str, new: &str| {
        let fields = [("current_password", current), ("new_password", new)];
        browser.send("/compte/changer-mot-de-passe", &fields).await
    };
    let html = send("not this one", "trois grues et un port").await.expect(200);
    assert!(html.contains("Le mot de passe actuel est incorrect."), "{html}");
    let html = send(PASSWORD, "12345678").await.expect(200);
    assert!(html.contains("role=\"alert\""), "{html}");
    assert_eq!(
        send(PASSWORD, "trois grues et un port").await.location(),
        "/console/connexion?fait=motdepasse"
    );
    browser.open("/compte").await.expect(303);
    app.get(&browser.user, "/auth/me").await.expect(401);
    let html = app
        .shown(app.request(reqwest::Method::GET, "/console/connexion?fait=motdepasse"))
        .await
        .expect(200);
    assert!(html.contains("connectez-vous avec le nouveau"), "{html}");
    app.run_jobs().await;
    assert_eq!(app.mails().iter().filter(|mail| mail.subject.contains("ot de passe")).count(), 1);
}

#[tokio::test]
async fn calendar_addresses_are_shown_once() {
    let app = App::new().await;
    let browser = app.browser(Responsable).await;
    let html = browser.send("/compte/calendrier", &[]).await.expect(200);
    let (_, secret) = html.split_once("calendrier.ics?jeton=").unwrap();
    let secret = secret.split('<').next().unwrap().to_owned();
    assert!(!browser.open("/compte").await.expect(200).contains(&secret));
    let ics = format!("/planning/calendrier.ics?jeton={secret}");
    assert_eq!(app.shown(app.request(reqwest::Method::GET, &ics)).await.status, 200);
    browser.send("/compte/calendrier/supprimer", &[]).await.expect(303);
    assert_eq!(app.shown(app.request(reqwest::Method::GET, &ics)).await.status, 401);
}

#[tokio::test]
async fn a_key_is_shown_once_and_the_file_of_ones_data_is_asked_for_and_fetched() {
    let app = App::new().await;
    let browser = app.browser(Technicien).await;
    let html = browser.send("/compte/cles", &[("nom", "relevés")]).await.expect(200);
    assert!(html.contains("Choisissez au moins un droit."), "{html}");
    let fields = [
        ("nom", "relevés <b>"),
        ("jours", "30"),
        ("portees", "planning:lire"),
        ("portees", "documents:ecrire"),
    ];
    let html = browser.send("/compte/cles", &fields).await.expect(200);
    let (_, rest) = html.split_once("<code>mif_").unwrap();
    let key = format!("mif_{}", rest.split('<').next().unwrap());
    let me = app.request(Method::GET, "/auth/me").bearer_auth(&key);
    assert_eq!(app.send(me).await.expect(200)["id"], browser.user.id);
    let html = browser.open("/compte").await.expect(200);
    assert!(!html.contains(&key) && html.contains("relevés &lt;b&gt;"), "{html}");
    assert!(html.contains("documents:ecrire, planning:lire"), "{html}");
    let (_, rest) = html.split_once("/compte/cles/").unwrap();
    let id = rest.split('/').next().unwrap();
    let revoked = browser.send(&format!("/compte/cles/{id}/revoquer"), &[]).await;
    assert_eq!(revoked.location(), "/compte?fait=cle");
    let me = app.request(Method::GET, "/auth/me").bearer_auth(&key);
    app.send(me).await.expect(401);

    browser.open("/compte/donnees.zip").await.expect(404);
    let asked = browser.send("/compte/donnees", &[]).await;
    assert_eq!(asked.location(), "/compte?fait=donnees#donnees");
    assert!(browser.open("/compte").await.expect(200).contains("En préparation…"));
    app.run_jobs().await;
    assert!(browser.open("/compte").await.expect(200).contains("/compte/donnees.zip"));
    let file = browser.open("/compte/donnees.zip").await;
    assert_eq!(file.header("content-type"), "application/zip");
    file.expect(200);
}
