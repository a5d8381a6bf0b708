//! What is known about a message: its row in the catalogue, its parameters, its struct.

use crate::message::{Body, CallError, Envelope};

use super::param::{Sink, Source, Type, Wrong};

/// One message of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it is.
    pub class: Class,
    /// The name of its reply, if one is due. What is no call everywhere may have one too, for tabs: one that hands in a
    /// `methodresult` gets a `methodresultresult`, one that sends `cancelmethod` a `cancelmethodresult`.
    pub reply: Option<&'static str>,
    /// Whether it carries `result`, and `error` with `errormsg` on failure.
    pub outcome: Outcome,
    /// The right its sender needs.
    pub right: Option<Right>,
    /// Whether a tab may send it before its login.
    pub before_login: bool,
    /// Whether a tab gets it only after `subscribeevent`.
    pub subscribed: bool,
    /// Whose word it is.
    pub origin: Origin,
    /// Its parameters. The common ones (`qid`, `userid`, `userlogin`, `tabid`: [`super::Head`]) are listed only where they
    /// mean something of their own.
    pub shape: Record,
    /// Reads a body as this message and writes it anew, strictly typed; fails as [`Typed::from_body`] does.
    pub retype: fn(&Body) -> Result<Body, CallError>,
    flows: u8,
}

impl Message {
    /// Whether it may go this way.
    pub const fn flows(&self, flow: Flow) -> bool {
        self.flows & flow as u8 != 0
    }

    /// The ways it may go.
    pub fn directions(&self) -> impl Iterator<Item = Flow> {
        Flow::ALL.into_iter().filter(|&flow| self.flows(flow))
    }

    /// Its parameters, those of included records first.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.shape.all_fields()
    }
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Wants one reply with its qid.
    Call,
    /// The answer to a call.
    Reply,
    /// Nobody answers it.
    Event,
}

/// Who sends to whom. A tunnelled tab counts as its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// A directly connected tab to the gateway.
    TabToGateway = 1,
    /// The gateway to a directly connected tab.
    GatewayToTab = 2,
    /// A CRM to the gateway, for itself or for a tunnelled user.
    LinkToGateway = 4,
    /// The gateway to a CRM.
    GatewayToLink = 8,
}

impl Flow {
    /// All four.
    pub const ALL: [Self; 4] = [Self::TabToGateway, Self::GatewayToTab, Self::LinkToGateway, Self::GatewayToLink];

    /// The words of the specification.
    pub const fn words(self) -> &'static str {
        match self {
            Self::TabToGateway => "tab to gateway",
            Self::GatewayToTab => "gateway to tab",
            Self::LinkToGateway => "link to gateway",
            Self::GatewayToLink => "gateway to link",
        }
    }
}

/// Whether a message carries `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No.
    None,
    /// Always: 1, or 0 with `error` and `errormsg`.
    Always,
    /// Its sender may leave it out; absent means 1.
    Optional,
    /// It is one of the message's own parameters: the data, or 0 with `error` and `errormsg`.
    Data,
}

/// What an account may do, by group of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Telephone calls.
    Call,
    /// One's own state, breaks and redirection.
    State,
    /// Conferences.
    Conference,
    /// Listening in.
    Ghost,
    /// Queues.
    Queue,
    /// Call history and recordings.
    Journal,
    /// Uploads, photos, temporary passwords.
    Files,
    /// Stored procedures and scripts.
    Procedures,
    /// Dynamic methods.
    Dynamic,
    /// Forms and cards.
    Forms,
    /// The list of users.
    Users,
    /// The HTTP interface for programs.
    WebApi,
    /// Administration: the console and its interface.
    Admin,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 13] = [
        Self::Call,
        Self::State,
        Self::Conference,
        Self::Ghost,
        Self::Queue,
        Self::Journal,
        Self::Files,
        Self::Procedures,
        Self::Dynamic,
        Self::Forms,
        Self::Users,
        Self::WebApi,
        Self::Admin,
    ];

    /// The word of configuration and specification.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::State => "state",
            Self::Conference => "conference",
            Self::Ghost => "ghost",
            Self::Queue => "queue",
            Self::Journal => "journal",
            Self::Files => "files",
            Self::Procedures => "procedures",
            Self::Dynamic => "dynamic",
            Self::Forms => "forms",
            Self::Users => "users",
            Self::WebApi => "webapi",
            Self::Admin => "admin",
        }
    }

    /// The right of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.word() == word)
    }
}

/// Whose word a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Known from Oktell and the programs that speak with it.
    Oktell,
    /// Added by ctigate; a peer that ignores it loses nothing of the older protocol.
    Ctigate,
}

/// An object with fixed members: the parameters of a message, or an object inside them.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// Its name in the specification.
    pub name: &'static str,
    doc: &'static str,
    /// Its own members.
    pub fields: &'static [Field],
    /// Records whose members it has too.
    pub includes: &'static [&'static Self],
}

impl Record {
    /// What it is for.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// Every member, those of included records first.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.includes.iter().flat_map(|record| record.fields).chain(self.fields)
    }
}

/// One parameter of a message, or member of a record.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// Its type.
    pub ty: Type,
    /// Whether a message without it is refused.
    pub required: bool,
    /// Whether logs hide its value.
    pub secret: bool,
    meaning: &'static str,
}

impl Field {
    #[doc(hidden)]
    pub const fn of<P: super::Param>(
        name: &'static str,
        aliases: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self { name, aliases, ty: P::TYPE, required: P::REQUIRED, secret: P::SECRET, meaning }
    }

    /// What it means.
    pub fn meaning(&self) -> &'static str {
        self.meaning.trim()
    }
}

/// A struct with named parameters.
pub trait Shape: Sized {
    /// Its documentation.
    const DOC: &'static str;
    /// Its own parameters.
    const FIELDS: &'static [Field];
    /// Records whose parameters it has too.
    const INCLUDES: &'static [&'static Record];

    /// Reads every parameter.
    ///
    /// # Errors
    /// [`Wrong`] at the first that is missing or of another type.
    fn take(from: &impl Source) -> Result<Self, Wrong>;

    /// Writes every parameter.
    fn put(self, into: &mut impl Sink);
}

/// A record with a name of its own.
pub(super) trait Named: Shape {
    /// What the specification calls it.
    const RECORD: Record;
}

/// A message as a struct.
pub trait Typed: Shape {
    /// Its row of the catalogue.
    const MESSAGE: Message;

    /// Reads the parameters of a message. Lenient: scalars may be written as strings, unknown parameters are ignored,
    /// `null` for one that may be absent is the same as leaving it out. `result` is not looked at: whether a reply is a
    /// failure tells [`super::Failure::of`].
    ///
    /// # Errors
    /// 59002 when a parameter is missing or of another type: which, what was found, what was expected.
    fn from_body(body: &Body) -> Result<Self, CallError> {
        Ok(Self::take(body)?)
    }

    /// Writes the parameters, strictly typed, without the common ones. A reply begins with `result` 1.
    fn into_body(self) -> Body {
        let mut body = Body::new();
        if matches!(Self::MESSAGE.outcome, Outcome::Always | Outcome::Optional) {
            body.put("result", 1);
        }
        self.put(&mut body);
        body
    }

    /// The whole message, without the common parameters.
    fn into_envelope(self) -> Envelope {
        Envelope::new(Self::MESSAGE.name, self.into_body())
    }
}

pub(super) const fn call(name: &'static str) -> Message {
    message(name, Class::Call, Outcome::None)
}

pub(super) const fn reply(name: &'static str) -> Message {
    message(name, Class::Reply, Outcome::Always)
}

pub(super) const fn event(name: &'static str) -> Message {
    message(name, Class::Event, Outcome::None)
}

const fn message(name: &'static str, class: Class, outcome: Outcome) -> Message {
    Message {
        name,
        class,
        reply: None,
        outcome,
        right: None,
        before_login: false,
        subscribed: false,
        origin: Origin::Oktell,
        shape: Record { name, doc: "", fields: &[], includes: &[] },
        retype: |_| Ok(Body::new()),
        flows: 0,
    }
}

/// The words of a definition.
impl Message {
    const fn flow(self, flow: Flow) -> Self {
        Self { flows: self.flows | flow as u8, ..self }
    }

    pub(super) const fn by_tab(self) -> Self {
        self.flow(Flow::TabToGateway)
    }

    pub(super) const fn to_tab(self) -> Self {
        self.flow(Flow::GatewayToTab)
    }

    pub(super) const fn by_link(self) -> Self {
        self.flow(Flow::LinkToGateway)
    }

    pub(super) const fn to_link(self) -> Self {
        self.flow(Flow::GatewayToLink)
    }

    pub(super) const fn by_both(self) -> Self {
        self.by_tab().by_link()
    }

    pub(super) const fn to_both(self) -> Self {
        self.to_tab().to_link()
    }

    pub(super) const fn replied(self, reply: &'static str) -> Self {
        Self { reply: Some(reply), ..self }
    }

    pub(super) const fn right(self, right: Right) -> Self {
        Self { right: Some(right), ..self }
    }

    pub(super) const fn before_login(self) -> Self {
        Self { before_login: true, ..self }
    }

    pub(super) const fn subscribed(self) -> Self {
        Self { subscribed: true, ..self }
    }

    /// A reply without `result`.
    pub(super) const fn bare(self) -> Self {
        Self { outcome: Outcome::None, ..self }
    }

    /// A reply whose sender may leave `result` out.
    pub(super) const fn lax(self) -> Self {
        Self { outcome: Outcome::Optional, ..self }
    }

    /// A reply whose `result` is its data.
    pub(super) const fn data(self) -> Self {
        Self { outcome: Outcome::Data, ..self }
    }

    pub(super) const fn ours(self) -> Self {
        Self { origin: Origin::Ctigate, ..self }
    }

    pub(super) const fn of<T: Typed>(self) -> Self {
        let shape = Record { name: self.name, doc: T::DOC, fields: T::FIELDS, includes: T::INCLUDES };
        Self { shape, retype: |body| T::from_body(body).map(T::into_body), ..self }
    }
}

impl Record {
    pub(super) const fn named<T: Shape>(name: &'static str) -> Self {
        Self { name, doc: T::DOC, fields: T::FIELDS, includes: T::INCLUDES }
    }
}
