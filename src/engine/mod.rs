//! What owns the Hub. A task that has read a batch from its peer locks the Hub once, hands the batch in, moves what came out
//! into the outboxes (so that order is kept), lets go, and only then has them emptied: mostly by writing to the sockets itself
//! ([`outbox::Taker`]). Whoever finds the Hub taken leaves its batch for whoever is there ([`inbox`]), instead of waiting. Nothing is awaited under the lock, and no outlet can make it wait.
//!
//! A panic under the lock may leave the Hub half changed. Nobody touches it again: every input from then on is dropped, every
//! question refused, [`Engine::fallen`] ends, and the node stops and is to be started anew with what the store kept.

mod inbox;
pub mod outbox;
mod pulse;
mod recorder;
mod story;
mod tap;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::auth::grant::{Grant, Scope};
use ctigate_proto::auth::throttle::{Throttle, ThrottleLimits};
use ctigate_proto::auth::{Attempt, Identity, LoginError, Who};
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::hub::archive::{Fetch, FetchResult};
use ctigate_proto::hub::input::{Ask, Opening, Ticket};
use ctigate_proto::hub::output::{Answer, Notice, Record};
use ctigate_proto::hub::trace::{Step, What};
use ctigate_proto::hub::{Hub, Input, Output};
use ctigate_proto::message::{Envelope, Format, PeerHash, PeerId, Shared, Text};
use ctigate_proto::telephony::Command;
use dashmap::DashMap;
use smallvec::SmallVec;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use outbox::{Outbox, Ready};
pub use pulse::{Follower, Part, Parts, Pulse};
pub use recorder::{Captured, Tape, Wanted};
pub use tap::{Filter, Shown, Tail, TapLine, masked};

use inbox::Inbox;
use outbox::AT_ONCE;
use recorder::Recorder;
use story::Story;
use tap::{Direction, Passing, Tap};

/// How long what promises something may wait until that is kept. A store that is away for longer must not keep everybody out:
/// then the promise is given all the same, and a kill may break it.
const KEEPING: Duration = Duration::from_secs(5);

/// The address of a peer that has none.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where outputs go that are for no peer. None of them may wait; what cannot be taken is dropped by the outlet, which says so.
pub struct Outlets {
    /// The telephone system.
    pub pbx: Box<dyn Fn(Command) + Send + Sync>,
    /// The store.
    pub record: Box<dyn Fn(Record) + Send + Sync>,
    /// The log and the counters.
    pub notice: Box<dyn Fn(Notice) + Send + Sync>,
    /// When everything recorded so far is kept; `None`: it is already.
    pub kept: Box<dyn Fn() -> Option<Kept> + Send + Sync>,
    /// The check of a password.
    pub accounts: Arc<dyn Accounts>,
    /// What lies outside the Hub.
    pub archive: Arc<dyn Archive>,
}

/// Answers what the Hub asks of things that are outside: the store, databases, files.
pub trait Archive: Send + Sync {
    /// The answer, or what whoever waits is told. What comes after [`ctigate_proto::hub::archive::FETCH_WAIT`] is dropped.
    fn fetch(&self, fetch: Fetch) -> Pin<Box<dyn Future<Output = FetchResult> + Send + '_>>;
}

/// Ends when something is kept.
pub type Kept = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Checks logins by password.
pub trait Accounts: Send + Sync {
    /// Whether the hashes of the attempt fit the account. Costs the same for an account that does not exist.
    fn verify<'a>(
        &'a self,
        attempt: &'a Attempt,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, LoginError>> + Send + 'a>>;

    /// What an integration key allows, if it is one that counts.
    fn grant(&self, key: &str) -> Option<Grant> {
        let _ = key;
        None
    }
}

/// The Hub and everything its outputs reach. Held in an `Arc` by whoever has something to tell it.
pub struct Engine {
    hub: Mutex<Hub>,
    /// What connections leave for whoever is at the Hub.
    inbox: Inbox,
    start: Instant,
    /// The address book: who is open, and the queue towards them.
    peers: DashMap<PeerId, Entry, PeerHash>,
    next_peer: AtomicU64,
    /// Questions from outside that wait for their answer.
    asks: DashMap<Ticket, oneshot::Sender<Answer>>,
    next_ask: AtomicU64,
    /// When the Hub wants to be woken, microseconds since the start; `u64::MAX`: never.
    due: AtomicU64,
    /// Until when the clock sleeps. It may be woken too early, never too late.
    armed: AtomicU64,
    alarm: Notify,
    throttle: Mutex<Throttle>,
    tap: Tap,
    story: Story,
    recorder: Recorder,
    pulse: Arc<Pulse>,
    outlets: Outlets,
    fallen: CancellationToken,
    /// Messages thrown away because their peer reads too slowly.
    dropped: AtomicU64,
}

/// One open peer.
struct Entry {
    outbox: Arc<Outbox>,
    /// Apart, so that to find an outbox takes one line of the cache.
    about: Box<About>,
}

/// What is known of a peer beside its outbox.
struct About {
    address: IpAddr,
    /// The link's name, or the user's login, for people to read.
    link: Text,
    user: Text,
    format: Option<Format>,
    /// The CLIENT_ID of a program.
    client: Text,
}

/// What became of a locked visit to the Hub: to be done after the lock is released.
#[derive(Default)]
struct After {
    wake: SmallVec<[Arc<Outbox>; 4]>,
    logins: Vec<(Ticket, PeerId, Attempt)>,
    fetches: Vec<(Ticket, Fetch)>,
    answers: Vec<(Ticket, Answer)>,
    promises: Vec<Promise>,
    /// What has changed, as far as somebody follows.
    changed: Option<Parts>,
}

/// What goes out once everything recorded is kept.
enum Promise {
    /// A tab's queue goes on, so that nothing overtakes the promise.
    Queue(Arc<Outbox>),
    /// One message among those of many people behind a link; the others do not wait for it.
    Message(PeerId, Arc<Shared>),
    /// The answer to a question from outside.
    Answer(Ticket, Answer),
}

impl Engine {
    /// An engine around a Hub whose clock starts now.
    pub fn new(hub: Hub, outlets: Outlets) -> Arc<Self> {
        Self::recording(hub, outlets, None)
    }

    /// The same, and what happens is written down from the beginning.
    pub fn recording(mut hub: Hub, outlets: Outlets, tape: Option<Tape>) -> Arc<Self> {
        hub.set_tracing(true);
        let engine = Self {
            hub: Mutex::new(hub),
            inbox: Inbox::default(),
            start: Instant::now(),
            peers: DashMap::default(),
            next_peer: AtomicU64::new(1),
            asks: DashMap::new(),
            next_ask: AtomicU64::new(1),
            due: AtomicU64::new(u64::MAX),
            armed: AtomicU64::new(u64::MAX),
            alarm: Notify::new(),
            throttle: Mutex::new(Throttle::new(ThrottleLimits::default())),
            tap: Tap::default(),
            story: Story::default(),
            recorder: Recorder::new(tape, rand::random()),
            pulse: Arc::default(),
            outlets,
            fallen: CancellationToken::new(),
            dropped: AtomicU64::new(0),
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
            Who::Program(grant) => match &grant.scope {
                Scope::Widget(login) => (Text::new(), login.clone()),
                Scope::Service(_) => (Text::new(), format!("key {}", grant.client).into()),
            },
        };
        let client = match identity.who() {
            Who::Program(grant) => grant.client.clone(),
            Who::Link(_) | Who::User { .. } => Text::new(),
        };
        let address = opening.address.split(' ').next().and_then(|a| a.parse().ok()).unwrap_or(NOWHERE);
        let about = Box::new(About { address, link, user, format: opening.format, client });
        self.peers.insert(peer, Entry { outbox, about });
        self.visit([Input::Opened { peer, identity, opening: Box::new(opening) }]);
    }

    /// What one peer sent, in order; empties `batch`. The Hub has seen it when this returns.
    pub fn received(self: &Arc<Self>, peer: PeerId, batch: &mut Vec<Envelope>) {
        self.show(peer, batch);
        self.visit(batch.drain(..).map(|envelope| Input::Received { peer, envelope }));
    }

    /// The same for whoever need not know when: a connection that goes on reading. Where somebody is at the Hub just now, the messages are
    /// left there, as long as there is room. They come before whatever else is said of this peer after them.
    ///
    /// What comes of it is framed at once, while it is at hand; to send it is left to the caller, who may hand in more before ([`Ready::send`]).
    pub fn hand_in(self: &Arc<Self>, peer: PeerId, batch: &mut Vec<Envelope>, ready: &mut Ready) {
        self.show(peer, batch);
        let mut here = self.inbox.enter();
        if !here && !self.fallen.is_cancelled() && self.inbox.put(peer, batch) {
            here = self.inbox.enter();
            if !here {
                return;
            }
        }
        if !here {
            return self.visit(batch.drain(..).map(|envelope| Input::Received { peer, envelope }));
        }
        while here {
            let mut after = self.after();
            let mut handled = 0;
            while here && handled < AT_A_TIME {
                let own = batch.drain(..).map(|envelope| Input::Received { peer, envelope });
                let Some(count) = self.handle_all(own, &mut after) else { return };
                handled += count;
                here = self.inbox.leave();
            }
            self.finish(after, ready);
        }
    }

    /// Shows it to whoever follows the messages.
    fn show(&self, peer: PeerId, batch: &[Envelope]) {
        if self.tap.is_on() {
            batch.iter().for_each(|envelope| self.tap_line(Direction::In, peer, envelope));
        }
        if tracing::enabled!(tracing::Level::DEBUG) {
            batch.iter().for_each(|envelope| self.log_line(peer, envelope));
        }
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
        self.visit([Input::Ask { ticket, ask: Box::new(ask) }]);
        if self.fallen.is_cancelled() {
            self.asks.remove(&ticket);
        }
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
                let hub = self.hub().ok_or(LoginError::NotAvailable)?;
                hub.check_session(self.now(), session, &attempt.login)
            }
            _ => self.outlets.accounts.verify(attempt).await,
        };
        let now = self.now();
        match &verdict {
            Ok(_) => self.throttle().succeeded(address, &attempt.login),
            Err(error @ (LoginError::WrongPassword | LoginError::NoSession | LoginError::ForeignSession)) => {
                self.throttle().failed(now, address, &attempt.login);
                let why = error.to_call_error().errormsg().into();
                self.tell_step(&attempt.login, What::LoginRefused { why });
            }
            Err(LoginError::NotAvailable | LoginError::NoSeat | LoginError::Throttled) => {}
        }
        verdict
    }

    /// What an integration key allows; counts failures by address.
    ///
    /// # Errors
    /// [`LoginError::WrongPassword`] for what is no key, [`LoginError::Throttled`].
    pub fn grant(&self, key: &str, address: IpAddr) -> Result<Grant, LoginError> {
        const ACCOUNT: &str = "integration key";
        let now = self.now();
        if self.throttle().check(now, address, ACCOUNT).is_err() {
            return Err(LoginError::Throttled);
        }
        let found = self.outlets.accounts.grant(key);
        match &found {
            Some(_) => self.throttle().succeeded(address, ACCOUNT),
            None => drop(self.throttle().failed(now, address, ACCOUNT)),
        }
        found.ok_or(LoginError::WrongPassword)
    }

    /// The counter of failed logins, which the transport's own checks (Basic, Digest, tickets) share.
    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the Hub's time. Runs until `stop` is done.
    pub async fn run_timers(self: Arc<Self>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        if let Some(hub) = self.hub() {
            self.due.store(hub.poll_timeout().map_or(u64::MAX, Time::as_micros), Ordering::Release);
        }
        loop {
            let due = self.due.load(Ordering::SeqCst);
            // Whoever has an earlier moment by now has seen this, or is seen below.
            self.armed.store(due, Ordering::SeqCst);
            if self.due.load(Ordering::SeqCst) < due {
                continue;
            }
            let wait = Duration::from_micros(due.saturating_sub(self.now().as_micros())).min(Duration::from_secs(3600));
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = self.fallen.cancelled() => return,
                () = tokio::time::sleep(wait) => self.tick(),
                () = self.alarm.notified() => {}
            }
        }
    }

    /// Follows the messages that pass, as they pass.
    pub fn tail(&self, filter: Filter) -> Tail {
        self.tap.follow(filter)
    }

    /// Remembers a decision of the shell beside those of the Hub.
    pub fn tell_step(&self, user: &str, what: What) {
        let (call, form) = (Text::new(), Text::new());
        let at_ms = i64::try_from(tap::unix_ms()).unwrap_or(i64::MAX);
        self.story.tell_once(Step { at_ms, call, form, user: user.into(), what });
    }

    /// The decisions that are remembered and wanted, oldest first.
    pub fn steps(&self, wanted: impl FnMut(&Step) -> bool) -> Vec<Step> {
        self.story.steps(wanted)
    }

    /// The decisions that are to outlive the node and were not taken yet.
    pub fn take_unkept_steps(&self) -> Vec<Step> {
        self.story.take_unkept()
    }

    /// A look at the Hub as it is. `None` when nobody may trust it any more. Short: everybody waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Hub) -> T) -> Option<T> {
        self.hub().map(|hub| look(&hub))
    }

    /// Whether decisions are remembered; they are, unless somebody wants to see what that costs.
    pub fn set_tracing(&self, on: bool) {
        if let Some(mut hub) = self.hub() {
            hub.set_tracing(on);
        }
    }

    /// Begins to capture what happens, in memory, with a bound. `None` when as many captures run as may.
    pub fn begin_capture(&self, wanted: Wanted) -> Option<u64> {
        self.recorder.begin(self.now(), i64::try_from(tap::unix_ms()).unwrap_or(i64::MAX), wanted)
    }

    /// Ends a capture; it can still be read. False when there is none of this id.
    pub fn end_capture(&self, id: u64) -> bool {
        self.recorder.end(self.now(), id)
    }

    /// All captures in memory, the oldest first.
    pub fn captures(&self) -> Vec<Captured> {
        self.recorder.list()
    }

    /// What a capture holds so far.
    pub fn captured(&self, id: u64) -> Option<bytes::Bytes> {
        self.recorder.lines(id)
    }

    /// Ends the capture that was begun with the node, and waits until it is written.
    pub fn end_tape(&self) {
        self.recorder.end_file(self.now());
    }

    /// Which parts of the node change, for whoever follows.
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// How many peers are open, and the sizes of the Hub's tables.
    pub fn sizes(&self) -> (usize, ctigate_proto::hub::Sizes) {
        (self.peers.len(), self.hub().map_or_else(Default::default, |hub| hub.sizes()))
    }

    /// How many messages wait in all outboxes, and in the longest.
    pub fn waiting(&self) -> (usize, usize) {
        self.peers.iter().map(|entry| entry.outbox.len()).fold((0, 0), |(all, most), n| (all + n, most.max(n)))
    }

    /// How many messages were thrown away because their peer reads too slowly.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Ends when a panic has left the Hub in a state that nobody may trust. Cancel safe.
    pub async fn fallen(&self) {
        self.fallen.cancelled().await;
    }

    /// Whether that has happened.
    pub fn has_fallen(&self) -> bool {
        self.fallen.is_cancelled()
    }

    /// Every open peer, in the order of their arrival.
    pub fn peers(&self) -> Vec<PeerId> {
        let mut all: Vec<PeerId> = self.peers.iter().map(|e| *e.key()).collect();
        all.sort_unstable();
        all
    }

    /// Whether anybody waits for an answer that this peer is to give or to get.
    pub fn is_busy(&self, peer: PeerId) -> bool {
        self.hub().is_some_and(|hub| hub.is_busy(peer))
    }

    /// Closes one peer after what waits for it was sent.
    pub fn close(&self, peer: PeerId, reason: CloseReason) {
        let outbox = self.peers.get(&peer).map(|e| Arc::clone(&e.outbox));
        if let Some(outbox) = outbox {
            outbox.close(reason);
            outbox.wake();
        }
    }

    /// Closes the connections of programs whose key counts no more.
    pub fn close_programs(&self, client: &str) {
        for entry in self.peers.iter().filter(|entry| !client.is_empty() && *entry.about.client == *client) {
            entry.outbox.close(CloseReason::new(1008, "the key counts no more"));
            entry.outbox.wake();
        }
    }

    fn tick(self: &Arc<Self>) {
        let now = self.now();
        let mut after = self.after();
        let watch = Fall(self);
        let Some(mut hub) = self.hub() else { return };
        if self.recorder.is_on() {
            self.recorder.time(now);
        }
        hub.handle_timeout(now);
        self.hand_out(&mut hub, &mut after);
        self.set_alarm(&hub);
        drop(hub);
        drop(watch);
        self.finish(after, &mut Ready::default());
    }

    fn visit(self: &Arc<Self>, inputs: impl IntoIterator<Item = Input>) {
        let mut after = self.after();
        if self.handle_all(inputs, &mut after).is_some() {
            self.finish(after, &mut Ready::default());
        }
    }

    fn after(&self) -> After {
        After { changed: self.pulse.is_on().then(Default::default), ..After::default() }
    }

    /// Has the Hub handle what was left for it and then these; says how many that were. `None`: nobody may touch it any more.
    fn handle_all(&self, inputs: impl IntoIterator<Item = Input>, after: &mut After) -> Option<usize> {
        let watch = Fall(self);
        let mut hub = self.hub()?;
        let now = self.now();
        let mut count = 0;
        let mut handle = |hub: &mut Hub, input: Input| {
            if self.recorder.is_on() {
                self.recorder.input(now, &input, |peer| self.whose(peer));
            }
            if let Some(changed) = &mut after.changed {
                changed.by_input(&input);
            }
            hub.handle(now, input);
            self.hand_out(hub, after);
            count += 1;
        };
        for (peer, envelope) in self.inbox.take(Vec::new()) {
            handle(&mut hub, Input::Received { peer, envelope });
        }
        for input in inputs {
            handle(&mut hub, input);
        }
        self.set_alarm(&hub);
        drop(hub);
        drop(watch);
        Some(count)
    }

    /// Moves everything out of the Hub. Runs under the lock: outboxes are filled in the order in which things were decided.
    fn hand_out(&self, hub: &mut Hub, after: &mut After) {
        let mut set = false;
        while let Some(output) = hub.poll_output() {
            if self.recorder.is_on() {
                self.recorder.output(self.now(), hub.take_twins(), &output, |peer| self.whose(peer));
            }
            if let Some(changed) = &mut after.changed {
                changed.by_output(&output);
            }
            match output {
                Output::Send { to, message } => self.push(to, message, after),
                Output::SendOnceKept { to, message } => self.push_once_kept(to, message, after),
                Output::Fan { to, message } => to.iter().for_each(|to| self.push(*to, Arc::clone(&message), after)),
                Output::Close { peer, reason } => {
                    if let Some(entry) = self.peers.get(&peer) {
                        entry.outbox.close(reason);
                        after.wake.push(Arc::clone(&entry.outbox));
                    }
                }
                Output::Authenticate { ticket, peer, attempt } => after.logins.push((ticket, peer, *attempt)),
                Output::Fetch { ticket, fetch } => after.fetches.push((ticket, *fetch)),
                Output::Pbx(command) => (self.outlets.pbx)(*command),
                Output::Record(record) => {
                    set |= matches!(record, Record::Kept(_) | Record::FormEnded { .. });
                    (self.outlets.record)(record);
                }
                // An open form is there after a restart too, and what a program set.
                Output::Answer { ticket, answer: answer @ Answer::FormOpened { .. } } => {
                    after.promises.push(Promise::Answer(ticket, answer));
                }
                Output::Answer { ticket, answer: answer @ Answer::Ran(_) } if set => {
                    after.promises.push(Promise::Answer(ticket, answer));
                }
                Output::Answer { ticket, answer } => after.answers.push((ticket, answer)),
                Output::Notice(notice) => (self.outlets.notice)(notice),
            }
        }
        if hub.has_steps() {
            self.story.hear(hub);
        }
    }

    /// Sees to it that the clock wakes in time. Before the lock is released.
    fn set_alarm(&self, hub: &Hub) {
        let due = hub.poll_timeout().map_or(u64::MAX, Time::as_micros);
        // Deadlines come and go with every call; only one before the moment at which the clock wakes anyway is worth a wake.
        self.due.store(due, Ordering::SeqCst);
        if due < self.armed.load(Ordering::SeqCst) {
            self.alarm.notify_one();
        }
    }

    fn push(&self, to: PeerId, message: Arc<Shared>, after: &mut After) {
        if self.tap.is_on() && self.peers.contains_key(&to) {
            self.tap_line(Direction::Out, to, message.envelope());
        }
        let Some(entry) = self.peers.get(&to) else { return };
        let pushed = entry.outbox.push(message);
        if pushed.dropped > 0 {
            self.dropped.fetch_add(pushed.dropped as u64, Ordering::Relaxed);
        }
        // One wake per peer and batch.
        if pushed.wake {
            after.wake.push(Arc::clone(&entry.outbox));
        }
    }

    fn push_once_kept(&self, to: PeerId, message: Arc<Shared>, after: &mut After) {
        let Some(tab) = self.peers.get(&to).map(|e| e.about.link.is_empty().then(|| Arc::clone(&e.outbox))) else {
            return;
        };
        match tab {
            Some(outbox) => {
                outbox.hold();
                self.push(to, message, after);
                after.promises.push(Promise::Queue(outbox));
            }
            None => after.promises.push(Promise::Message(to, message)),
        }
    }

    fn finish(self: &Arc<Self>, after: After, ready: &mut Ready) {
        wake(after.wake, ready);
        if let Some(changed) = after.changed {
            self.pulse.mark(changed);
        }
        if !after.promises.is_empty() {
            match (self.outlets.kept)() {
                None => self.give(after.promises),
                Some(kept) => {
                    let engine = Arc::clone(self);
                    tokio::spawn(async move {
                        if tokio::time::timeout(KEEPING, kept).await.is_err() {
                            tracing::warn!(
                                "the store does not keep a session or form in time; a kill now would lose it"
                            );
                        }
                        engine.give(after.promises);
                    });
                }
            }
        }
        for (ticket, fetch) in after.fetches {
            let (engine, archive) = (Arc::clone(self), Arc::clone(&self.outlets.archive));
            tokio::spawn(async move {
                let result = archive.fetch(fetch).await;
                engine.handle(Input::Fetched { ticket, result });
            });
        }
        for (ticket, answer) in after.answers {
            self.answer(ticket, answer);
        }
        for (ticket, peer, attempt) in after.logins {
            let address = self.peers.get(&peer).map_or(NOWHERE, |e| e.about.address);
            let engine = Arc::clone(self);
            tokio::spawn(async move {
                let verdict = engine.authenticate(&attempt, address).await;
                engine.handle(Input::Authenticated { ticket, verdict });
            });
        }
    }

    fn answer(&self, ticket: Ticket, answer: Answer) {
        if let Some((_, waiter)) = self.asks.remove(&ticket) {
            // Whoever asked may just have gone.
            drop(waiter.send(answer));
        }
    }

    /// Lets go what has waited.
    fn give(&self, promises: Vec<Promise>) {
        let mut after = After::default();
        for promise in promises {
            match promise {
                Promise::Queue(outbox) => {
                    outbox.release();
                    after.wake.push(outbox);
                }
                Promise::Message(to, message) => self.push(to, message, &mut after),
                Promise::Answer(ticket, answer) => self.answer(ticket, answer),
            }
        }
        wake(after.wake, &mut Ready::default());
    }

    /// The link and the user of a peer.
    fn whose(&self, peer: PeerId) -> (Text, Text) {
        self.peers.get(&peer).map(|e| (e.about.link.clone(), e.about.user.clone())).unwrap_or_default()
    }

    /// What ties a frame to all that follows from it: its peer and `qid` stand in the line about the order it leads to.
    fn log_line(&self, peer: PeerId, envelope: &Envelope) {
        let from = self.peers.get(&peer).map(|e| (e.about.link.clone(), e.about.user.clone())).unwrap_or_default();
        let qid = envelope.qid().as_ref().and_then(ctigate_proto::message::Qid::to_text).unwrap_or_default();
        tracing::debug!(
            peer = peer.0,
            qid = &*qid,
            method = &*envelope.name,
            link = &*from.0,
            user = &*from.1,
            "received"
        );
    }

    fn tap_line(&self, direction: Direction, peer: PeerId, envelope: &Envelope) {
        let known = self.peers.get(&peer).map(|e| (e.about.link.clone(), e.about.user.clone(), e.about.format));
        let (link, user, format) = known.unwrap_or_default();
        self.tap.line(&Passing { direction, peer, link: &link, user: &user, format, envelope });
    }

    /// The Hub, unless a panic has left it half changed.
    fn hub(&self) -> Option<MutexGuard<'_, Hub>> {
        self.hub.lock().ok()
    }
}

/// How many inputs one task has handled before it sends what came of them.
const AT_A_TIME: usize = 256;

/// Frames what was put into these outboxes; it is sent when many are ready or the caller says so: so a call to the kernel, which takes much
/// of the cache for itself, is not followed by work on messages but by the next call.
///
/// To empty one is mostly a write to a socket; a message to everybody must not hold up whoever caused it, and may use all threads. So where
/// there are many, tasks of their own see to most of them.
fn wake(mut all: SmallVec<[Arc<Outbox>; 4]>, ready: &mut Ready) {
    if all.len() > 2 * AT_ONCE
        && let Ok(runtime) = tokio::runtime::Handle::try_current()
    {
        while all.len() > AT_ONCE {
            let some: Vec<_> = all.drain(all.len() - AT_ONCE..).collect();
            runtime.spawn(async move {
                let mut ready = Ready::default();
                some.into_iter().for_each(|outbox| ready.wake(outbox));
            });
        }
    }
    all.into_iter().for_each(|outbox| ready.wake(outbox));
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

/// Stands beside a visit: when the visit ends by a panic, all who wait are let go and the node hears of it.
struct Fall<'a>(&'a Engine);

impl Drop for Fall<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fallen.cancel();
            self.0.asks.clear();
        }
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

#[cfg(test)]
mod tests;
