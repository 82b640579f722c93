//! Shared by the tests of faults: people, mails to them, and the state of each mail at the relay and the API.
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use erp_core::{
    auth,
    input::{Fields, Input as _},
    users::{self, PasswordHash, UserCreate},
};
use erp_dev::{
    faults::Proxy,
    mail_sink::relay::{Accepted, Relay},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Program, System};

/// Longer than any step here takes on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(3);

/// The hash of the password of all users, computed once because it is slow.
static HASH: OnceCell<PasswordHash> = OnceCell::const_new();

/// Polls `done` until it is true; `what` names the condition in the panic after [`LIMIT`].
pub async fn until<F: Future<Output = bool>>(what: &str, done: impl Fn() -> F) {
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The address of the same database through a proxy, with more of its parameters (`&name=value`).
pub fn through(url: &str, proxy: &Proxy, parameters: &str) -> String {
    let (start, rest) = url.rsplit_once(':').unwrap();
    let (_, rest) = rest.split_once('/').unwrap();
    format!("{start}:{}/{rest}{parameters}", proxy.port())
}

/// A free port.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The port of a database.
pub fn port_of(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').unwrap();
    rest.split_once('/').unwrap().0.parse().unwrap()
}

/// The outcome of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not decided yet.
    Open,
    Sent,
    GivenUp,
    /// It may have arrived; this cannot be known.
    InDoubt,
}

impl Fate {
    pub fn of(statut: &str) -> Self {
        match statut {
            "envoyee" => Self::Sent,
            "echouee" => Self::GivenUp,
            "incertaine" => Self::InDoubt,
            _ => Self::Open,
        }
    }
}

/// A text that is unique for `n`.
pub fn token(n: usize) -> String {
    format!("jeton-{n:06}.")
}

impl System {
    /// The address of the database that the programs use.
    pub fn database_url(&self) -> &str {
        let found = self.environment.iter().rfind(|(name, _)| name == "DATABASE_URL");
        &found.unwrap().1
    }

    /// Creates a technicien with the address `{name}@client.example`; the user's id.
    pub async fn person(&self, name: &str) -> i64 {
        self.account(name, "technicien").await.0
    }

    /// Creates `count` such people.
    pub async fn people(&self, count: usize) -> Vec<i64> {
        let mut people = Vec::new();
        for n in 0..count {
            people.push(self.person(&format!("personne{n}")).await);
        }
        people
    }

    /// Creates an admin; an access token.
    pub async fn admin(&self) -> String {
        self.account("exploitant", "admin").await.1
    }

    async fn account(&self, name: &str, role: &str) -> (i64, String) {
        let new = json!({
            "username": name, "full_name": name, "email": format!("{name}@client.example"),
            "role": role, "password": "atlas pompe quai 4",
        });
        let new = UserCreate::read(&mut Fields::json(new.as_object().unwrap().clone())).unwrap();
        let hash = HASH
            .get_or_init(|| async { users::hash_password(new.password.clone()).await.unwrap() });
        let hash = hash.await;
        let (mut tx, now) = (self.ctx.begin().await.unwrap(), self.ctx.clock.now());
        let user = users::create(&mut tx, &new, hash, now).await.unwrap();
        let account = users::find_account(&mut *tx, user.id).await.unwrap().unwrap();
        let tokens =
            auth::open_session(&mut tx, &self.ctx.keys, &account, &auth::Origin::default(), now)
                .await
                .unwrap();
        tx.commit().await.unwrap();
        (user.id, tokens.access_token)
    }

    /// Sends a notification by mail; its id.
    pub async fn tell(&self, type_: &str, user_id: i64, intervention: &Value, text: &str) -> i64 {
        let new = json!({
            "type": type_, "canal": "email", "contenu": text,
            "intervention_id": intervention, "user_id": user_id,
        });
        self.post("/notifications", new).await["id"].as_i64().unwrap()
    }

    /// The outcomes of the notifications of a person, by id, from the API.
    pub async fn fates(&self, user_id: i64) -> HashMap<i64, Fate> {
        let url = format!("{}/notifications?user_id={user_id}&limit=200", self.url);
        let response = self.client.get(url).bearer_auth(&self.token).send().await.unwrap();
        let rows: Value = response.json().await.unwrap();
        let fate = |row: &Value| Fate::of(row["statut"].as_str().unwrap());
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| (row["id"].as_i64().unwrap(), fate(row)))
            .collect()
    }

    /// Waits until no notification of this person is open.
    pub async fn until_settled(&self, user_id: i64) {
        until("everything is sent, given up or in doubt", async || {
            !self.fates(user_id).await.values().any(|fate| *fate == Fate::Open)
        })
        .await;
    }

    /// Starts a worker whose mails go to `relay`, with these settings.
    pub fn worker_to(&self, relay: &Relay, settings: &[(&str, &str)]) -> Program {
        let port = relay.port().to_string();
        let settings: Vec<_> =
            [("SMTP_PORT", port.as_str())].into_iter().chain(settings.iter().copied()).collect();
        self.worker_with(&settings)
    }
}

/// How many accepted mails contain `token`.
pub fn copies(relay: &Relay, token: &str) -> usize {
    relay.accepted().iter().filter(|mail| mail.text().contains(token)).count()
}

/// The Message-IDs that were used with more than one content.
pub fn changed_contents(accepted: &[impl AsRef<Accepted>]) -> Vec<String> {
    let mut contents: HashMap<&str, u64> = HashMap::new();
    let mails = accepted.iter().map(AsRef::as_ref);
    mails
        .filter(|mail| *contents.entry(mail.message_id()).or_insert(mail.content) != mail.content)
        .map(|mail| mail.message_id().to_owned())
        .collect()
}

/// All tokens in a text, in order.
pub fn tokens(text: &str) -> Vec<String> {
    let starts = text.match_indices("jeton-").map(|(start, _)| start);
    starts.filter_map(|start| text.get(start..start + token(0).len())).map(str::to_owned).collect()
}
