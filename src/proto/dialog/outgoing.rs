//! How a message leaves: as one frame, or cut into multipart packets.

use crate::message::{Format, Shared, Text};

/// What decides how one peer is written to.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// The peer's format.
    pub format: Format,
    /// Longest plain frame, bytes.
    pub threshold: usize,
    /// Whether events may be cut too (links), or replies only (browsers).
    pub cut_events: bool,
}

impl Writer {
    /// Hands the frames of `message` to `frame`, in order. Encodes at most once per format, however many peers share it.
    pub fn write(&self, message: &Shared, mut frame: impl FnMut(Text)) {
        frame(crate::codec::outgoing::text(message, self.format).clone());
    }
}
