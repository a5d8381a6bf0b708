//! The scenario language: what the simulator's dialled numbers do, how its phones behave and what happens when.
//!
//! A script is a text of lines and blocks, described for people in `docs/scenarios.md`. [`Script::parse`] reads it in one go
//! and either gives the whole script or the first mistake, with its line and column, what was found there and what was
//! expected. Nothing here knows a clock or a call: [`super::Machine`] runs what was read.
//!
//! The language has no loops and no jumps, so every scenario ends. Text, nesting and number of steps are bounded.

mod check;
mod cue;
mod error;
mod model;
mod parse;
mod steps;
mod token;
mod values;

pub use error::{ScriptError, Spot};
pub use model::{
    AskStep, Behaviour, Block, Branch, Compare, Condition, Cue, Expr, FormStep, Happening, KeysStep, PhoneLine, Piece,
    QueueStep, Reference, RingStep, RingWhom, Scenario, Script, Step, Story, What, Word,
};
pub use parse::Limits;

#[cfg(test)]
mod tests;
