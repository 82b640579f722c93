//! A worker with the memory that Compose gives it, 512 MiB, children included: photos of phones become `ready`, and hostile
//! files `failed`, each in one attempt. The limit is that of a memory cgroup where this test may create one; elsewhere the
//! memory of the processes is sampled every few milliseconds.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and may look anywhere"
)]

mod support;

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use erp_dev::samples;
use serde_json::Value;
use support::System;

const LIMIT: u64 = 512 << 20;

/// The processes of one worker, and the peak of their memory together.
struct Confined {
    group: Option<PathBuf>,
    sampled: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Confined {
    /// Limits and samples the worker with process id `pid` from now on.
    fn new(pid: u32) -> Self {
        let group = Self::group(pid);
        let (sampled, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        std::thread::spawn({
            let (sampled, stop) = (sampled.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    sampled.fetch_max(resident(pid), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { group, sampled, stop }
    }

    fn group(pid: u32) -> Option<PathBuf> {
        let name = format!("erp-decodeurs-{pid}");
        let roots =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        roots.into_iter().find_map(|(root, limit)| {
            let group = PathBuf::from(root).join(&name);
            fs::create_dir(&group).ok()?;
            let bounded = fs::write(group.join(limit), LIMIT.to_string())
                .and_then(|()| fs::write(group.join("cgroup.procs"), pid.to_string()));
            if bounded.is_err() {
                fs::remove_dir(&group).ok();
            }
            bounded.ok().map(|()| group)
        })
    }

    /// The peak of resident memory in MiB, as sampled; and the peak of the cgroup, which includes the cache of files.
    fn peak(&self) -> (u64, Option<u64>) {
        let of_group = self.group.as_ref().and_then(|group| {
            ["memory.max_usage_in_bytes", "memory.peak"].into_iter().find_map(|name| {
                fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok()
            })
        });
        (self.sampled.load(Ordering::Relaxed) >> 20, of_group.map(|bytes| bytes >> 20))
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The processes of the cgroup are those of the worker, which has ended before.
        for _ in 0..100 {
            if self.group.as_ref().is_none_or(|group| fs::remove_dir(group).is_ok()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The resident bytes of process `pid` and its children.
fn resident(pid: u32) -> u64 {
    let children = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children =
        children.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split(' ').filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
        .collect();
    let of = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) << 10
    };
    of(&pid) + children.iter().map(of).sum::<u64>()
}

/// Waits until `count` documents are ready or failed; name, status with error, and attempts of the job of each.
async fn ends(system: &System, count: i64) -> Vec<(String, String, i32)> {
    loop {
        let rows: Vec<(String, String, i32)> = sqlx::query_as(
            r"
                select d.filename, d.status || ' ' || coalesce(d.error, ''), j.attempts
                from documents d
                join queue.everything j
                    on j.queue = 'documents.process'
                    and (convert_from(j.payload, 'utf8')::json ->> 'document_id')::bigint = d.id
                order by d.id
            ",
        )
        .fetch_all(&system.ctx.pool)
        .await
        .unwrap();
        let done = |row: &&(String, String, i32)| {
            row.1.starts_with("ready") || row.1.starts_with("failed")
        };
        if i64::try_from(rows.iter().filter(done).count()).unwrap() == count {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Uploads all of `files`, then starts a worker with limited memory, and waits until each is ready or failed.
async fn processed(
    system: &System,
    files: Vec<(&'static str, Vec<u8>)>,
) -> Vec<(String, String, i32)> {
    let intervention: Value = system.intervention().await;
    let count = i64::try_from(files.len()).unwrap();
    for (name, bytes) in files {
        system.upload_as(&intervention, name, bytes).await;
    }
    let mut worker = system.worker();
    let confined = Confined::new(worker.pid());
    let ended = tokio::time::timeout(Duration::from_mins(10), ends(system, count)).await;
    let (resident, of_group) = confined.peak();
    println!("worker and decoders: {resident} MiB resident at most; the cgroup saw {of_group:?}");
    worker.signal(rustix::process::Signal::TERM);
    assert!(worker.ended().await.success(), "it has lived through all of them");
    drop(confined);
    assert!(resident < LIMIT >> 20, "{resident} MiB");
    ended.expect("every document comes to an end")
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_giant_photos_at_once_are_ready_in_512_mib() {
    let system = System::start().await;
    let forty_eight = samples::jpeg(8000, 6000, 1);
    let sixty_four = samples::jpeg(9248, 6936, 1);
    let mut files = Vec::new();
    for _ in 0..4 {
        files.push(("debout.jpg", samples::from_a_phone(&forty_eight, 6)));
        files.push(("couchee.jpg", forty_eight.clone()));
    }
    files.push(("debout64.jpg", samples::from_a_phone(&sixty_four, 8)));
    files.push(("couchee64.jpg", sixty_four));
    files.push(("plan64.png", samples::png_bomb(8192, 8191)));
    files.push(("debout64.png", samples::png_deep(8192, 8191, 6)));
    for (name, end, attempts) in processed(&system, files).await {
        assert_eq!((end.as_str(), attempts), ("ready ", 1), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_files_fail_once_with_a_reason_in_french() {
    let system = System::start().await;
    for (name, end, attempts) in processed(&system, samples::hostile()).await {
        assert!(end.starts_with("failed ") && end.contains(" : "), "{name}: {end}");
        assert_eq!(attempts, 1, "{name}: {end}");
    }
}
