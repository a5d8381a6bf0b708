//! Writing JSON: compact, in raw UTF-8, into one buffer whose size is reckoned beforehand.

use std::fmt::Write;

use crate::message::{Envelope, Format, Object, Part, Text, Value};

use super::scan::skip_plain;

/// Writes one message.
pub(in super::super) fn encode(envelope: &Envelope) -> Text {
    let mut out = String::with_capacity(size_of_message(envelope));
    out.push('[');
    string(&mut out, &envelope.name);
    out.push_str(",{");
    for (i, (name, part)) in envelope.body.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(&mut out, name);
        out.push(':');
        match part {
            Part::Value(v) => value(&mut out, v),
            Part::Raw(raw) if raw.format() == Format::Json => out.push_str(raw.text()),
            Part::Raw(raw) => value(&mut out, &raw.open()),
        }
    }
    out.push_str("}]");
    out.into()
}

/// Writes one value.
pub(in super::super) fn encode_value(v: &Value) -> Text {
    let mut out = String::with_capacity(size_of(v));
    value(&mut out, v);
    out.into()
}

/// How many bytes a message takes: right unless something must be escaped or is translated. A text that fills its room takes one piece of the
/// heap, any other two.
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

fn value(out: &mut String, v: &Value) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(n) => out.push_str(n.as_str()),
        Value::String(s) => string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => object(out, members),
    }
}

fn object(out: &mut String, members: &Object) {
    out.push('{');
    for (i, (name, v)) in members.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        value(out, v);
    }
    out.push('}');
}

fn string(out: &mut String, s: &str) {
    out.push('"');
    let first = skip_plain(s.as_bytes(), 0);
    if first == s.len() {
        out.push_str(s);
    } else {
        escaped(out, s, first);
    }
    out.push('"');
}

/// The inside of a string, of which the first byte to be escaped is at `first`.
fn escaped(out: &mut String, s: &str, first: usize) {
    let (mut done, mut at) = (0, first);
    loop {
        out.push_str(&s[done..at]);
        let Some(&byte) = s.as_bytes().get(at) else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => write!(out, "\\u{byte:04x}").expect("writing to a String cannot fail"),
        }
        done = at + 1;
        at = skip_plain(s.as_bytes(), done);
    }
}
