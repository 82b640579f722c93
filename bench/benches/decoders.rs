//! The memory of a worker and its decoders together, while they process files made to exhaust it, and photos of phones.
//! The resident memory of all is summed up every few milliseconds: pages that the processes share count for each of them.
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use bytes::Bytes;
use erp_bench::{Report, System};
use erp_dev::samples;

const LIMIT: Duration = Duration::from_mins(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let system = System::start().await?;
    let mut report = Report::default();
    let mut done = 0;
    for (name, bytes) in samples::hostile() {
        let kib = bytes.len() / 1024;
        let peak = processed(&system, &mut done, vec![(name, bytes.into())]).await?;
        report.line(&format!("`{name}`"), format!("{peak} MiB"), format!("{kib} KiB"), "");
    }
    let all = samples::hostile().into_iter().map(|(name, bytes)| (name, Bytes::from(bytes)));
    let peak = processed(&system, &mut done, all.collect()).await?;
    report.line("all of them at once", format!("{peak} MiB"), "goal: under 512 MiB", verdict(peak));

    let forty_eight = samples::jpeg(8000, 6000, 1);
    let turned = Bytes::from(samples::from_a_phone(&forty_eight, 6));
    let sixty_four = Bytes::from(samples::from_a_phone(&samples::jpeg(9248, 6936, 1), 6));
    let plan = Bytes::from(samples::png_deep(8192, 8191, 6));
    let (smaller, larger) = (
        [("48.jpg", Bytes::from(forty_eight)), ("48.jpg", turned)],
        [("64.jpg", sixty_four), ("64.png", plan)],
    );
    let photos: Vec<_> =
        smaller.iter().cycle().take(8).chain(larger.iter().cycle().take(4)).cloned().collect();
    let peak = processed(&system, &mut done, photos).await?;
    let what = "8 photos of 48 megapixels and 4 of 64 at once";
    report.line(what, format!("{peak} MiB"), "goal: under 512 MiB", verdict(peak));
    report.print();
    Ok(())
}

fn verdict(mib: u64) -> &'static str {
    if mib < 512 { "reached" } else { "missed" }
}

/// Uploads `files`, and returns the peak memory in MiB of the worker and its decoders until all have ended. `done` counts the
/// files of all calls.
async fn processed(
    system: &System,
    done: &mut usize,
    files: Vec<(&'static str, Bytes)>,
) -> anyhow::Result<u64> {
    let (peak, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let watch = std::thread::spawn({
        let (peak, stop, pid) = (peak.clone(), stop.clone(), system.worker_pid);
        move || {
            while !stop.load(Ordering::Relaxed) {
                peak.fetch_max(resident_mib(pid), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    });
    *done += files.len();
    for (name, bytes) in files {
        system.upload(name, bytes).await?;
    }
    let started = Instant::now();
    while system.ended_documents().await? < *done {
        ensure!(started.elapsed() < LIMIT, "the files have not come to an end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let _ = watch.join();
    Ok(peak.load(Ordering::Relaxed))
}

/// The resident memory in MiB of process `pid` and its children now.
fn resident_mib(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> = lists.collect();
    let children = children.iter().flat_map(|list| list.split_whitespace());
    let kib = |pid: &str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    (kib(&pid.to_string()) + children.map(kib).sum::<u64>()) / 1024
}
