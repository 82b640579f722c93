//! Scripts: how relays treat their clients.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::desk::{Moment, Step};
use super::Gate;

/// How a step of a conversation goes.
#[derive(Clone, Debug)]
pub enum Act {
    /// It goes well.
    Go,
    /// It is refused with this code (400 or more). At [`Step::Dot`] the mail is then not accepted.
    Answer(u16, &'static str),
    /// The connection is closed without an answer. At [`Step::Dot`] the mail is accepted nevertheless.
    Close,
    /// It goes well, after so long.
    Wait(Duration),
    /// It waits, and then goes as the test says ([`Gate::release`]).
    Hold(Gate),
}

/// Says how each step goes.
pub type Script = Arc<dyn Fn(&Moment) -> Act + Send + Sync>;

/// Everything goes well.
#[must_use]
pub fn well() -> Script {
    Arc::new(|_| Act::Go)
}

/// `act` at every `step`; all else goes well.
#[must_use]
pub fn always(step: Step, act: Act) -> Script {
    Arc::new(move |moment| if moment.step == step { act.clone() } else { Act::Go })
}

/// `act` at the first `times` of that step; all else goes well.
#[must_use]
pub fn first(times: usize, step: Step, act: Act) -> Script {
    let left = AtomicUsize::new(times);
    Arc::new(move |moment| {
        let take = |left: usize| left.checked_sub(1);
        let mine = moment.step == step
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        if mine { act.clone() } else { Act::Go }
    })
}

/// The final dot is answered after so long.
#[must_use]
pub fn slow_dot(pause: Duration) -> Script {
    always(Step::Dot, Act::Wait(pause))
}

/// A new pair of sender and recipient is refused once, with 450.
#[must_use]
pub fn greylist() -> Script {
    let known = Mutex::<HashSet<(String, Vec<String>)>>::default();
    Arc::new(move |moment| {
        if moment.step != Step::Rcpt {
            return Act::Go;
        }
        let pair = (moment.from.clone(), moment.to.clone());
        let is_new = known.lock().unwrap_or_else(PoisonError::into_inner).insert(pair);
        if is_new { Act::Answer(450, "4.2.0 Liste grise : essayez plus tard") } else { Act::Go }
    })
}

/// No client is served: 421 as the greeting.
#[must_use]
pub fn busy() -> Script {
    always(Step::Greeting, Act::Answer(421, "4.3.2 Trop de connexions : essayez plus tard"))
}

/// This recipient is refused for good.
#[must_use]
pub fn refuse(recipient: &str) -> Script {
    let recipient = recipient.to_owned();
    Arc::new(move |moment| {
        if moment.step == Step::Rcpt && moment.to.contains(&recipient) {
            Act::Answer(550, "5.1.1 Destinataire inconnu")
        } else {
            Act::Go
        }
    })
}

/// The first `times` mails are accepted, and the connection is closed before the client is told.
#[must_use]
pub fn lose_the_answer(times: usize) -> Script {
    first(times, Step::Dot, Act::Close)
}

/// The first `times` connections are lost before 354: no mail was accepted.
#[must_use]
pub fn drop_before_354(times: usize) -> Script {
    first(times, Step::Data, Act::Close)
}
