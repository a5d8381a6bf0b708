//! Frames on their way out: RFC 6455 section 5.2. The bytes are written by us and not by the WebSocket library, so that one
//! batch of messages is one buffer and one write, and so that buffers can be given back.

use smallvec::SmallVec;

/// The bit in a head's first byte that marks a compressed message: RSV1, RFC 7692 section 6.
pub(super) const PACKED: u8 = 0x40;

/// The longest head of a frame.
pub(super) const LONGEST_HEAD: usize = 14;

/// Which end of the connection we are. A client masks what it sends, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// We accepted the connection.
    Server,
    /// We dialed it.
    Client,
}

impl Side {
    /// A new mask key from the operating system's generator (by way of a cryptographic one seeded there), if this side masks.
    pub(super) fn mask_key(self) -> Option<[u8; 4]> {
        (self == Self::Client).then(rand::random)
    }
}

/// The kinds of frame that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Text = 0x1,
    /// Only what was compressed comes back as such a frame, to be read; none is sent.
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
}

/// How long a head is, by its second byte.
pub(super) fn head_length(second: u8) -> usize {
    let length = match second & 0x7f {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    length + if second & 0x80 != 0 { 4 } else { 0 }
}

/// How long the payload is, by a whole head.
pub(super) fn payload_length(head: &[u8]) -> u64 {
    match head[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes([head[2], head[3]])),
        127 => u64::from_be_bytes(std::array::from_fn(|i| head[2 + i])),
        short => u64::from(short),
    }
}

/// The head of a whole (never fragmented) frame.
fn head(opcode: Opcode, len: usize, key: Option<[u8; 4]>) -> SmallVec<[u8; 16]> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut head = SmallVec::new();
    head.push(0x80 | opcode as u8);
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(short @ ..=125), _) => head.push(masked | short),
        (_, Ok(middle)) => {
            head.push(masked | 126);
            head.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            head.push(masked | 127);
            head.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        head.extend_from_slice(&key);
    }
    head
}

/// Appends the head of a whole frame.
pub(super) fn put_head(out: &mut Vec<u8>, opcode: Opcode, len: usize, key: Option<[u8; 4]>) {
    out.extend_from_slice(&head(opcode, len, key));
}

/// Appends a whole frame.
pub(super) fn put(out: &mut Vec<u8>, side: Side, opcode: Opcode, payload: &[u8]) {
    let key = side.mask_key();
    out.reserve(LONGEST_HEAD + payload.len());
    put_head(out, opcode, payload.len(), key);
    let body = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        mask(&mut out[body..], key, 0);
    }
}

/// Appends a whole frame whose payload `write` appends; that is about `expected` bytes long. Costs a move of the payload when that is so
/// wrong that the head needs another length.
pub(super) fn put_by(out: &mut Vec<u8>, side: Side, opcode: Opcode, expected: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let key = side.mask_key();
    out.reserve(LONGEST_HEAD + expected);
    let start = out.len();
    let body = start + head(opcode, expected, key).len();
    out.resize(body, 0);
    write(out);
    let length = out.len() - body;
    let head = head(opcode, length, key);
    if head.len() == body - start {
        out[start..body].copy_from_slice(&head);
    } else {
        out.splice(start..body, head);
    }
    if let Some(key) = key {
        let body = out.len() - length;
        mask(&mut out[body..], key, 0);
    }
}

/// Appends a whole frame that is a compressed message.
pub(super) fn put_packed(out: &mut Vec<u8>, side: Side, opcode: Opcode, payload: &[u8]) {
    let start = out.len();
    put(out, side, opcode, payload);
    out[start] |= PACKED;
}

/// The payload of a Close frame; the reason is cut to what a control frame holds, at a character's end.
pub(super) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let end = (0..=reason.len().min(123)).rev().find(|&i| reason.is_char_boundary(i)).unwrap_or(0);
    let mut payload = Vec::with_capacity(2 + end);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    payload
}

/// Masks or unmasks (it is the same) a piece of a payload that begins at `offset` of it.
pub(super) fn mask(bytes: &mut [u8], key: [u8; 4], offset: usize) {
    let turned: [u8; 4] = std::array::from_fn(|i| key[(offset + i) % 4]);
    let wide = u64::from_ne_bytes(std::array::from_fn(|i| turned[i % 4]));
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (i, byte) in tail.iter_mut().enumerate() {
        *byte ^= turned[i % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_their_shortest_form() {
        for (len, head) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65535, &[0x81, 126, 255, 255]),
            (65536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put_head(&mut out, Opcode::Text, len, None);
            assert_eq!(out, head, "{len}");
        }
    }

    #[test]
    fn a_masked_frame_unmasks_to_what_it_was_in_any_pieces() {
        let payload: Vec<u8> = (0..100).collect();
        let mut out = Vec::new();
        put(&mut out, Side::Client, Opcode::Text, &payload);
        assert_eq!(out[1], 0x80 | 100);
        let key = [out[2], out[3], out[4], out[5]];
        for cut in 0..=payload.len() {
            let mut body = out[6..].to_vec();
            let (a, b) = body.split_at_mut(cut);
            mask(a, key, 0);
            mask(b, key, cut);
            assert_eq!(body, payload);
        }
    }

    #[test]
    fn a_frame_that_is_longer_or_shorter_than_was_thought_has_the_head_it_needs() {
        for length in [0, 125, 126, 65535, 65536] {
            for expected in [0, 125, 126, 65535, 65536] {
                let payload = vec![b'x'; length];
                let mut out = b"before".to_vec();
                put_by(&mut out, Side::Server, Opcode::Text, expected, |out| out.extend_from_slice(&payload));
                let mut whole = b"before".to_vec();
                put(&mut whole, Side::Server, Opcode::Text, &payload);
                assert!(out == whole, "{length} where {expected} were expected");
                let mut masked = Vec::new();
                put_by(&mut masked, Side::Client, Opcode::Text, expected, |out| out.extend_from_slice(&payload));
                let body = head_length(masked[1]);
                assert_eq!(payload_length(&masked), length as u64);
                let key = std::array::from_fn(|i| masked[body - 4 + i]);
                mask(&mut masked[body..], key, 0);
                assert!(masked[body..] == payload, "{length} where {expected} were expected");
            }
        }
    }

    #[test]
    fn mask_keys_are_not_repeated() {
        let keys: std::collections::HashSet<_> = (0..1000).map(|_| Side::Client.mask_key()).collect();
        assert!(keys.len() > 990);
        assert_eq!(Side::Server.mask_key(), None);
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let payload = close_payload(1008, &"ж".repeat(100));
        assert_eq!(payload.len(), 2 + 122);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
    }
}
