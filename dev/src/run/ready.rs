//! Waits until the API is ready for requests.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Returns as soon as `GET /ready` answers 200, and with an error after a minute.
pub(super) async fn wait(api: SocketAddr) -> anyhow::Result<()> {
    let asking = async {
        while !is_ready(api).await.unwrap_or(false) {
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    if tokio::time::timeout(LIMIT, asking).await.is_err() {
        bail!("the API is not ready after {} s; its log is above", LIMIT.as_secs());
    }
    Ok(())
}

/// Sends a request by hand: this is the only one, so no client is needed.
async fn is_ready(api: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(api).await?;
    stream.write_all(format!("GET /ready HTTP/1.0\r\nHost: {api}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(1 << 16);
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
    Ok(answer.starts_with(b"HTTP/1.") && answer.get(8..13) == Some(b" 200 "))
}
