//! XML: the grammar of `proto-spec/xml.md`, lossless in both directions.
//!
//! The `Reader` of quick-xml cuts a document into its pieces; whether the pieces make a message is checked here, because it
//! lets much pass that is no XML: unclosed elements at the end, several roots, text outside them, unquoted attributes,
//! control characters, nesting without end. Nothing is ever expanded but the five predefined entities and character
//! references.

mod attributes;
mod chars;
mod pull;
mod write;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::message::{Body, Envelope, Format, Grammar, Kind, Number, Object, Part, Raw, Text, Value};

use super::names::{self, Name, Names, ONCE, Seen};
use super::{DecodeError, Limits, MAX_DEPTH, json, piece, quoted};
use attributes::{Element, Tag, Type};
use pull::Pull;

pub(super) use write::encode;

/// Reads one message.
pub(super) fn decode(text: &Text, limits: &Limits) -> Result<Envelope, DecodeError> {
    let mut reader = Reader::new(text, Pull::document(text)?, limits);
    let Some(root) = reader.pull.root(Tag::Message)? else {
        return Err(reader.pull.unexpected("the `message` element"));
    };
    let envelope = reader.envelope(&root)?;
    reader.pull.end()?;
    Ok(envelope)
}

/// Reads what an HTTP body may hold: no message at all, one, or `messages` around several.
pub(super) fn decode_all(text: &Text, limits: &Limits) -> Result<Vec<Envelope>, DecodeError> {
    let mut messages = Vec::new();
    if text.bytes().all(chars::is_blank) {
        return Ok(messages);
    }
    let mut reader = Reader::new(text, Pull::document(text)?, limits);
    if let Some(root) = reader.pull.root(Tag::Message)? {
        messages.push(reader.envelope(&root)?);
    } else {
        let root = reader.pull.root(Tag::Messages)?;
        let Some(root) = root else {
            return Err(reader.pull.unexpected("a `message` or `messages` element"));
        };
        while let Some(message) = reader.pull.child(&root, Tag::Message)? {
            messages.push(reader.envelope(&message)?);
        }
    }
    reader.pull.end()?;
    Ok(messages)
}

/// The grammars of fragments that this codec made, by kind: what stands between the tags of an object or array.
static ARRAY: Grammar = Grammar { format: Format::Xml, kind: Kind::Array, open };
static OBJECT: Grammar = Grammar { format: Format::Xml, kind: Kind::Object, open };

fn open(text: &Text, kind: Kind) -> Value {
    let limits = Limits { depth: MAX_DEPTH, qid: 0 };
    let mut reader = Reader::new(text, Pull::fragment(text), &limits);
    let parent = Element::parent_of_fragment();
    let value = match kind {
        Kind::Object => reader.object(&parent, 1).map(Value::Object),
        Kind::Array => reader.array(&parent, 1).map(Value::Array),
        Kind::Scalar => return Value::Null,
    };
    value.unwrap_or(Value::Null)
}

/// A value that is neither object nor array.
enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Cow<'a, str>),
    String(Cow<'a, str>),
}

/// Reads messages out of one text.
struct Reader<'a> {
    text: &'a Text,
    depth: usize,
    qid: usize,
    pull: Pull<'a>,
    names: Names<'a>,
    /// Children wait on shared stacks until their parent ends and takes them in one allocation of the right size.
    items: Vec<Value>,
    members: Vec<(Text, Value)>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a Text, pull: Pull<'a>, limits: &Limits) -> Self {
        Self {
            text,
            depth: limits.depth.min(MAX_DEPTH),
            qid: limits.qid,
            pull,
            names: Names::default(),
            items: Vec::new(),
            members: Vec::new(),
        }
    }

    /// The message whose start tag was read. Its parameters are depth 1.
    fn envelope(&mut self, root: &Element<'a>) -> Result<Envelope, DecodeError> {
        self.enter(root, 1)?;
        let name = self.cut(root.name.clone());
        let mut members = Vec::with_capacity(8);
        let mut seen = Seen::default();
        while let Some(param) = self.pull.child(root, Tag::Param)? {
            let member = match Name::find(param.name.as_bytes()) {
                Some(name) if !seen.note(&name) => {
                    let what = format!("`{}` a second time", name.word);
                    return Err(DecodeError { what, at: param.at, expected: ONCE });
                }
                Some(Name { word: "qid", .. }) => (Text::from_static("qid"), self.qid(&param)?),
                Some(name) => (Text::from_static(name.word), self.part(&param)?),
                None => {
                    seen.note_other();
                    (self.cut(param.name.clone()), self.part(&param)?)
                }
            };
            members.push(member);
        }
        if seen.may_repeat() && names::repeats(&members) {
            members = names::last_wins(members);
        }
        Ok(Envelope { name, body: Body::of_unique(members) })
    }

    /// The value of one parameter: a scalar opened, anything else validated. A fragment with CDATA, a comment or a repeated
    /// name is opened too, because it must be written anew.
    fn part(&mut self, param: &Element<'a>) -> Result<Part, DecodeError> {
        let grammar = match param.kind {
            Type::Object => &OBJECT,
            Type::Array => &ARRAY,
            _ => return self.scalar(param).map(|scalar| Part::Value(self.opened(scalar))),
        };
        self.pull.forget_oddities();
        let start = self.pull.position();
        let repeated = self.validate(param, 2)?;
        let text = if param.empty { Text::new() } else { self.slice(self.pull.content_since(start)) };
        Ok(if repeated || self.pull.saw_oddities() {
            Part::Value(open(&text, grammar.kind))
        } else {
            Part::Raw(Raw::new(text, grammar))
        })
    }

    /// A qid is opened, because it has no other text that another format could echo. Its limit counts the JSON text.
    fn qid(&mut self, param: &Element<'a>) -> Result<Part, DecodeError> {
        let value = self.value(param, 2)?;
        let length = json::encode_value(&value).len();
        if length > self.qid {
            let what = format!("a qid of {length} bytes");
            return Err(DecodeError { what, at: param.at, expected: "a shorter qid" });
        }
        Ok(Part::Value(value))
    }

    /// Reads a value without opening it. True when an object in it has a name twice.
    fn validate(&mut self, element: &Element<'a>, depth: usize) -> Result<bool, DecodeError> {
        let mut repeated = false;
        match element.kind {
            Type::Object => {
                self.enter(element, depth)?;
                let opened = self.names.open();
                while let Some(param) = self.pull.child(element, Tag::Param)? {
                    repeated |= self.validate(&param, depth + 1)?;
                    self.names.push(param.name);
                }
                repeated |= self.names.close(opened);
            }
            Type::Array => {
                self.enter(element, depth)?;
                while let Some(item) = self.pull.child(element, Tag::Item)? {
                    repeated |= self.validate(&item, depth + 1)?;
                }
            }
            _ => drop(self.scalar(element)?),
        }
        Ok(repeated)
    }

    fn value(&mut self, element: &Element<'a>, depth: usize) -> Result<Value, DecodeError> {
        Ok(match element.kind {
            Type::Object => Value::Object(self.object(element, depth)?),
            Type::Array => Value::Array(self.array(element, depth)?),
            _ => {
                let scalar = self.scalar(element)?;
                self.opened(scalar)
            }
        })
    }

    fn object(&mut self, element: &Element<'a>, depth: usize) -> Result<Object, DecodeError> {
        self.enter(element, depth)?;
        let first = self.members.len();
        let opened = self.names.open();
        while let Some(param) = self.pull.child(element, Tag::Param)? {
            let value = self.value(&param, depth + 1)?;
            self.members.push((self.cut(param.name.clone()), value));
            self.names.push(param.name);
        }
        let mut members: Vec<_> = self.members.drain(first..).collect();
        if self.names.close(opened) {
            members = names::last_wins(members);
        }
        Ok(Object::of_unique(members))
    }

    fn array(&mut self, element: &Element<'a>, depth: usize) -> Result<Vec<Value>, DecodeError> {
        self.enter(element, depth)?;
        let first = self.items.len();
        while let Some(item) = self.pull.child(element, Tag::Item)? {
            let value = self.value(&item, depth + 1)?;
            self.items.push(value);
        }
        Ok(self.items.drain(first..).collect())
    }

    /// Counts a level before it is entered.
    fn enter(&self, element: &Element<'a>, depth: usize) -> Result<(), DecodeError> {
        if depth <= self.depth {
            return Ok(());
        }
        let what = format!("nesting of more than {} levels", self.depth);
        Err(DecodeError { what, at: element.at, expected: "less nesting" })
    }

    /// The content of an element that is neither object nor array, to its end tag.
    fn scalar(&mut self, element: &Element<'a>) -> Result<Scalar<'a>, DecodeError> {
        let at = self.pull.here();
        let text = self.pull.text(element)?;
        let wrong = |expected| Err(DecodeError { what: quoted(&text), at, expected });
        Ok(match element.kind {
            Type::String if element.base64 => match of_base64(&text) {
                Some(decoded) => Scalar::String(decoded.into()),
                None => return wrong("UTF-8 in base64, padded"),
            },
            Type::Null => match &*text {
                "" => Scalar::Null,
                _ => return wrong("no content of a null"),
            },
            Type::Bool => match &*text {
                "true" => Scalar::Bool(true),
                "false" => Scalar::Bool(false),
                _ => return wrong("`true` or `false`"),
            },
            Type::Int if !Number::is_valid(&text) || text.contains(['.', 'e', 'E']) => {
                return wrong("an integer in JSON's grammar");
            }
            Type::Float if !Number::is_valid(&text) => return wrong("a number in JSON's grammar"),
            Type::Int | Type::Float => Scalar::Number(text),
            Type::String | Type::Object | Type::Array => Scalar::String(text),
        })
    }

    fn opened(&self, scalar: Scalar<'a>) -> Value {
        match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(b) => Value::Bool(b),
            Scalar::Number(digits) => Value::Number(Number::of_valid(self.cut(digits))),
            Scalar::String(text) => Value::String(self.cut(text)),
        }
    }

    /// A word of the text: a slice of it, or what had to be resolved.
    fn cut(&self, word: Cow<'a, str>) -> Text {
        match word {
            Cow::Borrowed(slice) => self.slice(slice),
            Cow::Owned(resolved) => resolved.into(),
        }
    }

    fn slice(&self, slice: &'a str) -> Text {
        piece(self.text, slice)
    }
}

/// What a base64 text in the standard alphabet, padded, says in UTF-8.
fn of_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests;
