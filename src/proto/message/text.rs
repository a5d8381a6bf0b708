//! The texts of messages: never changed, cheap to clone and to cut.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use triomphe::Arc;

/// A text that is never changed. A clone and a piece of it ([`Text::slice_ref`]) share its bytes, which live as long as one of them does; a
/// text known at compile time shares those of the program.
///
/// As small as a `String`, and one piece of the heap, counter and bytes together: messages are made of these.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    /// A piece of the text: from which byte to which.
    Piece(Arc<str>, u32, u32),
}

/// A text up to which a copy costs more than the bytes that it frees.
const LONG: usize = 512;

impl Text {
    /// No text.
    pub const fn new() -> Self {
        Self::from_static("")
    }

    /// A text known at compile time; takes no memory.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }

    /// Whether it is one of the program's own: known at compile time, or a piece of such a text.
    #[inline]
    pub fn is_static(&self) -> bool {
        matches!(self.0, Repr::Static(_))
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Piece(all, from, to) => &all[*from as usize..*to as usize],
        }
    }

    /// Its bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Static(text) => text.as_bytes(),
            Repr::Piece(all, from, to) => &all.as_bytes()[*from as usize..*to as usize],
        }
    }

    /// How many bytes it has.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Static(text) => text.len(),
            Repr::Piece(_, from, to) => (to - from) as usize,
        }
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The piece at a place, sharing the bytes of this text.
    ///
    /// # Panics
    /// As `&text[place]` does.
    #[must_use]
    pub fn slice(&self, place: Range<usize>) -> Self {
        Self(match &self.0 {
            Repr::Static(all) => Repr::Static(&all[place]),
            Repr::Piece(all, from, to) => {
                let (start, end) = (*from as usize + place.start, *from as usize + place.end);
                assert!(end <= *to as usize && all.get(start..end).is_some(), "no piece of the text");
                // No text has more bytes than these numbers count.
                Repr::Piece(Arc::clone(all), start as u32, end as u32)
            }
        })
    }

    /// `piece`, sharing the bytes of this text. What is no part of it is copied.
    #[must_use]
    pub fn slice_ref(&self, piece: &str) -> Self {
        let all: &str = match &self.0 {
            Repr::Static(all) => all,
            Repr::Piece(all, ..) => all,
        };
        let from = (piece.as_ptr() as usize).wrapping_sub(all.as_ptr() as usize);
        let to = from.wrapping_add(piece.len());
        if from > all.len() || to > all.len() {
            return Self::from(piece);
        }
        Self(match &self.0 {
            Repr::Static(all) => Repr::Static(&all[from..to]),
            // No text has more bytes than these numbers count.
            Repr::Piece(all, ..) => Repr::Piece(Arc::clone(all), from as u32, to as u32),
        })
    }
}

impl Text {
    /// The same text, for whoever keeps it when the message that it came in is long gone: a short piece of a text of more than 512 bytes is
    /// copied, so that it does not keep all of them.
    #[must_use]
    pub fn to_keep(&self) -> Self {
        match &self.0 {
            Repr::Piece(all, ..) if all.len() > LONG && self.len() <= LONG => Self::from(self.as_str()),
            _ => self.clone(),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Text {
    /// A copy.
    fn from(text: &str) -> Self {
        match u32::try_from(text.len()) {
            Ok(0) => Self::new(),
            Ok(length) => Self(Repr::Piece(Arc::from(text), 0, length)),
            // Every limit is far below it.
            Err(_) => Self::from_static("(a text of more than 4 GiB)"),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(&*text)
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        Self::from(&*text)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl From<Text> for Bytes {
    fn from(text: Text) -> Self {
        match text.0 {
            Repr::Static(text) => Self::from_static(text.as_bytes()),
            Repr::Piece(..) => Self::from_owner(Owner(text)),
        }
    }
}

/// Bytes that somebody else's type keeps.
struct Owner(Text);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl TryFrom<&[u8]> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        std::str::from_utf8(bytes).map(Self::from)
    }
}

impl TryFrom<Vec<u8>> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        Self::try_from(&*bytes)
    }
}

impl TryFrom<Bytes> for Text {
    type Error = std::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        Self::try_from(&*bytes)
    }
}

// By bytes: nobody has to look for the ends of characters.

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.len() == other.len() && self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl PartialEq<String> for Text {
    fn eq(&self, other: &String) -> bool {
        *self == **other
    }
}

impl PartialEq<Text> for str {
    fn eq(&self, other: &Text) -> bool {
        other == self
    }
}

impl PartialEq<Text> for &str {
    fn eq(&self, other: &Text) -> bool {
        other == *self
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other)
    }
}

/// As `str`, so that tables by texts are searched by words.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_shares_the_bytes_of_its_text_and_what_is_none_is_copied() {
        let all = Text::from("[\"имя\",\"Анна\"]".to_owned());
        let name = all.slice_ref(&all[2..8]);
        assert_eq!(name, "имя");
        assert_eq!(name.as_ptr(), all[2..8].as_ptr());
        let letter = name.slice_ref(&name[2..4]);
        assert_eq!((&*letter, letter.as_ptr()), ("м", all[4..6].as_ptr()));
        drop(all);
        assert_eq!(letter, "м", "it keeps what it is a piece of");
        assert_eq!(letter.slice_ref("other"), "other");
        assert_eq!(Text::from_static("static").slice_ref("other"), "other");
        assert_eq!(name.slice_ref(""), "");
        let same = name.slice(2..4);
        assert_eq!((&*same, same.as_ptr()), ("м", letter.as_ptr()));
        assert_eq!(Text::from_static("static").slice(1..3), "ta");
        assert!(std::panic::catch_unwind(|| name.slice(1..4)).is_err(), "between bytes of a character");
        assert!(std::panic::catch_unwind(|| name.slice(2..8)).is_err(), "past its end");
    }

    #[test]
    fn what_is_kept_does_not_keep_the_long_text_that_it_is_a_piece_of() {
        let shares = |all: &Text, piece: &Text| piece.as_ptr() == all.as_ptr();
        let short = Text::from("x".repeat(LONG));
        assert!(shares(&short, &short.slice(0..9).to_keep()));
        let long = Text::from("x".repeat(LONG + 1));
        let piece = long.slice(0..9).to_keep();
        assert!(!shares(&long, &piece) && piece == long[..9]);
        assert!(shares(&long, &long.to_keep()), "it is most of it");
    }

    #[test]
    fn it_is_compared_and_found_as_its_words_are() {
        let made = Text::from(String::from("a"));
        assert_eq!(made, Text::from_static("a"));
        assert_eq!(made, "a");
        assert_eq!("a", made);
        assert!(*made < *Text::from("b"));
        let table = std::collections::HashMap::from([(made, 1)]);
        assert_eq!(table.get("a"), Some(&1));
        assert_eq!(Text::default(), "");
    }

    #[test]
    fn bytes_come_of_it_and_go_into_it() {
        for text in [Text::from_static("static"), Text::from("копия")] {
            let bytes = Bytes::from(text.clone());
            assert_eq!(&bytes[..], text.as_bytes());
            assert_eq!(bytes.as_ptr(), text.as_ptr(), "without a copy");
            assert_eq!(Text::try_from(bytes), Ok(text));
        }
        assert!(Text::try_from(&b"\xff"[..]).is_err());
    }

    #[test]
    fn it_is_small() {
        assert_eq!(size_of::<Text>(), 24);
        assert_eq!(size_of::<Option<Text>>(), 32);
    }
}
