//! What a look has found, kept for all who ask until it is time for another look.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Ctx,
    doctor::{Check, Finding},
};
use tokio::time::timeout;

/// Who asks while a look is under way waits so long for it, and is then shown what the one before has found.
const GRACE: Duration = Duration::from_millis(500);

/// What a look has found.
pub type Lines = Vec<(Check, Finding)>;

/// What the last look has found, and when.
#[derive(Debug, Clone)]
pub struct Looked {
    pub at: DateTime<Utc>,
    /// No other look before.
    next: DateTime<Utc>,
    pub lines: Lines,
}

/// What was found is one for all clones, and so is the look that is under way.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    last: Arc<Mutex<Option<Looked>>>,
    /// Held by the look that is under way.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Kept {
    /// What is found now, or was found a moment ago. `look` also says for how long to keep what it has found; it goes on when nobody
    /// waits for it any more. `None` if there has not been one that came to its end.
    pub async fn look<L: Future<Output = (Lines, TimeDelta)> + Send>(
        &self,
        ctx: &Ctx,
        look: impl FnOnce(Ctx) -> L + Send + 'static,
    ) -> Option<Looked> {
        if !self.is_fresh(ctx) {
            // One that has ended since is fresh.
            if let Ok(turn) = self.turn.clone().try_lock_owned()
                && !self.is_fresh(ctx)
            {
                let (kept, ctx) = (self.clone(), ctx.clone());
                let work = async move {
                    let clock = ctx.clock.clone();
                    let (lines, time) = look(ctx).await;
                    let at = clock.now();
                    kept.set(Looked { at, next: at + time, lines });
                    drop(turn);
                };
                #[expect(clippy::disallowed_methods, reason = "who asks next looks again")]
                drop(tokio::spawn(work));
            }
            if self.last().is_some() {
                let _ = timeout(GRACE, self.turn.lock()).await;
            } else {
                drop(self.turn.lock().await);
            }
        }
        self.last()
    }

    fn is_fresh(&self, ctx: &Ctx) -> bool {
        self.last().is_some_and(|looked| ctx.clock.now() < looked.next)
    }

    fn last(&self) -> Option<Looked> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, looked: Looked) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(looked);
    }
}
