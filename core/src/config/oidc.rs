//! Signing in by the provider of a company (OIDC).
use super::{
    Environment,
    env::{Env, Secret},
};

/// `OIDC_ISSUER` and what goes with it. Without an issuer nobody signs in this way.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// `OIDC_ISSUER`: as the provider writes it of itself, with or without a slash at its end; https outside `ENVIRONMENT=dev`.
    pub issuer: String,
    /// `OIDC_CLIENT_ID`
    pub client_id: String,
    /// `OIDC_CLIENT_SECRET`
    pub client_secret: Secret,
    /// `OIDC_SCOPES` (openid email profile), of which `openid` is always one.
    pub scopes: Vec<String>,
    /// `OIDC_CREATE_ROLE` (none): the role of the account that is made for somebody who has none.
    pub create_role: Option<&'static str>,
    /// `OIDC_LABEL`: what the button of the page of signing in calls the provider.
    pub label: Option<String>,
}

/// The roles of accounts that are made at the first sign-in.
const CREATED: &[(&str, &str)] = &[("technicien", "technicien"), ("responsable", "responsable")];
/// The longest text of a button that fits on a phone.
const LABEL: usize = 60;

impl OidcConfig {
    pub(super) fn read(env: &mut Env, environment: Environment) -> Option<Self> {
        const ISSUER: &str = "https://connexion.mif-maroc.example";
        let issuer = env.text("OIDC_ISSUER");
        let client_id = env.text("OIDC_CLIENT_ID");
        let secret = env.secret("OIDC_CLIENT_SECRET");
        let scopes = env.text("OIDC_SCOPES");
        let create_role = Self::create_role(env);
        let label = env.text("OIDC_LABEL");
        let issuer = issuer?;
        let is_secure = issuer.starts_with("https://")
            || environment == Environment::Dev && issuer.starts_with("http://");
        let is_address = reqwest::Url::parse(&issuer).is_ok_and(|url| {
            url.has_host() && url.username().is_empty() && url.password().is_none()
        });
        let has_more = issuer.contains(['?', '#']) || issuer.contains(char::is_whitespace);
        if !is_secure || !is_address || has_more {
            let fault = format!("« {issuer} » n'est pas une adresse https, sans « ? » ni « # »");
            env.fault("OIDC_ISSUER", fault, ISSUER);
        }
        if client_id.is_none() {
            env.fault("OIDC_CLIENT_ID", "manque, et OIDC_ISSUER en a besoin", "erp-mif");
        }
        // A file that cannot be read has its own fault.
        if matches!(secret, Ok(None)) {
            let fault = "manque, et OIDC_ISSUER en a besoin";
            env.fault("OIDC_CLIENT_SECRET", fault, "celui que donne le fournisseur");
        }
        if label.as_ref().is_some_and(|label| label.chars().count() > LABEL) {
            env.fault("OIDC_LABEL", format!("dépasse {LABEL} caractères"), "MIF Maroc");
        }
        let scopes = scopes.unwrap_or_else(|| "openid email profile".to_owned());
        let mut scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
        // The library always asks for it.
        scopes.retain(|scope| scope != "openid");
        Some(Self {
            issuer,
            client_id: client_id.unwrap_or_default(),
            client_secret: Secret::new(secret.ok().flatten().unwrap_or_default()),
            scopes,
            create_role,
            label,
        })
    }

    /// A user of a client needs that client, which no provider names; and who is in the directory is no administrator by that.
    fn create_role(env: &mut Env) -> Option<&'static str> {
        let role = env.text("OIDC_CREATE_ROLE")?;
        let found = CREATED.iter().find(|(name, _)| name.eq_ignore_ascii_case(&role));
        if found.is_none() {
            let fault = match role.to_ascii_lowercase().as_str() {
                "client" => "« client » demande une entreprise cliente : invitez ces personnes",
                "admin" => "« admin » ne se donne pas d'office : changez ensuite le rôle du compte",
                _ => "les rôles sont technicien et responsable",
            };
            env.fault("OIDC_CREATE_ROLE", fault, "technicien");
        }
        found.map(|(_, role)| *role)
    }
}
