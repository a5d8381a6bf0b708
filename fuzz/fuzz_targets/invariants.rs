//! What holds for every message that was accepted, whatever its text.

use ctigate_proto::codec::{Limits, decode, encode, to_ascii};
use ctigate_proto::message::{Envelope, Format, Part, Text};

/// Written in any format, a message is accepted again and is the same; and what was written once is not written otherwise
/// the second time.
pub fn hold(message: &Envelope) {
    for (_, part) in message.body.iter() {
        if let Part::Raw(raw) = part {
            // A fragment is validated, so opening it cannot fail: that would give null.
            assert_eq!(raw.open().kind() == "null", &**raw.text() == "null", "{raw:?}");
        }
    }
    let [json, xml] = [Format::Json, Format::Xml].map(|format| {
        let text = encode(message, format);
        let again = read(format, &text);
        assert_eq!(&again, message);
        assert_eq!(encode(&again, format), text);
        let ascii = to_ascii(&text, format);
        assert!(ascii.is_ascii());
        // The limit of a qid counts it as written, and escapes are longer.
        let limits = Limits { qid: usize::MAX, ..Limits::default() };
        assert_eq!(decode(format, &ascii, &limits).as_ref(), Ok(message));
        text
    });
    // Once through the other format everything is opened, and the two formats turn into each other to the last character.
    let through_xml = encode(&read(Format::Xml, &xml), Format::Json);
    let there = encode(&read(Format::Json, &through_xml), Format::Xml);
    assert_eq!(encode(&read(Format::Xml, &there), Format::Json), through_xml);
    assert_eq!(read(Format::Json, &json), read(Format::Json, &through_xml));
}

fn read(format: Format, text: &Text) -> Envelope {
    decode(format, text, &Limits::default()).unwrap_or_else(|error| panic!("our own text: {error}: {text:?}"))
}
