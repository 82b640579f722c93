//! A TCP proxy whose network fails on demand.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What the network between two programs does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Every byte goes through.
    #[default]
    Pass,
    /// Connections are reset, and new ones are reset as soon as they are made.
    Cut,
    /// Nothing goes through and neither end is told: connections stay open, new ones are accepted. What was sent meanwhile
    /// arrives when the network passes again, as in TCP.
    Silent,
    /// Each piece that is sent arrives so much later.
    Slow(Duration),
}

#[derive(Clone, Copy, Debug)]
struct State {
    network: Network,
    target: SocketAddr,
    /// Connections made before this one stay silent.
    first_alive: u64,
}

impl State {
    fn network_of(&self, connection: u64) -> Network {
        if connection < self.first_alive { Network::Silent } else { self.network }
    }
}

/// A port of this machine that leads to another one, over a network that the test changes while it runs. Dropped, it closes
/// all connections, and its port refuses new ones.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    made: watch::Receiver<u64>,
    server: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and leads to `port` there. Must be called inside a tokio runtime; it lives as
    /// long as that runtime at most.
    #[expect(
        clippy::disallowed_methods,
        reason = "a server beside the program, not work that must happen"
    )]
    pub async fn start(port: u16) -> anyhow::Result<Proxy> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.context("no free port for a proxy")?;
        let own_port = listener.local_addr()?.port();
        let state = State { network: Network::Pass, target: local(port), first_alive: 0 };
        let (state, seen) = watch::channel(state);
        let (made_now, made) = watch::channel(0);
        let server = tokio::spawn(serve(listener, seen, made_now));
        Ok(Proxy { port: own_port, state, made, server })
    }

    /// The port to which the programs connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes the network from now on, for existing connections and for new ones.
    pub fn set(&self, network: Network) {
        self.state.send_modify(|state| state.network = network);
    }

    /// New connections lead to `port`; existing ones stay where they are.
    pub fn lead_to(&self, port: u16) {
        self.state.send_modify(|state| state.target = local(port));
    }

    /// As if the host behind has vanished and its name leads to another: existing connections stay open and silent, new
    /// ones lead to `port`.
    pub fn fail_over(&self, port: u16) {
        let made = *self.made.borrow();
        self.state.send_modify(|state| {
            state.target = local(port);
            state.first_alive = made;
        });
    }

    /// How many connections have been made so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        *self.made.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

async fn serve(listener: TcpListener, state: watch::Receiver<State>, made: watch::Sender<u64>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let number = *made.borrow();
                    made.send_replace(number + 1);
                    connections.spawn(connection(client, number, state.clone()));
                }
                // Most likely out of file descriptors: wait until some are free again.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until both its ends have closed it or the network cuts it.
async fn connection(mut client: TcpStream, number: u64, state: watch::Receiver<State>) {
    let mut line = Line { number, state };
    let _ = client.set_nodelay(true);
    let server = match line.open().await {
        Some(state) => TcpStream::connect(state.target).await.ok(),
        None => None,
    };
    let Some(mut server) = server else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = server.set_nodelay(true);
    let cut = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let both = async {
            tokio::join!(
                line.clone().pump(&mut from_client, &mut to_server),
                line.clone().pump(&mut from_server, &mut to_client)
            )
        };
        let mut state = line.state.clone();
        tokio::select! {
            _ = both => false,
            _ = state.wait_for(|state| state.network_of(number) == Network::Cut) => true,
        }
    };
    if cut {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

/// The network as one connection sees it.
#[derive(Clone)]
struct Line {
    number: u64,
    state: watch::Receiver<State>,
}

impl Line {
    /// Waits while the line is silent; `None` when it is cut.
    async fn open(&mut self) -> Option<State> {
        let number = self.number;
        let state = *self.state.wait_for(|s| s.network_of(number) != Network::Silent).await.ok()?;
        (state.network_of(number) != Network::Cut).then_some(state)
    }

    /// Copies what comes from one end to the other until the first has closed.
    async fn pump(mut self, from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let Some(_) = self.open().await else { return };
            let read = from.read(&mut buffer).await.unwrap_or(0);
            // The network may have changed while the read waited.
            let Some(state) = self.open().await else { return };
            if let Network::Slow(delay) = state.network_of(self.number) {
                tokio::time::sleep(delay).await;
            }
            if read == 0 {
                let _ = to.shutdown().await;
                return;
            }
            if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }
}
