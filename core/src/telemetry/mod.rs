//! Logs: one line an event, as JSON for machines or as text for people. Where it is configured, spans go out as
//! OpenTelemetry traces as well, and errors to Sentry.
mod plain;
mod traces;

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use opentelemetry_sdk::trace::SdkTracerProvider;
use sentry::{
    ClientOptions,
    integrations::tracing::{BreadcrumbLayer, ErrorLayer},
};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

pub use self::traces::{adopt, traceparent};
use crate::{
    Config,
    config::{LogConfig, LogFormat},
};

/// Libraries whose detailed logs carry values of users, each with the most detailed level that is logged: statements of sqlx,
/// what handlebars puts into a mail (links with tokens among it), conversations. `LOG_LEVEL` cannot ask for more, not even by
/// the name of the library.
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

/// The clients whose traces and errors must be sent before the program ends.
static UNSENT: Mutex<(Option<SdkTracerProvider>, Option<sentry::ClientInitGuard>)> =
    Mutex::new((None, None));

/// Reads the configuration of a program, and starts logging. Faults of the configuration are printed, and the exit code is 2.
pub fn start() -> Result<Config, ExitCode> {
    let config = Config::or_faults()?;
    init(&config.log);
    Ok(config)
}

/// Starts logging to standard output; later calls change nothing.
pub fn init(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (json, text) = match config.format {
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_current_span(true);
            (Some(layer.with_span_list(false)), None)
        }
        LogFormat::Text => {
            let layer = fmt::layer().with_target(false).compact();
            (None, Some(layer.with_timer(plain::TimeOfDay).fmt_fields(plain::Fields)))
        }
    };
    // Neither client has a TLS provider of its own; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let provider = config.otlp_endpoint.as_deref().and_then(traces::provider);
    let started = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(may_be_told))
        .with(json)
        .with(text)
        .with(provider.as_ref().map(traces::layer))
        .with(
            config.sentry_dsn.as_ref().map(|_| ErrorLayer::new().and_then(BreadcrumbLayer::new())),
        )
        .try_init();
    if started.is_ok() {
        let sentry = config.sentry_dsn.as_ref().map(|dsn| {
            let options = ClientOptions::new().dsn(dsn.reveal()).environment(config.environment);
            sentry::init(options.release(env!("CARGO_PKG_VERSION")))
        });
        *UNSENT.lock().unwrap_or_else(PoisonError::into_inner) = (provider, sentry);
    }
}

/// Sends the traces and errors that wait to be sent, within some seconds. Blocks: only for the end of a program.
pub fn finish() {
    let (provider, sentry) =
        std::mem::take(&mut *UNSENT.lock().unwrap_or_else(PoisonError::into_inner));
    if let Some(Err(error)) = provider.map(|provider| provider.shutdown()) {
        tracing::warn!(%error, "the last traces were not sent");
    }
    drop(sentry);
}
