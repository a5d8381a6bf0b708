//! Basic authentication, RFC 7617, in UTF-8.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::header::after_scheme;
use super::{HeaderError, Proof, secret};

/// The challenge of a server that demands Basic.
pub const CHALLENGE: &str = "Basic realm=\"ctigate\", charset=\"UTF-8\"";

/// What an `Authorization: Basic` header says.
#[derive(Clone, PartialEq, Eq)]
pub struct Basic {
    /// The user's name. It holds no colon.
    pub login: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Basic {
    /// Reads the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`HeaderError`] when it is not Basic, not base64, not UTF-8, has no colon, or holds a control character.
    pub fn parse(header: &str) -> Result<Self, HeaderError> {
        let wrong = |expected| HeaderError { at: 0, expected };
        let data = after_scheme(header, "Basic").ok_or_else(|| wrong("`Basic` and credentials in base64"))?;
        let bytes = STANDARD.decode(data).map_err(|_| wrong("credentials in base64, padded"))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("credentials in UTF-8"))?;
        if text.contains(char::is_control) {
            return Err(wrong("credentials without control characters"));
        }
        let (login, password) = text.split_once(':').ok_or_else(|| wrong("a colon between login and password"))?;
        Ok(Self { login: login.to_owned(), password: password.to_owned() })
    }

    /// Whether these are the login and password that are expected. Takes the same time wherever they differ.
    pub fn verify(&self, login: &str, password: &str) -> Option<Proof> {
        let both = secret::same(&self.login, login) & secret::same(&self.password, password);
        bool::from(both).then_some(Proof(()))
    }

    /// The value of the `Authorization` header that says this. `None` for what the scheme cannot carry: a colon in the
    /// login, a control character in either.
    pub fn header(&self) -> Option<String> {
        let text = format!("{}:{}", self.login, self.password);
        let fits = !self.login.contains(':') && !text.contains(char::is_control);
        fits.then(|| format!("Basic {}", STANDARD.encode(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(login: &str, password: &str) -> Basic {
        Basic { login: login.to_owned(), password: password.to_owned() }
    }

    #[test]
    fn the_examples_of_the_rfc() {
        assert_eq!(Basic::parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(basic("Aladdin", "open sesame")));
        assert_eq!(Basic::parse("basic  dGVzdDoxMjPCow=="), Ok(basic("test", "123£")));
    }

    #[test]
    fn credentials_come_back() {
        for (login, password) in [("crm", "secret"), ("Иван", "пароль:с:двоеточиями"), ("", ""), ("a b", "\"")]
        {
            let given = basic(login, password);
            assert_eq!(Basic::parse(&given.header().unwrap()), Ok(given));
        }
        for (login, password) in [("a:b", ""), ("a\nb", ""), ("a", "\0")] {
            assert_eq!(basic(login, password).header(), None);
        }
    }

    #[test]
    fn broken_headers_are_refused() {
        for bad in
            ["", "Basic", "Basic ", "Basic QQ", "Basic QQ==", "Basic /zo=", "Basic OgA=", "Digest OjE=", "Basic  Oi\t="]
        {
            assert!(Basic::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_both_together_are_a_proof() {
        let given = basic("crm", "secret");
        assert!(given.verify("crm", "secret").is_some());
        for (login, password) in [("crm", "Secret"), ("CRM", "secret"), ("crm", ""), ("", "secret"), ("crm", "secret ")]
        {
            assert!(given.verify(login, password).is_none());
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", basic("crm", "secret")).contains("secret"));
    }
}
