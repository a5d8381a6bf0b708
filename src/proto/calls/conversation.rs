//! One conversation: every fact that was told of it, by leg and in the order of their numbers.

use std::collections::BTreeMap;

use crate::message::Text;
use crate::telephony::{CallFact, FaxFact, FaxId, FaxState, LegFact, LegId, LegState, Parties, Place, TalkId};

/// Most legs of one conversation. A caller who waits an hour in a queue of three has rung their phones hundreds of times.
const MAX_LEGS: usize = 1024;
/// Most facts of one leg that are remembered; what comes beyond still counts for how it is now.
const MAX_FACTS: usize = 256;
/// Most recordings of one conversation.
const MAX_RECORDINGS: usize = 256;
/// Most faxes of one conversation.
const MAX_FAXES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Conversation {
    about: Option<CallFact>,
    legs: BTreeMap<LegId, Leg>,
    pub(super) recordings: BTreeMap<TalkId, Text>,
    pub(super) faxes: BTreeMap<FaxId, FaxFact>,
    over_ms: Option<i64>,
}

/// One leg: its facts, the oldest first.
#[derive(Debug)]
pub(super) struct Leg {
    facts: Vec<LegFact>,
}

impl Leg {
    /// How it is now: its end if one was told, else its newest fact.
    pub(super) fn now(&self) -> &LegFact {
        let end = self.facts.iter().find(|f| f.state.is_ended());
        end.unwrap_or_else(|| self.facts.last().expect("a leg is made of a fact"))
    }

    /// Its facts up to its end, the oldest first.
    pub(super) fn story(&self) -> &[LegFact] {
        let end = self.facts.iter().position(|f| f.state.is_ended()).map_or(self.facts.len(), |at| at + 1);
        &self.facts[..end]
    }

    /// When it began.
    pub(super) fn first_ms(&self) -> i64 {
        self.facts.first().map_or(0, |f| f.at_ms)
    }

    /// Since when it is where it is.
    pub(super) fn since_ms(&self) -> i64 {
        let now = self.now();
        let same = |f: &&LegFact| f.state == now.state && f.place == now.place && f.held == now.held;
        self.story().iter().rev().take_while(same).last().map_or(now.at_ms, |f| f.at_ms)
    }

    fn tell(&mut self, fact: LegFact) -> bool {
        match self.facts.binary_search_by(|known| known.seq.cmp(&fact.seq)) {
            Ok(_) => false,
            Err(at) if self.facts.len() < MAX_FACTS => {
                self.facts.insert(at, fact);
                true
            }
            // Full: the newest is replaced by what is newer, so that how it is now stays true.
            Err(at) if at == self.facts.len() => {
                self.facts.pop();
                self.facts.push(fact);
                true
            }
            Err(_) => false,
        }
    }
}

impl Conversation {
    pub(super) fn tell_about(&mut self, about: CallFact) -> bool {
        let news = self.about.is_none();
        self.about.get_or_insert(about);
        news
    }

    pub(super) fn tell_leg(&mut self, fact: LegFact) -> bool {
        let room = self.legs.len() < MAX_LEGS;
        match self.legs.get_mut(&fact.leg) {
            Some(leg) => leg.tell(fact),
            None if room => {
                self.legs.insert(fact.leg.clone(), Leg { facts: vec![fact] });
                true
            }
            None => false,
        }
    }

    pub(super) fn tell_recording(&mut self, talk: TalkId, file: Text) -> bool {
        let room = self.recordings.len() < MAX_RECORDINGS && !self.recordings.contains_key(&talk);
        if room {
            self.recordings.insert(talk, file);
        }
        room
    }

    /// Whether it was news.
    pub(super) fn tell_fax(&mut self, fact: FaxFact) -> bool {
        let room = self.faxes.len() < MAX_FAXES;
        match self.faxes.get_mut(&fact.fax) {
            Some(known) if known.state != FaxState::Going || known.seq >= fact.seq => false,
            Some(known) => {
                *known = fact;
                true
            }
            None if room => {
                self.faxes.insert(fact.fax.clone(), fact);
                true
            }
            None => false,
        }
    }

    /// The fax that goes over a leg now.
    pub(super) fn fax_of(&self, leg: &LegId) -> Option<&FaxId> {
        let going = |fax: &&FaxFact| fax.state == FaxState::Going && (fax.from == *leg || fax.to == *leg);
        self.faxes.values().find(going).map(|fax| &fax.fax)
    }

    pub(super) fn tell_over(&mut self, at_ms: i64) -> bool {
        let news = self.over_ms.is_none();
        self.over_ms.get_or_insert(at_ms);
        news
    }

    pub(super) fn is_over(&self) -> bool {
        self.over_ms.is_some()
    }

    pub(super) fn over_ms(&self) -> Option<i64> {
        self.over_ms
    }

    pub(super) fn parties(&self) -> Option<&Parties> {
        self.about.as_ref().map(|a| &a.parties)
    }

    pub(super) fn began_ms(&self) -> i64 {
        let first = self.legs.values().map(Leg::first_ms).min();
        self.about.as_ref().map(|a| a.at_ms).or(first).unwrap_or(0)
    }

    pub(super) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values()
    }

    pub(super) fn leg(&self, id: &LegId) -> Option<&Leg> {
        self.legs.get(id)
    }

    /// The legs that are not ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &Leg> {
        self.legs.values().filter(|leg| self.over_ms.is_none() && !leg.now().state.is_ended())
    }

    pub(super) fn lives(&self, id: &LegId) -> bool {
        self.over_ms.is_none() && self.legs.get(id).is_some_and(|leg| !leg.now().state.is_ended())
    }

    /// The queue in which a live leg waits.
    pub(super) fn queue_of(&self, id: &LegId) -> Option<&Text> {
        let leg = self.legs.get(id).filter(|_| self.lives(id))?;
        match &leg.now().place {
            Place::Queue(queue) => Some(queue),
            _ => None,
        }
    }

    pub(super) fn waits_in_queue(&self) -> bool {
        self.live().any(|leg| matches!(leg.now().place, Place::Queue(_)))
    }

    /// Whether any leg is or was in a queue.
    pub(super) fn was_queued(&self) -> bool {
        self.legs.values().flat_map(Leg::story).any(|f| matches!(f.place, Place::Queue(_)))
    }

    /// The leg with which it began.
    pub(super) fn origin(&self) -> Option<&Leg> {
        self.legs.values().find(|leg| leg.now().origin)
    }

    pub(super) fn word(&self) -> &'static str {
        let mut word = "began";
        for leg in self.live() {
            let now = leg.now();
            let of_leg = match (&now.state, &now.place) {
                (LegState::Up, Place::Talk(_) | Place::Conference(_)) => return "talking",
                (LegState::Ringing, _) => "ringing",
                (_, Place::Queue(_)) => "queued",
                _ => continue,
            };
            if word != "ringing" {
                word = of_leg;
            }
        }
        word
    }
}
