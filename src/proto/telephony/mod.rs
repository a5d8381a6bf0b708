//! Words that are spoken with a telephone system, whichever it is. A backend hears [`Command`]s and tells [`Event`]s; it
//! knows numbers, calls and scenarios, never users, tabs or links.

use std::time::Duration;

use crate::message::{Object, Text};

/// The chain of one conversation: a GUID, the same from the first ring to the last event (`chainid` of the protocol).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub Text);

/// Something a scenario waits for. Made by the backend, unique while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// The two ends of a conversation as the telephone system names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// Who calls.
    pub caller: Text,
    /// The caller's name, if the telephone system knows one.
    pub caller_name: Text,
    /// Which number was dialled.
    pub called: Text,
}

/// What a backend tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A conversation began (a call came in, or was queued by a scenario).
    Began {
        /// The conversation.
        call: CallId,
        /// Its ends.
        parties: Parties,
    },
    /// It waits in a queue.
    Queued {
        /// The conversation.
        call: CallId,
        /// The queue's number.
        queue: Text,
    },
    /// The phone of an inside number rings.
    Ringing {
        /// The conversation.
        call: CallId,
        /// The inside number.
        number: Text,
    },
    /// It stopped ringing without being answered there.
    RingStopped {
        /// The conversation.
        call: CallId,
        /// The inside number.
        number: Text,
        /// Why.
        cause: RingEnd,
    },
    /// The inside number answered: it talks with the caller.
    Answered {
        /// The conversation.
        call: CallId,
        /// The inside number.
        number: Text,
    },
    /// The inside number left the conversation.
    Left {
        /// The conversation.
        call: CallId,
        /// The inside number.
        number: Text,
    },
    /// The conversation ended for everybody.
    Ended {
        /// The conversation.
        call: CallId,
        /// Whether anybody inside had answered.
        answered: bool,
    },
    /// A scenario asks a dynamic method and waits for [`Command::AskDone`].
    Ask {
        /// The scenario's wait.
        run: RunId,
        /// What to call.
        ask: Ask,
    },
    /// The asking scenario is gone (hang-up): nobody waits for the run any more.
    AskCancelled {
        /// The scenario's wait.
        run: RunId,
    },
    /// A scenario opens a form; with `run` it waits for [`Command::FormDone`].
    Form {
        /// The scenario's wait, if it waits.
        run: Option<RunId>,
        /// What to open for whom.
        form: FormOrder,
    },
    /// A scenario takes back the form that it opened with this run, if it is still open; then [`Command::FormDone`] says closed.
    CloseForm {
        /// The scenario's wait.
        run: RunId,
    },
    /// The phone of a number went away or came back.
    Phone {
        /// The inside number.
        number: Text,
        /// Whether it can be rung.
        connected: bool,
    },
}

/// Why ringing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingEnd {
    /// Nobody picked up in time.
    NoAnswer,
    /// The phone refused.
    Refused,
    /// The phone was busy.
    Busy,
    /// The caller hung up.
    CallerGone,
    /// Another phone answered.
    Elsewhere,
    /// The phone is not connected.
    Unreachable,
}

/// A dynamic method asked by a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The method's name.
    pub method: Text,
    /// Its input.
    pub input: Object,
    /// The conversation, if there is one.
    pub call: Option<CallId>,
    /// The user it is about or directed to, by login; empty for none.
    pub user: Text,
    /// How long the scenario waits.
    pub deadline: Option<Duration>,
    /// How long a late result is still welcome after the deadline.
    pub late: Duration,
    /// The output to take when there is no result.
    pub fallback: Option<Object>,
}

/// A form ordered by a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct FormOrder {
    /// The form's name.
    pub name: Text,
    /// For whom: a login, or an inside number.
    pub user: Text,
    /// The conversation, if there is one.
    pub call: Option<CallId>,
    /// Its input parameters.
    pub parameters: Object,
    /// How long it stays open; `None`: the default.
    pub expire: Option<Duration>,
}

/// How a dynamic method ended, for whoever asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A result, checked against the declaration.
    Ok(Object),
    /// The fallback that was named.
    Fallback(Object),
    /// The CRM failed or answered wrongly.
    Failed(String),
    /// Nothing in time.
    Timeout,
    /// Nobody waits any more.
    Cancelled,
    /// No link, or nobody to ask.
    NoLink,
    /// The circuit of this method is open.
    OpenCircuit,
    /// No link declares such a method.
    NoMethod,
    /// The input does not fit the declaration: which field, what was expected.
    BadInput(String),
}

/// How a form ended.
#[derive(Clone, Debug, PartialEq)]
pub enum FormEnd {
    /// Somebody answered.
    Answered {
        /// Who, by login.
        by: Text,
        /// The values.
        output: Object,
        /// The comment.
        comment: Text,
    },
    /// It was closed without an answer.
    Closed,
    /// Nobody answered in time.
    Expired,
    /// It could not be opened: why.
    Refused(String),
}

/// What a backend is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// The result a scenario waits for.
    AskDone {
        /// The scenario's wait.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A result that came after the deadline but was still welcome.
    AskLate {
        /// The scenario's wait.
        run: RunId,
        /// The output.
        output: Object,
    },
    /// The form a scenario waits for.
    FormDone {
        /// The scenario's wait.
        run: RunId,
        /// How it ended.
        end: FormEnd,
    },
    /// A person answers the ringing phone of a number.
    Answer {
        /// The inside number.
        number: Text,
    },
    /// A person hangs up or declines on the phone of a number.
    Hangup {
        /// The inside number.
        number: Text,
    },
}
