//! The Asterisk behind the facts, as a pure machine: what the Manager Interface says and what people want go in, actions for
//! the Manager Interface and words of [`ctigate_proto::telephony`] come out, and time is given from outside.
//!
//! Events switch no states. They change a picture of the PBX (`board`: channels, bridges, who calls whom, queues, devices);
//! a while after a change, when what belongs together has come, one looks at the picture (`spots`,
//! `look`: what each party does is a pure function of it, and of what the gateway asked for), and the difference from what was told before (`book`) is told as
//! facts (`tell`). So events that come twice, late or in another order lead to the same end.
//!
//! - Orders (`orders`, `acts`, `conferences`) are steps of actions with a goal on the board and a deadline. While an order
//!   moves a conversation, that one is not looked at.
//! - A conversation is named by the `Linkedid` it began with. When two become one the older stays: the legs of the younger
//!   that come over end as transferred, and new ones begin in the older, because a leg never changes its conversation; who
//!   talks with whom keeps its talk. The younger is over when nobody is left in it.
//! - A phone that calls while it has somebody on hold asks back: its second channel is a second leg of the same conversation.
//! - After a connection all is read again (`again`). What ended meanwhile ends as unseen, so that no cause is made up.
//! - The dialplan the gateway needs stands in [`dialplan`].

mod actions;
mod acts;
mod again;
mod board;
mod book;
mod causes;
mod channel;
mod conferences;
mod lasting;
mod look;
mod numbers;
mod orders;
mod picture;
mod places;
mod plan;
mod record;
mod roots;
mod spots;
mod talks;
mod tell;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallId, Command, ConferenceId, EndCause, Event, GhostMode, Refusal};

use super::ami::{Action, Message};

use again::Reading;
use board::Board;
use book::Book;
use orders::Jobs;
use places::Own;

pub use plan::{Answer, Numbering, Phone, Plan, Rewrite};

/// How the ids of its actions begin. Whoever shares the connection uses other ids.
pub const ACTIONS: &str = "m-";

/// After a change one looks when nothing has changed for so long, so that what belongs together is told together,
const QUIET: Duration = Duration::from_millis(15);
/// but not later than so long after the first change.
const LATEST: Duration = Duration::from_millis(60);
/// How long somebody may be on hold whose holder is gone. The dialplan connects them sooner, if anybody is left.
const LEFT_ALONE: Duration = Duration::from_secs(2);
/// How long somebody waits when nobody can come any more.
const LEFT_WAITING: Duration = Duration::from_millis(100);

/// The moment at which something is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic clock.
    pub mono: Time,
    /// On the wall clock, milliseconds since 1970.
    pub wall_ms: i64,
}

/// What follows from what was handled, in this order: actions for Asterisk, events for the house.
#[derive(Debug, Default)]
pub struct Out {
    /// To be sent to Asterisk, in this order.
    pub actions: Vec<Action>,
    /// To be told to the house, in this order.
    pub events: Vec<Event>,
}

/// What the gateway asked a channel for.
#[derive(Clone, Debug)]
struct Asked {
    own: Own,
    /// The inside number whose phone it is, or the number that is invited.
    number: Text,
    /// The number it is about.
    toward: Text,
    /// The conversation it belongs to; none: one of its own.
    root: Option<String>,
    /// The conference room it will come into.
    room: Option<String>,
    /// The channel that waits for it.
    with: Option<String>,
    /// The channel it listens in to, and the conference made for it.
    target: Option<String>,
    conference: Option<ConferenceId>,
    /// Whether it is not there yet.
    pending: bool,
}

impl Asked {
    fn new(own: Own, number: &Text) -> Self {
        let (toward, root, room, with, target, conference) = (Text::new(), None, None, None, None, None);
        Self { own, number: number.clone(), toward, root, room, with, target, conference, pending: true }
    }
}

/// The Asterisk as it is known.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
    board: Board,
    book: Book,
    jobs: Jobs,
    /// What channels the gateway made, or will have made, are for.
    asked: HashMap<String, Asked>,
    /// Who has put a channel aside.
    holds: HashMap<String, String>,
    /// The conference rooms that channels have put aside.
    rooms_aside: HashMap<String, String>,
    /// The numbers that channels dial for the gateway.
    towards: HashMap<String, Text>,
    /// Why channels will end, when the gateway ends them.
    marks: HashMap<String, EndCause>,
    ghost_modes: HashMap<String, GhostMode>,
    /// Ringing channels that are rung anew: by the caller, and where.
    replaced: HashMap<String, (String, String)>,
    /// Conversations that have to be looked at whatever happens on the board.
    dirty: BTreeSet<String>,
    /// The talks that an earlier life of the gateway records, by channel.
    taped: HashMap<String, Text>,
    /// The inside numbers of endpoints.
    numbers: HashMap<String, Text>,
    /// Phones that no plan knew, as Asterisk has them.
    learned: BTreeMap<Text, Phone>,
    /// Questions how a new phone is, by the id of the action.
    asked_phones: BTreeMap<String, Text>,
    redirects: BTreeMap<Text, (Text, bool)>,
    /// Numbers whose calls went elsewhere and that are no more, while Asterisk could not be told.
    forgotten: BTreeSet<Text>,
    /// Whom queues may not ring, and why; those of whom nothing was said are not here.
    away: BTreeMap<Text, Option<Text>>,
    /// Which phones were told to be connected.
    phones: BTreeMap<Text, bool>,
    /// Who is on hold without a holder, and until when it is waited for a better end.
    lonely: BTreeMap<String, Time>,
    reading: Option<Reading>,
    up: bool,
    /// Whether what is known may be old.
    stale: bool,
    shutting: bool,
    now: Time,
    /// When to look: not before, and not after.
    look_at: Option<(Time, Time)>,
    /// When it was made, so that ids of channels are not used twice.
    began_ms: i64,
    last_uid: u64,
}

impl Machine {
    /// Knows nothing yet, and is not connected.
    pub fn new(plan: Plan) -> Self {
        let numbers = plan.phones.iter().map(|(number, phone)| (phone.endpoint.clone(), number.clone())).collect();
        Self {
            plan,
            numbers,
            learned: BTreeMap::new(),
            asked_phones: BTreeMap::new(),
            dirty: BTreeSet::new(),
            taped: HashMap::new(),
            board: Board::default(),
            book: Book::default(),
            jobs: Jobs::default(),
            asked: HashMap::new(),
            holds: HashMap::new(),
            rooms_aside: HashMap::new(),
            towards: HashMap::new(),
            marks: HashMap::new(),
            ghost_modes: HashMap::new(),
            replaced: HashMap::new(),
            redirects: BTreeMap::new(),
            forgotten: BTreeSet::new(),
            away: BTreeMap::new(),
            phones: BTreeMap::new(),
            lonely: BTreeMap::new(),
            reading: None,
            up: false,
            stale: true,
            shutting: false,
            now: Time::ZERO,
            look_at: None,
            began_ms: 0,
            last_uid: 0,
        }
    }

    /// Before the first connection: that no phone can be reached yet.
    pub fn begun(&mut self, out: &mut Out) {
        self.tell_phones(out);
    }

    /// The connection stands, is logged in, and Asterisk has fully booted: everything is read again. What it was told while it
    /// was away is sent.
    pub fn connected(&mut self, now: Now, out: &mut Out) {
        self.now = now.mono;
        if self.began_ms == 0 {
            self.began_ms = now.wall_ms;
        }
        self.up = true;
        self.shutting = false;
        self.read_all(now, out);
    }

    /// The connection is gone. What is known stays, and is stale: the house is told that no phone can be reached. Orders that
    /// were being followed are answered with [`Refusal::Down`].
    pub fn lost(&mut self, now: Now, out: &mut Out) {
        self.now = now.mono;
        if !self.up {
            return;
        }
        // What was heard before the end is true.
        self.look_now(now, out);
        self.up = false;
        self.stale = true;
        self.reading = None;
        self.asked_phones.clear();
        self.look_at = None;
        self.drop_jobs(now);
        self.look_at = None;
        self.tell_ended(out);
        self.tell_phones(out);
    }

    /// Asterisk says something: an event, or the response to an action whose id begins with [`ACTIONS`]. What it does not know
    /// it leaves.
    pub fn heard(&mut self, now: Now, message: &Message, out: &mut Out) {
        self.now = now.mono;
        if !self.up {
            return;
        }
        if message.event() == "Shutdown" {
            self.shutting = true;
        }
        if !message.event().is_empty() {
            self.board.heard(now.wall_ms, message);
            if let Some(asked) = self.asked.get_mut(message.get("Uniqueid")) {
                asked.pending = false;
            }
        }
        let known = self.read(now, message, out) || self.phone_answered(now, message);
        if !known && !message.action_id().is_empty() && !self.answered(now, message, out) {
            self.tape_answered(message);
        }
        if self.board.take_changed() && self.reading.is_none() {
            self.look_soon(now);
            self.go_on_all(now, out);
        }
    }

    /// The house wants something. Every [`Command::Phone`] is answered by one [`Event::Done`], facts that follow from it first.
    pub fn command(&mut self, now: Now, command: Command, out: &mut Out) {
        self.now = now.mono;
        if self.began_ms == 0 {
            self.began_ms = now.wall_ms;
        }
        match command {
            Command::Phone { order, .. } if !self.up || self.reading.is_some() => {
                out.events.push(Event::Done { order, result: Err(Refusal::Down) });
            }
            Command::Phone { order, number, act } => {
                self.look_now(now, out);
                self.act(now, order, &number, act, out);
            }
            Command::Redirect { number, to, cascade } => self.redirect_number(&number, to, cascade, out),
            Command::Agent { number, away } => self.make_available(&number, away, out),
            // Scenarios are the dialplan's: who asks by FastAGI is answered there.
            Command::Script { order, .. } => {
                out.events.push(Event::ScriptDone { order, result: Err(Refusal::NoSuchScript) });
            }
            Command::AskDone { .. } | Command::AskLate { .. } | Command::FormDone { .. } => {}
        }
    }

    /// When [`Self::tick`] is to be called if nothing is handled before.
    pub fn due(&self) -> Option<Time> {
        let look = self.look_at.map(|(at, latest)| at.min(latest));
        let lonely = self.lonely.values().copied();
        [look, self.jobs_due(), self.reading_due()].into_iter().flatten().chain(lonely).min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now, out: &mut Out) {
        self.now = now.mono;
        self.time_out(now);
        self.read_timed_out(now, out);
        if self.look_at.is_some_and(|(at, latest)| at.min(latest) <= now.mono) {
            self.look_now(now, out);
        }
        self.watch(now, out);
    }

    /// Looks once nothing changes for a moment.
    fn look_soon(&mut self, now: Now) {
        let latest = self.look_at.map_or(Time::ZERO, |(_, latest)| latest);
        let open = latest > now.mono && latest <= now.mono + LATEST;
        self.look_at = Some((now.mono + QUIET, if open { latest } else { now.mono + LATEST }));
    }

    fn look_now(&mut self, now: Now, out: &mut Out) {
        if self.reading.is_some() || !self.up {
            return;
        }
        self.look_at = None;
        let ended = self.jobs_ended();
        self.look(now, out);
        self.tell_phones(out);
        self.tell_ended(out);
        // Who was on the move is looked at when the move is over; who was left, when it has been alone for a while.
        let moved = self.moving_until().filter(|_| !ended);
        if let Some(until) = moved.into_iter().chain(self.apart_due().map(|(due, _)| due)).min() {
            self.look_at = Some((until, until));
        }
        self.watch(now, out);
    }

    /// Looks after those on hold whose holder is gone: nobody would ever take them back.
    fn watch(&mut self, now: Now, out: &mut Out) {
        let alone = |c: &channel::Channel| {
            c.is_at(places::HOLD) && self.holds.get(&c.uid).is_some_and(|holder| self.board.live(holder).is_none())
        };
        let waits = |c: &channel::Channel| {
            let nobody = !self.holds.iter().any(|(uid, by)| *by == c.uid && self.board.live(uid).is_some());
            c.is_at(places::WAIT) && nobody && !self.rooms_aside.contains_key(&c.uid)
        };
        // The dialplan can only connect it with somebody who is still there.
        let hope = |c: &channel::Channel| {
            let root = self.book.root_of.get(&c.uid).map_or("", String::as_str);
            self.parties_in(root).iter().any(|other| other.lives() && other.uid != c.uid && !other.is_at(places::HOLD))
        };
        let after = |c: &channel::Channel| match (alone(c), waits(c)) {
            (true, _) if hope(c) => Some((c.uid.clone(), LEFT_ALONE)),
            (true, _) => Some((c.uid.clone(), LEFT_WAITING)),
            (_, true) => Some((c.uid.clone(), LEFT_WAITING)),
            _ => None,
        };
        let lonely: HashMap<String, Duration> = self.board.channels().filter_map(after).collect();
        self.lonely.retain(|uid, _| lonely.contains_key(uid));
        for (uid, after) in lonely {
            self.lonely.entry(uid).or_insert(now.mono + after);
        }
        if !self.up || self.reading.is_some() {
            self.lonely.values_mut().for_each(|until| *until = (*until).max(now.mono + LEFT_ALONE));
            return;
        }
        let late: Vec<String> =
            self.lonely.iter().filter(|(_, until)| **until <= now.mono).map(|(uid, _)| uid.clone()).collect();
        for uid in late {
            tracing::warn!(channel = uid, "on hold, and nobody is left who could take it back: it is hung up");
            self.lonely.remove(&uid);
            self.send_back(now, &uid, EndCause::OtherGone, out);
            self.lonely.insert(uid, now.mono + LEFT_ALONE * 5);
        }
    }

    /// The conversation of a channel, by its `Uniqueid`; also of one that has not been told of yet.
    pub fn call_of(&self, uniqueid: &str) -> Option<CallId> {
        let channel = self.board.channel(uniqueid);
        let root = || Some(self.book.call_id(&self.plan.system, &channel?.linkedid));
        self.call_id(uniqueid).or_else(root)
    }

    /// How many channels are known.
    pub fn channels(&self) -> usize {
        self.board.len()
    }

    /// What is known of the house.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The dialplan that the gateway needs, for a PBX in whose context `context` an inside user's number can be dialled: to be
/// included in `extensions.conf`.
pub fn dialplan(context: &str) -> String {
    include_str!("../dialplan/extensions_cti.conf").replace("@CONTEXT@", context)
}

#[cfg(test)]
mod tests;
