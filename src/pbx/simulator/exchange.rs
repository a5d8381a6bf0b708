//! The exchange: how legs begin, ring, are connected, put on hold and end, and what follows for the others. It keeps few
//! rules, and after everything that happens [`Machine::settle`] makes them true again:
//!
//! - who talks with nobody any more leaves, and takes back whoever waits on hold;
//! - a conference of less than two ends, and so does listening in to nobody;
//! - a conversation without legs is over.

use std::collections::VecDeque;
use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    CallFact, CallId, ConferenceFact, ConferenceId, End, EndCause, Event, Fact, LegFact, LegId, LegState, Parties,
    Place, Role, TalkId,
};
use uuid::Uuid;

use super::legs::{Call, CallKey, Conference, Leg, LegKey, NewLeg, Talk};
use super::machine::{Due, Machine};
use super::recording::Take;
use crate::pbx::ControlError;

/// Most legs of one conversation, those that are ended included. Who asks for more can ring nobody.
const LEGS: usize = 1000;
/// How many ended legs of a conversation a picture shows.
const PAST_LEGS: usize = 16;

impl Machine {
    // Ids.

    pub(super) fn guid(&mut self) -> Text {
        self.last_id += 1;
        Uuid::new_v5(&Uuid::from_u128(self.settings.seed), &self.last_id.to_be_bytes()).to_string().into()
    }

    /// The id of a conference that nobody made one for.
    pub(super) fn conference_id(&mut self) -> ConferenceId {
        ConferenceId(self.guid())
    }

    /// The wall clock at the moment being handled, milliseconds since 1970.
    pub(super) fn wall_ms(&self) -> i64 {
        self.settings.wall_ms.saturating_add(i64::try_from(self.now.as_millis()).unwrap_or(i64::MAX))
    }

    // Conversations and legs.

    /// A conversation begins. It has no leg yet: the caller makes one at once.
    pub(super) fn begin_call(&mut self, parties: Parties) -> CallKey {
        self.last_key += 1;
        self.counters.calls += 1;
        let key = CallKey(self.last_key);
        let (id, began_ms) = (CallId(self.guid()), self.wall_ms());
        self.news.calls.push(CallFact { call: id.clone(), at_ms: began_ms, parties: parties.clone() });
        let limit = Some(self.timers.set(self.now + self.settings.longest_call, Due::Longest(key)));
        let call = Call { id, parties, began_ms, legs: Vec::new(), made: 0, limit, past: VecDeque::new() };
        self.calls.insert(key, call);
        self.touched.insert(key);
        key
    }

    /// A leg begins.
    pub(super) fn begin_leg(&mut self, new: NewLeg) -> LegKey {
        self.last_key += 1;
        let key = LegKey(self.last_key);
        let id = LegId(self.guid());
        let mut end = new.end;
        let mut line = None;
        match &mut end {
            End::Inside(number) => {
                if let Some(phone) = self.phones.get_mut(number) {
                    phone.legs.push(key);
                }
            }
            End::Outside { number, line: name, .. } => {
                self.strangers.entry(number.clone()).or_default().push(key);
                line = self.lines.take();
                *name = line.map_or_else(Text::new, |n| format!("{n:05}").into());
            }
        }
        let call = self.calls.get_mut(&new.call);
        let call_id = call.as_ref().map(|call| call.id.clone()).unwrap_or_default();
        if let Some(call) = call {
            call.legs.push(key);
            call.made += 1;
        }
        let since_ms = self.wall_ms();
        let leg = Leg {
            id,
            call: new.call,
            call_id,
            seq: 0,
            dirty: true,
            since_ms,
            end,
            origin: false,
            state: new.state,
            place: new.place,
            with: new.with,
            toward: new.toward,
            held: false,
            autocall: None,
            role: Role::default(),
            rung_for: None,
            wants: None,
            partner: None,
            flows: Vec::new(),
            alarm: None,
            limit: None,
            talks: None,
            line,
            was_there: false,
            said: VecDeque::new(),
        };
        self.legs.insert(key, leg);
        self.news.legs.push(key);
        self.touched.insert(new.call);
        key
    }

    /// Rings a phone, inside or outside.
    ///
    /// # Errors
    /// Why it does not ring; that is told as a leg that ends at once, but for a conversation that has had too many.
    pub(super) fn ring(&mut self, new: NewLeg) -> Result<LegKey, EndCause> {
        if self.calls.get(&new.call).is_none_or(|call| call.made >= LEGS) {
            return Err(EndCause::Failed);
        }
        let obstacle = match &new.end {
            End::Outside { .. } if !self.lines.any_free() => Some(EndCause::Failed),
            end => self.obstacle(end),
        };
        let key = self.begin_leg(NewLeg { state: LegState::Ringing, ..new });
        if let Some(cause) = obstacle {
            self.finish(key, cause);
            return Err(cause);
        }
        self.rings_now(key);
        Ok(key)
    }

    /// Changes a leg that is not ended.
    pub(super) fn alter(&mut self, key: LegKey, change: impl FnOnce(&mut Leg)) {
        let Some(leg) = self.legs.get_mut(&key).filter(|leg| leg.lives()) else { return };
        let place = leg.place.clone();
        change(leg);
        if !std::mem::replace(&mut leg.dirty, true) {
            self.news.legs.push(key);
        }
        self.touched.insert(leg.call);
        if place != leg.place
            && let Place::Talk(talk) = place
        {
            self.talk_over(&talk);
        }
    }

    /// A leg ends. What follows for the others is made true by [`Self::settle`]; what its own person has on hold stays there.
    pub(super) fn finish(&mut self, key: LegKey, cause: EndCause) {
        if !self.lives(key) {
            return;
        }
        let mut was = LegState::Planned;
        self.alter(key, |leg| was = std::mem::replace(&mut leg.state, LegState::Ended(cause)));
        let wall_ms = self.wall_ms();
        let Some(leg) = self.legs.get_mut(&key) else { return };
        self.timers.cancel(&mut leg.alarm);
        self.timers.cancel(&mut leg.limit);
        leg.since_ms = wall_ms;
        leg.was_there = matches!(was, LegState::Up | LegState::Waiting);
        let (call, end, place, line) = (leg.call, leg.end.clone(), leg.place.clone(), leg.line.take());
        let (rung_for, flows) = (leg.rung_for.take(), std::mem::take(&mut leg.flows));
        let past = leg.picture();
        if let Place::Talk(talk) = place {
            self.talk_over(&talk);
        }
        if let Some(call) = self.calls.get_mut(&call) {
            call.legs.retain(|leg| *leg != key);
            if call.past.len() >= PAST_LEGS {
                call.past.pop_front();
            }
            call.past.push_back(past);
        }
        match &end {
            End::Inside(number) => {
                if let Some(phone) = self.phones.get_mut(number) {
                    phone.legs.retain(|leg| *leg != key);
                    if was == LegState::Up {
                        phone.idle_since = self.now;
                    }
                }
                self.has_left(number);
            }
            End::Outside { number, .. } => {
                if let Some(legs) = self.strangers.get_mut(number) {
                    legs.retain(|leg| *leg != key);
                    if legs.is_empty() {
                        self.strangers.remove(number);
                    }
                }
                if let Some(line) = line {
                    self.lines.give_back(line);
                }
            }
        }
        if let Some(flow) = rung_for {
            self.ring_failed(flow, key);
        }
        for flow in flows {
            self.leg_gone(flow);
        }
    }

    /// A leg ends, and whoever its person has on hold comes back.
    pub(super) fn release(&mut self, key: LegKey, cause: EndCause) {
        let Some(leg) = self.legs.get(&key).filter(|leg| leg.lives()) else { return };
        let (call, end, held) = (leg.call, leg.end.clone(), leg.held);
        self.finish(key, cause);
        if held {
            return;
        }
        let back =
            self.legs_of(&end).iter().copied().find(|other| {
                self.legs.get(other).is_some_and(|other| other.call == call && other.held && other.lives())
            });
        if let Some(back) = back {
            self.take_back(back);
        }
    }

    /// The legs of a party, in the order in which they came.
    pub(super) fn legs_of(&self, end: &End) -> &[LegKey] {
        match end {
            End::Inside(number) => self.phones.get(number).map_or(&[], |phone| &phone.legs),
            End::Outside { number, .. } => self.strangers.get(number).map_or(&[], |legs| legs),
        }
    }

    pub(super) fn lives(&self, key: LegKey) -> bool {
        self.legs.get(&key).is_some_and(Leg::lives)
    }

    /// Who talks with a leg.
    pub(super) fn peer(&self, key: LegKey) -> Option<LegKey> {
        let leg = self.legs.get(&key)?;
        let Place::Talk(talk) = &leg.place else { return None };
        let mut others = self.calls.get(&leg.call)?.legs.iter().copied().filter(|other| *other != key);
        let talks_there = |other: &LegKey| {
            self.legs.get(other).is_some_and(|other| matches!(&other.place, Place::Talk(there) if there == talk))
        };
        others.find(talks_there)
    }

    // Talks.

    /// Two legs talk with each other from now on.
    pub(super) fn connect(&mut self, one: LegKey, other: LegKey) {
        let talk = TalkId(self.guid());
        let call = self.legs.get(&one).map(|leg| leg.call_id.clone()).unwrap_or_default();
        self.talks.insert(talk.clone(), Talk { call, began: self.now });
        for key in [one, other] {
            self.come(key, Place::Talk(talk.clone()));
        }
    }

    /// A leg is there and talks.
    pub(super) fn come(&mut self, key: LegKey, place: Place) {
        let mut talks = None;
        self.alter(key, |leg| {
            leg.state = LegState::Up;
            leg.place = place;
            leg.with = None;
            leg.partner = None;
            talks = leg.talks.take();
        });
        if let Some(talks) = talks {
            let alarm = self.timers.set(self.now + talks, Due::HangUp(key));
            if let Some(leg) = self.legs.get_mut(&key) {
                let mut before = leg.alarm.replace(alarm);
                self.timers.cancel(&mut before);
            }
        }
    }

    /// Puts the others aside.
    pub(super) fn put_aside(&mut self, key: LegKey) {
        self.alter(key, |leg| leg.held = true);
    }

    /// Takes back who was put aside: a talk is a new one.
    pub(super) fn take_back(&mut self, key: LegKey) {
        self.alter(key, |leg| leg.held = false);
        if let Some(peer) = self.peer(key) {
            self.connect(key, peer);
        }
    }

    fn talk_over(&mut self, id: &TalkId) {
        if let Some(talk) = self.talks.remove(id) {
            self.record(talk.call, id.clone(), self.now.since(talk.began));
        }
    }

    fn record(&mut self, call: CallId, talk: TalkId, length: Duration) {
        if !self.settings.record || length.is_zero() {
            return;
        }
        let take = Take::of(&talk, length);
        self.news.recordings.push(Fact::Recording { call, talk, file: take.file.clone() });
        self.takes.push_back(take);
    }

    // Conferences.

    /// A conference begins.
    pub(super) fn begin_conference(&mut self, call: CallKey, fact: ConferenceFact, social: bool) {
        let (at_ms, call_id) = (self.wall_ms(), self.calls.get(&call).map(|c| c.id.clone()).unwrap_or_default());
        let id = fact.id.clone();
        let fact = ConferenceFact { call: call_id, seq: 0, at_ms, ..fact };
        let conference = Conference { fact, call, social, began: None, ghost: None, dirty: true };
        self.conferences.insert(id.clone(), conference);
        self.news.conferences.push(id);
        self.touched.insert(call);
    }

    /// Changes a conference.
    pub(super) fn alter_conference(&mut self, id: &ConferenceId, change: impl FnOnce(&mut Conference)) {
        if let Some(conference) = self.conferences.get_mut(id) {
            change(conference);
            if !std::mem::replace(&mut conference.dirty, true) {
                self.news.conferences.push(id.clone());
            }
            self.touched.insert(conference.call);
        }
    }

    /// The legs that are in a conference or on the way to it, in the order in which they came.
    pub(super) fn members(&self, id: &ConferenceId) -> Vec<LegKey> {
        let Some(call) = self.conferences.get(id).and_then(|c| self.calls.get(&c.call)) else { return Vec::new() };
        let here = |key: &LegKey| self.legs.get(key).and_then(Leg::conference) == Some(id);
        call.legs.iter().copied().filter(here).collect()
    }

    // What follows.

    /// Makes the rules of the exchange true again for every conversation that was touched.
    pub(super) fn settle(&mut self) {
        while let Some(call) = self.touched.pop_first() {
            while self.settle_once(call) {}
        }
    }

    /// Makes one thing true; whether there was one.
    fn settle_once(&mut self, key: CallKey) -> bool {
        self.settle_faxes(key);
        let Some(call) = self.calls.get(&key) else { return false };
        let left = call.legs.iter().copied().find(|leg| self.is_left(*leg));
        if let Some(left) = left {
            self.release(left, EndCause::OtherGone);
            return true;
        }
        let of_call = self.conferences.iter().filter(|(_, c)| c.call == key && !c.fact.over);
        let ids: Vec<ConferenceId> = of_call.map(|(id, _)| id.clone()).collect();
        for id in ids {
            if self.settle_conference(&id) {
                return true;
            }
        }
        let Some(call) = self.calls.get(&key).filter(|call| call.legs.is_empty()) else { return false };
        let over = Fact::Over { call: call.id.clone(), at_ms: self.wall_ms() };
        self.news.over.push(over);
        if let Some(mut call) = self.calls.remove(&key) {
            self.timers.cancel(&mut call.limit);
            self.remember(call);
        }
        false
    }

    /// Whether a leg has lost who it talked with, or was about to.
    fn is_left(&self, key: LegKey) -> bool {
        let Some(leg) = self.legs.get(&key) else { return false };
        match &leg.place {
            Place::Talk(_) => self.peer(key).is_none(),
            Place::Conference(id) => self.conferences.get(id).is_none_or(|c| c.fact.over),
            _ => leg.partner.is_some_and(|partner| !self.lives(partner)),
        }
    }

    fn settle_conference(&mut self, id: &ConferenceId) -> bool {
        let members = self.members(id);
        let Some(conference) = self.conferences.get(id) else { return false };
        let over = match conference.ghost {
            Some((_, target)) => members.is_empty() || !self.lives(target),
            None => members.len() < if conference.social { 2 } else { 1 },
        };
        let here = members.iter().filter(|m| self.legs.get(m).is_some_and(|leg| leg.state == LegState::Up)).count();
        if here >= 2 && conference.began.is_none() {
            let now = self.now;
            // Nobody is told: that it talks is seen from its members.
            if let Some(conference) = self.conferences.get_mut(id) {
                conference.began = Some(now);
                conference.social = true;
            }
        }
        if !over {
            return false;
        }
        self.alter_conference(id, |conference| conference.fact.over = true);
        let began =
            self.conferences.get(id).filter(|c| c.fact.record).and_then(|c| Some((c.began?, c.fact.call.clone())));
        if let Some((began, call)) = began {
            self.record(call, TalkId(id.0.clone()), self.now.since(began));
        }
        true
    }

    /// Tells what became true together.
    pub(super) fn flush(&mut self) {
        let at_ms = self.wall_ms();
        let withdrawn = std::mem::take(&mut self.withdrawn);
        self.events.extend(withdrawn.into_iter().map(|run| Event::AskCancelled { run }));
        let news = std::mem::take(&mut self.news);
        let mut facts: Vec<Fact> = news.calls.into_iter().map(Fact::Call).collect();
        for id in news.conferences {
            let Some(conference) = self.conferences.get_mut(&id) else { continue };
            conference.dirty = false;
            conference.fact.seq += 1;
            conference.fact.at_ms = at_ms;
            facts.push(Fact::Conference(conference.fact.clone()));
            if conference.fact.over {
                self.conferences.remove(&id);
            }
        }
        for key in news.legs {
            let Some(leg) = self.legs.get_mut(&key) else { continue };
            leg.dirty = false;
            leg.seq += 1;
            leg.since_ms = at_ms;
            facts.push(Fact::Leg(leg_fact(leg, at_ms)));
            if !leg.lives() {
                self.legs.remove(&key);
            }
        }
        facts.extend(news.faxes);
        facts.extend(news.recordings);
        facts.extend(news.over);
        if !facts.is_empty() {
            self.events.push_back(Event::Facts(facts));
        }
    }

    /// A conversation ends for everybody, because an operator wants it.
    pub(super) fn end_call(&mut self, id: &CallId) -> Result<(), ControlError> {
        let key = self.calls.iter().find(|(_, call)| call.id == *id).map(|(key, _)| *key);
        self.cut(key.ok_or_else(|| ControlError::NoSuchCall(id.clone()))?, EndCause::Hangup);
        Ok(())
    }

    /// A conversation ends for everybody.
    pub(super) fn cut(&mut self, key: CallKey, cause: EndCause) {
        let legs = self.calls.get(&key).map(|call| call.legs.clone()).unwrap_or_default();
        for leg in legs {
            self.finish(leg, cause);
        }
    }
}

fn leg_fact(leg: &Leg, at_ms: i64) -> LegFact {
    LegFact {
        call: leg.call_id.clone(),
        leg: leg.id.clone(),
        seq: leg.seq,
        at_ms,
        end: leg.end.clone(),
        origin: leg.origin,
        state: leg.state,
        place: leg.place.clone(),
        with: leg.with.clone(),
        toward: leg.toward.clone(),
        held: leg.held,
        autocall: leg.autocall,
        role: leg.role,
    }
}
