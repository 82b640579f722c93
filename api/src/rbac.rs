//! Who may call which route: one table, which the guard, the documentation and the tests use.
//! A rule that depends on a row (a client sees only its own) is in the handler.
use std::{collections::HashMap, sync::LazyLock};

use axum::http::Method;
use erp_core::{auth::api_keys::Portee, users::UserRole};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody; a token is ignored.
    Anyone,
    /// Anyone with an account, or with a signed address; with `PUBLIC_UPLOADS=true` everybody. The handler decides.
    SignedInOrLien,
    /// Anyone with an account, identified by a token or by a secret in the address. The handler checks the secret.
    SignedInOrSecret,
    /// Anyone with an account; with `PUBLIC_EQUIPEMENTS=true` everybody.
    SignedInOrPublicEquipements,
    /// Anyone with an account.
    SignedIn,
    Roles(&'static [UserRole]),
}

/// **A** of the contract.
const A: Access = Access::Roles(&[UserRole::Admin]);
/// **R**: an admin may do all that a responsable may.
const R: Access = Access::Roles(&[UserRole::Admin, UserRole::Responsable]);
/// **R, T**
const RT: Access = Access::Roles(&[UserRole::Admin, UserRole::Responsable, UserRole::Technicien]);
/// **\***
const ANY: Access = Access::SignedIn;

/// Method, path (below `/api/v1`, and at the root) and access of each route.
pub const TABLE: &[(Method, &str, Access)] = &[
    (Method::GET, "/", Access::Anyone),
    (Method::GET, "/health", Access::Anyone),
    (Method::GET, "/live", Access::Anyone),
    (Method::GET, "/ready", Access::Anyone),
    (Method::GET, "/metrics", Access::Anyone),
    (Method::GET, "/static/uploads/{file}", Access::SignedInOrLien),
    (Method::POST, "/auth/token", Access::Anyone),
    (Method::POST, "/auth/login", Access::Anyone),
    (Method::POST, "/auth/refresh", Access::Anyone),
    (Method::POST, "/auth/logout", ANY),
    (Method::GET, "/auth/sessions", ANY),
    (Method::DELETE, "/auth/sessions", ANY),
    (Method::DELETE, "/auth/sessions/{id}", ANY),
    (Method::GET, "/auth/me", ANY),
    (Method::POST, "/auth/api-keys", ANY),
    (Method::GET, "/auth/api-keys", ANY),
    (Method::DELETE, "/auth/api-keys/{id}", ANY),
    (Method::POST, "/auth/change-password", ANY),
    // The challenge says whose password was right.
    (Method::POST, "/auth/second-factor", Access::Anyone),
    (Method::GET, "/auth/second-factor", ANY),
    (Method::DELETE, "/auth/second-factor", ANY),
    (Method::POST, "/auth/second-factor/enrol", ANY),
    (Method::POST, "/auth/second-factor/confirm", ANY),
    (Method::POST, "/auth/second-factor/codes", ANY),
    (Method::DELETE, "/auth/second-factor/appareils", ANY),
    (Method::POST, "/auth/forgot", Access::Anyone),
    (Method::GET, "/compte/oubli", Access::Anyone),
    (Method::POST, "/compte/oubli", Access::Anyone),
    // The secret in the address identifies the user.
    (Method::GET, "/compte/mot-de-passe", Access::Anyone),
    (Method::POST, "/compte/mot-de-passe", Access::Anyone),
    (Method::GET, "/compte/invitation", Access::Anyone),
    (Method::POST, "/compte/invitation", Access::Anyone),
    (Method::POST, "/auth/link", Access::Anyone),
    // The provider of the company identifies the user.
    (Method::GET, "/auth/oidc/start", Access::Anyone),
    (Method::GET, "/auth/oidc/callback", Access::Anyone),
    (Method::POST, "/users", A),
    (Method::GET, "/users", R),
    (Method::GET, "/users/me", ANY),
    (Method::PUT, "/users/update", ANY),
    (Method::GET, "/users/me/preferences", ANY),
    (Method::PUT, "/users/me/preferences", ANY),
    (Method::POST, "/users/me/export", ANY),
    (Method::GET, "/users/me/export", ANY),
    (Method::GET, "/users/me/export/fichier", ANY),
    (Method::GET, "/users/me/calendrier", ANY),
    (Method::POST, "/users/me/calendrier", ANY),
    (Method::DELETE, "/users/me/calendrier", ANY),
    // The secret in the address identifies the user.
    (Method::GET, "/desabonnement", Access::Anyone),
    (Method::POST, "/desabonnement", Access::Anyone),
    (Method::POST, "/users/invitations", R),
    (Method::GET, "/users/invitations", R),
    (Method::POST, "/users/invitations/{id}/renvoyer", R),
    (Method::DELETE, "/users/invitations/{id}", R),
    (Method::GET, "/users/{id}", A),
    (Method::PUT, "/users/{id}", A),
    (Method::DELETE, "/users/{id}", A),
    (Method::PATCH, "/users/{id}/activate", A),
    (Method::DELETE, "/users/{id}/sessions", A),
    (Method::DELETE, "/users/{id}/second-factor", A),
    (Method::DELETE, "/users/{id}/identite", A),
    (Method::POST, "/clients", R),
    (Method::GET, "/clients", R),
    (Method::GET, "/clients/{id}", R),
    (Method::PUT, "/clients/{id}", R),
    (Method::DELETE, "/clients/{id}", R),
    (Method::POST, "/techniciens", R),
    (Method::GET, "/techniciens", ANY),
    (Method::GET, "/techniciens/{id}", ANY),
    (Method::PUT, "/techniciens/{id}", R),
    (Method::DELETE, "/techniciens/{id}", R),
    (Method::GET, "/techniciens/{id}/charge", RT),
    (Method::POST, "/techniciens/competences", R),
    (Method::GET, "/techniciens/competences", ANY),
    (Method::POST, "/equipements", R),
    (Method::GET, "/equipements", Access::SignedInOrPublicEquipements),
    (Method::GET, "/equipements/{id}", Access::SignedInOrPublicEquipements),
    (Method::PUT, "/equipements/{id}", R),
    (Method::DELETE, "/equipements/{id}", R),
    (Method::GET, "/equipements/{id}/historique", ANY),
    (Method::POST, "/interventions", R),
    (Method::GET, "/interventions", ANY),
    (Method::GET, "/interventions/{id}", ANY),
    (Method::PUT, "/interventions/{id}", R),
    (Method::PATCH, "/interventions/{id}/statut", RT),
    (Method::PATCH, "/interventions/{id}/affectation", R),
    (Method::GET, "/interventions/{id}/historique", ANY),
    (Method::PUT, "/interventions/{id}/compte-rendu", RT),
    (Method::GET, "/interventions/{id}/suggestions", R),
    (Method::GET, "/filters/interventions", ANY),
    (Method::GET, "/planning/calendrier.ics", Access::SignedInOrSecret),
    (Method::GET, "/techniciens/{id}/calendrier.ics", Access::SignedInOrSecret),
    (Method::POST, "/planning", R),
    (Method::GET, "/planning", ANY),
    (Method::GET, "/planning/{id}", ANY),
    (Method::GET, "/planning/{id}/apercu", ANY),
    (Method::PUT, "/planning/{id}", R),
    (Method::PATCH, "/planning/{id}/dates", R),
    (Method::DELETE, "/planning/{id}", R),
    (Method::POST, "/interventions/{id}/lots", RT),
    (Method::GET, "/lots/{id}", RT),
    (Method::POST, "/lots/{id}/fin", RT),
    (Method::POST, "/documents", RT),
    (Method::POST, "/documents/upload", RT),
    (Method::GET, "/documents", RT),
    (Method::GET, "/documents/{id}", ANY),
    (Method::PUT, "/documents/{id}", RT),
    (Method::DELETE, "/documents/{id}", R),
    (Method::POST, "/documents/{id}/reprocess", R),
    (Method::POST, "/notifications", R),
    (Method::GET, "/notifications", R),
    (Method::GET, "/notifications/user/me", ANY),
    (Method::GET, "/notifications/user/me/count", ANY),
    (Method::GET, "/notifications/user/{user_id}", A),
    (Method::PUT, "/notifications/{id}/read", ANY),
    (Method::DELETE, "/notifications/{id}", A),
    (Method::POST, "/rapports", ANY),
    (Method::GET, "/rapports", ANY),
    (Method::GET, "/rapports/{id}", ANY),
    (Method::DELETE, "/rapports/{id}", ANY),
    (Method::GET, "/rapports/{id}/fichier", Access::SignedInOrSecret),
    (Method::POST, "/rapports/{id}/lien", ANY),
    (Method::POST, "/rapports/{id}/relancer", ANY),
    (Method::GET, "/dashboard/stats", ANY),
    (Method::GET, "/kpi", ANY),
    (Method::GET, "/admin/jobs", A),
    (Method::DELETE, "/admin/jobs", A),
    (Method::POST, "/admin/jobs/retry", A),
    (Method::POST, "/admin/jobs/cancel", A),
    (Method::GET, "/admin/jobs/{id}", A),
    (Method::DELETE, "/admin/jobs/{id}", A),
    (Method::POST, "/admin/jobs/{id}/retry", A),
    (Method::POST, "/admin/jobs/{id}/cancel", A),
    (Method::GET, "/admin/queues", A),
    (Method::POST, "/admin/queues/{name}/pause", A),
    (Method::POST, "/admin/queues/{name}/resume", A),
    (Method::POST, "/admin/queues/{name}/concurrency", A),
    (Method::GET, "/admin/workers", A),
    (Method::GET, "/admin/breakers", A),
    (Method::GET, "/admin/emails", A),
    (Method::POST, "/admin/emails/{id}/renvoyer", A),
    (Method::GET, "/admin/schedules", A),
    (Method::PUT, "/admin/schedules", A),
    (Method::PUT, "/admin/schedules/{name}", A),
    (Method::POST, "/admin/schedules/{name}/run", A),
    (Method::GET, "/admin/audit", A),
];

/// The same path at the root, for one that may be below `/api/v1`: every route is at both places.
#[must_use]
pub fn at_root(path: &str) -> &str {
    path.strip_prefix("/api/v1").unwrap_or(path)
}

/// Whether a person reads the answers of `path` in a browser: its errors are pages, too.
#[must_use]
pub fn is_for_people(path: &str) -> bool {
    let path = at_root(path);
    path.starts_with("/compte/") || path.starts_with("/auth/oidc/")
}

/// Whether who must enrol a second factor may call `path` before: what it takes to enrol, to know oneself, and to sign out.
#[must_use]
pub fn is_for_enrolment(path: &str) -> bool {
    let path = at_root(path).trim_end_matches('/');
    path.starts_with("/auth/second-factor") || matches!(path, "/auth/me" | "/auth/logout")
}

/// Who may call `method` on the matched `path`; `None` for a pair that is not in the table. `HEAD` counts as `GET`.
#[must_use]
pub fn access(method: &Method, path: &str) -> Option<Access> {
    /// The table by path: it is asked several times for each request.
    static BY_PATH: LazyLock<HashMap<&str, Vec<(&Method, Access)>>> = LazyLock::new(|| {
        let mut by_path: HashMap<_, Vec<_>> = HashMap::new();
        for (method, path, access) in TABLE {
            by_path.entry(*path).or_default().push((method, *access));
        }
        by_path
    });
    let path = at_root(path);
    let path = if path.is_empty() { "/" } else { path };
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let methods = BY_PATH.get(path)?;
    methods.iter().find(|(known, _)| *known == method).map(|(_, access)| *access)
}

/// What an API key may do with a route, beside what the role of its owner may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForKeys {
    /// No key calls it: it belongs to the person (sessions, passwords, keys), changes accounts, or is unknown.
    Never,
    /// Every key: it says whose it is.
    Always,
    /// One with this.
    With(Portee),
}

/// What an API key must have for `method` on the matched `path`: the noun is the first word of the path.
#[must_use]
pub fn for_keys(method: &Method, path: &str) -> ForKeys {
    let path = at_root(path).trim_end_matches('/');
    let noun = match path {
        "/auth/me" | "/users/me" => return ForKeys::Always,
        "/users/update" => return ForKeys::Never,
        _ if path.starts_with("/users/me/") => return ForKeys::Never,
        "/filters/interventions" => "interventions",
        "/kpi" => "dashboard",
        "/interventions/{id}/lots" => "documents",
        _ if path.starts_with("/lots/") || path.starts_with("/static/uploads/") => "documents",
        _ => path.split('/').nth(1).unwrap_or_default(),
    };
    let changes = *method != Method::GET && *method != Method::HEAD;
    Portee::of(noun, changes).map_or(ForKeys::Never, ForKeys::With)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A route that is added is closed to keys until its noun is named, and is seen here then.
    #[test]
    fn keys_are_closed_out_of_what_belongs_to_a_person_and_of_nothing_else() {
        let closed = |(method, path, access): &&(Method, &str, Access)| {
            *access != Access::Anyone && for_keys(method, path) == ForKeys::Never
        };
        for (method, path, _) in TABLE.iter().filter(closed) {
            let personal = ["/auth/", "/users/me/"].iter().any(|root| path.starts_with(root));
            let account = path.starts_with("/users") && method != Method::GET;
            // A report holds what other nouns have, which a key may lack.
            let report = path.starts_with("/rapports");
            assert!(personal || account || report, "{method} {path}");
        }
        let with = |method, path| for_keys(&method, path);
        let write = ForKeys::With(Portee::DocumentsEcrire);
        assert_eq!(with(Method::POST, "/api/v1/interventions/{id}/lots"), write);
        assert_eq!(with(Method::GET, "/kpi"), ForKeys::With(Portee::DashboardLire));
        for (method, path) in [
            (Method::POST, "/auth/api-keys"),
            (Method::POST, "/users"),
            (Method::DELETE, "/users/{id}"),
            (Method::POST, "/users/invitations"),
        ] {
            assert_eq!(with(method, path), ForKeys::Never, "{path}");
        }
        assert_eq!(with(Method::GET, ""), ForKeys::Never);
    }
}
