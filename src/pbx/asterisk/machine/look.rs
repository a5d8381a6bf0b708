//! From the board to views: what each party's part in its conversation looks like. A pure function of the board, of what the
//! gateway asked for, and of which talk was which.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{ConferenceId, End, LegState, Place, Role, Sequence, TalkId};

use super::board::{Channel, Gone, Kind, State};
use super::book::{Call, LegKey, Room, pair};
use super::places::{self, HOLD, Own, WAIT};
use super::{Machine, Now};

/// A leg whose talk is over, and that does nothing else, is told as alone after so long: mostly it is hung up at once.
const APART: std::time::Duration = std::time::Duration::from_millis(500);

/// What a channel does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// It is gone.
    Gone,
    /// It listens in to a channel.
    Spies(String),
    /// It is in a conference.
    Room(String),
    /// It talks with another channel.
    Talks(String),
    /// Another channel has put it aside.
    Held(String),
    /// It has put others aside, and hears nobody.
    Waits,
    /// It is called.
    Rings,
    /// It waits for who is called.
    Calls,
    /// It waits in a queue, by number.
    Queue(Text),
    /// It hears something of the PBX.
    Menu(String),
    /// It is between two places.
    Still,
}

/// How one leg looks.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) leg: Option<LegKey>,
    pub(super) uid: String,
    pub(super) root: String,
    pub(super) end: End,
    pub(super) state: LegState,
    pub(super) place: Place,
    /// The channel whose present leg waits for it.
    pub(super) with: Option<String>,
    pub(super) toward: Text,
    pub(super) held: bool,
    pub(super) autocall: Option<Sequence>,
    pub(super) role: Role,
    pub(super) partner: Option<String>,
}

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

    /// The inside number of an endpoint.
    pub(super) fn number_of(&self, endpoint: &str) -> Option<&Text> {
        self.numbers.get(endpoint)
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
            let own = |l: &&super::book::Leg| l.fact.held && matches!(&l.fact.end, End::Inside(n) if n == number);
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
        let fact = ctigate_proto::telephony::CallFact {
            call: id,
            at_ms: channel.began_ms.min(now.wall_ms),
            parties: ctigate_proto::telephony::Parties::default(),
        };
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

    /// What a channel does.
    pub(super) fn spot(&self, channel: &Channel) -> Spot {
        if !channel.lives() {
            return Spot::Gone;
        }
        if let Some(spied) = &channel.spies {
            return Spot::Spies(spied.clone());
        }
        if let Some(target) = self.asked.get(&channel.uid).and_then(|asked| asked.target.clone()) {
            return Spot::Spies(target);
        }
        if let Some((id, bridge)) = self.board.bridge_of(channel) {
            let far = || self.board.bridge_of(self.voice(channel))?.1.room();
            if let Some(room) = bridge.room().or_else(far) {
                return Spot::Room(room.to_owned());
            }
            if bridge.kind == "parking" {
                return Spot::Menu(bridge.kind.clone());
            }
            match &self.board.beside(&channel.uid)[..] {
                [] => {}
                [other] => return Spot::Talks(other.uid.clone()),
                _ => return Spot::Room(format!("bridge {id}")),
            }
        }
        if channel.is_at(HOLD) {
            return match self.holder(&channel.uid) {
                Some(holder) => Spot::Held(holder.to_owned()),
                None => Spot::Still,
            };
        }
        if channel.is_at(WAIT) {
            return Spot::Waits;
        }
        if channel.is_called() {
            return Spot::Rings;
        }
        let voice = self.voice(channel);
        if let Some(queue) = &voice.queue {
            return Spot::Queue(self.plan.queues.get(queue).cloned().unwrap_or_else(|| Text::from(queue.as_str())));
        }
        // Who was called first waits for the user, whose phone is called now.
        if voice.uid != channel.uid && Own::of(&voice.uid) == Some(Own::Dial(Sequence::Abonent)) {
            return Spot::Still;
        }
        if self.board.calls(&voice.uid) || channel.state != State::Up {
            return Spot::Calls;
        }
        let dials = self.book.present(&channel.uid).is_some_and(|(_, leg)| leg.fact.autocall == Some(Sequence::User))
            || Own::of(&channel.uid) == Some(Own::Dial(Sequence::User));
        let hears = matches!(
            &*voice.app,
            "AGI"
                | "EAGI"
                | "AsyncAGI"
                | "BackGround"
                | "Background"
                | "Playback"
                | "Read"
                | "WaitExten"
                | "Echo"
                | "MusicOnHold"
                | "Milliwatt"
                | "Record"
                | "VoiceMail"
                | "VoiceMailMain"
                | "Stasis"
                | "SayDigits"
                | "SayNumber"
                | "ControlPlayback"
                | "Directory"
                | "DISA"
                | "MeetMe"
                | "SayAlpha"
                | "Morsecode"
        );
        if hears && voice.context != places::CONTEXT {
            return Spot::Menu(voice.context.clone());
        }
        // Which application a channel runs is not always told; a service that has answered is heard.
        let asked = self.asked.get(&channel.uid).map(|asked| &asked.toward).filter(|toward| !toward.is_empty());
        let first = asked.map_or(&*channel.first_exten, |toward| &**toward);
        let number = if is_number(&channel.exten) { &*channel.exten } else { first };
        if self.plan.services.contains(number) {
            return Spot::Menu(number.to_owned());
        }
        if dials && channel.context != places::CONTEXT || channel.dial.is_none() {
            return Spot::Calls;
        }
        Spot::Still
    }

    /// The channel that does what a party hears: the far half of a local channel with which it is alone, else itself.
    fn voice<'a>(&'a self, channel: &'a Channel) -> &'a Channel {
        let mut at = channel;
        for _ in 0..4 {
            let Some(bridge) = at.bridge.as_deref() else { break };
            let mut others = self.board.members(bridge).filter(|c| c.uid != at.uid && c.kind != Kind::Inner);
            let (Some(local), None) = (others.next(), others.next()) else { break };
            match self.board.half(local).filter(|_| local.kind == Kind::Local) {
                Some(far) => at = far,
                None => break,
            }
        }
        at
    }

    /// Who has put a channel aside.
    pub(super) fn holder(&self, uid: &str) -> Option<&str> {
        self.holds.get(uid).map(String::as_str)
    }

    /// The channels that somebody has put aside by way of the gateway, in the order in which they came.
    pub(super) fn aside(&self, holder: &str) -> Vec<&Channel> {
        let mut aside: Vec<&Channel> = self
            .holds
            .iter()
            .filter(|(_, by)| *by == holder)
            .filter_map(|(uid, _)| self.board.live(uid))
            .filter(|c| c.is_at(HOLD))
            .collect();
        aside.sort_by_key(|c| c.serial);
        aside
    }

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

    /// The parties of a conversation, those that have just gone included, in the order in which they came.
    pub(super) fn parties_in(&self, root: &str) -> Vec<Channel> {
        let channels = self.book.channels.get(root).into_iter().flat_map(BTreeMap::values);
        channels.filter_map(|uid| self.board.channel(uid)).cloned().collect()
    }

    /// Whether a place is a talk that has been over for a while.
    fn is_past(&self, now: Now, place: &Place) -> bool {
        let Place::Talk(id) = place else { return false };
        let talk = self.book.talks.values().find(|talk| talk.id == *id);
        talk.is_none_or(|talk| !talk.together && now.mono.since(talk.apart) >= APART)
    }

    /// Whether a leg was in a talk until a moment ago, or is being hung up.
    fn is_leaving(&self, now: Now, channel: &Channel, kept: &View) -> bool {
        let left = matches!(kept.place, Place::Talk(_)) && !self.is_past(now, &kept.place);
        !self.board.calls(&channel.uid) && (left || self.marks.contains_key(&channel.uid))
    }

    /// When a talk that is over has been so for a while, for legs that still say they are in it.
    pub(super) fn apart_due(&self) -> Option<(ctigate_proto::Time, String)> {
        let apart = self.book.talks.values().filter(|talk| !talk.together && talk.apart != ctigate_proto::Time::ZERO);
        apart.map(|talk| (talk.apart + APART, talk.root.clone())).min()
    }

    /// Looks again at those whose talk has been over for a while.
    pub(super) fn watch_apart(&mut self, now: Now) {
        for talk in self.book.talks.values_mut() {
            if !talk.together && talk.apart != ctigate_proto::Time::ZERO && now.mono.since(talk.apart) >= APART {
                talk.apart = ctigate_proto::Time::ZERO;
                self.dirty.insert(talk.root.clone());
            }
        }
    }

    fn talk_place(&self, one: &str, other: &str) -> Place {
        self.book.talks.get(&pair(one, other)).map_or(Place::None, |talk| Place::Talk(talk.id.clone()))
    }

    /// The conference in a room; it is written into the book if it was not there.
    pub(super) fn conference_in(&mut self, room: &str, root: &str) -> ConferenceId {
        if let Some(known) = self.book.rooms.get(room) {
            return known.fact.id.clone();
        }
        let own = places::conference(room);
        let id = own.clone().unwrap_or_else(|| {
            let serial = format!("{room} {root}");
            ConferenceId(places::guid(&self.plan.system, "conference", &serial))
        });
        let mut new = Room::new(id.clone(), root.to_owned());
        new.own = own.is_some();
        if !new.own && !room.starts_with("bridge ") {
            new.fact.name = room.into();
            new.fact.room = room.parse().unwrap_or(0);
        }
        self.book.rooms.insert(room.to_owned(), new);
        id
    }

    /// Every leg of these conversations as it looks now.
    pub(super) fn views(&mut self, now: Now, ready: &BTreeSet<String>) -> Vec<View> {
        let mut views = Vec::new();
        for root in ready {
            for channel in self.parties_in(root) {
                self.views_of(now, &channel, root, &mut views);
            }
        }
        views
    }

    fn views_of(&mut self, now: Now, channel: &Channel, root: &str, views: &mut Vec<View>) {
        let uid = &channel.uid;
        // A leg of another conversation ends there; here a new one begins.
        let mut free: Vec<LegKey> =
            self.book.legs_of(uid).filter(|(_, leg)| leg.root == root).map(|(key, _)| key).collect();
        let base = View {
            leg: None,
            uid: uid.clone(),
            root: root.to_owned(),
            end: self.end_of(channel),
            state: LegState::Up,
            place: Place::None,
            with: None,
            toward: Text::new(),
            held: false,
            autocall: None,
            role: Role::default(),
            partner: None,
        };
        let spot = self.spot(channel);
        if spot == Spot::Gone {
            return;
        }
        let aside: Vec<String> = self.aside(uid).iter().map(|c| c.uid.clone()).collect();
        for other in aside {
            let facing = self.book.facing(uid, &other).filter(|key| free.contains(key));
            let leg = facing.or_else(|| free.first().copied());
            free.retain(|key| Some(*key) != leg);
            let place = self.talk_place(uid, &other);
            views.push(View { leg, place, held: true, partner: Some(other), ..self.kept(&base, leg) });
        }
        if let Some(room) = self.rooms_aside.get(uid).cloned()
            && spot != Spot::Room(room.clone())
        {
            let id = self.conference_in(&room, root);
            let facing = self.book.facing(uid, &room).filter(|key| free.contains(key));
            let leg = facing.or_else(|| free.first().copied());
            free.retain(|key| Some(*key) != leg);
            let place = Place::Conference(id);
            views.push(View { leg, place, held: true, partner: Some(room), ..self.kept(&base, leg) });
        }
        let partner = match &spot {
            Spot::Talks(other) | Spot::Held(other) | Spot::Spies(other) => Some(other.clone()),
            Spot::Room(room) => Some(room.clone()),
            _ => None,
        };
        let facing = partner.as_ref().and_then(|p| self.book.facing(uid, p)).filter(|key| free.contains(key));
        let leg = facing.or_else(|| free.first().copied());
        let mut base = base;
        if leg.is_none() {
            base.toward = match channel.dial {
                Some(_) => self.toward_of_called(channel, &base),
                None => self.toward_of_caller(channel, &base),
            };
        }
        // Who waits for nobody but those aside has no other leg.
        if spot == Spot::Waits {
            return;
        }
        let kept = View { leg, held: channel.hold, ..self.kept(&base, leg) };
        let told = leg.and_then(|key| self.book.legs.get(&key)).map(|leg| leg.fact.state);
        let asked = self.asked.get(uid).or_else(|| self.asked.get(&channel.linkedid));
        let room = asked.and_then(|asked| asked.room.clone()).filter(|_| channel.is_called());
        let view = match spot {
            Spot::Gone | Spot::Waits => return,
            Spot::Spies(target) => {
                let state = if channel.was_up { LegState::Up } else { LegState::Ringing };
                let id = self.ghost_of(channel, &target, root);
                let role = Role { ghost: true, ..kept.role };
                View { state, place: Place::Conference(id), role, partner, ..kept }
            }
            Spot::Room(room) => {
                let id = self.conference_in(&room, root);
                let host = self.asked.get(uid).is_some_and(|a| a.own == Own::Host) || Own::of(uid) == Some(Own::Host);
                let role = Role { creator: host || kept.role.creator, ..kept.role };
                View { place: Place::Conference(id), partner, role, held: false, ..kept }
            }
            Spot::Talks(other) => View { place: self.talk_place(uid, &other), partner, ..kept },
            Spot::Held(holder) => View { place: self.talk_place(uid, &holder), partner, held: false, ..kept },
            Spot::Queue(queue) => {
                let state = if channel.state == State::Up { LegState::Up } else { LegState::Waiting };
                View { state, toward: self.toward_of_caller(channel, &kept), place: Place::Queue(queue), ..kept }
            }
            Spot::Menu(name) => {
                let name = Text::from(name);
                View { place: Place::Menu { name, routing: true }, ..kept }
            }
            Spot::Rings => {
                let place = match room {
                    Some(room) => Place::Conference(self.conference_in(&room, root)),
                    None => Place::None,
                };
                let with = self.board.caller_of(channel).map(|by| by.uid.clone()).or_else(|| {
                    let asked = self.asked.get(uid).or_else(|| self.asked.get(&channel.linkedid))?;
                    asked.with.clone()
                });
                let with = with.filter(|with| with != uid);
                let toward = self.toward_of_called(channel, &kept);
                let host = self.asked.get(uid).is_some_and(|a| a.own == Own::Host);
                let role = Role { creator: host, ..kept.role };
                View { state: LegState::Ringing, place, with, toward, role, ..kept }
            }
            // Who has just been left, and calls nobody, mostly leaves too.
            Spot::Calls if told == Some(LegState::Up) && self.is_leaving(now, channel, &kept) => kept,
            Spot::Calls => {
                let toward = self.toward_of_caller(channel, &kept);
                View { state: LegState::Waiting, place: Place::None, toward, partner: None, ..kept }
            }
            Spot::Still => match told {
                // Whose talk has been over for a while hears nobody.
                Some(LegState::Up) if self.is_past(now, &kept.place) => View { place: Place::None, ..kept },
                Some(state @ (LegState::Up | LegState::Waiting)) => View { state, ..kept },
                // Who has answered and is not connected with the caller yet: the next word brings it, or its end.
                _ if self.is_connecting(channel) => {
                    let with = self.board.caller_of(channel).map(|by| by.uid.clone());
                    View { state: LegState::Ringing, with, ..kept }
                }
                _ => View { state: if channel.was_up { LegState::Up } else { LegState::Ringing }, ..kept },
            },
        };
        views.push(view);
    }

    /// Whether a channel was called, and is not with its caller yet. Who was called first waits alone: the user comes later.
    fn is_connecting(&self, channel: &Channel) -> bool {
        let voice = self.voice(channel);
        let waits = voice.uid != channel.uid && Own::of(&voice.uid) == Some(Own::Dial(Sequence::Abonent));
        !waits && self.board.caller_of(channel).is_some()
    }

    /// A view with what a leg keeps from one look to the next.
    fn kept(&self, base: &View, leg: Option<LegKey>) -> View {
        let own = self.own_dialling(&base.uid);
        let Some(leg) = leg.and_then(|key| self.book.legs.get(&key)) else {
            // Only the first leg of a channel is the one for which the PBX dials.
            let autocall = own.filter(|_| self.book.of.get(&base.uid).is_none_or(Vec::is_empty));
            return View { autocall, ..base.clone() };
        };
        View {
            place: leg.fact.place.clone(),
            toward: leg.fact.toward.clone(),
            autocall: leg.fact.autocall,
            role: leg.fact.role,
            partner: leg.partner.clone(),
            ..base.clone()
        }
    }

    fn own_dialling(&self, uid: &str) -> Option<Sequence> {
        match self.asked.get(uid).map(|asked| asked.own).or_else(|| Own::of(uid))? {
            Own::Dial(Sequence::User) | Own::Host | Own::Spy => Some(Sequence::User),
            Own::Dial(Sequence::Abonent) | Own::Far | Own::Member => None,
        }
    }

    /// The conference made for listening in.
    fn ghost_of(&mut self, channel: &Channel, target: &str, root: &str) -> ConferenceId {
        let room = format!("spy {}", channel.uid);
        let known = self.asked.get(&channel.uid).and_then(|asked| asked.conference.clone());
        let id = known.unwrap_or_else(|| ConferenceId(places::guid(&self.plan.system, "spy", &channel.uid)));
        let book = self.book.rooms.entry(room).or_insert_with(|| Room::new(id, root.to_owned()));
        book.ghost = Some((channel.uid.clone(), target.to_owned()));
        book.fact.id.clone()
    }

    // Who and what for.

    /// Who is at the end of a channel.
    pub(super) fn end_of(&self, channel: &Channel) -> End {
        let endpoint = channel.endpoint();
        if let Some(number) = self.number_of(endpoint) {
            return End::Inside(number.clone());
        }
        let line = endpoint.split_once('/').map_or(endpoint, |(_, name)| name);
        if !self.plan.lines.is_empty() && !self.plan.lines.contains(endpoint) {
            return End::Inside(line.into());
        }
        // Who is called stands in what was dialled: the caller's number is the one that is shown to them.
        let called = channel.dial.as_ref().map(|dial| user_part(&dial.string)).filter(|user| is_number(user));
        let number = self.plan.for_crm(called.unwrap_or(&channel.caller));
        let name = if called.is_some() { "" } else { &*channel.caller_name };
        let name = if name == channel.caller || name == "<unknown>" { "" } else { name };
        End::Outside { number: number.into(), name: name.into(), line: line.into() }
    }

    /// The number that was dialled to reach a channel.
    fn toward_of_called(&self, channel: &Channel, kept: &View) -> Text {
        let asked = self.asked.get(&channel.uid).or_else(|| self.asked.get(&channel.linkedid));
        if let Some(asked) = asked.filter(|asked| !asked.toward.is_empty()) {
            return asked.toward.clone();
        }
        if self.own_dialling(&channel.uid).is_some() {
            return self.plan.for_crm(&channel.caller).into();
        }
        if let Some(by) = self.board.caller_of(channel) {
            if let Spot::Queue(queue) = self.spot(by) {
                return queue;
            }
            if let Some((_, leg)) = self.book.present(&by.uid).filter(|(_, leg)| leg.fact.autocall.is_some()) {
                return leg.fact.toward.clone();
            }
        }
        let dialled = channel.dial.as_ref().map_or("", |dial| &*dial.exten);
        match self.end_of(channel) {
            _ if is_number(dialled) => self.plan.for_crm(dialled).into(),
            End::Inside(number) if kept.toward.is_empty() => number,
            _ => kept.toward.clone(),
        }
    }

    /// The number that a channel waits for.
    fn toward_of_caller(&self, channel: &Channel, kept: &View) -> Text {
        if let Some(asked) = self.asked.get(&channel.uid).filter(|asked| !asked.toward.is_empty()) {
            return asked.toward.clone();
        }
        if let Some(toward) = self.towards.get(&channel.uid) {
            return toward.clone();
        }
        let calls = self.board.called_by(&channel.uid).into_iter().min_by_key(|c| c.serial);
        let dialled = calls.and_then(|c| c.dial.as_ref()).map(|dial| &*dial.exten).filter(|exten| is_number(exten));
        let own = Some(&*channel.exten).filter(|exten| is_number(exten) && !places::is_ours(&channel.context));
        let first = Some(&*channel.first_exten).filter(|exten| is_number(exten));
        match dialled.or(own).or(first) {
            Some(number) => self.plan.for_crm(number).into(),
            None => kept.toward.clone(),
        }
    }
}

/// Whether it is what somebody can dial.
pub(super) fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '*' | '#'))
}

/// The number in what was dialled: `79161234567@trunk`, `sip:101@10.0.0.1`.
fn user_part(dialled: &str) -> &str {
    let user = dialled.split('@').next().unwrap_or_default();
    user.rsplit(['/', ':']).next().unwrap_or_default()
}

/// Whether a channel ended while nobody looked.
pub(super) fn unseen(channel: &Channel) -> bool {
    channel.gone == Some(Gone::Unseen)
}
