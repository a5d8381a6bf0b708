//! From views to facts: what has changed since the house was told last, each leg with its next number.

use std::collections::{BTreeSet, HashSet};

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    CallId, ConferenceId, End, EndCause, Event, Fact, Ghost, LegFact, LegId, LegState, Parties, Place, Sequence,
};

use super::book::{Leg, LegKey, Room};
use super::channel::{Channel, Gone};
use super::look::View;
use super::places::Own;
use super::{Machine, Now, Out};

/// Most legs of one conversation; what comes beyond is not told.
const LEGS: usize = 1000;

/// Facts in the order in which they are told.
#[derive(Debug, Default)]
struct News {
    calls: Vec<Fact>,
    conferences: Vec<Fact>,
    legs: Vec<Fact>,
    recordings: Vec<Fact>,
    over: Vec<Fact>,
}

impl Machine {
    /// Looks at what has changed on the board and tells what is new.
    pub(super) fn look(&mut self, now: Now, out: &mut Out) {
        self.watch_apart(now);
        self.adopt();
        let mut ready = self.find_roots(now);
        // What is on the move is looked at when the move is over.
        let moving = self.moving();
        self.dirty.extend(ready.intersection(&moving).cloned());
        ready.retain(|root| !moving.contains(root));
        if ready.is_empty() {
            return;
        }
        self.find_talks(now, &ready);
        let mut news = News::default();
        let views = self.views(now, &ready);
        let seen = self.tell_views(now, views, &mut news);
        self.tell_ends(now, &seen, &ready, &mut news);
        self.tell_rooms(now, &ready, &mut news, out);
        self.tell_recordings(now, &ready, &mut news.recordings, out);
        self.tell_over(now, &ready, &mut news);
        self.bury(&ready);
        let facts = [news.calls, news.conferences, news.legs, news.recordings, news.over].concat();
        if !facts.is_empty() {
            out.events.push(Event::Facts(facts));
        }
    }

    /// Forgets the channels that are gone and were looked at.
    fn bury(&mut self, ready: &BTreeSet<String>) {
        let book = &self.book;
        let root = |c: &Channel| book.root_of.get(&c.uid).or_else(|| book.roots.get(&c.linkedid));
        let dead: Vec<(String, u64)> = self
            .board
            .gone()
            .filter(|c| root(c).is_none_or(|root| ready.contains(root)))
            .map(|c| (c.uid.clone(), c.serial))
            .collect();
        for (uid, serial) in dead {
            self.book.forget(&uid, serial);
            self.board.bury(&uid);
            self.holds.remove(&uid);
            self.rooms_aside.remove(&uid);
            self.towards.remove(&uid);
            self.ghost_modes.remove(&uid);
            self.marks.remove(&uid);
            self.taped.remove(&uid);
        }
    }

    /// The phone of a user who is called last gets the leg that was planned for it.
    fn adopt(&mut self) {
        let mut found = Vec::new();
        for (by, asked) in self.asked.iter().filter(|(_, asked)| asked.own == Own::Dial(Sequence::Abonent)) {
            let Some((key, _)) = self.book.legs_of(by).next() else { continue };
            let own = |c: &&Channel| self.number_of(c.endpoint()) == Some(&asked.number);
            // Its first word may come before that of the call to it.
            let linked = || self.board.channels().find(|c| c.linkedid == *by && c.lives() && own(c));
            if let Some(channel) = self.board.called_ever(by).find(own).or_else(linked) {
                found.push((key, channel.uid.clone(), by.clone()));
            }
        }
        for (key, uid, by) in found {
            self.book.give(key, &uid);
            if let Some(asked) = self.asked.get_mut(&by) {
                asked.with = Some(uid);
            }
        }
        self.adopt_again();
    }

    /// A phone that is rung anew, so that it answers by itself, goes on with the leg that rang.
    fn adopt_again(&mut self) {
        let mut found = Vec::new();
        for (before, (caller, endpoint)) in &self.replaced {
            let again = |c: &&Channel| c.uid != *before && c.endpoint() == endpoint;
            let key = self.book.legs_of(before).next().map(|(key, _)| key);
            if let (Some(key), Some(channel)) = (key, self.board.called_ever(caller).find(again)) {
                found.push((key, before.clone(), channel.uid.clone()));
            }
        }
        for (key, before, uid) in found {
            self.book.give(key, &uid);
            self.replaced.remove(&before);
            // The channel that rang before has no leg any more, and is not told of again.
            let serial = self.board.channel(&before).map_or(0, |c| c.serial);
            self.book.forget(&before, serial);
            self.board.forget(&before);
        }
        let board = &self.board;
        self.replaced.retain(|before, _| board.channel(before).is_some());
    }

    fn tell_views(&mut self, now: Now, views: Vec<View>, news: &mut News) -> HashSet<LegKey> {
        let mut seen = HashSet::new();
        let mut keyed = Vec::new();
        // First every leg gets its key, so that legs can name each other.
        for mut view in views {
            if view.leg.is_none() {
                view.leg = self.begin_leg(now, &view, news);
            }
            let Some(key) = view.leg else { continue };
            seen.insert(key);
            if let Some(leg) = self.book.legs.get_mut(&key) {
                leg.partner.clone_from(&view.partner);
            }
            keyed.push((key, view));
        }
        for (key, view) in keyed {
            let with = view.with.as_ref().and_then(|uid| self.book.present(uid)).map(|(_, leg)| leg.fact.leg.clone());
            let Some(leg) = self.book.legs.get(&key) else { continue };
            let fact = LegFact {
                end: settled_end(&leg.fact, view.end),
                state: view.state,
                place: view.place,
                with,
                toward: view.toward,
                held: view.held,
                autocall: view.autocall,
                role: view.role,
                ..leg.fact.clone()
            };
            self.tell_leg(now, key, fact, news);
        }
        seen
    }

    /// A leg begins; `None` when the conversation has had too many.
    fn begin_leg(&mut self, now: Now, view: &View, news: &mut News) -> Option<LegKey> {
        let origin = self.introduce(now, &view.root, &view.uid, news);
        let call = self.book.calls.get_mut(&view.root)?;
        if call.made.values().sum::<usize>() >= LEGS {
            return None;
        }
        let nth = call.made.entry(view.uid.clone()).or_default();
        *nth += 1;
        let (nth, call) = (*nth - 1, call.fact.call.clone());
        let fact = LegFact {
            call,
            leg: self.book.leg_id(&self.plan.system, &view.root, &view.uid, nth),
            seq: 0,
            at_ms: now.wall_ms,
            end: view.end.clone(),
            origin: origin && nth == 0,
            state: LegState::Planned,
            place: Place::None,
            with: None,
            toward: Text::new(),
            held: false,
            autocall: None,
            role: view.role,
        };
        let key = LegKey(self.book.next());
        let leg =
            Leg { uid: view.uid.clone(), root: view.root.clone(), fact, partner: view.partner.clone(), mark: None };
        self.book.add(key, leg);
        Some(key)
    }

    /// Tells of a conversation before its first leg; whether it began with this channel.
    fn introduce(&mut self, now: Now, root: &str, uid: &str, news: &mut News) -> bool {
        let Some(call) = self.book.calls.get(root) else { return false };
        if !call.origin.is_empty() {
            return call.origin == uid;
        }
        let origin = self.origin_of(root).unwrap_or_else(|| uid.to_owned());
        let parties = self.parties_of(&origin, root);
        let Some(call) = self.book.calls.get_mut(root) else { return false };
        call.origin.clone_from(&origin);
        call.fact.parties = parties;
        call.fact.at_ms = call.fact.at_ms.min(now.wall_ms);
        news.calls.push(Fact::Call(call.fact.clone()));
        origin == uid
    }

    /// The channel with which a conversation began, as far as it is there.
    fn origin_of(&self, root: &str) -> Option<String> {
        let parties = self.parties_in(root);
        let abonent = Own::of(root) == Some(Own::Dial(Sequence::Abonent));
        let last_called = |c: &&Channel| abonent && c.dial.as_ref().is_some_and(|d| d.by.as_deref() == Some(root));
        let first = |c: &&Channel| c.uid == root;
        let calls = |c: &&Channel| c.dial.is_none();
        let found = parties.iter().find(first).or_else(|| parties.iter().find(last_called));
        found.or_else(|| parties.iter().find(calls)).or_else(|| parties.first()).map(|c| c.uid.clone())
    }

    fn parties_of(&self, origin: &str, root: &str) -> Parties {
        let asked = self.asked.get(origin).or_else(|| self.asked.get(root));
        let channel = self.board.channel(origin);
        let end = match (channel, asked) {
            (Some(channel), _) => self.end_of(channel),
            (None, Some(asked)) => End::Inside(asked.number.clone()),
            (None, None) => return Parties::default(),
        };
        let called = match (asked, channel) {
            (Some(asked), _) if !asked.toward.is_empty() => asked.toward.clone(),
            (_, Some(channel)) if Own::of(origin).is_some() => self.plan.for_crm(&channel.caller).into(),
            // In the middle of a call only the other side's number says whom it was for.
            (_, Some(channel)) if channel.first_exten.is_empty() => self.plan.for_crm(&channel.connected).into(),
            (_, Some(channel)) if end.is_inside() => self.plan.for_crm(&channel.first_exten).into(),
            (_, channel) => channel.map_or_else(Text::new, |c| c.first_exten.as_str().into()),
        };
        let (caller, caller_name) = match &end {
            End::Inside(number) => (number.clone(), self.plan.name_of(number)),
            End::Outside { number, name, .. } => (number.clone(), name.clone()),
        };
        Parties { caller, caller_name, called }
    }

    /// A leg for a phone that is not called yet: the user's who wants somebody called first.
    pub(super) fn plan_leg(&mut self, uid: &str, root: &str, number: &Text, toward: &Text, now: Now, out: &mut Out) {
        let serial = self.book.next();
        let fact = ctigate_proto::telephony::CallFact {
            call: self.book.call_id(&self.plan.system, root),
            at_ms: now.wall_ms,
            parties: Parties { caller: number.clone(), caller_name: self.plan.name_of(number), called: toward.clone() },
        };
        let origin = uid.to_owned();
        let made = [(uid.to_owned(), 1)].into();
        let leg = LegFact {
            call: fact.call.clone(),
            leg: self.book.leg_id(&self.plan.system, root, uid, 0),
            seq: 1,
            at_ms: now.wall_ms,
            end: End::Inside(number.clone()),
            origin: true,
            state: LegState::Planned,
            place: Place::None,
            with: None,
            toward: toward.clone(),
            held: false,
            autocall: Some(Sequence::Abonent),
            role: Default::default(),
        };
        self.book.calls.insert(root.to_owned(), super::book::Call { fact: fact.clone(), origin, made, serial });
        self.book.roots.insert(root.to_owned(), root.to_owned());
        let key = LegKey(serial);
        let facts = vec![Fact::Call(fact), Fact::Leg(leg.clone())];
        let (uid, root) = (uid.to_owned(), root.to_owned());
        self.dirty.insert(root.clone());
        self.book.add(key, Leg { uid, root, fact: leg, partner: None, mark: None });
        out.events.push(Event::Facts(facts));
    }

    /// Tells of a leg if anything about it is new.
    fn tell_leg(&mut self, now: Now, key: LegKey, mut fact: LegFact, news: &mut News) {
        let Some(leg) = self.book.legs.get_mut(&key) else { return };
        (fact.seq, fact.at_ms) = (leg.fact.seq, leg.fact.at_ms);
        if fact == leg.fact && fact.seq > 0 {
            return;
        }
        fact.seq += 1;
        fact.at_ms = now.wall_ms;
        leg.fact = fact.clone();
        news.legs.push(Fact::Leg(fact));
    }

    fn end_leg(&mut self, now: Now, key: LegKey, cause: EndCause, news: &mut News) {
        let Some(leg) = self.book.legs.get(&key) else { return };
        let fact = LegFact { state: LegState::Ended(cause), ..leg.fact.clone() };
        self.tell_leg(now, key, fact, news);
        self.book.remove(key);
    }

    // Ends.

    fn tell_ends(&mut self, now: Now, seen: &HashSet<LegKey>, ready: &BTreeSet<String>, news: &mut News) {
        for root in ready {
            // Who came and went between two looks is told once, as ended.
            let made =
                |book: &super::book::Book, uid: &str| book.calls.get(root).is_some_and(|c| c.made.contains_key(uid));
            let mut brief = self.parties_in(root);
            brief.retain(|c| !c.lives() && !made(&self.book, &c.uid));
            for channel in brief {
                self.tell_brief(now, &channel, news);
            }
            let legs: Vec<LegKey> = self.book.legs_in.get(root).into_iter().flatten().copied().collect();
            for key in legs.into_iter().filter(|key| !seen.contains(key)) {
                let cause = self.book.legs.get(&key).and_then(|leg| self.cause_of_leg(leg));
                if let Some(cause) = cause {
                    self.end_leg(now, key, cause, news);
                }
            }
        }
    }

    fn tell_brief(&mut self, now: Now, channel: &Channel, news: &mut News) {
        let root = self.book.root_of.get(&channel.uid).cloned().unwrap_or_default();
        let called = channel.dial.is_some();
        let view = View {
            leg: None,
            uid: channel.uid.clone(),
            root,
            end: self.end_of(channel),
            state: LegState::Planned,
            place: Place::None,
            with: self.board.caller_of(channel).filter(|_| called).map(|by| by.uid.clone()),
            toward: Text::new(),
            held: false,
            autocall: None,
            role: Default::default(),
            partner: None,
        };
        let toward = match channel.dial.as_ref().map(|dial| &*dial.exten) {
            Some(exten) => self.plan.for_crm(exten),
            None => self.plan.for_crm(&channel.first_exten),
        };
        let asked = self.asked.get(&channel.uid).cloned();
        let Some(key) = self.begin_leg(now, &view, news) else { return };
        let with = view.with.as_ref().and_then(|uid| self.book.present(uid)).map(|(_, leg)| leg.fact.leg.clone());
        let Some(leg) = self.book.legs.get_mut(&key) else { return };
        leg.fact.with = with;
        leg.fact.toward = toward.into();
        leg.fact.state = if called { LegState::Ringing } else { LegState::Waiting };
        if let Some(asked) = asked {
            leg.fact.toward = asked.toward;
            leg.fact.autocall = matches!(asked.own, Own::Dial(_) | Own::Host | Own::Spy).then_some(Sequence::User);
        }
        let cause = self.book.legs.get(&key).and_then(|leg| self.cause_of_leg(leg)).unwrap_or(EndCause::Failed);
        self.end_leg(now, key, cause, news);
    }

    // Conferences.

    fn tell_rooms(&mut self, now: Now, ready: &BTreeSet<String>, news: &mut News, out: &mut Out) {
        let names = self.book.rooms.iter().filter(|(_, room)| ready.contains(&room.root));
        let names: Vec<String> = names.map(|(name, _)| name.clone()).collect();
        for name in names {
            let Some(mut room) = self.book.rooms.get(&name).cloned() else { continue };
            let before = room.fact.clone();
            self.settle_room(now, &name, &mut room, out);
            let Some(call) = self.book.calls.get(&room.root) else { continue };
            room.fact.call = call.fact.call.clone();
            (room.fact.seq, room.fact.at_ms) = (before.seq, before.at_ms);
            if room.fact != before || !room.told {
                room.told = true;
                room.fact.seq += 1;
                room.fact.at_ms = now.wall_ms;
                news.conferences.push(Fact::Conference(room.fact.clone()));
            }
            if room.fact.over {
                if let Some(file) = room.tape.take() {
                    let talk = ctigate_proto::telephony::TalkId(room.fact.id.0.clone());
                    news.recordings.push(Fact::Recording { call: room.fact.call.clone(), talk, file });
                }
                self.book.rooms.remove(&name);
            } else {
                self.book.rooms.insert(name, room);
            }
        }
    }

    /// Makes true what holds for a conference.
    fn settle_room(&mut self, now: Now, name: &str, room: &mut Room, out: &mut Out) {
        if let Some((spy, target)) = room.ghost.clone() {
            let mode = self.ghost_modes.get(&spy).copied().unwrap_or_default();
            let told = room.fact.ghost.as_ref().map(|ghost| ghost.target.clone());
            let leg = self.book.present(&target).map(|(_, leg)| leg.fact.leg.clone()).or(told);
            room.fact.ghost = leg.map(|target| Ghost { mode, target });
            room.fact.over = !self.book.of.contains_key(&spy);
            return;
        }
        let here = Place::Conference(room.fact.id.clone());
        let legs = self.book.legs_in.get(&room.root).into_iter().flatten();
        let legs = legs.filter_map(|key| self.book.legs.get(key));
        let members: Vec<&Leg> = legs.filter(|leg| leg.fact.place == here).collect();
        let present = members.iter().filter(|leg| leg.fact.state == LegState::Up).count();
        room.social |= present >= 2;
        let asked = self.asked.values().any(|asked| asked.room.as_deref() == Some(name) && asked.pending);
        let alone = room.own && room.social && members.len() < 2 && !asked;
        if members.is_empty() && !asked {
            room.fact.over = true;
        } else if alone {
            room.fact.over = true;
            // Who is left has nobody to talk with.
            let left: Vec<String> = members.iter().map(|leg| leg.uid.clone()).collect();
            for uid in left {
                self.send_back(now, &uid, EndCause::OtherGone, out);
            }
        } else if present >= 2 && room.own && room.fact.record && room.tape.is_none() {
            room.tape = self.record_room(name, &room.fact.id, out);
        }
    }

    // Over.

    fn tell_over(&mut self, now: Now, ready: &BTreeSet<String>, news: &mut News) {
        for root in ready {
            let live = |uid: &String| self.board.live(uid).is_some();
            let channels = self.book.channels.get(root).is_some_and(|channels| channels.values().any(live));
            let pending = || self.asked.values().any(|asked| asked.pending && asked.root.as_ref() == Some(root));
            if self.book.legs_in.contains_key(root) || channels || !self.book.calls.contains_key(root) || pending() {
                continue;
            }
            self.tell_unreachable(now, root, news);
            if let Some(call) = self.book.calls.get(root)
                && !call.origin.is_empty()
            {
                news.over.push(Fact::Over { call: call.fact.call.clone(), at_ms: now.wall_ms });
            }
            let gone: Vec<(String, u64)> =
                self.parties_in(root).iter().map(|channel| (channel.uid.clone(), channel.serial)).collect();
            self.book.close(root);
            self.asked.retain(|uid, asked| asked.root.as_ref() != Some(root) && uid != root);
            // So that they are buried with it.
            for (uid, serial) in gone {
                self.book.belongs(&uid, serial, root);
            }
        }
    }

    /// A phone that is not registered has no channel at all: that it could not be reached is seen from the caller's end.
    fn tell_unreachable(&mut self, now: Now, root: &str, news: &mut News) {
        let Some(call) = self.book.calls.get(root) else { return };
        let alone = call.made.len() == 1 && call.made.values().sum::<usize>() == 1;
        let Some(origin) = self.board.channel(&call.origin).filter(|_| alone) else { return };
        let to = if is_end(&origin.exten) { &origin.first_exten } else { &origin.exten };
        let number: Text = self.plan.for_crm(to).into();
        if origin.gone != Some(Gone::Hung(20)) || origin.left || !self.plan.phones.contains_key(&number) {
            return;
        }
        let id = call.fact.call.clone();
        let fact = LegFact {
            call: id,
            leg: LegId(super::places::guid(&self.plan.system, "leg", &format!("{root} unreachable"))),
            seq: 1,
            at_ms: now.wall_ms,
            end: End::Inside(number.clone()),
            origin: false,
            state: LegState::Ended(EndCause::Unreachable),
            place: Place::None,
            with: None,
            toward: number,
            held: false,
            autocall: None,
            role: Default::default(),
        };
        news.legs.push(Fact::Leg(fact));
    }

    /// The conversation of a channel.
    pub(super) fn call_id(&self, uid: &str) -> Option<CallId> {
        let linked = || self.book.roots.get(&self.board.channel(uid)?.linkedid);
        let root = self.book.root_of.get(uid).or_else(linked)?;
        Some(self.book.calls.get(root)?.fact.call.clone())
    }

    /// The room of a conference.
    pub(super) fn room_of(&self, id: &ConferenceId) -> Option<(&String, &Room)> {
        self.book.rooms.iter().find(|(_, room)| room.fact.id == *id)
    }
}

/// Extensions in which a channel ends.
fn is_end(exten: &str) -> bool {
    matches!(exten, "h" | "s" | "") || !super::look::is_number(exten)
}

/// A number that is not known any more is still that of the same party.
fn settled_end(told: &LegFact, end: End) -> End {
    match (&told.end, end) {
        (End::Outside { number, .. }, End::Outside { .. }) if told.seq > 0 && !number.is_empty() => told.end.clone(),
        (_, end) => end,
    }
}
