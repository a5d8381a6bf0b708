//! A CRM that does everything right, or one thing wrong.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ctigate::proto::Time;
use ctigate::proto::codec::multipart::{self, Assembler, SetLimits};
use ctigate::proto::codec::{self, Limits, post};
use ctigate::proto::message::{Body, Envelope, Format, Object, Text, Value};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::http::read_request;
use super::peers::accept_of;
use super::{Frame, Io, Ws, tls};

/// How long its method takes.
const THINKS: Duration = Duration::from_millis(600);

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// Chooses a sub-protocol that was not offered.
    SubProtocol,
    /// Never says `iam`.
    NoIam,
    /// Replies without a qid.
    NoQid,
    /// Makes texts of all qids.
    QidType,
    /// Does not read `cancelmethod`.
    AnswersCancelled,
    /// Does not read `executemethodwaitaborted`.
    LateAfterAbort,
    /// Its output is a text.
    NoObject,
    /// Its output is not as it was declared.
    IllTyped,
    /// Encodes its answers.
    Base64,
    /// Shows a page when a method is run.
    Html,
    /// Declares less time than it takes.
    Slow,
    /// Sends its packets backwards.
    Disorder,
    /// Answers nothing behind the introduction.
    Mute,
    /// Has a name that paints on terminals.
    Painter,
}

/// Listens for the gateway, by WebSocket or POST, in either format.
pub(crate) struct Breakable {
    pub(crate) address: SocketAddr,
}

impl Breakable {
    pub(crate) async fn socket(broken: Broken) -> Self {
        Self::serve(broken, false, None).await
    }

    pub(crate) async fn post(broken: Broken) -> Self {
        Self::serve(broken, true, None).await
    }

    /// By POST or by WebSocket, with TLS where there is a certificate.
    pub(crate) async fn serve(broken: Broken, by_post: bool, pair: Option<&tls::Pair>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = pair.map(tls::Pair::acceptor);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let io: Io = match acceptor {
                        None => Box::new(tcp),
                        Some(acceptor) => match acceptor.accept(tcp).await {
                            Ok(tls) => Box::new(tls),
                            Err(_) => return,
                        },
                    };
                    if by_post { posts(io, broken).await } else { web_socket(io, broken).await }
                });
            }
        });
        Self { address }
    }
}

/// Executions that run: until when their results are wanted.
type Running = Arc<Mutex<HashMap<Text, Option<Instant>>>>;

async fn web_socket(io: Io, broken: Broken) {
    let mut format = Format::Json;
    let (mut ws, _) = Ws::accept(io, |request| {
        let offered = request.header("sec-websocket-protocol").unwrap();
        format = if offered == "xml" { Format::Xml } else { Format::Json };
        let chosen = if broken == Broken::SubProtocol { "chat" } else { offered };
        let accept = accept_of(request.header("sec-websocket-key").unwrap());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {chosen}\r\n\r\n"
        )
    })
    .await;
    let running = Running::default();
    let (results, mut done) = mpsc::unbounded_channel();
    let mut packets = Assembler::new(SetLimits::default());
    let mut sets = 0;
    loop {
        let text = tokio::select! {
            Some(result) = done.recv() => {
                say(&mut ws, format, broken, &result).await;
                continue;
            }
            frame = ws.next() => match frame {
                Frame::Text(text) => Text::from(text),
                Frame::Ping(payload) => {
                    ws.frame(0x8a, &payload).await;
                    continue;
                }
                Frame::Pong(_) => continue,
                _ => return,
            },
        };
        let mut message = codec::decode(format, &text, &Limits::default()).unwrap();
        if message.name == "multipart" {
            let Some(whole) = packets.accept(Time::ZERO, &message.body).unwrap() else { continue };
            message = codec::decode(format, &whole, &Limits::default()).unwrap();
        }
        let id = message.body.text("executionid").unwrap_or_default();
        match &*message.name {
            "executemethod" if is_known(&message) => {
                running.lock().unwrap().insert(id.clone(), None);
                let (running, results) = (Arc::clone(&running), results.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(THINKS).await;
                    let wanted = running.lock().unwrap().remove(&id);
                    if wanted.is_some_and(|until| until.is_none_or(|until| Instant::now() < until)) {
                        // The connection may be gone.
                        let _ = results.send(result(&message, broken));
                    }
                });
            }
            "cancelmethod" if broken != Broken::AnswersCancelled => {
                running.lock().unwrap().remove(&id);
            }
            "executemethodwaitaborted" if broken != Broken::LateAfterAbort => {
                let still = Duration::from_millis(message.body.int("waitresponsems").unwrap().try_into().unwrap());
                running.lock().unwrap().entry(id).and_modify(|until| *until = Some(Instant::now() + still));
            }
            "getavailablemethods" if broken != Broken::Mute => {
                sets += 1;
                let text = codec::encode(&answer(&message, broken).unwrap(), format);
                let mut cut = multipart::split(&text, format, &Text::from(format!("set-{sets}")), 64);
                if broken == Broken::Disorder {
                    cut.reverse();
                }
                for packet in cut {
                    say(&mut ws, format, broken, &packet).await;
                }
            }
            _ => {
                if let Some(answer) = answer(&message, broken) {
                    say(&mut ws, format, broken, &answer).await;
                }
            }
        }
    }
}

async fn say(ws: &mut Ws, format: Format, broken: Broken, message: &Envelope) {
    let text = written(message, format, broken);
    ws.text(&text).await;
}

async fn posts(mut io: Io, broken: Broken) {
    let mut rest = Vec::new();
    while let Some(request) = read_request(&mut io, &mut rest).await {
        let (format, text) = post::parse_form(&request.body).unwrap();
        let message = codec::decode(format, &text, &Limits::default()).unwrap();
        let runs = message.name == "executemethod" && is_known(&message);
        let said = if runs {
            tokio::time::sleep(THINKS).await;
            Some(result(&message, broken))
        } else {
            answer(&message, broken)
        };
        let body = match said {
            Some(_) if runs && broken == Broken::Html => "<!DOCTYPE html><h1>Fatal error</h1>".to_owned(),
            Some(said) => written(&said, format, broken),
            None => String::new(),
        };
        let head = if body.is_empty() {
            "204 No Content\r\n".to_owned()
        } else {
            format!("200 OK\r\nContent-Length: {}\r\n", body.len())
        };
        if io.write_all(format!("HTTP/1.1 {head}\r\n{body}").as_bytes()).await.is_err() {
            return;
        }
        io.flush().await.unwrap();
    }
}

fn written(message: &Envelope, format: Format, broken: Broken) -> String {
    let text = codec::encode(message, format);
    if broken == Broken::Base64 {
        return base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text.as_bytes());
    }
    text.to_string()
}

fn is_known(message: &Envelope) -> bool {
    message.body.text("name").as_deref() == Some("Find")
}

/// What it says to a message, all but the result of its method.
fn answer(message: &Envelope, broken: Broken) -> Option<Envelope> {
    let reply = Body::new().with_some("qid", qid(message, broken));
    let named = |name: &'static str, kind: &'static str| Object::new().with("name", name).with("type", kind);
    Some(match &*message.name {
        "whoareyou" if broken == Broken::NoIam => return None,
        "whoareyou" => {
            let name = if broken == Broken::Painter { "\x1b[31mred\x07\u{202e}" } else { "Breakable" };
            Envelope::new("iam", reply.with("type", "test").with("name", name).with("version", "1"))
        }
        _ if broken == Broken::Mute => return None,
        "ping" => {
            let mut body = message.body.clone();
            body.remove("qid");
            Envelope::new("pong", body.with_some("qid", qid(message, broken)))
        }
        "getavailablemethods" => {
            let method = Object::new()
                .with("name", "Find")
                .with("waitms", if broken == Broken::Slow { 200 } else { 3000 })
                .with("inputparameters", vec![named("phone", "string").with("required", true).into()])
                .with("outputparameters", vec![named("who", "string").into(), named("vip", "bool").into()]);
            Envelope::new("availablemethods", reply.with("result", 1).with("methods", vec![method.into()]))
        }
        "getavailableforms" => {
            let form = Object::new().with("name", "card").with("inputparameters", Vec::new());
            Envelope::new("availableforms", reply.with("result", 1).with("forms", vec![form.into()]))
        }
        "getactiveusers" => {
            let user = Object::new().with("userlogin", "ivanov").with("userid", "");
            Envelope::new("activeusers", reply.with("users", vec![user.into()]))
        }
        "executemethod" => {
            let id = message.body.text("executionid").unwrap();
            let failed =
                reply.with("executionid", id).with("result", 0).with("error", 59001).with("errormsg", "Unknown");
            Envelope::new("methodresult", failed.with("outputparameters", Object::new()))
        }
        "showform" => Envelope::new("showformresult", reply.with("result", 1)),
        _ => return None,
    })
}

/// What its method gives.
fn result(message: &Envelope, broken: Broken) -> Envelope {
    assert!(message.body.object("inputparameters").unwrap().get("phone").is_some(), "what must be there is");
    let id = message.body.text("executionid").unwrap();
    let output = match broken {
        Broken::NoObject => Value::from("Ann"),
        Broken::IllTyped => Object::new().with("who", "Ann").with("vip", "yes").into(),
        _ => Object::new().with("who", "Ann").with("vip", true).into(),
    };
    let body = Body::new().with_some("qid", qid(message, broken)).with("executionid", id).with("result", 1);
    Envelope::new("methodresult", body.with("outputparameters", output))
}

fn qid(message: &Envelope, broken: Broken) -> Option<Value> {
    let qid = message.body.value("qid")?;
    match broken {
        Broken::NoQid => None,
        Broken::QidType => qid.to_text().map(Value::String),
        _ => Some(qid),
    }
}
