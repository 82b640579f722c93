//! Logs: one line an event, as JSON for machines or as text for people.
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::{LogConfig, LogFormat};

/// Libraries whose details carry values of users, and the most that they may say: statements of sqlx, what handlebars puts
/// into a mail (links with tokens among it), conversations. `LOG_LEVEL` cannot ask for more, not even by name.
const DISCREET: [(&str, Level); 9] = [
    ("sqlx", Level::WARN),
    ("handlebars", Level::INFO),
    ("hyper", Level::INFO),
    ("h2", Level::INFO),
    ("reqwest", Level::INFO),
    ("object_store", Level::INFO),
    ("lettre", Level::INFO),
    ("rustls", Level::INFO),
    ("tower_http", Level::INFO),
];

fn may_be_told(metadata: &Metadata<'_>) -> bool {
    let limit = DISCREET.iter().find(|(library, _)| metadata.target().starts_with(library));
    limit.is_none_or(|(_, most)| metadata.level() <= most)
}

/// Starts logging to standard output; later calls change nothing.
pub fn init(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_told));
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
