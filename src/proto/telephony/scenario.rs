//! Words of scenarios: dynamic methods they ask, forms they open, and how these end.

use std::time::Duration;

use crate::message::{Object, Text};

use super::CallId;

/// Something a scenario waits for. Made by the backend, unique while the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct RunId(pub u64);

/// A dynamic method asked by a scenario.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Ask {
    /// The method's name.
    pub method: Text,
    /// Its input.
    pub input: Object,
    /// The conversation, if there is one.
    pub call: Option<CallId>,
    /// The user it is about or directed to, by login; empty for none.
    pub user: Text,
    /// How long the scenario waits.
    pub deadline: Option<Duration>,
    /// How long a late result is still welcome after the deadline.
    pub late: Duration,
    /// The output to take when there is no result.
    pub fallback: Option<Object>,
}

/// A form ordered by a scenario.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FormOrder {
    /// The form's name.
    pub name: Text,
    /// For whom: a login, or an inside number.
    pub user: Text,
    /// The conversation, if there is one.
    pub call: Option<CallId>,
    /// Its input parameters.
    pub parameters: Object,
    /// How long it stays open; `None`: the default.
    pub expire: Option<Duration>,
}

/// How a dynamic method ended, for whoever asked.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A result, checked against the declaration.
    Ok(Object),
    /// The fallback that was named.
    Fallback(Object),
    /// The CRM failed or answered wrongly.
    Failed(String),
    /// Nothing in time.
    Timeout,
    /// Nobody waits any more.
    Cancelled,
    /// No link, or nobody to ask.
    NoLink,
    /// The circuit of this method is open.
    OpenCircuit,
    /// No link declares such a method.
    NoMethod,
    /// The input does not fit the declaration: which field, what was expected.
    BadInput(String),
}

impl Outcome {
    /// The word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Fallback(_) => "fallback",
            Self::Failed(_) => "failed",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::NoLink => "no_link",
            Self::OpenCircuit => "open_circuit",
            Self::NoMethod => "no_method",
            Self::BadInput(_) => "bad_input",
        }
    }
}

/// How a form ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormEnd {
    /// Somebody answered.
    Answered {
        /// Who, by login.
        by: Text,
        /// The values.
        output: Object,
        /// The comment.
        comment: Text,
    },
    /// It was closed without an answer.
    Closed,
    /// Nobody answered in time.
    Expired,
    /// It could not be opened: why.
    Refused(String),
}
