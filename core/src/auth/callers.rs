//! Callers whose rows this replica read within the last 100 ms: their requests read neither account nor session again.
//!
//! **Once the request that ends an access (a sign-out, a disabled account) is answered, every replica refuses all later requests
//! with that access.** A replica forgets a caller [`KNOWN_FOR`] after it *began* to read the row. The commit that ends an access
//! ([`Tx::end_access`]) returns that much later: what any replica read before the commit is forgotten by then. Replicas send each
//! other no messages for it, so none can be lost.
//!
//! This needs monotonic clocks that run. When a machine that was suspended resumes, its replica may accept a caller for what was
//! left of [`KNOWN_FOR`]. A second request to end the same access is answered at once (404, 401), while the first may still wait.
//!
//! SQL and programs of earlier versions end an access without that wait: it is accepted for up to [`KNOWN_FOR`] after their commit.
//!
//! [`Tx::end_access`]: crate::Tx::end_access
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Caller;
use crate::tx::KNOWN_FOR;

/// The most callers known at once, a megabyte of them. The requests of others read their rows.
const MOST: usize = 10_000;

/// Who has called a replica within the last 100 ms.
#[derive(Debug, Default)]
pub struct Callers(Mutex<HashMap<Uuid, Known>>);

#[derive(Debug)]
struct Known {
    caller: Caller,
    /// When the session ends by itself.
    expires_at: DateTime<Utc>,
    /// Before the row was read.
    since: Instant,
}

impl Known {
    fn is_fresh(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.since) < KNOWN_FOR
    }
}

impl Callers {
    /// The caller of `session`, if it is known, is of user `user_id`, and its session has not ended by itself at `now`.
    pub(super) fn find(
        &self,
        session: Uuid,
        user_id: i64,
        at: Instant,
        now: DateTime<Utc>,
    ) -> Option<Caller> {
        let callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = callers.get(&session)?;
        let holds = known.is_fresh(at) && known.expires_at > now && known.caller.id == user_id;
        holds.then_some(known.caller)
    }

    /// Remembers a caller that may work; its row was read after `since`.
    pub(super) fn insert(&self, caller: Caller, expires_at: DateTime<Utc>, since: Instant) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MOST && !callers.contains_key(&caller.session) {
            callers.retain(|_, known| known.is_fresh(since));
        }
        if callers.len() < MOST || callers.contains_key(&caller.session) {
            callers.insert(caller.session, Known { caller, expires_at, since });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::users::UserRole;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn caller(session: u128) -> Caller {
        Caller {
            id: 7,
            role: UserRole::Client,
            client_id: Some(3),
            session: Uuid::from_u128(session),
            must_enrol: false,
        }
    }

    #[test]
    fn a_caller_is_known_for_a_moment_and_no_longer_than_its_session() {
        let (callers, since, now) = (Callers::default(), Instant::now(), now());
        callers.insert(caller(1), now, since);
        let session = Uuid::from_u128(1);
        let before = now - Duration::from_micros(1);
        let last = since + KNOWN_FOR.checked_sub(Duration::from_nanos(1)).unwrap();
        assert_eq!(callers.find(session, 7, last, before), Some(caller(1)));
        assert_eq!(callers.find(session, 7, since + KNOWN_FOR, before), None);
        assert_eq!(callers.find(session, 7, last, now), None);
        assert_eq!(callers.find(session, 8, last, before), None);
        assert_eq!(callers.find(Uuid::from_u128(2), 7, last, before), None);
    }

    #[test]
    fn the_known_are_bounded_and_make_room_when_their_time_is_over() {
        let (callers, since, now) = (Callers::default(), Instant::now(), now());
        let (later, before) = (since + KNOWN_FOR, now - Duration::from_secs(1));
        for session in 0..=MOST as u128 {
            callers.insert(caller(session), now, since);
        }
        let last = Uuid::from_u128(MOST as u128);
        assert_eq!(callers.find(last, 7, since, before), None);
        callers.insert(caller(MOST as u128), now, later);
        assert_eq!(callers.find(last, 7, later, before), Some(caller(MOST as u128)));
        assert_eq!(callers.0.lock().unwrap().len(), 1);
    }
}
