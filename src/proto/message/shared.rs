//! A message on its way out, perhaps to many peers: encoded, and compressed, at most once per format.

use std::sync::OnceLock;

use bytes::Bytes;

use super::{Envelope, Format, Text};

/// A message to be sent. Held in an `Arc` by every outbox it waits in.
#[derive(Debug)]
pub struct Shared {
    envelope: Envelope,
    weight: usize,
    json: OnceLock<Text>,
    /// What few need.
    rest: OnceLock<Box<Rest>>,
}

#[derive(Debug, Default)]
struct Rest {
    xml: OnceLock<Text>,
    packed_json: OnceLock<Option<Bytes>>,
    packed_xml: OnceLock<Option<Bytes>>,
}

impl Shared {
    /// Wraps a message.
    pub fn new(envelope: Envelope) -> Self {
        Self { weight: 128 + envelope.body.weight(), envelope, json: OnceLock::new(), rest: OnceLock::new() }
    }

    fn rest(&self) -> &Rest {
        self.rest.get_or_init(Box::default)
    }

    /// About how many bytes it occupies while it waits: what bounds of outboxes count.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// The message.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The text in a format, made by `encode` at the first asking.
    pub fn text(&self, format: Format, encode: impl FnOnce(&Envelope) -> Text) -> &Text {
        match format {
            Format::Json => &self.json,
            Format::Xml => &self.rest().xml,
        }
        .get_or_init(|| encode(&self.envelope))
    }

    /// Whether the text in a format was made.
    pub fn has_text(&self, format: Format) -> bool {
        match format {
            Format::Json => self.json.get().is_some(),
            Format::Xml => self.rest.get().is_some_and(|rest| rest.xml.get().is_some()),
        }
    }

    /// The text in a format as peers get it who agreed on compression, made by `pack` at the first asking; `None` when it did not pay. All
    /// who ask must pack alike.
    pub fn packed(&self, format: Format, pack: impl FnOnce() -> Option<Bytes>) -> Option<Bytes> {
        match format {
            Format::Json => &self.rest().packed_json,
            Format::Xml => &self.rest().packed_xml,
        }
        .get_or_init(pack)
        .clone()
    }
}

impl From<Envelope> for Shared {
    fn from(e: Envelope) -> Self {
        Self::new(e)
    }
}
