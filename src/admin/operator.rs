//! What an operator may change of a node while it runs, as the HTTP interface asks for it. `app` does it.

use std::sync::Arc;

use serde_json::Value;

use super::door::Later;
use crate::config::{Change, Finding, Loaded, Refused};

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
}
