//! Checks of what is outside: files and mails.
use std::sync::LazyLock;

use bytes::Bytes;
use uuid::Uuid;

use super::{Finding, error};
use crate::{
    Config, Text,
    config::StorageConfig,
    mailer::{Login, Mailer, SmtpTls},
    storage::Storage,
};

/// Checks the storage that `config` names.
pub(super) async fn storage(config: &Config) -> Finding {
    let opened = match &config.uploads.storage {
        StorageConfig::Folder(folder) => Storage::local(folder),
        StorageConfig::S3 { url, options } => Storage::from_url(url, options.clone()),
    };
    match opened {
        Ok(storage) => of_storage(&storage, config).await,
        Err(fault) => told(Err(fault.into()), config),
    }
}

/// Checks `storage`: writes, reads and deletes a small file of its own.
pub(super) async fn of_storage(storage: &Storage, config: &Config) -> Finding {
    told(probe(storage).await, config)
}

fn told(probed: anyhow::Result<()>, config: &Config) -> Finding {
    let (place, todo) = match &config.uploads.storage {
        StorageConfig::Folder(folder) => (
            folder.display().to_string(),
            Text::new(
                "vérifiez UPLOAD_DIRECTORY : le dossier, ses droits, la place sur le disque",
                "check UPLOAD_DIRECTORY: the folder, its rights, the room on the disk",
            ),
        ),
        StorageConfig::S3 { url, .. } => (
            url.clone(),
            Text::new(
                "vérifiez UPLOAD_URL et les variables AWS_ : l'adresse, la clé, ses droits",
                "check UPLOAD_URL and the variables AWS_: the address, the key, its rights",
            ),
        ),
    };
    match probed {
        Ok(()) => Finding::good(
            format!("{place} : écrit, relu, supprimé"),
            format!("{place}: written, read, deleted"),
        ),
        Err(fault) => {
            let found = Text::new(format!("{place} : {fault:#}"), format!("{place}: {fault:#}"));
            Finding::bad(found, todo)
        }
    }
}

/// The file of this process. Its checks write the same one: what a check that was cut short has left, the next one deletes, and that
/// of a process that has ended, the purge, which knows no row of it.
static KEY: LazyLock<String> = LazyLock::new(|| format!("sonde-{}", Uuid::new_v4().simple()));

async fn probe(storage: &Storage) -> anyhow::Result<()> {
    let key = KEY.as_str();
    let bytes = Bytes::from_static(b"erp-worker doctor");
    storage.put(key, bytes.clone()).await?;
    let read = storage.get(key, 1024).await;
    // Deleted whether or not the read succeeded.
    storage.delete(key).await?;
    anyhow::ensure!(read? == bytes, "ce qui est relu n'est pas ce qui a été écrit");
    Ok(())
}

/// Checks the mail server that `config` names.
pub(super) async fn smtp(config: &Config) -> Finding {
    match Mailer::new(&config.mail.smtp) {
        Ok(mailer) => of_smtp(&mailer, config).await,
        Err(fault) => Finding::bad(error(&fault), check_smtp()),
    }
}

/// Checks the mail server: connects and logs in, and sends nothing.
pub(super) async fn of_smtp(mailer: &Mailer, config: &Config) -> Finding {
    let smtp = &config.mail.smtp;
    let place = format!("{}:{}", smtp.host, smtp.port);
    match mailer.check().await {
        Ok(Login::NotOffered) => Finding::attention(
            Text::new(
                format!(
                    "{place} ne demande pas d'identification : les e-mails partent sans SMTP_USER"
                ),
                format!("{place} asks for no login: mails leave without SMTP_USER"),
            ),
            Text::new(
                "retirez SMTP_USER et SMTP_PASSWORD, ou vérifiez que ce serveur est le bon",
                "remove SMTP_USER and SMTP_PASSWORD, or check that this is the right server",
            ),
        ),
        Ok(login) => {
            let (tls, in_english) = match smtp.tls {
                SmtpTls::None => ("sans chiffrement", "not encrypted"),
                SmtpTls::Starttls => ("STARTTLS", "STARTTLS"),
                SmtpTls::Tls => ("TLS", "TLS"),
            };
            let accepted = login == Login::Accepted;
            let (fr, en) = if accepted {
                ("identifié", "signed in")
            } else {
                ("sans identification", "without a login")
            };
            Finding::good(
                format!("{place} répond ({tls}, {fr})"),
                format!("{place} answers ({in_english}, {en})"),
            )
        }
        Err(fault) => Finding::bad(error(&fault), check_smtp()),
    }
}

fn check_smtp() -> Text {
    Text::new(
        "vérifiez SMTP_HOST, SMTP_PORT, SMTP_TLS, SMTP_USER et SMTP_PASSWORD ; les e-mails attendent, aucun n'est perdu",
        "check SMTP_HOST, SMTP_PORT, SMTP_TLS, SMTP_USER and SMTP_PASSWORD; the mails wait, none is lost",
    )
}
