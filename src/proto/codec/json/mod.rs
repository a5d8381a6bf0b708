//! JSON, RFC 8259: an array of a name and an object.
//!
//! One scanner of our own reads it, because every message of every peer passes here: one pass that validates and finds the
//! members of the top level, no tree for what is only passed on. Stricter than the RFC demands: lone surrogates are
//! refused, and nesting has a limit. More lenient in one thing: a byte order mark in front is dropped.

mod scan;
mod tree;
mod write;

use crate::message::{Body, Envelope, Format, Grammar, Kind, Number, Part, Raw, Text, Value};
use crate::method;

use super::names::{self, Name, Names, ONCE, Seen};
use super::{DecodeError, Limits, cut};
use scan::{Failed, Scanner, Span};

pub(super) use write::{append, encode, encode_value};

/// Reads one message.
pub(super) fn decode(text: &Text, limits: &Limits) -> Result<Envelope, DecodeError> {
    let mut reader = Reader::new(text, limits);
    reader.only().map_err(|Failed| reader.scan.failure())
}

/// Reads what an HTTP body may hold: no message at all, one, or an array of them.
pub(super) fn decode_all(text: &Text, limits: &Limits) -> Result<Vec<Envelope>, DecodeError> {
    let mut reader = Reader::new(text, limits);
    reader.all().map_err(|Failed| reader.scan.failure())
}

/// Reads one value of any kind.
pub(super) fn decode_value(text: &Text, depth: usize) -> Result<Value, DecodeError> {
    tree::read(text, depth)
}

/// The grammars of fragments that this codec made, by kind.
static SCALAR: Grammar = Grammar { format: Format::Json, kind: Kind::Scalar, open };
static ARRAY: Grammar = Grammar { format: Format::Json, kind: Kind::Array, open };
static OBJECT: Grammar = Grammar { format: Format::Json, kind: Kind::Object, open };

fn open(text: &Text, _: Kind) -> Value {
    tree::read(text, super::MAX_DEPTH).unwrap_or(Value::Null)
}

/// Reads messages out of one text.
struct Reader<'a> {
    text: &'a Text,
    limits: &'a Limits,
    scan: Scanner<'a>,
    names: Names<'a>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a Text, limits: &'a Limits) -> Self {
        Self { text, limits, scan: Scanner::new(text, limits.depth), names: Names::default() }
    }

    /// One message and nothing behind it.
    fn only(&mut self) -> Result<Envelope, Failed> {
        let envelope = self.envelope()?;
        self.scan.end("nothing after the message")?;
        Ok(envelope)
    }

    /// Any number of messages.
    fn all(&mut self) -> Result<Vec<Envelope>, Failed> {
        let mut messages = Vec::new();
        self.scan.blanks();
        if self.scan.peek().is_none() {
            return Ok(messages);
        }
        if self.scan.peek() == Some(b'[') && matches!(self.scan.peek_behind(), Some(b'[' | b']')) {
            let mut more = self.scan.enter(b']', 0)?;
            while more {
                messages.push(self.envelope()?);
                more = self.scan.more(b']')?;
            }
        } else {
            messages.push(self.envelope()?);
        }
        self.scan.end("nothing after the messages")?;
        Ok(messages)
    }

    /// One message, from where the scanner stands.
    fn envelope(&mut self) -> Result<Envelope, Failed> {
        self.scan.blanks();
        self.scan.take(b'[', "a message: an array of a name and an object")?;
        self.scan.blanks();
        if self.scan.peek() != Some(b'"') {
            return Err(self.scan.unexpected("the name of the message, a string"));
        }
        let span = self.scan.string()?;
        // A name of the catalogue is the program's own, and keeps nothing of the message.
        let known = if span.escaped { None } else { method::find(&self.text[span.start..span.end]) };
        let name = known.map_or_else(|| self.string(span), |known| Text::from_static(known.name));
        self.scan.blanks();
        self.scan.take(b',', "`,` and the parameters")?;
        self.scan.blanks();
        if self.scan.peek() != Some(b'{') {
            return Err(self.scan.unexpected("the parameters, an object"));
        }
        let body = self.body()?;
        self.scan.blanks();
        self.scan.take(b']', "`]`: a message has exactly two elements")?;
        Ok(Envelope { name, body })
    }

    /// The parameters. Their object is depth 1.
    fn body(&mut self) -> Result<Body, Failed> {
        let mut members: Vec<(Text, Part)> = Vec::with_capacity(8);
        let mut seen = Seen::default();
        let mut more = self.scan.enter(b'}', 1)?;
        while more {
            let at = self.scan.at();
            let span = self.scan.name()?;
            let found = if span.escaped {
                Name::find(self.scan.unescaped(span).as_bytes())
            } else {
                Name::find(&self.text.as_bytes()[span.start..span.end])
            };
            let member = match found {
                Some(name) if !seen.note(&name) => {
                    let what = format!("`{}` a second time", name.word);
                    return Err(self.scan.fail(what, at, ONCE));
                }
                Some(Name { word: "qid", .. }) => (Text::from_static("qid"), self.qid()?),
                Some(name) => (Text::from_static(name.word), self.part()?),
                None => {
                    seen.note_other();
                    (self.string(span), self.part()?)
                }
            };
            members.push(member);
            more = self.scan.more(b'}')?;
        }
        if seen.may_repeat() && names::repeats(&members) {
            members = names::last_wins(members);
        }
        Ok(Body::of_unique(members))
    }

    /// The value of one parameter: a scalar opened, anything else validated.
    fn part(&mut self) -> Result<Part, Failed> {
        let start = self.scan.at();
        let value = match self.scan.peek() {
            Some(b'"') => {
                let span = self.scan.string()?;
                Value::String(self.string(span))
            }
            Some(b'{') => return self.fragment(&OBJECT),
            Some(b'[') => return self.fragment(&ARRAY),
            _ => {
                self.scan.scalar()?;
                self.plain(start)
            }
        };
        Ok(Part::Value(value))
    }

    /// A qid stays as it was written, whatever it is.
    fn qid(&mut self) -> Result<Part, Failed> {
        let start = self.scan.at();
        let part = match self.scan.peek() {
            Some(b'{') => self.fragment(&OBJECT)?,
            Some(b'[') => self.fragment(&ARRAY)?,
            _ => {
                self.scan.scalar()?;
                Part::Raw(Raw::new(self.slice(start), &SCALAR))
            }
        };
        let length = self.scan.at() - start;
        if length > self.limits.qid {
            return Err(self.scan.fail(format!("a qid of {length} bytes"), start, "a shorter qid"));
        }
        Ok(part)
    }

    /// An object or array: its bytes, or its value when a name in it is repeated and it must be written anew.
    fn fragment(&mut self, grammar: &'static Grammar) -> Result<Part, Failed> {
        let start = self.scan.at();
        let repeated = self.scan.container(&mut self.names, 2)?;
        let text = self.slice(start);
        Ok(if repeated { Part::Value(open(&text, grammar.kind)) } else { Part::Raw(Raw::new(text, grammar)) })
    }

    /// The number or literal that begins at `start` and ends where the scanner stands.
    fn plain(&self, start: usize) -> Value {
        match self.text.as_bytes()[start] {
            b't' => Value::Bool(true),
            b'f' => Value::Bool(false),
            b'n' => Value::Null,
            digit @ b'0'..=b'9' if self.scan.at() == start + 1 => Value::from(i64::from(digit - b'0')),
            _ => Value::Number(Number::of_valid(self.slice(start))),
        }
    }

    fn slice(&self, start: usize) -> Text {
        cut(self.text, start..self.scan.at())
    }

    /// The content of a string: a slice of the text when nothing in it is escaped.
    fn string(&self, span: Span) -> Text {
        if span.escaped { self.scan.unescaped(span).into_owned().into() } else { cut(self.text, span.start..span.end) }
    }
}

#[cfg(test)]
mod tests;
