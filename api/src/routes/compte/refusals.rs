//! The pages for a sign-in at the provider of the company that comes to nothing: each says what to do next.
use axum::{http::StatusCode, response::Response};
use erp_core::{Lang, Text};
use maud::html;

use super::page::page;

/// The page for a refusal; `motif` is that of the audit. `back` is where the password signs in.
pub(super) fn refused(motif: &str, langue: Lang, back: &str) -> Response {
    let (status, text) = said(motif);
    let titre = langue.choose("Vous n’êtes pas connecté", "You are not signed in");
    let content = html! {
        p role="alert" { (text.in_lang(langue)) }
        p { a.bouton.plein href=(back) { (langue.choose("Retour à la connexion", "Back to signing in")) } }
    };
    page(status, langue, titre, &content)
}

/// The page for a provider that does not answer.
pub(super) fn away(langue: Lang, back: &str) -> Response {
    let titre = langue
        .choose("Le service de connexion ne répond pas", "The sign-in service does not answer");
    let content = html! {
        p role="alert" { (langue.choose(
            "Connectez-vous avec votre mot de passe, ou réessayez dans quelques minutes.",
            "Sign in with your password, or try again in some minutes.",
        )) }
        p { a.bouton.plein href=(back) { (langue.choose("Se connecter", "Sign in")) } }
        p { a href="/api/v1/compte/oubli" { (langue.choose(
            "Pas encore de mot de passe, ou oublié\u{a0}?",
            "No password yet, or forgotten?",
        )) } }
    };
    page(StatusCode::SERVICE_UNAVAILABLE, langue, titre, &content)
}

fn said(motif: &str) -> (StatusCode, Text) {
    let (status, fr, en) = match motif {
        "annulee" => (
            StatusCode::UNAUTHORIZED,
            "La connexion a été annulée. Recommencez, ou utilisez votre mot de passe.",
            "The sign-in was cancelled. Begin again, or use your password.",
        ),
        "etat" => (
            StatusCode::UNAUTHORIZED,
            "Cette connexion n’est plus valable\u{a0}: elle a déjà servi, a attendu plus de dix minutes, a commencé dans un autre \
             navigateur, ou une autre a commencé depuis. Recommencez.",
            "This sign-in is no longer valid: it was used already, has waited for more than ten minutes, began in another browser, or another \
             has begun since. Begin again.",
        ),
        "compte_inconnu" => (
            StatusCode::FORBIDDEN,
            "Aucun compte n’a votre adresse e-mail\u{a0}: demandez à un administrateur de vous inviter avec cette adresse.",
            "No account has your e-mail address: ask an administrator to invite you with this address.",
        ),
        "email_non_verifie" => (
            StatusCode::FORBIDDEN,
            "Le service de connexion ne confirme pas votre adresse e-mail\u{a0}: faites-la vérifier par votre entreprise, ou utilisez \
             votre mot de passe.",
            "The sign-in service does not confirm your e-mail address: have your company verify it, or use your password.",
        ),
        "autre_identite" => (
            StatusCode::FORBIDDEN,
            "Ce compte est déjà rattaché à une autre personne de votre entreprise\u{a0}: un administrateur peut l’en détacher. Votre \
             mot de passe marche toujours.",
            "This account is already linked to somebody else in your company: an administrator can unlink it. Your password still \
             works.",
        ),
        "compte_desactive" => (
            StatusCode::FORBIDDEN,
            "Ce compte est désactivé\u{a0}: adressez-vous à un administrateur.",
            "This account is disabled: contact an administrator.",
        ),
        "client_inactif" => (
            StatusCode::FORBIDDEN,
            "L’accès de votre entreprise est suspendu\u{a0}: adressez-vous à votre interlocuteur habituel.",
            "The access of your company is suspended: ask your usual contact.",
        ),
        _ => (
            StatusCode::UNAUTHORIZED,
            "La réponse du service de connexion n’a pas pu être vérifiée. Recommencez\u{a0}; si cela se répète, utilisez votre mot de \
             passe et prévenez un administrateur.",
            "The answer of the sign-in service could not be verified. Begin again; if it happens again, use your password and tell an \
             administrator.",
        ),
    };
    (status, Text::new(fr, en))
}
