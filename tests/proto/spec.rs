//! The catalogue and the specification say the same: neither names a message, parameter, record, group, right or error that
//! the other does not.

use std::collections::BTreeSet;

use ctigate_proto::method::{Field, MESSAGES, Message, Origin, Outcome, Record, Type};
use serde_json::{Value as Json, json};

use crate::schema::{Schemas, names};

/// Every record that a message leads to, by name.
fn records() -> Vec<&'static Record> {
    fn follow(ty: Type, found: &mut Vec<&'static Record>) {
        match ty {
            Type::Record(record) => add(record, found),
            Type::List(item) => follow(*item, found),
            _ => {}
        }
    }
    fn add(record: &'static Record, found: &mut Vec<&'static Record>) {
        if found.iter().any(|known| known.name == record.name) {
            return;
        }
        found.push(record);
        record.fields.iter().for_each(|field| follow(field.ty, found));
    }
    let mut found = Vec::new();
    for message in &MESSAGES {
        message.shape.includes.iter().for_each(|record| add(record, &mut found));
        message.shape.fields.iter().for_each(|field| follow(field.ty, &mut found));
    }
    found.sort_by_key(|record| record.name);
    found
}

#[test]
fn every_message_has_a_schema_and_there_is_no_other() {
    let mut expected: Vec<_> = MESSAGES.iter().map(|message| message.name.to_owned()).collect();
    expected.push("records".to_owned());
    expected.sort();
    assert_eq!(names("schema", ".json"), expected);

    let schemas = Schemas::load();
    let mut expected: Vec<_> = records().iter().map(|record| record.name).collect();
    expected.extend(["head", "failure"]);
    expected.sort_unstable();
    let mut defined = schemas.records();
    defined.sort_unstable();
    assert_eq!(defined, expected);
}

#[test]
fn schemas_say_what_the_catalogue_says() {
    let schemas = Schemas::load();
    for message in &MESSAGES {
        let schema = Schemas::parse(message.name);
        let directions: Vec<_> = message.directions().map(|flow| flow.words()).collect();
        assert_eq!(schema["title"], format!("{}: {}", message.name, directions.join(", ")));
        assert_eq!(schema["x-direction"], json!(directions), "{}", message.name);
        assert_eq!(schema["x-class"], format!("{:?}", message.class).to_lowercase(), "{}", message.name);
        let origin = if message.origin == Origin::Ctigate { "ctigate" } else { "oktell" };
        assert_eq!(schema["x-origin"], origin, "{}", message.name);
        assert_eq!(schema.get("x-reply"), message.reply.map(Json::from).as_ref(), "{}", message.name);
        assert_eq!(schema["prefixItems"][0], json!({ "const": message.name }));
        assert_eq!((&schema["minItems"], &schema["items"]), (&json!(2), &json!(false)), "{}", message.name);
        check_body(message, &schema["prefixItems"][1]);
    }
    for record in records() {
        check_fields(record.name, record.fields, schemas.record(record.name), &[], "");
    }
}

fn check_body(message: &Message, schema: &Json) {
    let failure = json!({ "$ref": "records.json#/$defs/failure" });
    let success = match message.outcome {
        Outcome::None => schema,
        Outcome::Always | Outcome::Optional | Outcome::Data => {
            assert_eq!(schema["anyOf"].as_array().map(Vec::len), Some(2), "{}", message.name);
            assert_eq!(schema["anyOf"][1], failure, "{}", message.name);
            &schema["anyOf"][0]
        }
    };
    let result: &[(&str, bool)] = match message.outcome {
        Outcome::None | Outcome::Data => &[],
        Outcome::Always => &[("result", true)],
        Outcome::Optional => &[("result", false)],
    };
    check_fields(message.name, message.shape.fields, success, result, "records.json");
    let includes = message.shape.includes.iter().map(|record| record.name).chain(["head"]);
    let includes: Vec<_> = includes.map(|name| json!({ "$ref": format!("records.json#/$defs/{name}") })).collect();
    assert_eq!(success["allOf"], json!(includes), "{}", message.name);
}

/// The properties of a schema are these fields, and `result` where it is said so.
fn check_fields(owner: &str, fields: &[Field], schema: &Json, result: &[(&str, bool)], file: &str) {
    assert_eq!(schema["type"], "object", "{owner}");
    let empty = serde_json::Map::new();
    let properties = schema.get("properties").map_or(&empty, |p| p.as_object().expect("properties is an object"));
    let mut expected: BTreeSet<&str> = result.iter().map(|(name, _)| *name).collect();
    let mut required: Vec<&str> = result.iter().filter(|(_, required)| *required).map(|(name, _)| *name).collect();
    for field in fields {
        for name in std::iter::once(&field.name).chain(field.aliases) {
            expected.insert(name);
            let property = properties.get(*name).unwrap_or_else(|| panic!("{owner}: the schema has no {name}"));
            let mut said = property.as_object().expect("a property is an object").clone();
            let meaning = said.remove("description").expect("a property is described");
            assert!(meaning.as_str().is_some_and(|text| !text.is_empty()), "{owner}.{name}");
            assert_eq!(said.remove("x-secret").is_some(), field.secret, "{owner}.{name}: secret");
            assert_eq!(Json::Object(said), type_schema(field.ty, file), "{owner}.{name}");
        }
        if field.required && field.aliases.is_empty() {
            required.push(field.name);
        } else if field.required {
            let any: Vec<_> =
                std::iter::once(&field.name).chain(field.aliases).map(|n| json!({ "required": [n] })).collect();
            assert_eq!(schema["anyOf"], json!(any), "{owner}.{}", field.name);
        }
    }
    assert_eq!(properties.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{owner}");
    let said = schema.get("required").cloned().unwrap_or_else(|| json!([]));
    assert_eq!(said, json!(required), "{owner}");
}

fn type_schema(ty: Type, file: &str) -> Json {
    match ty {
        Type::Any => json!({}),
        Type::String => json!({ "type": "string" }),
        Type::Int => json!({ "type": "integer" }),
        Type::Float => json!({ "type": "number" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Object => json!({ "type": "object" }),
        Type::Array => json!({ "type": "array" }),
        Type::Choice(words) => json!({ "enum": words }),
        Type::Record(record) => json!({ "$ref": format!("{file}#/$defs/{}", record.name) }),
        Type::List(item) => json!({ "type": "array", "items": type_schema(*item, file) }),
        Type::OneOrMany => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
        }
        Type::ListOrFalse => {
            json!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "enum": [false, null] }] })
        }
    }
}
