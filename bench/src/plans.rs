//! The plans of the statements that a piece of code really runs, reported by Postgres's `auto_explain`.
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{
    Layer, layer::Context, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Collects the notices that the server sends to its client, as sqlx logs them.
#[derive(Debug, Clone, Default)]
pub struct Plans(Arc<Mutex<Vec<String>>>);

impl Plans {
    /// Installs the collector as the global subscriber of `tracing`. May be called once in a process.
    #[must_use]
    pub fn capture() -> Self {
        let plans = Self::default();
        tracing_subscriber::registry().with(plans.clone()).init();
        plans
    }

    /// The plans of the statements that `work` runs on `pool`, which must have one connection. Costs are left out: only the shape
    /// matters.
    pub async fn of<T, F: Future<Output = erp_core::Result<T>>>(
        &self,
        pool: &PgPool,
        work: impl FnOnce() -> F,
    ) -> anyhow::Result<Vec<String>> {
        sqlx::raw_sql(
            "load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_level = 'notice'; \
             set auto_explain.log_format = 'text'",
        )
        .execute(pool)
        .await?;
        self.take();
        work().await?;
        let told = self.take();
        sqlx::raw_sql("set auto_explain.log_min_duration = -1").execute(pool).await?;
        Ok(told.iter().filter_map(|told| shape(told)).collect())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The lines of a plan after its query, without the costs, cut at 140 characters.
fn shape(told: &str) -> Option<String> {
    let (_, plan) = told.split_once("Query Text:")?;
    let lines = plan.lines().skip_while(|line| !line.contains("(cost="));
    let lines = lines.map(|line| {
        line.split("  (cost=").next().unwrap_or(line).trim_end().chars().take(140).collect()
    });
    Some(lines.collect::<Vec<String>>().join("\n"))
}

impl<S: Subscriber> Layer<S> for Plans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Message(self));
    }
}

struct Message<'a>(&'a Plans);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let mut told = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
            // `Debug` escapes line ends.
            told.push(format!("{value:?}").replace("\\n", "\n"));
        }
    }
}
