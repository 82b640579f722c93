//! The audit: who did what, as a list or as an export.
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Ctx, Result,
    audit::{self, Acte, AuditFilter, AuditList, AuditOut, Entry},
};
use futures_util::stream;
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, Query},
    list::Here,
};

const NDJSON: &str = "application/x-ndjson";
/// Rows that an export reads at once.
const BATCH: i64 = 1000;

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Who did what, the newest first. With `Accept: application/x-ndjson`: all lines of the filter, the oldest first, one JSON object a
/// line.
#[utoipa::path(
    get, path = "/admin/audit", tag = "admin", operation_id = "audit_list",
    params(Query<AuditList>),
    responses(
        (status = 200, body = [AuditOut]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    here: Here,
    headers: HeaderMap,
    Query(list): Query<AuditList>,
) -> Result<Response, ApiError> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if !kinds.into_iter().any(|kind| kind.eq_ignore_ascii_case(NDJSON)) {
        return Ok(here.list(&list.page, &audit::list(&ctx.pool, &list).await?));
    }
    let mut tx = ctx.begin().await?;
    let entry = Entry::new(Acte::AuditExporte, &auteur);
    entry.after(json!(list.filter)).record(&mut tx, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(([(header::CONTENT_TYPE, NDJSON)], export(ctx, list.filter)).into_response())
}

/// Streams all lines of the filter, one batch at a time: the answer has no bound, and no connection is held while it is sent.
fn export(ctx: Ctx, filter: AuditFilter) -> Body {
    Body::from_stream(stream::try_unfold(Some(0), move |after| {
        let (ctx, filter) = (ctx.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            batch(&ctx, &filter, after).await.map_err(anyhow::Error::from)
        }
    }))
}

/// The next batch of lines after the row with id `after`, and the id to go on after (`None` after the last batch); `None` if
/// there are no more.
async fn batch(
    ctx: &Ctx,
    filter: &AuditFilter,
    after: i64,
) -> Result<Option<(Bytes, Option<i64>)>> {
    let rows = audit::after(&ctx.pool, filter, after, BATCH).await?;
    let Some(last) = rows.last().map(|row| row.id) else { return Ok(None) };
    let mut lines = Vec::new();
    for row in &rows {
        serde_json::to_writer(&mut lines, row).map_err(anyhow::Error::from)?;
        lines.push(b'\n');
    }
    let is_full = i64::try_from(rows.len()).is_ok_and(|rows| rows == BATCH);
    Ok(Some((lines.into(), is_full.then_some(last))))
}
