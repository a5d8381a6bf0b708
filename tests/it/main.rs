//! The real server.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod config;
mod store;
// CRMs that connect to us.
mod crm_accept;
// What the listeners answer before anybody speaks WebSocket.
mod handshake;
// What peers may not do, and how many there may be.
mod limits;
// Gateways and peers for the stories.
mod support;
