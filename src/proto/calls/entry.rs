//! What is kept of a conversation: who called whom, the legs, the talks, and whether it was answered. A pure function of all
//! facts, so the same whatever order they came in. The truth table stands in `docs/ledger.md`.

use std::collections::BTreeMap;

use crate::message::Text;
use crate::telephony::{CallId, End, EndCause, FaxId, FaxState, LegFact, LegId, LegState, Parties, Place, TalkId};

use super::Calls;
use super::conversation::{Conversation, Leg};

/// One conversation in the ledger. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The conversation.
    pub call: CallId,
    /// When it began.
    pub began_ms: i64,
    /// When it was over.
    pub ended_ms: i64,
    /// The two ends as they were first meant.
    pub parties: Parties,
    /// Which way it went.
    pub direction: Direction,
    /// How it went.
    pub outcome: Outcome,
    /// From its beginning to the first talk, or to its end.
    pub wait_ms: i64,
    /// How long anybody talked with whom it began with.
    pub talk_ms: i64,
    /// Every leg, in the order in which they came.
    pub legs: Vec<EntryLeg>,
    /// Every talk and conference, in the order in which they began.
    pub talks: Vec<EntryTalk>,
    /// Every stay in a queue.
    pub queues: Vec<EntryQueue>,
    /// Every fax that arrived, in the order in which they came.
    pub faxes: Vec<EntryFax>,
}

/// Which way a conversation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody outside called.
    Incoming,
    /// Somebody inside called somebody outside.
    Outgoing,
    /// Nobody outside took part.
    Internal,
}

impl Direction {
    /// `connectiontype` of the protocol.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Internal => "internal",
        }
    }

    /// The direction of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Incoming, Self::Outgoing, Self::Internal].into_iter().find(|d| d.word() == word)
    }
}

/// How a conversation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was a talk with whom it began with.
    Answered,
    /// It waited in a queue, and the caller gave up.
    Abandoned,
    /// Phones rang, and the caller gave up.
    Cancelled,
    /// Nobody picked up in time.
    NoAnswer,
    /// The last phone that was tried was busy.
    Busy,
    /// The last phone that was tried refused.
    Refused,
    /// The last phone that was tried could not be reached.
    Unreachable,
    /// It never left the voice menu.
    Menu,
    /// The telephone system failed, or nobody was tried.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 9] = [
        Self::Answered,
        Self::Abandoned,
        Self::Cancelled,
        Self::NoAnswer,
        Self::Busy,
        Self::Refused,
        Self::Unreachable,
        Self::Menu,
        Self::Failed,
    ];

    /// The word of the ledger.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Abandoned => "abandoned",
            Self::Cancelled => "cancelled",
            Self::NoAnswer => "noanswer",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Menu => "menu",
            Self::Failed => "failed",
        }
    }

    /// The outcome of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.word() == word)
    }
}

/// One leg in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryLeg {
    /// The leg.
    pub leg: LegId,
    /// Who was at its end.
    pub end: End,
    /// When it began.
    pub began_ms: i64,
    /// When it was there, if it ever was.
    pub answered_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: i64,
    /// Why it ended.
    pub cause: EndCause,
}

/// One talk in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryTalk {
    /// The talk's id, or the conference's.
    pub talk: TalkId,
    /// When the second party came.
    pub began_ms: i64,
    /// When there was only one left.
    pub ended_ms: i64,
    /// Who took part, in the order in which they came.
    pub parties: Vec<End>,
    /// Whether it was a conference.
    pub conference: bool,
    /// The recording: a file relative to the folder of recordings.
    pub recording: Option<Text>,
}

/// One stay in a queue.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryQueue {
    /// The queue's number.
    pub queue: Text,
    /// When it began.
    pub began_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
}

/// One fax that arrived.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EntryFax {
    /// The fax; its link is [`FaxId::link`].
    pub fax: FaxId,
    /// When it had arrived.
    pub at_ms: i64,
    /// Who sent it and who took it.
    pub parties: Vec<End>,
    /// The file, relative to the folder of recordings.
    pub file: Text,
    /// How many pages it has.
    pub pages: i64,
}

impl Calls {
    /// What is kept of a conversation that is over.
    pub fn entry(&self, call: &CallId) -> Option<Entry> {
        let conversation = self.calls.get(call)?;
        let ended_ms = conversation.over_ms()?;
        let began_ms = conversation.began_ms();
        let legs = legs(conversation, ended_ms);
        let talks = talks(conversation, ended_ms);
        let origin = conversation.origin().map(Leg::now);
        let own = own_talks(conversation, origin.map(|o| &o.end), &talks, ended_ms);
        let first_talk = own.iter().map(|(from, _)| *from).min();
        let parties = conversation.parties().cloned().unwrap_or_default();
        Some(Entry {
            call: call.clone(),
            began_ms,
            ended_ms,
            direction: direction(conversation),
            outcome: outcome(conversation, first_talk.is_some()),
            wait_ms: first_talk.unwrap_or(ended_ms) - began_ms,
            talk_ms: together(own),
            parties,
            legs,
            queues: queues(conversation, ended_ms),
            faxes: faxes(conversation),
            talks,
        })
    }
}

fn legs(conversation: &Conversation, over_ms: i64) -> Vec<EntryLeg> {
    let mut legs: Vec<EntryLeg> = conversation
        .legs()
        .map(|leg| {
            let now = leg.now();
            let cause = if let LegState::Ended(cause) = now.state { cause } else { EndCause::OtherGone };
            EntryLeg {
                leg: now.leg.clone(),
                end: now.end.clone(),
                began_ms: leg.first_ms(),
                answered_ms: leg.story().iter().find(|f| f.state == LegState::Up).map(|f| f.at_ms),
                ended_ms: if now.state.is_ended() { now.at_ms } else { over_ms },
                cause,
            }
        })
        .collect();
    legs.sort_by(|a, b| (a.began_ms, &a.leg).cmp(&(b.began_ms, &b.leg)));
    legs
}

/// The times in which a leg was somewhere, each from the fact that says so to the next that says otherwise.
fn stays(leg: &Leg, over_ms: i64) -> Vec<(&LegFact, i64, i64)> {
    let mut stays: Vec<(&LegFact, i64, i64)> = Vec::new();
    for fact in leg.story() {
        if let Some((open, _, until)) = stays.last_mut()
            && *until == i64::MAX
        {
            if open.state == fact.state && open.place == fact.place && open.held == fact.held {
                continue;
            }
            *until = fact.at_ms;
        }
        if !fact.state.is_ended() {
            stays.push((fact, fact.at_ms, i64::MAX));
        }
    }
    stays.into_iter().map(|(fact, from, until)| (fact, from, until.min(over_ms.max(from)))).collect()
}

fn talks(conversation: &Conversation, over_ms: i64) -> Vec<EntryTalk> {
    /// Whether it is a conference, and who was there from when to when.
    type Stays = (bool, Vec<(i64, i64, End)>);
    let mut by_id: BTreeMap<TalkId, Stays> = BTreeMap::new();
    for leg in conversation.legs() {
        for (fact, from, until) in stays(leg, over_ms) {
            let (id, conference) = match &fact.place {
                Place::Talk(talk) => (talk.clone(), false),
                Place::Conference(id) => (TalkId(id.0.clone()), true),
                _ => continue,
            };
            if fact.state == LegState::Up && !fact.held && !fact.role.ghost {
                by_id.entry(id).or_insert((conference, Vec::new())).1.push((from, until, fact.end.clone()));
            }
        }
    }
    let mut talks = Vec::new();
    for (talk, (conference, mut stays)) in by_id {
        stays.sort_by(|a, b| (a.0, a.1, a.2.number()).cmp(&(b.0, b.1, b.2.number())));
        let mut from: Vec<i64> = stays.iter().map(|s| s.0).collect();
        let mut until: Vec<i64> = stays.iter().map(|s| s.1).collect();
        from.sort_unstable();
        until.sort_unstable();
        let mut parties: Vec<End> = Vec::new();
        for (_, _, end) in stays {
            if !parties.contains(&end) {
                parties.push(end);
            }
        }
        if parties.len() < 2 {
            continue;
        }
        let (began_ms, ended_ms) = (from[1], until[until.len() - 2].max(from[1]));
        let recording = conversation.recordings.get(&talk).cloned();
        talks.push(EntryTalk { talk, began_ms, ended_ms, parties, conference, recording });
    }
    talks.sort_by(|a, b| (a.began_ms, &a.talk).cmp(&(b.began_ms, &b.talk)));
    talks
}

/// The times in which the party with whom it began talked with anybody; without one, those of every talk.
fn own_talks(conversation: &Conversation, party: Option<&End>, talks: &[EntryTalk], over_ms: i64) -> Vec<(i64, i64)> {
    let Some(party) = party else { return talks.iter().map(|t| (t.began_ms, t.ended_ms)).collect() };
    let mut own = Vec::new();
    for leg in conversation.legs().filter(|leg| leg.now().end == *party) {
        for (fact, from, until) in stays(leg, over_ms) {
            let id = match &fact.place {
                Place::Talk(talk) => &talk.0,
                Place::Conference(id) => &id.0,
                _ => continue,
            };
            let there = fact.state == LegState::Up && !fact.held && !fact.role.ghost;
            if let Some(talk) = talks.iter().find(|t| there && t.talk.0 == *id) {
                let (from, until) = (from.max(talk.began_ms), until.min(talk.ended_ms));
                own.extend((from <= until).then_some((from, until)));
            }
        }
    }
    own
}

fn queues(conversation: &Conversation, over_ms: i64) -> Vec<EntryQueue> {
    let mut queues = Vec::new();
    for leg in conversation.legs() {
        for (fact, began_ms, ended_ms) in stays(leg, over_ms) {
            if let Place::Queue(queue) = &fact.place {
                queues.push(EntryQueue { queue: queue.clone(), began_ms, ended_ms });
            }
        }
    }
    queues.sort_by(|a, b| (a.began_ms, &a.queue).cmp(&(b.began_ms, &b.queue)));
    queues
}

fn faxes(conversation: &Conversation) -> Vec<EntryFax> {
    let arrived = conversation.faxes.values().filter_map(|fact| {
        let FaxState::Done { file, pages } = &fact.state else { return None };
        let (parties, pages) = (super::fax::ends(conversation, fact), i64::from(*pages));
        Some(EntryFax { fax: fact.fax.clone(), at_ms: fact.at_ms, parties, file: file.clone(), pages })
    });
    let mut faxes: Vec<_> = arrived.collect();
    faxes.sort_by(|a, b| (a.at_ms, &a.fax).cmp(&(b.at_ms, &b.fax)));
    faxes
}

fn direction(conversation: &Conversation) -> Direction {
    let origin = conversation.origin().map(Leg::now);
    let outside = conversation.legs().any(|leg| !leg.now().end.is_inside());
    match origin {
        Some(leg) if !leg.end.is_inside() => Direction::Incoming,
        _ if outside => Direction::Outgoing,
        _ => Direction::Internal,
    }
}

fn outcome(conversation: &Conversation, answered: bool) -> Outcome {
    if answered {
        return Outcome::Answered;
    }
    let origin = conversation.origin();
    // A phone that is called back and not taken gives up too: nothing else rings the phone with which it began.
    let gave_up = origin.is_some_and(|leg| {
        matches!(leg.now().state, LegState::Ended(EndCause::Hangup | EndCause::Refused | EndCause::NoAnswer))
    });
    let queued = origin.is_some_and(|leg| leg.story().iter().any(|f| matches!(f.place, Place::Queue(_))));
    let mut tried: Vec<(i64, &LegId, EndCause)> = conversation
        .legs()
        .filter_map(|leg| match leg.now().state {
            LegState::Ended(cause) if !leg.now().origin => Some((leg.now().at_ms, &leg.now().leg, cause)),
            _ => None,
        })
        .collect();
    tried.sort();
    if gave_up && queued {
        return Outcome::Abandoned;
    }
    let last = tried.iter().rev().map(|(_, _, cause)| *cause);
    let mut telling = last.clone().filter(|c| *c != EndCause::Elsewhere);
    match telling.next() {
        Some(EndCause::CallerGone | EndCause::OtherGone) if gave_up => Outcome::Cancelled,
        Some(EndCause::NoAnswer) => Outcome::NoAnswer,
        Some(EndCause::Busy) => Outcome::Busy,
        Some(EndCause::Refused) => Outcome::Refused,
        Some(EndCause::Unreachable) => Outcome::Unreachable,
        None if origin.is_some_and(|l| l.story().iter().any(|f| matches!(f.place, Place::Menu { .. }))) => {
            Outcome::Menu
        }
        _ if gave_up => Outcome::Cancelled,
        _ => Outcome::Failed,
    }
}

/// How long at least one of the times lasted.
fn together(mut times: Vec<(i64, i64)>) -> i64 {
    times.sort_unstable();
    let (mut total, mut until) = (0, i64::MIN);
    for (from, to) in times {
        total += (to - from.max(until)).max(0);
        until = until.max(to);
    }
    total
}
