//! The smaller tables: breaks, queues, procedures, recordings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::keyword::keywords;

/// `[[break]]`: a reason for a break that users may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Break {
    /// `lunchreasonid`: at least 1, unique; needed.
    pub id: i64,
    /// What people see; needed.
    pub name: String,
}

/// `[[queue]]`: callers wait here for a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// The number that is dialled; needed, unique over queues and users.
    pub number: String,
    /// What people see. Default: the number.
    pub name: String,
    /// Logins of the users who serve it. Default none.
    pub users: Vec<String>,
    /// Whose phone rings. Default `ring-all`.
    pub strategy: QueueStrategy,
}

impl Default for Queue {
    fn default() -> Self {
        Self { number: String::new(), name: String::new(), users: Vec::new(), strategy: QueueStrategy::RingAll }
    }
}

keywords! {
    /// Whose phone rings for a waiting caller.
    QueueStrategy: "queue strategy" {
        /// Every free user's.
        RingAll = "ring-all",
        /// One after the other, beginning behind the last.
        RoundRobin = "round-robin",
        /// Whoever has been idle for the longest time.
        LongestIdle = "longest-idle",
        /// Whoever has had the fewest calls.
        FewestCalls = "fewest-calls",
    }
}

/// `[[procedure]]`: a stored procedure that clients may run by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Procedure {
    /// The name clients use, without regard to case; needed, unique.
    pub name: String,
    /// The dynamic method that answers it; needed.
    pub method: String,
}

/// `[recordings]`: where recordings of calls are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recordings {
    /// The folder that holds them. Default `data/recordings`.
    pub folder: PathBuf,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { folder: PathBuf::from("data/recordings") }
    }
}
