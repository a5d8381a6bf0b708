//! Conferences and listening in, as the people of inside numbers want them.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    ConferenceFact, ConferenceId, End, EndCause, Ghost, GhostMode, LegId, LegState, Place, Refusal, Sequence,
};

use super::acts::Acted;
use super::legs::{LegKey, NewLeg, Wants};
use super::machine::Machine;

impl Machine {
    pub(super) fn confer(&mut self, number: &Text, fact: ConferenceFact, members: &[Text]) -> Acted {
        self.is_free(number)?;
        self.are_people(members)?;
        if self.is_full() {
            return Err(Refusal::Full);
        }
        if self.conferences.contains_key(&fact.id) || fact.id.0.is_empty() {
            return Err(Refusal::WrongState);
        }
        let id = fact.id.clone();
        let parties = self.parties_of(number, members.first().unwrap_or(number));
        let call = self.begin_call(parties);
        self.begin_conference(call, fact, !members.is_empty());
        let leg = self.begin_leg(NewLeg {
            call,
            end: End::Inside(number.clone()),
            state: LegState::Planned,
            place: Place::Conference(id.clone()),
            with: None,
            toward: members.first().cloned().unwrap_or_default(),
        });
        self.alter(leg, |leg| {
            leg.origin = true;
            leg.autocall = Some(Sequence::User);
            leg.role.creator = true;
            leg.wants = Some(Wants::Confer);
        });
        self.ring_own(leg);
        self.ring_members(&id, members, Some(leg), number);
        Ok(())
    }

    fn are_people(&self, numbers: &[Text]) -> Acted {
        let known = |number: &Text| self.phones.contains_key(number) || self.is_outside(number);
        if numbers.iter().all(known) { Ok(()) } else { Err(Refusal::NoSuchNumber) }
    }

    /// Rings everybody who is not there yet.
    fn ring_members(&mut self, id: &ConferenceId, members: &[Text], host: Option<LegKey>, own: &Text) {
        let Some(call) = self.conferences.get(id).map(|conference| conference.call) else { return };
        let with = host.and_then(|host| self.legs.get(&host)).map(|leg| leg.id.clone());
        for number in members {
            let there = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.number() == number);
            if number == own || self.members(id).iter().any(there) {
                continue;
            }
            let phone = self.phone_for(number);
            let new = NewLeg {
                call,
                end: self.end_of(&phone),
                state: LegState::Ringing,
                place: Place::Conference(id.clone()),
                with: with.clone(),
                toward: number.clone(),
            };
            if let Ok(leg) = self.ring(new) {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.wants = Some(Wants::Confer);
                }
                self.limit_ring(leg);
            }
        }
    }

    pub(super) fn widen(&mut self, number: &Text, id: &ConferenceId, room: i64) -> Acted {
        let own = self.present(number).ok_or(Refusal::WrongState)?;
        let party = self.partner(own)?;
        if self.conferences.contains_key(id) || id.0.is_empty() {
            return Err(Refusal::WrongState);
        }
        let Some(call) = self.legs.get(&own).map(|leg| leg.call) else { return Err(Refusal::WrongState) };
        let fact = ConferenceFact { id: id.clone(), room, record: true, ..ConferenceFact::default() };
        self.begin_conference(call, fact, true);
        for leg in [own, party] {
            self.come(leg, Place::Conference(id.clone()));
        }
        self.alter(own, |leg| leg.role.creator = true);
        Ok(())
    }

    pub(super) fn invite(&mut self, number: &Text, id: &ConferenceId, members: &[Text]) -> Acted {
        self.is_conference(id)?;
        self.are_people(members)?;
        let own = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.end == End::Inside(number.clone()));
        let host = self.members(id).into_iter().find(own);
        self.ring_members(id, members, host, number);
        Ok(())
    }

    /// That there is such a conference, which is no listening in.
    fn is_conference(&self, id: &ConferenceId) -> Acted {
        let there = self.conferences.get(id).is_some_and(|c| c.ghost.is_none() && !c.fact.over);
        if there { Ok(()) } else { Err(Refusal::NoSuchConference) }
    }

    pub(super) fn take_in(&mut self, number: &Text) -> Acted {
        let (present, held) = self.both(number)?;
        match (self.conference_of(present), self.conference_of(held)) {
            (Some(id), None) => {
                let party = self.partner(held)?;
                self.come(party, Place::Conference(id));
                self.finish(held, EndCause::Transferred);
            }
            // The other way round: whoever is talked with comes into the conference on hold, and so does the own phone.
            (None, Some(id)) => {
                let party = self.partner(present)?;
                self.come(party, Place::Conference(id));
                self.release(present, EndCause::Transferred);
            }
            _ => return Err(Refusal::WrongState),
        }
        Ok(())
    }

    pub(super) fn kick(&mut self, id: &ConferenceId, member: &LegId) -> Acted {
        self.is_conference(id)?;
        let its = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.id == *member);
        let leg = self.members(id).into_iter().find(its).ok_or(Refusal::NoSuchConference)?;
        self.release(leg, EndCause::Kicked);
        Ok(())
    }

    pub(super) fn leave(&mut self, number: &Text, id: &ConferenceId) -> Acted {
        if !self.conferences.contains_key(id) {
            return Err(Refusal::NoSuchConference);
        }
        let own = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.end == End::Inside(number.clone()));
        let leg = self.members(id).into_iter().find(own).ok_or(Refusal::WrongState)?;
        self.release(leg, EndCause::Hangup);
        Ok(())
    }

    pub(super) fn spy(&mut self, number: &Text, id: ConferenceId, target: &Text) -> Acted {
        self.is_free(number)?;
        if !self.phones.contains_key(target) {
            return Err(Refusal::NoSuchNumber);
        }
        let target_leg = self.present(target).filter(|leg| self.talks(*leg)).ok_or(Refusal::WrongState)?;
        if self.conferences.contains_key(&id) || id.0.is_empty() {
            return Err(Refusal::WrongState);
        }
        let Some(call) = self.legs.get(&target_leg).map(|leg| leg.call) else { return Err(Refusal::WrongState) };
        let fact = ConferenceFact { id: id.clone(), ..ConferenceFact::default() };
        self.begin_conference(call, fact, false);
        self.listen(&id, GhostMode::Monitor, target_leg);
        let leg = self.begin_leg(NewLeg {
            call,
            end: End::Inside(number.clone()),
            state: LegState::Planned,
            place: Place::Conference(id),
            with: None,
            toward: target.clone(),
        });
        self.alter(leg, |leg| {
            leg.autocall = Some(Sequence::User);
            leg.role.ghost = true;
            leg.wants = Some(Wants::Confer);
        });
        self.ring_own(leg);
        Ok(())
    }

    fn listen(&mut self, id: &ConferenceId, mode: GhostMode, target: LegKey) {
        let Some(leg) = self.legs.get(&target).map(|leg| leg.id.clone()) else { return };
        self.alter_conference(id, |conference| {
            conference.ghost = Some((mode, target));
            conference.fact.ghost = Some(Ghost { mode, target: leg });
        });
    }

    pub(super) fn spy_mode(
        &mut self,
        number: &Text,
        id: &ConferenceId,
        mode: GhostMode,
        target: Option<&LegId>,
    ) -> Acted {
        let conference = self.conferences.get(id).ok_or(Refusal::NoSuchConference)?;
        let Some((_, heard)) = conference.ghost else { return Err(Refusal::NoSuchConference) };
        let own = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.end == End::Inside(number.clone()));
        if !self.members(id).iter().any(own) {
            return Err(Refusal::WrongState);
        }
        let target = match target {
            None => heard,
            Some(target) => {
                let of_call = self.calls.get(&conference.call).map(|call| call.legs.clone()).unwrap_or_default();
                let its = |leg: &LegKey| self.legs.get(leg).is_some_and(|leg| leg.id == *target && !leg.role.ghost);
                of_call.into_iter().find(its).ok_or(Refusal::NoSuchConference)?
            }
        };
        self.listen(id, mode, target);
        Ok(())
    }
}
