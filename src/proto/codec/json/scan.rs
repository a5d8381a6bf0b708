//! The words of JSON: one pass over the text that validates it.

use std::borrow::Cow;

use super::super::names::Names;
use super::super::{DecodeError, MAX_DEPTH, found};

/// The inside of a string, between its quotes.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it holds escapes.
    pub(super) escaped: bool,
}

/// A place in a text, and the steps from there. Every step either stands behind what it has validated, or fails; what it
/// found, where, and what was expected is then in [`Scanner::failure`].
pub(super) struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    failure: Option<DecodeError>,
}

/// A step failed. The story is kept with the scanner, because results of this size travel in registers.
pub(super) struct Failed;

impl<'a> Scanner<'a> {
    /// Stands at the start of `text`, behind a byte order mark if there is one.
    pub(super) fn new(text: &'a str, depth: usize) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, bytes: text.as_bytes(), at, depth: depth.min(MAX_DEPTH), failure: None }
    }

    /// Why a step failed.
    pub(super) fn failure(self) -> DecodeError {
        self.failure.unwrap_or_else(|| DecodeError { what: "an error".to_owned(), at: self.at, expected: "none" })
    }

    /// Where it stands.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The byte ahead.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The first byte that is no blank behind the byte ahead.
    pub(super) fn peek_behind(&self) -> Option<u8> {
        let rest = self.bytes.get(self.at + 1..)?;
        rest.iter().copied().find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
    }

    /// What stands ahead is wrong.
    #[cold]
    pub(super) fn unexpected(&mut self, expected: &'static str) -> Failed {
        self.fail(found(self.text, self.at), self.at, expected)
    }

    /// What stands at `at` is wrong.
    #[cold]
    pub(super) fn fail(&mut self, what: String, at: usize, expected: &'static str) -> Failed {
        self.failure = Some(DecodeError { what, at, expected });
        Failed
    }

    /// Steps over blanks.
    #[inline]
    pub(super) fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Steps over one byte that must be there.
    #[inline]
    pub(super) fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), Failed> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing but blanks may be left.
    pub(super) fn end(&mut self, expected: &'static str) -> Result<(), Failed> {
        self.blanks();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Steps into the object or array ahead, which is the `depth`th level; false when it is empty and was stepped over.
    #[inline]
    pub(super) fn enter(&mut self, close: u8, depth: usize) -> Result<bool, Failed> {
        if depth > self.depth {
            let what = format!("nesting of more than {} levels", self.depth);
            return Err(self.fail(what, self.at, "less nesting"));
        }
        self.at += 1;
        self.blanks();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// Behind a value in an object or array: true when another follows, which is then ahead; false when the end was
    /// stepped over.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, Failed> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.blanks();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.unexpected(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
        }
    }

    /// A member's name and the colon behind it; stands before the value.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Span, Failed> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("the name of a member, a string"));
        }
        let name = self.string()?;
        self.blanks();
        self.take(b':', "`:` and a value")?;
        self.blanks();
        Ok(name)
    }

    /// The object or array ahead, which is the `depth`th level. True when an object in it has a name twice.
    pub(super) fn container(&mut self, names: &mut Names<'a>, depth: usize) -> Result<bool, Failed> {
        let mut repeated = false;
        if self.peek() == Some(b'{') {
            let opened = names.open();
            let mut more = self.enter(b'}', depth)?;
            while more {
                let name = self.name()?;
                names.push(self.unescaped(name));
                repeated |= self.value(names, depth)?;
                more = self.more(b'}')?;
            }
            repeated |= names.close(opened);
        } else {
            let mut more = self.enter(b']', depth)?;
            while more {
                repeated |= self.value(names, depth)?;
                more = self.more(b']')?;
            }
        }
        Ok(repeated)
    }

    fn value(&mut self, names: &mut Names<'a>, depth: usize) -> Result<bool, Failed> {
        if let Some(b'{' | b'[') = self.peek() {
            return self.container(names, depth + 1);
        }
        self.scalar().map(|()| false)
    }

    /// The value ahead, which is neither object nor array.
    pub(super) fn scalar(&mut self) -> Result<(), Failed> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Failed> {
        for &byte in word.as_bytes() {
            self.take(byte, word)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Failed> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.unexpected("no digit after a leading zero"));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Failed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.unexpected("a digit")) } else { Ok(()) }
    }

    /// The string ahead, from its opening quote.
    pub(super) fn string(&mut self) -> Result<Span, Failed> {
        let opening = self.at;
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = skip_plain(self.bytes, self.at);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Span { start, end: self.at - 1, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.unexpected("control characters escaped")),
                None => {
                    let what = "a string without end".to_owned();
                    return Err(self.fail(what, opening, "a closing quote"));
                }
            }
        }
    }

    /// The escape ahead.
    fn escape(&mut self) -> Result<(), Failed> {
        let start = self.at;
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                let unit = self.unit()?;
                let paired = match unit {
                    0xD800..=0xDBFF => self.low_surrogate()?,
                    0xDC00..=0xDFFF => false,
                    _ => true,
                };
                if !paired {
                    let what = format!("a lone surrogate `\\u{unit:04X}`");
                    return Err(self.fail(what, start, "surrogates in pairs"));
                }
            }
            _ => return Err(self.unexpected("one of `\"\\/bfnrtu` after a backslash")),
        }
        Ok(())
    }

    /// Whether the second half of a surrogate pair is ahead; steps over it.
    fn low_surrogate(&mut self) -> Result<bool, Failed> {
        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return Ok(false);
        }
        self.at += 2;
        Ok(matches!(self.unit()?, 0xDC00..=0xDFFF))
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, Failed> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("four hexadecimal digits"));
            };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    /// What a validated string says.
    #[inline]
    pub(super) fn unescaped(&self, span: Span) -> Cow<'a, str> {
        let raw = &self.text[span.start..span.end];
        if span.escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) }
    }
}

/// Resolves the escapes of a validated string.
fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes()[at + 1];
        rest = &rest[at + 2..];
        out.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = take_unit(&mut rest);
                if (0xD800..0xDC00).contains(&high) {
                    rest = &rest[2..];
                    let low = take_unit(&mut rest);
                    let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    char::from_u32(code).expect("a surrogate pair was validated")
                } else {
                    char::from_u32(high).expect("no lone surrogate passed the scanner")
                }
            }
            other => char::from(other),
        });
    }
    out.push_str(rest);
    out
}

fn take_unit(rest: &mut &str) -> u32 {
    let unit = u32::from_str_radix(&rest[..4], 16).expect("four digits were validated");
    *rest = &rest[4..];
    unit
}

/// The next byte from `at` on that is a quote, a backslash or a control character, or the end. Eight bytes a step, and 32 in a long
/// text: strings are most of a message.
#[inline]
pub(super) fn skip_plain(bytes: &[u8], mut at: usize) -> usize {
    let long = at + 32;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let hits = special(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if at == long {
            at = skip_wide(bytes, at);
        }
    }
    // What is left is mostly a short word without any: looked at in one or two pieces that overlap.
    let tail = bytes.get(at..).unwrap_or_default();
    let plain = match (tail.first_chunk::<4>(), tail.last_chunk::<4>(), bytes.last_chunk::<8>()) {
        (_, _, Some(last)) => special(u64::from_le_bytes(*last)) == 0,
        (Some(first), Some(last), None) => {
            special(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32) == 0
        }
        _ => false,
    };
    if plain {
        return bytes.len();
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || matches!(byte, b'"' | b'\\') {
            break;
        }
        at += 1;
    }
    at
}

/// As far as whole steps of 32 bytes go that hold nothing of the kind; the compiler has one instruction look at sixteen.
fn skip_wide(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) {
        // As in `special`, one comparison finds quotes and control characters.
        if chunk.iter().fold(false, |hit, byte| hit | (byte ^ 2 < 0x21) | (*byte == b'\\')) {
            break;
        }
        at += 32;
    }
    at
}

/// Whether nothing in it is a quote, a backslash or a control character: what is asked of nearly every name and word that is written.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let hits = words.iter().fold(0, |hits, word| hits | special(u64::from_le_bytes(*word)));
    // What is left is looked at together with what stands before it, or in two pieces that overlap.
    let last = match (tail, bytes.last_chunk::<8>(), tail.first_chunk::<4>(), tail.last_chunk::<4>()) {
        ([], ..) => 0,
        (_, Some(last), ..) => special(u64::from_le_bytes(*last)),
        (_, None, Some(first), Some(last)) => {
            special(u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32)
        }
        (few, ..) => u64::from(few.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))),
    };
    hits | last == 0
}

/// Where a quote, a backslash or a control character is among eight bytes: its high bit is set, and the lowest that is set is right.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    // With bit 1 turned over, the quote falls below 0x21, and so do the control characters and nothing else.
    let low = word ^ (ONES * 2);
    let slash = word ^ (ONES * b'\\' as u64);
    // The high bit of a byte is set where it is below 0x21, or was made zero. A borrow can raise false hits, but only
    // behind a true one, and the first is all that counts.
    (low.wrapping_sub(ONES * 0x21) & !low | slash.wrapping_sub(ONES) & !slash) & HIGH
}
