//! From the board to views: what each party's part in its conversation looks like. A pure function of the board, of what the
//! gateway asked for, and of which talk was which.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{ConferenceId, End, LegState, Place, Role, Sequence};

use super::book::{LegKey, Room};
use super::channel::{Channel, State};
use super::places::{self, Own};
use super::spots::Spot;
use super::{Machine, Now};

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

    /// Whether a channel was called, and is not with its caller yet. Who was called first waits alone: the user comes later, and is
    /// called by nobody but the local channel that was made for it.
    fn is_connecting(&self, channel: &Channel) -> bool {
        let is_abonent = |uid: &str| Own::of(uid) == Some(Own::Dial(Sequence::Abonent));
        let voice = self.voice(channel);
        let waits = voice.uid != channel.uid && is_abonent(&voice.uid);
        let by = channel.dial.as_ref().and_then(|dial| dial.by.as_deref());
        !waits && (self.board.caller_of(channel).is_some() || by.is_some_and(is_abonent))
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
