//! The end of an access holds on every replica: no request that begins after the answer to what ended it is let in.
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::{App, PASSWORD, User};

/// What ends an access.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Logout,
    OtherSessions,
    OneSession,
    AllSessionsByAdmin,
    Disabling,
    NewPassword,
    NewPasswordOfProfile,
    SuspendedClient,
    RefreshTokenUsedAgain,
    Link,
    OtherRole,
    OtherAddress,
}

const ENDS: [End; 12] = [
    End::Logout,
    End::OtherSessions,
    End::OneSession,
    End::AllSessionsByAdmin,
    End::Disabling,
    End::NewPassword,
    End::NewPasswordOfProfile,
    End::SuspendedClient,
    End::RefreshTokenUsedAgain,
    End::Link,
    End::OtherRole,
    End::OtherAddress,
];
/// Who asks the other replica at once, with the same token.
const ASKING: usize = 4;

/// A session of a client's user, and what is needed to end it.
struct Scene {
    app: App,
    admin: User,
    client_id: i64,
    user: User,
    session: String,
    refresh_token: String,
    /// The path of a link for a new password.
    link: String,
}

impl Scene {
    async fn new() -> Self {
        let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
        let admin = app.user(UserRole::Admin).await;
        let client = app.post(&admin, "/clients", json!({"nom_entreprise": "Cimenterie"})).await;
        let client_id = client.expect(201)["id"].as_i64().unwrap();
        let mut user = app.user_with(UserRole::Client, json!({"client_id": client_id})).await;
        let tokens = sign_in(&app, &user).await;
        tokens["access_token"].as_str().unwrap().clone_into(&mut user.token);
        let list = app.get(&user, "/auth/sessions").await.expect(200);
        let own = list.as_array().unwrap().iter().find(|one| one["actuelle"] == true).unwrap();
        let session = own["id"].as_str().unwrap().to_owned();
        let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
        let form = [("email", user.email.as_str())];
        app.send(app.request(Method::POST, "/auth/forgot").form(&form)).await.expect(202);
        app.run_jobs().await;
        let mail = app.mails().pop().unwrap().text.unwrap();
        let link = mail.split_whitespace().find(|word| word.contains("?jeton=")).unwrap();
        let link = link[link.find("/api/v1").unwrap()..].to_owned();
        Self { app, admin, client_id, user, session, refresh_token, link }
    }

    async fn end(&self, end: End) {
        let Self { app, admin, user, .. } = self;
        match end {
            End::Logout => drop(app.post(user, "/auth/logout", json!({})).await.expect(200)),
            End::OtherSessions => {
                drop(app.delete(&self.elsewhere().await, "/auth/sessions").await.expect(204));
            }
            End::OneSession => {
                let path = format!("/auth/sessions/{}", self.session);
                app.delete(&self.elsewhere().await, &path).await.expect(204);
            }
            End::AllSessionsByAdmin => {
                app.delete(admin, &format!("/users/{}/sessions", user.id)).await.expect(204);
            }
            End::Disabling => {
                app.delete(admin, &format!("/users/{}", user.id)).await.expect(204);
            }
            End::NewPassword => {
                let form = [("current_password", PASSWORD), ("new_password", "une autre phrase")];
                let request = app.request(Method::POST, "/api/v1/auth/change-password");
                app.send(request.bearer_auth(&user.token).form(&form)).await.expect(200);
            }
            End::NewPasswordOfProfile => {
                let body = json!({"current_password": PASSWORD, "password": "une autre phrase"});
                app.put(user, "/users/update", body).await.expect(200);
            }
            End::SuspendedClient => {
                let path = format!("/clients/{}", self.client_id);
                app.put(admin, &path, json!({"is_active": false})).await.expect(200);
            }
            End::RefreshTokenUsedAgain => {
                self.refresh().await.expect(200);
                app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::seconds(11));
                self.refresh().await.expect_error(401, "session_terminee");
            }
            End::Link => {
                let form = [("password", "une autre phrase"), ("encore", "une autre phrase")];
                let request = app.request(Method::POST, &self.link).form(&form);
                assert_eq!(request.send().await.unwrap().status(), 200);
            }
            End::OtherRole | End::OtherAddress => {
                let edit = match end {
                    End::OtherRole => json!({"role": "technicien"}),
                    _ => json!({"email": "ailleurs@mif.example"}),
                };
                app.put(admin, &format!("/users/{}", user.id), edit).await.expect(200);
            }
        }
    }

    async fn refresh(&self) -> crate::support::Answer {
        let body = json!({"refresh_token": self.refresh_token});
        let request = self.app.request(Method::POST, "/api/v1/auth/refresh");
        self.app.send(request.json(&body)).await
    }

    /// The same user, signed in a second time.
    async fn elsewhere(&self) -> User {
        let tokens = sign_in(&self.app, &self.user).await;
        User { token: tokens["access_token"].as_str().unwrap().to_owned(), ..self.user.clone() }
    }
}

async fn sign_in(app: &App, user: &User) -> Value {
    let form = [("username", user.username.as_str()), ("password", PASSWORD)];
    app.send(app.request(Method::POST, "/api/v1/auth/login").form(&form)).await.expect(200)
}

/// Asks `url` with `token` until `answered` has a time and twenty answers more have come. Returns when each request began, and
/// its status.
async fn ask(
    app: &App,
    url: &str,
    token: &str,
    answered: watch::Receiver<Option<Instant>>,
    let_in: &AtomicUsize,
) -> Vec<(Instant, StatusCode)> {
    let (mut asked, mut more) = (Vec::new(), 20);
    while more > 0 {
        more -= i32::from(answered.borrow().is_some());
        let began = Instant::now();
        let request = app.client.get(format!("{url}/auth/me")).bearer_auth(token);
        let status = request.send().await.unwrap().status();
        let_in.fetch_add(usize::from(status == 200), Relaxed);
        asked.push((began, status));
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_an_access_holds_on_every_replica_when_it_is_answered() {
    // Twice: whether the replica has looked just before is chance.
    for end in ENDS.into_iter().chain(ENDS) {
        let scene = Scene::new().await;
        let (replica, app) = (scene.app.replica().await, &scene.app);
        let (say, answered) = watch::channel(None);
        let let_in = AtomicUsize::new(0);
        let asking = join_all(
            (0..ASKING).map(|_| ask(app, &replica, &scene.user.token, answered.clone(), &let_in)),
        );
        let ending = async {
            // Until they have been let in often, so that the replica knows the caller.
            while let_in.load(Relaxed) < 10 * ASKING {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            scene.end(end).await;
            let at = Instant::now();
            say.send(Some(at)).unwrap();
            at
        };
        let (asked, at) = tokio::join!(asking, ending);
        let asked = asked.concat();
        let after: Vec<_> = asked.iter().filter(|(began, _)| *began > at).collect();
        assert!(after.len() >= ASKING, "{end:?}: asked {} times after", after.len());
        let late = after.iter().filter(|(_, status)| ![401, 403].contains(&status.as_u16()));
        assert_eq!(late.count(), 0, "{end:?}: of {} requests after the answer", after.len());
        app.run_jobs().await;
    }
}
