//! The first run: a code that counts once, kept as its hash. It is printed as an address where the gateway was started, and ends when it
//! is used or at the next start.

use std::sync::{Mutex, PoisonError};

use rand::RngExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How many wrong codes are borne: a guess has one chance in 2^120.
const WRONG: u32 = 1000;
/// How long a code is, in characters of 5 bits each.
const LENGTH: usize = 24;
/// The characters of a code: none that look like another.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Whether there is a first run, and its code.
#[derive(Debug, Default)]
pub(super) struct Setup(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    hash: [u8; 32],
    wrong: u32,
}

impl Setup {
    /// Begins a first run. Gives the code, which nobody can ask for again.
    pub(super) fn begin(&self) -> String {
        let mut random = rand::rng();
        let code: String = (0..LENGTH).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Open { hash: hash(&code), wrong: 0 });
        code
    }

    /// Whether this is the code of a first run that is under way.
    pub(super) fn is(&self, code: &str) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = open.as_mut() else { return false };
        let right = bool::from(known.hash.ct_eq(&hash(code)));
        if !right {
            known.wrong += 1;
            tracing::warn!(wrong = known.wrong, "a wrong code for the first run");
            if known.wrong >= WRONG {
                *open = None;
            }
        }
        right
    }

    /// Whether there is a first run.
    pub(super) fn is_open(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The first run is over.
    pub(super) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_until_it_is_over_or_guessed_at_too_often() {
        let setup = Setup::default();
        assert!(!setup.is("") && !setup.is_open());
        let code = setup.begin();
        assert!(code.len() == LENGTH && setup.is(&code) && !setup.is("guess") && setup.is(&code));
        setup.end();
        assert!(!setup.is(&code));
        let code = setup.begin();
        for _ in 0..WRONG {
            assert!(!setup.is("guess"));
        }
        assert!(!setup.is(&code) && !setup.is_open());
    }
}
