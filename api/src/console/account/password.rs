//! Changing one's own password: every session ends, this one too.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, Error,
    input::Input,
    users::{GivenPassword, Password, UserOut},
};
use maud::{Markup, html};

use super::{
    super::{page::token, sign_in::signed_out, viewer::Viewer},
    show::{Said, render},
};
use crate::{
    ApiError,
    extract::{Auteur, Form},
    layers::ClientAddress,
    routes::auth::change_own_password,
};

/// The form of the page.
pub fn form(viewer: &Viewer, owner: &UserOut) -> Markup {
    html! {
        section.carte aria-labelledby="motdepasse" {
            h2 #motdepasse { (viewer.say("Mot de passe", "Password")) }
            form.colonne method="post" action="/compte/changer-mot-de-passe" {
                (token(viewer))
                // For password managers.
                input type="email" autocomplete="username" value=(owner.email) hidden;
                label for="current_password" { (viewer.say("Mot de passe actuel", "Current password")) }
                input #current_password name="current_password" type="password" autocomplete="current-password" required;
                label for="new_password" { (viewer.say("Nouveau mot de passe (huit caractères au moins)", "New password (eight characters at least)")) }
                input #new_password name="new_password" type="password" autocomplete="new-password" required minlength="8";
                button { (viewer.say("Changer", "Change")) }
            }
            p.note { (viewer.say("Toutes vos sessions se terminent alors.", "All your sessions end then.")) }
        }
    }
}

/// What the form sends.
#[derive(Input)]
pub struct Typed {
    #[input(as = GivenPassword)]
    current_password: Password,
    new_password: Password,
}

/// Changes the password, and leads to the page of signing in.
pub async fn change(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let (current, new) = (typed.current_password, typed.new_password);
    let changed =
        change_own_password(&ctx, viewer.id, viewer.session, (current, new), address, &auteur);
    match changed.await {
        Ok(()) => Ok(signed_out("/console/connexion?fait=motdepasse")),
        Err(Error::Refused { text, .. }) => {
            let wrong = Some(text.in_lang(viewer.langue).to_owned());
            render(&ctx, &viewer, Said { wrong, ..Said::default() }).await
        }
        Err(Error::Invalid(faults)) => {
            let wrong = faults.first().map(|fault| fault.msg.in_lang(viewer.langue).to_owned());
            render(&ctx, &viewer, Said { wrong, ..Said::default() }).await
        }
        Err(error) => Err(error.into()),
    }
}
