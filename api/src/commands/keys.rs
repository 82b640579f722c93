//! `erp-api rotate-keys`.
use std::path::PathBuf;

use clap::Args;
use erp_core::{
    Config,
    keys::rotate::{self, Rotation},
};

#[derive(Args)]
pub struct RotateKeys {
    /// La nouvelle clé, au lieu d'une tirée au hasard : PEM privé pour RS256 et EdDSA.
    #[arg(long, value_name = "FICHIER")]
    new_key: Option<PathBuf>,
}

pub fn rotate_keys(config: &Config, options: &RotateKeys) -> anyhow::Result<()> {
    match rotate::rotate(config, options.new_key.as_deref())? {
        Rotation::Done { key, previous } => {
            println!("Nouvelle clé : {}", key.display());
            println!("Clé précédente : {}", previous.display());
            println!("Ensuite :");
            println!(
                "  1. Redémarrez toutes les répliques de l'API et tous les workers, sans tarder."
            );
            println!(
                "  2. Gardez la clé précédente {} minutes au moins (ACCESS_TOKEN_EXPIRE_MINUTES) ; un an, pour que \
                 les liens « se désabonner » des e-mails déjà partis restent bons.",
                config.auth.access_token_minutes
            );
            println!(
                "  3. Videz ou supprimez alors {}, et redémarrez. Si la clé a fuité, faites-le tout de suite : \
                 chacun continue avec son jeton de rafraîchissement.",
                previous.display()
            );
            Ok(())
        }
        Rotation::ByHand(lines) => {
            eprintln!(
                "Rien n'a été changé : la clé et la précédente ne sont pas toutes deux dans des fichiers."
            );
            eprintln!("Écrivez ceci dans .env (ou là où sont vos réglages) :");
            for line in lines {
                println!("{line}");
            }
            anyhow::bail!(
                "puis redémarrez l'API et les workers — ou, s'il ne manquait que le fichier de la clé précédente, \
                 relancez cette commande."
            )
        }
    }
}
