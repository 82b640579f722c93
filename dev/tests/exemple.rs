//! What developers read about the code fits it: the example of how a noun is added (README, "How to add…"), which `.ci/exemple`
//! also builds and tests, and the walks of `ARCHITECTURE.md`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, process::Command};

const PATCH: &str = "docs/exemple-noun.patch";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What `git apply` with `option` says of the example.
fn apply(option: &str) -> String {
    let said =
        Command::new("git").args(["apply", option, PATCH]).current_dir(root()).output().unwrap();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success(),
        "{error}\nrenew {PATCH}: apply it to an older commit, rebase that, and take its diff"
    );
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn a_noun_with_a_job_and_its_test_is_16_files() {
    apply("--check");
    let files = apply("--numstat");
    let files: Vec<_> = files.lines().collect();
    assert!(files.len() == 16, "{files:#?}");
}

/// The targets of the links in `text`.
fn links(text: &str) -> Vec<&str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect()
}

#[test]
fn each_walk_is_eight_files_at_most_and_all_exist() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<_> =
        links(&page).into_iter().filter(|link| !root().join(link).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md links to what is not there: {missing:?}");
    let walks: Vec<_> = page.split("\n## ").skip(1).collect();
    assert_eq!(walks.len(), 3);
    for walk in walks {
        let (title, steps) = walk.split_once('\n').unwrap();
        let files = links(steps);
        assert!((2..=8).contains(&files.len()), "{title}: {files:#?}");
    }
}
