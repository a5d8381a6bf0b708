//! The characters of XML 1.0: which may stand, and what references and line ends mean.

use std::borrow::Cow;

/// Space, tab, LF and CR.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where a text holds a character that XML 1.0 cannot, in any notation: a control character but tab, LF and CR, U+FFFE or
/// U+FFFF. (Surrogates are in no Rust string.)
pub(super) fn illegal(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Most texts hold nothing that could be one. No early end: so the compiler looks at many bytes in one step.
    let suspicious = |byte: u8| (byte < 0x20 && byte != b'\n') | (byte == 0xEF);
    if !bytes.iter().fold(false, |found, &byte| found | suspicious(byte)) {
        return None;
    }
    (0..bytes.len()).find(|&at| match bytes[at] {
        b'\t' | b'\n' | b'\r' => false,
        0x00..0x20 => true,
        0xEF => matches!(bytes[at + 1..], [0xBF, 0xBE | 0xBF, ..]),
        _ => false,
    })
}

/// Whether a text holds `needle`, for short texts and one byte.
pub(super) fn has(text: &str, needle: u8) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == needle))
}

/// What a reference means, by what stands between `&` and `;`. `None` for entities other than the five predefined ones, and
/// for characters that XML 1.0 cannot hold.
pub(super) fn reference(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = code.strip_prefix('x').map_or((code, 10), |hex| (hex, 16));
    if !digits.bytes().all(|digit| char::from(digit).is_digit(radix)) {
        return None;
    }
    let c = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    illegal(c.encode_utf8(&mut [0; 4])).is_none().then_some(c)
}

/// Text with its line ends read as XML reads them: CR LF and CR alone are LF.
pub(super) fn with_line_ends(text: &str) -> Cow<'_, str> {
    if !has(text, b'\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn illegal_characters_are_found_wherever_they_stand() {
        for bad in ["\0", "\u{1}", "\u{8}", "\u{b}", "\u{c}", "\u{e}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            for before in 0..20 {
                for after in 0..10 {
                    let text = format!("{}{bad}{}", "\u{e9}".repeat(before), "x".repeat(after));
                    assert_eq!(illegal(&text), Some(2 * before), "{text:?}");
                }
            }
        }
        for good in
            ["", "\t\n\r", "\u{7f}\u{80}\u{85}", "\u{fffd}\u{f000}\u{feff}", "\u{1fffe}\u{10ffff}\u{d7ff}\u{e000}"]
        {
            for before in 0..20 {
                assert_eq!(illegal(&format!("{}{good}", "x".repeat(before))), None, "{good:?}");
            }
        }
    }

    #[test]
    fn references_mean_one_legal_character_or_nothing() {
        for (name, means) in [
            ("lt", '<'),
            ("gt", '>'),
            ("amp", '&'),
            ("apos", '\''),
            ("quot", '"'),
            ("#13", '\r'),
            ("#x0000000D", '\r'),
            ("#x1F600", '\u{1f600}'),
            ("#x1f600", '\u{1f600}'),
            ("#65533", '\u{fffd}'),
        ] {
            assert_eq!(reference(name), Some(means), "{name}");
        }
        for bad in [
            "",
            "#",
            "#x",
            "nbsp",
            "LT",
            " lt",
            "lt ",
            "#0",
            "#1",
            "#x1F",
            "#xD800",
            "#xDFFF",
            "#xFFFE",
            "#xFFFF",
            "#x110000",
            "#99999999999",
            "#+65",
            "#x+41",
            "#-1",
            "#X41",
            "# 65",
            "#65 ",
            "#x-1",
            "65",
        ] {
            assert_eq!(reference(bad), None, "{bad}");
        }
    }

    #[test]
    fn line_ends_become_lf() {
        assert_eq!(with_line_ends("a\r\nb\rc\n\r\r\n"), "a\nb\nc\n\n\n");
        assert!(matches!(with_line_ends("a\nb"), Cow::Borrowed(_)));
    }
}
