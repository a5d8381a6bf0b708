//! What goes on, for people.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{LegState, Place};

use super::book::Leg;
use super::{Machine, Now};
use crate::pbx::{CallPicture, LegPicture, PhonePicture, Picture, QueuePicture, Sound};

impl Machine {
    /// What goes on, for people.
    pub fn picture(&self, now: Now) -> Picture {
        let in_use =
            |number: &Text| self.book.legs.values().any(|l| l.fact.end.is_inside() && l.fact.end.number() == number);
        let phones = self.plan.directory.extensions.iter().map(|extension| PhonePicture {
            number: extension.number.clone(),
            name: extension.name.clone(),
            connected: self.phones.get(&extension.number) == Some(&true),
            available: !matches!(self.away.get(&extension.number), Some(Some(_))),
            redirect: self.redirects.get(&extension.number).map_or_else(Text::new, |(to, _)| to.clone()),
            in_use: in_use(&extension.number),
        });
        let queues = self.plan.directory.queues.iter().map(|queue| {
            let here = Place::Queue(queue.number.clone());
            let waiting = self.book.legs.values().filter(|leg| leg.fact.place == here);
            QueuePicture {
                number: queue.number.clone(),
                name: queue.name.clone(),
                waiting: waiting.map(|leg| leg.fact.leg.clone()).collect(),
            }
        });
        let outside = self.book.legs.values().filter(|leg| !leg.fact.end.is_inside()).count();
        let mut calls: Vec<(u64, CallPicture)> = Vec::new();
        for (root, call) in &self.book.calls {
            let legs = self.book.legs.values().filter(|leg| leg.root == *root);
            let picture = CallPicture {
                call: call.fact.call.clone(),
                began_ms: call.fact.at_ms,
                ended_ms: None,
                parties: call.fact.parties.clone(),
                legs: legs.map(|leg| self.leg_picture(leg)).collect(),
            };
            calls.push((call.serial, picture));
        }
        calls.sort_by_key(|(serial, _)| *serial);
        Picture {
            at_ms: now.wall_ms,
            stale: self.stale,
            lines_used: outside,
            lines: outside,
            phones: phones.collect(),
            queues: queues.collect(),
            calls: calls.into_iter().map(|(_, call)| call).collect(),
        }
    }

    fn leg_picture(&self, leg: &Leg) -> LegPicture {
        let fact = &leg.fact;
        let there = |other: &&Leg| {
            other.fact.place == fact.place && other.fact.leg != fact.leg && !other.fact.held && !fact.held
        };
        let talks = matches!(fact.place, Place::Talk(_) | Place::Conference(_));
        let voices: Vec<Text> = match fact.state {
            LegState::Up if talks => {
                self.book.legs.values().filter(there).map(|other| other.fact.end.number().clone()).collect()
            }
            _ => Vec::new(),
        };
        let hears = match (fact.state, &fact.place) {
            (LegState::Ringing, _) => Sound::Bell,
            (_, Place::Queue(_)) => Sound::Music,
            (_, Place::Menu { .. }) => Sound::Menu,
            (LegState::Waiting, _) => Sound::Ringing,
            _ if !voices.is_empty() => Sound::Voices,
            (LegState::Up, Place::Talk(_)) => Sound::Music,
            _ => Sound::Silence,
        };
        LegPicture {
            leg: fact.leg.clone(),
            end: fact.end.clone(),
            state: fact.state,
            place: fact.place.clone(),
            toward: fact.toward.clone(),
            held: fact.held,
            since_ms: fact.at_ms,
            hears,
            voices,
            said: Vec::new(),
            keys: false,
        }
    }
}
