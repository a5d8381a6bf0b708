//! A picture of a telephone system for people: who is in which conversation and what each of them hears.

use ctigate_proto::message::{Object, Text, Value};
use ctigate_proto::telephony::{CallId, End, LegId, LegState, Parties, Place};

/// Everything that goes on, and what has just ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// When it was made, milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it is how things were when the telephone system was heard last.
    pub stale: bool,
    /// Outside lines in use.
    pub lines_used: usize,
    /// Outside lines there are.
    pub lines: usize,
    /// The phones of inside numbers, in the order of their numbers.
    pub phones: Vec<PhonePicture>,
    /// Who waits in which queue, the longest waiting first.
    pub queues: Vec<QueuePicture>,
    /// Conversations: those that ended last, then those that go on, each in the order in which they began.
    pub calls: Vec<CallPicture>,
}

/// The phone of an inside number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhonePicture {
    /// The number.
    pub number: Text,
    /// Whose it is.
    pub name: Text,
    /// Whether it can be rung.
    pub connected: bool,
    /// Whether queues may ring it.
    pub available: bool,
    /// Where its calls go instead; empty for nowhere.
    pub redirect: Text,
    /// Whether it is in use.
    pub in_use: bool,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePicture {
    /// Its number.
    pub number: Text,
    /// Its name.
    pub name: Text,
    /// The legs that wait.
    pub waiting: Vec<LegId>,
}

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPicture {
    /// Its id.
    pub call: CallId,
    /// When it began, milliseconds since 1970.
    pub began_ms: i64,
    /// When it was over; `None`: it goes on.
    pub ended_ms: Option<i64>,
    /// Its two ends as they were first meant.
    pub parties: Parties,
    /// The legs that ended last, then those that are there, each in the order in which they came.
    pub legs: Vec<LegPicture>,
}

/// One party of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegPicture {
    /// The leg.
    pub leg: LegId,
    /// Who it is.
    pub end: End,
    /// What it does.
    pub state: LegState,
    /// Where it is.
    pub place: Place,
    /// The number it rings for or waits for; may be empty.
    pub toward: Text,
    /// Whether it has put the others aside.
    pub held: bool,
    /// Since when it is so, milliseconds since 1970.
    pub since_ms: i64,
    /// What it hears now.
    pub hears: Sound,
    /// Whom it hears, by number, when it hears people.
    pub voices: Vec<Text>,
    /// What was said to it, the oldest first.
    pub said: Vec<Said>,
    /// Whether it is asked to press keys.
    pub keys: bool,
}

/// What somebody hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    /// Nothing.
    #[default]
    Silence,
    /// The own phone rings.
    Bell,
    /// The tone that says another phone rings.
    Ringing,
    /// The tone that says it is over.
    Busy,
    /// Music for who waits.
    Music,
    /// A voice menu.
    Menu,
    /// People.
    Voices,
}

impl Sound {
    /// The word of the picture.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Bell => "bell",
            Self::Ringing => "ringing",
            Self::Busy => "busy",
            Self::Music => "music",
            Self::Menu => "menu",
            Self::Voices => "voices",
        }
    }
}

/// A sentence that a scenario said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub text: Text,
}

/// As an object for pages: the names of the fields, words for what is one of several.
impl From<Picture> for Value {
    fn from(picture: Picture) -> Self {
        let list = |values: Vec<Object>| Self::Array(values.into_iter().map(Self::from).collect());
        Object::new()
            .with("at", picture.at_ms)
            .with("stale", picture.stale)
            .with("linesused", count(picture.lines_used))
            .with("lines", count(picture.lines))
            .with("phones", list(picture.phones.into_iter().map(phone).collect()))
            .with("queues", list(picture.queues.into_iter().map(queue).collect()))
            .with("calls", list(picture.calls.into_iter().map(call).collect()))
            .into()
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn phone(phone: PhonePicture) -> Object {
    Object::new()
        .with("number", phone.number)
        .with("name", phone.name)
        .with("connected", phone.connected)
        .with("available", phone.available)
        .with("redirect", phone.redirect)
        .with("inuse", phone.in_use)
}

fn queue(queue: QueuePicture) -> Object {
    let waiting = queue.waiting.into_iter().map(|leg| Value::from(leg.0)).collect();
    Object::new().with("number", queue.number).with("name", queue.name).with("waiting", Value::Array(waiting))
}

fn call(call: CallPicture) -> Object {
    let legs = call.legs.into_iter().map(|l| Value::from(leg(l))).collect();
    Object::new()
        .with("chainid", call.call.0)
        .with("began", call.began_ms)
        .with("ended", call.ended_ms.map_or(Value::Null, Value::from))
        .with("caller", call.parties.caller)
        .with("callername", call.parties.caller_name)
        .with("called", call.parties.called)
        .with("legs", Value::Array(legs))
}

fn leg(leg: LegPicture) -> Object {
    let (state, cause) = match leg.state {
        LegState::Planned => ("planned", ""),
        LegState::Ringing => ("ringing", ""),
        LegState::Waiting => ("waiting", ""),
        LegState::Up => ("up", ""),
        LegState::Ended(cause) => ("ended", cause.word()),
    };
    let (place, place_id) = match leg.place {
        Place::None => ("", Text::new()),
        Place::Talk(id) => ("talk", id.0),
        Place::Conference(id) => ("conference", id.0),
        Place::Queue(queue) => ("queue", queue),
        Place::Menu { name, .. } => ("menu", name),
    };
    let (outside, number, name, line) = match leg.end {
        End::Inside(number) => (false, number, Text::new(), Text::new()),
        End::Outside { number, name, line } => (true, number, name, line),
    };
    let said = leg.said.into_iter().map(|s| Object::new().with("at", s.at_ms).with("text", s.text).into()).collect();
    Object::new()
        .with("leg", leg.leg.0)
        .with("number", number)
        .with("name", name)
        .with("outside", outside)
        .with("line", line)
        .with("state", state)
        .with("cause", cause)
        .with("place", place)
        .with("placeid", place_id)
        .with("toward", leg.toward)
        .with("held", leg.held)
        .with("since", leg.since_ms)
        .with("hears", leg.hears.word())
        .with("voices", Value::Array(leg.voices.into_iter().map(Value::from).collect()))
        .with("said", Value::Array(said))
        .with("keys", leg.keys)
}
