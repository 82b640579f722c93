//! The provider of the company (OIDC): people sign in there, and it vouches for them here. Knows no account.
//!
//! [`Oidc::start`] sends a browser to the provider, by the flow for servers: authorisation code with PKCE. [`Oidc::finish`] exchanges
//! the code that comes back for an ID token, checks that, and returns whom it names. What joins the two is sealed in a cookie of that
//! browser ([`Pending`]): another browser, or an answer to no question, gets nowhere.
//!
//! Each call of the provider has limits of time and size (`http`); what is called seldom is kept (`provider`).
mod http;
mod pending;
mod provider;

use chrono::{DateTime, Utc};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, CsrfToken, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RequestTokenError, Scope, TokenResponse as _,
    core::{CoreErrorResponseType, CoreIdToken, CoreIdTokenClaims, CoreResponseType},
};

pub use pending::Pending;

use self::{http::Http, provider::Provider};
use crate::{Clock, Config, Error, Lang, Result, config::OidcConfig, keys::Sealing, metrics};

/// What [`Error::Unavailable`] calls the provider.
pub const WHAT: &str = "oidc";

/// Somebody for whom the provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who vouches.
    pub issuer: String,
    /// Who it is there: it never changes, and is never given to somebody else.
    pub sub: String,
    pub email: Option<String>,
    /// Whether the provider knows that the address is theirs.
    pub email_verified: bool,
    pub name: Option<String>,
    pub langue: Option<Lang>,
}

/// Why nobody is vouched for.
#[derive(Debug)]
pub enum NoIdentity {
    /// Refused, for this reason (`motif` of the audit).
    Refused(&'static str),
    /// The provider does not answer, or this program has failed.
    Failed(Error),
}

impl From<Error> for NoIdentity {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What the provider adds to the address that it sends a browser back to. It has no `Debug`: no log shows a code.
#[derive(Default)]
pub struct Returned {
    pub code: Option<String>,
    pub state: Option<String>,
    pub error: Option<String>,
}

/// The way to the provider, and back.
pub struct Oidc {
    config: OidcConfig,
    sealing: Sealing,
    provider: Provider,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("issuer", &self.config.issuer).finish_non_exhaustive()
    }
}

impl Oidc {
    /// The provider that is configured, if one is. Does not call it yet: one that is away does not delay the start.
    pub fn new(config: &Config) -> Result<Option<Self>> {
        let Some(oidc) = &config.oidc else { return Ok(None) };
        let back = format!("{}/api/v1/auth/oidc/callback", config.http.public_url);
        Ok(Some(Self {
            sealing: Sealing::of_sign_ins(&config.auth)?,
            provider: Provider::new(oidc, back, Http::new(&oidc.issuer)?)?,
            config: oidc.clone(),
        }))
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// Where to send a browser that signs in to go to `suite`, and the cookie that it keeps meanwhile. `appareil` is the secret of a
    /// trusted device, if the browser has one. `Unavailable` if the provider does not answer.
    pub async fn start(
        &self,
        suite: String,
        appareil: Option<String>,
        clock: &Clock,
    ) -> Result<(String, String)> {
        let client = self.provider.client(clock).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
        let scopes = self.config.scopes.iter().cloned().map(Scope::new);
        let (url, state, nonce) = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge)
            .url();
        let pending = Pending {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            suite,
            appareil,
            until: (clock.now() + Pending::LIFETIME).timestamp(),
        };
        Ok((url.into(), pending.seal(&self.sealing)?))
    }

    /// The sign-in that a `cookie` of [`Self::start`] keeps, if it is one of ours and not too old at `now`.
    #[must_use]
    pub fn pending(&self, cookie: &str, now: DateTime<Utc>) -> Option<Pending> {
        Pending::open(&self.sealing, cookie, now)
    }

    /// Whom the provider vouches for, in `returned`, to the browser that keeps `pending`. The code is used up.
    pub async fn finish(
        &self,
        pending: &Pending,
        returned: Returned,
        clock: &Clock,
    ) -> Result<Identity, NoIdentity> {
        if returned.state.as_deref() != Some(&pending.state) {
            return Err(NoIdentity::Refused("etat"));
        }
        if let Some(error) = returned.error {
            let is_theirs = matches!(error.as_str(), "access_denied" | "login_required");
            return Err(NoIdentity::Refused(if is_theirs { "annulee" } else { "fournisseur" }));
        }
        let code = returned.code.ok_or(NoIdentity::Refused("etat"))?;
        let token = self.exchange(code, &pending.verifier, clock).await?;
        let claims = self.verify(&token, &Nonce::new(pending.nonce.clone()), clock).await?;
        Ok(identity(&claims))
    }

    async fn exchange(
        &self,
        code: String,
        verifier: &str,
        clock: &Clock,
    ) -> Result<CoreIdToken, NoIdentity> {
        let client = self.provider.client(clock).await?;
        let request = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| Error::unavailable(WHAT, error))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
        let answer = metrics::outside(WHAT, request.request_async(self.provider.http())).await;
        match answer {
            Ok(answer) => answer.id_token().cloned().ok_or(NoIdentity::Refused("jeton_absent")),
            Err(RequestTokenError::ServerResponse(refused)) => match refused.error() {
                CoreErrorResponseType::InvalidGrant => Err(NoIdentity::Refused("code")),
                // Our settings are wrong, or its own: nobody comes in, whatever their code.
                CoreErrorResponseType::Extension(_) => {
                    Err(Error::unavailable(WHAT, anyhow::anyhow!("it refuses the exchange")).into())
                }
                kind => {
                    let wrong = anyhow::anyhow!("it refuses this client: {}", kind.as_ref());
                    Err(Error::unavailable(WHAT, wrong).into())
                }
            },
            Err(RequestTokenError::Request(error)) => Err(Error::unavailable(WHAT, error).into()),
            // Their texts may hold what the provider has answered, tokens included.
            Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => {
                let unreadable = anyhow::anyhow!("its answer to a code cannot be read");
                Err(Error::unavailable(WHAT, unreadable).into())
            }
        }
    }

    /// The claims of an ID token that the provider has signed for us, in answer to `nonce`, and that is not over. One of an unknown key
    /// makes us read the keys again, and is looked at once more.
    async fn verify(
        &self,
        token: &CoreIdToken,
        nonce: &Nonce,
        clock: &Clock,
    ) -> Result<CoreIdTokenClaims, NoIdentity> {
        let client = self.provider.client(clock).await?;
        let now = clock.now();
        let mut checked = token.claims(&provider::verifier(&client, now), nonce).cloned();
        if checked.as_ref().is_err_and(provider::is_of_unknown_key) {
            let client = self.provider.client_with_newer_keys(clock).await?;
            checked = token.claims(&provider::verifier(&client, now), nonce).cloned();
        }
        checked.map_err(|error| NoIdentity::Refused(provider::motif(&error)))
    }
}

fn identity(claims: &CoreIdTokenClaims) -> Identity {
    let english = |locale: &str| locale.to_ascii_lowercase().starts_with("en");
    Identity {
        issuer: claims.issuer().to_string(),
        sub: claims.subject().to_string(),
        email: claims.email().map(|email| email.to_string()),
        email_verified: claims.email_verified() == Some(true),
        name: claims.name().and_then(|names| names.get(None)).map(|name| name.to_string()),
        langue: claims.locale().map(|locale| if english(locale) { Lang::En } else { Lang::Fr }),
    }
}
