//! A forgotten password: the request, and the pages that a person follows from it; the page of an invitation; and the way to the provider
//! of the company, and back.
mod entreprise;
mod invitation;
pub(crate) mod page;
mod refusals;
mod views;

use std::net::IpAddr;

use axum::{Extension, Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Error, Result, Text,
    accounts::links::{self, Purpose},
    error::codes,
    input::{Email, Field as _, Input},
    users::{self, Password, UserOut},
};
use maud::html;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) use self::page::page;
use self::views::{ask_page, choose_page, over};
use super::auth::Message;
use crate::{
    ApiError,
    extract::{Form, Query},
    layers::{ClientAddress, RequestInfo},
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = (
    "compte",
    "A forgotten password, an accepted invitation and a sign-in at the provider of the company, for people: pages and mails.",
);

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(forgot))
        .routes(routes!(ask, asked))
        .routes(routes!(choose, chosen))
        .merge(invitation::router())
        .merge(entreprise::router())
}

/// Whose password is forgotten.
#[derive(Input)]
struct Forgotten {
    #[input(as = Email)]
    email: String,
}

/// Mails a link for a new password to the account with this address. The answer is the same whether there is one or not. The link
/// is good once, for thirty minutes. Who asks again within two minutes gets no other.
#[utoipa::path(
    post, path = "/auth/forgot", tag = "compte",
    request_body(content = Forgotten, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 202, body = Message),
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn forgot(
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Form(form): Form<Forgotten>,
) -> Result<(StatusCode, Json<Message>), ApiError> {
    request(&ctx, &form.email, address).await?;
    let message =
        "Si un compte a cette adresse, un e-mail arrive avec un lien, valable 30 minutes.";
    Ok((StatusCode::ACCEPTED, Json(Message { message })))
}

async fn request(ctx: &Ctx, email: &str, address: IpAddr) -> Result<()> {
    let mut tx = ctx.begin().await?;
    links::ask(&mut tx, email, address, ctx.clock.now()).await?;
    tx.commit().await
}

/// The page that asks whose password is forgotten.
#[utoipa::path(
    get, path = "/compte/oubli", tag = "compte",
    responses((status = 200, content_type = "text/html", body = String)),
)]
async fn ask(Extension(info): Extension<RequestInfo>) -> Response {
    ask_page(StatusCode::OK, info.lang, "", None)
}

/// The form of that page.
#[derive(Input)]
struct Typed {
    email: Option<String>,
}

/// What that page sends: as `POST /auth/forgot`, with a page for an answer.
#[utoipa::path(
    post, path = "/compte/oubli", tag = "compte",
    request_body(content = Typed, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 202, content_type = "text/html", body = String),
        (status = 422, description = "The page again, with what is wrong.", content_type = "text/html", body = String),
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn asked(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Form(form): Form<Typed>,
) -> Result<Response, ApiError> {
    let (langue, typed) = (info.lang, form.email.unwrap_or_default());
    let email = match Email::read(&typed.as_str().into()) {
        Ok(Email(email)) => email,
        Err(wrong) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(ask_page(status, langue, &typed, Some(&wrong.msg)));
        }
    };
    request(&ctx, &email, address).await?;
    let titre = langue.choose("Consultez votre messagerie", "Look at your mail");
    let content = html! {
        p {
            (langue.choose(
                "Si un compte a cette adresse, un e-mail arrive dans la minute, avec un lien valable 30 minutes.",
                "If an account has this address, a mail arrives within a minute, with a link that is good for 30 minutes.",
            ))
        }
        p {
            (langue.choose(
                "Rien\u{a0}? Regardez dans les indésirables, vérifiez l’adresse, ou adressez-vous à un administrateur.",
                "Nothing? Look among the junk, check the address, or ask an administrator.",
            ))
        }
    };
    Ok(page(StatusCode::ACCEPTED, langue, titre, &content))
}

/// The secret of a link.
#[derive(Input)]
struct Link {
    jeton: Option<String>,
}

/// Whose good link for this purpose a secret is.
async fn owner(ctx: &Ctx, link: &Link, purpose: Purpose) -> Result<Option<(Uuid, UserOut)>> {
    let jeton = link.jeton.as_deref().unwrap_or_default();
    let Some(id) = ctx.account_links.read(jeton) else { return Ok(None) };
    match links::owner(&ctx.pool, id, purpose, ctx.clock.now()).await? {
        Some(owner) => Ok(Some((id, users::find(&ctx.pool, owner).await?))),
        None => Ok(None),
    }
}

/// The page that a mailed link opens. It changes nothing: programs that check mails open links, too.
#[utoipa::path(
    get, path = "/compte/mot-de-passe", tag = "compte",
    params(Query<Link>),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 404, description = "A page: the link is no longer good.", content_type = "text/html", body = String),
    ),
)]
async fn choose(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    Query(link): Query<Link>,
) -> Result<Response, ApiError> {
    Ok(match owner(&ctx, &link, Purpose::Oubli).await? {
        Some((_, owner)) => choose_page(StatusCode::OK, &owner, None),
        None => over(&ctx, info.lang),
    })
}

/// The form of that page.
#[derive(Input)]
struct Chosen {
    password: Option<String>,
    /// The same again.
    encore: Option<String>,
}

/// Gives the owner of the link the new password, ends all sessions, and mails that it changed.
#[utoipa::path(
    post, path = "/compte/mot-de-passe", tag = "compte",
    params(Query<Link>),
    request_body(content = Chosen, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 404, description = "A page: the link is no longer good.", content_type = "text/html", body = String),
        (status = 422, description = "The page again, with what is wrong.", content_type = "text/html", body = String),
    ),
)]
async fn chosen(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Query(link): Query<Link>,
    Form(form): Form<Chosen>,
) -> Result<Response, ApiError> {
    let Some((id, owner)) = owner(&ctx, &link, Purpose::Oubli).await? else {
        return Ok(over(&ctx, info.lang));
    };
    let password = match accepted(&owner, form).await? {
        Ok(password) => password,
        Err(wrong) => {
            return Ok(choose_page(StatusCode::UNPROCESSABLE_ENTITY, &owner, Some(&wrong)));
        }
    };
    let hash = users::hash_password(password).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    if !links::use_link(&mut tx, id, &hash, address, now).await? {
        return Ok(over(&ctx, info.lang));
    }
    tx.commit().await?;
    let langue = owner.langue;
    let content = html! {
        p {
            (langue.choose(
                "Votre mot de passe est changé, et toutes vos sessions sont terminées\u{a0}: connectez-vous avec le nouveau.",
                "Your password is changed, and all your sessions have ended: sign in with the new one.",
            ))
        }
        p { a.bouton.plein href=(ctx.config.mail.frontend_url) { (langue.choose("Se connecter", "Sign in")) } }
    };
    Ok(page(StatusCode::OK, langue, langue.choose("C’est fait", "Done"), &content))
}

/// The new password, or why it is not accepted.
async fn accepted(owner: &UserOut, form: Chosen) -> Result<Result<Password, Text>> {
    let typed = form.password.unwrap_or_default();
    if form.encore.unwrap_or_default() != typed {
        return Ok(Err(Text::new(
            "Les deux mots de passe diffèrent\u{a0}: saisissez-les de nouveau.",
            "The two passwords are not the same: type them again.",
        )));
    }
    let password = match Password::read(&typed.into()) {
        Ok(password) => password,
        Err(wrong) => return Ok(Err(wrong.msg)),
    };
    match users::check_new_password(&password, owner, "password").await {
        Ok(()) => Ok(Ok(password)),
        Err(Error::Invalid(mut faults)) if !faults.is_empty() => Ok(Err(faults.swap_remove(0).msg)),
        Err(error) => Err(error),
    }
}
