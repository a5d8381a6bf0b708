//! The real server.

mod config;
mod store;
