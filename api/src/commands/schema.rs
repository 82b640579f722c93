//! `erp-api migrate`: migrates the schema up or down, or shows its state.
use anyhow::Context as _;
use clap::Subcommand;
use erp_core::{
    Config,
    migrate::{self, Granted, MigrationState},
};
use sqlx::PgPool;

#[derive(Subcommand)]
pub enum Migrate {
    /// Applique les migrations qui manquent. Sans danger à relancer, et à plusieurs à la fois.
    Up,
    /// Défait les dernières migrations. Dit d'abord ce qui serait perdu ; n'agit qu'avec --yes.
    #[command(group(clap::ArgGroup::new("until").required(true)))]
    Down {
        /// La dernière migration à garder (migrate status les montre) ; 0 : aucune.
        #[arg(long, value_name = "VERSION", group = "until")]
        to: Option<i64>,
        /// Combien défaire, en partant de la dernière appliquée.
        #[arg(long, value_name = "N", group = "until", value_parser = clap::value_parser!(u32).range(1..))]
        steps: Option<u32>,
        /// Oui, ce qui est annoncé peut être perdu.
        #[arg(long)]
        yes: bool,
    },
    /// Montre chaque migration : appliquée, en attente, modifiée depuis, ou d'une version plus récente.
    Status,
}

pub async fn migrate(config: &Config, what: Option<Migrate>) -> anyhow::Result<()> {
    // Not the pool of the API, whose statements have a time limit: building an index may take longer.
    let pool = PgPool::connect(config.database.url.reveal())
        .await
        .with_context(|| format!("la base {} ne répond pas", config.database.place()))?;
    match what.unwrap_or(Migrate::Up) {
        Migrate::Up => {
            migrate::migrate(&pool).await?;
            println!("Le schéma est à jour.");
            grant(&pool, config).await
        }
        Migrate::Down { to, steps, yes } => {
            let to = match steps {
                Some(steps) => migrate::before(&pool, steps).await?,
                None => to.unwrap_or_default(),
            };
            down(&pool, to, yes).await
        }
        Migrate::Status => status(&pool).await,
    }
}

/// Grants the role of the programs the rights that they need, if it is another role than the one that migrates.
async fn grant(pool: &PgPool, config: &Config) -> anyhow::Result<()> {
    match migrate::grant(pool, config).await? {
        Granted::OneRole => {}
        Granted::To(role) => {
            println!("Le rôle {role} a les droits qu'il faut à l'API et aux workers.");
        }
        Granted::Unknown(role) => anyhow::bail!(
            "DATABASE_APP_ROLE : il n'y a pas de rôle « {role} » dans ce Postgres ; deploy/postgres/roles.sql le crée \
             (docs/RUNBOOK.md, « Deux rôles dans la base »). Le schéma, lui, est à jour."
        ),
    }
    Ok(())
}

async fn status(pool: &PgPool) -> anyhow::Result<()> {
    for migration in migrate::migrations(pool).await? {
        let state = match migration.state {
            MigrationState::Applied => "appliquée",
            MigrationState::Pending => "en attente",
            MigrationState::Changed => "MODIFIÉE depuis qu'elle a été appliquée",
            MigrationState::Dirty => "INACHEVÉE",
            MigrationState::Unknown => "plus récente que ce programme",
        };
        println!("{}  {:<20}  {state}", migration.version, migration.description);
    }
    Ok(())
}

async fn down(pool: &PgPool, to: i64, yes: bool) -> anyhow::Result<()> {
    let steps = migrate::undoing(pool, to).await?;
    if steps.is_empty() {
        println!("Rien à défaire : aucune migration n'est appliquée au-delà de {to}.");
        return Ok(());
    }
    let verb = if yes { "Défait" } else { "Serait défait" };
    for step in &steps {
        println!("{verb} : {} {}", step.version, step.description);
        for lost in &step.removes {
            println!("    perdu : {lost}");
        }
    }
    if !yes {
        anyhow::bail!(
            "Rien n'a été changé. Sauvegardez la base (pg_dump), arrêtez l'API et les workers, puis relancez avec --yes."
        );
    }
    migrate::undo(pool, to).await?;
    println!("Le schéma est celui de la version {to}.");
    Ok(())
}
