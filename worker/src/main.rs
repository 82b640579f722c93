//! `erp-worker`: runs the jobs. As many processes as one likes share the work.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use erp_core::{Config, Ctx, health, shutdown, telemetry};
use erp_worker::{Settings, http, preview};

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
    /// Ask the worker that runs beside this process (on `WORKER_BIND_ADDR`) whether it lives.
    Health,
    /// Write every e-mail to a folder, in all its variants; needs no settings.
    PreviewMails {
        /// Made if it is not there.
        #[arg(default_value = "mails")]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Run);
    if let Command::PreviewMails { folder } = command {
        return preview_mails(&folder);
    }
    let config = match Config::at_start() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(async {
            match command {
                Command::Health => health::live(config.worker.bind_addr).await,
                _ => run(config).await,
            }
        });
        // A file that is being decoded would hold up the end; its job has been handed back.
        runtime.shutdown_background();
        done
    });
    let ended = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    };
    telemetry::finish();
    ended
}

/// Says what it did on the terminal: there is no log without settings.
fn preview_mails(folder: &Path) -> ExitCode {
    match preview::write(folder) {
        Ok(count) => {
            println!("{count} mails: {}", folder.join("index.html").display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error:#}", folder.display());
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    let ctx = Ctx::new(config)?;
    let settings = Settings::new(&ctx);
    let port = http::bind(ctx.config.worker.bind_addr).await?;
    tracing::info!(instance = settings.instance, address = %port.local_addr()?, "running");
    tokio::select! {
        done = erp_worker::run(&ctx, &settings, shutdown::requested()) => done?,
        // It answers until the last job has ended.
        ended = http::serve(port, ctx.clone()) => ended?,
    }
    tracing::info!("stopped");
    Ok(())
}
