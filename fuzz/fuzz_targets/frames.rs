//! Frames of a WebSocket in any pieces, before the library sees them.
#![no_main]
#![allow(dead_code, reason = "the transport uses more of these modules")]

#[path = "../../src/transport/deflate/mod.rs"]
mod deflate;
#[path = "../../src/transport/frames.rs"]
mod frames;
#[path = "../../src/transport/guard.rs"]
mod guard;

use deflate::Unpacker;
use frames::Side;
use guard::Guard;
use libfuzzer_sys::fuzz_target;

// The first byte chooses the side, the limit and the pieces; the others come from the peer.
fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let side = if how & 1 == 0 { Side::Server } else { Side::Client };
    let limit = [16, 125, 1000, 70_000][usize::from(how >> 1 & 3)];
    let mut whole = bytes.to_vec();
    let mut guard = Guard::new(side, limit);
    let good = guard.inspect(&mut whole);
    assert!(good == bytes.len() || guard.violation().is_some(), "bytes are withheld without a reason");
    // The same in pieces: the same frames pass and the same is refused. Only texts that are no UTF-8 may pass as a whole and not in
    // pieces: of a text that is here whole the library checks the characters.
    let mut pieces = bytes.to_vec();
    let mut again = Guard::new(side, limit);
    let mut passed = Vec::new();
    for piece in pieces.chunks_mut(1 + usize::from(how >> 3)) {
        let good = again.inspect(piece);
        passed.extend_from_slice(&piece[..good]);
        if again.violation().is_some() {
            break;
        }
    }
    let (one, other) = (guard.violation().map(|why| why.code), again.violation().map(|why| why.code));
    assert!(one == other || other == Some(1007), "{one:?} as a whole, {other:?} in pieces");
    if other.is_none() {
        assert_eq!(whole, passed);
    }
    check(&whole[..good], limit);
    unpack(side, limit, bytes);
});

/// The same where compression was agreed on: what comes out are plain frames, and no message is larger than it may be.
fn unpack(side: Side, limit: usize, bytes: &[u8]) {
    let mut guard = Guard::new(side, limit);
    guard.allow_packed();
    let mut bytes = bytes.to_vec();
    let good = guard.inspect(&mut bytes);
    let (mut out, mut unpacker) = (Vec::new(), Unpacker::new(side, limit));
    if unpacker.take(&bytes[..good], &mut out).is_ok() {
        check(&out, limit);
    }
}

/// What passes is frames of known kinds in shortest form, no message is larger than it may be, and no mask is left.
fn check(mut bytes: &[u8], limit: usize) {
    let mut message = 0usize;
    while bytes.len() >= 2 {
        let (first, second) = (bytes[0], bytes[1]);
        assert_eq!(first & 0x70, 0, "a reserved bit");
        assert!(matches!(first & 0x0f, 0 | 1 | 2 | 8 | 9 | 10), "an unknown kind");
        let masked = second & 0x80 != 0;
        let (len, mut at) = match second & 0x7f {
            126 if bytes.len() >= 4 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 if bytes.len() >= 10 => (u64::from_be_bytes(std::array::from_fn(|i| bytes[2 + i])), 10),
            126 | 127 => return,
            short => (u64::from(short), 2),
        };
        if masked {
            let Some(key) = bytes.get(at..at + 4) else { return };
            assert_eq!(key, [0; 4], "a mask is left");
            at += 4;
        }
        if first & 8 == 0 {
            message = if first & 0x0f == 0 { message } else { 0 } + len as usize;
            assert!(message <= limit, "{message} bytes pass where {limit} may");
        } else {
            assert!(len <= 125 && first & 0x80 != 0, "a control frame that is none");
        }
        let Some(rest) = bytes.get(at + len as usize..) else { return };
        bytes = rest;
    }
}
