//! How the API is reached.
use std::net::SocketAddr;

use ipnet::IpNet;

use super::env::Env;

#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `BIND_ADDR` (0.0.0.0:8000)
    pub bind_addr: SocketAddr,
    /// `PUBLIC_URL` (`FRONTEND_URL`), without a slash at its end: the public address of this API, for links in mails and
    /// calendars. By default the frontend's proxy serves both.
    pub public_url: String,
    /// `CORS_ALLOW_ORIGINS`: separated by commas, with or without the brackets and quotes of a JSON list.
    pub cors_origins: Vec<String>,
    /// `PUBLIC_EQUIPEMENTS`: equipment is readable without a token, as in the old backend.
    pub public_equipements: bool,
    /// `REQUIRE_IF_MATCH`: an edit must say which version it was made from; by default this is optional.
    pub require_if_match: bool,
    /// `DOCS_PUBLIC` (true): everybody may read the documentation of the API, and not only users who are signed in.
    pub docs_public: bool,
    /// `RATE_LIMIT_PER_MINUTE` (300): requests of one user, or of one address without a token; 0 is no limit.
    pub rate_limit_per_minute: u32,
    /// `LOGIN_LIMIT_PER_MINUTE` (20): attempts to sign in from one address; 0 is no limit.
    pub login_limit_per_minute: u32,
    /// `TRACE_URL_TEMPLATE`: the address of the trace of a request, with `{request_id}` in it, which the console links to.
    pub trace_url: Option<String>,
    /// `TRUSTED_PROXIES`: addresses or networks whose `X-Forwarded-For` is believed; none by default.
    pub trusted_proxies: Vec<IpNet>,
}

impl HttpConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        const DEFAULT: &str = "http://localhost:3000,http://localhost:5173,http://localhost:8000";
        let origins = env.text("CORS_ALLOW_ORIGINS").unwrap_or_else(|| DEFAULT.to_owned());
        let cors_origins = list(&origins);
        let good = |o: &String| o.starts_with("http://") || o.starts_with("https://");
        if cors_origins.iter().any(|o| o == "*") {
            env.fault(
                "CORS_ALLOW_ORIGINS",
                "« * » est refusé : les réponses portent des identifiants",
                DEFAULT,
            );
        } else if !cors_origins.iter().all(good) {
            env.fault(
                "CORS_ALLOW_ORIGINS",
                format!("« {origins} » n'est pas une liste d'origines"),
                DEFAULT,
            );
        }
        let bind_addr = env.parse(
            "BIND_ADDR",
            SocketAddr::from(([0, 0, 0, 0], 8000)),
            |_| true,
            "une adresse et un port",
            "0.0.0.0:8000",
        );
        let public_equipements =
            env.parse("PUBLIC_EQUIPEMENTS", false, |_| true, "true ou false", "false");
        let require_if_match =
            env.parse("REQUIRE_IF_MATCH", false, |_| true, "true ou false", "false");
        let docs_public = env.parse("DOCS_PUBLIC", true, |_| true, "true ou false", "true");
        let own = env.text("PUBLIC_URL");
        let is_own = own.is_some();
        let public_url = own.or_else(|| env.text("FRONTEND_URL"));
        let public_url = public_url.unwrap_or_else(|| "http://localhost:3000".to_owned());
        if is_own && !public_url.starts_with("http://") && !public_url.starts_with("https://") {
            let fault = format!("« {public_url} » n'est pas une adresse web");
            env.fault("PUBLIC_URL", fault, "https://erp.mif-maroc.example");
        }
        let trace_url = env.text("TRACE_URL_TEMPLATE");
        if let Some(url) = &trace_url {
            let is_web = url.starts_with("http://") || url.starts_with("https://");
            if !is_web || !url.contains("{request_id}") {
                let fault = format!("« {url} » n'est pas une adresse web avec {{request_id}}");
                env.fault(
                    "TRACE_URL_TEMPLATE",
                    fault,
                    "https://traces.mif-maroc.example/?q={request_id}",
                );
            }
        }
        Self {
            bind_addr,
            public_url: public_url.trim_end_matches('/').to_owned(),
            cors_origins,
            public_equipements,
            require_if_match,
            docs_public,
            trace_url,
            rate_limit_per_minute: Self::limit(env, "RATE_LIMIT_PER_MINUTE", 300, "300"),
            login_limit_per_minute: Self::limit(env, "LOGIN_LIMIT_PER_MINUTE", 20, "20"),
            trusted_proxies: Self::proxies(env),
        }
    }

    fn limit(env: &mut Env, name: &'static str, default: u32, example: &'static str) -> u32 {
        let expected = "un nombre de requêtes par minute (0 : sans limite)";
        env.parse(name, default, |n| *n <= 1_000_000, expected, example)
    }

    fn proxies(env: &mut Env) -> Vec<IpNet> {
        let Some(text) = env.text("TRUSTED_PROXIES") else { return Vec::new() };
        let network = |item: &str| {
            item.parse().or_else(|_| item.parse::<std::net::IpAddr>().map(IpNet::from))
        };
        let networks: Result<Vec<IpNet>, _> =
            text.split(',').map(|item| network(item.trim())).collect();
        let fault = match networks {
            // A trusted proxy may send any address: if all are trusted, the address of a client is unknown.
            Ok(networks) if networks.iter().any(|network| network.prefix_len() == 0) => {
                format!("« {text} » est le monde entier : nommez les mandataires")
            }
            Ok(networks) => return networks,
            Err(std::net::AddrParseError { .. }) => {
                format!("« {text} » n'est pas une liste d'adresses ou de réseaux")
            }
        };
        env.fault("TRUSTED_PROXIES", fault, "127.0.0.1,172.30.8.1");
        Vec::new()
    }
}

/// The items of a JSON list, with or without its quotes (`.env` and shells remove them), or of one separated by commas.
fn list(text: &str) -> Vec<String> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let item = |item: &str| item.trim().trim_matches(['"', '\'']).trim_end_matches('/').to_owned();
    inner.split(',').map(item).collect()
}
