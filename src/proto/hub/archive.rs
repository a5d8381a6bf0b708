//! What the Hub asks of things that are outside: the ledger, the history of chats, databases, passwords, pictures. A
//! [`Fetch`] goes out with a ticket; what came of it comes back as [`super::Input::Fetched`], once, or not at all: then whoever
//! waited is told so.

use std::time::Duration;

use crate::calls::{Entry, JournalQuery, JournalRow};
use crate::message::{CallError, Text, Value};
use crate::telephony::CallId;

/// How long the Hub waits for what it asked. Known clients wait 20 s.
pub const FETCH_WAIT: Duration = Duration::from_secs(15);

/// One question.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// Rows of the journal: [`Fetched::Journal`].
    Journal(JournalQuery),
    /// An entry of the ledger: [`Fetched::Call`].
    Call(CallId),
    /// The talk that was recorded, or the fax that came, under a link: [`Fetched::Recording`].
    Recording {
        /// The link, a path.
        link: Text,
    },
    /// What was written in a chat, newest first: [`Fetched::Texts`].
    Texts {
        /// The chat.
        chat: Text,
        /// Only what was written before this text.
        before: Option<Text>,
        /// At most so many.
        limit: usize,
    },
    /// One text of a chat: [`Fetched::Texts`] with one or none.
    Text {
        /// The chat.
        chat: Text,
        /// The text's id.
        message: Text,
    },
    /// What a stored procedure gives: [`Fetched::Tables`].
    Procedure {
        /// Its name in lower case.
        name: Text,
        /// Its parameters: a scalar for each, `null` for what was not given.
        input: Vec<(Text, Value)>,
    },
    /// Another password, if the old one is right: [`Fetched::Done`].
    Password {
        /// Whose.
        login: Text,
        /// The hash of the old one as typed.
        old: Text,
        /// The hash of the new one as typed.
        new: Text,
    },
    /// Makes an uploaded file a photo: [`Fetched::Photo`].
    Photo {
        /// The virtual path of the file.
        file: Text,
        /// The photo whose place it takes: it is thrown away.
        old: Option<Photo>,
    },
}

impl Fetch {
    /// What the log calls it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Journal(_) => "journal",
            Self::Call(_) => "call",
            Self::Recording { .. } => "recording",
            Self::Texts { .. } | Self::Text { .. } => "chat",
            Self::Procedure { .. } => "procedure",
            Self::Password { .. } => "password",
            Self::Photo { .. } => "photo",
        }
    }
}

impl std::fmt::Debug for Fetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Hashes of passwords and the parameters of procedures print nowhere.
        f.debug_tuple("Fetch").field(&self.word()).finish()
    }
}

/// What came of a question, or what whoever waits is told.
pub type FetchResult = Result<Fetched, CallError>;

/// An answer.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetched {
    /// Rows of the journal, newest first, with the links of their recordings.
    Journal(Vec<(JournalRow, Option<Text>)>),
    /// An entry of the ledger, if there is one.
    Call(Option<Box<Entry>>),
    /// A recorded talk, if the link is one.
    Recording(Option<Recording>),
    /// Texts of a chat, newest first.
    Texts(Vec<ChatText>),
    /// Tables: each an array of rows, the first of them the names of the columns.
    Tables(Vec<Value>),
    /// A photo.
    Photo(Photo),
    /// It was done.
    Done,
}

/// A talk that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Recording {
    /// The file, relative to the folder of recordings.
    pub file: Text,
    /// The inside numbers that took part.
    pub inside: Vec<Text>,
}

/// A person's photo, as paths on the web port.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Photo {
    /// As it was given.
    pub link: Text,
    /// 32 by 32.
    pub small: Text,
    /// 96 by 96.
    pub large: Text,
}

/// A text of a chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChatText {
    /// The chat.
    pub chat: Text,
    /// Its id.
    pub message: Text,
    /// Its place in the chat, from 1.
    pub number: i64,
    /// Who wrote it, by login.
    pub sender: Text,
    /// What.
    pub text: Text,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}
