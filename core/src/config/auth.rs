//! Tokens and their keys.
use std::path::PathBuf;

use super::{
    Environment,
    env::{Env, Secret},
};

/// `ALGORITHM`: how tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtAlgorithm {
    Hs256,
    Rs256,
    EdDsa,
}

#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// `SECRET_KEY`: at least 32 characters outside `ENVIRONMENT=dev`.
    pub secret_key: Secret,
    /// `SECRET_KEY_PREVIOUS`: checks the tokens that it signed before the key was rotated, and signs none. With the next key
    /// set here ahead of a rotation, replicas that restart one by one accept each other's tokens.
    pub previous_secret_key: Option<Secret>,
    pub algorithm: JwtAlgorithm,
    /// `JWT_PRIVATE_KEY_FILE`: PEM, for RS256 and EdDSA.
    pub private_key_file: Option<PathBuf>,
    /// `JWT_PREVIOUS_KEY_FILE`: the previous private key (PEM); what `SECRET_KEY_PREVIOUS` is to HS256. Absent or empty: none.
    pub previous_key_file: Option<PathBuf>,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`
    pub access_token_minutes: i64,
    /// `REFRESH_TOKEN_EXPIRE_DAYS`: a session that is not used for so long ends.
    pub refresh_token_days: i64,
    /// `SESSION_MAX_DAYS` (90): a session ends after so long, however much it is used.
    pub session_days: i64,
    /// `AUDIT_DAYS` (730): how long the audit is kept, in whole days.
    pub audit_days: i64,
    /// `REQUIRE_2FA` (none): the roles whose people do nothing before they have a second factor.
    pub require_2fa: Vec<&'static str>,
}

/// The roles there are, by name. (A test of `users` compares them with the type, which stands above this module.)
pub const ROLES: [&str; 4] = ["admin", "responsable", "technicien", "client"];

impl AuthConfig {
    pub(super) fn read(env: &mut Env, environment: Environment) -> Self {
        const ALGORITHMS: &[(&str, JwtAlgorithm)] = &[
            ("HS256", JwtAlgorithm::Hs256),
            ("RS256", JwtAlgorithm::Rs256),
            ("EdDSA", JwtAlgorithm::EdDsa),
        ];
        let algorithm = env.one_of("ALGORITHM", ALGORITHMS, JwtAlgorithm::Hs256);
        let private_key_file = env.text("JWT_PRIVATE_KEY_FILE").map(PathBuf::from);
        if algorithm != JwtAlgorithm::Hs256 && private_key_file.is_none() {
            env.fault(
                "JWT_PRIVATE_KEY_FILE",
                "manque, et ALGORITHM en a besoin",
                "/run/secrets/jwt.pem",
            );
        }
        Self {
            secret_key: Self::secret_key(env, environment),
            previous_secret_key: Self::previous_secret_key(env, environment),
            algorithm,
            private_key_file,
            previous_key_file: env.text("JWT_PREVIOUS_KEY_FILE").map(PathBuf::from),
            access_token_minutes: env.parse(
                "ACCESS_TOKEN_EXPIRE_MINUTES",
                60,
                |n| (1..=24 * 60).contains(n),
                "un nombre de minutes de 1 à 1440",
                "60",
            ),
            refresh_token_days: env.parse(
                "REFRESH_TOKEN_EXPIRE_DAYS",
                30,
                |n| (1..=365).contains(n),
                "un nombre de jours de 1 à 365",
                "30",
            ),
            session_days: env.parse(
                "SESSION_MAX_DAYS",
                90,
                |n| (1..=365).contains(n),
                "un nombre de jours de 1 à 365",
                "90",
            ),
            audit_days: env.parse(
                "AUDIT_DAYS",
                730,
                |n| (1..=36_500).contains(n),
                "un nombre de jours de 1 à 36500",
                "730",
            ),
            require_2fa: Self::require_2fa(env),
        }
    }

    /// Whether people of `role` do nothing before they have a second factor.
    #[must_use]
    pub fn requires_second_factor(&self, role: &str) -> bool {
        self.require_2fa.contains(&role)
    }

    fn require_2fa(env: &mut Env) -> Vec<&'static str> {
        let text = env.text("REQUIRE_2FA").unwrap_or_default();
        let mut roles = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if let Some(role) = ROLES.into_iter().find(|role| role.eq_ignore_ascii_case(name)) {
                roles.push(role);
            } else {
                let known = ROLES.join(", ");
                let fault = format!("« {name} » est inconnu, les rôles sont {known}");
                env.fault("REQUIRE_2FA", fault, "admin,responsable");
            }
        }
        roles
    }

    fn secret_key(env: &mut Env, environment: Environment) -> Secret {
        let Ok(key) = env.secret("SECRET_KEY") else { return Secret::default() };
        let key = key.unwrap_or_default();
        if key.is_empty() {
            env.fault("SECRET_KEY", "manque", EXAMPLE);
        } else {
            Self::check(env, "SECRET_KEY", &key, environment);
        }
        Secret::new(key)
    }

    /// Tokens that it signed are accepted, so it must meet the same rules as the key that signs.
    fn previous_secret_key(env: &mut Env, environment: Environment) -> Option<Secret> {
        let key = env.passing_secret("SECRET_KEY_PREVIOUS").unwrap_or_default()?;
        Self::check(env, "SECRET_KEY_PREVIOUS", &key, environment);
        Some(Secret::new(key))
    }

    fn check(env: &mut Env, name: &'static str, key: &str, environment: Environment) {
        /// Keys from the examples of this backend and of the one before it.
        const KNOWN: [&str; 4] = ["changeme", "secret", "your-secret-key", "supersecret"];
        let weak = key.len() < 32 || KNOWN.iter().any(|k| key.to_ascii_lowercase().starts_with(k));
        if weak && environment != Environment::Dev {
            env.fault(name, "est trop courte ou connue (32 caractères au moins)", EXAMPLE);
        }
    }
}

const EXAMPLE: &str = "$(openssl rand -hex 32)";
