//! `erp-api`: serves the REST interface, or runs one of the commands around it. Texts for the terminal are French.
mod commands;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use erp_core::{
    Config, Ctx,
    catalogue::QUEUES,
    health,
    keys::Keys,
    limits, local, mailer,
    operate::programs::{self, Tally},
    roots, shutdown, telemetry, time_rules,
};

use commands::{accounts, audit, keys, schema};

/// L'API REST de l'ERP MIF Maroc. Les réglages viennent de l'environnement et de .env : voir .env.example.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Sert l'API (par défaut).
    Serve,
    /// Amène le schéma de la base à jour (up, par défaut), le défait (down) ou le montre (status).
    #[command(args_conflicts_with_subcommands = true)]
    Migrate {
        #[command(subcommand)]
        what: Option<schema::Migrate>,
    },
    /// Dit si les réglages sont bons, et d'où vient chacun, sans rien démarrer ; les secrets restent masqués.
    CheckConfig,
    /// Remplit une base vide d'un petit jeu d'essai : quatre comptes, trois machines, trois interventions.
    Seed,
    /// Crée un compte administrateur. Le mot de passe est demandé, ou lu dans un fichier ou sur l'entrée standard.
    CreateAdmin(accounts::CreateAdmin),
    /// Examine l'audit : qui a fait quoi est-il toujours ce qui a été écrit ?
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Affiche le document OpenAPI.
    Openapi,
    /// Remplace la clé qui signe les jetons, sans déconnecter personne : l'ancienne les vérifie encore.
    RotateKeys(keys::RotateKeys),
    /// Demande à l'API lancée à côté (sur `BIND_ADDR`) si elle vit.
    Health,
}

#[tokio::main]
async fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    match command {
        Command::Openapi => {
            println!("{:#}", erp_api::openapi_document());
            return ExitCode::SUCCESS;
        }
        Command::Serve => {
            return match telemetry::start() {
                Ok(config) => ended(serve(config).await).await,
                Err(code) => code,
            };
        }
        _ => {}
    }
    // The other commands print sentences for a person, and write no log.
    let config = match Config::or_faults() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let done = match command {
        Command::Migrate { what } => schema::migrate(&config, what).await,
        Command::Seed => accounts::seed(config).await,
        Command::CreateAdmin(new) => accounts::create_admin(config, new).await,
        Command::Audit(what) => audit::audit(&config, what).await,
        Command::RotateKeys(options) => keys::rotate_keys(&config, &options),
        Command::Health => health::live(config.http.bind_addr).await,
        Command::CheckConfig => {
            print!("{}", config.sources);
            check(&config)
        }
        Command::Serve | Command::Openapi => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Checks settings that reading them does not check: files of keys, addresses, the names of queues.
fn check(config: &Config) -> anyhow::Result<()> {
    Keys::new(&config.auth)?;
    mailer::Mailer::new(&config.mail.smtp)?;
    let faults = config.worker.faults_of_queues(QUEUES);
    if let Some(fault) = faults.first() {
        anyhow::bail!("{fault}");
    }
    println!("fuseaux horaires : {}", local::rules::copies());
    println!("{}", roots::in_words());
    println!("Les réglages sont bons.");
    Ok(())
}

async fn ended(done: anyhow::Result<()>) -> ExitCode {
    let ended = match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped by an error");
            ExitCode::FAILURE
        }
    };
    tokio::task::spawn_blocking(telemetry::finish).await.ok();
    ended
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
    // No jobs run here.
    let (instance, tally) = (programs::own_name(), Tally::default());
    let onlookers = ctx.onlookers.clone();
    let stop = async {
        stop_requested().await;
        onlookers.close();
    };
    tokio::select! {
        () = erp_api::serve(listener, service, stop, grace) => {}
        never = Box::pin(time_rules::keep(&ctx, "erp-api")) => match never {},
        never = Box::pin(programs::keep(&ctx, "erp-api", &instance, &tally)) => match never {},
        () = limits::keep_exchanging(ctx.limits.clone(), ctx.pool.clone(), ctx.clock.clone()) => {}
    }
    tracing::info!("stopped");
    Ok(())
}

async fn stop_requested() {
    if let Err(error) = shutdown::requested().await {
        tracing::error!(%error, "signals cannot be received");
    }
}
