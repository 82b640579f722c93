//! A mail server that counts connections and mails, and is unavailable when the test says so.
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

#[derive(Default)]
struct Seen {
    away: AtomicBool,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    begun: Mutex<Vec<Instant>>,
    ids: Mutex<HashSet<String>>,
}

pub struct Relay {
    pub port: u16,
    seen: Arc<Seen>,
    server: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Seen::default()));
        let server = tokio::spawn({
            let seen = seen.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    seen.connections.fetch_add(1, SeqCst);
                    let open = seen.open.fetch_add(1, SeqCst) + 1;
                    seen.most_open.fetch_max(open, SeqCst);
                    let seen = seen.clone();
                    tokio::spawn(async move {
                        let _ = talk(stream, &seen).await;
                        seen.open.fetch_sub(1, SeqCst);
                    });
                }
            }
        });
        Self { port, seen, server }
    }

    /// Sets whether it is away: it then accepts connections, and answers 421 after a while.
    pub fn set_away(&self, away: bool) {
        self.seen.away.store(away, SeqCst);
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    pub fn open(&self) -> usize {
        self.seen.open.load(SeqCst)
    }

    /// The most that were open at once since [`Relay::forget_most_open`].
    pub fn most_open(&self) -> usize {
        self.seen.most_open.load(SeqCst)
    }

    pub fn forget_most_open(&self) {
        self.seen.most_open.store(0, SeqCst);
    }

    /// When each body began to arrive, in order.
    pub fn begun(&self) -> Vec<Instant> {
        self.seen.begun.lock().unwrap().clone()
    }

    /// How many mails were accepted, by different `Message-ID`.
    pub fn accepted(&self) -> usize {
        self.seen.ids.lock().unwrap().len()
    }
}

async fn talk(stream: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    if seen.away.load(SeqCst) {
        // Long enough that two concurrent connections are counted as such.
        tokio::time::sleep(Duration::from_millis(200)).await;
        return stream.write_all(b"421 4.3.2 en maintenance\r\n").await;
    }
    stream.write_all(b"220 relais\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if seen.away.load(SeqCst) {
            return stream.write_all(b"421 4.3.2 en maintenance\r\n").await;
        }
        let answer: &[u8] = match line.get(..4).unwrap_or_default() {
            "DATA" => {
                stream.write_all(b"354 le corps\r\n").await?;
                body(&mut stream, seen).await?;
                b"250 2.0.0 pris\r\n"
            }
            "QUIT" => return stream.write_all(b"221 au revoir\r\n").await,
            _ => b"250 oui\r\n",
        };
        stream.write_all(answer).await?;
    }
}

async fn body(stream: &mut BufReader<TcpStream>, seen: &Seen) -> std::io::Result<()> {
    let (mut id, mut line, mut begun) = (String::new(), String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !begun {
            begun = true;
            seen.begun.lock().unwrap().push(Instant::now());
        }
        if line == ".\r\n" {
            break;
        }
        if let Some(value) = line.strip_prefix("Message-ID:") {
            value.trim().clone_into(&mut id);
        }
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    seen.ids.lock().unwrap().insert(id);
    Ok(())
}
