//! What an integration key allows: a program that is no person and no link. `proto-spec/auth.md`.

use std::fmt;
use std::str::FromStr;

use crate::message::Text;

/// Who a program is, and whom it may hear and act for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// Its CLIENT_ID.
    pub client: Text,
    /// Whom it is for.
    pub scope: Scope,
    /// The words of its rights.
    pub rights: Vec<Text>,
}

/// Whom a program is for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All people whose number is among these.
    Service(Numbers),
    /// One person, by login.
    Widget(Text),
}

impl Scope {
    /// The word of the kind.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::Widget(_) => "widget",
        }
    }
}

/// Numbers and ranges of them: `100-199,300`. Empty: every number, and people without one.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Numbers(Vec<(Text, Text)>);

/// Most ranges.
const MOST: usize = 256;
/// Longest number.
const LONGEST: usize = 32;

impl Numbers {
    /// Whether every number is meant.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number is among them. A range holds the numbers that have as many digits as its ends.
    pub fn has(&self, number: &str) -> bool {
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        self.is_all()
            || self.0.iter().any(|(from, to)| {
                *from == *number
                    || (digits && from.len() == number.len() && &**from <= number && number <= &**to && from != to)
            })
    }
}

impl FromStr for Numbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sign = |c: char| c.is_ascii_alphanumeric() || "*#+._".contains(c);
        let number = |text: &str| {
            let text = text.trim();
            match !text.is_empty() && text.len() <= LONGEST && text.chars().all(sign) {
                true => Ok(Text::from(text)),
                false => Err(format!(
                    "\"{}\" is no number, expected numbers and ranges like 100-199,300",
                    text.escape_debug()
                )),
            }
        };
        let mut all = Vec::new();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            let Some((from, to)) = part.split_once('-') else {
                let one = number(part)?;
                all.push((one.clone(), one));
                continue;
            };
            let (from, to) = (number(from)?, number(to)?);
            let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
            if !digits(&from) || !digits(&to) || from.len() != to.len() || from > to {
                let part = part.trim().escape_debug();
                return Err(format!(
                    "\"{part}\" is no range, expected two numbers of as many digits, the smaller first"
                ));
            }
            all.push((from, to));
        }
        match all.len() > MOST {
            true => Err(format!("{} numbers and ranges, expected at most {MOST}", all.len())),
            false => Ok(Self(all)),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (from, to)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match from == to {
                true => write!(f, "{comma}{from}")?,
                false => write!(f, "{comma}{from}-{to}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ranges_of_as_many_digits() {
        let numbers: Numbers = "100-199, 300,*5,0001-0009".parse().unwrap();
        assert_eq!(numbers.to_string(), "100-199,300,*5,0001-0009");
        for inside in ["100", "150", "199", "300", "*5", "0005"] {
            assert!(numbers.has(inside), "{inside}");
        }
        for outside in ["", "99", "200", "1000", "15", "1500", "5", "0010", "15a"] {
            assert!(!numbers.has(outside), "{outside}");
        }
        let all: Numbers = "".parse().unwrap();
        assert!(all.is_all() && all.has("") && all.has("7"));
        for wrong in ["1-", "-1", "9-1", "1-10", "a-b", "1 2", "ю", "1;2"] {
            assert!(wrong.parse::<Numbers>().is_err(), "{wrong}");
        }
    }
}
