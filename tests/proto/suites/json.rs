//! JSONTestSuite: what every reader must accept (`y_`), what none may (`n_`), and what RFC 8259 leaves open (`i_`), where ours must do what
//! `proto-spec/json.md` says. Every case is read for itself and as the parameter of a message.

use ctigate_proto::codec::{self, Limits, MAX_DEPTH};
use ctigate_proto::message::{Format, Text, Value};

struct Case {
    name: String,
    input: String,
}

/// The cases of one of the suite's files: a module of JavaScript that is JSON but for its first words.
fn cases(file: &str) -> Vec<Case> {
    let source = super::text(&format!("json-test-suite/data/{file}.js"));
    let (_, array) = source.split_once("export default").expect("a module that exports its cases");
    let array = array.trim().trim_end_matches(';');
    let cases: Vec<serde_json::Value> = serde_json::from_str(array).expect("the cases are JSON");
    let word = |case: &serde_json::Value, key: &str| case[key].as_str().expect("a text").to_owned();
    cases.iter().map(|case| Case { name: word(case, "name"), input: word(case, "input") }).collect()
}

/// What our reader makes of a text; as a value, and as a parameter. Both must agree.
fn read(name: &str, input: &str) -> Option<Value> {
    let value = codec::decode_value(&Text::from(input), MAX_DEPTH).ok();
    let limits = Limits { depth: MAX_DEPTH, ..Limits::default() };
    // A mark in front belongs to the text, not to a value inside it.
    let inside = input.strip_prefix('\u{feff}').unwrap_or(input);
    let message = Text::from(format!("[\"m\",{{\"p\":{inside}}}]"));
    let message = codec::decode(Format::Json, &message, &limits);
    assert_eq!(value.is_some(), message.is_ok(), "{name}: for itself and in a message: {message:?}");
    value
}

/// What open cases are accepted; all others are refused.
const OPEN_ACCEPTED: [&str; 10] = [
    // Numbers keep their digits, however many.
    "i_number_double_huge_neg_exp.json",
    "i_number_huge_exp.json",
    "i_number_neg_int_huge_exp.json",
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "i_number_real_pos_overflow.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
];

/// A byte order mark is dropped.
const WITH_MARK: &str = "i_structure_UTF-8_BOM_empty_object.json";

/// Of these the suite's texts hold replacement characters where its files hold bytes that are no UTF-8. Such bytes never come to the
/// decoder; they are below.
fn is_damaged(case: &Case) -> bool {
    case.input.contains('\u{fffd}')
}

#[test]
fn what_must_be_accepted_is_and_says_what_it_says_elsewhere() {
    let cases: Vec<_> = cases("parsing").into_iter().filter(|case| case.name.starts_with("y_")).collect();
    assert_eq!(cases.len(), 95);
    for Case { name, input } in cases {
        let value = read(&name, &input).unwrap_or_else(|| panic!("{name} is refused: {input}"));
        let again = codec::encode_value(&value);
        let elsewhere: serde_json::Value = serde_json::from_str(&input).expect("another reader accepts it too");
        let ours: serde_json::Value = serde_json::from_str(&again).expect("what we write is JSON");
        assert_eq!(ours, elsewhere, "{name}");
    }
}

#[test]
fn what_must_be_refused_is() {
    let cases: Vec<_> = cases("parsing").into_iter().filter(|case| case.name.starts_with("n_")).collect();
    assert_eq!(cases.len(), 188);
    for Case { name, input } in cases {
        assert_eq!(read(&name, &input), None, "{name}");
    }
}

#[test]
fn what_is_left_open_is_as_our_specification_says() {
    let cases: Vec<_> = cases("parsing").into_iter().filter(|case| case.name.starts_with("i_")).collect();
    assert_eq!(cases.len(), 35);
    let mut accepted = Vec::new();
    for case in cases.iter().filter(|case| !is_damaged(case)) {
        if read(&case.name, &case.input).is_some() {
            accepted.push(&*case.name);
        }
    }
    let mut expected = OPEN_ACCEPTED.to_vec();
    expected.push(WITH_MARK);
    assert_eq!(accepted, expected, "lone surrogates, deep nesting and everything but UTF-8 are refused");
}

#[test]
fn bytes_that_are_no_utf8_never_reach_the_decoder() {
    // The suite's cases whose text is damaged, as the bytes of their files. A text frame of such bytes is closed with 1007, a POST of
    // them gets 400; the decoder takes nothing but UTF-8.
    const BYTES: [(&str, &[u8]); 25] = [
        ("i_string_UTF-16LE_with_BOM.json", b"\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
        ("i_string_UTF-8_invalid_sequence.json", b"[\"\xe6\x97\xa5\xd1\x88\xfa\"]"),
        ("i_string_UTF8_surrogate_U+D800.json", b"[\"\xed\xa0\x80\"]"),
        ("i_string_invalid_utf-8.json", b"[\"\xff\"]"),
        ("i_string_iso_latin_1.json", b"[\"\xe9\"]"),
        ("i_string_lone_utf8_continuation_byte.json", b"[\"\x81\"]"),
        ("i_string_not_in_unicode_range.json", b"[\"\xf4\xbf\xbf\xbf\"]"),
        ("i_string_overlong_sequence_2_bytes.json", b"[\"\xc0\xaf\"]"),
        ("i_string_overlong_sequence_6_bytes.json", b"[\"\xfc\x83\xbf\xbf\xbf\xbf\"]"),
        ("i_string_overlong_sequence_6_bytes_null.json", b"[\"\xfc\x80\x80\x80\x80\x80\"]"),
        ("i_string_truncated-utf-8.json", b"[\"\xe0\xff\"]"),
        ("i_string_utf16BE_no_BOM.json", b"\0[\0\"\0\xe9\0\"\0]"),
        ("i_string_utf16LE_no_BOM.json", b"[\0\"\0\xe9\0\"\0]\0"),
        ("n_array_a_invalid_utf8.json", b"[a\xe5]"),
        ("n_array_invalid_utf8.json", b"[\xff]"),
        ("n_number_invalid-utf-8-in-bigger-int.json", b"[123\xe5]"),
        ("n_number_invalid-utf-8-in-exponent.json", b"[1e1\xe5]"),
        ("n_number_invalid-utf-8-in-int.json", b"[0\xe5]\n"),
        ("n_number_real_with_invalid_utf8_after_e.json", b"[1e\xe5]"),
        ("n_object_lone_continuation_byte_in_key_and_trailing_comma.json", b"{\"\xb9\":\"0\",}"),
        ("n_string_invalid-utf-8-in-escape.json", b"[\"\\u\xe5\"]"),
        ("n_string_invalid_utf8_after_escape.json", b"[\"\\\xe5\"]"),
        ("n_structure_incomplete_UTF8_BOM.json", b"\xef\xbb{}"),
        ("n_structure_lone-invalid-utf-8.json", b"\xe5"),
        ("n_structure_single_eacute.json", b"\xe9"),
    ];
    let damaged: Vec<_> = cases("parsing").into_iter().filter(is_damaged).map(|case| case.name).collect();
    assert_eq!(damaged, BYTES.map(|(name, _)| name), "every damaged case is here");
    for (name, bytes) in BYTES {
        assert!(std::str::from_utf8(bytes).is_err(), "{name}");
    }
}

#[test]
fn what_readers_make_different_things_of_comes_through_as_it_was() {
    let cases = cases("transform");
    assert_eq!(cases.len(), 22);
    for Case { name, input } in cases {
        let written = read(&name, &input).map(|value| codec::encode_value(&value).to_string());
        let expected = match &*name {
            // Surrogates stand in pairs or not at all.
            name if name.contains("escaped_invalid_codepoint") => None,
            // Of a repeated name the last value counts, at the place of the first.
            "object_same_key_different_values.json" => Some("{\"a\":2}".to_owned()),
            "object_same_key_same_value.json" => Some("{\"a\":1}".to_owned()),
            "object_same_key_unclear_values.json" => Some("{\"a\":-0}".to_owned()),
            _ => Some(input.trim().to_owned()),
        };
        assert_eq!(written, expected, "{name}");
    }
}
