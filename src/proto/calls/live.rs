//! A conversation as it is now, for people who look at the node.

use crate::message::Text;
use crate::telephony::{CallId, End, LegState, Place};

use super::Calls;
use super::conversation::Conversation;

/// One party of a conversation that goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveParty {
    /// The number; may be empty for somebody outside.
    pub number: Text,
    /// The name that the telephone system knows; may be empty.
    pub name: Text,
    /// Whether inside.
    pub inside: bool,
    /// `planned`, `ringing`, `waiting`, `up`, or `held` for who has put the others aside.
    pub state: &'static str,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// Where its voice goes: `none`, `talk`, `conference`, `queue` or `menu`.
    pub place: &'static str,
    /// Which talk, conference, queue or menu; may be empty.
    pub place_name: Text,
}

impl Calls {
    /// Who takes part now, in the order in which they came. Empty for a conversation that is not known or is over.
    pub fn live_parties(&self, call: &CallId) -> Vec<LiveParty> {
        let Some(conversation) = self.calls.get(call) else { return Vec::new() };
        let mut legs: Vec<_> = conversation.live().collect();
        legs.sort_by_key(|leg| (leg.first_ms(), !leg.now().origin, leg.now().leg.clone()));
        let party = |leg: &super::conversation::Leg| {
            let now = leg.now();
            let (number, name, inside) = match &now.end {
                End::Inside(number) => (number.clone(), Text::new(), true),
                End::Outside { number, name, .. } => (number.clone(), name.clone(), false),
            };
            let state = match now.state {
                _ if now.held => "held",
                LegState::Planned => "planned",
                LegState::Ringing => "ringing",
                LegState::Waiting => "waiting",
                LegState::Up | LegState::Ended(_) => "up",
            };
            let (place, place_name) = match &now.place {
                Place::None => ("none", Text::new()),
                Place::Talk(talk) => ("talk", talk.0.clone()),
                Place::Conference(conference) => ("conference", conference.0.clone()),
                Place::Queue(queue) => ("queue", queue.clone()),
                Place::Menu { name, .. } => ("menu", name.clone()),
            };
            LiveParty { number, name, inside, state, since_ms: leg.since_ms(), place, place_name }
        };
        legs.into_iter().map(party).collect()
    }

    /// Whether a talk or conference that goes on in the conversation is recorded.
    pub fn is_recorded(&self, call: &CallId) -> bool {
        let recorded = |conversation: &Conversation| {
            conversation.live().any(|leg| match &leg.now().place {
                Place::Talk(talk) => conversation.recordings.contains_key(talk),
                Place::Conference(id) => conversation.recordings.keys().any(|talk| talk.0 == id.0),
                _ => false,
            })
        };
        self.calls.get(call).is_some_and(recorded)
    }

    /// How many conversations have begun since the start.
    pub fn begun(&self) -> u64 {
        self.begun
    }
}
