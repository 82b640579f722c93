//! `cargo dev`: what is started, in which order, and how it ends.

mod build;
mod database;
mod fleet;
mod folder;
mod ports;
mod program;
mod ready;
mod seed;
mod stages;
mod stop;
mod watch;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
pub use build::{Programs, programs};
use clap::Args;
pub use seed::{Account, Accounts};

use crate::MailSink;
use fleet::Fleet;
use folder::Folder;
use stages::Stages;

/// The options of `cargo dev`. A port of 0 means any free one.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Port of the API
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// How many worker processes
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Where everything is kept: data, mails, files, logs
    #[arg(long, default_value = ".dev")]
    dir: PathBuf,
    /// Port of the mail server
    #[arg(long, default_value_t = 1025)]
    smtp_port: u16,
    /// Port of the mailbox page
    #[arg(long, default_value_t = 8025)]
    mail_port: u16,
    /// Create the administrator only, no demo data
    #[arg(long)]
    no_demo: bool,
    /// Build with optimisations
    #[arg(long)]
    release: bool,
    /// Build anew what changes in the sources, and start it again (not on Windows, where a program that runs cannot be replaced)
    #[arg(long)]
    watch: bool,
    /// Run the programs in this folder instead of building them
    #[arg(long, hide = true)]
    bin_dir: Option<PathBuf>,
}

/// Variables of the processes that we start.
pub type Environment = BTreeMap<&'static str, String>;

/// Runs everything until it is told to stop, then stops it. When this returns, no process that it started is left, and
/// everything that it keeps is in the folder.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let mut stop = stop::Signals::listen()?;
    let folder = Folder::open(&options.dir)?;
    let mut fleet = Fleet::default();
    let ended = tokio::select! {
        ended = start_and_watch(options, &folder, &mut fleet) => ended,
        () = stop.received() => Ok(()),
    };
    folder.remove_env();
    if fleet.stop(&mut stop).await {
        eprintln!("Stopped. Everything is kept in {}.", folder.path().display());
    }
    ended
}

async fn start_and_watch(
    options: &Options,
    folder: &Folder,
    fleet: &mut Fleet,
) -> anyhow::Result<()> {
    let mut stages = Stages::begin();
    let port = ports::choose("--port", options.port)?;
    let smtp = ports::choose("--smtp-port", options.smtp_port)?;
    let page = ports::listen("--mail-port", options.mail_port).await?;
    let mail_url = format!("http://{}", page.local_addr()?);
    let mail = MailSink::start(ports::local(smtp), folder.join("mails"))?;
    let pages = mail.router();
    fleet.mail = Some(mail);

    // In this order: the guard of the database is this same program, which the build may replace.
    let database = database::open(folder.join("postgres")).await?;
    stages.done("PostgreSQL runs, its schema is up to date");
    let programs = build::programs(options.bin_dir.as_deref(), options.release).await?;
    stages.done("erp-api and erp-worker are built");
    let environment = environment(folder, &database.url, port, smtp)?;
    let accounts = seed::seed(&database.url, &environment, options.no_demo).await?;
    stages.done("The accounts and the demo data are there");
    let database_url = database.url.clone();
    fleet.database = Some(database);

    let logs = folder.join("logs");
    fleet.start("api", &programs.api, &environment, &logs);
    for n in 1..=options.workers {
        fleet.start(&format!("worker-{n}"), &programs.worker, &environment, &logs);
    }
    let restarts = fleet.restarts();
    let serve = async { axum::serve(page, pages).await.context("the mailbox page") };
    let watch = async {
        tokio::select! {
            ready = ready::wait(ports::local(port)) => ready?,
            error = fleet.first_death() => return Err(error),
        }
        stages.done("The API and its workers are ready");
        let facts =
            Facts { api_url: format!("http://127.0.0.1:{port}"), mail_url, database_url, smtp };
        facts.announce(&accounts);
        loop {
            folder.write_env(&facts.env(&accounts, fleet))?;
            fleet.changed().await;
        }
    };
    let renew = async {
        if options.watch {
            watch::watch(options, &programs, &environment, restarts).await
        } else {
            std::future::pending().await
        }
    };
    tokio::select! { ended = serve => ended, ended = watch => ended, ended = renew => ended }
}

fn environment(
    folder: &Folder,
    database_url: &str,
    port: u16,
    smtp_port: u16,
) -> anyhow::Result<Environment> {
    Ok(BTreeMap::from([
        ("DATABASE_URL", database_url.to_owned()),
        ("BIND_ADDR", ports::local(port).to_string()),
        ("ENVIRONMENT", "dev".to_owned()),
        ("SECRET_KEY", folder.secret()?),
        ("SMTP_HOST", "127.0.0.1".to_owned()),
        ("SMTP_PORT", smtp_port.to_string()),
        ("SMTP_TLS", "none".to_owned()),
        ("EMAILS_FROM_EMAIL", "erp@mif-maroc.example".to_owned()),
        ("UPLOAD_DIRECTORY", folder.join("uploads").display().to_string()),
        // An empty value counts as unset: what the user's shell or `.env` holds for another system must not apply here.
        ("UPLOAD_URL", String::new()),
        ("SMTP_USER", String::new()),
        ("SMTP_PASSWORD", String::new()),
        ("SECRET_KEY_PREVIOUS", String::new()),
        ("SECRET_KEY_FILE", String::new()),
        ("SECRET_KEY_PREVIOUS_FILE", String::new()),
        ("DATABASE_URL_FILE", String::new()),
        ("SMTP_PASSWORD_FILE", String::new()),
        ("WORKER_QUEUES", String::new()),
        // Several workers run on one machine: each takes a free port, which it logs.
        ("WORKER_BIND_ADDR", ports::local(0).to_string()),
        ("ENABLE_SCHEDULER", String::new()),
        ("FRONTEND_URL", "http://localhost:3000".to_owned()),
        ("PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        // Short: people who try things out look at the mailbox at once.
        ("EMAILS_GROUP_SECONDS", "10".to_owned()),
        ("SLA_HOURS", String::new()),
        ("LOG_FORMAT", "text".to_owned()),
        ("NO_COLOR", if std::io::stdout().is_terminal() { "" } else { "1" }.to_owned()),
        // If we are killed, the end of their input tells them to stop.
        ("ERP_STOP_ON_STDIN_EOF", "1".to_owned()),
    ]))
}

/// The facts that one needs to use what runs.
struct Facts {
    api_url: String,
    mail_url: String,
    database_url: String,
    smtp: u16,
}

impl Facts {
    fn announce(&self, accounts: &Accounts) {
        let mut lines = vec![
            String::new(),
            format!("  API          {}", self.api_url),
            format!("  Docs         {}/docs", self.api_url),
            format!("  Console      {}/console", self.api_url),
            format!("  Mailbox      {}", self.mail_url),
            format!("  Database     {}", self.database_url),
        ];
        for account in std::iter::once(&accounts.admin).chain(&accounts.others) {
            let Account { role, username, password, .. } = account;
            lines.push(format!("  {role:<12} {username} / {password}"));
        }
        lines.push("\n  Ctrl-C stops everything.\n".to_owned());
        program::print_line(&lines.join("\n"));
    }

    fn env(&self, accounts: &Accounts, fleet: &Fleet) -> Vec<(&'static str, String)> {
        vec![
            ("API_URL", self.api_url.clone()),
            ("MAIL_URL", self.mail_url.clone()),
            ("DATABASE_URL", self.database_url.clone()),
            ("SMTP_PORT", self.smtp.to_string()),
            ("ADMIN_USERNAME", accounts.admin.username.clone()),
            ("ADMIN_PASSWORD", accounts.admin.password.clone()),
            ("ADMIN_EMAIL", accounts.admin.email.clone()),
            ("API_PID", fleet.pids("api")),
            ("WORKER_PIDS", fleet.pids("worker")),
        ]
    }
}
