//! For operators: jobs, queues, workers, schedules, and who did what.
mod audit;
mod jobs;
mod queues;
mod schedules;

use erp_core::Ctx;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(jobs::router())
        .merge(queues::router())
        .merge(schedules::router())
        .merge(audit::router())
}
