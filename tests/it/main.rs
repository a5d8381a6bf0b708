//! The real server.

mod config;
