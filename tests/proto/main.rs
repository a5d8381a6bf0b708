//! The protocol without sockets.

// The catalogue as its callers see it.
mod catalogue;
