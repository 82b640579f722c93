//! Checks of what is outside: files and mails.
use bytes::Bytes;
use erp_core::{
    Config,
    config::StorageConfig,
    mailer::{Login, Mailer, SmtpTls},
    storage::Storage,
};
use uuid::Uuid;

use super::Finding;

/// Checks the storage: writes, reads and deletes a small file of its own.
pub(super) async fn storage(config: &Config) -> Finding {
    let (place, todo) = match &config.uploads.storage {
        StorageConfig::Folder(folder) => (
            folder.display().to_string(),
            "vérifiez UPLOAD_DIRECTORY : le dossier, ses droits, la place sur le disque",
        ),
        StorageConfig::S3 { url, .. } => (
            url.clone(),
            "vérifiez UPLOAD_URL et les variables AWS_ : l'adresse, la clé, ses droits",
        ),
    };
    let opened = match &config.uploads.storage {
        StorageConfig::Folder(folder) => Storage::local(folder),
        StorageConfig::S3 { url, options } => Storage::from_url(url, options.clone()),
    };
    let probed = match opened {
        Ok(storage) => probe(&storage).await,
        Err(error) => Err(error.into()),
    };
    match probed {
        Ok(()) => Finding::good(format!("{place} : écrit, relu, supprimé")),
        Err(error) => Finding::bad(format!("{place} : {error:#}"), todo),
    }
}

async fn probe(storage: &Storage) -> anyhow::Result<()> {
    let key = format!("sonde-{}", Uuid::new_v4().simple());
    let bytes = Bytes::from_static(b"erp-worker doctor");
    storage.put(&key, bytes.clone()).await?;
    let read = storage.get(&key, 1024).await;
    // Deleted whether or not the read succeeded: nothing is left behind.
    storage.delete(&key).await?;
    anyhow::ensure!(read? == bytes, "ce qui est relu n'est pas ce qui a été écrit");
    Ok(())
}

/// Checks the mail server: connects and logs in, and sends nothing.
pub(super) async fn smtp(config: &Config) -> Finding {
    let smtp = &config.mail.smtp;
    let place = format!("{}:{}", smtp.host, smtp.port);
    let checked = match Mailer::new(smtp) {
        Ok(mailer) => mailer.check().await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(Login::NotOffered) => Finding::attention(
            format!("{place} ne demande pas d'identification : les e-mails partent sans SMTP_USER"),
            "retirez SMTP_USER et SMTP_PASSWORD, ou vérifiez que ce serveur est le bon",
        ),
        Ok(login) => {
            let tls = match smtp.tls {
                SmtpTls::None => "sans chiffrement",
                SmtpTls::Starttls => "STARTTLS",
                SmtpTls::Tls => "TLS",
            };
            let login = if login == Login::Accepted { "identifié" } else { "sans identification" };
            Finding::good(format!("{place} répond ({tls}, {login})"))
        }
        Err(error) => Finding::bad(
            format!("{error}"),
            "vérifiez SMTP_HOST, SMTP_PORT, SMTP_TLS, SMTP_USER et SMTP_PASSWORD ; les e-mails attendent, aucun n'est perdu",
        ),
    }
}
