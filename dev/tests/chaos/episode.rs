//! One fault, and how long the system takes to recover from it.
use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{
    client::Client,
    fault::Fault,
    plan::{Dice, Plan},
    stage::Stage,
};
use crate::support::faults::{copies, until};

pub struct Episode {
    pub fault: Fault,
    pub begun: Instant,
    pub ended: Instant,
    /// From the end of the fault until a mail and a photo requested after it were done. `None`: the fault is not possible here.
    pub recovery: Option<Duration>,
}

impl Episode {
    pub async fn of(
        fault: Fault,
        stage: &mut Stage,
        client: &Client,
        plan: &Plan,
        dice: &mut Dice,
    ) -> Self {
        let begun = Instant::now();
        let had = fault.strike(stage, client, plan, dice).await;
        let ended = Instant::now();
        if !had {
            return Self { fault, begun, ended, recovery: None };
        }
        let (mail, photo) = tokio::join!(client.mail(), client.photo());
        until("a mail and a photo are done after the fault", async || {
            copies(&stage.relay, &mail.token) > 0 && client.is_ready(photo).await
        })
        .await;
        Self { fault, begun, ended, recovery: Some(ended.elapsed()) }
    }

    /// When the system had recovered.
    pub fn over(&self) -> Instant {
        self.ended + self.recovery.unwrap_or_default()
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{:?}", self.fault);
        match self.recovery {
            None => write!(f, "{name:<14} NOT RUN"),
            Some(recovery) => {
                let length = (self.ended - self.begun).as_secs_f64();
                let recovery = recovery.as_secs_f64();
                write!(f, "{name:<14} {length:5.1} s, works again {recovery:.1} s later")
            }
        }
    }
}
