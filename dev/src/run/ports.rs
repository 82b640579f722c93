//! Ports on 127.0.0.1: takes free ones, and explains what to do when one is not free.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::anyhow;
use tokio::net::TcpListener;

/// The address of that port, for programs of this machine only.
pub(super) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The port to use for what `option` sets: the one asked for if it is free, any free one for 0.
pub(super) fn choose(option: &str, port: u16) -> anyhow::Result<u16> {
    let listener =
        std::net::TcpListener::bind(local(port)).map_err(|e| explain(option, port, &e))?;
    Ok(listener.local_addr()?.port())
}

/// Listens on that port.
pub(super) async fn listen(option: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind(local(port)).await.map_err(|e| explain(option, port, &e))
}

fn explain(option: &str, port: u16, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => {
            anyhow!("port {port} is in use: choose another with {option} (0: any free one)")
        }
        _ => anyhow!("cannot use port {port} ({error}): choose another with {option}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_names_the_option_that_changes_it() {
        let taken = std::net::TcpListener::bind(local(0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = choose("--smtp-port", port).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("port {port} is in use: choose another with --smtp-port (0: any free one)")
        );
        assert_ne!(choose("--port", 0).unwrap(), 0);
    }
}
