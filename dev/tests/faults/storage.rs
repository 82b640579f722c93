//! A disk that is full for a while: photos wait, and none is given up. A worker that lost its job: its files are removed.
use std::{
    fs::File,
    time::{Duration, Instant, SystemTime},
};

use erp_dev::{faults::SmallDisk, samples};
use sqlx::{Executor as _, Row as _};

use crate::support::{System, faults::until};

/// Long enough, with shortened pauses, for more attempts than a job has.
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
    // Large, so that it takes time to process.
    system.upload(&intervention, samples::jpeg(6000, 4500, 1)).await;
    let files = || std::fs::read_dir(system.files.path()).unwrap().count();
    assert_eq!(files(), 1, "the original");

    // The worker writes the files, and then cannot record it: the job's row is locked.
    let mut lock = erp_core::database::begin(&system.ctx.pool).await.unwrap();
    let _worker = system.worker();
    // From here until the attempt ends the handler makes no request to the database.
    until("the worker has the photo", async || system.documents("processing").await == 1).await;
    sqlx::query!("select id from queue.jobs where queue = 'documents.process' and lock_by is not null for update")
        .fetch_one(&mut *lock)
        .await
        .unwrap();
    until("its files are written", async || files() == 3).await;
    // As if others had taken it for dead, done its job, and removed the photo.
    let meanwhile = "delete from queue.jobs where queue = 'documents.process';
        delete from documents";
    sqlx::raw_sql(meanwhile).execute(&mut *lock).await.unwrap();
    lock.commit().await.unwrap();

    until("no file is left", async || files() == 0).await;
}

/// If a commit has no answer, it is unknown whether it happened, so the file stays. If it did not happen, the purge removes the
/// file a day later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_an_upload_that_was_cut_off_at_its_commit_is_purged() {
    let system = System::start().await;
    let intervention = system.intervention().await;
    let pool = &system.ctx.pool;
    let slow_commit = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(600); return null; end $$;
        create constraint trigger slow after insert on documents deferrable initially deferred for each row execute function slow()";
    sqlx::raw_sql(slow_commit).execute(pool).await.unwrap();
    let cut = async {
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where query ilike 'commit%' and state = 'active' and datname = current_database()";
        until("the commit is cut off", async || {
            pool.fetch_one(cut).await.unwrap().get::<i64, _>(0) == 1
        })
        .await;
    };
    let upload = system.try_upload(&intervention, "p.jpg", samples::jpeg(64, 48, 1));
    let (status, ()) = tokio::join!(upload, cut);
    assert_eq!(status, 503);
    assert_eq!(system.documents("pending").await, 0);
    let files = || std::fs::read_dir(system.files.path()).unwrap().map(|file| file.unwrap().path());
    let file = files().next().expect("the file stays");

    let two_days_ago = SystemTime::now() - Duration::from_hours(48);
    File::options().write(true).open(file).unwrap().set_modified(two_days_ago).unwrap();
    let _worker = system.worker();
    let admin = system.admin().await;
    let run = format!("{}/admin/schedules/maintenance.purge/run", system.url);
    let run = system.client.post(run).bearer_auth(admin).send().await.unwrap();
    assert!(run.status().is_success());
    until("the file is purged", async || files().count() == 0).await;
}

/// Makes waiting jobs due now, so that ten minutes of a fault pass in some seconds.
async fn hurry(system: &System) {
    let statement = "update queue.jobs set run_at = clock_timestamp()
        where queue = 'documents.process' and lock_by is null and run_at > clock_timestamp()";
    sqlx::raw_sql(statement).execute(&system.ctx.pool).await.unwrap();
}
