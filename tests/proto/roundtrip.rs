//! What holds for any message: nothing is lost between the formats, in packets or in a POST body, and our scanner accepts
//! what an independent reader of JSON accepts.

use ctigate_proto::Time;
use ctigate_proto::codec::multipart::{Assembler, SetLimits, split};
use ctigate_proto::codec::{Limits, decode, decode_all, decode_value, encode, encode_value, post, to_ascii};
use ctigate_proto::message::{Body, Envelope, Format, Number, Object, Part, Text, Value};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const FORMATS: [Format; 2] = [Format::Json, Format::Xml];

/// Characters that some layer treats in a way of its own.
const SPECIAL: [char; 40] = [
    '\0',
    '\u{1}',
    '\u{8}',
    '\t',
    '\n',
    '\u{b}',
    '\u{c}',
    '\r',
    '\u{1f}',
    ' ',
    '"',
    '\'',
    '&',
    '<',
    '>',
    '/',
    '\\',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    ';',
    '#',
    '=',
    '+',
    '%',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{a0}',
    'Ж',
    '\u{2028}',
    '\u{d7ff}',
    '\u{feff}',
    '\u{fffe}',
    '\u{ffff}',
    '\u{1f600}',
    '\u{10ffff}',
];

fn text() -> impl Strategy<Value = String> {
    let odd =
        prop::collection::vec(prop_oneof![select(&SPECIAL[..]), any::<char>(), prop::char::range('a', 'z')], 0..12);
    let long = (prop::char::range('a', 'z'), 0..80usize).prop_map(|(c, n)| c.to_string().repeat(n));
    prop_oneof![
        4 => odd.prop_map(String::from_iter),
        2 => long,
        1 => Just("]]>".to_owned()),
        1 => Just("\r\n".to_owned()),
    ]
}

/// A number as JSON's grammar makes them.
fn number() -> impl Strategy<Value = Number> {
    let digits = |n| prop::collection::vec(prop::char::range('0', '9'), 1..n).prop_map(String::from_iter);
    let whole = prop_oneof![
        Just("0".to_owned()),
        (prop::char::range('1', '9'), prop::option::of(digits(30)))
            .prop_map(|(d, r)| format!("{d}{}", r.unwrap_or_default()))
    ];
    let exponent = (select(&["e", "E", "e+", "E-"][..]), digits(5)).prop_map(|(e, digits)| format!("{e}{digits}"));
    (any::<bool>(), whole, prop::option::of(digits(20)), prop::option::of(exponent)).prop_map(
        |(minus, whole, part, exponent)| {
            let minus = if minus { "-" } else { "" };
            let part = part.map(|digits| format!(".{digits}")).unwrap_or_default();
            Number::parse(format!("{minus}{whole}{part}{}", exponent.unwrap_or_default())).expect("made by the grammar")
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        text().prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((text(), inner), 0..6).prop_map(|members| Value::Object(object(members))),
        ]
    })
}

fn object(members: Vec<(String, Value)>) -> Object {
    members.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

fn envelope() -> impl Strategy<Value = Envelope> {
    let qid = prop::option::of(prop_oneof![
        number().prop_map(Value::Number),
        prop::collection::vec(select(&SPECIAL[..]), 0..20).prop_map(|s| Value::from(String::from_iter(s))),
    ]);
    (text(), qid, prop::collection::vec((text(), value()), 0..8)).prop_map(|(name, qid, members)| {
        let mut body = Body::from(object(members));
        if let Some(qid) = qid {
            body.set("qid", qid);
        }
        Envelope { name: name.into(), body }
    })
}

/// A text with a few characters taken out, put in or doubled.
fn mutated(texts: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    const TOKENS: [&str; 24] = [
        "\"", "\\", "\\u", "\\ud800", "\\udc00", "\\u0000", "0", "1", "-", ".", "e", ",", ":", "[", "]", "{", "}",
        "true", "null", " ", "\n", "\t", "\u{feff}", "<!--",
    ];
    let step = (any::<Index>(), 0..3u8, select(&TOKENS[..]), 1..4usize);
    (texts, prop::collection::vec(step, 0..3)).prop_map(|(text, steps)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (place, what, token, length) in steps {
            let at = place.index(chars.len() + 1);
            let end = chars.len().min(at + length);
            let piece: Vec<char> = match what {
                0 => Vec::new(),
                1 => token.chars().chain(chars[at..end].iter().copied()).collect(),
                _ => chars[at..end].repeat(2),
            };
            chars.splice(at..end, piece);
        }
        chars.into_iter().collect()
    })
}

fn read(format: Format, text: &Text) -> Envelope {
    decode(format, text, &Limits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What an independent reader makes of a JSON text; its numbers are not compared digit by digit, because it rewrites them.
fn independent(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()
}

fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Number(a), serde_json::Value::Number(b)) => {
            a.as_str().to_lowercase().replace('+', "") == b.to_string().to_lowercase().replace('+', "")
        }
        (Value::String(a), serde_json::Value::String(b)) => **a == **b,
        (Value::Array(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), serde_json::Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| **n == **m && same(a, b))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn json_to_xml_and_back_loses_nothing(message in envelope()) {
        let json = encode(&message, Format::Json);
        let from_json = read(Format::Json, &json);
        prop_assert_eq!(&from_json, &message);
        let xml = encode(&from_json, Format::Xml);
        let from_xml = read(Format::Xml, &xml);
        prop_assert_eq!(&from_xml, &message);
        prop_assert_eq!(encode(&from_xml, Format::Json), json, "to the last character");
        prop_assert_eq!(encode(&from_xml, Format::Xml), encode(&message, Format::Xml));
    }

    #[test]
    fn fragments_are_passed_on_as_they_came(message in envelope()) {
        for format in FORMATS {
            let text = encode(&message, format);
            let once = read(format, &text);
            for (name, part) in once.body.iter() {
                let compound = matches!(message.body.value(name), Some(Value::Array(_) | Value::Object(_)));
                prop_assert_eq!(compound && name != "qid", matches!(part, Part::Raw(_)) && name != "qid");
            }
            prop_assert_eq!(encode(&once, format), text);
        }
    }

    #[test]
    fn ascii_says_the_same(message in envelope()) {
        for format in FORMATS {
            let text = to_ascii(&encode(&message, format), format);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(read(format, &text), message.clone());
        }
    }

    #[test]
    fn our_reader_accepts_what_an_independent_one_accepts(
        text in mutated(prop_oneof![value().prop_map(|value| encode_value(&value).to_string()), text()])
    ) {
        let ours = decode_value(&Text::from(text.as_str()), 64);
        let theirs = independent(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_some(), "{:?}: {:?}", text, ours);
        if let (Ok(ours), Some(theirs)) = (ours, theirs) {
            prop_assert!(same(&ours, &theirs), "{:?} and {:?}", ours, theirs);
        }
    }

    #[test]
    fn a_message_is_an_array_of_a_name_and_an_object(
        text in mutated(envelope().prop_map(|message| encode(&message, Format::Json).to_string()))
    ) {
        let ours = decode(Format::Json, &Text::from(text.as_str()), &Limits::default());
        let theirs = independent(&text).filter(|value| {
            value.as_array().is_some_and(|pair| matches!(&pair[..], [name, body] if name.is_string() && body.is_object()))
        });
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) => {
                prop_assert_eq!(Some(&*ours.name), theirs[0].as_str());
                prop_assert!(same(&Value::Object(ours.body.open()), &theirs[1]));
                // What was accepted is written so that it is accepted again, a fragment with a repeated name anew.
                prop_assert_eq!(&read(Format::Json, &encode(&ours, Format::Json)), &ours);
                prop_assert_eq!(read(Format::Xml, &encode(&ours, Format::Xml)), ours);
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => {
                // The written differences: repeated names, long qids, deep nesting.
                let known = ["this name once", "a shorter qid", "less nesting"];
                prop_assert!(known.contains(&error.expected), "{}: {:?}", error, text);
            }
            (Ok(_), None) => prop_assert!(false, "accepted: {:?}", text),
        }
    }

    #[test]
    fn what_xml_is_accepted_is_written_so_that_it_is_accepted_again(
        text in mutated(envelope().prop_map(|message| encode(&message, Format::Xml).to_string()))
    ) {
        if let Ok(message) = decode(Format::Xml, &Text::from(text.as_str()), &Limits::default()) {
            prop_assert_eq!(&read(Format::Xml, &encode(&message, Format::Xml)), &message);
            prop_assert_eq!(read(Format::Json, &encode(&message, Format::Json)), message);
        }
    }

    #[test]
    fn packets_in_any_order_make_the_message_again(
        first in envelope(),
        second in envelope(),
        piece in 24..256usize,
        shuffle in any::<u64>(),
        format in select(&FORMATS[..]),
    ) {
        let messages = [first, second];
        let mut packets = Vec::new();
        for (id, message) in ["a", "b"].iter().zip(&messages) {
            let cut = split(&encode(message, format), format, &Text::from_static(id), piece);
            prop_assert!(cut.iter().all(|packet| packet.body.text("content").is_some_and(|c| c.len() <= piece)));
            packets.extend(cut.into_iter().map(|packet| (*id, packet)));
        }
        let mut state = shuffle;
        for i in (1..packets.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            packets.swap(i, (state >> 33) as usize % (i + 1));
        }
        let mut assembler = Assembler::new(SetLimits::default());
        let mut whole = Vec::new();
        for (id, packet) in &packets {
            // As it would come over the wire.
            let packet = read(format, &encode(packet, format));
            if let Some(text) = assembler.accept(Time::ZERO, &packet.body).expect("a right packet") {
                whole.push((*id, read(format, &text)));
            }
        }
        whole.sort_by_key(|(id, _)| *id);
        prop_assert_eq!(whole, ["a", "b"].into_iter().zip(messages).collect::<Vec<_>>());
        prop_assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn a_post_body_carries_any_messages(
        messages in prop::collection::vec(envelope(), 0..4),
        format in select(&FORMATS[..]),
    ) {
        let texts: Vec<Text> = messages.iter().map(|message| encode(message, format)).collect();
        let body = post::form(format, &post::join(format, &texts));
        let (read_format, text) = post::parse_form(body.as_bytes()).expect("our own form");
        prop_assert_eq!(read_format, format);
        prop_assert_eq!(decode_all(format, &text, &Limits::default()), Ok(messages));
    }
}
