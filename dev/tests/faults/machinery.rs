//! Tests of the fault machinery itself, on which the other tests rely.
use std::time::Duration;

use erp_dev::{
    faults::{Network, Proxy, SmallDisk},
    mail_sink::{
        Step, Turn,
        relay::{Act, Gate, Relay, script},
    },
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, transport::smtp::PoolConfig,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// The time limit for an expected byte.
const LONG: Duration = Duration::from_secs(30);
/// How long to wait to show that no byte arrives; also the delay of a slow network.
const SHORT: Duration = Duration::from_millis(200);

/// Starts a server that answers every byte with that byte plus `by`; its port.
async fn echo(by: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "a server beside the test")]
    tokio::spawn(async move {
        let mut talks = tokio::task::JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            talks.spawn(async move {
                while let Ok(byte) = stream.read_u8().await {
                    stream.write_u8(byte + by).await.unwrap();
                }
            });
        }
    });
    port
}

async fn ask(stream: &mut TcpStream, byte: u8) -> std::io::Result<u8> {
    stream.write_u8(byte).await?;
    timeout(LONG, stream.read_u8()).await.expect("no answer")
}

#[tokio::test]
async fn a_network_passes_is_silent_and_is_cut() {
    let proxy = Proxy::start(echo(1).await).await.unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 2);

    proxy.set(Network::Silent);
    stream.write_u8(5).await.unwrap();
    assert!(timeout(SHORT, stream.read_u8()).await.is_err(), "a silent network brings nothing");
    let mut second = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    second.write_u8(7).await.unwrap();
    assert!(timeout(SHORT, second.read_u8()).await.is_err());
    proxy.set(Network::Pass);
    assert_eq!(timeout(LONG, stream.read_u8()).await.unwrap().unwrap(), 6, "it arrives late");
    assert_eq!(timeout(LONG, second.read_u8()).await.unwrap().unwrap(), 8);

    proxy.set(Network::Slow(SHORT));
    let begun = std::time::Instant::now();
    assert_eq!(ask(&mut stream, 1).await.unwrap(), 2);
    assert!(begun.elapsed() >= 2 * SHORT, "there and back");

    proxy.set(Network::Cut);
    let error = timeout(LONG, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut refused = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert!(ask(&mut refused, 1).await.is_err());
    assert_eq!(proxy.connections(), 3);
}

#[tokio::test]
async fn a_host_that_vanished_is_silent_for_ever_and_its_name_leads_to_another() {
    let (old, new) = (echo(1).await, echo(2).await);
    let proxy = Proxy::start(old).await.unwrap();
    let mut before = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(ask(&mut before, 1).await.unwrap(), 2);
    proxy.fail_over(new);
    before.write_u8(1).await.unwrap();
    assert!(timeout(SHORT, before.read_u8()).await.is_err());
    let mut after = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
    assert_eq!(ask(&mut after, 1).await.unwrap(), 3);
}

#[test]
fn a_small_disk_is_full_until_it_is_freed() {
    let disk = match SmallDisk::mount(1) {
        Ok(disk) => disk,
        Err(error) => return eprintln!("NOT RUN, no disk can be mounted here: {error:#}"),
    };
    let file = disk.path().join("file");
    std::fs::write(&file, "there").unwrap();
    disk.fill().unwrap();
    let error = std::fs::write(disk.path().join("more"), "x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    disk.free().unwrap();
    std::fs::write(disk.path().join("more"), "x").unwrap();
    let folder = disk.path().to_owned();
    drop(disk);
    assert!(!folder.exists(), "it is gone with all that was on it");
}

type Client = AsyncSmtpTransport<Tokio1Executor>;

fn client(relay: &Relay) -> Client {
    // One connection for each mail, so that a mail does not see the state of an earlier connection.
    let one = PoolConfig::new().max_size(1).idle_timeout(Duration::ZERO);
    Client::builder_dangerous("127.0.0.1").port(relay.port()).pool_config(one).build()
}

fn mail(to: &str) -> Message {
    Message::builder()
        .from("ERP <erp@mif-maroc.example>".parse().unwrap())
        .to(to.parse().unwrap())
        .message_id(Some(format!("<{to}>")))
        .subject("Bonjour")
        .body("Un texte".to_owned())
        .unwrap()
}

async fn code(client: &Client, to: &str) -> Option<u16> {
    client
        .send(mail(to))
        .await
        .map_or_else(|e| e.status().map(Into::into), |r| Some(r.code().into()))
}

#[tokio::test]
async fn a_relay_refuses_at_every_step_and_takes_nothing() {
    let relay = Relay::start().unwrap();
    let client = client(&relay);
    let steps = [Step::Greeting, Step::Hello, Step::Mail, Step::Rcpt, Step::Data, Step::Dot];
    for step in steps {
        for refusal in [421, 451, 550] {
            relay.play(script::always(step, Act::Answer(refusal, "x")));
            assert_eq!(code(&client, "a@b.example").await, Some(refusal), "{step:?}");
        }
    }
    relay.behave();
    assert!(relay.accepted().is_empty());
    assert_eq!(code(&client, "a@b.example").await, Some(250));
    let accepted = relay.accepted();
    let [mail] = accepted.as_slice() else { panic!("{accepted:?}") };
    assert_eq!(mail.message_id(), "<a@b.example>");
    assert_eq!(mail.message.to, ["a@b.example"]);
    assert!(mail.answered() && mail.text().contains("Un texte"));
}

#[tokio::test]
async fn a_greylist_sends_away_each_new_pair_once() {
    let relay = Relay::start().unwrap();
    relay.play(script::greylist());
    let client = client(&relay);
    for to in ["a@b.example", "c@b.example"] {
        assert_eq!(code(&client, to).await, Some(450));
        assert_eq!(code(&client, to).await, Some(250));
    }
    relay.play(script::refuse("a@b.example"));
    assert_eq!(code(&client, "a@b.example").await, Some(550));
    assert_eq!(code(&client, "c@b.example").await, Some(250));
    relay.play(script::busy());
    assert_eq!(code(&client, "c@b.example").await, Some(421));
    assert_eq!(relay.accepted().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_after_the_dot_leaves_a_mail_and_one_lost_before_354_none() {
    let relay = Relay::start().unwrap();
    let client = client(&relay);
    relay.play(script::drop_before_354(1));
    assert_eq!(code(&client, "a@b.example").await, None);
    assert!(relay.accepted().is_empty());
    relay.play(script::lose_the_answer(1));
    assert_eq!(code(&client, "a@b.example").await, None);
    assert_eq!(code(&client, "a@b.example").await, Some(250));
    let answered: Vec<_> = relay.accepted().iter().map(|mail| mail.answered()).collect();
    assert_eq!(answered, [false, true]);

    // A held mail continues as the gate tells it.
    let gate = Gate::default();
    relay.play(script::always(Step::Dot, Act::Hold(gate.clone())));
    let (answer, ()) = tokio::join!(code(&client, "a@b.example"), async {
        while gate.waiting() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(relay.accepted().len(), 3, "it is kept before it is answered");
        assert!(gate.release(Turn::Answer(451, "x".to_owned())));
    });
    assert_eq!(answer, Some(451));
    assert_eq!(relay.accepted().len(), 2, "what is refused in the end was not accepted");
}
