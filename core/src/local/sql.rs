//! Postgres must not compute local time: its rules of time zones are another copy, perhaps of another release. These tests find
//! SQL that does.
use std::fs;

use crate::sources::{files, root};

/// SQL whose result depends on a named zone, or on the setting `timezone`.
const LOCAL: [&str; 13] = [
    "at time zone",
    "timezone(",
    "set time zone",
    "set timezone",
    "timezone=",
    "localtime",
    "current_date",
    "date_trunc(",
    "date_part(",
    "to_char(",
    "::date",
    "::timestamp",
    "::time",
];

/// Units by which an interval depends on the calendar of that setting.
const CALENDAR: [&str; 4] = ["day", "week", "month", "year"];

/// Exceptions: a part of the SQL, and the fault that is allowed there.
const EXCEPT: [(&str, &str); 7] = [
    // The days of the audit are those of UTC, which no government changes.
    ("(now() at time zone 'utc')::date - garde", "at time zone"),
    ("(now() at time zone 'utc')::date - garde", "::date"),
    // The result is only shown to operators.
    ("from unnest($2::timestamptz[]) with ordinality as times (t, place)", "timezone("),
    // How long the rows of workers that have gone are kept: an hour more or less does not matter.
    ("queue.workers", "interval '1 day'"),
    // Tests that backdate rows.
    ("update queue.ended set ended_at", "interval '8 days'"),
    ("update schedules set next_run_at", "interval '3 days'"),
    // Ran once, on rows nearly a month old.
    ("interval '28 days'", "interval '28 days'"),
];

/// The parts of `sql` that compute local time.
fn faults(sql: &str) -> Vec<String> {
    let sql: Vec<_> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let sql = sql.join(" ").to_lowercase();
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut found: Vec<String> = Vec::new();
    for what in LOCAL {
        for (at, _) in sql.match_indices(what) {
            let begun =
                what.starts_with(char::is_alphabetic) && word(sql[..at].chars().next_back());
            let goes_on =
                !what.ends_with(['(', '=']) && word(sql[at + what.len()..].chars().next());
            if !begun && !goes_on {
                found.push(what.to_owned());
            }
        }
    }
    for (extract, _) in sql.match_indices("extract(") {
        if !sql[extract..].starts_with("extract(epoch") {
            found.push("extract".to_owned());
        }
    }
    for (at, begin) in sql.match_indices("interval '") {
        let interval = sql[at + begin.len()..].split('\'').next().unwrap_or_default();
        if CALENDAR.iter().any(|unit| interval.contains(unit)) {
            found.push(format!("interval '{interval}'"));
        }
    }
    let excused =
        |fault: &String| EXCEPT.iter().any(|(in_, what)| sql.contains(in_) && fault == what);
    found.retain(|fault| !excused(fault));
    found
}

#[test]
fn no_query_reckons_local_time() {
    let queries = files(&root().join(".sqlx"), ".json");
    assert!(queries.len() > 100);
    for file in queries {
        let query: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let sql = query["query"].as_str().unwrap();
        assert_eq!(faults(sql), Vec::<String>::new(), "{}: {sql}", file.display());
    }
    for file in files(&root().join("migrations"), ".sql") {
        let sql = fs::read_to_string(&file).unwrap();
        assert_eq!(faults(&sql), Vec::<String>::new(), "{}", file.display());
    }
}

/// Queries that are built at run time are not in `.sqlx`.
#[test]
fn no_source_names_a_zone_to_postgres() {
    for program in ["core", "api", "worker"] {
        for file in files(&root().join(program).join("src"), ".rs") {
            if file.ends_with("local/sql.rs") || file.ends_with("time_rules/store.rs") {
                continue;
            }
            for line in fs::read_to_string(&file).unwrap().lines() {
                let found = faults(line);
                let sql = |fault: &String| {
                    ["at time zone", "timezone(", "date_trunc(", "to_char("]
                        .contains(&fault.as_str())
                };
                assert!(!found.iter().any(sql), "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn what_reckons_local_time_is_found() {
    for sql in [
        "select date_trunc('month', $1 at time zone 'Africa/Casablanca')",
        "select extract(hour from date_creation)",
        "select timezone('UTC', now())",
        "set timezone = 'UTC'",
        "select current_date",
        "select date_cloture::date",
        "select now() - interval '90 days'",
        "select now()\n  at  TIME\n zone $1",
    ] {
        assert!(!faults(sql).is_empty(), "{sql}");
    }
    for sql in [
        "select timezone, date_creation::timestamptz from schedules -- at time zone",
        "select extract(epoch from now() - interval '24 hours'), current_timestamp",
        "select $1::timestamptz[], last_update from x where set_timezone_at > now()",
    ] {
        assert_eq!(faults(sql), Vec::<String>::new(), "{sql}");
    }
}
