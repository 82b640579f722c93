//! Who may open which page, and press which button: one table, which the guard and the tests use, as [`crate::rbac`] does for REST.
use axum::http::Method;
use erp_core::users::UserRole;

/// Who may use a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody: what the page of signing in needs.
    Anyone,
    /// Everybody with an account.
    SignedIn,
    Roles(&'static [UserRole]),
}

/// **R**: reads.
const R: Access = Access::Roles(&[UserRole::Admin, UserRole::Responsable]);
/// **A**: acts.
const A: Access = Access::Roles(&[UserRole::Admin]);

/// Method, path and access of each page and button.
pub const TABLE: &[(Method, &str, Access)] = &[
    (Method::GET, "/console/connexion", Access::Anyone),
    (Method::POST, "/console/connexion", Access::Anyone),
    // The challenge in the form says who has named a right password.
    (Method::POST, "/console/second-facteur", Access::Anyone),
    (Method::GET, "/console/static/{file}", Access::Anyone),
    (Method::POST, "/console/deconnexion", Access::SignedIn),
    (Method::GET, "/compte", Access::SignedIn),
    (Method::POST, "/compte/profil", Access::SignedIn),
    (Method::POST, "/compte/preferences", Access::SignedIn),
    (Method::POST, "/compte/changer-mot-de-passe", Access::SignedIn),
    (Method::POST, "/compte/sessions/terminer", Access::SignedIn),
    (Method::POST, "/compte/sessions/{id}/terminer", Access::SignedIn),
    (Method::GET, "/compte/second-facteur", Access::SignedIn),
    (Method::POST, "/compte/second-facteur/enroler", Access::SignedIn),
    (Method::POST, "/compte/second-facteur/confirmer", Access::SignedIn),
    (Method::POST, "/compte/second-facteur/codes", Access::SignedIn),
    (Method::POST, "/compte/second-facteur/retirer", Access::SignedIn),
    (Method::POST, "/compte/second-facteur/appareils", Access::SignedIn),
    (Method::POST, "/compte/donnees", Access::SignedIn),
    (Method::GET, "/compte/donnees.zip", Access::SignedIn),
    (Method::POST, "/compte/cles", Access::SignedIn),
    (Method::POST, "/compte/cles/{id}/revoquer", Access::SignedIn),
    (Method::POST, "/compte/calendrier", Access::SignedIn),
    (Method::POST, "/compte/calendrier/supprimer", Access::SignedIn),
    (Method::GET, "/console", R),
    (Method::GET, "/console/flux", R),
    (Method::POST, "/console/files/{name}/suspendre", A),
    (Method::POST, "/console/files/{name}/reprendre", A),
    (Method::POST, "/console/files/{name}/reglage", A),
    (Method::GET, "/console/taches", R),
    (Method::GET, "/console/taches/agir", A),
    (Method::POST, "/console/taches/agir", A),
    (Method::GET, "/console/taches/{id}", R),
    (Method::GET, "/console/objets/intervention/{id}", R),
    (Method::GET, "/console/objets/document/{id}", R),
    (Method::GET, "/console/objets/planning/{id}", R),
    (Method::GET, "/console/echecs", R),
    (Method::GET, "/console/emails", R),
    // The text of a mail is for its reader: operators see it to repair, nobody else.
    (Method::GET, "/console/emails/{id}", A),
    (Method::GET, "/console/emails/{id}/html", A),
    (Method::POST, "/console/emails/{id}/renvoyer", A),
    (Method::GET, "/console/planifications", R),
    (Method::GET, "/console/planifications/{name}", R),
    (Method::POST, "/console/planifications/{name}", A),
    (Method::POST, "/console/planifications/{name}/essayer", A),
    (Method::POST, "/console/planifications/{name}/lancer", A),
    // Who did what, from which address, is for those who answer for it.
    (Method::GET, "/console/audit", A),
    (Method::POST, "/console/audit/verifier", A),
    (Method::GET, "/console/systeme", R),
    // There is nothing: whoever is signed in is told so in their language.
    (Method::GET, "/console/{*rest}", Access::SignedIn),
    (Method::GET, "/compte/{*rest}", Access::SignedIn),
];

/// Whether the page at the matched `path` is open to somebody who must enrol a second factor before anything else.
#[must_use]
pub fn is_for_enrolment(path: &str) -> bool {
    path == "/console/deconnexion" || path.starts_with("/compte/second-facteur")
}

/// Who may call `method` on the matched `path`; `None` for a pair that is not in the table. `HEAD` counts as `GET`.
#[must_use]
pub fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let found = TABLE.iter().find(|(known, at, _)| known == method && *at == path);
    found.map(|(_, _, access)| *access)
}
