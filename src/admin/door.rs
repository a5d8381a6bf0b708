//! What the HTTP sides want from the house. `app` implements it; tests put a small one in its place.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};

use ctigate_proto::Time;
use ctigate_proto::auth::LoginError;
use ctigate_proto::auth::grant::Grant;
use ctigate_proto::auth::throttle::Throttle;
use ctigate_proto::calls::{Entry, JournalQuery, JournalRow};
use ctigate_proto::hub::Snapshot;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{CallError, Envelope, Format, Text};
use ctigate_proto::telephony::CallId;
use futures_util::{Stream, stream};

use super::NodeFacts;
use super::operator::Operator;
use crate::engine::{Captured, Filter, Pulse, Tail, TapLine, Wanted as Capturing};
use crate::pbx::{Control, ControlError, Done};
use crate::telemetry::Telemetry;

use super::explain::{Explained, Kind};

/// Something that is there later. Dropping it before means that nobody wants it any more.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Messages that pass, as they pass. Ends when the node stops.
pub type Lines = Pin<Box<dyn Stream<Item = TapLine> + Send>>;

/// A row of the journal, and where its recording is had.
pub type Recorded = (JournalRow, Option<Text>);

/// How one part of the node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `store`, `links`, `telephone`, `certificate`, `web`.
    pub name: &'static str,
    /// How it is.
    pub state: PartState,
    /// What people should know.
    pub detail: String,
}

/// What a part can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Its work.
    Ok,
    /// Its work, but not all of it, or not for long.
    Degraded,
    /// Nothing: the node is not ready.
    Down,
}

impl PartState {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// A follower's end as a stream.
pub fn lines(tail: Tail) -> Lines {
    Box::pin(stream::unfold(tail, |mut tail| async move { tail.next().await.map(|line| (line, tail)) }))
}

/// The house, seen from HTTP.
pub trait Door: Send + Sync {
    /// Asks the Hub. When the answer is dropped before it is there, because the client went away, the Hub is told that
    /// nobody waits any more.
    fn ask(&self, ask: Ask) -> Later<'_, Answer>;

    /// Follows the messages that pass. What is not read in time is dropped, and the follower is told how much.
    fn tail(&self, filter: Filter) -> Lines;

    /// What happened to something, and why something else did not.
    fn explain(&self, kind: Kind, id: &str) -> Later<'_, Explained> {
        // A house without a memory.
        let _ = (kind, id);
        Box::pin(async { Explained::Unknown })
    }

    /// Begins to capture what happens. `None` when as many captures run as may.
    fn begin_capture(&self, wanted: Capturing) -> Option<u64> {
        let _ = wanted;
        None
    }

    /// Ends a capture; it can still be read. False when there is none of this id.
    fn end_capture(&self, id: u64) -> bool {
        let _ = id;
        false
    }

    /// All captures, the oldest first.
    fn captures(&self) -> Vec<Captured> {
        Vec::new()
    }

    /// What a capture holds so far.
    fn captured(&self, id: u64) -> Option<bytes::Bytes> {
        let _ = id;
        None
    }

    /// Orders something of the telephone system.
    fn control(&self, control: Control) -> Later<'_, Result<Done, ControlError>>;

    /// Hands in messages that the CRM of a link has posted, and gives what there is to say to them, in order: their replies,
    /// and what the CRM's messages made us ask. Bounded in time by the link's own limits.
    fn rpc(&self, link: &str, format: Format, messages: Vec<Envelope>) -> Later<'_, Vec<Envelope>>;

    /// Checks a person's password as typed, by the rules of a login; failures count for the address. Gives the login as its
    /// account spells it.
    fn verify<'a>(&'a self, login: &'a str, password: &'a str, address: IpAddr) -> Later<'a, Result<Text, LoginError>>;

    /// What an integration key allows; failures count for the address.
    ///
    /// # Errors
    /// [`LoginError::WrongPassword`] for what is no key, [`LoginError::Throttled`].
    fn grant(&self, key: &str, address: IpAddr) -> Result<Grant, LoginError> {
        let _ = (key, address);
        Err(LoginError::WrongPassword)
    }

    /// People or keys of the store are others than before: from now on they count.
    fn people_changed(&self) -> Later<'_, ()> {
        Box::pin(async {})
    }

    /// The page of figures, with those that only a picture of the node can give.
    fn metrics(&self, now: Option<&Snapshot>) -> String;

    /// Whether the process is one that may go on: no panic has left it half changed.
    fn alive(&self) -> bool;

    /// Which parts of the node change.
    fn pulse(&self) -> &Arc<Pulse>;

    /// Rows of the journal with the links of their recordings, the newest first.
    fn journal(&self, query: JournalQuery) -> Later<'_, Result<Vec<Recorded>, CallError>>;

    /// A call of the past, whole.
    fn entry(&self, call: CallId) -> Later<'_, Result<Option<Box<Entry>>, CallError>>;

    /// The figures, the last hour of them, and the notices.
    fn telemetry(&self) -> &Telemetry;

    /// What the process knows of itself.
    fn facts(&self) -> Later<'_, NodeFacts>;

    /// How each part of the node is. Whoever reads it is not known: no names, nothing secret.
    fn parts(&self) -> Later<'_, Vec<Part>>;

    /// Whoever may change the node.
    fn operator(&self) -> Option<&dyn Operator> {
        None
    }

    /// The node's clock.
    fn now(&self) -> Time;

    /// The counter of failed logins, the same for every way into the house. Held for a moment only.
    fn throttle(&self) -> MutexGuard<'_, Throttle>;
}
