//! How the API is reached.
use std::net::SocketAddr;

use super::env::Env;

#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `BIND_ADDR` (0.0.0.0:8000)
    pub bind_addr: SocketAddr,
    /// `CORS_ALLOW_ORIGINS`: a JSON list, or separated by commas.
    pub cors_origins: Vec<String>,
    /// `PUBLIC_EQUIPEMENTS`: equipment is readable without a token, as in the old backend.
    pub public_equipements: bool,
}

impl HttpConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        const DEFAULT: &str = "http://localhost:3000,http://localhost:5173,http://localhost:8000";
        let origins = env.text("CORS_ALLOW_ORIGINS").unwrap_or_else(|| DEFAULT.to_owned());
        let cors_origins: Vec<String> = match serde_json::from_str(&origins) {
            Ok(list) => list,
            Err(_) => {
                origins.split(',').map(|o| o.trim().trim_end_matches('/').to_owned()).collect()
            }
        };
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
        Self { bind_addr, cors_origins, public_equipements }
    }
}
