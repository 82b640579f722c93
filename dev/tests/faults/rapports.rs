//! A big report whose workers are killed: one file, whole, without a row twice.
use std::collections::HashSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{System, faults::until};

/// More than one part of a file, so that an attempt has something to go on with.
const ROWS: i64 = 120_000;

async fn rapport(system: &System, id: &str) -> Value {
    let url = format!("{}/rapports/{id}", system.url);
    system.client.get(url).bearer_auth(&system.token).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_goes_on_where_a_killed_worker_was() {
    let system = System::start().await;
    sqlx::query!(
        "insert into notifications (type, canal, contenu, user_id, statut, date_creation)
         select 'information', 'log', 'relevé ' || n, $1, 'envoyee', clock_timestamp() from generate_series(1, $2::bigint) n",
        system.boss_id,
        ROWS,
    )
    .execute(&system.ctx.pool)
    .await
    .unwrap();

    let asked = json!({ "type": "notifications", "format": "csv" });
    let asked = system.post("/rapports", asked).await;
    let id = asked["id"].as_str().unwrap();

    // Killed twice: once it has a part of the file, and later.
    for part in [1, 2] {
        let worker = system.worker();
        until("a part of the file", || async {
            let parts =
                sqlx::query_scalar!("select jsonb_array_length(reprise -> 'parts') from rapports")
                    .fetch_one(&system.ctx.pool)
                    .await
                    .unwrap();
            parts.unwrap_or_default() >= part
        })
        .await;
        worker.signal(Signal::KILL);
    }
    let half = rapport(&system, id).await;
    assert!(half["lignes"].as_i64().unwrap() >= 100_000, "{half}");
    assert_eq!(half["statut"], "generating");
    let _worker = system.worker();
    until("the report", || async { rapport(&system, id).await["statut"] == "ready" }).await;

    let url = format!("{}/rapports/{id}/fichier", system.url);
    let text = system.client.get(url).bearer_auth(&system.token).send().await.unwrap();
    let text = text.text().await.unwrap();
    let lines: Vec<_> = text.lines().skip(1).collect();
    let ids: HashSet<_> = lines.iter().map(|line| line.split(';').next().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (120_000, 120_000), "each row once");
    // The parts are removed, but for those that the killed attempts had not yet kept.
    let folder = system.files.path().join("rapports");
    until("the parts to go", || async {
        let names = std::fs::read_dir(&folder).unwrap().filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".csv").map(str::to_owned)
        });
        names.count() <= 3
    })
    .await;
    let known = sqlx::query_scalar!(r#"select fichier::text as "name!" from rapports"#)
        .fetch_all(&system.ctx.pool)
        .await
        .unwrap();
    assert_eq!(known.len(), 1);
    assert!(folder.join(format!("{}.csv", known[0])).is_file());

    // One that is being made is stopped: its job ends, and leaves no file.
    let files = std::fs::read_dir(&folder).unwrap().count();
    let asked = json!({ "type": "notifications", "format": "xlsx" });
    let asked = system.post("/rapports", asked).await;
    let id = asked["id"].as_str().unwrap();
    until("some rows", || async { rapport(&system, id).await["lignes"].as_i64().unwrap() > 0 })
        .await;
    let url = format!("{}/rapports/{id}", system.url);
    let answer = system.client.delete(url).bearer_auth(&system.token).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    until("the job to end", || async {
        let left = sqlx::query_scalar!(
            r#"select count(*) as "n!" from queue.jobs where queue = 'rapports.generer'"#
        );
        left.fetch_one(&system.ctx.pool).await.unwrap() == 0
    })
    .await;
    assert_eq!(rapport(&system, id).await["statut"], "cancelled");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), files);
}
