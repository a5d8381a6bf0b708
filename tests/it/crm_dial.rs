//! CRMs that we connect to, by servers that are right, old, wrong or gone.

use std::time::Duration;

use ctigate::config::{Auth, Link, Secret, WebSocketVersion};
use ctigate::proto::message::Format;
use tokio::io::AsyncWriteExt;

use crate::support::http::{DIGEST, Request, digest_is_right, read_request};
use crate::support::peers::{Channel, accept_of, json, switching};
use crate::support::server::{Server, answer_on};
use crate::support::{FakeCrm, FakeTab, Gateway, Setup, Ws, soon, tls};

const METHODS: &str = r#"[{"name":"Find","inputparameters":[{"name":"phone","type":"string"}]}]"#;

async fn is_up(gateway: &Gateway) {
    gateway.link_is("crm", "up with its method", |v| v.state == "up" && v.methods.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialed_crm_answers_a_tab() {
    for format in [Format::Json, Format::Xml] {
        let server = Server::new().await;
        let gateway = Setup::new().link(server.link(format)).start().await;
        let (ws, request) = Ws::accept(server.accept().await, |r| switching(r, Some(format))).await;
        assert_eq!(request.line, "GET /cti?a=b HTTP/1.1");
        for (name, value) in [
            ("Host", format!("localhost:{}", server.address().port())),
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Version", "13".to_owned()),
            ("Sec-WebSocket-Protocol", format.word().to_owned()),
        ] {
            assert_eq!(request.header(name), Some(value.as_str()), "{name}");
        }
        assert_eq!(request.header("authorization"), None);
        let mut crm = FakeCrm(Channel::new(ws, format));
        crm.introduce(METHODS, "[]", "[]").await;
        is_up(&gateway).await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        tab.0.say(r#"["executemethod",{"qid":5,"name":"Find","inputparameters":{"phone":"1"}}]"#).await;
        let call = crm.0.hear_named("executemethod").await;
        let id = call.body.text("executionid").unwrap();
        crm.0.say(&format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{}}}}]"#)).await;
        assert_eq!(tab.0.hear_named("methodresult").await.body.int("result"), Some(1));
        let long = "x".repeat(3 << 20);
        crm.0.say(&format!(r#"["ping",{{"qid":1,"filler":"{long}"}}]"#)).await;
        assert!(json(&crm.0.hear_named("pong").await).len() > 3 << 20, "three MiB there, and back in packets");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_answer_oddly_but_rightly_are_borne() {
    for odd in [
        "HTTP/1.1 101 Hello\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
        "HTTP/1.1 101\r\nUPGRADE:websocket\r\nCONNECTION:upgrade\r\nSEC-WEBSOCKET-ACCEPT:{}\r\nServer: Old\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: JSON\r\nSec-WebSocket-Accept: {}\r\n\r\n",
    ] {
        let server = Server::new().await;
        let gateway = Setup::new().link(server.link(Format::Json)).start().await;
        let answer = |r: &Request| odd.replace("{}", &accept_of(r.header("sec-websocket-key").unwrap()));
        let (ws, _) = Ws::accept(server.accept().await, answer).await;
        let mut crm = FakeCrm(Channel::new(ws, Format::Json));
        crm.introduce(METHODS, "[]", "[]").await;
        gateway.link_is("crm", "known by its name", |v| v.crm == "demo 1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_are_told_to_the_operator() {
    let cases: [(&str, &str, &str); 10] = [
        (
            "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\nContent-Length: 0\r\n\r\n",
            "retrying",
            "speaks WebSocket version 8, 7",
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n",
            "retrying",
            "speaks WebSocket version 13",
        ),
        ("HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\nContent-Length: 0\r\n\r\n", "retrying", "not followed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "retrying", "200"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "refused", "403"),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "retrying",
            "Sec-WebSocket-Accept",
        ),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            "retrying",
            "sub-protocol chat",
        ),
        (
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Extensions: x\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            "retrying",
            "extension",
        ),
        ("HTTP/1.1 101 S\r\nSec-WebSocket-Accept: {}\r\n\r\n", "retrying", "not with an upgrade"),
        ("nonsense\r\n\r\n", "retrying", "no HTTP"),
    ];
    for (answer, state, detail) in cases {
        let server = Server::new().await;
        let gateway = Setup::new().link(server.link(Format::Json)).start().await;
        let answer = |r: &Request| answer.replace("{}", &accept_of(r.header("sec-websocket-key").unwrap()));
        let (_io, _) = server.answer(answer).await;
        let view = gateway.link_state("crm", state).await;
        assert!(view.detail.contains(detail), "{view:?}");
    }
    let nobody = Server::new().await;
    let link = nobody.link(Format::Json);
    drop(nobody);
    let gateway = Setup::new().link(link).start().await;
    let view = gateway.link_state("crm", "retrying").await;
    assert!(view.detail.contains("refused"), "{view:?}");
}

fn with(auth: Auth, mut link: Link) -> Link {
    link.auth = Some(auth);
    link.login = "ctigate".to_owned();
    link.password = Some(Secret::new("secret"));
    link
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn basic_is_sent_unasked() {
    let server = Server::new().await;
    let gateway = Setup::new().link(with(Auth::Basic, server.link(Format::Json))).start().await;
    let (ws, request) = Ws::accept(server.accept().await, |r| switching(r, None)).await;
    assert_eq!(request.header("authorization"), Some("Basic Y3RpZ2F0ZTpzZWNyZXQ="));
    let mut crm = FakeCrm(Channel::new(ws, Format::Json));
    crm.introduce(METHODS, "[]", "[]").await;
    is_up(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn digest_answers_a_challenge_on_the_connection_or_a_new_one() {
    for keeps in [true, false] {
        let server = Server::new().await;
        let gateway = Setup::new().link(with(Auth::Digest, server.link(Format::Json))).start().await;
        let close = if keeps { "" } else { "Connection: close\r\n" };
        let challenge = format!("HTTP/1.1 401 Unauthorized\r\n{DIGEST}{close}Content-Length: 4\r\n\r\nno!\n");
        let (mut io, first) = server.answer(|_| challenge).await;
        assert_eq!(first.header("authorization"), None, "nothing before the challenge");
        if !keeps {
            io = server.accept().await;
        }
        let second = answer_on(&mut io, |r| switching(r, Some(Format::Json))).await;
        assert!(digest_is_right(&second, "GET", "/cti?a=b"), "{second:?}");
        let mut crm = FakeCrm(Channel::new(Ws::over(io, Vec::new(), false), Format::Json));
        crm.introduce(METHODS, "[]", "[]").await;
        is_up(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_a_state_of_their_own() {
    for (auth, challenge, answers) in [
        (Auth::Digest, DIGEST, 2),
        (Auth::Digest, "WWW-Authenticate: Basic realm=\"x\"\r\n", 1),
        (Auth::Basic, DIGEST, 1),
        (Auth::None, DIGEST, 1),
    ] {
        let server = Server::new().await;
        let link = if auth == Auth::None { server.link(Format::Json) } else { with(auth, server.link(Format::Json)) };
        let gateway = Setup::new().link(link).start().await;
        let no = format!("HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n");
        let (mut io, mut last) = server.answer(|_| no.clone()).await;
        for _ in 1..answers {
            last = answer_on(&mut io, |_| no.clone()).await;
        }
        let basic = last.header("authorization").is_some_and(|a| a.starts_with("Basic"));
        assert_eq!(basic, auth == Auth::Basic, "Digest never falls back to Basic");
        gateway.link_state("crm", "refused").await;
        let again = tokio::time::timeout(Duration::from_secs(3), server.listener.accept()).await;
        assert!(again.is_err(), "not asked again so soon");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_8_frames_alike() {
    for format in [Format::Json, Format::Xml] {
        let server = Server::new().await;
        let link = Link { websocket_version: WebSocketVersion::V8, ..server.link(format) };
        let gateway = Setup::new().link(link).start().await;
        let (ws, request) = Ws::accept(server.accept().await, |r| switching(r, Some(format))).await;
        assert_eq!(request.header("sec-websocket-version"), Some("8"));
        let origin = format!("http://localhost:{}", server.address().port());
        assert_eq!(request.header("sec-websocket-origin"), Some(origin.as_str()));
        assert_eq!(request.header("origin"), None);
        let mut crm = FakeCrm(Channel::new(ws, format));
        crm.introduce(METHODS, "[]", "[]").await;
        is_up(&gateway).await;
    }
}

/// Cuts the connection after so many steps, then lives.
async fn breaks_after(steps: usize) {
    let server = Server::new().await;
    let gateway = Setup::new().link(server.link(Format::Json)).start().await;
    let mut io = server.accept().await;
    let request = soon("a request", read_request(&mut io, &mut Vec::new())).await.expect("a request");
    let answer = switching(&request, None);
    let answer = answer.as_bytes();
    // In the head, behind it, and behind each message of the introduction.
    match steps {
        0 => {}
        1 => io.write_all(&answer[..20]).await.unwrap(),
        _ => io.write_all(answer).await.unwrap(),
    }
    if steps >= 3 {
        let mut crm = Channel::new(Ws::over(io, Vec::new(), false), Format::Json);
        let qid = crm.hear_named("whoareyou").await.body.text("qid").unwrap();
        if steps >= 4 {
            crm.say(&format!(r#"["iam",{{"qid":"{qid}","type":"t","name":"n","version":"1"}}]"#)).await;
        }
        if steps >= 5 {
            crm.hear_named("getavailablemethods").await;
        }
        if steps >= 6 {
            crm.say(r#"["availablemethods",{"methods":[]}]"#).await;
        }
    } else {
        drop(io);
    }
    let mut crm = FakeCrm::accept(server.accept().await, Format::Json).await;
    crm.introduce(METHODS, "[]", "[]").await;
    is_up(&gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_breaks_at_any_step_is_dialed_again() {
    let broken: Vec<_> = (0..7).map(|steps| tokio::spawn(breaks_after(steps))).collect();
    for task in broken {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_checked_as_the_link_says() {
    let pair = tls::Pair::new();
    let other = tls::Pair::new();
    let pin = |pair: &tls::Pair| {
        use sha2::{Digest, Sha256};
        Sha256::digest(pair.der()).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    type Change<'a> = Box<dyn Fn(&mut Link) + 'a>;
    let cases: [(&str, Change<'_>, bool); 6] = [
        ("the system's authorities", Box::new(|_| {}), false),
        ("its own authority", Box::new(|l| l.ca_file = Some(pair.certificate.clone())), true),
        ("another authority", Box::new(|l| l.ca_file = Some(other.certificate.clone())), false),
        ("the right pin", Box::new(|l| l.pin_sha256 = pin(&pair)), true),
        ("the wrong pin", Box::new(|l| l.pin_sha256 = pin(&other)), false),
        ("anybody", Box::new(|l| l.danger_accept_any_certificate = true), true),
    ];
    for (name, change, good) in cases {
        let server = Server { tls: Some(pair.acceptor()), ..Server::new().await };
        let mut link = server.link(Format::Json);
        change(&mut link);
        let gateway = Setup::new().link(link).start().await;
        if good {
            let mut crm = FakeCrm::accept(server.accept().await, Format::Json).await;
            crm.introduce(METHODS, "[]", "[]").await;
            is_up(&gateway).await;
        } else {
            let serving = tokio::spawn(async move { server.accept().await });
            let view = gateway.link_state("crm", "retrying").await;
            assert!(view.detail.contains("TLS"), "{name}: {view:?}");
            assert!(!serving.is_finished(), "{name}: no request was sent");
            serving.abort();
        }
    }
    let server = Server { tls: Some(pair.acceptor()), ..Server::new().await };
    let mut link = server.link(Format::Json);
    link.ca_file = Some(pair.certificate.clone());
    link.url = link.url.replace("localhost", "127.0.0.2");
    let gateway = Setup::new().link(link).start().await;
    let view = gateway.link_state("crm", "retrying").await;
    assert_ne!(view.detail, "", "a certificate for another name is no certificate: {view:?}");
}
