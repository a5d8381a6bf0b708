//! A CRM older than RFC 6455: hixie-76, by a server that is written here after the draft.

use ctigate::config::{Link, LinkMode, WebSocketVersion};
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text};
use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::gateway::{format_of, link};
use crate::support::http::{Request, read_request_head};
use crate::support::peers::written;
use crate::support::{FakeTab, Io, Setup, soon};

struct Old {
    io: Io,
    buffer: Vec<u8>,
    format: Format,
}

impl Old {
    /// Answers the handshake as the draft says; `spoil` changes the proof.
    async fn accept(listener: &TcpListener, format: Format, spoil: bool) -> (Self, Request) {
        let mut io: Io = Box::new(soon("a call", listener.accept()).await.unwrap().0);
        let (request, mut buffer) = read_request_head(&mut io).await;
        while buffer.len() < 8 {
            soon("the body", io.read_buf(&mut buffer)).await.unwrap();
        }
        let body: Vec<u8> = buffer.drain(..8).collect();
        let mut md5 = Md5::new();
        for name in ["Sec-WebSocket-Key1", "Sec-WebSocket-Key2"] {
            let key = request.header(name).expect(name);
            let digits: String = key.chars().filter(char::is_ascii_digit).collect();
            let spaces = key.bytes().filter(|b| *b == b' ').count() as u64;
            let number = digits.parse::<u64>().unwrap();
            assert_eq!(number % spaces, 0, "{key}");
            md5.update(u32::try_from(number / spaces).unwrap().to_be_bytes());
        }
        md5.update(&body);
        let mut proof: [u8; 16] = md5.finalize().into();
        proof[0] ^= u8::from(spoil);
        let origin = request.header("origin").expect("an origin");
        let answer = format!(
            "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Origin: {origin}\r\nSec-WebSocket-Location: ws://localhost/cti\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            format.word()
        );
        // In pieces, as such servers do.
        io.write_all(answer.as_bytes()).await.unwrap();
        io.write_all(&proof[..5]).await.unwrap();
        io.write_all(&proof[5..]).await.unwrap();
        (Self { io, buffer, format }, request)
    }

    async fn say(&mut self, json: &str) {
        let mut frame = vec![0x00];
        frame.extend_from_slice(written(self.format, json).as_bytes());
        frame.push(0xff);
        // Cut in the middle of a frame.
        let (a, b) = frame.split_at(frame.len() / 2);
        self.io.write_all(a).await.unwrap();
        self.io.write_all(b).await.unwrap();
    }

    async fn hear(&mut self) -> Option<Envelope> {
        loop {
            match self.buffer.first() {
                Some(0x00) => {
                    if let Some(end) = self.buffer.iter().position(|b| *b == 0xff) {
                        let frame: Vec<u8> = self.buffer.drain(..=end).collect();
                        let text = Text::from(std::str::from_utf8(&frame[1..end]).unwrap());
                        return Some(codec::decode(self.format, &text, &Limits::default()).unwrap());
                    }
                }
                Some(0xff) if self.buffer.len() > 1 => {
                    assert_eq!(self.buffer[1], 0x00);
                    return None;
                }
                Some(0xff) | None => {}
                Some(other) => panic!("a frame of type {other:#x}"),
            }
            let n = soon("a frame", self.io.read_buf(&mut self.buffer)).await.unwrap();
            assert!(n > 0, "the connection ended without a close");
        }
    }

    async fn introduce(&mut self) {
        for (question, answer) in [
            ("whoareyou", r#""iam",{"type":"old","name":"Old","version":"1""#),
            ("getavailablemethods", r#""availablemethods",{"methods":[{"name":"Find"}]"#),
            ("getavailableforms", r#""availableforms",{"forms":[]"#),
            ("getactiveusers", r#""activeusers",{"users":[]"#),
        ] {
            let asked = self.hear().await.expect(question);
            assert_eq!(asked.name, question);
            let qid = asked.body.text("qid").unwrap();
            self.say(&format!(r#"[{answer},"qid":"{qid}"}}]"#)).await;
        }
    }
}

async fn listening(format: Format) -> (TcpListener, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link {
        url: format!("ws://localhost:{}/cti", listener.local_addr().unwrap().port()),
        format: format_of(format),
        websocket_version: WebSocketVersion::V0,
        ..link("crm", LinkMode::DialWs)
    };
    (listener, link)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_crm_answers_a_tab() {
    for format in [Format::Json, Format::Xml] {
        let (listener, link) = listening(format).await;
        let gateway = Setup::new().link(link).start().await;
        let (mut crm, request) = Old::accept(&listener, format, false).await;
        assert_eq!(request.line, "GET /cti HTTP/1.1");
        assert_eq!(request.header("upgrade"), Some("WebSocket"));
        assert_eq!(request.header("sec-websocket-protocol"), Some(format.word()));
        assert_eq!(request.header("sec-websocket-version"), None);
        crm.introduce().await;
        gateway.link_is("crm", "up with its method", |v| v.state == "up" && v.methods.len() == 1).await;
        let mut tab = FakeTab::login(gateway.web, format, "ivanov").await;
        tab.0.say(r#"["executemethod",{"qid":5,"name":"Find","inputparameters":{}}]"#).await;
        let call = loop {
            // Events of the user who has just logged in come first.
            let heard = crm.hear().await.expect("a call");
            if heard.name == "executemethod" {
                break heard;
            }
        };
        let id = call.body.text("executionid").unwrap();
        crm.say(&format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{}}}}]"#)).await;
        assert_eq!(tab.0.hear_named("methodresult").await.body.int("result"), Some(1));
        crm.io.write_all(&[0xff, 0x00]).await.unwrap();
        assert!(crm.hear().await.is_none(), "a close is answered with a close");
        gateway.link_is("crm", "lost", |v| v.state != "up").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_that_is_none_opens_nothing() {
    let (listener, link) = listening(Format::Json).await;
    let gateway = Setup::new().link(link).start().await;
    let _crm = Old::accept(&listener, Format::Json, true).await;
    let view = gateway.link_state("crm", "retrying").await;
    assert!(view.detail.contains("did not read our keys"), "{view:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_frames_end_an_old_link_too() {
    for (name, bytes) in [
        ("an unknown type", &[0x01, b'a', 0xff][..]),
        ("no UTF-8", &[0x00, 0xc3, 0x28, 0xff]),
        ("binary", &[0x80, 0x01, b'a']),
    ] {
        let (listener, link) = listening(Format::Json).await;
        let gateway = Setup::new().link(link).start().await;
        let (mut crm, _) = Old::accept(&listener, Format::Json, false).await;
        crm.introduce().await;
        gateway.link_state("crm", "up").await;
        crm.io.write_all(bytes).await.unwrap();
        assert!(crm.hear().await.is_none(), "{name}: it is told");
        gateway.link_is("crm", "lost", |v| v.state != "up").await;
    }
}
