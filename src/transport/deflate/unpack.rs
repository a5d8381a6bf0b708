//! Inflating what came. Stands between the guard and the WebSocket library, on connections where compression was agreed on: the guard
//! has checked every frame and taken its mask off; here compressed messages become whole plain frames, and all else passes as it is.
//!
//! A compressed message is gathered until its last frame is here and inflated then, in one go: so no connection holds a window, memory
//! follows received bytes, and what comes out is counted while it comes out.

use std::cell::RefCell;

use bytes::Bytes;
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Text;
use flate2::{Decompress, FlushDecompress, Status};

use super::super::frames::{self, LONGEST_HEAD, Opcode, Side};
use super::TAIL;

/// How much room is made at first for what comes out.
const ROOM: usize = 4 << 10;

/// A last, empty block. Behind the restored end of a flush it lets the inflater say that it has come to a whole end.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

thread_local! {
    /// The inflater, for whichever connection has a whole message.
    static INFLATER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// The state between two pieces of input.
#[derive(Debug)]
pub(crate) struct Unpacker {
    side: Side,
    limit: usize,
    at: At,
    /// The compressed message that is being received.
    message: Option<Packed>,
}

#[derive(Debug)]
enum At {
    Head {
        bytes: [u8; LONGEST_HEAD],
        len: usize,
    },
    /// In a frame that passes.
    Passing(u64),
    /// In a frame of a compressed message.
    Gathering {
        left: u64,
        last: bool,
    },
}

const START: At = At::Head { bytes: [0; LONGEST_HEAD], len: 0 };

#[derive(Debug)]
struct Packed {
    opcode: Opcode,
    payload: Vec<u8>,
}

impl Unpacker {
    /// For a new connection. `side` is ours; a message is at most `limit` bytes when it is inflated.
    pub(crate) fn new(side: Side, limit: usize) -> Self {
        Self { side, limit, at: START, message: None }
    }

    /// Changes the size limit for what is inflated from now on.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Inflates a text that came as one whole frame.
    ///
    /// # Errors
    /// 1009 when it is too long, 1007 when it is no DEFLATE or no UTF-8.
    pub(crate) fn whole_text(&self, payload: &[u8]) -> Result<Text, CloseReason> {
        let mut packed = Vec::with_capacity(payload.len() + TAIL.len() + LAST_BLOCK.len());
        packed.extend_from_slice(payload);
        Text::try_from(Bytes::from(inflate(packed, self.limit)?)).map_err(|_| NOT_UTF8)
    }

    /// Takes frames that the guard let through, cut anywhere, and appends what the library is to see. Handed in piece by piece: what comes
    /// out is at most a thousand times a piece, and one message.
    ///
    /// # Errors
    /// 1009 for a message that is too long, as soon as that shows; 1007 for one that cannot be inflated.
    pub(crate) fn take(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            match &mut self.at {
                At::Head { bytes, len } => {
                    bytes[*len] = rest[0];
                    *len += 1;
                    at += 1;
                    if *len >= 2 && *len == frames::head_length(bytes[1]) {
                        let (head, len) = (*bytes, *len);
                        self.begin_body(&head[..len], out)?;
                    }
                }
                At::Passing(left) => {
                    let taken = as_len(*left).min(rest.len());
                    out.extend_from_slice(&rest[..taken]);
                    *left -= taken as u64;
                    at += taken;
                    if *left == 0 {
                        self.at = START;
                    }
                }
                At::Gathering { left, last } => {
                    let taken = as_len(*left).min(rest.len());
                    if let Some(message) = &mut self.message {
                        message.payload.extend_from_slice(&rest[..taken]);
                    }
                    *left -= taken as u64;
                    at += taken;
                    if *left == 0 {
                        let last = *last;
                        self.end_body(last, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin_body(&mut self, head: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        let (left, last) = (frames::payload_length(head), head[0] & 0x80 != 0);
        let packed = head[0] & 0x40 != 0;
        let gathering = match head[0] & 0x0f {
            opcode @ (1 | 2) if packed => {
                let opcode = if opcode == 1 { Opcode::Text } else { Opcode::Binary };
                self.message = Some(Packed { opcode, payload: Vec::new() });
                true
            }
            0 => self.message.is_some(),
            _ => false,
        };
        if gathering {
            self.at = At::Gathering { left, last };
            if left == 0 {
                return self.end_body(last, out);
            }
        } else {
            out.extend_from_slice(head);
            self.at = if left == 0 { START } else { At::Passing(left) };
        }
        Ok(())
    }

    fn end_body(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), CloseReason> {
        self.at = START;
        if !last {
            return Ok(());
        }
        let Some(message) = self.message.take() else { return Ok(()) };
        let plain = inflate(message.payload, self.limit)?;
        // The library of a server wants a mask; one of zeros changes nothing.
        let key = (self.side == Side::Server).then_some([0; 4]);
        out.reserve(LONGEST_HEAD + plain.len());
        frames::put_head(out, message.opcode, plain.len(), key);
        out.extend_from_slice(&plain);
        Ok(())
    }
}

fn as_len(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// What a whole compressed message says: RFC 7692 7.2.2.
fn inflate(mut packed: Vec<u8>, limit: usize) -> Result<Vec<u8>, CloseReason> {
    let mut out = Vec::new();
    let length = packed.len();
    if length == 0 {
        // Not what the RFC says an empty message is (7.2.3.6), but some send it, and it can mean nothing else.
        return Ok(out);
    }
    packed.extend_from_slice(&TAIL);
    packed.extend_from_slice(&LAST_BLOCK);
    INFLATER.with_borrow_mut(|inflater| {
        inflater.reset(false);
        let mut at = 0;
        loop {
            // One byte beyond the limit, to see that there is more.
            let room = out.capacity().max(ROOM).min(limit + 1 - out.len());
            out.reserve_exact(room);
            let (taken, given) = (inflater.total_in(), out.len());
            let status =
                inflater.decompress_vec(&packed[at..], &mut out, FlushDecompress::None).map_err(|_| NOT_DEFLATE)?;
            let taken = as_len(inflater.total_in() - taken);
            at += taken;
            if out.len() > limit {
                return Err(CloseReason::with_text(1009, format!("a message may be {limit} bytes long now")));
            }
            match status {
                // A last block, as it may stand in a message too (7.2.3.5): what follows begins anew.
                Status::StreamEnd if at < length => inflater.reset(false),
                // At the very end, or at the end of a payload whose last block was its last word.
                Status::StreamEnd if at == packed.len() || at == length => return Ok(()),
                Status::StreamEnd => return Err(NOT_DEFLATE),
                Status::Ok | Status::BufError if taken == 0 && out.len() == given => return Err(NOT_DEFLATE),
                Status::Ok | Status::BufError => {}
            }
        }
    })?;
    Ok(out)
}

const NOT_DEFLATE: CloseReason = CloseReason::new(1007, "a compressed message cannot be inflated");
const NOT_UTF8: CloseReason = CloseReason::new(1007, "a text is not UTF-8");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Agreed;
    use super::super::pack::{LARGEST, pack};
    use super::*;

    /// A frame as the guard hands it on: its mask is zero.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frames::put_head(&mut out, Opcode::Text, payload.len(), Some([0; 4]));
        out[0] = first;
        out.extend_from_slice(payload);
        out
    }

    /// Hands `input` over in pieces of `step`.
    fn run(input: &[u8], step: usize, limit: usize) -> Result<Vec<u8>, u16> {
        let mut unpacker = Unpacker::new(Side::Server, limit);
        let mut through = Vec::new();
        for piece in input.chunks(step) {
            unpacker.take(piece, &mut through).map_err(|reason| reason.code)?;
        }
        Ok(through)
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        pack(text, Agreed { window: LARGEST }).expect("it shrinks").to_vec()
    }

    const HELLO: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    #[test]
    fn the_examples_of_the_rfc_say_hello() {
        let hello = frame(0x81, b"Hello");
        // RFC 7692, 7.2.3.1: one frame, and two.
        assert_eq!(run(&frame(0xc1, HELLO), 100, 5), Ok(hello.clone()));
        let two = [frame(0x41, &HELLO[..3]), frame(0x80, &HELLO[3..])].concat();
        assert_eq!(run(&two, 100, 5), Ok(hello.clone()));
        // 7.2.3.3: a block without compression.
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
        assert_eq!(run(&frame(0xc1, &stored), 100, 5), Ok(hello.clone()));
        // 7.2.3.4: a block that says it is the last.
        let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(run(&frame(0xc1, &last), 100, 5), Ok(hello.clone()));
        assert_eq!(run(&frame(0xc1, &last[..7]), 100, 5), Ok(hello.clone()), "and nothing behind it");
        // 7.2.3.5: two blocks.
        let blocks = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(run(&frame(0xc1, &blocks), 100, 5), Ok(hello));
        // 7.2.3.6: an empty message.
        assert_eq!(run(&frame(0xc1, &[0x00]), 100, 5), Ok(frame(0x81, b"")));
        assert_eq!(run(&frame(0xc1, &[]), 100, 5), Ok(frame(0x81, b"")));
    }

    #[test]
    fn a_window_is_not_taken_over() {
        // 7.2.3.2: the second Hello refers to the first.
        let second = [0xf2, 0x00, 0x11, 0x00, 0x00];
        let both = [frame(0xc1, HELLO), frame(0xc1, &second)].concat();
        assert_eq!(run(&both, 100, 100), Err(1007));
    }

    #[test]
    fn messages_come_out_however_they_are_cut_and_all_else_passes() {
        let long = "[\"event\",{\"state\":\"talking\"}]".repeat(5000).into_bytes();
        let small = packed(&long);
        let (a, b) = small.split_at(small.len() / 3);
        let mut input = frame(0x81, b"plain");
        input.extend(frame(0x42, a));
        input.extend(frame(0x89, b"ping"));
        input.extend(frame(0x00, b""));
        input.extend(frame(0x80, b));
        input.extend(frame(0x01, b"in "));
        input.extend(frame(0x80, b"parts"));
        input.extend(frame(0xc1, HELLO));
        let mut expected = frame(0x81, b"plain");
        expected.extend(frame(0x89, b"ping"));
        expected.extend(frame(0x82, &long));
        expected.extend(frame(0x01, b"in "));
        expected.extend(frame(0x80, b"parts"));
        expected.extend(frame(0x81, b"Hello"));
        for step in [1, 2, 3, 7, 4096, 1 << 20] {
            assert_eq!(run(&input, step, 1 << 20).as_ref(), Ok(&expected), "{step}");
        }
    }

    #[test]
    fn a_dialed_servers_messages_come_out_without_a_mask() {
        let mut unpacker = Unpacker::new(Side::Client, 100);
        let mut out = Vec::new();
        let input = [&[0xc1, 7][..], HELLO].concat();
        assert_eq!(unpacker.take(&input, &mut out), Ok(()));
        assert_eq!(out, b"\x81\x05Hello");
    }

    #[test]
    fn a_bomb_is_refused_while_it_is_inflated() {
        let limit = 100_000;
        for len in [limit + 1, 10 * limit, 100 << 20] {
            assert_eq!(run(&frame(0xc1, &packed(&vec![b' '; len])), 4096, limit), Err(1009), "{len}");
        }
        let fits = packed(&vec![b' '; limit]);
        assert_eq!(run(&frame(0xc1, &fits), 4096, limit).map(|out| out.len()), Ok(limit + LONGEST_HEAD));
    }

    #[test]
    fn a_whole_text_is_inflated_by_itself() {
        let unpacker = Unpacker::new(Side::Server, 2000);
        let whole = |payload: &[u8]| unpacker.whole_text(payload).map(|text| text.to_string()).map_err(|why| why.code);
        assert_eq!(whole(HELLO), Ok("Hello".to_owned()));
        assert_eq!(whole(&[0x00]), Ok(String::new()));
        assert_eq!(whole(&packed(&[b'a'; 2000])), Ok("a".repeat(2000)));
        assert_eq!(whole(&packed(&[b'a'; 2001])), Err(1009));
        assert_eq!(whole(&packed(&[0xff; 2000])), Err(1007));
        assert_eq!(whole(&HELLO[..3]), Err(1007));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_bounded_and_breaks_nothing(bytes: Vec<u8>, step in 1..40usize, limit in 0..5000usize) {
            // Frames as the guard would let them through, of bytes that are anything.
            let mut input = Vec::new();
            for (i, piece) in bytes.chunks(30).enumerate() {
                input.extend(frame([0xc1, 0x41, 0x80][i % 3], piece));
            }
            if let Ok(out) = run(&input, step, limit) {
                prop_assert!(out.len() <= bytes.len() * 1032 + 14 * bytes.len() + 100);
            }
        }

        #[test]
        fn what_was_packed_comes_back(text in proptest::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 0..3000), window in 8..=15u8) {
            if let Some(packed) = pack(&text, Agreed { window }) {
                prop_assert_eq!(run(&frame(0xc2, &packed), 100, text.len()), Ok(frame(0x82, &text)));
            }
        }
    }

    #[test]
    fn what_was_cut_off_or_is_no_deflate_is_refused() {
        let whole = packed("[\"event\",{\"state\":\"talking\"}]".repeat(50).as_bytes());
        for len in 1..whole.len() {
            assert_eq!(run(&frame(0xc1, &whole[..len]), 4096, 1 << 20), Err(1007), "{len} of {}", whole.len());
        }
        for bad in [&[0xff; 10][..], &[0x06], &[0x07, 1, 2, 3], &[0x01, 5, 0, 0, 0, b'a']] {
            assert_eq!(run(&frame(0xc1, bad), 4096, 1 << 20), Err(1007), "{bad:?}");
        }
    }

    #[test]
    fn a_message_of_nothing_but_last_blocks_costs_little() {
        // Each pair of bytes ends a stream.
        let begun = std::time::Instant::now();
        assert_eq!(run(&frame(0xc1, &LAST_BLOCK.repeat(500_000)), 1 << 16, 1 << 20), Ok(frame(0x81, b"")));
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}
