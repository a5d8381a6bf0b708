//! Machine one: the state of one connection. Frames go in; messages for the Hub, frames to send, a login to check or a close
//! come out. It knows the order of things (login, introduction), the heartbeat and the limits; it knows no user and no link
//! but its own.

mod close;

pub use close::CloseReason;
