//! Who may know whom: a module knows those before it in this list, and no other. The base knows no noun of the business; the
//! nouns know the base and the nouns below them; on top stands what knows many of them.
use std::{collections::BTreeSet, fs, path::Path};

use crate::sources::files;

/// From the ground up.
const FLOORS: [(&str, &[&str]); 4] = [
    // Errors, texts and input are one thing said in three files, which know each other.
    ("ground", &["secret", "sources", "text", "input", "version", "error", "scope", "page"]),
    (
        "base",
        &[
            "clock",
            "roots",
            "shutdown",
            "metrics",
            "storage",
            "local",
            "mailer",
            "config",
            "health",
            "telemetry",
            "database",
            "keys",
            "limits",
            "tx",
            "ctx",
            "migrate",
            "idempotence",
            "jobs",
            "time_rules",
        ],
    ),
    (
        "nouns",
        &[
            "audit",
            "users",
            "preferences",
            "notifications",
            "auth",
            "clients",
            "techniciens",
            "interventions",
            "documents",
            "equipements",
            "planning",
            "calendrier",
            "accounts",
        ],
    ),
    (
        "top",
        &[
            "charge",
            "mail_facts",
            "dashboard",
            "digest",
            "reconcile",
            "schedules",
            "catalogue",
            "operate",
            "scrape",
            "seed",
        ],
    ),
];

/// What `lib.rs` gives another name, and the module that it is of.
const RENAMED: [(&str, &str); 12] = [
    ("Clock", "clock"),
    ("Config", "config"),
    ("Ctx", "ctx"),
    ("Error", "error"),
    ("Lang", "text"),
    ("MIGRATOR", "migrate"),
    ("Noun", "error"),
    ("Result", "error"),
    ("Text", "text"),
    ("Tx", "tx"),
    ("enumeration", "input"),
    ("enumeration_field", "input"),
];
/// Macros of the crate, which are of the ground.
const MACROS: [&str; 3] = ["described", "versioned", "filtered"];

/// A source without its comments and its tests, which may know all.
fn code(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names after `crate::` in `code`, those in braces too.
fn known(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let Some(list) = part.strip_prefix('{') else {
            found.insert(name(part));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    found.insert(name(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found.retain(|name| !MACROS.contains(&name.as_str()));
    found
        .into_iter()
        .map(|name| {
            let module = RENAMED.iter().find(|(renamed, _)| *renamed == name);
            module.map_or(name, |(_, module)| (*module).to_owned())
        })
        .collect()
}

fn name(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// How high a module stands; all of the ground alike.
fn height(module: &str) -> Option<usize> {
    let all = FLOORS.iter().flat_map(|(_, modules)| modules.iter());
    let at = all.clone().position(|one| *one == module)?;
    Some(at.max(FLOORS[0].1.len() - 1))
}

#[test]
fn no_import_climbs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = 0;
    for file in files(&root, ".rs") {
        let within = file.strip_prefix(&root).unwrap();
        let module = within.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "floors"].contains(&module) {
            continue;
        }
        let ours = height(module).unwrap_or_else(|| panic!("{module} stands on no floor"));
        let code = code(&fs::read_to_string(&file).unwrap());
        // `super::` is the crate itself in the top file of a module, and `super::super::` may be: an import could climb unseen.
        let is_top =
            within.iter().count() == 1 || within.iter().count() == 2 && within.ends_with("mod.rs");
        assert!(!(is_top && code.contains("super::")), "{}: say `crate::`", within.display());
        assert!(!code.contains("super::super"), "{}: say `crate::`", within.display());
        for other in known(&code) {
            let theirs = height(&other);
            let theirs = theirs.unwrap_or_else(|| panic!("{}: what is {other}?", within.display()));
            let climbs = theirs > ours && module != other;
            assert!(!climbs, "{} knows {other}, which stands above it", within.display());
            imports += 1;
        }
    }
    assert!(imports > 300, "only {imports} imports were found: does this test still see them?");
}

#[test]
fn what_is_imported_is_found() {
    let source = "use crate::{\n    Ctx, Result, local::{self, zone}, // users::find\n    \
                  tx,\n};\nfn f() -> crate::users::Role {}\n#[cfg(test)]\nmod tests { use crate::audit; }";
    let found: Vec<_> = known(&code(source)).into_iter().collect();
    assert_eq!(found, ["ctx", "error", "local", "tx", "users"]);
    assert!(height("users") < height("interventions"));
    assert!(code("#[cfg(test)]\nmod tests;\nuse crate::tx;").contains("crate::tx"));
    assert_eq!(height("text"), height("error"));
}
