use super::*;
use crate::codec::decode as decode_as;
use crate::codec::{MAX_DEPTH, encode_value};
use crate::message::Object;

fn read(text: &str) -> Result<Envelope, DecodeError> {
    decode_as(Format::Json, &Text::from(text), &Limits::default())
}

/// What is wrong with a text, and where.
fn refusal(text: &str) -> (usize, String) {
    let error = read(text).expect_err(text);
    (error.at, error.to_string())
}

fn written(text: &str) -> String {
    encode(&read(text).expect(text)).to_string()
}

#[test]
fn only_the_top_level_is_opened() {
    let text = Text::from(
        r#" [ "m" , { "s" : "text" , "n":-1.50e+3, "t":true,"f":false,"z":null, "o":{ "a": 1 },"l":[ 1 ] } ] "#,
    );
    let message = decode(&text, &Limits::default()).unwrap();
    assert_eq!(message.name, "m");
    let opened = |name| match message.body.get(name) {
        Some(Part::Value(value)) => value.clone(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(opened("s"), Value::from("text"));
    assert_eq!(opened("n"), Value::Number(Number::parse("-1.50e+3").unwrap()));
    assert_eq!([opened("t"), opened("f"), opened("z")], [Value::Bool(true), Value::Bool(false), Value::Null]);
    for (name, bytes, kind) in [("o", r#"{ "a": 1 }"#, Kind::Object), ("l", "[ 1 ]", Kind::Array)] {
        let Some(Part::Raw(raw)) = message.body.get(name) else { panic!("{name} was opened") };
        assert_eq!((&**raw.text(), raw.kind()), (bytes, kind));
    }
    assert_eq!(message.body.object("o"), Some(Object::new().with("a", 1)));
}

#[test]
fn strings_without_escapes_and_fragments_are_slices_of_the_text() {
    let text = Text::from(r#"["m",{"plain":"where it stood","o":{"a":"b"},"escaped":"a\tb"}]"#);
    let message = decode(&text, &Limits::default()).unwrap();
    let within = |part: &Text| {
        let (outer, inner) = (text.as_bytes().as_ptr_range(), part.as_bytes().as_ptr_range());
        outer.start <= inner.start && inner.end <= outer.end
    };
    assert!(within(&message.body.text("plain").unwrap()));
    assert!(!within(&message.body.text("escaped").unwrap()));
    let Some(Part::Raw(raw)) = message.body.get("o") else { panic!() };
    assert!(within(raw.text()));
}

#[test]
fn a_qid_comes_back_as_it_was_written() {
    for qid in [r#""0.5182736450192837""#, "1E5", "-0", r#""\u0041""#, "[ 1, {} ]", r#"{"a" : "b"}"#, "null", "true"] {
        let message = read(&format!(r#"["m",{{"qid": {qid} }}]"#)).unwrap();
        let reply = Envelope::new("r", Body::new().with("qid", message.qid().unwrap()));
        assert_eq!(encode(&reply), format!(r#"["r",{{"qid":{qid}}}]"#));
    }
}

#[test]
fn a_long_qid_is_refused() {
    let of = |length: usize| format!(r#"["m",{{"qid":"{}"}}]"#, "x".repeat(length - 2));
    assert!(read(&of(256)).is_ok());
    assert_eq!(refusal(&of(257)), (12, "a qid of 257 bytes at byte 12, expected a shorter qid".to_owned()));
}

#[test]
fn what_is_no_message_is_refused_at_its_place() {
    for (text, at, what) in [
        ("", 0, "end of text"),
        ("  ", 2, "end of text"),
        ("{}", 0, "`{`"),
        ("null", 0, "`n`"),
        ("[]", 1, "`]`"),
        ("[1,{}]", 1, "`1`"),
        (r#"["m"]"#, 4, "`]`"),
        (r#"["m",null]"#, 5, "`n`"),
        (r#"["m",[]]"#, 5, "`[`"),
        (r#"["m",{},1]"#, 7, "`,`"),
        (r#"["m",{}"#, 7, "end of text"),
        (r#"["m",{}]]"#, 8, "`]`"),
        (r#"["m",{}] x"#, 9, "`x`"),
        (r#"["m",{"a"}]"#, 9, "`}`"),
        (r#"["m",{"a":}]"#, 10, "`}`"),
        (r#"["m",{"a":1,}]"#, 12, "`}`"),
        (r#"["m",{,}]"#, 6, "`,`"),
        (r#"["m",{a:1}]"#, 6, "`a`"),
        (r#"["m",{'a':1}]"#, 6, "`'`"),
        (r#"["m",{"a":[1,]}]"#, 13, "`]`"),
        (r#"["m",{"a":[1}]"#, 12, "`}`"),
        (r#"["m",{"a":[1 2]}]"#, 13, "`2`"),
        (r#"["m",{"a":01}]"#, 11, "`1`"),
        (r#"["m",{"a":-}]"#, 11, "`}`"),
        (r#"["m",{"a":1.}]"#, 12, "`}`"),
        (r#"["m",{"a":.5}]"#, 10, "`.`"),
        (r#"["m",{"a":1e}]"#, 12, "`}`"),
        (r#"["m",{"a":1e+}]"#, 13, "`}`"),
        (r#"["m",{"a":+1}]"#, 10, "`+`"),
        (r#"["m",{"a":NaN}]"#, 10, "`N`"),
        (r#"["m",{"a":tru}]"#, 13, "`}`"),
        (r#"["m",{"a":truee}]"#, 14, "`e`"),
        ("[\"m\",{\"a\":\"\t\"}]", 11, "U+0009"),
        ("[\"m\",{\"a\":\"\0\"}]", 11, "U+0000"),
        ("[\"m\",{\"a\":\u{a0}1}]", 10, "U+00A0"),
        (r#"["m",{"a":"\x"}]"#, 12, "`x`"),
        (r#"["m",{"a":"\u12g4"}]"#, 15, "`g`"),
        (r#"["m",{"a":"open}]"#, 10, "a string without end"),
        (r#"["m",{"a":"open\"#, 16, "end of text"),
        (r#"["m",{"a":"\ud800"}]"#, 11, "a lone surrogate `\\uD800`"),
        (r#"["m",{"a":"\ud800x"}]"#, 11, "a lone surrogate `\\uD800`"),
        (r#"["m",{"a":"\ud800\n"}]"#, 11, "a lone surrogate `\\uD800`"),
        (r#"["m",{"a":"\ud800\ud800"}]"#, 11, "a lone surrogate `\\uD800`"),
        (r#"["m",{"a":"\udc00\ud800"}]"#, 11, "a lone surrogate `\\uDC00`"),
        (r#"["m",{"a":{"b":"\udfff"}}]"#, 16, "a lone surrogate `\\uDFFF`"),
        ("\u{feff}\u{feff}[\"m\",{}]", 3, "U+FEFF"),
    ] {
        let (found_at, message) = refusal(text);
        assert_eq!(found_at, at, "{text}: {message}");
        assert!(message.starts_with(what), "{text}: {message}");
    }
}

#[test]
fn a_mark_in_front_is_dropped_and_still_counts_as_bytes() {
    assert!(read("\u{feff}[\"m\",{}]").is_ok());
    assert_eq!(refusal("\u{feff}[\"m\",{}").0, 10);
}

#[test]
fn escapes_are_resolved() {
    let message = read(r#"["\u006d",{"\u0061\t":"\"\\\/\b\f\n\r\t\u0000\u00e9\u4e2d\ud83d\ude00 \uFFFF"}]"#).unwrap();
    assert_eq!(message.name, "m");
    assert_eq!(message.body.text("a\t").unwrap(), "\"\\/\u{8}\u{c}\n\r\t\0é中😀 \u{ffff}");
}

#[test]
fn strings_of_every_length_end_where_they_end() {
    for length in 0..40 {
        for stop in ["\\n", "\u{e9}", ""] {
            let content = format!("{}{stop}{}", "x".repeat(length), "y".repeat(length % 7));
            let message = read(&format!(r#"["m",{{"a":"{content}","b":1}}]"#)).unwrap();
            assert_eq!(message.body.text("a").unwrap(), content.replace("\\n", "\n"));
            assert_eq!(message.body.int("b"), Some(1));
        }
    }
}

#[test]
fn names_that_must_be_unique_are_refused_when_repeated() {
    for name in ["qid", "userid", "userlogin", "tabid", "executionid", "formid", "name", "sessionid"] {
        let (at, message) = refusal(&format!(r#"["m",{{"{name}":1,"x":2,"{name}":1}}]"#));
        assert_eq!(at, 6 + name.len() + 5 + 6, "{message}");
        assert_eq!(message, format!("`{name}` a second time at byte {at}, expected this name once"));
    }
    assert!(read(r#"["m",{"userid":1,"\u0075serid":2}]"#).is_err(), "names are compared unescaped");
    assert!(read(r#"["m",{"userid":1,"UserId":2,"o":{"userid":1,"userid":2}}]"#).is_ok());
}

#[test]
fn of_other_repeated_names_the_last_wins_at_the_first_place() {
    assert_eq!(written(r#"["m",{"a":1,"b":2,"a":[3]}]"#), r#"["m",{"a":[3],"b":2}]"#);
    assert_eq!(written(r#"["m",{"a":1,"b":2,"\u0061":3}]"#), r#"["m",{"a":3,"b":2}]"#);
}

#[test]
fn a_fragment_with_a_repeated_name_is_written_anew() {
    let message = read(r#"["m",{"o":[{"x": 1,"y": 2,"x": 3}],"p":{"x": 1}}]"#).unwrap();
    assert!(matches!(message.body.get("o"), Some(Part::Value(_))));
    assert!(matches!(message.body.get("p"), Some(Part::Raw(_))));
    assert_eq!(encode(&message), r#"["m",{"o":[{"x":3,"y":2}],"p":{"x": 1}}]"#);
    assert_eq!(written(r#"["m",{"qid":{"a":1,"a":2}}]"#), r#"["m",{"qid":{"a":2}}]"#);
}

#[test]
fn many_repeated_names_cost_no_square() {
    let members = |salt: usize| (0..50_000).map(move |n| format!(r#""{n}":{salt}"#)).collect::<Vec<_>>().join(",");
    let text = format!(r#"["m",{{{},"o":{{{},{}}},{}}}]"#, members(1), members(2), members(3), members(4));
    let message = read(&text).unwrap();
    assert_eq!(message.body.iter().len(), 50_001);
    assert_eq!(message.body.int("49999"), Some(4));
    assert_eq!(message.body.object("o").unwrap().len(), 50_000);
}

#[test]
fn nesting_is_counted_before_it_is_entered() {
    let nested = |levels: usize| format!(r#"["m",{{"a":{}{}}}]"#, "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(63)).is_ok());
    assert_eq!(
        refusal(&nested(64)),
        (73, "nesting of more than 64 levels at byte 73, expected less nesting".to_owned())
    );
    let limits = Limits { depth: usize::MAX, ..Limits::default() };
    assert!(decode(&nested(MAX_DEPTH - 1).into(), &limits).is_ok());
    assert!(decode(&nested(MAX_DEPTH).into(), &limits).is_err());
    assert!(decode(&nested(1_000_000).into(), &limits).is_err());
    let objects = format!(r#"["m",{}1{}]"#, r#"{"a":"#.repeat(65), "}".repeat(65));
    assert_eq!(refusal(&objects).0, 5 + 64 * 5);
}

#[test]
fn numbers_keep_their_digits() {
    for number in ["0", "-0", "1.10", "1E5", "1e+05", "123456789012345678901234567890.000", "1e999999"] {
        let text = format!(r#"["m",{{"n":{number},"o":[{number}]}}]"#);
        assert_eq!(written(&text), text);
        assert_eq!(encode_value(&read(&text).unwrap().body.value("o").unwrap()), format!("[{number}]"));
    }
}

#[test]
fn what_must_be_escaped_is_and_nothing_else() {
    // A name that is not of the program's own.
    let mut body = Body::new();
    body.set("k\n".to_owned(), "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}é中😀\u{2028}");
    let message = Envelope::new("m\"", body);
    assert_eq!(
        encode(&message),
        "[\"m\\\"\",{\"k\\n\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}é中😀\u{2028}\"}]"
    );
    assert_eq!(decode(&encode(&message), &Limits::default()), Ok(message));
}

#[test]
fn the_size_is_reckoned_right_where_nothing_is_escaped() {
    let text = r#"["m",{"a":"text","n":12,"t":true,"o":{"a":[1,2,{"b":null}]},"e":{},"l":[],"f":false,"z":null}]"#;
    let mut message = read(text).unwrap();
    let opened = message.body.value("o").unwrap();
    message.body.set("o", opened);
    let size = write::size_of_message(&message);
    assert_eq!(size, text.len());
    assert_eq!(encode(&message), text);
}

#[test]
fn several_messages_in_one_text() {
    let all = |text: &str| decode_all(&Text::from(text), &Limits::default());
    let names = |text: &str| all(text).unwrap().iter().map(|e| e.name.to_string()).collect::<Vec<_>>();
    assert!(names("").is_empty());
    assert!(names(" \n").is_empty());
    assert!(names("[ ]").is_empty());
    assert_eq!(names(r#"["a",{}]"#), ["a"]);
    assert_eq!(names(r#" [ ["a",{"qid":1}] , ["b",{"qid":1}] ] "#), ["a", "b"]);
    for bad in ["[[]]", r#"[["a",{}],]"#, r#"[["a",{}]"#, r#"["a",{}] ["b",{}]"#, r#"[["a",{}],"b"]"#, "{}", "[1]"] {
        assert!(all(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_value_that_is_no_message() {
    let read = |text: &str| decode_value(&Text::from(text), 3);
    assert_eq!(read(" 1 "), Ok(Value::from(1)));
    assert_eq!(
        read(r#"{"a":1,"b":2,"a":{"c":"\n"}}"#).map(|v| encode_value(&v)),
        Ok(r#"{"a":{"c":"\n"},"b":2}"#.into())
    );
    assert!(read("[[[1]]]").is_ok());
    assert!(read("[[[[1]]]]").is_err());
    assert!(read("1 2").is_err());
    assert!(read("").is_err());
}

#[test]
fn opening_what_was_never_validated_gives_null() {
    for bad in ["", "{", "[1,]", "x"] {
        assert_eq!(open(&Text::from(bad), Kind::Object), Value::Null);
    }
    assert_eq!(open(&"[".repeat(1_000_000).into(), Kind::Array), Value::Null);
}

#[test]
fn the_next_special_byte_is_found_wherever_it_is_and_whatever_stands_beside_it() {
    let naive = |bytes: &[u8], at: usize| {
        let rest = bytes[at..].iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
        rest.map_or(bytes.len(), |n| at + n)
    };
    assert!(scan::is_plain(b""));
    for length in (0..36).chain([64, 100]) {
        for place in 0..length {
            for byte in 0..=255 {
                let mut bytes = vec![b'a'; length];
                bytes[place] = byte;
                assert_eq!(scan::is_plain(&bytes), naive(&bytes, 0) == length, "{byte:#x} at {place} of {length}");
                for at in 0..=length {
                    assert_eq!(
                        scan::skip_plain(&bytes, at),
                        naive(&bytes, at),
                        "{byte:#x} at {place} of {length}, from {at}"
                    );
                }
            }
        }
    }
}
