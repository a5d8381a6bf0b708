//! One life of a link that is posted to: from the introduction until it fails.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::codec::{self, outgoing, post};
use ctigate_proto::dialog::{CloseReason, Dialog, Opened, Output, Role};
use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::{Opening, Undelivered};
use ctigate_proto::message::{Body, Envelope, Qid, Shared, Text};
use ctigate_proto::method;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::engine::Outbox;
use crate::transport::Transport;
use crate::transport::connection::Open;
use crate::transport::gate::OUTBOX;
use crate::transport::retry::Failure;

use super::Posted;
use super::exchange::Line;
use super::pending::Pending;

/// How long an exchange may take.
const EXCHANGE: Duration = Duration::from_secs(10);
/// What a dynamic method's deadline gets on top, so that the CRM's own word is heard before ours.
const MARGIN: Duration = Duration::from_millis(500);
/// How often the introduction is repeated.
const INTRODUCE_EVERY: Duration = Duration::from_secs(600);
/// How soon after a failure.
const INTRODUCE_AFTER: Duration = Duration::from_secs(1);
/// The least pause between two replies to what answers ask for, so that two that only answer each other do not spin.
const PACE: Duration = Duration::from_millis(50);
/// Most messages that wait for the ordered connection.
const WAITING: usize = 10_000;
/// How long last words may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// How a life ended.
pub(super) struct Ended {
    pub failure: Failure,
    /// How long the link was open.
    pub open_for: Option<Duration>,
}

/// Lives until the link fails or the node stops.
pub(super) async fn live(transport: &Arc<Transport>, link: &Posted) -> Ended {
    let engine = &transport.engine;
    let peer = engine.next_peer();
    let outbox = Outbox::new(OUTBOX);
    let _registered = transport.register(peer, &outbox, Some(link.name.clone()));
    let role = Role::Link(Identity::link(link.name.clone(), Proof::configured_url()));
    let now = Instant::now();
    let mut life = Life {
        link,
        dialog: Dialog::new(engine.now(), role, Some(link.format), link.allowance.now()),
        open: Open::new(Arc::clone(engine), peer),
        outbox,
        ordered: Some(Line::default()),
        lines: (0..link.connections).map(|_| Line::default()).collect(),
        exchanges: JoinSet::new(),
        waiting: VecDeque::new(),
        methods: VecDeque::new(),
        pending: Pending::default(),
        batch: Vec::new(),
        introduce_at: now + INTRODUCE_EVERY,
        poll_at: now,
        pace_until: now,
        closing: None,
    };
    let failure = life.run().await;
    life.open.reason = Some(Box::new(CloseReason::with_text(0, failure.to_string())));
    Ended { failure, open_for: life.open.since.map(|since| since.elapsed()) }
}

struct Life<'a> {
    link: &'a Posted,
    dialog: Dialog,
    open: Open,
    outbox: Arc<Outbox>,
    /// The connection that keeps the order; away while it is used.
    ordered: Option<Line>,
    /// The connections for dynamic methods that are not used now.
    lines: Vec<Line>,
    exchanges: JoinSet<Finished>,
    /// What waits for the ordered connection.
    waiting: VecDeque<Job>,
    /// Dynamic methods that wait for a connection of theirs, and until when.
    methods: VecDeque<(Arc<Shared>, Instant)>,
    pending: Pending,
    /// The batch of the last poll, until the CRM has it.
    batch: Vec<Text>,
    introduce_at: Instant,
    poll_at: Instant,
    pace_until: Instant,
    /// Set when the peer is to end: why, and until when the last words may take.
    closing: Option<(CloseReason, Instant)>,
}

/// Something for the ordered connection.
enum Job {
    /// Our introduction.
    Introduce(Text),
    /// A message of the Hub, with its pace where it is a reply.
    Message(Arc<Shared>),
    /// The dialog's reply to what an answer asked.
    Said(Text),
}

/// What was posted, for whoever is told of its end.
enum Sent {
    Introduction,
    Message(Option<Qid>),
    Method(Option<Qid>),
    Batch,
}

struct Finished {
    line: Line,
    sent: Sent,
    result: Result<Vec<Envelope>, Failure>,
}

impl Life<'_> {
    async fn run(&mut self) -> Failure {
        if let Some(failure) = self.outputs() {
            return failure;
        }
        loop {
            self.sort();
            if let Some((reason, until)) = &self.closing
                && (self.is_idle() || !self.dialog.is_open() || *until <= Instant::now())
            {
                return Failure::Unreachable(reason.text.clone().into_owned());
            }
            self.start();
            let alarm = self.alarm();
            let failure = tokio::select! {
                biased;
                Some(finished) = self.exchanges.join_next() => match finished {
                    Ok(finished) => self.finished(finished),
                    Err(e) => Some(Failure::Unreachable(format!("an exchange failed: {e}"))),
                },
                () = self.outbox.ready() => None,
                () = sleep_until(alarm) => self.time(),
            };
            if let Some(failure) = failure {
                return failure;
            }
        }
    }

    /// Takes what the Hub sends to where it waits.
    fn sort(&mut self) {
        let mut messages = Vec::new();
        if let Some(reason) = self.outbox.take(&mut messages)
            && self.closing.is_none()
        {
            self.closing = Some((reason, Instant::now() + GOODBYE));
        }
        for message in messages {
            let envelope = message.envelope();
            match &*envelope.name {
                "executemethod" => {
                    let wait = envelope.body.int("waitresponsems").and_then(|ms| u64::try_from(ms).ok());
                    let wait = wait.map_or(EXCHANGE, Duration::from_millis);
                    self.methods.push_back((message, Instant::now() + wait + MARGIN));
                }
                // One that was not posted yet need not be taken back either.
                "cancelmethod" if self.forget_method(envelope) => {}
                name if self.link.poll.is_some() && !is_posted(name) => self.pending.push(message),
                _ if self.waiting.len() >= WAITING => {
                    self.undelivered(envelope.qid(), &Failure::Unreachable("too many messages wait".to_owned()));
                }
                _ => self.waiting.push_back(Job::Message(message)),
            }
        }
    }

    fn forget_method(&mut self, cancel: &Envelope) -> bool {
        let Some(id) = cancel.body.text("executionid") else { return false };
        let is_it = |message: &Shared| message.envelope().body.text("executionid").as_ref() == Some(&id);
        let before = self.methods.len();
        self.methods.retain(|(message, _)| !is_it(message));
        self.methods.len() < before
    }

    /// Starts every exchange that can start.
    fn start(&mut self) {
        let now = Instant::now();
        while let Some((message, until)) = self.methods.front() {
            let (qid, left) = (message.envelope().qid(), until.saturating_duration_since(now));
            if left.is_zero() {
                self.methods.pop_front();
                self.undelivered(qid, &Failure::Unreachable("no connection was free in time".to_owned()));
                continue;
            }
            let Some(line) = self.lines.pop() else { break };
            let text = outgoing::text(message, self.link.format).clone();
            self.methods.pop_front();
            self.post(line, text, true, left, Sent::Method(qid));
        }
        let Some(line) = self.ordered.take() else { return };
        let (text, sent) = match self.waiting.front() {
            Some(job) if job.is_paced() && self.pace_until > now => {
                self.ordered = Some(line);
                return;
            }
            Some(_) => match self.waiting.pop_front() {
                Some(Job::Introduce(text)) => (text, Sent::Introduction),
                Some(Job::Message(message)) => {
                    self.pace_until = now + PACE;
                    (outgoing::text(&message, self.link.format).clone(), Sent::Message(message.envelope().qid()))
                }
                Some(Job::Said(text)) => {
                    self.pace_until = now + PACE;
                    (text, Sent::Message(None))
                }
                None => return,
            },
            None if self.poll_is_due(now) => (self.next_batch(), Sent::Batch),
            None => {
                self.ordered = Some(line);
                return;
            }
        };
        self.post(line, text, false, EXCHANGE, sent);
    }

    fn post(&mut self, mut line: Line, text: Text, once: bool, limit: Duration, sent: Sent) {
        let server = Arc::clone(&self.link.server);
        self.exchanges.spawn(async move {
            let result = server.exchange(&mut line, &text, once, limit).await;
            Finished { line, sent, result }
        });
    }

    fn poll_is_due(&self, now: Instant) -> bool {
        let last_words = self.closing.is_some() && !self.pending.is_empty();
        self.link.poll.is_some() && self.dialog.is_open() && (self.poll_at <= now || last_words)
    }

    /// The batch that was not delivered yet, else a new one, behind a `poll`.
    fn next_batch(&mut self) -> Text {
        if self.batch.is_empty() {
            let qid = Qid::ours(format!("p{:016x}", rand::random::<u64>()));
            self.batch = vec![codec::encode(&Envelope::new("poll", Body::new().with("qid", qid)), self.link.format)];
            self.batch.append(&mut self.pending.take_batch(self.link.format));
        }
        post::join(self.link.format, &self.batch)
    }

    fn finished(&mut self, Finished { line, sent, result }: Finished) -> Option<Failure> {
        match sent {
            Sent::Method(_) => self.lines.push(line),
            _ => self.ordered = Some(line),
        }
        let now = Instant::now();
        match result {
            Ok(answers) => {
                if matches!(sent, Sent::Batch) {
                    self.batch.clear();
                    let more = if self.pending.is_empty() { self.link.poll } else { None };
                    self.poll_at = now + more.unwrap_or_default();
                    if self.pending.take_lost() {
                        self.open.engine.handle(Input::EventsLost { peer: self.open.peer });
                    }
                }
                let failure = self.received(answers);
                if failure.is_none() && matches!(sent, Sent::Introduction) && !self.dialog.is_open() {
                    return Some(Failure::Declined("the CRM did not introduce itself".to_owned()));
                }
                failure
            }
            Err(failure @ Failure::Refused(_)) => Some(failure),
            Err(failure) => {
                tracing::info!(link = &*self.link.name, why = failure.to_string(), "a post failed");
                let mut introduce = !matches!(failure, Failure::BadAnswer(_));
                match sent {
                    Sent::Introduction => return Some(failure),
                    Sent::Batch => self.poll_at = now + self.link.poll.unwrap_or_default().max(INTRODUCE_AFTER),
                    Sent::Message(qid) => self.undelivered(qid, &failure),
                    Sent::Method(qid) => {
                        // A method that fails says nothing of the link, unless nobody is there.
                        introduce = matches!(failure, Failure::Unreachable(_));
                        self.undelivered(qid, &failure);
                    }
                }
                if introduce {
                    self.introduce_at = self.introduce_at.min(now + INTRODUCE_AFTER);
                }
                None
            }
        }
    }

    /// Hands in what an answer held.
    fn received(&mut self, answers: Vec<Envelope>) -> Option<Failure> {
        let now = self.open.engine.now();
        let mut failure = None;
        for envelope in answers {
            self.dialog.handle_envelope(now, envelope);
            failure = failure.or_else(|| self.outputs());
        }
        failure
    }

    /// Carries out what the dialog says.
    fn outputs(&mut self) -> Option<Failure> {
        let mut batch = Vec::new();
        let mut failure = None;
        while let Some(output) = self.dialog.poll_output() {
            match output {
                Output::Deliver(envelope) => batch.push(envelope),
                Output::Transmit(text) if !self.dialog.is_open() && self.waiting.is_empty() => {
                    self.waiting.push_back(Job::Introduce(text));
                }
                Output::Transmit(text) if self.link.poll.is_some() => self.pending.push_said(text),
                Output::Transmit(text) => self.waiting.push_back(Job::Said(text)),
                Output::Opened(opened) => self.opened(*opened),
                Output::Close(reason) => failure = Some(Failure::Declined(reason.text.into_owned())),
                Output::Odd(what) => tracing::info!(peer = &*self.link.name, what, "odd message"),
                // Links need no login of their own, and have no socket to ping.
                Output::Authenticate(_) | Output::Ping => {}
            }
        }
        if !batch.is_empty() {
            self.open.engine.received(self.open.peer, &mut batch);
        }
        failure
    }

    fn opened(&mut self, opened: Opened) {
        let opening = Opening {
            address: self.link.server.address().map_or_else(Text::new, |a| a.to_string().into()),
            introduction: opened.introduction,
            post: true,
            polls: self.link.poll.is_some(),
            tls: self.link.server.is_tls(),
            ..Opening::default()
        };
        self.open.since = Some(Instant::now());
        self.open.engine.opened(self.open.peer, opened.identity, opening, Arc::clone(&self.outbox));
    }

    /// Tells whoever waits for the answer to a message that none will come.
    fn undelivered(&self, qid: Option<Qid>, failure: &Failure) {
        let why = match failure {
            Failure::BadAnswer(why) => Undelivered::BadAnswer(why.clone()),
            other => Undelivered::Failed(other.to_string()),
        };
        self.open.engine.handle(Input::Undelivered { peer: self.open.peer, qid, why });
    }

    /// When something is due though nothing happens.
    fn alarm(&self) -> Instant {
        let mut alarm = self.introduce_at;
        if let Some(due) = self.dialog.poll_timeout() {
            alarm = alarm.min(Instant::now() + due.since(self.open.engine.now()));
        }
        if self.ordered.is_some() && self.dialog.is_open() {
            if self.link.poll.is_some() {
                alarm = alarm.min(self.poll_at);
            }
            if !self.waiting.is_empty() {
                alarm = alarm.min(self.pace_until);
            }
        }
        if let Some((_, until)) = self.methods.front() {
            alarm = alarm.min(*until);
        }
        if let Some((_, until)) = &self.closing {
            alarm = alarm.min(*until);
        }
        alarm
    }

    fn time(&mut self) -> Option<Failure> {
        let now = Instant::now();
        if self.introduce_at <= now && self.dialog.is_open() {
            self.introduce_at = now + INTRODUCE_EVERY;
            self.introduce();
        }
        self.dialog.handle_timeout(self.open.engine.now());
        self.outputs()
    }

    /// Introduces ourselves again, before anything that waits.
    fn introduce(&mut self) {
        self.dialog.introduce();
        while let Some(output) = self.dialog.poll_output() {
            if let Output::Transmit(text) = output {
                self.waiting.push_front(Job::Introduce(text));
            }
        }
    }

    /// Whether nothing waits and nothing is under way but dynamic methods, which are not waited for.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.pending.is_empty() && self.ordered.is_some()
    }
}

impl Job {
    /// Whether it answers something, so that it waits for its pace.
    fn is_paced(&self) -> bool {
        match self {
            Self::Introduce(_) => false,
            Self::Message(message) => method::is_reply(&message.envelope().name),
            Self::Said(_) => true,
        }
    }
}

/// What is posted at once also to a link that polls: our calls, and what opens and closes forms. All else waits for the poll.
fn is_posted(name: &str) -> bool {
    matches!(
        name,
        "getavailablemethods"
            | "getavailableforms"
            | "getactiveusers"
            | "cancelmethod"
            | "executemethodwaitaborted"
            | "showform"
            | "closeform"
    )
}
