//! What the people of inside numbers do with their own phones, as actions for Asterisk.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    Act, CallId, ConferenceFact, End, EndCause, LegState, OrderId, Place, Refusal, Sequence,
};

use super::super::ami::Action;
use super::actions::{and, bridge, hang_up, redirect, set, shown_as};
use super::book::{Leg, LegKey};
use super::channel::Channel;
use super::orders::{Goal, Step};
use super::places::{self, BRIDGE, CONF, CONTEXT, HOLD, LEFT, Own, WAIT};
use super::{Answer, Asked, Machine, Now, Out};

/// How long somebody rings who is dialled before the own phone.
const RING_FIRST_MS: u128 = 60_000;

/// The steps of an act, and the conversation that is on the move until they are taken.
pub(super) type Acted = Result<(Vec<Step>, Option<String>), Refusal>;

/// A leg of somebody's phone, with its channel.
#[derive(Clone, Debug)]
pub(super) struct Mine {
    pub(super) key: LegKey,
    pub(super) leg: Leg,
}

impl Mine {
    /// Whether it talks, alone with somebody or in a conference that is no listening in.
    pub(super) fn talks(&self) -> bool {
        let place = matches!(self.leg.fact.place, Place::Talk(_) | Place::Conference(_));
        self.leg.fact.state == LegState::Up && place && !self.leg.fact.role.ghost
    }

    /// Whether it is in a conference, or has put one aside.
    pub(super) fn confers(&self) -> bool {
        matches!(self.leg.fact.place, Place::Conference(_)) && !self.leg.fact.role.ghost
    }
}

impl Machine {
    /// Does what a person wants.
    pub(super) fn act(&mut self, now: Now, order: OrderId, number: &Text, act: Act, out: &mut Out) {
        if !self.plan.phones.contains_key(number) {
            return self.refuse(now, order, Refusal::NoSuchNumber);
        }
        let acted = match act {
            Act::Dial { to, sequence, intercom } => self.dial(now, number, &to, sequence, intercom, out),
            Act::StopDialling => self.stop_dialling(number),
            Act::Answer => self.answer(number),
            Act::Decline => self.decline(number),
            Act::Hangup => self.hang_up(number),
            Act::Join => self.join_both(number),
            Act::Switch => self.switch(number),
            Act::Return => self.go_back(number),
            Act::DropHeld => self.drop_held(number),
            Act::Transfer { to } => self.transfer(number, &to),
            Act::Confer { id, name, description, room, record, members } => {
                let fact = ConferenceFact { id, name, description, room, record, ..ConferenceFact::default() };
                self.confer(number, fact, &members)
            }
            Act::Widen { id, room } => self.widen(number, &id, room),
            Act::Invite { id, members } => self.invite(number, &id, &members),
            Act::TakeIn => self.take_in(number),
            Act::Kick { id, leg } => self.kick(&id, &leg),
            Act::Leave { id } => self.leave(number, &id),
            Act::Spy { id, target } => self.spy(number, id, &target),
            Act::SpyMode { id, mode, target } => self.spy_mode(number, &id, mode, target.as_ref()),
        };
        match acted {
            Ok((steps, root)) => self.follow(now, Some(order), steps, root, out),
            Err(why) => self.refuse(now, order, why),
        }
    }

    // Whose phone does what.

    fn mine(&self, number: &str, held: bool) -> Option<Mine> {
        let rank = |state| match state {
            LegState::Up => 4,
            LegState::Waiting => 3,
            LegState::Ringing => 2,
            LegState::Planned => 1,
            LegState::Ended(_) => 0,
        };
        let own = self.book.legs.iter().filter(|(_, leg)| {
            leg.fact.held == held && matches!(&leg.fact.end, End::Inside(inside) if inside == number)
        });
        let best = own.max_by_key(|(key, leg)| (rank(leg.fact.state), std::cmp::Reverse(**key)));
        best.map(|(key, leg)| Mine { key: *key, leg: leg.clone() })
    }

    /// The leg of an inside number that is not put aside.
    pub(super) fn present(&self, number: &str) -> Option<Mine> {
        self.mine(number, false)
    }

    /// The leg of an inside number that has put the others aside.
    pub(super) fn put_by(&self, number: &str) -> Option<Mine> {
        self.mine(number, true)
    }

    pub(super) fn both(&self, number: &str) -> Result<(Mine, Mine), Refusal> {
        self.present(number).zip(self.put_by(number)).ok_or(Refusal::WrongState)
    }

    /// The channel of a leg, if it is there.
    pub(super) fn channel_of(&self, mine: &Mine) -> Result<Channel, Refusal> {
        self.board.live(&mine.leg.uid).cloned().ok_or(Refusal::WrongState)
    }

    /// The one who talks with a leg, or was put aside by it.
    pub(super) fn partner(&self, mine: &Mine) -> Result<Channel, Refusal> {
        let talks = matches!(mine.leg.fact.place, Place::Talk(_));
        let partner = mine.leg.partner.as_deref().filter(|_| talks).and_then(|uid| self.board.live(uid));
        partner.cloned().ok_or(Refusal::WrongState)
    }

    /// Whether a phone can be rung for its own person.
    pub(super) fn is_free(&self, number: &str) -> Result<String, Refusal> {
        let endpoint = self.plan.endpoint(number).ok_or(Refusal::NoSuchNumber)?.to_owned();
        if self.mine(number, false).or_else(|| self.mine(number, true)).is_some() {
            return Err(Refusal::WrongState);
        }
        if self.phones.get(number) == Some(&false) {
            return Err(Refusal::NoPhone);
        }
        Ok(endpoint)
    }

    /// What `Dial` gets for a number: a phone, else whatever the dialplan makes of it.
    pub(super) fn target(&self, to: &str) -> String {
        match self.plan.endpoint(to).filter(|_| !self.redirects.contains_key(to)) {
            Some(endpoint) => endpoint.to_owned(),
            None => format!("Local/{}@{}/n", self.plan.for_dialling(to), self.plan.context),
        }
    }

    pub(super) fn new_uid(&mut self, own: Own) -> String {
        self.last_uid += 1;
        let id = places::guid(&self.plan.system, "channel", &format!("{} {}", self.began_ms, self.last_uid));
        own.uniqueid(&uuid::Uuid::parse_str(&id).unwrap_or_default())
    }

    /// What is shown to whoever is called.
    pub(super) fn shown(&self, number: &str) -> String {
        shown_as(&self.plan.name_of(number), number)
    }

    // Dialling.

    fn dial(&mut self, now: Now, number: &Text, to: &Text, sequence: Sequence, intercom: bool, out: &mut Out) -> Acted {
        if !self.plan.leads(to) {
            return Err(Refusal::NoSuchNumber);
        }
        if to == number {
            return Err(Refusal::Busy);
        }
        match (self.present(number), self.put_by(number)) {
            (None, None) => {
                let endpoint = self.is_free(number)?;
                // A service is there at once: nobody has to be waited for.
                if sequence == Sequence::Abonent && !self.plan.services.contains(to) {
                    Ok(self.dial_abonent(now, number, &endpoint, to, out))
                } else {
                    Ok(self.dial_user(number, &endpoint, to, intercom))
                }
            }
            (None, Some(held)) => self.consult(&held, to, intercom),
            (Some(present), None) if present.talks() => self.consult(&present, to, intercom),
            _ => Err(Refusal::WrongState),
        }
    }

    fn dial_user(&mut self, number: &Text, endpoint: &str, to: &Text, intercom: bool) -> (Vec<Step>, Option<String>) {
        let uid = self.new_uid(Own::Dial(Sequence::User));
        let asked = Asked { toward: to.clone(), ..Asked::new(Own::Dial(Sequence::User), number) };
        self.asked.insert(uid.clone(), asked);
        let phone = self.plan.endpoint(to).filter(|_| intercom);
        let context = if phone.is_some() { places::INTERCOM } else { places::DIAL };
        let originate = Action::new("Originate")
            .with("Channel", endpoint)
            .with("Context", context)
            .with("Exten", self.plan.for_dialling(to))
            .with("Priority", "1")
            .with("Async", "true")
            .with("Timeout", self.plan.ring.as_millis().to_string())
            .with("CallerID", self.shown(to))
            .with("ChannelId", &*uid)
            .with("Variable", format!("CTI_CLID={}", self.shown(number)))
            .with("Variable", format!("CTI_DIAL={}", phone.unwrap_or_default()));
        (vec![Step::new(vec![originate], Goal::There(uid))], None)
    }

    fn dial_abonent(
        &mut self,
        now: Now,
        number: &Text,
        endpoint: &str,
        to: &Text,
        out: &mut Out,
    ) -> (Vec<Step>, Option<String>) {
        let (uid, far) = (self.new_uid(Own::Dial(Sequence::Abonent)), self.new_uid(Own::Far));
        let root = Some(uid.clone());
        let own = Own::Dial(Sequence::Abonent);
        let asked =
            Asked { toward: to.clone(), root: root.clone(), with: Some(uid.clone()), ..Asked::new(own, number) };
        self.asked.insert(uid.clone(), asked);
        self.asked.insert(far.clone(), Asked { root, pending: false, ..Asked::new(Own::Far, number) });
        self.plan_leg(&uid, &uid, number, to, now, out);
        let originate = Action::new("Originate")
            .with("Channel", format!("Local/{}@{}/n", self.plan.for_dialling(to), self.plan.context))
            .with("Context", CONTEXT)
            .with("Exten", places::OWN)
            .with("Priority", "1")
            .with("Async", "true")
            .with("Timeout", RING_FIRST_MS.to_string())
            .with("CallerID", self.shown(number))
            .with("ChannelId", &*uid)
            .with("OtherChannelId", &*far)
            .with("Variable", format!("CTI_CLID={}", self.shown(to)))
            .with("Variable", format!("CTI_DIAL={endpoint}"));
        (vec![Step::new(vec![originate], Goal::There(uid))], None)
    }

    /// Dials while somebody is, or has to be, put aside.
    fn consult(&mut self, own: &Mine, to: &Text, intercom: bool) -> Acted {
        let channel = self.channel_of(own)?;
        let (mut actions, aside) = self.put_aside(own, &channel)?;
        let phone = self.plan.endpoint(to).filter(|_| intercom);
        actions.push(set(&channel, "CTI_DIAL", &self.target(to)));
        actions.push(set(&channel, "CTI_AUTO", if phone.is_some() { "yes" } else { "" }));
        let redirect = redirect(&channel, places::CONSULT, &self.plan.for_dialling(to));
        let goal = match &aside {
            Some(other) => Goal::At(other.uid.clone(), HOLD),
            None if own.confers() => Goal::Out(channel.uid.clone(), own.leg.partner.clone().unwrap_or_default()),
            None => Goal::Yes,
        };
        actions.push(match &aside {
            Some(other) => and(redirect, other, CONTEXT, HOLD),
            None => redirect,
        });
        self.towards.insert(channel.uid.clone(), to.clone());
        Ok((vec![Step::new(actions, goal)], Some(own.leg.root.clone())))
    }

    /// What has to be set so that whoever is with a leg is known to be aside; and who has to be sent to the music.
    fn put_aside(&mut self, own: &Mine, channel: &Channel) -> Result<(Vec<Action>, Option<Channel>), Refusal> {
        if own.confers() {
            let room = own.leg.partner.clone().ok_or(Refusal::WrongState)?;
            let set = vec![set(channel, "__CTI_HELD", ""), set(channel, "CTI_ROOM", &room)];
            self.rooms_aside.insert(channel.uid.clone(), room);
            return Ok((set, None));
        }
        let other = self.partner(own)?;
        if own.leg.fact.held && channel.hold {
            // The phone itself has put them on hold, and only it can take them back.
            return Err(Refusal::Unable);
        }
        let set = vec![set(channel, "__CTI_HELD", &other.name), set(channel, "CTI_ROOM", "")];
        self.holds.insert(other.uid.clone(), channel.uid.clone());
        Ok((set, Some(other).filter(|other| !other.is_at(HOLD))))
    }

    fn stop_dialling(&mut self, number: &str) -> Acted {
        let present = self.present(number).filter(|mine| mine.leg.fact.state == LegState::Planned);
        let uid = present.ok_or(Refusal::WrongState)?.leg.uid;
        self.marks.insert(uid.clone(), EndCause::Hangup);
        let channel = self.board.live(&uid).cloned().ok_or(Refusal::WrongState)?;
        Ok((vec![Step::new(vec![hang_up(&channel, 16)], Goal::Gone(uid))], None))
    }

    // Ringing.

    fn ringing(&self, number: &str) -> Result<(Mine, Channel), Refusal> {
        let present = self.present(number).filter(|mine| mine.leg.fact.state == LegState::Ringing);
        let present = present.ok_or(Refusal::WrongState)?;
        let channel = self.channel_of(&present)?;
        Ok((present, channel))
    }

    fn answer(&mut self, number: &str) -> Acted {
        let (own, channel) = self.ringing(number)?;
        let phone = self.plan.phones.get(number).cloned().unwrap_or_default();
        match phone.answer {
            Answer::Never => Err(Refusal::Unable),
            Answer::Notify => {
                let notify = Action::new("PJSIPNotify").with("Channel", &*channel.name).with("Variable", "Event=talk");
                Ok((vec![Step::new(vec![notify], Goal::Yes)], None))
            }
            Answer::Intercom => {
                // Ringing it anew takes the caller out of the dialplan: not when the dialplan has to bring it back.
                let caller = self.board.caller_of(&channel).filter(|by| by.bridge.is_none());
                let caller = caller.filter(|by| by.context != places::CONSULT).cloned().ok_or(Refusal::Unable)?;
                self.replaced.insert(channel.uid.clone(), (caller.uid.clone(), phone.endpoint.clone()));
                let actions =
                    vec![set(&caller, "CTI_DIAL", &phone.endpoint), redirect(&caller, places::INTERCOM, number)];
                let goal = Goal::Answers(phone.endpoint, caller.uid);
                Ok((vec![Step::new(actions, goal)], Some(own.leg.root)))
            }
        }
    }

    fn decline(&mut self, number: &str) -> Acted {
        let (_, channel) = self.ringing(number)?;
        self.marks.insert(channel.uid.clone(), EndCause::Refused);
        Ok((vec![Step::new(vec![hang_up(&channel, 17)], Goal::Gone(channel.uid.clone()))], None))
    }

    // Ending.

    fn hang_up(&mut self, number: &str) -> Acted {
        let held = self.put_by(number);
        let Some(present) = self.present(number) else {
            let held = held.ok_or(Refusal::WrongState)?;
            let channel = self.channel_of(&held)?;
            return Ok(self.hang_up_all(&channel, Some(&held)));
        };
        if present.leg.fact.state == LegState::Ringing {
            return Err(Refusal::WrongState);
        }
        if present.leg.fact.state == LegState::Planned {
            return self.stop_dialling(number);
        }
        let channel = self.channel_of(&present)?;
        match held {
            // What was dialled is stopped: who is on hold comes back.
            Some(held) if !present.talks() && held.leg.uid == present.leg.uid => {
                self.mark_leg(present.key, EndCause::Hangup);
                let (mut actions, goal) = self.back_to(&channel, &held)?;
                actions.push(redirect(&channel, CONTEXT, LEFT));
                Ok((vec![Step::new(actions, goal)], Some(present.leg.root)))
            }
            held => Ok(self.hang_up_all(&channel, held.as_ref())),
        }
    }

    /// A phone hangs up, and nobody it had to do with is connected with anybody.
    fn hang_up_all(&mut self, channel: &Channel, held: Option<&Mine>) -> (Vec<Step>, Option<String>) {
        self.marks.insert(channel.uid.clone(), EndCause::Hangup);
        let mut actions = Vec::new();
        if let Some(held) = held {
            actions.push(set(channel, "__CTI_HELD", ""));
            for beside in self.board.beside(&channel.uid) {
                actions.push(set(beside, "__CTI_HELD", ""));
            }
            if let Ok(other) = self.partner(held)
                && other.is_at(HOLD)
            {
                self.marks.insert(other.uid.clone(), EndCause::OtherGone);
                actions.push(hang_up(&other, 16));
            }
            if held.leg.uid != channel.uid
                && let Ok(second) = self.channel_of(held)
            {
                self.marks.insert(second.uid.clone(), EndCause::Hangup);
                actions.push(hang_up(&second, 16));
            }
        }
        actions.push(hang_up(channel, 16));
        let root = self.book.root_of.get(&channel.uid).cloned();
        (vec![Step::new(actions, Goal::Gone(channel.uid.clone()))], root)
    }

    // With somebody aside.

    /// What has to be set so that [`LEFT`] brings a phone back to whom it has put aside, and how that is seen.
    pub(super) fn back_to(&mut self, channel: &Channel, held: &Mine) -> Result<(Vec<Action>, Goal), Refusal> {
        if held.confers() {
            let room = held.leg.partner.clone().ok_or(Refusal::WrongState)?;
            let actions = vec![set(channel, "__CTI_HELD", ""), set(channel, "CTI_ROOM", &room)];
            return Ok((actions, Goal::In(channel.uid.clone(), room)));
        }
        let other = self.partner(held)?;
        if held.leg.uid != channel.uid || !other.is_at(HOLD) {
            return Err(Refusal::Unable);
        }
        let actions = vec![set(channel, "__CTI_HELD", &other.name), set(channel, "CTI_ROOM", "")];
        Ok((actions, Goal::Talk(channel.uid.clone(), other.uid)))
    }

    fn join_both(&mut self, number: &str) -> Acted {
        let (present, held) = self.both(number)?;
        let (own, second) = (self.channel_of(&present)?, self.channel_of(&held)?);
        let root = Some(present.leg.root.clone());
        let mut actions = vec![set(&own, "__CTI_HELD", ""), set(&own, "CTI_ROOM", "")];
        for channel in [&own, &second] {
            self.marks.insert(channel.uid.clone(), EndCause::Transferred);
        }
        let goal = match (present.confers(), held.confers()) {
            (true, true) => return Err(Refusal::WrongState),
            (false, false) if present.leg.fact.state == LegState::Waiting => {
                // Nobody has answered yet: whoever is on hold waits instead.
                let other = self.partner(&held)?;
                let to = self.plan.for_dialling(&present.leg.fact.toward);
                self.holds.remove(&other.uid);
                actions.push(redirect(&other, &self.plan.context, &to));
                Goal::Gone(own.uid.clone())
            }
            (false, false) => {
                let (one, other) = (self.partner(&present)?, self.partner(&held)?);
                actions.push(set(&one, "__CTI_HELD", ""));
                actions.push(bridge(&other, &one));
                Goal::Talk(one.uid, other.uid)
            }
            (true, false) | (false, true) => {
                let (conference, talk) = if present.confers() { (&present, &held) } else { (&held, &present) };
                let room = conference.leg.partner.clone().ok_or(Refusal::WrongState)?;
                let other = self.partner(talk)?;
                self.rooms_aside.remove(&own.uid);
                self.holds.remove(&other.uid);
                actions.push(set(&other, "__CTI_HELD", ""));
                actions.push(set(&other, "CTI_CONF", &room));
                actions.push(redirect(&other, CONTEXT, CONF));
                Goal::In(other.uid, room)
            }
        };
        actions.push(hang_up(&own, 16));
        if own.uid != second.uid {
            actions.push(hang_up(&second, 16));
        }
        Ok((vec![Step::new(actions, goal)], root))
    }

    fn switch(&mut self, number: &str) -> Acted {
        let (present, held) = (self.present(number), self.put_by(number));
        if present.as_ref().is_some_and(|present| !present.talks()) {
            return Err(Refusal::WrongState);
        }
        match (present, held) {
            (None, None) => Err(Refusal::WrongState),
            (Some(present), None) => {
                let channel = self.channel_of(&present)?;
                let (mut actions, aside) = self.put_aside(&present, &channel)?;
                let away = redirect(&channel, CONTEXT, WAIT);
                let goal = match &aside {
                    Some(other) => Goal::At(other.uid.clone(), HOLD),
                    None => Goal::Out(channel.uid.clone(), present.leg.partner.clone().unwrap_or_default()),
                };
                actions.push(match &aside {
                    Some(other) => and(away, other, CONTEXT, HOLD),
                    None => away,
                });
                let there = Step::new(Vec::new(), Goal::At(channel.uid.clone(), WAIT));
                Ok((vec![Step::new(actions, goal), there], Some(present.leg.root)))
            }
            (None, Some(held)) => {
                let channel = self.channel_of(&held)?;
                let (mut actions, goal) = self.back_to(&channel, &held)?;
                self.rooms_aside.remove(&channel.uid);
                actions.push(redirect(&channel, CONTEXT, LEFT));
                Ok((vec![Step::new(actions, goal)], Some(held.leg.root)))
            }
            (Some(present), Some(held)) => self.swap(&present, &held),
        }
    }

    /// The present and the held party change places.
    fn swap(&mut self, present: &Mine, held: &Mine) -> Acted {
        let channel = self.channel_of(present)?;
        let (_, goal) = self.back_to(&channel, held)?;
        let (mut actions, aside) = self.put_aside(present, &channel)?;
        let back = if held.confers() {
            let room = held.leg.partner.clone().unwrap_or_default();
            self.rooms_aside.remove(&channel.uid);
            actions.push(set(&channel, "CTI_CONF", &room));
            redirect(&channel, CONTEXT, CONF)
        } else {
            let other = self.partner(held)?;
            actions.push(set(&channel, "CTI_BRIDGE_CHAN", &other.name));
            // If the phone hangs up, the two others are connected.
            let behind = aside.as_ref().map_or("", |aside| &aside.name);
            actions.push(set(&other, "__CTI_HELD", behind));
            redirect(&channel, CONTEXT, BRIDGE)
        };
        actions.push(match &aside {
            Some(other) => and(back, other, CONTEXT, HOLD),
            None => back,
        });
        let then = match &aside {
            Some(other) => Goal::At(other.uid.clone(), HOLD),
            None => Goal::Yes,
        };
        Ok((vec![Step::new(actions, goal), Step::new(Vec::new(), then)], Some(present.leg.root.clone())))
    }

    fn go_back(&mut self, number: &str) -> Acted {
        let (present, held) = self.both(number)?;
        let channel = self.channel_of(&present)?;
        let (mut actions, goal) = self.back_to(&channel, &held)?;
        self.mark_leg(present.key, EndCause::Hangup);
        self.rooms_aside.remove(&channel.uid);
        let other = self.partner(&present).ok();
        if let Some(other) = &other {
            self.marks.insert(other.uid.clone(), EndCause::OtherGone);
            actions.push(set(other, "__CTI_HELD", ""));
        }
        actions.push(redirect(&channel, CONTEXT, LEFT));
        actions.extend(other.map(|other| hang_up(&other, 16)));
        Ok((vec![Step::new(actions, goal)], Some(present.leg.root)))
    }

    fn drop_held(&mut self, number: &str) -> Acted {
        let held = self.put_by(number).ok_or(Refusal::WrongState)?;
        let Some(present) = self.present(number) else { return self.hang_up(number) };
        let channel = self.channel_of(&held)?;
        self.mark_leg(held.key, EndCause::Hangup);
        let mut actions = vec![set(&channel, "__CTI_HELD", ""), set(&channel, "CTI_ROOM", "")];
        if held.confers() {
            self.rooms_aside.remove(&channel.uid);
            return Ok((vec![Step::new(actions, Goal::Yes)], Some(held.leg.root)));
        }
        let other = self.partner(&held)?;
        if let Ok(beside) = self.partner(&present) {
            actions.push(set(&beside, "__CTI_HELD", ""));
        }
        self.marks.insert(other.uid.clone(), EndCause::OtherGone);
        actions.push(hang_up(&other, 16));
        Ok((vec![Step::new(actions, Goal::Gone(other.uid))], Some(held.leg.root)))
    }

    fn transfer(&mut self, number: &str, to: &Text) -> Acted {
        if !self.plan.leads(to) {
            return Err(Refusal::NoSuchNumber);
        }
        let (present, held) = (self.present(number), self.put_by(number));
        let alone = present.is_none() || held.is_none();
        let own = present.or_else(|| held.clone()).ok_or(Refusal::WrongState)?;
        let (channel, other) = (self.channel_of(&own)?, self.partner(&own)?);
        let mut actions = match held.filter(|_| !alone) {
            Some(held) => {
                self.mark_leg(own.key, EndCause::Transferred);
                self.back_to(&channel, &held)?.0
            }
            None => {
                self.marks.insert(channel.uid.clone(), EndCause::Transferred);
                vec![set(&channel, "__CTI_HELD", ""), set(&channel, "CTI_ROOM", "")]
            }
        };
        self.holds.remove(&other.uid);
        actions.push(set(&other, "__CTI_HELD", ""));
        let away = redirect(&other, &self.plan.context, &self.plan.for_dialling(to));
        actions.push(and(away, &channel, CONTEXT, LEFT));
        let goal = Goal::Apart(other.uid, channel.uid);
        Ok((vec![Step::new(actions, goal)], Some(own.leg.root)))
    }

    pub(super) fn mark_leg(&mut self, key: LegKey, cause: EndCause) {
        if let Some(leg) = self.book.legs.get_mut(&key) {
            leg.mark = Some(cause);
            self.dirty.insert(leg.root.clone());
        }
    }

    /// Ends a conversation for everybody who takes part, on hold too; nobody goes back to anybody. False when there is none.
    pub fn end_call(&mut self, now: Now, call: &CallId, out: &mut Out) -> bool {
        self.look_now(now, out);
        let of = |(_, about): &(&String, &super::book::Call)| about.fact.call == *call;
        let Some(root) = self.book.calls.iter().find(of).map(|(root, _)| root.clone()) else { return false };
        let legs: Vec<_> = self.parties_in(&root).into_iter().filter(|channel| channel.lives()).collect();
        for channel in &legs {
            // What somebody is on hold for does not matter any more.
            self.holds.remove(&channel.uid);
            self.marks.insert(channel.uid.clone(), EndCause::Hangup);
            self.send(hang_up(channel, 16), out);
        }
        !legs.is_empty()
    }

    /// A phone that has nobody left goes back to whom it has put aside, else hangs up.
    pub(super) fn send_back(&mut self, now: Now, uid: &str, cause: EndCause, out: &mut Out) {
        let Some(channel) = self.board.live(uid).cloned() else { return };
        let aside = !self.aside(uid).is_empty() || self.rooms_aside.contains_key(uid);
        if aside {
            if let Some(key) = self.book.present(uid).map(|(key, _)| key) {
                self.mark_leg(key, cause);
            }
            let back = redirect(&channel, CONTEXT, LEFT);
            return self.follow(now, None, vec![Step::new(vec![back], Goal::Yes)], None, out);
        }
        self.marks.insert(uid.to_owned(), cause);
        let actions = vec![hang_up(&channel, 16)];
        self.follow(now, None, vec![Step::new(actions, Goal::Yes)], None, out);
    }
}
