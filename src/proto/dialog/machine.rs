//! The machine.

use crate::Time;
use crate::message::{Format, Text};

use super::{CloseReason, Output, Role, Settings, Verdict, Writer};

/// The state of one connection.
#[derive(Debug)]
pub struct Dialog {}

impl Dialog {
    /// A connection that has just been upgraded. `format` is `None` when the sub-protocol named neither json nor xml.
    pub fn new(now: Time, role: Role, format: Option<Format>, settings: Settings) -> Self {
        let _ = (now, role, format, settings);
        Self {}
    }

    /// A whole text message came in (UTF-8 has been checked). Counts as a sign of life.
    pub fn handle_text(&mut self, now: Time, text: &Text) {
        let _ = (now, text);
    }

    /// A binary message came in: closes with 1003.
    pub fn handle_binary(&mut self, now: Time) {
        let _ = now;
    }

    /// Any other sign of life: ping or pong.
    pub fn handle_alive(&mut self, now: Time) {
        let _ = now;
    }

    /// What came of [`Output::Authenticate`].
    pub fn handle_verdict(&mut self, now: Time, verdict: Verdict) {
        let _ = (now, verdict);
    }

    /// Time has passed; safe to call early or twice.
    pub fn handle_timeout(&mut self, now: Time) {
        let _ = now;
    }

    /// When to call [`Self::handle_timeout`] at the latest; `None`: never.
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// What follows, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// The largest message that is taken now, bytes: the transport refuses larger ones by their header with 1009.
    pub fn max_message(&self) -> usize {
        0
    }

    /// Whether the peer is open: it has logged in, or introduced itself.
    pub fn is_open(&self) -> bool {
        false
    }

    /// How to write to this peer; `None` when it has no format.
    pub fn writer(&self) -> Option<Writer> {
        None
    }

    /// The transport ends the dialog for a reason of its own; afterwards nothing comes out any more.
    pub fn close(&mut self, reason: CloseReason) {
        let _ = reason;
    }
}
