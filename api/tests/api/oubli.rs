//! A forgotten password: from the request over the mail to the new one.
use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

const NEW: &str = "grue verte au port neuf";

async fn forgot(app: &App, email: &str) -> Answer {
    let request = app.request(Method::POST, "/api/v1/auth/forgot").form(&[("email", email)]);
    app.send(request).await
}

/// Asks for a link, lets the mail leave, and returns the path of the page that it links.
async fn link(app: &App, user: &User) -> String {
    forgot(app, &user.email).await.expect(202);
    app.run_jobs().await;
    linked(app, user)
}

/// The path of the page that the last mail to `user` links.
fn linked(app: &App, user: &User) -> String {
    let mails = app.mails();
    let of_user = mails.iter().filter(|mail| mail.to == [user.email.as_str()]);
    let mut texts = of_user.filter_map(|mail| mail.text.as_deref());
    let text = texts.rfind(|text| text.contains("?jeton=")).unwrap();
    let begin = text.find("/api/v1/compte/mot-de-passe?jeton=").unwrap();
    text[begin..].split_whitespace().next().unwrap().to_owned()
}

/// Status and text of a page.
async fn open(app: &App, path: &str) -> (u16, String) {
    read(app.request(Method::GET, path)).await
}

async fn choose(app: &App, path: &str, password: &str, encore: &str) -> (u16, String) {
    let form = [("password", password), ("encore", encore)];
    read(app.request(Method::POST, path).form(&form)).await
}

async fn read(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"),
        "{policy}"
    );
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn sign_in(app: &App, user: &User, password: &str) -> Answer {
    let form = [("username", user.username.as_str()), ("password", password)];
    app.send(app.request(Method::POST, "/api/v1/auth/login").form(&form)).await
}

#[tokio::test]
async fn who_forgot_a_password_chooses_another_by_the_link_in_a_mail() {
    let app = App::with(&[("PUBLIC_URL", "https://erp.example")]).await;
    let admin = app.user(UserRole::Admin).await;
    let user = app.user(UserRole::Technicien).await;
    // Five wrong ones have locked the account for this address: whoever opens the link need not wait.
    for _ in 0..5 {
        sign_in(&app, &user, "ce n'est pas lui").await.expect(401);
    }
    sign_in(&app, &user, PASSWORD).await.expect(401);

    let path = link(&app, &user).await;
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Choisissez un nouveau mot de passe");
    for part in [&mails[0].text, &mails[0].html] {
        let part = part.as_deref().unwrap();
        assert!(part.contains("https://erp.example/api/v1/compte/mot-de-passe?jeton"), "{part}");
        assert!(part.contains("127.0.0.1"), "{part}");
    }

    let (status, page) = open(&app, &path).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("Salma technicien") && page.contains("new-password"), "{page}");
    // To look changes nothing, and neither does a password that is not accepted.
    for (password, encore, said) in [
        (NEW, "un autre", "diffèrent"),
        ("court", "court", "8 caractères"),
        ("motdepasse", "motdepasse", "trop facile à deviner"),
        ("", "", "8 caractères"),
    ] {
        let (status, page) = choose(&app, &path, password, encore).await;
        assert_eq!(status, 422, "{password}: {page}");
        assert!(page.contains(said) && page.contains("role=\"alert\""), "{password}: {page}");
    }
    app.get(&user, "/auth/me").await.expect(200);

    let (status, page) = choose(&app, &path, NEW, NEW).await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("href=\"https://erp.example\""), "{page}");
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    sign_in(&app, &user, PASSWORD).await.expect(401);
    sign_in(&app, &user, NEW).await.expect(200);

    // Once.
    let (status, page) = open(&app, &path).await;
    assert_eq!(status, 404, "{page}");
    assert!(page.contains("href=\"https://erp.example/api/v1/compte/oubli\""), "{page}");
    assert_eq!(choose(&app, &path, PASSWORD, PASSWORD).await.0, 404);
    sign_in(&app, &user, NEW).await.expect(200);

    app.run_jobs().await;
    assert_eq!(app.mails()[1].subject, "Votre mot de passe a changé");
    let audit = app.get(&admin, &format!("/admin/audit?cible=compte&cible_id={}", user.id)).await;
    let audit = audit.expect(200);
    let done: Vec<_> = audit.as_array().unwrap().iter().map(|line| &line["action"]).collect();
    assert!(done.contains(&&json!("mot_de_passe_oublie")), "{done:?}");
    assert!(done.contains(&&json!("mot_de_passe_change")), "{done:?}");
    assert!(!audit.to_string().contains("jeton="), "{audit}");
}

#[tokio::test]
async fn nobody_learns_which_addresses_have_an_account() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let (user, gone) = (app.user(UserRole::Client).await, app.user(UserRole::Client).await);
    app.delete(&admin, &format!("/users/{}", gone.id)).await.expect(204);
    let known = forgot(&app, &user.email).await;
    let unknown = forgot(&app, "personne@mif.example").await;
    let disabled = forgot(&app, &gone.email).await;
    let names = |answer: &Answer| -> Vec<_> { answer.headers.keys().cloned().collect() };
    for other in [&unknown, &disabled] {
        assert_eq!((known.status, &known.body), (other.status, &other.body));
        assert_eq!(names(&known), names(other));
    }
    known.expect(202);
    // Before a worker runs, the three differ in nothing but the address.
    let jobs = app.jobs().await;
    assert_eq!(jobs.iter().filter(|job| job.0 == "comptes.oubli").count(), 3, "{jobs:?}");
    app.run_jobs().await;
    let mails = app.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, [user.email.as_str()]);
    forgot(&app, "pas une adresse").await.expect(422);
}

#[tokio::test]
async fn a_link_ends_with_its_time_a_newer_one_a_change_of_password_or_the_account() {
    let start = Clock::default().now();
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    let user = app.user(UserRole::Responsable).await;

    let first = link(&app, &user).await;
    // Who asks twice at once has one link.
    assert_eq!(link(&app, &user).await, first);
    assert_eq!(app.mails().len(), 1);
    let after = |minutes| start + TimeDelta::minutes(minutes);
    app.ctx.clock.set(after(2));
    let second = link(&app, &user).await;
    assert_ne!(first, second);
    assert_eq!(open(&app, &first).await.0, 404);
    app.ctx.clock.set(after(32) - TimeDelta::seconds(1));
    assert_eq!(open(&app, &second).await.0, 200);
    app.ctx.clock.set(after(32));
    assert_eq!(open(&app, &second).await.0, 404);
    assert_eq!(choose(&app, &second, NEW, NEW).await.0, 404);

    // Five within an hour are enough while the last one is good; without a good one there is always another.
    for minutes in [34, 36, 38] {
        app.ctx.clock.set(after(minutes));
        link(&app, &user).await;
    }
    let third = linked(&app, &user);
    assert_eq!(app.mails().len(), 5);
    app.ctx.clock.set(after(45));
    assert_eq!(link(&app, &user).await, third, "what is refused ends nothing");
    assert_eq!(app.mails().len(), 5);
    assert_eq!(open(&app, &third).await.0, 200);
    app.delete(&admin, &format!("/users/{}/sessions", user.id)).await.expect(204);
    assert_eq!(open(&app, &third).await.0, 404, "links end with all sessions");
    let third = link(&app, &user).await;
    assert_eq!(app.mails().len(), 6);
    assert_eq!(open(&app, &third).await.0, 200);

    let change = json!({"current_password": PASSWORD, "password": NEW});
    let back = User { token: app.token(user.id).await, ..user.clone() };
    app.put(&back, "/users/update", change).await.expect(200);
    app.run_jobs().await;
    assert_eq!(open(&app, &third).await.0, 404);

    app.ctx.clock.set(after(150));
    let fourth = link(&app, &user).await;
    assert_eq!(open(&app, &fourth).await.0, 200);
    app.delete(&admin, &format!("/users/{}", user.id)).await.expect(204);
    assert_eq!(open(&app, &fourth).await.0, 404);
    assert_eq!(choose(&app, &fourth, PASSWORD, PASSWORD).await.0, 404);
    sign_in(&app, &user, NEW).await.expect(403);

    for bad in ["", "?jeton=", "?jeton=faux", &format!("?jeton={}", back.token)] {
        let path = format!("/compte/mot-de-passe{bad}");
        assert_eq!(open(&app, &path).await.0, 404, "{bad}");
        assert_eq!(choose(&app, &path, NEW, NEW).await.0, 404, "{bad}");
    }
}

/// The bytes of a mail with a link, and what is enqueued, hold its secret no longer than it takes to send.
#[tokio::test]
async fn a_link_that_is_no_longer_good_is_sent_to_nobody_and_its_bytes_are_not_kept() {
    let start = Clock::default().now();
    let mut app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    let user = app.user(UserRole::Technicien).await;
    link(&app, &user).await;
    let kept = "select count(*) from envois where corps is not null";
    let count: i64 = sqlx::query_scalar(kept).fetch_one(&app.ctx.pool).await.unwrap();
    assert_eq!(count, 0);

    // A request that no worker has looked at for half an hour is over.
    app.ctx.clock.set(start + TimeDelta::minutes(10));
    forgot(&app, &user.email).await.expect(202);
    app.ctx.clock.set(start + TimeDelta::minutes(40));
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);

    // One whose mail could not leave in time does not leave later.
    app.stop_smtp().await;
    forgot(&app, &user.email).await.expect(202);
    app.run_jobs().await;
    app.start_smtp();
    app.ctx.clock.set(start + TimeDelta::minutes(70));
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
    let sent = app.get(&admin, &format!("/admin/emails?user_id={}", user.id)).await.expect(200);
    let states: Vec<_> = sent.as_array().unwrap().iter().map(|one| &one["statut"]).collect();
    assert!(states.contains(&&json!("annulee")), "{states:?}");
}

/// What the extractors and the limits refuse is a page, too.
#[tokio::test]
async fn people_are_told_of_faults_by_a_page() {
    let app = App::with(&[("LOGIN_LIMIT_PER_MINUTE", "1")]).await;
    app.leaves_jobs();
    let post = |email: String| app.request(Method::POST, "/compte/oubli").form(&[("email", email)]);
    let mut refused = None;
    for _ in 0..4 {
        let answer = read(post("personne@mif.example".to_owned())).await;
        refused = refused.or((answer.0 == 429).then_some(answer.1));
    }
    // A minute may end in between, but not three times.
    let page = refused.unwrap();
    assert!(page.contains("Trop de requêtes") && page.contains("role=\"alert\""), "{page}");
    let (status, page) = read(app.request(Method::GET, "/compte/mot-de-passe?jeton=%00")).await;
    assert!(status >= 400 && page.contains("<h1>"), "{status} {page}");
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_is_served() {
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;
    let path = link(&app, &user).await;
    let passwords: Vec<_> = (0..6).map(|n| format!("{NEW} numero {n}")).collect();
    let all = passwords.iter().map(|password| choose(&app, &path, password, password));
    let served: Vec<u16> = join_all(all).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(served.iter().filter(|status| **status == 200).count(), 1, "{served:?}");
    assert!(served.iter().all(|status| [200, 404].contains(status)), "{served:?}");
    let place = served.iter().position(|status| *status == 200).unwrap();
    sign_in(&app, &user, &passwords[place]).await.expect(200);
    sign_in(&app, &user, &passwords[(place + 1) % passwords.len()]).await.expect(401);
    app.run_jobs().await;
}

#[tokio::test]
async fn a_link_leaves_before_the_mails_that_wait() {
    let app = App::with(&[("SMTP_MAX_CONNECTIONS", "2")]).await;
    let (boss, user) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let intervention = app.intervention(&boss).await;
    for n in 0..60 {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": boss.id,
        });
        app.post(&boss, "/notifications", new).await.expect(201);
    }
    forgot(&app, &user.email).await.expect(202);
    app.run_jobs().await;
    let mails = app.mails();
    assert_eq!(mails.len(), 61);
    let place = mails.iter().position(|mail| mail.to == [user.email.as_str()]).unwrap();
    assert!(place < 30, "the {place}th of 61, though it was asked for last");
}

#[tokio::test]
async fn the_page_that_asks_speaks_the_language_of_the_browser_and_says_what_is_wrong() {
    let app = App::new().await;
    let user = app.user_with(UserRole::Client, json!({"langue": "en"})).await;
    let (status, page) = open(&app, "/compte/oubli").await;
    assert_eq!(status, 200);
    assert!(page.contains("Mot de passe oublié") && page.contains("lang=\"fr\""), "{page}");
    let english =
        read(app.request(Method::GET, "/compte/oubli").header("accept-language", "en")).await;
    assert!(english.1.contains("Forgotten password"), "{}", english.1);
    let post = |email: &str| app.request(Method::POST, "/compte/oubli").form(&[("email", email)]);
    let (status, page) = read(post("\"><script>alert(1)</script>")).await;
    assert_eq!(status, 422);
    assert!(page.contains("adresse e-mail est attendue") && !page.contains("<script"), "{page}");
    let (status, page) = read(post(&user.email)).await;
    assert_eq!(status, 202, "{page}");
    assert!(page.contains("Consultez votre messagerie"), "{page}");

    // The page of the link speaks the reader's own language.
    app.run_jobs().await;
    assert_eq!(app.mails()[0].subject, "Choose a new password");
    let (status, page) = open(&app, &linked(&app, &user)).await;
    assert!(status == 200 && page.contains("lang=\"en\"") && page.contains("The same again"));
}

#[tokio::test]
async fn requests_for_a_link_count_as_attempts_to_sign_in() {
    let clock = Clock::stopped_at(Clock::default().now());
    let app = App::at(clock, &[("LOGIN_LIMIT_PER_MINUTE", "3")]).await;
    app.leaves_jobs();
    let mut refused = Vec::new();
    for path in ["/auth/forgot", "/compte/oubli", "/auth/forgot", "/compte/oubli", "/auth/forgot"] {
        let form = [("email", "personne@mif.example")];
        let answer = app.send(app.request(Method::POST, path).form(&form)).await;
        refused.push(answer.status == 429);
    }
    assert_eq!(refused, [false, false, false, true, true]);
    let page: Value = open(&app, "/compte/oubli").await.0.into();
    assert_eq!(page, 200, "to look is no attempt");
}
