//! Texts that must not be seen: passwords, tickets, keys.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// A secret text. It never prints itself, and what reads it from a file never shows it in an error.
#[derive(Clone, Default)]
pub struct Secret(String);

/// What stands for a secret wherever the configuration is shown.
pub(super) const MASK: &str = "********";

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. For the check or the wire only, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `other` is the same text; takes the same time wherever they differ.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(MASK)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            // The errors that serde makes show the value, so those for the likely slips are made here.
            fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
                Err(hidden("a number"))
            }

            fn visit_i128<E: Error>(self, _: i128) -> Result<Secret, E> {
                Err(hidden("a number"))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
                Err(hidden("a number"))
            }

            fn visit_u128<E: Error>(self, _: u128) -> Result<Secret, E> {
                Err(hidden("a number"))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
                Err(hidden("a number"))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
                Err(hidden("a boolean"))
            }
        }

        from.deserialize_str(Text)
    }
}

fn hidden<E: Error>(found: &str) -> E {
    E::custom(format_args!("found {found} (not shown), expected a text in quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(serde_json::to_string(&secret).unwrap(), format!("\"{MASK}\""));
        for wrong in ["1234567", "12.34567", "true"] {
            let error = toml::de::ValueDeserializer::parse(wrong).and_then(Secret::deserialize).unwrap_err();
            let error = error.message();
            assert!(!error.contains(wrong), "{error}");
        }
        assert!(secret.matches("hunter2"));
        assert!(!secret.matches("hunter"));
    }
}
