//! Conferences and listening in, as the people of inside numbers want them.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    ConferenceFact, ConferenceId, End, EndCause, GhostMode, LegId, LegState, Place, Refusal,
};

use super::super::ami::Action;
use super::actions::{and, hang_up, redirect, set, shown_as};
use super::acts::{Acted, Mine};
use super::book::Room;
use super::orders::{Goal, Step};
use super::places::{self, CONF, CONTEXT, LEFT, Own, SPY};
use super::{Asked, Machine};

impl Machine {
    pub(super) fn confer(&mut self, number: &Text, fact: ConferenceFact, members: &[Text]) -> Acted {
        let endpoint = self.is_free(number)?;
        self.are_people(members)?;
        if fact.id.0.is_empty() || self.room_of(&fact.id).is_some() {
            return Err(Refusal::WrongState);
        }
        let uid = self.new_uid(Own::Host);
        let room = places::room(&fact.id);
        let name = fact.name.clone();
        let social = !members.is_empty();
        let new = Room { own: true, social, fact, ..Room::new(ConferenceId::default(), uid.clone()) };
        self.book.rooms.insert(room.clone(), new);
        let asked = Asked {
            toward: members.first().cloned().unwrap_or_default(),
            root: Some(uid.clone()),
            room: Some(room.clone()),
            ..Asked::new(Own::Host, number)
        };
        self.asked.insert(uid.clone(), asked);
        let own = self.ring_in(&endpoint, &room, &uid, &name, number);
        let mut steps = vec![Step::new(vec![own], Goal::There(uid.clone()))];
        let invited = self.ring_members(&room, &uid, members, Some(&uid), number);
        steps.extend((!invited.is_empty()).then(|| Step::new(invited, Goal::Yes)));
        Ok((steps, None))
    }

    fn are_people(&self, numbers: &[Text]) -> Result<(), Refusal> {
        if numbers.iter().all(|number| self.plan.is_person(number)) { Ok(()) } else { Err(Refusal::NoSuchNumber) }
    }

    /// Rings a phone for a conference.
    fn ring_in(&self, channel: &str, room: &str, uid: &str, name: &str, from: &str) -> Action {
        Action::new("Originate")
            .with("Channel", channel)
            .with("Context", CONTEXT)
            .with("Exten", CONF)
            .with("Priority", "1")
            .with("Async", "true")
            .with("Timeout", self.plan.ring.as_millis().to_string())
            .with("CallerID", shown_as(name, from))
            .with("ChannelId", uid)
            .with("Variable", format!("CTI_CONF={room}"))
    }

    /// Rings everybody who is not there yet.
    fn ring_members(&mut self, room: &str, root: &str, members: &[Text], host: Option<&str>, own: &str) -> Vec<Action> {
        let Some((id, name)) = self.book.rooms.get(room).map(|r| (r.fact.id.clone(), r.fact.name.clone())) else {
            return Vec::new();
        };
        let here = Place::Conference(id);
        let mut actions = Vec::new();
        for number in members {
            let there = self.book.legs.values().any(|l| l.fact.place == here && l.fact.end.number() == number);
            let called = |a: &Asked| a.own == Own::Member && a.pending && a.number == *number;
            let called = self.asked.values().any(|a| a.room.as_deref() == Some(room) && called(a));
            if number == own || there || called {
                continue;
            }
            let uid = self.new_uid(Own::Member);
            let asked = Asked {
                toward: number.clone(),
                root: Some(root.to_owned()),
                room: Some(room.to_owned()),
                with: host.map(str::to_owned),
                ..Asked::new(Own::Member, number)
            };
            self.asked.insert(uid.clone(), asked);
            let target = self.target(number);
            let local = target.starts_with("Local/");
            let ring = self.ring_in(&target, room, &uid, &name, own);
            if local {
                let far = self.new_uid(Own::Far);
                let asked = Asked { root: Some(root.to_owned()), pending: false, ..Asked::new(Own::Far, number) };
                self.asked.insert(far.clone(), asked);
                actions.push(ring.with("OtherChannelId", far));
            } else {
                actions.push(ring);
            }
        }
        actions
    }

    pub(super) fn widen(&mut self, number: &str, id: &ConferenceId, number_of_room: i64) -> Acted {
        let own = self.present(number).ok_or(Refusal::WrongState)?;
        let (channel, other) = (self.channel_of(&own)?, self.partner(&own)?);
        if id.0.is_empty() || self.room_of(id).is_some() {
            return Err(Refusal::WrongState);
        }
        let room = places::room(id);
        let fact = ConferenceFact { id: id.clone(), room: number_of_room, record: true, ..ConferenceFact::default() };
        let new = Room { own: true, social: true, fact, ..Room::new(id.clone(), own.leg.root.clone()) };
        self.book.rooms.insert(room.clone(), new);
        if let Some(leg) = self.book.legs.get_mut(&own.key) {
            leg.fact.role.creator = true;
        }
        let actions = vec![
            set(&channel, "CTI_CONF", &room),
            set(&other, "CTI_CONF", &room),
            set(&other, "__CTI_HELD", ""),
            and(redirect(&channel, CONTEXT, CONF), &other, CONTEXT, CONF),
        ];
        let there = |uid: String| Step::new(Vec::new(), Goal::In(uid, room.clone()));
        let steps = vec![Step::new(actions, Goal::Yes), there(channel.uid), there(other.uid)];
        Ok((steps, Some(own.leg.root)))
    }

    /// The room of a conference in which people talk.
    fn room_for(&self, id: &ConferenceId) -> Result<(String, String), Refusal> {
        let found = self.room_of(id).filter(|(_, room)| room.ghost.is_none() && !room.fact.over);
        found.map(|(name, room)| (name.clone(), room.root.clone())).ok_or(Refusal::NoSuchConference)
    }

    pub(super) fn invite(&mut self, number: &Text, id: &ConferenceId, members: &[Text]) -> Acted {
        let (room, root) = self.room_for(id)?;
        self.are_people(members)?;
        let here = Place::Conference(id.clone());
        let own = |leg: &&super::book::Leg| leg.fact.place == here && leg.fact.end == End::Inside(number.clone());
        let host = self.book.legs.values().find(own).map(|leg| leg.uid.clone());
        let actions = self.ring_members(&room, &root, members, host.as_deref(), number);
        Ok((vec![Step::new(actions, Goal::Yes)], None))
    }

    pub(super) fn take_in(&mut self, number: &str) -> Acted {
        let (present, held) = self.both(number)?;
        let channel = self.channel_of(&present)?;
        let (conference, talk) = match (present.confers(), held.confers()) {
            (true, false) => (&present, &held),
            (false, true) => (&held, &present),
            _ => return Err(Refusal::WrongState),
        };
        let room = conference.leg.partner.clone().ok_or(Refusal::WrongState)?;
        let other = self.partner(talk)?;
        self.holds.remove(&other.uid);
        self.mark_leg(talk.key, EndCause::Transferred);
        let mut actions =
            vec![set(&channel, "__CTI_HELD", ""), set(&other, "__CTI_HELD", ""), set(&other, "CTI_CONF", &room)];
        let come = redirect(&other, CONTEXT, CONF);
        let mut goals = vec![Goal::In(other.uid.clone(), room.clone())];
        if held.confers() {
            // Whoever is talked with comes into the conference on hold, and so does the own phone.
            self.rooms_aside.remove(&channel.uid);
            actions.push(set(&channel, "CTI_CONF", &room));
            actions.push(and(come, &channel, CONTEXT, CONF));
            goals.push(Goal::In(channel.uid.clone(), room));
        } else {
            actions.push(come);
        }
        let mut steps = vec![Step::new(actions, Goal::Yes)];
        steps.extend(goals.into_iter().map(|goal| Step::new(Vec::new(), goal)));
        Ok((steps, Some(present.leg.root)))
    }

    pub(super) fn kick(&mut self, id: &ConferenceId, member: &LegId) -> Acted {
        let (room, _) = self.room_for(id)?;
        let here = Place::Conference(id.clone());
        let its =
            |(_, leg): &(&super::book::LegKey, &super::book::Leg)| leg.fact.leg == *member && leg.fact.place == here;
        let (key, leg) = self.book.legs.iter().find(its).ok_or(Refusal::NoSuchConference)?;
        let mine = Mine { key: *key, leg: leg.clone() };
        self.out_of(&room, &mine, EndCause::Kicked)
    }

    pub(super) fn leave(&mut self, number: &Text, id: &ConferenceId) -> Acted {
        let here = Place::Conference(id.clone());
        let (room, _) = self.room_of(id).map(|(n, r)| (n.clone(), r.root.clone())).ok_or(Refusal::NoSuchConference)?;
        let its = |(_, leg): &(&super::book::LegKey, &super::book::Leg)| {
            leg.fact.place == here && leg.fact.end == End::Inside(number.clone())
        };
        let (key, leg) = self.book.legs.iter().find(its).ok_or(Refusal::WrongState)?;
        let mine = Mine { key: *key, leg: leg.clone() };
        self.out_of(&room, &mine, EndCause::Hangup)
    }

    /// A member leaves a conference; whoever it has put aside comes back.
    fn out_of(&mut self, room: &str, mine: &Mine, cause: EndCause) -> Acted {
        let channel = self.channel_of(mine)?;
        if mine.leg.fact.held {
            // The conference is what was put aside.
            self.mark_leg(mine.key, cause);
            self.rooms_aside.remove(&channel.uid);
            return Ok((vec![Step::new(vec![set(&channel, "CTI_ROOM", "")], Goal::Yes)], None));
        }
        let aside: Vec<String> = self.aside(&channel.uid).iter().map(|c| c.name.clone()).collect();
        if let Some(other) = aside.first().filter(|_| mine.leg.fact.state == LegState::Up) {
            self.mark_leg(mine.key, cause);
            let actions = vec![
                set(&channel, "__CTI_HELD", other),
                set(&channel, "CTI_ROOM", ""),
                redirect(&channel, CONTEXT, LEFT),
            ];
            let goal = Goal::Out(channel.uid.clone(), room.to_owned());
            return Ok((vec![Step::new(actions, goal)], Some(mine.leg.root.clone())));
        }
        self.marks.insert(channel.uid.clone(), cause);
        Ok((vec![Step::new(vec![hang_up(&channel, 16)], Goal::Gone(channel.uid.clone()))], None))
    }

    // Listening in.

    pub(super) fn spy(&mut self, number: &Text, id: ConferenceId, target: &Text) -> Acted {
        let endpoint = self.is_free(number)?;
        if !self.plan.phones.contains_key(target) {
            return Err(Refusal::NoSuchNumber);
        }
        let heard = self.present(target).filter(Mine::talks).ok_or(Refusal::WrongState)?;
        let channel = self.channel_of(&heard)?;
        if id.0.is_empty() || self.room_of(&id).is_some() {
            return Err(Refusal::WrongState);
        }
        let uid = self.new_uid(Own::Spy);
        let asked = Asked {
            toward: target.clone(),
            root: Some(heard.leg.root),
            target: Some(channel.uid.clone()),
            conference: Some(id),
            ..Asked::new(Own::Spy, number)
        };
        self.asked.insert(uid.clone(), asked);
        let originate = Action::new("Originate")
            .with("Channel", endpoint)
            .with("Context", CONTEXT)
            .with("Exten", SPY)
            .with("Priority", "1")
            .with("Async", "true")
            .with("Timeout", self.plan.ring.as_millis().to_string())
            .with("CallerID", self.shown(target))
            .with("ChannelId", &*uid)
            .with("Variable", format!("CTI_SPY={}", channel.name));
        Ok((vec![Step::new(vec![originate], Goal::There(uid))], None))
    }

    pub(super) fn spy_mode(
        &mut self,
        number: &str,
        id: &ConferenceId,
        mode: GhostMode,
        target: Option<&LegId>,
    ) -> Acted {
        let room = self.room_of(id).ok_or(Refusal::NoSuchConference)?.1.clone();
        let (spy, heard) = room.ghost.clone().ok_or(Refusal::NoSuchConference)?;
        let spy = self.board.live(&spy).cloned().ok_or(Refusal::WrongState)?;
        if self.end_of(&spy).number() != number {
            return Err(Refusal::WrongState);
        }
        let next = match target {
            None => None,
            Some(target) => {
                let its = |leg: &&super::book::Leg| leg.fact.leg == *target && !leg.fact.role.ghost;
                let leg = self.book.legs.values().find(its).ok_or(Refusal::NoSuchConference)?;
                Some(self.board.live(&leg.uid).cloned().ok_or(Refusal::NoSuchConference)?).filter(|c| c.uid != heard)
            }
        };
        self.ghost_modes.insert(spy.uid.clone(), mode);
        self.dirty.insert(room.root);
        let key = match mode {
            GhostMode::Monitor => "4",
            GhostMode::Help => "5",
            GhostMode::Conference => "6",
        };
        // The keys of ChanSpy: what is pressed on the listener's own side.
        let press = Action::new("PlayDTMF")
            .with("Channel", &*spy.name)
            .with("Digit", key)
            .with("Duration", "100")
            .with("Receive", "true");
        let mut steps = Vec::new();
        if let Some(next) = next {
            if let Some(asked) = self.asked.get_mut(&spy.uid) {
                asked.target = Some(next.uid.clone());
            }
            let actions = vec![set(&spy, "CTI_SPY", &next.name), redirect(&spy, CONTEXT, SPY)];
            steps.push(Step::new(actions, Goal::Yes));
            steps.push(Step::new(Vec::new(), Goal::Spies(spy.uid.clone(), next.uid)));
        }
        if spy.was_up {
            steps.push(Step::new(vec![press], Goal::Yes));
        }
        Ok((steps, None))
    }
}
