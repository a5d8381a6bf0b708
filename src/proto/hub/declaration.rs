//! What a CRM declares: its dynamic methods and forms, and the checking of values against that. `proto-spec/dynamic.md`.
//! Read by the Hub, and by `check-crm`, which so judges a declaration as the gateway will.

use std::time::Duration;

use crate::message::{Number, Object, Text, Value};

use super::ids::ZERO_GUID;

/// Most methods or forms a CRM may declare; the rest is not looked at.
const MAX_DECLARED: usize = 1000;
/// Most parameters of one of them.
const MAX_PARAMETERS: usize = 256;
/// How long a result is awaited when the CRM does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number without `.`, `e`, `E`.
    Int,
    /// A number.
    Float,
    /// A boolean.
    Bool,
    /// A string `YYYY-MM-DD HH:MM:SS`.
    Datetime,
    /// A string of 32 hex digits with dashes.
    Guid,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: Text,
    /// Its type.
    pub kind: Kind,
    /// What people see.
    pub caption: Text,
    /// Whether it must be there.
    pub required: bool,
}

impl Parameter {
    /// A parameter nobody declared, for showing a value that was given.
    pub(super) fn of_value(name: &Text, value: &Value) -> Self {
        let kind = match value {
            Value::Null | Value::String(_) => Kind::String,
            Value::Bool(_) => Kind::Bool,
            Value::Number(n) if n.is_int() => Kind::Int,
            Value::Number(_) => Kind::Float,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        };
        Self { name: name.clone(), kind, caption: name.clone(), required: false }
    }

    /// The declaration, as it is kept.
    pub(super) fn to_object(&self) -> Object {
        Object::new()
            .with("name", self.name.clone())
            .with("type", self.kind.type_word())
            .with("caption", self.caption.clone())
            .with("required", self.required)
    }

    /// Declarations as they were kept.
    pub(super) fn from_values(items: &[Value]) -> Vec<Self> {
        parameters(Some(&Value::Array(items.to_vec())), "", &mut Vec::new()).unwrap_or_default()
    }
}

/// Who carries a method out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The CRM.
    Server,
    /// The user's tabs.
    Client,
}

/// A dynamic method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name.
    pub name: Text,
    /// Who carries it out.
    pub target: Target,
    /// How long a result is awaited; at most a minute.
    pub wait: Duration,
    /// The same as whoever carries it out is told, milliseconds.
    pub wait_ms: Number,
    /// What it takes. `None`: the CRM declared no list, and nothing is checked.
    pub input: Option<Vec<Parameter>>,
    /// What it gives, likewise.
    pub output: Option<Vec<Parameter>>,
}

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its name.
    pub name: Text,
    /// What people see.
    pub caption: Text,
    /// What it shows.
    pub input: Vec<Parameter>,
    /// What it asks for. `None`: the CRM declared no list, and nothing is checked.
    pub output: Option<Vec<Parameter>>,
}

/// A wait as it is told.
pub fn milliseconds(wait: Duration) -> Number {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).into()
}

/// Reads `methods`. What is not a method is left out and described in the second list.
pub fn methods(list: Option<&Value>) -> (Vec<Method>, Vec<String>) {
    read(list, "methods", |o, odd| {
        let name = name_of(o)?;
        let target = match o.get("target").and_then(Value::as_str) {
            None | Some("server" | "") => Target::Server,
            Some("client") => Target::Client,
            Some(other) => {
                odd.push(format!("method {name}: target {other:?} is neither server nor client; taken as server"));
                Target::Server
            }
        };
        let wait = o.get("waitms").and_then(Value::to_i64).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
        let wait = wait.map_or(DEFAULT_WAIT, Duration::from_millis).min(MAX_WAIT);
        Some(Method {
            target,
            wait,
            wait_ms: milliseconds(wait),
            input: parameters(o.get("inputparameters"), &name, odd),
            output: parameters(o.get("outputparameters"), &name, odd),
            name,
        })
    })
}

/// Reads `forms`, likewise.
pub fn forms(list: Option<&Value>) -> (Vec<Form>, Vec<String>) {
    read(list, "forms", |o, odd| {
        let name = name_of(o)?;
        Some(Form {
            caption: o.get("caption").and_then(Value::to_text).unwrap_or_else(|| name.clone()),
            input: parameters(o.get("inputparameters"), &name, odd).unwrap_or_default(),
            output: parameters(o.get("outputparameters"), &name, odd),
            name,
        })
    })
}

fn read<T>(
    list: Option<&Value>,
    what: &str,
    one: impl Fn(&Object, &mut Vec<String>) -> Option<T>,
) -> (Vec<T>, Vec<String>) {
    let mut odd = Vec::new();
    let Some(items) = list.and_then(Value::as_array) else {
        odd.push(format!("{what} is no array; taken as empty"));
        return (Vec::new(), odd);
    };
    if items.len() > MAX_DECLARED {
        odd.push(format!("{} {what} declared, only the first {MAX_DECLARED} are taken", items.len()));
    }
    let mut taken = Vec::new();
    for (i, item) in items.iter().take(MAX_DECLARED).enumerate() {
        match item.as_object().and_then(|o| one(o, &mut odd)) {
            Some(t) => taken.push(t),
            None => odd.push(format!("{what}[{i}] has no name; left out")),
        }
    }
    (taken, odd)
}

fn name_of(o: &Object) -> Option<Text> {
    o.get("name").and_then(Value::to_text).filter(|n| !n.is_empty() && n.len() <= 128)
}

fn parameters(list: Option<&Value>, owner: &str, odd: &mut Vec<String>) -> Option<Vec<Parameter>> {
    let items = list?.as_array()?;
    let mut taken = Vec::new();
    for item in items.iter().take(MAX_PARAMETERS) {
        let Some((o, name)) = item.as_object().and_then(|o| Some((o, name_of(o)?))) else {
            odd.push(format!("{owner}: a parameter without a name is left out"));
            continue;
        };
        let kind = match o.get("type").and_then(Value::as_str).unwrap_or("string") {
            "string" | "" => Kind::String,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "bool" => Kind::Bool,
            "datetime" => Kind::Datetime,
            "guid" => Kind::Guid,
            "object" => Kind::Object,
            "array" => Kind::Array,
            other => {
                odd.push(format!("{owner}: parameter {name} has the unknown type {other:?}; taken as string"));
                Kind::String
            }
        };
        let caption = o.get("caption").and_then(Value::to_text).unwrap_or_else(|| name.clone());
        let required = o.get("required").and_then(Value::to_bool).unwrap_or(false);
        taken.push(Parameter { name, kind, caption, required });
    }
    Some(taken)
}

/// Checks values against a declaration.
///
/// # Errors
/// Which value is wrong: missing, undeclared or of another type, and what was expected.
pub fn check(values: &Object, declared: &[Parameter]) -> Result<(), String> {
    for (name, value) in values.iter() {
        let Some(p) = declared.iter().find(|p| p.name == *name) else {
            return Err(format!("{name} is not declared"));
        };
        if *value == Value::Null && !p.required {
            continue;
        }
        if !p.kind.takes(value) {
            return Err(format!("{name} is {}, expected {}", found(value), p.kind.word()));
        }
    }
    for p in declared.iter().filter(|p| p.required) {
        if values.get(&p.name).is_none() {
            return Err(format!("{} is missing, expected {}", p.name, p.kind.word()));
        }
    }
    Ok(())
}

/// Brings values of loosely typed callers (command line, templates, XML without types) to the declared types where that
/// loses nothing; leaves the rest for [`check`] to refuse.
pub(super) fn coerce(values: Object, declared: &[Parameter]) -> Object {
    values
        .into_iter()
        .map(|(name, value)| {
            let kind = declared.iter().find(|p| p.name == name).map(|p| p.kind);
            let value = match (kind, &value) {
                (Some(Kind::Int | Kind::Float), Value::String(s)) => {
                    Number::parse(s.clone()).map_or(value, Value::Number)
                }
                (Some(Kind::Bool), Value::String(_) | Value::Number(_)) => value.to_bool().map_or(value, Value::Bool),
                (Some(Kind::String), Value::Number(_) | Value::Bool(_)) => value.to_text().map_or(value, Value::String),
                _ => value,
            };
            (name, value)
        })
        .collect()
}

fn found(value: &Value) -> String {
    match value {
        Value::String(s) if s.chars().count() <= 40 => format!("the string {s:?}"),
        Value::Number(n) if n.as_str().len() <= 40 => format!("the number {}", n.as_str()),
        other => other.kind().to_owned(),
    }
}

impl Kind {
    /// The word of the declaration.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Datetime => "datetime \"YYYY-MM-DD HH:MM:SS\"",
            Self::Guid => "guid",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    /// The word of a card's field.
    pub const fn type_word(self) -> &'static str {
        match self {
            Self::Datetime => "datetime",
            other => other.word(),
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::String, Value::String(_))
            | (Self::Float, Value::Number(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_)) => true,
            (Self::Int, Value::Number(n)) => n.is_int(),
            (Self::Datetime, Value::String(s)) => is_datetime(s.as_bytes()),
            (Self::Guid, Value::String(s)) => is_guid(s),
            _ => false,
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS` with fields in their ranges.
fn is_datetime(b: &[u8]) -> bool {
    let shape = b"dddd-dd-dd dd:dd:dd";
    if b.len() != shape.len() || !b.iter().zip(shape).all(|(c, s)| if *s == b'd' { c.is_ascii_digit() } else { c == s })
    {
        return false;
    }
    let two = |i: usize| (b[i] - b'0') * 10 + b[i + 1] - b'0';
    (1..=12).contains(&two(5)) && (1..=31).contains(&two(8)) && two(11) < 24 && two(14) < 60 && two(17) < 60
}

pub(super) fn is_guid(s: &str) -> bool {
    s.len() == ZERO_GUID.len()
        && s.bytes()
            .zip(ZERO_GUID.bytes())
            .all(|(c, shape)| if shape == b'-' { c == b'-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: Kind, required: bool) -> Parameter {
        Parameter { name: name.to_owned().into(), kind, caption: Text::new(), required }
    }

    #[test]
    fn values_are_checked_against_their_declaration() {
        let declared = [
            parameter("phone", Kind::String, true),
            parameter("tries", Kind::Int, false),
            parameter("when", Kind::Datetime, false),
        ];
        let phone = Object::new().with("phone", "79001112233");
        assert_eq!(check(&phone, &declared), Ok(()));
        assert_eq!(check(&Object::new(), &declared), Err("phone is missing, expected string".into()));
        assert_eq!(check(&phone.clone().with("x", 1), &declared), Err("x is not declared".into()));
        let wrong = phone.clone().with("tries", "two");
        assert_eq!(check(&wrong, &declared), Err("tries is the string \"two\", expected int".into()));
        assert_eq!(check(&phone.clone().with("when", "2026-11-21 21:00:00"), &declared), Ok(()));
        assert!(check(&phone.clone().with("when", "2026-13-21 21:00:00"), &declared).is_err());
        assert_eq!(check(&phone.with("tries", Value::Null), &declared), Ok(()));
    }

    #[test]
    fn loose_values_take_the_declared_type_when_nothing_is_lost() {
        let declared =
            [parameter("n", Kind::Int, false), parameter("b", Kind::Bool, false), parameter("s", Kind::String, false)];
        let loose = Object::new().with("n", "2").with("b", "true").with("s", 7);
        let typed = coerce(loose, &declared);
        assert_eq!(typed, Object::new().with("n", 2).with("b", true).with("s", "7"));
    }
}
