//! The time zone rules of Morocco change while the system runs: real processes, whose zoneinfo folder is replaced.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use erp_core::{schedules, time_rules};
use erp_dev::zoneinfo::{self, RULES_2025B, RULES_2026C, minutes_ahead};
use serde_json::{Value, json};

use support::{System, command};

/// Polls `is_so` until it is true.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_mins(3), "not within three minutes: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn version(system: &System) -> String {
    let version = time_rules::version(&system.ctx.pool).await.unwrap();
    version.map(|version| version.to_string()).unwrap_or_default()
}

async fn digest(system: &System) -> Option<DateTime<Utc>> {
    let all = schedules::list(&system.ctx.pool).await.unwrap();
    all.into_iter().find(|s| s.name == "digest.quotidien").unwrap().next_run_at
}

/// The instant of `hour`:30 on this day in Morocco, by these rules.
fn shown(day: NaiveDate, hour: u32, rules: zoneinfo::Changes) -> DateTime<Utc> {
    let wall = day.and_hms_opt(hour, 30, 0).unwrap().and_utc();
    let ahead = |minutes: i32| wall - TimeDelta::minutes(minutes.into());
    [0, 60].into_iter().find(|m| minutes_ahead(rules, ahead(*m)) == *m).map(ahead).unwrap()
}

async fn doctor(system: &System, tzdir: &str) -> String {
    let environment = command::with(&system.environment, &[("TZDIR", tzdir)]);
    let said = command::run(&system.programs.worker, &["doctor"], &environment, "").await;
    said.line("fuseaux").to_owned()
}

async fn answer(system: &System, path: &str) -> Value {
    let request = system.client.get(format!("{}{path}", system.url)).bearer_auth(&system.token);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_planned_keeps_its_hour_when_the_rules_change_under_a_worker() {
    let tree = tempfile::tempdir().unwrap();
    let tzdir = tree.path().to_str().unwrap();
    zoneinfo::write(tree.path(), "2126a", RULES_2025B).unwrap();
    let system = System::start_with(&[("EMAILS_GROUP_SECONDS", "0")]).await;
    let worker = system.worker_with(&[("TZDIR", tzdir)]);
    until("the worker's rules are those of the database", async || {
        version(&system).await == "2126a"
    })
    .await;
    until("the digest has a date", async || digest(&system).await.is_some()).await;
    let before = digest(&system).await.unwrap();
    let wall = before + TimeDelta::minutes(minutes_ahead(RULES_2025B, before).into());
    assert_eq!(wall.format("%H:%M").to_string(), "07:30", "{before}");

    // A visit at 09:30 on a day well outside Ramadan, on which the two rules differ; and one at 00:30 the day after.
    let year = wall.year() + 1;
    let day = NaiveDate::from_ymd_opt(year, 7, 15).unwrap();
    let machine = system
        .post("/equipements", json!({"nom": "Pompe", "type": "Pompe", "localisation": "Safi"}))
        .await["id"]
        .clone();
    let mut plannings = Vec::new();
    for (day, hour) in [(day, 9), (day + Days::new(1), 0)] {
        let planning = json!({"frequence": "mensuel", "equipement_id": machine,
            "prochaine_date": shown(day, hour, RULES_2025B)});
        plannings.push((
            system.post("/planning", planning).await["id"].as_i64().unwrap(),
            day,
            hour,
        ));
    }
    let end_of_day = shown(day, 23, RULES_2025B) + TimeDelta::seconds(29 * 60 + 59);
    let noon = shown(day, 12, RULES_2025B);
    let mut interventions = Vec::new();
    for limit in [end_of_day, noon] {
        let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine, "date_limite": limit});
        interventions.push(system.post("/interventions", new).await["id"].as_i64().unwrap());
    }

    // The system's zoneinfo is updated.
    zoneinfo::write(tree.path(), "2126b", RULES_2026C).unwrap();
    until("the worker takes the new rules over", async || version(&system).await == "2126b").await;
    let after = digest(&system).await.unwrap();
    let by_new = after + TimeDelta::minutes(minutes_ahead(RULES_2026C, after).into());
    assert_eq!(by_new.format("%H:%M").to_string(), "07:30", "{before} {after}");
    for (id, day, hour) in plannings {
        let planning = answer(&system, &format!("/planning/{id}")).await;
        let date: DateTime<Utc> = planning["prochaine_date"].as_str().unwrap().parse().unwrap();
        assert_eq!(date, shown(day, hour, RULES_2026C));
    }
    let limit = async |id: i64| -> DateTime<Utc> {
        let intervention = answer(&system, &format!("/interventions/{id}")).await;
        intervention["date_limite"].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(
        limit(interventions[0]).await,
        end_of_day + TimeDelta::hours(1),
        "the end of that day"
    );
    assert_eq!(limit(interventions[1]).await, noon, "an instant that somebody chose");

    // The change is recorded once, and in the history of the moved intervention.
    let entries = sqlx::query!(
        r#"
            select planifications, plannings, echeances,
                   (select count(*) from regles_horaires_reports r where r.journal_id = j.id) as "moved!"
            from regles_horaires_journal j where version_avant = '2126a' and version_apres = '2126b'
        "#
    );
    let entries = entries.fetch_all(&system.ctx.pool).await.unwrap();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!((entry.plannings, entry.echeances), (2, 1));
    assert_eq!(entry.moved, i64::from(entry.planifications) + 3);
    let lines = answer(&system, &format!("/interventions/{}/historique", interventions[0])).await;
    assert!(lines[0]["remarque"].as_str().unwrap().contains("(2126b)"), "{lines}");
    assert!(lines[0]["user"].is_null(), "{lines}");

    // The API, whose own copy is older, uses the rules of the database, and reports them; the doctor names the older programs.
    until("the API follows", async || {
        let ready = answer(&system, "/ready").await;
        ready["checks"]["time_zones"].as_str().unwrap().starts_with("2126b (")
    })
    .await;
    let line = doctor(&system, tzdir).await;
    assert!(line.starts_with("attention"), "{line}");
    assert!(
        line.contains("règles 2126b en vigueur") && line.contains("en retard : erp-api"),
        "{line}"
    );
    assert!(!line.contains("erp-worker"), "{line}");
    let metrics = system.client.get(format!("{}/metrics", system.url)).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("erp_time_zone_rules{copy=\"in_force\"} 212602"), "{metrics}");

    // A worker with older rules does not revert the change.
    drop(worker);
    let older = tempfile::tempdir().unwrap();
    zoneinfo::write(older.path(), "2126a", RULES_2025B).unwrap();
    let _worker = system.worker_with(&[("TZDIR", older.path().to_str().unwrap())]);
    until("the other worker is there", async || {
        doctor(&system, tzdir).await.contains("erp-worker")
    })
    .await;
    assert_eq!((version(&system).await.as_str(), digest(&system).await), ("2126b", Some(after)));
}
