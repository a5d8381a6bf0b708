//! Bytes as hexadecimal digits.

/// Lower-case digits, two a byte.
pub(super) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(half), 16).expect("four bits are a hex digit"));
        }
        text
    })
}

/// Exactly `N` bytes from digits of either case.
pub(super) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        assert_eq!(encode(&[0, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(decode::<4>("000Fa5fF"), Some([0, 0x0f, 0xa5, 0xff]));
        for bad in ["", "00", "0000000", "000000000", "0000000g", "+0000000", "00 00000", "0000000\u{e9}"] {
            assert_eq!(decode::<4>(bad), None, "{bad}");
        }
    }
}
