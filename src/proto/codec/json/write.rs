//! Writing JSON: compact, in raw UTF-8, as bytes: into a buffer of its own whose size is reckoned beforehand, or behind what is there.

use std::io::Write;

use crate::message::{Envelope, Format, Part, Text, Value};

use super::scan::{is_plain, skip_plain};

/// Writes one message.
pub(in super::super) fn encode(envelope: &Envelope) -> Text {
    let mut out = Vec::with_capacity(size_of_message(envelope));
    append(envelope, &mut out);
    text(&out)
}

/// Appends one message.
pub(in super::super) fn append(envelope: &Envelope, out: &mut Vec<u8>) {
    out.push(b'[');
    string(out, envelope.name.as_bytes());
    out.extend_from_slice(b",{");
    for (i, (name, part)) in envelope.body.iter().enumerate() {
        member(out, i, name);
        match part {
            Part::Value(v) => value(out, v),
            Part::Raw(raw) if raw.format() == Format::Json => out.extend_from_slice(raw.text().as_bytes()),
            Part::Raw(raw) => value(out, &raw.open()),
        }
    }
    out.extend_from_slice(b"}]");
}

/// Writes one value.
pub(in super::super) fn encode_value(v: &Value) -> Text {
    let mut out = Vec::with_capacity(size_of(v));
    value(&mut out, v);
    text(&out)
}

fn text(written: &[u8]) -> Text {
    Text::try_from(written).expect("texts were put together")
}

/// How many bytes a message takes: right unless something must be escaped or is translated.
pub(super) fn size_of_message(envelope: &Envelope) -> usize {
    // `["`, `",{`, `}]`, and a comma less than there are members.
    let frame = envelope.name.len() + 7 - usize::from(envelope.body.iter().len() > 0);
    envelope.body.iter().fold(frame, |sum, (name, part)| {
        let value = match part {
            Part::Value(v) => size_of(v),
            Part::Raw(raw) => raw.text().len(),
        };
        sum + name.len() + 4 + value
    })
}

/// The same for a value.
fn size_of(v: &Value) -> usize {
    match v {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(n) => n.as_str().len(),
        Value::String(s) => s.len() + 2,
        Value::Array(items) => {
            items.iter().fold(2 - usize::from(!items.is_empty()), |sum, item| sum + 1 + size_of(item))
        }
        Value::Object(members) => {
            let frame = 2 - usize::from(members.iter().len() > 0);
            members.iter().fold(frame, |sum, (name, v)| sum + name.len() + 4 + size_of(v))
        }
    }
}

fn value(out: &mut Vec<u8>, v: &Value) {
    match v {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(n) => out.extend_from_slice(n.as_str().as_bytes()),
        Value::String(s) => string(out, s.as_bytes()),
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                value(out, item);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (i, (name, v)) in members.iter().enumerate() {
                member(out, i, name);
                value(out, v);
            }
            out.push(b'}');
        }
    }
}

/// The name of a member, and what stands around it. In the names that we write ourselves nothing is to be escaped.
fn member(out: &mut Vec<u8>, place: usize, name: &Text) {
    if !name.is_static() {
        if place > 0 {
            out.push(b',');
        }
        string(out, name.as_bytes());
        return out.push(b':');
    }
    debug_assert!(is_plain(name.as_bytes()), "{name:?}");
    out.reserve(name.len() + 4);
    out.extend_from_slice(if place > 0 { b",\"" } else { b"\"" });
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn string(out: &mut Vec<u8>, s: &[u8]) {
    out.reserve(s.len() + 2);
    out.push(b'"');
    if is_plain(s) {
        out.extend_from_slice(s);
    } else {
        escaped(out, s);
    }
    out.push(b'"');
}

/// The inside of a string of which something must be escaped.
fn escaped(out: &mut Vec<u8>, s: &[u8]) {
    let (mut done, mut at) = (0, skip_plain(s, 0));
    loop {
        out.extend_from_slice(&s[done..at]);
        let Some(&byte) = s.get(at) else { break };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => write!(out, "\\u{byte:04x}").expect("writing to memory cannot fail"),
        }
        done = at + 1;
        at = skip_plain(s, done);
    }
}
