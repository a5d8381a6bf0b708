//! The difference of two configurations, key by key, with what each change does to a gateway that runs. People and links are
//! compared by name, wherever in their list they stand; other lists by place.

use std::collections::BTreeSet;

use ctigate_proto::auth::login_key;
use serde_json::{Map, Value};

use super::key::{self, Effect};
use super::print::written;
use super::secret::MASK;
use super::{Config, Link, Secret, User, schema};

/// One key that has another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key: `limits.in_flight_tab`, `link[crm].url`, `user[ivanov]`.
    pub key: String,
    /// What it was, as TOML writes it; secrets are masked. Empty: there was nothing.
    pub was: String,
    /// What it is. Empty: there is nothing.
    pub is: String,
    /// What that does.
    pub effect: Effect,
}

/// What is another in `new` than in `old`, in the order of the schema.
pub fn difference(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    let (was, is) = (shown(old), shown(new));
    for section in schema::sections() {
        match section.name {
            "user" => {
                let of = |config: &Config| -> Vec<_> {
                    config.users.iter().map(|u| (login_key(&u.login).into_owned(), user(u))).collect()
                };
                named(section, &of(old), &of(new), &mut changes);
            }
            "link" => {
                let of = |config: &Config| config.links.iter().map(|l| (l.name.clone(), link(l))).collect::<Vec<_>>();
                named(section, &of(old), &of(new), &mut changes);
            }
            name if section.list => list(name, &was[name], &is[name], &mut changes),
            name => {
                let of = |whole: &Value| name.split('.').fold(whole.clone(), |at, step| at[step].clone());
                let (of_old, of_new) = (object(of(&was)), object(of(&is)));
                let secret = (name == "pbx.asterisk").then_some((&old.pbx.asterisk.secret, &new.pbx.asterisk.secret));
                let other = match secret {
                    Some((was, is)) if was != is => BTreeSet::from(["secret"]),
                    _ => BTreeSet::new(),
                };
                compare(section, name, &of_old, &of_new, &other, &mut changes);
            }
        }
    }
    changes
}

/// One table of a list that is compared by name: its keys as they are shown, and its secrets.
type Named = (Map<String, Value>, Vec<(&'static str, Option<Secret>)>);

fn user(user: &User) -> Named {
    let secrets = vec![("password", user.password.clone()), ("password_hash", user.password_hash.clone())];
    (object(shown(user)), secrets)
}

fn link(link: &Link) -> Named {
    let secrets = vec![
        ("password", link.password.clone()),
        ("password_hash", link.password_hash.clone()),
        ("ticket", link.ticket.clone()),
        ("rpc_password", link.rpc_password.clone()),
    ];
    (object(shown(link)), secrets)
}

/// Compares lists by name: what is gone first, then what is new or another, in the order of the new list.
fn named(section: schema::Section, old: &[(String, Named)], new: &[(String, Named)], changes: &mut Vec<Change>) {
    let list = section.name;
    for (name, (table, _)) in old {
        if !new.iter().any(|(other, _)| other == name) {
            changes.push(Change {
                key: format!("{list}[{name}]"),
                was: summary(table),
                is: String::new(),
                effect: Effect::Now,
            });
        }
    }
    for (name, (table, secrets)) in new {
        let key = format!("{list}[{name}]");
        match old.iter().find(|(other, _)| other == name) {
            None => changes.push(Change { key, was: String::new(), is: summary(table), effect: Effect::Now }),
            Some((_, (before, old_secrets))) => {
                let other =
                    secrets.iter().zip(old_secrets).filter(|(is, was)| is.1 != was.1).map(|(is, _)| is.0).collect();
                compare(section, &key, before, table, &other, changes);
            }
        }
    }
    // Which of several links answers is decided by their order.
    let both = |side: &[(String, Named)], than: &[(String, Named)]| -> Vec<String> {
        side.iter().map(|(name, _)| name.clone()).filter(|name| than.iter().any(|(other, _)| other == name)).collect()
    };
    let (was, is) = (both(old, new), both(new, old));
    if list == "link" && was != is {
        changes.push(Change { key: "link".to_owned(), was: was.join(", "), is: is.join(", "), effect: Effect::Now });
    }
}

/// Compares lists by place.
fn list(name: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let empty = Vec::new();
    let (old, new) = (old.as_array().unwrap_or(&empty), new.as_array().unwrap_or(&empty));
    let Some(section) = schema::section(name) else { return };
    for at in 0..old.len().max(new.len()) {
        let key = format!("{name}[{at}]");
        match (old.get(at), new.get(at)) {
            (Some(was), Some(is)) => {
                let none = BTreeSet::new();
                compare(section, &key, &object(was.clone()), &object(is.clone()), &none, changes);
            }
            (Some(was), None) => {
                let was = summary(&object(was.clone()));
                changes.push(Change { key, was, is: String::new(), effect: Effect::Now });
            }
            (None, Some(is)) => {
                let is = summary(&object(is.clone()));
                changes.push(Change { key, was: String::new(), is, effect: Effect::Now });
            }
            (None, None) => {}
        }
    }
}

/// Compares two tables. `other`: secrets that differ though they look the same.
fn compare(
    section: schema::Section,
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    other: &BTreeSet<&str>,
    changes: &mut Vec<Change>,
) {
    for name in section.keys {
        if schema::section(&format!("{}.{name}", section.name)).is_some() {
            continue;
        }
        let (was, is) = (old.get(*name), new.get(*name));
        if was == is && !other.contains(name) {
            continue;
        }
        let text = |value: Option<&Value>| value.map(written).unwrap_or_default();
        let (was, mut is) = (text(was), text(is));
        if was == is {
            is = format!("\"{MASK}\" (another)");
        }
        let effect = key::find(section.name, name).map_or(Effect::Restart, |key| key.effect);
        changes.push(Change { key: format!("{path}.{name}"), was, is, effect });
    }
}

/// A whole table on one line: what was set in it to something.
fn summary(table: &Map<String, Value>) -> String {
    let said = table.iter().filter(|(_, value)| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    });
    let words: Vec<String> = said.take(6).map(|(name, value)| format!("{name} = {}", written(value))).collect();
    words.join(", ")
}

fn shown(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn config(text: &str) -> Config {
        match Config::load(&Sources::text(text)) {
            Ok(loaded) => loaded.config,
            Err(refused) => panic!("{refused}"),
        }
    }

    fn lines(old: &str, new: &str) -> Vec<String> {
        let changes = difference(&config(old), &config(new));
        changes.iter().map(|c| format!("{}: {} -> {} ({})", c.key, c.was, c.is, c.effect.word())).collect()
    }

    const PEOPLE: &str = "[[user]]\nlogin = \"ivanov\"\npassword = \"one-password\"\nnumber = \"101\"\n";
    const LINK: &str = "[[link]]\nname = \"crm\"\nmode = \"dial-ws\"\nurl = \"ws://127.0.0.1:9000/\"\nlogin = \"a\"\npassword = \"first-secret\"\n";

    #[test]
    fn nothing_changed_is_no_change() {
        assert!(lines(&format!("{PEOPLE}{LINK}"), &format!("{LINK}{PEOPLE}")).is_empty());
    }

    #[test]
    fn each_key_says_what_it_does_and_no_secret_is_shown() {
        let other = LINK.replace("first-secret", "other-secret").replace(":9000", ":9001");
        let new = format!(
            "{}{other}trust_users = true\n[limits]\nin_flight_tab = 9\n[web]\nbind = \"127.0.0.1:4999\"\n[[break]]\nid = 1\nname = \"Lunch\"\n",
            PEOPLE.replace("101", "102")
        );
        let found = lines(&format!("{PEOPLE}{LINK}"), &new);
        assert_eq!(
            found,
            [
                "web.bind: \"127.0.0.1:4055\" -> \"127.0.0.1:4999\" (restart)",
                "limits.in_flight_tab: 256 -> 9 (now)",
                "user[ivanov].number: \"101\" -> \"102\" (now)",
                "link[crm].url: \"ws://127.0.0.1:9000/\" -> \"ws://127.0.0.1:9001/\" (relink)",
                "link[crm].password: \"********\" -> \"********\" (another) (relink)",
                "link[crm].trust_users: false -> true (now)",
                "break[0]:  -> id = 1, name = \"Lunch\" (now)",
            ]
        );
    }

    #[test]
    fn people_and_links_come_and_go_by_name() {
        let petrov = PEOPLE.replace("ivanov", "petrov");
        let found = lines(&format!("{PEOPLE}{LINK}"), &petrov);
        let keys: Vec<&str> = found.iter().map(|line| line.split(':').next().unwrap_or_default()).collect();
        assert_eq!(keys, ["user[ivanov]", "user[petrov]", "link[crm]"]);
        assert!(!found.concat().contains("secret") && !found.concat().contains("one-password"), "{found:?}");
    }
}
