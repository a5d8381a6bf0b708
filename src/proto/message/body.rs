//! The envelope: a name and its parameters, opened only as far as needed.

use super::{Object, Raw, Text, Value};

/// One parameter: opened, or still the bytes it came in.
#[derive(Clone, Debug)]
pub enum Part {
    /// Opened.
    Value(Value),
    /// Validated bytes.
    Raw(Raw),
}

impl Part {
    /// The value; opens what is still raw.
    pub fn open(&self) -> Value {
        match self {
            Self::Value(v) => v.clone(),
            Self::Raw(r) => r.open(),
        }
    }

    /// As [`Value::to_i64`].
    fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Value(v) => v.to_i64(),
            Self::Raw(r) => r.open().to_i64(),
        }
    }

    /// As [`Value::to_text`].
    pub(crate) fn to_text(&self) -> Option<Text> {
        match self {
            Self::Value(v) => v.to_text(),
            Self::Raw(r) => r.open().to_text(),
        }
    }
}

impl<T: Into<Value>> From<T> for Part {
    fn from(v: T) -> Self {
        Self::Value(v.into())
    }
}
impl From<Raw> for Part {
    fn from(r: Raw) -> Self {
        Self::Raw(r)
    }
}
impl From<Qid> for Part {
    fn from(q: Qid) -> Self {
        q.0
    }
}
impl From<&Qid> for Part {
    fn from(q: &Qid) -> Self {
        q.0.clone()
    }
}

/// The correlation id of a call, kept as its sender wrote it: any JSON value up to 256 bytes of text.
#[derive(Clone, Debug)]
pub struct Qid(Part);

impl Qid {
    /// A qid made by us.
    pub fn ours(text: impl Into<Text>) -> Self {
        Self(Part::Value(Value::String(text.into())))
    }

    /// The part of a message that is its qid.
    pub fn of_part(part: Part) -> Self {
        Self(part)
    }

    /// The same qid, as [`Text::to_keep`].
    #[must_use]
    pub fn to_keep(&self) -> Self {
        Self(match &self.0 {
            Part::Raw(raw) => Part::Raw(raw.to_keep()),
            Part::Value(Value::String(text)) => Part::Value(Value::String(text.to_keep())),
            Part::Value(value) => Part::Value(value.clone()),
        })
    }

    /// The qid as text, when it is a string, number or boolean: how we find the calls we made.
    pub fn to_text(&self) -> Option<Text> {
        self.0.open().to_text()
    }
}

/// Few messages have more parameters: one allocation for the others, below the kibibyte under which allocators are quickest.
const USUAL: usize = 11;

/// So many parameters every reply may have beside its own.
const HEAD: usize = 5;

/// The parameters of a message, in order. Names are unique.
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<(Text, Part)>);

impl Body {
    /// No parameters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// For codecs only: the names in `parts` are unique.
    pub(crate) fn of_unique(parts: Vec<(Text, Part)>) -> Self {
        Self(parts)
    }

    /// These parameters; their names are unique.
    pub(crate) fn of<const N: usize>(parts: [(&'static str, Part); N]) -> Self {
        debug_assert!(
            parts.iter().enumerate().all(|(i, (a, _))| parts[..i].iter().all(|(b, _)| a != b)),
            "a name twice"
        );
        Self(parts.into_iter().map(|(name, part)| (Text::from_static(name), part)).collect())
    }

    /// The parameter.
    pub fn get(&self, name: &str) -> Option<&Part> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, p)| p)
    }

    /// Whether the parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The parameter as text, read loosely (a number or boolean as it was written). `None` when absent, null or compound.
    pub fn text(&self, name: &str) -> Option<Text> {
        self.get(name)?.to_text()
    }

    /// The parameter as an integer, read loosely.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.to_i64()
    }

    /// The parameter as a boolean, read loosely.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.get(name)?.open().to_bool()
    }

    /// The parameter, opened.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.get(name).map(Part::open)
    }

    /// The parameter as an object, opened.
    pub fn object(&self, name: &str) -> Option<Object> {
        match self.value(name)? {
            Value::Object(o) => Some(o),
            _ => None,
        }
    }

    /// Sets a parameter: a known name keeps its place and gets the new part, a new one goes to the end.
    pub fn set(&mut self, name: impl Into<Text>, part: impl Into<Part>) {
        let (name, part) = (name.into(), part.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, p)) => *p = part,
            None => {
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(USUAL);
                }
                self.0.push((name, part));
            }
        }
    }

    /// Adds a parameter without looking whether the name exists. For readers that have looked already.
    pub fn push_new(&mut self, name: Text, part: Part) {
        self.0.push((name, part));
    }

    /// The same with one more parameter; for literals.
    #[must_use]
    pub fn with(mut self, name: &'static str, part: impl Into<Part>) -> Self {
        self.set(Text::from_static(name), part);
        self
    }

    /// The same with one more parameter, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, part: Option<impl Into<Part>>) -> Self {
        match part {
            Some(p) => self.with(name, p),
            None => self,
        }
    }

    /// Puts parameters, whose names are unique, in front of the others. One that is here keeps its part, and goes there.
    pub(crate) fn put_first(&mut self, parts: impl ExactSizeIterator<Item = (Text, Part)>) {
        self.0.reserve_exact(if self.0.capacity() == 0 { USUAL } else { parts.len() });
        if self.0.is_empty() {
            return self.0.extend(parts);
        }
        let mut rest = self.0.len();
        for (name, part) in parts {
            let known = self.0[..rest].iter().position(|(known, _)| *known == name);
            let part = known.map_or(part, |at| self.0.remove(at).1);
            rest -= usize::from(known.is_some());
            self.0.push((name, part));
        }
        self.0.rotate_left(rest);
    }

    /// Takes the value of a parameter, whose name stays with `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<Part> {
        let (_, part) = self.0.iter_mut().find(|(n, _)| n == name)?;
        Some(std::mem::replace(part, Part::Value(Value::Null)))
    }

    /// Takes a parameter out.
    pub fn remove(&mut self, name: &str) -> Option<Part> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }

    /// Parameters in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Part)> {
        self.0.iter().map(|(n, p)| (n, p))
    }

    /// About how many bytes the parameters occupy.
    pub fn weight(&self) -> usize {
        self.0
            .iter()
            .map(|(n, p)| {
                48 + n.len()
                    + match p {
                        Part::Value(v) => v.weight(),
                        Part::Raw(r) => r.text().len(),
                    }
            })
            .sum()
    }

    /// Everything opened.
    pub fn open(&self) -> Object {
        let mut object = Object::new();
        for (name, part) in &self.0 {
            object.push_new(name.clone(), part.open());
        }
        object
    }
}

impl IntoIterator for Body {
    type Item = (Text, Part);
    type IntoIter = std::vec::IntoIter<(Text, Part)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Object> for Body {
    fn from(o: Object) -> Self {
        // Room for what a reply puts in front.
        let mut parts = Vec::with_capacity(o.len() + HEAD);
        parts.extend(o.into_iter().map(|(n, v)| (n, Part::Value(v))));
        Self(parts)
    }
}

/// A message: its name and its parameters, the qid among them.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The method or event.
    pub name: Text,
    /// The parameters.
    pub body: Body,
}

impl Envelope {
    /// A message with a name known at compile time.
    pub fn new(name: &'static str, body: Body) -> Self {
        Self { name: Text::from_static(name), body }
    }

    /// The correlation id, if the message has one.
    pub fn qid(&self) -> Option<Qid> {
        self.body.get("qid").cloned().map(Qid)
    }
}

/// Equal when the names are and the opened parameters are; for tests and property checks.
impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.body.open() == other.body.open()
    }
}

/// Opened: for those who write down what happened.
impl serde::Serialize for Body {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.open().serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for Body {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Object::deserialize(from).map(Self::from)
    }
}
