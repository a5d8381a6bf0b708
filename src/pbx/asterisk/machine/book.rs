//! What the house was told: the legs that live, the conversations they are part of, talks and conferences. The next look at
//! the board is told as the difference from it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallFact, CallId, ConferenceFact, ConferenceId, EndCause, LegFact, LegId, TalkId};

use super::places::guid;

/// How many conversations that are over are known, so that none begins again with the same id.
const OVER: usize = 20_000;

/// A leg in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LegKey(pub(super) u64);

/// The book.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) legs: BTreeMap<LegKey, Leg>,
    /// The legs of a channel, in the order in which they began.
    pub(super) of: HashMap<String, Vec<LegKey>>,
    /// Conversations by their root: the `Linkedid` they began with.
    pub(super) calls: HashMap<String, Call>,
    /// The root of a `Linkedid`.
    pub(super) roots: HashMap<String, String>,
    /// The root of a channel.
    pub(super) root_of: HashMap<String, String>,
    /// The channels of a root, in the order in which they came.
    pub(super) channels: HashMap<String, BTreeMap<u64, String>>,
    /// The legs of a root.
    pub(super) legs_in: HashMap<String, BTreeSet<LegKey>>,
    pub(super) talks: BTreeMap<(String, String), Talk>,
    pub(super) rooms: BTreeMap<String, Room>,
    over: HashMap<String, u32>,
    over_order: VecDeque<String>,
    last: u64,
}

/// A leg that lives.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) uid: String,
    pub(super) root: String,
    pub(super) fact: LegFact,
    /// The channel it talked with last.
    pub(super) partner: Option<String>,
    /// Why it will end, if the gateway ends it.
    pub(super) mark: Option<EndCause>,
}

/// A conversation.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) fact: CallFact,
    /// The channel with which it began.
    pub(super) origin: String,
    /// How many legs each channel has had, those that were given to another included.
    pub(super) made: HashMap<String, usize>,
    /// In which order it began.
    pub(super) serial: u64,
}

/// The talks of two channels, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    pub(super) id: TalkId,
    /// How many there were before.
    pub(super) count: u32,
    /// Whether one has put the other aside.
    pub(super) held: bool,
    /// Whether they are together, one aside or not.
    pub(super) together: bool,
    /// Since when they are not, if they are not.
    pub(super) apart: Time,
    pub(super) root: String,
    /// The recording: the channel on which it is made, and the file.
    pub(super) recording: Option<Tape>,
}

/// A recording that is being made.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    pub(super) talk: TalkId,
    pub(super) channel: String,
    pub(super) file: Text,
    /// The action that began it, until Asterisk has said yes.
    pub(super) asked: Option<String>,
}

/// A conference.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) fact: ConferenceFact,
    pub(super) root: String,
    pub(super) told: bool,
    /// Whether two were there at a time, so that it ends when one is left.
    pub(super) social: bool,
    /// Whether the gateway made it.
    pub(super) own: bool,
    /// The listener and the one listened to, by channel.
    pub(super) ghost: Option<(String, String)>,
    pub(super) tape: Option<Text>,
}

impl Room {
    pub(super) fn new(id: ConferenceId, root: String) -> Self {
        let fact = ConferenceFact { id, ..ConferenceFact::default() };
        let (told, social, own) = (false, false, false);
        Self { fact, root, told, social, own, ghost: None, tape: None }
    }
}

impl Book {
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The id of the conversation with a root. One that is over never begins again: the next has another id.
    pub(super) fn call_id(&self, system: &str, root: &str) -> CallId {
        CallId(match self.over.get(root) {
            None => guid(system, "call", root),
            Some(times) => guid(system, "call", &format!("{root} {times}")),
        })
    }

    /// The id of the next leg of a channel.
    pub(super) fn leg_id(&self, system: &str, root: &str, uid: &str, nth: usize) -> LegId {
        let again = self.over.get(root).copied().unwrap_or(0);
        LegId(guid(system, "leg", &format!("{root} {uid} {nth} {again}")))
    }

    /// The leg of a channel that faces another.
    pub(super) fn facing(&self, uid: &str, partner: &str) -> Option<LegKey> {
        let legs = self.of.get(uid)?;
        legs.iter().copied().find(|key| self.legs.get(key).is_some_and(|l| l.partner.as_deref() == Some(partner)))
    }

    pub(super) fn legs_of(&self, uid: &str) -> impl Iterator<Item = (LegKey, &Leg)> {
        self.of.get(uid).into_iter().flatten().filter_map(|key| Some((*key, self.legs.get(key)?)))
    }

    /// The leg of a channel that has not put the others aside.
    pub(super) fn present(&self, uid: &str) -> Option<(LegKey, &Leg)> {
        self.legs_of(uid).filter(|(_, leg)| !leg.fact.held).last().or_else(|| self.legs_of(uid).last())
    }

    pub(super) fn add(&mut self, key: LegKey, leg: Leg) {
        self.of.entry(leg.uid.clone()).or_default().push(key);
        self.legs_in.entry(leg.root.clone()).or_default().insert(key);
        self.legs.insert(key, leg);
    }

    pub(super) fn remove(&mut self, key: LegKey) {
        let Some(leg) = self.legs.remove(&key) else { return };
        if let Some(legs) = self.legs_in.get_mut(&leg.root) {
            legs.remove(&key);
            if legs.is_empty() {
                self.legs_in.remove(&leg.root);
            }
        }
        if let Some(legs) = self.of.get_mut(&leg.uid) {
            legs.retain(|other| *other != key);
            if legs.is_empty() {
                self.of.remove(&leg.uid);
            }
        }
    }

    /// Gives a leg to another channel.
    pub(super) fn give(&mut self, key: LegKey, uid: &str) {
        if let Some(mut leg) = self.legs.get(&key).cloned() {
            if let Some(call) = self.calls.get_mut(&leg.root) {
                call.made.entry(uid.to_owned()).or_insert(1);
            }
            self.remove(key);
            uid.clone_into(&mut leg.uid);
            self.add(key, leg);
        }
    }

    /// A channel belongs to a root from now on.
    pub(super) fn belongs(&mut self, uid: &str, serial: u64, root: &str) {
        if let Some(before) = self.root_of.insert(uid.to_owned(), root.to_owned()) {
            self.leaves(&before, serial);
        }
        self.channels.entry(root.to_owned()).or_default().insert(serial, uid.to_owned());
    }

    fn leaves(&mut self, root: &str, serial: u64) {
        if let Some(channels) = self.channels.get_mut(root) {
            channels.remove(&serial);
            if channels.is_empty() {
                self.channels.remove(root);
            }
        }
    }

    /// A channel is no more.
    pub(super) fn forget(&mut self, uid: &str, serial: u64) {
        if let Some(root) = self.root_of.remove(uid) {
            self.leaves(&root, serial);
        }
    }

    /// A conversation is over.
    pub(super) fn close(&mut self, root: &str) {
        self.calls.remove(root);
        self.roots.retain(|_, of| of != root);
        for uid in self.channels.remove(root).into_iter().flat_map(BTreeMap::into_values) {
            self.root_of.remove(&uid);
        }
        self.talks.retain(|_, talk| talk.root != root);
        self.rooms.retain(|_, room| room.root != root);
        if self.over_order.len() >= OVER
            && let Some(oldest) = self.over_order.pop_front()
        {
            self.over.remove(&oldest);
        }
        match self.over.get_mut(root) {
            Some(times) => *times += 1,
            None => {
                self.over.insert(root.to_owned(), 1);
                self.over_order.push_back(root.to_owned());
            }
        }
    }
}

/// Two channels in the order that names their talks.
pub(super) fn pair(one: &str, other: &str) -> (String, String) {
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    (one.to_owned(), other.to_owned())
}
