//! What the listeners answer before anybody speaks WebSocket, byte by byte.

use std::time::Duration;

use ctigate::config::{Cidr, LinkMode};
use ctigate::proto::message::Format;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::gateway::link;
use crate::support::http::{ask, ask_on, ends, read_answer, read_head};
use crate::support::ws::{ACCEPT, KEY, masked, request};
use crate::support::{FakeTab, Frame, Io, Setup, Ws, soon, tls};

/// A handshake from lines, to be got wrong.
fn lines(first: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{first}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n"
}

const GOOD: [(&str, &str); 5] = [
    ("Host", "127.0.0.1"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    GOOD.into_iter().filter(|(n, _)| *n != name).collect()
}

fn with(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    GOOD.into_iter().map(|(n, v)| if n == name { (n, value) } else { (n, v) }).collect()
}

fn and(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    GOOD.into_iter().chain([(name, value)]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_handshake_has_its_answer_and_an_end() {
    let gateway = Setup::new().start().await;
    let get = "GET / HTTP/1.1";
    let cases: Vec<(&str, String, u16)> = vec![
        ("POST", lines("POST / HTTP/1.1", &GOOD), 405),
        ("unknown method", lines("BREW / HTTP/1.1", &GOOD), 501),
        ("TRACE", lines("TRACE / HTTP/1.1", &GOOD), 405),
        ("HTTP/1.0", lines("GET / HTTP/1.0", &GOOD), 505),
        ("no Host", lines(get, &without("Host")), 400),
        ("two Hosts", lines(get, &and("Host", "other")), 400),
        ("a Host that is none", lines(get, &with("Host", "a b")), 400),
        ("no Upgrade", lines(get, &without("Upgrade")), 426),
        ("another Upgrade", lines(get, &with("Upgrade", "h2c")), 426),
        ("no Connection", lines(get, &without("Connection")), 426),
        ("Connection: close", lines(get, &with("Connection", "close")), 426),
        ("no key", lines(get, &without("Sec-WebSocket-Key")), 400),
        ("two keys", lines(get, &and("Sec-WebSocket-Key", KEY)), 400),
        ("a short key", lines(get, &with("Sec-WebSocket-Key", "c2hvcnQ=")), 400),
        ("no version", lines(get, &without("Sec-WebSocket-Version")), 426),
        ("version 12", lines(get, &with("Sec-WebSocket-Version", "12")), 426),
        ("two versions", lines(get, &and("Sec-WebSocket-Version", "13")), 426),
        ("a foreign Origin", lines(get, &and("Origin", "https://evil.example")), 403),
        ("a body", lines(get, &and("Content-Length", "3")) + "abc", 400),
        ("a sub-protocol that is no token", lines(get, &and("Sec-WebSocket-Protocol", "js\"on")), 400),
        ("space before the colon", format!("{get}\r\nHost : a\r\n\r\n"), 400),
        ("a line without a colon", format!("{get}\r\nHost\r\n\r\n"), 400),
        ("NUL in a value", format!("{get}\r\nHost: a\0b\r\n\r\n"), 400),
        ("a bare CR", format!("{get}\r\nHost: a\rb\r\n\r\n"), 400),
        ("a folded line", format!("{get}\r\nHost: a\r\n b\r\n\r\n"), 400),
        ("a name that is none", format!("{get}\r\nHo(st: a\r\n\r\n"), 400),
        ("no HTTP", "nonsense\r\n\r\n".to_owned(), 400),
        ("TLS on the plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\r\n\r\n".to_owned(), 400),
        (
            "two lengths",
            lines("POST /length HTTP/1.1", &[("Host", "a"), ("Content-Length", "1"), ("Content-Length", "2")]),
            400,
        ),
        ("a length with a sign", lines("POST /length HTTP/1.1", &[("Host", "a"), ("Content-Length", "+1")]), 400),
        ("gzip chunked", lines("POST /length HTTP/1.1", &[("Host", "a"), ("Transfer-Encoding", "gzip, chunked")]), 501),
        (
            "an unknown expectation",
            lines("POST /length HTTP/1.1", &[("Host", "a"), ("Expect", "200-maybe"), ("Content-Length", "0")]),
            417,
        ),
        (
            "a compressed body",
            lines("POST /length HTTP/1.1", &[("Host", "a"), ("Content-Encoding", "gzip"), ("Content-Length", "0")]),
            415,
        ),
        ("a long line", lines(&format!("GET /{} HTTP/1.1", "a".repeat(17 << 10)), &GOOD), 414),
    ];
    for (name, bytes, status) in cases {
        let (answer, mut io) = ask(gateway.web, &bytes).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(answer.header("content-length").is_some(), "{name}: {answer:?}");
        assert!(answer.header("server").is_none());
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version"), Some("13, 8"));
            assert_eq!(answer.header("upgrade"), Some("websocket"));
        }
        if status == 405 {
            assert!(answer.header("allow").is_some());
        }
        assert!(ends(&mut io).await, "{name}: the connection ends");
    }
    let mut tab = FakeTab::connect(gateway.web, Format::Json).await;
    tab.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_heads_are_refused_and_ordinary_ones_pass() {
    let gateway = Setup::new().start().await;
    let many: String = (0..120).map(|i| format!("X-{i}: a\r\n")).collect();
    let (answer, _) = ask(gateway.web, format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await;
    assert_eq!(answer.status, 431);
    let long = "b".repeat(70 << 10);
    let (answer, _) = ask(gateway.web, format!("GET /hello HTTP/1.1\r\nHost: a\r\nCookie: {long}\r\n\r\n")).await;
    assert_eq!(answer.status, 431);
    let cookie = "c".repeat(8 << 10);
    let ws = Ws::connect(gateway.web, &[("Cookie", &cookie), ("Sec-WebSocket-Protocol", "json")]).await;
    drop(ws);
    let (answer, _) = ask(gateway.web, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_is_spelled_as_in_the_rfc_and_frames_behind_the_head_count() {
    let gateway = Setup::new().start().await;
    for (protocols, echo) in [("json", "json"), ("chat, Oktell.XML", "Oktell.XML")] {
        let format = if echo == "json" { Format::Json } else { Format::Xml };
        let mut bytes = request("/any/path?a=b", &[("Sec-WebSocket-Protocol", protocols)]).into_bytes();
        bytes.extend(masked(0x81, crate::support::peers::written(format, r#"["ping",{"qid":"1"}]"#).as_bytes()));
        let mut io: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
        io.write_all(&bytes).await.unwrap();
        let (answer, rest) = read_head(&mut io).await;
        assert_eq!(
            answer.head,
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: {echo}\r\n\r\n"
            )
        );
        let mut ws = Ws::over(io, rest, true);
        let Frame::Text(pong) = ws.next().await else { panic!("a pong") };
        assert!(pong.contains("pong"), "{pong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_in_single_bytes_is_a_head_and_one_that_never_ends_is_cut() {
    let gateway = Setup::new().start().await;
    let mut io: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
    for byte in request("/", &[("Sec-WebSocket-Protocol", "json")]).as_bytes() {
        io.write_all(&[*byte]).await.unwrap();
    }
    let (answer, _) = read_head(&mut io).await;
    assert_eq!(answer.status, 101);
    let began = tokio::time::Instant::now();
    let mut slow: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let mut rest = Vec::new();
    let drip = async {
        // Each byte on time does not prolong the whole.
        while slow.write_all(b"X").await.is_ok() {
            if let Ok(Ok(0) | Err(_)) = tokio::time::timeout(Duration::from_millis(500), slow.read_buf(&mut rest)).await
            {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(15), drip).await.expect("the deadline cuts it");
    assert!(began.elapsed() >= Duration::from_secs(9), "not before its time: {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_and_websocket_share_a_connection_until_it_is_a_websocket() {
    let gateway = Setup::new().start().await;
    let mut io: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
    let two = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nPOST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    io.write_all(two.as_bytes()).await.unwrap();
    let mut both = String::new();
    while !both.ends_with("\r\n\r\n3") {
        let mut chunk = [0; 1024];
        let n = soon("two answers", io.read(&mut chunk)).await.unwrap();
        assert!(n > 0, "{both}");
        both.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
    }
    assert!(both.find("hello").unwrap() < both.rfind("HTTP/1.1 200").unwrap(), "in the order of the requests");
    let mut tab = FakeTab::over(io, Format::Xml).await;
    tab.log_in("ivanov").await;
    let (answer, mut io) =
        ask(gateway.web, "POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "3"));
    assert!(ends(&mut io).await, "a body without a length may hide another request: the connection ends");
    let (answer, mut io) =
        ask(gateway.web, "GET /hello HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n").await;
    assert_eq!(answer.status, 200, "another protocol is not spoken, the question is answered");
    assert!(ends(&mut io).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_waits_for_the_word_to_continue() {
    let gateway = Setup::new().start().await;
    let mut io: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
    let head = "POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    io.write_all(head.as_bytes()).await.unwrap();
    let (answer, _) = read_head(&mut io).await;
    assert_eq!(answer.status, 100);
    io.write_all(b"abc").await.unwrap();
    assert_eq!(read_answer(&mut io).await.body, "3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_plain_on_one_port_are_told_apart() {
    let pair = tls::Pair::new();
    let mut setup = Setup::new().tls(&pair);
    setup.both = true;
    let gateway = setup.start().await;
    for address in [gateway.web, gateway.web_tls.unwrap()] {
        let (io, certificate) = tls::connect(address).await;
        assert_eq!(certificate, pair.der());
        FakeTab::over(io, Format::Json).await.log_in("ivanov").await;
    }
    FakeTab::login(gateway.web, Format::Json, "petrov").await.ping().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_browsers_are_switched_off_pages_still_come() {
    let gateway = Setup::new().with(|c| c.web.browsers = false).start().await;
    let (answer, mut io) = ask(gateway.web, request("/", &[])).await;
    assert_eq!(answer.status, 403);
    assert!(ends(&mut io).await);
    let (answer, mut io) = ask(gateway.web, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 200);
    assert_eq!(ask_on(&mut io, "GET /none HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_speaks_websocket_only_and_to_allowed_addresses_only() {
    let mut allowed = link("crm", LinkMode::AcceptWs);
    allowed.allow_from = vec!["127.0.0.0/8".parse::<Cidr>().unwrap()];
    let mut elsewhere = link("far", LinkMode::AcceptWs);
    elsewhere.allow_from = vec!["10.0.0.0/8".parse::<Cidr>().unwrap()];
    let gateway = Setup::new().link(allowed).link(elsewhere).start().await;
    let (answer, mut io) = ask(gateway.link("crm"), "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 426);
    assert!(answer.body.contains("WebSocket"), "{answer:?}");
    assert_eq!(ask_on(&mut io, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 426, "the connection stays");
    let (answer, _) = ask(gateway.link("crm"), request("/", &[("Origin", "https://evil.example")])).await;
    assert_eq!(answer.status, 403, "a page must not play the CRM");
    let (answer, _) = ask(gateway.link("far"), request("/", &[])).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("allow_from"), "{answer:?}");
    Ws::connect(gateway.link("crm"), &[("Sec-WebSocket-Version-Note", "x")]).await;
    let eight = request("/", &[]).replace("Version: 13", "Version: 8");
    assert_eq!(ask(gateway.link("crm"), eight).await.0.status, 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_1_is_cut() {
    let gateway = Setup::new().start().await;
    for bytes in
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], b"\0\0\0\0\0\0\0\0\r\n\r\n", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"]
    {
        let mut io = TcpStream::connect(gateway.web).await.unwrap();
        io.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = soon("the end", io.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_too_slowly_or_wrong_is_refused() {
    let gateway = Setup::new().start().await;
    let head = "POST /length HTTP/1.1\r\nHost: a\r\n";
    for wrong in ["zz\r\nabc\r\n0\r\n\r\n", "-1\r\nabc\r\n0\r\n\r\n", "ffffffffffffffffff\r\nabc"] {
        let (answer, _) = ask(gateway.web, format!("{head}Transfer-Encoding: chunked\r\n\r\n{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong:?}");
    }
    let mut io: Io = Box::new(TcpStream::connect(gateway.web).await.unwrap());
    io.write_all(format!("{head}Content-Length: 10\r\n\r\nabc").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), io.read_to_end(&mut answer)).await.expect("an end").unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_are_not_agreed_on_and_offers_on_several_lines_are_one_list() {
    let gateway = Setup::new().with(|config| config.web.deflate = false).start().await;
    for offer in
        ["permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits=99", "x, y;z=1"]
    {
        let headers = [("Sec-WebSocket-Extensions", offer), ("Sec-WebSocket-Protocol", "json")];
        let (answer, io) = ask(gateway.web, request("/", &headers)).await;
        assert_eq!((answer.status, answer.header("sec-websocket-extensions")), (101, None), "{offer}");
        let mut ws = Ws::over(io, answer.rest, true);
        // The reserved bit that would mark a compressed message.
        ws.raw(&masked(0xc1, b"[]")).await;
        assert_eq!(ws.closed().await.0, 1002);
    }
    for (lines, echo) in [
        (vec!["chat", "My.JSON", "xml"], Some("My.JSON")),
        (vec!["a, b", "c,XML , json"], Some("XML")),
        (vec!["chat", "soap"], None),
        (vec![], None),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("Sec-WebSocket-Protocol", *line)).collect();
        let (answer, _io) = ask(gateway.web, request("/", &headers)).await;
        assert_eq!(
            (answer.status, answer.all("sec-websocket-protocol")),
            (101, echo.into_iter().collect()),
            "{lines:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_behind_a_body_of_two_lengths() {
    let gateway = Setup::new().start().await;
    let head = "POST /length HTTP/1.1\r\nHost: a\r\n";
    for length in ["-1", "1, 2", "0x1", "1 1", "18446744073709551616", "1;q=1", ""] {
        let (answer, mut io) = ask(gateway.web, format!("{head}Content-Length: {length}\r\n\r\nabc")).await;
        assert_eq!(answer.status, 400, "{length:?}: {answer:?}");
        assert!(ends(&mut io).await, "{length:?}");
    }
    // A second request in what one reading takes for a body and another for the next request.
    let hidden = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
    for headers in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", hidden.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", hidden.len() + 5),
    ] {
        let mut io = TcpStream::connect(gateway.web).await.unwrap();
        io.write_all(format!("{head}{headers}\r\n0\r\n\r\n{hidden}").as_bytes()).await.unwrap();
        let mut all = Vec::new();
        let _ = soon("the end", io.read_to_end(&mut all)).await;
        let all = String::from_utf8(all).unwrap();
        assert_eq!(all.matches("HTTP/1.1 ").count(), 1, "one answer, then the end: {all}");
        assert!(all.starts_with("HTTP/1.1 400 ") && all.contains("connection: close\r\n"), "{all}");
    }
    for encoding in ["chunked, chunked", "identity", "chunked, gzip", "xchunked"] {
        let (answer, mut io) = ask(gateway.web, format!("{head}Transfer-Encoding: {encoding}\r\n\r\n0\r\n\r\n")).await;
        assert!(matches!(answer.status, 400 | 501), "{encoding}: {answer:?}");
        assert!(ends(&mut io).await, "{encoding}");
    }
    let twice = format!("{head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(matches!(ask(gateway.web, twice).await.0.status, 400 | 501));
    // Extensions and trailers are read over, as long as they are short.
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let (answer, _) = ask(gateway.web, format!("{chunked}3;a=b\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "3"));
    let long = "e".repeat(100 << 10);
    for endless in [format!("{chunked}3;{long}"), format!("{chunked}0\r\n{}", "X-T: 1\r\n".repeat(20_000))] {
        let mut io = TcpStream::connect(gateway.web).await.unwrap();
        // It may be cut while it is still being sent.
        let _ = io.write_all(endless.as_bytes()).await;
        let mut all = Vec::new();
        let _ = soon("the end", io.read_to_end(&mut all)).await;
        assert!(!String::from_utf8_lossy(&all).starts_with("HTTP/1.1 200"), "{}", String::from_utf8_lossy(&all));
    }
}
