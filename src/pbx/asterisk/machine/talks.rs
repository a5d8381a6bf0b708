//! Which talk is which: two channels talk in one until one puts the other aside, and in the next when it is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::telephony::{Place, TalkId};

use super::book::pair;
use super::channel::Channel;
use super::look::View;
use super::places;
use super::spots::Spot;
use super::{Machine, Now};

/// A leg whose talk is over, and that does nothing else, is told as alone after so long: mostly it is hung up at once.
const APART: Duration = Duration::from_millis(500);

impl Machine {
    /// Which talks there are now in these conversations, and which were interrupted.
    pub(super) fn find_talks(&mut self, now: Now, ready: &BTreeSet<String>) {
        let mut found: BTreeMap<(String, String), (bool, String)> = BTreeMap::new();
        for root in ready {
            for channel in self.parties_in(root) {
                match self.spot(&channel) {
                    Spot::Talks(other) => {
                        let aside = channel.hold || self.board.channel(&other).is_some_and(|c| c.hold);
                        found.entry(pair(&channel.uid, &other)).or_insert_with(|| (false, root.clone())).0 |= aside;
                    }
                    Spot::Held(holder) if self.board.live(&holder).is_some() => {
                        found.insert(pair(&channel.uid, &holder), (true, root.clone()));
                    }
                    _ => {}
                }
            }
        }
        for (key, talk) in &mut self.book.talks {
            if ready.contains(&talk.root) && !found.contains_key(key) && std::mem::take(&mut talk.together) {
                talk.apart = now.mono;
            }
        }
        for (key, (held, root)) in found {
            let talk = self.book.talks.entry(key.clone()).or_default();
            if talk.id.0.is_empty() || talk.held && !held || !talk.together {
                let mut name = format!("{} {}", key.0, key.1);
                // Only the first is known by its channels alone: after a restart one cannot know how many there were.
                if !talk.id.0.is_empty() {
                    talk.count += 1;
                    name = format!("{name} {} {}", talk.count, self.began_ms);
                }
                let taped = [&key.0, &key.1].into_iter().find_map(|uid| self.taped.get(uid));
                let kept = taped.filter(|_| talk.id.0.is_empty() && !held).cloned();
                talk.id = TalkId(kept.unwrap_or_else(|| places::guid(&self.plan.system, "talk", &name)));
            }
            (talk.held, talk.together, talk.root) = (held, true, root);
        }
        let board = &self.board;
        self.book.talks.retain(|(one, other), talk| {
            talk.together || talk.recording.is_some() || board.live(one).is_some() && board.live(other).is_some()
        });
    }

    /// Whether a place is a talk that has been over for a while.
    pub(super) fn is_past(&self, now: Now, place: &Place) -> bool {
        let Place::Talk(id) = place else { return false };
        let talk = self.book.talks.values().find(|talk| talk.id == *id);
        talk.is_none_or(|talk| !talk.together && now.mono.since(talk.apart) >= APART)
    }

    /// Whether a leg was in a talk until a moment ago, or is being hung up.
    pub(super) fn is_leaving(&self, now: Now, channel: &Channel, kept: &View) -> bool {
        let left = matches!(kept.place, Place::Talk(_)) && !self.is_past(now, &kept.place);
        !self.board.calls(&channel.uid) && (left || self.marks.contains_key(&channel.uid))
    }

    /// When a talk that is over has been so for a while, for legs that still say they are in it.
    pub(super) fn apart_due(&self) -> Option<(Time, String)> {
        let apart = self.book.talks.values().filter(|talk| !talk.together && talk.apart != Time::ZERO);
        apart.map(|talk| (talk.apart + APART, talk.root.clone())).min()
    }

    /// Looks again at those whose talk has been over for a while.
    pub(super) fn watch_apart(&mut self, now: Now) {
        for talk in self.book.talks.values_mut() {
            if !talk.together && talk.apart != Time::ZERO && now.mono.since(talk.apart) >= APART {
                talk.apart = Time::ZERO;
                self.dirty.insert(talk.root.clone());
            }
        }
    }

    /// The talk of two channels.
    pub(super) fn talk_place(&self, one: &str, other: &str) -> Place {
        self.book.talks.get(&pair(one, other)).map_or(Place::None, |talk| Place::Talk(talk.id.clone()))
    }
}
