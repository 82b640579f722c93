//! What is logged, and how.
use super::{
    Environment,
    env::{Env, Secret},
};

/// `LOG_FORMAT`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `LOG_LEVEL`: a level, or directives such as `info,erp_worker=debug`.
    pub level: String,
    pub format: LogFormat,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: where traces go, over HTTP; unset: nowhere.
    pub otlp_endpoint: Option<String>,
    /// The environment that errors are reported with.
    pub environment: &'static str,
    /// `SENTRY_DSN`: where errors are sent, besides the log; unset: nowhere. It contains a key.
    pub sentry_dsn: Option<Secret>,
}

impl LogConfig {
    pub(super) fn read(env: &mut Env, environment: Environment) -> Self {
        const FORMATS: &[(&str, LogFormat)] =
            &[("json", LogFormat::Json), ("text", LogFormat::Text)];
        let level = env.text("LOG_LEVEL").unwrap_or_else(|| "info".to_owned()).to_lowercase();
        if level.parse::<tracing_subscriber::filter::Targets>().is_err() {
            env.fault("LOG_LEVEL", format!("« {level} » n'est pas un niveau"), "info");
        }
        let otlp_endpoint = env.text("OTEL_EXPORTER_OTLP_ENDPOINT");
        if let Some(url) = &otlp_endpoint
            && !url.starts_with("http://")
            && !url.starts_with("https://")
        {
            let fault = format!("« {url} » n'est pas une adresse web");
            env.fault("OTEL_EXPORTER_OTLP_ENDPOINT", fault, "http://localhost:4318");
        }
        let sentry_dsn = env.secret("SENTRY_DSN").unwrap_or_default();
        if sentry_dsn.as_ref().is_some_and(|dsn| dsn.parse::<sentry::types::Dsn>().is_err()) {
            let example = "https://cle@sentry.mif-maroc.example/1";
            env.fault("SENTRY_DSN", "ce n'est pas une adresse de Sentry", example);
        }
        Self {
            level,
            format: env.one_of("LOG_FORMAT", FORMATS, LogFormat::Json),
            otlp_endpoint: otlp_endpoint.map(|url| url.trim_end_matches('/').to_owned()),
            environment: match environment {
                Environment::Production => "production",
                Environment::Dev => "dev",
            },
            sentry_dsn: sentry_dsn.map(Secret::new),
        }
    }
}
