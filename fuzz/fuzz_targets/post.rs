//! The body of a POST from a CRM, and packets of messages that come in it.
#![no_main]

mod invariants;

use ctigate_proto::Time;
use ctigate_proto::codec::multipart::{Assembler, NAME, SetLimits};
use ctigate_proto::codec::{Limits, decode_all, encode, post};
use ctigate_proto::message::Text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok((format, text)) = post::parse_form(data) else { return };
    assert_eq!(post::parse_form(post::form(format, &text).as_bytes()), Ok((format, text.clone())));
    let Ok(messages) = decode_all(format, &text, &Limits::default()) else { return };
    let limits = SetLimits { bytes: 64, packets: 8, sets: 4, ..SetLimits::default() };
    let mut assembler = Assembler::new(limits);
    for (i, message) in messages.iter().enumerate() {
        invariants::hold(message);
        if message.name == NAME {
            let _ = assembler.accept(Time::from_millis(i as u64 * 7000), &message.body);
            assert!(assembler.held() <= limits.bytes);
        }
    }
    assembler.handle_timeout(Time::from_millis(u64::MAX / 1000));
    assert_eq!((assembler.held(), assembler.poll_timeout()), (0, None));
    let texts: Vec<Text> = messages.iter().map(|message| encode(message, format)).collect();
    assert_eq!(decode_all(format, &post::join(format, &texts), &Limits::default()), Ok(messages));
});
