//! The page of the mailbox and the JSON API under it.

use anyhow::Error;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::message::Message;
use super::store::Store;

const PAGE: &str = include_str!("page.html");

pub(super) fn router(store: Store) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/api/messages", get(list).delete(clear))
        .route("/api/messages/{id}", get(one))
        .with_state(store)
}

async fn page() -> impl IntoResponse {
    // A mail must not fetch anything: it shows only what the sender put into it.
    let policy = "default-src 'none'; script-src 'self' 'unsafe-inline'; \
                  style-src 'unsafe-inline'; img-src data:; connect-src 'self'; frame-src 'self'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(PAGE))
}

async fn list(State(store): State<Store>) -> Result<Json<Vec<Value>>, Failure> {
    Ok(Json(store.all()?.iter().map(summary).collect()))
}

async fn one(State(store): State<Store>, Path(id): Path<String>) -> Result<Response, Failure> {
    Ok(match store.get(&id)? {
        Some(message) => Json(message).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

async fn clear(State(store): State<Store>) -> Result<StatusCode, Failure> {
    store.clear()?;
    Ok(StatusCode::NO_CONTENT)
}

fn summary(message: &Message) -> Value {
    json!({
        "id": message.id,
        "from": message.from,
        "to": message.to,
        "subject": message.subject,
        "date": message.date,
        "message_id": message.message_id,
        "size_bytes": message.size_bytes,
    })
}

/// An error, which is also the response: a developer's tool hides nothing.
struct Failure(Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}\n", self.0)).into_response()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}
