//! Methods this server answers, a file per area. Handlers are ordinary functions: a body for the reply, or a failure.

mod conference;
pub(super) mod phone;
mod queue;
mod session;
mod state;
mod user;
