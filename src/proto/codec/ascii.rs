//! Texts without a byte above 127, for receivers that cut a text between the bytes of one character.

use std::fmt::Write;

use crate::message::{Format, Text};

/// The same message in ASCII only: in JSON other characters become `\uXXXX`, in XML `&#xX;`. For texts that
/// [`super::encode`] wrote: in these such characters stand only in strings, in texts and in the values of attributes, where
/// escapes mean what they stand for.
pub fn to_ascii(text: &Text, format: Format) -> Text {
    let Some(first) = text.bytes().position(|byte| !byte.is_ascii()) else {
        return text.clone();
    };
    let mut out = String::with_capacity(text.len() * 2);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        match format {
            Format::Json => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
            Format::Xml => write!(out, "&#x{:X};", u32::from(c)),
        }
        .expect("writing to a String cannot fail");
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, decode, encode};
    use super::*;
    use crate::message::{Body, Envelope, Object};

    #[test]
    fn characters_become_escapes_that_mean_the_same() {
        let odd = "é\u{7f}\u{80}\u{2028}中😀\u{10ffff}";
        let message = Envelope::new("имя", Body::new().with("ключ", Object::new().with("é", odd)));
        for (format, sample) in [(Format::Json, r"\u00e9"), (Format::Xml, "&#xE9;")] {
            let text = to_ascii(&encode(&message, format), format);
            assert!(text.is_ascii() && text.contains(sample), "{text}");
            let read = decode(format, &text, &Limits::default()).unwrap();
            assert_eq!(read, message);
            let again = to_ascii(&encode(&read, format), format);
            assert_eq!(decode(format, &again, &Limits::default()).unwrap(), message, "with a fragment as it came");
        }
    }

    #[test]
    fn ascii_costs_nothing() {
        let text = Text::from("[\"plain\",{}]");
        assert_eq!(to_ascii(&text, Format::Json).as_bytes().as_ptr(), text.as_bytes().as_ptr());
    }
}
