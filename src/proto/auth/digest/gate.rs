//! The server's half: challenges, and whether an answer is right.

use std::time::Duration;

use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::Time;

use super::super::header::Params;
use super::super::{HeaderError, Proof, hex};
use super::nonce::{Book, Nonce};
use super::{Algorithm, Parts, REALM, Secret};

/// How long a nonce may be answered.
const NONCE_LIFE: Duration = Duration::from_secs(300);

/// How many answered nonces are remembered. With more, the oldest become stale before their time.
const NONCES: usize = 4096;

/// A door that demands Digest. One gate serves everything that takes the same credentials: an answer is accepted once
/// because the gate that issued its nonce remembers it.
#[derive(Debug)]
pub struct Gate {
    key: Key,
    book: Book,
    /// Answers of unknown logins are checked against this, so that they cost the same.
    decoy: Secret,
}

/// The key that nonces are signed with.
struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// The request that carries an answer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, as in the request line.
    pub method: &'a str,
    /// The target, as in the request line: path and query.
    pub target: &'a str,
}

/// A right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whose.
    pub login: String,
    /// That it was checked.
    pub proof: Proof,
}

/// Why an answer was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The header is not as the RFC wants it: 400.
    #[error("Digest: {0}")]
    Malformed(#[from] HeaderError),
    /// The answer is not one to this request: 400.
    #[error("Digest: `{0}` is not that of the request or challenge")]
    Mismatch(&'static str),
    /// Something this server does not offer: 401 with new challenges.
    #[error("Digest: {0}")]
    NotOffered(&'static str),
    /// Unknown login or wrong password: 401 with new challenges; counts as a failed login.
    #[error("Digest: wrong login or password")]
    Wrong {
        /// The login that was tried.
        login: String,
    },
    /// Right, but the nonce is too old, or was never issued by this gate: 401 with `stale=true`.
    #[error("Digest: the nonce is stale")]
    Stale,
    /// Right, but this count of this nonce was used already: 401 with `stale=true`.
    #[error("Digest: `nc` did not rise, the answer was used before")]
    Replayed,
}

impl Refusal {
    /// Whether the new challenges say `stale=true`: the client may try again without asking anybody for a password.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale | Self::Replayed)
    }

    /// The HTTP status that is due.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Mismatch(_) => 400,
            Self::NotOffered(_) | Self::Wrong { .. } | Self::Stale | Self::Replayed => 401,
        }
    }
}

impl Gate {
    /// A gate with a random key, which no other gate has.
    pub fn new(key: [u8; 32]) -> Self {
        let decoy = Secret::new("", &hex::encode(&key));
        Self { key: Key(key), book: Book::new(NONCE_LIFE, NONCES), decoy }
    }

    /// The values of the two `WWW-Authenticate` headers that go with a 401, in this order: SHA-256, MD5. `salt` is random.
    pub fn challenges(&self, now: Time, salt: [u8; 8], stale: bool) -> [String; 2] {
        let nonce = Nonce::new(now, salt).text(&self.key.0);
        let stale = if stale { ", stale=true" } else { "" };
        Algorithm::ALL.map(|algorithm| {
            let word = algorithm.word();
            format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={word}, charset=UTF-8{stale}")
        })
    }

    /// Checks the value of an `Authorization` header. `secret_of` finds the secret of a login. The answer costs the same
    /// time for unknown logins and wrong passwords.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify<'s>(
        &mut self,
        now: Time,
        request: Request<'_>,
        header: &str,
        secret_of: impl FnOnce(&str) -> Option<&'s Secret>,
    ) -> Result<Accepted, Refusal> {
        let params = Params::of_credentials(header, "Digest")?;
        let answer = Answer::read(&params, &request)?;
        let secret = secret_of(&answer.login);
        let expected = answer.parts.response(secret.unwrap_or(&self.decoy));
        let right = bool::from(expected.as_bytes().ct_eq(answer.response.as_bytes()));
        if !right || secret.is_none() {
            return Err(Refusal::Wrong { login: answer.login });
        }
        // Only who knows the password learns what is wrong with the nonce.
        let nonce = Nonce::parse(answer.parts.nonce, &self.key.0).filter(|nonce| self.book.is_fresh(now, nonce));
        let nonce = nonce.ok_or(Refusal::Stale)?;
        if !self.book.note(now, nonce, answer.count) {
            return Err(Refusal::Replayed);
        }
        Ok(Accepted { login: answer.login, proof: Proof(()) })
    }
}

/// The answer in a header.
struct Answer<'a> {
    login: String,
    parts: Parts<'a>,
    count: u32,
    response: String,
}

impl<'a> Answer<'a> {
    fn read(params: &'a Params<'_>, request: &Request<'a>) -> Result<Self, Refusal> {
        let required = |name, expected| params.get(name).ok_or(Refusal::Malformed(HeaderError { at: 0, expected }));
        let wrong = |name, expected| {
            let at = params.param(name).map_or(0, |param| param.at);
            Refusal::Malformed(HeaderError { at, expected })
        };
        if params.get("userhash").is_some_and(|userhash| !userhash.eq_ignore_ascii_case("false")) {
            return Err(Refusal::NotOffered("userhash is not offered"));
        }
        let algorithm = Algorithm::of_word(params.get("algorithm"));
        let algorithm = algorithm.ok_or(Refusal::NotOffered("algorithm is not one of SHA-256 and MD5"))?;
        if !required("qop", "`qop=auth`")?.eq_ignore_ascii_case("auth") {
            return Err(Refusal::NotOffered("qop is not auth"));
        }
        if required("realm", "`realm`")? != REALM {
            return Err(Refusal::Mismatch("realm"));
        }
        if required("uri", "`uri`")? != request.target {
            return Err(Refusal::Mismatch("uri"));
        }
        let nc = required("nc", "`nc`")?;
        let count = hex::decode::<4>(nc).map(u32::from_be_bytes).filter(|&count| count > 0);
        let count = count.ok_or_else(|| wrong("nc", "`nc` of eight hexadecimal digits, from 1 on"))?;
        let cnonce = required("cnonce", "`cnonce`")?;
        if cnonce.is_empty() {
            return Err(wrong("cnonce", "a `cnonce` that is not empty"));
        }
        let parts = Parts {
            algorithm,
            nonce: required("nonce", "`nonce`")?,
            nc,
            cnonce,
            method: request.method,
            uri: request.target,
        };
        let response = required("response", "`response`")?.to_ascii_lowercase();
        Ok(Self { login: Self::login(params)?, parts, count, response })
    }

    /// `username`, or `username*` (RFC 8187), which carries what does not fit into the first.
    fn login(params: &Params<'_>) -> Result<String, Refusal> {
        let wrong = |expected| Refusal::Malformed(HeaderError { at: 0, expected });
        match (params.get("username"), params.get("username*")) {
            (Some(plain), None) => Ok(plain.to_owned()),
            (None, Some(extended)) => {
                decoded(extended).ok_or_else(|| wrong("`username*=UTF-8''` and percent-encoding"))
            }
            (None, None) => Err(wrong("`username`")),
            (Some(_), Some(_)) => Err(wrong("one of `username` and `username*`")),
        }
    }
}

/// The text of an extended value in UTF-8: charset, a language that nobody needs, percent-encoded bytes.
fn decoded(extended: &str) -> Option<String> {
    let (charset, rest) = extended.split_once('\'')?;
    let (_language, value) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let pair = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(hex::decode::<1>(pair)?[0]);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}
