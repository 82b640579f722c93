//! What is logged, and how.
use super::env::Env;

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
}

impl LogConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        const FORMATS: &[(&str, LogFormat)] =
            &[("json", LogFormat::Json), ("text", LogFormat::Text)];
        let level = env.text("LOG_LEVEL").unwrap_or_else(|| "info".to_owned()).to_lowercase();
        if level.parse::<tracing_subscriber::filter::Targets>().is_err() {
            env.fault("LOG_LEVEL", format!("« {level} » n'est pas un niveau"), "info");
        }
        Self { level, format: env.one_of("LOG_FORMAT", FORMATS, LogFormat::Json) }
    }
}
