//! The second factor on pages: turned on, asked for, trusted, and demanded of roles.
use chrono::TimeDelta;
use erp_core::users::UserRole::{Admin, Responsable};
use reqwest::{Method, header::COOKIE};
use serde_json::json;

use super::{Browser, Shown};
use crate::{
    second_facteur::{Phone, later, still},
    support::{App, PASSWORD, User},
};

const HERE: &str = "/compte/second-facteur";

fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = html.split_once(before).unwrap_or_else(|| panic!("no {before}: {html}"));
    rest.split(after).next().unwrap()
}

/// Turns the second factor on by the pages; the phone, and the recovery codes.
async fn enrol(browser: &Browser<'_>) -> (Phone, Vec<String>) {
    let html =
        browser.send(&format!("{HERE}/enroler"), &[("password", PASSWORD)]).await.expect(200);
    assert!(html.contains("<svg"), "{html}");
    let phone = Phone::new(
        &json!({ "secret": between(&html, "Ou saisissez cette clé\u{a0}: <code>", "<") }),
    );
    let wrong = browser.send(&format!("{HERE}/confirmer"), &[("code", "abcdef")]).await.expect(200);
    assert!(wrong.contains("role=\"alert\"") && !wrong.contains("<svg"), "{wrong}");
    let code = phone.code(browser.app);
    let html = browser.send(&format!("{HERE}/confirmer"), &[("code", &code)]).await.expect(200);
    let list = between(&html, "<ol class=\"codes\">", "</ol>");
    let codes: Vec<_> = list
        .split("<code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10, "{html}");
    later(browser.app, TimeDelta::seconds(30));
    (phone, codes)
}

async fn first_step(app: &App, user: &User, cookie: Option<&str>) -> Shown {
    let fields =
        [("username", user.username.as_str()), ("password", PASSWORD), ("vers", "/compte")];
    let mut request = app.request(Method::POST, "/console/connexion").form(&fields);
    if let Some(cookie) = cookie {
        request = request.header(COOKIE, cookie);
    }
    app.shown(request).await
}

async fn second_step(app: &App, html: &str, code: &str, trusts: bool) -> Shown {
    let mut fields = vec![
        ("defi", between(html, "name=\"defi\" value=\"", "\"")),
        ("vers", between(html, "name=\"vers\" value=\"", "\"")),
        ("code", code),
    ];
    if trusts {
        fields.push(("se_souvenir", "true"));
    }
    app.shown(app.request(Method::POST, "/console/second-facteur").form(&fields)).await
}

#[tokio::test]
async fn a_second_factor_is_turned_on_asked_for_and_turned_off_by_pages() {
    let app = still(&[]).await;
    let browser = app.browser(Responsable).await;
    let user = browser.user.clone();
    let html =
        browser.send(&format!("{HERE}/enroler"), &[("password", "not this one")]).await.expect(200);
    assert!(html.contains("Le mot de passe actuel est incorrect."), "{html}");
    let (phone, codes) = enrol(&browser).await;
    let html = browser.open(HERE).await.expect(200);
    assert!(html.contains("Codes de secours restants\u{a0}: <strong>10</strong>"), "{html}");

    let asked = first_step(&app, &user, None).await;
    assert!(asked.headers.get("set-cookie").is_none());
    let html = asked.expect(200);
    assert!(html.contains("Votre code"), "{html}");
    let again = second_step(&app, &html, "000000", false).await;
    assert!(again.headers.get("set-cookie").is_none());
    let html = again.expect(422);
    assert!(html.contains("role=\"alert\""), "{html}");
    let code = phone.code(&app);
    let open = second_step(&app, &html, &code, false).await;
    assert_eq!((open.status.as_u16(), open.location()), (303, "/compte"));
    assert_eq!(open.headers.get_all("set-cookie").iter().count(), 1);

    // A code is good once; a recovery code stands for it, once.
    let html = first_step(&app, &user, None).await.expect(200);
    second_step(&app, &html, &code, false).await.expect(422);
    second_step(&app, &html, &codes[0], false).await.expect(303);
    let html = first_step(&app, &user, None).await.expect(200);
    second_step(&app, &html, &codes[0], false).await.expect(422);

    later(&app, TimeDelta::seconds(30));
    let proof = |code: &str| [("password", PASSWORD.to_owned()), ("code", code.to_owned())];
    let send = async |path: &str, code: &str| {
        let fields = proof(code);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.send(&format!("{HERE}/{path}"), &fields).await
    };
    let html = send("codes", &phone.code(&app)).await.expect(200);
    assert!(html.contains("<ol class=\"codes\">") && !html.contains(&codes[1]), "{html}");
    later(&app, TimeDelta::seconds(30));
    assert_eq!(
        send("retirer", &phone.code(&app)).await.location(),
        "/compte/second-facteur?fait=retire"
    );
    assert_eq!(first_step(&app, &user, None).await.status, 303);
}

#[tokio::test]
async fn a_trusted_device_is_not_asked_until_its_owner_says_so() {
    let app = still(&[]).await;
    let browser = app.browser(Admin).await;
    let (phone, _) = enrol(&browser).await;
    let html = first_step(&app, &browser.user, None).await.expect(200);
    let open = second_step(&app, &html, &phone.code(&app), true).await;
    let cookies: Vec<_> =
        open.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    let device = cookies.iter().find(|cookie| cookie.starts_with("__Host-appareil=")).unwrap();
    for part in ["; HttpOnly", "; Secure", "; SameSite=Strict", "; Max-Age=2592000"] {
        assert!(device.contains(part), "{device}");
    }
    let device = device.split(';').next().unwrap();
    assert_eq!(first_step(&app, &browser.user, Some(device)).await.status, 303);
    browser.send(&format!("{HERE}/appareils"), &[]).await.expect(303);
    assert_eq!(first_step(&app, &browser.user, Some(device)).await.status, 200);
}

#[tokio::test]
async fn a_role_that_must_have_one_sees_nothing_else_before() {
    let app = still(&[("REQUIRE_2FA", "admin")]).await;
    let user = app.user(Admin).await;
    let fields = [("username", user.username.as_str()), ("password", PASSWORD)];
    let shown = app.shown(app.request(Method::POST, "/console/connexion").form(&fields)).await;
    let cookie = shown.header("set-cookie").split(';').next().unwrap().to_owned();
    let browser = Browser { app: &app, user, cookie };
    for path in ["/console", "/console/audit", "/compte", "/console/flux"] {
        let shown = browser.open(path).await;
        assert_eq!((shown.status.as_u16(), shown.location()), (303, HERE), "{path}");
    }
    let html = browser.open(HERE).await.expect(200);
    assert!(html.contains("Votre rôle demande un second facteur"), "{html}");
    let token = between(&html, "name=\"jeton\" value=\"", "\"").to_owned();
    let act =
        browser.request(Method::POST, "/console/files/emails/suspendre").form(&[("jeton", &token)]);
    assert_eq!(app.shown(act).await.location(), HERE);
    let send = async |path: &str, name: &str, value: &str| {
        let fields = [("jeton", token.as_str()), (name, value)];
        app.shown(browser.request(Method::POST, &format!("{HERE}/{path}")).form(&fields))
            .await
            .expect(200)
    };
    let html = send("enroler", "password", PASSWORD).await;
    let phone = Phone::new(
        &json!({ "secret": between(&html, "Ou saisissez cette clé\u{a0}: <code>", "<") }),
    );
    send("confirmer", "code", &phone.code(&app)).await;
    browser.open("/console").await.expect(200);
}
