//! A validator for the keywords that the schemas of the specification use. A keyword it does not know is a mistake in the
//! schema, not something to be passed over.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use ctigate_proto::codec;
use ctigate_proto::message::{Envelope, Format};
use ctigate_proto::method::{Failure, Flow, MESSAGES};
use serde_json::Value;

/// A file or folder of the specification.
pub(crate) fn spec(path: &str) -> PathBuf {
    // Either crate of the repository may tell these stories.
    let crate_folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let top = crate_folder.ancestors().find(|folder| folder.join("proto-spec").is_dir());
    top.expect("a folder of the repository").join("proto-spec").join(path)
}

/// The text of a file of the specification.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(spec(path)).unwrap_or_else(|error| panic!("proto-spec/{path}: {error}"))
}

/// The names of the files in a folder of the specification that end like this, without the ending.
pub(crate) fn names(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(spec(folder)).unwrap_or_else(|error| panic!("proto-spec/{folder}: {error}"));
    let files =
        entries.map(|entry| entry.expect("the folder can be read").file_name().into_string().expect("names are UTF-8"));
    let mut names: Vec<_> = files.filter_map(|file| file.strip_suffix(ending).map(str::to_owned)).collect();
    names.sort();
    names
}

/// What the gateway said is what the specification lets it say: it may go this way, and fits its schema.
pub(crate) fn assert_may_say(envelope: &Envelope, flow: Flow) {
    static ALL: LazyLock<(Schemas, HashMap<&'static str, Value>)> = LazyLock::new(|| {
        (Schemas::load(), MESSAGES.iter().map(|message| (message.name, Schemas::parse(message.name))).collect())
    });
    let Some(message) = ctigate_proto::method::find(&envelope.name) else { return };
    // A refusal answers whatever was said, also what may not be said this way.
    let may = message.flows(flow) || Failure::of(&envelope.body).is_some();
    assert!(may, "{} is not sent {}", message.name, flow.words());
    let text = codec::encode(envelope, Format::Json);
    let value = serde_json::from_str(&text).expect("the codec writes JSON");
    if let Err(why) = ALL.0.check(&ALL.1[message.name], &value) {
        panic!("{text} does not fit schema/{}.json: {why}", message.name);
    }
}

/// The schemas of all messages, with the records that they share.
pub(crate) struct Schemas {
    records: Value,
}

impl Schemas {
    pub(crate) fn load() -> Self {
        Self { records: Self::parse("records") }
    }

    /// The schema file of a message, or of the records.
    pub(crate) fn parse(name: &str) -> Value {
        let path = format!("schema/{name}.json");
        serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The schema of a record.
    pub(crate) fn record(&self, name: &str) -> &Value {
        let found = self.records["$defs"].get(name);
        found.unwrap_or_else(|| panic!("records.json defines no {name}"))
    }

    /// The names of all records.
    pub(crate) fn records(&self) -> Vec<&String> {
        self.records["$defs"].as_object().expect("an object").keys().collect()
    }

    /// Whether the value fits the schema; else where and why not.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("{value} where nothing may stand")),
            other => other.as_object().expect("a schema is an object or a boolean"),
        };
        for (keyword, argument) in keywords {
            self.keyword(keyword, argument, schema, value)?;
        }
        Ok(())
    }

    fn keyword(&self, keyword: &str, argument: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        let list = || argument.as_array().unwrap_or_else(|| panic!("{keyword} wants an array"));
        let number = || argument.as_u64().unwrap_or_else(|| panic!("{keyword} wants a number")) as usize;
        let refuse = |why: String| Err(format!("{value}: {why}"));
        match keyword {
            "$schema" | "title" | "description" => {}
            _ if keyword.starts_with("x-") => {}
            "$ref" => {
                let target = argument.as_str().expect("a reference is a string");
                let name = target.trim_start_matches("records.json").strip_prefix("#/$defs/");
                self.check(self.record(name.unwrap_or_else(|| panic!("no such reference: {target}"))), value)?;
            }
            "type" => {
                let fits = match argument.as_str().expect("type is a string") {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    "integer" => value.is_i64(),
                    other => panic!("no such type: {other}"),
                };
                if !fits {
                    return refuse(format!("not of type {argument}"));
                }
            }
            "const" if value != argument => return refuse(format!("not {argument}")),
            "enum" if !list().contains(value) => return refuse(format!("none of {argument}")),
            "const" | "enum" => {}
            "maxLength" => {
                if value.as_str().is_some_and(|text| text.chars().count() > number()) {
                    return refuse("too long".to_owned());
                }
            }
            "minItems" => {
                if value.as_array().is_some_and(|items| items.len() < number()) {
                    return refuse("too few items".to_owned());
                }
            }
            "required" => {
                for name in list() {
                    let name = name.as_str().expect("a name is a string");
                    if value.as_object().is_some_and(|members| !members.contains_key(name)) {
                        return refuse(format!("without {name}"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in argument.as_object().expect("properties is an object") {
                    if let Some(member) = value.get(name) {
                        self.check(schema, member).map_err(|why| format!("{name}: {why}"))?;
                    }
                }
            }
            "prefixItems" => {
                for (schema, item) in list().iter().zip(value.as_array().into_iter().flatten()) {
                    self.check(schema, item)?;
                }
            }
            "items" => {
                let before = schema["prefixItems"].as_array().map_or(0, Vec::len);
                for item in value.as_array().into_iter().flatten().skip(before) {
                    self.check(argument, item)?;
                }
            }
            "allOf" => list().iter().try_for_each(|schema| self.check(schema, value))?,
            "anyOf" => {
                let whys: Vec<_> = list().iter().filter_map(|schema| self.check(schema, value).err()).collect();
                if whys.len() == list().len() {
                    return Err(whys.join("; or "));
                }
            }
            unknown => panic!("this validator does not know the keyword {unknown}"),
        }
        Ok(())
    }
}
