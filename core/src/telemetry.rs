//! Logs: one line an event, as JSON for machines or as text for people.
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::{LogConfig, LogFormat};

/// Starts logging to standard output; later calls change nothing.
pub fn init(config: &LogConfig) {
    // Statements of sqlx at debug carry values of users: never below info.
    let filter = EnvFilter::try_new(format!("{},sqlx=warn,hyper=info", config.level))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let _ = match config.format {
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false),
            )
            .try_init(),
        LogFormat::Text => registry.with(fmt::layer().with_target(false).compact()).try_init(),
    };
}
