//! A mail server that misbehaves on demand, step by step, and remembers which mails it accepted and whether the client was
//! told. The ways to misbehave are in [`script`].

mod accepted;
mod gate;
pub mod script;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::desk::{Arrived, Desk, Moment, Turn};
use super::{listen, smtp};
pub use accepted::Accepted;
pub use gate::Gate;
pub use script::{Act, Script};

/// A running relay on a port of 127.0.0.1; dropping it stops the server.
pub struct Relay {
    port: u16,
    stage: Stage,
    _stop: oneshot::Sender<()>,
    _server: JoinHandle<()>,
}

impl Relay {
    /// Listens on a free port and behaves well. Must be called inside a tokio runtime; it lives as long as that runtime at
    /// most.
    #[expect(
        clippy::disallowed_methods,
        reason = "a server beside the program, not work that must happen"
    )]
    pub fn start() -> anyhow::Result<Relay> {
        let listener = listen(([127, 0, 0, 1], 0).into())?;
        let port = listener.local_addr()?.port();
        let stage = Stage::default();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(smtp::serve(listener, stage.clone(), stopped));
        Ok(Relay { port, stage, _stop: stop, _server: server })
    }

    /// The port that takes mails.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every step that begins from now on goes as `script` says.
    pub fn play(&self, script: Script) {
        self.stage.lock().script = script;
    }

    /// Behaves well again; conversations that wait at a gate go on waiting.
    pub fn behave(&self) {
        self.play(script::well());
    }

    /// Every copy that was accepted so far, in the order in which they came.
    #[must_use]
    pub fn accepted(&self) -> Vec<Arc<Accepted>> {
        self.stage.lock().accepted.iter().flatten().cloned().collect()
    }

    /// How many steps did not go as [`Act::Go`].
    #[must_use]
    pub fn misdeeds(&self) -> usize {
        self.stage.lock().misdeeds
    }
}

#[derive(Clone, Default)]
struct Stage(Arc<Mutex<Inner>>);

struct Inner {
    script: Script,
    /// `None` where a mail was given back.
    accepted: Vec<Option<Arc<Accepted>>>,
    misdeeds: usize,
}

impl Default for Inner {
    fn default() -> Self {
        Self { script: script::well(), accepted: Vec::new(), misdeeds: 0 }
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for Stage {
    type Kept = usize;

    async fn at(&self, moment: Moment) -> Turn {
        let script = self.lock().script.clone();
        let act = script(&moment);
        if !matches!(act, Act::Go) {
            self.lock().misdeeds += 1;
        }
        match act {
            Act::Go => Turn::Go,
            Act::Answer(code, text) => Turn::Answer(code, text.to_owned()),
            Act::Close => Turn::Close,
            Act::Wait(pause) => {
                tokio::time::sleep(pause).await;
                Turn::Go
            }
            Act::Hold(gate) => gate.wait().await,
        }
    }

    fn keep(&self, mail: &Arrived) -> std::io::Result<usize> {
        let accepted = Accepted::read(mail).map_err(std::io::Error::other)?;
        let mut inner = self.lock();
        inner.accepted.push(Some(Arc::new(accepted)));
        Ok(inner.accepted.len() - 1)
    }

    fn answered(&self, kept: usize) {
        if let Some(Some(accepted)) = self.lock().accepted.get(kept) {
            accepted.hear();
        }
    }

    fn give_back(&self, kept: usize) {
        if let Some(accepted) = self.lock().accepted.get_mut(kept) {
            *accepted = None;
        }
    }
}
