//! The multipart sets of one connection; the assembling itself is the codec's.

use crate::Time;
use crate::message::{Body, Text};

/// Placeholder until the codec's assembler is here.
#[derive(Debug)]
pub(super) struct Inbox {}

impl Inbox {
    pub(super) fn new(_bytes: usize, _packets: usize) -> Self {
        Self {}
    }

    pub(super) fn push(&mut self, _now: Time, _body: &Body) -> Result<Option<Text>, String> {
        Err("multipart is not understood".to_owned())
    }

    pub(super) fn handle_timeout(&mut self, _now: Time) -> usize {
        0
    }

    pub(super) fn poll_timeout(&self) -> Option<Time> {
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        true
    }
}
