//! The ledger as people look into it: one row for each talk of a conversation, and one for a conversation without a talk.

use std::collections::BTreeSet;

use crate::message::Text;
use crate::telephony::{CallId, End, EndCause, TalkId};

use super::entry::{Direction, Entry, Outcome};
use super::trace::Step;

/// One row of the journal. Times are milliseconds since 1970, lengths milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JournalRow {
    /// The conversation.
    pub call: CallId,
    /// The talk; `None` for a conversation without one.
    pub talk: Option<TalkId>,
    /// When the talk, or the conversation, began.
    pub began_ms: i64,
    /// How long they talked.
    pub length_ms: i64,
    /// Which way the conversation went.
    pub direction: Direction,
    /// How it went.
    pub outcome: Outcome,
    /// Who called.
    pub caller: Text,
    /// Which number was dialled.
    pub called: Text,
    /// The inside numbers that talked, in the order in which they came; without a talk those that called or were rung.
    pub inside: Vec<Text>,
    /// The outside numbers that talked.
    pub outside: Vec<Text>,
    /// From the beginning of the conversation to its first talk, or to its end.
    pub wait_ms: i64,
    /// The queue in which it waited last; empty for none.
    pub queue: Text,
    /// The recording: a file relative to the folder of recordings.
    pub recording: Option<Text>,
}

/// Which rows are wanted. What is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JournalQuery {
    /// Only this conversation.
    pub call: Option<CallId>,
    /// Only rows in which one of these inside numbers took part.
    pub numbers: Option<BTreeSet<Text>>,
    /// Whether the conversation came through a queue.
    pub queued: Option<bool>,
    /// From this moment on.
    pub from_ms: Option<i64>,
    /// Before this moment.
    pub until_ms: Option<i64>,
    /// Which way it went.
    pub direction: Option<Direction>,
    /// At least so long.
    pub length_ms: Option<i64>,
    /// This number called, was called, or took part.
    pub number: Option<Text>,
    /// Whether there was no talk.
    pub missed: Option<bool>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only those that waited last in this queue.
    pub queue: Option<Text>,
    /// Only rows that come after this one in the order of the journal: the older ones.
    pub after: Option<JournalPlace>,
    /// At most so many.
    pub limit: usize,
    /// So many of the newest are passed over.
    pub offset: usize,
}

/// Where a row stands in the journal, which is told from the greatest place to the least.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct JournalPlace {
    /// When the talk or the conversation began, milliseconds since 1970.
    pub began_ms: i64,
    /// The conversation.
    pub call: Text,
    /// The talk; empty for a conversation without one.
    pub talk: Text,
}

impl JournalRow {
    /// Its place.
    pub fn place(&self) -> JournalPlace {
        let talk = self.talk.as_ref().map(|talk| talk.0.clone()).unwrap_or_default();
        JournalPlace { began_ms: self.began_ms, call: self.call.0.clone(), talk }
    }
}

impl JournalQuery {
    /// Whether a row is wanted, but for `limit` and `offset`.
    pub fn fits(&self, row: &JournalRow) -> bool {
        let numbers = || row.inside.iter().chain(&row.outside).chain([&row.caller, &row.called]);
        self.call.as_ref().is_none_or(|call| *call == row.call)
            && self.numbers.as_ref().is_none_or(|own| row.inside.iter().any(|n| own.contains(n)))
            && self.queued.is_none_or(|queued| queued != row.queue.is_empty())
            && self.from_ms.is_none_or(|from| row.began_ms >= from)
            && self.until_ms.is_none_or(|until| row.began_ms < until)
            && self.direction.is_none_or(|direction| direction == row.direction)
            && self.length_ms.is_none_or(|length| row.length_ms >= length)
            && self.number.as_ref().is_none_or(|number| numbers().any(|n| n == number))
            && self.missed.is_none_or(|missed| missed == row.talk.is_none())
            && self.outcome.is_none_or(|outcome| outcome == row.outcome)
            && self.queue.as_ref().is_none_or(|queue| *queue == row.queue)
            && self.after.as_ref().is_none_or(|after| row.place() < *after)
    }
}

impl Entry {
    /// Its rows in the journal, in the order of their beginning.
    pub fn rows(&self) -> Vec<JournalRow> {
        let queue = self.queues.last().map(|q| q.queue.clone()).unwrap_or_default();
        let row = |talk: Option<TalkId>, began_ms, length_ms, ends: &mut dyn Iterator<Item = &End>| {
            let (mut inside, mut outside) = (Vec::new(), Vec::new());
            for end in ends {
                let list = if end.is_inside() { &mut inside } else { &mut outside };
                if !end.number().is_empty() && !list.contains(end.number()) {
                    list.push(end.number().clone());
                }
            }
            JournalRow {
                call: self.call.clone(),
                talk,
                began_ms,
                length_ms,
                direction: self.direction,
                outcome: self.outcome,
                caller: self.parties.caller.clone(),
                called: self.parties.called.clone(),
                inside,
                outside,
                wait_ms: self.wait_ms,
                queue: queue.clone(),
                recording: None,
            }
        };
        if self.talks.is_empty() {
            return vec![row(None, self.began_ms, 0, &mut self.legs.iter().map(|leg| &leg.end))];
        }
        let talk = |talk: &super::EntryTalk| JournalRow {
            recording: talk.recording.clone(),
            ..row(Some(talk.talk.clone()), talk.began_ms, talk.ended_ms - talk.began_ms, &mut talk.parties.iter())
        };
        self.talks.iter().map(talk).collect()
    }

    /// The inside numbers that had any part in it.
    pub fn inside(&self) -> BTreeSet<Text> {
        self.legs.iter().filter(|leg| leg.end.is_inside()).map(|leg| leg.end.number().clone()).collect()
    }

    /// Its way, oldest first, as far as an entry tells it.
    pub fn steps(&self) -> Vec<Step> {
        let step = |at_ms, kind, number: &Text, detail: Text| Step { at_ms, kind, number: number.clone(), detail };
        let mut steps =
            vec![(self.began_ms, 0, step(self.began_ms, "began", &self.parties.caller, self.parties.called.clone()))];
        for queue in &self.queues {
            steps.push((queue.began_ms, 1, step(queue.began_ms, "queued", &self.parties.caller, queue.queue.clone())));
        }
        // Whoever was there from the first moment began it; all others were rung.
        let origin = self.legs.first().map(|leg| &leg.leg);
        for leg in &self.legs {
            let number = leg.end.number();
            if Some(&leg.leg) != origin {
                steps.push((leg.began_ms, 2, step(leg.began_ms, "ringing", number, Text::new())));
            }
            let kind = if leg.answered_ms.is_some() { "left" } else { "ringstopped" };
            steps.push((leg.ended_ms, 4, step(leg.ended_ms, kind, number, Text::from_static(leg.cause.word()))));
        }
        for talk in &self.talks {
            let kind = if talk.conference { "conference" } else { "answered" };
            for end in &talk.parties {
                steps.push((talk.began_ms, 3, step(talk.began_ms, kind, end.number(), talk.talk.0.clone())));
            }
        }
        steps.push((self.ended_ms, 5, step(self.ended_ms, "ended", &Text::new(), Text::new())));
        steps.sort_by_key(|(at, rank, _)| (*at, *rank));
        steps.into_iter().map(|(_, _, step)| step).collect()
    }
}

impl EndCause {
    /// Every cause.
    pub const ALL: [Self; 12] = [
        Self::Hangup,
        Self::OtherGone,
        Self::NoAnswer,
        Self::Refused,
        Self::Busy,
        Self::CallerGone,
        Self::Elsewhere,
        Self::Unreachable,
        Self::Transferred,
        Self::Kicked,
        Self::Failed,
        Self::Unseen,
    ];

    /// The cause of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }
}
