//! The settings of a worker.
use std::{net::SocketAddr, time::Duration};

use super::env::{Env, SettingFault};

#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// `WORKER_CONCURRENCY`: jobs of one queue that run at once in this process; unset: what each job declares.
    pub concurrency: Option<usize>,
    /// `WORKER_QUEUES`: the queues that this process serves, separated by commas; unset: all.
    pub queues: Option<Vec<String>>,
    /// `WORKER_RESCUE_SECONDS` (25): the jobs of a worker that has been silent for so long go to others.
    pub rescue_after: Duration,
    /// `ENABLE_SCHEDULER` (true): this process takes part in scheduling.
    pub scheduler: bool,
    /// `WORKER_BIND_ADDR` (0.0.0.0:8001): where `/live`, `/ready` and `/metrics` are.
    pub bind_addr: SocketAddr,
    /// `SHUTDOWN_TIMEOUT`: seconds that running jobs get to end after SIGTERM (25).
    pub shutdown_timeout: Duration,
}

impl WorkerConfig {
    pub(super) fn read(env: &mut Env) -> Self {
        let concurrency = env.parse(
            "WORKER_CONCURRENCY",
            0,
            |n| (0..=256).contains(n),
            "un nombre de 0 à 256",
            "4",
        );
        let seconds = env.parse(
            "SHUTDOWN_TIMEOUT",
            25,
            |n| (1..=3600).contains(n),
            "un nombre de secondes",
            "25",
        );
        let rescue = env.parse(
            "WORKER_RESCUE_SECONDS",
            25,
            |n| (5..=3600).contains(n),
            "un nombre de secondes de 5 à 3600",
            "25",
        );
        let queues = env.text("WORKER_QUEUES").map(|list| -> Vec<String> {
            list.split(',').map(|q| q.trim().to_owned()).filter(|q| !q.is_empty()).collect()
        });
        let scheduler = env.parse("ENABLE_SCHEDULER", true, |_| true, "true ou false", "true");
        let bind_addr = env.parse(
            "WORKER_BIND_ADDR",
            SocketAddr::from(([0, 0, 0, 0], 8001)),
            |_| true,
            "une adresse et un port",
            "0.0.0.0:8001",
        );
        Self {
            scheduler,
            bind_addr,
            concurrency: (concurrency > 0).then_some(concurrency),
            queues,
            rescue_after: Duration::from_secs(rescue),
            shutdown_timeout: Duration::from_secs(seconds),
        }
    }

    /// The faults of `WORKER_QUEUES`, where the queues are `known`: a worker that serves an unknown queue would never get a
    /// job.
    #[must_use]
    pub fn faults_of_queues(&self, known: &[&str]) -> Vec<SettingFault> {
        let unknown = |queue: &&String| !known.contains(&queue.as_str());
        let fault = |queue: &String| SettingFault {
            name: "WORKER_QUEUES".into(),
            fault: format!("« {queue} » n'est pas une file ; il y a {}", known.join(", ")),
            example: "emails,documents.process",
        };
        self.queues.iter().flatten().filter(unknown).map(fault).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_nobody_knows_is_a_fault() {
        let with =
            |queues: &str| WorkerConfig::read(&mut Env::from_pairs(&[("WORKER_QUEUES", queues)]));
        let faults = |queues| -> Vec<_> {
            let faults = with(queues).faults_of_queues(&["emails", "photos"]);
            faults.iter().map(ToString::to_string).collect()
        };
        assert_eq!(faults(""), Vec::<String>::new());
        assert_eq!(faults("emails, photos"), Vec::<String>::new());
        let said = faults("email,emails,photo");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("WORKER_QUEUES") && said[0].contains("« email »"), "{said:?}");
        assert!(said[1].contains("« photo »") && said[1].contains("emails, photos"), "{said:?}");
    }
}
