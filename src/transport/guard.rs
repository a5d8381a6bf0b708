//! What reads over the WebSocket library's shoulder: every byte from the peer passes here first. It holds the rules that the
//! library does not hold, or holds too late: the shortest form of a length (RFC 6455 5.2), a size limit that changes while
//! the connection lives and is checked by the head of a frame (7.4.1, 10.4), and UTF-8 checked while it arrives (8.1).
//!
//! It unmasks in place and hands on frames with a mask of zeros, so that nothing is copied and whatever must see payloads (the
//! inflating of compressed messages) can stand behind it. What is wrong is withheld: the library sees the good frames before it,
//! and then an error. A text that is here as one whole frame never comes to the library: [`Guard::whole_text`] gives it.

use std::ops::Range;

use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Text;

use super::frames::{self, LONGEST_HEAD, Side};

/// The state between two pieces of input.
#[derive(Debug)]
pub(super) struct Guard {
    side: Side,
    limit: usize,
    /// Whether messages may be compressed: RFC 7692.
    packed: bool,
    at: At,
    /// The data message that is being received, from its first frame to its last. Boxed, as what is wrong is: a quiet connection has neither, and
    /// what it looks at for a text lies together.
    message: Option<Box<Message>>,
    violation: Option<Box<CloseReason>>,
    heard: u64,
}

#[derive(Debug)]
enum At {
    Head { bytes: [u8; LONGEST_HEAD], len: usize },
    Body { left: u64, key: Option<[u8; 4]>, done: usize, kind: Kind },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data { last: bool },
    Control,
}

#[derive(Debug)]
struct Message {
    size: u64,
    /// What was checked so far, for text that is not compressed.
    text: Option<Utf8>,
    packed: bool,
}

impl Guard {
    /// For a new connection. `side` is ours; a message is at most `limit` bytes.
    pub(super) fn new(side: Side, limit: usize) -> Self {
        Self { side, limit, packed: false, at: START, message: None, violation: None, heard: 0 }
    }

    /// Lets compressed messages pass from now on.
    pub(super) fn allow_packed(&mut self) {
        self.packed = true;
    }

    /// Changes the size limit for what begins from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// What stands behind the guard has found something wrong: nothing is let through from now on.
    pub(super) fn accuse(&mut self, reason: CloseReason) {
        self.violation = Some(Box::new(reason));
    }

    /// What the peer did wrong, if it did; nothing is let through after it.
    pub(super) fn violation(&self) -> Option<&CloseReason> {
        self.violation.as_deref()
    }

    /// How many bytes came so far: a sign of life, also in the middle of a long message.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// Whether nothing is half received, so that the library behind holds no bytes.
    pub(super) fn is_between_messages(&self) -> bool {
        matches!(self.at, At::Head { len: 0, .. }) && self.message.is_none() && self.violation.is_none()
    }

    /// The text at the front, if it is here as one whole frame without fault, and how many bytes it took. Whatever else is
    /// there is left for [`Self::inspect`].
    pub(super) fn whole_text(&mut self, bytes: &mut [u8]) -> (usize, Option<Text>) {
        if !self.is_between_messages() {
            return (0, None);
        }
        let Some((start, size)) = whole_frame(self.side, 0x81, bytes).filter(|(_, size)| *size <= self.limit) else {
            return (0, None);
        };
        let (head, rest) = bytes.split_at_mut(start);
        let body = &mut rest[..size];
        if self.side == Side::Server {
            frames::mask(body, std::array::from_fn(|i| head[start - 4 + i]), 0);
        }
        self.heard = self.heard.wrapping_add((start + size) as u64);
        match std::str::from_utf8(body) {
            Ok(text) => (start + size, Some(text.into())),
            Err(_) => {
                self.violation = Some(Box::new(NOT_UTF8));
                (0, None)
            }
        }
    }

    /// The same for a compressed text: where in `bytes` its payload is now, unmasked. It ends where the frame does.
    pub(super) fn whole_packed(&mut self, bytes: &mut [u8]) -> Option<Range<usize>> {
        if !self.packed || !self.is_between_messages() {
            return None;
        }
        let (start, size) = whole_frame(self.side, 0xc1, bytes)?;
        if size as u64 > packed_limit(self.limit as u64) {
            return None;
        }
        let (head, body) = bytes.split_at_mut(start);
        if self.side == Side::Server {
            frames::mask(&mut body[..size], std::array::from_fn(|i| head[start - 4 + i]), 0);
        }
        self.heard = self.heard.wrapping_add((start + size) as u64);
        Some(start..start + size)
    }

    /// Looks at the bytes that came, unmasks them in place, and says how many from the start may be handed on.
    pub(super) fn inspect(&mut self, bytes: &mut [u8]) -> usize {
        self.heard = self.heard.wrapping_add(bytes.len() as u64);
        let mut at = 0;
        let mut frame_began_here = false;
        while at < bytes.len() && self.violation.is_none() {
            match &mut self.at {
                At::Head { .. } => {
                    if let Err(reason) = self.head_byte(&mut bytes[at]) {
                        self.violation = Some(Box::new(reason));
                        return at;
                    }
                    at += 1;
                    frame_began_here = true;
                }
                At::Body { .. } => {
                    let rest = &mut bytes[at..];
                    match self.body(rest, frame_began_here) {
                        Ok(taken) => at += taken,
                        Err(reason) => {
                            self.violation = Some(Box::new(reason));
                            return at;
                        }
                    }
                }
            }
        }
        at
    }

    /// Takes one byte of a head; overwrites it with zero when it belongs to a mask key.
    fn head_byte(&mut self, byte: &mut u8) -> Result<(), CloseReason> {
        let At::Head { bytes, len } = &mut self.at else { return Ok(()) };
        bytes[*len] = *byte;
        *len += 1;
        if *len == 1 {
            return check_first(bytes[0], self.message.is_some(), self.packed);
        }
        if *len == 2 {
            check_second(self.side, bytes[0], bytes[1])?;
        }
        let whole = frames::head_length(bytes[1]);
        if bytes[1] & 0x80 != 0 && *len > whole - 4 {
            *byte = 0;
        }
        if *len < whole {
            return Ok(());
        }
        let head = *bytes;
        self.begin_body(&head)
    }

    fn begin_body(&mut self, head: &[u8; LONGEST_HEAD]) -> Result<(), CloseReason> {
        let size = frames::payload_length(head);
        let after = frames::head_length(head[1] & 0x7f);
        let shortest = match size {
            ..=125 => 2,
            126..=65535 => 4,
            _ => 10,
        };
        if after != shortest || size > i64::MAX as u64 {
            return Err(CloseReason::new(1002, "a frame's length is not in its shortest form"));
        }
        let last = head[0] & 0x80 != 0;
        let kind = match head[0] & 0x0f {
            opcode @ 0..=2 => {
                if opcode != 0 {
                    let packed = head[0] & 0x40 != 0;
                    let text = (opcode == 1 && !packed).then(Utf8::default);
                    self.message = Some(Box::new(Message { size: 0, text, packed }));
                }
                if let Some(message) = &mut self.message {
                    let limit = self.limit as u64;
                    let most = if message.packed { packed_limit(limit) } else { limit };
                    message.size = message.size.saturating_add(size);
                    if message.size > most {
                        return Err(CloseReason::with_text(1009, format!("a message may be {limit} bytes long now")));
                    }
                }
                Kind::Data { last }
            }
            _ => Kind::Control,
        };
        let key = (head[1] & 0x80 != 0).then(|| std::array::from_fn(|i| head[after + i]));
        self.at = At::Body { left: size, key, done: 0, kind };
        if size == 0 {
            return self.end_body(kind, false);
        }
        Ok(())
    }

    /// Takes a piece of a body. A text that is one frame, here as a whole, is left to the library to check: it does so at once.
    fn body(&mut self, rest: &mut [u8], began_here: bool) -> Result<usize, CloseReason> {
        let At::Body { left, key, done, kind } = &mut self.at else { return Ok(0) };
        let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
        let piece = &mut rest[..taken];
        if let Some(key) = key {
            frames::mask(piece, *key, *done);
        }
        *done = (*done + taken) % 4;
        *left -= taken as u64;
        let (kind, over) = (*kind, *left == 0);
        let mut left_to_library = false;
        if kind != Kind::Control
            && let Some(Message { text: Some(text), size, .. }) = self.message.as_deref_mut()
        {
            left_to_library = began_here && over && kind == Kind::Data { last: true } && *size == taken as u64;
            if !left_to_library && !text.take(piece) {
                return Err(NOT_UTF8);
            }
        }
        if over {
            self.end_body(kind, left_to_library)?;
        }
        Ok(taken)
    }

    fn end_body(&mut self, kind: Kind, left_to_library: bool) -> Result<(), CloseReason> {
        self.at = START;
        if kind == (Kind::Data { last: true }) {
            let text = self.message.take().and_then(|m| m.text);
            if !left_to_library && text.is_some_and(|t| !t.is_complete()) {
                return Err(NOT_UTF8);
            }
        }
        Ok(())
    }
}

const START: At = At::Head { bytes: [0; LONGEST_HEAD], len: 0 };
const NOT_UTF8: CloseReason = CloseReason::new(1007, "a text is not UTF-8");

/// How long a compressed message may be, which is at most `limit` bytes when it is inflated: what does not shrink grows a little, by five
/// bytes a block, and a block is at most 64 KiB.
fn packed_limit(limit: u64) -> u64 {
    limit.saturating_add(limit / 1024 + 64)
}

/// Where the body begins and how long it is, of a message that is one frame, which begins with this byte, and here as a whole.
fn whole_frame(side: Side, first: u8, bytes: &[u8]) -> Option<(usize, usize)> {
    let [begin, second, ..] = *bytes else { return None };
    if begin != first || (second & 0x80 != 0) != (side == Side::Server) {
        return None;
    }
    let size = match second & 0x7f {
        126 => usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        // Longer than is read at once.
        127 => return None,
        short => usize::from(short),
    };
    let start = frames::head_length(second);
    let shortest = (size <= 125) == (second & 0x7f <= 125);
    (shortest && bytes.len() >= start + size).then_some((start, size))
}

fn check_first(first: u8, inside_message: bool, packed: bool) -> Result<(), CloseReason> {
    let last = first & 0x80 != 0;
    match first & 0x70 {
        0 => {}
        // The bit of compression stands on the first frame of a message and nowhere else: RFC 7692 6.1.
        0x40 if packed && matches!(first & 0x0f, 1 | 2) => {}
        0x40 if packed => {
            return Err(CloseReason::new(1002, "the bit of compression is set on a frame that begins no message"));
        }
        _ => return Err(CloseReason::new(1002, "a reserved bit is set and no extension was agreed on")),
    }
    match first & 0x0f {
        0 if !inside_message => Err(CloseReason::new(1002, "a continuation frame outside a message")),
        1 | 2 if inside_message => Err(CloseReason::new(1002, "a new message inside a fragmented one")),
        0..=2 => Ok(()),
        8..=10 if last => Ok(()),
        8..=10 => Err(CloseReason::new(1002, "a fragmented control frame")),
        _ => Err(CloseReason::new(1002, "a frame with an unknown opcode")),
    }
}

fn check_second(side: Side, first: u8, second: u8) -> Result<(), CloseReason> {
    match (side, second & 0x80 != 0) {
        (Side::Server, false) => Err(CloseReason::new(1002, "a client's frame without a mask")),
        (Side::Client, true) => Err(CloseReason::new(1002, "a server's frame with a mask")),
        _ if first & 0x08 != 0 && second & 0x7f > 125 => Err(CloseReason::new(1002, "a control frame over 125 bytes")),
        _ => Ok(()),
    }
}

/// UTF-8 in pieces: keeps the beginning of a character that was cut.
#[derive(Debug, Default)]
struct Utf8 {
    cut: [u8; 4],
    len: usize,
}

impl Utf8 {
    /// Takes the next piece; false as soon as no continuation could make it right.
    fn take(&mut self, mut piece: &[u8]) -> bool {
        while self.len > 0 {
            let Some((byte, rest)) = piece.split_first() else { return true };
            self.cut[self.len] = *byte;
            self.len += 1;
            piece = rest;
            match std::str::from_utf8(&self.cut[..self.len]) {
                Ok(_) => self.len = 0,
                Err(e) if e.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(piece) {
            Ok(_) => true,
            Err(e) if e.error_len().is_some() => false,
            Err(e) => {
                let tail = &piece[e.valid_up_to()..];
                self.cut[..tail.len()].copy_from_slice(tail);
                self.len = tail.len();
                true
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame with the given first byte.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [1, 2, 3, 4];
        let mut out = Vec::new();
        frames::put_head(&mut out, frames::Opcode::Text, payload.len(), Some(key));
        out[0] = first;
        let body = out.len();
        out.extend_from_slice(payload);
        frames::mask(&mut out[body..], key, 0);
        out
    }

    /// The same as the library should see it.
    fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        frames::put_head(&mut out, frames::Opcode::Text, payload.len(), Some([0; 4]));
        out[0] = first;
        out.extend_from_slice(payload);
        out
    }

    /// Hands `input` over in pieces of `step`; what was let through, and the code of the violation.
    fn run(input: &[u8], step: usize, limit: usize) -> (Vec<u8>, Option<u16>) {
        let mut guard = Guard::new(Side::Server, limit);
        let mut through = Vec::new();
        for piece in input.chunks(step) {
            let mut piece = piece.to_vec();
            let good = guard.inspect(&mut piece);
            through.extend_from_slice(&piece[..good]);
            if guard.violation().is_some() {
                break;
            }
        }
        (through, guard.violation().map(|v| v.code))
    }

    #[test]
    fn good_frames_pass_unmasked_however_they_are_cut() {
        let long = "я".repeat(40_000);
        let mut input = frame(0x81, "привет".as_bytes());
        input.extend(frame(0x01, &"жук".as_bytes()[..3]));
        input.extend(frame(0x89, b"ping"));
        input.extend(frame(0x80, &"жук".as_bytes()[3..]));
        input.extend(frame(0x81, long.as_bytes()));
        input.extend(frame(0x81, b""));
        let mut expected = plain(0x81, "привет".as_bytes());
        expected.extend(plain(0x01, &"жук".as_bytes()[..3]));
        expected.extend(plain(0x89, b"ping"));
        expected.extend(plain(0x80, &"жук".as_bytes()[3..]));
        expected.extend(plain(0x81, long.as_bytes()));
        expected.extend(plain(0x81, b""));
        for step in [1, 2, 3, 7, 4096, 1 << 20] {
            assert_eq!(run(&input, step, 1 << 20), (expected.clone(), None), "{step}");
        }
    }

    #[test]
    fn every_rule_of_a_head_is_held() {
        let long_form = [0x81, 0x80 | 126, 0, 5, 0, 0, 0, 0];
        let longer_form = [0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0];
        let top_bit = [0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let cases: [(&str, Vec<u8>); 10] = [
            ("no mask", vec![0x81, 1, b'a']),
            ("rsv1", frame(0xc1, b"a")),
            ("opcode 3", frame(0x83, b"a")),
            ("opcode 11", frame(0x8b, b"a")),
            ("fragmented ping", frame(0x09, b"a")),
            ("long ping", frame(0x89, &[0; 126])),
            ("continuation of nothing", frame(0x80, b"a")),
            ("long form", long_form.to_vec()),
            ("longer form", longer_form.to_vec()),
            ("top bit", top_bit.to_vec()),
        ];
        for (name, bad) in cases {
            for step in [1, 100] {
                let mut input = frame(0x81, b"good");
                input.extend(&bad);
                let (through, code) = run(&input, step, 1 << 20);
                assert_eq!(code, Some(1002), "{name}");
                assert!(through.starts_with(&plain(0x81, b"good")), "{name}: what was good before it passes");
            }
        }
        let mut twice = frame(0x01, b"a");
        twice.extend(frame(0x81, b"b"));
        assert_eq!(run(&twice, 100, 100).1, Some(1002));
    }

    #[test]
    fn size_is_refused_by_the_head_and_over_all_fragments() {
        let big = frame(0x81, &[b'a'; 101]);
        assert_eq!(run(&big[..6], 100, 100).1, Some(1009), "before any byte of the body");
        assert_eq!(run(&frame(0x81, &[b'a'; 100]), 100, 100).1, None);
        let mut parts = frame(0x01, &[b'a'; 60]);
        parts.extend(&frame(0x80, &[b'a'; 41])[..6]);
        assert_eq!(run(&parts, 100, 100).1, Some(1009));
        let huge = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        assert_eq!(run(&huge, 100, usize::MAX >> 2).1, Some(1009));
    }

    #[test]
    fn a_limit_that_was_raised_holds_for_what_begins_later() {
        let mut guard = Guard::new(Side::Server, 10);
        guard.set_limit(1000);
        let mut input = frame(0x81, &[b'a'; 500]);
        let all = input.len();
        assert_eq!(guard.inspect(&mut input), all);
        assert!(guard.is_between_messages());
    }

    #[test]
    fn broken_utf8_is_found_where_it_breaks() {
        let mut text = "привет".repeat(1000).into_bytes();
        text[4001] = 0xff;
        let input = frame(0x81, &text);
        assert_eq!(run(&input[..4200], 64, 1 << 20).1, Some(1007), "long before the frame ends");
        let mut cut = frame(0x01, &[0xd0]);
        cut.extend(frame(0x80, b""));
        assert_eq!(run(&cut, 64, 100).1, Some(1007), "a character that never ends");
        assert_eq!(run(&frame(0x82, &[0xff; 50]), 7, 100).1, None, "binary is not looked into");
    }

    #[test]
    fn a_whole_text_is_taken_and_all_else_is_left() {
        let take = |input: &[u8], limit: usize| {
            let mut guard = Guard::new(Side::Server, limit);
            let (taken, text) = guard.whole_text(&mut input.to_vec());
            (taken, text.map(|t| t.to_string()), guard.violation().map(|v| v.code))
        };
        for length in [0, 1, 125, 126, 127, 1000, 65_535] {
            let text = "x".repeat(length);
            let mut input = frame(0x81, text.as_bytes());
            let whole = input.len();
            input.extend(frame(0x81, b"next"));
            assert_eq!(take(&input, 1 << 20), (whole, Some(text), None), "{length}");
            assert_eq!(take(&input[..whole - 1], 1 << 20), (0, None, None), "{length}, cut");
        }
        let left = [
            frame(0x01, b"begins"),
            frame(0x80, b"goes on"),
            frame(0x82, b"binary"),
            frame(0x89, b"ping"),
            frame(0x88, b""),
            frame(0xc1, b"rsv1"),
            frame(0x81, &[b'a'; 65_536]),
            vec![0x81, 1, b'a'],
            vec![0x81, 0x80 | 126, 0, 1, 0, 0, 0, 0, b'a'],
            vec![0x81],
            Vec::new(),
        ];
        for input in left {
            assert_eq!(take(&input, 1 << 20), (0, None, None), "{:?}", &input[..input.len().min(8)]);
        }
        assert_eq!(take(&frame(0x81, &[b'a'; 11]), 10), (0, None, None), "its head is refused by the other way");
        assert_eq!(take(&frame(0x81, &[0xd0]), 10), (0, None, Some(1007)));
        let mut guard = Guard::new(Side::Server, 100);
        guard.inspect(&mut frame(0x01, b"begun"));
        assert_eq!(guard.whole_text(&mut frame(0x81, b"a")), (0, None), "not inside a message");
    }

    #[test]
    fn compressed_messages_pass_where_they_were_agreed_on_and_only_as_the_rules_say() {
        let run = |input: &[u8]| {
            let mut guard = Guard::new(Side::Server, 1000);
            guard.allow_packed();
            let mut input = input.to_vec();
            let good = guard.inspect(&mut input);
            (good == input.len(), guard.violation().map(|v| v.code))
        };
        let parts = [frame(0x41, &[0xff; 600]), frame(0x00, &[0xff; 400]), frame(0x80, b"")].concat();
        assert_eq!(run(&parts), (true, None), "what is compressed is no UTF-8");
        assert_eq!(run(&frame(0xc2, b"a")), (true, None));
        for (name, bad) in [
            ("a continuation with the bit", [frame(0x41, b"a"), frame(0xc0, b"b")].concat()),
            ("a ping with the bit", frame(0xc9, b"a")),
            ("a close with the bit", frame(0xc8, b"")),
            ("the second bit", frame(0xe1, b"a")),
            ("the third bit", frame(0x91, b"a")),
        ] {
            assert_eq!(run(&bad).1, Some(1002), "{name}");
        }
        let whole = |input: &[u8], allowed: bool| {
            let mut guard = Guard::new(Side::Server, 1000);
            if allowed {
                guard.allow_packed();
            }
            let mut input = input.to_vec();
            guard.whole_packed(&mut input).map(|body| input[body].to_vec())
        };
        assert_eq!(whole(&[frame(0xc1, &[7; 1064]), vec![1]].concat(), true), Some(vec![7; 1064]));
        assert_eq!(whole(&frame(0xc1, &[7; 100])[..105], true), None, "cut");
        for left in [frame(0xc1, &[7; 1065]), frame(0x81, b"a"), frame(0x41, b"a"), frame(0xc2, b"a")] {
            assert_eq!(whole(&left, true), None);
        }
        assert_eq!(whole(&frame(0xc1, b"a"), false), None, "not agreed on");
        assert_eq!(run(&frame(0xc1, &[0; 1064])).1, None, "what does not shrink");
        assert_eq!(run(&frame(0xc1, &[0; 1065])).1, Some(1009));
        assert_eq!(run(&[frame(0x41, &[0; 1000]), frame(0x80, &[0; 65])].concat()).1, Some(1009));
        assert_eq!(run(&frame(0x81, &[0; 1001])).1, Some(1009), "the others have the limit as it is");
        assert_eq!(run(&frame(0x81, &[0xff; 9])).1, None, "one whole frame is the library's to check");
        assert_eq!(run(&[frame(0x01, &[0xff]), frame(0x80, b"")].concat()).1, Some(1007));
    }

    #[test]
    fn a_dialed_server_may_not_mask() {
        let mut guard = Guard::new(Side::Client, 100);
        let mut input = frame(0x81, b"a");
        assert_eq!(guard.inspect(&mut input), 1);
        assert_eq!(guard.violation().map(|v| v.code), Some(1002));
        let mut guard = Guard::new(Side::Client, 100);
        assert_eq!(guard.inspect(&mut [0x81, 1, b'a']), 3);
    }
}
