//! Which conversation each channel belongs to. It is named by its root, the `Linkedid` it began with.

use std::collections::{BTreeSet, HashMap};

use ctigate_proto::telephony::{CallFact, End, Parties};

use super::book::{Call, Leg};
use super::channel::{Channel, Kind};
use super::spots::Spot;
use super::{Machine, Now};

impl Machine {
    /// Finds out which conversation each party belongs to, and which have become one. Gives those that have to be looked at.
    pub(super) fn find_roots(&mut self, now: Now) -> BTreeSet<String> {
        let touched = self.board.take_touched();
        let mut dirty = std::mem::take(&mut self.dirty);
        let parties: Vec<&Channel> = touched.iter().filter(|c| c.kind == Kind::Party).collect();
        for channel in &parties {
            if !self.book.root_of.contains_key(&channel.uid) {
                let root = self.root_for(channel);
                self.book.roots.entry(channel.linkedid.clone()).or_insert_with(|| root.clone());
                self.book.belongs(&channel.uid, channel.serial, &root);
                self.begin_call(now, &root, channel);
            }
        }
        let mut joined = BTreeSet::new();
        for channel in &parties {
            dirty.extend(self.book.root_of.get(&channel.uid).cloned());
            match self.spot(channel) {
                Spot::Talks(other) => self.same_root(channel, &other),
                // Who listens in comes into the conversation it listens to, however old its own is.
                Spot::Spies(other) => {
                    if let Some(root) = self.book.root_of.get(&other).cloned() {
                        self.book.belongs(&channel.uid, channel.serial, &root);
                    }
                }
                Spot::Room(room) => {
                    let root = self.book.rooms.get(&room).map(|room| room.root.clone());
                    if let (Some(room), Some(own)) = (root, self.book.root_of.get(&channel.uid).cloned()) {
                        self.join(&room, &own, channel);
                    }
                    // The first of a room begins its conference, so that the next come into its conversation.
                    if let Some(root) = self.book.root_of.get(&channel.uid).cloned() {
                        self.conference_in(&room, &root);
                    }
                }
                _ => {}
            }
            joined.extend(self.book.root_of.get(&channel.uid).cloned());
        }
        dirty.extend(joined);
        // What happens to a local channel happens to those who talk through it.
        let local = touched.iter().filter(|c| c.kind != Kind::Party);
        dirty.extend(local.filter_map(|c| self.book.roots.get(&c.linkedid).cloned()));
        dirty.append(&mut self.dirty);
        dirty
    }

    fn root_for(&self, channel: &Channel) -> String {
        let known = |uid: &str| self.book.root_of.get(uid).cloned();
        let asked = || self.asked.get(&channel.uid).or_else(|| self.asked.get(&channel.linkedid))?.root.clone();
        let called = || known(&self.board.caller_of(channel)?.uid);
        // A phone that calls while it has somebody on hold asks somebody back: the same conversation.
        let aside = || {
            let calls = channel.dial.is_none() && channel.uid == channel.linkedid;
            self.number_of(channel.endpoint()).filter(|_| calls)?;
            let number = self.number_of(channel.endpoint())?;
            let own = |l: &&Leg| l.fact.held && matches!(&l.fact.end, End::Inside(n) if n == number);
            known(&self.book.legs.values().find(own)?.uid)
        };
        let linked = || self.book.roots.get(&channel.linkedid).cloned();
        asked().or_else(called).or_else(aside).or_else(linked).unwrap_or_else(|| channel.linkedid.clone())
    }

    /// A conversation is known from the first channel that belongs to it.
    fn begin_call(&mut self, now: Now, root: &str, channel: &Channel) {
        if self.book.calls.contains_key(root) {
            return;
        }
        let serial = self.book.next();
        let id = self.book.call_id(&self.plan.system, root);
        let fact = CallFact { call: id, at_ms: channel.began_ms.min(now.wall_ms), parties: Parties::default() };
        let origin = String::new();
        self.book.calls.insert(root.to_owned(), Call { fact, origin, made: HashMap::new(), serial });
    }

    /// Two channels are in one conversation: the older.
    fn same_root(&mut self, one: &Channel, other: &str) {
        let Some(other) = self.board.live(other).cloned() else { return };
        let root = |uid: &str| self.book.root_of.get(uid).cloned();
        let (Some(a), Some(b)) = (root(&one.uid), root(&other.uid)) else { return };
        if self.age(&a) <= self.age(&b) { self.join(&a, &b, &other) } else { self.join(&b, &a, one) }
    }

    fn age(&self, root: &str) -> (i64, u64) {
        self.book.calls.get(root).map_or((i64::MAX, u64::MAX), |call| (call.fact.at_ms, call.serial))
    }

    /// A channel comes from the younger conversation into the older; who comes later by the younger's id follows it.
    fn join(&mut self, old: &str, young: &str, channel: &Channel) {
        if old == young {
            return;
        }
        self.book.roots.values_mut().filter(|root| *root == young).for_each(|root| old.clone_into(root));
        self.book.belongs(&channel.uid, channel.serial, old);
        // What it leaves behind there has ended.
        self.dirty.insert(young.to_owned());
    }
}
