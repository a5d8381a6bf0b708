//! The configuration in effect as TOML, each key with where its value comes from. It can be read back, but for the secrets,
//! which are masked.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::finding::Place;
use super::load::Loaded;

/// The column where origins begin, if the value leaves room.
const COLUMN: usize = 44;

impl Loaded {
    /// The configuration as a file would say it.
    pub fn to_toml(&self) -> String {
        let file = self.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
        let mut printer =
            Printer { loaded: self, text: format!("# The configuration in effect: {file}. Secrets are masked.\n") };
        if let Ok(Value::Object(sections)) = serde_json::to_value(&self.config) {
            for (name, section) in &sections {
                match section {
                    Value::Object(keys) => printer.table(name, name, &format!("[{name}]"), keys),
                    Value::Array(tables) => {
                        for (index, table) in tables.iter().enumerate() {
                            if let Value::Object(keys) = table {
                                printer.table(name, &format!("{name}[{index}]"), &format!("[[{name}]]"), keys);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        printer.text
    }
}

struct Printer<'a> {
    loaded: &'a Loaded,
    text: String,
}

impl Printer<'_> {
    fn table(&mut self, name: &str, path: &str, head: &str, keys: &Map<String, Value>) {
        let _ = write!(self.text, "\n{head}\n");
        for (key, value) in keys {
            // A secret that was fetched from elsewhere is told by where that is.
            let fetched = ["file", "env"].iter().any(|from| keys.contains_key(&format!("{key}_{from}")));
            let table_inside = super::schema::section(&format!("{name}.{key}")).is_some();
            if fetched || table_inside {
                continue;
            }
            let line = format!("{key} = {}", written(value));
            let _ = writeln!(self.text, "{line:COLUMN$}  # {}", self.origin(&format!("{path}.{key}")));
        }
        for (key, value) in keys {
            let inside = format!("{name}.{key}");
            if let (Some(section), Value::Object(keys)) = (super::schema::section(&inside), value) {
                self.table(section.name, &inside, &format!("[{inside}]"), keys);
            }
        }
    }

    fn origin(&self, key: &str) -> String {
        match self.loaded.origins.get(key) {
            None | Some(Place::Default) => "default".to_owned(),
            Some(Place::File { line, .. }) => format!("line {line}"),
            Some(Place::Store(row)) => format!("the store, {row}"),
            Some(Place::Environment(name) | Place::Flag(name)) => name.clone(),
        }
    }
}

/// A value as TOML writes it on one line.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let bare =
                |key: &str| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let key = |key: &str| if bare(key) { key.to_owned() } else { quoted(key) };
            let members = members.iter().map(|(name, value)| format!("{} = {}", key(name), written(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A basic string of TOML, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
