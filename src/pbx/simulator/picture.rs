//! What a person sees of the simulator: who is in which conversation and what each of them hears.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{EndCause, GhostMode, LegState, Place};

use super::flow::Wait;
use super::legs::{Call, Leg, LegKey};
use super::machine::Machine;
use crate::pbx::{CallPicture, LegPicture, PhonePicture, Picture, QueuePicture, Said, Sound};

/// How many conversations that ended are remembered.
const PAST_CALLS: usize = 16;
/// How many sentences of one leg are remembered.
const SAID: usize = 20;

/// A leg that has ended.
pub(super) type PastLeg = LegPicture;

impl Machine {
    /// What goes on now.
    pub(super) fn picture(&self) -> Picture {
        let phones = self.phones.iter().map(|(number, phone)| PhonePicture {
            number: number.clone(),
            name: self.settings.directory.find(number).map_or_else(Text::new, |e| e.name.clone()),
            connected: phone.connected,
            available: phone.available,
            redirect: phone.redirect.as_ref().map_or_else(Text::new, |(to, _)| to.clone()),
            in_use: !phone.legs.is_empty(),
        });
        let queues = self.queues.iter().map(|(number, queue)| QueuePicture {
            number: number.clone(),
            name: queue.name.clone(),
            waiting: queue
                .waiting
                .iter()
                .filter_map(|flow| Some(self.legs.get(&self.flows.get(flow)?.leg?)?.id.clone()))
                .collect(),
        });
        let going_on = self.calls.values().map(|call| CallPicture {
            call: call.id.clone(),
            began_ms: call.began_ms,
            ended_ms: None,
            parties: call.parties.clone(),
            legs: call.past.iter().cloned().chain(call.legs.iter().filter_map(|leg| self.leg_picture(*leg))).collect(),
        });
        Picture {
            at_ms: self.wall_ms(),
            stale: false,
            lines_used: self.lines.in_use(),
            lines: self.lines.total(),
            phones: phones.collect(),
            queues: queues.collect(),
            calls: self.past_calls.iter().cloned().chain(going_on).collect(),
        }
    }

    fn leg_picture(&self, key: LegKey) -> Option<LegPicture> {
        let leg = self.legs.get(&key)?;
        let flow = leg.flows.last().and_then(|flow| self.flows.get(flow));
        let (hears, voices) = self.sound(key, leg);
        let keys = flow.is_some_and(|flow| matches!(flow.wait, Wait::Keys(_)));
        Some(LegPicture { hears, voices, keys, ..leg.picture() })
    }

    fn sound(&self, key: LegKey, leg: &Leg) -> (Sound, Vec<Text>) {
        let rings = leg.flows.last().and_then(|flow| self.flows.get(flow)).is_some_and(|flow| flow.rings());
        let number = |key: &LegKey| self.legs.get(key).map(|leg| leg.number().clone());
        let sound = match (leg.state, &leg.place) {
            (LegState::Planned | LegState::Ended(_), _) => Sound::Silence,
            (LegState::Ringing, _) => Sound::Bell,
            (LegState::Up, _) if leg.held => Sound::Silence,
            (_, Place::Queue(_)) => Sound::Music,
            (LegState::Waiting | LegState::Up, Place::None | Place::Menu { .. }) if rings => Sound::Ringing,
            (LegState::Waiting, _) => Sound::Silence,
            (LegState::Up, Place::None) => Sound::Music,
            (LegState::Up, Place::Menu { .. }) => Sound::Menu,
            (LegState::Up, Place::Talk(_)) => match self.peer(key) {
                Some(peer) if self.legs.get(&peer).is_some_and(|peer| peer.held) => Sound::Music,
                Some(peer) => {
                    let heard = std::iter::once(peer).chain(self.heard_listeners(key, peer));
                    return (Sound::Voices, heard.filter_map(|key| number(&key)).collect());
                }
                None => Sound::Silence,
            },
            (LegState::Up, Place::Conference(id)) => {
                let there = |other: &LegKey| {
                    *other != key && self.legs.get(other).is_some_and(|leg| leg.state == LegState::Up && !leg.held)
                };
                let ghost = self.conferences.get(id).and_then(|conference| conference.ghost);
                let heard = match ghost {
                    Some((_, target)) => std::iter::once(target).chain(self.peer(target)).collect(),
                    None => self.members(id),
                };
                return (Sound::Voices, heard.iter().filter(|other| there(other)).filter_map(number).collect());
            }
        };
        (sound, Vec::new())
    }

    /// Who listens in to a talk of this leg with its peer, and is heard by this leg.
    fn heard_listeners(&self, key: LegKey, peer: LegKey) -> impl Iterator<Item = LegKey> {
        let heard = self.conferences.iter().filter(move |(_, conference)| match conference.ghost {
            Some((GhostMode::Help, target)) => target == key,
            Some((GhostMode::Conference, target)) => target == key || target == peer,
            Some((GhostMode::Monitor, _)) | None => false,
        });
        heard.flat_map(|(id, _)| self.members(id)).filter(|other| {
            self.legs.get(other).is_some_and(|leg| leg.role.ghost && leg.state == LegState::Up && !leg.held)
        })
    }

    /// Keeps the picture of a conversation that is over.
    pub(super) fn remember(&mut self, call: Call) {
        if self.past_calls.len() >= PAST_CALLS {
            self.past_calls.pop_front();
        }
        self.past_calls.push_back(CallPicture {
            call: call.id,
            began_ms: call.began_ms,
            ended_ms: Some(self.wall_ms()),
            parties: call.parties,
            legs: call.past.into(),
        });
    }

    /// Says something to a leg.
    pub(super) fn say_to(&mut self, key: LegKey, text: Text) {
        let at_ms = self.wall_ms();
        if let Some(leg) = self.legs.get_mut(&key) {
            if leg.said.len() >= SAID {
                leg.said.pop_front();
            }
            leg.said.push_back(Said { at_ms, text });
        }
    }
}

impl Leg {
    /// How it is, but for what it hears from others.
    pub(super) fn picture(&self) -> LegPicture {
        let own_doing = [EndCause::Hangup, EndCause::Transferred, EndCause::Refused];
        let hears = match self.state {
            LegState::Ended(cause) if !own_doing.contains(&cause) && self.was_there => Sound::Busy,
            _ => Sound::Silence,
        };
        LegPicture {
            leg: self.id.clone(),
            end: self.end.clone(),
            state: self.state,
            place: self.place.clone(),
            toward: self.toward.clone(),
            held: self.held,
            since_ms: self.since_ms,
            hears,
            voices: Vec::new(),
            said: self.said.iter().cloned().collect(),
            keys: false,
        }
    }
}
