//! What the store says of the configuration: accounts, links and settings that were changed in the console or by a command. It
//! stands over the file and under the environment. Rows are read like the file, so that a finding about one says what is wrong
//! with it in the same words, and in which row.

use ctigate_proto::auth::same_login;
use serde_json::Value;

use super::finding::{Finding, Place};
use super::key;
use super::load::step;
use super::print::written;
use super::source::{Source, Step};

/// The rows of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// Accounts: the login, and the keys of `[[user]]` as JSON.
    pub accounts: Vec<Row>,
    /// Links: the name, and the keys of `[[link]]` as JSON.
    pub links: Vec<Row>,
    /// Settings: the path of the key (`limits.in_flight_tab`), and its value as JSON.
    pub settings: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What names it.
    pub name: String,
    /// JSON.
    pub body: String,
}

impl Row {
    /// A row.
    pub fn new(name: impl Into<String>, body: impl Into<String>) -> Self {
        Self { name: name.into(), body: body.into() }
    }
}

/// A row as text of TOML, and where it belongs.
#[derive(Debug)]
pub(super) struct Entry {
    list: Option<(&'static str, &'static str)>,
    name: String,
    toml: String,
    place: Place,
}

impl Layer {
    /// The rows as text of TOML, and what cannot be read or does not belong into the store.
    pub(super) fn entries(&self) -> (Vec<Entry>, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut entries = Vec::new();
        let lists = [("user", "login", &self.accounts), ("link", "name", &self.links)];
        for (list, names, rows) in lists {
            for row in rows {
                let place = Place::Store(format!("{list} {}", row.name));
                match serde_json::from_str::<Value>(&row.body) {
                    Ok(Value::Object(mut body)) => {
                        body.retain(|_, value| !value.is_null());
                        body.entry(names).or_insert_with(|| Value::from(row.name.as_str()));
                        let toml = written(&Value::Object(body));
                        entries.push(Entry { list: Some((list, names)), name: row.name.clone(), toml, place });
                    }
                    _ => findings.push(unreadable(list, place)),
                }
            }
        }
        for row in &self.settings {
            let place = Place::Store(format!("setting {}", row.name));
            let known = row.name.rsplit_once('.').and_then(|(section, name)| key::find(section, name));
            match (known.filter(|key| key.is_changeable()), serde_json::from_str::<Value>(&row.body)) {
                (Some(_), Ok(value)) => {
                    entries.push(Entry { list: None, name: row.name.clone(), toml: written(&value), place });
                }
                (Some(_), Err(_)) => findings.push(unreadable(&row.name, place)),
                (None, _) => {
                    let finding = Finding::new([row.name.as_str()], "the store cannot hold this key");
                    let help =
                        "the settings of the store are the keys of tables that stand once, without [store] and secrets";
                    findings.push(Finding { place, ..finding.help(help) });
                }
            }
        }
        (entries, findings)
    }
}

fn unreadable(key: &str, place: Place) -> Finding {
    Finding { place, ..Finding::new([key], "the row is no JSON of the form that is kept there") }
}

impl<'i> Source<'i> {
    /// Puts the rows of the store over what the file says. An account or link that the file has too stays the file's; that is told.
    pub(super) fn add(&mut self, entries: &'i [Entry], findings: &mut Vec<Finding>, warnings: &mut Vec<Finding>) {
        for entry in entries {
            let failed = |message: String| {
                let key = entry.list.map_or(entry.name.as_str(), |(list, _)| list);
                Finding { place: entry.place.clone(), ..Finding::new([key], message) }
            };
            match entry.list {
                Some((list, names)) => {
                    let same = |found: &str| {
                        if list == "user" { same_login(found, &entry.name) } else { found == entry.name }
                    };
                    if let Some(at) = self.position(list, names, same) {
                        let message = format!("the store has a {list} {} too; the one of the file counts", entry.name);
                        let help =
                            format!("remove one of the two: ctigate {list} remove {}, or its [[{list}]]", entry.name);
                        let finding = Finding::new([format!("{list}[{at}]")], message).help(help);
                        warnings.push(Finding { place: entry.place.clone(), ..finding });
                        continue;
                    }
                    if let Err(message) = self.append(list, &entry.toml, &entry.place) {
                        findings.push(failed(message));
                    }
                }
                None => {
                    let path: Vec<Step> = entry.name.split('.').map(step).collect();
                    if let Err(message) = self.put_parsed(&path, &entry.toml, &entry.place) {
                        findings.push(failed(message));
                    }
                }
            }
        }
    }
}
