//! What people may do to a telephone system from the outside, for demonstrations, tests and support.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Act, CallId, Refusal};
use thiserror::Error;

use super::Picture;
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
    /// A person answers the ringing phone of a number, inside or outside.
    Answer {
        /// The number.
        number: Text,
    },
    /// A person hangs up or declines, inside or outside.
    Hangup {
        /// The number.
        number: Text,
    },
    /// A person who talks puts the others aside, or takes them back, inside or outside.
    Hold {
        /// The number.
        number: Text,
        /// Whether they are put aside.
        held: bool,
    },
    /// A person presses keys, inside or outside.
    Keys {
        /// The number.
        number: Text,
        /// `0` to `9`, `*` and `#`, at most 64.
        keys: Text,
    },
    /// Whoever a person talks with gets a fax from that person, inside or outside.
    Fax {
        /// The number that sends it.
        number: Text,
        /// How many pages it has, 1 to 50.
        pages: u32,
    },
    /// A person does something with the own phone.
    Act {
        /// The inside number.
        number: Text,
        /// What.
        act: Act,
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
    /// A conversation ends for everybody who takes part, inside and outside, on hold too.
    End {
        /// Which.
        call: CallId,
    },
    /// Show what goes on.
    Picture,
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
    /// What goes on.
    Picture(Box<Picture>),
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
    /// There is nothing to hang up, to hold, or to press keys in.
    #[error("{0} has no call")]
    NoCall(Text),
    /// There is no such conversation now.
    #[error("no call {} goes on", .0.0)]
    NoSuchCall(CallId),
    /// The number or name is empty or too long.
    #[error("{what} is empty or longer than {most} bytes")]
    BadNumber {
        /// Which of them.
        what: &'static str,
        /// The longest it may be.
        most: usize,
    },
    /// These are no keys of a telephone.
    #[error("keys are 0 to 9, * and #, at least one and at most {0}")]
    BadKeys(usize),
    /// A fax of no or too many pages.
    #[error("a fax has 1 to {0} pages")]
    BadPages(u32),
    /// As many calls as there may be.
    #[error("{0} calls at once are the most")]
    Full(usize),
    /// Every outside line is in use.
    #[error("all {0} outside lines are in use")]
    NoLine(usize),
    /// The phone cannot do that now.
    #[error("{}", refused(*.0))]
    Refused(Refusal),
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

/// A refusal in words.
const fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchNumber => "nobody has this number",
        Refusal::Busy => "nobody at the number can take a call now",
        Refusal::NoPhone => "the phone cannot be reached",
        Refusal::WrongState => "the phone is in no state for it",
        Refusal::NoSuchConference => "there is no such conference or member",
        Refusal::NoSuchScript => "there is no such scenario",
        Refusal::Unable => "the phone cannot be made to do it",
        Refusal::Full => "every outside line is in use, or there are as many calls as there may be",
        Refusal::Down => "the telephone system is away",
    }
}
