//! Bytes to messages and back. Says what a message is, nothing about when it is legal.
//!
//! [`decode`] validates the whole text in one pass (grammar, depth, repeated names) and opens the top level only: scalars
//! become values, objects and arrays stay [`crate::message::Raw`] fragments, as does a JSON `qid`. [`encode`] copies
//! fragments of its own format as they came and writes everything else anew.
//!
//! What a decoded message holds are slices of the text it was decoded from, and keep that text alive; but a small piece of a
//! large text is a copy, so that nobody who keeps a word keeps a megabyte. Whoever stores many words of messages for longer than the messages live
//! copies them all the same (`Text::from(&*word)`).

mod ascii;
mod json;
pub mod multipart;
mod names;
pub mod outgoing;
pub mod post;
mod xml;

use std::ops::Range;

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

/// A text up to this long is shared by its pieces, however small they are.
const SHARED: usize = 1024;

/// A piece of a text. It shares the text's bytes, and keeps them all, unless it is less than a quarter of a long one: then it is a copy.
fn piece(text: &Text, piece: &str) -> Text {
    if text.len() <= SHARED || piece.len() >= text.len() / 4 { text.slice_ref(piece) } else { Text::from(piece) }
}

/// The same by its place.
fn cut(text: &Text, place: Range<usize>) -> Text {
    let length = text.len();
    if length <= SHARED || place.len() >= length / 4 { text.slice(place) } else { Text::from(&text[place]) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(text: &Text, piece: &Text) -> bool {
        text.as_bytes().as_ptr_range().contains(&piece.as_bytes().as_ptr())
    }

    #[test]
    fn a_word_of_a_large_message_does_not_keep_the_message() {
        for format in [Format::Json, Format::Xml] {
            for (length, shared) in [(10, true), (100_000, false)] {
                let input =
                    Value::Object(crate::message::Object::new().with("a", "word").with("b", "x".repeat(length)));
                let body = crate::message::Body::new().with("phone", "79001112233").with("data", input);
                let text = encode(&Envelope::new("whatever", body), format);
                let read = decode(format, &text, &Limits::default()).expect("a message");
                let large = read.body.object("data").expect("an object");
                for word in [
                    read.name,
                    read.body.text("phone").expect("a text"),
                    large.get("a").and_then(Value::to_text).expect("a text"),
                ] {
                    assert_eq!(shares(&text, &word), shared, "{word} of {} bytes in {format:?}", text.len());
                }
                let Some(Value::String(most)) = large.get("b") else { panic!("no text: {large:?}") };
                assert!(shares(&text, most), "what is most of a message shares it");
            }
        }
    }
}
