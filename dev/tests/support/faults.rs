//! What the tests of faults share: people, mails to them, and what the relay and the API say of each.
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

/// Longer than anything here takes on a busy machine.
pub const LIMIT: Duration = Duration::from_mins(3);

/// Of the one password of everybody: it takes its time to make.
static HASH: OnceCell<PasswordHash> = OnceCell::const_new();

/// Looks again until `done`; `what` is what did not come.
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

/// A port that nobody has.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The port of a database.
pub fn port_of(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').unwrap();
    rest.split_once('/').unwrap().0.parse().unwrap()
}

/// What becomes of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Something is still to happen.
    Open,
    Sent,
    GivenUp,
    /// It may have arrived, and nobody will know.
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

/// What nobody else's text contains.
pub fn token(n: usize) -> String {
    format!("jeton-{n:06}.")
}

impl System {
    /// Where the database is, for the programs.
    pub fn database_url(&self) -> &str {
        let found = self.environment.iter().rfind(|(name, _)| name == "DATABASE_URL");
        &found.unwrap().1
    }

    /// Somebody with the address `{name}@client.example`.
    pub async fn person(&self, name: &str) -> i64 {
        self.account(name, "technicien").await.0
    }

    /// As many people.
    pub async fn people(&self, count: usize) -> Vec<i64> {
        let mut people = Vec::new();
        for n in 0..count {
            people.push(self.person(&format!("personne{n}")).await);
        }
        people
    }

    /// The token of an admin.
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

    /// Tells somebody something by mail; the id of the notification.
    pub async fn tell(&self, type_: &str, user_id: i64, intervention: &Value, text: &str) -> i64 {
        let new = json!({
            "type": type_, "canal": "email", "contenu": text,
            "intervention_id": intervention, "user_id": user_id,
        });
        self.post("/notifications", new).await["id"].as_i64().unwrap()
    }

    /// What became of the notifications of a person, by id, as the API says it.
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

    /// Waits until nothing more is to happen to what a person was told.
    pub async fn until_settled(&self, user_id: i64) {
        until("everything is sent, given up or in doubt", async || {
            !self.fates(user_id).await.values().any(|fate| *fate == Fate::Open)
        })
        .await;
    }

    /// A worker whose mails go to `relay`, with settings of its own.
    pub fn worker_to(&self, relay: &Relay, settings: &[(&str, &str)]) -> Program {
        let port = relay.port().to_string();
        let settings: Vec<_> =
            [("SMTP_PORT", port.as_str())].into_iter().chain(settings.iter().copied()).collect();
        self.worker_with(&settings)
    }
}

/// How many accepted copies say `token`.
pub fn copies(relay: &Relay, token: &str) -> usize {
    relay.accepted().iter().filter(|mail| mail.text().contains(token)).count()
}

/// Message-IDs under which readers got different things.
pub fn changed_contents(accepted: &[impl AsRef<Accepted>]) -> Vec<String> {
    let mut contents: HashMap<&str, u64> = HashMap::new();
    let mails = accepted.iter().map(AsRef::as_ref);
    mails
        .filter(|mail| *contents.entry(mail.message_id()).or_insert(mail.content) != mail.content)
        .map(|mail| mail.message_id().to_owned())
        .collect()
}

/// All tokens of a text, in their order.
pub fn tokens(text: &str) -> Vec<String> {
    let starts = text.match_indices("jeton-").map(|(start, _)| start);
    starts.filter_map(|start| text.get(start..start + token(0).len())).map(str::to_owned).collect()
}
