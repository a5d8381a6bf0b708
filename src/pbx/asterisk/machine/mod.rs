//! The Asterisk behind the facts, as a pure machine: what the Manager Interface says and what people want go in, actions for
//! the Manager Interface and words of [`ctigate_proto::telephony`] come out, and time is given from outside.

mod plan;

use ctigate_proto::Time;
use ctigate_proto::telephony::{CallId, Command, Event};

use super::ami::{Action, Message};
use crate::pbx::Picture;

pub use plan::{Answer, Numbering, Phone, Plan, Rewrite};

/// The moment at which something is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// On the monotonic clock.
    pub mono: Time,
    /// On the wall clock, milliseconds since 1970.
    pub wall_ms: i64,
}

/// What follows from what was handled, in this order: actions for Asterisk, events for the house.
#[derive(Debug, Default)]
pub struct Out {
    /// To be sent to Asterisk, in this order.
    pub actions: Vec<Action>,
    /// To be told to the house, in this order.
    pub events: Vec<Event>,
}

/// The Asterisk as it is known.
#[derive(Debug)]
pub struct Machine {
    plan: Plan,
}

impl Machine {
    /// Knows nothing yet, and is not connected.
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// The connection stands, is logged in, and Asterisk has fully booted.
    pub fn connected(&mut self, _now: Now, _out: &mut Out) {}

    /// The connection is gone.
    pub fn lost(&mut self, _now: Now, _out: &mut Out) {}

    /// Asterisk says something: an event, or the response to an action whose id begins with [`ACTIONS`].
    pub fn heard(&mut self, _now: Now, _message: &Message, _out: &mut Out) {}

    /// The house wants something.
    pub fn command(&mut self, _now: Now, _command: Command, _out: &mut Out) {}

    /// When [`Self::tick`] is to be called if nothing is handled before.
    pub fn due(&self) -> Option<Time> {
        None
    }

    /// Time has passed.
    pub fn tick(&mut self, _now: Now, _out: &mut Out) {}

    /// The conversation of a channel, by its `Uniqueid`.
    pub fn call_of(&self, _uniqueid: &str) -> Option<CallId> {
        None
    }

    /// What goes on, for people.
    pub fn picture(&self, _now: Now) -> Picture {
        Picture::default()
    }

    /// What it was made of.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// How the ids of its actions begin. Whoever shares the connection uses other ids.
pub const ACTIONS: &str = "m-";
