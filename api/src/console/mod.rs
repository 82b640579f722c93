//! The console of operators, at `/console`: pages over the operations of `/admin`, for admins to act and for responsables to read.
//!
//! Pages work without scripts; with them, those that show what changes ask for themselves again when it does (`live.rs`).
pub mod access;
mod account;
mod advice;
mod assets;
mod audit;
mod chart;
mod checks;
pub(crate) mod cookie;
mod cron_words;
mod dead;
mod form;
pub(crate) mod guard;
mod kept;
mod jobs;
mod limits;
mod live;
mod mails;
mod needs;
mod overview;
pub(crate) mod page;
mod queues;
mod schedules;
pub(crate) mod second_step;
pub(crate) mod sign_in;
mod system;
mod table;
mod things;
mod viewer;
pub(crate) mod words;

pub(crate) use assets::file;

use axum::{
    Extension, Router,
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use erp_core::Ctx;

use crate::{
    ApiError,
    layers::{self, Entrance},
};

/// The pages, each behind the guard.
pub fn router(entrance: &Entrance) -> Router<Ctx> {
    let live =
        Router::new().route("/console/flux", get(live::changes)).with_state(entrance.clone());
    Router::new()
        .route("/compte", get(account::show::show))
        .route("/compte/profil", post(account::acts::profile))
        .route("/compte/preferences", post(account::acts::preferences))
        .route("/compte/changer-mot-de-passe", post(account::password::change))
        .route("/compte/sessions/terminer", post(account::acts::end_sessions))
        .route("/compte/sessions/{id}/terminer", post(account::acts::end_session))
        .route("/compte/second-facteur", get(account::second_factor::show))
        .route("/compte/second-facteur/enroler", post(account::second_factor::enrol))
        .route("/compte/second-facteur/confirmer", post(account::second_factor::confirm))
        .route("/compte/second-facteur/codes", post(account::second_factor::renew_codes))
        .route("/compte/second-facteur/retirer", post(account::second_factor::remove))
        .route("/compte/second-facteur/appareils", post(account::second_factor::forget_devices))
        .route("/compte/donnees", post(account::personal_data::ask))
        .route("/compte/donnees.zip", get(account::personal_data::file))
        .route("/compte/cles", post(account::api_keys::make))
        .route("/compte/cles/{id}/revoquer", post(account::api_keys::revoke))
        .route("/compte/calendrier", post(account::acts::make_calendar))
        .route("/compte/calendrier/supprimer", post(account::acts::remove_calendar))
        .route("/console/connexion", get(sign_in::ask).post(sign_in::sign_in))
        .route("/console/second-facteur", post(second_step::verify))
        .route("/console/deconnexion", post(sign_in::sign_out))
        .route("/console/static/{file}", get(assets::file))
        .route("/console", get(overview::show))
        .route("/console/files/{name}/suspendre", post(queues::pause))
        .route("/console/files/{name}/reprendre", post(queues::resume))
        .route("/console/files/{name}/reglage", post(queues::set_concurrency))
        .route("/console/taches", get(jobs::list::show))
        .route("/console/taches/agir", get(jobs::act::preview).post(jobs::act::apply))
        .route("/console/taches/{id}", get(jobs::one::show))
        .route("/console/objets/intervention/{id}", get(things::intervention))
        .route("/console/objets/document/{id}", get(things::document))
        .route("/console/objets/planning/{id}", get(things::planning))
        .route("/console/echecs", get(dead::show))
        .route("/console/emails", get(mails::list))
        .route("/console/emails/{id}", get(mails::show))
        .route("/console/emails/{id}/html", get(mails::framed))
        .route("/console/emails/{id}/renvoyer", post(mails::resend))
        .route("/console/planifications", get(schedules::list))
        .route("/console/planifications/{name}", get(schedules::show).post(schedules::edit))
        .route("/console/planifications/{name}/essayer", post(schedules::try_out))
        .route("/console/planifications/{name}/lancer", post(schedules::launch))
        .route("/console/audit", get(audit::show))
        .route("/console/audit/verifier", post(audit::check))
        .route("/console/systeme", get(system::show).layer(Extension(checks::Checks::default())))
        .route("/console/{*rest}", get(nowhere))
        .route("/compte/{*rest}", get(nowhere))
        .merge(live)
        .route_layer(from_fn_with_state(entrance.clone(), layers::of_page))
}

/// Whether `path` is one of the console or of one's own account.
#[must_use]
pub fn is_page(path: &str) -> bool {
    // Those of links in mails, without a cookie, are routes of the API.
    const OF_LINKS: [&str; 3] = ["/compte/oubli", "/compte/mot-de-passe", "/compte/invitation"];
    let is_below = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_below("/console") || is_below("/compte") && !OF_LINKS.contains(&path.trim_end_matches('/'))
}

/// An address below the pages that has none.
async fn nowhere() -> ApiError {
    ApiError::of_status(StatusCode::NOT_FOUND)
}

/// Leads back to a page after a change, so that reloading it changes nothing again.
fn back_to(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
}
