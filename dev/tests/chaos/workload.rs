//! The load: mails and photos at a steady rate, from several clients at once.
use std::time::Duration;

use tokio::{sync::watch, task::JoinSet};

use super::{client::Client, plan::Plan};

const AT_ONCE: usize = 8;

pub struct Workload {
    lanes: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Workload {
    pub fn start(client: &Client, plan: &Plan) -> Self {
        let (stop, stopped) = watch::channel(false);
        let pace = Duration::from_secs(AT_ONCE as u64) / plan.mails_per_second;
        let mut lanes = JoinSet::new();
        for _ in 0..AT_ONCE {
            lanes.spawn(lane(client.clone(), pace, plan.mails_per_photo, stopped.clone()));
        }
        Self { lanes, stop }
    }

    /// Stops the load, and waits until all pending requests were accepted.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.lanes.join_all().await;
    }
}

async fn lane(client: Client, pace: Duration, mails_per_photo: usize, stop: watch::Receiver<bool>) {
    let mut pace = tokio::time::interval(pace);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut mails = 0;
    while !*stop.borrow() {
        pace.tick().await;
        client.mail().await;
        mails += 1;
        if mails % mails_per_photo == 0 {
            let photo = client.photo().await;
            if mails % (2 * mails_per_photo) == 0 {
                client.delete(photo).await;
            }
        }
    }
}
