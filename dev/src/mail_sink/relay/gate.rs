//! A gate where conversations wait until a test lets them go on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Turn;

/// Clones share the gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Mutex<VecDeque<oneshot::Sender<Turn>>>>);

impl Gate {
    /// How many conversations wait here. At [`Step::Dot`](super::super::Step::Dot), one whose client has left does not
    /// count.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().iter().filter(|waiting| !waiting.is_closed()).count()
    }

    /// Lets the conversation that has waited longest go on with `turn`; false if none waits.
    #[must_use = "a test that lets nobody through waits for ever"]
    pub fn release(&self, turn: Turn) -> bool {
        let mut turn = turn;
        while let Some(waiting) = self.lock().pop_front() {
            match waiting.send(turn) {
                Ok(()) => return true,
                Err(back) => turn = back,
            }
        }
        false
    }

    pub(super) async fn wait(&self) -> Turn {
        let (sender, receiver) = oneshot::channel();
        self.lock().push_back(sender);
        // When the gate is dropped, those who wait are closed.
        receiver.await.unwrap_or(Turn::Close)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Turn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
