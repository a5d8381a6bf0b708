//! What the exchange is made of: conversations, legs, talks and conferences, as plain data.

use std::collections::VecDeque;

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    CallId, ConferenceFact, ConferenceId, End, GhostMode, LegId, LegState, Parties, Place, Role, Sequence,
};

use super::flow::FlowKey;
use super::picture::PastLeg;
use super::timers::Alarm;
use crate::pbx::Said;

/// A conversation inside the machine, in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallKey(pub(super) u64);

/// A leg inside the machine, in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LegKey(pub(super) u64);

/// A conversation that is not over.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) parties: Parties,
    pub(super) began_ms: i64,
    /// Its legs that are not ended, in the order in which they came.
    pub(super) legs: Vec<LegKey>,
    /// How many legs it has had.
    pub(super) made: usize,
    /// When it has lasted long enough.
    pub(super) limit: Option<Alarm>,
    /// The legs that ended last, for pictures.
    pub(super) past: VecDeque<PastLeg>,
}

/// One leg.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) id: LegId,
    pub(super) call: CallKey,
    pub(super) call_id: CallId,
    /// The number of its newest fact.
    pub(super) seq: u64,
    /// Whether it differs from its newest fact.
    pub(super) dirty: bool,
    /// Since when it is so, milliseconds since 1970.
    pub(super) since_ms: i64,
    pub(super) end: End,
    pub(super) origin: bool,
    pub(super) state: LegState,
    pub(super) place: Place,
    pub(super) with: Option<LegId>,
    pub(super) toward: Text,
    pub(super) held: bool,
    pub(super) autocall: Option<Sequence>,
    pub(super) role: Role,
    /// The flow that rings it.
    pub(super) rung_for: Option<FlowKey>,
    /// What its person wants, for whom it is rung.
    pub(super) wants: Option<Wants>,
    /// Of a dialling that calls the number first: the two that will talk when the own phone is picked up.
    pub(super) partner: Option<LegKey>,
    /// The flows that lead or led it, the newest last.
    pub(super) flows: Vec<FlowKey>,
    /// When it does something by itself.
    pub(super) alarm: Option<Alarm>,
    /// When it has rung, or stayed, long enough.
    pub(super) limit: Option<Alarm>,
    /// How long it will talk before it hangs up by itself.
    pub(super) talks: Option<std::time::Duration>,
    /// The outside line it uses, counted from 1.
    pub(super) line: Option<usize>,
    /// Of an ended one: whether there was an ear.
    pub(super) was_there: bool,
    /// What was said to it, the oldest first.
    pub(super) said: VecDeque<Said>,
}

/// What follows when an own phone is picked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// A number is dialled.
    Dial { to: Text, intercom: bool },
    /// It joins the conference it is rung for.
    Confer,
}

/// A leg that begins.
#[derive(Debug)]
pub(super) struct NewLeg {
    pub(super) call: CallKey,
    pub(super) end: End,
    pub(super) state: LegState,
    pub(super) place: Place,
    pub(super) with: Option<LegId>,
    pub(super) toward: Text,
}

impl Leg {
    pub(super) fn lives(&self) -> bool {
        !self.state.is_ended()
    }

    pub(super) fn number(&self) -> &Text {
        self.end.number()
    }

    /// Whether it talks, alone with somebody or in a conference.
    pub(super) fn talks(&self) -> bool {
        self.state == LegState::Up && matches!(self.place, Place::Talk(_) | Place::Conference(_))
    }

    /// The conference it is in or on the way to.
    pub(super) fn conference(&self) -> Option<&ConferenceId> {
        match &self.place {
            Place::Conference(id) => Some(id),
            _ => None,
        }
    }
}

/// A talk that goes on.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) call: CallId,
    pub(super) began: Time,
}

/// A conference that is not over.
#[derive(Debug)]
pub(super) struct Conference {
    pub(super) fact: ConferenceFact,
    pub(super) call: CallKey,
    /// Whether it has to end as soon as nobody can talk with anybody.
    pub(super) social: bool,
    /// Since when at least two talk, or did.
    pub(super) began: Option<Time>,
    pub(super) ghost: Option<(GhostMode, LegKey)>,
    pub(super) dirty: bool,
}

/// What happened and was not told yet.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) calls: Vec<ctigate_proto::telephony::CallFact>,
    pub(super) conferences: Vec<ConferenceId>,
    pub(super) legs: Vec<LegKey>,
    pub(super) faxes: Vec<ctigate_proto::telephony::Fact>,
    pub(super) recordings: Vec<ctigate_proto::telephony::Fact>,
    pub(super) over: Vec<ctigate_proto::telephony::Fact>,
}
