//! `cargo queries`: renews `.sqlx`. A separate program, since it must compile even when a new query keeps the other
//! programs from compiling.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use erp_dev::{postgres, queries};

/// Renew `.sqlx`, the descriptions of all queries that the code is checked against
#[derive(Parser)]
#[command(name = "cargo queries", bin_name = "cargo queries", version)]
struct Cli {
    /// Change nothing: fail when `.sqlx` is not up to date
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
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
    if let Some(code) = queries::as_rustc_wrapper() {
        return code;
    }
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match cli.command {
                Some(Command::Guard { args }) => postgres::guard_main(&args).await,
                None => queries::run(cli.check).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
