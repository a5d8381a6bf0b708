//! A whole value, opened.

use crate::message::{Number, Object, Text, Value};

use super::super::names::{self, Names};
use super::super::{DecodeError, cut};
use super::scan::{Failed, Scanner, Span};

/// Reads a text that is one value. Fragments that were validated before pass the same checks again: they cost little, and
/// nothing here can then rest on a promise made elsewhere.
pub(super) fn read(text: &Text, depth: usize) -> Result<Value, DecodeError> {
    let mut tree =
        Tree { text, scan: Scanner::new(text, depth), items: Vec::new(), members: Vec::new(), names: Names::default() };
    tree.only().map_err(|Failed| tree.scan.failure())
}

/// Children wait on shared stacks until their parent ends and takes them in one allocation of the right size: a tree costs
/// what it holds, and no array of short arrays costs more.
struct Tree<'a> {
    text: &'a Text,
    scan: Scanner<'a>,
    items: Vec<Value>,
    members: Vec<(Text, Value)>,
    names: Names<'a>,
}

impl Tree<'_> {
    fn only(&mut self) -> Result<Value, Failed> {
        self.scan.blanks();
        let value = self.value(1)?;
        self.scan.end("nothing after the value")?;
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Value, Failed> {
        let start = self.scan.at();
        Ok(match self.scan.peek() {
            Some(b'{') => Value::Object(self.object(depth)?),
            Some(b'[') => Value::Array(self.array(depth)?),
            Some(b'"') => {
                let span = self.scan.string()?;
                Value::String(self.string(span))
            }
            first => {
                self.scan.scalar()?;
                match first {
                    Some(b't') => Value::Bool(true),
                    Some(b'f') => Value::Bool(false),
                    Some(b'n') => Value::Null,
                    _ => Value::Number(Number::of_valid(cut(self.text, start..self.scan.at()))),
                }
            }
        })
    }

    fn object(&mut self, depth: usize) -> Result<Object, Failed> {
        let first = self.members.len();
        let opened = self.names.open();
        let mut more = self.scan.enter(b'}', depth)?;
        while more {
            let name = self.scan.name()?;
            self.names.push(self.scan.unescaped(name));
            let name = self.string(name);
            let value = self.value(depth + 1)?;
            self.members.push((name, value));
            more = self.scan.more(b'}')?;
        }
        let mut members: Vec<_> = self.members.drain(first..).collect();
        if self.names.close(opened) {
            members = names::last_wins(members);
        }
        Ok(Object::of_unique(members))
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, Failed> {
        let first = self.items.len();
        let mut more = self.scan.enter(b']', depth)?;
        while more {
            let value = self.value(depth + 1)?;
            self.items.push(value);
            more = self.scan.more(b']')?;
        }
        Ok(self.items.drain(first..).collect())
    }

    fn string(&self, span: Span) -> Text {
        if span.escaped { self.scan.unescaped(span).into_owned().into() } else { cut(self.text, span.start..span.end) }
    }
}
