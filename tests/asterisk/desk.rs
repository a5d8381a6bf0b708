//! A person's desk: a tab by WebSocket, with the memory of a known client (`tests/telephony/client.rs`) that asks for the
//! line when it is told of something, at once or after a while, and derives one of six states from the answer.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ctigate::proto::Time;
use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Format, Object, Text};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::SOON;
use crate::client::Client;

/// MD5 of `Secret1`, the password of everybody.
const HASH: &str = "d6cb2342e44efb6dd628276f36da2359";
const EVENTS: [&str; 8] = [
    "userstatechanged",
    "pbxnumberstatechanged",
    "linestatechanged",
    "flashstatechanged",
    "phoneevent",
    "confcompositionchanged",
    "confcompetitorstatechanged",
    "dlgcard",
];

/// A tab of somebody, who has a phone beside it.
pub(crate) struct Desk {
    pub(crate) number: String,
    pub(crate) login: String,
    shared: Arc<Shared>,
    say: mpsc::UnboundedSender<String>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    client: Client,
    line: Value,
    chain: String,
    events: Vec<(String, Value)>,
    waiting: BTreeMap<String, oneshot::Sender<Value>>,
    next: u64,
}

impl fmt::Display for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number)
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Desk {
    /// Logs in, and listens to everything.
    pub(crate) async fn open(web: SocketAddr, login: &str, number: &str) -> Self {
        let mut request = format!("ws://{web}/").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "json".parse().unwrap());
        let stream = TcpStream::connect(web).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let (say, orders) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(sit(socket, orders, Arc::clone(&shared)));
        let desk = Self { number: number.to_owned(), login: login.to_owned(), shared, say, task };
        desk.does("login", json!({ "userlogin": login, "Password": HASH })).await;
        desk.does("subscribeevent", json!({ "eventmethod": EVENTS })).await;
        desk.look();
        desk
    }

    /// Calls a method; gives the reply.
    pub(crate) async fn call(&self, method: &str, parameters: Value) -> Value {
        let (answer, answered) = oneshot::channel();
        let qid = {
            let mut inner = self.shared.inner();
            inner.next += 1;
            let qid = format!("q{}", inner.next);
            inner.waiting.insert(qid.clone(), answer);
            qid
        };
        let Value::Object(mut body) = parameters else { panic!("parameters are an object") };
        body.insert("qid".to_owned(), qid.into());
        self.say.send(json!([method, body]).to_string()).expect("the desk lives");
        let reply = tokio::time::timeout(SOON, answered).await;
        reply.unwrap_or_else(|_| panic!("{self}: {method} was not answered")).expect("the desk lives")
    }

    /// The same, and it must succeed.
    pub(crate) async fn does(&self, method: &str, parameters: Value) -> Value {
        let reply = self.call(method, parameters.clone()).await;
        assert_eq!(reply["result"], json!(1), "{self}: {method} {parameters}: {reply}");
        reply
    }

    /// The same for the many that take nothing.
    pub(crate) async fn wants(&self, method: &str) -> Value {
        self.does(method, json!({})).await
    }

    /// Waits until the client shows this: a state, the party, and behind a plus whoever is on hold.
    pub(crate) async fn is(&self, state: &str) {
        let what = format!("{state:?}");
        self.until(&what, |inner| inner.client.states.last().is_some_and(|s| s == state).then_some(())).await;
    }

    /// What the client shows now.
    pub(crate) fn now(&self) -> String {
        self.shared.inner().client.states.last().cloned().unwrap_or_default()
    }

    /// The states the client went through since it was asked last; the last one stays.
    pub(crate) fn states(&self) -> Vec<String> {
        let mut inner = self.shared.inner();
        let all = std::mem::take(&mut inner.client.states);
        inner.client.states.extend(all.last().cloned());
        all
    }

    /// The conversation the line was part of last.
    pub(crate) fn chain(&self) -> String {
        self.shared.inner().chain.clone()
    }

    /// Waits for an event of this name that is as wanted, and forgets those before it.
    pub(crate) async fn hears(&self, name: &str, yes: impl Fn(&Value) -> bool) -> Value {
        self.until(name, |inner| {
            let at = inner.events.iter().position(|(n, body)| n == name && yes(body))?;
            inner.events.drain(..=at).next_back().map(|(_, body)| body)
        })
        .await
    }

    /// Whether an event of this name came that nobody asked for.
    pub(crate) fn heard(&self, name: &str) -> bool {
        self.shared.inner().events.iter().any(|(n, _)| n == name)
    }

    /// Asks again and again until a reply is as wanted.
    pub(crate) async fn asks_until(&self, method: &str, parameters: Value, yes: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + SOON;
        loop {
            let reply = self.call(method, parameters.clone()).await;
            if yes(&reply) {
                return reply;
            }
            assert!(Instant::now() < until, "{self}: {method} does not say what it should: {reply}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The conference this person is in.
    pub(crate) async fn conference(&self) -> String {
        let of = |line: &Value| line["abonent"]["conferenceid"].as_str().map(str::to_owned);
        let line = self.asks_until("getextendedlineinfo", json!({}), |line| of(line).is_some()).await;
        of(&line).expect("it was asked for")
    }

    /// How many talks it was told to have begun and not to have ended.
    pub(crate) fn talks(&self) -> i32 {
        self.shared.inner().client.talks
    }

    /// The page was opened during a talk: whether it was told of its begin is not counted.
    pub(crate) fn came_during_a_talk(&self) {
        self.shared.inner().client.talks = 1;
    }

    async fn until<T>(&self, what: &str, mut yes: impl FnMut(&mut Inner) -> Option<T>) -> T {
        let until = Instant::now() + SOON;
        loop {
            let changed = self.shared.changed.notified();
            if let Some(found) = yes(&mut self.shared.inner()) {
                return found;
            }
            assert!(!self.task.is_finished(), "{}: the tab is gone", self.login);
            if tokio::time::timeout_at(until, changed).await.is_err() {
                let inner = self.shared.inner();
                let events: Vec<&str> = inner.events.iter().map(|(n, _)| n.as_str()).collect();
                panic!(
                    "{}: not {what} within {} s, but {:?}; line {}; events {events:?}",
                    self.login,
                    SOON.as_secs(),
                    inner.client.states,
                    inner.line
                );
            }
        }
    }

    fn look(&self) {
        let _ = self.say.send(LOOK.to_owned());
    }
}

const LOOK: &str = r#"["getextendedlineinfo",{"qid":"look"}]"#;

impl Shared {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

/// Reads what comes, says what is to be said, and looks at the line when it is time.
async fn sit(
    mut socket: tokio_tungstenite::WebSocketStream<TcpStream>,
    mut orders: mpsc::UnboundedReceiver<String>,
    shared: Arc<Shared>,
) {
    let began = Instant::now();
    let mut alive = tokio::time::interval(Duration::from_secs(10));
    loop {
        let next = shared.inner().client.reloads.first().copied();
        let due = next.map(|at| began + at.since(Time::ZERO));
        let say = tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    hear(&shared, Time::ZERO + began.elapsed(), &text);
                    None
                }
                Some(Ok(_)) => None,
                Some(Err(_)) | None => break,
            },
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => break,
            },
            _ = alive.tick() => Some(r#"["ping",{"qid":"alive"}]"#.to_owned()),
            () = tokio::time::sleep_until(due.unwrap_or(began)), if due.is_some() => {
                let now = Time::ZERO + began.elapsed();
                shared.inner().client.reloads.retain(|at| *at > now);
                Some(LOOK.to_owned())
            }
        };
        if let Some(text) = say
            && socket.send(Message::text(text)).await.is_err()
        {
            break;
        }
    }
    shared.changed.notify_waiters();
}

fn hear(shared: &Shared, now: Time, text: &str) {
    let envelope = codec::decode(Format::Json, &Text::from(text), &Limits::default()).expect(text);
    let (name, body): (String, Value) = serde_json::from_str(text).expect(text);
    let object: Object = envelope.body.iter().map(|(name, part)| (name.clone(), part.open())).collect();
    let qid = body["qid"].as_str().unwrap_or_default().to_owned();
    let mut inner = shared.inner();
    if qid == "look" && name == "getextendedlineinforesult" {
        inner.client.sees(&object);
        if let Some(chain) = body["chainid"].as_str().filter(|c| c.chars().any(|c| !matches!(c, '0' | '-'))) {
            chain.clone_into(&mut inner.chain);
        }
        inner.line = body;
    } else if let Some(waiting) = inner.waiting.remove(&qid) {
        let _ = waiting.send(body);
    } else if qid != "alive" {
        inner.client.hears(now, &name, &object);
        inner.events.push((name, body));
    }
    drop(inner);
    shared.changed.notify_waiters();
}
