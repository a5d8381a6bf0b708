//! The lines of a capture: JSON, one object a line.

use std::borrow::Cow;

use ctigate_proto::auth::LoginError;
use ctigate_proto::auth::grant::Grant;
use ctigate_proto::hub::archive::Photo;
use ctigate_proto::hub::archive::{Fetch, FetchResult};
use ctigate_proto::hub::input::{Ask, LinkState, Opening, Ticket, Undelivered};
use ctigate_proto::hub::output::{Answer, Notice, Record, StoredForm, StoredSession};
use ctigate_proto::hub::settings::{
    Account, BreakReason, Choices, FormRule, GroupNumber, Limits, LinkSettings, Procedure, Settings,
};
use ctigate_proto::message::{CloseReason, Format, Introduction, PeerId, Qid, Text, Value};
use ctigate_proto::telephony::{Command, Event};
use serde::{Deserialize, Serialize};

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    /// `capture`
    pub ctigate: String,
    /// [`super::VERSION`].
    pub version: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// Whether it was begun with the node, and so can be played.
    pub plays: bool,
    /// The wall clock at the moment 0, milliseconds since 1970.
    pub wall_ms: i64,
    /// What the Hub was made of; absent when it cannot be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<Box<Made>>,
}

/// What a Hub was made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Made {
    /// The seed of its ids, hex. Its secrets come from another.
    pub seed: String,
    /// Seconds east of UTC at its beginning.
    pub utc_offset_s: i32,
    /// The ports that `getversion` names.
    pub web_ports: (u16, u16),
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The links.
    pub links: Vec<LinkSettings>,
    /// The form rules.
    pub forms: Vec<FormRule>,
    /// Numbers that belong to nobody.
    pub numbers: Vec<GroupNumber>,
    /// The reasons of a break.
    pub breaks: Vec<BreakReason>,
    /// The stored procedures.
    pub procedures: Vec<Procedure>,
    /// The bounds.
    pub limits: Limits,
}

/// Any line but the first. One of `kept`, `in`, `out` and `end` is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Line<'a> {
    /// The moment, microseconds since the beginning of the node.
    pub at: u64,
    /// What the store gave back before anything happened.
    #[serde(borrow)]
    pub kept: Option<&'a serde_json::value::RawValue>,
    /// What went in.
    #[serde(borrow, rename = "in")]
    pub input: Option<&'a serde_json::value::RawValue>,
    /// What came out.
    #[serde(borrow, rename = "out")]
    pub output: Option<&'a serde_json::value::RawValue>,
    /// Why the capture ends here.
    #[serde(borrow)]
    pub end: Option<Cow<'a, str>>,
    /// The link it is of, or empty.
    #[serde(borrow)]
    pub link: Cow<'a, str>,
    /// The user it is of, or empty.
    #[serde(borrow)]
    pub user: Cow<'a, str>,
    /// The tab it is of, or empty.
    #[serde(borrow)]
    pub tab: Cow<'a, str>,
}

/// What the store gave back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A session, by the hash of what stands for it here.
    Session(StoredSession),
    /// An open form.
    Form(StoredForm),
    /// Something of a user's.
    Of {
        /// What.
        kind: Text,
        /// Whose or which.
        key: Text,
        /// What the Hub wrote.
        body: Text,
    },
    /// A photo of the configuration.
    Photo {
        /// Whose.
        login: Text,
        /// Which.
        photo: Photo,
    },
}

/// What went in: [`ctigate_proto::hub::Input`], and the passing of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum In {
    /// A peer is open.
    Opened {
        /// The peer.
        peer: PeerId,
        /// Who it is.
        who: WhoIs,
        /// What came with it.
        opening: Box<OpeningLine>,
    },
    /// A message.
    Received {
        /// From whom.
        peer: PeerId,
        /// The format of the text: of the channel, as far as the message shows it.
        format: FormatWord,
        /// The message.
        text: Text,
    },
    /// A message could not be delivered.
    Undelivered {
        /// To whom.
        peer: PeerId,
        /// The qid it carried.
        qid: Option<Value>,
        /// Why.
        why: Undelivered,
    },
    /// Events were lost.
    EventsLost {
        /// Of whom.
        peer: PeerId,
    },
    /// A peer is gone.
    Closed {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// A link that is not open.
    LinkState {
        /// Its name.
        link: Text,
        /// What it does.
        state: LinkState,
    },
    /// A login was checked.
    Authenticated {
        /// Which.
        ticket: Ticket,
        /// What came of it.
        verdict: Result<WhoIs, LoginError>,
    },
    /// The telephone system tells something.
    Pbx(Event),
    /// A question from outside.
    Ask {
        /// Its ticket.
        ticket: Ticket,
        /// What.
        ask: Ask,
    },
    /// What was asked of something outside.
    Fetched {
        /// Its ticket.
        ticket: Ticket,
        /// What came of it.
        result: FetchResult,
    },
    /// Whoever asked is gone.
    AskGone {
        /// Its ticket.
        ticket: Ticket,
    },
    /// Other people, links and rules.
    Reconfigure(Box<Choices>),
    /// Nothing but time.
    Time,
}

/// The format of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormatWord {
    /// JSON
    Json,
    /// XML
    Xml,
}

impl From<FormatWord> for Format {
    fn from(word: FormatWord) -> Self {
        match word {
            FormatWord::Json => Self::Json,
            FormatWord::Xml => Self::Xml,
        }
    }
}

/// An identity as it was checked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhoIs {
    /// A link.
    Link(Text),
    /// A person who showed a password.
    ByPassword(Text),
    /// A person who showed a session.
    BySession {
        /// The login.
        login: Text,
        /// What stands for the session.
        session: Text,
    },
    /// A program, with what its key allows; the key itself is nowhere.
    ByKey(Grant),
}

/// What a peer brings: [`Opening`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields of Opening")]
#[expect(clippy::struct_excessive_bools, reason = "as there")]
pub struct OpeningLine {
    pub qid: Option<Value>,
    pub expires: Option<i64>,
    pub subscribed: Vec<Text>,
    pub format: Option<Format>,
    pub address: Text,
    pub introduction: Option<Introduction>,
    pub post: bool,
    pub polls: bool,
    pub tls: bool,
    pub visitor: bool,
}

/// What came out: [`ctigate_proto::hub::Output`]. Only ever compared.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Out<'a> {
    /// To one peer.
    Send {
        /// To whom.
        to: PeerId,
        /// The message in JSON, everything opened.
        text: Text,
    },
    /// The same, once everything is kept.
    SendOnceKept {
        /// To whom.
        to: PeerId,
        /// The message.
        text: Text,
    },
    /// To many.
    Fan {
        /// To whom.
        to: &'a [PeerId],
        /// The message.
        text: Text,
    },
    /// Close a peer.
    Close {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: &'a CloseReason,
    },
    /// Check a login.
    Authenticate {
        /// To be handed back.
        ticket: Ticket,
        /// The link's peer.
        peer: PeerId,
        /// Whose.
        login: &'a str,
        /// What stands for the password's hashes and the session.
        shown: [Option<Text>; 3],
    },
    /// Fetch something.
    Fetch {
        /// To be handed back.
        ticket: Ticket,
        /// What.
        fetch: Fetch,
    },
    /// Tell the telephone system.
    Pbx(&'a Command),
    /// Keep a fact.
    Record(Record),
    /// Answer a question.
    Answer {
        /// Whose.
        ticket: Ticket,
        /// What.
        answer: Answer,
    },
    /// Something operators should hear of.
    Notice(&'a Notice),
}

impl From<Opening> for OpeningLine {
    fn from(o: Opening) -> Self {
        let qid = o.qid.map(|qid| ctigate_proto::message::Part::from(qid).open());
        let Opening { expires, subscribed, format, address, introduction, post, polls, tls, visitor, .. } = o;
        Self { qid, expires, subscribed, format, address, introduction, post, polls, tls, visitor }
    }
}

impl From<OpeningLine> for Opening {
    fn from(o: OpeningLine) -> Self {
        let qid = o.qid.map(|qid| Qid::of_part(qid.into()));
        let OpeningLine { expires, subscribed, format, address, introduction, post, polls, tls, visitor, .. } = o;
        Self { qid, expires, subscribed, format, address, introduction, post, polls, tls, visitor }
    }
}

impl Made {
    /// What a Hub is made of, with the seed that its replica gets.
    pub fn of(settings: &Settings, seed: [u8; 32]) -> Self {
        let Settings { web_ports, accounts, links, forms, numbers, breaks, procedures, limits, .. } = settings.clone();
        Self {
            seed: seed.iter().map(|byte| format!("{byte:02x}")).collect(),
            utc_offset_s: (settings.utc_offset)(settings.wall_ms),
            web_ports,
            accounts,
            links,
            forms,
            numbers,
            breaks,
            procedures,
            limits,
        }
    }

    /// The settings of the replica; `None` when the seed is none.
    pub fn settings(self, wall_ms: i64, utc_offset: fn(i64) -> i32) -> Option<Settings> {
        let Self { seed, web_ports, accounts, links, forms, numbers, breaks, procedures, limits, .. } = self;
        let mut bytes = [0; 32];
        if seed.len() != 64 || !seed.is_ascii() {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&seed[2 * i..2 * i + 2], 16).ok()?;
        }
        let notation = super::notation();
        Some(Settings {
            seed: bytes,
            wall_ms,
            web_ports,
            accounts,
            links,
            forms,
            numbers,
            breaks,
            procedures,
            utc_offset,
            limits,
            notation,
        })
    }
}
