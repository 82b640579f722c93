//! Where files are kept, and how big they may be.
use std::path::PathBuf;

use super::env::Env;
use crate::storage::S3Options;

/// Where bytes are kept.
#[derive(Debug, Clone)]
pub enum StorageConfig {
    /// `UPLOAD_DIRECTORY` (static/uploads)
    Folder(PathBuf),
    /// `UPLOAD_URL=s3://bucket/prefix`, with `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`.
    S3 { url: String, options: S3Options },
}

#[derive(Debug, Clone)]
pub struct UploadConfig {
    pub storage: StorageConfig,
    /// `MAX_UPLOAD_BYTES` of one file (10 MiB).
    pub max_bytes: u64,
    /// `UPLOAD_QUOTA_MB` (2048): MiB that one user may upload in a day; 0 is no limit.
    pub quota_mib: u32,
    /// `PUBLIC_UPLOADS`: everybody can read a file by its plain address, as in the old backend.
    pub public: bool,
}

impl UploadConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        let max_bytes = env.parse(
            "MAX_UPLOAD_BYTES",
            10 * 1024 * 1024,
            |n| (1..=1024 * 1024 * 1024).contains(n),
            "un nombre d'octets de 1 à 1073741824",
            "10485760",
        );
        let quota_mib = env.parse(
            "UPLOAD_QUOTA_MB",
            2048,
            |n| *n <= 1024 * 1024,
            "un nombre de Mio de 0 (sans limite) à 1048576",
            "2048",
        );
        let public = env.parse("PUBLIC_UPLOADS", false, |_| true, "true ou false", "false");
        Self { storage: Self::storage(env), max_bytes, quota_mib, public }
    }

    fn storage(env: &mut Env) -> StorageConfig {
        const MISSING: &str = "manque, et UPLOAD_URL en a besoin";
        let Some(url) = env.text("UPLOAD_URL") else {
            let folder =
                env.text("UPLOAD_DIRECTORY").unwrap_or_else(|| "static/uploads".to_owned());
            return StorageConfig::Folder(folder.into());
        };
        if !url.starts_with("s3://") {
            env.fault(
                "UPLOAD_URL",
                format!("« {url} » ne commence pas par s3://"),
                "s3://erp-uploads/mif",
            );
        }
        let access_key_id = env.text("AWS_ACCESS_KEY_ID");
        if access_key_id.is_none() {
            env.fault("AWS_ACCESS_KEY_ID", MISSING, "AKIAIOSFODNN7EXAMPLE");
        }
        let secret_access_key = env.secret("AWS_SECRET_ACCESS_KEY");
        if matches!(secret_access_key, Ok(None)) {
            env.fault("AWS_SECRET_ACCESS_KEY", MISSING, "wJalrXUtnFEMI/K7MDENG");
        }
        let options = S3Options {
            endpoint: env.text("AWS_ENDPOINT_URL"),
            region: env.text("AWS_REGION"),
            access_key_id,
            secret_access_key: secret_access_key.unwrap_or_default(),
            allow_http: env.parse("AWS_ALLOW_HTTP", false, |_| true, "true ou false", "false"),
        };
        StorageConfig::S3 { url, options }
    }
}
