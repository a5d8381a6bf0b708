//! Reading bodies: bounded, JSON only, every field looked at.

use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use ctigate_proto::codec;
use ctigate_proto::message::{Code, Object, Text, Value};

use super::Failure;

/// The largest body, in bytes.
pub const BODY: usize = 1 << 20;
/// The deepest nesting of a body.
const DEPTH: usize = 64;

/// The body of a request: a JSON object. No body at all is an empty one.
///
/// # Errors
/// 413 above [`BODY`], 415 when it is not `application/json`, 400 when it is no JSON object.
pub async fn body(request: Request) -> Result<Fields, Failure> {
    let too_large = || {
        let detail = format!("the body is larger than {BODY} bytes");
        Failure::with(StatusCode::PAYLOAD_TOO_LARGE, Code::BadRequest, detail)
    };
    let (head, body) = request.into_parts();
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY as u64) {
        return Err(too_large());
    }
    let declared = is_json(&head.headers);
    if declared == Some(false) {
        return Err(not_json());
    }
    let bytes = bytes(body, BODY).await.map_err(|broken| match broken {
        Broken::TooLarge => too_large(),
        Broken::Off => Failure::bad("the body broke off"),
    })?;
    if bytes.is_empty() {
        return Ok(Fields::default());
    }
    if declared.is_none() {
        return Err(not_json());
    }
    let text = Text::try_from(bytes).map_err(|_| Failure::bad("the body is not UTF-8"))?;
    let value = codec::decode_value(&text, DEPTH).map_err(|error| Failure::bad(format!("the body: {error}")))?;
    match value {
        Value::Object(object) => Ok(Fields { object, known: Vec::new() }),
        other => Err(Failure::bad(format!("the body is of type {}, expected an object", other.kind()))),
    }
}

/// The body of a request as a value with fields of its own.
///
/// # Errors
/// As [`body`]; 400 names the field that is wrong or not known.
pub(super) async fn typed<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Failure> {
    let fields = body(request).await?;
    let text = codec::encode_value(&Value::Object(fields.object));
    let mut from = serde_json::Deserializer::from_str(&text);
    serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let path = error.path().to_string();
        let why = error.into_inner().to_string();
        // Where it stood in our own writing of the body tells nobody anything.
        let why = why.split(" at line ").next().unwrap_or_default();
        if let Some(rest) = why.strip_prefix("unknown field ") {
            let names: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
            let (found, known) =
                names.split_first().map_or(("", String::new()), |(found, known)| (*found, known.join(", ")));
            return Failure::bad(format!("the field `{found}` is not known here; known are: {known}"));
        }
        Failure::bad(if path == "." { why.to_owned() } else { format!("{path}: {why}") })
    })
}

/// A whole body of text of at most so many bytes.
///
/// # Errors
/// 413, and 400 for what is not UTF-8.
pub(super) async fn text(request: Request, most: usize) -> Result<String, Failure> {
    let bytes = bytes(request.into_body(), most).await.map_err(|broken| match broken {
        Broken::TooLarge => {
            let detail = format!("the body is larger than {most} bytes");
            Failure::with(StatusCode::PAYLOAD_TOO_LARGE, Code::BadRequest, detail)
        }
        Broken::Off => Failure::bad("the body broke off"),
    })?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::bad(format!("the body is not UTF-8 (line {line})"))
    })
}

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It is larger than allowed.
    TooLarge,
    /// It ended before its end.
    Off,
}

/// A whole body of at most so many bytes.
///
/// # Errors
/// [`Broken`].
pub async fn bytes(body: Body, most: usize) -> Result<Bytes, Broken> {
    to_bytes(body, most).await.map_err(|error| {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = cause.filter(|error| !error.is::<http_body_util::LengthLimitError>()) {
            cause = error.source();
        }
        match cause.is_some() {
            true => Broken::TooLarge,
            false => Broken::Off,
        }
    })
}

/// Whether the body says that it is JSON; `None`: it does not say.
fn is_json(headers: &HeaderMap) -> Option<bool> {
    let declared = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    Some(essence.eq_ignore_ascii_case("application/json"))
}

fn not_json() -> Failure {
    let detail = "the body must have Content-Type: application/json";
    Failure::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadRequest, detail)
}

/// The fields of a body, taken out one by one. [`Self::finish`] finds what nobody wanted: a mistyped name must not be
/// silently without effect.
#[derive(Debug, Default)]
pub struct Fields {
    object: Object,
    known: Vec<&'static str>,
}

impl Fields {
    /// A text; empty when it is missing or null.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn text(&mut self, name: &'static str) -> Result<Text, Failure> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(Text::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(wrong(name, &other, "a string")),
        }
    }

    /// A text that must be there and not be empty.
    ///
    /// # Errors
    /// 400: it is missing, empty or something else.
    pub fn needed(&mut self, name: &'static str) -> Result<Text, Failure> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Err(Failure::bad(format!("{name} is missing or empty, expected a string")));
        }
        Ok(text)
    }

    /// An object; `None` when it is missing or null.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn object(&mut self, name: &'static str) -> Result<Option<Object>, Failure> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(other) => Err(wrong(name, &other, "an object")),
        }
    }

    /// A time in milliseconds; `None` when it is missing or null.
    ///
    /// # Errors
    /// 400: it is no whole number in the range.
    pub fn millis(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Result<Option<Duration>, Failure> {
        let expected = || format!("milliseconds from {} to {}", range.start(), range.end());
        match self.take(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                let millis = number.as_i64().and_then(|millis| u64::try_from(millis).ok());
                match millis.filter(|millis| range.contains(millis)) {
                    Some(millis) => Ok(Some(Duration::from_millis(millis))),
                    None => Err(Failure::bad(format!("{name} is {}, expected {}", number.as_str(), expected()))),
                }
            }
            Some(other) => Err(wrong(name, &other, &expected())),
        }
    }

    /// A whole number; `None` when it is missing or null.
    ///
    /// # Errors
    /// 400: it is none, or not in the range.
    pub fn whole(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Result<Option<u64>, Failure> {
        let Some(value) = self.take(name).filter(|value| *value != Value::Null) else { return Ok(None) };
        let number = value.to_i64().and_then(|number| u64::try_from(number).ok()).filter(|n| range.contains(n));
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(|| wrong(name, &value, &expected))
    }

    /// A boolean that may be left out.
    ///
    /// # Errors
    /// 400: it is something else.
    pub fn flag_or(&mut self, name: &'static str, otherwise: bool) -> Result<bool, Failure> {
        match self.take(name) {
            None | Some(Value::Null) => Ok(otherwise),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(wrong(name, &other, "true or false")),
        }
    }

    /// A boolean that must be there.
    ///
    /// # Errors
    /// 400: it is missing or something else.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, Failure> {
        match self.take(name) {
            Some(Value::Bool(flag)) => Ok(flag),
            None => Err(Failure::bad(format!("{name} is missing, expected true or false"))),
            Some(other) => Err(wrong(name, &other, "true or false")),
        }
    }

    /// A number, 0 or more.
    ///
    /// # Errors
    /// 400: it is missing or something else.
    pub fn count(&mut self, name: &'static str) -> Result<u32, Failure> {
        const EXPECTED: &str = "a number, 0 or more";
        match self.take(name) {
            None => Err(Failure::bad(format!("{name} is missing, expected {EXPECTED}"))),
            Some(value) => {
                let number = value.to_i64().and_then(|number| u32::try_from(number).ok());
                number.ok_or_else(|| wrong(name, &value, EXPECTED))
            }
        }
    }

    /// All of them, whatever their names: for a body whose names are data.
    pub fn all(self) -> Object {
        self.object
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// 400 that names the first field nobody knows, and those that are known.
    pub fn finish(self) -> Result<(), Failure> {
        match self.object.iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(40).filter(|c| !c.is_control()).collect();
                let known = self.known.join(", ");
                Err(Failure::bad(format!("the field `{name}` is not known here; known are: {known}")))
            }
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.object.remove(name)
    }
}

fn wrong(name: &str, found: &Value, expected: &str) -> Failure {
    Failure::bad(format!("{name} is of type {}, expected {expected}", found.kind()))
}
