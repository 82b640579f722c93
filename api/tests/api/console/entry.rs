//! Who is let in, how long, and what no other site can do in their name.
use erp_api::console::access::{Access, TABLE};
use erp_core::{
    Clock,
    users::UserRole::{self, Admin, Client, Responsable, Technicien},
};
use reqwest::{Method, header::SET_COOKIE};

use super::Browser;
use crate::support::{App, PASSWORD};

fn concrete(path: &str) -> String {
    path.replace("{id}", "999999")
        .replace("{name}", "none")
        .replace("{file}", "none.css")
        .replace("{*rest}", "nowhere")
}

#[tokio::test]
async fn every_page_lets_in_whom_its_table_names_and_nobody_else() {
    let app = App::new().await;
    let mut browsers = Vec::new();
    for role in [Admin, Responsable, Technicien, Client] {
        browsers.push((role, app.browser(role).await));
    }
    let mut refused = 0;
    for (verb, path, access) in TABLE {
        let (verb, at) = (Method::from_bytes(verb.as_str().as_bytes()).unwrap(), concrete(path));
        let nobody = app.shown(app.request(verb.clone(), &at)).await;
        let Access::Roles(allowed) = access else {
            assert!(![401, 403].contains(&nobody.status.as_u16()), "{verb} {path}");
            continue;
        };
        assert_eq!(nobody.status, 303, "{verb} {path}");
        assert!(nobody.location().starts_with("/console/connexion?vers="), "{verb} {path}");
        for (role, browser) in &browsers {
            if path.ends_with("/deconnexion") || path.ends_with("/flux") {
                continue;
            }
            let may = allowed.contains(role);
            let shown = if verb == Method::GET || !may {
                app.shown(browser.request(verb.clone(), &at)).await
            } else {
                browser.send(&at, &[]).await
            };
            assert_eq!(shown.status == 403, !may, "{verb} {path} as {role}: {}", shown.status);
            assert!(shown.status.as_u16() < 500, "{verb} {path} as {role}: {}", shown.html);
            refused += u32::from(!may);
        }
    }
    assert!(refused > 30, "{refused} refusals seen");
}

#[tokio::test]
async fn a_session_of_pages_is_one_of_its_owner_s_and_ends_with_the_others() {
    let app = App::new().await;
    let browser = app.browser(Admin).await;
    let admin = browser.user.clone();
    browser.open("/console").await.expect(200);

    let sessions = app.get(&admin, "/auth/sessions").await.expect(200);
    assert_eq!(sessions.as_array().unwrap().len(), 2, "{sessions}");
    // The one of the token that asks goes on.
    app.delete(&admin, "/auth/sessions").await.expect(204);
    let over = browser.open("/console/taches?state=dead").await;
    assert_eq!(over.status, 303);
    assert_eq!(over.location(), "/console/connexion?vers=%2Fconsole%2Ftaches%3Fstate%3Ddead");

    // Nor does it outlive the account.
    let browser = app.browser_of(admin.clone()).await;
    let other = app.user(Admin).await;
    app.delete(&other, &format!("/users/{}", admin.id)).await.expect(204);
    assert_eq!(browser.open("/console").await.status, 403);
}

#[tokio::test]
async fn a_session_of_pages_ends_by_itself_after_a_working_day() {
    let app = App::at(Clock::stopped_at("2026-11-27T08:00:00Z".parse().unwrap()), &[]).await;
    let browser = app.browser(Admin).await;
    app.set_clock("2026-11-27T19:59:59Z");
    browser.open("/console").await.expect(200);
    app.set_clock("2026-11-27T20:00:00Z");
    browser.open("/console").await.expect(303);
}

#[tokio::test]
async fn signing_in_says_what_is_wrong_and_leads_where_one_wanted_to_go() {
    let app = App::new().await;
    let user = app.user(Responsable).await;
    let sign_in = async |password: &str, way: &str| {
        let fields = [("username", user.username.as_str()), ("password", password), ("vers", way)];
        app.shown(app.request(Method::POST, "/console/connexion").form(&fields)).await
    };
    let wrong = sign_in("something else", "/console/audit").await;
    assert!(wrong.headers.get(SET_COOKIE).is_none());
    let html = wrong.expect(422);
    assert!(html.contains("Identifiant ou mot de passe incorrect"), "{html}");
    assert!(html.contains(r#"name="vers" value="/console/audit""#), "{html}");
    assert!(!html.contains("something else"), "{html}");

    let right = sign_in(PASSWORD, "/console/taches?state=dead").await;
    assert_eq!((right.status.as_u16(), right.location()), (303, "/console/taches?state=dead"));
    let cookie = right.header("set-cookie");
    assert!(cookie.starts_with("__Host-console="), "{cookie}");
    for part in ["; Path=/", "; Max-Age=43200", "; HttpOnly", "; Secure", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let elsewhere = sign_in(PASSWORD, "https://evil.example/console").await;
    assert_eq!(elsewhere.location(), "/console");
}

#[tokio::test]
async fn signing_out_takes_the_cookie_and_ends_the_session() {
    let app = App::new().await;
    let browser = app.browser(Responsable).await;
    let out = browser.send("/console/deconnexion", &[]).await;
    assert_eq!((out.status.as_u16(), out.location()), (303, "/console/connexion"));
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
    browser.open("/console").await.expect(303);
}

#[tokio::test]
async fn a_form_that_is_not_of_this_session_changes_nothing() {
    let app = App::new().await;
    let (browser, other) = (app.browser(Admin).await, app.browser(Admin).await);
    let (own, foreign) = (browser.token().await, other.token().await);
    let path = "/console/files/emails/suspendre";
    let send = async |token: Option<&str>, site: Option<&str>| {
        let mut request = browser.request(Method::POST, path);
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let fields: Vec<_> = token.map(|token| ("jeton", token)).into_iter().collect();
        app.shown(request.form(&fields)).await.status.as_u16()
    };
    assert_eq!(send(None, None).await, 403);
    assert_eq!(send(Some(""), None).await, 403);
    assert_eq!(send(Some(&foreign), None).await, 403);
    assert_eq!(send(Some(&own), Some("cross-site")).await, 403);
    assert_eq!(send(Some(&own), Some("same-site")).await, 403);
    assert!(!is_paused(&browser).await);
    assert_eq!(send(Some(&own), Some("same-origin")).await, 303);
    assert!(is_paused(&browser).await);
}

async fn is_paused(browser: &Browser<'_>) -> bool {
    let queues = browser.app.get(&browser.user, "/admin/queues").await.expect(200);
    let queue = queues.as_array().unwrap().iter().find(|queue| queue["name"] == "emails").unwrap();
    queue["paused"] == true
}

#[tokio::test]
async fn a_cookie_is_good_for_its_owner_alone_and_only_as_it_was_made() {
    let app = App::new().await;
    let (browser, other) = (app.browser(Responsable).await, app.browser(Admin).await);
    let (_, value) = browser.cookie.split_once('=').unwrap();
    let (_, secret) = value.split_once('.').unwrap();
    let mut forged = Browser { app: &app, user: other.user.clone(), cookie: String::new() };
    for cookie in [
        format!("__Host-console={}.{secret}", other.user.id),
        format!("__Host-console={}", &value[..value.len() - 1]),
        format!("__Host-console={secret}"),
        format!("console={value}"),
    ] {
        forged.cookie = cookie;
        assert_eq!(forged.open("/console").await.status, 303, "{}", forged.cookie);
    }
    // Nor is it a token, nor a token a cookie.
    let request = app.request(Method::GET, "/api/v1/auth/me").bearer_auth(secret);
    app.send(request).await.expect(401);
    forged.cookie = format!("__Host-console={}.{}", browser.user.id, browser.user.token);
    assert_eq!(forged.open("/console").await.status, 303);
}

#[tokio::test]
async fn a_link_from_a_mail_finds_who_is_signed_in() {
    let app = App::new().await;
    let request = app
        .request(Method::GET, "/console/taches?state=dead")
        .header("sec-fetch-site", "cross-site");
    let html = app.shown(request).await.expect(200);
    assert!(html.contains(r#"content="0;url=/console/taches?state=dead""#), "{html}");
}

#[tokio::test]
async fn guessing_is_bounded_like_everywhere() {
    let clock = Clock::stopped_at("2026-11-27T08:00:00Z".parse().unwrap());
    let app = App::at(clock, &[("LOGIN_LIMIT_PER_MINUTE", "3")]).await;
    let user = app.user(UserRole::Admin).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let fields = [("username", user.username.as_str()), ("password", "a guess of mine")];
        let shown = app.shown(app.request(Method::POST, "/console/connexion").form(&fields)).await;
        statuses.push(shown.status.as_u16());
    }
    assert_eq!(statuses, [422, 422, 422, 429]);
}

#[tokio::test]
async fn everybody_has_the_pages_of_their_account_and_only_operators_the_others() {
    let app = App::new().await;
    let user = app.user(Technicien).await;
    let fields = [("username", user.email.as_str()), ("password", PASSWORD)];
    let request = app.request(Method::POST, "/console/connexion").form(&fields);
    assert_eq!(app.shown(request).await.location(), "/compte");
    let browser = Browser { app: &app, cookie: cookie_of(&app, &user).await, user };
    let html = browser.open("/compte").await.expect(200);
    assert!(html.contains("Sessions ouvertes") && !html.contains("/console/taches"), "{html}");
    browser.open("/console").await.expect(403);
}

async fn cookie_of(app: &App, user: &crate::support::User) -> String {
    let fields = [("username", user.username.as_str()), ("password", PASSWORD)];
    let shown = app.shown(app.request(Method::POST, "/console/connexion").form(&fields)).await;
    shown.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn no_other_origin_reads_a_page_the_frontend_s_neither() {
    let app = App::with(&[("CORS_ALLOW_ORIGINS", "https://erp.example")]).await;
    let browser = app.browser(Admin).await;
    let from = |path: &str, site: &str| {
        let request = browser.request(Method::GET, path).header("origin", "https://erp.example");
        request.header("sec-fetch-site", site)
    };
    let api = app.shown(from("/api/v1/health", "same-site")).await;
    assert_eq!(api.header("access-control-allow-origin"), "https://erp.example");
    for path in ["/console", "/console/audit", "/compte", "/console/static/none.css"] {
        let shown = app.shown(from(path, "same-site")).await;
        assert_eq!(shown.header("access-control-allow-origin"), "", "{path}");
        assert!(shown.status == 403 || path.contains("static"), "{path}: {}", shown.status);
        let preflight =
            browser.request(Method::OPTIONS, path).header("origin", "https://erp.example");
        let preflight = preflight.header("access-control-request-method", "POST");
        let shown = app.shown(preflight).await;
        assert_eq!(shown.header("access-control-allow-origin"), "", "{path}");
    }
}
