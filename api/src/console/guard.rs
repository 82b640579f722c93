//! Lets through who may: the session of the cookie, the role, and for what changes something the proof that a page of ours sent it.
//!
//! A form is believed if it has the token of its session ([`erp_core::keys::SignedIds::of_forms`]), which pages of other sites cannot
//! know; the cookie, `SameSite=Strict`, does not come along with what they send either. Both are asked for: each has had holes.
use axum::{
    body::Body,
    extract::{FromRequestParts as _, MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use erp_core::{Code, Ctx, Error, Lang, Result, Text, auth, users};

use super::{
    access::{Access, TABLE, access, is_for_enrolment},
    back_to, cookie, page,
    viewer::Viewer,
};
use crate::{
    ApiError,
    extract::{CurrentUser, whole},
    layers::{ClientAddress, Entrance, ReaderLang, RequestInfo, count},
};

/// The field of every form.
pub const TOKEN: &str = "jeton";

/// Puts the [`Viewer`] into the extensions for the handler, or answers in its place.
pub async fn guard<F>(
    entrance: &Entrance,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let (langue, mut answer) = match admitted(entrance, request).await {
        Ok(Ok(request)) => {
            let langue = request.extensions().get::<Viewer>().map(|viewer| viewer.langue);
            (langue, next(request).await)
        }
        Ok(Err(elsewhere)) => return elsewhere,
        Err(Refusal { error, langue }) => (langue, error.into_response()),
    };
    if let Some(langue) = langue {
        answer.extensions_mut().insert(ReaderLang(langue));
    }
    answer
}

/// Why there is no page, and the language of whom it is said to, where that is known.
struct Refusal {
    error: ApiError,
    langue: Option<Lang>,
}

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { error: error.into(), langue: None }
    }
}

/// The request with its viewer; or the answer for somebody who has to sign in first.
async fn admitted(
    entrance: &Entrance,
    request: Request,
) -> Result<Result<Request, Response>, Refusal> {
    let ctx = &entrance.ctx;
    let (mut parts, body) = request.into_parts();
    let address = ClientAddress::from_request_parts(&mut parts, ctx).await?;
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(access) = access(&parts.method, path) else {
        // A method that the page does not have is answered 405 by the router; a page that the table lacks is closed.
        let is_known = TABLE.iter().any(|(_, known, _)| *known == path);
        let request = Request::from_parts(parts, body);
        return if is_known { Ok(Ok(request)) } else { Err(Error::forbidden().into()) };
    };
    let changes = parts.method != Method::GET && parts.method != Method::HEAD;
    if access == Access::Anyone {
        count(ctx, &parts, address, None)?;
        if changes {
            from_here(&parts)?;
        }
        return Ok(Ok(Request::from_parts(parts, body)));
    }
    let caller = caller(entrance, &parts.headers).await;
    let known = caller.as_ref().ok().and_then(Option::as_ref);
    count(ctx, &parts, address, known.map(|caller| caller.id))?;
    if parts.headers.contains_key(header::ORIGIN) {
        from_here(&parts)?;
    }
    let caller = match caller {
        Ok(Some(caller)) => caller,
        Ok(None) | Err(Error::Unauthenticated { .. }) => return Ok(Err(to_sign_in(&parts))),
        Err(error) => return Err(error.into()),
    };
    let owner = users::find(&ctx.pool, caller.id).await?;
    let langue = Some(owner.langue);
    let entered = entered(ctx, parts, body, caller, owner, access).await;
    entered.map_err(|error| Refusal { error, langue })
}

/// The request of a caller who is known, if they may send it.
async fn entered(
    ctx: &Ctx,
    mut parts: Parts,
    body: Body,
    caller: auth::Caller,
    owner: users::UserOut,
    access: Access,
) -> Result<Result<Request, Response>, ApiError> {
    let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if let Access::Roles(roles) = access
        && !roles.contains(&caller.role)
    {
        return Err(refused(caller.role).into());
    }
    if caller.must_enrol && !is_for_enrolment(path) {
        return Ok(Err(back_to("/compte/second-facteur")));
    }
    let changes = parts.method != Method::GET && parts.method != Method::HEAD;
    let body = if changes {
        from_here(&parts)?;
        let bytes = whole(body).await?;
        let given = form_urlencoded::parse(&bytes).find(|(name, _)| name == TOKEN);
        let given = given.and_then(|(_, token)| ctx.page_forms.read(&token));
        if given != Some(caller.session) {
            return Err(not_ours().into());
        }
        Body::from(bytes)
    } else {
        body
    };
    parts.extensions.insert(Viewer::new(ctx, owner, caller.session));
    // For the extractors of authors.
    parts.extensions.insert(CurrentUser::from(caller));
    Ok(Ok(Request::from_parts(parts, body)))
}

/// The caller that the cookie names; `None` without one of ours.
async fn caller(entrance: &Entrance, headers: &HeaderMap) -> Result<Option<auth::Caller>> {
    let Some((user_id, session)) = cookie::read(&entrance.ctx, headers) else { return Ok(None) };
    auth::page_caller(&entrance.ctx, &entrance.callers, user_id, session).await.map(Some)
}

/// Whether the session of the cookie has ended. A database that does not answer ends none.
pub async fn is_over(entrance: &Entrance, headers: &HeaderMap) -> bool {
    match caller(entrance, headers).await {
        Ok(caller) => caller.is_none(),
        Err(error) => matches!(error, Error::Unauthenticated { .. } | Error::Forbidden { .. }),
    }
}

/// Refuses what a page of another site has sent, where the browser says so.
fn from_here(parts: &Parts) -> Result<()> {
    let said = parts.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match said {
        Some("same-origin") | None => Ok(()),
        Some(_) => Err(not_ours()),
    }
}

/// The way to sign in, and back to the page that was asked for.
fn to_sign_in(parts: &Parts) -> Response {
    let said = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if parts.method == Method::GET && said("sec-fetch-site") == Some("cross-site") {
        // A link in a mail or a chat: browsers keep the cookie back until a page of ours asks again.
        return page::again(
            language(parts),
            parts.uri.path_and_query().map_or("", |asked| asked.as_str()),
        );
    }
    let asked = parts.uri.path_and_query().map_or("/console", |asked| asked.as_str());
    let asked = if parts.method == Method::GET { asked } else { "/console" };
    let mut query = form_urlencoded::Serializer::new(String::new());
    let address = format!("/console/connexion?{}", query.append_pair("vers", asked).finish());
    if parts.headers.contains_key("hx-request") {
        // A part of a page cannot be swapped for another page: the whole page goes.
        return (StatusCode::OK, [("hx-redirect", address)]).into_response();
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}

fn refused(role: users::UserRole) -> Error {
    let text = match role {
        users::UserRole::Responsable => Text::new(
            "Seul un administrateur fait cela\u{a0}: demandez-le à l’un d’eux.",
            "Only an administrator does this: ask one of them.",
        ),
        _ => Text::new(
            "La console est pour les responsables et les administrateurs\u{a0}: votre travail vous attend dans l’application.",
            "The console is for managers and administrators: your work waits in the application.",
        ),
    };
    Error::Forbidden { code: Code::ActionInterdite, text }
}

fn not_ours() -> Error {
    Error::Forbidden {
        code: Code::ActionInterdite,
        text: Text::new(
            "Ce formulaire ne vient pas de votre session\u{a0}: rechargez la page, puis recommencez.",
            "This form is not of your session: reload the page, then try again.",
        ),
    }
}

/// The language of a reader who is not known yet.
pub fn language(parts: &Parts) -> Lang {
    parts.extensions.get::<RequestInfo>().map_or(Lang::Fr, |info| info.lang)
}
