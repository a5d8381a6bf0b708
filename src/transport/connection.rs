//! The pump: one task for each connection, socket ⇄ Dialog ⇄ engine. It decides nothing: what a message means is the
//! Dialog's business and the Hub's. It reads a batch and hands it in at once; what comes of it is written at once, to whichever
//! socket it is for. What a socket did not take is written by its own pump.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::auth::{Attempt, LoginError, Who};
use ctigate_proto::codec;
use ctigate_proto::dialog::{self, CloseReason, Dialog, Opened, Output, Role};
use ctigate_proto::hub::input::Opening;
use ctigate_proto::message::{Body, Envelope, Format, PeerId, Qid, Text};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::engine::{Engine, Outbox, Ready, outbox};
use crate::telemetry::metrics::Traffic;
use crate::telemetry::{Event, Telemetry};

use super::Transport;
use super::limit::Permit;
use super::line::{Serves, Stuck};
use super::socket::{Heard, Socket};

/// How many messages of one peer are taken in one turn, so that no peer holds up the others of its thread.
const BATCH: usize = 64;

/// How many of them are handed in together: what few messages take of the heap is there again for the next few, and still in the cache. With
/// fewer, code is fetched anew more often.
const AT_HAND: usize = 8;

thread_local! {
    /// Where messages lie that are read and not handed in yet, of whichever connection reads on this thread: it is empty between two turns.
    static READ: Cell<Vec<Envelope>> = const { Cell::new(Vec::new()) };
}

/// How long a peer may take nothing while something is to be written.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long the check of a login may take.
const LOGIN_PATIENCE: Duration = Duration::from_secs(10);

/// How long last words may take, and how long the peer's own may.
const GOODBYE: Duration = Duration::from_secs(3);

/// What a connection begins with, once its handshake is done.
#[derive(Debug)]
pub(super) struct Start {
    /// Whose connection it is.
    pub role: Role,
    /// The format, if the sub-protocol named one.
    pub format: Option<Format>,
    /// What the dialog is allowed.
    pub dialog: Arc<dialog::Settings>,
    /// How much may wait for the peer.
    pub outbox: outbox::Limit,
    /// Where the peer connects from, or where we dialed to.
    pub address: IpAddr,
    /// Whether TLS is between us, also when a trusted proxy ends it.
    pub tls: bool,
    /// Who it is, for the log.
    pub name: Text,
    /// What counts the connection, where it is counted.
    pub permit: Option<Permit>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Why.
    pub reason: CloseReason,
    /// How long the peer was open; `None` when it never was.
    pub open_for: Option<Duration>,
}

/// Runs a connection to its end. Tells the engine of its beginning and its end, whatever happens. The future holds the pump
/// and little else: what is large and rare (a login, the end) is boxed when it comes.
pub(super) fn run(
    transport: &Arc<Transport>,
    mut socket: Socket,
    start: Start,
) -> impl Future<Output = Ended> + Send + use<> {
    let engine = Arc::clone(&transport.engine);
    let peer = engine.next_peer();
    let outbox = Outbox::new(start.outbox);
    let is_link = matches!(start.role, Role::Link(_));
    let link = is_link.then(|| start.name.clone());
    let kept = (transport.register(peer, &outbox, link), start.permit);
    let telemetry = transport.telemetry.clone();
    let kind = if is_link { "link" } else { "tab" };
    let told = Told::new(telemetry.clone(), kind);
    let now = engine.now();
    let dialog = Dialog::new(now, start.role, start.format, start.dialog);
    socket.serve(Serves { writer: dialog.writer(), telemetry: telemetry.clone(), is_link, deflate: None }, &outbox);
    let mut pump = Pump {
        telemetry,
        dialog,
        socket,
        open: Open::new(engine, peer),
        outbox,
        is_link,
        tls: start.tls,
        about: Box::new(About { format: start.format, address: start.address, name: start.name }),
        batch: Vec::new(),
        ready: Ready::default(),
        is_to_send: true,
        heard: 0,
        now,
        armed: None,
        is_watched: false,
        is_fresh: false,
    };
    async move {
        let alarm = sleep_until(Instant::now() + FAR);
        tokio::pin!(alarm);
        let mut begun = pump.settle().await;
        let end = loop {
            if let Some(end) = begun.take() {
                break end;
            }
            match pump.turn(alarm.as_mut()).await {
                Turn::Again => {}
                Turn::End(end) => break end,
            }
        };
        let ended = Box::pin(pump.end(end)).await;
        told.ended(ended.reason.code);
        drop(kept);
        ended
    }
}

/// Counts a connection while it lives, however it ends.
struct Told {
    telemetry: Telemetry,
    kind: &'static str,
    code: u16,
}

impl Told {
    fn new(telemetry: Telemetry, kind: &'static str) -> Self {
        telemetry.event(Event::Connected { peer: kind });
        Self { telemetry, kind, code: 0 }
    }

    fn ended(mut self, code: u16) {
        self.code = code;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.telemetry.event(Event::Disconnected { peer: self.kind, code: self.code });
        if std::thread::panicking() {
            self.telemetry.event(Event::Panicked { task: "connection" });
        }
    }
}

/// What one turn of the loop ends in.
enum Turn {
    Again,
    End(End),
}

/// What the loop was woken by.
enum Woken {
    Heard(Heard),
    /// Something is left in the outbox.
    Filled,
    Time,
}

/// Why the loop ends.
enum End {
    /// We close.
    Ours(CloseReason),
    /// The peer closed; its echo waits to be written.
    Theirs(CloseReason),
    /// The peer broke the rules.
    Broken(CloseReason),
    /// The peer takes nothing.
    Slow,
    /// The connection is gone.
    Gone(String),
}

/// What takes time, or ends all.
enum Step {
    Login(Box<Attempt>),
    End(End),
}

impl From<Stuck> for End {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Slow => Self::Slow,
            Stuck::Broken(e) => Self::Gone(e.to_string()),
        }
    }
}

/// Tells the engine of the end, exactly once, if it was told of the beginning; also when the task panics.
pub(super) struct Open {
    pub engine: Arc<Engine>,
    pub peer: PeerId,
    /// Since when, once it was told.
    pub since: Option<Instant>,
    /// What is told at the end, once it is known.
    pub reason: Option<Box<CloseReason>>,
}

impl Open {
    pub(super) fn new(engine: Arc<Engine>, peer: PeerId) -> Self {
        Self { engine, peer, since: None, reason: None }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.since.is_some() {
            let reason = self.reason.take().map_or(CloseReason::new(0, "the task ended"), |reason| *reason);
            self.engine.closed(self.peer, reason);
        }
    }
}

struct Pump {
    dialog: Dialog,
    socket: Socket,
    open: Open,
    telemetry: Telemetry,
    outbox: Arc<Outbox>,
    is_link: bool,
    tls: bool,
    /// What is rarely looked at lies elsewhere: what every message passes is to take few lines of the cache.
    about: Box<About>,
    /// What was read and not handed in yet, and what has come of what was.
    batch: Vec<Envelope>,
    ready: Ready,
    /// Whether there may be something to write that nobody else writes: words of our own, or what an outbox's taker has left. By TLS always, which
    /// has words of its own.
    is_to_send: bool,
    heard: u64,
    /// The moment of what is handled now: one look at the clock for a batch.
    now: Time,
    /// Until when the alarm is set, by the engine's clock.
    armed: Option<Time>,
    /// Whether it was asked since it was set, and so wakes this task.
    is_watched: bool,
    /// Whether nothing was waited for since `now`.
    is_fresh: bool,
}

/// What is rarely asked of a connection.
struct About {
    format: Option<Format>,
    address: IpAddr,
    name: Text,
}

impl Pump {
    /// Writes what is left to write, then waits for something and handles it.
    async fn turn(&mut self, mut alarm: Pin<&mut Sleep>) -> Turn {
        // Looked at here too: whoever sends without a pause must not keep what waits for it from going.
        if self.outbox.take_filled() || self.is_to_send {
            self.is_fresh = false;
            match self.socket.send(&self.outbox).await {
                Ok(None) => self.is_to_send = self.tls,
                Ok(Some(reason)) => return Turn::End(End::Ours(reason)),
                Err(stuck) => return Turn::End(stuck.into()),
            }
        }
        // By hand, because a peer that sends without a pause would never let the alarm have its turn.
        if self.is_due() {
            self.is_fresh = false;
            if let Some(end) = self.time().await {
                return Turn::End(end);
            }
            // A ping goes now, not with whatever comes next.
            if self.is_to_send && !self.is_due() {
                return Turn::Again;
            }
        }
        self.set_alarm(alarm.as_mut());
        // To ask the alarm costs memory that a quiet connection has in no cache. It was asked already, and has not rung.
        let mut is_heard =
            std::mem::take(&mut self.is_fresh) && self.is_watched && self.armed.is_some_and(|armed| armed > self.now);
        let woken = poll_fn(|cx| {
            if let Poll::Ready(heard) = self.socket.poll_next(cx) {
                return Poll::Ready(Woken::Heard(heard));
            }
            if self.outbox.poll_ready(cx).is_ready() {
                return Poll::Ready(Woken::Filled);
            }
            if std::mem::take(&mut is_heard) {
                return Poll::Pending;
            }
            self.is_watched = true;
            alarm.as_mut().poll(cx).map(|()| Woken::Time)
        });
        match woken.await {
            Woken::Heard(heard) => return self.read(heard).await,
            Woken::Filled => {
                self.is_to_send = true;
                // Many write to a link: let them, once, so that one write takes it all.
                if self.is_link {
                    tokio::task::yield_now().await;
                }
            }
            Woken::Time => {
                self.now = self.open.engine.now();
                self.armed = None;
            }
        }
        Turn::Again
    }

    fn is_due(&self) -> bool {
        self.dialog.poll_timeout().is_some_and(|due| due <= self.now)
    }

    /// One of the dialog's deadlines has come.
    async fn time(&mut self) -> Option<End> {
        let heard = self.socket.heard();
        if heard != std::mem::replace(&mut self.heard, heard) {
            self.dialog.handle_alive(self.now);
        }
        self.dialog.handle_timeout(self.now);
        let end = self.settle().await;
        self.deliver();
        end
    }

    /// Arms the alarm for the dialog's next deadline. An alarm that is too early is left alone: it costs one empty call, moving
    /// it with every message would cost more.
    fn set_alarm(&mut self, alarm: Pin<&mut Sleep>) {
        let due = self.dialog.poll_timeout().unwrap_or(self.now + FAR);
        if self.armed.is_none_or(|armed| due < armed) {
            alarm.reset(Instant::now() + due.since(self.open.engine.now()));
            self.armed = Some(due);
            self.is_watched = false;
        }
    }

    /// Handles what was heard, and what else is here already.
    async fn read(&mut self, first: Heard) -> Turn {
        self.now = self.open.engine.now();
        let mut end = self.handle(first);
        let mut taken = 1;
        loop {
            if end.is_none() {
                end = self.settle().await;
            }
            self.socket.set_limit(self.dialog.max_message());
            if self.batch.len() >= AT_HAND {
                self.hand_in();
            }
            if end.is_some() || taken >= BATCH {
                break;
            }
            match self.socket.next_if_here() {
                Some(heard) => end = self.handle(heard),
                None => break,
            }
            taken += 1;
        }
        self.deliver();
        self.is_fresh = true;
        match end {
            Some(end) => Turn::End(end),
            None => Turn::Again,
        }
    }

    fn handle(&mut self, heard: Heard) -> Option<End> {
        let now = self.now;
        // The library may have answered what is no text.
        self.is_to_send |= !matches!(heard, Heard::Text(_));
        match heard {
            Heard::Text(text) => self.dialog.handle_text(now, &text),
            Heard::Binary(_) => self.dialog.handle_binary(now),
            Heard::Alive => self.dialog.handle_alive(now),
            Heard::Close(reason) => return Some(End::Theirs(reason)),
            Heard::Broken(reason) => return Some(End::Broken(reason)),
            Heard::Gone(why) => return Some(End::Gone(why)),
        }
        None
    }

    /// Carries out all that the dialog says, with a login's check where it wants one.
    async fn settle(&mut self) -> Option<End> {
        loop {
            match self.outputs()? {
                Step::End(end) => return Some(end),
                Step::Login(attempt) => Box::pin(self.authenticate(attempt)).await,
            }
        }
    }

    /// Carries out what the dialog says, as far as that takes no time.
    fn outputs(&mut self) -> Option<Step> {
        while let Some(output) = self.dialog.poll_output() {
            match output {
                Output::Deliver(envelope) => {
                    if self.batch.capacity() == 0 {
                        self.batch = READ.take();
                    }
                    self.batch.push(envelope);
                }
                Output::Transmit(text) => {
                    self.is_to_send = true;
                    self.socket.put_text(&text);
                }
                Output::Ping => self.ping(),
                Output::Authenticate(attempt) => return Some(Step::Login(attempt)),
                Output::Opened(opened) => self.opened(*opened),
                Output::Close(reason) => return Some(Step::End(End::Ours(reason))),
                Output::Odd(what) => {
                    self.traffic().refused.inc();
                    tracing::info!(peer = &*self.about.name, address = %self.about.address, what, "odd message");
                }
            }
        }
        None
    }

    /// A ping of the WebSocket, or of the protocol where the WebSocket has none.
    fn ping(&mut self) {
        self.is_to_send = true;
        if !self.socket.put_ping()
            && let Some(format) = self.about.format
        {
            let ping = Envelope::new("ping", Body::new().with("qid", Qid::ours("alive")));
            self.socket.put_text(&codec::encode(&ping, format));
        }
    }

    /// Has a login checked. What was read before it is handed in first; nothing is read meanwhile.
    async fn authenticate(&mut self, attempt: Box<Attempt>) {
        self.deliver();
        let check = self.open.engine.authenticate(&attempt, self.about.address);
        let verdict = timeout(LOGIN_PATIENCE, check).await.unwrap_or(Err(LoginError::NotAvailable));
        self.telemetry.event(Event::Login { verdict: verdict.as_ref().map(drop).map_err(|why| *why) });
        if let Err(why) = &verdict {
            tracing::info!(peer = &*self.about.name, address = %self.about.address, login = &*attempt.login, ?why, "login refused");
        }
        self.now = self.open.engine.now();
        self.dialog.handle_verdict(self.now, verdict);
    }

    fn opened(&mut self, opened: Opened) {
        match opened.identity.who() {
            Who::User { login, .. } => self.about.name = login.clone(),
            Who::Program(grant) => self.about.name = format!("key {}", grant.client).into(),
            Who::Link(_) => {}
        }
        tracing::debug!(peer = &*self.about.name, address = %self.about.address, "peer is open");
        let opening = Opening {
            qid: opened.qid,
            expires: opened.expires,
            subscribed: opened.subscribed,
            format: self.dialog.writer().map(|writer| writer.format),
            address: self.about.address.to_string().into(),
            introduction: opened.introduction,
            tls: self.tls,
            ..Opening::default()
        };
        self.open.since = Some(Instant::now());
        self.open.engine.opened(self.open.peer, opened.identity, opening, Arc::clone(&self.outbox));
    }

    fn traffic(&self) -> &Traffic {
        self.telemetry.metrics().traffic(self.is_link)
    }

    /// Hands what was read to the Hub, and sends what has come of that and of what was handed in before.
    fn deliver(&mut self) {
        self.hand_in();
        self.ready.send();
    }

    /// Hands what was read to the Hub. [`Self::deliver`] is due before anything is waited for.
    fn hand_in(&mut self) {
        if !self.batch.is_empty() {
            self.traffic().received.add(self.batch.len() as u64);
            self.open.engine.hand_in(self.open.peer, &mut self.batch, &mut self.ready);
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            if batch.capacity() <= BATCH {
                READ.set(batch);
            }
        }
    }

    /// Tells the engine and the log, then says goodbye as the end demands it.
    async fn end(self, end: End) -> Ended {
        let reason = match &end {
            End::Ours(reason) | End::Theirs(reason) | End::Broken(reason) => reason.clone(),
            End::Slow => CloseReason::SLOW,
            End::Gone(why) => CloseReason::with_text(0, why.clone()),
        };
        self.log(&end, &reason);
        let open_for = self.open.since.map(|since| since.elapsed());
        let Self { mut socket, mut open, outbox, dialog, .. } = self;
        open.reason = Some(Box::new(reason.clone()));
        drop(open);
        drop(outbox);
        drop(dialog);
        socket.retire(GOODBYE);
        match end {
            End::Ours(reason) if reason.code == 0 => socket.abandon(),
            End::Ours(reason) => {
                socket.put_close(&reason);
                if socket.flush().await.is_err() {
                    socket.abandon();
                } else {
                    // What the peer still says before its own close is of no interest.
                    let answered = async {
                        while !matches!(socket.next().await, Heard::Close(_) | Heard::Gone(_) | Heard::Broken(_)) {}
                    };
                    let _ = timeout(GOODBYE, answered).await;
                    socket.linger(GOODBYE).await;
                }
            }
            End::Theirs(_) => {
                if socket.flush().await.is_ok() {
                    socket.linger(GOODBYE).await;
                }
            }
            End::Broken(reason) => {
                socket.put_close(&reason);
                if socket.flush().await.is_ok() {
                    socket.linger(GOODBYE).await;
                }
            }
            End::Slow => {
                // It will hardly read this either: one short try, then what waits is thrown away.
                socket.retire(Duration::from_millis(200));
                socket.put_close(&reason);
                let _ = socket.flush().await;
                socket.abandon();
            }
            End::Gone(_) => {}
        }
        Ended { reason, open_for }
    }

    /// The one line about the end of this connection. Links are few and their ends matter; tabs come and go, and sockets that
    /// only ever ping are how clients look for a server.
    fn log(&self, end: &End, reason: &CloseReason) {
        let (peer, address, code) = (&*self.about.name, self.about.address, reason.code);
        let (why, open) = (&*reason.text, self.open.since.is_some());
        let by = match end {
            End::Ours(_) => "us",
            End::Theirs(_) | End::Gone(_) => "the peer",
            End::Broken(_) => "us: it broke the rules of frames",
            End::Slow => "us: it reads nothing",
        };
        match end {
            End::Broken(_) | End::Slow => {
                tracing::warn!(peer, %address, code, why, open, by, "connection closed");
            }
            _ if self.is_link || (code != 1000 && code != 1001 && code != 0) => {
                tracing::info!(peer, %address, code, why, open, by, "connection closed");
            }
            _ => tracing::debug!(peer, %address, code, why, open, by, "connection closed"),
        }
    }
}

/// When the dialog has no deadline.
const FAR: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests;
