//! A script that was read: plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::message::{Text, Value};
use ctigate_proto::telephony::{Act, GhostMode};

use super::Spot;

/// Everything one text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// What dialled numbers do.
    pub scenarios: Vec<Arc<Scenario>>,
    /// How phones behave.
    pub phones: Vec<PhoneLine>,
    /// How people outside behave who have no line of their own; `None`: as before.
    pub outside: Option<Behaviour>,
    /// How many outside lines there are; `None`: as before.
    pub lines: Option<usize>,
    /// How many times faster than written telephones ring and the timeline passes; `None`: as before.
    pub speed: Option<u32>,
    /// What happens when, in the order it was written.
    pub cues: Vec<Cue>,
}

/// What happens to a call to one of some numbers, or when it is started by its title.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// The numbers it answers for, each with the place it is written at.
    pub numbers: Vec<(Text, Spot)>,
    /// Whether it answers for every number nothing else answers for.
    pub any: bool,
    /// What people call it; may be empty.
    pub title: Text,
    /// What it does while the caller is there.
    pub steps: Block,
    /// What it does when the call has ended.
    pub after: Block,
    /// Where it begins.
    pub spot: Spot,
}

/// Steps that are taken one after the other. Shared, so that a running call can hold its place in it.
pub type Block = Arc<[Step]>;

/// One step, and where it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where it begins.
    pub spot: Spot,
    /// What it does.
    pub what: What,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The telephone system takes the call itself.
    Answer,
    /// Asks a dynamic method and waits for the result.
    Ask(AskStep),
    /// Opens a form.
    Form(FormStep),
    /// Takes back a form that was opened before, by its name in this scenario.
    Close(Text),
    /// Waits for a form that was opened before.
    Await {
        /// The form's name in this scenario.
        name: Text,
        /// How long at most.
        within: Duration,
    },
    /// Rings phones.
    Ring(RingStep),
    /// Puts the caller into a queue.
    Queue(QueueStep),
    /// Waits for keys that the caller presses.
    Keys(KeysStep),
    /// Says something to the caller; the log and pictures show it.
    Say(Expr),
    /// Does nothing for a while.
    Wait(Duration),
    /// Gives a name to a value.
    Set {
        /// The name.
        name: Text,
        /// The value.
        value: Expr,
    },
    /// Chooses: the first branch whose condition holds is taken, else `otherwise`.
    If {
        /// Conditions and what they lead to, in order.
        branches: Vec<Branch>,
        /// What is done when none holds.
        otherwise: Block,
    },
    /// Ends the scenario with a value for whoever started it by name.
    Return(Expr),
    /// Ends the call.
    Hangup,
}

/// One way of an `if`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// When it is taken.
    pub when: Condition,
    /// What is done then.
    pub then: Block,
}

/// `ask METHOD name=value … [for USER] [deadline D] [late D] [fallback name=value …] [as NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct AskStep {
    /// The dynamic method.
    pub method: Text,
    /// Its input.
    pub input: Vec<(Text, Expr)>,
    /// The user it is directed to.
    pub user: Option<Expr>,
    /// How long the scenario waits; `None`: what the method declares.
    pub deadline: Option<Duration>,
    /// How long a late result is welcome.
    pub late: Duration,
    /// The output to go on with when there is no result.
    pub fallback: Option<Vec<(Text, Expr)>>,
    /// The name of the result; `None` when the method's own name cannot be one and no other was given.
    pub name: Option<Text>,
}

/// `form NAME for USER name=value … [expire D] [wait D] [as NAME]`
#[derive(Clone, Debug, PartialEq)]
pub struct FormStep {
    /// The form.
    pub form: Text,
    /// For whom: a login or an inside number.
    pub user: Expr,
    /// Its input parameters.
    pub parameters: Vec<(Text, Expr)>,
    /// How long it stays open; `None`: what the gateway thinks right.
    pub expire: Option<Duration>,
    /// How long the scenario waits for the answer; `None`: not at all.
    pub wait: Option<Duration>,
    /// The name of the result; `None`: the scenario does not want to know.
    pub name: Option<Text>,
}

/// `ring NUMBER, … [for D] [{ … }]`
#[derive(Clone, Debug, PartialEq)]
pub struct RingStep {
    /// Which phones.
    pub whom: RingWhom,
    /// How long at most.
    pub within: Duration,
    /// What is done while the two talk.
    pub talking: Block,
}

/// Whom a `ring` rings.
#[derive(Clone, Debug, PartialEq)]
pub enum RingWhom {
    /// Every phone there is.
    Everyone,
    /// These, by number or login, each with the place it is written at.
    These(Vec<(Expr, Spot)>),
}

/// `queue NUMBER [for D] [{ … }]`
#[derive(Clone, Debug, PartialEq)]
pub struct QueueStep {
    /// Which queue, and where it is written.
    pub queue: (Expr, Spot),
    /// How long at most.
    pub within: Duration,
    /// What is done while the two talk.
    pub talking: Block,
}

/// `keys NAME [digits N] [for D]`
#[derive(Clone, Debug, PartialEq)]
pub struct KeysStep {
    /// The name of what was pressed.
    pub name: Text,
    /// How many keys at most.
    pub digits: usize,
    /// How long at most.
    pub within: Duration,
}

/// Something that has a value when the step is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Written out.
    Literal(Value),
    /// A reference alone: keeps the type of what it refers to.
    Reference(Reference),
    /// A text with references in it.
    Template(Vec<Piece>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(Text),
    /// What the reference holds, as text.
    Reference(Reference),
}

/// `{name}`, `{name.field}` or `{name:about}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// What is known about the call, a name given by `set`, or the name of a result.
    pub name: Text,
    /// The way into an object (names) or array (places, counted from 0).
    pub fields: Vec<Text>,
    /// What is asked about a result instead of its output: `outcome`, `error`, `by`, `comment`.
    pub about: Option<Text>,
    /// Where it is written.
    pub spot: Spot,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}", self.name)?;
        for field in &self.fields {
            write!(f, ".{field}")?;
        }
        if let Some(about) = &self.about {
            write!(f, ":{about}")?;
        }
        f.write_str("}")
    }
}

/// What an `if` looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// At least one holds.
    Any(Vec<Self>),
    /// All hold.
    All(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// Two values compared.
    Compare(Expr, Compare, Expr),
    /// There is a value, and it is neither null nor empty, `false` or 0.
    Holds(Reference),
    /// There is a value, and it is not null.
    Exists(Reference),
    /// A result ended with this word.
    Ended(Word, Text),
}

/// How two values are compared: texts, numbers and booleans by what they would be written as, order only between numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// How an `ask` or a `form` ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A form: nobody has answered yet.
    Waiting,
    /// A result in time.
    Ok,
    /// No result; the fallback stands in.
    Fallback,
    /// The CRM failed.
    Failed,
    /// Nothing in time.
    Timeout,
    /// A result after the deadline, still welcome.
    Late,
    /// Cancelled by somebody else.
    Cancelled,
    /// No link to ask.
    NoLink,
    /// The circuit of the method is open.
    Circuit,
    /// No link has such a method.
    NoMethod,
    /// The input does not fit.
    BadInput,
    /// A form: somebody answered.
    Answered,
    /// A form: closed without an answer.
    Closed,
    /// A form: nobody answered in time.
    Expired,
    /// A form: it could not be opened.
    Refused,
}

impl Word {
    /// Every word, as it is written in a script.
    pub const ALL: [(&'static str, Self); 15] = [
        ("ok", Self::Ok),
        ("fallback", Self::Fallback),
        ("failed", Self::Failed),
        ("timeout", Self::Timeout),
        ("late", Self::Late),
        ("cancelled", Self::Cancelled),
        ("nolink", Self::NoLink),
        ("circuit", Self::Circuit),
        ("nomethod", Self::NoMethod),
        ("badinput", Self::BadInput),
        ("waiting", Self::Waiting),
        ("answered", Self::Answered),
        ("closed", Self::Closed),
        ("expired", Self::Expired),
        ("refused", Self::Refused),
    ];

    /// The word as it is written.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, word)| *word == self).map_or("", |(text, _)| text)
    }

    /// The word that is written so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, word)| *word)
    }
}

/// `phone NUMBER …`
#[derive(Clone, Debug, PartialEq)]
pub struct PhoneLine {
    /// The phone's number.
    pub number: Text,
    /// How it behaves from now on.
    pub behaviour: Behaviour,
    /// Where the number is written.
    pub spot: Spot,
}

/// What a phone does when it is rung.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Rings until somebody takes or declines the call.
    #[default]
    Rings,
    /// Answers by itself.
    Answers {
        /// After ringing so long.
        after: Duration,
        /// And hangs up after talking so long; `None`: never by itself.
        talks: Option<Duration>,
    },
    /// Is busy.
    Busy,
    /// Declines.
    Refuses {
        /// After ringing so long.
        after: Duration,
    },
    /// Rings, and nobody can answer it.
    Deaf,
    /// Is not connected.
    Unreachable,
}

/// `at D …`
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// When, counted from the start of the timeline.
    pub at: Duration,
    /// What.
    pub what: Happening,
    /// Where the number is written.
    pub spot: Spot,
}

/// What happens in a timeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// Somebody outside calls.
    Incoming {
        /// Their number.
        caller: Text,
        /// Their name, if the telephone system knows one.
        name: Text,
        /// What they dial, and where that is written.
        called: (Text, Spot),
        /// How long they stay at most, whatever happens.
        patience: Option<Duration>,
    },
    /// A person answers a ringing phone, inside or outside.
    Answer(Text),
    /// A person hangs up or declines, inside or outside.
    Hangup(Text),
    /// A person puts the others aside or takes them back, inside or outside.
    Hold(Text, bool),
    /// A person presses keys, inside or outside.
    Keys(Text, Text),
    /// A person sends a fax of so many pages to whom they talk with, inside or outside.
    Fax(Text, u32),
    /// The newest outside caller hangs up.
    CallerLeaves,
    /// A phone changes.
    Phone(Text, Behaviour),
    /// People outside who have no line of their own change.
    AllOutside(Behaviour),
    /// Calls to a number go elsewhere.
    Redirect {
        /// The inside number.
        number: Text,
        /// Where to; `None`: nowhere else.
        to: Option<Text>,
        /// Whether the redirection of that number is followed too.
        cascade: bool,
    },
    /// Whether queues may ring a number.
    Agent(Text, bool),
    /// A person does something with the phone of an inside number.
    Act(Text, Story),
}

/// What a person of a timeline does: an act, but that a timeline knows no ids.
#[derive(Clone, Debug, PartialEq)]
pub enum Story {
    /// As it is.
    Plain(Act),
    /// Makes a conference with these.
    Confer(Vec<Text>),
    /// Makes the talk a conference.
    Widen,
    /// Invites these into the own conference.
    Invite(Vec<Text>),
    /// Throws this number out of the own conference.
    Kick(Text),
    /// Leaves the own conference.
    Leave,
    /// Listens in to this number.
    Spy(Text),
    /// Listens in another way.
    SpyMode(GhostMode),
}
