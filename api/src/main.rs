//! `erp-api`: serves the REST interface, or prepares its database.
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use erp_core::{Config, Ctx, health, limits, migrate, shutdown};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default).
    Serve,
    /// Bring the database schema up to date.
    Migrate,
    /// Say whether the configuration is good, without starting anything.
    CheckConfig,
    /// Ask the API that runs beside this process (on `BIND_ADDR`) whether it lives.
    Health,
    /// Print the OpenAPI document.
    Openapi,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    if matches!(command, Command::Openapi) {
        println!("{:#}", erp_api::openapi_document());
        return ExitCode::SUCCESS;
    }
    let config = match Config::at_start() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let done = match command {
        Command::Serve => serve(config).await,
        Command::Migrate => migrate_database(&config).await,
        Command::Health => health::live(config.http.bind_addr).await,
        Command::CheckConfig => {
            println!("{config:#?}");
            Ok(())
        }
        Command::Openapi => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let address = config.http.bind_addr;
    let ctx = Ctx::new(config)?;
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .with_context(|| format!("BIND_ADDR={address}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    let service = erp_api::service(&ctx);
    let grace = ctx.config.worker.shutdown_timeout;
    tokio::select! {
        () = erp_api::serve(listener, service, stop_requested(), grace) => {}
        () = limits::keep_exchanging(ctx) => {}
    }
    tracing::info!("stopped");
    Ok(())
}

async fn stop_requested() {
    if let Err(error) = shutdown::requested().await {
        tracing::error!(%error, "signals cannot be received");
    }
}

async fn migrate_database(config: &Config) -> anyhow::Result<()> {
    // A pool of its own: building an index may take longer than any statement of a request.
    let pool = sqlx::PgPool::connect(config.database.url.reveal()).await?;
    migrate(&pool).await?;
    tracing::info!("the schema is up to date");
    Ok(())
}
