//! Texts that a CRM sent and that are no message: what they may be instead. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate_proto::codec::DecodeError;
use ctigate_proto::message::{Format, Text, Value};

use super::finding::{self, Finding};

/// How many characters of a text are shown.
const SHOWN: usize = 80;

/// What a text is that is no message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    /// A message in base64: the message.
    Base64(Text),
    /// A page, or an error as PHP prints it.
    Html,
    /// A message in the other format.
    OtherFormat,
    /// None of these.
    Unknown,
}

/// What `text` is, which could not be read as a message in `format`.
pub(super) fn suspect(format: Format, text: &str) -> Suspect {
    let begin = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let lower: String = begin.chars().take(200).collect::<String>().to_ascii_lowercase();
    if ["<!doctype", "<html", "<br", "<b>", "<body", "<head", "<h1", "<p>"].iter().any(|tag| lower.starts_with(tag)) {
        return Suspect::Html;
    }
    let other = match format {
        Format::Json => lower.starts_with("<message") || lower.starts_with("<?xml"),
        Format::Xml => begin.starts_with('['),
    };
    if other {
        return Suspect::OtherFormat;
    }
    let packed: String = begin.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    match STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(plain) if plain.trim_start().starts_with(['[', '<']) => Suspect::Base64(plain.into()),
        _ => Suspect::Unknown,
    }
}

/// The finding for a text that is no message, and what to show of it. Not for base64, which is read all the same.
pub(super) fn unreadable(format: Format, text: &str, error: &DecodeError) -> (&'static Finding, String) {
    let shown = sample(text);
    match suspect(format, text) {
        Suspect::Html => (&finding::HTML, format!("a page where a message was expected: {shown}")),
        Suspect::OtherFormat => {
            (&finding::OTHER_FORMAT, format!("another format than {}, which was chosen: {shown}", format.word()))
        }
        Suspect::Base64(_) | Suspect::Unknown => (&finding::UNREADABLE, format!("{error}: {shown}")),
    }
}

/// The beginning of a text of the CRM, in quotes. Not escaped: that is the business of whoever shows it.
pub(super) fn sample(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    format!("\"{shown}\"")
}

/// How a reply's qid differs from that of its call.
pub(super) fn compare(reply: &str, asked: &Value, got: Option<&Value>) -> Option<(&'static Finding, String)> {
    let shown = |value: &Value| match value {
        Value::String(text) => sample(text),
        other => other.to_text().map_or_else(|| other.kind().to_owned(), |text| text.to_string()),
    };
    match got {
        Some(got) if got == asked => None,
        None => Some((&finding::QID_MISSING, format!("{reply} has no qid; it was asked with {}", shown(asked)))),
        Some(got) => {
            let finding = if got.to_text() == asked.to_text() { &finding::QID_TYPE } else { &finding::QID_CHANGED };
            let found = format!(
                "{reply} has the qid {} ({}); it was asked with {} ({})",
                shown(got),
                got.kind(),
                shown(asked),
                asked.kind()
            );
            Some((finding, found))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_told_apart() {
        let json = |text: &str| suspect(Format::Json, text);
        assert_eq!(json("<!DOCTYPE html><html>"), Suspect::Html);
        assert_eq!(json("\n<br />\n<b>Warning</b>: x"), Suspect::Html);
        assert_eq!(json("<message name=\"iam\"/>"), Suspect::OtherFormat);
        assert_eq!(suspect(Format::Xml, "[\"iam\",{}]"), Suspect::OtherFormat);
        assert_eq!(json("WyJpYW0iLHt9XQ=="), Suspect::Base64("[\"iam\",{}]".into()));
        for text in ["", "OK", "{\"a\":1}", "AAAA", "[\"iam\""] {
            assert_eq!(json(text), Suspect::Unknown, "{text}");
        }
    }

    #[test]
    fn a_qid_is_the_same_value_of_the_same_type() {
        let number = Value::from(7);
        let finding = |got: Option<Value>| compare("pong", &number, got.as_ref()).map(|(finding, _)| finding.name);
        assert_eq!(finding(Some(Value::from(7))), None);
        assert_eq!(finding(None), Some("qid-missing"));
        assert_eq!(finding(Some(Value::from("7"))), Some("qid-type"));
        assert_eq!(finding(Some(Value::from(8))), Some("qid-changed"));
        assert_eq!(finding(Some(Value::Null)), Some("qid-changed"));
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(sample("abc"), "\"abc\"");
        assert!(sample(&"ж".repeat(500)).chars().count() < 90);
    }
}
