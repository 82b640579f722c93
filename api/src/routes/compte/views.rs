//! The forms, and the page for a link that is over.
use axum::{http::StatusCode, response::Response};
use erp_core::{Ctx, Lang, Text, users::UserOut};
use maud::{Markup, html};

use super::page::{page, page_leading_to};

/// The page that asks whose password is forgotten, with what was typed and what is wrong with it.
pub(super) fn ask_page(
    status: StatusCode,
    langue: Lang,
    typed: &str,
    wrong: Option<&Text>,
) -> Response {
    let titre = langue.choose("Mot de passe oublié", "Forgotten password");
    let content = html! {
        p {
            (langue.choose(
                "Indiquez l’adresse e-mail de votre compte\u{a0}: nous y envoyons un lien pour choisir un nouveau mot de passe.",
                "Give the e-mail address of your account: we send a link there to choose a new password.",
            ))
        }
        form.colonne method="post" {
            (fault(langue, wrong))
            label for="email" { (langue.choose("Adresse e-mail", "E-mail address")) }
            input #email name="email" type="email" autocomplete="email" required value=(typed)
                aria-invalid=[wrong.map(|_| "true")]
                aria-describedby=[wrong.map(|_| "faute")];
            button { (langue.choose("Envoyer le lien", "Send the link")) }
        }
    };
    page(status, langue, titre, &content)
}

fn fault(langue: Lang, wrong: Option<&Text>) -> Markup {
    html! { @if let Some(wrong) = wrong { p #faute .faute role="alert" { (wrong.in_lang(langue)) } } }
}

/// The page that asks the owner of a link for a new password.
pub(super) fn choose_page(status: StatusCode, owner: &UserOut, wrong: Option<&Text>) -> Response {
    let langue = owner.langue;
    let titre = langue.choose("Nouveau mot de passe", "New password");
    let content = html! {
        p {
            (langue.choose("Pour le compte de ", "For the account of "))
            strong { bdi { (owner.full_name) } } "."
        }
        (choose_form(owner, wrong, titre, langue.choose("Enregistrer", "Save")))
    };
    page(status, langue, titre, &content)
}

/// The page that asks who is invited for a password.
pub(super) fn invitation_page(
    status: StatusCode,
    owner: &UserOut,
    inviter: Option<&str>,
    wrong: Option<&Text>,
) -> Response {
    let langue = owner.langue;
    let titre = langue.choose("Bienvenue", "Welcome");
    let content = html! {
        p {
            @if let Some(inviter) = inviter {
                strong { bdi { (inviter) } }
                (langue.choose(" vous invite dans", " invites you to"))
            } @else {
                (langue.choose("Un compte vous attend dans", "An account waits for you in"))
            }
            (langue.choose(
                " l’application de maintenance de MIF Maroc. Choisissez votre mot de passe pour l’ouvrir.",
                " the maintenance application of MIF Maroc. Choose your password to open it.",
            ))
        }
        dl.faits {
            dt { (langue.choose("Nom", "Name")) }
            dd { bdi { (owner.full_name) } }
            dt { (langue.choose("Identifiant", "Username")) }
            dd { bdi { (owner.username) } }
            dt { (langue.choose("Adresse e-mail", "E-mail address")) }
            dd { bdi { (owner.email) } }
        }
        (choose_form(
            owner,
            wrong,
            langue.choose("Mot de passe", "Password"),
            langue.choose("Ouvrir mon compte", "Open my account"),
        ))
    };
    page(status, langue, titre, &content)
}

/// The page after it, which leads to the address `application`.
pub(super) fn account_open(langue: Lang, application: &str) -> Response {
    let titre = langue.choose("Votre compte est ouvert", "Your account is open");
    let content = html! {
        p {
            (langue.choose(
                "Votre mot de passe est enregistré\u{a0}: l’application s’ouvre.",
                "Your password is saved: the application opens.",
            ))
        }
        p { a.bouton.plein href=(application) { (langue.choose("Ouvrir l’application", "Open the application")) } }
    };
    page_leading_to(application, langue, titre, &content)
}

fn choose_form(owner: &UserOut, wrong: Option<&Text>, label: &str, button: &str) -> Markup {
    let langue = owner.langue;
    let described = if wrong.is_some() { "faute conseil" } else { "conseil" };
    html! {
        form.colonne method="post" {
            (fault(langue, wrong))
            // For password managers.
            input name="username" type="email" autocomplete="username" value=(owner.email) hidden;
            label for="password" { (label) }
            input #password name="password" type="password" autocomplete="new-password" required minlength="8" aria-invalid=[wrong.map(|_| "true")]
                aria-describedby=(described);
            label for="encore" { (langue.choose("Confirmez le mot de passe", "The same again")) }
            input #encore name="encore" type="password" autocomplete="new-password" required minlength="8"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=(described);
            p #conseil {
                small {
                    (langue.choose(
                        "Huit caractères au moins\u{a0}: plusieurs mots sans lien, ou une phrase.",
                        "Eight characters at least: several unrelated words, or a sentence.",
                    ))
                }
            }
            button { (button) }
        }
    }
}

/// The page for the link of an invitation that is no longer good.
pub(super) fn invitation_over(ctx: &Ctx, langue: Lang) -> Response {
    let titre =
        langue.choose("Cette invitation n’est plus valable", "This invitation is no longer good");
    let content = html! {
        p {
            (langue.choose(
                "Une invitation sert une seule fois, pendant 72 heures, et jusqu’à ce qu’une plus récente la remplace.",
                "An invitation is good once, for 72 hours, and until a newer one replaces it.",
            ))
        }
        p {
            (langue.choose(
                "Si vous avez déjà choisi votre mot de passe, connectez-vous. Sinon, demandez une nouvelle invitation à la personne qui a ouvert votre compte.",
                "If you have already chosen your password, sign in. If not, ask the person who opened your account for another invitation.",
            ))
        }
        p { a.bouton.plein href=(ctx.config.mail.frontend_url) { (langue.choose("Se connecter", "Sign in")) } }
    };
    page(StatusCode::NOT_FOUND, langue, titre, &content)
}

/// The page for a link that is no longer good.
pub(super) fn over(ctx: &Ctx, langue: Lang) -> Response {
    let titre = langue.choose("Ce lien n’est plus valable", "This link is no longer good");
    let content = html! {
        p {
            (langue.choose(
                "Un lien sert une seule fois, pendant 30 minutes, et jusqu’à ce qu’un plus récent le remplace.",
                "A link is good once, for 30 minutes, and until a newer one replaces it.",
            ))
        }
        p {
            (langue.choose(
                "S’il vient de servir, votre mot de passe est changé\u{a0}: connectez-vous avec le nouveau.",
                "If it has just been used, your password is changed: sign in with the new one.",
            ))
        }
        p { a.bouton.plein href={ (ctx.config.http.public_url) "/api/v1/compte/oubli" } { (langue.choose("Demander un autre lien", "Ask for another link")) } }
    };
    page(StatusCode::NOT_FOUND, langue, titre, &content)
}
