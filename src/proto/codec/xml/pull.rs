//! The pieces of a document, in order, each checked for its place.

use std::borrow::Cow;

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::super::{DecodeError, found, quoted};
use super::attributes::{Attributes, Element, Tag, bad_reference};
use super::chars;

/// Takes a document to pieces.
pub(super) struct Pull<'a> {
    reader: Reader<&'a [u8]>,
    source: &'a str,
    /// How many bytes stand before `source`: a byte order mark.
    base: usize,
    /// Where in `source` the last piece began.
    at: usize,
    /// How many elements are open.
    open: usize,
    /// A start tag that was read and is still to be taken by [`Pull::root`].
    held: Option<(Tag, Element<'a>)>,
    /// Whether CDATA or a comment was seen.
    odd: bool,
}

impl<'a> Pull<'a> {
    /// A whole document. Refuses characters that XML cannot hold, wherever they stand; drops a byte order mark.
    pub(super) fn document(text: &'a str) -> Result<Self, DecodeError> {
        let source = text.strip_prefix('\u{feff}').unwrap_or(text);
        let base = text.len() - source.len();
        // quick-xml would drop one more mark in silence.
        let illegal = if source.starts_with('\u{feff}') { Some(0) } else { chars::illegal(source) };
        if let Some(at) = illegal {
            return Err(DecodeError {
                what: found(source, at),
                at: base + at,
                expected: "a character of XML 1.0 (others in base64)",
            });
        }
        Ok(Self { base, ..Self::fragment(source) })
    }

    /// The content of an element, out of a document that was validated.
    pub(super) fn fragment(source: &'a str) -> Self {
        let mut reader = Reader::from_str(source);
        reader.config_mut().enable_all_checks(true);
        Self { reader, source, base: 0, at: 0, open: 0, held: None, odd: false }
    }

    /// The root of the document, when it is this element. When it is another one, that may be asked for next.
    pub(super) fn root(&mut self, tag: Tag) -> Result<Option<Element<'a>>, DecodeError> {
        if self.held.is_none() {
            self.held = Some(self.first()?);
        }
        match self.held.take() {
            Some((found, element)) if found == tag => Ok(Some(element)),
            other => {
                self.held = other;
                Ok(None)
            }
        }
    }

    fn first(&mut self) -> Result<(Tag, Element<'a>), DecodeError> {
        loop {
            match self.next()? {
                Event::Decl(_) if self.at == 0 => self.declaration()?,
                Event::Comment(_) => {}
                Event::Text(_) if self.is_blank() => {}
                event @ (Event::Start(_) | Event::Empty(_)) => {
                    let empty = matches!(event, Event::Empty(_));
                    let (name, _) = self.tag(empty);
                    let tag = if name == Tag::Messages.word() { Tag::Messages } else { Tag::Message };
                    return Ok((tag, self.element(tag, empty)?));
                }
                _ => return Err(self.unexpected("a `message` element")),
            }
        }
    }

    /// Nothing may stand behind the root but blanks and comments.
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        loop {
            match self.next()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) => {}
                Event::Text(_) if self.is_blank() => {}
                _ => return Err(self.unexpected("nothing after the root element")),
            }
        }
    }

    /// The next child of `parent`, which holds elements only; `None` when `parent` has ended.
    pub(super) fn child(&mut self, parent: &Element<'a>, tag: Tag) -> Result<Option<Element<'a>>, DecodeError> {
        if parent.empty {
            return Ok(None);
        }
        loop {
            match self.next()? {
                Event::Start(_) => return self.element(tag, false).map(Some),
                Event::Empty(_) => return self.element(tag, true).map(Some),
                Event::End(_) => return Ok(None),
                // The content of a fragment ends with its text.
                Event::Eof if self.open == 0 => return Ok(None),
                Event::Comment(_) => self.odd = true,
                Event::Text(_) if self.is_blank() => {}
                _ => return Err(self.unexpected(tag.expected())),
            }
        }
    }

    /// The text of `element`, to its end tag.
    pub(super) fn text(&mut self, element: &Element<'a>) -> Result<Cow<'a, str>, DecodeError> {
        let mut text = Cow::Borrowed("");
        if element.empty {
            return Ok(text);
        }
        loop {
            match self.next()? {
                Event::Text(_) => {
                    let piece = self.piece();
                    if chars::has(piece, b']')
                        && let Some(at) = piece.find("]]>")
                    {
                        return Err(DecodeError {
                            what: "`]]>` in text".to_owned(),
                            at: self.base + self.at + at,
                            expected: "`]]&gt;`",
                        });
                    }
                    append(&mut text, chars::with_line_ends(piece));
                }
                Event::CData(_) => {
                    self.odd = true;
                    let piece = self.piece();
                    let inner = &piece["<![CDATA[".len()..piece.len() - "]]>".len()];
                    append(&mut text, chars::with_line_ends(inner));
                }
                Event::GeneralRef(_) => {
                    let piece = self.piece();
                    let name = &piece[1..piece.len() - 1];
                    let c = chars::reference(name).ok_or_else(|| bad_reference(name, self.base + self.at))?;
                    text.to_mut().push(c);
                }
                Event::Comment(_) => self.odd = true,
                Event::End(_) => return Ok(text),
                _ => return Err(self.unexpected("text and the end of the element")),
            }
        }
    }

    /// Where in the text the next piece begins.
    pub(super) fn here(&self) -> usize {
        self.base + self.position()
    }

    /// Where the next piece begins, for [`Pull::content_since`].
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).expect("the document is in memory")
    }

    /// What stands between `start` and the end tag that was read last.
    pub(super) fn content_since(&self, start: usize) -> &'a str {
        &self.source[start..self.at]
    }

    /// From here on: whether CDATA or a comment is seen.
    pub(super) fn forget_oddities(&mut self) {
        self.odd = false;
    }

    /// Whether CDATA or a comment was seen.
    pub(super) fn saw_oddities(&self) -> bool {
        self.odd
    }

    /// The piece read last is wrong here.
    pub(super) fn unexpected(&self, expected: &'static str) -> DecodeError {
        let piece = self.piece();
        let what = if piece.is_empty() { "end of text".to_owned() } else { quoted(piece.trim_start()) };
        let blanks = piece.len() - piece.trim_start().len();
        DecodeError { what, at: self.base + self.at + blanks, expected }
    }

    fn next(&mut self) -> Result<Event<'a>, DecodeError> {
        self.at = self.position();
        let event = self.reader.read_event().map_err(|error| DecodeError {
            what: quoted(&error.to_string()),
            at: self.base + usize::try_from(self.reader.error_position()).expect("the document is in memory"),
            expected: "well-formed XML",
        })?;
        match event {
            Event::Start(_) => self.open += 1,
            Event::End(_) => self.open -= 1,
            _ => {}
        }
        Ok(event)
    }

    /// The piece read last, as it stands in the document.
    fn piece(&self) -> &'a str {
        &self.source[self.at..self.position()]
    }

    fn is_blank(&self) -> bool {
        self.piece().bytes().all(chars::is_blank)
    }

    /// The name in the start tag read last, and what stands behind it.
    fn tag(&self, empty: bool) -> (&'a str, &'a str) {
        let piece = self.piece();
        let inner = &piece[1..piece.len() - if empty { 2 } else { 1 }];
        let bytes = inner.as_bytes();
        let mut end = 0;
        while end < bytes.len() && !chars::is_blank(bytes[end]) {
            end += 1;
        }
        inner.split_at(end)
    }

    /// The start tag read last, which must be of this element.
    fn element(&self, tag: Tag, empty: bool) -> Result<Element<'a>, DecodeError> {
        let (name, attributes) = self.tag(empty);
        if name != tag.word() {
            let what = format!("element {}", quoted(name));
            return Err(DecodeError { what, at: self.base + self.at, expected: tag.expected() });
        }
        let base = self.base + self.at + 1 + name.len();
        Element::read(tag, attributes, base, empty, self.base + self.at)
    }

    /// `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`, of which only the version must be there.
    fn declaration(&self) -> Result<(), DecodeError> {
        const START: usize = "<?xml".len();
        let piece = self.piece();
        let source = &piece[START..piece.len() - "?>".len()];
        let mut attributes = Attributes::new(source, self.base + self.at + START);
        let mut expected = ["version", "encoding", "standalone"].iter();
        let mut first = true;
        while let Some(attribute) = attributes.next()? {
            let known =
                if first { expected.next() == Some(&attribute.name) } else { expected.any(|n| *n == attribute.name) };
            let fits = match attribute.name {
                "version" => attribute.value == "1.0",
                "encoding" => attribute.value.eq_ignore_ascii_case("utf-8"),
                _ => attribute.value == "yes" || attribute.value == "no",
            };
            if !known || !fits {
                let what = format!("{} = {}", quoted(attribute.name), quoted(&attribute.value));
                return Err(DecodeError { what, at: attribute.at, expected: "version 1.0, then encoding UTF-8" });
            }
            first = false;
        }
        if first {
            return Err(self.unexpected("version 1.0 in the declaration"));
        }
        Ok(())
    }
}

fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}
