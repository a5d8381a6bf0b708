//! Telephony without sockets: people's tabs, the Hub and the simulated telephone system on a clock that jumps, each person
//! watched through the eyes of a known client.

#![allow(dead_code, reason = "the node in a box serves other stories as well")]

#[path = "../proto/schema.rs"]
mod schema;
#[path = "../proto/world/mod.rs"]
mod world;

mod client;
mod office;

// Rows of the table of call semantics.
mod calls;
// What happened, played again.
mod replay;
// People behind the one link of their CRM.
mod tunnel;
