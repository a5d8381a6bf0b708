//! What an Asterisk sends on its Manager Interface, in any pieces; and values on their way there.
#![no_main]
#![allow(dead_code, reason = "the driver uses more of this module")]

#[path = "../../src/pbx/asterisk/ami/message.rs"]
mod message;

use libfuzzer_sys::fuzz_target;
use message::{Action, Message, Reader};

fn read(data: &[u8], piece: usize) -> (Vec<Message>, bool) {
    let (mut reader, mut all) = (Reader::default(), Vec::new());
    for bytes in data.chunks(piece) {
        reader.push(bytes);
        loop {
            match reader.next_message() {
                Ok(Some(message)) => all.push(message),
                Ok(None) => break,
                Err(_) => return (all, true),
            }
        }
    }
    (all, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let (whole, broken) = read(data, data.len().max(1));
    let (pieces, also) = read(data, 1 + usize::from(*how));
    assert_eq!((whole.len(), broken), (pieces.len(), also));
    assert!(whole == pieces, "pieces change what is read");
    for message in &whole {
        let _ = (message.event(), message.response(), message.action_id());
    }
    // A value from a person is one value, whatever it holds: nothing in it begins a line.
    let value = String::from_utf8_lossy(data);
    let action = Action::new("Originate").id(value.as_ref()).with("Channel", value.as_ref()).with("Exten", value.as_ref());
    let mut out = Vec::new();
    if action.encode(&mut out).is_ok() {
        let (mut back, broken) = read(&out, out.len());
        assert!(!broken && back.len() == 1, "one action is not one packet: {:?}", String::from_utf8_lossy(&out));
        let keys: Vec<String> = back.remove(0).fields().map(|(key, _)| key.to_owned()).collect();
        let expected: &[&str] =
            if value.is_empty() { &["Action", "Channel", "Exten"] } else { &["Action", "ActionID", "Channel", "Exten"] };
        assert_eq!(keys, expected);
    }
});
