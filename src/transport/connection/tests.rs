use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::hub::archive::{Fetch, FetchResult};
use ctigate_proto::hub::settings::{LinkSettings, Settings};
use ctigate_proto::hub::{Hub, Rights};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::{Accounts, Archive, Outlets};
use crate::transport::frames::Side;
use crate::transport::hixie76::Hixie;
use crate::transport::limit;
use crate::transport::stream::Stream;

/// The size of what a function makes a future of.
fn future_of<A, B, C, F: Future>(_: impl Fn(&A, B, C) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn a_quiet_connection_is_a_small_task() {
    let size = future_of(run);
    assert!(size <= 1280, "{size} bytes: something large is held between two messages; box what is rare");
}

struct Nobody;

impl Archive for Nobody {
    fn fetch(&self, _: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>> {
        Box::pin(async { Err(ctigate_proto::message::Code::Internal.into()) })
    }
}

impl Accounts for Nobody {
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>> {
        assert_ne!(attempt.login, "panic", "of the test");
        Box::pin(async { Err(LoginError::WrongPassword) })
    }
}

/// A transport over a Hub that knows the link `crm`.
fn transport() -> Arc<Transport> {
    let link = LinkSettings {
        name: "crm".into(),
        mode: "accept-ws".into(),
        post: false,
        users: None,
        trust_users: false,
        rights: Rights::default(),
        tunnel_grace: Duration::ZERO,
        silent_events: Vec::new(),
    };
    let settings = Settings {
        seed: [1; 32],
        wall_ms: 0,
        web_ports: (0, 0),
        accounts: Vec::new(),
        links: vec![link],
        forms: Vec::new(),
        numbers: Vec::new(),
        breaks: Vec::new(),
        utc_offset: |_| 0,
        procedures: Vec::new(),
        limits: ctigate_proto::hub::settings::Limits::default(),
        notation: crate::capture::notation(),
    };
    let outlets = Outlets {
        pbx: Box::new(|_| {}),
        record: Box::new(|_| {}),
        notice: Box::new(|_| {}),
        kept: Box::new(|| None),
        accounts: Arc::new(Nobody),
        archive: Arc::new(Nobody),
    };
    let engine = Engine::new(Hub::new(settings), outlets);
    Transport::new(engine, Telemetry::default(), limit::Settings::default(), CancellationToken::new())
}

/// A pair of ends.
async fn pair() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (peer, Stream::Plain(listener.accept().await.unwrap().0))
}

fn start() -> Start {
    Start {
        role: Role::Link(Identity::link("crm", Proof::open_listener())),
        format: Some(Format::Json),
        dialog: Arc::new(dialog::Settings {
            ping_every: Duration::from_millis(100),
            silence: Duration::from_millis(400),
            ..dialog::Settings::link()
        }),
        outbox: outbox::Limit { messages: 1000, bytes: 1 << 20 },
        address: [127, 0, 0, 1].into(),
        tls: false,
        name: "crm".into(),
        permit: None,
    }
}

/// Reads until the peer has been sent this, at most a second.
async fn hears(peer: &mut TcpStream, what: &[u8]) -> VecDeque<u8> {
    let mut all = VecDeque::new();
    let reading = async {
        let mut chunk = [0; 4096];
        loop {
            let n = peer.read(&mut chunk).await.unwrap();
            assert!(n > 0, "the connection ended");
            all.extend(&chunk[..n]);
            if all.make_contiguous().windows(what.len()).any(|w| w == what) {
                return;
            }
        }
    };
    timeout(Duration::from_secs(1), reading).await.expect("it is said");
    all
}

const PING: [u8; 2] = [0x89, 0];
/// A masked, empty pong.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

#[tokio::test]
async fn who_answers_pings_lives_and_who_is_silent_is_cut() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
    let running = tokio::spawn(run(&transport, socket, start()));
    for _ in 0..8 {
        hears(&mut peer, &PING).await;
        peer.write_all(&PONG).await.unwrap();
    }
    assert!(!running.is_finished(), "eight beats are twice the silence that is borne");
    let ended = timeout(Duration::from_secs(2), running).await.expect("cut").unwrap();
    assert_eq!((ended.reason, ended.open_for), (CloseReason::SILENT, None));
    let mut rest = Vec::new();
    let end = peer.read_to_end(&mut rest).await;
    assert!(end.is_err() || !rest.windows(2).any(|w| w[0] == 0x88), "no close handshake with who is gone");
}

#[tokio::test]
async fn a_ping_goes_when_it_is_due_and_can_be_answered_before_the_silence_is_too_long() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
    // A ping that waited for the next deadline would come with the end.
    let dialog = dialog::Settings {
        ping_every: Duration::from_millis(300),
        silence: Duration::from_millis(550),
        ..dialog::Settings::link()
    };
    let running = tokio::spawn(run(&transport, socket, Start { dialog: Arc::new(dialog), ..start() }));
    for _ in 0..3 {
        hears(&mut peer, &PING).await;
        peer.write_all(&PONG).await.unwrap();
    }
    assert!(!running.is_finished());
}

#[tokio::test]
async fn a_long_message_in_small_pieces_is_a_sign_of_life() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
    let running = tokio::spawn(run(&transport, socket, start()));
    peer.write_all(&[0x81, 0x80 | 60, 0, 0, 0, 0]).await.unwrap();
    for _ in 0..20 {
        peer.write_all(b" ").await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(!running.is_finished(), "it was never silent for long");
}

#[tokio::test]
async fn where_the_websocket_has_no_ping_the_protocols_own_is_used() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::Hixie(Hixie::new(io, Vec::new(), 1000, PATIENCE));
    let running = tokio::spawn(run(&transport, socket, start()));
    for _ in 0..8 {
        hears(&mut peer, b"\x00[\"ping\",{\"qid\":\"alive\"}]\xff").await;
        peer.write_all(b"\x00[\"pong\",{\"qid\":\"alive\"}]\xff").await.unwrap();
    }
    assert!(!running.is_finished());
    timeout(Duration::from_secs(2), running).await.expect("cut when silent").unwrap();
}

#[tokio::test]
async fn the_engine_is_told_of_an_end_even_if_the_task_is_dropped() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
    let running = tokio::spawn(run(&transport, socket, start()));
    peer.write_all(&text(r#"["iam",{"type":"t","name":"n","version":"1"}]"#)).await.unwrap();
    hears(&mut peer, b"getavailablemethods").await;
    assert_eq!(transport.engine.peers().len(), 1);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(transport.engine.peers().is_empty());
    assert_eq!(transport.connections(), 0);
}

/// A masked text frame.
fn text(message: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(message.len()).unwrap(), 0, 0, 0, 0];
    frame.extend(message.as_bytes());
    frame
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_is_counted() {
    let transport = transport();
    // The neighbour may be silent for as long as the panic takes to be told of.
    let tab = || Start { role: Role::Tab, dialog: Arc::new(dialog::Settings::tab()), ..start() };
    let mut running = Vec::new();
    let mut peers = Vec::new();
    for _ in 0..2 {
        let (peer, io) = pair().await;
        let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
        running.push(tokio::spawn(run(&transport, socket, tab())));
        peers.push(peer);
    }
    let login = |login: &str| text(&format!(r#"["login",{{"userlogin":"{login}","Password":"x"}}]"#));
    peers[0].write_all(&login("panic")).await.unwrap();
    assert!(running.remove(0).await.unwrap_err().is_panic());
    peers[1].write_all(&login("nobody")).await.unwrap();
    hears(&mut peers[1], b"loginresult").await;
    let metrics = transport.telemetry.metrics();
    assert_eq!(metrics.panics.with("connection").get(), 1);
    assert_eq!(metrics.connections.with("tab").get(), 1, "the other is here, and nothing else");
    assert!(!transport.engine.has_fallen());
    assert_eq!(transport.connections(), 1);
}

#[tokio::test]
async fn who_does_not_log_in_in_time_is_told_and_closed() {
    let transport = transport();
    let (mut peer, io) = pair().await;
    let socket = Socket::new(io, Vec::new(), Side::Server, 1000, PATIENCE);
    let dialog = Arc::new(dialog::Settings { opening: Duration::from_millis(200), ..dialog::Settings::tab() });
    let running = tokio::spawn(run(&transport, socket, Start { role: Role::Tab, dialog, ..start() }));
    // Being there is not enough.
    for _ in 0..3 {
        peer.write_all(&text(r#"["ping",{}]"#)).await.unwrap();
        hears(&mut peer, b"pong").await;
    }
    hears(&mut peer, b"no login in time").await;
    drop(peer);
    let ended = timeout(Duration::from_secs(2), running).await.expect("an end").unwrap();
    assert_eq!((ended.reason.code, ended.open_for), (1008, None));
}
