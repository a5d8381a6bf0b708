//! What the people of inside numbers do with their own phones.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Act, ConferenceFact, ConferenceId, End, EndCause, LegState, Place, Refusal, Sequence};

use super::dialling::Destination;
use super::flow::Wait;
use super::legs::{LegKey, NewLeg, Wants};
use super::machine::Machine;

/// What an act gives: why it was not done.
pub(super) type Acted = Result<(), Refusal>;

impl Machine {
    /// Does what a person wants of the own phone.
    ///
    /// # Errors
    /// Why it was not done; then nothing was.
    pub(super) fn act(&mut self, number: &Text, act: Act) -> Acted {
        if !self.phones.contains_key(number) {
            return Err(Refusal::NoSuchNumber);
        }
        match act {
            Act::Dial { to, sequence, intercom } => self.dial(number, &to, sequence, intercom),
            Act::StopDialling => {
                let leg = self.present_in(number, |state| state == LegState::Planned)?;
                self.finish(leg, EndCause::Hangup);
                Ok(())
            }
            Act::Answer => {
                let leg = self.present_in(number, |state| state == LegState::Ringing)?;
                if self.is_deaf(leg) {
                    return Err(Refusal::Unable);
                }
                self.pick_up(leg);
                Ok(())
            }
            Act::Decline => {
                let leg = self.present_in(number, |state| state == LegState::Ringing)?;
                self.release(leg, EndCause::Refused);
                Ok(())
            }
            Act::Hangup => self.hang_up(number),
            Act::Join => self.join(number),
            Act::Switch => self.switch(number),
            Act::Return => {
                let (present, _) = self.both(number)?;
                self.release(present, EndCause::Hangup);
                Ok(())
            }
            Act::DropHeld => {
                let held = self.put_by(number).ok_or(Refusal::WrongState)?;
                self.finish(held, EndCause::Hangup);
                Ok(())
            }
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
        }
    }

    fn present_in(&self, number: &Text, wanted: impl Fn(LegState) -> bool) -> Result<LegKey, Refusal> {
        let leg = self.present(number).filter(|leg| self.legs.get(leg).is_some_and(|leg| wanted(leg.state)));
        leg.ok_or(Refusal::WrongState)
    }

    /// The present and the held leg of a phone that has both.
    pub(super) fn both(&self, number: &Text) -> Result<(LegKey, LegKey), Refusal> {
        self.present(number).zip(self.put_by(number)).ok_or(Refusal::WrongState)
    }

    /// Whether a leg talks, alone with somebody or in a conference that is no listening in.
    pub(super) fn talks(&self, key: LegKey) -> bool {
        self.legs.get(&key).is_some_and(|leg| leg.talks() && !leg.role.ghost)
    }

    /// Who talks with a leg and has not put it aside.
    pub(super) fn partner(&self, key: LegKey) -> Result<LegKey, Refusal> {
        let peer = self.peer(key).filter(|peer| self.legs.get(peer).is_some_and(|peer| !peer.held));
        peer.ok_or(Refusal::WrongState)
    }

    pub(super) fn conference_of(&self, key: LegKey) -> Option<ConferenceId> {
        self.legs.get(&key).filter(|leg| !leg.role.ghost)?.conference().cloned()
    }

    pub(super) fn is_free(&self, number: &Text) -> Acted {
        let Some(phone) = self.phones.get(number) else { return Err(Refusal::NoSuchNumber) };
        match self.obstacle(&End::Inside(number.clone())) {
            _ if !phone.legs.is_empty() => Err(Refusal::WrongState),
            None => Ok(()),
            Some(EndCause::Unreachable) => Err(Refusal::NoPhone),
            Some(_) => Err(Refusal::Busy),
        }
    }

    /// Where a number leads for somebody inside, if there is a way.
    fn way(&self, to: &Text) -> Result<Destination, Refusal> {
        let destination = self.destination(to, false).ok_or(Refusal::NoSuchNumber)?;
        if self.lacks_line(&destination) { Err(Refusal::Full) } else { Ok(destination) }
    }

    fn dial(&mut self, number: &Text, to: &Text, sequence: Sequence, intercom: bool) -> Acted {
        let destination = self.way(to)?;
        if to == number {
            return Err(Refusal::Busy);
        }
        let present = self.present(number);
        match (present, self.put_by(number)) {
            (None, None) => {
                self.is_free(number)?;
                if self.is_full() {
                    return Err(Refusal::Full);
                }
                self.dial_for(number, to, destination, sequence, intercom);
                Ok(())
            }
            (None, Some(held)) => {
                self.consult(number, held, to, destination, intercom);
                Ok(())
            }
            (Some(present), None) if self.talks(present) => {
                self.put_aside(present);
                self.consult(number, present, to, destination, intercom);
                Ok(())
            }
            (Some(_), _) => Err(Refusal::WrongState),
        }
    }

    /// Dials for a user whose phone is idle.
    fn dial_for(&mut self, number: &Text, to: &Text, destination: Destination, sequence: Sequence, intercom: bool) {
        let parties = self.parties_of(number, to);
        let call = self.begin_call(parties);
        let leg = self.begin_leg(NewLeg {
            call,
            end: End::Inside(number.clone()),
            state: LegState::Planned,
            place: Place::None,
            with: None,
            toward: to.clone(),
        });
        self.alter(leg, |leg| {
            leg.origin = true;
            leg.autocall = Some(sequence);
        });
        // A scenario is there at once: nobody has to be waited for.
        let at_once = matches!(destination, Destination::Scenario(_));
        if sequence == Sequence::Abonent && !at_once {
            return self.lead(leg, to, destination, intercom);
        }
        self.alter(leg, |leg| leg.wants = Some(Wants::Dial { to: to.clone(), intercom }));
        self.ring_own(leg);
    }

    /// Dials while somebody is on hold: a second leg in the same conversation.
    fn consult(&mut self, number: &Text, held: LegKey, to: &Text, destination: Destination, intercom: bool) {
        let Some(call) = self.legs.get(&held).map(|leg| leg.call) else { return };
        let leg = self.begin_leg(NewLeg {
            call,
            end: End::Inside(number.clone()),
            state: LegState::Waiting,
            place: Place::None,
            with: None,
            toward: to.clone(),
        });
        self.lead(leg, to, destination, intercom);
    }

    fn hang_up(&mut self, number: &Text) -> Acted {
        let held = self.put_by(number);
        let Some(present) = self.present(number) else {
            let held = held.ok_or(Refusal::WrongState)?;
            self.finish(held, EndCause::Hangup);
            return Ok(());
        };
        match self.legs.get(&present).map(|leg| leg.state) {
            None | Some(LegState::Ringing | LegState::Ended(_)) => return Err(Refusal::WrongState),
            Some(LegState::Up) if self.talks(present) => {
                self.finish(present, EndCause::Hangup);
                if let Some(held) = held {
                    self.finish(held, EndCause::Hangup);
                }
            }
            // What was dialled is stopped: who is on hold comes back.
            Some(LegState::Planned | LegState::Waiting | LegState::Up) => self.release(present, EndCause::Hangup),
        }
        Ok(())
    }

    fn join(&mut self, number: &Text) -> Acted {
        let (present, held) = self.both(number)?;
        let waits = self.legs.get(&present).is_some_and(|leg| leg.state == LegState::Waiting);
        match (self.conference_of(present), self.conference_of(held)) {
            (None, None) if waits => return self.hand_over(present, held),
            (None, None) => {
                let (one, other) = (self.partner(present)?, self.partner(held)?);
                self.finish(present, EndCause::Transferred);
                self.finish(held, EndCause::Transferred);
                self.connect(one, other);
                return Ok(());
            }
            (Some(id), None) => {
                let other = self.partner(held)?;
                self.come(other, Place::Conference(id));
            }
            (None, Some(id)) => {
                let other = self.partner(present)?;
                self.come(other, Place::Conference(id));
            }
            (Some(_), Some(_)) => return Err(Refusal::WrongState),
        }
        self.finish(present, EndCause::Transferred);
        self.finish(held, EndCause::Transferred);
        Ok(())
    }

    /// Hands the held party to the number that is being dialled, before it has answered.
    fn hand_over(&mut self, present: LegKey, held: LegKey) -> Acted {
        let party = self.partner(held)?;
        let Some((flow, toward)) =
            self.legs.get(&present).and_then(|leg| Some((*leg.flows.last()?, leg.toward.clone())))
        else {
            return Err(Refusal::WrongState);
        };
        let Some(waiting) =
            self.flows.get_mut(&flow).filter(|flow| matches!(flow.wait, Wait::Ring { .. } | Wait::Queue(_)))
        else {
            return Err(Refusal::WrongState);
        };
        waiting.leg = Some(party);
        let ringing = waiting.ringing().cloned().unwrap_or_default();
        if let Some(leg) = self.legs.get_mut(&present) {
            leg.flows.retain(|other| *other != flow);
        }
        let place = match self.flows.get(&flow).map(|flow| &flow.wait) {
            Some(Wait::Queue(wait)) => Place::Queue(wait.queue.clone()),
            _ => Place::None,
        };
        self.send_on(party, &toward, place);
        let with = self.legs.get_mut(&party).map(|leg| {
            leg.flows.push(flow);
            leg.id.clone()
        });
        for leg in ringing {
            self.alter(leg, |leg| leg.with.clone_from(&with));
        }
        self.finish(present, EndCause::Transferred);
        self.finish(held, EndCause::Transferred);
        Ok(())
    }

    /// A party that talked waits for somebody else from now on.
    fn send_on(&mut self, party: LegKey, toward: &Text, place: Place) {
        self.alter(party, |leg| {
            leg.state = LegState::Waiting;
            leg.place = place;
            leg.toward = toward.clone();
            leg.autocall = None;
        });
    }

    fn switch(&mut self, number: &Text) -> Acted {
        let present = self.present(number);
        if present.is_some_and(|present| !self.talks(present)) {
            return Err(Refusal::WrongState);
        }
        let held = self.put_by(number);
        if present.or(held).is_none() {
            return Err(Refusal::WrongState);
        }
        if let Some(present) = present {
            self.put_aside(present);
        }
        if let Some(held) = held {
            self.take_back(held);
        }
        Ok(())
    }

    fn transfer(&mut self, number: &Text, to: &Text) -> Acted {
        let own = self.present(number).or_else(|| self.put_by(number)).ok_or(Refusal::WrongState)?;
        let party = self.partner(own)?;
        let destination = self.way(to)?;
        if !self.can_be_led(party) {
            return Err(Refusal::Full);
        }
        self.send_on(party, to, Place::None);
        self.release(own, EndCause::Transferred);
        self.lead(party, to, destination, false);
        Ok(())
    }
}
