//! Clients that send the same request again and again.
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The result of a load.
#[derive(Debug)]
pub struct Outcome {
    /// Answers a second, of all clients together.
    pub per_second: f64,
    /// How long each answer took, the shortest first.
    latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency, in milliseconds, that `share` (0 to 1) of all answers did not exceed.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

/// A request of `path`, with a token and a form if they are given.
pub fn request(
    method: Method,
    path: &str,
    token: Option<&str>,
    form: Option<&str>,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "erp");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if form.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    Ok(request.body(Full::from(form.unwrap_or_default().to_owned()))?)
}

/// A POST of JSON to `path`.
pub fn json_request(
    path: &str,
    token: &str,
    body: &serde_json::Value,
) -> anyhow::Result<Request<Full<Bytes>>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "erp")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    Ok(request.body(Full::from(body.to_string()))?)
}

/// Sends each of `requests` again and again for `time`, on a connection of its own. Returns answers a second, all together.
pub async fn hammer_each(
    address: SocketAddr,
    requests: &[Request<Full<Bytes>>],
    time: Duration,
) -> anyhow::Result<f64> {
    let all = requests.iter().map(|request| hammer(address, request, 1, time, Duration::ZERO));
    Ok(try_join_all(all).await?.iter().map(|outcome| outcome.per_second).sum())
}

/// Sends `request` again and again for `time` on `clients` connections, each as soon as it has its answer and `pause` is over.
/// An answer that is no success is an error, since only served requests are to be measured.
pub async fn hammer(
    address: SocketAddr,
    request: &Request<Full<Bytes>>,
    clients: usize,
    time: Duration,
    pause: Duration,
) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let all =
        try_join_all((0..clients).map(|_| client(address, request.clone(), started + time, pause)))
            .await?;
    let mut latencies = all.concat();
    latencies.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = latencies.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Outcome { per_second, latencies })
}

async fn client(
    address: SocketAddr,
    request: Request<Full<Bytes>>,
    end: Instant,
    pause: Duration,
) -> anyhow::Result<Vec<Duration>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    let asking = async {
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let asked = Instant::now();
            let response = sender.send_request(request.clone()).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            ensure!(
                status.is_success(),
                "{} {status}: {}",
                request.uri(),
                String::from_utf8_lossy(&body)
            );
            latencies.push(asked.elapsed());
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
        drop(sender);
        anyhow::Ok(latencies)
    };
    let (latencies, _) = tokio::join!(asking, connection);
    latencies
}

/// The median; of an even number of figures the upper middle one, of none 0.
#[must_use]
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
