//! The mailbox of a developer and of the tests: a real SMTP server that delivers nothing, keeps
//! every mail as a file, and shows it on a page.
//!
//! Two kinds of recipients are refused, so that failures can be tried: a local part that begins
//! with `temporaire.` gets 451 (try again later), one that begins with `refuse.` gets 550 (never).
//! A server that misbehaves in other ways is in [`relay`].

mod desk;
mod message;
mod page;
pub mod relay;
mod smtp;
mod store;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use desk::{Moment, Step, Turn};
pub use message::Message;
use store::Store;

/// A running mailbox. The mails are files in its folder and stay there; dropping it stops the server.
#[derive(Debug)]
pub struct MailSink {
    address: SocketAddr,
    store: Store,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl MailSink {
    /// Listens on `address` (port 0: any free one) and keeps what arrives in `dir`, with the
    /// mails that are there already. The port accepts connections when this returns.
    ///
    /// Must be called inside a tokio runtime; it lives as long as that runtime at most.
    #[expect(
        clippy::disallowed_methods,
        reason = "a server beside the program, not work that must happen"
    )]
    pub fn start(
        address: impl Into<SocketAddr>,
        dir: impl AsRef<Path>,
    ) -> anyhow::Result<MailSink> {
        let address = address.into();
        let store = Store::open(dir.as_ref())?;
        let listener = listen(address)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(smtp::serve(listener, store.clone(), stopped));
        Ok(MailSink { address, store, stop, server })
    }

    /// The port that takes mails.
    #[must_use]
    pub fn smtp_port(&self) -> u16 {
        self.address.port()
    }

    /// Every mail received so far, the newest first.
    pub fn messages(&self) -> anyhow::Result<Vec<Message>> {
        self.store.all()
    }

    /// Deletes every mail.
    pub fn clear(&self) -> anyhow::Result<()> {
        self.store.clear()
    }

    /// The page that shows the mails and its JSON API. It goes on working after [`stop`](Self::stop).
    pub fn router(&self) -> axum::Router {
        page::router(self.store.clone())
    }

    /// Simulates an outage: when this returns, the port refuses connections and the open ones are cut.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// Opens a port that accepts connections from now on.
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port whose last connections the kernel still remembers may be reused; on Windows the option would let two programs
    // share it.
    socket.set_reuseaddr(cfg!(not(windows)))?;
    socket.bind(address).with_context(|| format!("cannot listen on {address}"))?;
    Ok(socket.listen(128)?)
}
