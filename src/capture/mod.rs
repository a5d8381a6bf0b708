//! Captures: what went into a Hub and what came out, written down line by line so that it can be looked at and played again.
//! The format is described in `docs/replay.md`.
//!
//! - [`Scribe`] makes the lines, with every secret replaced by something of the same shape, the same each time it occurs; it does no I/O.
//! - [`play`] reads a capture, builds a Hub as it was, hands in what went in at its moments, and compares what comes out.
//! - [`line`] is the format itself; [`mask`] says what is secret.
//!
//! A capture that was begun with the node plays whole: what comes out is compared. One that was begun later lacks what was before: what
//! passed is played as it was, and nothing is compared.

pub mod line;
pub mod mask;
mod player;
mod scribe;

use ctigate_proto::codec;
use ctigate_proto::hub::settings::Notation;
use ctigate_proto::message::Value;

pub use player::{Difference, Lines, PlayError, Played, play};
pub use scribe::{About, Scribe};

/// The version of the format. A reader refuses one that it does not know.
pub const VERSION: u32 = 1;

/// Deepest nesting of what is kept.
const DEPTH: usize = 64;

/// How a Hub writes and reads what it keeps: the one notation of all nodes.
pub fn notation() -> Notation {
    Notation {
        write: |object| codec::encode_value(&Value::Object(object.clone())),
        read: |text| match codec::decode_value(text, DEPTH) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        size: codec::outgoing::size,
    }
}
