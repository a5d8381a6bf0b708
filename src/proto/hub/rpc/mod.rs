//! Methods this server answers, a file per area. Handlers are ordinary functions: a body for the reply, or a failure.

mod conference;
mod journal;
pub(super) mod phone;
pub(super) mod procedure;
mod queue;
mod session;
mod state;
mod user;
