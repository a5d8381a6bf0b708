//! Agreeing on compression: the headers `Sec-WebSocket-Extensions` of RFC 6455 9.1, with the parameters of RFC 7692 7.1.

use std::borrow::Cow;

/// The extension's name.
const NAME: &str = "permessage-deflate";

/// What we offer where we dial. Both sides without context takeover, and a window for what we send as small as the server likes.
pub(crate) const OFFER: &str =
    "permessage-deflate; client_no_context_takeover; server_no_context_takeover; client_max_window_bits";

/// The largest window of DEFLATE, as a power of two.
const LARGEST: u8 = 15;
/// The smallest window that RFC 7692 has.
const SMALLEST: u8 = 8;

/// What both sides agreed on. That neither takes its window over into the next message always holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The window for what we send, as a power of two: 8 to 15.
    pub window: u8,
}

impl Agreed {
    /// Whether what we send may look as far back as DEFLATE can.
    pub(crate) fn is_largest(self) -> bool {
        self.window == LARGEST
    }
}

/// Chooses among what a client offers, over all lines of the header: the first offer that can be kept. What comes back is what was
/// agreed on and the header's value that says so. Offers of other extensions, and offers with a parameter that is unknown, repeated or
/// out of its range, are declined (7.1); so is the whole list where it is no list of extensions.
pub(crate) fn choose<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<(Agreed, String)> {
    lines.filter_map(|line| extensions(std::str::from_utf8(line).ok()?)).flatten().find_map(|offer| accept(&offer))
}

fn accept(offer: &Extension<'_>) -> Option<(Agreed, String)> {
    if !offer.name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let parameters = Parameters::read(offer, true)?;
    let mut answer = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
    if let Some(bits) = parameters.server_window {
        answer.push_str(&format!("; server_max_window_bits={bits}"));
    }
    Some((Agreed { window: parameters.server_window.unwrap_or(LARGEST) }, answer))
}

/// Reads a server's answer to [`OFFER`], over all lines of the header. `None`: the server agreed on nothing.
///
/// # Errors
/// What is wrong with it: it names what we did not offer, or does not keep to it.
pub(crate) fn agreed<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Option<Agreed>, &'static str> {
    let mut all = Vec::new();
    for line in lines {
        all.extend(extensions(line).ok_or("is no list of extensions")?);
    }
    let answer = match &all[..] {
        [] => return Ok(None),
        [answer] if answer.name.eq_ignore_ascii_case(NAME) => answer,
        [_] => return Err("names an extension that we did not offer"),
        _ => return Err("names more than one extension"),
    };
    let parameters = Parameters::read(answer, false).ok_or("has a wrong parameter")?;
    if !parameters.server_alone {
        // A server that takes this offer must say so: RFC 7692 7.1.1.1.
        return Err("lacks server_no_context_takeover");
    }
    Ok(Some(Agreed { window: parameters.client_window.unwrap_or(LARGEST) }))
}

/// The parameters of one offer or answer.
#[derive(Default)]
struct Parameters {
    /// `server_no_context_takeover`
    server_alone: bool,
    client_alone: bool,
    server_window: Option<u8>,
    /// The client's window; in an offer without a value: any.
    client_window: Option<u8>,
}

impl Parameters {
    /// `None` when one is unknown, repeated or has a wrong value.
    fn read(extension: &Extension<'_>, offered: bool) -> Option<Self> {
        let mut read = Self::default();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            let new = match *name {
                "server_no_context_takeover" if value.is_none() => !std::mem::replace(&mut read.server_alone, true),
                "client_no_context_takeover" if value.is_none() => !std::mem::replace(&mut read.client_alone, true),
                "server_max_window_bits" => read.server_window.replace(bits(value?)?).is_none(),
                "client_max_window_bits" => {
                    let bits = match value {
                        None if offered => LARGEST,
                        value => bits(value?)?,
                    };
                    read.client_window.replace(bits).is_none()
                }
                _ => return None,
            };
            if !new {
                return None;
            }
        }
        Some(read)
    }
}

/// 8 to 15, without leading zeros.
fn bits(value: &str) -> Option<u8> {
    let bits = match value.as_bytes() {
        [digit @ b'8'..=b'9'] => digit - b'0',
        [b'1', digit @ b'0'..=b'5'] => 10 + digit - b'0',
        _ => return None,
    };
    debug_assert!((SMALLEST..=LARGEST).contains(&bits), "by the patterns above");
    Some(bits)
}

/// One extension of a list: its name and its parameters.
#[derive(Debug, PartialEq, Eq)]
struct Extension<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The extensions of one line; `None` when it is not in the grammar of RFC 6455 9.1.
fn extensions(line: &str) -> Option<Vec<Extension<'_>>> {
    let mut words = Words { rest: line };
    let mut all = Vec::new();
    loop {
        words.blanks();
        if words.rest.is_empty() {
            return Some(all);
        }
        // Lists may have empty places: RFC 9110 5.6.1.
        if words.sign(',') {
            continue;
        }
        let mut extension = Extension { name: words.token()?, parameters: Vec::new() };
        while words.sign(';') {
            let name = words.token()?;
            let value = if words.sign('=') { Some(words.value()?) } else { None };
            extension.parameters.push((name, value));
        }
        all.push(extension);
        if !words.sign(',') && !words.rest.is_empty() {
            return None;
        }
    }
}

/// A header's value, word by word.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    /// Steps over a sign and the blanks around it, if it is ahead.
    fn sign(&mut self, sign: char) -> bool {
        self.blanks();
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        self.rest = rest;
        self.blanks();
        true
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self.rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, or one in quotes: RFC 6455 9.1 lets quotes hold nothing but a token.
    fn value(&mut self) -> Option<Cow<'a, str>> {
        let Some(quoted) = self.rest.strip_prefix('"') else { return self.token().map(Cow::Borrowed) };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        loop {
            match chars.next()? {
                (at, '"') => {
                    self.rest = &quoted[at + 1..];
                    return (!value.is_empty() && value.bytes().all(is_token_byte)).then_some(Cow::Owned(value));
                }
                (_, '\\') => value.push(chars.next()?.1),
                (_, c) => value.push(c),
            }
        }
    }
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(lines: &[&str]) -> Option<(u8, String)> {
        choose(lines.iter().map(|line| line.as_bytes())).map(|(agreed, answer)| (agreed.window, answer))
    }

    const ALONE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn what_can_be_kept_is_agreed_on_and_both_sides_begin_each_message_anew() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "Permessage-Deflate",
            "foo, permessage-deflate;client_max_window_bits = \"1\\0\" , bar;x=1",
            " ,, permessage-deflate ,",
            "permessage-deflate; server_max_window_bits=7, permessage-deflate; unknown, permessage-deflate",
        ] {
            assert_eq!(chosen(&[offer]), Some((15, ALONE.to_owned())), "{offer}");
        }
        assert_eq!(chosen(&["x-webkit-deflate-frame", "permessage-deflate"]), Some((15, ALONE.to_owned())));
        for bits in 8..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(chosen(&[&offer]), Some((bits, format!("{ALONE}; server_max_window_bits={bits}"))));
        }
    }

    #[test]
    fn what_is_wrong_in_an_offer_declines_it() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; unknown",
            "permessage-deflate; unknown=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=1000000000000000000000",
            "permessage-deflate; Server_max_window_bits=10",
        ] {
            assert_eq!(chosen(&[offer]), None, "{offer}");
        }
    }

    #[test]
    fn a_line_that_is_no_list_of_extensions_offers_nothing() {
        for line in [
            "permessage-deflate;",
            "permessage-deflate client_max_window_bits",
            "permessage-deflate; =1",
            "permessage-deflate; a=",
            "permessage-deflate; a=\"b",
            "permessage-deflate; a=\"b\"c",
            "permessage-deflate; a=\"b c\"",
            "permessage-deflate, ;",
            "=",
            "permessage-deflate\u{e9}",
        ] {
            assert_eq!(chosen(&[line]), None, "{line}");
            assert_eq!(extensions(line), None, "{line}");
        }
        assert_eq!(choose([&b"permessage-deflate\xff"[..]].into_iter()), None);
    }

    #[test]
    fn an_answer_must_keep_to_the_offer() {
        let read = |line: &str| agreed([line].into_iter()).map(|agreed| agreed.map(|agreed| agreed.window));
        let just = "permessage-deflate; server_no_context_takeover";
        assert_eq!(read(""), Ok(None));
        assert_eq!(agreed([].into_iter()), Ok(None));
        assert_eq!(read(just), Ok(Some(15)));
        assert_eq!(read(ALONE), Ok(Some(15)));
        assert_eq!(read(&format!("{just}; client_max_window_bits=9; server_max_window_bits=12")), Ok(Some(9)));
        for (answer, why) in [
            ("permessage-deflate", "lacks"),
            ("permessage-bzip2", "did not offer"),
            ("permessage-deflate; server_no_context_takeover, x", "more than one"),
            ("permessage-deflate; server_no_context_takeover; client_max_window_bits", "wrong parameter"),
            ("permessage-deflate; server_no_context_takeover; client_max_window_bits=16", "wrong parameter"),
            ("permessage-deflate; server_no_context_takeover; x=1", "wrong parameter"),
            ("permessage-deflate; server_no_context_takeover;", "no list"),
        ] {
            let told = read(answer).expect_err(answer);
            assert!(told.contains(why), "{answer}: {told}");
        }
        assert!(agreed([just, just].into_iter()).is_err(), "twice");
    }

    #[test]
    fn what_we_offer_is_what_we_take() {
        assert_eq!(chosen(&[OFFER]), Some((15, ALONE.to_owned())));
    }
}
