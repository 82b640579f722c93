//! The settings of both programs, from the environment (and `.env` when present).
//! All faults of a configuration are reported together, one line each: the variable, its fault, a good example.
mod auth;
mod database;
mod decoder;
mod env;
mod http;
mod log;
mod mail;
mod oidc;
mod sla;
mod sources;
mod uploads;
mod worker;

use std::process::ExitCode;

pub use auth::{AuthConfig, JwtAlgorithm, ROLES};
pub use database::DatabaseConfig;
pub use decoder::DecoderConfig;
pub use env::{BY_FILE, Env, Secret, SettingFault};
pub use http::HttpConfig;
pub use log::{LogConfig, LogFormat};
pub use mail::{InDoubt, MailConfig};
pub use oidc::OidcConfig;
pub use sla::Sla;
pub use sources::{Source, Sources};
pub use uploads::{StorageConfig, UploadConfig};
pub use worker::WorkerConfig;

/// `ENVIRONMENT`: only `dev` accepts a weak `SECRET_KEY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    Production,
    Dev,
}

impl Environment {
    const ALL: &[(&str, Self)] = &[
        ("production", Self::Production),
        ("prod", Self::Production),
        ("dev", Self::Dev),
        ("development", Self::Dev),
        ("test", Self::Dev),
    ];
}

/// All settings of the programs.
#[derive(Debug, Clone)]
pub struct Config {
    pub environment: Environment,
    pub database: DatabaseConfig,
    pub auth: AuthConfig,
    /// Signing in by the provider of the company, if there is one.
    pub oidc: Option<OidcConfig>,
    pub http: HttpConfig,
    pub uploads: UploadConfig,
    pub mail: MailConfig,
    pub worker: WorkerConfig,
    pub decoder: DecoderConfig,
    /// `SLA_HOURS`
    pub sla: Sla,
    pub log: LogConfig,
    /// Where each setting came from.
    pub sources: Sources,
}

impl Config {
    /// Reads the configuration. Its faults are printed, one line each, and the exit code is 2.
    pub fn or_faults() -> Result<Self, ExitCode> {
        Self::from_env().map_err(|faults| {
            for fault in faults {
                eprintln!("{fault}");
            }
            ExitCode::from(2)
        })
    }

    /// Reads the process environment, and `.env` of the working directory, which never overrides it.
    pub fn from_env() -> Result<Self, Vec<SettingFault>> {
        Self::read(Env::process())
    }

    /// Reads `env`; returns the faults of all sections together.
    pub fn read(mut env: Env) -> Result<Self, Vec<SettingFault>> {
        let environment = env.one_of("ENVIRONMENT", Environment::ALL, Environment::Production);
        let mut config = Self {
            environment,
            database: DatabaseConfig::read(&mut env),
            auth: AuthConfig::read(&mut env, environment),
            oidc: OidcConfig::read(&mut env, environment),
            http: HttpConfig::read(&mut env),
            uploads: UploadConfig::read(&mut env),
            mail: MailConfig::read(&mut env),
            worker: WorkerConfig::read(&mut env),
            decoder: DecoderConfig::read(&mut env),
            sla: sla::read(&mut env),
            log: LogConfig::read(&mut env, environment),
            sources: Sources::default(),
        };
        if config.oidc.is_some()
            && environment != Environment::Dev
            && !config.http.public_url.starts_with("https://")
        {
            let fault = "doit être une adresse https : le fournisseur (OIDC_ISSUER) y ramène, avec un secret";
            env.fault("PUBLIC_URL", fault, "https://erp.mif-maroc.example");
        }
        config.sources = env.finish()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        Config::read(Env::from_pairs(pairs))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    const GOOD: [(&str, &str); 2] = [
        ("DATABASE_URL", "postgres://erp@localhost/erp"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
    ];

    #[test]
    fn defaults_are_those_of_the_contract() {
        let config = read(&GOOD).unwrap();
        assert_eq!(config.auth.access_token_minutes, 60);
        assert_eq!(config.auth.refresh_token_days, 30);
        assert_eq!((config.auth.session_days, config.auth.audit_days), (90, 730));
        assert_eq!(config.auth.require_2fa, [""; 0]);
        assert_eq!(config.uploads.max_bytes, 10 * 1024 * 1024);
        assert_eq!((config.uploads.quota_mib, config.uploads.public), (2048, false));
        assert!(config.http.docs_public);
        assert_eq!(config.http.cors_origins.len(), 3);
        assert_eq!(config.http.bind_addr.to_string(), "0.0.0.0:8000");
        assert_eq!(config.environment, Environment::Production);
    }

    #[test]
    fn a_list_of_origins_may_have_lost_its_quotes() {
        for text in [
            r#"["http://a.example/","http://b.example:8000"]"#,
            "[http://a.example, http://b.example:8000]",
            "http://a.example,http://b.example:8000/",
            "['http://a.example','http://b.example:8000']",
        ] {
            let config = read(&[&GOOD[..], &[("CORS_ALLOW_ORIGINS", text)]].concat()).unwrap();
            let origins = ["http://a.example", "http://b.example:8000"];
            assert_eq!(config.http.cors_origins, origins, "{text}");
        }
        for text in ["[]", "[http://a.example", "http://a.example,,", "a.example"] {
            let pairs = [&GOOD[..], &[("CORS_ALLOW_ORIGINS", text)]].concat();
            assert!(read(&pairs).unwrap_err()[0].starts_with("CORS_ALLOW_ORIGINS"), "{text}");
        }
    }

    #[test]
    fn the_roles_that_need_a_second_factor_are_named_and_exist() {
        let read = |text: &str| read(&[&GOOD[..], &[("REQUIRE_2FA", text)]].concat());
        assert_eq!(
            read(" Admin, responsable ,").unwrap().auth.require_2fa,
            ["admin", "responsable"]
        );
        let faults = read("admin,directeur").unwrap_err();
        assert!(faults[0].starts_with("REQUIRE_2FA : « directeur » est inconnu"), "{faults:?}");
    }

    #[test]
    fn a_provider_is_whole_and_gives_no_role_that_it_cannot_know() {
        let whole = [
            ("OIDC_ISSUER", "https://connexion.example"),
            ("OIDC_CLIENT_ID", "erp"),
            ("OIDC_CLIENT_SECRET", "tres-secret"),
            ("PUBLIC_URL", "https://erp.example"),
        ];
        let read = |more: &[(&str, &str)]| read(&[&GOOD[..], more].concat());
        assert!(read(&[]).unwrap().oidc.is_none());
        let oidc = read(&whole).unwrap().oidc.unwrap();
        assert_eq!(oidc.scopes, ["email", "profile"]);
        assert!(oidc.create_role.is_none() && !format!("{oidc:?}").contains("tres-secret"));

        let faults = read(&[whole[0], whole[3]]).unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        for (name, value) in [
            ("OIDC_ISSUER", "http://connexion.example"),
            ("OIDC_ISSUER", "https://connexion.example/?a=b"),
            ("OIDC_ISSUER", "https://"),
            ("OIDC_ISSUER", "https://u:p@connexion.example"),
            ("PUBLIC_URL", "http://erp.example"),
            ("OIDC_CREATE_ROLE", "client"),
            ("OIDC_CREATE_ROLE", "admin"),
            ("OIDC_CREATE_ROLE", "directeur"),
        ] {
            let mut pairs = whole.to_vec();
            pairs.retain(|(given, _)| *given != name);
            pairs.push((name, value));
            let faults = read(&pairs).unwrap_err();
            assert!(faults.len() == 1 && faults[0].starts_with(name), "{value}: {faults:?}");
        }
        let dev =
            [("ENVIRONMENT", "dev"), ("OIDC_ISSUER", "http://127.0.0.1:9"), whole[1], whole[2]];
        assert!(read(&dev).is_ok());
    }

    #[test]
    fn every_fault_is_reported_and_names_its_variable() {
        let faults = read(&[
            ("SECRET_KEY", "changeme"),
            ("SMTP_PORT", "smtp"),
            ("CORS_ALLOW_ORIGINS", "*"),
            ("LOG_FORMAT", "xml"),
            ("MAX_UPLOAD_BYTES", "-1"),
            ("SLA_HOURS", "urgente=2,haute=demain"),
            ("DECODER_MEMORY_MB", "64"),
            ("DECODER_CPU_SECONDS", "60"),
        ])
        .unwrap_err();
        for name in [
            "DATABASE_URL",
            "SECRET_KEY",
            "SMTP_PORT",
            "CORS_ALLOW_ORIGINS",
            "LOG_FORMAT",
            "MAX_UPLOAD_BYTES",
            "SLA_HOURS",
            "DECODER_MEMORY_MB",
            "DECODER_CPU_SECONDS",
        ] {
            assert_eq!(
                faults.iter().filter(|f| f.starts_with(name)).count(),
                1,
                "{name}: {faults:?}"
            );
        }
    }

    #[test]
    fn the_key_before_is_held_to_the_same_as_the_one_that_signs() {
        for weak in ["short", "changeme-changeme-changeme-changeme"] {
            let pairs = [GOOD[0], GOOD[1], ("SECRET_KEY_PREVIOUS", weak)];
            let faults = read(&pairs).unwrap_err();
            assert!(
                faults.len() == 1 && faults[0].starts_with("SECRET_KEY_PREVIOUS"),
                "{faults:?}"
            );
            let dev = [pairs[0], pairs[1], pairs[2], ("ENVIRONMENT", "dev")];
            assert!(read(&dev).unwrap().auth.previous_secret_key.is_some());
        }
        assert!(read(&GOOD).unwrap().auth.previous_secret_key.is_none());
    }

    #[test]
    fn the_parts_of_a_database_url_are_escaped() {
        let url = |user, password, host| {
            let parts = [
                ("POSTGRES_USER", user),
                ("POSTGRES_PASSWORD", password),
                ("POSTGRES_HOST", host),
                ("POSTGRES_DB", "mif"),
                ("SECRET_KEY", GOOD[1].1),
            ];
            read(&parts).unwrap().database.url.reveal().to_owned()
        };
        assert_eq!(url("erp", "p@ss/word", "db"), "postgres://erp:p%40ss%2Fword@db:5432/mif");
        assert_eq!(
            url("é@/", ":@/%é", "db"),
            "postgres://%C3%A9%40%2F:%3A%40%2F%25%C3%A9@db:5432/mif"
        );
        let options: PgConnectOptions = url("é@/", ":@/%é", "[::1]").parse().unwrap();
        assert_eq!((options.get_username(), options.get_host()), ("é@/", "[::1]"));
        assert_eq!(options.get_database(), Some("mif"));
    }

    #[test]
    fn secrets_never_show_in_debug_output_nor_among_the_sources() {
        let mut pairs = GOOD.to_vec();
        pairs[0].1 = "postgres://erp:tres-secret@localhost/erp?password=tres-secret";
        pairs.extend([("SMTP_PASSWORD", "tres-secret")]);
        pairs.push(("SECRET_KEY_PREVIOUS", "tres-secret, et assez long pour signer"));
        let s3 = [("UPLOAD_URL", "s3://b"), ("AWS_ACCESS_KEY_ID", "id")];
        pairs.extend(s3.iter().chain(&[("AWS_SECRET_ACCESS_KEY", "tres-secret")]));
        let config = read(&pairs).unwrap();
        let shown = format!("{config:?} {}", config.sources);
        assert!(!shown.contains("tres-secret") && !shown.contains(GOOD[1].1), "{shown}");
        assert!(shown.contains("erp@localhost:5432/erp"), "{shown}");
    }

    #[test]
    fn a_secret_comes_by_file_and_its_source_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            std::fs::write(folder.path().join(name), content).unwrap();
            folder.path().join(name).display().to_string()
        };
        let (key, mail) =
            (file("key", &format!("{}\n", GOOD[1].1)), file("mail", " tres secret \n"));
        let absent = folder.path().join("absent").display().to_string();
        let config = read(&[
            GOOD[0],
            ("SECRET_KEY_FILE", &key),
            ("SMTP_PASSWORD_FILE", &mail),
            ("SECRET_KEY_PREVIOUS_FILE", &absent),
        ])
        .unwrap();
        assert_eq!(config.auth.secret_key.reveal(), GOOD[1].1);
        assert_eq!(config.mail.smtp.password.as_deref(), Some("tres secret"));
        assert!(
            config.auth.previous_secret_key.is_none(),
            "its file comes with the first rotation"
        );
        let shown = config.sources.to_string();
        assert!(shown.contains(&format!("= ***   (fichier {key})")), "{shown}");

        let faults = read(&[
            GOOD[0],
            GOOD[1],
            ("SECRET_KEY_FILE", &key),
            ("SMTP_PASSWORD_FILE", &absent),
            ("SECRET_KEY_PREVIOUS_FILE", folder.path().to_str().unwrap()),
        ])
        .unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        for names in
            ["SECRET_KEY et par SECRET_KEY_FILE", "SMTP_PASSWORD_FILE", "SECRET_KEY_PREVIOUS_FILE"]
        {
            assert!(faults.iter().any(|fault| fault.contains(names)), "{names}: {faults:?}");
        }
        let empty = file("empty", "\n");
        let faults = read(&[GOOD[0], ("SECRET_KEY_FILE", &empty)]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(
            faults[0].starts_with("SECRET_KEY_FILE : ") && faults[0].contains("vide"),
            "{faults:?}"
        );
    }

    #[test]
    fn every_secret_may_come_by_file() {
        let folder = tempfile::tempdir().unwrap();
        let given = BY_FILE.map(|name| {
            let content = match name {
                "SENTRY_DSN" => "https://0123456789abcdef@h/1",
                _ => "postgres://u:0123456789abcdef0123456789abcdef@h/d",
            };
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            (format!("{name}_FILE"), file)
        });
        let mut pairs: Vec<_> =
            given.iter().map(|(name, file)| (name.as_str(), file.to_str().unwrap())).collect();
        pairs.extend([("UPLOAD_URL", "s3://b"), ("AWS_ACCESS_KEY_ID", "id")]);
        pairs.extend([("OIDC_ISSUER", "https://c.example"), ("OIDC_CLIENT_ID", "erp")]);
        pairs.push(("PUBLIC_URL", "https://erp.example"));
        let whole = read(&pairs).unwrap();
        pairs.retain(|(name, _)| *name != "DATABASE_URL_FILE");
        pairs.extend([("POSTGRES_USER", "u"), ("POSTGRES_DB", "d")]);
        let parts = read(&pairs).unwrap();
        for (name, (_, file)) in BY_FILE.into_iter().zip(&given) {
            let config = if name == "POSTGRES_PASSWORD" { &parts } else { &whole };
            assert_eq!(config.sources.file_of(name), Some(file.as_path()), "{name}");
        }
    }
}
