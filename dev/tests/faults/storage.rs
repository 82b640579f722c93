//! A disk that is full for a while: photos wait, and none is given up for it. A worker that comes too late: its files go.
use std::time::{Duration, Instant};

use erp_dev::{faults::SmallDisk, samples};

use crate::support::{System, faults::until};

/// With their pauses cut short, more attempts than a job has.
const FAULT: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photo_waits_for_room_on_the_disk_however_long_it_is_full() {
    let disk = match SmallDisk::mount(8) {
        Ok(disk) => disk,
        Err(error) => return eprintln!("NOT RUN, no disk can be mounted here: {error:#}"),
    };
    let folder = disk.path().display().to_string();
    let system = System::start_with(&[("UPLOAD_DIRECTORY", &folder)]).await;
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(1600, 1200, 1)).await;
    disk.fill().unwrap();
    let _worker = system.worker();

    let begun = Instant::now();
    while begun.elapsed() < FAULT && system.documents("failed").await == 0 {
        hurry(&system).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(system.documents("failed").await, 0, "given up while the disk was full");
    assert_eq!(system.documents("ready").await, 0, "the disk was not full");

    disk.free().unwrap();
    until("the photo is ready", async || {
        hurry(&system).await;
        system.documents("ready").await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_wrote_of_a_photo_that_was_removed_meanwhile_is_removed_too() {
    let system = System::start().await;
    let intervention = system.intervention().await;
    // It takes its time.
    system.upload(&intervention, samples::jpeg(6000, 4500, 1)).await;
    let files = || std::fs::read_dir(system.files.path()).unwrap().count();
    assert_eq!(files(), 1, "the original");

    // The worker writes its files, and then cannot write that it did: its job is locked.
    let mut lock = system.ctx.pool.begin().await.unwrap();
    let _worker = system.worker();
    // From here on until its end it asks nothing of the database.
    until("the worker has the photo", async || system.documents("processing").await == 1).await;
    sqlx::query!("select id from apalis.jobs where job_type = 'documents.process' and status = 'Running' for update")
        .fetch_one(&mut *lock)
        .await
        .unwrap();
    until("its files are written", async || files() == 3).await;
    // Meanwhile others have held it for dead, done its job, and removed the photo.
    let meanwhile = "update apalis.jobs set status = 'Done', lock_by = null, lock_at = null where job_type = 'documents.process';
        delete from documents";
    sqlx::raw_sql(meanwhile).execute(&mut *lock).await.unwrap();
    lock.commit().await.unwrap();

    until("no file is left", async || files() == 0).await;
}

/// What waits for its next attempt does not wait: ten minutes of a fault pass in some seconds.
async fn hurry(system: &System) {
    let statement = "update apalis.jobs set run_at = clock_timestamp()
        where job_type = 'documents.process' and status in ('Pending', 'Failed') and run_at > clock_timestamp()";
    sqlx::raw_sql(statement).execute(&system.ctx.pool).await.unwrap();
}
