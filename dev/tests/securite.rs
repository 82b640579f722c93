//! The page on security is correct: the files, tests, fuzz targets, routes and settings that it names exist, and each
//! requirement of the ASVS of the levels 1 and 2 is judged exactly once.
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = "docs/SECURITE.md";

/// Words in capitals that are settings of libraries, not of the programs.
const NO_SETTINGS: [&str; 1] = ["SSL_CERT_FILE"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All code spans outside blocks.
fn spans(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut all = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            assert!(line.matches('`').count().is_multiple_of(2), "a span is not closed: {line}");
            all.extend(line.split('`').skip(1).step_by(2).map(String::from));
        }
    }
    all
}

/// The tests of the workspace, as `file::function`; for a `main.rs`, `mod.rs` or `tests.rs` the folder is used instead.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["queue", "api", "core", "worker", "dev", "bench"]
        .iter()
        .map(|name| root().join(name))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let of = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
                let name = match of(&path).as_str() {
                    "main" | "mod" | "tests" => of(path.parent().unwrap()),
                    other => other.to_owned(),
                };
                found.extend(
                    tests_in(&fs::read_to_string(&path).unwrap())
                        .map(|test| format!("{name}::{test}")),
                );
            }
        }
    }
    found
}

/// The functions marked as tests.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let marked = |line: &str| line.starts_with("#[") && line.contains("test");
    let mut is_test = false;
    text.lines().map(str::trim).filter_map(move |line| {
        if line.starts_with("#[") || line.starts_with("//") || line.starts_with(')') {
            is_test |= marked(line);
            return None;
        }
        let was_test = std::mem::take(&mut is_test);
        let function = line.split_once("fn ").filter(|_| was_test)?.1;
        function.split_once('(').map(|(name, _)| name)
    })
}

#[test]
fn tests_exist() {
    let known = tests();
    let named: Vec<String> = spans(&read(PAGE))
        .into_iter()
        .filter(|span| {
            span.contains("::") && *span != "fichier::fonction" && *span != "sqlx::query"
        })
        .collect();
    assert!(named.len() > 100, "{}", named.len());
    let unknown: BTreeSet<_> = named.iter().filter(|test| !known.contains(*test)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn files_routes_and_settings_exist() {
    let page = read(PAGE);
    let routes = read("docs/routes.md");
    let settings = read(".env.example") + &read("README.md");
    let mut unknown = BTreeSet::new();
    let (mut files, mut paths, mut variables) = (0, 0, 0);
    for span in spans(&page) {
        let is_setting = span.contains('_')
            && span.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if span.contains("::") || span.contains(' ') {
            continue;
        }
        if span.starts_with('/') {
            paths += 1;
            if !routes.contains(&format!("{span}`"))
                && !["/docs", "/redoc", "/openapi.json"].contains(&span.as_str())
            {
                unknown.insert(span);
            }
        } else if is_setting {
            variables += 1;
            if !settings.contains(&span) && !NO_SETTINGS.contains(&span.as_str()) {
                unknown.insert(span);
            }
        } else if span.contains('/')
            || Path::new(&span).extension().is_some_and(|e| e == "toml" || e == "md" || e == "yml")
        {
            files += 1;
            if !root().join(&span).exists() {
                unknown.insert(span);
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(
        files > 50 && paths > 5 && variables > 10,
        "{files} files, {paths} paths, {variables} variables"
    );
}

#[test]
fn links_lead_somewhere() {
    let page = read(PAGE);
    for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        match link.strip_prefix('#') {
            Some(name) => assert!(page.contains(&format!("<a id=\"{name}\">")), "{link}"),
            None if link.starts_with("https://") => {}
            None => assert!(root().join("docs").join(link).exists(), "{link}"),
        }
    }
}

#[test]
fn fuzz_targets_are_those_that_exist() {
    let listed = read("fuzz/src/lib.rs");
    let known: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next())
        .collect();
    let page = read(PAGE);
    let table =
        page.split("<a id=\"fuzz\">").nth(1).unwrap().split("<a id=\"asvs\">").next().unwrap();
    let told: BTreeSet<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(told, known);
    for name in page.split("cible `").skip(1).map(|rest| rest.split('`').next().unwrap()) {
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn every_requirement_of_the_asvs_is_judged_once() {
    let levels: BTreeMap<String, String> = read("dev/tests/asvs/exigences.txt")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, level)| (id.to_owned(), level.to_owned()))
        .collect();
    assert_eq!(levels.len(), 253);
    let page = read(PAGE);
    let mut judged = BTreeMap::new();
    let mut counts = BTreeMap::<&str, usize>::new();
    for line in page.lines().filter(|line| line.starts_with("| V")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", id, level, verdict, why, ""] = cells[..] else { panic!("four columns: {line}") };
        assert!(["oui", "non", "s. o."].contains(&verdict) && !why.is_empty(), "{line}");
        assert!(verdict != "oui" || why.len() > 20, "{id} says where: {line}");
        assert!(judged.insert(id.to_owned(), level.to_owned()).is_none(), "{id} twice");
        *counts.entry(verdict).or_default() += 1;
    }
    assert_eq!(judged, levels);
    let told = format!(
        "{} tenues, {} non tenues, {} sans objet.",
        counts["oui"], counts["non"], counts["s. o."]
    );
    assert!(page.contains(&told), "the page should say: {told}");
}
