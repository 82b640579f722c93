//! `erp-api create-admin` and `erp-api seed`: the first accounts of a database.
use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use erp_core::{
    Config, Ctx, Error,
    audit::{Acte, Auteur, Cible, Entry},
    input::Fields,
    seed,
    users::{self, UserCreate},
};
use serde_json::{Value, json};

#[derive(Args)]
pub struct CreateAdmin {
    /// 3 à 64 caractères, sans espace.
    #[arg(long, value_name = "NOM")]
    username: String,
    /// Son adresse e-mail : elle sert aussi à se connecter.
    #[arg(long, value_name = "ADRESSE")]
    email: String,
    /// Prénom et nom.
    #[arg(long, value_name = "NOM")]
    full_name: String,
    /// Le fichier dont la première ligne est le mot de passe. Sans lui : demandé, ou lu sur l'entrée standard. Jamais
    /// en argument : la liste des processus le montrerait.
    #[arg(long, value_name = "FICHIER")]
    password_file: Option<PathBuf>,
}

pub async fn create_admin(config: Config, new: CreateAdmin) -> anyhow::Result<()> {
    let password = password(new.password_file)?;
    let Value::Object(members) = json!({
        "username": new.username, "email": new.email, "full_name": new.full_name, "role": "admin", "password": password,
    }) else {
        bail!("it is an object");
    };
    let new: UserCreate = Fields::json(members).parse().map_err(in_french)?;
    let hash = users::hash_password(new.password.clone()).await?;
    let ctx = Ctx::new(config)?;
    let mut tx = ctx.begin().await?;
    let now = ctx.clock.now();
    let user = users::create(&mut tx, &new, &hash, now).await.map_err(in_french)?;
    // The author is empty: no signed-in user does this, but someone with access to this machine.
    let auteur = Auteur::default();
    let entry =
        Entry::new(Acte::CompteCree, &auteur).on(Cible::Compte, &user.id).after(json!(user));
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    println!("Le compte administrateur « {} » est créé : {}", user.username, user.email);
    Ok(())
}

pub async fn seed(config: Config) -> anyhow::Result<()> {
    let seeded = seed::seed(&Ctx::new(config)?).await.map_err(in_french)?;
    println!(
        "Jeu d'essai : {} machines, {} interventions, et les comptes {}.",
        seeded.machines,
        seeded.interventions,
        seeded.usernames.join(", ")
    );
    println!("Leur mot de passe, à noter maintenant : {}", seeded.password);
    Ok(())
}

/// The text of an error in French: input faults one per line, under the names of the options; any other error as it is.
fn in_french(error: Error) -> anyhow::Error {
    match error {
        Error::Invalid(faults) => {
            let line =
                |loc: &[String]| loc.last().map(|name| name.replace('_', "-")).unwrap_or_default();
            let lines =
                faults.iter().map(|fault| format!("{} : {}", line(&fault.loc), fault.msg.fr));
            anyhow!("{}", lines.collect::<Vec<_>>().join("\n"))
        }
        other => other.into(),
    }
}

fn password(file: Option<PathBuf>) -> anyhow::Result<String> {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    if let Some(path) = file {
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        return Ok(first_line(&text));
    }
    if !io::stdin().is_terminal() {
        return line();
    }
    let password = rpassword::prompt_password("Mot de passe : ")?;
    let again = rpassword::prompt_password("Encore une fois : ")?;
    if password != again {
        bail!("Les deux mots de passe ne sont pas les mêmes : recommencez.");
    }
    Ok(password)
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
