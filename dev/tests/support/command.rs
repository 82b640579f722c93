//! Commands that end by themselves, and databases without a schema.
use std::{path::Path, process::Stdio, time::Duration};

use erp_dev::TestDb;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// Exit code and output of a command.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The line of `out` about `name`.
    pub fn line(&self, name: &str) -> &str {
        let found = self.out.lines().find(|line| line.contains(name));
        found.unwrap_or_else(|| panic!("nothing about {name}: {self:?}"))
    }
}

/// Runs `program` to its end with only these variables, and with `input` as its standard input.
pub async fn run(
    program: &Path,
    args: &[&str],
    environment: &[(String, String)],
    input: &str,
) -> Said {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(environment.iter().cloned()).envs(super::profile());
    command.kill_on_drop(true);
    // So that it does not read the `.env` of the work tree.
    command.current_dir(std::env::temp_dir());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = timeout(Duration::from_mins(1), child.wait_with_output()).await;
    let output = output.expect("the command does not end").unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `environment` with settings that override it.
pub fn with(environment: &[(String, String)], settings: &[(&str, &str)]) -> Vec<(String, String)> {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    environment.iter().cloned().chain(settings).collect()
}

/// Creates an empty database beside `db`: its address and a pool. Its name contains that of `db`, which one test uses at a
/// time, so that no other test drops it.
pub async fn empty_database(db: &TestDb, name: &str) -> (String, PgPool) {
    let url = db.url();
    let (start, rest) = url.rsplit_once('/').unwrap();
    let (slot, options) = rest.split_once('?').unwrap_or((rest, ""));
    let name: String = format!("{name}_{slot}").chars().take(63).collect();
    let run = async |statement: String| {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&db.pool).await.unwrap();
    };
    run(format!("drop database if exists {name} with (force)")).await;
    run(format!("create database {name}")).await;
    let url = format!("{start}/{name}?{options}");
    let pool = PgPool::connect(&url).await.unwrap();
    (url, pool)
}
