//! The catalogue and the specification say the same: neither names a message, parameter, record, group, right or error that
//! the other does not.

use std::collections::{BTreeMap, BTreeSet};

use ctigate_proto::auth::{basic, digest, password};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::hub::Rights;
use ctigate_proto::message::{Code, Format, Text};
use ctigate_proto::method::{
    self, Class, Field, Flow, GROUPS, MESSAGES, Message, Origin, Outcome, Record, Right, Type,
};
use serde_json::{Value as Json, json};

use crate::pages::{About, Page, Section, code_word, code_words};
use crate::schema::{Schemas, names, spec};

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
        assert_eq!(schema["description"], one_line(message.shape.doc()), "{}", message.name);
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
        let schema = schemas.record(record.name);
        assert_eq!(schema["description"], one_line(record.doc()), "{}", record.name);
        check_fields(record.name, record.fields, schema, &[], "");
    }
}

/// A documentation as one line.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
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
            let meaning = said.remove("description");
            let expected = if *name == field.name {
                field.meaning().to_owned()
            } else {
                format!("Another name of `{}`.", field.name)
            };
            assert_eq!(meaning, Some(Json::from(expected)), "{owner}.{name}");
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

#[test]
fn every_message_and_record_has_its_section_and_there_is_no_other() {
    let (mut messages, mut described) = (Vec::new(), Vec::new());
    for page in Page::areas() {
        for section in page.sections() {
            match section.about() {
                About::Message(name) => messages.push(name.to_owned()),
                About::Record(name) => described.push(name.to_owned()),
                About::Prose => {}
            }
        }
    }
    messages.sort();
    described.sort();
    assert_eq!(messages, MESSAGES.iter().map(|message| message.name).collect::<Vec<_>>());
    assert_eq!(described, records().iter().map(|record| record.name).collect::<Vec<_>>());
}

#[test]
fn pages_say_of_each_message_what_the_catalogue_says() {
    let records = records();
    for page in Page::areas() {
        for section in page.sections() {
            let name = match section.about() {
                About::Message(name) => name,
                About::Record(name) => {
                    let record = records.iter().find(|record| record.name == name).expect("it is a record");
                    assert_eq!(section.purpose(), one_line(record.doc()), "{name}");
                    check_table(&section, record.fields);
                    continue;
                }
                About::Prose => continue,
            };
            let message = method::find(name).expect("it is a message");
            assert_eq!(section.purpose(), one_line(message.shape.doc()), "{name}");
            assert_eq!(section.facts(), facts(message), "{name}");
            let includes: Vec<_> = message.shape.includes.iter().map(|record| record.name).collect();
            assert_eq!(section.includes(), includes, "{name}");
            check_table(&section, message.shape.fields);
        }
    }
}

fn facts(message: &Message) -> Vec<String> {
    let mut facts = vec![format!("{:?}", message.class).to_lowercase()];
    facts.push(message.directions().map(Flow::words).collect::<Vec<_>>().join(", "));
    facts.extend(message.reply.map(|reply| format!("reply `{reply}`")));
    match message.outcome {
        Outcome::None if message.class == Class::Reply => {
            // Only `error` writes its own, which is always 0.
            let own = message.shape.fields.iter().any(|field| field.name == "result");
            facts.push(if own { "`result` of its own" } else { "without `result`" }.to_owned());
        }
        Outcome::None | Outcome::Always => {}
        Outcome::Optional => facts.push("`result` optional".to_owned()),
        Outcome::Data => facts.push("`result` is the data".to_owned()),
    }
    facts.extend(message.right.map(|right| format!("right `{}`", right.word())));
    for (said, word) in [
        (message.before_login, "before login"),
        (message.subscribed, "by subscription"),
        (message.origin == Origin::Ctigate, "ctigate"),
    ] {
        facts.extend(said.then(|| word.to_owned()));
    }
    facts
}

fn check_table(section: &Section<'_>, fields: &[Field]) {
    let rows = section.table("field");
    let said: Vec<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone(), row[2].clone())).collect();
    let expected: Vec<_> = fields
        .iter()
        .map(|field| {
            let also: Vec<_> = field.aliases.iter().map(|alias| format!("`{alias}`")).collect();
            let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
            let required = if field.required { "yes" } else { "no" };
            (format!("`{}`{also}", field.name), field.ty.to_string(), required.to_owned())
        })
        .collect();
    assert_eq!(said, expected, "{}", section.title);
    for (row, field) in rows.iter().zip(fields) {
        assert_eq!(row.len(), 4, "{}: {}", section.title, field.name);
        let secret = if field.secret { " Secret." } else { "" };
        assert_eq!(row[3], format!("{}{secret}", field.meaning()), "{}: {}", section.title, field.name);
    }
}

#[test]
fn replies_with_names_of_their_own_are_listed() {
    let listed = Page::open("message.md").section("Calls, replies, events").table("call");
    let listed: BTreeSet<_> = listed
        .iter()
        .map(|row| (code_word(&row[0]).unwrap().to_owned(), code_word(&row[1]).unwrap().to_owned()))
        .collect();
    let own = MESSAGES.iter().filter_map(|message| Some((message.name, message.reply?)));
    let own = own.filter(|(name, reply)| *reply != format!("{name}result"));
    assert_eq!(listed, own.map(|(name, reply)| (name.to_owned(), reply.to_owned())).collect());
}

#[test]
fn events_and_groups_are_listed() {
    let page = Page::open("events.md");
    let listed: BTreeMap<_, _> = page
        .section("All events")
        .table("event")
        .into_iter()
        .map(|row| (code_word(&row[0]).unwrap().to_owned(), (row[1].clone(), row[2].clone(), row[3].clone())))
        .collect();
    let out = |message: &&Message| {
        let gateway = message.flows(Flow::GatewayToTab) || message.flows(Flow::GatewayToLink);
        message.subscribed || (message.class == Class::Event && gateway)
    };
    let expected: BTreeMap<_, _> = MESSAGES
        .iter()
        .filter(out)
        .map(|message| {
            let group = GROUPS.iter().find(|group| group.members.contains(&message.name));
            let group = group.map_or_else(String::new, |group| format!("`{}`", group.name));
            let to = [(Flow::GatewayToTab, "tab"), (Flow::GatewayToLink, "link")];
            let to: Vec<_> = to.iter().filter(|(flow, _)| message.flows(*flow)).map(|(_, word)| *word).collect();
            let delivery = if message.subscribed { "subscribed" } else { "always" };
            (message.name.to_owned(), (group, to.join(", "), delivery.to_owned()))
        })
        .collect();
    assert_eq!(listed, expected);

    let listed: Vec<_> = page
        .section("Groups")
        .table("group")
        .into_iter()
        .map(|row| {
            let members: Vec<_> = code_words(&row[1]).into_iter().map(str::to_owned).collect();
            (code_word(&row[0]).unwrap().to_owned(), members)
        })
        .collect();
    let expected: Vec<_> = GROUPS
        .iter()
        .map(|group| (group.name.to_owned(), group.members.iter().map(|&member| member.to_owned()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn error_codes_and_their_texts_are_listed() {
    let listed: Vec<_> = Page::open("errors.md")
        .section("Failed calls")
        .table("error")
        .into_iter()
        .map(|row| (row[0].parse::<i64>().unwrap(), row[1].clone()))
        .collect();
    assert_eq!(listed, Code::ALL.map(|code| (code.number(), code.text().to_owned())));
}

#[test]
fn close_reasons_are_listed() {
    let listed: BTreeSet<_> = Page::open("errors.md")
        .section("Close reasons")
        .table("code")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let is_listed = |code: &str, text: &str| listed.contains(&(code.to_owned(), text.to_owned()));
    for reason in [
        CloseReason::NORMAL,
        CloseReason::GOING_AWAY,
        CloseReason::NO_FORMAT,
        CloseReason::SLOW,
        CloseReason::SILENT,
        CloseReason::LOGOUT,
        CloseReason::REPLACED,
    ] {
        let code = if reason.code == 0 { "(cut)".to_owned() } else { reason.code.to_string() };
        let text = if reason.text.is_empty() { "(none)" } else { &reason.text };
        assert!(is_listed(&code, text), "{reason:?}");
    }
    // Those made where they are used. Broken frames (1002) say what was wrong in each.
    let mut seen = 0;
    for (file, source) in sources(&spec("../src")) {
        let source = source.split("#[cfg(test)]").next().expect("there is a first part");
        for call in source.split("CloseReason::new(").skip(1) {
            let (code, rest) = call.split_once(", ").unwrap_or_default();
            let Some(text) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) else { continue };
            if code.len() == 4 && code != "1002" && !text.is_empty() {
                assert!(is_listed(code, text), "{file}: {code} {text}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "only {seen} close reasons were found in the sources");
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).expect("it is text")));
        }
    }
    found
}

#[test]
fn rights_and_roles_are_listed() {
    let page = Page::open("auth.md");
    let section = page.section("Rights");
    let listed: Vec<_> = section.table("right").iter().map(|row| code_word(&row[0]).unwrap().to_owned()).collect();
    assert_eq!(listed, Right::ALL.map(Right::word));

    let mut known: BTreeMap<String, Vec<Right>> = BTreeMap::new();
    for row in section.table("role") {
        let role = code_word(&row[0]).unwrap().to_owned();
        let mut rights: Vec<_> = code_words(&row[1]).into_iter().map(|word| Right::of_word(word).unwrap()).collect();
        if row[1].contains("those of an agent") {
            rights.extend(&known["agent"]);
        }
        if row[1] == "all" {
            rights.extend(Right::ALL);
        }
        let held = Rights::role(&role).unwrap_or_else(|| panic!("no role {role}"));
        for right in Right::ALL {
            assert_eq!(held.has(right), rights.contains(&right), "{role}: {}", right.word());
        }
        known.insert(role, rights);
    }
    assert_eq!(known.keys().collect::<Vec<_>>(), ["admin", "agent", "integrator", "supervisor"]);
}

#[test]
fn password_hashes_are_those_of_the_page() {
    let page = Page::open("auth.md");
    let rows = page.section("Password hashes").table("password");
    assert_eq!(rows.len(), 5);
    for row in rows {
        let [typed, _, hash, folded] = [0, 1, 2, 3].map(|i| code_word(&row[i]).unwrap_or(&row[i]));
        assert_eq!(password::hash(typed).as_deref(), Ok(hash), "{typed}");
        assert_eq!(password::folded_hash(typed).as_deref(), Ok(folded), "{typed}");
    }
}

#[test]
fn digest_answers_are_those_of_the_page() {
    let page = Page::open("auth.md");
    let rows = page.section("HTTP authorization").table("part");
    for column in [1, 2] {
        let part = |name: &str| {
            let row = rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name}"));
            code_word(&row[column]).expect("it is a word").to_owned()
        };
        let cnonce = part("cnonce");
        let random = std::array::from_fn(|i| u8::from_str_radix(&cnonce[2 * i..2 * i + 2], 16).unwrap());
        for algorithm in ["SHA-256", "MD5"] {
            let mut client = digest::Client::new(part("login"), part("password"));
            let (realm, nonce) = (part("realm"), part("nonce"));
            let challenge = format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={algorithm}, charset=UTF-8"
            );
            client.challenged([challenge.as_str()]).unwrap();
            let answer = client.answer(&part("method"), &part("uri"), random).unwrap();
            let response = format!("response=\"{}\"", part(&format!("response, {algorithm}")));
            assert!(answer.contains(&response), "{answer}");
            assert!(answer.contains(&format!("nc={}", part("nc"))), "{answer}");
        }
    }
    let basic = page.section("HTTP authorization").table("login");
    let [login, password, header] = [0, 1, 2].map(|i| code_word(&basic[0][i]).unwrap());
    let read = basic::Basic::parse(header).unwrap();
    assert_eq!((&*read.login, &*read.password), (login, password));
}

#[test]
fn links_lead_somewhere() {
    let pages = Page::all();
    for page in &pages {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page.links() {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() {
                page.path.clone()
            } else if let Some(above) = file.strip_prefix("../") {
                assert!(!folder.is_empty(), "{}: {link} leads out of the specification", page.path);
                above.to_owned()
            } else if folder.is_empty() {
                file.to_owned()
            } else {
                format!("{folder}/{file}")
            };
            assert!(spec(&path).exists(), "{}: {link}", page.path);
            if !place.is_empty() {
                let target =
                    pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("{}: {link}", page.path));
                assert!(target.anchors().contains(place), "{}: {link}", page.path);
            }
        }
    }
}

#[test]
fn examples_in_pages_are_valid() {
    let schemas = Schemas::load();
    let mut messages = 0;
    for page in Page::all() {
        for block in page.code("json") {
            for value in serde_json::Deserializer::from_str(&block).into_iter::<Json>() {
                let value = value.unwrap_or_else(|error| panic!("{}: {error} in {block}", page.path));
                if let (Some(name), true) = (value[0].as_str(), value[1].is_object()) {
                    assert!(method::find(name).is_some(), "{}: no message {name}", page.path);
                    assert_eq!(schemas.check(&Schemas::parse(name), &value), Ok(()), "{}: {block}", page.path);
                    messages += 1;
                }
            }
        }
        for block in page.code("xml").into_iter().filter(|block| block.starts_with("<message")) {
            let read = codec::decode(Format::Xml, &Text::from(block.as_str()), &Limits::default());
            assert!(read.is_ok(), "{}: {read:?}", page.path);
            messages += 1;
        }
    }
    assert!(messages >= 15, "only {messages} examples were found");
}
