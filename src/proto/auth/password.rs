//! The password hash of the protocol (`proto-spec/auth.md`): MD5 over the password in the clients' own single-byte letters.
//! It has no salt, so whoever knows it can log in; it is a credential like the password itself.

use std::fmt;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::{Proof, hex};

/// The hash of a password as typed (`Password` of `login`): 32 lower-case hex digits.
///
/// # Errors
/// [`Unfit`] when the password holds a character that clients do not turn into a byte.
pub fn hash(password: &str) -> Result<String, Unfit> {
    let mut bytes = Vec::with_capacity(password.len());
    for (at, unit) in password.encode_utf16().enumerate() {
        match byte(unit) {
            Some(Some(byte)) => bytes.push(byte),
            Some(None) => {}
            None => return Err(Unfit { at: at + 1 }),
        }
    }
    Ok(hex::encode(&Md5::digest(&bytes)))
}

/// The hash of the lower-cased password (`password` of `login`). It ignores case, so it is weaker.
///
/// # Errors
/// [`Unfit`] as with [`hash`].
pub fn folded_hash(password: &str) -> Result<String, Unfit> {
    hash(&password.to_lowercase())
}

/// The place of the first character that clients leave out of the hash without a word, counted from 1: the hash is that of
/// the password without it.
pub fn dropped(password: &str) -> Option<usize> {
    password.encode_utf16().position(|unit| byte(unit) == Some(None)).map(|at| at + 1)
}

/// Whether a client's hash is the one expected; takes the same time wherever they differ. What is no hash (32 hex digits,
/// of either case) proves nothing.
pub fn verify(expected: &str, given: &str) -> Option<Proof> {
    let (expected, given) = (hex::decode::<16>(expected)?, hex::decode::<16>(given)?);
    bool::from(expected.ct_eq(&given)).then_some(Proof(()))
}

/// As [`verify`], for an account of which only a slow hash over the hash is kept, which the shell checks: `verifier` gets
/// the client's hash in lower case and says whether it fits. It is not asked about what is no hash.
pub fn verify_by(given: &str, verifier: impl FnOnce(&str) -> bool) -> Option<Proof> {
    let given = hex::encode(&hex::decode::<16>(given)?);
    verifier(&given).then_some(Proof(()))
}

/// What clients make of a UTF-16 code unit: a byte, nothing (`Some(None)`), or something that is no byte (`None`). Russian
/// letters become those of windows-1251.
fn byte(unit: u16) -> Option<Option<u8>> {
    match unit {
        0..=127 => u8::try_from(unit).ok().map(Some),
        128..=1024 => Some(None),
        1025 => Some(Some(0xA8)),
        1105 => Some(Some(0xB8)),
        _ => u8::try_from(unit - 848).ok().map(Some),
    }
}

/// A password that clients hash into garbage: they could never log in with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The place of the character, counted from 1. The character itself is not told: it is part of a secret.
    pub at: usize,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {} is neither ASCII nor a Russian letter, and clients cannot hash it", self.at)
    }
}

impl std::error::Error for Unfit {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_clients_make() {
        for (password, hashed, folded) in [
            ("Secret1", "d6cb2342e44efb6dd628276f36da2359", "e52d98c459819a11775936d8dfbb7929"),
            ("demo-PASS", "578dd15b518cb3a96e450822ebae36d3", "a540459139867e3eb98f0686ee199b2a"),
            ("Пароль7", "1ff3263f705cefe5cef594a3c072dacc", "428d1205beead56b75b8f3662f837c94"),
            ("Ёлка_ёж", "a7b363e40677d29fac9fb8b1b14def59", "1113e34f8a8e0a2e94b837e47c11497b"),
            ("naïve", "bfe4b52ca21163798a2a7dafc73ad021", "bfe4b52ca21163798a2a7dafc73ad021"),
        ] {
            assert_eq!(hash(password).as_deref(), Ok(hashed), "{password}");
            assert_eq!(folded_hash(password).as_deref(), Ok(folded), "{password}");
        }
    }

    #[test]
    fn what_clients_cannot_hash_is_told_by_its_place() {
        assert_eq!(hash("abc漢"), Err(Unfit { at: 4 }));
        assert_eq!(hash("😀"), Err(Unfit { at: 1 }));
        for (last, first) in [("\u{44f}", "\u{450}"), ("\u{451}", "\u{452}")] {
            assert!(hash(last).is_ok());
            assert_eq!(hash(first), Err(Unfit { at: 1 }));
        }
        assert_eq!(dropped("naïve"), Some(3));
        assert_eq!(dropped("plain"), None);
    }

    #[test]
    fn only_the_same_hash_is_a_proof() {
        let expected = hash("Secret1").unwrap();
        assert!(verify(&expected, &hash("Secret1").unwrap()).is_some());
        assert!(verify(&expected, &hash("secret1").unwrap()).is_none());
        assert!(verify(&expected, &expected.to_uppercase()).is_some());
        assert!(verify(&expected, "").is_none());
        assert!(verify("", "").is_none());
    }

    #[test]
    fn a_slow_check_gets_the_hash_in_lower_case_and_nothing_else() {
        let hash = hash("Secret1").unwrap();
        assert!(verify_by(&hash.to_uppercase(), |given| given == hash).is_some());
        assert!(verify_by(&hash, |_| false).is_none());
        for bad in ["", "Secret1", &hash[1..]] {
            assert!(verify_by(bad, |_| panic!("asked")).is_none());
        }
    }
}
