//! The example of how a noun is added (README, "How to add…") fits the code as it is. `.ci/exemple` also builds and tests it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, process::Command};

const PATCH: &str = "docs/exemple-noun.patch";

/// What `git apply` with `option` says of the example.
fn apply(option: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let said =
        Command::new("git").args(["apply", option, PATCH]).current_dir(root).output().unwrap();
    let error = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success(),
        "{error}\nrenew {PATCH}: apply it to an older commit, rebase that, and take its diff"
    );
    String::from_utf8(said.stdout).unwrap()
}

#[test]
fn a_noun_with_a_job_and_its_test_is_15_files() {
    apply("--check");
    let files = apply("--numstat");
    let files: Vec<_> = files.lines().collect();
    assert!(files.len() == 15, "{files:#?}");
}
