//! What of a message is secret: said by the catalogue; for a message or a parameter that it does not have, by the names that secrets
//! usually have.

use ctigate_proto::message::{Body, Envelope, Object, Part, Text, Value};
use ctigate_proto::method;

/// Whether a parameter of a message is secret.
pub fn is_secret(message: &str, parameter: &str) -> bool {
    match method::find(message) {
        Some(known) if known.fields().any(|f| f.name == parameter) => {
            known.fields().any(|f| f.name == parameter && f.secret)
        }
        _ => sounds_secret(parameter),
    }
}

/// Whether a name sounds like that of a secret.
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "session", "secret", "ticket", "token"].iter().any(|word| name.contains(word))
}

/// The message with each secret replaced, also those inside objects and arrays. What holds none stays as it came.
pub fn replaced(envelope: &Envelope, instead: &dyn Fn(&str) -> Text) -> Envelope {
    let mut body = Body::new();
    for (name, part) in envelope.body.iter() {
        let part = match is_secret(&envelope.name, name) {
            true => Part::Value(hidden(&part.open(), instead)),
            false => match cleaned(&part.open(), instead) {
                Some(value) => Part::Value(value),
                None => part.clone(),
            },
        };
        body.push_new(name.clone(), part);
    }
    Envelope { name: envelope.name.clone(), body }
}

/// Parameters without a message, likewise.
pub fn replaced_object(object: &Object, instead: &dyn Fn(&str) -> Text) -> Object {
    match cleaned(&Value::Object(object.clone()), instead) {
        Some(Value::Object(cleaned)) => cleaned,
        _ => object.clone(),
    }
}

/// A secret value in the same shape.
fn hidden(value: &Value, instead: &dyn Fn(&str) -> Text) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(text) => Value::String(instead(text)),
        Value::Number(number) => Value::String(instead(number.as_str())),
        Value::Array(items) => Value::Array(items.iter().map(|item| hidden(item, instead)).collect()),
        Value::Object(object) => {
            Value::Object(object.iter().map(|(name, value)| (name.clone(), hidden(value, instead))).collect())
        }
    }
}

/// The value with what sounds secret in it replaced; `None` when nothing does.
fn cleaned(value: &Value, instead: &dyn Fn(&str) -> Text) -> Option<Value> {
    match value {
        Value::Array(items) => {
            let cleaned_items: Vec<Option<Value>> = items.iter().map(|item| cleaned(item, instead)).collect();
            cleaned_items.iter().any(Option::is_some).then(|| {
                let items = items.iter().zip(cleaned_items);
                Value::Array(items.map(|(old, new)| new.unwrap_or_else(|| old.clone())).collect())
            })
        }
        Value::Object(object) => {
            let mut any = false;
            let members: Object = object
                .iter()
                .map(|(name, value)| {
                    let new = match sounds_secret(name) {
                        true => Some(hidden(value, instead)).filter(|new| new != value),
                        false => cleaned(value, instead),
                    };
                    any |= new.is_some();
                    (name.clone(), new.unwrap_or_else(|| value.clone()))
                })
                .collect();
            any.then_some(Value::Object(members))
        }
        _ => None,
    }
}
