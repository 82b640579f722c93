//! Declares the jobs that schedules enqueue.

/// Declares the job of a schedule, on the queue of the same name. The tick is its key, so each tick is one job. A job that an
/// operator asked for has no tick and no key.
macro_rules! scheduled {
    ($(#[$meta:meta])* $name:ident = $queue:literal, attempts $attempts:literal, limit $limit:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            /// The tick that it is for; `None` when an operator asked for it.
            pub tick: Option<chrono::DateTime<chrono::Utc>>,
        }

        impl $name {
            /// The job of this tick.
            #[must_use]
            pub fn at(tick: Option<chrono::DateTime<chrono::Utc>>) -> Self {
                Self { tick }
            }
        }

        impl $crate::jobs::Job for $name {
            const QUEUE: &'static str = $queue;
            const MAX_ATTEMPTS: usize = $attempts;
            const TIMEOUT: std::time::Duration = $limit;
            const CONCURRENCY: usize = 1;

            fn key(&self) -> Option<String> {
                self.tick.map(|tick| tick.to_rfc3339())
            }
        }
    };
}
pub(crate) use scheduled;
