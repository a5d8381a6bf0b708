//! The catalogue: every message of the protocol, in both directions, typed.
//!
//! One definition per message, in the file of its area, makes everything that is known about it: the struct with its
//! documentation, the [`Field`]s that the specification lists, the reader [`Typed::from_body`] and the writer
//! [`Typed::into_body`], and its row in [`MESSAGES`]. `proto-spec/` says the same in words; tests hold the two equal.
//!
//! Readers are lenient about scalars (a number or boolean may come as a string, unknown parameters are ignored) and exact
//! about structure; writers are always strictly typed. Free-form parameters ([`Members`], [`Items`], [`Any`]) stay
//! unopened, so that a message can be passed on as the bytes it came in.
//!
//! Who calls: the Hub and the Dialog, for names, rights and typed parameters; the shell, for which fields are secret.
//! Nothing here decides what a message does.

mod define;
mod entry;
mod head;
mod param;
mod table;

pub mod call;
pub mod chat;
pub mod conference;
pub mod custom;
pub mod dynamic;
pub mod file;
pub mod form;
pub mod link;
pub mod procedure;
pub mod queue;
pub mod redirect;
pub mod session;
pub mod user;

pub use entry::{Class, Field, Flow, Message, Origin, Outcome, Record, Right, Typed};
pub use head::{Failure, Head};
pub use param::{Any, Given, Items, ListOrFalse, Members, OneOrMany, Param, Secret, Type, Wrong};
pub use table::{GROUPS, Group, MESSAGES, SUBSCRIBE_MAX, find, group, is_reply, place, reply_name};

/// The GUID that stands for "none": no department, no line, no chain.
pub const ZERO_GUID: &str = "00000000-0000-0000-0000-000000000000";
