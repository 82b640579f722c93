//! The second factor: from the picture for the phone to the end of the trust in a device.
pub mod appareils;
mod cles;
mod exige;
mod limites;

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::support::{Answer, App, PASSWORD, User};

/// The application on a phone.
pub struct Phone(Totp);

impl Phone {
    pub fn new(enrolment: &Value) -> Self {
        let secret = Secret::try_from_base32(enrolment["secret"].as_str().unwrap()).unwrap();
        Self(Builder::new().with_secret(secret).build().unwrap())
    }

    /// Its code at the time of the system.
    pub fn code(&self, app: &App) -> String {
        self.code_at(app.ctx.clock.now())
    }

    fn code_at(&self, at: DateTime<Utc>) -> String {
        self.0.generate(u64::try_from(at.timestamp()).unwrap()).to_string()
    }

    /// Six digits that are no code around the time of the system.
    fn wrong(&self, app: &App) -> String {
        let now = app.ctx.clock.now();
        let near: Vec<_> =
            [-30, 0, 30].map(|shift| self.code_at(now + TimeDelta::seconds(shift))).to_vec();
        (0..9).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
    }
}

/// A system whose time stands still, in the middle of a step.
pub async fn still(settings: &[(&str, &str)]) -> App {
    let now = Clock::default().now().timestamp().div_euclid(30) * 30 + 15;
    App::at(Clock::stopped_at(DateTime::from_timestamp(now, 0).unwrap()), settings).await
}

pub fn later(app: &App, time: TimeDelta) {
    app.ctx.clock.set(app.ctx.clock.now() + time);
}

/// Enrols a second factor; the phone, and the recovery codes. The next step has begun then: its code is good.
pub async fn enrol(app: &App, user: &User) -> (Phone, Vec<String>) {
    let given = json!({ "password": PASSWORD });
    let phone = Phone::new(&app.post(user, "/auth/second-factor/enrol", given).await.expect(200));
    let codes = json!({ "code": phone.code(app) });
    let codes = app.post(user, "/auth/second-factor/confirm", codes).await.expect(200);
    later(app, TimeDelta::seconds(30));
    (phone, serde_json::from_value(codes["codes_secours"].clone()).unwrap())
}

async fn login(app: &App, user: &User, more: Value) -> Answer {
    let mut form = json!({ "username": user.username, "password": PASSWORD });
    form.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.send(app.request(Method::POST, "/auth/login").json(&form)).await
}

/// The challenge that the right password gives.
async fn defi(app: &App, user: &User) -> String {
    let answer = login(app, user, json!({})).await;
    let defi = answer.body["defi"].as_str().unwrap_or_default().to_owned();
    answer.expect_error(401, "second_facteur_requis");
    defi
}

async fn verify(app: &App, defi: &str, code: &str) -> Answer {
    let form = [("defi", defi), ("code", code)];
    app.send(app.request(Method::POST, "/auth/second-factor").form(&form)).await
}

fn with(user: &User, tokens: &Value) -> User {
    User { token: tokens["access_token"].as_str().unwrap().to_owned(), ..user.clone() }
}

async fn acts(app: &App, admin: &User, id: i64) -> Vec<String> {
    let path = format!("/admin/audit?cible=compte&cible_id={id}&limit=200");
    let audit = app.get(admin, &path).await.expect(200);
    audit.as_array().unwrap().iter().map(|l| l["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_has_a_second_factor_signs_in_by_password_and_code() {
    let app = still(&[]).await;
    let (user, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    login(&app, &user, json!({})).await.expect(200);
    let path = "/auth/second-factor";
    let none = app.get(&user, path).await.expect(200);
    let nothing =
        json!({"actif_depuis": null, "exige": false, "codes_restants": 0, "appareils": []});
    assert_eq!(none, nothing);

    app.post(&user, "/auth/second-factor/enrol", json!({ "password": "pas le bon" }))
        .await
        .expect_error(400, "mot_de_passe_actuel_incorrect");
    let given = json!({ "password": PASSWORD });
    let enrolment = app.post(&user, "/auth/second-factor/enrol", given.clone()).await.expect(200);
    let uri = enrolment["uri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/MIF%20Maroc:"), "{uri}");
    assert!(uri.contains(enrolment["secret"].as_str().unwrap()), "{uri}");
    assert!(enrolment["qr"].as_str().unwrap().starts_with("<svg "));
    let phone = Phone::new(&enrolment);
    // Nothing is asked for before the first good code.
    login(&app, &user, json!({})).await.expect(200);
    let wrong = json!({ "code": phone.wrong(&app) });
    let confirm = "/auth/second-factor/confirm";
    app.post(&user, confirm, wrong).await.expect_error(400, "code_incorrect");
    let code = json!({ "code": phone.code(&app) });
    let codes = app.post(&user, confirm, code.clone()).await.expect(200);
    assert_eq!(codes["codes_secours"].as_array().unwrap().len(), 10);
    app.post(&user, confirm, code).await.expect_error(409, "second_facteur_actif");
    let again = app.post(&user, "/auth/second-factor/enrol", given).await;
    again.expect_error(409, "second_facteur_actif");

    let challenge = defi(&app, &user).await;
    let confirmed_by = phone.code(&app);
    verify(&app, &challenge, &confirmed_by).await.expect_error(401, "code_incorrect");
    later(&app, TimeDelta::seconds(30));
    let tokens = verify(&app, &challenge, &phone.code(&app)).await.expect(200);
    assert_eq!(tokens["appareil"], Value::Null);
    let me = app.get(&with(&user, &tokens), "/auth/me").await.expect(200);
    assert_eq!(me["id"], user.id);
    let state = app.get(&user, path).await.expect(200);
    assert_eq!(state["codes_restants"], 10);

    app.run_jobs().await;
    let mails = app.mails();
    let mail = mails.iter().find(|mail| mail.subject == "Votre second facteur est activé").unwrap();
    assert_eq!(mail.to, [user.email.as_str()]);
    let acts = acts(&app, &admin, user.id).await;
    for act in ["second_facteur_active", "second_facteur_refuse", "connexion"] {
        assert!(acts.contains(&act.to_owned()), "{act}: {acts:?}");
    }
}

#[tokio::test]
async fn a_code_is_good_a_step_early_or_late_and_once_however_many_ask_at_the_same_time() {
    let app = still(&[]).await;
    let user = app.user(UserRole::Technicien).await;
    let (phone, _) = enrol(&app, &user).await;
    later(&app, TimeDelta::minutes(10));
    let now = app.ctx.clock.now();
    for (shift, good) in [(-60, false), (60, false), (-30, true), (0, true), (30, true)] {
        let code = phone.code_at(now + TimeDelta::seconds(shift));
        let answer = verify(&app, &defi(&app, &user).await, &code).await;
        assert_eq!(answer.status == 200, good, "{shift}: {}", answer.body);
    }
    // The latest of them was used: those before are worth nothing, used or not.
    later(&app, TimeDelta::minutes(10));
    let code = phone.code(&app);
    let challenges = [defi(&app, &user).await, defi(&app, &user).await];
    let asked = challenges.iter().cycle().take(4).map(|challenge| verify(&app, challenge, &code));
    let answers = futures_util::future::join_all(asked).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
    let before = phone.code_at(app.ctx.clock.now() - TimeDelta::seconds(30));
    verify(&app, &defi(&app, &user).await, &before).await.expect_error(401, "code_incorrect");
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_until_there_are_new_ones() {
    let app = still(&[]).await;
    let (user, admin) = (app.user(UserRole::Client).await, app.user(UserRole::Admin).await);
    let (phone, codes) = enrol(&app, &user).await;
    let typed = codes[0].to_uppercase().replace('-', " ");
    verify(&app, &defi(&app, &user).await, &typed).await.expect(200);
    verify(&app, &defi(&app, &user).await, &codes[0]).await.expect_error(401, "code_incorrect");
    let state = app.get(&user, "/auth/second-factor").await.expect(200);
    assert_eq!(state["codes_restants"], 9);
    assert!(acts(&app, &admin, user.id).await.contains(&"code_secours_utilise".to_owned()));

    let path = "/auth/second-factor/codes";
    let proof = |password: &str, code: &str| json!({ "password": password, "code": code });
    app.post(&user, path, proof("pas le bon", &codes[1]))
        .await
        .expect_error(400, "mot_de_passe_actuel_incorrect");
    app.post(&user, path, proof(PASSWORD, &phone.wrong(&app)))
        .await
        .expect_error(400, "code_incorrect");
    let new = app.post(&user, path, proof(PASSWORD, &codes[1])).await.expect(200);
    let state = app.get(&user, "/auth/second-factor").await.expect(200);
    assert_eq!(state["codes_restants"], 10);
    verify(&app, &defi(&app, &user).await, &codes[2]).await.expect_error(401, "code_incorrect");
    let new = new["codes_secours"][0].as_str().unwrap();
    verify(&app, &defi(&app, &user).await, new).await.expect(200);
}

#[tokio::test]
async fn a_second_factor_is_removed_by_its_owner_with_both_or_by_an_admin() {
    let app = still(&[]).await;
    let (user, admin) = (app.user(UserRole::Technicien).await, app.user(UserRole::Admin).await);
    let path = "/auth/second-factor";
    let remove = async |code: &str| {
        let proof = json!({ "password": PASSWORD, "code": code });
        app.call(&user, Method::DELETE, path, Some(proof)).await
    };
    remove("123456").await.expect_error(409, "second_facteur_absent");
    let (phone, _) = enrol(&app, &user).await;
    remove(&phone.wrong(&app)).await.expect_error(400, "code_incorrect");
    assert_eq!(remove(&phone.code(&app)).await.status, 204);
    login(&app, &user, json!({})).await.expect(200);

    let (_, codes) = enrol(&app, &user).await;
    let challenge = defi(&app, &user).await;
    let reset = format!("/users/{}/second-factor", user.id);
    app.delete(&user, &reset).await.expect_error(403, "action_interdite");
    assert_eq!(app.delete(&admin, &reset).await.status, 204);
    app.delete(&admin, &reset).await.expect_error(409, "second_facteur_absent");
    app.delete(&admin, "/users/999/second-factor")
        .await
        .expect_error(404, "utilisateur_introuvable");
    app.get(&user, "/auth/me").await.expect_error(401, "session_terminee");
    verify(&app, &challenge, &codes[0]).await.expect_error(401, "defi_invalide");
    login(&app, &user, json!({})).await.expect(200);
    let (_, _) = enrol(&app, &admin).await;
    app.delete(&admin, &format!("/users/{}/second-factor", admin.id))
        .await
        .expect_error(409, "second_facteur_de_soi");

    app.run_jobs().await;
    let mails = app.mails();
    let gone: Vec<_> = mails.iter().filter(|m| m.subject.contains("est retiré")).collect();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|mail| mail.to == [user.email.as_str()]));
    assert!(gone[1].text.as_ref().unwrap().contains("Par"), "{:?}", gone[1].text);
    let acts = acts(&app, &admin, user.id).await;
    for act in ["second_facteur_retire", "second_facteur_reinitialise"] {
        assert!(acts.contains(&act.to_owned()), "{act}: {acts:?}");
    }
}
