//! `erp-api audit`: checks whether the rows of the audit are still as they were written.
use anyhow::Context as _;
use clap::Subcommand;
use erp_core::{
    Config,
    audit::{self, Broken},
    secret,
};
use sqlx::{Connection as _, PgConnection};

#[derive(Subcommand)]
pub enum Audit {
    /// Suit la chaîne de chaque jour : dit chaque ligne changée, enlevée ou ajoutée après coup. Ne change rien ; code 1 si l'une l'est.
    Verify,
}

pub async fn audit(config: &Config, what: Audit) -> anyhow::Result<()> {
    let Audit::Verify = what;
    let mut db = PgConnection::connect(config.database.url.reveal())
        .await
        .with_context(|| format!("la base {} ne répond pas", config.database.place()))?;
    #[expect(clippy::disallowed_methods, reason = "a connection of its own")]
    let mut tx = db.begin_with("begin isolation level repeatable read read only").await?;
    let found = audit::verify(&mut tx).await?;
    println!(
        "{} lignes de {} jours suivies ; {} jours élagués, dont seule la dernière empreinte est gardée.",
        found.rows, found.days, found.pruned
    );
    if let Some((jour, lignes, empreinte)) = &found.last {
        println!(
            "Fin de la chaîne, à noter ailleurs : {jour}, ligne {lignes}, {}",
            secret::hex(empreinte)
        );
    }
    if found.broken.is_empty() {
        println!("Rien n'a été changé, enlevé ni ajouté.");
        return Ok(());
    }
    for broken in &found.broken {
        eprintln!("{}", sentence(broken));
    }
    anyhow::bail!("l'audit n'est pas ce qui a été écrit : {} anomalies", found.broken.len())
}

fn sentence(broken: &Broken) -> String {
    match broken {
        Broken::Changed { jour, id } => format!("{jour} : la ligne {id} a été changée"),
        Broken::Gap { jour, id } => {
            format!("{jour} : avant la ligne {id}, une ligne a été enlevée ou ajoutée")
        }
        Broken::End { jour, expected, found } => {
            format!(
                "{jour} : {found} lignes, où la chaîne en a eu {expected}, ou sa fin est une autre"
            )
        }
        Broken::Unsealed { id } => format!("la ligne {id} n'est d'aucune chaîne"),
        Broken::Day { jour } => {
            format!("{jour} : ce jour ne suit pas celui d'avant, un jour a été enlevé")
        }
        Broken::Orphans { jour, rows } => {
            format!("{jour} : {rows} lignes d'un jour qui n'a pas de chaîne")
        }
    }
}
