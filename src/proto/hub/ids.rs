//! Ids and session secrets, drawn from a generator that the shell seeded.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::message::Text;

/// The GUID of nothing.
pub(super) const ZERO_GUID: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Debug)]
pub(super) struct Ids {
    rng: ChaCha12Rng,
}

impl Ids {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { rng: ChaCha12Rng::from_seed(seed) }
    }

    /// A GUID of version 4 (RFC 9562), lower case with dashes.
    pub(super) fn guid(&mut self) -> Text {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (i, byte) in bytes.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        ascii(&text)
    }

    /// A temporary password: 128 random bits in hex.
    pub(super) fn secret(&mut self) -> Text {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        hex(&bytes)
    }

    /// A session id: 256 random bits in hex.
    pub(super) fn session(&mut self) -> Text {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        hex(&bytes)
    }
}

/// What of a session id is kept: its SHA-256 in hex.
pub(super) fn session_hash(id: &str) -> Text {
    hex(&Sha256::digest(id.as_bytes()))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex(bytes: &[u8]) -> Text {
    let text: Vec<u8> = bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]).collect();
    ascii(&text)
}

fn ascii(bytes: &[u8]) -> Text {
    Text::from(std::str::from_utf8(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_have_their_form_and_differ() {
        let mut ids = Ids::new([7; 32]);
        let (a, b) = (ids.guid(), ids.guid());
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(a.bytes().enumerate().all(|(i, c)| if matches!(i, 8 | 13 | 18 | 23) {
            c == b'-'
        } else {
            c.is_ascii_hexdigit()
        }));
        assert_eq!(ids.session().len(), 64);
    }
}
