//! The Asterisk Manager Interface: the one connection by which a PBX is seen and told what to do.
//!
//! - [`Message`], [`Action`], [`Reader`]: its packets, pure.
//! - [`Session`]: a connection that is logged in, for whoever asks one thing after the other.
//! - [`run`]: a connection that is kept for ever, with a queue each way.
//!
//! One connection is enough as long as nobody sends a `PlayDTMF` of more than a moment: Asterisk takes no other action while
//! it plays.

mod backoff;
mod connection;
mod message;

pub use connection::{Account, EVENTS, Fault, Patience, Session, Told, run};
pub use message::{ACTION_LINE, ACTION_LINES, Action, LINE, Message, PACKET, Reader, Unsendable, Wrong};

#[cfg(test)]
mod tests;
