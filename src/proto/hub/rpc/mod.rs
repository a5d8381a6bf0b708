//! Methods this server answers, a file per area. Handlers are ordinary functions: a body for the reply, or a failure.

mod phone;
mod session;
mod user;
