//! Nonces: signed with their time, so that issuing one stores nothing; and the book of those that were answered.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::Time;

use super::super::secret::hmac_sha256;

/// When a nonce was issued, and the random bytes that tell it from others of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nonce {
    issued: Time,
    salt: [u8; 8],
}

/// How many bytes of the signature a nonce carries.
const SIGNATURE: usize = 16;

impl Nonce {
    pub(super) fn new(issued: Time, salt: [u8; 8]) -> Self {
        Self { issued, salt }
    }

    /// The text that a challenge carries.
    pub(super) fn text(&self, key: &[u8; 32]) -> String {
        let mut bytes = self.plain().to_vec();
        bytes.extend_from_slice(&self.signature(key));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The nonce in such a text; `None` for one that this key did not sign.
    pub(super) fn parse(text: &str, key: &[u8; 32]) -> Option<Self> {
        let bytes: [u8; 16 + SIGNATURE] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (plain, signature) = bytes.split_at(16);
        let (issued, salt) = plain.split_at(8);
        let nonce = Self {
            issued: Time::from_micros(u64::from_be_bytes(issued.try_into().ok()?)),
            salt: salt.try_into().ok()?,
        };
        bool::from(nonce.signature(key).ct_eq(signature)).then_some(nonce)
    }

    fn plain(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.issued.as_micros().to_be_bytes());
        bytes[8..].copy_from_slice(&self.salt);
        bytes
    }

    fn signature(&self, key: &[u8; 32]) -> [u8; SIGNATURE] {
        let mut message = *b"ctigate nonce                   ";
        message[16..].copy_from_slice(&self.plain());
        *hmac_sha256(key, &message).first_chunk().expect("32 bytes hold 16")
    }
}

/// Nonces that were answered rightly, each with its last count. They are ordered by age, because that is how they leave.
#[derive(Debug)]
pub(super) struct Book {
    life: Duration,
    most: usize,
    counts: BTreeMap<Nonce, u32>,
    /// Nonces issued up to here are stale before their time: a count was forgotten to keep the book bounded.
    forgotten: Option<Time>,
}

impl Book {
    pub(super) fn new(life: Duration, most: usize) -> Self {
        Self { life, most: most.max(1), counts: BTreeMap::new(), forgotten: None }
    }

    /// Whether a nonce may be answered at all.
    pub(super) fn is_fresh(&self, now: Time, nonce: &Nonce) -> bool {
        nonce.issued <= now && now < nonce.issued + self.life && self.forgotten.is_none_or(|upto| nonce.issued > upto)
    }

    /// Notes that a fresh nonce was answered rightly with this count; false when the count did not rise.
    pub(super) fn note(&mut self, now: Time, nonce: Nonce, count: u32) -> bool {
        while let Some((oldest, _)) = self.counts.first_key_value()
            && oldest.issued + self.life <= now
        {
            self.counts.pop_first();
        }
        let last = self.counts.get(&nonce).copied().unwrap_or(0);
        if count <= last {
            return false;
        }
        self.counts.insert(nonce, count);
        if self.counts.len() > self.most
            && let Some((oldest, _)) = self.counts.pop_first()
        {
            self.forgotten = Some(oldest.issued);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn nonce(seconds: u64) -> Nonce {
        Nonce::new(Time::from_millis(seconds * 1000), *b"saltsalt")
    }

    #[test]
    fn only_our_nonces_are_ours() {
        let text = nonce(5).text(&KEY);
        assert_eq!(Nonce::parse(&text, &KEY), Some(nonce(5)));
        assert_eq!(Nonce::parse(&text, &[8; 32]), None);
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Nonce::parse(&String::from_utf8(forged).unwrap(), &KEY), None, "{at}");
        }
        for bad in ["", "A", &text[1..], &format!("{text}A"), "имя"] {
            assert_eq!(Nonce::parse(bad, &KEY), None);
        }
    }

    #[test]
    fn counts_must_rise() {
        let mut book = Book::new(Duration::from_secs(300), 10);
        let now = Time::from_millis(5000);
        assert!(!book.note(now, nonce(5), 0));
        assert!(book.note(now, nonce(5), 1));
        assert!(!book.note(now, nonce(5), 1));
        assert!(book.note(now, nonce(5), 7));
        assert!(!book.note(now, nonce(5), 6));
        assert!(book.note(now, nonce(4), 1), "each nonce has its own");
    }

    #[test]
    fn a_nonce_has_its_time() {
        let book = Book::new(Duration::from_secs(300), 10);
        let fresh = |seconds: u64| book.is_fresh(Time::from_millis(seconds * 1000), &nonce(5));
        assert!(!fresh(4), "from the future");
        assert!(fresh(5) && fresh(304));
        assert!(!fresh(305));
    }

    #[test]
    fn the_book_is_bounded_and_forgets_no_replay() {
        let mut book = Book::new(Duration::from_secs(300), 3);
        let now = Time::from_millis(10_000);
        for seconds in 1..=4 {
            assert!(book.note(now, nonce(seconds), 1));
        }
        assert_eq!(book.counts.len(), 3);
        assert!(!book.is_fresh(now, &nonce(1)), "its count is forgotten, so it is taken no more");
        assert!(book.is_fresh(now, &nonce(2)));
        assert!(!book.note(now, nonce(2), 1));
        assert!(book.note(Time::from_millis(303_000), nonce(5), 1));
        assert_eq!(book.counts.len(), 2, "what is over leaves");
    }
}
