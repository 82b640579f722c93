//! How many requests one caller may make in a minute, over all replicas of the API.
//!
//! Each replica counts in memory and, once a second, adds what is new to one row of Postgres per caller and reads the
//! sum back: a request costs no query, and a caller who spreads over replicas gains a second's worth at the most.
//! (`governor` and similar crates count within one process only.)
mod store;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Timelike as _, Utc};
use sqlx::{PgExecutor, PgPool};

use crate::{Clock, Code, Error, Result, Text};

/// How often replicas exchange their counts.
const EXCHANGE: Duration = Duration::from_secs(1);
/// The most callers counted at once: some 10 MB. Further callers are let through: a flood from so many addresses must be
/// stopped by the network, and refusing other callers would help the flood.
const MOST_CALLERS: usize = 100_000;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    User(i64),
    Address(IpAddr),
    /// Attempts to sign in from an address, and requests for a new password.
    SignIn(IpAddr),
    /// Ways to the provider of the company, and back. Apart: any page of another site can begin one.
    Company(IpAddr),
    /// API keys from an address that are none. Apart: who shares the address with such a script has keys that are.
    WrongKey(IpAddr),
}

/// The network that counts as one address: a /64 of IPv6, since one home has a whole one; for IPv4 the address itself.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Caller {
    fn key(self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Address(address) => format!("addr:{}", network(address)),
            Self::SignIn(address) => format!("login:{}", network(address)),
            Self::Company(address) => format!("company:{}", network(address)),
            Self::WrongKey(address) => format!("key:{}", network(address)),
        }
    }
}

/// The counts of this process for the current minute.
#[derive(Debug, Default)]
pub struct Limits(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    minute: DateTime<Utc>,
    counts: HashMap<String, Count>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    /// What all replicas had counted at the last exchange.
    shared: u32,
    /// What came here since.
    new: u32,
}

impl Limits {
    /// Counts one request of `caller`; `TooMany` when it exceeds `limit` in this minute. A limit of 0 means none.
    pub fn count(&self, caller: Caller, limit: u32, now: DateTime<Utc>) -> Result<()> {
        if limit == 0 {
            return Ok(());
        }
        let mut window = self.window(now);
        let key = caller.key();
        if window.counts.len() >= MOST_CALLERS && !window.counts.contains_key(&key) {
            return Ok(());
        }
        let count = window.counts.entry(key).or_default();
        // Refused requests are not counted: a caller who goes on asking is still served again in the next minute.
        if count.shared.saturating_add(count.new) >= limit {
            return Err(too_many(now));
        }
        count.new += 1;
        Ok(())
    }

    /// `TooMany` if `caller` has exceeded `limit` in this minute; counts nothing.
    pub fn check(&self, caller: Caller, limit: u32, now: DateTime<Utc>) -> Result<()> {
        let window = self.window(now);
        let spent = |count: &Count| count.shared.saturating_add(count.new) >= limit;
        if limit > 0 && window.counts.get(&caller.key()).is_some_and(spent) {
            return Err(too_many(now));
        }
        Ok(())
    }

    /// Adds the new counts of this process to the sums of all replicas, and takes those sums over.
    pub async fn exchange(&self, pool: &PgPool, now: DateTime<Utc>) -> Result<()> {
        let (minute, new) = self.take_new(now);
        if new.is_empty() {
            return Ok(());
        }
        let sums = store::add(pool, minute, &new).await;
        let mut window = self.window(now);
        if window.minute != minute {
            return sums.map(drop);
        }
        match sums {
            Ok(sums) => {
                for (key, sum) in sums {
                    window.counts.entry(key).or_default().shared = sum;
                }
                Ok(())
            }
            Err(error) => {
                for (key, n) in new {
                    let count = window.counts.entry(key).or_default();
                    count.shared = count.shared.saturating_sub(n);
                    count.new += n;
                }
                Err(error)
            }
        }
    }

    /// The counts since the last exchange, which are counted as shared from now on, and their minute.
    fn take_new(&self, now: DateTime<Utc>) -> (DateTime<Utc>, Vec<(String, u32)>) {
        let mut window = self.window(now);
        let mut taken = Vec::new();
        for (key, count) in window.counts.iter_mut().filter(|(_, count)| count.new > 0) {
            taken.push((key.clone(), count.new));
            count.shared = count.shared.saturating_add(std::mem::take(&mut count.new));
        }
        (window.minute, taken)
    }

    /// The counts of the minute of `now`; those of another minute are dropped.
    fn window(&self, now: DateTime<Utc>) -> MutexGuard<'_, Window> {
        let minute = minute_of(now);
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.minute != minute {
            *window = Window { minute, counts: HashMap::new() };
        }
        window
    }
}

/// Exchanges the counts of this process with the others, for as long as it is polled. While the database is away, each replica
/// goes by its own counts.
pub async fn keep_exchanging(limits: Arc<Limits>, pool: PgPool, clock: Clock) {
    let mut ticks = tokio::time::interval(EXCHANGE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = limits.exchange(&pool, clock.now()).await {
            tracing::debug!(%error, "request counts stay with this process");
        }
    }
}

/// The requests of the callers who have made the most in the minute of `now`, over all replicas: of those counted against the limit
/// of requests, and of those counted against that of sign-ins. At most a second old.
pub async fn busiest(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<(i64, i64)> {
    let (mut requests, mut sign_ins) = (0, 0);
    for (kind, most) in store::busiest(db, minute_of(now)).await? {
        let sum = if kind == "login" { &mut sign_ins } else { &mut requests };
        *sum = most.max(*sum);
    }
    Ok((requests, sign_ins))
}

fn minute_of(now: DateTime<Utc>) -> DateTime<Utc> {
    now.with_second(0).and_then(|t| t.with_nanosecond(0)).unwrap_or(now)
}

fn too_many(now: DateTime<Utc>) -> Error {
    Error::TooMany {
        code: Code::TropDeRequetes,
        text: Text::new(
            "Trop de requêtes en peu de temps : patientez un instant avant de réessayer.",
            "Too many requests in a short time: wait a moment before you try again.",
        ),
        retry_after_seconds: u64::from(60 - now.second().min(59)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_caller_has_its_limit_each_minute_and_others_are_not_concerned() {
        let limits = Limits::default();
        let (one, other) = (Caller::User(1), Caller::User(2));
        for _ in 0..3 {
            limits.count(one, 3, at(10)).unwrap();
        }
        match limits.count(one, 3, at(45)) {
            Err(Error::TooMany { retry_after_seconds: 15, .. }) => {}
            answer => panic!("{answer:?}"),
        }
        limits.count(other, 3, at(45)).unwrap();
        limits.count(one, 3, at(60)).unwrap();
    }

    #[test]
    fn zero_is_no_limit() {
        let limits = Limits::default();
        for _ in 0..1000 {
            limits.count(Caller::User(1), 0, at(0)).unwrap();
        }
    }

    #[test]
    fn addresses_count_by_network_and_signing_in_apart() {
        let limits = Limits::default();
        let v6 = |text: &str| Caller::Address(text.parse().unwrap());
        limits.count(v6("2001:db8::1"), 1, at(0)).unwrap();
        assert!(limits.count(v6("2001:db8::2"), 1, at(0)).is_err());
        limits.count(v6("2001:db8:0:1::1"), 1, at(0)).unwrap();
        limits.count(v6("192.0.2.1"), 1, at(0)).unwrap();
        assert!(limits.count(v6("::ffff:192.0.2.1"), 1, at(0)).is_err());
        limits.count(Caller::SignIn([192, 0, 2, 1].into()), 1, at(0)).unwrap();
    }
}
