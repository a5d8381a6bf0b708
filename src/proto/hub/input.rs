//! All that can happen to the Hub. Read this and [`super::output`] first.

use std::time::Duration;

use crate::auth::{Identity, LoginError};
use crate::message::{Body, CloseReason, Envelope, Format, Introduction, Object, PeerId, Qid, Text};
use crate::telephony;

use super::archive::FetchResult;
use super::settings::Choices;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A peer's dialog is open: a tab has logged in, a CRM has introduced itself. The Hub answers a tab's login.
    Opened {
        /// The peer, new to the Hub.
        peer: PeerId,
        /// Who it is.
        identity: Identity,
        /// What came with it.
        opening: Box<Opening>,
    },
    /// A call, reply or event from a peer that is open.
    Received {
        /// From whom.
        peer: PeerId,
        /// What.
        envelope: Envelope,
    },
    /// A message could not be delivered (POST failed): whoever waits for its reply is told.
    Undelivered {
        /// To whom it should have gone.
        peer: PeerId,
        /// The `qid` it carried.
        qid: Option<Qid>,
        /// Why.
        why: Undelivered,
    },
    /// Events that waited for a peer had to be dropped, and it can be reached again: it is told the state anew.
    EventsLost {
        /// The peer of a link, or a tab.
        peer: PeerId,
    },
    /// The peer is gone. Told once, after which nothing more comes from it and nothing is sent to it.
    Closed {
        /// Which.
        peer: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// A link's state short of open, for people to see: dialing, waiting, refused.
    LinkState {
        /// The link's name.
        link: Text,
        /// What it is doing.
        state: LinkState,
    },
    /// The check that [`super::Output::Authenticate`] asked for.
    Authenticated {
        /// The ticket it carried.
        ticket: Ticket,
        /// What came of it.
        verdict: Result<Identity, LoginError>,
    },
    /// The telephone system tells something.
    Pbx(telephony::Event),
    /// A question or order of an operator, or of the HTTP interface; answered by [`super::Output::Answer`].
    Ask {
        /// Handed back with the answer.
        ticket: Ticket,
        /// What.
        ask: Box<Ask>,
    },
    /// What [`super::Output::Fetch`] asked for, or why it is not there.
    Fetched {
        /// The ticket it carried.
        ticket: Ticket,
        /// What came of it.
        result: FetchResult,
    },
    /// The operator wants other people, links and rules. What they say of those that are here counts from now on; whoever is
    /// not named any more is gone, and everything of theirs comes to its end.
    Reconfigure(Box<Choices>),
    /// Whoever asked is gone; nothing is answered any more.
    AskGone {
        /// The ticket of the question.
        ticket: Ticket,
    },
}

/// Handle of work in flight outside the Hub, or of a question from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Ticket(pub u64);

/// What a peer brings when its dialog opens.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The qid of the login that is to be answered (tabs).
    pub qid: Option<Qid>,
    /// `expires` of the login, seconds.
    pub expires: Option<i64>,
    /// Names it subscribed to before the login.
    pub subscribed: Vec<Text>,
    /// The format of its messages, if the shell says so.
    pub format: Option<Format>,
    /// Where it connects from, for people to see.
    pub address: Text,
    /// What the CRM said of itself in `iam`.
    pub introduction: Option<Introduction>,
    /// Whether this is a link that is posted to: it has no connection, and gets only what section 6 of the decisions says.
    pub post: bool,
    /// Whether a posted link polls, and so gets everything.
    pub polls: bool,
    /// Whether the peer came over TLS.
    pub tls: bool,
    /// A CRM that posts to us (`/rpc`): it hears the replies to what it posts and nothing else, and replaces no connection.
    pub visitor: bool,
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undelivered {
    /// The CRM could not be reached, or answered no 2xx, or not in time.
    Failed(String),
    /// The answer was no message.
    BadAnswer(String),
}

/// A link that is not open.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// An accepting link waits for its CRM.
    Waiting,
    /// A dialing link connects.
    Dialing,
    /// A dialing or posting link failed and tries again.
    Retrying {
        /// What failed.
        why: String,
        /// After how long it tries again.
        after: Duration,
    },
    /// The CRM refused our credentials.
    Refused(String),
    /// Two CRMs compete for the link.
    Competing,
}

/// Questions and orders from outside.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Run a dynamic method; answered once, with its outcome.
    Call(ApiCall),
    /// Open a form (`on = "api"`).
    OpenForm(telephony::FormOrder),
    /// Close a form.
    CloseForm {
        /// The form's id.
        id: Text,
    },
    /// The picture for console and commands.
    Snapshot,
    /// End every session of a user, with its tabs. Answered by `Done`.
    EndSessions {
        /// The login.
        login: Text,
        /// Whether this is because the password is another now: then nothing of the user waits for its change any more.
        password_changed: bool,
    },
    /// Run a method in a user's name; answered by [`super::output::Answer::Ran`].
    Run(Run),
    /// An upload begins: does the temporary password allow it? Answered by `Done`.
    Upload {
        /// The temporary password.
        password: Text,
    },
    /// An upload was answered. Answered by `Done`.
    Uploaded(Uploaded),
    /// Give the file of a recording; answered by [`super::output::Answer::Recording`].
    Recording {
        /// The link, a path.
        link: Text,
        /// Who wants it.
        by: By,
    },
}

/// Who wants something by HTTP.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Whoever holds this temporary password.
    Pass(Text),
    /// The user of this login, whose password was checked.
    User(Text),
}

/// A method that a program runs by HTTP.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// The program: a user, whose password was checked; empty: an operator, who holds every right.
    pub login: Text,
    /// In whose name, by id, login or number; empty: in its own.
    pub user: Text,
    /// Whether an operator only hands on what somebody else's program wants: then only for accounts that let programs call.
    #[serde(default)]
    pub handed_on: bool,
    /// The method's name.
    pub method: Text,
    /// Its parameters.
    pub body: Body,
}

/// How an upload was answered.
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Uploaded {
    /// The temporary password it was made with.
    pub password: Text,
    /// Status and reason: `200 OK`.
    pub response: Text,
    /// The body of the answer.
    pub content: Text,
    /// The path that was answered and the virtual path of the file, when it was taken.
    pub paths: Option<(Text, Text)>,
}

impl std::fmt::Debug for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pass(_) => f.write_str("Pass"),
            Self::User(login) => f.debug_tuple("User").field(login).finish(),
        }
    }
}

impl std::fmt::Debug for Uploaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploaded").field("response", &self.response).finish_non_exhaustive()
    }
}

/// A dynamic method called from outside.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct ApiCall {
    /// The method's name.
    pub method: Text,
    /// Its input.
    pub input: Object,
    /// How long the caller waits; `None`: what the method declares.
    pub deadline: Option<Duration>,
    /// How long a late result is welcome.
    pub late: Duration,
    /// What to answer instead of a failure.
    pub fallback: Option<Object>,
    /// Which link to ask; empty: the first that can.
    pub link: Text,
    /// The user it is about or directed to, by login; empty for none.
    pub user: Text,
    /// The conversation, if there is one.
    pub chain: Text,
}
