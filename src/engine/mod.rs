//! What owns the Hub. A task that has read a batch from its peer locks the Hub once, hands the batch in, moves what came out
//! into the outboxes (so that order is kept), lets go, and only then anybody writes. Nothing is awaited under the lock, and
//! no outlet can make it wait.

pub mod outbox;
mod tap;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ctigate_proto::Time;
use ctigate_proto::auth::throttle::{Throttle, ThrottleLimits};
use ctigate_proto::auth::{Attempt, Identity, LoginError, Who};
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::hub::input::{Ask, Opening, Ticket};
use ctigate_proto::hub::output::{Answer, Notice, Record};
use ctigate_proto::hub::{Hub, Input, Output};
use ctigate_proto::message::{Envelope, PeerId, Shared, Text};
use ctigate_proto::telephony::Command;
use dashmap::DashMap;
use tokio::sync::{Notify, oneshot};

pub use outbox::Outbox;
pub use tap::{Filter, Tail, TapLine, masked};

use tap::{Direction, Tap};

/// Where outputs go that are for no peer. None of them may wait; what cannot be taken is dropped by the outlet, which says so.
pub struct Outlets {
    /// The telephone system.
    pub pbx: Box<dyn Fn(Command) + Send + Sync>,
    /// The store.
    pub record: Box<dyn Fn(Record) + Send + Sync>,
    /// The log and the counters.
    pub notice: Box<dyn Fn(Notice) + Send + Sync>,
    /// The check of a password.
    pub accounts: Arc<dyn Accounts>,
}

/// Checks logins by password.
pub trait Accounts: Send + Sync {
    /// Whether the hashes of the attempt fit the account. Costs the same for an account that does not exist.
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>>;
}

/// The Hub and everything its outputs reach. Held in an `Arc` by whoever has something to tell it.
pub struct Engine {
    hub: Mutex<Hub>,
    start: Instant,
    /// The address book: who is open, and the queue towards them.
    peers: DashMap<PeerId, Entry>,
    next_peer: AtomicU64,
    /// Questions from outside that wait for their answer.
    asks: DashMap<Ticket, oneshot::Sender<Answer>>,
    next_ask: AtomicU64,
    /// When the Hub wants to be woken, microseconds since the start; `u64::MAX`: never.
    due: AtomicU64,
    alarm: Notify,
    throttle: Mutex<Throttle>,
    tap: Tap,
    outlets: Outlets,
}

/// One open peer.
struct Entry {
    outbox: Arc<Outbox>,
    address: IpAddr,
    /// The link's name, or the user's login, for people to read.
    link: Text,
    user: Text,
}

/// What became of a locked visit to the Hub: to be done after the lock is released.
#[derive(Default)]
struct After {
    wake: Vec<Arc<Outbox>>,
    logins: Vec<(Ticket, PeerId, Attempt)>,
    answers: Vec<(Ticket, Answer)>,
}

impl Engine {
    /// An engine around a Hub whose clock starts now.
    pub fn new(hub: Hub, outlets: Outlets) -> Arc<Self> {
        let engine = Self {
            hub: Mutex::new(hub),
            start: Instant::now(),
            peers: DashMap::new(),
            next_peer: AtomicU64::new(1),
            asks: DashMap::new(),
            next_ask: AtomicU64::new(1),
            due: AtomicU64::new(u64::MAX),
            alarm: Notify::new(),
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            tap: Tap::default(),
            outlets,
        };
        Arc::new(engine)
    }

    /// The node's clock.
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// A peer id that was never given before.
    pub fn next_peer(&self) -> PeerId {
        PeerId(self.next_peer.fetch_add(1, Ordering::Relaxed))
    }

    /// A peer is open: enters its outbox in the address book and tells the Hub. [`Self::closed`] is due, once.
    pub fn opened(self: &Arc<Self>, peer: PeerId, identity: Identity, opening: Opening, outbox: Arc<Outbox>) {
        let (link, user) = match identity.who() {
            Who::Link(name) => (name.clone(), Text::new()),
            Who::User { login, .. } => (Text::new(), login.clone()),
        };
        let address =
            opening.address.split(' ').next().and_then(|a| a.parse().ok()).unwrap_or(IpAddr::from([0, 0, 0, 0]));
        self.peers.insert(peer, Entry { outbox, address, link, user });
        self.visit([Input::Opened { peer, identity, opening }]);
    }

    /// What one peer sent, in order; empties `batch`.
    pub fn received(self: &Arc<Self>, peer: PeerId, batch: &mut Vec<Envelope>) {
        if self.tap.is_on() {
            batch.iter().for_each(|envelope| self.tap_line(Direction::In, peer, envelope));
        }
        self.visit(batch.drain(..).map(|envelope| Input::Received { peer, envelope }));
    }

    /// The peer is gone: leaves the address book, the Hub is told.
    pub fn closed(self: &Arc<Self>, peer: PeerId, reason: CloseReason) {
        self.visit([Input::Closed { peer, reason }]);
        self.peers.remove(&peer);
    }

    /// Anything else that happened.
    pub fn handle(self: &Arc<Self>, input: Input) {
        self.visit([input]);
    }

    /// Asks the Hub something and waits for the answer. Dropping the future withdraws the question.
    pub async fn ask(self: &Arc<Self>, ask: Ask) -> Answer {
        let ticket = Ticket(self.next_ask.fetch_add(1, Ordering::Relaxed));
        let (answer, awaited) = oneshot::channel();
        self.asks.insert(ticket, answer);
        let withdraw = Withdraw { engine: self, ticket };
        self.visit([Input::Ask { ticket, ask }]);
        let answer = awaited.await;
        drop(withdraw);
        answer.unwrap_or_else(|_| Answer::Refused(ctigate_proto::message::Code::Internal.into()))
    }

    /// Checks a login: by password with the accounts, by session with the Hub; counts failures by address.
    ///
    /// # Errors
    /// Why the login is refused.
    pub async fn authenticate(&self, attempt: &Attempt, address: IpAddr) -> Result<Identity, LoginError> {
        if self.throttle().check(self.now(), address, &attempt.login).is_err() {
            return Err(LoginError::Throttled);
        }
        let verdict = match &attempt.session {
            Some(session) if attempt.hash.is_none() && attempt.folded_hash.is_none() => {
                self.hub().check_session(self.now(), session, &attempt.login)
            }
            _ => self.outlets.accounts.verify(attempt).await,
        };
        let now = self.now();
        match &verdict {
            Ok(_) => self.throttle().succeeded(address, &attempt.login),
            Err(LoginError::WrongPassword | LoginError::NoSession | LoginError::ForeignSession) => {
                self.throttle().failed(now, address, &attempt.login);
            }
            Err(LoginError::NotAvailable | LoginError::NoSeat | LoginError::Throttled) => {}
        }
        verdict
    }

    /// The counter of failed logins, which the transport's own checks (Basic, Digest, tickets) share.
    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the Hub's time. Runs until `stop` is done.
    pub async fn run_timers(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        self.due.store(self.hub().poll_timeout().map_or(u64::MAX, Time::as_micros), Ordering::Release);
        loop {
            let due = self.due.load(Ordering::Acquire);
            let wait = Duration::from_micros(due.saturating_sub(self.now().as_micros())).min(Duration::from_secs(3600));
            tokio::select! {
                () = &mut stop => return,
                () = self.alarm.notified() => {}
                () = tokio::time::sleep(wait) => self.tick(),
            }
        }
    }

    /// Follows the messages that pass, as they pass.
    pub fn tail(&self, filter: Filter) -> Tail {
        self.tap.follow(filter)
    }

    /// How many peers are open, and the sizes of the Hub's tables.
    pub fn sizes(&self) -> (usize, ctigate_proto::hub::Sizes) {
        (self.peers.len(), self.hub().sizes())
    }

    /// Closes every peer with this reason, in the order of their arrival.
    pub fn peers(&self) -> Vec<PeerId> {
        let mut all: Vec<PeerId> = self.peers.iter().map(|e| *e.key()).collect();
        all.sort_unstable();
        all
    }

    /// Closes one peer after what waits for it was sent.
    pub fn close(&self, peer: PeerId, reason: CloseReason) {
        let outbox = self.peers.get(&peer).map(|e| Arc::clone(&e.outbox));
        if let Some(outbox) = outbox {
            outbox.close(reason);
            outbox.wake();
        }
    }

    fn tick(self: &Arc<Self>) {
        let now = self.now();
        let mut after = After::default();
        let mut hub = self.hub();
        hub.handle_timeout(now);
        self.hand_out(&mut hub, &mut after);
        drop(hub);
        self.finish(after);
    }

    fn visit(self: &Arc<Self>, inputs: impl IntoIterator<Item = Input>) {
        let now = self.now();
        let mut after = After::default();
        let mut hub = self.hub();
        for input in inputs {
            hub.handle(now, input);
            self.hand_out(&mut hub, &mut after);
        }
        drop(hub);
        self.finish(after);
    }

    /// Moves everything out of the Hub. Runs under the lock: outboxes are filled in the order in which things were decided.
    fn hand_out(&self, hub: &mut Hub, after: &mut After) {
        while let Some(output) = hub.poll_output() {
            match output {
                Output::Send { to, message } => self.push(to, &message, after),
                Output::Fan { to, message } => to.iter().for_each(|to| self.push(*to, &message, after)),
                Output::Close { peer, reason } => {
                    if let Some(entry) = self.peers.get(&peer) {
                        entry.outbox.close(reason);
                        after.wake.push(Arc::clone(&entry.outbox));
                    }
                }
                Output::Authenticate { ticket, peer, attempt } => after.logins.push((ticket, peer, attempt)),
                Output::Pbx(command) => (self.outlets.pbx)(command),
                Output::Record(record) => (self.outlets.record)(record),
                Output::Answer { ticket, answer } => after.answers.push((ticket, answer)),
                Output::Notice(notice) => (self.outlets.notice)(notice),
            }
        }
        let due = hub.poll_timeout().map_or(u64::MAX, Time::as_micros);
        if due < self.due.swap(due, Ordering::AcqRel) {
            self.alarm.notify_one();
        }
    }

    fn push(&self, to: PeerId, message: &Arc<Shared>, after: &mut After) {
        let Some(entry) = self.peers.get(&to) else { return };
        entry.outbox.push(message);
        // One wake per peer and batch: neighbours in the batch are usually for the same peer.
        if !after.wake.last().is_some_and(|last| Arc::ptr_eq(last, &entry.outbox)) {
            after.wake.push(Arc::clone(&entry.outbox));
        }
        drop(entry);
        if self.tap.is_on() {
            self.tap_line(Direction::Out, to, message.envelope());
        }
    }

    fn finish(self: &Arc<Self>, after: After) {
        after.wake.iter().for_each(|outbox| outbox.wake());
        for (ticket, answer) in after.answers {
            if let Some((_, waiter)) = self.asks.remove(&ticket) {
                // Whoever asked may just have gone.
                drop(waiter.send(answer));
            }
        }
        for (ticket, peer, attempt) in after.logins {
            let address = self.peers.get(&peer).map_or(IpAddr::from([0, 0, 0, 0]), |e| e.address);
            let engine = Arc::clone(self);
            tokio::spawn(async move {
                let verdict = engine.authenticate(&attempt, address).await;
                engine.handle(Input::Authenticated { ticket, verdict });
            });
        }
    }

    fn tap_line(&self, direction: Direction, peer: PeerId, envelope: &Envelope) {
        let (link, user) = self.peers.get(&peer).map(|e| (e.link.clone(), e.user.clone())).unwrap_or_default();
        self.tap.line(direction, &link, &user, envelope);
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

/// Withdraws a question whose asker is gone.
struct Withdraw<'a> {
    engine: &'a Arc<Engine>,
    ticket: Ticket,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if self.engine.asks.remove(&self.ticket).is_some() {
            self.engine.handle(Input::AskGone { ticket: self.ticket });
        }
    }
}
