//! Words of the configuration: an enum whose values are written as fixed text, with an error that names them all.

/// Makes an enum whose variants are written as the given texts, and reads and writes it as such.
macro_rules! keywords {
    (
        $(#[$meta:meta])*
        $name:ident: $what:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text it is written as.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| $crate::config::keyword::refuse(text, $what, Self::ALL.iter().map(|v| v.as_str())))
            }
        }

        $crate::config::keyword::as_text!($name, concat!("a text: ", $what));
    };
}

/// Reads and writes a type as a text, by its `FromStr` (whose error says what was found and what is allowed) and `Display`.
macro_rules! as_text {
    ($name:ty, $expected:expr) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }

                from.deserialize_str(Visitor)
            }
        }
    };
}

pub(super) use {as_text, keywords};

/// The error for a word that is none of `allowed`.
pub(super) fn refuse(found: &str, what: &str, allowed: impl Iterator<Item = &'static str> + Clone) -> String {
    let list = allowed.clone().collect::<Vec<_>>().join(", ");
    let near = nearest(found, allowed).map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
    format!("found \"{}\", which is no {what}; allowed: {list}{near}", found.escape_debug())
}

/// The candidate that differs least from `word`, when it differs by at most a third of its letters.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = fold(word);
    candidates
        .map(|candidate| (distance(&word, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance * 3 <= candidate.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the kind of dash do not matter for a guess.
fn fold(word: &str) -> Vec<char> {
    word.chars().take(64).flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// How many letters must be changed, added, removed or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_near_or_not_made() {
        let names = || ["bind", "tls_bind", "certificate", "allowed_origins"].into_iter();
        assert_eq!(nearest("bnid", names()), Some("bind"));
        assert_eq!(nearest("TLS-bind", names()), Some("tls_bind"));
        assert_eq!(nearest("certificat", names()), Some("certificate"));
        assert_eq!(nearest("alowed_orgins", names()), Some("allowed_origins"));
        assert_eq!(nearest("volume", names()), None);
    }
}
