//! Telephone systems behind one trait. A backend hears [`Command`]s and [`Control`]s and tells [`Event`]s, all of them words
//! of [`ctigate_proto::telephony`]. It knows numbers, calls and scenarios; never users, tabs or links. `app` makes the
//! [`channels`] and connects them with the engine, so that a backend cannot learn about sessions even by accident.
//!
//! - [`Directory`]: the inside numbers and queues a backend is told of at the start, and whenever they change.
//! - [`Handle`]: how the house reaches a backend; never waits, a full queue gives the command back.
//! - [`Picture`]: what goes on, for people.
//! - [`Check`]: what an examination finds, for people.
//! - [`supervise`]: runs a backend, starts it anew when it dies, and lets no call or wait of the dead one hang.
//! - [`simulator`]: a telephone system without telephones.
//! - [`asterisk`]: an Asterisk PBX.

pub mod asterisk;
mod check;
mod control;
mod directory;
mod ledger;
mod picture;
mod ports;
pub mod simulator;
mod supervise;

pub use check::{Check, Verdict};
pub use control::{Control, ControlError, Done};
pub use directory::{Directory, Extension, Queue, Strategy};
pub use picture::{CallPicture, LegPicture, PhonePicture, Picture, QueuePicture, Said, Sound};
pub use ports::{Busy, Handle, Heard, Order, Ports, channels};
pub use supervise::{Backend, BackendError, supervise};

#[doc(no_inline)]
pub use ctigate_proto::telephony::{Command, Event};
