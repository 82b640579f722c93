//! `cargo queries`, with a stand-in for cargo and the compiler that describes what each test needs; the database is real.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// A simulated build of the workspace for `cargo queries`.
struct Build {
    folder: tempfile::TempDir,
    /// The modification time of the only source file.
    changed: SystemTime,
}

impl Build {
    /// A build whose compiler runs the shell code `compile`; `$committed` is the folder of the committed descriptions.
    fn of(compile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("lib.rs"), "").unwrap();
        let changed = SystemTime::now() - Duration::from_hours(1);
        File::options().append(true).open(path("lib.rs")).unwrap().set_modified(changed).unwrap();
        let metadata = format!(
            r#"{{"packages": [{{"targets": [{{"src_path": "{}"}}]}}]}}"#,
            path("lib.rs").display()
        );
        let script = format!(
            r#"#!/bin/sh
committed='{}'
case $1 in
  metadata) echo '{metadata}' ;;
  check)
    # Compilers take the sources for changed.
    [ "$(find '{}' -mmin -10)" ] || exit 3
    "$RUSTC_WORKSPACE_WRAPPER" "$0" compile ;;
  compile)
    [ "$SQLX_OFFLINE" = false ] && [ "$DATABASE_URL" ] || exit 4
    {compile} ;;
esac
"#,
            committed().display(),
            path("lib.rs").display(),
        );
        fs::write(path("cargo"), script).unwrap();
        fs::set_permissions(path("cargo"), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, changed }
    }

    /// Whether `cargo queries` with these arguments succeeds, and what it says.
    fn run(&self, args: &[&str]) -> (bool, String) {
        let before = listed();
        let output = Command::new(env!("CARGO_BIN_EXE_erp-queries"))
            .args(args)
            .env("CARGO", self.folder.path().join("cargo"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert_eq!(listed(), before, "nothing was changed");
        let source = self.folder.path().join("lib.rs");
        let changed = fs::metadata(source).unwrap().modified().unwrap();
        assert_eq!(changed, self.changed, "for other builds nothing has changed");
        (output.status.success(), String::from_utf8(said).unwrap())
    }
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx")
}

/// The names of the committed descriptions, in order.
fn listed() -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        fs::read_dir(committed()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn what_is_committed_is_up_to_date_when_the_build_describes_the_same() {
    let build = Build::of(r#"cp "$committed"/*.json "$SQLX_OFFLINE_DIR""#);
    let expected = format!(".sqlx is up to date ({} queries)", listed().len());
    for args in [&["--check"][..], &[]] {
        let (done, said) = build.run(args);
        assert!(done && said.contains(&expected), "{args:?}: {said}");
    }
}

#[test]
fn a_check_names_what_differs_and_changes_nothing() {
    let first = listed().remove(0).into_string().unwrap();
    let build = Build::of(&format!(
        r#"cp "$committed"/*.json "$SQLX_OFFLINE_DIR" && rm "$SQLX_OFFLINE_DIR/{first}" &&
    echo '{{"query": "select   42"}}' >"$SQLX_OFFLINE_DIR/query-42.json""#
    ));
    let (done, said) = build.run(&["--check"]);
    assert!(!done && said.contains(".sqlx is not up to date: run `cargo queries`"), "{said}");
    assert!(said.contains("  new      select 42\n"), "{said}");
    assert_eq!(said.matches("  unused   ").count(), 1, "{said}");
}

#[test]
fn code_that_does_not_compile_describes_nothing() {
    let (done, said) = Build::of("exit 1").run(&[]);
    assert!(!done && said.contains("the code does not compile"), "{said}");
}
