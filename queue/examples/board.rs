//! Three queues, their workers, and apalis-board in a browser on <http://127.0.0.1:8009>, which lists the jobs and takes new
//! ones: `DATABASE_URL=postgres://… cargo run -p apalis-hot --example board`, until Ctrl-C. It has no authentication: run it
//! only on a developer's machine.
use std::{error::Error, time::Duration};

use apalis::prelude::{AbortError, BoxDynError, Monitor, WorkerBuilder};
use apalis_board_api::{
    framework::{ApiBuilder, RegisterRoute},
    sse::TracingBroadcaster,
    ui::ServeUI,
};
use apalis_hot::{Announcer, Lease, MIGRATIONS, NewJob, Options, Process, Settings, enqueue};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

#[derive(Serialize, Deserialize)]
struct Photo {
    number: u32,
}

#[derive(Serialize, Deserialize)]
struct Report {
    pages: u8,
}

async fn send(mail: Mail) -> Result<String, BoxDynError> {
    Ok(format!("sent to {}", mail.to))
}

/// Every third photo fails twice before it succeeds; the thirteenth is dead at once.
async fn shrink(photo: Photo, lease: Lease) -> Result<(), BoxDynError> {
    if photo.number == 13 {
        return Err(AbortError::new("not a photo").into());
    }
    let fails = photo.number.is_multiple_of(3) && lease.attempt < 3;
    if fails { Err("the disk is full".into()) } else { Ok(()) }
}

/// A second for each page.
async fn print(report: Report, lease: Lease) -> Result<(), BoxDynError> {
    for page in 0..report.pages {
        let done = f32::from(page) / f32::from(report.pages);
        lease.progress(done, &format!("page {} of {}", page + 1, report.pages)).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var_os("DATABASE_URL").ok_or("set DATABASE_URL")?;
    let pool = PgPool::connect(url.to_str().ok_or("DATABASE_URL is not UTF-8")?).await?;
    MIGRATIONS.run(&pool).await?;

    let mut tx = apalis_hot::begin(&pool).await?;
    for number in 1..=15 {
        let to = format!("reader-{number}@example.org");
        enqueue(&mut tx, &NewJob::new("mails", &Mail { to })?).await?;
        enqueue(&mut tx, &NewJob::new("photos", &Photo { number })?).await?;
    }
    for pages in [40, 50, 0] {
        enqueue(&mut tx, &NewJob::new("reports", &Report { pages })?).await?;
    }
    tx.commit().await?;
    Announcer::new(&pool).announce(["mails", "photos", "reports"]);

    let process = Process::new(&pool, Settings::new(format!("board-{}", std::process::id())));
    let mails = process.storage::<Mail>(Options::new("mails"));
    let photos = process.storage::<Photo>(Options::new("photos"));
    let reports = process.storage::<Report>(Options::new("reports"));
    let api = ApiBuilder::new(Router::new())
        .register("mails", mails.clone())
        .register("photos", photos.clone())
        .register("reports", reports.clone())
        .build()
        // The board needs it to tell whether it is connected.
        .layer(Extension(TracingBroadcaster::create()));
    let app = Router::new().nest("/api/v1", api).fallback_service(ServeUI::new());
    let monitor = Monitor::new()
        .register(move |_| WorkerBuilder::new("mails").backend(mails.clone()).build(send))
        .register(move |_| WorkerBuilder::new("photos").backend(photos.clone()).build(shrink))
        .register(move |_| WorkerBuilder::new("reports").backend(reports.clone()).build(print));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8009").await?;
    println!("http://{}", listener.local_addr()?);
    let stop = async {
        axum::serve(listener, app)
            .with_graceful_shutdown(async {
                let _ = tokio::signal::ctrl_c().await;
            })
            .await
    };
    Ok(process.run(monitor, stop).await?)
}
