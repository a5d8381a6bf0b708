//! The Asterisk Manager Interface: the one connection by which a PBX is seen and told what to do.
//!
//! - [`Message`], [`Action`], [`Reader`]: its packets, pure.

mod message;

pub use message::{ACTION_LINE, ACTION_LINES, Action, LINE, Message, PACKET, Reader, Unsendable, Wrong};
