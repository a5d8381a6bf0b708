//! The smaller tables: breaks, queues, procedures, recordings, files.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keyword::keywords;
use super::sql::Sql;
use super::user::Role;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Procedure {
    /// The name clients use, without regard to case; needed, unique.
    pub name: String,
    /// One query with named parameters (`:name` or `@name`); needed. It can only read. `:userid` and `:userlogin` are those of
    /// whoever runs it.
    pub sql: Sql,
    /// The SQLite database it reads, a file; empty: the gateway's own store, of which only the published views can be read.
    /// Default none.
    #[serde(with = "super::maybe_path")]
    pub database: Option<PathBuf>,
    /// The roles that may run it; empty: whoever has the right `procedures`. Default none.
    pub roles: Vec<Role>,
    /// Most rows it gives. Default 1000, at most 10000.
    pub rows: usize,
    /// How long it may run. Default 5 s, at most 10 s.
    #[serde(with = "super::units::duration")]
    pub timeout: Duration,
}

impl Default for Procedure {
    fn default() -> Self {
        Self {
            name: String::new(),
            sql: Sql::default(),
            database: None,
            roles: Vec::new(),
            rows: 1000,
            timeout: Duration::from_secs(5),
        }
    }
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

/// `[files]`: what people upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Files {
    /// The folder that holds uploads and photos. Default `data/files`.
    pub folder: PathBuf,
    /// How much may lie there; what would be more is refused. Default 1 GiB.
    #[serde(with = "super::units::size")]
    pub quota: usize,
}

impl Default for Files {
    fn default() -> Self {
        Self { folder: PathBuf::from("data/files"), quota: 1 << 30 }
    }
}
