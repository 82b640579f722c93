//! `cargo queries`: renews `.sqlx`, against which every build checks its queries without a
//! database.
//!
//! The queries are compiled against an empty database of our own. Only the members of this workspace use it: a dependency
//! that uses the same macros keeps the descriptions that it came with, and leaves nothing in `.sqlx`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};
use apalis_postgres::PostgresStorage;
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;

use crate::cargo::{cargo, workspace};
use crate::postgres::{Config, Postgres};

/// A variable for the compilers of `cargo queries`: the database that describes the queries.
const DATABASE: &str = "ERP_QUERIES_DATABASE";
/// A variable that is set with it: the folder for the descriptions.
const OUTPUT: &str = "ERP_QUERIES_OUTPUT";

/// When cargo has started this program in place of the compiler, for a member of the workspace: compiles it with a database
/// for its queries, and returns the exit code. Otherwise `None`.
#[must_use]
pub fn as_rustc_wrapper() -> Option<ExitCode> {
    let (database, output) = (std::env::var_os(DATABASE)?, std::env::var_os(OUTPUT)?);
    let mut args = std::env::args_os().skip(1);
    let mut rustc = Command::new(args.next()?);
    rustc.args(args).env("SQLX_OFFLINE", "false");
    rustc.env("DATABASE_URL", database).env("SQLX_OFFLINE_DIR", output);
    let code = rustc.status().ok().and_then(|status| status.code());
    Some(code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Renews `.sqlx`; with `check`, fails instead when that would change it.
pub async fn run(check: bool) -> anyhow::Result<()> {
    let work = tempfile::Builder::new().prefix("erp-queries-").tempdir()?;
    let output = work.path().join("sqlx");
    fs::create_dir(&output)?;
    describe_into(&output, &work.path().join("postgres")).await?;
    let fresh = Descriptions::read(&output)?;
    let (fresh, dir) = (fresh, workspace().join(".sqlx"));
    let difference = Descriptions::read(&dir)?.difference(&fresh);
    if difference.is_empty() {
        println!(".sqlx is up to date ({} queries)", fresh.0.len());
    } else if check {
        bail!(".sqlx is not up to date: run `cargo queries` and commit\n{difference}");
    } else {
        fresh.write(&dir)?;
        println!(".sqlx is renewed ({} queries)\n{difference}", fresh.0.len());
    }
    Ok(())
}

async fn describe_into(output: &Path, cluster: &Path) -> anyhow::Result<()> {
    let config = Config { durable: false, ..Config::durable(cluster) };
    let cluster = tokio::task::spawn_blocking(move || Postgres::start(&config)).await??;
    let url = cluster.url("postgres");
    let pool = PgPoolOptions::new().max_connections(2).connect(&url).await?;
    // Read now: they may have changed since this program was built.
    let ours = Migrator::new(workspace().join("migrations")).await?;
    PostgresStorage::migrations().run(&pool).await?;
    let mut queue = Migrator::new(workspace().join("queue/migrations")).await?;
    queue.dangerous_set_table_name("queue._migrations");
    queue.create_schema("queue");
    queue.run(&pool).await?;
    ours.run(&pool).await.context("the migrations fail")?;
    pool.close().await;
    tokio::task::block_in_place(|| compile(&url, output))
}

fn compile(database: &str, output: &Path) -> anyhow::Result<()> {
    let _touched = Touched::sources()?;
    let mut check = cargo();
    check.args(["check", "--workspace", "--all-targets"]);
    check.env("SQLX_OFFLINE", "true").env_remove("DATABASE_URL").env_remove("SQLX_OFFLINE_DIR");
    check.env("SQLX_TMP", output).env(DATABASE, database).env(OUTPUT, output);
    check.env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?);
    // A cache of compilations would skip those that describe the queries.
    check.env_remove("RUSTC_WRAPPER");
    ensure!(check.status().context("cannot run cargo")?.success(), "the code does not compile");
    Ok(())
}

/// The root files of all crates of the workspace, made to look changed so that cargo compiles them again. Dropped, it
/// restores their times: other builds see no change.
struct Touched(Vec<(PathBuf, SystemTime)>);

impl Touched {
    fn sources() -> anyhow::Result<Touched> {
        let mut metadata = cargo();
        metadata.args(["metadata", "--no-deps", "--format-version=1"]);
        let metadata: Value = serde_json::from_slice(&metadata.output()?.stdout)?;
        let packages = metadata["packages"].as_array().context("cargo knows no packages")?;
        let mut touched = Touched(Vec::new());
        for target in packages.iter().filter_map(|package| package["targets"].as_array()).flatten()
        {
            let path = PathBuf::from(target["src_path"].as_str().context("a target has a file")?);
            let file = File::options().append(true).open(&path)?;
            touched.0.push((path, file.metadata()?.modified()?));
            file.set_modified(SystemTime::now())?;
        }
        Ok(touched)
    }
}

impl Drop for Touched {
    fn drop(&mut self) {
        for (path, modified) in &self.0 {
            let file = File::options().append(true).open(path);
            let _ = file.and_then(|file| file.set_modified(*modified));
        }
    }
}

/// The files of a folder of descriptions, by name: their JSON and their bytes.
#[derive(Debug, Default)]
struct Descriptions(BTreeMap<OsString, (Value, Vec<u8>)>);

impl Descriptions {
    fn read(dir: &Path) -> anyhow::Result<Descriptions> {
        let mut descriptions = Descriptions::default();
        for entry in fs::read_dir(dir).into_iter().flatten() {
            let entry = entry?;
            let name = entry.file_name();
            let hash = name.to_str().and_then(|name| name.strip_prefix("query-"));
            if hash.and_then(|hash| hash.strip_suffix(".json")).is_some() {
                let bytes = fs::read(entry.path())?;
                let value = serde_json::from_slice(&bytes).unwrap_or_default();
                descriptions.0.insert(name, (value, bytes));
            }
        }
        Ok(descriptions)
    }

    /// One line per query that is new, changed or unused in `fresh`. Spaces between the parts of the JSON do not count.
    fn difference(&self, fresh: &Descriptions) -> String {
        let mut lines = String::new();
        for (name, (value, _)) in &fresh.0 {
            match self.0.get(name) {
                None => lines += &line("new", value),
                Some((old, _)) if old != value => lines += &line("changed", value),
                Some(_) => {}
            }
        }
        for (_, (value, _)) in self.0.iter().filter(|(name, _)| !fresh.0.contains_key(*name)) {
            lines += &line("unused", value);
        }
        lines
    }

    fn write(&self, dir: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(dir)?;
        for name in Descriptions::read(dir)?.0.keys().filter(|name| !self.0.contains_key(*name)) {
            fs::remove_file(dir.join(name))?;
        }
        for (name, (_, bytes)) in &self.0 {
            fs::write(dir.join(name), bytes)?;
        }
        Ok(())
    }
}

fn line(what: &str, description: &Value) -> String {
    let query = description["query"].as_str().unwrap_or_default();
    let words: Vec<&str> = query.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(80).collect();
    format!("  {what:<8} {short}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptions(files: &[(&str, &str)]) -> Descriptions {
        let dir = tempfile::tempdir().unwrap();
        for (name, query) in files {
            let text = format!(r#"{{ "query": "{query}" }}"#);
            fs::write(dir.path().join(format!("query-{name}.json")), text).unwrap();
        }
        Descriptions::read(dir.path()).unwrap()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let committed = descriptions(&[("a", "select 1"), ("b", "select 2"), ("c", "select 3")]);
        let fresh = descriptions(&[("a", "select 1"), ("b", "select  22"), ("d", "select 4")]);
        assert_eq!(
            committed.difference(&fresh),
            "  changed  select 22\n  new      select 4\n  unused   select 3\n"
        );
        assert_eq!(fresh.difference(&fresh), "");
    }

    #[test]
    fn renewing_leaves_exactly_what_is_used() {
        let dir = tempfile::tempdir().unwrap();
        descriptions(&[("a", "select 1"), ("b", "select 2")]).write(dir.path()).unwrap();
        let fresh = descriptions(&[("b", "select 2"), ("c", "select 3")]);
        fresh.write(dir.path()).unwrap();
        assert_eq!(Descriptions::read(dir.path()).unwrap().difference(&fresh), "");
    }
}
