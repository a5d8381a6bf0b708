//! All that can come out of the Hub. Read this and [`super::input`] first.

use std::sync::Arc;

use crate::auth::Attempt;
use crate::calls::Entry;
use crate::message::{Body, CallError, CloseReason, Code, PeerId, Shared, Text};
use crate::telephony;

use super::archive::{ChatText, Fetch};
use super::input::Ticket;

/// One thing to do. The shell does them in order; none can fail back into the Hub except as a new input.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send to one peer.
    Send {
        /// To whom.
        to: PeerId,
        /// What.
        message: Arc<Shared>,
    },
    /// Send to one peer once every fact recorded so far is kept: the message promises something that is to outlive a restart.
    SendOnceKept {
        /// To whom.
        to: PeerId,
        /// What.
        message: Arc<Shared>,
    },
    /// Send the same to many.
    Fan {
        /// To whom.
        to: Arc<[PeerId]>,
        /// What.
        message: Arc<Shared>,
    },
    /// Close a peer after what is queued for it was sent. [`super::Input::Closed`] is due.
    Close {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// Check a login that came through a link; [`super::Input::Authenticated`] is due.
    Authenticate {
        /// To be handed back.
        ticket: Ticket,
        /// The link's peer, whose address counts for the throttle.
        peer: PeerId,
        /// The login.
        attempt: Box<Attempt>,
    },
    /// Fetch something that is outside; [`super::Input::Fetched`] is due.
    Fetch {
        /// To be handed back.
        ticket: Ticket,
        /// What.
        fetch: Box<Fetch>,
    },
    /// Tell the telephone system.
    Pbx(Box<telephony::Command>),
    /// Keep a fact.
    Record(Record),
    /// Answer a question from outside.
    Answer {
        /// The ticket of the question.
        ticket: Ticket,
        /// The answer.
        answer: Answer,
    },
    /// Something operators should hear of.
    Notice(Notice),
}

/// A fact to be kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A session was made or prolonged.
    Session(StoredSession),
    /// A session ended.
    SessionEnded {
        /// SHA-256 of the id, hex.
        hash: Text,
    },
    /// A form is open (or has changed).
    Form(StoredForm),
    /// What is kept of a conversation that is over; a later one of the same conversation takes its place.
    Call(Box<Entry>),
    /// Something of a user's that outlives the node.
    Kept(Kept),
    /// A text of a chat.
    Text(ChatText),
    /// A chat is no more, nor what was written in it.
    TextsEnded {
        /// Its id.
        chat: Text,
    },
    /// A form is open no more.
    FormEnded {
        /// Its id.
        id: Text,
    },
}

/// Something that is kept under a kind and a key, and given back to the Hub when the node starts again.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Kept {
    /// What it is: `redirect`, `chat`, `texts` (that wait for somebody), `photo`.
    pub kind: &'static str,
    /// Whose or which.
    pub key: Text,
    /// The JSON text that the Hub wrote and alone reads; `None`: no more.
    pub body: Option<Text>,
}

/// A session as it is kept: never the id itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoredSession {
    /// SHA-256 of the id, hex.
    pub hash: Text,
    /// Whose.
    pub login: Text,
    /// Until when, milliseconds since 1970.
    pub expires_ms: i64,
    /// By how much each use prolongs it, milliseconds.
    pub life_ms: i64,
}

/// An open form as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoredForm {
    /// Its id.
    pub id: Text,
    /// Whose.
    pub login: Text,
    /// Until when it is open, milliseconds since 1970.
    pub expires_ms: i64,
    /// Everything else, as the JSON text the Hub wrote and alone reads.
    pub body: Text,
}

/// An answer to a question from outside.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of a dynamic method.
    Outcome {
        /// How it ended.
        outcome: telephony::Outcome,
        /// The execution, empty when none was begun.
        execution: Text,
        /// The error code the CRM or the gateway gave; 0 for none.
        error: i64,
    },
    /// A form was opened.
    FormOpened {
        /// Its id.
        id: Text,
    },
    /// Done.
    Done,
    /// It could not be done: why.
    Refused(CallError),
    /// The reply of a method that was run.
    Ran(Body),
    /// The file of a recording, relative to the folder of recordings.
    Recording {
        /// Which.
        file: Text,
    },
    /// The picture. Nobody writes it down.
    #[serde(skip)]
    Snapshot(Box<super::snapshot::Snapshot>),
}

/// Something operators should hear of; the shell logs and counts it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A link opened.
    LinkUp {
        /// Its name.
        link: Text,
    },
    /// A link closed.
    LinkDown {
        /// Its name.
        link: Text,
        /// Why.
        why: String,
    },
    /// Two CRMs compete for a link.
    LinkContested {
        /// Its name.
        link: Text,
    },
    /// A user came online or left.
    Presence {
        /// The login.
        login: Text,
        /// Whether online now.
        online: bool,
    },
    /// A user has other tabs behind a link than before.
    Tabs {
        /// The login.
        login: Text,
    },
    /// A dynamic method ended.
    MethodDone {
        /// Its name.
        method: Text,
        /// The link that was asked, or empty.
        link: Text,
        /// The outcome in one word.
        outcome: &'static str,
        /// How long the caller waited, milliseconds.
        millis: u64,
    },
    /// A call of a peer or a program was answered.
    Replied {
        /// The method as the catalogue writes it; `unknown` for one that it does not have.
        method: &'static str,
        /// The code of the error; `None`: it succeeded, or failed by a text alone.
        error: Option<Code>,
        /// How long whoever called has waited, microseconds.
        micros: u64,
    },
    /// An order goes to the telephone system; its number stands in every line about it from here on.
    Ordered {
        /// The order.
        order: u64,
        /// The peer that wants it; `None`: a question from outside.
        peer: Option<PeerId>,
        /// The `qid` of its call, or empty.
        qid: Text,
        /// Who wants it, in words.
        who: String,
        /// The method.
        method: &'static str,
    },
    /// The telephone system has said how an order went, or has said nothing in time.
    OrderDone {
        /// The order.
        order: u64,
        /// The error whoever wanted it is told; `None`: it went well.
        error: Option<CallError>,
    },
    /// A circuit opened or closed.
    Circuit {
        /// The link.
        link: Text,
        /// The method.
        method: Text,
        /// Whether open now.
        open: bool,
    },
    /// A peer did something that deserves a line in the log.
    Odd {
        /// Who, in words.
        who: String,
        /// What.
        what: String,
    },
    /// A form changed its state.
    Form {
        /// Its id.
        id: Text,
        /// Its name.
        name: Text,
        /// Whose.
        login: Text,
        /// open, answered, closed, expired
        state: &'static str,
    },
}
