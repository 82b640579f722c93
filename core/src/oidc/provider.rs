//! What the provider says of itself: its addresses and its keys, kept for some minutes.
use anyhow::{Context as _, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AuthType, ClaimsVerificationError, ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, RedirectUrl, SignatureVerificationError,
    core::{
        CoreClient, CoreClientAuthMethod, CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
        CoreProviderMetadata,
    },
};
use tokio::sync::Mutex;

use super::{WHAT, http::Http};
use crate::{Clock, Error, Result, config::OidcConfig, metrics};

/// How long what the provider says of itself is taken for true.
const KEPT: TimeDelta = TimeDelta::minutes(10);
/// A token whose key is unknown makes us ask for the keys again, so long after the last time at the earliest: bad tokens do not make
/// many calls.
const KEYS_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// A provider that did not answer is not asked again for so long: nobody waits behind those who wait for it.
const SPARED: TimeDelta = TimeDelta::seconds(5);

/// Signatures that only the provider can make. Those by the secret of the client could be made by whoever has that.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The library's client, for a provider that has said its addresses.
pub(super) type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

pub(super) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    secret: ClientSecret,
    back: RedirectUrl,
    http: Http,
    known: Mutex<Known>,
}

/// What is known of the provider. Who reads it anew holds the lock: of many who need it at once one asks.
#[derive(Default)]
struct Known {
    client: Option<(Client, DateTime<Utc>)>,
    failed_at: Option<DateTime<Utc>>,
}

impl Provider {
    /// `back` is the address that it sends browsers back to.
    pub(super) fn new(config: &OidcConfig, back: String, http: Http) -> Result<Self> {
        Ok(Self {
            issuer: IssuerUrl::new(config.issuer.clone()).context("OIDC_ISSUER")?,
            client_id: ClientId::new(config.client_id.clone()),
            secret: ClientSecret::new(config.client_secret.reveal().to_owned()),
            back: RedirectUrl::new(back).context("PUBLIC_URL")?,
            http,
            known: Mutex::default(),
        })
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// A client for the provider, whose addresses and keys were read within [`KEPT`].
    pub(super) async fn client(&self, clock: &Clock) -> Result<Client> {
        self.client_of(KEPT, clock).await
    }

    /// The same, with keys that were read within [`KEYS_AGAIN`].
    pub(super) async fn client_with_newer_keys(&self, clock: &Clock) -> Result<Client> {
        self.client_of(KEYS_AGAIN, clock).await
    }

    async fn client_of(&self, age: TimeDelta, clock: &Clock) -> Result<Client> {
        let mut known = self.known.lock().await;
        // Not before: others may have been waited for.
        let now = clock.now();
        if let Some((client, read_at)) = &known.client
            && (now - *read_at).abs() < age
        {
            return Ok(client.clone());
        }
        if known.failed_at.is_some_and(|at| (now - at).abs() < SPARED) {
            return Err(Error::unavailable(WHAT, anyhow!("it did not answer a moment ago")));
        }
        let read = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http);
        match metrics::outside(WHAT, read).await {
            Ok(metadata) => {
                let client = self.made(metadata);
                let client = client.inspect_err(|_| known.failed_at = Some(clock.now()))?;
                *known = Known { client: Some((client.clone(), now)), failed_at: None };
                Ok(client)
            }
            Err(error) => {
                known.failed_at = Some(clock.now());
                Err(Error::unavailable(WHAT, anyhow::Error::from(error)))
            }
        }
    }

    fn made(&self, metadata: CoreProviderMetadata) -> Result<Client> {
        // The client refuses the other addresses; this one is for browsers.
        let scheme = |url: &openidconnect::url::Url| url.scheme().to_owned();
        if scheme(self.issuer.url()) == "https"
            && scheme(metadata.authorization_endpoint().url()) != "https"
        {
            return Err(Error::unavailable(WHAT, anyhow!("its page of signing in is not https")));
        }
        let methods = metadata.token_endpoint_auth_methods_supported();
        // By default (RFC 8414) the secret is named in a header; some providers read it in the body alone.
        let has = |method| methods.is_none_or(|methods| methods.contains(&method));
        let by_header = has(CoreClientAuthMethod::ClientSecretBasic);
        let by = if by_header { AuthType::BasicAuth } else { AuthType::RequestBody };
        let secret = Some(self.secret.clone());
        let client = CoreClient::from_provider_metadata(metadata, self.client_id.clone(), secret);
        Ok(client.set_redirect_uri(self.back.clone()).set_auth_type(by))
    }
}

/// What checks ID tokens at `now`: issuer, audience, signature, expiry.
pub(super) fn verifier(client: &Client, now: DateTime<Utc>) -> CoreIdTokenVerifier<'_> {
    client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || now)
}

/// Whether the keys of the provider may have changed.
pub(super) fn is_of_unknown_key(error: &ClaimsVerificationError) -> bool {
    use SignatureVerificationError::NoMatchingKey;
    matches!(error, ClaimsVerificationError::SignatureVerification(NoMatchingKey))
}

/// What is wrong with an ID token, for the audit; never what it says.
pub(super) fn motif(error: &ClaimsVerificationError) -> &'static str {
    match error {
        ClaimsVerificationError::Expired(_) => "jeton_expire",
        ClaimsVerificationError::InvalidAudience(_) => "jeton_d_un_autre",
        ClaimsVerificationError::InvalidIssuer(_) => "jeton_d_ailleurs",
        ClaimsVerificationError::InvalidNonce(_) => "jeton_sans_demande",
        ClaimsVerificationError::SignatureVerification(_) => "jeton_mal_signe",
        _ => "jeton_invalide",
    }
}
