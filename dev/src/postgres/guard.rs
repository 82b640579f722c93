//! The guard: a small process between us and the server. It reads a pipe from the process that started it; the kernel
//! closes that pipe even when the process is killed, and the guard then stops the server, unless others still use it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::cluster::Home;
use super::{account, find};

const LOOK_EVERY: Duration = Duration::from_millis(50);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Runs a server until no process uses its cluster any more. `args` are what
/// [`Postgres::start`](super::Postgres::start) passes after [`GUARD_COMMAND`](super::GUARD_COMMAND).
pub async fn guard_main(args: &[OsString]) -> anyhow::Result<()> {
    if args == ["version"] {
        print!("{}", super::GUARD_VERSION);
        return Ok(());
    }
    let [bin_dir, home, linger, settings @ ..] = args else {
        anyhow::bail!("the guard is started by the program itself, not by hand");
    };
    let bin_dir = PathBuf::from(bin_dir);
    let home = Home::open(Path::new(home))?;
    let linger = linger.to_str().and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    let linger = linger.context("the linger is not a number")?;

    // Held until this process ends: it says that the server has a guard.
    let guard = home.lock_file("guard")?;
    guard.lock()?;
    let mut server = Server::start(&bin_dir, &home, settings)?;
    let mut parent = end_of_input();
    let mut told = told_to_stop()?;
    let mut idle_since = None;
    let mut orphan = false;
    loop {
        tokio::select! {
            _ = &mut parent, if !orphan => orphan = true,
            () = &mut told => return server.stop(),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        if server.has_ended()? {
            anyhow::bail!("the server ended by itself");
        }
        if !orphan {
            continue;
        }
        let users = home.lock_file("users")?;
        if users.try_lock().is_err() {
            idle_since = None;
        } else if idle_since.get_or_insert_with(Instant::now).elapsed() >= linger {
            return stop_and_release(server, users); // newcomers wait for `users` until we are done
        }
    }
}

fn stop_and_release(server: Server, users: File) -> anyhow::Result<()> {
    let stopped = server.stop();
    drop(users);
    stopped
}

/// Resolves when standard input ends: the parent has ended, or has dropped its [`Postgres`](super::Postgres).
fn end_of_input() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = tell.send(());
    });
    told
}

/// Resolves when the guard itself is told to end, as at the shutdown of the machine.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "on Unix it may fail"))]
fn told_to_stop() -> io::Result<std::pin::Pin<Box<dyn Future<Output = ()>>>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        Ok(Box::pin(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = hang_up.recv() => {} }
        }))
    }
    #[cfg(not(unix))]
    Ok(Box::pin(std::future::pending()))
}

struct Server {
    bin_dir: PathBuf,
    data: PathBuf,
    process: Child,
}

impl Server {
    fn start(bin_dir: &Path, home: &Home, settings: &[OsString]) -> anyhow::Result<Server> {
        let log = OpenOptions::new().create(true).append(true).open(home.log())?;
        let data = home.data();
        let mut command = if cfg!(windows) {
            // `postgres.exe` refuses administrators; `pg_ctl` drops their rights first.
            let quoted: Vec<_> = settings.iter().map(|s| s.to_string_lossy()).collect();
            let mut command = account::command(&find::program(bin_dir, "pg_ctl"));
            command.arg("start").arg("-D").arg(&data).arg("-o").arg(quoted.join(" "));
            command
        } else {
            let mut command = account::command(&find::program(bin_dir, "postgres"));
            command.arg("-D").arg(&data).args(settings);
            command
        };
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let process = command.spawn().context("cannot start the server")?;
        Ok(Server { bin_dir: bin_dir.into(), data, process })
    }

    fn has_ended(&mut self) -> io::Result<bool> {
        let ended = self.process.try_wait()?.is_some();
        // On Windows the child is `pg_ctl`, which ends when the server is up.
        Ok(ended && !(cfg!(windows) && self.data.join("postmaster.pid").exists()))
    }

    /// A fast shutdown: open transactions are rolled back, committed ones are on disk.
    fn stop(mut self) -> anyhow::Result<()> {
        let mut pg_ctl = account::command(&find::program(&self.bin_dir, "pg_ctl"));
        pg_ctl.args(["stop", "-m", "fast", "-W", "-D"]).arg(&self.data);
        pg_ctl.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let begun = Instant::now();
        while !self.has_ended()? {
            if begun.elapsed() > STOP_LIMIT {
                self.process.kill()?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}
