//! A telephone system without telephones: extensions, queues, outside callers and scenarios, for demonstrations, tests and
//! load. It runs on the clock it is given and draws nothing at random: the same settings, script and orders give the same
//! events, whether time passes or jumps.
//!
//! - [`script`]: the language in which scenarios and timelines are written.
//! - [`Machine`]: the telephone system as a pure machine. It has the rhythm of the machines in [`ctigate_proto`]: push
//!   something in with `handle_*`, take out what follows with `poll_event` until it says `None`, ask `poll_timeout` when to
//!   call `handle_timeout` if nothing happens before.
//! - [`Simulator`]: the task that drives it, a [`super::Backend`].
//!
//! Inside the machine, bottom to top: `legs` and `flow` are the data, `exchange` connects legs and keeps them in order,
//! `phones` and `queues` ring, `dialling` finds the way, `run` takes the steps of scenarios, `acts` and
//! `conferences` do what people want; `numbers` gives the house others.
//!
//! Everything is bounded: calls at once, the legs and the length of a call, and by the language itself the steps of a call.

mod acts;
mod conferences;
mod dialling;
mod driver;
mod exchange;
mod fax;
mod flow;
mod legs;
mod lines;
mod machine;
mod numbers;
mod phones;
mod picture;
mod queues;
mod recording;
mod run;
mod scope;
pub mod script;
mod timers;

use std::path::PathBuf;
use std::time::Duration;

use super::Directory;

pub use driver::Simulator;
pub use machine::{Counters, Machine, Note, NoteKind};
pub use recording::Take;
pub use script::ScriptError;

/// The timeline of the demonstration: a support line that asks the CRM whose client calls.
pub const DEMO: &str = include_str!("demo.cti");

/// What a simulator is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its numbers and queues.
    pub directory: Directory,
    /// The text of the timeline it plays from the start; may be empty.
    pub timeline: String,
    /// What the ids of calls, legs, talks and conferences are made from. Two simulators with the same seed make the same ids.
    pub seed: u128,
    /// The number before the first run's id: a second life of a simulator goes on where the first cannot have been.
    pub first_run: u64,
    /// How many calls there may be at once, those whose `after` still runs included.
    pub calls: usize,
    /// The longest a call may last.
    pub longest_call: Duration,
    /// How many outside lines there are, unless a timeline says otherwise.
    pub lines: usize,
    /// The wall clock at the machine's time zero, milliseconds since 1970. [`Simulator::new`] sets it.
    pub wall_ms: i64,
    /// Whether talks are recorded. [`Simulator::new`] sets it when there is a folder.
    pub record: bool,
    /// The folder into which recordings are written; `None`: nothing is recorded.
    pub recordings: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directory: Directory::default(),
            timeline: String::new(),
            seed: 0,
            first_run: 0,
            calls: 1000,
            longest_call: Duration::from_secs(4 * 60 * 60),
            lines: 1000,
            wall_ms: 0,
            record: false,
            recordings: None,
        }
    }
}

/// Checks a timeline without running it: its grammar, and that the numbers it names are there.
///
/// # Errors
/// The first mistake: where, what was found, what was expected.
pub fn check(timeline: &str, directory: &Directory) -> Result<(), ScriptError> {
    machine::read(timeline, directory).map(|_| ())
}

#[cfg(test)]
mod tests;
