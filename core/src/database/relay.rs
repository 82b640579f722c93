//! Carries the bytes between sqlx and Postgres, inside this process, and ends a connection whose other end has vanished.
//!
//! Why it is our own: sqlx 0.9 sets no option of its TCP sockets, gives no access to them, and accepts no connector; but it can
//! connect to a Unix socket, and this listens on one. The cost is two copies and two wake-ups for each statement
//! (`dev/tests/connections.rs`, `what_the_relay_costs`).
//!
//! Three limits hold for every statement, also when its caller has stopped waiting:
//! * the host does not acknowledge what was sent, or a probe, for [`VANISHED`]: TCP ends the connection (packets are dropped);
//! * the server sends nothing for `silence` after a request: the connection is cut (a process that hangs, a proxy whose other
//!   side is gone). `silence` is the longest that a statement may take;
//! * a connection is not made within [`CONNECT`].
use std::{
    io,
    os::linux::net::SocketAddrExt as _,
    os::unix::net as std_unix,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use socket2::{SockRef, TcpKeepalive};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixListener, UnixStream, lookup_host},
    time::timeout,
};
use uuid::Uuid;

/// The longest wait for an acknowledgement of what was sent.
const VANISHED: Duration = Duration::from_secs(8);
/// A connection without traffic is probed after [`PROBE_AFTER`], then every [`PROBE_EVERY`].
const PROBE_AFTER: Duration = Duration::from_secs(3);
const PROBE_EVERY: Duration = Duration::from_secs(2);
const PROBES: u32 = 3;
/// The longest time to connect, to any of the host's addresses.
const CONNECT: Duration = Duration::from_secs(4);
/// The longest time for one of them: the next may be that of a host that is up.
const CONNECT_ONE: Duration = Duration::from_millis(1500);
/// The pause between two attempts, for instance while the server is being started and refuses connections.
const AGAIN: Duration = Duration::from_millis(100);
/// How often a connection is checked for silence.
const LOOK: Duration = Duration::from_secs(1);
const BUFFER: usize = 16 * 1024;

/// The server that connections lead to.
struct Target {
    host: String,
    port: u16,
    silence: Duration,
}

/// Whether `options` name a host: a Unix socket needs no relay.
pub(super) fn can_carry(options: &PgConnectOptions) -> bool {
    options.get_socket().is_none() && !options.get_host().starts_with('/')
}

/// A pool whose connections all go through a relay of its own, which ends with the pool.
pub(super) fn connect_lazily(
    pool: PgPoolOptions,
    options: PgConnectOptions,
    silence: Duration,
) -> io::Result<PgPool> {
    // An abstract socket, without a file: it ends with the process, and needs no writable folder.
    let folder = format!("\0erp-{}", Uuid::new_v4().simple());
    let path = format!("{}/.s.PGSQL.{}", &folder[1..], options.get_port());
    let address = std_unix::SocketAddr::from_abstract_name(path)?;
    let listener = std_unix::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let target = Target {
        // As in a URL, an IPv6 address may be in brackets.
        host: options.get_host().trim_matches(['[', ']']).to_owned(),
        port: options.get_port(),
        silence,
    };
    let pool = pool.connect_lazy_with(options.socket(folder));
    let mut closed = pool.close_event();
    #[expect(clippy::disallowed_methods, reason = "connections, which end with the pool")]
    tokio::spawn(async move { closed.do_until(serve(listener, Arc::new(target))).await });
    Ok(pool)
}

async fn serve(listener: UnixListener, target: Arc<Target>) {
    loop {
        match listener.accept().await {
            Ok((inside, _)) if is_ours(&inside) => {
                let target = target.clone();
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a connection, which ends with its pool's side"
                )]
                tokio::spawn(async move { carry(inside, &target).await });
            }
            Ok(_) => tracing::warn!("a connection of another process was refused"),
            // Most likely out of file descriptors: connections that end will free some.
            Err(error) => {
                tracing::warn!(%error, "no connection to the database can be made");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// Whether the peer is this process: other processes of this machine have to connect to the database themselves.
fn is_ours(inside: &UnixStream) -> bool {
    let pid = inside.peer_cred().ok().and_then(|peer| peer.pid());
    pid.and_then(|pid| u32::try_from(pid).ok()) == Some(std::process::id())
}

async fn carry(inside: UnixStream, target: &Target) {
    let outside = match timeout(CONNECT, connect(target)).await {
        Ok(Ok(outside)) => outside,
        Ok(Err(error)) => {
            return tracing::warn!(%error, host = target.host, port = target.port, "no connection to the database");
        }
        Err(_) => {
            return tracing::warn!(
                host = target.host,
                port = target.port,
                "the database does not answer"
            );
        }
    };
    match pump(inside, outside, target.silence).await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            tracing::warn!(%error, host = target.host, "a connection was given up: the database has vanished");
        }
        Err(error) => tracing::debug!(%error, host = target.host, "a connection broke"),
    }
}

/// Resolves the name each time, so that a name that leads to a new primary is followed at once.
async fn connect(target: &Target) -> io::Result<TcpStream> {
    loop {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((target.host.as_str(), target.port)).await? {
            match timeout(CONNECT_ONE, TcpStream::connect(address)).await {
                Ok(Ok(outside)) => return with_options(outside),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        if !matches!(last.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::TimedOut) {
            return Err(last);
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn with_options(outside: TcpStream) -> io::Result<TcpStream> {
    outside.set_nodelay(true)?;
    let socket = SockRef::from(&outside);
    let probes =
        TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(PROBES);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(VANISHED))?;
    Ok(outside)
}

/// Copies bytes until one side ends. An error of the kind `TimedOut` when the server has not answered for `silence`.
async fn pump(mut inside: UnixStream, mut outside: TcpStream, silence: Duration) -> io::Result<()> {
    let asked = Asked::new();
    let (mut from_sqlx, mut to_sqlx) = inside.split();
    let (mut from_server, mut to_server) = outside.split();
    // The two directions are independent: neither waits for the other.
    let up = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from_sqlx.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            asked.begin();
            to_server.write_all(&buffer[..read]).await?;
        }
    };
    let down = async {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            asked.end();
            to_sqlx.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
        () = asked.for_longer_than(silence) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer for {} s", silence.as_secs()),
        )),
    }
}

/// Since when the server has owed an answer.
struct Asked {
    start: Instant,
    /// Milliseconds after `start`, plus one; 0: no answer is owed.
    since: AtomicU64,
}

impl Asked {
    fn new() -> Self {
        Self { start: Instant::now(), since: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Starts the time, unless an answer is owed already: a ping sent behind a statement that hangs does not restart it.
    fn begin(&self) {
        let _ = self.since.compare_exchange(0, self.now(), Relaxed, Relaxed);
    }

    fn end(&self) {
        self.since.store(0, Relaxed);
    }

    async fn for_longer_than(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        loop {
            tokio::time::sleep(LOOK).await;
            let since = self.since.load(Relaxed);
            if since > 0 && self.now().saturating_sub(since) > limit {
                return;
            }
        }
    }
}
