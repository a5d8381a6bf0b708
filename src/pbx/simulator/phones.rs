//! Phones, inside and outside: whether they can be rung, what they do by themselves, and what their people do with them.

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Act, End, EndCause, Event, LegState, Parties, Refusal};

use super::dialling::OWN_RING;
use super::flow::Wait;
use super::legs::{LegKey, Wants};
use super::machine::{Due, Machine, NoteKind};
use super::script::Behaviour;
use crate::pbx::{ControlError, Extension};

/// The phone of an inside number. It has one line: while it has a leg it is busy for others.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) login: Text,
    behaviour: Behaviour,
    pub(super) connected: bool,
    /// Whether queues may ring it.
    pub(super) available: bool,
    /// Where its calls go instead, and whether that number's redirection is followed too.
    pub(super) redirect: Option<(Text, bool)>,
    /// Its legs that are not ended: one that is present, one that is on hold.
    pub(super) legs: Vec<LegKey>,
    /// Since when it has talked with nobody.
    pub(super) idle_since: Time,
}

/// Most keys pressed at once.
const KEYS: usize = 64;

impl Phone {
    pub(super) fn new(extension: &Extension, now: Time) -> Self {
        Self {
            login: extension.login.clone().unwrap_or_default(),
            behaviour: Behaviour::default(),
            connected: true,
            available: true,
            redirect: None,
            legs: Vec::new(),
            idle_since: now,
        }
    }

    /// Whether a queue may ring it now.
    pub(super) fn serves_queues(&self) -> bool {
        self.connected && self.available && self.legs.is_empty() && self.redirect.is_none()
    }
}

impl Machine {
    /// The number a scenario means: an inside number, or the login of one.
    pub(super) fn inside(&self, number_or_login: &str) -> Option<Text> {
        self.settings.directory.find(number_or_login).map(|extension| extension.number.clone())
    }

    /// The caller of a conversation that begins at an inside number.
    pub(super) fn parties_of(&self, number: &Text, called: &Text) -> Parties {
        let name = self.settings.directory.find(number).map_or_else(Text::new, |e| e.name.clone());
        Parties { caller: number.clone(), caller_name: name, called: called.clone() }
    }

    /// Why a phone cannot be rung now.
    pub(super) fn obstacle(&self, end: &End) -> Option<EndCause> {
        let busy = !self.legs_of(end).is_empty();
        let connected = match end {
            End::Inside(number) => self.phones.get(number).is_some_and(|phone| phone.connected),
            End::Outside { .. } => true,
        };
        match self.behaviour(end) {
            _ if !connected => Some(EndCause::Unreachable),
            Behaviour::Unreachable => Some(EndCause::Unreachable),
            _ if busy => Some(EndCause::Busy),
            Behaviour::Busy => Some(EndCause::Busy),
            _ => None,
        }
    }

    fn behaviour(&self, end: &End) -> &Behaviour {
        match end {
            End::Inside(number) => self.phones.get(number).map_or(&Behaviour::Unreachable, |phone| &phone.behaviour),
            End::Outside { number, .. } => self.outside.get(number).unwrap_or(&self.all_outside),
        }
    }

    /// A phone begins to ring: what it will do by itself.
    pub(super) fn rings_now(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get(&key) else { return };
        let (after, due, talks) = match self.behaviour(&leg.end) {
            Behaviour::Answers { after, talks } => (*after, Due::PickUp(key), talks.map(|time| self.paced(time))),
            Behaviour::Refuses { after } => (*after, Due::Decline(key), None),
            _ => return,
        };
        let alarm = self.alarm(self.paced(after), due);
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.alarm = Some(alarm);
            leg.talks = talks;
        }
    }

    /// An own phone begins to ring, because its person wanted something.
    pub(super) fn ring_own(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get(&key) else { return };
        if *self.behaviour(&leg.end) == Behaviour::Busy {
            return self.release(key, EndCause::Busy);
        }
        self.alter(key, |leg| leg.state = LegState::Ringing);
        self.rings_now(key);
        self.limit_ring(key);
    }

    /// A phone that no flow rings does not ring for ever.
    pub(super) fn limit_ring(&mut self, key: LegKey) {
        let limit = self.alarm(self.paced(OWN_RING), Due::Unanswered(key));
        if let Some(leg) = self.legs.get_mut(&key) {
            leg.limit = Some(limit);
        }
    }

    /// A ringing phone is picked up.
    pub(super) fn pick_up(&mut self, key: LegKey) {
        let Some(leg) = self.legs.get_mut(&key).filter(|leg| leg.state == LegState::Ringing) else { return };
        self.timers.cancel(&mut leg.alarm);
        self.timers.cancel(&mut leg.limit);
        let (partner, wants, rung_for, place) = (leg.partner, leg.wants.take(), leg.rung_for.take(), leg.place.clone());
        match (rung_for, wants, partner) {
            (Some(flow), ..) => self.answered(flow, key),
            (None, Some(Wants::Dial { to, intercom }), _) => {
                self.alter(key, |leg| leg.state = LegState::Waiting);
                match self.destination(&to, false) {
                    Some(destination) => self.lead(key, &to, destination, intercom),
                    None => self.release(key, EndCause::OtherGone),
                }
            }
            (None, Some(Wants::Confer), _) => self.come(key, place),
            (None, None, Some(partner)) => self.connect(key, partner),
            (None, None, None) => self.release(key, EndCause::OtherGone),
        }
    }

    // Whom a number means now.

    /// The leg of an inside number that is not put aside.
    pub(super) fn present(&self, number: &str) -> Option<LegKey> {
        let legs = &self.phones.get(number)?.legs;
        legs.iter().copied().find(|leg| self.legs.get(leg).is_some_and(|leg| !leg.held))
    }

    /// The leg of an inside number that has put the others aside.
    pub(super) fn put_by(&self, number: &str) -> Option<LegKey> {
        let legs = &self.phones.get(number)?.legs;
        legs.iter().copied().find(|leg| self.legs.get(leg).is_some_and(|leg| leg.held))
    }

    /// The newest leg of somebody outside.
    pub(super) fn stranger(&self, number: &str) -> Option<LegKey> {
        self.strangers.get(number)?.last().copied()
    }

    fn somebody(&self, number: &Text) -> Result<(), ControlError> {
        if self.phones.contains_key(number) || self.is_outside(number) || self.strangers.contains_key(number) {
            return Ok(());
        }
        Err(ControlError::NoSuchNumber(number.clone()))
    }

    // What people do, inside and outside.

    pub(super) fn person_answers(&mut self, number: &Text) -> Result<(), ControlError> {
        self.somebody(number)?;
        let ringing = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.state == LegState::Ringing);
        let leg = self.present(number).or_else(|| self.stranger(number)).filter(ringing);
        let Some(leg) = leg else { return Err(ControlError::NotRinging(number.clone())) };
        if self.is_deaf(leg) {
            return Err(ControlError::NeverAnswers(number.clone()));
        }
        self.pick_up(leg);
        Ok(())
    }

    /// Whether a phone rings, and nobody can answer it.
    pub(super) fn is_deaf(&self, key: LegKey) -> bool {
        self.legs.get(&key).is_some_and(|leg| *self.behaviour(&leg.end) == Behaviour::Deaf)
    }

    pub(super) fn person_hangs_up(&mut self, number: &Text) -> Result<(), ControlError> {
        let none = || ControlError::NoCall(number.clone());
        if self.phones.contains_key(number) {
            let ringing = self.present(number).and_then(|leg| self.legs.get(&leg)).map(|leg| leg.state);
            let act = if ringing == Some(LegState::Ringing) { Act::Decline } else { Act::Hangup };
            return self.act(number, act).map_err(|_| none());
        }
        let leg = self.stranger(number).ok_or_else(none)?;
        let rings = self.legs.get(&leg).is_some_and(|leg| leg.state == LegState::Ringing);
        self.release(leg, if rings { EndCause::Refused } else { EndCause::Hangup });
        Ok(())
    }

    pub(super) fn newest_caller_leaves(&mut self) -> Result<(), ControlError> {
        let outside =
            |key: &LegKey| self.legs.get(key).is_some_and(|leg| leg.origin && leg.lives() && !leg.end.is_inside());
        let newest = self.legs.keys().rev().copied().find(outside);
        let leg = newest.ok_or_else(|| ControlError::NoCall(Text::from_static("the caller")))?;
        self.release(leg, EndCause::Hangup);
        Ok(())
    }

    pub(super) fn person_holds(&mut self, number: &Text, held: bool) -> Result<(), ControlError> {
        let refused = Err(ControlError::Refused(Refusal::WrongState));
        if self.phones.contains_key(number) {
            return if self.put_by(number).is_some() == held { refused } else { self.person_acts(number, Act::Switch) };
        }
        let leg = self.stranger(number).ok_or_else(|| ControlError::NoCall(number.clone()))?;
        match self.legs.get(&leg) {
            Some(there) if there.talks() && there.held != held => {
                if held {
                    self.put_aside(leg);
                } else {
                    self.take_back(leg);
                }
                Ok(())
            }
            _ => refused,
        }
    }

    pub(super) fn person_presses(&mut self, number: &Text, keys: &str) -> Result<(), ControlError> {
        if keys.is_empty() || keys.len() > KEYS || !keys.bytes().all(|key| key.is_ascii_digit() || b"*#".contains(&key))
        {
            return Err(ControlError::BadKeys(KEYS));
        }
        let up = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.state == LegState::Up);
        let leg = self.present(number).or_else(|| self.stranger(number)).filter(up);
        let leg = leg.ok_or_else(|| ControlError::NoCall(number.clone()))?;
        let flow = self.legs.get(&leg).and_then(|leg| leg.flows.last().copied());
        let waits = flow.is_some_and(|flow| self.flows.get(&flow).is_some_and(|f| matches!(f.wait, Wait::Keys(_))));
        let call = self.legs.get(&leg).map(|leg| leg.call_id.clone());
        self.note(call.as_ref(), NoteKind::Step, format!("{number} presses {keys}"));
        if let Some(flow) = flow.filter(|_| waits) {
            self.pressed(flow, keys);
        }
        Ok(())
    }

    /// A person does something with the own phone.
    pub(super) fn person_acts(&mut self, number: &Text, act: Act) -> Result<(), ControlError> {
        self.act(number, act).map_err(|why| match why {
            Refusal::NoSuchNumber if !self.phones.contains_key(number) => ControlError::NoSuchNumber(number.clone()),
            why => ControlError::Refused(why),
        })
    }

    // What changes about phones.

    /// Connects or disconnects a phone.
    pub(super) fn plug(&mut self, number: &Text, connected: bool) -> Result<(), ControlError> {
        let Some(phone) = self.phones.get_mut(number) else { return Err(ControlError::NoSuchNumber(number.clone())) };
        if phone.connected == connected {
            return Ok(());
        }
        phone.connected = connected;
        let legs = phone.legs.clone();
        self.tell(Event::Phone { number: number.clone(), connected });
        for leg in legs.into_iter().filter(|_| !connected) {
            self.finish(leg, EndCause::Unreachable);
        }
        Ok(())
    }

    /// Changes how a phone behaves from the next call on; whether it is connected changes at once.
    pub(super) fn behave(&mut self, number: &Text, behaviour: Behaviour) {
        if !self.phones.contains_key(number) {
            self.outside.insert(number.clone(), behaviour);
            return;
        }
        let connected = behaviour.connected();
        if let Some(phone) = self.phones.get_mut(number)
            && connected
        {
            phone.behaviour = behaviour;
        }
        if let Err(why) = self.plug(number, connected) {
            self.note(None, NoteKind::Odd, why.to_string());
        }
    }

    pub(super) fn redirect(&mut self, number: &Text, to: Option<Text>, cascade: bool) {
        match self.phones.get_mut(number) {
            Some(phone) => phone.redirect = to.map(|to| (to, cascade)),
            // Of a number that is no more nothing is kept.
            None if to.is_none() => {}
            None => self.note(None, NoteKind::Odd, format!("redirect: {}", ControlError::NoSuchNumber(number.clone()))),
        }
    }

    pub(super) fn make_available(&mut self, number: &Text, available: bool) {
        match self.phones.get_mut(number) {
            Some(phone) => phone.available = available,
            None if available => {}
            None => self.note(None, NoteKind::Odd, format!("agent: {}", ControlError::NoSuchNumber(number.clone()))),
        }
    }
}
