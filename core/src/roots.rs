//! Root certificates: those of the platform, which its packages renew, and not those of the day this program was built. Where
//! the platform has none, mails use the copy in the program; Postgres and the file storage need those of the platform.
use std::sync::LazyLock;

use lettre::transport::smtp::client::CertificateStore;

/// How many certificates the platform has (`SSL_CERT_FILE` and `SSL_CERT_DIR` say where else to look), read once.
#[must_use]
pub fn of_platform() -> usize {
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs.len());
    *COUNT
}

/// The root certificates by which the certificate of a mail server is verified.
pub(crate) fn for_mail() -> CertificateStore {
    choose(of_platform())
}

fn choose(of_platform: usize) -> CertificateStore {
    if of_platform > 0 { CertificateStore::Default } else { CertificateStore::WebpkiRoots }
}

/// Where the certificates come from, in French, for operators.
#[must_use]
pub fn in_words() -> String {
    match of_platform() {
        0 => "certificats racine : aucun sur ce système ; les e-mails se fient à la copie embarquée, S3 et Postgres à rien \
              (installez ca-certificates)"
            .to_owned(),
        count => format!("certificats racine : {count} de ce système"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_without_certificates_is_stood_in_for() {
        assert!(matches!(choose(1), CertificateStore::Default));
        assert!(matches!(choose(0), CertificateStore::WebpkiRoots));
    }
}
