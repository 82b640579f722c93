//! Only the crate of the queue names its tables. Everything else reads them through the two views that the crate provides
//! (`queue/README.md`).
use std::{fs, path::Path};

use crate::sources::{files, root};

const VIEWS: [&str; 2] = ["everything", "processes"];
const TABLES: [&str; 12] = [
    "jobs",
    "ended",
    "ended_dead",
    "ended_days",
    "ended_rest",
    "keys",
    "workers",
    "settings",
    "breakers",
    "batches",
    "schedules",
    "_migrations",
];

/// The names in the schema `queue` that a text mentions as SQL does: the words after `queue.`, unless a word or a dot precedes
/// it, as in `job.queue.as_str()`.
fn named(text: &str) -> Vec<&str> {
    const SCHEMA: &str = "queue.";
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in text.match_indices(SCHEMA) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| is_word(c) || c == '.') {
            continue;
        }
        let rest = &text[at + SCHEMA.len()..];
        found.push(&rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]);
    }
    found
}

/// Whether `file` is a test, which may read the tables and damage them, or quotes them as `sql.rs` and this file do.
fn is_test(file: &Path) -> bool {
    ["tests.rs", "tests", "sql.rs", "tables.rs"]
        .iter()
        .any(|test| file.iter().any(|part| part == *test))
}

#[test]
fn nothing_but_the_crate_names_the_tables_of_the_queue() {
    let mut views = 0;
    for program in ["core", "api", "worker"] {
        let src = root().join(program).join("src");
        let all = files(&src, ".rs");
        for file in all.iter().filter(|file| !is_test(file.strip_prefix(&src).unwrap())) {
            for line in fs::read_to_string(file).unwrap().lines() {
                let sql = line.split("//").next().unwrap_or_default();
                for name in named(sql) {
                    assert!(!TABLES.contains(&name), "{}: {line}", file.display());
                    views += usize::from(VIEWS.contains(&name));
                }
            }
        }
    }
    assert!(views >= 6, "only {views} places were found: does this test still see any SQL?");
}

#[test]
fn a_table_is_found() {
    assert_eq!(named("queue.jobs"), ["jobs"]);
    assert_eq!(named("(queue.ended_dead)"), ["ended_dead"]);
    assert_eq!(named("job.queue.as_str"), Vec::<&str>::new());
}
