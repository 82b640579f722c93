//! Accepts connections, bounds them in time, and shuts them down gracefully.
//!
//! `axum::serve` sets no time limits and waits without end for a client that never ends its request; this is the same
//! loop with hyper's own settings.
use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceExt as _};

/// How long a client may take for the head of a request, and how long an idle connection is kept.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
/// More than [`crate::layers::inner`] lets through, so that its refusal has the same envelope as any other error. (Beyond these,
/// hyper itself refuses, with the bare status.) No more than that: hyper allocates 64 bytes for each, for every request.
const MOST_HEADERS: usize = 1024;
/// The most bytes of a head, and of what a connection holds unread or unsent: each upload under way fills it.
const BUFFER: usize = 128 * 1024;

/// Serves `service` on `listener` until `stop` is ready; then accepts no more requests, and waits up to `grace` for those
/// under way.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    stop: impl Future<Output = ()>,
    grace: Duration,
) where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let connections = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let (socket, peer) = tokio::select! {
            accepted = accept(&listener) => accepted,
            () = &mut stop => break,
        };
        let connection = attend(socket, peer, service.clone(), connections.watcher());
        #[expect(clippy::disallowed_methods, reason = "a connection, not work that must happen")]
        tokio::spawn(connection);
    }
    drop(listener);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = grace.as_secs(),
            "requests were cut off: they did not end in time"
        );
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // Most likely the process is out of file descriptors: connections that end will free some.
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn attend<S>(socket: TcpStream, peer: SocketAddr, service: S, watcher: Watcher)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // So that small answers leave at once. A failure to set it is no reason not to serve.
    let _ = socket.set_nodelay(true);
    let service = service.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.map(Body::new)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(socket), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
