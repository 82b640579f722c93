//! For operators: jobs, queues, workers, schedules, mails and the audit.
mod audit;
pub(crate) mod emails;
pub(crate) mod jobs;
pub(crate) mod queues;
pub(crate) mod schedules;

use erp_core::Ctx;
use utoipa_axum::router::OpenApiRouter;

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("admin", "For operators: jobs, queues, workers, schedules.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(jobs::router())
        .merge(queues::router())
        .merge(schedules::router())
        .merge(emails::router())
        .merge(audit::router())
}
