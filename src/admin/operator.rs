//! What an operator may change of a node while it runs, as the HTTP interface asks for it. `app` does it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use serde_json::{Map, Value};

use super::door::Later;
use crate::config::{Change, Finding, Loaded, Refused, Secret};

/// What became of a change.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// What is another now, or would be, and what that does.
    pub changes: Vec<Change>,
    /// What deserves a warning.
    pub warnings: Vec<Finding>,
}

/// Why nothing was changed.
#[derive(Clone, Debug)]
pub enum NotChanged {
    /// What was wanted makes a configuration that has errors.
    Refused(Refused),
    /// What was wanted makes no sense: why.
    Wrong(String),
    /// There is no such thing.
    NotFound(String),
    /// It is so that it cannot be changed here.
    Conflict(String),
    /// Something failed: a port is taken, the store is away.
    Failed(String),
}

/// The one who may change the node. There is none in a node that nobody configured.
pub trait Operator: Send + Sync {
    /// Reads all layers of the configuration again and applies what is another.
    fn reload(&self) -> Later<'_, Result<Changed, NotChanged>>;

    /// The configuration in effect.
    fn configuration(&self) -> Arc<Loaded>;

    /// What is another in the configuration than in the node, because it counts after a restart only.
    fn waits_for_restart(&self) -> Vec<Change>;

    /// Puts settings into the store and applies them; `None` takes one out, so that what lies below counts again. `only_try`: says
    /// what would be, and changes nothing.
    fn set(&self, settings: Vec<(String, Option<Value>)>, only_try: bool) -> Later<'_, Result<Changed, NotChanged>>;

    /// Keeps a link in the store and opens it: a new one, or the one of this name anew. A secret that is [`KEPT`] stays as it was.
    fn save_link(&self, link: Map<String, Value>, replaces: Option<String>) -> Later<'_, Result<Changed, NotChanged>>;

    /// Takes a link out of the store and closes it.
    fn remove_link(&self, name: String) -> Later<'_, Result<Changed, NotChanged>>;

    /// Closes the connections of a link, which is opened anew as it was.
    fn reconnect(&self, name: String) -> Later<'_, Result<(), NotChanged>>;

    /// Tries a link without keeping it, step by step; the last thing told is whether all went well.
    fn try_link(&self, link: Map<String, Value>) -> Steps;

    /// Whether a listener could be opened at an address, and why not. `except`: the link that has it may have it.
    fn port(&self, address: SocketAddr, except: String) -> Later<'_, Result<(), String>>;

    /// Examines everything.
    fn examine(&self) -> Later<'_, Vec<Diagnosis>>;

    /// Empties the node; `None` ends it. Says how it goes.
    fn drain(&self, wanted: Option<Drain>) -> Drained;

    /// How the emptying goes.
    fn drained(&self) -> Drained;

    /// Whether the first run is under way and this is its code. A wrong code is remembered as a wrong password is.
    fn is_setup(&self, code: &str) -> bool;

    /// The first run: makes the administrator and, if one is named, the link, and applies both.
    fn set_up(&self, admin: Administrator, link: Option<Map<String, Value>>) -> Later<'_, Result<Changed, NotChanged>>;
}

/// What stands for a secret that is there.
pub const KEPT: &str = "***";

/// The steps of a trial, and at its end whether all went well.
pub type Steps = Pin<Box<dyn Stream<Item = Tried> + Send>>;

/// One thing a trial tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// A step begins or has ended.
    Step {
        /// Its name.
        step: &'static str,
        /// `running`, `ok`, `warn`, `fail`.
        state: &'static str,
        /// What was seen.
        detail: String,
        /// What to do, in English and in Russian.
        advice: (String, String),
    },
    /// It is over.
    Done(bool),
}

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// `settings`, `people`, `certificates`, `store`, `files`, `ports`, `links`, `telephone`, `machine`.
    pub group: &'static str,
    /// What, in English and in Russian.
    pub name: (String, String),
    /// How it is.
    pub light: Light,
    /// What was found.
    pub detail: (String, String),
    /// What to do; empty when there is nothing to do.
    pub advice: (String, String),
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Light {
    /// It works.
    Green,
    /// It works, but somebody should look.
    Amber,
    /// It does not work.
    Red,
}

impl Light {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }
}

/// How to empty a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Over which time connections are closed.
    pub over: Duration,
    /// After how long they should come back.
    pub back: Duration,
}

/// How emptying goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Whether it is under way.
    pub draining: bool,
    /// How many connections are left.
    pub left: usize,
    /// How long it still takes, unless somebody waits for an answer for longer.
    pub takes: Duration,
    /// After how long those who went should come back.
    pub back: Duration,
}

/// Who is to administer a node that nobody administers yet.
#[derive(Clone, Default)]
pub struct Administrator {
    /// The login.
    pub login: String,
    /// The name people see.
    pub name: String,
    /// The password as typed.
    pub password: Secret,
}
