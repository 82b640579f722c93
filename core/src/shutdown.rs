//! Waits until a program is asked to stop.
use std::io::Read as _;

use tokio::sync::oneshot;

/// Resolves at the first SIGINT or SIGTERM (Ctrl-C elsewhere than on Unix); with `ERP_STOP_ON_STDIN_EOF` in the
/// environment also when standard input ends, which is how a child process learns that `cargo dev` was killed.
pub async fn requested() -> std::io::Result<()> {
    tokio::select! {
        signal = signalled() => signal,
        () = stdin_ended(), if std::env::var_os("ERP_STOP_ON_STDIN_EOF").is_some() => Ok(()),
    }
}

#[cfg(unix)]
async fn signalled() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn signalled() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// On a thread of its own: tokio's standard input would keep the program from ending while it reads.
async fn stdin_ended() {
    let (ended, heard) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while matches!(std::io::stdin().read(&mut buffer), Ok(n) if n > 0) {}
        let _ = ended.send(());
    });
    let _ = heard.await;
}
