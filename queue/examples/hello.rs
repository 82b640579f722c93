//! A queue, a worker, three jobs: `DATABASE_URL=postgres://… cargo run -p apalis-hot --example hello`.
use std::{error::Error, time::Duration};

use apalis::prelude::{BoxDynError, Monitor, WorkerBuilder};
use apalis_hot::{Announcer, Lease, MIGRATIONS, NewJob, Options, Process, Settings, enqueue};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

#[derive(Serialize, Deserialize)]
struct Greeting {
    name: String,
}

async fn greet(greeting: Greeting, lease: Lease) -> Result<(), BoxDynError> {
    lease.progress(0.5, "about to say it").await?;
    println!("Hello {} (job {}, attempt {})", greeting.name, lease.job_id, lease.attempt);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var_os("DATABASE_URL").ok_or("set DATABASE_URL")?;
    let pool = PgPool::connect(url.to_str().ok_or("DATABASE_URL is not UTF-8")?).await?;
    MIGRATIONS.run(&pool).await?;

    // The jobs exist if, and only if, this transaction commits.
    let mut tx = apalis_hot::begin(&pool).await?;
    for name in ["Casablanca", "Rabat", "Tanger"] {
        enqueue(&mut tx, &NewJob::new("greetings", &Greeting { name: name.into() })?).await?;
    }
    tx.commit().await?;
    Announcer::new(&pool).announce(["greetings"]);

    let process = Process::new(&pool, Settings::new(format!("hello-{}", std::process::id())));
    let queue = process.storage::<Greeting>(Options::new("greetings"));
    let monitor = Monitor::new()
        .register(move |_| WorkerBuilder::new("greetings").backend(queue.clone()).build(greet));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    };
    Ok(process.run(monitor, stop).await?)
}
