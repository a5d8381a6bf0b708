//! The protocol of ctigate as pure logic. Nothing here opens a socket, reads a clock, starts a thread or draws a random
//! number: time, seeds and proofs are arguments. What is here, bottom to top:
//!
//! - [`time`]: the moment that callers hand in.
//! - [`message`]: the one message model (name and parameters), no bytes of any format decided here.
//! - [`codec`]: bytes to messages and back, JSON and XML, multipart and the POST wrapping.
//! - [`auth`]: Basic, Digest, tickets and password hashes as values; the only place that makes an [`auth::Proof`].
//! - [`method`]: the catalogue of every message of the protocol, typed.
//! - [`telephony`]: words that are spoken with a telephone system, whichever it is.
//! - [`calls`]: the one model of calls, made of facts that a telephone system tells.
//! - [`dialog`]: machine one, the state of a single connection.
//! - [`hub`]: machine two, the state of a whole node.
//!
//! Both machines have one rhythm: push something in with `handle_*`, take out what follows with `poll_output` until it
//! says `None`, ask `poll_timeout` when to call `handle_timeout` if nothing happens before.

pub mod auth;
pub mod calls;
pub mod codec;
pub mod dialog;
pub mod hub;
pub mod message;
pub mod method;
pub mod telephony;
pub mod time;

pub use time::Time;
