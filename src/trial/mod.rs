//! Trying a CRM out: we play the gateway against it, over a real connection, and say what it does wrong. `ctigate check-crm`
//! is the door for people.
//!
//! - [`check`] is the list of what is looked at, [`finding`] of what can be wrong, with what to do about it.
//! - `conversation` speaks with a CRM by WebSocket, `exchange` by POST; `talk` is either. Both use the Dialog and the codecs of
//!   the gateway, so that a CRM that passes here is understood there.
//! - `opening`, `questions`, `execution` and `long` are the checks themselves; each is a function that ends in a bounded time.
//! - `course` makes them one after the other; `brief` makes a few of them, and tells each as it goes.
//!
//! Nothing here touches a running gateway: no Hub, no store, no telephone system. What it does to the CRM it does as a
//! gateway would: it runs a method and opens a form, so it is for a CRM that may be tried.

mod brief;
pub mod check;
mod conversation;
mod course;
mod exchange;
mod execution;
pub mod finding;
mod long;
mod opening;
mod questions;
mod reading;
mod talk;

use std::time::Duration;

use ctigate_proto::message::{Format, Object};

use crate::config::{Link, LinkMode};

pub use brief::{Step, briefly};
pub use check::{CHECKS, Check, Outcome, Verdict};
pub use course::{accepting, reaching};
pub use finding::{FINDINGS, Finding};

/// What to try, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the CRM is, or where it is to connect; what to show or demand; whom to trust. `format` does not count.
    pub link: Link,
    /// The formats to speak, in this order. One alone must be understood; of several, one is enough. A CRM that connects
    /// chooses for itself.
    pub formats: Vec<Format>,
    /// The dynamic method to run; without it the first that the CRM carries out itself.
    pub method: Option<String>,
    /// Its input; what is required and missing here is made up.
    pub input: Object,
    /// How long an answer may take that has no deadline of its own.
    pub patience: Duration,
    /// How long to wait for a CRM that connects.
    pub arrival: Duration,
}

/// One check, and what came of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// How the CRM was reached.
    pub way: LinkMode,
    /// In which format; `None` where no connection came about that has one.
    pub format: Option<Format>,
    /// What was looked at.
    pub check: &'static Check,
    /// What was found.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// Told when a check begins, so that people can be shown what they wait for.
pub type Begun<'a> = &'a dyn Fn(&'static Check, Option<Format>);
