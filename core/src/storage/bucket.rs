//! How an S3-compatible bucket is reached.
//! Time limits are not set here: [`Storage`](super::Storage) has one around each call.

use anyhow::{Context as _, anyhow};
use object_store::{
    ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};

use crate::Result;

/// How to reach an S3-compatible store.
#[derive(Clone, Default)]
pub struct S3Options {
    /// `https://...`; absent, Amazon's own for the region.
    pub endpoint: Option<String>,
    /// Absent, `us-east-1`.
    pub region: Option<String>,
    /// Absent (with the secret), the identity of the machine is used.
    pub access_key_id: Option<String>,
    /// Never shown by `Debug`.
    pub secret_access_key: Option<String>,
    /// Accepts an `http://` endpoint: for tests, and for a store behind the same proxy.
    pub allow_http: bool,
}

impl std::fmt::Debug for S3Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Options")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("allow_http", &self.allow_http)
            .finish_non_exhaustive()
    }
}

/// The bucket and the prefix that `url` names.
pub(super) fn open(url: &str, options: S3Options) -> Result<(AmazonS3, Path)> {
    let rest = url.strip_prefix("s3://").unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(anyhow!("{url:?} is not of the form s3://bucket/prefix").into());
    }
    let prefix = Path::parse(prefix).context("the prefix of the S3 URL is not usable")?;
    // reqwest is built without a TLS provider of its own; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut s3 = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(options.region.as_deref().unwrap_or("us-east-1"))
        // A limit on the whole request would cut long downloads.
        .with_client_options(
            ClientOptions::new().with_timeout_disabled().with_allow_http(options.allow_http),
        )
        // Few retries: the caller answers 503, or the job is retried.
        .with_retry(RetryConfig { max_retries: 2, ..RetryConfig::default() });
    if let Some(endpoint) = options.endpoint {
        s3 = s3.with_endpoint(endpoint);
    }
    if let (Some(id), Some(secret)) = (options.access_key_id, options.secret_access_key) {
        s3 = s3.with_access_key_id(id).with_secret_access_key(secret);
    }
    Ok((s3.build().context("cannot use this S3 store")?, prefix))
}
