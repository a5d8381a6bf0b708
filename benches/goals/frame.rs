//! Frames as the bench's own clients speak them: with as little work as possible, and batches kept as batches.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A WebSocket client over whatever carries bytes.
pub(crate) struct Client<S> {
    io: S,
    received: Vec<u8>,
    read: usize,
    out: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Shakes hands.
    pub(crate) async fn open(mut io: S, host: &str, protocol: &str) -> Self {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
        );
        io.write_all(head.as_bytes()).await.unwrap();
        io.flush().await.unwrap();
        let mut received = Vec::new();
        let end = loop {
            assert!(io.read_buf(&mut received).await.unwrap() > 0, "no answer to the handshake");
            if let Some(at) = received.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        assert!(received.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&received));
        received.drain(..end);
        Self { io, received, read: 0, out: Vec::new() }
    }

    /// Appends a text to what is sent next. The mask is one of zeros: whoever unmasks does the same work.
    pub(crate) fn put(&mut self, text: &str) {
        self.head(0x81, text.len());
        self.out.extend_from_slice(text.as_bytes());
    }

    fn head(&mut self, first: u8, length: usize) {
        self.out.push(first);
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ ..=125), _) => self.out.push(0x80 | short),
            (_, Ok(middle)) => {
                self.out.push(0x80 | 126);
                self.out.extend_from_slice(&middle.to_be_bytes());
            }
            _ => {
                self.out.push(0x80 | 127);
                self.out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(&[0; 4]);
    }

    /// Sends all that was put.
    pub(crate) async fn send(&mut self) -> io::Result<()> {
        self.io.write_all(&self.out).await?;
        self.out.clear();
        self.io.flush().await
    }

    /// Waits until a text is here. Pings are answered on the way. `None`: the connection is over.
    pub(crate) async fn next(&mut self) -> Option<&str> {
        loop {
            match self.take() {
                Some((0x1, at)) => return Some(std::str::from_utf8(&self.received[at.0..at.1]).unwrap()),
                Some((0x9, _)) => {
                    self.head(0x8a, 0);
                    self.send().await.ok()?;
                }
                Some(_) => return None,
                None => self.more().await?,
            }
        }
    }

    /// The next text, if it was read already.
    pub(crate) fn next_if_here(&mut self) -> Option<&str> {
        loop {
            match self.take()? {
                (0x1, at) => return Some(std::str::from_utf8(&self.received[at.0..at.1]).unwrap()),
                (0x9, _) => self.head(0x8a, 0),
                _ => return None,
            }
        }
    }

    async fn more(&mut self) -> Option<()> {
        self.received.drain(..self.read);
        self.read = 0;
        self.received.reserve(2048);
        (self.io.read_buf(&mut self.received).await.ok()? > 0).then_some(())
    }

    /// A whole frame: its opcode, and where its payload is.
    fn take(&mut self) -> Option<(u8, (usize, usize))> {
        let bytes = &self.received[self.read..];
        let second = *bytes.get(1)?;
        // A byte echo sends back what we masked, with zeros.
        let mask = if second & 0x80 != 0 { 4 } else { 0 };
        let (length, head) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
            127 => (usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap(), 10),
            short => (usize::from(short), 2),
        };
        let head = head + mask;
        if bytes.len() < head + length {
            return None;
        }
        let (opcode, at) = (bytes[0] & 0x0f, self.read + head);
        self.read = at + length;
        Some((opcode, (at, at + length)))
    }
}

/// The value of a string member, found by its name: the messages are ours and simple.
pub(crate) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let at = rest.find(name)?;
        let behind = &rest[at + name.len()..];
        // `"name":"value"` in JSON, `name="name">value<` in XML.
        if let Some(value) = behind.strip_prefix("\":\"") {
            return value.split('"').next();
        }
        if let Some(value) = behind.strip_prefix("\">") {
            return value.split('<').next();
        }
        rest = behind;
    }
}
