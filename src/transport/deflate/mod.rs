//! Compression of messages: permessage-deflate, RFC 7692.
//!
//! Each message is compressed for itself: both sides always agree on no context takeover. So a message to many is compressed once and
//! shared, and a quiet connection holds no window: 32 KiB to read and 256 KiB to write are the thread's, not the connection's. What it
//! costs is that short messages shrink less (docs/performance.md has the figures).
//!
//! - [`offer`] agrees on it during the handshake; pure.
//! - [`pack`] compresses what is sent; messages that would not shrink go as they are.
//! - [`unpack`] stands behind the guard and hands the WebSocket library plain frames. It bounds a message by what comes out of it while
//!   it comes out, not by what went in.
//!
//! `web.deflate` and a link's `deflate` say where it is agreed on.

pub(super) mod offer;
pub(super) mod pack;
pub(super) mod unpack;

pub(super) use offer::Agreed;
pub(super) use unpack::Unpacker;

/// The end of a flush: the empty stored block that a sender cuts off and a receiver puts back (RFC 7692 7.2.1, 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
