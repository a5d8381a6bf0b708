//! Machine two: the state of a node. Envelopes, telephone events, verdicts and questions go in; messages to send, orders for
//! the telephone system, facts to keep and answers come out. It sees no bytes of a format it would have to read itself, and
//! no peer whose identity was not checked.
//!
//! How to drive it: [`Hub::handle`] for what happens, then [`Hub::poll_output`] until `None`; [`Hub::handle_timeout`] when
//! [`Hub::poll_timeout`] has come. Read [`input`] and [`output`] first; then each file owns one table:
//!
//! - `link`: the CRMs, what they offer, their tunnels; - `session`, `user`: who people are and where; - `call`: calls and phones;
//! - `dynamic` (with `declaration`, `circuit`): methods the CRM answers; - `form`: cards and what becomes of them; - `gap`: after lost events;
//! - `chat`, `word`, `file`: what people write and send each other; - `fetch` (with [`archive`]): calls that wait for something outside;
//! - `reconfigure`: other people, links and rules while the node runs; - `trace`: what the Hub tells of its decisions;
//! - `reconfigure`: other people, links and rules while the node runs;
//! - `program`: programs with an integration key;
//! - `subscription`: who hears what; `fit`: what is too long for a tab; - `route` and `rpc`: from a message to who handles it; - `timer`, `ids`: time and names.

pub mod archive;
mod call;
mod chat;
mod circuit;
mod conference;
pub mod declaration;
mod dynamic;
mod fetch;
mod file;
mod fit;
mod form;
mod gap;
mod ids;
pub mod input;
mod line;
mod link;
mod order;
pub mod output;
mod program;
mod reconfigure;
mod redirect;
mod rights;
mod route;
mod rpc;
mod session;
pub mod settings;
pub mod snapshot;
mod state;
mod subscription;
mod timer;
pub mod trace;
mod user;
mod view;
mod word;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use smallvec::SmallVec;

use crate::Time;
use crate::calls::Calls;
use crate::message::{CloseReason, Format, PeerHash, PeerId, Text};

pub use input::Input;
pub use output::Output;
pub use rights::Rights;
pub use route::BEFORE_CHANGE;
pub use rpc::procedure::OLD_PASSWORD_IS_WRONG;
pub use settings::Settings;
pub use snapshot::Snapshot;

use chat::Chats;
use conference::Watches;
use dynamic::Executions;
use fetch::Fetches;
use file::Files;
use form::Forms;
use ids::{ExecutionId, Ids};
use input::Ticket;
use link::Links;
use order::Orders;
use program::Service;
use redirect::Redirects;
use route::PendingLogin;
use session::Sessions;
use subscription::{Event, Subscriptions};
use timer::{Timer, Timers};
use trace::{About, Trace, What};
use user::{UserIx, Users};
use word::WaitingTexts;

/// How often ended things are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The state of a node.
#[derive(Debug)]
pub struct Hub {
    settings: Settings,
    /// The latest moment that was handed in.
    now: Time,
    out: VecDeque<Output>,
    ids: Ids,
    timers: Timers,
    peers: HashMap<PeerId, Peer, PeerHash>,
    links: Links,
    /// Open peers that are services.
    services: Vec<PeerId>,
    users: Users,
    sessions: Sessions,
    executions: Executions,
    forms: Forms,
    calls: Calls,
    orders: Orders,
    watches: Watches,
    redirects: Redirects,
    chats: Chats,
    texts: WaitingTexts,
    files: Files,
    fetches: Fetches,
    /// Logins that came through a link and are being checked.
    logins: HashMap<Ticket, PendingLogin>,
    next_ticket: u64,
    next_call: u64,
    trace: Trace,
}

/// A peer that is open.
#[derive(Debug)]
enum Peer {
    /// The connection of a link.
    Link(usize),
    /// A direct tab.
    Tab(Tab),
    /// A program with the key of a service.
    Service(Service),
}

/// A direct tab. What every call looks at comes first and lies together, in the order that stands here.
#[derive(Debug)]
#[repr(C)]
struct Tab {
    user: UserIx,
    /// Executions it asked for.
    asked: SmallVec<[ExecutionId; 1]>,
    /// The rights of the key it came by.
    limit: Option<Rights>,
    /// Set by a logout: nothing more is read from it.
    leaving: bool,
    /// Hash of the session it uses; empty: it came by a key.
    session: Text,
    subscriptions: Subscriptions,
    format: Option<Format>,
    address: Text,
    tls: bool,
    since_ms: i64,
    /// When it last said that it has the focus.
    focus: Option<Time>,
    has_focus: bool,
    /// Executions it was asked to carry out.
    serving: Vec<ExecutionId>,
}

impl Peer {
    /// Executions it has a note of.
    fn noted(&self) -> usize {
        match self {
            Self::Link(_) | Self::Service(_) => 0,
            Self::Tab(tab) => tab.asked.len() + tab.serving.len(),
        }
    }
}

impl Tab {
    fn hears(&self, event: Event) -> bool {
        !self.leaving && self.subscriptions.has(event)
    }
}

impl Hub {
    /// A node at its start: links down, nobody here. What a store kept is put back with [`Self::restore_session`] and
    /// [`Self::restore_form`] before the first peer opens.
    pub fn new(settings: Settings) -> Self {
        let users = Users::new(settings.accounts.clone(), &settings.numbers);
        let links = Links::new(&settings.links, &users, settings.wall_ms);
        let mut timers = Timers::default();
        timers.set(Time::ZERO + SWEEP_EVERY, Timer::Sweep);
        Self {
            now: Time::ZERO,
            out: VecDeque::new(),
            ids: Ids::new(settings.seed),
            timers,
            peers: HashMap::default(),
            links,
            services: Vec::new(),
            sessions: Sessions::new(users.len()),
            users,
            executions: Executions::default(),
            forms: Forms::default(),
            calls: Calls::new(inside(&settings)),
            orders: Orders::default(),
            watches: Watches::default(),
            redirects: Redirects::default(),
            chats: Chats::default(),
            texts: WaitingTexts::default(),
            files: Files::default(),
            fetches: Fetches::default(),
            logins: HashMap::new(),
            next_ticket: 1,
            next_call: 1,
            trace: Trace::default(),
            settings,
        }
    }

    /// A node that does as another did: it draws the same ids, from the seed that [`Self::begin_twin`] gave (as the settings' seed), and
    /// secrets of its own. For reading what was written down; never for people.
    pub fn replica(settings: Settings) -> Self {
        let ids = Ids::of_replica(settings.seed);
        Self { ids, ..Self::new(settings) }
    }

    /// From now on it is noted what a replica will draw for each secret; to be called before anything happens. Gives the seed of the
    /// replica, by which no secret can be found.
    pub fn begin_twin(&mut self) -> [u8; 32] {
        self.ids.begin_twin()
    }

    /// The secrets made since this was called last, each with what a replica draws instead. Only after [`Self::begin_twin`].
    pub fn take_twins(&mut self) -> Vec<(Text, Text)> {
        self.ids.take_twins()
    }

    /// Something happened at `now`. Cheap, and never fails for reasons of the world.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Received { peer, envelope } => self.received(peer, envelope),
            Input::Opened { peer, identity, opening } => self.opened(peer, &identity, *opening),
            Input::Undelivered { peer, qid, why } => self.undelivered(peer, qid.as_ref(), &why),
            Input::EventsLost { peer } => self.events_lost(peer),
            Input::Closed { peer, reason } => self.closed(peer, &reason),
            Input::LinkState { link, state } => self.link_state(&link, state),
            Input::Authenticated { ticket, verdict } => self.login_checked(ticket, verdict),
            Input::Pbx(event) => self.telephone(event),
            Input::Ask { ticket, ask } => self.asked(ticket, *ask),
            Input::Fetched { ticket, result } => self.fetched(ticket, result),
            Input::Reconfigure(choices) => self.reconfigure(*choices),
            Input::AskGone { ticket } => self.asker_gone(ticket),
        }
    }

    /// Time has passed; safe to call early or twice.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.pop(self.now) {
            match timer {
                Timer::ExecutionDeadline(id) => self.execution_deadline(id),
                Timer::ExecutionLate(id) => self.execution_expired(id),
                Timer::FormExpires(id) => self.form_expires(&id),
                Timer::UserLeaves(user) => self.user_leaves(user),
                Timer::TunnelGrace(link) => self.tunnel_grace_over(link),
                Timer::Question(link, qid) => self.question_unanswered(link, &qid),
                Timer::TellAnew(link, user) => self.tell_link_anew(link, user),
                Timer::ContestOver(link) => self.contest_over(link),
                Timer::Order(order) => self.order_unanswered(order),
                Timer::Login(ticket) => self.login_unchecked(ticket),
                Timer::Fetch(ticket) => self.fetch_unanswered(ticket),
                Timer::Sweep => {
                    self.sweep_sessions();
                    self.executions.sweep(self.now);
                    self.calls.sweep(self.now);
                    self.forms.sweep(self.now);
                    self.files.sweep(self.now);
                    self.timers.set(self.now + SWEEP_EVERY, Timer::Sweep);
                }
            }
        }
    }

    /// What follows, until `None`. Worth calling after every [`Self::handle`] and [`Self::handle_timeout`].
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.out.is_empty() && self.out.capacity() > 4096 {
            self.out = VecDeque::new();
        }
        self.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.first()
    }

    /// The sizes of the tables, for metrics and for whoever checks that nothing grows without bound.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            peers: self.peers.len(),
            sessions: self.sessions.len(),
            executions: self.executions.len(),
            forms: self.forms.len(),
            calls: self.calls.remembered(),
            orders: self.orders.len(),
            watches: self.watches.len(),
            fetches: self.fetches.len(),
            chats: self.chats.len(),
            texts: self.texts.len(),
            passes: self.files.len(),
            timers: self.timers.len(),
            logins: self.logins.len(),
            behind_links: self.links.iter().map(|l| l.tunnel.len() + l.active.len()).sum(),
            noted: self.links.iter().map(|l| l.in_flight + l.asked.len()).sum::<usize>()
                + self.peers.values().map(Peer::noted).sum::<usize>(),
        }
    }

    /// Whether anybody waits for an answer that this peer is to give or to get.
    pub fn is_busy(&self, peer: PeerId) -> bool {
        let waits = match self.peers.get(&peer) {
            Some(Peer::Tab(tab)) => !tab.asked.is_empty() || !tab.serving.is_empty(),
            Some(Peer::Link(link)) => {
                let l = &self.links[*link];
                l.peer == Some(peer) && (l.in_flight > 0 || !l.asked.is_empty())
            }
            Some(Peer::Service(_)) => false,
            None => return false,
        };
        waits
            || self.orders.any_of(peer)
            || self.fetches.any_of(peer)
            || self.logins.values().any(|login| login.is_of(peer))
    }

    /// Puts back what was kept ([`output::Kept`]). False when it cannot be read or what it belongs to is gone.
    pub fn restore_kept(&mut self, kind: &str, key: &str, body: &Text) -> bool {
        let Some(object) = (self.settings.notation.read)(body) else { return false };
        match kind {
            "redirect" => self.restore_redirects(key, &object),
            "chat" => self.restore_chat(key, &object),
            "texts" => self.restore_texts(key, &object),
            "photo" => self.restore_photo(key, &object),
            _ => false,
        }
    }

    /// The wall clock at `now`, milliseconds since 1970.
    fn wall(&self, now: Time) -> i64 {
        self.settings.wall_ms.saturating_add(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }

    fn closed(&mut self, peer: PeerId, reason: &CloseReason) {
        self.watches.forget_peer(peer);
        self.files.forget_peer(peer);
        match self.peers.remove(&peer) {
            Some(Peer::Link(link)) => self.link_closed(link, peer, reason),
            Some(Peer::Tab(tab)) => self.tab_closed(peer, tab),
            Some(Peer::Service(_)) => self.service_closed(peer),
            None => {}
        }
    }

    fn tab_closed(&mut self, peer: PeerId, tab: Tab) {
        self.users[tab.user].tabs.retain(|t| *t != peer);
        self.step(About::user(tab.user), What::TabClosed { tab: peer });
        for id in tab.asked {
            self.cancel_execution(id, "the tab is gone");
        }
        for id in tab.serving {
            self.target_gone(id, peer);
        }
        self.form_tab_gone(tab.user, peer);
        if !tab.leaving {
            self.release_session(&tab.session);
        }
        self.presence_changed(tab.user);
    }

    /// Closes the direct tabs that use a session which has ended.
    fn close_tabs_of_session(&mut self, user: UserIx, hash: &str) {
        for peer in self.users[user].tabs.clone() {
            if let Some(Peer::Tab(tab)) = self.peers.get_mut(&peer)
                && tab.session == hash
                && !tab.leaving
            {
                tab.leaving = true;
                self.out.push_back(Output::Close { peer, reason: CloseReason::LOGOUT });
            }
        }
    }
}

/// The numbers that are inside.
fn inside(settings: &Settings) -> Vec<Text> {
    let accounts = settings.accounts.iter().map(|a| a.number.clone());
    accounts.chain(settings.numbers.iter().map(|g| g.number.clone())).filter(|number| !number.is_empty()).collect()
}

/// How much a Hub holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Open peers.
    pub peers: usize,
    /// Sessions.
    pub sessions: usize,
    /// Dynamic methods in flight, and those that ended a moment ago.
    pub executions: usize,
    /// Forms open, and those that ended a moment ago.
    pub forms: usize,
    /// Conversations going on, and those that ended a moment ago.
    pub calls: usize,
    /// Orders to the telephone system that are not answered.
    pub orders: usize,
    /// Connections that follow a conference.
    pub watches: usize,
    /// Calls that wait for the store.
    pub fetches: usize,
    /// Chats.
    pub chats: usize,
    /// Texts that wait for people who are away.
    pub texts: usize,
    /// Temporary passwords.
    pub passes: usize,
    /// Timers.
    pub timers: usize,
    /// Logins being checked.
    pub logins: usize,
    /// People known behind links.
    pub behind_links: usize,
    /// Executions that links or tabs have a note of.
    pub noted: usize,
}
