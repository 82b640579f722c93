//! One's own second factor: turned on with a picture for the phone, turned off, and its recovery codes.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, Error, Result, Text,
    auth::{
        self,
        second_factor::{
            self, Enrolment, GivenCode, Owner, RecoveryCodes, SecondFactorState, devices,
        },
    },
    input::Input,
    users::{GivenPassword, Password},
};
use maud::{Markup, PreEscaped, html};

use super::super::{
    back_to,
    form::Pairs,
    page::{Page, button, token},
    viewer::Viewer,
    words::{ago, short, time},
};
use crate::{
    ApiError,
    extract::{Auteur, Form},
    layers::ClientAddress,
};

const HERE: &str = "/compte/second-facteur";

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Result<Response, ApiError> {
    let pairs = Pairs::of(query.unwrap_or_default().as_bytes());
    let done = match pairs.get("fait") {
        Some("retire") => {
            viewer.say("Votre second facteur est retiré.", "Your second factor is removed.")
        }
        Some("appareils") => {
            viewer.say("Un code sera demandé partout.", "A code will be asked for everywhere.")
        }
        _ => "",
    };
    let said = html! { @if !done.is_empty() { p.fait role="status" { (done) } } };
    render(&ctx, &viewer, &said).await
}

async fn render(ctx: &Ctx, viewer: &Viewer, said: &Markup) -> Result<Response, ApiError> {
    let now = ctx.clock.now();
    let state = second_factor::state(&ctx.pool, &ctx.config.auth, viewer.id, now).await?;
    let content = html! {
        (said)
        @match state.actif_depuis {
            None => { (to_enrol(viewer, &state, ctx.oidc.is_some())) }
            Some(since) => {
                p { (viewer.say("Actif depuis le ", "On since ")) (time(Some(since))) ". "
                    (viewer.say("Codes de secours restants\u{a0}: ", "Recovery codes left: ")) strong { (state.codes_restants) } "." }
                (trusted(viewer, &state, now))
                (proved(viewer, &state))
            }
        }
        p { a href="/compte" { (viewer.say("Mon compte", "My account")) } }
    };
    Ok(page(viewer, &content))
}

fn page(viewer: &Viewer, content: &Markup) -> Response {
    let titre = viewer.say("Second facteur", "Second factor");
    Page { viewer, at: "/compte", titre, is_live: false }.show(content)
}

/// `by_company`: whether people sign in at a provider, and may have no password.
fn to_enrol(viewer: &Viewer, state: &SecondFactorState, by_company: bool) -> Markup {
    html! {
        @if state.exige {
            p.faute role="alert" { (viewer.say(
                "Votre rôle demande un second facteur\u{a0}: activez-le, et le reste s’ouvre aussitôt.",
                "Your role requires a second factor: turn it on, and the rest opens at once.",
            )) }
        }
        p { (viewer.say(
            "Avec un code de votre téléphone, un mot de passe volé n’ouvre plus votre compte. Il faut une application de codes (Aegis, FreeOTP, Google Authenticator…).",
            "With a code of your phone a stolen password no longer opens your account. You need an application for codes (Aegis, FreeOTP, Google Authenticator…).",
        )) }
        form.colonne method="post" action={ (HERE) "/enroler" } {
            (token(viewer))
            label for="password" { (viewer.say("Votre mot de passe", "Your password")) }
            input #password name="password" type="password" autocomplete="current-password" required;
            button { (viewer.say("Commencer", "Begin")) }
        }
        @if by_company {
            p { a href="/api/v1/compte/oubli" { (viewer.say(
                "Vous vous connectez par l’entreprise, sans mot de passe\u{a0}? Choisissez-en un d’abord.",
                "You sign in at your company, without a password? Choose one first.",
            )) } }
        }
    }
}

fn trusted(
    viewer: &Viewer,
    state: &SecondFactorState,
    now: chrono::DateTime<chrono::Utc>,
) -> Markup {
    if state.appareils.is_empty() {
        return html! {};
    }
    html! {
        h2 { (viewer.say("Appareils sans code", "Devices without a code")) }
        ul.liste {
            @for device in &state.appareils {
                li { (short(device.user_agent.as_deref().unwrap_or("–"), 90)) " · " (device.adresse_ip.as_deref().unwrap_or("–"))
                    " · " (viewer.say("code de nouveau ", "code again ")) (ago(viewer.langue, device.expire_le, now)) }
            }
        }
        (button(viewer, &format!("{HERE}/appareils"), viewer.say("Demander un code partout", "Ask for a code everywhere"), ""))
    }
}

/// What needs both factors again.
fn proved(viewer: &Viewer, state: &SecondFactorState) -> Markup {
    html! {
        h2 { (viewer.say("Nouveaux codes de secours, ou retrait", "New recovery codes, or removal")) }
        form.colonne method="post" action={ (HERE) "/codes" } {
            (token(viewer))
            label for="password" { (viewer.say("Votre mot de passe", "Your password")) }
            input #password name="password" type="password" autocomplete="current-password" required;
            label for="code" { (viewer.say("Code, ou code de secours", "Code, or recovery code")) }
            input #code name="code" autocomplete="one-time-code" required spellcheck="false";
            button { (viewer.say("Dix nouveaux codes de secours", "Ten new recovery codes")) }
            @if !state.exige {
                button.discret formaction={ (HERE) "/retirer" } { (viewer.say("Retirer le second facteur", "Remove the second factor")) }
            }
        }
    }
}

/// The password.
#[derive(Input)]
pub struct Confirmed {
    #[input(as = GivenPassword)]
    password: Password,
}

/// Draws a secret, and shows it once, as a picture.
pub async fn enrol(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<Confirmed>,
) -> Result<Response, ApiError> {
    let drawn: Result<Enrolment> = async {
        let account = auth::confirm_password(&ctx, viewer.id, form.password, address).await?;
        let account = account.ok_or_else(auth::wrong_current_password)?;
        let owner = Owner { id: viewer.id, session: viewer.session, auteur: &auteur };
        let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
        let drawn = second_factor::enrol(&mut tx, &ctx.sealing, &account, owner, now).await?;
        tx.commit().await?;
        Ok(drawn)
    }
    .await;
    match drawn {
        Ok(drawn) => Ok(page(&viewer, &scan(&viewer, Some(&drawn), None))),
        Err(error) => refused(&ctx, &viewer, error).await,
    }
}

/// The page that asks for the first code, with the picture if it was just drawn.
fn scan(viewer: &Viewer, drawn: Option<&Enrolment>, wrong: Option<&Text>) -> Markup {
    html! {
        @if let Some(drawn) = drawn {
            p { (viewer.say("Scannez cette image avec votre application de codes.", "Scan this picture with your application for codes.")) }
            div.qr role="img" aria-label=(viewer.say("Le code à scanner", "The code to scan")) { (PreEscaped(&drawn.qr)) }
            p { (viewer.say("Ou saisissez cette clé\u{a0}: ", "Or type this key: ")) code { (drawn.secret) } }
        }
        @if let Some(wrong) = wrong { p.faute role="alert" { (wrong.in_lang(viewer.langue)) } }
        form.colonne method="post" action={ (HERE) "/confirmer" } {
            (token(viewer))
            label for="code" { (viewer.say("Le code qu’elle montre", "The code that it shows")) }
            input #code name="code" autocomplete="one-time-code" inputmode="numeric" required spellcheck="false";
            button { (viewer.say("Activer", "Turn on")) }
        }
        @if drawn.is_none() { p { a href=(HERE) { (viewer.say("Recommencer avec une nouvelle image", "Start again with a new picture")) } } }
    }
}

/// The first code.
#[derive(Input)]
pub struct FirstCode {
    code: GivenCode,
}

/// Turns the second factor on, and shows the recovery codes once.
pub async fn confirm(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
    Form(form): Form<FirstCode>,
) -> Result<Response, ApiError> {
    let owner = Owner { id: viewer.id, session: viewer.session, auteur: &auteur };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    match second_factor::confirm(&mut tx, &ctx.sealing, &form.code, owner, now).await {
        Ok(codes) => {
            tx.commit().await?;
            Ok(page(&viewer, &shown(&viewer, &codes)))
        }
        Err(Error::Refused { text, .. }) => Ok(page(&viewer, &scan(&viewer, None, Some(&text)))),
        Err(error) => Err(error.into()),
    }
}

/// The recovery codes, which are never shown again.
fn shown(viewer: &Viewer, codes: &RecoveryCodes) -> Markup {
    html! {
        p.fait role="status" { (viewer.say("Votre second facteur est actif.", "Your second factor is on.")) }
        p { (viewer.say(
            "Gardez ces codes de secours hors du téléphone, imprimés par exemple\u{a0}: chacun ouvre une fois sans lui. Ils ne seront plus montrés.",
            "Keep these recovery codes off the phone, printed for instance: each opens once without it. They are not shown again.",
        )) }
        ol.codes { @for code in &codes.codes_secours { li { code { (code) } } } }
        p { a.bouton href="/compte" { (viewer.say("Je les ai gardés", "I have kept them")) } }
    }
}

/// Both factors.
#[derive(Input)]
pub struct Proof {
    #[input(as = GivenPassword)]
    password: Password,
    code: GivenCode,
}

/// Shows ten new recovery codes once; those of before are worth nothing.
pub async fn renew_codes(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<Proof>,
) -> Result<Response, ApiError> {
    let owner = Owner { id: viewer.id, session: viewer.session, auteur: &auteur };
    let account =
        match second_factor::prove(&ctx, viewer.id, form.password, &form.code, address).await {
            Ok(account) => account,
            Err(error) => return refused(&ctx, &viewer, error).await,
        };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let codes = second_factor::renew_codes(&mut tx, &account, owner, now).await?;
    tx.commit().await?;
    Ok(page(&viewer, &shown(&viewer, &codes)))
}

/// Turns the second factor off.
pub async fn remove(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<Proof>,
) -> Result<Response, ApiError> {
    let owner = Owner { id: viewer.id, session: viewer.session, auteur: &auteur };
    let account =
        match second_factor::prove(&ctx, viewer.id, form.password, &form.code, address).await {
            Ok(account) => account,
            Err(error) => return refused(&ctx, &viewer, error).await,
        };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    second_factor::remove(&mut tx, &ctx.config.auth, &account, owner, now).await?;
    tx.commit().await?;
    Ok(back_to(&format!("{HERE}?fait=retire")))
}

/// Forgets the trusted devices.
pub async fn forget_devices(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    devices::forget(&mut tx, viewer.id, &auteur, now).await?;
    tx.commit().await?;
    Ok(back_to(&format!("{HERE}?fait=appareils")))
}

/// The page again, with what was wrong; other errors have a page of their own.
async fn refused(ctx: &Ctx, viewer: &Viewer, error: Error) -> Result<Response, ApiError> {
    match error {
        Error::Refused { text, .. } => {
            let said = html! { p.faute role="alert" { (text.in_lang(viewer.langue)) } };
            render(ctx, viewer, &said).await
        }
        error => Err(error.into()),
    }
}
