//! The parameters of a run: faults, durations, load, seed.
use std::time::Duration;

use super::fault::Fault;

#[derive(Debug, Clone)]
pub struct Plan {
    pub faults: Vec<Fault>,
    /// The faults are repeated, in another order, until so much time has passed.
    pub length: Duration,
    /// The pause before each fault.
    pub pause: Duration,
    /// How long a fault lasts that has no duration of its own.
    pub brief: Duration,
    /// The same for faults that must outlast a rescue (`WORKER_RESCUE_SECONDS` is 5).
    pub outlast: Duration,
    /// How long writes to `notifications` are blocked.
    pub lock: Duration,
    pub workers: usize,
    pub people: usize,
    pub mails_per_second: u32,
    /// Mails for each photo; every other photo is deleted as soon as it was accepted.
    pub mails_per_photo: usize,
    /// `EMAILS_GROUP_SECONDS`
    pub gather: &'static str,
    /// At the end an operator retries all jobs that wait for their next attempt.
    pub hurries: bool,
    pub seed: u64,
}

impl Plan {
    /// Processes die and servers are away, for some seconds each.
    pub fn deaths() -> Self {
        use Fault::{Kill, PowerCut, RelayAway, Restart};
        Self {
            faults: vec![Kill, Kill, Kill, Kill, Restart, RelayAway, PowerCut],
            gather: "0",
            ..Self::short()
        }
    }

    /// Each fault once, in a minute or two; with `CHAOS_FAULTS=Kill,Freeze` only those, as in the long form.
    pub fn short() -> Self {
        let chosen = setting("CHAOS_FAULTS").unwrap_or_default();
        let chosen = |fault: &Fault| {
            chosen.is_empty() || chosen.split(',').any(|name| name == format!("{fault:?}"))
        };
        Self {
            faults: Fault::ALL.into_iter().filter(chosen).collect(),
            length: Duration::ZERO,
            pause: Duration::from_millis(500),
            brief: Duration::from_secs(2),
            outlast: Duration::from_secs(8),
            lock: Duration::from_secs(6),
            workers: 3,
            people: 30,
            mails_per_second: 12,
            mails_per_photo: 6,
            gather: "1",
            hurries: true,
            seed: number("CHAOS_SEED").unwrap_or(7),
        }
    }

    /// All faults, repeated for `CHAOS_MINUTES` (20), in the order of the seed `CHAOS_SEED` (7).
    pub fn long() -> Self {
        let minutes = number("CHAOS_MINUTES").unwrap_or(20);
        Self {
            length: Duration::from_mins(minutes),
            pause: Duration::from_secs(4),
            brief: Duration::from_secs(20),
            outlast: Duration::from_secs(30),
            lock: Duration::from_secs(100),
            workers: 4,
            people: 100,
            mails_per_second: 10,
            mails_per_photo: 5,
            gather: "2",
            hurries: false,
            ..Self::short()
        }
    }

    pub fn dice(&self) -> Dice {
        Dice(self.seed)
    }

    /// The faults in a new random order.
    pub fn deck(&self, dice: &mut Dice) -> Vec<Fault> {
        let mut deck = self.faults.clone();
        for last in (1..deck.len()).rev() {
            deck.swap(last, dice.below(last + 1));
        }
        deck
    }
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn number(name: &str) -> Option<u64> {
    let text = setting(name)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Pseudo-random numbers: the same for the same seed. (The timing of a run still depends on the machine.)
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// A number in 0..`sides`, by splitmix64.
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}
