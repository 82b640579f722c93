//! The folder of one cluster: its locks, its data, and the server that runs on them.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::{Config, GUARD_COMMAND, account, find};

const START_LIMIT: Duration = Duration::from_mins(1);

/// A log beyond this size is removed at the next start.
const LOG_LIMIT: u64 = 10 << 20;

#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    /// Opens the home of the cluster for `dir`, and creates its folder.
    pub fn open(dir: &Path) -> anyhow::Result<Home> {
        let dir = account::reachable(&std::path::absolute(dir)?)?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Home(dir))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }

    /// One of the locks between the processes that share the cluster: `start` is held while the
    /// server is created and started, `users` is shared by all who use it, `guard` is held by
    /// the guard for as long as it lives.
    pub fn lock_file(&self, name: &str) -> anyhow::Result<File> {
        let path = self.0.join(format!("{name}.lock"));
        File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))
    }

    /// The PostgreSQL version that made the data, if there are any.
    pub fn major_version(&self) -> Option<u32> {
        fs::read_to_string(self.data().join("PG_VERSION")).ok()?.trim().parse().ok()
    }

    /// The port of the server if it is ready under a guard. A server whose guard was killed would never be stopped: it is
    /// stopped here.
    pub fn running(&self) -> anyhow::Result<Option<u16>> {
        let Some(server) = self.postmaster() else { return Ok(None) };
        if !server.ready || !speaks_postgres(server.port) {
            return Ok(None);
        }
        if self.lock_file("guard")?.try_lock().is_err() {
            return Ok(Some(server.port));
        }
        let bin_dir = find::bin_dir(self.major_version(), None)?;
        let mut stop = account::command(&find::program(&bin_dir, "pg_ctl"));
        run(stop.args(["stop", "-m", "fast", "-w", "-D"]).arg(self.data()))?;
        Ok(None)
    }

    fn postmaster(&self) -> Option<Postmaster> {
        parse_pid_file(&fs::read_to_string(self.data().join("postmaster.pid")).ok()?)
    }

    /// Creates the data folder unless it exists: under another name, then renamed, so that an interrupted `initdb` leaves
    /// nothing that looks like a cluster.
    pub fn create(&self, bin_dir: &Path, durable: bool) -> anyhow::Result<()> {
        if self.major_version().is_some() {
            return Ok(());
        }
        let fresh = self.0.join("data.new");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh)?;
        account::give(&fresh)?;
        let mut initdb = account::command(&find::program(bin_dir, "initdb"));
        initdb.arg("-D").arg(&fresh);
        // Anyone on this machine may connect: the data are a developer's, the port is loopback.
        initdb.args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "trust"]);
        if !durable {
            initdb.args(["--no-sync", "--wal-segsize=1"]); // small, to live in memory
        }
        run(&mut initdb)?;
        fs::rename(&fresh, self.data()).context("cannot put the new cluster in its place")
    }

    /// Starts the guard, and through it the server; returns when the server is ready.
    pub fn spawn(
        &self,
        guard: &Path,
        bin_dir: &Path,
        port: u16,
        config: &Config,
    ) -> anyhow::Result<(Child, ChildStdin)> {
        if fs::metadata(self.log()).is_ok_and(|log| log.len() > LOG_LIMIT) {
            let _ = fs::remove_file(self.log());
        }
        let log_before = fs::metadata(self.log()).map_or(0, |log| log.len());
        let mut command = Command::new(guard);
        command.arg(GUARD_COMMAND).arg(bin_dir).arg(&self.0);
        command.arg(config.linger.as_millis().to_string()).args(settings(port, config.durable));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            command.process_group(0); // Ctrl-C is for us; the guard ends after us
        }
        let mut guard =
            command.spawn().with_context(|| format!("cannot start {}", guard.display()))?;
        let stdin = guard.stdin.take().context("the guard has no input")?;
        let begun = Instant::now();
        loop {
            if self.postmaster().is_some_and(|server| server.ready && server.port == port) {
                return Ok((guard, stdin));
            }
            if let Some(status) = guard.try_wait()? {
                bail!("PostgreSQL ended ({status}):\n{}", self.log_since(log_before));
            }
            ensure!(
                begun.elapsed() < START_LIMIT,
                "PostgreSQL is not ready after {} s, see {}",
                START_LIMIT.as_secs(),
                self.log().display()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn log_since(&self, offset: u64) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let offset = usize::try_from(offset).unwrap_or(0).min(log.len());
        String::from_utf8_lossy(&log[offset..]).trim().to_owned()
    }

    #[cfg(test)]
    pub fn at(dir: &Path) -> Home {
        Home(dir.into())
    }
}

fn settings(port: u16, durable: bool) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        "max_connections=200".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    if !durable {
        let fast = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "max_wal_size=64MB",
            "min_wal_size=8MB",
            "shared_buffers=64MB",
            "jit=off",
            // No result may depend on it: with this zone, one that does comes out wrong.
            "timezone=Pacific/Chatham",
        ];
        settings.extend(fast.map(str::to_owned));
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

struct Postmaster {
    port: u16,
    ready: bool,
}

/// `postmaster.pid` holds the port in line 4 and, since PostgreSQL 10, the state in line 8.
fn parse_pid_file(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(Postmaster {
        port: lines.get(3)?.parse().ok()?,
        ready: lines.get(7).is_some_and(|state| *state == "ready"),
    })
}

/// Whether PostgreSQL listens there, and not another program on a port that was its own: PostgreSQL answers a request for
/// TLS with `S` or `N`.
fn speaks_postgres(port: u16) -> bool {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let address = ([127, 0, 0, 1], port).into();
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) else {
        return false;
    };
    let mut answer = [0];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(&SSL_REQUEST).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && matches!(answer[0], b'S' | b'N')
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_its_file_says_so() {
        let starting =
            "4242\n/srv/data\n1700000000\n5433\n\n127.0.0.1\n  5433001  65538\nstarting\n";
        let server = parse_pid_file(starting).unwrap();
        assert_eq!((server.port, server.ready), (5433, false));
        assert!(parse_pid_file(&starting.replace("starting", "ready   ")).unwrap().ready);
        assert!(parse_pid_file("4242\n/srv/data\n").is_none());
    }

    #[test]
    fn an_interrupted_initdb_is_not_a_cluster() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data.new")).unwrap();
        fs::write(dir.path().join("data.new/PG_VERSION"), "15\n").unwrap();
        assert_eq!(Home::at(dir.path()).major_version(), None);
    }
}
