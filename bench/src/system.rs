//! The system that is measured: `cargo dev --release`, without its demo data.
use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::{
    load::{json_request, request},
    process::Child,
};

/// Of the accounts that are made for a measurement.
const PASSWORD: &str = "Un banc de mesure, 2026";
/// How long a start may take: the first one builds the programs.
const START_LIMIT: Duration = Duration::from_mins(30);

/// A running system with its own database, empty but for the admin, a machine and one intervention.
#[derive(Debug)]
pub struct System {
    /// Where the API listens.
    pub address: SocketAddr,
    /// The process of the API.
    pub api_pid: u32,
    /// The process of the one worker.
    pub worker_pid: u32,
    pub database_url: String,
    pub username: String,
    pub password: String,
    /// An access token of the admin.
    pub token: String,
    /// The id of the admin.
    pub user_id: i64,
    /// The intervention to read and to attach files to.
    pub intervention_id: i64,
    client: reqwest::Client,
    _process: Child,
    _dir: tempfile::TempDir,
}

impl System {
    /// Starts the system on free ports, without rate limits.
    pub async fn start() -> anyhow::Result<Self> {
        // reqwest is built without a TLS provider of its own. A second call has no effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir()?;
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let log = fs::File::create(dir.path().join("output"))?;
        let mut command = Command::new("cargo");
        command
            .args([
                "dev",
                "--release",
                "--no-demo",
                "--port",
                "0",
                "--smtp-port",
                "0",
                "--mail-port",
                "0",
                "--dir",
            ])
            .arg(dir.path())
            .current_dir(workspace)
            .env("RATE_LIMIT_PER_MINUTE", "0")
            .env("LOGIN_LIMIT_PER_MINUTE", "0")
            .stdout(Stdio::null())
            .stderr(log);
        let mut process = Child::start(&mut command)?;
        let env = ready(&mut process, dir.path()).await?;
        let value = |name: &str| env.get(name).cloned().with_context(|| format!("no {name}"));
        let url = value("API_URL")?;
        let client = reqwest::Client::new();
        let (username, password) = (value("ADMIN_USERNAME")?, value("ADMIN_PASSWORD")?);
        let form = [("username", &username), ("password", &password)];
        let tokens: Value = client
            .post(format!("{url}/auth/login"))
            .form(&form)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let mut system = Self {
            address: url.trim_start_matches("http://").parse()?,
            api_pid: value("API_PID")?.parse()?,
            worker_pid: value("WORKER_PIDS")?.parse()?,
            database_url: value("DATABASE_URL")?,
            username,
            password,
            token: tokens["access_token"].as_str().context("no token")?.to_owned(),
            user_id: 0,
            intervention_id: 0,
            client,
            _process: process,
            _dir: dir,
        };
        system.user_id = system.get("/auth/me").await?["id"].as_i64().context("no id")?;
        system.intervention_id = system.open_intervention().await?;
        Ok(system)
    }

    async fn open_intervention(&self) -> anyhow::Result<i64> {
        let machine = json!({"nom": "Pompe P1", "type": "Pompe", "localisation": "Safi"});
        let machine = self.post("/equipements", &machine).await?;
        let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine["id"]});
        self.post("/interventions", &new).await?["id"].as_i64().context("no id")
    }

    /// Creates `count` techniciens, and returns for each a request that opens an intervention for it.
    pub async fn openings(&self, count: usize) -> anyhow::Result<Vec<Request<Full<Bytes>>>> {
        let machine = self.get(&format!("/interventions/{}", self.intervention_id)).await?["equipement"]["id"].clone();
        let mut requests = Vec::new();
        for n in 0..count {
            let user = self.user(&format!("banc{n}")).await?;
            let technicien = json!({"user_id": user["id"], "equipe": "Banc"});
            let technicien = self.post("/techniciens", &technicien).await?;
            let new = json!({
                "titre": "Fuite", "type": "corrective", "equipement_id": machine, "technicien_id": technicien["id"],
            });
            requests.push(json_request("/api/v1/interventions", &self.token, &new)?);
        }
        Ok(requests)
    }

    /// Creates `count` accounts, and returns for each a request that signs in to it. Of one account only five attempts are judged
    /// at once.
    pub async fn sign_ins(&self, count: usize) -> anyhow::Result<Vec<Request<Full<Bytes>>>> {
        let mut requests = Vec::new();
        for n in 0..count {
            let name = format!("entree{n}");
            self.user(&name).await?;
            let form = format!("username={name}&password={PASSWORD}");
            requests.push(request(Method::POST, "/api/v1/auth/login", None, Some(&form))?);
        }
        Ok(requests)
    }

    async fn user(&self, name: &str) -> anyhow::Result<Value> {
        let user = json!({
            "username": name, "email": format!("{name}@example.com"), "full_name": name, "role": "technicien",
            "password": PASSWORD,
        });
        self.post("/users", &user).await
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.client.get(self.url(path)).bearer_auth(&self.token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.client.post(self.url(path)).bearer_auth(&self.token).json(body);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    /// Uploads `bytes` as a file of the intervention.
    pub async fn upload(&self, name: &str, bytes: bytes::Bytes) -> anyhow::Result<()> {
        let part = reqwest::multipart::Part::stream(bytes).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("file", part);
        let path = format!("/documents/upload?intervention_id={}", self.intervention_id);
        let response = self
            .client
            .post(self.url(&path))
            .bearer_auth(&self.token)
            .multipart(form)
            .send()
            .await?;
        let status = response.status();
        ensure!(status == 201, "{status}: {}", response.text().await?);
        Ok(())
    }

    /// How many documents are `ready`.
    pub async fn ready_documents(&self) -> anyhow::Result<usize> {
        self.documents(&["ready"]).await
    }

    /// How many documents are `ready` or `failed`.
    pub async fn ended_documents(&self) -> anyhow::Result<usize> {
        self.documents(&["ready", "failed"]).await
    }

    async fn documents(&self, statuses: &[&str]) -> anyhow::Result<usize> {
        let path = format!("/documents/{}?limit=200", self.intervention_id);
        let rows = self.get(&path).await?;
        let rows = rows.as_array().context("no list")?;
        let is_one = |row: &&Value| statuses.iter().any(|status| row["status"] == *status);
        Ok(rows.iter().filter(is_one).count())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Waits until all is ready, and returns the variables that `cargo dev` writes then.
async fn ready(process: &mut Child, dir: &Path) -> anyhow::Result<HashMap<String, String>> {
    let started = Instant::now();
    loop {
        if let Ok(text) = fs::read_to_string(dir.join("env")) {
            let pairs = text.lines().filter_map(|line| line.split_once('='));
            return Ok(pairs
                .map(|(k, v)| (k.to_owned(), v.trim_matches(['\'', '"']).to_owned()))
                .collect());
        }
        let said = || fs::read_to_string(dir.join("output")).unwrap_or_default();
        ensure!(process.runs(), "cargo dev has ended:\n{}", said());
        ensure!(started.elapsed() < START_LIMIT, "cargo dev is not ready:\n{}", said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
