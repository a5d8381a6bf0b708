//! `[[form]]`: which phone event opens which form, and what closes it.

use std::fmt;
use std::time::Duration;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keyword::keywords;
use super::units::duration;

/// `[[form]]`: one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Form {
    /// The form's name, as the CRM declares it; needed.
    pub name: String,
    /// What opens it. Default `ring`.
    pub on: FormEvent,
    /// What closes it before it is answered. Default none.
    pub close_on: Vec<FormEvent>,
    /// Logins of the users it opens for; empty: all. Default empty.
    pub users: Vec<String>,
    /// A dynamic method that is asked first; its output fills `{ask.NAME}`. Empty: none. Default empty.
    pub ask: String,
    /// Its input parameters, with `{caller}`, `{called}`, `{chainid}`, `{user}` and `{ask.NAME}` replaced; `{{` and `}}` are
    /// braces. Default none.
    pub parameters: Parameters,
    /// In which tabs of the user it shows. Default `all`.
    #[serde(rename = "where")]
    pub place: FormPlace,
    /// The opening event for direct tabs. Default `dialog`.
    pub kind: FormKind,
    /// After how long an unanswered form is closed, from 1 s to 24 h. Default 10 m.
    #[serde(with = "duration")]
    pub expire: Duration,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            name: String::new(),
            on: FormEvent::Ring,
            close_on: Vec::new(),
            users: Vec::new(),
            ask: String::new(),
            parameters: Parameters::default(),
            place: FormPlace::All,
            kind: FormKind::Dialog,
            expire: Duration::from_secs(600),
        }
    }
}

keywords! {
    /// What opens or closes a form.
    FormEvent: "form event" {
        /// The user's phone rings.
        Ring = "ring",
        /// The user answers.
        Answer = "answer",
        /// The call ends for the user.
        Hangup = "hangup",
        /// A call waits in a queue of the user.
        Queue = "queue",
        /// A program or a scenario says so.
        Api = "api",
    }
}

keywords! {
    /// In which tabs a form shows.
    FormPlace: "place for a form" {
        /// In every tab of the user.
        All = "all",
        /// In the tab that had the focus last, else the newest.
        One = "one",
    }
}

keywords! {
    /// The kinds of cards.
    FormKind: "kind of form" {
        /// The user is reserved for a call.
        Reserve = "reserve",
        /// The user confirms or declines.
        Confirm = "confirm",
        /// Fields to fill in.
        Dialog = "dialog",
        /// Fields to fill in at the end of a call.
        Stop = "stop",
    }
}

/// Names and templates, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<(String, Template)>);

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, template) in &self.0 {
            map.serialize_entry(name, template)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of names and texts, like { phone = \"{caller}\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Parameters(entries))
            }
        }

        from.deserialize_map(Entries)
    }
}

/// A text with places that a call fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// One piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stands as it is.
    Text(String),
    /// A value of the call.
    Value(Placeholder),
}

/// What a template may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `{caller}`: who calls.
    Caller,
    /// `{called}`: which number was dialled.
    Called,
    /// `{chainid}`: the conversation.
    Chain,
    /// `{user}`: the login of the user the form is for.
    User,
    /// `{ask.NAME}`: an output parameter of the method named in `ask`, or `{ask.error}`.
    Ask(String),
}

impl Template {
    /// The pieces, in order; texts and values as they were written.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

impl std::str::FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find('}').filter(|_| brace == "{").ok_or_else(|| {
                format!(
                    "found \"{}\" with a single \"{brace}\"; write \"{brace}{brace}\" for the character itself",
                    text.escape_debug()
                )
            })?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Value(rest[..end].parse()?));
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Piece::Value(value) => write!(f, "{{{value}}}")?,
            }
        }
        Ok(())
    }
}

super::keyword::as_text!(Template, "a text in quotes, like \"{caller}\"");

impl std::str::FromStr for Placeholder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "caller" => Ok(Self::Caller),
            "called" => Ok(Self::Called),
            "chainid" => Ok(Self::Chain),
            "user" => Ok(Self::User),
            _ => match text.strip_prefix("ask.") {
                Some(name) if !name.is_empty() => Ok(Self::Ask(name.to_owned())),
                _ => Err(super::keyword::refuse(
                    &format!("{{{text}}}"),
                    "value of a call",
                    ["{caller}", "{called}", "{chainid}", "{user}", "{ask.NAME}"].into_iter(),
                )),
            },
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("caller"),
            Self::Called => f.write_str("called"),
            Self::Chain => f.write_str("chainid"),
            Self::User => f.write_str("user"),
            Self::Ask(name) => write!(f, "ask.{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read_and_written_alike() {
        for text in ["", "{caller}", "to {called} by {user}: {ask.clientid}", "{{x}} {chainid}", "a}}b"] {
            assert_eq!(text.parse::<Template>().unwrap().to_string(), text);
        }
        let template: Template = "x{{{caller}".parse().unwrap();
        assert_eq!(template.pieces(), [Piece::Text("x{".to_owned()), Piece::Value(Placeholder::Caller)]);
    }

    #[test]
    fn what_a_call_does_not_have_is_refused() {
        let refused = |text: &str| text.parse::<Template>().unwrap_err();
        assert!(refused("{calller}").contains("did you mean \"{caller}\""));
        assert!(refused("{ask.}").contains("{ask.NAME}"));
        assert!(refused("{caller").contains("single \"{\""));
        assert!(refused("caller}").contains("single \"}\""));
    }
}
