//! Bytes to messages and back. Says what a message is, nothing about when it is legal.
//!
//! [`decode`] validates the whole text in one pass (grammar, depth, repeated names) and opens the top level only: scalars
//! become values, objects and arrays stay [`crate::message::Raw`] fragments, as does a JSON `qid`. [`encode`] copies
//! fragments of its own format as they came and writes everything else anew.
//!
//! What a decoded message holds are slices of the text it was decoded from, and keep that text alive. Whoever stores a
//! word of a message for longer than the message lives copies it (`Text::from(&*word)`).

mod ascii;
mod json;
pub mod multipart;
mod names;
pub mod outgoing;
pub mod post;
mod xml;

use thiserror::Error;

use crate::message::{Envelope, Format, Text, Value};

pub use ascii::to_ascii;

/// The deepest nesting that any [`Limits`] can allow. Readers descend by recursion, so the stack sets a bound of its own.
pub const MAX_DEPTH: usize = 256;

/// What a decoder accepts.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Deepest nesting; the parameters' object is depth 1. At most [`MAX_DEPTH`], which holds when more is asked for.
    pub depth: usize,
    /// Longest `qid`, in bytes of its JSON text.
    pub qid: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 64, qid: 256 }
    }
}

/// Why a text is no message. The peer gets 59002 with this in `errormsg`; the connection lives.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{what} at byte {at}, expected {expected}")]
pub struct DecodeError {
    /// What was found. Short, and without control characters.
    pub what: String,
    /// Where: offset in bytes from the start of the text.
    pub at: usize,
    /// What should have been there.
    pub expected: &'static str,
}

/// Reads one message.
///
/// # Errors
/// [`DecodeError`] when the text is not JSON or XML, is not of the message shape, nests too deep, repeats one of the names
/// that must be unique, or holds a qid that is too long.
pub fn decode(format: Format, text: &Text, limits: &Limits) -> Result<Envelope, DecodeError> {
    match format {
        Format::Json => json::decode(text, limits),
        Format::Xml => xml::decode(text, limits),
    }
}

/// Writes one message. Fragments of the same format are copied as they came; others are opened and written anew.
pub fn encode(envelope: &Envelope, format: Format) -> Text {
    match format {
        Format::Json => json::encode(envelope),
        Format::Xml => xml::encode(envelope),
    }
}

/// Reads what an HTTP body may hold: no message at all (nothing but blanks), one message, or several: in JSON an array of
/// messages, in XML `<messages>` around them.
///
/// # Errors
/// As [`decode`]; one bad message refuses them all.
pub fn decode_all(format: Format, text: &Text, limits: &Limits) -> Result<Vec<Envelope>, DecodeError> {
    match format {
        Format::Json => json::decode_all(text, limits),
        Format::Xml => xml::decode_all(text, limits),
    }
}

/// Reads one JSON value that is no message: the body of an HTTP request, a configured parameter. Repeated names: the last
/// value wins, at the first one's place.
///
/// # Errors
/// [`DecodeError`] when the text is not one JSON value or nests deeper than `depth`.
pub fn decode_value(text: &Text, depth: usize) -> Result<Value, DecodeError> {
    json::decode_value(text, depth)
}

/// Writes one JSON value that is no message, compact, in raw UTF-8.
pub fn encode_value(value: &Value) -> Text {
    json::encode_value(value)
}

/// How an error names the character that was found at `at`: itself when it prints, its number when it does not.
fn found(text: &str, at: usize) -> String {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        None => "end of text".to_owned(),
        Some(c) if c.is_ascii_graphic() => format!("`{c}`"),
        Some(' ') => "a blank".to_owned(),
        Some(c) => format!("U+{:04X}", u32::from(c)),
    }
}

/// How an error quotes what somebody wrote: its beginning, without control characters.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut out = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == LONGEST {
            out.push_str("...");
            break;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out.push('`');
    out
}
