//! A telephone system that is told what happens and tells it on as facts, in whatever order a test likes.

use std::collections::BTreeMap;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    CallFact, CallId, End, EndCause, Fact, LegFact, LegId, LegState, Parties, Place, Role, TalkId,
};

/// Something that happens to a call.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// A call from outside begins.
    Began { call: CallId, parties: Parties },
    /// It comes into a queue.
    Queued { call: CallId, queue: Text },
    /// An inside phone rings for it.
    Ringing { call: CallId, number: Text },
    /// It stops.
    RingStopped { call: CallId, number: Text, cause: EndCause },
    /// Somebody inside talks with the caller.
    Answered { call: CallId, number: Text },
    /// And leaves.
    Left { call: CallId, number: Text },
    /// It is over.
    Ended { call: CallId },
}

#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    /// The newest fact of each leg: of the caller under an empty number.
    legs: BTreeMap<(CallId, Text), LegFact>,
    count: u64,
}

impl Switchboard {
    pub(crate) fn facts(&mut self, at_ms: i64, told: Told) -> Vec<Fact> {
        match told {
            Told::Began { call, parties } => {
                let end = End::Outside {
                    number: parties.caller.clone(),
                    name: parties.caller_name.clone(),
                    line: Text::from_static("07001"),
                };
                let leg = LegFact { origin: true, state: LegState::Waiting, ..self.leg(&call, end, at_ms) };
                vec![Fact::Call(CallFact { call: call.clone(), at_ms, parties }), self.keep((call, Text::new()), leg)]
            }
            Told::Queued { call, queue } => {
                self.change(&call, "", at_ms, |leg| (leg.state, leg.place) = (LegState::Up, Place::Queue(queue)))
            }
            Told::Ringing { call, number } => {
                let with = self.legs.get(&(call.clone(), Text::new())).map(|l| l.leg.clone());
                let leg = self.leg(&call, End::Inside(number.clone()), at_ms);
                vec![self.keep((call, number), LegFact { with, ..leg })]
            }
            Told::RingStopped { call, number, cause } => {
                self.change(&call, &number, at_ms, |leg| leg.state = LegState::Ended(cause))
            }
            Told::Answered { call, number } => {
                let talk = Place::Talk(TalkId(self.guid()));
                let known = self.legs.get(&(call.clone(), number.clone()));
                if known.is_none_or(|leg| leg.state.is_ended()) {
                    let leg = self.leg(&call, End::Inside(number.clone()), at_ms);
                    self.keep((call.clone(), number.clone()), leg);
                }
                let up = |leg: &mut LegFact| (leg.state, leg.place) = (LegState::Up, talk.clone());
                let mut facts = self.change(&call, "", at_ms, up);
                facts.append(&mut self.change(&call, &number, at_ms, up));
                facts
            }
            Told::Left { call, number } => {
                self.change(&call, &number, at_ms, |leg| leg.state = LegState::Ended(EndCause::Hangup))
            }
            Told::Ended { call } => {
                let numbers: Vec<Text> =
                    self.legs.keys().filter(|(c, _)| *c == call).map(|(_, number)| number.clone()).collect();
                let mut facts = Vec::new();
                for number in numbers {
                    let end = |leg: &mut LegFact| leg.state = LegState::Ended(EndCause::Hangup);
                    facts.append(&mut self.change(&call, &number, at_ms, end));
                }
                facts.push(Fact::Over { call, at_ms });
                facts
            }
        }
    }

    fn leg(&mut self, call: &CallId, end: End, at_ms: i64) -> LegFact {
        LegFact {
            call: call.clone(),
            leg: LegId(self.guid()),
            seq: 1,
            at_ms,
            end,
            origin: false,
            state: LegState::Ringing,
            place: Place::None,
            with: None,
            toward: Text::new(),
            held: false,
            autocall: None,
            role: Role::default(),
        }
    }

    fn change(&mut self, call: &CallId, number: &str, at_ms: i64, change: impl FnOnce(&mut LegFact)) -> Vec<Fact> {
        let Some(leg) = self.legs.get_mut(&(call.clone(), Text::from(number))) else { return Vec::new() };
        if !leg.state.is_ended() {
            change(leg);
            leg.seq += 1;
            leg.at_ms = at_ms;
        }
        vec![Fact::Leg(leg.clone())]
    }

    fn keep(&mut self, key: (CallId, Text), leg: LegFact) -> Fact {
        self.legs.insert(key, leg.clone());
        Fact::Leg(leg)
    }

    fn guid(&mut self) -> Text {
        self.count += 1;
        format!("5717c4b0-0000-4000-8000-{:012}", self.count).into()
    }
}
