//! A CRM that only answers POSTs, written by hand.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate::config::{Link, LinkMode};
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::gateway::{format_of, link};
use super::http::{DIGEST, Request, digest_is_right, read_request};
use super::peers::written;
use super::{Io, soon, tls};

const METHODS: &str = r#"[{"name":"Find","outputparameters":[{"name":"who","type":"string"}]},{"name":"Slow"}]"#;

/// What the CRM answers to one message: a body of messages in JSON, or a whole answer of its own.
#[derive(Clone)]
pub(crate) enum Reply {
    Messages(Vec<String>),
    /// A status line and headers, and a body.
    Raw(&'static str, String),
    /// Ends the connection without a word.
    Hangup,
    /// Says what is right, but ends the connection in the middle of it: after so many of a hundred parts.
    Part(usize),
}

pub(crate) type Handler = Box<dyn Fn(&Envelope) -> Option<Reply> + Send + Sync>;

/// A CRM that answers POSTs, written by hand.
pub(crate) struct PostCrm {
    pub(crate) address: SocketAddr,
    pub(crate) format: Format,
    pub(crate) state: Arc<State>,
    pub(crate) tls: bool,
}

pub(crate) struct State {
    /// Overrides what a right CRM says.
    pub(crate) handler: Mutex<Handler>,
    /// Every message that came: on which connection, in which request, what.
    pub(crate) heard: Mutex<Vec<(usize, usize, Envelope)>>,
    pub(crate) requests: Mutex<Vec<Request>>,
    /// How long to think about a message of this name.
    pub(crate) thinking: Mutex<HashMap<&'static str, Duration>>,
    /// How many are being thought about at once, and the most there ever were.
    pub(crate) busy: Mutex<(usize, usize)>,
    /// Demands Digest.
    pub(crate) digest: Mutex<bool>,
    /// How many of the next connections end before anything is read.
    pub(crate) deaf: Mutex<usize>,
    /// Ends a connection after its first answer.
    pub(crate) one_each: Mutex<bool>,
}

impl PostCrm {
    pub(crate) async fn new(format: Format, pair: Option<&tls::Pair>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(State {
            handler: Mutex::new(Box::new(|_| None)),
            heard: Mutex::default(),
            requests: Mutex::default(),
            thinking: Mutex::default(),
            busy: Mutex::default(),
            digest: Mutex::default(),
            deaf: Mutex::default(),
            one_each: Mutex::default(),
        });
        let crm =
            Self { address: listener.local_addr().unwrap(), format, state: Arc::clone(&state), tls: pair.is_some() };
        let acceptor = pair.map(tls::Pair::acceptor);
        tokio::spawn(async move {
            for connection in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let (state, acceptor) = (Arc::clone(&state), acceptor.clone());
                {
                    let mut deaf = state.deaf.lock().unwrap();
                    if *deaf > 0 {
                        *deaf -= 1;
                        continue;
                    }
                }
                tokio::spawn(async move {
                    let io: Io = match acceptor {
                        None => Box::new(tcp),
                        Some(acceptor) => Box::new(acceptor.accept(tcp).await.unwrap()),
                    };
                    serve(io, connection, format, &state).await;
                });
            }
        });
        crm
    }

    pub(crate) fn link(&self) -> Link {
        let mode = if self.tls { LinkMode::PostHttps } else { LinkMode::PostHttp };
        let url = format!("{}://localhost:{}/hook.php?a=b", mode.scheme(), self.address.port());
        Link { url, format: format_of(self.format), ..link("crm", mode) }
    }

    pub(crate) fn answers(&self, handler: impl Fn(&Envelope) -> Option<Reply> + Send + Sync + 'static) {
        *self.state.handler.lock().unwrap() = Box::new(handler);
    }

    pub(crate) fn thinks(&self, name: &'static str, time: Duration) {
        self.state.thinking.lock().unwrap().insert(name, time);
    }

    pub(crate) fn heard(&self, name: &str) -> Vec<(usize, usize, Envelope)> {
        self.state.heard.lock().unwrap().iter().filter(|(.., m)| m.name == name).cloned().collect()
    }

    /// Waits until so many messages of this name have come.
    pub(crate) async fn hears(&self, name: &str, count: usize) -> Vec<(usize, usize, Envelope)> {
        soon(name, async {
            loop {
                let heard = self.heard(name);
                if heard.len() >= count {
                    return heard;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

async fn serve(mut io: Io, connection: usize, format: Format, state: &State) {
    let mut rest = Vec::new();
    while let Some(request) = read_request(&mut io, &mut rest).await {
        let number = {
            let mut requests = state.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        let demanded = *state.digest.lock().unwrap();
        if demanded
            && !(request.header("authorization").is_some() && digest_is_right(&request, "POST", "/hook.php?a=b"))
        {
            let no = format!("HTTP/1.1 401 Unauthorized\r\n{DIGEST}Content-Length: 3\r\n\r\nno\n");
            io.write_all(no.as_bytes()).await.unwrap();
            continue;
        }
        let messages = unwrapped(&request, format);
        let mut replies = Vec::new();
        let (mut whole, mut part) = (None, None);
        for message in &messages {
            state.heard.lock().unwrap().push((connection, number, message.clone()));
            let thinking = state.thinking.lock().unwrap().get(&*message.name).copied();
            if let Some(time) = thinking {
                {
                    let mut busy = state.busy.lock().unwrap();
                    busy.0 += 1;
                    busy.1 = busy.1.max(busy.0);
                }
                tokio::time::sleep(time).await;
                state.busy.lock().unwrap().0 -= 1;
            }
            let reply = (state.handler.lock().unwrap())(message);
            match reply.unwrap_or_else(|| Reply::Messages(ordinary(message))) {
                Reply::Messages(messages) => replies.extend(messages),
                Reply::Raw(head, body) => whole = Some((head, body)),
                Reply::Hangup => return,
                Reply::Part(percent) => {
                    replies.extend(ordinary(message));
                    part = Some(percent);
                }
            }
        }
        let (head, body) = whole.unwrap_or_else(|| ("HTTP/1.1 200 OK", joined(format, &replies)));
        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        // The gateway may have stopped waiting, or reading.
        let answer = &answer.as_bytes()[..answer.len() * part.unwrap_or(100) / 100];
        if io.write_all(answer).await.is_err() || io.flush().await.is_err() || part.is_some() {
            return;
        }
        if *state.one_each.lock().unwrap() {
            return;
        }
    }
}

/// The messages in a form, unwrapped by hand.
fn unwrapped(request: &Request, format: Format) -> Vec<Envelope> {
    assert_eq!(request.line, "POST /hook.php?a=b HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(request.header("user-agent").unwrap().starts_with("ctigate/"));
    let body = String::from_utf8(request.body.clone()).unwrap();
    let data = body.strip_prefix(&format!("format={}&data=", format.word())).expect(&body);
    let data = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let text = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
    codec::decode_all(format, &Text::from(text.as_str()), &Limits::default()).expect(&text)
}

fn joined(format: Format, messages: &[String]) -> String {
    let texts: Vec<_> = messages.iter().map(|m| written(format, m).to_string()).collect();
    match (texts.len(), format) {
        (0, _) => String::new(),
        (1, _) => texts[0].clone(),
        (_, Format::Json) => format!("[{}]", texts.join(", ")),
        (_, Format::Xml) => format!("<messages>\n{}</messages>", texts.concat()),
    }
}

/// What a right CRM says.
fn ordinary(message: &Envelope) -> Vec<String> {
    let qid = message.body.text("qid").unwrap_or_default();
    let id = message.body.text("executionid").unwrap_or_default();
    let reply = match &*message.name {
        "whoareyou" => format!(r#"["iam",{{"qid":"{qid}","type":"php","name":"shop","version":"2"}}]"#),
        "getavailablemethods" => format!(r#"["availablemethods",{{"qid":"{qid}","methods":{METHODS}}}]"#),
        "getavailableforms" => format!(r#"["availableforms",{{"qid":"{qid}","forms":[]}}]"#),
        "getactiveusers" => format!(r#"["activeusers",{{"qid":"{qid}","users":[]}}]"#),
        "executemethod" => {
            format!(
                r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":1,"outputparameters":{{"who":"Ann"}}}}]"#
            )
        }
        _ => return Vec::new(),
    };
    vec![reply]
}
