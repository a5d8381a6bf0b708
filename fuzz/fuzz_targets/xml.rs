//! XML from a peer.
#![no_main]

mod invariants;

use ctigate_proto::codec::{Limits, decode, decode_all};
use ctigate_proto::message::{Format, Text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = Text::try_from(data) else { return };
    match decode(Format::Xml, &text, &Limits::default()) {
        Ok(message) => invariants::hold(&message),
        Err(error) => assert!(error.at <= text.len() && !error.what.contains(char::is_control), "{error:?}"),
    }
    for message in decode_all(Format::Xml, &text, &Limits::default()).unwrap_or_default() {
        invariants::hold(&message);
    }
});
