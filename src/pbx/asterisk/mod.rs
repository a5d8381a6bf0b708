//! Asterisk as a telephone system: by its Manager Interface it is seen and told what to do, by FastAGI its dialplan asks.
//!
//! - [`ami`]: the Manager Interface.
//! - [`agi`]: the FastAGI server.
//! - [`machine`]: what is known of the PBX, the facts that follow, and the orders to it; pure.
//! - [`doctor`]: looks whether everything is there that the gateway needs.
//! - [`fragments`]: ready-made pieces of Asterisk's configuration.
//! - [`Asterisk`]: the task that drives them, a [`super::Backend`].

pub mod agi;
pub mod ami;
pub mod doctor;
mod driver;
mod extensions;
pub mod fragments;
pub mod machine;

use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::config;
use crate::telemetry::Telemetry;

pub use extensions::Extensions;

/// What an Asterisk is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is, and who we are there.
    pub account: ami::Account,
    /// What the operator says of it, without the secret: other numbers and queues get a plan by this.
    pub choices: config::Asterisk,
    /// What is known of it beforehand.
    pub plan: machine::Plan,
    /// Which inside numbers are read from it.
    pub extensions: Extensions,
    /// What its dialplan may ask.
    pub agi: agi::Settings,
    /// Where it is counted.
    pub telemetry: Telemetry,
}

/// An Asterisk as a backend.
#[derive(Debug)]
pub struct Asterisk {
    settings: Settings,
    listener: Option<TcpListener>,
    runs: agi::Runs,
    /// The machine's time zero.
    started: Instant,
}
