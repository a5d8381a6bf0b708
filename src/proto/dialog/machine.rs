//! The machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::auth::{Attempt, Identity, Who};
use crate::codec;
use crate::codec::multipart::{self, Assembler, SetLimits};
use crate::message::{Body, CallError, Code, Envelope, Format, Introduction, Object, Qid, Text, Value};
use crate::method::session::{Login, SubscribeEvent};
use crate::method::{Typed, is_reply, reply_name};

use super::{CloseReason, Opened, Output, Rate, Role, Settings, Verdict, Writer};

/// Most names that a connection may subscribe to before its login.
const MAX_SUBSCRIBED: usize = 256;
/// Unreadable messages are counted within this time.
const STRIKE_WINDOW: Duration = Duration::from_secs(60);

/// See [`next_ping`].
const PING_SLOTS: u64 = 128;

/// The state of one connection. See the page of [`crate::dialog`] for how to drive it.
#[derive(Debug)]
pub struct Dialog {
    settings: Arc<Settings>,
    format: Option<Format>,
    state: State,
    output: Outputs,
    /// When the peer was last heard.
    alive: Time,
    /// When the next WebSocket ping is due.
    ping: Time,
    rate: Rate,
    /// When the current window of unreadable messages began, and how many it holds.
    strikes: (Time, u32),
    /// Multipart sets that are not whole yet; made at the first packet.
    inbox: Option<Box<Assembler>>,
    /// How many of our own answers were cut into packets.
    sets: u64,
}

/// What was not polled yet. Mostly one, which needs no piece of the heap.
#[derive(Debug, Default)]
struct Outputs {
    first: Option<Output>,
    rest: VecDeque<Output>,
}

impl Outputs {
    fn push_back(&mut self, output: Output) {
        if self.first.is_none() {
            self.first = Some(output);
        } else {
            self.rest.push_back(output);
        }
    }

    fn pop_front(&mut self) -> Option<Output> {
        let output = self.first.take()?;
        if self.rest.capacity() > 0 {
            self.first = self.rest.pop_front();
            if self.rest.is_empty() {
                self.rest = VecDeque::new();
            }
        }
        Some(output)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Named for what is awaited.
#[derive(Debug)]
enum State {
    /// A tab's `login`, until the deadline.
    AwaitLogin { until: Time, subscribed: Vec<Text> },
    /// The check of a login.
    AwaitVerdict(Box<Asked>),
    /// A CRM's `iam`, until the deadline.
    AwaitIam { until: Time, identity: Box<Identity> },
    /// Calls and events.
    Open { link: bool },
    /// Nothing: what still comes is not looked at.
    Closed,
}

/// What is kept while a login is checked.
#[derive(Debug)]
struct Asked {
    qid: Option<Qid>,
    login: Text,
    expires: Option<i64>,
    subscribed: Vec<Text>,
}

/// When the ping after this moment goes: on the last of [`PING_SLOTS`] even steps of the interval that is not too late. So the pings of many quiet
/// peers fall into the same moments, and one waking of the process sends them all.
fn next_ping(now: Time, every: Duration) -> Time {
    let due = (now + every).as_micros();
    let step = (u64::try_from(every.as_micros()).unwrap_or(u64::MAX) / PING_SLOTS).max(1);
    Time::from_micros(due - due % step)
}

impl Dialog {
    /// A connection that has just been upgraded. `format` is `None` when the sub-protocol named neither json nor xml: then
    /// the first message closes it.
    pub fn new(now: Time, role: Role, format: Option<Format>, settings: impl Into<Arc<Settings>>) -> Self {
        let settings = settings.into();
        let until = now + settings.opening;
        let mut output = Outputs::default();
        let state = match role {
            Role::Tab => State::AwaitLogin { until, subscribed: Vec::new() },
            Role::Link(identity) => State::AwaitIam { until, identity: Box::new(identity) },
            // Without a format there is nothing to say to it; the first message closes it.
            Role::Program(identity) if format.is_some() => {
                let opened = Opened { identity, qid: None, expires: None, subscribed: Vec::new(), introduction: None };
                output.push_back(Output::Opened(Box::new(opened)));
                State::Open { link: false }
            }
            Role::Program(_) => State::AwaitLogin { until, subscribed: Vec::new() },
        };
        let mut dialog = Self {
            rate: Rate::new(settings.rate.0, settings.rate.1),
            format,
            state,
            output,
            alive: now,
            ping: next_ping(now, settings.ping_every),
            strikes: (now, 0),
            inbox: None,
            sets: 0,
            settings,
        };
        if matches!(dialog.state, State::AwaitIam { .. }) {
            dialog.introduce();
        }
        dialog
    }

    /// Says `whoareyou`; the answer is due as at the beginning. Links that are posted to repeat it.
    pub fn introduce(&mut self) {
        let body = self.ourselves(Some(Qid::ours(Text::from_static("whoareyou"))));
        self.transmit(&Envelope::new("whoareyou", body));
    }

    /// A whole text message came in (UTF-8 has been checked). Counts as a sign of life.
    pub fn handle_text(&mut self, now: Time, text: &Text) {
        self.alive = now;
        let Some(format) = self.format else {
            return self.end(CloseReason::NO_FORMAT);
        };
        if matches!(self.state, State::Closed) {
            return;
        }
        if text.len() > self.max_message() {
            return self.end(CloseReason::with_text(1009, format!("message larger than {} bytes", self.max_message())));
        }
        let limits = codec::Limits { depth: self.settings.depth, ..codec::Limits::default() };
        match codec::decode(format, text, &limits) {
            Ok(envelope) => self.handle_envelope(now, envelope),
            Err(error) => self.strike(now, &error.to_string()),
        }
    }

    /// A binary message came in: closes with 1003.
    pub fn handle_binary(&mut self, now: Time) {
        self.alive = now;
        self.end(CloseReason::new(1003, "only text messages are understood"));
    }

    /// Any other sign of life: ping or pong.
    pub fn handle_alive(&mut self, now: Time) {
        self.alive = now;
    }

    /// What came of [`Output::Authenticate`]. Ignored when none is awaited.
    pub fn handle_verdict(&mut self, now: Time, verdict: Verdict) {
        let State::AwaitVerdict(asked) = std::mem::replace(&mut self.state, State::Closed) else { return };
        let Asked { qid, login, expires, subscribed } = *asked;
        match verdict {
            Ok(identity) => {
                self.state = State::Open { link: false };
                let opened = Opened { identity, qid, expires, subscribed, introduction: None };
                self.output.push_back(Output::Opened(Box::new(opened)));
            }
            Err(error) => {
                self.state = State::AwaitLogin { until: now + self.settings.opening, subscribed };
                let body = error.to_call_error().body(qid).with("userlogin", login);
                self.transmit(&Envelope::new("loginresult", body));
            }
        }
    }

    /// Time has passed; safe to call early or twice.
    pub fn handle_timeout(&mut self, now: Time) {
        match &self.state {
            State::AwaitLogin { until, .. } if *until <= now => {
                return self.end(CloseReason::new(1008, "no login in time"));
            }
            State::AwaitIam { until, .. } if *until <= now => {
                return self.end(CloseReason::new(1008, "no introduction"));
            }
            State::Closed => return,
            State::AwaitLogin { .. } | State::AwaitIam { .. } | State::AwaitVerdict(_) | State::Open { .. } => {}
        }
        if let Some(inbox) = &mut self.inbox {
            let dropped = inbox.handle_timeout(now);
            if dropped > 0 {
                self.odd(format!("{dropped} incomplete multipart message(s) dropped: packets did not come in time"));
            }
        }
        if !self.settings.socket {
            return;
        }
        if self.alive + self.settings.silence <= now {
            return self.end(CloseReason::SILENT);
        }
        if self.ping <= now {
            self.ping = next_ping(now, self.settings.ping_every);
            self.output.push_back(Output::Ping);
        }
    }

    /// When to call [`Self::handle_timeout`] at the latest; `None`: never.
    pub fn poll_timeout(&self) -> Option<Time> {
        let opening = match &self.state {
            State::Closed => return None,
            State::AwaitLogin { until, .. } | State::AwaitIam { until, .. } => Some(*until),
            State::AwaitVerdict(_) | State::Open { .. } => None,
        };
        let heart = self.settings.socket.then(|| self.ping.min(self.alive + self.settings.silence));
        let inbox = self.inbox.as_ref().and_then(|i| i.poll_timeout());
        [opening, heart, inbox].into_iter().flatten().min()
    }

    /// What follows, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// The largest message that is taken now, bytes: the transport refuses larger ones by their header with 1009.
    pub fn max_message(&self) -> usize {
        if self.is_open() { self.settings.max_message } else { self.settings.max_message_guest }
    }

    /// Whether the peer is open: it has logged in, or introduced itself.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    /// How to write to this peer; `None` when it has no format.
    pub fn writer(&self) -> Option<Writer> {
        let link = matches!(self.state, State::Open { link: true } | State::AwaitIam { .. });
        Some(Writer { format: self.format?, threshold: self.settings.multipart_threshold, cut_events: link })
    }

    /// The transport ends the dialog for a reason of its own; afterwards nothing comes out any more.
    pub fn close(&mut self, reason: CloseReason) {
        self.output.clear();
        self.end(reason);
        self.output.clear();
    }

    /// A message came in that was decoded already: one of several in the body of a POST. Counts as a sign of life.
    pub fn handle_envelope(&mut self, now: Time, envelope: Envelope) {
        self.alive = now;
        if !self.rate.admit(now) {
            return self.refuse(&envelope, &Code::TooManyRequests.into());
        }
        if self.settings.redirect {
            let body = Body::new().with_some("qid", envelope.qid());
            return self.transmit(&Envelope::new("websocketredirect", body));
        }
        match &*envelope.name {
            "ping" => return self.pong(envelope),
            "whoareyou" => {
                let body = self.ourselves(envelope.qid());
                return self.transmit(&Envelope::new("iam", body));
            }
            _ => {}
        }
        match &mut self.state {
            State::Open { .. } if envelope.name == "multipart" => self.collect(now, &envelope),
            State::Open { .. } => self.output.push_back(Output::Deliver(envelope)),
            State::AwaitLogin { .. } => self.handle_guest(&envelope),
            State::AwaitIam { identity, .. } if envelope.name == "iam" => {
                let identity = identity.clone();
                self.state = State::Open { link: true };
                let opened = Opened {
                    identity: *identity,
                    qid: None,
                    expires: None,
                    subscribed: Vec::new(),
                    introduction: Some(introduction(&envelope.body)),
                };
                self.output.push_back(Output::Opened(Box::new(opened)));
            }
            State::AwaitIam { .. } | State::AwaitVerdict(_) => {
                let detail = "only whoareyou, iam and ping before the introduction";
                self.refuse(&envelope, &CallError::new(Code::NotAuthorized, detail));
            }
            State::Closed => {}
        }
    }

    fn handle_guest(&mut self, envelope: &Envelope) {
        let State::AwaitLogin { subscribed, .. } = &mut self.state else { return };
        match &*envelope.name {
            "subscribeevent" => {
                let names = match SubscribeEvent::from_body(&envelope.body) {
                    Ok(subscribe) => subscribe.eventmethod.0,
                    Err(error) => return self.refuse(envelope, &error),
                };
                let mut all = subscribed.clone();
                for name in names {
                    if all.len() <= MAX_SUBSCRIBED && !all.contains(&name) {
                        all.push(name);
                    }
                }
                if all.len() > MAX_SUBSCRIBED {
                    let detail = format!("more than {MAX_SUBSCRIBED} names subscribed before the login");
                    return self.refuse(envelope, &CallError::new(Code::TooManyRequests, detail));
                }
                *subscribed = all;
                let body = Body::new().with_some("qid", envelope.qid()).with("result", 1);
                self.transmit(&Envelope::new("subscribeeventresult", body));
            }
            "login" => match Login::from_body(&envelope.body).and_then(|_| Attempt::of_body(&envelope.body)) {
                Ok(attempt) => {
                    let subscribed = std::mem::take(subscribed);
                    let (login, expires) = (attempt.login.clone(), attempt.expires);
                    let asked = Asked { qid: envelope.qid(), login, expires, subscribed };
                    self.state = State::AwaitVerdict(Box::new(asked));
                    self.output.push_back(Output::Authenticate(Box::new(attempt)));
                }
                Err(error) => self.refuse(envelope, &error),
            },
            _ => {
                let detail = "only ping, whoareyou, login and subscribeevent before the login";
                self.refuse(envelope, &CallError::new(Code::NotAuthorized, detail));
            }
        }
    }

    fn collect(&mut self, now: Time, envelope: &Envelope) {
        let (settings, Some(format)) = (Arc::clone(&self.settings), self.format) else { return };
        let limits = SetLimits {
            bytes: settings.max_multipart,
            packets: settings.max_packets,
            life: settings.multipart_life,
            ..SetLimits::default()
        };
        let inbox = self.inbox.get_or_insert_with(|| Box::new(Assembler::new(limits)));
        match inbox.accept(now, &envelope.body) {
            Ok(None) => {}
            Ok(Some(text)) => {
                let limits = codec::Limits { depth: settings.depth, ..codec::Limits::default() };
                match codec::decode(format, &text, &limits) {
                    Ok(inner) if inner.name == "multipart" => self.strike(now, "multipart inside multipart"),
                    Ok(inner) => self.handle_envelope(now, inner),
                    Err(error) => self.strike(now, &format!("in an assembled multipart message: {error}")),
                }
            }
            Err(why) => self.strike(now, &why.to_string()),
        }
    }

    /// A message that could not be read: answered with an error, and counted.
    fn strike(&mut self, now: Time, why: &str) {
        if now.since(self.strikes.0) >= STRIKE_WINDOW {
            self.strikes = (now, 0);
        }
        self.strikes.1 += 1;
        if self.strikes.1 >= self.settings.strikes {
            return self.end(CloseReason::new(1008, "too many unreadable messages"));
        }
        self.odd(format!("unreadable message: {why}"));
        self.transmit(&Envelope::new("error", CallError::new(Code::BadRequest, why).body(None)));
    }

    fn refuse(&mut self, envelope: &Envelope, error: &CallError) {
        // The result that a tab hands in is a call of its own; a link's are not answered.
        let is_link = matches!(self.state, State::AwaitIam { .. } | State::Open { link: true });
        if is_reply(&envelope.name) && (is_link || envelope.name != "methodresult") {
            return;
        }
        let name = reply_name(&envelope.name);
        self.transmit(&Envelope { name, body: error.body(envelope.qid()) });
    }

    fn pong(&mut self, mut envelope: Envelope) {
        envelope.name = Text::from_static("pong");
        self.transmit(&envelope);
    }

    /// What we say of ourselves, in `whoareyou` and `iam` alike.
    fn ourselves(&self, qid: Option<Qid>) -> Body {
        Body::new()
            .with_some("qid", qid)
            .with("type", "commserver")
            .with("name", "ctigate")
            .with("version", self.settings.version.clone())
    }

    fn transmit(&mut self, envelope: &Envelope) {
        let Some(format) = self.format else { return };
        let text = codec::encode(envelope, format);
        let cut = match self.state {
            State::Open { link } => link || is_reply(&envelope.name),
            _ => false,
        };
        if !cut || text.len() <= self.settings.multipart_threshold {
            return self.output.push_back(Output::Transmit(text));
        }
        // The ids of the Writer are random; these are no less its own and need no generator.
        self.sets += 1;
        let id = Text::from(format!("00000000-0000-4000-8000-{:012x}", self.sets));
        for packet in multipart::split(&text, format, &id, multipart::PIECE) {
            self.output.push_back(Output::Transmit(codec::encode(&packet, format)));
        }
    }

    fn odd(&mut self, what: String) {
        self.output.push_back(Output::Odd(what));
    }

    fn end(&mut self, reason: CloseReason) {
        if !matches!(self.state, State::Closed) {
            self.state = State::Closed;
            self.inbox = None;
            self.output.push_back(Output::Close(reason));
        }
    }
}

/// How much a peer may say of itself beside type, name and version.
const MORE: usize = 16;

fn introduction(body: &Body) -> Introduction {
    const KNOWN: [&str; 4] = ["qid", "type", "name", "version"];
    let text = |name| body.text(name).map(|t| cut(&t)).unwrap_or_default();
    let mut more = Object::new();
    for (name, _) in body.iter().filter(|(name, _)| !KNOWN.contains(&&***name)) {
        let short = match body.value(name) {
            Some(Value::String(text)) => Value::String(cut(&text)),
            Some(plain @ (Value::Bool(_) | Value::Number(_))) => plain,
            _ => continue,
        };
        if more.len() == MORE {
            break;
        }
        more.set(cut(name), short);
    }
    Introduction { kind: text("type"), name: text("name"), version: text("version"), more }
}

/// At most 128 bytes, cut between characters: these texts are shown, never parsed.
fn cut(text: &Text) -> Text {
    let mut end = text.len().min(128);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::from(&text[..end])
}

impl Opened {
    /// The login, for a tab.
    pub fn login(&self) -> Option<&Text> {
        match self.identity.who() {
            Who::User { login, .. } => Some(login),
            Who::Link(_) | Who::Program(_) => None,
        }
    }
}
