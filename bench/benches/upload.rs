//! What uploads cost: the memory of the API while many arrive at once, and the photos a second that are processed.
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use erp_bench::{Report, System, cores, cpu_seconds, forget_peak, peak_mib};
use erp_dev::samples;
use futures_util::future::try_join_all;

const CLIENTS: usize = 50;
const UPLOAD: usize = 10 * 1024 * 1024;
const PHOTOS: usize = 60;
const PHOTO_LIMIT: Duration = Duration::from_mins(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let system = System::start().await?;
    let mut report = Report::default();
    photos(&system, &mut report).await?;
    memory(&system, &mut report).await?;
    report.print();
    Ok(())
}

/// Measures the processing of 12-megapixel photographs, from the first upload until the last is ready.
async fn photos(system: &System, report: &mut Report) -> anyhow::Result<()> {
    let photo = Bytes::from(samples::jpeg(4000, 3000, 1));
    let (started, before) = (Instant::now(), cpu_seconds(system.worker_pid)?);
    for _ in 0..PHOTOS {
        system.upload("photo.jpg", photo.clone()).await?;
    }
    while system.ready_documents().await? < PHOTOS {
        ensure!(started.elapsed() < PHOTO_LIMIT, "the photos are not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Includes its decoders, which have ended.
    let cpu = cpu_seconds(system.worker_pid)? - before;
    #[expect(clippy::cast_precision_loss, reason = "a count of photos")]
    let count = PHOTOS as f64;
    let mib = photo.len() / 1024;
    report.line(
        "photos of 4000 x 3000, one worker",
        format!("{:.1} /s", count / started.elapsed().as_secs_f64()),
        format!("{mib} KiB each, {} cores", cores()),
        "",
    );
    report.line("photos a second of one core's time", format!("{:.1}", count / cpu), "", "");
    report.line("worker, peak memory", format!("{:.0} MiB", peak_mib(system.worker_pid)?), "", "");
    Ok(())
}

/// Measures the peak memory of the API while 50 clients upload a file of the largest size each.
async fn memory(system: &System, report: &mut Report) -> anyhow::Result<()> {
    let file = Bytes::from(vec![b'x'; UPLOAD]);
    forget_peak(system.api_pid)?;
    let idle = peak_mib(system.api_pid)?;
    let started = Instant::now();
    try_join_all((0..CLIENTS).map(|_| system.upload("releve.txt", file.clone()))).await?;
    let peak = peak_mib(system.api_pid)?;
    let goal = if peak < 120.0 { "reached" } else { "missed" };
    report.line(
        "API, peak memory with 50 uploads of 10 MiB at once",
        format!("{peak:.0} MiB"),
        format!("goal: 120 MiB; {idle:.0} MiB before"),
        goal,
    );
    report.line(
        "50 uploads of 10 MiB",
        format!("{:.1} s", started.elapsed().as_secs_f64()),
        "",
        "",
    );
    Ok(())
}
