//! Digest authentication, RFC 7616: SHA-256 and MD5, `qop=auth`, both as server ([`Gate`]) and as client ([`Client`]).
//!
//! Written by hand because no crate does it for us: names that are not ASCII, both algorithms side by side, strict
//! parameters, constant time. The plain password is never needed after [`Secret::new`].

mod client;
mod gate;
mod nonce;

use std::fmt;

use md5::Md5;
use sha2::{Digest, Sha256};

use super::hex;

pub use client::{Client, Unanswerable};
pub use gate::{Accepted, Gate, Refusal, Request};

/// The realm of every challenge of ours.
pub const REALM: &str = "ctigate";

/// The hash functions, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    const fn word(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// By the parameter `algorithm`, whose absence means MD5.
    fn of_word(word: Option<&str>) -> Option<Self> {
        let word = word.unwrap_or("MD5");
        Self::ALL.into_iter().find(|algorithm| word.eq_ignore_ascii_case(algorithm.word()))
    }

    /// The hash of the parts with colons between them, in hex.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Sha256 => hex::encode(&Sha256::digest(text)),
            Self::Md5 => hex::encode(&Md5::digest(text)),
        }
    }
}

/// What remains of a password: for each algorithm the hash of login, realm and password (HA1 of the RFC). Whoever has it
/// can log in as its user, so it is kept like the password itself; it cannot be turned back into it.
#[derive(Clone)]
pub struct Secret {
    sha256: String,
    md5: String,
}

impl Secret {
    /// The secret of a login in our realm.
    pub fn new(login: &str, password: &str) -> Self {
        Self::in_realm(login, REALM, password)
    }

    fn in_realm(login: &str, realm: &str, password: &str) -> Self {
        let hash = |algorithm: Algorithm| algorithm.hash(&[login, realm, password]);
        Self { sha256: hash(Algorithm::Sha256), md5: hash(Algorithm::Md5) }
    }

    fn ha1(&self, algorithm: Algorithm) -> &str {
        match algorithm {
            Algorithm::Sha256 => &self.sha256,
            Algorithm::Md5 => &self.md5,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What a response is made of besides the secret; the parts as they stand in the header.
struct Parts<'a> {
    algorithm: Algorithm,
    nonce: &'a str,
    nc: &'a str,
    cnonce: &'a str,
    method: &'a str,
    uri: &'a str,
}

impl Parts<'_> {
    /// The response to a challenge with `qop=auth` (RFC 7616 section 3.4.1).
    fn response(&self, secret: &Secret) -> String {
        let ha2 = self.algorithm.hash(&[self.method, self.uri]);
        self.algorithm.hash(&[secret.ha1(self.algorithm), self.nonce, self.nc, self.cnonce, "auth", &ha2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_responses_of_rfc_7616_section_3_9_1() {
        let secret = Secret::in_realm("Mufasa", "http-auth@example.org", "Circle of Life");
        for (algorithm, response) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let parts = Parts {
                algorithm,
                nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
                nc: "00000001",
                cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                method: "GET",
                uri: "/dir/index.html",
            };
            assert_eq!(parts.response(&secret), response);
        }
    }

    #[test]
    fn algorithms_have_no_case_and_a_default() {
        assert_eq!(Algorithm::of_word(None), Some(Algorithm::Md5));
        assert_eq!(Algorithm::of_word(Some("sha-256")), Some(Algorithm::Sha256));
        for other in ["", "SHA-256-sess", "MD5-sess", "SHA-512-256", "SHA256"] {
            assert_eq!(Algorithm::of_word(Some(other)), None);
        }
    }
}
