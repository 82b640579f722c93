//! Where the database is.
use std::{fmt, str::FromStr as _, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::PgConnectOptions;

use super::env::{Env, Secret};

#[derive(Clone)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`, or made from `POSTGRES_USER/PASSWORD/DB/HOST/PORT`. It usually contains the password.
    pub url: Secret,
    /// `DATABASE_MAX_CONNECTIONS` of this process (10).
    pub max_connections: u32,
    /// `DATABASE_STATEMENT_SECONDS` (10): the server ends a statement that takes longer.
    pub statement_limit: Duration,
    /// `DATABASE_APP_ROLE`: the role of the API and the workers, if it is not the owner of the schema. `erp-api migrate` grants
    /// it the rights that they need.
    pub app_role: Option<String>,
}

impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("place", &self.place())
            .field("max_connections", &self.max_connections)
            .field("statement_limit", &self.statement_limit)
            .field("app_role", &self.app_role)
            .finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    /// `user@host:port/database`: the URL without its password.
    #[must_use]
    pub fn place(&self) -> String {
        let Ok(options) = PgConnectOptions::from_str(self.url.reveal()) else {
            return "une adresse illisible".to_owned();
        };
        let (user, host) = (options.get_username(), options.get_host());
        format!("{user}@{host}:{}/{}", options.get_port(), options.get_database().unwrap_or(user))
    }

    pub(super) fn read(env: &mut Env) -> Self {
        let max_connections = env.parse(
            "DATABASE_MAX_CONNECTIONS",
            10,
            |n| (2..=500).contains(n),
            "un nombre de 2 à 500",
            "10",
        );
        let statement = env.parse(
            "DATABASE_STATEMENT_SECONDS",
            10,
            |n| (1..=600).contains(n),
            "un nombre de secondes de 1 à 600",
            "10",
        );
        Self {
            url: Secret::new(Self::url(env)),
            max_connections,
            statement_limit: Duration::from_secs(statement),
            app_role: env.text("DATABASE_APP_ROLE"),
        }
    }

    fn url(env: &mut Env) -> String {
        const EXAMPLE: &str = "postgres://erp:motdepasse@localhost:5432/erp";
        let Ok(given) = env.secret("DATABASE_URL") else { return String::new() };
        if let Some(url) = given {
            // The old backend's form, which names a Python driver.
            let url = url.replacen("postgresql+asyncpg://", "postgres://", 1);
            if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
                env.fault("DATABASE_URL", "l'adresse doit commencer par postgres://", EXAMPLE);
            }
            return url;
        }
        let (Some(user), Some(database)) = (env.text("POSTGRES_USER"), env.text("POSTGRES_DB"))
        else {
            env.fault("DATABASE_URL", "manque, et POSTGRES_USER avec POSTGRES_DB aussi", EXAMPLE);
            return String::new();
        };
        let host = env.text("POSTGRES_HOST").unwrap_or_else(|| "localhost".to_owned());
        let port: u16 = env.parse("POSTGRES_PORT", 5432, |p| *p > 0, "un port", "5432");
        let Ok(password) = env.secret("POSTGRES_PASSWORD") else { return String::new() };
        // By hand: `PgConnectOptions::to_url_lossy` escapes the password alone, and panics for some names of users.
        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (user, database) = (escape(&user), escape(&database));
        let password = password.map(|p| format!(":{}", escape(&p))).unwrap_or_default();
        format!("postgres://{user}{password}@{host}:{port}/{database}")
    }
}
