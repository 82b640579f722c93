//! A client that repeats each request until it is accepted, and records what was accepted.
use std::{
    collections::HashSet,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use erp_dev::samples;
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::{System, faults::token};

/// A request that hangs for longer has failed. The API answers within its own limits, of 30 s at most.
const REQUEST: Duration = Duration::from_secs(45);
/// Types of both kinds: those that are sent again when in doubt, and those that are not.
const TYPES: [&str; 4] = ["information", "alerte", "affectation", "rappel"];

/// What the API has accepted.
#[derive(Debug, Default)]
pub struct Accepted {
    pub mails: Vec<Mail>,
    pub photos: Vec<i64>,
    pub deleted: Vec<i64>,
    /// The stems of the file names of all accepted photos, the removed ones included.
    pub stems: HashSet<String>,
    /// Uploads that were refused, or got no answer.
    pub refused_photos: usize,
    /// The tokens of mails that were refused, or whose request got no answer: such mails may exist.
    pub unknown: Vec<String>,
    /// Requests with a 503 (all with `Retry-After`), a refused connection, or no answer.
    pub refused: usize,
}

#[derive(Debug, Clone)]
pub struct Mail {
    pub id: i64,
    pub token: String,
    pub at: Instant,
}

/// Clones share their counters and records.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    people: Vec<i64>,
    /// The user whose address the mail server refuses.
    pub refused: i64,
    intervention: Value,
    photo: Arc<Vec<u8>>,
    next: Arc<AtomicUsize>,
    pub accepted: Arc<Mutex<Accepted>>,
}

impl Client {
    pub async fn of(stage: &Stage) -> Self {
        let refused = stage.system.person("refuse.lui").await;
        Self::on(&stage.system, stage.people.clone(), refused).await
    }

    pub async fn on(system: &System, people: Vec<i64>, refused: i64) -> Self {
        Self {
            http: reqwest::Client::builder().timeout(REQUEST).build().unwrap(),
            url: system.url.clone(),
            token: system.token.clone(),
            people,
            refused,
            intervention: system.intervention().await,
            photo: Arc::new(samples::jpeg(320, 240, 1)),
            next: Arc::default(),
            accepted: Arc::default(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    /// The body of an accepted request; `None` if it was refused, or got no answer.
    async fn ask(&self, request: RequestBuilder) -> Option<Value> {
        if let Ok(answer) = request.send().await {
            let (status, retry) = (answer.status(), answer.headers().contains_key("retry-after"));
            if let Ok(body) = answer.bytes().await {
                // A 404 is the repeat of a deletion that was done, but whose answer was lost.
                if status.is_success() || status == 404 {
                    return Some(serde_json::from_slice(&body).unwrap_or(Value::Null));
                }
                assert!(status == 503 && retry, "{status}: {}", String::from_utf8_lossy(&body));
            }
        }
        self.accepted.lock().unwrap().refused += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    }

    /// Sends a notification to the next person, with a new text at each attempt, until one is accepted.
    pub async fn mail(&self) -> Mail {
        loop {
            let n = self.next.fetch_add(1, Relaxed);
            if let Some(id) = self
                .tell(TYPES[n % TYPES.len()], self.people[n % self.people.len()], &token(n))
                .await
            {
                let mail = Mail { id, token: token(n), at: Instant::now() };
                self.accepted.lock().unwrap().mails.push(mail.clone());
                return mail;
            }
            self.accepted.lock().unwrap().unknown.push(token(n));
        }
    }

    /// Sends a notification whose mail will be refused; its id.
    pub async fn tell_the_refused(&self) -> i64 {
        loop {
            if let Some(id) = self.tell("alerte", self.refused, "Refusé").await {
                return id;
            }
        }
    }

    async fn tell(&self, type_: &str, user_id: i64, text: &str) -> Option<i64> {
        let new = json!({
            "type": type_, "canal": "email", "contenu": text,
            "intervention_id": self.intervention, "user_id": user_id,
        });
        let made = self.ask(self.request(Method::POST, "/notifications").json(&new)).await?;
        Some(made["id"].as_i64().unwrap())
    }

    pub async fn photo(&self) -> i64 {
        let path = format!("/documents?intervention_id={}", self.intervention);
        loop {
            let file = multipart::Part::bytes(self.photo.to_vec()).file_name("p.jpg");
            let form = multipart::Form::new().part("file", file);
            if let Some(made) = self.ask(self.request(Method::POST, &path).multipart(form)).await {
                let id = made["id"].as_i64().unwrap();
                let path = Path::new(made["path"].as_str().unwrap());
                let mut accepted = self.accepted.lock().unwrap();
                accepted.photos.push(id);
                accepted.stems.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
                return id;
            }
            self.accepted.lock().unwrap().refused_photos += 1;
        }
    }

    pub async fn delete(&self, id: i64) {
        let path = format!("/documents/{id}");
        while self.ask(self.request(Method::DELETE, &path)).await.is_none() {}
        let mut accepted = self.accepted.lock().unwrap();
        accepted.photos.retain(|photo| *photo != id);
        accepted.deleted.push(id);
    }

    /// All rows of a list, over all its pages.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        loop {
            let page = format!("{path}?limit=200&sort=id&offset={}", rows.len());
            let Some(Value::Array(more)) = self.ask(self.request(Method::GET, &page)).await else {
                continue;
            };
            if more.is_empty() {
                return rows;
            }
            rows.extend(more);
        }
    }

    /// Whether a recent photo is ready; false also when the request fails.
    pub async fn is_ready(&self, id: i64) -> bool {
        let request = self.request(Method::GET, "/documents?limit=200&sort=-id");
        let rows = self.ask(request).await.unwrap_or_default();
        let rows = rows.as_array().into_iter().flatten();
        rows.filter(|row| row["id"] == id).any(|row| row["status"] == "ready")
    }
}
