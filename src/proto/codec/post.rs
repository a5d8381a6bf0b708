//! The HTTP POST wrapping of messages (`proto-spec/post.md`): a form with `format` and `data` in one direction, plain
//! messages in the other. What a plain body holds is read by [`super::decode_all`] and made by [`join`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::message::{Format, Text};

use super::{DecodeError, found, quoted};

/// The media type of what [`form`] makes.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// The media type of plain messages.
pub const fn plain_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json; charset=utf-8",
        Format::Xml => "text/xml; charset=utf-8",
    }
}

/// The urlencoded body that carries `text`, which is one message or several.
pub fn form(format: Format, text: &str) -> String {
    let data = STANDARD.encode(text);
    let mut body = String::with_capacity("format=json&data=".len() + data.len() + data.len() / 16 + 8);
    body.push_str("format=");
    body.push_str(format.word());
    body.push_str("&data=");
    for c in data.chars() {
        match c {
            '+' => body.push_str("%2B"),
            '/' => body.push_str("%2F"),
            '=' => body.push_str("%3D"),
            _ => body.push(c),
        }
    }
    body
}

/// Reads such a body: the format, and the text in it. Fields of other names are ignored. `format` is read without regard to
/// case; line breaks in the base64 are skipped; a `+` in it stands for itself whether or not its sender remembered to
/// write `%2B`, because base64 has no blanks that it could mean.
///
/// # Errors
/// [`DecodeError`], its offset counted in the body: a field missing, repeated or not percent-encoded, a format other than
/// `json` and `xml`, a text that is not base64 or not UTF-8 in it.
pub fn parse_form(body: &[u8]) -> Result<(Format, Text), DecodeError> {
    let (mut format, mut data) = (None, None);
    let mut at = 0;
    for field in body.split(|&byte| byte == b'&') {
        let start = at;
        at += field.len() + 1;
        let split = field.iter().position(|&byte| byte == b'=').unwrap_or(field.len());
        let name = percent_decoded(&field[..split], start)?;
        let value_at = (start + split + 1).min(body.len());
        let value = field.get(split + 1..).unwrap_or_default();
        let known = match &*name {
            b"format" => format.replace(format_of(&percent_decoded(value, value_at)?, value_at)?).is_none(),
            b"data" => data.replace(text_of(percent_decoded(value, value_at)?, value_at)?).is_none(),
            _ => continue,
        };
        if !known {
            let what = format!("field {} a second time", quoted(&String::from_utf8_lossy(&name)));
            return Err(DecodeError { what, at: start, expected: "each field once" });
        }
    }
    let missing = |what: &str, expected| DecodeError { what: what.to_owned(), at: body.len(), expected };
    let format = format.ok_or_else(|| missing("no field `format`", "`format=json` or `format=xml`"))?;
    let text = data.ok_or_else(|| missing("no field `data`", "`data=` and the message in base64"))?;
    Ok((format, text))
}

/// Puts messages that [`super::encode`] wrote into one body: none make an empty one, one stands alone, several stand in a
/// JSON array or in `<messages>`.
pub fn join(format: Format, messages: &[Text]) -> Text {
    let (open, between, close) = match format {
        Format::Json => ("[", ",", "]"),
        Format::Xml => ("<messages>", "", "</messages>"),
    };
    match messages {
        [] => Text::new(),
        [one] => one.clone(),
        several => {
            let size =
                several.iter().fold(open.len() + close.len(), |sum, message| sum + between.len() + message.len());
            let mut body = String::with_capacity(size);
            body.push_str(open);
            for (i, message) in several.iter().enumerate() {
                if i > 0 {
                    body.push_str(between);
                }
                body.push_str(message);
            }
            body.push_str(close);
            body.into()
        }
    }
}

fn format_of(value: &[u8], at: usize) -> Result<Format, DecodeError> {
    for format in [Format::Json, Format::Xml] {
        if value.eq_ignore_ascii_case(format.word().as_bytes()) {
            return Ok(format);
        }
    }
    let what = format!("format {}", quoted(&String::from_utf8_lossy(value)));
    Err(DecodeError { what, at, expected: "`json` or `xml`" })
}

fn text_of(mut data: Vec<u8>, at: usize) -> Result<Text, DecodeError> {
    data.retain(|byte| !matches!(byte, b'\r' | b'\n'));
    let bytes = STANDARD.decode(&data).map_err(|error| DecodeError {
        what: quoted(&error.to_string()),
        at,
        expected: "base64 in the standard alphabet, padded",
    })?;
    Text::try_from(bytes).map_err(|_| DecodeError { what: "data that is no text".to_owned(), at, expected: "UTF-8" })
}

/// Resolves `%XX`. A `+` is left as it is.
fn percent_decoded(raw: &[u8], at: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digit = |i: usize| rest.get(i).and_then(|&byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            let at = at + raw.len() - rest.len() - 1;
            return Err(DecodeError { what: found("%", 0), at, expected: "two hexadecimal digits behind `%`" });
        };
        out.push((high << 4 | low) as u8);
        rest = &rest[2..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, decode_all, encode};
    use super::*;
    use crate::message::{Body, Envelope};

    #[test]
    fn a_form_comes_back() {
        for (format, text) in [(Format::Json, "[\"m\",{\"a\":\"й~~~>>>???\"}]"), (Format::Xml, "<message name='m'/>")]
        {
            let body = form(format, text);
            assert!(!body.contains(['+', '/']) && body.matches('=').count() == 2, "{body}");
            assert_eq!(parse_form(body.as_bytes()), Ok((format, Text::from(text))));
        }
        assert_eq!(
            form(Format::Json, r#"["whoareyou",{"qid":"1","type":"commserver","name":"ctigate","version":"0.1.0"}]"#),
            "format=json&data=WyJ3aG9hcmV5b3UiLHsicWlkIjoiMSIsInR5cGUiOiJjb21tc2VydmVyIiwibmFtZSI6ImN0aWdhdGUiLCJ2ZXJzaW9uIjoiMC4xLjAifV0%3D"
        );
    }

    #[test]
    fn what_senders_do_differently_is_understood() {
        let text = "~~~>>>???";
        let data = "fn5+Pj4+Pz8/";
        assert_eq!(STANDARD.encode(text), data);
        for body in [
            format!("data={data}&format=JSON"),
            format!("format=json&data={data}&isbase64=1&isbase64=2&&x"),
            format!("f%6frmat=j%73on&d%61ta={}", data.replace('+', "%2b").replace('/', "%2F")),
            format!("format=json&data={}%0D%0A{}\r\n", &data[..5], &data[5..]),
        ] {
            assert_eq!(parse_form(body.as_bytes()), Ok((Format::Json, Text::from(text))), "{body}");
        }
        assert_eq!(parse_form(b"format=xml&data="), Ok((Format::Xml, Text::new())));
    }

    #[test]
    fn wrong_forms_are_refused_at_their_place() {
        for (body, at, what) in [
            (&b""[..], 0, "no field `format`"),
            (b"format=json", 11, "no field `data`"),
            (b"data=", 5, "no field `format`"),
            (b"format", 6, "format ``"),
            (b"format=yaml&data=", 7, "format `yaml`"),
            (b"format=json&format=json&data=", 12, "field `format` a second time"),
            (b"format=json&data=&data=", 18, "field `data` a second time"),
            (b"format=json&data=&d%61ta=", 18, "field `data` a second time"),
            (b"format=json&data=%", 17, "`%`"),
            (b"format=json&data=AA%3", 19, "`%`"),
            (b"format=json&data=%zz", 17, "`%`"),
            (b"x%=&format=json", 1, "`%`"),
            (b"format=json&data=AA", 17, "`Invalid padding"),
            (b"format=json&data=AA%3D", 17, "`Invalid padding"),
            (b"format=json&data=AB==", 17, "`Invalid last symbol"),
            (b"format=json&data=A%20A=", 17, "`Invalid symbol 32"),
            (b"format=json&data=A-_A", 17, "`Invalid symbol 45"),
            (b"format=json&data=\xff\xff\xff\xff", 17, "`Invalid symbol 255"),
            (b"format=json&data=/w==", 17, "data that is no text"),
        ] {
            let error = parse_form(body).expect_err(&String::from_utf8_lossy(body));
            assert_eq!((error.at, error.what.starts_with(what)), (at, true), "{error}");
        }
    }

    #[test]
    fn joined_messages_come_back() {
        let message = |name| Envelope::new(name, Body::new().with("qid", 1));
        for format in [Format::Json, Format::Xml] {
            for count in 0..4 {
                let messages: Vec<_> = ["a", "b", "c"][..count].iter().map(|name| message(name)).collect();
                let texts: Vec<_> = messages.iter().map(|m| encode(m, format)).collect();
                let body = join(format, &texts);
                assert_eq!(decode_all(format, &body, &Limits::default()), Ok(messages), "{body}");
            }
        }
        assert_eq!(join(Format::Json, &["1".into(), "2".into()]), "[1,2]");
    }
}
