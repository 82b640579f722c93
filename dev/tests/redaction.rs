//! No secret, password or token is ever logged at any level: the real programs log at the most verbose levels while everything
//! that handles a secret is used, and fails.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and plays a mail server"
)]

mod support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use erp_core::{auth, digest};
use erp_dev::{
    postgres::{Config, Postgres},
    samples,
};
use reqwest::{StatusCode, multipart};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use support::{Program, System, command};

const DATABASE_PASSWORD: &str = "motdepassedelabase7Qx";
const SECRET_KEY: &str = "laclequisignelesjetons4f9a81c277de0b45";
const PREVIOUS_KEY: &str = "laclequilessignaitavant9b77de0b45c2";
const SMTP_PASSWORD: &str = "motdepassedurelais3Zk";
const SENTRY_KEY: &str = "laclechezsentry6Hj";
const S3_SECRET: &str = "secretdubucket8Wv";
const CLIENT_SECRET: &str = "secretduclientchezlefournisseur2Nd";
const CODE: &str = "lecodedufournisseur6Tb";
const PASSWORD: &str = "atlas pompe quai 4";
const NEW_PASSWORD: &str = "grue jaune bassin 9";
const WRONG_PASSWORD: &str = "mauvaisessai5Rt du matin";

/// Trace for our crates, and for the libraries that might log the most.
const LOG_LEVEL: &str = "debug,erp_core=trace,erp_api=trace,erp_worker=trace,sqlx::query=trace,handlebars::render=trace,\
    hyper=trace,reqwest=trace,object_store=trace,lettre=trace";

/// A relay that offers a login, refuses every login, and repeats the credentials in its refusal.
async fn refusing_relay() -> u16 {
    async fn attend(socket: TcpStream) -> Option<()> {
        let mut socket = BufReader::new(socket);
        socket.write_all(b"220 relay\r\n").await.ok()?;
        loop {
            let mut line = String::new();
            if socket.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let answer = match line.split_whitespace().next()? {
                "EHLO" => "250-relay\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                "AUTH" => format!("535 5.7.8 refused: {}\r\n", line.trim()),
                _ => "503 sign in first\r\n".to_owned(),
            };
            socket.write_all(answer.as_bytes()).await.ok()?;
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(attend(socket));
        }
    });
    port
}

/// A provider that refuses every code, and repeats in its refusal all that it was sent; its address.
async fn refusing_provider() -> String {
    async fn attend(mut socket: TcpStream, url: String) -> Option<()> {
        let mut request = vec![0; 16 * 1024];
        let length = socket.read(&mut request).await.ok()?;
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        let (status, body) = match request.split_whitespace().nth(1)? {
            "/.well-known/openid-configuration" => (
                "200 OK",
                json!({
                    "issuer": url, "authorization_endpoint": format!("{url}/authorize"),
                    "token_endpoint": format!("{url}/token"), "jwks_uri": format!("{url}/keys"),
                    "response_types_supported": ["code"], "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            "/keys" => ("200 OK", json!({ "keys": [] })),
            _ => (
                "400 Bad Request",
                json!({ "error": "invalid_grant", "error_description": request }),
            ),
        };
        let (body, kind) =
            (body.to_string(), "content-type: application/json\r\nconnection: close");
        let answer =
            format!("HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        socket.write_all(answer.as_bytes()).await.ok()
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(attend(socket, own.clone()));
        }
    });
    url
}

async fn post(system: &System, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let url = format!("{}/api/v1{path}", system.url);
    let request = system.client.post(url).bearer_auth(&system.token).form(form);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

async fn get(system: &System, url: &str) -> StatusCode {
    system.client.get(url).send().await.unwrap().status()
}

/// Texts that must be in the log; without them the test would prove nothing.
const KNOWN: [&str; 5] = ["DEBUG", "WARN", "emails", "535", "the database does not answer"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_no_secret_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let cluster = Config {
        guard: || Ok(env!("CARGO_BIN_EXE_erp-dev").into()),
        ..Config::durable(folder.path().join("postgres"))
    };
    let postgres = Postgres::start(&cluster).unwrap();
    let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
    connection.execute("create database erp").await.unwrap();
    let url = postgres.url("erp").replacen('@', &format!(":{DATABASE_PASSWORD}@"), 1);
    let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&url).unwrap();
    erp_core::migrate(&pool).await.unwrap();
    let relay = refusing_relay().await.to_string();
    let provider = refusing_provider().await;
    let settings = [
        ("SECRET_KEY", SECRET_KEY),
        ("SECRET_KEY_PREVIOUS", PREVIOUS_KEY),
        ("SMTP_PORT", relay.as_str()),
        ("SMTP_USER", "erp"),
        ("SMTP_PASSWORD", SMTP_PASSWORD),
        ("AWS_SECRET_ACCESS_KEY", S3_SECRET),
        // A provider without TLS.
        ("ENVIRONMENT", "dev"),
        ("OIDC_ISSUER", provider.as_str()),
        ("OIDC_CLIENT_ID", "erp"),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        // Nothing listens there.
        ("SENTRY_DSN", &format!("http://{SENTRY_KEY}@127.0.0.1:9/7")),
        ("LOG_LEVEL", LOG_LEVEL),
    ];
    let system = System::on_with(url, pool, &settings, Some(&log)).await;
    let environment = &system.environment;
    let worker = Program::start_recorded(&system.programs.worker, environment, &log);

    let mut secrets: Vec<String> = [
        DATABASE_PASSWORD,
        SECRET_KEY,
        PREVIOUS_KEY,
        SMTP_PASSWORD,
        S3_SECRET,
        CLIENT_SECRET,
        CODE,
        SENTRY_KEY,
        PASSWORD,
        NEW_PASSWORD,
        WRONG_PASSWORD,
        // The Base64 forms in SMTP of "\0erp\0motdepassedurelais3Zk", and of the password alone.
        "AGVycABtb3RkZXBhc3NlZHVyZWxhaXMzWms",
        "bW90ZGVwYXNzZWR1cmVsYWlzM1pr",
    ]
    .map(str::to_owned)
    .to_vec();
    secrets.push(system.token.clone());
    everybody_comes_and_goes(&system, &mut secrets).await;
    second_factor(&system, &mut secrets).await;
    by_the_company(&system, &mut secrets).await;
    mails_and_links(&system, &mut secrets).await;
    a_bucket_that_is_away(&system, &log).await;

    // Requests while the database is away.
    drop((connection, postgres));
    let (status, _) =
        post(&system, "/auth/login", &[("username", "responsable"), ("password", PASSWORD)]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    post(&system, "/auth/refresh", &[("refresh_token", &secrets[secrets.len() - 1])]).await;
    get(&system, &format!("{}/ready", system.url)).await;
    // Wait until all expected texts are logged.
    let missing = || {
        let log = std::fs::read_to_string(&log).unwrap();
        KNOWN.into_iter().find(|known| !log.contains(known))
    };
    let started = Instant::now();
    while let Some(known) = missing() {
        let late = started.elapsed() > Duration::from_mins(1);
        assert!(!late, "nothing of {known} was logged");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for args in [&["doctor"][..], &["health"]] {
        let said = command::run(&system.programs.worker, args, environment, "").await;
        must_not_tell(&format!("{said:?}"), &secrets);
    }
    drop(worker);
    let log = std::fs::read_to_string(&log).unwrap();
    // Each refused access is a log line with user, address and reason, for monitoring.
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused: Vec<Value> = lines.filter(|line| line["message"] == "access refused").collect();
    assert!(refused.iter().any(|line| line["reason"] == "code"), "the provider was not asked");
    for action in ["connexion_refusee", "mot_de_passe_refuse"] {
        let line = refused.iter().find(|line| line["action"] == action).unwrap();
        assert_eq!((&line["level"], &line["reason"]), (&json!("WARN"), &json!("mot_de_passe")));
        assert_eq!(line["client.address"], "127.0.0.1");
        assert!(line["user.id"].is_i64(), "{line}");
    }
    // Nor tokens that only the programs know: they all begin with the same header.
    secrets.push(secrets[secrets.len() - 1][..12].to_owned());
    must_not_tell(&log, &secrets);
}

fn must_not_tell(log: &str, secrets: &[String]) {
    for secret in secrets {
        // The secret part of a token is its end, the signature.
        let part = secret.rsplit('.').next().unwrap();
        let line = log.lines().find(|line| line.contains(part));
        assert!(line.is_none(), "{secret} is told: {line:?}");
    }
}

async fn everybody_comes_and_goes(system: &System, secrets: &mut Vec<String>) {
    let login = |password| [("username", "responsable"), ("password", password)];
    let (status, _) = post(system, "/auth/login", &login(WRONG_PASSWORD)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, body) = post(system, "/auth/login", &login(PASSWORD)).await;
    assert_eq!(status, StatusCode::OK);
    let text = |body: &Value, name: &str| body[name].as_str().unwrap().to_owned();
    let refresh = text(&body, "refresh_token");
    secrets.extend([text(&body, "access_token"), refresh.clone()]);
    let (status, body) = post(system, "/auth/refresh", &[("refresh_token", &refresh)]).await;
    assert_eq!(status, StatusCode::OK);
    let successor = text(&body, "refresh_token");
    secrets.extend([text(&body, "access_token"), successor.clone()]);
    // A repeat after a lost response gives the same successor.
    let (status, body) = post(system, "/auth/refresh", &[("refresh_token", &refresh)]).await;
    assert_eq!((status, text(&body, "refresh_token")), (StatusCode::OK, successor));
    secrets.push(text(&body, "access_token"));
    let (status, _) = post(system, "/auth/refresh", &[("refresh_token", "0123456789abcdef")]).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    // An invalid body that contains a password.
    let odd = json!({ "username": "responsable", "password": [WRONG_PASSWORD] });
    let url = format!("{}/api/v1/auth/login", system.url);
    let answer = system.client.post(&url).json(&odd).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let forged = format!("{}x", system.token);
    let me = format!("{}/api/v1/auth/me", system.url);
    let answer = system.client.get(&me).bearer_auth(&forged).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

/// Enrols a second factor, signs in by it, wrongly and rightly, and removes it. (Its codes of six digits are not looked for: any
/// number may hold the same.)
async fn second_factor(system: &System, secrets: &mut Vec<String>) {
    let text = |body: &Value, name: &str| body[name].as_str().unwrap().to_owned();
    let path = "/auth/second-factor";
    let (status, body) = post(system, "/auth/second-factor/enrol", &[("password", PASSWORD)]).await;
    assert_eq!(status, StatusCode::OK);
    let secret = text(&body, "secret");
    let phone = totp_rs::Secret::try_from_base32(&secret).unwrap();
    let phone = totp_rs::Builder::new().with_secret(phone).build().unwrap();
    secrets.push(secret);
    let now = u64::try_from(system.ctx.clock.now().timestamp()).unwrap();
    let code = phone.generate(now).to_string();
    let (status, body) = post(system, "/auth/second-factor/confirm", &[("code", &code)]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let codes: Vec<String> = serde_json::from_value(body["codes_secours"].clone()).unwrap();
    secrets.extend(codes.clone());
    secrets.extend(codes.iter().map(|code| code.replace('-', "")));
    let login = [("username", "responsable"), ("password", PASSWORD)];
    let (status, body) = post(system, "/auth/login", &login).await;
    assert_eq!(
        (status, &body["code"]),
        (StatusCode::UNAUTHORIZED, &json!("second_facteur_requis"))
    );
    let defi = text(&body, "defi");
    secrets.push(defi.clone());
    let form = |code: &str| {
        [("defi", defi.clone()), ("code", code.to_owned()), ("se_souvenir", "oui".to_owned())]
    };
    let named = async |code: &str| {
        let form = form(code);
        let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
        post(system, path, &form).await
    };
    assert_eq!(named("aaaa-aaaa-aaaa-aaaa-aaaa-aaaa").await.0, StatusCode::UNAUTHORIZED);
    let (status, body) = named(&codes[0]).await;
    assert_eq!(status, StatusCode::OK);
    secrets.extend(["access_token", "refresh_token", "appareil"].map(|name| text(&body, name)));
    let url = format!("{}/api/v1{path}", system.url);
    let proof = [("password", PASSWORD), ("code", &codes[1])];
    let removed = system.client.delete(url).bearer_auth(&system.token).form(&proof).send().await;
    assert_eq!(removed.unwrap().status(), StatusCode::NO_CONTENT);
}

/// Signs in at the provider, which refuses the code that it is shown.
async fn by_the_company(system: &System, secrets: &mut Vec<String>) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let oidc = format!("{}/api/v1/auth/oidc", system.url);
    let started = client.get(format!("{oidc}/start?suite=frontend")).send().await.unwrap();
    let header = |name: &str| started.headers()[name].to_str().unwrap().to_owned();
    let (location, cookie) = (header("location"), header("set-cookie"));
    let said = |name: &str| {
        let (_, rest) = location.split_once(&format!("{name}=")).unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    let (state, cookie) = (said("state"), cookie.split(';').next().unwrap().to_owned());
    let back = format!("{oidc}/callback?code={CODE}&state={state}");
    let refused = client.get(back).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    secrets.extend([state, said("nonce"), cookie.split_once('=').unwrap().1.to_owned()]);
}

async fn mails_and_links(system: &System, secrets: &mut Vec<String>) {
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(320, 240, 1)).await;
    system.until_ready(1).await;
    let new = json!({
        "type": "information", "canal": "email", "contenu": "Bonjour",
        "intervention_id": intervention, "user_id": system.boss_id,
    });
    system.post("/notifications", new).await;
    let base = format!("{}/api/v1", system.url);
    let documents = system.client.get(format!("{base}/documents/{intervention}"));
    let documents = documents.bearer_auth(&system.token).send().await.unwrap();
    let documents: Value = documents.json().await.unwrap();
    for name in ["url", "thumbnail_url"] {
        let address = format!("{}{}", system.url, documents[0][name].as_str().unwrap());
        assert_eq!(get(system, &address).await, StatusCode::OK);
        assert_eq!(get(system, &format!("{address}x")).await, StatusCode::UNAUTHORIZED);
        secrets.push(address.rsplit_once('=').unwrap().1.to_owned());
    }
    let calendar = system.post("/users/me/calendrier", json!({})).await;
    let jeton = calendar["jeton"].as_str().unwrap();
    secrets.push(jeton.to_owned());
    let planning = format!("{base}/planning/calendrier.ics?jeton={jeton}");
    assert_eq!(get(system, &planning).await, StatusCode::OK);
    assert_eq!(get(system, &format!("{planning}x")).await, StatusCode::UNAUTHORIZED);
    let (ctx, boss) = (&system.ctx, system.boss_id);
    // A digest contains an unsubscribe link with its own token.
    let mut tx = ctx.begin().await.unwrap();
    let jour = ctx.clock.now().date_naive();
    digest::open(&mut tx, boss, jour, ctx.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    let token = auth::unsubscribe_token(&ctx.keys, boss, ctx.clock.now()).unwrap();
    let link = format!("{base}/desabonnement?jeton={token}");
    assert!(get(system, &link).await.is_success());
    assert!(system.client.post(&link).send().await.unwrap().status().is_success());
    secrets.push(token);
    let refused = || {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from queue.jobs where queue = 'emails' and history is not null",
        )
    };
    let started = Instant::now();
    while refused().fetch_one(&ctx.pool).await.unwrap() == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "no digest was tried");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    secrets.push(forgotten_password(system).await);
    secrets.push(invitation(system).await);
    let change = [("current_password", WRONG_PASSWORD), ("new_password", NEW_PASSWORD)];
    assert_eq!(post(system, "/auth/change-password", &change).await.0, StatusCode::BAD_REQUEST);
    let change = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    assert_eq!(post(system, "/auth/change-password", &change).await.0, StatusCode::OK);
}

/// Asks for a link for a new password, whose mail cannot leave, and looks at its page; its secret.
async fn forgotten_password(system: &System) -> String {
    let ctx = &system.ctx;
    let email: String = sqlx::query_scalar("select email from users where id = $1")
        .bind(system.boss_id)
        .fetch_one(&ctx.pool)
        .await
        .unwrap();
    let asked = post(system, "/auth/forgot", &[("email", &email)]).await;
    assert_eq!(asked.0, StatusCode::ACCEPTED);
    let tried = "select l.id from liens_compte l where exists (
        select from queue.jobs where queue = 'emails.compte' and history is not null)";
    let started = Instant::now();
    let id = loop {
        if let Some(id) = sqlx::query_scalar(tried).fetch_optional(&ctx.pool).await.unwrap() {
            break id;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no link was tried");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let secret = ctx.account_links.secret(id);
    let page = format!("{}/api/v1/compte/mot-de-passe?jeton={secret}", system.url);
    assert_eq!(get(system, &page).await, StatusCode::OK);
    assert_eq!(get(system, &format!("{page}x")).await, StatusCode::NOT_FOUND);
    secret
}

/// Invites somebody, opens the page of the link, and tries to sign in by it; its secret.
async fn invitation(system: &System) -> String {
    let guest = json!({
        "username": "halaoui", "full_name": "Hicham Alaoui", "email": "h.alaoui@mif.example", "role": "technicien",
    });
    let id = system.post("/users/invitations", guest).await["id"].as_i64().unwrap();
    let id = sqlx::query_scalar("select id from liens_compte where user_id = $1")
        .bind(id)
        .fetch_one(&system.ctx.pool)
        .await
        .unwrap();
    let secret = system.ctx.account_links.secret(id);
    let page = format!("{}/api/v1/compte/invitation?jeton={secret}", system.url);
    assert_eq!(get(system, &page).await, StatusCode::OK);
    let link = post(system, "/auth/link", &[("jeton", &secret)]).await;
    assert_eq!(link.0, StatusCode::UNAUTHORIZED);
    secret
}

/// Starts another API, whose bucket does not answer, and uses it.
async fn a_bucket_that_is_away(system: &System, log: &Path) {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (bound, nobody) = (free().to_string(), format!("http://{}", free()));
    let environment = command::with(
        &system.environment,
        &[
            ("BIND_ADDR", &bound),
            ("UPLOAD_URL", "s3://erp/mif"),
            ("AWS_ENDPOINT_URL", &nobody),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "erp"),
        ],
    );
    let _api = Program::start_recorded(&system.programs.api, &environment, log);
    let ready = format!("http://{bound}/ready");
    while system.client.get(&ready).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(system, &ready).await, StatusCode::SERVICE_UNAVAILABLE);
    let login = [("username", "responsable"), ("password", NEW_PASSWORD)];
    let answer = system.client.post(format!("http://{bound}/auth/login")).form(&login).send().await;
    let body: Value = answer.unwrap().json().await.unwrap();
    let token = body["access_token"].as_str().unwrap();
    let photo = multipart::Part::bytes(samples::jpeg(320, 240, 2)).file_name("p.jpg");
    let url = format!("http://{bound}/documents?intervention_id=1");
    let form = multipart::Form::new().part("file", photo);
    let answer = system.client.post(url).bearer_auth(token).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}
