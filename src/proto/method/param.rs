//! One parameter: which types there are, how they are read leniently and written strictly.

use std::borrow::Cow;
use std::fmt;

use crate::message::{Body, CallError, Code, Kind, Number, Object, Part, Raw, Text, Value};

use super::entry::Record;

/// The type of a parameter, in the words of the specification (see its `Display`).
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Any value, `null` included.
    Any,
    /// A string.
    String,
    /// An integer that fits 64 bits with sign.
    Int,
    /// Any number.
    Float,
    /// `true` or `false`.
    Bool,
    /// An object whose members are not fixed.
    Object,
    /// An array whose items are not fixed.
    Array,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// An object with fixed members.
    Record(&'static Record),
    /// An array of one type.
    List(&'static Self),
    /// A string, or an array of strings.
    OneOrMany,
    /// An array of strings, or `false` for "none named".
    ListOrFalse,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::String => f.write_str("string"),
            Self::Int => f.write_str("int"),
            Self::Float => f.write_str("float"),
            Self::Bool => f.write_str("bool"),
            Self::Object => f.write_str("object"),
            Self::Array => f.write_str("array"),
            Self::Choice(words) => write!(f, "one of {}", words.join(", ")),
            Self::Record(record) => f.write_str(record.name),
            Self::List(item) => write!(f, "{item}[]"),
            Self::OneOrMany => f.write_str("string or string[]"),
            Self::ListOrFalse => f.write_str("string[] or false"),
        }
    }
}

/// A parameter as it was given: in a message, where it may be unopened, or inside an opened object.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// Opened.
    Value(&'a Value),
    /// Validated bytes.
    Raw(&'a Raw),
}

impl<'a> Given<'a> {
    /// The value; opens what is still raw.
    pub fn open(self) -> Cow<'a, Value> {
        match self {
            Self::Value(v) => Cow::Borrowed(v),
            Self::Raw(r) => Cow::Owned(r.open()),
        }
    }

    /// What it is, without opening objects and arrays.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Value(v) => v.kind(),
            Self::Raw(r) => match r.kind() {
                Kind::Object => "object",
                Kind::Array => "array",
                Kind::Scalar => r.open().kind(),
            },
        }
    }

    /// The same, to be kept.
    pub fn to_part(self) -> Part {
        match self {
            Self::Value(v) => Part::Value(v.clone()),
            Self::Raw(r) => Part::Raw(r.clone()),
        }
    }
}

impl<'a> From<&'a Part> for Given<'a> {
    fn from(part: &'a Part) -> Self {
        match part {
            Part::Value(v) => Self::Value(v),
            Part::Raw(r) => Self::Raw(r),
        }
    }
}

/// A parameter that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where, from the parameters' object on: `methods[0].name`.
    pub path: String,
    /// What was found: a kind, never the value (it may be a secret). `nothing` when it is missing.
    pub found: String,
    /// What should have been there.
    pub expected: String,
}

impl Wrong {
    pub(super) fn kind(given: Given<'_>, expected: Type) -> Self {
        Self { path: String::new(), found: given.kind().to_owned(), expected: expected.to_string() }
    }

    pub(super) fn missing(name: &str, expected: Type) -> Self {
        Self { path: name.to_owned(), found: "nothing".to_owned(), expected: expected.to_string() }
    }

    /// The same mistake, seen from the object that holds the field.
    pub(super) fn under(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    fn at(self, index: usize) -> Self {
        self.under(&format!("[{index}]"))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.path, self.found, self.expected)
    }
}

impl From<Wrong> for CallError {
    fn from(wrong: Wrong) -> Self {
        Self::new(Code::BadRequest, wrong.to_string())
    }
}

/// A Rust type that a parameter can have.
pub trait Param: Sized {
    /// The type in the specification.
    const TYPE: Type;
    /// Whether a message without the parameter is refused.
    const REQUIRED: bool = true;
    /// Whether logs and `tail` hide the value.
    const SECRET: bool = false;

    /// Reads what was given.
    ///
    /// # Errors
    /// [`Wrong`] when it is of another type and cannot be read as this one.
    fn read(given: Given<'_>) -> Result<Self, Wrong>;

    /// What stands for an absent parameter, if it may be absent.
    fn absent() -> Option<Self> {
        None
    }

    /// The value to write; `None` leaves the parameter out.
    fn into_value(self) -> Option<Value>;

    /// The same for the top level of a message, where free-form values stay unopened.
    fn into_part(self) -> Option<Part> {
        self.into_value().map(Part::Value)
    }
}

/// Where parameters are read from: a message, or an object inside one.
pub trait Source {
    /// The parameter of this name.
    fn given(&self, name: &str) -> Option<Given<'_>>;
}

impl Source for Body {
    fn given(&self, name: &str) -> Option<Given<'_>> {
        self.get(name).map(Given::from)
    }
}

impl Source for Object {
    fn given(&self, name: &str) -> Option<Given<'_>> {
        self.get(name).map(Given::Value)
    }
}

/// Where parameters are written to.
pub trait Sink {
    /// Adds a parameter that is not there yet.
    fn put(&mut self, name: &'static str, value: impl Param);
}

impl Sink for Body {
    fn put(&mut self, name: &'static str, value: impl Param) {
        if let Some(part) = value.into_part() {
            self.push_new(Text::from_static(name), part);
        }
    }
}

impl Sink for Object {
    fn put(&mut self, name: &'static str, value: impl Param) {
        if let Some(value) = value.into_value() {
            self.push_new(Text::from_static(name), value);
        }
    }
}

/// Reads the parameter `name`, or the first of its other names that is there.
pub(super) fn read_field<P: Param>(from: &impl Source, name: &str, aliases: &[&str]) -> Result<P, Wrong> {
    let found = std::iter::once(name).chain(aliases.iter().copied()).find_map(|n| Some((n, from.given(n)?)));
    match found {
        Some((name, given)) => P::read(given).map_err(|wrong| wrong.under(name)),
        None => P::absent().ok_or_else(|| Wrong::missing(name, P::TYPE)),
    }
}

impl Param for Text {
    const TYPE: Type = Type::String;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        given.open().to_text().ok_or_else(|| Wrong::kind(given, Self::TYPE))
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::String(self))
    }
}

impl Param for bool {
    const TYPE: Type = Type::Bool;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        given.open().to_bool().ok_or_else(|| Wrong::kind(given, Self::TYPE))
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Bool(self))
    }
}

impl Param for i64 {
    const TYPE: Type = Type::Int;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        given.open().to_i64().ok_or_else(|| {
            let wrong = Wrong::kind(given, Self::TYPE);
            if wrong.found == "int" { Wrong { found: "int past 64 bits".to_owned(), ..wrong } } else { wrong }
        })
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::from(self))
    }
}

impl Param for Number {
    const TYPE: Type = Type::Float;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        let number = match &*given.open() {
            Value::Number(n) => Some(n.clone()),
            Value::String(s) => Self::parse(s.clone()),
            _ => None,
        };
        number.ok_or_else(|| Wrong::kind(given, Self::TYPE))
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Number(self))
    }
}

/// A parameter that may be absent; `null` counts as absent.
impl<P: Param> Param for Option<P> {
    const TYPE: Type = P::TYPE;
    const REQUIRED: bool = false;
    const SECRET: bool = P::SECRET;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        if matches!(given, Given::Value(Value::Null)) { Ok(None) } else { P::read(given).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn into_value(self) -> Option<Value> {
        self.and_then(P::into_value)
    }

    fn into_part(self) -> Option<Part> {
        self.and_then(P::into_part)
    }
}

impl<P: Param> Param for Vec<P> {
    const TYPE: Type = Type::List(&P::TYPE);

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        let value = given.open();
        let items = value.as_array().ok_or_else(|| Wrong::kind(given, Self::TYPE))?;
        let read = |(i, item)| P::read(Given::Value(item)).map_err(|wrong: Wrong| wrong.at(i));
        items.iter().enumerate().map(read).collect()
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Array(self.into_iter().filter_map(P::into_value).collect()))
    }
}

/// A string that never prints itself: a hash, a session, a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub Text);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Param for Secret {
    const TYPE: Type = Type::String;
    const SECRET: bool = true;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        Text::read(given).map(Self)
    }

    fn into_value(self) -> Option<Value> {
        self.0.into_value()
    }
}

/// Any value, left unopened. Absent is the same as `null`; it is always written.
#[derive(Clone, Debug)]
pub struct Any(pub Part);

/// `null`.
impl Default for Any {
    fn default() -> Self {
        Self(Part::Value(Value::Null))
    }
}

impl Param for Any {
    const TYPE: Type = Type::Any;
    const REQUIRED: bool = false;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        Ok(Self(given.to_part()))
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn into_value(self) -> Option<Value> {
        Some(self.0.open())
    }

    fn into_part(self) -> Option<Part> {
        Some(self.0)
    }
}

/// An object whose members are not fixed, left unopened.
#[derive(Clone, Debug)]
pub struct Members(Part);

impl Members {
    /// The object, opened.
    pub fn open(&self) -> Object {
        match self.0.open() {
            Value::Object(o) => o,
            _ => Object::new(),
        }
    }

    /// The object as it came, to be passed on.
    pub fn part(&self) -> &Part {
        &self.0
    }
}

/// `{}`.
impl Default for Members {
    fn default() -> Self {
        Self(Part::Value(Value::Object(Object::new())))
    }
}

impl From<Object> for Members {
    fn from(object: Object) -> Self {
        Self(Part::Value(Value::Object(object)))
    }
}

impl Param for Members {
    const TYPE: Type = Type::Object;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        if given.kind() == "object" { Ok(Self(given.to_part())) } else { Err(Wrong::kind(given, Self::TYPE)) }
    }

    fn into_value(self) -> Option<Value> {
        Some(self.0.open())
    }

    fn into_part(self) -> Option<Part> {
        Some(self.0)
    }
}

/// An array whose items are not fixed, left unopened.
#[derive(Clone, Debug)]
pub struct Items(Part);

impl Items {
    /// The items, opened.
    pub fn open(&self) -> Vec<Value> {
        match self.0.open() {
            Value::Array(a) => a,
            _ => Vec::new(),
        }
    }

    /// The array as it came, to be passed on.
    pub fn part(&self) -> &Part {
        &self.0
    }
}

/// `[]`.
impl Default for Items {
    fn default() -> Self {
        Self(Part::Value(Value::Array(Vec::new())))
    }
}

impl From<Vec<Value>> for Items {
    fn from(items: Vec<Value>) -> Self {
        Self(Part::Value(Value::Array(items)))
    }
}

impl Param for Items {
    const TYPE: Type = Type::Array;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        if given.kind() == "array" { Ok(Self(given.to_part())) } else { Err(Wrong::kind(given, Self::TYPE)) }
    }

    fn into_value(self) -> Option<Value> {
        Some(self.0.open())
    }

    fn into_part(self) -> Option<Part> {
        Some(self.0)
    }
}

/// Strings; a single one may come without an array around it. Always written as an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<Text>);

impl Param for OneOrMany {
    const TYPE: Type = Type::OneOrMany;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        if given.kind() == "array" {
            return Vec::read(given).map(Self);
        }
        let one = Text::read(given).map_err(|_| Wrong::kind(given, Self::TYPE))?;
        Ok(Self(vec![one]))
    }

    fn into_value(self) -> Option<Value> {
        self.0.into_value()
    }
}

/// Strings, or `false` (also `null`, or nothing at all) where a known client says "none named".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOrFalse(pub Option<Vec<Text>>);

impl Param for ListOrFalse {
    const TYPE: Type = Type::ListOrFalse;
    const REQUIRED: bool = false;

    fn read(given: Given<'_>) -> Result<Self, Wrong> {
        if given.kind() == "array" {
            return Vec::read(given).map(|list| Self(Some(list)));
        }
        let value = given.open();
        let none = *value == Value::Null || value.to_bool() == Some(false);
        if none { Ok(Self(None)) } else { Err(Wrong::kind(given, Self::TYPE)) }
    }

    fn absent() -> Option<Self> {
        Some(Self(None))
    }

    fn into_value(self) -> Option<Value> {
        self.0.and_then(Param::into_value)
    }
}
