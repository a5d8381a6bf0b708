//! Start tags: which elements and attributes there are.

use std::borrow::Cow;

use super::super::{DecodeError, found, quoted};
use super::chars;
use super::of_base64;

/// The elements of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Message,
    Messages,
    Param,
    Item,
}

impl Tag {
    /// The element's name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Messages => "messages",
            Self::Param => "param",
            Self::Item => "item",
        }
    }

    /// What is expected where another element stands.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Message => "a `message` element",
            Self::Messages => "a `messages` element",
            Self::Param => "a `param` element",
            Self::Item => "an `item` element",
        }
    }
}

/// The values of `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Int,
    Float,
    Bool,
    Null,
    Object,
    Array,
}

impl Type {
    fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::String,
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "null" => Self::Null,
            "object" => Self::Object,
            "array" => Self::Array,
            _ => return None,
        })
    }
}

/// One element, by its start tag.
#[derive(Debug)]
pub(super) struct Element<'a> {
    /// `name`, or what `name64` says; empty for the elements that have none.
    pub(super) name: Cow<'a, str>,
    /// `type`. A message is an object.
    pub(super) kind: Type,
    /// Whether the content is `encoding="base64"`.
    pub(super) base64: bool,
    /// Whether it has no end tag.
    pub(super) empty: bool,
    /// Where its tag begins.
    pub(super) at: usize,
}

impl<'a> Element<'a> {
    /// What stands around the content of a fragment.
    pub(super) fn parent_of_fragment() -> Self {
        Self { name: Cow::Borrowed(""), kind: Type::Object, base64: false, empty: false, at: 0 }
    }

    /// Reads the attributes of a start tag. `source` is what stands behind the element's name, `base` where that is, and
    /// `at` where the tag begins.
    pub(super) fn read(tag: Tag, source: &'a str, base: usize, empty: bool, at: usize) -> Result<Self, DecodeError> {
        let mut attributes = Attributes::new(source, base);
        let (mut name, mut kind, mut encoding) = (None, None, None);
        let named = matches!(tag, Tag::Message | Tag::Param);
        let typed = matches!(tag, Tag::Param | Tag::Item);
        while let Some(Attribute { name: word, value, at, value_at }) = attributes.next()? {
            let wrong = |value: &str, expected| DecodeError { what: quoted(value), at: value_at, expected };
            let new = match word {
                "name" if named => name.replace(value).is_none(),
                "name64" if named => {
                    let decoded = of_base64(&value).ok_or_else(|| wrong(&value, "UTF-8 in base64, padded"))?;
                    name.replace(Cow::Owned(decoded)).is_none()
                }
                "type" if typed => {
                    let read = Type::of_word(&value);
                    let read = read.ok_or_else(|| wrong(&value, "string, int, float, bool, null, object or array"))?;
                    kind.replace(read).is_none()
                }
                "encoding" if typed => {
                    if value != "base64" {
                        return Err(wrong(&value, "`base64`"));
                    }
                    encoding.replace(at).is_none()
                }
                other => {
                    let what = format!("attribute {} of `{}`", quoted(other), tag.word());
                    let expected = match tag {
                        Tag::Message => "`name` or `name64`",
                        Tag::Messages => "no attribute",
                        Tag::Param => "`name` or `name64`, `type`, `encoding`",
                        Tag::Item => "`type`, `encoding`",
                    };
                    return Err(DecodeError { what, at, expected });
                }
            };
            if !new {
                let what = format!("attribute `{word}` besides another");
                return Err(DecodeError { what, at, expected: "each once, and one of `name` and `name64`" });
            }
        }
        if named && name.is_none() {
            let what = format!("a `{}` without a name", tag.word());
            return Err(DecodeError { what, at, expected: "`name` or `name64`" });
        }
        let kind = kind.unwrap_or(if typed { Type::String } else { Type::Object });
        if let (Some(at), true) = (encoding, kind != Type::String) {
            let what = "`encoding` on what is no string".to_owned();
            return Err(DecodeError { what, at, expected: "it on strings only" });
        }
        Ok(Self { name: name.unwrap_or_default(), kind, base64: encoding.is_some(), empty, at })
    }
}

/// One attribute, its value resolved.
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) value: Cow<'a, str>,
    /// Where its name begins.
    pub(super) at: usize,
    /// Where its value begins.
    pub(super) value_at: usize,
}

/// The attributes of one tag, read strictly: blanks before each, an equals sign, a value in quotes.
pub(super) struct Attributes<'a> {
    source: &'a str,
    base: usize,
    at: usize,
}

impl<'a> Attributes<'a> {
    /// `source` is what stands behind the name of the tag, `base` where that is in the text.
    pub(super) fn new(source: &'a str, base: usize) -> Self {
        Self { source, base, at: 0 }
    }

    /// The next attribute.
    pub(super) fn next(&mut self) -> Result<Option<Attribute<'a>>, DecodeError> {
        let blanks = self.blanks();
        let bytes = self.source.as_bytes();
        if self.at == bytes.len() {
            return Ok(None);
        }
        if blanks == 0 {
            return Err(self.unexpected("a blank before an attribute"));
        }
        let start = self.at;
        let ends = |byte: u8| chars::is_blank(byte) || matches!(byte, b'=' | b'"' | b'\'' | b'<' | b'/');
        while self.at < bytes.len() && !ends(bytes[self.at]) {
            self.at += 1;
        }
        let name = &self.source[start..self.at];
        if name.is_empty() {
            return Err(self.unexpected("the name of an attribute"));
        }
        self.blanks();
        if self.peek() != Some(b'=') {
            return Err(self.unexpected("`=` and a value in quotes"));
        }
        self.at += 1;
        self.blanks();
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Err(self.unexpected("a value in quotes"));
        };
        self.at += 1;
        let value_start = self.at;
        let mut special = false;
        while self.at < bytes.len() && bytes[self.at] != quote {
            special |= matches!(bytes[self.at], b'&' | b'<' | b'\t' | b'\n' | b'\r');
            self.at += 1;
        }
        let value = &self.source[value_start..self.at];
        let value_at = self.base + value_start;
        let value = if special { Cow::Owned(resolve(value, value_at)?) } else { Cow::Borrowed(value) };
        if self.at == bytes.len() {
            return Err(self.unexpected("a closing quote"));
        }
        self.at += 1;
        Ok(Some(Attribute { name, value, at: self.base + start, value_at }))
    }

    fn peek(&self) -> Option<u8> {
        self.source.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(chars::is_blank) {
            self.at += 1;
        }
        self.at - start
    }

    fn unexpected(&self, expected: &'static str) -> DecodeError {
        let what =
            if self.at == self.source.len() { "the end of the tag".to_owned() } else { found(self.source, self.at) };
        DecodeError { what, at: self.base + self.at, expected }
    }
}

/// What an attribute's value says: references resolved, literal tabs and line ends read as blanks (XML 1.0, 3.3.3).
fn resolve(raw: &str, base: usize) -> Result<String, DecodeError> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let offset = base + raw.len() - rest.len() + at;
        let special = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match special {
            b'&' => {
                let name = rest.split_once(';').map(|(name, _)| name);
                let Some((name, c)) = name.and_then(|name| Some((name, chars::reference(name)?))) else {
                    return Err(bad_reference(name.unwrap_or(rest), offset));
                };
                out.push(c);
                rest = &rest[name.len() + 1..];
            }
            b'<' => return Err(DecodeError { what: "`<`".to_owned(), at: offset, expected: "`&lt;` in an attribute" }),
            b'\r' if rest.starts_with('\n') => {}
            _ => out.push(' '),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// A reference that means nothing here.
pub(super) fn bad_reference(name: &str, at: usize) -> DecodeError {
    let what = format!("reference {}", quoted(name));
    DecodeError { what, at, expected: "a legal character, or lt, gt, amp, apos or quot, and `;`" }
}
