//! Writing XML: no blanks between elements, no declaration, `type` only where it is not `string`.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::message::{Envelope, Format, Kind, Part, Raw, Text, Value};

use super::chars;

/// Writes one message.
pub(in super::super) fn encode(envelope: &Envelope) -> Text {
    let size = envelope.body.iter().fold(32 + envelope.name.len(), |sum, (name, part)| {
        let value = match part {
            Part::Value(v) => size_of(v),
            Part::Raw(raw) => raw.text().len(),
        };
        sum + name.len() + 44 + value
    });
    let mut out = String::with_capacity(size);
    start(&mut out, "message", Some(&envelope.name));
    if envelope.body.iter().len() == 0 {
        out.push_str("/>");
        return out.into();
    }
    out.push('>');
    for (name, part) in envelope.body.iter() {
        match part {
            Part::Value(v) => element(&mut out, "param", Some(name), v),
            Part::Raw(raw) if raw.format() == Format::Xml => fragment(&mut out, name, raw),
            Part::Raw(raw) => element(&mut out, "param", Some(name), &raw.open()),
        }
    }
    end(&mut out, "message");
    out.into()
}

/// About how many bytes an element's content takes, tags of children among them.
fn size_of(v: &Value) -> usize {
    match v {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(n) => n.as_str().len(),
        Value::String(s) => s.len(),
        Value::Array(items) => items.iter().fold(0, |sum, item| sum + 28 + size_of(item)),
        Value::Object(members) => members.iter().fold(0, |sum, (name, v)| sum + name.len() + 44 + size_of(v)),
    }
}

/// A fragment of this format, as it came.
fn fragment(out: &mut String, name: &str, raw: &Raw) {
    start(out, "param", Some(name));
    kind(out, if raw.kind() == Kind::Array { "array" } else { "object" });
    if raw.text().is_empty() {
        out.push_str("/>");
    } else {
        out.push('>');
        out.push_str(raw.text());
        end(out, "param");
    }
}

/// One element with its value: a param with its name, or an item.
fn element(out: &mut String, tag: &str, name: Option<&str>, v: &Value) {
    start(out, tag, name);
    match v {
        Value::Null => {
            kind(out, "null");
            out.push_str("/>");
            return;
        }
        Value::Bool(b) => {
            kind(out, "bool");
            out.push_str(if *b { ">true" } else { ">false" });
        }
        Value::Number(n) => {
            kind(out, v.kind());
            out.push('>');
            out.push_str(n.as_str());
        }
        Value::String(s) if s.is_empty() => {
            out.push_str("/>");
            return;
        }
        Value::String(s) if chars::illegal(s).is_some() => {
            out.push_str(" encoding=\"base64\">");
            STANDARD.encode_string(s.as_bytes(), out);
        }
        Value::String(s) => {
            out.push('>');
            text(out, s);
        }
        Value::Array(items) => {
            kind(out, "array");
            if items.is_empty() {
                out.push_str("/>");
                return;
            }
            out.push('>');
            for item in items {
                element(out, "item", None, item);
            }
        }
        Value::Object(members) => {
            kind(out, "object");
            if members.is_empty() {
                out.push_str("/>");
                return;
            }
            out.push('>');
            for (name, v) in members.iter() {
                element(out, "param", Some(name), v);
            }
        }
    }
    end(out, tag);
}

/// The start of a start tag, to behind the name.
fn start(out: &mut String, tag: &str, name: Option<&str>) {
    out.push('<');
    out.push_str(tag);
    let Some(name) = name else { return };
    if chars::illegal(name).is_some() {
        out.push_str(" name64=\"");
        STANDARD.encode_string(name.as_bytes(), out);
    } else {
        out.push_str(" name=\"");
        escaped(out, name, |byte| matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\t' | b'\n' | b'\r'));
    }
    out.push('"');
}

fn kind(out: &mut String, word: &str) {
    out.push_str(" type=\"");
    out.push_str(word);
    out.push('"');
}

fn end(out: &mut String, tag: &str) {
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// Text of an element. CR would be read as LF, so it stands as a reference.
fn text(out: &mut String, s: &str) {
    escaped(out, s, |byte| matches!(byte, b'&' | b'<' | b'>' | b'\r'));
}

fn escaped(out: &mut String, s: &str, special: impl Fn(u8) -> bool) {
    let mut rest = s;
    while let Some(at) = rest.bytes().position(&special) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'&' => out.push_str("&amp;"),
            b'<' => out.push_str("&lt;"),
            b'>' => out.push_str("&gt;"),
            b'"' => out.push_str("&quot;"),
            control => write!(out, "&#{control};").expect("writing to a String cannot fail"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}
