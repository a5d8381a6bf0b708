//! What a peer may not do with frames, with sizes, with its silence and its slowness: it gets the named answer, and nobody
//! else notices.

use std::time::Duration;

use ctigate::proto::message::Format;
use ctigate::transport::limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::gateway::link;
use crate::support::http::ask;
use crate::support::peers::{HASH, json, written};
use crate::support::ws::{masked, plain, request};
use crate::support::{FakeCrm, FakeTab, Frame, Io, Setup, Ws, soon, until};
use ctigate::config::LinkMode;

const JSON: (&str, &str) = ("Sec-WebSocket-Protocol", "json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_frame_is_answered_with_its_close_code() {
    let gateway = Setup::new().start().await;
    let mut neighbour = FakeTab::login(gateway.web, Format::Json, "petrov").await;
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", plain(0x81, b"[]"), 1002),
        ("a reserved bit", masked(0xc1, b"[]"), 1002),
        ("opcode 3", masked(0x83, b""), 1002),
        ("opcode 11", masked(0x8b, b""), 1002),
        ("a fragmented ping", masked(0x09, b""), 1002),
        ("a long ping", masked(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", masked(0x80, b"a"), 1002),
        ("a message inside one", [masked(0x01, b"a"), masked(0x81, b"b")].concat(), 1002),
        ("a length in a longer form", vec![0x81, 0xfe, 0, 1, 0, 0, 0, 0, b'a'], 1002),
        ("a length with the top bit", vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("too large, by its head", vec![0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], 1009),
        ("too large in parts", [masked(0x01, &[b'a'; 60_000]), masked(0x80, &[b'a'; 10_000])].concat(), 1009),
        ("no UTF-8", masked(0x81, &[b'"', 0xff, b'"']), 1007),
        ("no UTF-8, long before its end", masked(0x81, &[0xff; 60_000])[..5000].to_vec(), 1007),
        ("half a character", [masked(0x01, &[0xd0]), masked(0x80, b"")].concat(), 1007),
        ("binary", masked(0x82, b"[]"), 1003),
        ("a close with one byte", masked(0x88, &[3]), 1002),
        ("a close whose reason is no UTF-8", masked(0x88, &[3, 0xe8, 0xff]), 1007),
    ];
    for (name, bytes, code) in cases {
        for format in ["json", "xml"] {
            let mut ws = Ws::connect(gateway.web, &[("Sec-WebSocket-Protocol", format)]).await;
            ws.raw(&bytes).await;
            assert_eq!(ws.closed().await.0, code, "{name}");
        }
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let mut ws = Ws::connect(gateway.web, &[JSON]).await;
        ws.close(code, "").await;
        assert_eq!(ws.closed().await.0, 1002, "a close with {code}");
    }
    neighbour.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_word_arrives_though_more_was_sent_than_is_read() {
    let gateway = Setup::new().start().await;
    for _ in 0..20 {
        let mut ws = Ws::connect(gateway.web, &[JSON]).await;
        ws.raw(&[masked(0x83, b""), vec![b'x'; 30_000]].concat()).await;
        // By now the gateway has said what it has to say, and a reset would be here too.
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(ws.closed().await.0, 1002);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_frames_in_any_shape_are_one_message() {
    let gateway = Setup::new().start().await;
    for format in [Format::Json, Format::Xml] {
        let text = written(format, r#"["ping",{"qid":"жук"}]"#);
        let mut whole = Vec::new();
        for (i, byte) in text.as_bytes().iter().enumerate() {
            let last = i + 1 == text.len();
            let first = if i == 0 { 0x01 } else { 0x00 } | if last { 0x80 } else { 0 };
            whole.extend(masked(first, &[*byte]));
            whole.extend(masked(0x00, b"").into_iter().filter(|_| !last));
            if i == 3 {
                whole.extend(masked(0x89, b"inside"));
                whole.extend(masked(0x8a, b"unasked"));
            }
        }
        for step in [1, 5, 100_000] {
            let mut ws = Ws::connect(gateway.web, &[("Sec-WebSocket-Protocol", format.word())]).await;
            for piece in whole.chunks(step) {
                ws.raw(piece).await;
            }
            assert_eq!(ws.next().await, Frame::Pong(b"inside".to_vec()), "also inside a message");
            let Frame::Text(pong) = ws.next().await else { panic!("a message") };
            assert!(pong.contains("pong") && pong.contains("жук"), "{pong}");
            ws.close(1000, "bye").await;
            assert_eq!(ws.closed().await, (1000, "bye".to_owned()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ping_of_a_burst_is_answered() {
    let gateway = Setup::new().start().await;
    for count in [1, 63, 64, 65, 128, 1000] {
        let mut ws = Ws::connect(gateway.web, &[JSON]).await;
        ws.raw(&masked(0x89, b"burst").repeat(count)).await;
        for _ in 0..count {
            assert_eq!(ws.next().await, Frame::Pong(b"burst".to_vec()), "of {count}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_size_limit_rises_with_the_login() {
    let gateway = Setup::new().start().await;
    let long = format!(r#"["ping",{{"qid":1,"filler":"{}"}}]"#, "x".repeat(500_000));
    let mut guest = FakeTab::connect(gateway.web, Format::Json).await;
    guest.0.say(&long).await;
    assert_eq!(guest.0.closed().await.0, 1009);
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    for _ in 0..3 {
        tab.0.say(&long).await;
        assert_eq!(json(&tab.0.hear_named("pong").await).len(), long.len());
        tab.ping().await;
    }
    tab.0.ws.raw(&[0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, 1, 1, 1, 1]).await;
    assert_eq!(tab.0.closed().await.0, 1009, "a byte more than 1 MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_without_a_format_opens_and_ends_with_its_first_message() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    for address in [gateway.web, gateway.link("crm")] {
        let mut ws = Ws::connect(address, &[("Sec-WebSocket-Protocol", "chat")]).await;
        ws.frame(0x89, b"alive").await;
        assert_eq!(ws.next().await, Frame::Pong(b"alive".to_vec()));
        ws.text(r#"["ping",{}]"#).await;
        assert_eq!(ws.closed().await, (1008, "sub-protocol must contain json or xml".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_at_any_byte_leaves_nothing_behind() {
    let gateway = Setup::new().start().await;
    let login = written(Format::Json, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}"}}]"#));
    let bytes = [request("/", &[JSON]).into_bytes(), masked(0x81, login.as_bytes()), masked(0x89, b"p")].concat();
    for cut in (0..=bytes.len()).step_by(7) {
        let mut io = TcpStream::connect(gateway.web).await.unwrap();
        io.write_all(&bytes[..cut]).await.unwrap();
        if cut % 2 == 0 {
            io.set_zero_linger().unwrap();
        }
        drop(io);
    }
    until("everybody is gone", || gateway.transport.connections() == 0 && gateway.engine.peers().is_empty()).await;
    FakeTab::login(gateway.web, Format::Json, "ivanov").await.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pings_and_never_reads_is_cut_and_costs_nothing() {
    let gateway = Setup::new().start().await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    let pings = masked(0x89, &[7; 125]).repeat(1000);
    let mut sent = 0;
    let flood = async {
        loop {
            match tokio::time::timeout(Duration::from_secs(1), tab.0.ws.io.write_all(&pings)).await {
                Ok(Ok(())) => sent += pings.len(),
                // Reading stopped, and then the connection ended.
                Ok(Err(_)) => break,
                Err(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), flood).await.expect("it is cut");
    // What was sent and not answered into the void lies in the kernel's buffers; a gateway that read on would have held it all.
    assert!(sent < 32 << 20, "the gateway read on: {sent} bytes");
    until("the tab is gone", || gateway.engine.peers().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_that_reads_nothing_is_closed_as_slow_and_others_go_on() {
    let gateway = Setup::new().start().await;
    let mut deaf = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    let mut other = FakeTab::login(gateway.web, Format::Json, "petrov").await;
    // Answers as large as the questions, which are never read.
    let long = written(Format::Json, &format!(r#"["ping",{{"qid":1,"filler":"{}"}}]"#, "x".repeat(900_000)));
    let asking = tokio::spawn(async move {
        let frame = masked(0x81, long.as_bytes());
        while deaf.0.ws.io.write_all(&frame).await.is_ok() {}
    });
    for _ in 0..20 {
        other.ping().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::timeout(Duration::from_secs(30), asking).await.expect("it is cut").unwrap();
    until("one tab is left", || gateway.engine.peers().len() == 1).await;
    other.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_says_goodbye_to_everybody_after_what_is_queued() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    let mut tabs = Vec::new();
    for i in 0..50 {
        let format = if i % 2 == 0 { Format::Json } else { Format::Xml };
        tabs.push(FakeTab::login(gateway.web, format, "ivanov").await);
    }
    let mut crm = FakeCrm::connect(gateway.link("crm"), Format::Json).await;
    crm.introduce_bare().await;
    gateway.link_state("crm", "up").await;
    let guest = Ws::connect(gateway.web, &[JSON]).await;
    let hearing = tokio::spawn(async move {
        for tab in &mut tabs {
            assert_eq!(tab.0.closed().await.0, 1001);
        }
        assert_eq!(crm.0.closed().await.0, 1001);
        let mut guest = guest;
        assert_eq!(guest.closed().await.0, 1001);
    });
    assert!(gateway.drain().await, "all tasks ended");
    hearing.await.unwrap();
    assert!(TcpStream::connect(gateway.web).await.is_err(), "nobody is accepted any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_as_many_connections_as_there_may_be() {
    let mut setup = Setup::new();
    setup.limits = limit::Settings { connections: 5, per_address: 3 };
    setup.config.web.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()];
    let gateway = setup.start().await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Ws::connect(gateway.web, &[JSON]).await);
    }
    let (answer, _) = ask(gateway.web, request("/", &[])).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "a fourth of one address");
    let from_proxy = async |forwarded: &str| -> (u16, Io) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut io: Io = Box::new(soon("connect", socket.connect(gateway.web)).await.unwrap());
        let bytes = request("/", &[("X-Forwarded-For", forwarded)]);
        let answer = crate::support::http::ask_on(&mut io, bytes).await;
        (answer.status, io)
    };
    assert_eq!(from_proxy("127.0.0.1").await.0, 503, "the proxy speaks for the same address");
    let (status, _fourth) = from_proxy("192.0.2.1").await;
    assert_eq!(status, 101);
    let (status, _fifth) = from_proxy("192.0.2.2").await;
    assert_eq!(status, 101);
    assert_eq!(from_proxy("192.0.2.3").await.0, 503, "a sixth in all");
    held.pop();
    let mut again = 503;
    for _ in 0..200 {
        again = ask(gateway.web, request("/", &[])).await.0.status;
        if again == 101 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(again, 101, "who left made room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_peer_is_let_go() {
    let gateway = Setup::new().start().await;
    let mut tab = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    tab.0.ws.io.shutdown().await.unwrap();
    let mut rest = Vec::new();
    soon("the end", tab.0.ws.io.read_to_end(&mut rest)).await.unwrap();
    until("the tab is gone", || gateway.engine.peers().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_without_end_holds_up_nobody_and_keeps_no_deadline_away() {
    let gateway = Setup::new().link(link("crm", LinkMode::AcceptWs)).start().await;
    let mut other = FakeTab::login(gateway.web, Format::Json, "petrov").await;
    let floods = [masked(0x00, b"").repeat(1000), masked(0x89, b"").repeat(1000)];
    let mut flooding = Vec::new();
    for flood in floods {
        let mut guest = Ws::connect(gateway.link("crm"), &[JSON]).await;
        if flood[0] == 0x00 {
            guest.raw(&masked(0x01, b"")).await;
        }
        let (mut reading, mut writing) = tokio::io::split(guest.io);
        flooding.push(tokio::spawn(async move {
            let drain = tokio::spawn(async move {
                let mut chunk = [0; 64 << 10];
                while reading.read(&mut chunk).await.is_ok_and(|n| n > 0) {}
            });
            while writing.write_all(&flood).await.is_ok() {}
            drain.abort();
        }));
    }
    for _ in 0..50 {
        let began = tokio::time::Instant::now();
        other.ping().await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Neither has introduced itself: both go when their time is over, however much they say.
    for flood in flooding {
        tokio::time::timeout(Duration::from_secs(20), flood).await.expect("the introduction's deadline").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_nobody_answers_ends_by_itself() {
    let gateway = Setup::new().start().await;
    let mut deaf = FakeTab::login(gateway.web, Format::Json, "ivanov").await;
    deaf.0.ws.frame(0x82, b"binary").await;
    assert!(matches!(deaf.0.ws.next().await, Frame::Close(1003, _)));
    until("its task has ended", || gateway.transport.connections() == 0).await;
    let began = tokio::time::Instant::now();
    let _held = (Ws::connect(gateway.web, &[JSON]).await, TcpStream::connect(gateway.web).await.unwrap());
    assert!(gateway.drain().await, "all tasks ended, though nobody helped");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_a_page_and_does_not_read_it_is_cut() {
    let gateway = Setup::new().start().await;
    let mut io = TcpStream::connect(gateway.web).await.unwrap();
    let questions = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(10_000);
    let asking = async { while io.write_all(questions.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(40), asking).await.expect("it is cut");
}

/// Seconds of processor time that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Whether the other end has ended the connection.
fn ended(tcp: &TcpStream) -> bool {
    match tcp.try_read(&mut [0]) {
        Ok(n) => n == 0,
        Err(e) => e.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_descriptors_does_not_spin_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let [web, admin] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let config = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[[user]]\nlogin = \"ivanov\"\npassword = \"Secret1\"\n"
    );
    std::fs::write(folder.path().join("ctigate.toml"), config).unwrap();
    let mut node = std::process::Command::new("bash")
        .args(["-c", &format!("ulimit -n 100; exec {} serve", env!("CARGO_BIN_EXE_ctigate"))])
        .current_dir(folder.path())
        .stderr(std::fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    soon("the node listens", async {
        while TcpStream::connect(web).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut tab = FakeTab::login(web, Format::Json, "ivanov").await;
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(TcpStream::connect(web).await.unwrap());
    }
    let refused = async {
        // Nothing was said yet, so who reads an end was let go.
        while !held.iter().any(ended) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(4), refused).await.expect("who waits in vain is told");
    let before = cpu_seconds(node.id());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = cpu_seconds(node.id()) - before;
    assert!(used < 0.5, "{used} s of processor time in 2 s without work");
    tab.ping().await;
    drop(held);
    FakeTab::login(web, Format::Json, "ivanov").await.ping().await;
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let told = log.lines().filter(|line| line.contains("no descriptor left")).count();
    assert!((1..=2).contains(&told), "told {told} times: {log}");
    let _ = std::process::Command::new("kill").arg(node.id().to_string()).status();
    assert!(node.wait().unwrap().success());
}
