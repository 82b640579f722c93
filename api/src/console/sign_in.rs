//! Signing in to the console, and out of it: the same accounts, limits and sessions as over REST.
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Ctx, Error, Lang, Result, Text,
    audit::{Acte, Cible, Entry},
    auth::{self, Motif, SignIn, second_factor::devices},
    input::Input,
    users::{Account, GivenPassword, Password, UserRole},
};
use maud::{Markup, html};

use super::{cookie, page, second_step};
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Form, Origin, Query},
    layers::{ClientAddress, RequestInfo},
};

/// Where to go after signing in.
#[derive(Input)]
pub struct Way {
    vers: Option<String>,
    fait: Option<String>,
}

/// The page of signing in.
pub async fn ask(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    Query(way): Query<Way>,
) -> Response {
    let changed = (way.fait.as_deref() == Some("motdepasse")).then(|| {
        Text::new(
            "Votre mot de passe est changé\u{a0}: connectez-vous avec le nouveau.",
            "Your password is changed: sign in with the new one.",
        )
    });
    form(
        &ctx,
        StatusCode::OK,
        info.lang,
        "",
        &inside(way.vers.as_deref()),
        changed.as_ref().map(Said::Done).as_ref(),
    )
}

/// The form of that page.
#[derive(Input)]
pub struct Typed {
    username: Option<String>,
    #[input(as = GivenPassword)]
    password: Option<Password>,
    vers: Option<String>,
}

/// Opens a session of pages, and leads to the page that was asked for.
pub async fn sign_in(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Origin(origin): Origin,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let (login, way) = (typed.username.unwrap_or_default(), inside(typed.vers.as_deref()));
    let again = |text: &Text| {
        form(
            &ctx,
            StatusCode::UNPROCESSABLE_ENTITY,
            info.lang,
            &login,
            &way,
            Some(&Said::Wrong(text)),
        )
    };
    let Some(password) = typed.password else {
        let text = Text::new("Saisissez votre mot de passe.", "Type your password.");
        return Ok(again(&text));
    };
    let device = cookie::device(&headers);
    let next = match auth::sign_in(&ctx, login.trim(), password, device, address).await {
        Ok(next) => next,
        Err(Error::Unauthenticated { text, .. } | Error::Forbidden { text, .. }) => {
            return Ok(again(&text));
        }
        Err(error) => return Err(error.into()),
    };
    match next {
        SignIn::Open(account) => opened(&ctx, &account, &origin, &way, false).await,
        SignIn::SecondFactor(challenge) => {
            Ok(second_step::form(StatusCode::OK, info.lang, &challenge.into_text(), &way, None))
        }
    }
}

/// Opens the session of somebody who has proved who they are, and leads to the page at `way`; `trusts` the device for its next
/// sign-ins if asked.
pub async fn opened(
    ctx: &Ctx,
    account: &Account,
    origin: &auth::Origin,
    way: &str,
    trusts: bool,
) -> Result<Response, ApiError> {
    let (way, cookies) = open(ctx, account, origin, way, trusts).await?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, way)], cookies).into_response())
}

/// The same for an answer that is not a redirection: the address to lead to, and the headers with the cookies.
pub async fn open(
    ctx: &Ctx,
    account: &Account,
    origin: &auth::Origin,
    way: &str,
    trusts: bool,
) -> Result<(String, HeaderMap)> {
    // Who is no operator has the pages of the own account.
    let operates = matches!(account.role, UserRole::Admin | UserRole::Responsable);
    let way = if operates || way.starts_with("/compte") { way } else { "/compte" };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let session = auth::open_page_session(&mut tx, account, origin, now).await?;
    let device =
        if trusts { devices::trust(&mut tx, account.id, origin, now).await? } else { None };
    tx.commit().await?;
    let device = device.and_then(|secret| cookie::set_device(&secret));
    let cookies = cookie::set(ctx, account.id, session).into_iter().chain(device);
    let cookies = cookies.map(|cookie| (header::SET_COOKIE, cookie));
    Ok((way.to_owned(), cookies.collect()))
}

/// Ends the session, and leads to the page of signing in.
pub async fn sign_out(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let session = user.session()?;
    auth::end_session(&mut tx, user.id, session, Motif::Deconnexion, now).await?;
    let entry = Entry::new(Acte::Deconnexion, &auteur).on(Cible::Session, &session);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(signed_out("/console/connexion"))
}

/// Leads to `address`, and takes the cookie away.
pub fn signed_out(address: &str) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response();
    response.headers_mut().extend(cookie::removed().map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// The page of the console at `way`; the overview if it is none: nobody is led to another site.
pub fn inside(way: Option<&str>) -> String {
    let way = way.unwrap_or_default();
    let rest =
        ["/console", "/compte"].iter().find_map(|root| way.strip_prefix(root)).unwrap_or("#");
    let is_one = (rest.is_empty() || rest.starts_with(['/', '?']))
        && way.bytes().all(|b| b.is_ascii_graphic());
    if is_one && way.len() < 2000 { way.to_owned() } else { "/console".to_owned() }
}

/// What the form says above its fields.
enum Said<'a> {
    Done(&'a Text),
    Wrong(&'a Text),
}

fn form(
    ctx: &Ctx,
    status: StatusCode,
    langue: Lang,
    login: &str,
    way: &str,
    said: Option<&Said<'_>>,
) -> Response {
    let titre = langue.choose("Connexion", "Sign in");
    let described = matches!(said, Some(Said::Wrong(_))).then_some("faute");
    let content = html! {
        form.colonne method="post" action="/console/connexion" {
            @match said {
                Some(Said::Wrong(text)) => { p #faute .faute role="alert" { (text.in_lang(langue)) } }
                Some(Said::Done(text)) => { p.fait role="status" { (text.in_lang(langue)) } }
                None => {}
            }
            input type="hidden" name="vers" value=(way);
            label for="username" { (langue.choose("Identifiant ou adresse e-mail", "Username or e-mail address")) }
            input #username name="username" autocomplete="username" required value=(login)
                autofocus[login.is_empty()] aria-describedby=[described];
            label for="password" { (langue.choose("Mot de passe", "Password")) }
            input #password name="password" type="password" autocomplete="current-password" required
                autofocus[!login.is_empty()] aria-describedby=[described];
            button { (langue.choose("Se connecter", "Sign in")) }
        }
        @if let Some(oidc) = &ctx.oidc { (of_company(langue, oidc.config().label.as_deref(), way)) }
        p { a href="/api/v1/compte/oubli" { (langue.choose("Mot de passe oublié\u{a0}?", "Forgotten password?")) } }
    };
    page::small(status, langue, titre, &content)
}

/// The button that leads to the provider of the company. It is a link: the answer to a form could lead to no other site (`form-action`).
fn of_company(langue: Lang, label: Option<&str>, way: &str) -> Markup {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("suite", way).finish();
    html! {
        p { a.bouton href={ "/api/v1/auth/oidc/start?" (query) } {
            @match label {
                Some(label) => { (langue.choose("Se connecter avec ", "Sign in with ")) (label) }
                None => { (langue.choose("Se connecter avec le compte de l’entreprise", "Sign in with the account of the company")) }
            }
        } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_out_of_the_console() {
        for good in ["/console", "/console/taches?state=dead", "/console?a=%2F", "/compte"] {
            assert_eq!(inside(Some(good)), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/consoles",
            "/console.evil.example",
            "https://evil.example",
            "/console/\r\nX: y",
            "/console@evil",
        ] {
            assert_eq!(inside(Some(bad)), "/console", "{bad}");
        }
        assert_eq!(inside(None), "/console");
    }
}
