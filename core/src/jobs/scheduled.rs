//! How the jobs that schedules enqueue are declared.

/// Declares the job of a schedule, which is of the queue of its name. Each tick is one job, whose key it is; there is none
/// when an operator asks for it.
macro_rules! scheduled {
    ($(#[$meta:meta])* $name:ident = $queue:literal, attempts $attempts:literal, limit $limit:expr) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
        pub struct $name {
            /// The tick that it is for; none when an operator asked for it.
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
