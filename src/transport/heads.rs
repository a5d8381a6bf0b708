//! Looks at the heads of requests as they pass, for the one thing that hyper does not tell: it drops a `Content-Length` that
//! stands beside a `Transfer-Encoding`. Somebody in front of us may have believed the length, and what we take for the next
//! request would be a part of that body (RFC 9112 sections 6.1 and 11.2). So such a request is refused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest name that is looked for, and the most digits of a length, with a colon and blanks: more of a line is not kept.
const LINE: usize = 64;

/// Most heads that wait for their request to be served. hyper reads one at a time, and a little of the next.
const WAITING: usize = 64;

/// What was seen, shared by whoever reads the connection and whoever serves its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Heads(Arc<Mutex<Scan>>);

#[derive(Debug, Default)]
struct Scan {
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    /// Whether the head has begun.
    begun: bool,
    length: Option<u64>,
    encoded: bool,
    /// How many bytes of a body are still to come.
    body: u64,
    /// Whether the bounds of the next head cannot be known: no request follows an encoded body.
    over: bool,
    /// For each head, in order: whether it has both.
    seen: VecDeque<bool>,
}

impl Heads {
    /// These bytes came.
    pub(super) fn pass(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pass(bytes);
    }

    /// Whether the next request, in order, has a length and an encoding.
    pub(super) fn next_has_both(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.pop_front().unwrap_or(false)
    }
}

impl Scan {
    fn pass(&mut self, mut bytes: &[u8]) {
        while !self.over && !bytes.is_empty() {
            if self.body > 0 {
                let skipped = bytes.len().min(usize::try_from(self.body).unwrap_or(usize::MAX));
                self.body -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            self.line.extend_from_slice(&part[..part.len().min(LINE.saturating_sub(self.line.len()))]);
            let Some(end) = end else { return };
            bytes = &bytes[end + 1..];
            self.line_ends();
        }
    }

    fn line_ends(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        if line.is_empty() {
            // Empty lines in front of a request are read over.
            if std::mem::take(&mut self.begun) {
                self.head_ends();
            }
        } else {
            self.begun = true;
            if let Some(colon) = line.iter().position(|byte| *byte == b':') {
                let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
                if name.eq_ignore_ascii_case(b"transfer-encoding") {
                    self.encoded = true;
                } else if name.eq_ignore_ascii_case(b"content-length") {
                    // What is no number is refused by hyper.
                    self.length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).or(Some(0));
                }
            }
        }
        self.line = Vec::new();
    }

    fn head_ends(&mut self) {
        let (length, encoded) = (self.length.take(), std::mem::take(&mut self.encoded));
        if self.seen.len() < WAITING {
            self.seen.push_back(encoded && length.is_some());
        } else {
            self.over = true;
        }
        self.over |= encoded;
        self.body = length.unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, piece: usize) -> Vec<bool> {
        let heads = Heads::default();
        text.as_bytes().chunks(piece).for_each(|piece| heads.pass(piece));
        let mut scan = heads.0.lock().unwrap();
        scan.seen.drain(..).collect()
    }

    #[test]
    fn a_length_beside_an_encoding_is_seen_however_it_is_written_and_cut() {
        let both = "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:  3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let turned = "\r\nPOST / HTTP/1.1\nTransfer-Encoding: chunked\nX: Content-Length: 1\nContent-Length: 3\n\n";
        let only = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX-Content-Length: 3\r\n\r\n";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(seen(both, piece), [true]);
            assert_eq!(seen(turned, piece), [true]);
            assert_eq!(seen(only, piece), [false]);
        }
    }

    #[test]
    fn bodies_are_read_over_and_nothing_in_them_is_a_head() {
        let inside = "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n";
        let first = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inside}", inside.len());
        let third = "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: x\r\n\r\n";
        let all = format!("{first}GET / HTTP/1.1\r\n\r\n{third}{third}");
        for piece in [1, 3, 1000] {
            assert_eq!(seen(&all, piece), [false, false, true], "what follows an encoded body is no request");
        }
    }

    #[test]
    fn lines_and_heads_without_end_cost_nothing() {
        let heads = Heads::default();
        for _ in 0..100 {
            heads.pass(&[b'a'; 10_000]);
        }
        heads.pass(b"\n");
        for _ in 0..10_000 {
            heads.pass(b"G\n\n");
        }
        let scan = heads.0.lock().unwrap();
        assert!(scan.line.capacity() <= 4 * LINE && scan.seen.len() <= WAITING);
    }
}
