//! The health check of a program, made from inside its own container, whose image has no shell and no curl.
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// The time limit of the check. A live program answers at once; the limit of an orchestrator is longer.
const LIMIT: Duration = Duration::from_secs(3);

/// Succeeds when the program that listens on `bound` answers `GET /live` with 200. Nothing else is checked: an outage of the
/// database is no reason to kill the program that waits for it.
pub async fn live(bound: SocketAddr) -> anyhow::Result<()> {
    let address = from_here(bound);
    let status = timeout(LIMIT, status_line(address))
        .await
        .with_context(|| format!("{address} does not answer within {LIMIT:?}"))?
        .with_context(|| format!("{address} does not answer"))?;
    ensure!(status.starts_with("HTTP/1.1 200"), "{address} answers {status}");
    Ok(())
}

/// The address to connect to: the loopback if the program listens on all addresses.
fn from_here(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bound.port())
}

async fn status_line(address: SocketAddr) -> io::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!("GET /live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    socket.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// The result of [`live`] for a program that listens on all addresses and responds with `answer`.
    async fn said_of(answer: &'static str) -> anyhow::Result<()> {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let bound = listener.local_addr().unwrap();
        let program = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = socket.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /live "));
            socket.write_all(answer.as_bytes()).await.unwrap();
        };
        tokio::join!(live(bound), program).0
    }

    #[tokio::test]
    async fn only_a_200_is_life() {
        said_of("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        let error = said_of("HTTP/1.1 500 Internal Server Error\r\n\r\n").await.unwrap_err();
        assert!(error.to_string().contains("500"), "{error}");
        said_of("").await.unwrap_err();
    }

    #[tokio::test]
    async fn nobody_there_is_death() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let free = listener.local_addr().unwrap();
        drop(listener);
        live(free).await.unwrap_err();
    }
}
