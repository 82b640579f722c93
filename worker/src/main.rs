//! `erp-worker`: runs the jobs. As many processes as one likes share the work.
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use erp_core::{Config, Ctx, shutdown};
use erp_worker::Settings;

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the jobs (the default).
    Run,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Run = Cli::parse().command.unwrap_or(Command::Run);
    let config = match Config::at_start() {
        Ok(config) => config,
        Err(code) => return code,
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let ctx = Ctx::new(config)?;
    let settings = Settings::new(&ctx);
    tracing::info!(instance = settings.instance, "running");
    erp_worker::run(&ctx, &settings, shutdown::requested()).await?;
    tracing::info!("stopped");
    Ok(())
}
