//! `cargo dev`: everything the ERP needs on one machine, started and stopped together.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use erp_dev::{postgres, run};

/// Run the API, its workers, a mailbox and a private PostgreSQL, until Ctrl-C.
#[derive(Parser)]
#[command(
    name = "cargo dev",
    bin_name = "cargo dev",
    version,
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: run::Options,
}

#[derive(Subcommand)]
enum Command {
    /// The process that stops PostgreSQL after us
    #[command(name = postgres::GUARD_COMMAND, hide = true)]
    Guard {
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut runtime = match cli.command {
        Some(Command::Guard { .. }) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let done = runtime.enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(async {
            match cli.command {
                Some(Command::Guard { args }) => postgres::guard_main(&args).await,
                None => run::run(&cli.options).await,
            }
        });
        runtime.shutdown_background(); // a thread may be waiting for input that never comes
        done
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
