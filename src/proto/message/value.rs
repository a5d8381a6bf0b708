//! The tree that both encodings map to. Order of members and the digits of numbers are kept.

use std::fmt;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;

/// Any value of a message, fully opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, with the digits it was written with.
    Number(Number),
    /// A string.
    String(Text),
    /// An array.
    Array(Vec<Self>),
    /// An object, in the order of its members.
    Object(Object),
}

/// A number in JSON's grammar, kept as text so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Text);

impl Number {
    /// Takes `text` if it is a number by RFC 8259 section 6.
    pub fn parse(text: impl Into<Text>) -> Option<Self> {
        let text = text.into();
        is_number(text.as_bytes()).then_some(Self(text))
    }

    /// For codecs only: `text` has been validated as a number.
    pub(crate) fn of_valid(text: Text) -> Self {
        Self(text)
    }

    /// Whether `text` is a number by RFC 8259 section 6.
    pub(crate) fn is_valid(text: &str) -> bool {
        is_number(text.as_bytes())
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is written without `.`, `e` and `E`.
    pub fn is_int(&self) -> bool {
        !self.0.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
    }

    /// The value, when it is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

/// Zero.
impl Default for Number {
    fn default() -> Self {
        Self(Text::from_static("0"))
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        // Most numbers of the protocol have one digit.
        match usize::try_from(n) {
            Ok(n @ 0..=9) => Self(Text::from_static(&"0123456789"[n..=n])),
            _ => Self(Text::from(itoa::Buffer::new().format(n))),
        }
    }
}

fn is_number(b: &[u8]) -> bool {
    let digits = |mut i: usize| {
        while i < b.len() && b[i].is_ascii_digit() {
            i += 1;
        }
        i
    };
    let start = usize::from(b.first() == Some(&b'-'));
    let mut i = digits(start);
    if i == start || (b[start] == b'0' && i > start + 1) {
        return false;
    }
    if b.get(i) == Some(&b'.') {
        let end = digits(i + 1);
        if end == i + 1 {
            return false;
        }
        i = end;
    }
    if matches!(b.get(i), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(b.get(i + 1), Some(b'+' | b'-')));
        let end = digits(i + 1 + sign);
        if end == i + 1 + sign {
            return false;
        }
        i = end;
    }
    i == b.len()
}

impl Value {
    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(o) => Some(o),
            _ => None,
        }
    }

    /// The items, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(a) => Some(a),
            _ => None,
        }
    }

    /// The boolean, read loosely: `true`, `1`, `"true"`, `"1"` and their opposites (decisions on loose typing).
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(b) => Some(*b),
            Self::Number(n) => match n.as_str() {
                "1" => Some(true),
                "0" => Some(false),
                _ => None,
            },
            Self::String(s) => match &**s {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The integer, read loosely: a number or a string of digits.
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Number(n) => n.as_i64(),
            Self::String(s) => s.parse().ok(),
            Self::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// The text, read loosely: a string, or a number or boolean as it was written.
    pub fn to_text(&self) -> Option<Text> {
        match self {
            Self::String(s) => Some(s.clone()),
            Self::Number(n) => Some(n.0.clone()),
            Self::Bool(b) => Some(Text::from_static(if *b { "true" } else { "false" })),
            _ => None,
        }
    }

    /// A list of texts, read loosely: an array of texts, or one text alone.
    pub fn to_texts(&self) -> Vec<Text> {
        match self {
            Self::Array(items) => items.iter().filter_map(Self::to_text).collect(),
            one => one.to_text().into_iter().collect(),
        }
    }

    /// About how many bytes it occupies.
    pub fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 8,
            Self::Number(n) => n.as_str().len() + 8,
            Self::String(s) => s.len() + 8,
            Self::Array(a) => a.iter().map(Self::weight).sum::<usize>() + 8,
            Self::Object(o) => o.iter().map(|(n, v)| n.len() + v.weight() + 8).sum::<usize>() + 8,
        }
    }

    /// What it is, in the words of the XML form's `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(n) if n.is_int() => "int",
            Self::Number(_) => "float",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Number(n.into())
    }
}
impl From<&'static str> for Value {
    fn from(s: &'static str) -> Self {
        Self::String(Text::from_static(s))
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::String(s.into())
    }
}
impl From<Text> for Value {
    fn from(s: Text) -> Self {
        Self::String(s)
    }
}
impl From<&Text> for Value {
    fn from(s: &Text) -> Self {
        Self::String(s.clone())
    }
}
impl From<Object> for Value {
    fn from(o: Object) -> Self {
        Self::Object(o)
    }
}
impl From<Vec<Self>> for Value {
    fn from(a: Vec<Self>) -> Self {
        Self::Array(a)
    }
}
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

/// An object: members in the order they were written, names unique.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(Text, Value)>);

impl Object {
    /// An object without members.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The same, with room for so many members.
    pub fn with_room(members: usize) -> Self {
        Self(Vec::with_capacity(members))
    }

    /// For codecs only: the names in `members` are unique.
    pub(crate) fn of_unique(members: Vec<(Text, Value)>) -> Self {
        Self(members)
    }

    /// The member's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Sets a member: a known name keeps its place and gets the new value, a new one goes to the end.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some((_, v)) => *v = value,
            None => self.0.push((name, value)),
        }
    }

    /// Adds a member without looking whether the name exists. For readers that have looked already.
    pub fn push_new(&mut self, name: Text, value: Value) {
        self.0.push((name, value));
    }

    /// The same with one more member; for literals.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.set(Text::from_static(name), value);
        self
    }

    /// Members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.0.iter().map(|(n, v)| (n, v))
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.remove(at).1)
    }
}

impl FromIterator<(Text, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(members: I) -> Self {
        let mut object = Self::new();
        for (name, value) in members {
            object.set(name, value);
        }
        object
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

// ---- as other programs write values: JSON and the like, digits kept

/// The member that stands for a number which is no integer of 64 bits: its digits, as they were written.
const DIGITS: &str = "$number";

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // What reads back as the same digits.
        match self.as_i64().filter(|n| n.to_string() == self.as_str()) {
            Some(n) => to.serialize_i64(n),
            None => {
                let mut map = to.serialize_map(Some(1))?;
                map.serialize_entry(DIGITS, self.as_str())?;
                map.end()
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(b) => to.serialize_bool(*b),
            Self::Number(n) => n.serialize(to),
            Self::String(s) => to.serialize_str(s),
            Self::Array(items) => items.serialize(to),
            Self::Object(o) => o.serialize(to),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (&**name, value)))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::Object(object) => Ok(object),
            other => Err(D::Error::custom(format!("{} where an object was expected", other.kind()))),
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::Number(Number(n.to_string().into())))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::String(s.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            object.set(name, value);
        }
        // So a number is written that is no integer; and so one comes from a reader that keeps digits itself.
        let digits = [DIGITS, "$serde_json::private::Number"].into_iter().find_map(|name| object.get(name)?.as_str());
        Ok(match digits.and_then(|digits| Number::parse(digits.to_owned())).filter(|_| object.len() == 1) {
            Some(number) => Value::Number(number),
            None => Value::Object(object),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_grammar_of_json() {
        for good in ["0", "-0", "1", "-12.50", "1e5", "1E+05", "0.0e-1", "12345678901234567890123"] {
            assert!(Number::parse(good.to_owned()).is_some(), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "+1", "1e", "1e+", "0x1", " 1", "NaN", "1 "] {
            assert!(Number::parse(bad.to_owned()).is_none(), "{bad}");
        }
    }

    #[test]
    fn values_come_back_from_other_programs_as_they_were() {
        for digits in ["0", "-7", "1.50", "1e5", "12345678901234567890123", "-0"] {
            let value = Value::Number(Number::parse(digits).expect("a number"));
            let object = Object::new().with("z", value).with("a", vec![Value::Null, true.into(), "x".into()]);
            let text = serde_json::to_string(&object).expect("it can be written");
            let back: Object = serde_json::from_str(&text).expect("it can be read");
            assert_eq!(back, object, "{text}");
        }
    }

    #[test]
    fn setting_a_known_member_keeps_its_place() {
        let mut o = Object::new().with("a", 1).with("b", 2);
        o.set("a", 3);
        assert_eq!(o.iter().map(|(n, _)| &**n).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(o.get("a"), Some(&Value::from(3)));
    }
}
