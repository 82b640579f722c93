//! The buttons of the queues.
use axum::{extract::State, response::Response};
use erp_core::{Ctx, operate::QueueConcurrency};

use super::{back_to, form::Pairs, viewer::Viewer};
use crate::{
    ApiError,
    extract::{Auteur, Name},
    routes::admin::queues::{concurrency_set, paused, resumed},
};

/// Lets no worker take a job of this queue any more.
pub async fn pause(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    paused(&ctx, &mut tx, &auteur, &name, viewer.id).await?;
    tx.commit().await?;
    Ok(back_to("/console"))
}

/// Lets workers take the jobs of this queue again.
pub async fn resume(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    resumed(&ctx, &mut tx, &auteur, &name).await?;
    tx.commit().await?;
    Ok(back_to("/console"))
}

/// How many jobs of this queue each worker runs at once; an empty field: as many as its program says.
pub async fn set_concurrency(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let wanted: QueueConcurrency = pairs.parse()?;
    let mut tx = ctx.begin().await?;
    concurrency_set(&ctx, &mut tx, &auteur, &name, &wanted).await?;
    tx.commit().await?;
    Ok(back_to("/console"))
}
