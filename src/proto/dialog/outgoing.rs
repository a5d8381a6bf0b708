//! How a message leaves: as one frame, or cut into multipart packets.

use crate::codec::{self, multipart};
use crate::message::{Format, Shared, Text};
use crate::method::is_reply;

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
    /// About how long the one frame of `message` will be, if it has one that [`Self::append`] can write: for a message that nobody else is to
    /// get. A little more than it will be, unless much in it must be escaped.
    pub fn expected(&self, message: &Shared) -> Option<usize> {
        // Far enough from where a message is cut that the guess does not matter.
        codec::outgoing::expected(message, self.format).filter(|size| *size <= self.threshold / 8)
    }

    /// Appends the text of `message` to `out`. Only where [`Self::expected`] says something.
    pub fn append(&self, message: &Shared, out: &mut Vec<u8>) {
        codec::outgoing::append(message, out);
    }

    /// Hands the frames of `message` to `frame`, in order. Encodes at most once per format, however many peers share it.
    /// `id` names the set, when one has to be made: a GUID that this connection has not seen.
    pub fn write(&self, message: &Shared, id: impl FnOnce() -> Text, mut frame: impl FnMut(&Text)) {
        let text = codec::outgoing::text(message, self.format);
        if text.len() <= self.threshold || !(self.cut_events || is_reply(&message.envelope().name)) {
            return frame(text);
        }
        for packet in multipart::split(text, self.format, &id(), multipart::PIECE) {
            frame(&codec::encode(&packet, self.format));
        }
    }
}
