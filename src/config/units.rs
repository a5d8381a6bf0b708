//! Durations (`500ms`, `5s`, `10m`, `24h`) and sizes (`512B`, `64KiB`, `1MiB`, `2GiB`) as people write them. Each module is
//! made for serde's `with`.

/// A length of time, to the millisecond.
pub mod duration {
    use std::fmt;
    use std::time::Duration;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    const EXPECTED: &str = "a duration in quotes, like \"500ms\", \"5s\", \"10m\" or \"24h\"";
    /// The longest duration: a year. Longer ones are slips of the pen.
    const MAX: Duration = Duration::from_secs(366 * 24 * 3600);

    /// Reads a whole number with one of the units `ms`, `s`, `m`, `h`, `d`; a bare `0` is zero.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let refuse = || format!("found \"{}\", which is no duration; write {EXPECTED}", text.escape_debug());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().map_err(|_| refuse())?;
        let millis = match &text[digits..] {
            "ms" => Some(number),
            "s" => number.checked_mul(1000),
            "m" => number.checked_mul(60_000),
            "h" => number.checked_mul(3_600_000),
            "d" => number.checked_mul(86_400_000),
            "" if number == 0 => Some(0),
            _ => return Err(refuse()),
        };
        millis
            .map(Duration::from_millis)
            .filter(|d| *d <= MAX)
            .ok_or_else(|| format!("found \"{text}\", which is too long; the most is \"366d\""))
    }

    /// Writes a duration with the largest unit that leaves a whole number.
    pub fn text(duration: Duration) -> String {
        let millis = duration.as_millis();
        match () {
            () if millis == 0 => "0s".to_owned(),
            () if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
            () if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
            () if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
            () => format!("{millis}ms"),
        }
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).map_err(E::custom)
        }
    }

    #[expect(missing_docs, reason = "called by serde")]
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text(*duration))
    }

    #[expect(missing_docs, reason = "called by serde")]
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_str(Text)
    }

    /// A duration that may be switched off: the texts `off` and ``, or the absence of the key, are `None`.
    pub mod option {
        use super::{Deserializer, Duration, Error, Serializer, Visitor, fmt, parse};

        struct Text;

        impl Visitor<'_> for Text {
            type Value = Option<Duration>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or \"off\"", super::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Option<Duration>, E> {
                match text {
                    "" | "off" => Ok(None),
                    text => parse(text).map(Some).map_err(E::custom),
                }
            }
        }

        #[expect(missing_docs, reason = "called by serde")]
        pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match duration {
                None => to.serialize_str("off"),
                Some(duration) => super::serialize(duration, to),
            }
        }

        #[expect(missing_docs, reason = "called by serde")]
        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
            from.deserialize_str(Text)
        }
    }
}

/// A number of bytes.
pub mod size {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    const EXPECTED: &str = "a size in quotes, like \"512B\", \"64KiB\" or \"1MiB\"";
    /// The largest size: 1 GiB. No buffer here is ever meant to be larger.
    const MAX: usize = 1 << 30;

    /// Reads a whole number with one of the units `B`, `KiB`, `MiB`, `GiB`; a bare `0` is zero.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn parse(text: &str) -> Result<usize, String> {
        let refuse = || format!("found \"{}\", which is no size; write {EXPECTED}", text.escape_debug());
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: usize = text[..digits].parse().map_err(|_| refuse())?;
        let factor = match &text[digits..] {
            "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "" if number == 0 => 1,
            _ => return Err(refuse()),
        };
        number
            .checked_mul(factor)
            .filter(|bytes| *bytes <= MAX)
            .ok_or_else(|| format!("found \"{text}\", which is too much; the most is \"1GiB\""))
    }

    /// Writes a size with the largest unit that leaves a whole number.
    pub fn text(bytes: usize) -> String {
        match () {
            () if bytes == 0 => "0B".to_owned(),
            () if bytes.is_multiple_of(1 << 30) => format!("{}GiB", bytes >> 30),
            () if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
            () if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
            () => format!("{bytes}B"),
        }
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(EXPECTED)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
            parse(text).map_err(E::custom)
        }
    }

    #[expect(missing_docs, reason = "called by serde")]
    pub fn serialize<S: Serializer>(bytes: &usize, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text(*bytes))
    }

    #[expect(missing_docs, reason = "called by serde")]
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, size};

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, millis) in [("500ms", 500), ("5s", 5000), ("10m", 600_000), ("24h", 86_400_000), ("0s", 0)] {
            assert_eq!(duration::parse(text), Ok(Duration::from_millis(millis)));
            assert_eq!(duration::text(Duration::from_millis(millis)), text);
        }
        assert_eq!(duration::parse("2d"), Ok(Duration::from_secs(172_800)));
        for bad in [
            "",
            "5",
            "5 s",
            "s",
            "-1s",
            "1.5s",
            "5S",
            "1h30m",
            "367d",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_and_written_alike() {
        for (text, bytes) in [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("1GiB", 1 << 30), ("0B", 0)] {
            assert_eq!(size::parse(text), Ok(bytes));
            assert_eq!(size::text(bytes), text);
        }
        for bad in ["", "5", "64KB", "64 KiB", "-1B", "1.5MiB", "2GiB", "64kib", "99999999999999999999B"] {
            assert!(size::parse(bad).is_err(), "{bad}");
        }
    }
}
