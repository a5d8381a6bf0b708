//! The text of a configuration as a tree that knows where each value stands, with the environment and the flags merged in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::finding::{Finding, Place};
use super::keyword::nearest;
use super::schema::{self, Section};

/// A value set outside the file.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// Which key, like `web.bind` or `link[0].password`.
    pub(super) path: Vec<Step>,
    /// What it was set to, as text.
    pub(super) text: String,
    /// The variable or flag.
    pub(super) place: Place,
}

/// One step into the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of a table.
    Key(String),
    /// A place in a list.
    Index(usize),
}

/// How a path is written in messages.
pub(super) fn path_text(path: &[Step]) -> String {
    path.iter().fold(String::new(), |mut text, step| {
        let written = match step {
            Step::Key(key) if text.is_empty() => write!(text, "{key}"),
            Step::Key(key) => write!(text, ".{key}"),
            Step::Index(index) => write!(text, "[{index}]"),
        };
        written.expect("a String takes everything");
        text
    })
}

/// A configuration on its way to its types.
#[derive(Debug)]
pub(super) struct Source<'i> {
    lines: Lines<'i>,
    file: Option<PathBuf>,
    root: DeTable<'i>,
    marks: BTreeMap<String, Mark>,
    settings: Vec<&'i Setting>,
}

/// Where a path was set.
#[derive(Clone, Debug)]
enum Mark {
    Text(Range<usize>),
    Outside(Place),
}

impl<'i> Source<'i> {
    /// Reads TOML.
    ///
    /// # Errors
    /// What is wrong with its grammar.
    pub(super) fn parse(text: &'i str, file: Option<PathBuf>) -> Result<Self, Box<Finding>> {
        let without_bom = text.strip_prefix('\u{feff}').unwrap_or(text);
        match DeTable::parse(without_bom) {
            Ok(root) => {
                let mut source = Self {
                    lines: Lines::of(without_bom),
                    file,
                    root: root.into_inner(),
                    marks: BTreeMap::new(),
                    settings: Vec::new(),
                };
                mark_table(&source.root, "", &mut source.marks);
                Ok(source)
            }
            Err(error) => {
                let mut finding = Finding::new(Vec::<String>::new(), format!("this is not TOML: {}", error.message()));
                if let Some(span) = error.span() {
                    finding.place = Lines::of(without_bom).place(file, &span);
                }
                Err(Box::new(finding))
            }
        }
    }

    /// Merges a value from outside the file; it wins over the file and over those merged before.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn set(&mut self, setting: &'i Setting) -> Result<(), Box<Finding>> {
        let name = path_text(&setting.path);
        let value = DeValue::String(Cow::Borrowed(&setting.text));
        if let Err(message) = put(&mut self.root, &setting.path, value) {
            return Err(Box::new(Finding { place: setting.place.clone(), ..Finding::new([name], message) }));
        }
        for depth in 1..setting.path.len() {
            let parent = path_text(&setting.path[..depth]);
            self.marks.entry(parent).or_insert_with(|| Mark::Outside(setting.place.clone()));
        }
        self.marks.insert(name, Mark::Outside(setting.place.clone()));
        self.settings.retain(|other| other.path != setting.path);
        self.settings.push(setting);
        Ok(())
    }

    /// The place in a list of the first table whose key of this name fits.
    pub(super) fn position(&self, list: &str, name: &str, fits: impl Fn(&str) -> bool) -> Option<usize> {
        let DeValue::Array(items) = self.root.get(list)?.get_ref() else { return None };
        let named = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::Table(table) => match table.get(name).map(Spanned::get_ref) {
                Some(DeValue::String(found)) => fits(found),
                _ => false,
            },
            _ => false,
        };
        items.iter().position(named)
    }

    /// Adds a table, written in TOML on one line, to the end of a list.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn append(&mut self, list: &'static str, toml: &'i str, place: &Place) -> Result<(), String> {
        let value = DeValue::parse(toml).map_err(|error| error.message().to_owned())?;
        let entry = self.root.entry(Spanned::new(0..0, Cow::Borrowed(list)));
        let items = entry.or_insert_with(|| Spanned::new(0..0, DeValue::Array(DeArray::new())));
        let DeValue::Array(items) = items.get_mut() else { return Err(format!("\"{list}\" is no list of tables")) };
        let name = format!("{list}[{}]", items.len());
        items.push(Spanned::new(0..0, value.into_inner()));
        let at = items.len() - 1;
        let mut marks = BTreeMap::new();
        mark_value(&items[at], &name, &mut marks);
        self.marks.extend(marks.into_keys().map(|key| (key, Mark::Outside(place.clone()))));
        Ok(())
    }

    /// Sets a value that is written in TOML; it wins over the file.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn put_parsed(&mut self, path: &[Step], toml: &'i str, place: &Place) -> Result<(), String> {
        let value = DeValue::parse(toml).map_err(|error| error.message().to_owned())?;
        put(&mut self.root, path, value.into_inner())?;
        let name = path_text(path);
        let stale = format!("{name}[");
        self.marks.retain(|key, _| !key.starts_with(&stale));
        self.marks.insert(name, Mark::Outside(place.clone()));
        Ok(())
    }

    /// Whether the key was set by anybody.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.marks.contains_key(key)
    }

    /// Where a key was set; for one that nobody set, where the table it belongs to stands.
    pub(super) fn place(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            match self.marks.get(key) {
                Some(Mark::Text(span)) => return self.lines.place(self.file.clone(), span),
                Some(Mark::Outside(place)) => return place.clone(),
                None => match key.rfind(['.', '[']) {
                    Some(at) => key = &key[..at],
                    None => return Place::Default,
                },
            }
        }
    }

    /// Every path that was set, with its place.
    pub(super) fn origins(&self) -> BTreeMap<String, Place> {
        self.marks.keys().map(|key| (key.clone(), self.place(key))).collect()
    }

    /// Takes out the keys that no table knows and the tables that have the wrong brackets; says what they were.
    pub(super) fn take_unknown(&mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut unknown = Vec::new();
        for (key, value) in &self.root {
            let name = key.get_ref().as_ref();
            let path = vec![Step::Key(name.to_owned())];
            match (schema::section(name), value.get_ref()) {
                (None, value) => {
                    let near = nearest(name, schema::top().iter().copied());
                    let brackets = |near: &str| match schema::section(near) {
                        Some(section) if section.list => format!("[[{near}]]"),
                        _ => format!("[{near}]"),
                    };
                    let what = if matches!(value, DeValue::Table(_) | DeValue::Array(_)) { "table" } else { "key" };
                    let mut message = format!("unknown {what} \"{}\" at the top of the file", name.escape_debug());
                    if let Some(near) = near {
                        let _ = write!(message, "; did you mean {}?", brackets(near));
                    }
                    let all = schema::top().iter().map(|name| brackets(name)).collect::<Vec<_>>().join(", ");
                    findings.push((key.span(), Finding::new([name], message).help(format!("the tables are {all}"))));
                    unknown.push(path);
                }
                (Some(section), DeValue::Array(items)) if section.list => {
                    if let Some(item) = items.iter().find(|item| !matches!(item.get_ref(), DeValue::Table(_))) {
                        let message = format!("found a list, expected tables: [[{name}]]");
                        findings.push((item.span(), Finding::new([name], message)));
                        unknown.push(path);
                        continue;
                    }
                    for (index, item) in items.iter().enumerate() {
                        if let DeValue::Table(table) = item.get_ref() {
                            let path = [path.clone(), vec![Step::Index(index)]].concat();
                            check_keys(table, section, &path, &mut findings, &mut unknown);
                        }
                    }
                }
                (Some(section), DeValue::Table(table)) if !section.list => {
                    check_keys(table, section, &path, &mut findings, &mut unknown);
                }
                (Some(section), _) => {
                    let (right, why) = if section.list {
                        (format!("[[{name}]]"), "it may stand many times, so it has two brackets")
                    } else {
                        (format!("[{name}]"), "it stands once, so it has one bracket")
                    };
                    let message = format!("the table \"{name}\" is written {right}: {why}");
                    findings.push((key.span(), Finding::new([name], message)));
                    unknown.push(path);
                }
            }
        }
        for path in unknown {
            remove(&mut self.root, &path);
        }
        findings
            .into_iter()
            .map(|(span, mut finding)| {
                let outside = finding.keys.first().and_then(|key| match self.marks.get(key) {
                    Some(Mark::Outside(place)) => Some(place.clone()),
                    _ => None,
                });
                finding.place = outside.unwrap_or_else(|| self.lines.place(self.file.clone(), &span));
                finding
            })
            .collect()
    }

    /// Reads the tree as `T`. What does not fit is told and taken out, so that one slip does not hide the next.
    pub(super) fn read<T: for<'de> Deserialize<'de> + Default>(&mut self, findings: &mut Vec<Finding>) -> T {
        loop {
            let tree = Spanned::new(0..0, self.root.clone());
            let error = match serde_path_to_error::deserialize(toml::Deserializer::from(tree)) {
                Ok(value) => return value,
                Err(error) => error,
            };
            let path = key_path(error.path());
            let message = plain(error.inner().message());
            if self.read_otherwise(&path, &message) {
                continue;
            }
            let name = path_text(&path);
            let place = match (self.marks.get(&name), error.inner().span()) {
                (Some(Mark::Outside(place)), _) => place.clone(),
                (_, Some(span)) if !span.is_empty() => self.lines.place(self.file.clone(), &span),
                _ => self.place(&name),
            };
            findings.push(Finding { place, ..Finding::new([name], message) });
            if !remove(&mut self.root, &path) {
                return T::default();
            }
        }
    }

    /// A value from outside the file is a text at first. Where the key takes no text it is read as TOML, and where the key
    /// takes a list as texts with commas between.
    fn read_otherwise(&mut self, path: &[Step], message: &str) -> bool {
        let Some(at) = self.settings.iter().position(|setting| setting.path == path) else { return false };
        let text = &self.settings.remove(at).text;
        let wants_list = message.contains("expected a list");
        let value = match DeValue::parse(text) {
            Ok(value) => value.into_inner(),
            Err(_) if wants_list => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let items = items.map(|item| Spanned::new(0..0, DeValue::String(Cow::Borrowed(item))));
                DeValue::Array(items.collect::<DeArray<'_>>())
            }
            Err(_) => return false,
        };
        let scalar = !matches!(value, DeValue::Array(_) | DeValue::Table(_));
        if wants_list == scalar && !message.contains("expected a table") {
            return false;
        }
        put(&mut self.root, path, value).is_ok()
    }
}

/// Notes where every value stands.
fn mark_table(table: &DeTable<'_>, prefix: &str, marks: &mut BTreeMap<String, Mark>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        mark_value(value, &name, marks);
    }
}

fn mark_value(value: &Spanned<DeValue<'_>>, name: &str, marks: &mut BTreeMap<String, Mark>) {
    marks.insert(name.to_owned(), Mark::Text(value.span()));
    match value.get_ref() {
        DeValue::Table(table) => mark_table(table, name, marks),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                mark_value(item, &format!("{name}[{index}]"), marks);
            }
        }
        _ => {}
    }
}

/// Tells the keys of `table` that `section` does not have.
fn check_keys(
    table: &DeTable<'_>,
    section: Section,
    path: &[Step],
    findings: &mut Vec<(Range<usize>, Finding)>,
    unknown: &mut Vec<Vec<Step>>,
) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = [path, &[Step::Key(name.to_owned())]].concat();
        if !section.keys.contains(&name) {
            let brackets = if section.list { format!("[[{}]]", section.name) } else { format!("[{}]", section.name) };
            let mut message = format!("unknown key \"{}\" in {brackets}", name.escape_debug());
            if let Some(near) = nearest(name, section.keys.iter().copied()) {
                let _ = write!(message, "; did you mean \"{near}\"?");
            } else if let Some(other) = schema::sections().iter().find(|s| s.keys.contains(&name)) {
                let _ = write!(message, "; it belongs to {}", other.name);
            }
            let help = format!("the keys of {brackets} are {}", section.keys.join(", "));
            findings.push((key.span(), Finding::new([path_text(&path)], message).help(help)));
            unknown.push(path);
        } else if let Some(inner) = schema::section(&format!("{}.{name}", section.name)) {
            match value.get_ref() {
                DeValue::Table(table) => check_keys(table, inner, &path, findings, unknown),
                _ => {
                    let message = format!("the table \"{0}\" is written [{0}]", inner.name);
                    findings.push((key.span(), Finding::new([path_text(&path)], message)));
                    unknown.push(path);
                }
            }
        }
    }
}

/// Sets a value in the tree, making the tables on the way. A list may grow by one.
fn put<'i>(root: &mut DeTable<'i>, path: &[Step], value: DeValue<'i>) -> Result<(), String> {
    let Some((Step::Key(first), rest)) = path.split_first() else { return Err("there is no key to set".to_owned()) };
    let key = || Spanned::new(0..0, Cow::Owned(first.clone()));
    match rest {
        [] => {
            root.insert(key(), Spanned::new(0..0, value));
            Ok(())
        }
        [Step::Key(_), ..] => {
            let inner = root.entry(key()).or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
            match inner.get_mut() {
                DeValue::Table(table) => put(table, rest, value),
                _ => Err(format!("\"{first}\" is no table that holds keys")),
            }
        }
        [Step::Index(index), rest @ ..] => {
            let inner = root.entry(key()).or_insert_with(|| Spanned::new(0..0, DeValue::Array(DeArray::new())));
            let DeValue::Array(items) = inner.get_mut() else {
                return Err(format!("\"{first}\" is no list of tables"));
            };
            if *index == items.len() && !rest.is_empty() {
                items.push(Spanned::new(0..0, DeValue::Table(DeTable::new())));
            }
            let count = items.len();
            match items.get_mut(*index).map(Spanned::get_mut) {
                Some(DeValue::Table(table)) => put(table, rest, value),
                Some(_) => Err(format!("\"{first}[{index}]\" is no table")),
                None => Err(format!("there are {count} of \"{first}\", counted from 0; found the number {index}")),
            }
        }
    }
}

/// Takes a value out of the tree; of a list, the whole list, so that the numbers of the others stay.
fn remove(root: &mut DeTable<'_>, path: &[Step]) -> bool {
    let Some((Step::Key(first), rest)) = path.split_first() else { return false };
    match (rest, root.get_mut(first.as_str()).map(Spanned::get_mut)) {
        (_, None) => false,
        ([Step::Key(_), ..], Some(DeValue::Table(table))) => remove(table, rest),
        ([Step::Index(index), rest @ ..], Some(DeValue::Array(items))) if !rest.is_empty() => {
            match items.get_mut(*index).map(Spanned::get_mut) {
                Some(DeValue::Table(table)) => remove(table, rest),
                _ => root.remove(first.as_str()).is_some(),
            }
        }
        (_, Some(_)) => root.remove(first.as_str()).is_some(),
    }
}

/// The path of an error, up to the last key: a slip inside a list is a slip of the list.
fn key_path(path: &serde_path_to_error::Path) -> Vec<Step> {
    let mut steps: Vec<Step> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect();
    while matches!(steps.last(), Some(Step::Index(_))) {
        steps.pop();
    }
    steps
}

/// The words of serde, put so that people who do not know serde understand them.
fn plain(message: &str) -> String {
    let message = message.trim_end();
    let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    else {
        return message.to_owned();
    };
    let found = match found {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        found => ["string ", "integer ", "floating point ", "boolean "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .map_or_else(|| found.to_owned(), |value| value.trim_matches('`').to_owned()),
    };
    let expected = match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "a boolean" => "true or false",
        "a string" => "a text in quotes",
        "path string" => "a path in quotes",
        "a sequence" => "a list in brackets",
        other => other,
    };
    format!("found {found}, expected {expected}")
}

/// A text, and where each of its lines begins: a large file has thousands of keys, and the place of each is kept.
#[derive(Debug)]
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let behind = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// A span as the line and column it stands at.
    fn place(&self, file: Option<PathBuf>, span: &Range<usize>) -> Place {
        let text = self.text;
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line = self.starts.partition_point(|line| *line <= start);
        let line_start = self.starts[line - 1];
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        let within = text.get(start..span.end).map_or(1, |meant| meant.lines().next().map_or(0, |l| l.chars().count()));
        Place::File {
            file,
            line,
            column: text[line_start..start].chars().count() + 1,
            length: within.max(1),
            text: without_secret(line_text).replace('\t', " "),
        }
    }
}

/// A line of the file up to the first value that may be a secret.
fn without_secret(line: &str) -> String {
    let code = line.trim_start();
    if code.starts_with('#') {
        return line.to_owned();
    }
    let secret_at = SECRETS
        .iter()
        .filter_map(|key| {
            let at = line.match_indices(key).find(|(at, _)| {
                let after = line[at + key.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
                after.starts_with('=')
            })?;
            line[at.0..].find('=').map(|equals| at.0 + equals + 1)
        })
        .min();
    // The same for credentials inside an address.
    let address_at = line.find("://").map(|at| at + 3).filter(|at| line[*at..].contains('@'));
    let secret_at = secret_at.into_iter().chain(address_at).min();
    secret_at.map_or_else(|| line.to_owned(), |at| format!("{} (not shown)", &line[..at]))
}

/// Endings of the keys whose values are secrets.
const SECRETS: [&str; 4] = ["password", "password_hash", "ticket", "secret"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_in_the_line_that_is_shown() {
        assert_eq!(without_secret("password = \"x\""), "password = (not shown)");
        assert_eq!(without_secret("rpc_password=\"x\""), "rpc_password= (not shown)");
        assert_eq!(
            without_secret("user = { login = \"a\", secret = \"x\" }"),
            "user = { login = \"a\", secret = (not shown)"
        );
        assert_eq!(without_secret("password_file = \"f\""), "password_file = \"f\"");
        assert_eq!(without_secret("# password = \"f\""), "# password = \"f\"");
    }

    #[test]
    fn a_place_is_counted_in_characters() {
        let text = "a = 1\nимя = \"ы\"\n";
        let at = text.find('"').unwrap();
        let place = |span: Range<usize>| match Lines::of(text).place(None, &span) {
            Place::File { line, column, length, .. } => (line, column, length),
            other => panic!("{other:?}"),
        };
        assert_eq!(place(at..at + 4), (2, 7, 3));
        assert_eq!([place(0..1), place(5..6), place(6..8)], [(1, 1, 1), (1, 6, 1), (2, 1, 1)]);
        // At the end of all, and past it.
        assert_eq!([place(text.len()..text.len()), place(100..200)], [(3, 1, 1); 2]);
    }
}
