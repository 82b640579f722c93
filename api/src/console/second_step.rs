//! The second step of signing in: a code of the application on the phone, or a recovery code.
use axum::{Extension, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Error, Lang, Text,
    auth::second_factor::{self, GivenCode},
    input::Input,
};
use maud::html;

use super::{
    page,
    sign_in::{inside, opened},
};
use crate::{
    ApiError,
    extract::{Form, Origin},
    layers::{ClientAddress, RequestInfo},
};

/// What the page sends: the challenge of the first step, and the code.
#[derive(Input)]
pub struct Typed {
    defi: String,
    code: GivenCode,
    vers: Option<String>,
    #[input(or = false)]
    se_souvenir: bool,
}

/// Opens the session if the code is good.
pub async fn verify(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Origin(origin): Origin,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let way = inside(typed.vers.as_deref());
    match second_factor::verify(&ctx, &typed.defi, &typed.code, address).await {
        Ok(account) => opened(&ctx, &account, &origin, &way, typed.se_souvenir).await,
        Err(Error::Unauthenticated { text, .. } | Error::Forbidden { text, .. }) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(form(status, info.lang, &typed.defi, &way, Some(&text)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The page.
pub fn form(
    status: StatusCode,
    langue: Lang,
    challenge: &str,
    way: &str,
    wrong: Option<&Text>,
) -> Response {
    let titre = langue.choose("Votre code", "Your code");
    let content = html! {
        form.colonne method="post" action="/console/second-facteur" {
            @if let Some(wrong) = wrong { p #faute .faute role="alert" { (wrong.in_lang(langue)) } }
            p { (langue.choose(
                "Ouvrez l’application de codes de votre téléphone, et recopiez les six chiffres.",
                "Open the application for codes on your phone, and copy its six digits.",
            )) }
            input type="hidden" name="defi" value=(challenge);
            input type="hidden" name="vers" value=(way);
            label for="code" { (langue.choose("Code, ou code de secours", "Code, or recovery code")) }
            input #code name="code" autocomplete="one-time-code" inputmode="text" required autofocus spellcheck="false"
                aria-describedby=[wrong.map(|_| "faute")];
            label.ligne { input type="checkbox" name="se_souvenir" value="true";
                (langue.choose("Ne plus demander sur cet appareil pendant 30 jours", "Do not ask on this device for 30 days")) }
            button { (langue.choose("Continuer", "Go on")) }
        }
        p { a href="/console/connexion" { (langue.choose("Recommencer", "Start again")) } }
        p.note { (langue.choose(
            "Téléphone et codes de secours perdus\u{a0}? Un administrateur peut réinitialiser votre second facteur.",
            "Lost the phone and the recovery codes? An administrator can reset your second factor.",
        )) }
    };
    page::small(status, langue, titre, &content)
}
