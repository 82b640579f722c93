//! Sessions: where they are listed, and what ends them, at once and permanently.
use chrono::TimeDelta;
use erp_core::{Clock, auth, users::UserRole};
use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

const OTHER: &str = "une autre phrase de passe";

/// The tokens of one sign-in.
#[derive(Clone)]
struct Tokens {
    access: User,
    refresh: String,
}

impl Tokens {
    fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        let token = text("access_token");
        let access = User { id: 0, username: String::new(), email: String::new(), token };
        Self { access, refresh: text("refresh_token") }
    }
}

async fn login(app: &App, name: &str, password: &str) -> Answer {
    let form = [("username", name), ("password", password)];
    app.send(app.request(Method::POST, "/api/v1/auth/login").form(&form)).await
}

async fn sign_in(app: &App, user: &User) -> Tokens {
    Tokens::of(&login(app, &user.username, PASSWORD).await.expect(200))
}

async fn refresh(app: &App, tokens: &Tokens) -> Answer {
    let body = json!({"refresh_token": tokens.refresh});
    app.send(app.request(Method::POST, "/api/v1/auth/refresh").json(&body)).await
}

async fn change_password(app: &App, by: &User, new: &str) -> Answer {
    let form = [("current_password", PASSWORD), ("new_password", new)];
    let request = app.request(Method::POST, "/api/v1/auth/change-password");
    app.send(request.bearer_auth(&by.token).form(&form)).await
}

/// The tokens of those answers that gave some.
fn given(answers: &[&Answer]) -> Vec<Tokens> {
    let given = answers.iter().filter(|answer| answer.status == 200);
    given.map(|answer| Tokens::of(&answer.body)).collect()
}

/// Whether neither of the two tokens is accepted any more.
async fn is_over(app: &App, tokens: &Tokens) -> bool {
    let me = app.get(&tokens.access, "/auth/me").await;
    let again = refresh(app, tokens).await;
    [me, again].iter().all(|answer| [401, 403].contains(&answer.status.as_u16()))
}

/// Three times `ROUNDS` rounds: no token from a refresh or a sign-in that runs concurrently with a logout, a change of password
/// or the disabling of the account is accepted afterwards.
#[tokio::test]
async fn no_session_outlives_what_should_have_ended_it() {
    const ROUNDS: usize = 100;
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let mut survivors = Vec::new();
    let mut ended = 0;

    for round in 0..ROUNDS {
        let user = app.user(UserRole::Technicien).await;
        let first = sign_in(&app, &user).await;
        let logout = app.post(&first.access, "/auth/logout", json!({}));
        let (refreshed, out) = join(refresh(&app, &first), logout).await;
        out.expect(200);
        for tokens in given(&[&refreshed]).iter().chain([&first]) {
            ended += 1;
            if !is_over(&app, tokens).await {
                survivors.push(format!("logout, round {round}"));
            }
        }
    }
    for round in 0..ROUNDS {
        let user = app.user(UserRole::Technicien).await;
        let first = sign_in(&app, &user).await;
        let change = change_password(&app, &first.access, OTHER);
        let others = join(refresh(&app, &first), login(&app, &user.username, PASSWORD));
        let (changed, (refreshed, signed_in)) = join(change, others).await;
        changed.expect(200);
        for tokens in given(&[&refreshed, &signed_in]).iter().chain([&first]) {
            ended += 1;
            if !is_over(&app, tokens).await {
                survivors.push(format!("change of password, round {round}"));
            }
        }
    }
    for round in 0..ROUNDS {
        let user = app.user(UserRole::Technicien).await;
        let first = sign_in(&app, &user).await;
        let path = format!("/users/{}", user.id);
        let others = join(refresh(&app, &first), login(&app, &user.username, PASSWORD));
        let (disabled, (refreshed, signed_in)) = join(app.delete(&admin, &path), others).await;
        disabled.expect(204);
        app.patch(&admin, &format!("{path}/activate"), json!({})).await.expect(200);
        for tokens in given(&[&refreshed, &signed_in]).iter().chain([&first]) {
            ended += 1;
            if !is_over(&app, tokens).await {
                survivors.push(format!("disabling, round {round}"));
            }
        }
    }
    assert!(ended >= 3 * ROUNDS, "{ended}");
    assert_eq!(survivors, Vec::<String>::new(), "{} of {ended}", survivors.len());
}

#[tokio::test]
async fn the_owner_sees_the_sessions_and_ends_one_or_all_others() {
    let app = App::new().await;
    let (user, other) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Technicien).await);
    let phone = app.request(Method::POST, "/api/v1/auth/login").header("user-agent", "Phone/1.0");
    let form = [("username", user.username.as_str()), ("password", PASSWORD)];
    let phone = Tokens::of(&app.send(phone.form(&form)).await.expect(200));
    let desk = sign_in(&app, &user).await;

    let list = app.get(&desk.access, "/auth/sessions").await.expect(200);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3, "{list:?}");
    assert_eq!(list.iter().filter(|session| session["actuelle"] == true).count(), 1);
    let phones = list.iter().find(|session| session["user_agent"] == "Phone/1.0").unwrap();
    assert_eq!((&phones["adresse_ip"], &phones["actuelle"]), (&json!("127.0.0.1"), &json!(false)));
    assert!(phones.as_object().unwrap().keys().all(|key| !key.contains("empreinte")));

    let path = format!("/auth/sessions/{}", phones["id"].as_str().unwrap());
    app.delete(&other, &path).await.expect_error(404, "session_introuvable");
    app.delete(&desk.access, "/auth/sessions/1").await.expect_error(404, "session_introuvable");
    app.get(&phone.access, "/auth/me").await.expect(200);
    app.delete(&desk.access, &path).await.expect(204);
    assert!(is_over(&app, &phone).await);
    app.delete(&desk.access, &path).await.expect_error(404, "session_introuvable");

    app.delete(&desk.access, "/auth/sessions").await.expect(204);
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    app.get(&desk.access, "/auth/me").await.expect(200);
    app.get(&other, "/auth/me").await.expect(200);
    assert_eq!(
        app.get(&desk.access, "/auth/sessions").await.expect(200).as_array().unwrap().len(),
        1
    );
    refresh(&app, &desk).await.expect(200);
}

#[tokio::test]
async fn an_admin_ends_the_sessions_of_anyone() {
    let app = App::new().await;
    let (admin, user) = (app.user(UserRole::Admin).await, app.user(UserRole::Client).await);
    let tokens = sign_in(&app, &user).await;
    let path = format!("/users/{}/sessions", user.id);
    app.delete(&user, &path).await.expect_error(403, "action_interdite");
    app.delete(&admin, "/users/987654/sessions").await.expect_error(404, "utilisateur_introuvable");
    app.delete(&admin, &path).await.expect(204);
    assert!(is_over(&app, &tokens).await);
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    app.get(&admin, "/auth/me").await.expect(200);
    sign_in(&app, &user).await;
}

#[tokio::test]
async fn logging_out_ends_the_session_that_asks_access_token_included() {
    let app = App::new().await;
    let user = app.user(UserRole::Technicien).await;
    let (one, two) = (sign_in(&app, &user).await, sign_in(&app, &user).await);
    app.post(&one.access, "/auth/logout", json!({})).await.expect(200);
    app.get(&one.access, "/auth/me").await.expect_error(401, "session_terminee");
    refresh(&app, &one).await.expect_error(401, "session_terminee");
    app.get(&two.access, "/auth/me").await.expect(200);
    refresh(&app, &two).await.expect(200);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_for_ten_seconds_more_gives_the_same_again() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let user = app.user(UserRole::Responsable).await;
    let first = sign_in(&app, &user).await;
    // Two tabs at once, and a third request after a lost answer.
    let (a, b) = join(refresh(&app, &first), refresh(&app, &first)).await;
    let (a, b) = (Tokens::of(&a.expect(200)), Tokens::of(&b.expect(200)));
    let now = app.ctx.clock.now();
    app.ctx.clock.set(now + TimeDelta::seconds(10));
    let c = Tokens::of(&refresh(&app, &first).await.expect(200));
    assert!(a.refresh == b.refresh && b.refresh == c.refresh && a.refresh != first.refresh);
    for tokens in [&first, &a, &b, &c] {
        app.get(&tokens.access, "/auth/me").await.expect(200);
    }

    // Later it counts as a stolen copy: the whole session ends, and only that one.
    let other = sign_in(&app, &user).await;
    app.ctx.clock.set(now + TimeDelta::seconds(11));
    refresh(&app, &first).await.expect_error(401, "session_terminee");
    for tokens in [&first, &a, &c] {
        assert!(is_over(&app, tokens).await);
    }
    app.get(&other.access, "/auth/me").await.expect(200);
    let form = [("refresh_token", other.refresh.as_str())];
    app.send(app.request(Method::POST, "/auth/refresh").form(&form)).await.expect(200);
}

#[tokio::test]
async fn the_token_before_the_last_is_a_copy_even_within_ten_seconds() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let user = app.user(UserRole::Responsable).await;
    let first = sign_in(&app, &user).await;
    let second = Tokens::of(&refresh(&app, &first).await.expect(200));
    let third = Tokens::of(&refresh(&app, &second).await.expect(200));
    refresh(&app, &first).await.expect_error(401, "session_terminee");
    assert!(is_over(&app, &third).await);
}

#[tokio::test]
async fn a_session_ends_without_use_and_at_last_in_any_case() {
    let settings = [("SESSION_MAX_DAYS", "40"), ("REFRESH_TOKEN_EXPIRE_DAYS", "30")];
    let start = Clock::default().now();
    let app = App::at(Clock::stopped_at(start), &settings).await;
    let user = app.user(UserRole::Technicien).await;
    let (idle, busy) = (sign_in(&app, &user).await, sign_in(&app, &user).await);
    app.ctx.clock.set(start + TimeDelta::days(20));
    let busy = Tokens::of(&refresh(&app, &busy).await.expect(200));
    app.ctx.clock.set(start + TimeDelta::days(30));
    refresh(&app, &idle).await.expect_error(401, "session_terminee");

    // Half an hour before the end of the session an access token is valid for half an hour.
    app.ctx.clock.set(start + TimeDelta::days(40) - TimeDelta::minutes(30));
    let last = refresh(&app, &busy).await.expect(200);
    assert_eq!(last["expires_in"], 1800);
    let last = Tokens::of(&last);
    app.get(&last.access, "/auth/me").await.expect(200);
    app.ctx.clock.set(start + TimeDelta::days(40));
    refresh(&app, &last).await.expect_error(401, "session_terminee");
    let me = app.request(Method::GET, "/auth/me").bearer_auth(&last.access.token);
    app.send(me).await.expect_error(401, "jeton_expire");
}

#[tokio::test]
async fn what_is_over_stays_over_when_the_account_is_active_again() {
    let app = App::new().await;
    let (admin, user) = (app.user(UserRole::Admin).await, app.user(UserRole::Technicien).await);
    let tokens = sign_in(&app, &user).await;
    let path = format!("/users/{}", user.id);
    app.delete(&admin, &path).await.expect(204);
    app.get(&tokens.access, "/auth/me").await.expect_error(403, "compte_desactive");
    app.patch(&admin, &format!("{path}/activate"), json!({})).await.expect(200);
    app.get(&tokens.access, "/auth/me").await.expect_error(401, "session_terminee");
    assert!(is_over(&app, &tokens).await);
    sign_in(&app, &user).await;
}

#[tokio::test]
async fn the_address_of_a_calendar_ends_with_the_password_and_with_the_account() {
    let app = App::new().await;
    let (admin, user) = (app.user(UserRole::Admin).await, app.user(UserRole::Technicien).await);
    let agenda = async |by: &User| {
        let made = app.post(by, "/users/me/calendrier", json!({})).await.expect(201);
        format!("/planning/calendrier.ics?jeton={}", made["jeton"].as_str().unwrap())
    };
    let read = async |path: &str| app.send(app.request(Method::GET, path)).await;
    let first = agenda(&user).await;
    read(&first).await.expect(200);
    change_password(&app, &user, OTHER).await.expect(200);
    read(&first).await.expect_error(401, "jeton_invalide");

    let tokens = Tokens::of(&login(&app, &user.username, OTHER).await.expect(200));
    let second = agenda(&tokens.access).await;
    let path = format!("/users/{}", user.id);
    app.delete(&admin, &path).await.expect(204);
    app.patch(&admin, &format!("{path}/activate"), json!({})).await.expect(200);
    read(&second).await.expect_error(401, "jeton_invalide");
}

#[tokio::test]
async fn the_purge_keeps_the_row_of_a_session_for_a_month_after_its_end() {
    let start = Clock::default().now();
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let user = app.user(UserRole::Technicien).await;
    sign_in(&app, &user).await;
    let rows = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from sessions");
        count.fetch_one(&app.ctx.pool).await.unwrap()
    };
    assert_eq!(rows().await, 2);
    let purge = async |days| {
        let mut tx = app.ctx.begin().await.unwrap();
        auth::purge(&mut tx, start + TimeDelta::days(days), 1000).await.unwrap();
        tx.commit().await.unwrap();
    };
    purge(60).await;
    assert_eq!(rows().await, 2);
    purge(61).await;
    assert_eq!(rows().await, 0);
}

/// Signs in with this `User-Agent`, from this address.
async fn sign_in_from(app: &App, user: &User, agent: &str, address: &str) -> Answer {
    let form = [("username", user.username.as_str()), ("password", PASSWORD)];
    let request = app.request(Method::POST, "/auth/login").form(&form);
    app.send(request.header("user-agent", agent).header("x-forwarded-for", address)).await
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

#[tokio::test]
async fn a_first_sign_in_from_a_new_device_is_told_at_once_and_at_night_and_only_then() {
    // 02:00 UTC, in the quiet hours of both users; mails of notifications are grouped.
    let clock = Clock::stopped_at("2026-11-26T02:00:00Z".parse().unwrap());
    let settings = [("TRUSTED_PROXIES", "127.0.0.1"), ("EMAILS_GROUP_SECONDS", "600")];
    let app = App::at(clock, &settings).await;
    let (user, other) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Technicien).await);
    for user in [&user, &other] {
        let quiet = json!({"heures_calmes": {"debut": "20:00", "fin": "07:00"}});
        app.put(user, "/users/me/preferences", quiet).await.expect(200);
    }
    let english = json!({"langue": "en"});
    app.put(&other, "/users/update", english).await.expect(200);

    // The first sign-in of an account; the same device; a newer version at another address of the network.
    let updated = FIREFOX.replace("145.0", "146.0.1");
    for (agent, address) in
        [(FIREFOX, "192.0.2.7"), (FIREFOX, "192.0.2.7"), (&updated, "192.0.2.99")]
    {
        sign_in_from(&app, &user, agent, address).await.expect(200);
    }
    // A failed attempt is no sign-in.
    let wrong = app.request(Method::POST, "/auth/login");
    let wrong = wrong.form(&[("username", user.username.as_str()), ("password", "pas le bon")]);
    app.send(wrong.header("x-forwarded-for", "203.0.113.9")).await.expect(401);
    app.run_jobs().await;
    assert!(app.mails().is_empty());

    // Another network, then another program; each user has devices of their own.
    sign_in_from(&app, &user, FIREFOX, "203.0.113.9").await.expect(200);
    sign_in_from(&app, &user, "curl/8.14.1", "2001:db8:1:2::7").await.expect(200);
    sign_in_from(&app, &user, "curl/8.15.0", "2001:db8:1:2::8").await.expect(200);
    sign_in_from(&app, &other, FIREFOX, "203.0.113.9").await.expect(200);
    sign_in_from(&app, &other, FIREFOX, "198.51.100.1").await.expect(200);
    app.run_jobs().await;
    let mails = app.mails();
    assert_eq!(mails.len(), 3, "each its own");
    let with = |part: &str| {
        let found = mails.iter().find(|mail| mail.text.as_deref().unwrap().contains(part));
        found.unwrap_or_else(|| panic!("no mail says {part}"))
    };
    let first = with("203.0.113.9");
    assert_eq!(first.to, [user.email.as_str()]);
    assert_eq!(first.subject, "Connexion depuis un nouvel appareil");
    for part in [first.text.as_deref().unwrap(), first.html.as_deref().unwrap()] {
        assert!(part.contains("Firefox, Linux") && part.contains("Changez votre mot de passe"));
        assert!(
            part.contains("https://erp.example") && part.contains("Salma technicien"),
            "{part}"
        );
    }
    assert!(with("2001:db8:1:2::7").text.as_deref().unwrap().contains("curl/8.14.1"));
    let english = with("198.51.100.1");
    assert_eq!(english.to, [other.email.as_str()]);
    assert!(english.text.as_deref().unwrap().contains("Change your password at once"));
    // Operators see them like all other mails.
    let admin = app.user(UserRole::Admin).await;
    let listed = app.get(&admin, "/admin/emails").await.expect(200);
    assert!(listed.as_array().unwrap().iter().all(|mail| mail["statut"] == "envoyee"), "{listed}");

    // A device that nobody used for a year is new again.
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(366));
    let mut tx = app.ctx.begin().await.unwrap();
    auth::purge(&mut tx, app.ctx.clock.now(), 1000).await.unwrap();
    tx.commit().await.unwrap();
    // But the last device of an account stays, so that a new device is noticed after a year without sign-ins.
    let one_each = "select count(*) > 0 and count(*) = count(distinct user_id) from appareils";
    let one_each: bool = sqlx::query_scalar(one_each).fetch_one(&app.ctx.pool).await.unwrap();
    assert!(one_each);
}

#[tokio::test]
async fn a_new_password_is_told_in_the_transaction_that_sets_it_by_either_route() {
    let app = App::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let user = app.user(UserRole::Responsable).await;
    change_password(&app, &user, "court").await.expect(422);
    let wrong = [("current_password", "pas le bon"), ("new_password", OTHER)];
    let request = app.request(Method::POST, "/api/v1/auth/change-password");
    app.send(request.bearer_auth(&user.token).form(&wrong)).await.expect(400);
    app.run_jobs().await;
    assert!(app.mails().is_empty(), "nothing was changed");

    let form = [("current_password", PASSWORD), ("new_password", OTHER)];
    let request = app.request(Method::POST, "/api/v1/auth/change-password");
    let request = request.bearer_auth(&user.token).header("x-forwarded-for", "203.0.113.9");
    app.send(request.form(&form)).await.expect(200);
    let again = Tokens::of(&login(&app, &user.username, OTHER).await.expect(200)).access;
    let update = json!({"current_password": OTHER, "password": PASSWORD});
    app.put(&again, "/users/update", update).await.expect(200);
    app.run_jobs().await;
    let mails = app.mails();
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert_eq!(mail.to, [user.email.as_str()]);
        assert_eq!(mail.subject, "Votre mot de passe a changé");
        let (text, html) = (mail.text.as_deref().unwrap(), mail.html.as_deref().unwrap());
        for part in [text, html] {
            assert!(part.contains("Prévenez tout de suite un administrateur"), "{part}");
            for secret in [PASSWORD, OTHER] {
                assert!(!part.contains(secret));
            }
        }
    }
    assert!(mails.iter().any(|mail| mail.text.as_deref().unwrap().contains("203.0.113.9")));

    // If the account is disabled before the mail leaves, it is cancelled, and its job is done.
    let admin = app.user(UserRole::Admin).await;
    let back = Tokens::of(&login(&app, &user.username, PASSWORD).await.expect(200)).access;
    change_password(&app, &back, OTHER).await.expect(200);
    app.delete(&admin, &format!("/users/{}", user.id)).await.expect(204);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 2);
    let listed = app.get(&admin, "/admin/emails?statut=annulee").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}
