//! A small provider (OIDC) that signs for real, and misbehaves on demand.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Form, Json, Router,
    body::Body,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use chrono::TimeDelta;
use erp_core::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

pub const CLIENT_ID: &str = "erp-mif";
/// Where it sends browsers back to.
const BACK: &str = "https://erp.example/api/v1/auth/oidc/callback";
pub const CLIENT_SECRET: &str = "secretduclient7Kp";

/// They were made for these tests, and open nothing else.
const RSA: &str = include_str!("rsa.pem");
const OTHER_RSA: &str = include_str!("other_rsa.pem");
const ED: &str = include_str!("ed25519.pem");

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Well,
    /// 503.
    Badly,
    Never,
    /// Without end.
    Hugely,
    /// By a redirection to the right answer.
    Elsewhere,
}

/// What signs ID tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signs {
    Rsa,
    /// The key after it, which it tells of from now on.
    Ed,
    /// By another key than it tells of, under the same name.
    Stranger,
    /// By the secret of the client (HS256).
    Secret,
    /// Not at all.
    Nothing,
}

pub struct Play {
    pub discovery: Manner,
    pub token: Manner,
    pub signs: Signs,
    /// Over the claims of a good ID token; null removes one.
    pub claims: Value,
    /// How often it was asked for its keys.
    pub keys_read: u32,
    /// What a code was given for: nonce and challenge.
    codes: HashMap<String, (String, String)>,
}

pub struct Provider {
    pub url: String,
    play: Arc<Mutex<Play>>,
    server: JoinHandle<()>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Stage {
    url: String,
    clock: Clock,
    play: Arc<Mutex<Play>>,
}

impl Provider {
    pub async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let play = Arc::new(Mutex::new(Play {
            discovery: Manner::Well,
            token: Manner::Well,
            signs: Signs::Rsa,
            claims: json!({}),
            keys_read: 0,
            codes: HashMap::new(),
        }));
        let stage = Stage { url: url.clone(), clock, play: play.clone() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/elsewhere", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(stage);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, play, server }
    }

    /// Changes how it behaves.
    pub fn set<T>(&self, change: impl FnOnce(&mut Play) -> T) -> T {
        change(&mut self.play.lock().unwrap())
    }

    /// The person who signs in there next.
    pub fn person(&self, sub: &str, email: &str) {
        let claims = json!({ "sub": sub, "email": email, "email_verified": true });
        self.set(|play| (play.claims, play.signs) = (claims, Signs::Rsa));
    }
}

/// The answer in this manner, if not the good one.
async fn mannered(manner: Manner) -> Option<Response> {
    match manner {
        Manner::Well => None,
        Manner::Badly => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
        Manner::Never => std::future::pending().await,
        Manner::Hugely => {
            let parts = std::iter::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 16 * 1024]));
            let body = Body::from_stream(futures_util::stream::iter(parts));
            Some(([(header::CONTENT_TYPE, "application/json")], body).into_response())
        }
        Manner::Elsewhere => Some(Redirect::temporary("/elsewhere").into_response()),
    }
}

async fn discovery(State(stage): State<Stage>, uri: axum::http::Uri) -> Response {
    let manner = stage.play.lock().unwrap().discovery;
    let is_elsewhere = uri.path() == "/elsewhere";
    if !is_elsewhere && let Some(answer) = mannered(manner).await {
        return answer;
    }
    let url = &stage.url;
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "HS256", "none"],
    }))
    .into_response()
}

async fn keys(State(stage): State<Stage>) -> Json<Value> {
    let mut play = stage.play.lock().unwrap();
    play.keys_read += 1;
    let mut all =
        vec![public(&EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap(), Algorithm::RS256)];
    if play.signs == Signs::Ed {
        all.push(public(&EncodingKey::from_ed_pem(ED.as_bytes()).unwrap(), Algorithm::EdDSA));
    }
    Json(json!({ "keys": all }))
}

fn public(key: &EncodingKey, algorithm: Algorithm) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(name(algorithm).to_owned());
    jwk
}

fn name(algorithm: Algorithm) -> &'static str {
    if algorithm == Algorithm::EdDSA { "second" } else { "first" }
}

async fn authorize(
    State(stage): State<Stage>,
    Query(asked): Query<HashMap<String, String>>,
) -> Redirect {
    assert_eq!((asked["client_id"].as_str(), asked["response_type"].as_str()), (CLIENT_ID, "code"));
    assert_eq!(
        (asked["scope"].as_str(), asked["code_challenge_method"].as_str()),
        ("openid email profile", "S256")
    );
    assert_eq!(asked["redirect_uri"], BACK);
    let code = format!("code-{}", uuid::Uuid::new_v4());
    let kept = (asked["nonce"].clone(), asked["code_challenge"].clone());
    stage.play.lock().unwrap().codes.insert(code.clone(), kept);
    let (back, given) = (&asked["redirect_uri"], &asked["state"]);
    // Providers add fields of their own.
    Redirect::to(&format!("{back}?code={code}&state={given}&session_state=x&iss=y"))
}

async fn token(
    State(stage): State<Stage>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let manner = stage.play.lock().unwrap().token;
    if let Some(answer) = mannered(manner).await {
        return answer;
    }
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["redirect_uri"], BACK);
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    assert_eq!(headers[header::AUTHORIZATION].to_str().unwrap(), basic);
    let mut play = stage.play.lock().unwrap();
    let given = play.codes.remove(&form["code"]).filter(|(_, challenge)| {
        *challenge == URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]))
    });
    let Some((nonce, _)) = given else {
        let refused = json!({ "error": "invalid_grant", "error_description": form["code"] });
        return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
    };
    let now = stage.clock.now();
    let mut claims = json!({
        "iss": stage.url, "aud": CLIENT_ID, "iat": now.timestamp(), "nonce": nonce,
        "exp": (now + TimeDelta::minutes(5)).timestamp(), "name": "Salma Bennani", "locale": "en-GB",
    });
    let all = claims.as_object_mut().unwrap();
    all.extend(play.claims.as_object().unwrap().clone());
    all.retain(|_, value| !value.is_null());
    let id_token = signed(play.signs, &claims);
    Json(json!({ "access_token": "acces", "token_type": "Bearer", "id_token": id_token }))
        .into_response()
}

fn signed(by: Signs, claims: &Value) -> String {
    let rsa = |pem: &str| EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let (algorithm, key) = match by {
        Signs::Rsa | Signs::Nothing => (Algorithm::RS256, rsa(RSA)),
        Signs::Stranger => (Algorithm::RS256, rsa(OTHER_RSA)),
        Signs::Ed => (Algorithm::EdDSA, EncodingKey::from_ed_pem(ED.as_bytes()).unwrap()),
        Signs::Secret => (Algorithm::HS256, EncodingKey::from_secret(CLIENT_SECRET.as_bytes())),
    };
    let header = Header { kid: Some(name(algorithm).to_owned()), ..Header::new(algorithm) };
    let token = jsonwebtoken::encode(&header, claims, &key).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    match by {
        Signs::Nothing => format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims)),
        _ => token,
    }
}
