//! The client's half: answering the challenges of a CRM that we dial or post to.

use std::fmt;

use thiserror::Error;

use super::super::header::{self, Params, to_quoted};
use super::super::{HeaderError, hex};
use super::{Algorithm, Parts, Secret};

/// Answers challenges with one login, request after request.
///
/// Send the first request without credentials. On a 401 hand its headers to [`Client::challenged`]; when that is `Ok`, send
/// the request again with [`Client::answer`], and every later one too: the nonce is used until the server calls it stale.
pub struct Client {
    login: String,
    password: String,
    challenge: Option<Challenge>,
}

/// A challenge that can be answered.
struct Challenge {
    algorithm: Algorithm,
    /// Made of login, realm and password when the challenge came.
    secret: Secret,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// How often the nonce was used.
    count: u32,
}

/// Why there is nothing to answer. The request fails; trying again soon is of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unanswerable {
    /// A header cannot be read.
    #[error("WWW-Authenticate: {0}")]
    Malformed(#[from] HeaderError),
    /// No Digest among the challenges, or none at all. Basic is never the answer to that: it would give the password away.
    #[error("the server demands no Digest (it names {0})")]
    NoDigest(String),
    /// Digest, but in no way we know.
    #[error("the server's Digest cannot be answered: {0}")]
    Unknown(&'static str),
    /// Our answer was refused, and not because its nonce was stale.
    #[error("the server refused our login or password")]
    Refused,
}

impl Client {
    /// Knows its credentials and no challenge yet.
    pub fn new(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self { login: login.into(), password: password.into(), challenge: None }
    }

    /// Takes the `WWW-Authenticate` headers of a 401. Of several challenges it takes SHA-256 before MD5.
    ///
    /// # Errors
    /// [`Unanswerable`]. After [`Unanswerable::Refused`] the challenge is forgotten, so that a try made much later begins
    /// anew.
    pub fn challenged<'h>(&mut self, headers: impl IntoIterator<Item = &'h str>) -> Result<(), Unanswerable> {
        let answered = self.challenge.take().is_some_and(|challenge| challenge.count > 0);
        let mut schemes = Vec::new();
        let mut unknown = None;
        let mut best: Option<(Challenge, bool)> = None;
        for header in headers {
            for challenge in header::challenges(header)? {
                if !challenge.scheme.eq_ignore_ascii_case("Digest") {
                    schemes.push(challenge.scheme.to_owned());
                    continue;
                }
                match self.usable(&challenge.params) {
                    Ok(found) => {
                        if best.as_ref().is_none_or(|(best, _)| {
                            best.algorithm == Algorithm::Md5 && found.algorithm == Algorithm::Sha256
                        }) {
                            let stale = challenge.params.get("stale");
                            best = Some((found, stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true"))));
                        }
                    }
                    Err(why) => unknown = Some(why),
                }
            }
        }
        match (best, unknown) {
            (Some((_, false)), _) if answered => Err(Unanswerable::Refused),
            (Some((best, _)), _) => {
                self.challenge = Some(best);
                Ok(())
            }
            (None, Some(why)) => Err(Unanswerable::Unknown(why)),
            (None, None) if schemes.is_empty() => Err(Unanswerable::NoDigest("nothing".to_owned())),
            (None, None) => Err(Unanswerable::NoDigest(schemes.join(", "))),
        }
    }

    /// The value of the `Authorization` header for a request; `None` before the first challenge. `method` and `target` are
    /// those of the request line, `random` makes the client's nonce.
    pub fn answer(&mut self, method: &str, target: &str, random: [u8; 16]) -> Option<String> {
        let challenge = self.challenge.as_mut()?;
        challenge.count = challenge.count.checked_add(1)?;
        let nc = format!("{:08x}", challenge.count);
        self.header(method, target, &hex::encode(&random), &nc)
    }

    fn header(&self, method: &str, target: &str, cnonce: &str, nc: &str) -> Option<String> {
        let challenge = self.challenge.as_ref()?;
        let Challenge { algorithm, realm, nonce, opaque, .. } = challenge;
        let parts = Parts { algorithm: *algorithm, nonce, nc, cnonce, method, uri: target };
        let response = parts.response(&challenge.secret);
        let username = if self.login.is_ascii() {
            format!("username={}", to_quoted(&self.login)?)
        } else {
            format!("username*=UTF-8''{}", extended(&self.login))
        };
        let mut header = format!(
            "Digest {username}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}, qop=auth, nc={nc}, cnonce={}",
            to_quoted(realm)?,
            to_quoted(nonce)?,
            to_quoted(target)?,
            algorithm.word(),
            to_quoted(cnonce)?,
        );
        if let Some(opaque) = opaque {
            header.push_str(", opaque=");
            header.push_str(&to_quoted(opaque)?);
        }
        Some(header)
    }

    /// A challenge that we can answer, or why we cannot.
    fn usable(&self, params: &Params<'_>) -> Result<Challenge, &'static str> {
        let word = params.get("algorithm");
        if word.is_some_and(|word| word.to_ascii_lowercase().ends_with("-sess")) {
            return Err("its algorithm is a -sess one, which is not supported; SHA-256 and MD5 are");
        }
        let algorithm = Algorithm::of_word(word).ok_or("its algorithm is not one of SHA-256 and MD5")?;
        let qop = params.get("qop").ok_or("it has no qop; qop=\"auth\" is needed")?;
        if !qop.split(',').any(|word| word.trim().eq_ignore_ascii_case("auth")) {
            return Err("its qop does not offer auth");
        }
        let realm = params.get("realm").ok_or("it has no realm")?.to_owned();
        let nonce = params.get("nonce").ok_or("it has no nonce")?.to_owned();
        let secret = Secret::in_realm(&self.login, &realm, &self.password);
        let opaque = params.get("opaque").map(str::to_owned);
        Ok(Challenge { algorithm, secret, realm, nonce, opaque, count: 0 })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("login", &self.login).finish_non_exhaustive()
    }
}

/// A value in the extended notation of RFC 8187.
fn extended(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 3), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex::encode(&[byte]).to_ascii_uppercase());
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
    const SHA256: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    fn mufasa() -> Client {
        Client::new("Mufasa", "Circle of Life")
    }

    #[test]
    fn the_answers_of_rfc_7616_section_3_9_1() {
        for (challenge, algorithm, response) in [
            (MD5, "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (SHA256, "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut client = mufasa();
            client.challenged([challenge]).unwrap();
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            assert_eq!(
                client.header("GET", "/dir/index.html", cnonce, "00000001").unwrap(),
                format!(
                    "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
                     nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", response=\"{response}\", \
                     algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"{cnonce}\", \
                     opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
                )
            );
        }
    }

    #[test]
    fn the_stronger_algorithm_is_taken_wherever_it_stands() {
        let joined = format!("Basic realm=\"x\", {MD5}, {SHA256}");
        for headers in [vec![MD5, SHA256], vec![SHA256, MD5], vec!["Basic realm=\"x\"", MD5, SHA256], vec![&*joined]] {
            let mut client = mufasa();
            client.challenged(headers).unwrap();
            assert!(client.answer("GET", "/", [0; 16]).unwrap().contains("algorithm=SHA-256"));
        }
    }

    #[test]
    fn counts_rise_until_the_nonce_is_stale() {
        let mut client = mufasa();
        assert_eq!(client.answer("GET", "/", [0; 16]), None);
        client.challenged([SHA256]).unwrap();
        let nc = |client: &mut Client| {
            let header = client.answer("GET", "/", [1; 16]).unwrap();
            Params::of_credentials(&header, "Digest").unwrap().get("nc").unwrap().to_owned()
        };
        assert_eq!([nc(&mut client), nc(&mut client)], ["00000001", "00000002"]);
        client.challenged([&*format!("{SHA256}, stale=TRUE")]).unwrap();
        assert_eq!(nc(&mut client), "00000001");
        assert_eq!(client.challenged([SHA256]), Err(Unanswerable::Refused));
        assert_eq!(client.answer("GET", "/", [0; 16]), None);
        assert_eq!(client.challenged([SHA256]), Ok(()), "a later try");
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        let refusal = |header: &str| mufasa().challenged([header]).expect_err(header);
        assert_eq!(refusal("Basic realm=\"x\", Negotiate"), Unanswerable::NoDigest("Basic, Negotiate".to_owned()));
        assert_eq!(refusal(""), Unanswerable::NoDigest("nothing".to_owned()));
        assert!(matches!(refusal("Digest realm=\"x"), Unanswerable::Malformed(_)));
        for (header, why) in [
            ("Digest realm=x, nonce=y, qop=auth, algorithm=SHA-256-sess", "-sess"),
            ("Digest realm=x, nonce=y, qop=auth, algorithm=SHA-512-256", "SHA-256 and MD5"),
            ("Digest realm=x, nonce=y, qop=auth-int", "does not offer auth"),
            ("Digest realm=x, nonce=y", "no qop"),
            ("Digest realm=x, qop=auth", "no nonce"),
            ("Digest nonce=y, qop=auth", "no realm"),
        ] {
            let error = refusal(header);
            assert!(matches!(error, Unanswerable::Unknown(_)) && error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut client = mufasa();
        client.challenged([MD5]).unwrap();
        assert_eq!(format!("{client:?}"), "Client { login: \"Mufasa\", .. }");
    }
}
