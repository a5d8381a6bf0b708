//! The words of `Authorization` and `WWW-Authenticate` (RFC 9110 section 11): schemes and their parameters.

use std::borrow::Cow;

use thiserror::Error;

/// What is wrong with a header. It does not tell what stands there: that is somebody's secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("byte {at} of the header: expected {expected}")]
pub struct HeaderError {
    /// Where: offset in bytes.
    pub at: usize,
    /// What should have been there.
    pub expected: &'static str,
}

/// The scheme that an `Authorization` header names; empty when it names none. Compare without regard to case.
pub fn scheme(header: &str) -> &str {
    let header = header.trim_start_matches([' ', '\t']);
    let end = header.bytes().position(|byte| !is_token(byte)).unwrap_or(header.len());
    &header[..end]
}

/// What stands behind the scheme and the blanks after it, when the scheme is this one.
pub(super) fn after_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let header = header.trim_matches([' ', '\t']);
    let found = header.get(..scheme.len())?;
    let rest = &header[scheme.len()..];
    (found.eq_ignore_ascii_case(scheme) && rest.starts_with(' ')).then(|| rest.trim_start_matches(' '))
}

/// One `name=value`.
#[derive(Debug)]
pub(super) struct Param<'a> {
    pub(super) name: &'a str,
    /// Without the quotes and backslashes of a quoted string.
    pub(super) value: Cow<'a, str>,
    pub(super) at: usize,
}

/// The parameters behind a scheme; each stands once.
#[derive(Debug, Default)]
pub(super) struct Params<'a>(Vec<Param<'a>>);

impl<'a> Params<'a> {
    /// Reads the credentials of one scheme: parameters and nothing else, to the end of the header.
    pub(super) fn of_credentials(header: &'a str, scheme: &str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor { text: header, at: 0 };
        cursor.blanks();
        let found = cursor.token("a scheme")?;
        if !found.eq_ignore_ascii_case(scheme) || cursor.peek() != Some(b' ') {
            return Err(HeaderError { at: 0, expected: "another scheme, and its parameters" });
        }
        let mut params = Self::default();
        loop {
            cursor.separators();
            if cursor.peek().is_none() {
                return Ok(params);
            }
            let param = cursor.param()?.ok_or_else(|| cursor.expected("`name=value`"))?;
            params.add(param)?;
            cursor.blanks();
            if !matches!(cursor.peek(), None | Some(b',')) {
                return Err(cursor.expected("`,` or the end"));
            }
        }
    }

    fn add(&mut self, param: Param<'a>) -> Result<(), HeaderError> {
        if self.get(param.name).is_some() {
            return Err(HeaderError { at: param.at, expected: "each parameter once" });
        }
        self.0.push(param);
        Ok(())
    }

    /// The parameter's value; names have no case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.param(name).map(|param| &*param.value)
    }

    /// The parameter.
    pub(super) fn param(&self, name: &str) -> Option<&Param<'a>> {
        self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug)]
pub(super) struct Challenge<'a> {
    pub(super) scheme: &'a str,
    pub(super) params: Params<'a>,
}

/// Reads the challenges of one `WWW-Authenticate` header, which may hold several, in order.
pub(super) fn challenges(header: &str) -> Result<Vec<Challenge<'_>>, HeaderError> {
    let mut cursor = Cursor { text: header, at: 0 };
    let mut challenges: Vec<Challenge<'_>> = Vec::new();
    loop {
        cursor.separators();
        if cursor.peek().is_none() {
            return Ok(challenges);
        }
        // A word with `=` behind it goes on with the challenge before; any other begins one.
        match (cursor.param()?, challenges.last_mut()) {
            (Some(param), Some(challenge)) => challenge.params.add(param)?,
            (Some(_), None) => return Err(HeaderError { at: 0, expected: "a scheme" }),
            (None, _) => {
                let scheme = cursor.token("a scheme")?;
                let mut params = Params::default();
                if cursor.peek() == Some(b' ') {
                    cursor.blanks();
                    match cursor.param()? {
                        Some(param) => params.add(param)?,
                        None => cursor.token68(),
                    }
                }
                challenges.push(Challenge { scheme, params });
            }
        }
        cursor.blanks();
        if !matches!(cursor.peek(), None | Some(b',')) {
            return Err(cursor.expected("`,` or the end"));
        }
    }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected(&self, expected: &'static str) -> HeaderError {
        HeaderError { at: self.at, expected }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Blanks and commas: lists may have empty elements (RFC 9110 section 5.6.1).
    fn separators(&mut self) {
        while let Some(b' ' | b'\t' | b',') = self.peek() {
            self.at += 1;
        }
    }

    fn token(&mut self, expected: &'static str) -> Result<&'a str, HeaderError> {
        let start = self.at;
        while self.peek().is_some_and(is_token) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected(expected)) } else { Ok(&self.text[start..self.at]) }
    }

    /// Steps over credentials that are no parameters.
    fn token68(&mut self) {
        while self.peek().is_some_and(|byte| is_token(byte) || matches!(byte, b'/' | b'=')) {
            self.at += 1;
        }
    }

    /// The parameter ahead; `None`, with nothing taken, when what is ahead is none.
    fn param(&mut self) -> Result<Option<Param<'a>>, HeaderError> {
        let start = self.at;
        let name = self.token("a word")?;
        self.blanks();
        if self.peek() != Some(b'=') {
            self.at = start;
            return Ok(None);
        }
        self.at += 1;
        self.blanks();
        let value = match self.peek() {
            Some(b'"') => self.quoted()?,
            Some(byte) if is_token(byte) => Cow::Borrowed(self.token("a value")?),
            // The padding of a token68.
            None | Some(b'=' | b',') => {
                self.at = start;
                return Ok(None);
            }
            Some(_) => return Err(self.expected("a value")),
        };
        Ok(Some(Param { name, value, at: start }))
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, HeaderError> {
        self.at += 1;
        let start = self.at;
        let mut unescaped: Option<String> = None;
        let mut copied = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[copied..self.at];
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Cow::Borrowed(rest),
                        Some(before) => Cow::Owned(before + rest),
                    });
                }
                Some(b'\\') => {
                    unescaped.get_or_insert_default().push_str(&self.text[copied..self.at]);
                    self.at += 1;
                    copied = self.at;
                    // The byte behind the backslash is taken as it is, a quote too.
                    if self.peek().is_none_or(is_control) {
                        return Err(self.expected("a character behind a backslash"));
                    }
                    self.at += 1;
                }
                Some(byte) if !is_control(byte) => self.at += 1,
                _ => return Err(self.expected("a closing quote")),
            }
        }
    }
}

/// A character that a quoted string cannot hold: a control character but tab.
const fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 10..=31 | 127)
}

const fn is_token(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z'
    )
}

/// A string between quotes, for a header that we write. `None` when it holds what no header may: a control character.
pub(super) fn to_quoted(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => return None,
            c => out.push(c),
        }
    }
    out.push('"');
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_in_every_spelling() {
        let header = " dIgEsT  a=1 ,, B = \"x, \\\"y\\\\ =\" ,\tc=\"\",d=\"имя\",";
        let params = Params::of_credentials(header, "Digest").unwrap();
        assert_eq!(params.get("A"), Some("1"));
        assert_eq!(params.get("b"), Some("x, \"y\\ ="));
        assert_eq!(params.get("c"), Some(""));
        assert_eq!(params.get("d"), Some("имя"));
        assert_eq!(params.get("e"), None);
        assert_eq!(scheme(header), "dIgEsT");
        assert_eq!(scheme(""), "");
    }

    #[test]
    fn broken_parameters_are_refused_at_their_place() {
        for (header, at, expected) in [
            ("", 0, "a scheme"),
            ("Digest", 0, "another scheme, and its parameters"),
            ("DigestX a=1", 0, "another scheme, and its parameters"),
            ("Digest\ta=1", 0, "another scheme, and its parameters"),
            ("Basic a=1", 0, "another scheme, and its parameters"),
            ("Digest a", 7, "`name=value`"),
            ("Digest a=", 7, "`name=value`"),
            ("Digest a=1 b=2", 11, "`,` or the end"),
            ("Digest a=1, A=2", 12, "each parameter once"),
            ("Digest a=\"1", 11, "a closing quote"),
            ("Digest a=\"1\n\"", 11, "a closing quote"),
            ("Digest a=\"1\\", 12, "a character behind a backslash"),
            ("Digest a=\"1\"2", 12, "`,` or the end"),
            ("Digest \"a\"=1", 7, "a word"),
            ("Digest a=(1)", 9, "a value"),
            ("Digest имя=1", 7, "a word"),
        ] {
            let error = Params::of_credentials(header, "Digest").expect_err(header);
            assert_eq!((error.at, error.expected), (at, expected), "{header}");
        }
    }

    #[test]
    fn several_challenges_are_told_apart() {
        let schemes = |header| -> Vec<String> {
            let challenges = challenges(header).expect(header);
            let text = |c: &Challenge<'_>| {
                c.params.0.iter().fold(c.scheme.to_owned(), |text, p| format!("{text} {}={}", p.name, p.value))
            };
            challenges.iter().map(text).collect()
        };
        assert!(schemes("").is_empty());
        assert!(schemes(" , ").is_empty());
        assert_eq!(schemes("Basic"), ["Basic"]);
        assert_eq!(schemes("Negotiate, NTLM"), ["Negotiate", "NTLM"]);
        assert_eq!(
            schemes("Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\""),
            ["Newauth realm=apps type=1 title=Login to \"apps\"", "Basic realm=simple"]
        );
        assert_eq!(schemes("Negotiate YII=, Digest realm=x,nonce=\"a==\""), ["Negotiate", "Digest realm=x nonce=a=="]);
        assert_eq!(schemes("Negotiate a/b+c==,Basic realm=\"x\""), ["Negotiate", "Basic realm=x"]);
        for bad in ["realm=x", "Digest realm=\"x", "Digest realm=x realm=y", "Digest a=1, a=2", "=", "Digest a=1; b=2"]
        {
            assert!(challenges(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_quoted_comes_back() {
        for text in ["", "plain", "a\"b\\c", "имя, ="] {
            let header = format!("S a={}", to_quoted(text).unwrap());
            assert_eq!(Params::of_credentials(&header, "s").unwrap().get("a"), Some(text));
        }
        assert_eq!(to_quoted("a\r\nb"), None);
    }
}
