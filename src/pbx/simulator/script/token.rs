//! Text to tokens. A token knows its place and whether a blank stands before it.

use std::fmt;

use ctigate_proto::message::Text;

use super::error::Mistake;
use super::{Compare, Piece, Reference, Spot};

/// The smallest part of a script.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) spot: Spot,
    /// No blank stands before it.
    pub(super) glued: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Letters, digits and `_ - + * . @ : / %`.
    Word(Text),
    /// A text in quotes.
    Text(Vec<Piece>),
    /// `{name…}`
    Reference(Reference),
    /// `{` before a blank
    Open,
    /// `}`
    Close,
    /// `(`
    ParenOpen,
    /// `)`
    ParenClose,
    /// `,`
    Comma,
    /// `=`
    Assign,
    /// `==` and its relatives
    Compare(Compare),
    /// The end of a line that says something.
    Line,
    /// The end of the text.
    End,
}

/// As an error names it.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{}`", cut(word)),
            Self::Text(_) => f.write_str("a text in quotes"),
            Self::Reference(reference) => write!(f, "the value {reference}"),
            Self::Open => f.write_str("`{`"),
            Self::Close => f.write_str("`}`"),
            Self::ParenOpen => f.write_str("`(`"),
            Self::ParenClose => f.write_str("`)`"),
            Self::Comma => f.write_str("`,`"),
            Self::Assign => f.write_str("`=`"),
            Self::Compare(compare) => write!(f, "`{}`", compare.sign()),
            Self::Line => f.write_str("the end of the line"),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

impl Compare {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::Different),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::More),
    ];

    fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, c)| *c == self).map_or("", |(sign, _)| sign)
    }
}

/// At most 40 characters of what somebody wrote.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

/// Reads all tokens; the last is [`Kind::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, Mistake> {
    let mut reader =
        Reader { rest: source.strip_prefix('\u{feff}').unwrap_or(source), spot: Spot { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        let glued = !reader.skip_blanks()?;
        let spot = reader.spot;
        let kind = reader.token()?;
        let end = kind == Kind::End;
        tokens.push(Token { kind, spot, glued });
        if end {
            return Ok(tokens);
        }
    }
}

/// Whether a word may hold the character.
fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '*' | '.' | '@' | ':' | '/' | '%')
}

/// Whether a name may hold the character; the first must not be a digit.
fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Reader<'a> {
    rest: &'a str,
    spot: Spot,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.spot = Spot { line: self.spot.line + 1, column: 1 };
        } else {
            self.spot.column += 1;
        }
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.next();
        }
        there
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> Text {
        let length = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let taken = Text::from(&self.rest[..length]);
        self.rest = &self.rest[length..];
        self.spot.column += taken.chars().count();
        taken
    }

    /// Skips blanks, comments and a line break that `\` takes back; says whether there were any.
    fn skip_blanks(&mut self) -> Result<bool, Mistake> {
        let start = self.rest.len();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' => {
                    self.next();
                }
                '#' => {
                    let length = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.spot.column += self.rest[..length].chars().count();
                    self.rest = &self.rest[length..];
                }
                '\\' => {
                    let spot = self.spot;
                    self.next();
                    while self.peek().is_some_and(|c| matches!(c, ' ' | '\t' | '\r')) {
                        self.next();
                    }
                    if !self.take('\n') {
                        return Err(Mistake::new(spot, "`\\` inside a line", "`\\` only as the last sign of a line"));
                    }
                }
                _ => break,
            }
        }
        Ok(self.rest.len() != start)
    }

    fn token(&mut self) -> Result<Kind, Mistake> {
        let spot = self.spot;
        let Some(c) = self.peek() else { return Ok(Kind::End) };
        if in_word(c) {
            return Ok(Kind::Word(self.take_while(in_word)));
        }
        if let Some((sign, compare)) = Compare::ALL.iter().find(|(sign, _)| self.rest.starts_with(sign)) {
            for _ in 0..sign.len() {
                self.next();
            }
            return Ok(Kind::Compare(*compare));
        }
        match c {
            '"' => self.text(),
            '{' => self.brace(),
            _ => {
                self.next();
                match c {
                    '\n' => Ok(Kind::Line),
                    '}' => Ok(Kind::Close),
                    '(' => Ok(Kind::ParenOpen),
                    ')' => Ok(Kind::ParenClose),
                    ',' => Ok(Kind::Comma),
                    '=' => Ok(Kind::Assign),
                    _ => Err(Mistake::new(spot, sign(c), "a word, a text in quotes or a value such as {caller}")),
                }
            }
        }
    }

    /// `{` opens a block or a reference.
    fn brace(&mut self) -> Result<Kind, Mistake> {
        let spot = self.spot;
        self.next();
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '}' | '#') => Ok(Kind::Open),
            Some(_) => match self.reference(spot) {
                Some(reference) => Ok(Kind::Reference(reference)),
                None => Err(Mistake::new(
                    spot,
                    format!("`{{{}`", cut(&self.take_while(|c| !c.is_whitespace()))),
                    "a value such as {caller} or {client.name}, or a blank after the `{` that opens a block",
                )),
            },
        }
    }

    /// The rest of a reference whose `{` was taken; takes nothing when it is none.
    fn reference(&mut self, spot: Spot) -> Option<Reference> {
        let (rest, place) = (self.rest, self.spot);
        let read = self.try_reference(spot);
        if read.is_none() {
            (self.rest, self.spot) = (rest, place);
        }
        read
    }

    fn try_reference(&mut self, spot: Spot) -> Option<Reference> {
        let name = self.name()?;
        let mut fields = Vec::new();
        while self.take('.') {
            let field = self.take_while(in_name);
            if field.is_empty() {
                return None;
            }
            fields.push(field);
        }
        let about = if self.take(':') { Some(self.name()?) } else { None };
        self.take('}').then_some(Reference { name, fields, about, spot })
    }

    fn name(&mut self) -> Option<Text> {
        if self.peek()?.is_numeric() {
            return None;
        }
        let name = self.take_while(in_name);
        (!name.is_empty()).then_some(name)
    }

    /// A text in quotes.
    fn text(&mut self) -> Result<Kind, Mistake> {
        let start = self.spot;
        self.next();
        let mut pieces = Vec::new();
        let mut plain = String::new();
        loop {
            let spot = self.spot;
            match self.next() {
                Some('"') => break,
                None | Some('\n') => {
                    return Err(Mistake::new(start, "a text without an end", "a closing `\"` on the same line"));
                }
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\' | '{')) => plain.push(c),
                    Some('n') => plain.push('\n'),
                    Some('t') => plain.push('\t'),
                    other => {
                        let found = other.map_or_else(|| "`\\`".to_owned(), |c| format!("`\\` before {}", sign(c)));
                        return Err(Mistake::new(spot, found, "one of \\\" \\\\ \\{ \\n \\t"));
                    }
                },
                Some('{') => {
                    let Some(reference) = self.reference(spot) else {
                        return Err(Mistake::new(
                            spot,
                            "`{`",
                            "a value such as {caller} or {client.name}; the sign itself is written \\{",
                        ));
                    };
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                    }
                    pieces.push(Piece::Reference(reference));
                }
                Some(c) => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.into()));
        }
        Ok(Kind::Text(pieces))
    }
}

/// A character as an error names it.
fn sign(c: char) -> String {
    match c {
        '\n' => "the end of the line".to_owned(),
        c if c.is_control() || c.is_whitespace() => format!("the character U+{:04X}", u32::from(c)),
        c => format!("`{c}`"),
    }
}
