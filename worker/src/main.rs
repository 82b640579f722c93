//! `erp-worker`: runs the jobs. Any number of these processes share the work. Texts for a person at a terminal are French.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use erp_core::{Config, Ctx, catalogue::QUEUES, health, shutdown, telemetry};
use erp_worker::{Settings, doctor, documents::decoder, emails::preview, http};

/// Un worker de l'ERP MIF Maroc : photos, documents, e-mails, planifications. Les réglages viennent de l'environnement et de
/// .env : voir .env.example.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Exécute les tâches (par défaut). Autant de workers que l'on veut se partagent le travail.
    Run,
    /// Examine ce dont le système a besoin : réglages, base, schéma, files, workers, fichiers, SMTP, horloge, planifications.
    /// N'envoie aucun e-mail. Une ligne chacun, avec quoi faire ; le code de sortie est 0 si rien n'est en échec.
    Doctor,
    /// Demande au worker lancé à côté (sur `WORKER_BIND_ADDR`) s'il vit.
    Health,
    /// Écrit tous les e-mails, dans toutes leurs variantes, dans un dossier ; n'a besoin d'aucun réglage.
    PreviewMails {
        /// Créé s'il n'existe pas.
        #[arg(default_value = "mails")]
        folder: PathBuf,
    },
    /// Lit un fichier pour un worker, sans droits ni réglages : le worker le lance lui-même.
    #[command(hide = true)]
    Decode { extension: String, len: usize, memory: u64, seconds: u64 },
}

fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Run);
    if let Command::PreviewMails { folder } = command {
        return preview_mails(&folder);
    }
    if let Command::Decode { extension, len, memory, seconds } = command {
        return decoder::decode(&extension, len, memory, seconds);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    if matches!(command, Command::Doctor) {
        return examine(runtime);
    }
    if matches!(command, Command::Health) {
        return ask(runtime);
    }
    let config = match telemetry::start() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let faults = config.worker.faults_of_queues(QUEUES);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        return ExitCode::from(2);
    }
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(on_a_worker(run(config)));
        // A thread that is still blocked would delay the end; its job has been handed back.
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

/// Runs `work` as a task on a thread of the runtime, and returns its outcome. On the thread of `block_on`, each attempt
/// would be passed to another thread and back.
async fn on_a_worker(
    work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "it is waited for")]
    tokio::spawn(work).await?
}

/// Asks the worker beside this process whether it lives. Whatever watches over a container calls this every few seconds, so
/// it logs nothing and starts nothing.
fn ask(runtime: std::io::Result<tokio::runtime::Runtime>) -> ExitCode {
    let config = match Config::or_faults() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let alive = runtime.map_err(anyhow::Error::from);
    match alive.and_then(|runtime| runtime.block_on(health::live(config.worker.bind_addr))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the doctor. It also starts with faulty settings, because it reports their faults.
fn examine(runtime: std::io::Result<tokio::runtime::Runtime>) -> ExitCode {
    match runtime {
        Ok(runtime) => {
            let healthy = runtime.block_on(doctor::examine(Config::from_env()));
            // A check that timed out may still hold a thread.
            runtime.shutdown_background();
            if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes all mails to `folder`. Reports on the terminal: there is no log without settings.
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
        // The port answers until the last job has ended.
        ended = http::serve(port, ctx.clone()) => ended?,
    }
    tracing::info!("stopped");
    Ok(())
}
