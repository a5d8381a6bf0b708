//! Facts about calls. A fact says how something *is*, whole, and which of two facts is newer; so a fact that is told twice,
//! late or in another order leaves the same picture behind.

use crate::message::Text;

/// The chain of one conversation: a GUID, the same from the first ring to the last event (`chainid` of the protocol).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct CallId(pub Text);

/// One party's part in a conversation: a GUID, from the moment the telephone system has to do with the party to the moment it
/// has no more. Who comes back gets another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct LegId(pub Text);

/// One uninterrupted talk: a GUID (`commutationid`). Who is put on hold and taken back talks in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct TalkId(pub Text);

/// A conference: a GUID (`conferenceid`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ConferenceId(pub Text);

/// One fax on its way: a GUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct FaxId(pub Text);

/// One fact. Facts that became true together are told together ([`super::Event::Facts`]).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Of a conversation. The same whenever it is told.
    Call(CallFact),
    /// Of one leg, whole.
    Leg(LegFact),
    /// Of a conference, whole but for its members: those are legs.
    Conference(ConferenceFact),
    /// A talk is recorded.
    Recording {
        /// The conversation.
        call: CallId,
        /// The talk.
        talk: TalkId,
        /// The file, relative to the folder of recordings.
        file: Text,
    },
    /// Of a fax that goes from one leg to another.
    Fax(FaxFact),
    /// The conversation is over for everybody. The last word about it.
    Over {
        /// The conversation.
        call: CallId,
        /// When, milliseconds since 1970.
        at_ms: i64,
    },
}

/// What is known of a conversation from its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CallFact {
    /// The conversation.
    pub call: CallId,
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// Its two ends as they were first meant.
    pub parties: Parties,
}

/// The two ends of a conversation as the telephone system names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Parties {
    /// Who calls.
    pub caller: Text,
    /// The caller's name, if the telephone system knows one.
    pub caller_name: Text,
    /// Which number was dialled.
    pub called: Text,
}

/// How a leg is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LegFact {
    /// The conversation it is part of, always the same one.
    pub call: CallId,
    /// The leg.
    pub leg: LegId,
    /// Rises with each new fact of this leg; of two the higher is the newer.
    pub seq: u64,
    /// Since when it is so, milliseconds since 1970.
    pub at_ms: i64,
    /// Who is at its end.
    pub end: End,
    /// Whether the conversation began with it.
    pub origin: bool,
    /// What it does.
    pub state: LegState,
    /// Where its voice goes, or will go once it is answered.
    pub place: Place,
    /// The leg that waits for it to answer, or whose answer it waits for, as far as there is one.
    pub with: Option<LegId>,
    /// The number it rings for or waits for; empty for none.
    pub toward: Text,
    /// Whether its own person has put the others aside.
    pub held: bool,
    /// Set for the leg of a user for whom the telephone system dials: whom it calls first.
    pub autocall: Option<Sequence>,
    /// Its part in a conference.
    pub role: Role,
}

/// Who is at the end of a leg.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The phone of an inside number.
    Inside(Text),
    /// Somebody outside.
    Outside {
        /// The number; may be empty.
        number: Text,
        /// The name; may be empty.
        name: Text,
        /// The outside line in use; may be empty.
        line: Text,
    },
}

impl End {
    /// The number at this end; may be empty for an outside one.
    pub fn number(&self) -> &Text {
        match self {
            Self::Inside(number) | Self::Outside { number, .. } => number,
        }
    }

    /// Whether it is inside.
    pub fn is_inside(&self) -> bool {
        matches!(self, Self::Inside(_))
    }
}

/// What a leg does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// It will be rung when the other end has answered.
    Planned,
    /// It is being called.
    Ringing,
    /// It is there and waits for an answer.
    Waiting,
    /// It is there and has somebody or something to hear.
    Up,
    /// It is no more. Final, whatever is told later.
    Ended(EndCause),
}

impl LegState {
    /// Whether it is no more.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Ended(_))
    }
}

/// Why a leg is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The party hung up.
    Hangup,
    /// The other side was gone.
    OtherGone,
    /// Nobody picked up in time.
    NoAnswer,
    /// The party refused.
    Refused,
    /// The party was busy.
    Busy,
    /// Whoever wanted it gave up.
    CallerGone,
    /// Somebody else picked up.
    Elsewhere,
    /// The phone cannot be reached.
    Unreachable,
    /// The party handed the call on.
    Transferred,
    /// The party was thrown out.
    Kicked,
    /// The telephone system failed.
    Failed,
    /// Nobody saw why: it was gone when the telephone system was heard again after a gap.
    Unseen,
}

impl EndCause {
    /// The word of the call's trace.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hangup => "hangup",
            Self::OtherGone => "othergone",
            Self::NoAnswer => "noanswer",
            Self::Refused => "refused",
            Self::Busy => "busy",
            Self::CallerGone => "callergone",
            Self::Elsewhere => "elsewhere",
            Self::Unreachable => "unreachable",
            Self::Transferred => "transferred",
            Self::Kicked => "kicked",
            Self::Failed => "failed",
            Self::Unseen => "unseen",
        }
    }
}

/// Where the voice of a leg goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Nowhere.
    #[default]
    None,
    /// Into a talk.
    Talk(TalkId),
    /// Into a conference.
    Conference(ConferenceId),
    /// Into a queue, by its number.
    Queue(Text),
    /// To a voice menu.
    Menu {
        /// Its name.
        name: Text,
        /// Whether it only finds out where the call goes.
        routing: bool,
    },
}

/// Whom a telephone system calls first when it dials for somebody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// The user's own phone, then the number.
    #[default]
    User,
    /// The number, then the user's own phone.
    Abonent,
}

/// The part of a leg in a conference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Role {
    /// Whether the party made the conference.
    pub creator: bool,
    /// Whether the party listens in.
    pub ghost: bool,
}

/// How a conference is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConferenceFact {
    /// The conference.
    pub id: ConferenceId,
    /// The conversation it is part of, always the same one.
    pub call: CallId,
    /// Rises with each new fact of this conference.
    pub seq: u64,
    /// Since when it is so, milliseconds since 1970.
    pub at_ms: i64,
    /// Its name; may be empty.
    pub name: Text,
    /// What it is about; may be empty.
    pub description: Text,
    /// Its room, 0 to 10000.
    pub room: i64,
    /// Whether it is recorded.
    pub record: bool,
    /// Set when somebody listens in to a talk.
    pub ghost: Option<Ghost>,
    /// Whether it is over. Final.
    pub over: bool,
}

/// How a fax is.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FaxFact {
    /// The fax.
    pub fax: FaxId,
    /// The conversation it is part of, always the same one.
    pub call: CallId,
    /// Rises with each new fact of this fax; of two the higher is the newer.
    pub seq: u64,
    /// Since when it is so, milliseconds since 1970.
    pub at_ms: i64,
    /// The leg that sends it.
    pub from: LegId,
    /// The leg that takes it.
    pub to: LegId,
    /// How far it has come.
    pub state: FaxState,
}

/// How far a fax has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaxState {
    /// Pages go over the line.
    #[default]
    Going,
    /// It broke off; nothing is kept. Final.
    Failed,
    /// It is there. Final.
    Done {
        /// The file, relative to the folder of recordings.
        file: Text,
        /// How many pages it has.
        pages: u32,
    },
}

/// Listening in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ghost {
    /// How.
    pub mode: GhostMode,
    /// The leg that is listened to.
    pub target: LegId,
}

/// How a listener takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GhostMode {
    /// Hears, unheard by all.
    #[default]
    Monitor,
    /// Is heard by all.
    Conference,
    /// Is heard by the one listened to alone.
    Help,
}
