//! What people may do to a telephone system from the outside, for demonstrations, tests and support.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::CallId;
use thiserror::Error;

use super::simulator::ScriptError;

/// An order of an operator; answered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Somebody outside calls.
    Incoming {
        /// Their number.
        caller: Text,
        /// Their name, if the telephone system is to know one; else empty.
        name: Text,
        /// What they dial.
        called: Text,
    },
    /// A person answers the ringing phone of a number.
    Answer {
        /// The inside number.
        number: Text,
    },
    /// A person hangs up or declines.
    Hangup {
        /// An inside number, or the number of an outside caller.
        number: Text,
    },
    /// Play a timeline from now on.
    Play {
        /// Its text.
        timeline: String,
    },
    /// Connect or disconnect a phone.
    Phone {
        /// The inside number.
        number: Text,
        /// Whether it can be rung from now on.
        connected: bool,
    },
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Nothing,
    /// A call began.
    Call(CallId),
    /// A timeline plays.
    Playing {
        /// How many scenarios it brought.
        scenarios: usize,
        /// How many things will happen.
        cues: usize,
    },
}

/// Why an order was not followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// Nobody has the number.
    #[error("nobody answers for the number {0}")]
    NoSuchNumber(Text),
    /// The phone does not ring.
    #[error("the phone of {0} does not ring")]
    NotRinging(Text),
    /// The phone was told never to answer.
    #[error("the phone of {0} never answers")]
    NeverAnswers(Text),
    /// There is nothing to hang up.
    #[error("{0} has no call")]
    NoCall(Text),
    /// The number is no number.
    #[error("{what} is empty or longer than {most} bytes")]
    BadNumber {
        /// Which of them.
        what: &'static str,
        /// The longest it may be.
        most: usize,
    },
    /// As many calls as there may be.
    #[error("{0} calls at once are the most")]
    Full(usize),
    /// The timeline is wrong.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The telephone system cannot do such a thing.
    #[error("this telephone system cannot do that")]
    NotSupported,
    /// Too much waits to be done.
    #[error("the telephone system is busy")]
    Busy,
    /// The telephone system does not run.
    #[error("the telephone system is down")]
    Down,
}
