//! A conversation by WebSocket: the wire, and the Dialog that the gateway would have on it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ctigate_proto::Time;
use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::dialog::{Dialog, Output, Role, Settings};
use ctigate_proto::message::{Body, CallError, Code, Envelope, Format, Introduction, Text, Value};
use ctigate_proto::method;
use tokio::time::timeout_at;

use crate::transport::trial::{Sound, Wire};

use super::reading::{self, Suspect};
use super::talk::{Answered, Executed, Execution, Fault, Noticed, Question};

/// How many messages wait to be looked at.
const INBOX: usize = 10_000;

/// One open connection.
pub(super) struct Conversation {
    wire: Wire,
    dialog: Dialog,
    format: Format,
    began: Instant,
    /// What came and was not looked at yet.
    inbox: VecDeque<(Instant, Envelope)>,
    /// What the CRM said of itself.
    pub(super) introduced: Option<Introduction>,
    pub(super) noticed: Noticed,
    /// What was no message, until somebody is told.
    unreadable: Option<Fault>,
    ended: Option<String>,
    /// Signs of life beside messages.
    pub(super) alive: u64,
    /// The next packet of each set.
    packets: HashMap<Text, i64>,
    /// Qids of questions that were not answered in time: their answers may still come.
    overdue: Vec<Value>,
}

impl Conversation {
    /// On a fresh connection; says `whoareyou`.
    pub(super) fn new(wire: Wire, format: Format) -> Self {
        let identity = Identity::link("check-crm", Proof::configured_url());
        // When to lose patience is decided here, not there.
        let settings = Settings { opening: Duration::from_secs(3600), ..Settings::link() };
        Self {
            wire,
            dialog: Dialog::new(Time::ZERO, Role::Link(identity), Some(format), settings),
            format,
            began: Instant::now(),
            inbox: VecDeque::new(),
            introduced: None,
            noticed: Noticed::default(),
            unreadable: None,
            ended: None,
            alive: 0,
            packets: HashMap::new(),
            overdue: Vec::new(),
        }
    }

    /// Why the connection is over, if it is.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// The wire below, to be closed.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Waits for the CRM's `iam`.
    pub(super) async fn introduction(&mut self, patience: Duration) -> Result<Introduction, Fault> {
        let until = Instant::now() + patience;
        loop {
            if let Some(introduction) = &self.introduced {
                return Ok(introduction.clone());
            }
            if !self.step(until).await? {
                return Err(Fault::Silence(format!("no iam in {} s", patience.as_secs())));
            }
        }
    }

    /// Asks, and waits for the reply: the message of that name, whatever its qid, so that a wrong qid is one finding.
    pub(super) async fn ask(&mut self, question: &Question, patience: Duration) -> Result<Envelope, Fault> {
        self.tell(&[question.envelope()]).await?;
        let until = Instant::now() + patience;
        while let Some((_, heard)) = self.hear(until).await? {
            let late = heard.body.value("qid").is_some_and(|qid| self.overdue.contains(&qid));
            if heard.name == question.reply && !late {
                self.noticed.silent = 0;
                self.noticed.compare(&question.qid, &heard);
                return Ok(heard);
            }
            self.mind(&heard).await?;
        }
        self.overdue.push(question.qid.clone());
        self.noticed.silent += 1;
        Err(Fault::Silence(format!("no {} in {} s", question.reply, patience.as_secs())))
    }

    /// Runs a method.
    pub(super) async fn execute(&mut self, execution: &Execution, extra: Duration) -> Result<Executed, Fault> {
        self.tell(&[execution.order()]).await?;
        let began = Instant::now();
        while let Some((at, heard)) = self.hear(began + execution.wait + extra).await? {
            // One that does not say whose it is can only be this one's: nothing else runs.
            if execution.is_result(&heard).unwrap_or(true) {
                return Ok(Executed::Result(Answered { body: heard.body, took: at.saturating_duration_since(began) }));
            }
            self.mind(&heard).await?;
        }
        Err(Fault::Silence(format!("no methodresult in {} ms", (execution.wait + extra).as_millis())))
    }

    /// Sends messages in one go.
    pub(super) async fn tell(&mut self, messages: &[Envelope]) -> Result<(), Fault> {
        self.follow().await?;
        for message in messages {
            self.wire.put(&codec::encode(message, self.format));
        }
        self.flush().await
    }

    /// Sends a WebSocket ping.
    pub(super) async fn ping(&mut self) -> Result<(), Fault> {
        self.wire.put_ping();
        self.flush().await
    }

    /// Sends one message in packets, however short it is.
    pub(super) async fn tell_in_packets(&mut self, message: &Envelope, id: &str) -> Result<(), Fault> {
        let text = codec::encode(message, self.format);
        let packets = codec::multipart::split(&text, self.format, &Text::from(id), codec::multipart::PIECE);
        self.tell(&packets).await
    }

    /// The next message, and when it came; `None` when none came in time.
    pub(super) async fn hear(&mut self, until: Instant) -> Result<Option<(Instant, Envelope)>, Fault> {
        loop {
            if let Some(heard) = self.inbox.pop_front() {
                return Ok(Some(heard));
            }
            if !self.step(until).await? {
                return Ok(None);
            }
        }
    }

    /// What the CRM asks or tells that nobody here waits for. A call gets its reply, as from a gateway that has nothing.
    pub(super) async fn mind(&mut self, heard: &Envelope) -> Result<(), Fault> {
        let Some(qid) = heard.qid() else { return Ok(()) };
        if method::is_reply(&heard.name) || !heard.body.has("qid") || heard.name == "methodschanged" {
            return Ok(());
        }
        let name = method::reply_name(&heard.name);
        let body = match &*heard.name {
            "getpbxnumbers" => Body::new().with("qid", qid).with("result", 1).with("numbers", Vec::new()),
            _ => CallError::new(Code::UnknownMethod, "check-crm has no telephones").body(Some(qid)),
        };
        self.tell(&[Envelope { name, body }]).await
    }

    /// Waits for one thing of any kind; false when nothing came in time.
    pub(super) async fn step(&mut self, until: Instant) -> Result<bool, Fault> {
        self.follow().await?;
        if let Some(fault) = self.unreadable.take() {
            return Err(fault);
        }
        if let Some(why) = &self.ended {
            return Err(Fault::Ended(why.clone()));
        }
        let due = self.dialog.poll_timeout().map(|time| self.began + Duration::from_micros(time.as_micros()));
        let wake = due.map_or(until, |due| due.min(until));
        match timeout_at(wake.into(), self.wire.next()).await {
            Err(_) if Instant::now() >= until => return Ok(false),
            Err(_) => self.dialog.handle_timeout(self.now()),
            Ok(Sound::Text(text)) => self.take(&text),
            Ok(Sound::Binary) => self.dialog.handle_binary(self.now()),
            Ok(Sound::Alive) => {
                self.alive += 1;
                self.dialog.handle_alive(self.now());
            }
            Ok(Sound::Ended(why)) => {
                // The echo of a close; whether it arrives does not matter any more.
                let _ = self.wire.flush().await;
                self.ended = Some(why);
            }
        }
        self.follow().await?;
        Ok(true)
    }

    /// A text that came. What is base64 is noticed and read all the same, so that one mistake is one finding.
    fn take(&mut self, text: &Text) {
        let now = self.now();
        match codec::decode(self.format, text, &Limits::default()) {
            Ok(envelope) => {
                self.look(&envelope);
                self.dialog.handle_text(now, text);
            }
            Err(error) => match reading::suspect(self.format, text) {
                Suspect::Base64(plain) if codec::decode(self.format, &plain, &Limits::default()).is_ok() => {
                    self.noticed.base64.get_or_insert_with(|| reading::sample(text));
                    self.take(&plain);
                }
                _ => {
                    let (finding, found) = reading::unreadable(self.format, text, &error);
                    self.unreadable.get_or_insert(Fault::Unreadable(finding, found));
                    self.dialog.handle_text(now, text);
                }
            },
        }
    }

    /// What the Dialog does not tell.
    fn look(&mut self, envelope: &Envelope) {
        match &*envelope.name {
            "iam" if self.introduced.is_none() => self.noticed.compare(&Value::from("whoareyou"), envelope),
            "multipart" => self.look_at_packet(&envelope.body),
            _ => {}
        }
    }

    fn look_at_packet(&mut self, packet: &Body) {
        let (Some(id), Some(number)) = (packet.text("message-id"), packet.int("packetnumber")) else { return };
        let sets = &mut self.noticed.sets;
        let next = self.packets.entry(Text::from(&*id)).or_insert_with(|| {
            *sets += 1;
            0
        });
        if number != *next {
            let found = format!("packet {number} came where {next} was due");
            self.noticed.disorder.get_or_insert(found);
        }
        *next = number.max(*next).saturating_add(1);
    }

    /// Does what the Dialog wants done.
    async fn follow(&mut self) -> Result<(), Fault> {
        while let Some(output) = self.dialog.poll_output() {
            match output {
                Output::Transmit(text) => self.wire.put(&text),
                Output::Ping => self.wire.put_ping(),
                Output::Opened(opened) => self.introduced = Some(opened.introduction.unwrap_or_default()),
                Output::Deliver(envelope) => {
                    if self.inbox.len() < INBOX {
                        self.inbox.push_back((Instant::now(), envelope));
                    }
                }
                Output::Close(reason) => {
                    let why = format!("the gateway would close it ({} {})", reason.code, reason.text);
                    self.ended.get_or_insert(why);
                }
                Output::Odd(what) => {
                    // A set that cannot be put together is told here alone.
                    if what.contains("multipart") && self.unreadable.is_none() {
                        self.unreadable = Some(Fault::Unreadable(&super::finding::UNREADABLE, what));
                    }
                }
                Output::Authenticate(_) => {}
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        if self.ended.is_some() {
            return Ok(());
        }
        match self.wire.flush().await {
            Ok(()) => Ok(()),
            Err(why) => {
                self.ended = Some(why.clone());
                Err(Fault::Ended(why))
            }
        }
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}
