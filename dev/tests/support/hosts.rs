//! Hosts that vanish: a proxy that hangs, and network namespaces whose packets are dropped.
use std::{
    net::TcpListener as StdListener,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Forwards connections to a port of this machine.
pub struct Proxy {
    port: u16,
    target: Arc<AtomicU16>,
    /// Each change makes the existing connections hang.
    generation: watch::Sender<u32>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(address: &str, target: u16) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::on(listener.into_std().unwrap(), target)
    }

    pub fn on(listener: StdListener, target: u16) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, generation) = (Arc::new(AtomicU16::new(target)), watch::Sender::new(0));
        let (to, changes) = (target.clone(), generation.subscribe());
        let task = tokio::spawn(async move {
            loop {
                let (inside, _) = listener.accept().await.unwrap();
                let (port, mut changes) = (to.load(SeqCst), changes.clone());
                changes.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(outside) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let (mut inside, mut outside) = (inside, outside);
                    tokio::select! {
                        _ = copy_bidirectional(&mut inside, &mut outside) => return,
                        _ = changes.changed() => {}
                    }
                    // Both connections stay open, and no byte passes.
                    std::future::pending::<()>().await;
                    drop((inside, outside));
                });
            }
        });
        Self { port, target, generation, task }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes existing connections hang without end, and forwards new ones to port `target`.
    pub fn hang_and_lead_to(&self, target: u16) {
        self.target.store(target, SeqCst);
        self.generation.send_modify(|n| *n += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The name of the database in [`Hosts`].
pub const NAME: &str = "base.erp.test";

/// Why [`Hosts`] are not possible here. In CI it panics if a tool is missing.
pub fn unavailable() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("namespaces need root");
    }
    let has = |tool: &str| Command::new(tool).arg("-V").output().is_ok();
    let missing = !has("ip") || !has("unshare");
    assert!(!missing || std::env::var_os("CI").is_none(), "install iproute2 and util-linux");
    missing.then_some("iproute2 or util-linux is missing")
}

/// Two hosts, 10.77.1.2 and 10.77.2.2, each a network namespace at the other end of a virtual cable, and a name that resolves
/// to one of them. Only for a process with its own namespaces of network and mounts.
pub struct Hosts {
    names: tempfile::NamedTempFile,
}

impl Hosts {
    pub fn new() -> Self {
        std::fs::create_dir_all("/run/netns").unwrap();
        run("mount -t tmpfs none /run/netns");
        run("ip link set lo up");
        for n in [1, 2] {
            run(&format!("ip netns add host{n}"));
            run(&format!(
                "ip link add cable{n} address 02:00:00:00:0{n}:01 type veth peer name end{n} address 02:00:00:00:0{n}:02"
            ));
            run(&format!("ip link set end{n} netns host{n}"));
            run(&format!("ip addr add 10.77.{n}.1/24 dev cable{n}"));
            run(&format!("ip link set cable{n} up"));
            run(&format!("ip -n host{n} addr add 10.77.{n}.2/24 dev end{n}"));
            run(&format!("ip -n host{n} link set end{n} up"));
            // A permanent neighbour entry: without it, a vanished host would give an error after seconds instead of silence.
            run(&format!(
                "ip neigh replace 10.77.{n}.2 lladdr 02:00:00:00:0{n}:02 dev cable{n} nud permanent"
            ));
        }
        let names = tempfile::NamedTempFile::new().unwrap();
        run(&format!("chmod 644 {}", names.path().display()));
        run(&format!("mount --bind {} /etc/hosts", names.path().display()));
        let hosts = Self { names };
        hosts.lead_to(1);
        hosts
    }

    /// Makes the name resolve to host `n`.
    pub fn lead_to(&self, n: u8) {
        let hosts = format!("127.0.0.1 localhost\n10.77.{n}.2 {NAME}\n");
        std::fs::write(self.names.path(), hosts).unwrap();
    }

    /// A listener on host `n`: a socket belongs to the namespace in which it was created.
    pub fn listener(n: u8) -> StdListener {
        let make = move || {
            let namespace = std::fs::File::open(format!("/run/netns/host{n}")).unwrap();
            move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&namespace),
                Some(LinkNameSpaceType::Network),
            )
            .unwrap();
            StdListener::bind(format!("10.77.{n}.2:5432")).unwrap()
        };
        // A separate thread, so that this one stays in its namespace.
        std::thread::spawn(make).join().unwrap()
    }

    /// Takes the far end of the cable to host `n` down: packets are dropped on both sides, without an error.
    pub fn vanish(n: u8) {
        run(&format!("ip -n host{n} link set end{n} down"));
    }
}

fn run(command: &str) {
    let mut words = command.split(' ');
    let done = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(done.status.success(), "{command}: {}", String::from_utf8_lossy(&done.stderr));
}
