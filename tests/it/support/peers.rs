//! Peers that speak in messages: a browser's tab, and a CRM. What they say is written in JSON in the stories and goes out in
//! the format of the channel.

use std::net::SocketAddr;

use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text, Value};
use tokio::io::AsyncWriteExt;

use super::{Frame, Io, Ws, soon};

/// MD5 of `Secret1`, the password of everybody in the stories.
pub(crate) const HASH: &str = "d6cb2342e44efb6dd628276f36da2359";

/// A message in JSON, in the given format.
pub(crate) fn written(format: Format, json: &str) -> Text {
    let envelope = codec::decode(Format::Json, &Text::from(json), &Limits::default()).expect(json);
    codec::encode(&envelope, format)
}

/// A message that came, in JSON.
pub(crate) fn json(envelope: &Envelope) -> String {
    codec::encode(&Envelope { name: envelope.name.clone(), body: envelope.body.open().into() }, Format::Json)
        .to_string()
}

/// A channel of messages.
pub(crate) struct Channel {
    pub(crate) ws: Ws,
    pub(crate) format: Format,
    packets: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(ws: Ws, format: Format) -> Self {
        Self { ws, format, packets: Vec::new() }
    }

    /// Says a message that is written in JSON here.
    pub(crate) async fn say(&mut self, json: &str) {
        let text = written(self.format, json);
        self.ws.text(&text).await;
    }

    /// The next message. Packets of a multipart set are put together.
    pub(crate) async fn hear(&mut self) -> Envelope {
        loop {
            let text = match self.ws.next_data().await {
                Frame::Text(text) => text,
                other => panic!("expected a message, found {other:?}"),
            };
            let envelope = codec::decode(self.format, &Text::from(text.as_str()), &Limits::default()).expect(&text);
            if envelope.name != "multipart" {
                return envelope;
            }
            let content = envelope.body.text("content").expect("content");
            let piece = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, content.as_bytes()).unwrap();
            self.packets.extend(piece);
            if envelope.body.int("packetnumber").unwrap() + 1 == envelope.body.int("packetcount").unwrap() {
                let whole = String::from_utf8(std::mem::take(&mut self.packets)).unwrap();
                return codec::decode(self.format, &Text::from(whole.as_str()), &Limits::default()).expect(&whole);
            }
        }
    }

    /// The next message of that name, whatever comes before it.
    pub(crate) async fn hear_named(&mut self, name: &str) -> Envelope {
        soon(name, async {
            loop {
                let envelope = self.hear().await;
                if envelope.name == name {
                    return envelope;
                }
            }
        })
        .await
    }

    /// The code and reason the channel is closed with.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        self.ws.closed().await
    }
}

/// A browser's tab.
pub(crate) struct FakeTab(pub(crate) Channel);

impl FakeTab {
    /// Opens a channel; nobody is logged in.
    pub(crate) async fn connect(address: SocketAddr, format: Format) -> Self {
        let ws = Ws::connect(address, &[("Sec-WebSocket-Protocol", format.word())]).await;
        Self(Channel::new(ws, format))
    }

    /// Opens a channel over what is connected already.
    pub(crate) async fn over(io: Io, format: Format) -> Self {
        let ws = Ws::shake(io, "/", &[("Sec-WebSocket-Protocol", format.word())]).await;
        Self(Channel::new(ws, format))
    }

    /// Opens a channel and logs in.
    pub(crate) async fn login(address: SocketAddr, format: Format, login: &str) -> Self {
        let mut tab = Self::connect(address, format).await;
        tab.log_in(login).await;
        tab
    }

    pub(crate) async fn log_in(&mut self, login: &str) {
        self.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"{login}","Password":"{HASH}"}}]"#)).await;
        let reply = self.0.hear_named("loginresult").await;
        assert_eq!(reply.body.int("result"), Some(1), "{}", json(&reply));
    }

    /// Asks and gets the answer, which proves that the channel lives.
    pub(crate) async fn ping(&mut self) {
        let qid = rand::random::<u32>();
        self.0.say(&format!(r#"["ping",{{"qid":{qid}}}]"#)).await;
        loop {
            let heard = self.0.hear_named("pong").await;
            if heard.body.int("qid") == Some(i64::from(qid)) {
                return;
            }
        }
    }
}

/// A CRM at its end of a link.
pub(crate) struct FakeCrm(pub(crate) Channel);

impl FakeCrm {
    /// A CRM that connects to an accepting link without credentials.
    pub(crate) async fn connect(address: SocketAddr, format: Format) -> Self {
        let ws = Ws::connect(address, &[("Sec-WebSocket-Protocol", format.word())]).await;
        Self(Channel::new(ws, format))
    }

    /// A CRM that is connected to by the gateway: takes the part of the server.
    pub(crate) async fn accept(io: Io, format: Format) -> Self {
        let (ws, request) = Ws::accept(io, |request| switching(request, Some(format))).await;
        assert_eq!(request.header("sec-websocket-protocol"), Some(format.word()));
        Self(Channel::new(ws, format))
    }

    /// Introduces itself and answers the three questions.
    pub(crate) async fn introduce(&mut self, methods: &str, forms: &str, users: &str) {
        self.introduce_as("demo", methods, forms, users).await;
    }

    pub(crate) async fn introduce_as(&mut self, name: &str, methods: &str, forms: &str, users: &str) {
        let question = self.0.hear().await;
        assert_eq!(question.name, "whoareyou");
        let qid = question.body.text("qid").unwrap();
        self.0.say(&format!(r#"["iam",{{"qid":"{qid}","type":"test","name":"{name}","version":"1"}}]"#)).await;
        for (question, answer, list, items) in [
            ("getavailablemethods", "availablemethods", "methods", methods),
            ("getavailableforms", "availableforms", "forms", forms),
            ("getactiveusers", "activeusers", "users", users),
        ] {
            let asked = self.0.hear_named(question).await;
            let qid = asked.body.text("qid").unwrap();
            self.0.say(&format!(r#"["{answer}",{{"qid":"{qid}","result":1,"{list}":{items}}}]"#)).await;
        }
    }

    /// Introduces itself with nothing to offer.
    pub(crate) async fn introduce_bare(&mut self) {
        self.introduce("[]", "[]", "[]").await;
    }
}

/// A right answer to a handshake.
pub(crate) fn switching(request: &super::http::Request, format: Option<Format>) -> String {
    let accept = accept_of(request.header("sec-websocket-key").expect("a key"));
    let protocol = format.map_or_else(String::new, |f| format!("Sec-WebSocket-Protocol: {}\r\n", f.word()));
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    )
}

/// RFC 6455 section 4.2.2, by the library's own hand.
pub(crate) fn accept_of(key: &str) -> String {
    tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes())
}

/// The member of a reply as text.
pub(crate) fn text(envelope: &Envelope, name: &str) -> String {
    match envelope.body.value(name) {
        Some(Value::String(text)) => text.to_string(),
        other => panic!("{name} is {other:?} in {}", json(envelope)),
    }
}

/// Sends bytes on a connection and ends our half.
pub(crate) async fn say_and_end(io: &mut Io, bytes: &[u8]) {
    io.write_all(bytes).await.unwrap();
    io.shutdown().await.unwrap();
}
