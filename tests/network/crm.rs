//! A CRM: one that connects, one that is dialed, one that is posted to. It offers one method, takes its time to answer, and
//! says the input back, so that whoever asked can tell their own answer from others'. Where it has a connection, pages of its
//! people live behind it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text, Value};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use turmoil::net::{TcpListener, TcpStream};

use crate::channel::{self, Heard, Socket, text};
use crate::ledger::Ledger;
use crate::story::{Attended, GATEWAY, Scene};
use crate::tab::{self, Door};
use crate::tunnel::{Pages, Relay};

/// How a CRM speaks with the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Connects,
    IsDialed,
    IsPosted,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Connects, Self::IsDialed, Self::IsPosted];

    /// The name of its host and of its link.
    pub(crate) fn name(self) -> &'static str {
        ["crm-a", "crm-b", "crm-c"][self as usize]
    }

    fn method(self) -> &'static str {
        ["FindA", "FindB", "FindC"][self as usize]
    }

    /// Whether pages of its people may live behind it.
    pub(crate) fn has_tunnel(self) -> bool {
        self != Self::IsPosted
    }

    pub(crate) fn format(self) -> Format {
        [Format::Json, Format::Xml, Format::Json][self as usize]
    }
}

/// Where its listener, if it has one, listens; where the gateway's for the first way does.
pub(crate) const PORT: u16 = 8080;

const METHOD: &str =
    r#""inputparameters":[{"name":"phone","type":"string"}],"outputparameters":[{"name":"clientid","type":"string"}]"#;
const FORM: &str = r#"[{"name":"clientcard","inputparameters":[{"name":"phone","type":"string"},{"name":"client","type":"string"}],"outputparameters":[{"name":"note","type":"string"}]}]"#;

struct Crm {
    way: Way,
    relay: Relay,
    /// The people who have a page open: login and tab.
    people: Vec<(&'static str, String)>,
    ledger: Ledger,
    dice: RefCell<SmallRng>,
}

/// Lives until the story ends, and so do the pages behind it.
pub(crate) async fn run(way: Way, scene: Scene, life: u64, pages: Vec<Attended>) {
    let seed = scene.seed_of(way.name()) ^ life;
    let crm = Rc::new(Crm {
        way,
        relay: Relay::default(),
        people: pages.iter().map(|page| (page.seat.login, page.seat.name.clone())).collect(),
        ledger: scene.ledger.clone(),
        dice: RefCell::new(SmallRng::seed_from_u64(seed)),
    });
    for Attended { seat, storage } in pages {
        let door = Door::Behind(crm.relay.clone());
        tokio::task::spawn_local(tab::run(seat.name, seat.login, door, scene.clone(), storage));
    }
    if way == Way::Connects {
        loop {
            if let Some(socket) = Socket::connect(way.name(), GATEWAY, PORT, way.format()).await {
                crm.talks(socket).await;
            }
            let pause = crm.dice.borrow_mut().random_range(100..2000);
            sleep(Duration::from_millis(pause)).await;
        }
    }
    let Ok(listener) = TcpListener::bind(("0.0.0.0", PORT)).await else {
        return scene.ledger.fault("a CRM cannot listen");
    };
    while let Ok((io, _)) = listener.accept().await {
        let crm = Rc::clone(&crm);
        tokio::task::spawn_local(async move {
            if way == Way::IsPosted {
                crm.is_posted(io).await;
            } else if let Some(socket) = Socket::accept(way.name(), io, way.format()).await {
                crm.talks(socket).await;
            }
        });
    }
}

impl Crm {
    /// One connection, to its end.
    async fn talks(&self, mut socket: Socket) {
        let (pages, mut said) = Pages::new();
        self.carries(&mut socket, &pages, &mut said).await;
        pages.close();
    }

    async fn carries(&self, socket: &mut Socket, pages: &Pages, said: &mut UnboundedReceiver<String>) {
        let mut later: VecDeque<(Instant, String)> = VecDeque::new();
        let (mut heard_at, mut ping_at) = (Instant::now(), Instant::now() + Duration::from_secs(5));
        loop {
            let silent = heard_at + Duration::from_secs(14);
            let wake = later.iter().map(|(at, _)| *at).min().unwrap_or(silent).min(silent).min(ping_at);
            let heard = tokio::select! {
                biased;
                heard = socket.hear(&self.ledger) => Some(heard),
                Some(forwarded) = said.recv() => {
                    self.ledger.count(|c| &mut c.forwarded);
                    socket.say(&forwarded);
                    while let Ok(forwarded) = said.try_recv() {
                        self.ledger.count(|c| &mut c.forwarded);
                        socket.say(&forwarded);
                    }
                    None
                }
                () = sleep_until(wake) => None,
            };
            let now = Instant::now();
            match heard {
                Some(Heard::Gone) => return,
                Some(Heard::Alive) => heard_at = now,
                Some(Heard::Message(message)) => {
                    heard_at = now;
                    if is_for_the_crm(&message) {
                        let reply = self.answers(&message);
                        later.extend(reply.map(|(wait, reply)| (now + wait, reply)));
                    } else {
                        pages.hand(&message, &self.ledger);
                    }
                }
                None if now >= silent => return,
                None => {}
            }
            if now >= ping_at {
                ping_at = now + Duration::from_secs(5);
                socket.say(r#"["ping",{"qid":"p"}]"#);
            }
            while let Some(at) = later.iter().position(|(at, _)| *at <= now) {
                let Some((_, reply)) = later.remove(at) else { break };
                socket.say(&reply);
                if reply.starts_with(r#"["iam""#) {
                    self.relay.open(pages);
                } else if reply.starts_with(r#"["availableforms""#) {
                    pages.declare();
                }
            }
        }
    }

    /// The reply to a message, in JSON, and after how long.
    fn answers(&self, message: &Envelope) -> Option<(Duration, String)> {
        let name = &*message.name;
        self.ledger.count(|c| &mut c.messages);
        self.ledger.note(self.way.name(), name);
        let qid = text(message, "qid");
        let at_once = |reply: String| Some((Duration::ZERO, reply));
        match name {
            "whoareyou" => {
                self.ledger.count(|c| &mut c.introductions);
                at_once(format!(r#"["iam",{{"qid":"{qid}","type":"test","name":"story","version":"1"}}]"#))
            }
            "getavailablemethods" => {
                let method = self.way.method();
                at_once(format!(
                    r#"["availablemethods",{{"qid":"{qid}","result":1,"methods":[{{"name":"{method}",{METHOD}}}]}}]"#
                ))
            }
            "getavailableforms" => {
                at_once(format!(r#"["availableforms",{{"qid":"{qid}","result":1,"forms":{FORM}}}]"#))
            }
            "getactiveusers" => {
                let named = self.dice.borrow_mut().random_bool(0.5);
                let users = self.people.iter().filter(|_| named);
                let users = users.map(|(login, tab)| format!(r#"{{"userlogin":"{login}","tabs":["{tab}"]}}"#));
                let users = users.collect::<Vec<_>>().join(",");
                at_once(format!(r#"["activeusers",{{"qid":"{qid}","result":1,"users":[{users}]}}]"#))
            }
            "executemethod" => {
                let id = text(message, "executionid");
                self.ledger.asked(self.way.name(), &id);
                let input = message.body.value("inputparameters");
                let phone = input.as_ref().and_then(Value::as_object).and_then(|o| o.get("phone")?.to_text());
                let phone = phone.unwrap_or_default();
                let mut dice = self.dice.borrow_mut();
                let wait = Duration::from_millis(dice.random_range(0..4000));
                let reply = if dice.random_bool(0.1) {
                    format!(
                        r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":0,"error":7001,"errormsg":"no"}}]"#
                    )
                } else {
                    format!(
                        r#"["methodresult",{{"qid":"{qid}","executionid":"{id}","result":1,"outputparameters":{{"clientid":"{phone}"}}}}]"#
                    )
                };
                Some((wait, reply))
            }
            _ => None,
        }
    }

    /// One connection of a gateway that posts.
    async fn is_posted(&self, mut io: TcpStream) {
        let mut buffer = Vec::new();
        while let Ok(Some(head)) = timeout(Duration::from_secs(40), channel::head(&mut io, &mut buffer)).await {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = length.unwrap_or_default();
            while buffer.len() < length {
                match timeout(Duration::from_secs(10), io.read_buf(&mut buffer)).await {
                    Ok(Ok(1..)) => {}
                    _ => return,
                }
            }
            let body = String::from_utf8(buffer.drain(..length).collect()).unwrap_or_default();
            let data = body.strip_prefix("format=json&data=").unwrap_or_default();
            let data = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
            let Ok(Ok(text)) = STANDARD.decode(data).map(String::from_utf8) else {
                return self.ledger.fault(format!("a form that cannot be read: {body}"));
            };
            let Ok(messages) = codec::decode_all(Format::Json, &Text::from(text.as_str()), &Limits::default()) else {
                return self.ledger.fault(format!("what is posted cannot be read: {text}"));
            };
            let mut replies = Vec::new();
            for message in &messages {
                if let Some((wait, reply)) = self.answers(message) {
                    sleep(wait).await;
                    replies.push(reply);
                }
            }
            let body = match &*replies {
                [] => String::new(),
                [one] => one.clone(),
                all => format!("[{}]", all.join(",")),
            };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            if !matches!(timeout(Duration::from_secs(10), io.write_all(answer.as_bytes())).await, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// What is between the two servers; anything else is for a page.
fn is_for_the_crm(message: &Envelope) -> bool {
    let name = &*message.name;
    let execution = ["executemethod", "cancelmethod", "executemethodwaitaborted"].contains(&name);
    execution || name.starts_with("getavailable") || ["whoareyou", "iam", "getactiveusers"].contains(&name) || {
        name == "pong" && text(message, "tabid").is_empty()
    }
}
