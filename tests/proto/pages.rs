//! Reading the pages of the specification: headings, tables, lines of facts, links, examples.

use std::collections::BTreeSet;

use crate::schema::{names, read};

/// One page.
pub(crate) struct Page {
    /// Its path below the specification: `methods/call.md`.
    pub(crate) path: String,
    text: String,
}

impl Page {
    pub(crate) fn open(path: &str) -> Self {
        Self { path: path.to_owned(), text: read(path) }
    }

    /// Every page.
    pub(crate) fn all() -> Vec<Self> {
        let top = names("", ".md").into_iter().map(|name| format!("{name}.md"));
        top.chain(Self::areas().into_iter().map(|area| area.path)).map(|path| Self::open(&path)).collect()
    }

    /// The pages that describe messages, by area.
    pub(crate) fn areas() -> Vec<Self> {
        names("methods", ".md").iter().map(|name| Self::open(&format!("methods/{name}.md"))).collect()
    }

    /// Its sections under headings of the second level.
    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        let mut sections: Vec<Section<'_>> = Vec::new();
        for line in outside_code(&self.text) {
            if let Some(title) = line.strip_prefix("## ") {
                sections.push(Section { title, lines: Vec::new() });
            } else if let Some(section) = sections.last_mut() {
                section.lines.push(line);
            }
        }
        sections
    }

    /// The section with this heading.
    pub(crate) fn section(&self, title: &str) -> Section<'_> {
        let found = self.sections().into_iter().find(|section| section.title == title);
        found.unwrap_or_else(|| panic!("{} has no section {title}", self.path))
    }

    /// What links to a place in this page may name behind the `#`.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let headings = outside_code(&self.text).filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// The targets of its links.
    pub(crate) fn links(&self) -> Vec<&str> {
        let mut links = Vec::new();
        for line in outside_code(&self.text) {
            let mut rest = line;
            while let Some((_, after)) = rest.split_once("](") {
                let (target, after) = after.split_once(')').unwrap_or_else(|| panic!("{}: {line}", self.path));
                links.push(target);
                rest = after;
            }
        }
        links
    }

    /// The code blocks of a language.
    pub(crate) fn code(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let Some(found) = line.trim().strip_prefix("```") else { continue };
            let block: Vec<_> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            if found == language {
                blocks.push(block.join("\n"));
            }
        }
        blocks
    }
}

/// What a section of an area's page is about.
pub(crate) enum About<'a> {
    Message(&'a str),
    Record(&'a str),
    /// What holds for the area as a whole.
    Prose,
}

/// A heading of the second level and what stands under it.
pub(crate) struct Section<'a> {
    pub(crate) title: &'a str,
    lines: Vec<&'a str>,
}

impl Section<'_> {
    /// By its heading: a name in backticks, or `Record` and a name.
    pub(crate) fn about(&self) -> About<'_> {
        let name = |title: &'_ str| title.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')).is_some();
        match self.title.strip_prefix("Record ") {
            Some(record) if name(record) => About::Record(record.trim_matches('`')),
            None if name(self.title) => About::Message(self.title.trim_matches('`')),
            _ => About::Prose,
        }
    }

    /// The rows of the first table whose heading begins with this cell: the cells, without markup of links.
    pub(crate) fn table(&self, first: &str) -> Vec<Vec<String>> {
        let head = format!("| {first} |");
        let is_head = |pair: &[&str]| pair[0].starts_with(&head) && pair[1].starts_with("|---");
        let Some(start) = self.lines.windows(2).position(is_head) else { return Vec::new() };
        let rows = self.lines[start + 2..].iter().take_while(|line| line.starts_with('|'));
        rows.map(|row| cells(row)).collect()
    }

    /// The facts of a message: what its line between asterisks lists.
    pub(crate) fn facts(&self) -> Vec<String> {
        let line = self.lines.iter().find(|line| line.starts_with('*') && line.ends_with('*') && line.contains(" · "));
        let line = line.unwrap_or_else(|| panic!("{} has no line of facts", self.title));
        without_links(line.trim_matches('*')).split(" · ").map(str::to_owned).collect()
    }

    /// The records whose fields it has too.
    pub(crate) fn includes(&self) -> Vec<String> {
        let lines = self.lines.iter().filter_map(|line| line.strip_prefix("With the fields of "));
        lines.map(|line| without_links(line).trim_end_matches('.').to_owned()).collect()
    }

    /// What it is for: the first paragraph under the heading.
    pub(crate) fn purpose(&self) -> String {
        let lines = self.lines.iter().skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        lines.copied().collect::<Vec<_>>().join(" ")
    }
}

fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| without_links(cell.trim())).collect()
}

/// The text between backticks, the first time there is one.
pub(crate) fn code_word(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

/// Every text between backticks.
pub(crate) fn code_words(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// `[text](target)` is `text`.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        match after.split_once("](").and_then(|(text, after)| Some((text, after.split_once(')')?.1))) {
            Some((text, after)) => {
                out.push_str(before);
                out.push_str(text);
                rest = after;
            }
            None => {
                out.push_str(before);
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn outside_code(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}
