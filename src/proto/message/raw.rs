//! Fragments that stay unopened: validated bytes of one value.

use std::fmt;

use super::{Text, Value};

/// The two encodings of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// JSON, RFC 8259.
    Json,
    /// The XML form of `proto-spec/xml.md`.
    Xml,
}

impl Format {
    /// The word of the sub-protocol header and of the POST field `format`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }
}

/// What a fragment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither object nor array (only for a `qid` that is echoed as it was written).
    Scalar,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// What a codec offers for the fragments of one kind that it made: reading them again. It lets the Hub open a fragment without knowing any
/// format.
#[derive(Debug)]
pub struct Grammar {
    /// The format of the fragments.
    pub format: Format,
    /// What they hold.
    pub kind: Kind,
    /// Opens a fragment that this grammar has validated. Cannot fail for those; anything else gives `Null`.
    pub open: fn(&Text, Kind) -> Value,
}

/// One value as validated bytes of one format: in JSON the text of the value, in XML what stands between the start and the
/// end tag of its element.
#[derive(Clone)]
pub struct Raw {
    text: Text,
    grammar: &'static Grammar,
}

impl Raw {
    /// For codecs only: `text` has been validated by `grammar` as a value of its kind, and holds no repeated member name.
    pub fn new(text: Text, grammar: &'static Grammar) -> Self {
        Self { text, grammar }
    }

    /// The same value, as [`Text::to_keep`].
    #[must_use]
    pub fn to_keep(&self) -> Self {
        Self { text: self.text.to_keep(), grammar: self.grammar }
    }

    /// The bytes.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// What it holds.
    pub fn kind(&self) -> Kind {
        self.grammar.kind
    }

    /// The format of the bytes.
    pub fn format(&self) -> Format {
        self.grammar.format
    }

    /// The value, opened.
    pub fn open(&self) -> Value {
        (self.grammar.open)(&self.text, self.grammar.kind)
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({:?}, {:?}, {} bytes)", self.format(), self.kind(), self.text.len())
    }
}
