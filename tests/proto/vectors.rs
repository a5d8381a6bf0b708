//! The vectors of the specification: every message in JSON and in XML, and what is wrong with the broken ones.

use std::path::Path;
use std::process::Command;

use ctigate_proto::codec::{self, Limits};
use ctigate_proto::message::{Body, CallError, Code, Envelope, Format, Object, Text, Value};
use ctigate_proto::method::{self, Field, MESSAGES, Message, Type};
use serde_json::Value as Json;

use crate::schema::{Schemas, names, read, spec};

/// The folders whose vectors are messages of the catalogue.
const FOLDERS: [&str; 3] = ["vectors", "vectors/failed", "vectors/lineinfo"];

/// A pair of files with one meaning.
struct Pair {
    path: String,
    json: String,
    xml: String,
}

impl Pair {
    fn envelope(&self, format: Format) -> Envelope {
        let text = match format {
            Format::Json => &self.json,
            Format::Xml => &self.xml,
        };
        let decoded = codec::decode(format, &Text::from(text.as_str()), &Limits::default());
        decoded.unwrap_or_else(|error| panic!("{}.{}: {error}", self.path, format.word()))
    }
}

/// The pairs of a folder. A file without its twin is a mistake.
fn pairs(folder: &str) -> Vec<Pair> {
    let json = names(folder, ".json");
    assert_eq!(json, names(folder, ".xml"), "proto-spec/{folder}: json and xml do not stand in pairs");
    let pair = |name: String| {
        let path = format!("{folder}/{name}");
        Pair { json: read(&format!("{path}.json")), xml: read(&format!("{path}.xml")), path }
    };
    json.into_iter().map(pair).collect()
}

fn messages() -> impl Iterator<Item = (&'static Message, Pair)> {
    FOLDERS.into_iter().flat_map(pairs).map(|pair| {
        let name = pair.envelope(Format::Json).name;
        (method::find(&name).unwrap_or_else(|| panic!("{}: no message {name}", pair.path)), pair)
    })
}

#[test]
fn every_message_has_a_pair_of_its_name_and_there_is_no_other() {
    let catalogue: Vec<_> = MESSAGES.iter().map(|message| message.name.to_owned()).collect();
    assert_eq!(names("vectors", ".json"), catalogue);
    for pair in pairs("vectors") {
        assert_eq!(format!("vectors/{}", pair.envelope(Format::Json).name), pair.path);
    }
}

#[test]
fn both_files_of_a_pair_mean_the_same() {
    for pair in FOLDERS.into_iter().chain(["vectors/grammar"]).flat_map(pairs) {
        assert_eq!(pair.envelope(Format::Json), pair.envelope(Format::Xml), "{}", pair.path);
    }
}

#[test]
fn each_vector_is_written_as_it_was_read_but_for_blanks() {
    for (_, pair) in messages() {
        let json: Json = serde_json::from_str(&pair.json).unwrap();
        let (json, xml) = (json.to_string(), without_indent(&pair.xml));
        for (from, text) in [(Format::Json, &json), (Format::Xml, &xml)] {
            let envelope = codec::decode(from, &Text::from(text.as_str()), &Limits::default()).unwrap();
            assert_eq!(&*codec::encode(&envelope, Format::Json), json, "{} from {}", pair.path, from.word());
            assert_eq!(&*codec::encode(&envelope, Format::Xml), xml, "{} from {}", pair.path, from.word());
        }
    }
}

/// The document without what stands between its elements. Line breaks inside text stay.
fn without_indent(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len());
    for line in xml.lines() {
        let text = line.trim_start();
        if !text.starts_with('<') || (!out.is_empty() && !out.ends_with('>')) {
            out.push('\n');
            out.push_str(line);
        } else {
            out.push_str(text);
        }
    }
    out
}

#[test]
fn each_vector_fits_its_schema() {
    let schemas = Schemas::load();
    for (message, pair) in messages() {
        let value: Json = serde_json::from_str(&pair.json).unwrap();
        let checked = schemas.check(&Schemas::parse(message.name), &value);
        assert_eq!(checked, Ok(()), "{}", pair.path);
    }
}

#[test]
fn without_a_required_parameter_or_with_one_of_another_type_neither_schema_nor_reader_takes_it() {
    let schemas = Schemas::load();
    let mut tried = 0;
    for (message, pair) in messages().filter(|(_, pair)| !pair.path.starts_with("vectors/failed")) {
        let value: Json = serde_json::from_str(&pair.json).unwrap();
        let schema = Schemas::parse(message.name);
        let mut refuse = |broken: &Json, field: &str, how: &str| {
            assert!(schemas.check(&schema, broken).is_err(), "{}: {field} {how} fits the schema", pair.path);
            tried += 1;
        };
        for field in required(message) {
            if field.aliases.iter().any(|alias| value[1].get(alias).is_some()) {
                continue;
            }
            let missing = changed(&value, field.name, None);
            refuse(&missing, field.name, "missing");
            assert_named(message, &missing, field.name);
            let Some(other) = of_another_type(field.ty) else { continue };
            let mistyped = changed(&value, field.name, Some(other));
            refuse(&mistyped, field.name, "of another type");
            assert_named(message, &mistyped, field.name);
        }
        if message.outcome == method::Outcome::Always {
            refuse(&changed(&value, "result", None), "result", "missing");
            refuse(&changed(&value, "result", Some("yes".into())), "result", "of another type");
        }
    }
    assert!(tried > 300, "only {tried} ways were tried");
}

fn required(message: &'static Message) -> impl Iterator<Item = &'static Field> {
    message.fields().filter(|field| field.required)
}

fn changed(message: &Json, field: &str, value: Option<Json>) -> Json {
    let mut message = message.clone();
    let body = message[1].as_object_mut().expect("the parameters are an object");
    body.shift_remove(field).unwrap_or_else(|| panic!("the vector has no {field}"));
    if let Some(value) = value {
        body.insert(field.to_owned(), value);
    }
    message
}

/// A value that cannot be read as this type, however leniently.
fn of_another_type(ty: Type) -> Option<Json> {
    match ty {
        Type::Any => None,
        Type::Object | Type::Record(_) => Some(Json::from("no object")),
        Type::Array | Type::List(_) => Some(Json::from(7)),
        Type::Choice(_) => Some(Json::from("none of them")),
        Type::ListOrFalse | Type::OneOrMany => Some(serde_json::json!({})),
        Type::String | Type::Int | Type::Float | Type::Bool => Some(serde_json::json!([])),
    }
}

/// The reader refuses it with 59002 and names the field.
fn assert_named(message: &Message, broken: &Json, field: &str) {
    let text = Text::from(broken.to_string());
    let envelope = codec::decode(Format::Json, &text, &Limits::default()).expect("it is a message");
    let error: CallError = (message.retype)(&envelope.body).expect_err("it is refused");
    assert_eq!(error.code, Some(Code::BadRequest));
    assert!(error.detail.starts_with(&format!("{field}: found ")), "{}: {error}", message.name);
}

#[test]
fn the_typed_form_of_each_vector_says_the_same() {
    for (message, pair) in messages().filter(|(_, pair)| !pair.path.starts_with("vectors/failed")) {
        for format in [Format::Json, Format::Xml] {
            let envelope = pair.envelope(format);
            let mut typed = (message.retype)(&envelope.body).unwrap_or_else(|error| panic!("{}: {error}", pair.path));
            let mut expected = envelope.body;
            let own: Vec<_> = message.fields().map(|field| field.name).collect();
            for common in ["qid", "userid", "userlogin", "tabid"] {
                if !own.contains(&common) {
                    expected.remove(common);
                }
            }
            if message.outcome == method::Outcome::Optional {
                // We write it; others may leave it out.
                typed.remove("result");
                expected.remove("result");
            }
            assert_eq!(sorted(&typed), sorted(&expected), "{}", pair.path);
        }
    }
}

/// Opened, and without regard to the order of members: a struct has an order of its own.
fn sorted(body: &Body) -> Value {
    fn sort(value: Value) -> Value {
        match value {
            Value::Object(object) => {
                let mut members: Vec<_> = object.into_iter().map(|(name, value)| (name, sort(value))).collect();
                members.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(members.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sort).collect()),
            scalar => scalar,
        }
    }
    sort(Value::Object(body.open()))
}

#[test]
fn failed_replies_are_told_from_others() {
    for (message, pair) in messages().filter(|(message, _)| message.class == method::Class::Reply) {
        let failure = method::Failure::of(&pair.envelope(Format::Json).body);
        let expected = pair.path.starts_with("vectors/failed") || message.name == "error";
        assert_eq!(failure.is_some(), expected, "{} ({})", pair.path, message.name);
    }
}

#[test]
fn every_parameter_is_shown_by_a_vector() {
    let mut shown = std::collections::BTreeSet::new();
    for (message, pair) in messages() {
        note(&mut shown, message.name, &message.shape, &pair.envelope(Format::Json).body.open());
    }
    for message in &MESSAGES {
        for field in message.shape.fields {
            assert!(shown.contains(&(message.name, field.name)), "{}.{}", message.name, field.name);
            let Some(record) = record_of(field.ty) else { continue };
            for member in record.fields {
                assert!(shown.contains(&(record.name, member.name)), "{}.{}", record.name, member.name);
            }
        }
    }
}

type Shown = std::collections::BTreeSet<(&'static str, &'static str)>;

fn note(shown: &mut Shown, owner: &'static str, record: &method::Record, object: &Object) {
    for included in record.includes {
        note(shown, included.name, included, object);
    }
    for field in record.fields {
        let Some(value) = object.get(field.name) else { continue };
        shown.insert((owner, field.name));
        let Some(inner) = record_of(field.ty) else { continue };
        for item in value.as_array().unwrap_or_else(|| std::slice::from_ref(value)) {
            if let Some(object) = item.as_object() {
                note(shown, inner.name, inner, object);
            }
        }
    }
}

fn record_of(ty: Type) -> Option<&'static method::Record> {
    match ty {
        Type::Record(record) => Some(record),
        Type::List(item) => record_of(*item),
        _ => None,
    }
}

/// What is due for a broken vector, by `vectors/broken/expected.json`.
#[test]
fn broken_messages_are_refused_with_the_error_that_is_due() {
    let expected: Json = serde_json::from_str(&read("vectors/broken/expected.json")).unwrap();
    let expected = expected.as_object().expect("an object, a member for each file");
    let files = std::fs::read_dir(spec("vectors/broken")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.retain(|file| file != "expected.json");
    files.sort();
    let mut listed: Vec<_> = expected.keys().cloned().collect();
    listed.sort();
    assert_eq!(files, listed, "files and expectations");

    for (file, due) in expected {
        let bytes = std::fs::read(spec("vectors/broken").join(file)).unwrap();
        let Ok(text) = String::from_utf8(bytes) else {
            assert_eq!(due["close"], 1007, "{file} is not UTF-8");
            continue;
        };
        let format = if file.ends_with(".xml") { Format::Xml } else { Format::Json };
        let error = refusal(format, &text).unwrap_or_else(|| panic!("{file} is taken for a message"));
        assert_eq!(due["error"].as_i64(), error.code.map(Code::number), "{file}: {error}");
        let errormsg = error.errormsg();
        assert!(errormsg.starts_with("Bad request: "), "{file}: {errormsg}");
        for part in due["errormsg"].as_array().expect("what errormsg must contain") {
            let part = part.as_str().expect("a string");
            assert!(errormsg.contains(part), "{file}: `{part}` is not in `{errormsg}`");
        }
    }
}

/// Why a text is no message of the catalogue: refused by the codec, by the common parameters, or by the message's own.
fn refusal(format: Format, text: &str) -> Option<CallError> {
    let envelope = match codec::decode(format, &Text::from(text), &Limits::default()) {
        Ok(envelope) => envelope,
        Err(error) => return Some(CallError::new(Code::BadRequest, error.to_string())),
    };
    let message = method::find(&envelope.name)?;
    method::Head::of(&envelope.body).err().or_else(|| (message.retype)(&envelope.body).err())
}

#[test]
fn the_xsd_accepts_every_xml_vector_and_refuses_wrong_structure() {
    let mut good = Vec::new();
    for folder in FOLDERS.into_iter().chain(["vectors/grammar", "vectors/several"]) {
        good.extend(names(folder, ".xml").into_iter().map(|name| spec(&format!("{folder}/{name}.xml"))));
    }
    let output = xmllint(good.iter().map(AsRef::as_ref));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let expected: Json = serde_json::from_str(&read("vectors/broken/expected.json")).unwrap();
    let structure = expected.as_object().unwrap().iter().filter(|(_, due)| due["xsd"] == true);
    let mut count = 0;
    for (file, _) in structure {
        let path = spec("vectors/broken").join(file);
        let output = xmllint([path.as_path()].into_iter());
        assert!(!output.status.success(), "the XSD accepts {file}");
        count += 1;
    }
    assert!(count >= 5, "only {count} broken vectors are said to fail the XSD");
}

fn xmllint<'a>(files: impl Iterator<Item = &'a Path>) -> std::process::Output {
    let mut command = Command::new("xmllint");
    command.arg("--noout").arg("--nonet").arg("--schema").arg(spec("message.xsd")).args(files);
    command.output().expect("xmllint runs (apt-get install libxml2-utils)")
}

#[test]
fn several_messages_in_one_body_are_read_in_order() {
    for pair in pairs("vectors/several") {
        let limits = Limits::default();
        let json = codec::decode_all(Format::Json, &Text::from(pair.json.as_str()), &limits).unwrap();
        let xml = codec::decode_all(Format::Xml, &Text::from(pair.xml.as_str()), &limits).unwrap();
        assert_eq!(json, xml, "{}", pair.path);
    }
}
