//! WebSocket by bytes: frames as a test writes them, right or wrong.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Io, http, soon};

/// The sample key of RFC 6455, and what a server must make of it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Vec<u8>),
    Close(u16, String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The end of the connection.
    End,
}

/// One end of a WebSocket.
pub(crate) struct Ws {
    pub(crate) io: Io,
    /// What was read and not yet looked at.
    pub(crate) buffer: Vec<u8>,
    /// The payloads of compressed messages that came: RFC 7692, each for itself.
    pub(crate) packed: Vec<Vec<u8>>,
    masks: bool,
}

/// A handshake as a client writes it.
pub(crate) fn request(path: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text
}

/// A masked frame with the given first byte.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = head(first, 0x80, payload.len());
    frame.extend(key);
    frame.extend(payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]));
    frame
}

/// A frame without a mask.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, 0, payload.len());
    frame.extend(payload);
    frame
}

fn head(first: u8, mask: u8, len: usize) -> Vec<u8> {
    let mut head = vec![first];
    match len {
        0..=125 => head.push(mask | u8::try_from(len).unwrap()),
        126..=65535 => {
            head.push(mask | 126);
            head.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend((len as u64).to_be_bytes());
        }
    }
    head
}

/// A message as RFC 7692 compresses it, with a window of its own.
pub(crate) fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = Compress::new(Compression::default(), false);
    let mut out = Vec::with_capacity(text.len() + 100);
    packer.compress_vec(text, &mut out, FlushCompress::Sync).unwrap();
    assert_eq!(out.split_off(out.len() - 4), [0, 0, 0xff, 0xff]);
    out
}

fn unpacked(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 20);
    let input = [payload, &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false).decompress_vec(&input, &mut out, FlushDecompress::Sync).unwrap();
    assert!(out.len() < out.capacity(), "longer than any message of the stories");
    out
}

impl Ws {
    /// A WebSocket on what is one already.
    pub(crate) fn over(io: Io, buffer: Vec<u8>, masks: bool) -> Self {
        Self { io, buffer, packed: Vec::new(), masks }
    }

    /// Connects as a client and expects 101.
    pub(crate) async fn connect(address: std::net::SocketAddr, headers: &[(&str, &str)]) -> Self {
        let io = soon("connect", TcpStream::connect(address)).await.unwrap();
        Self::shake(Box::new(io), "/", headers).await
    }

    /// Shakes hands as a client and expects 101.
    pub(crate) async fn shake(mut io: Io, path: &str, headers: &[(&str, &str)]) -> Self {
        io.write_all(request(path, headers).as_bytes()).await.unwrap();
        let (answer, rest) = http::read_head(&mut io).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        Self::over(io, rest, true)
    }

    /// Takes the part of the server: reads a handshake and answers it.
    pub(crate) async fn accept(mut io: Io, answer: impl FnOnce(&http::Request) -> String) -> (Self, http::Request) {
        let (request, rest) = http::read_request_head(&mut io).await;
        io.write_all(answer(&request).as_bytes()).await.unwrap();
        (Self::over(io, rest, false), request)
    }

    /// Whether this end masks what it sends.
    pub(crate) fn masks(&self) -> bool {
        self.masks
    }

    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        soon("write", self.io.write_all(bytes)).await.unwrap();
        soon("flush", self.io.flush()).await.unwrap();
    }

    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        let frame = if self.masks { masked(first, payload) } else { plain(first, payload) };
        self.raw(&frame).await;
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes()).await;
    }

    /// The same, compressed.
    pub(crate) async fn packed_text(&mut self, text: &str) {
        self.frame(0xc1, &packed(text.as_bytes())).await;
    }

    pub(crate) async fn close(&mut self, code: u16, reason: &str) {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend(reason.as_bytes());
        self.frame(0x88, &payload).await;
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Frame {
        soon("a frame", self.read()).await
    }

    /// The next frame that is neither ping nor pong.
    pub(crate) async fn next_data(&mut self) -> Frame {
        loop {
            match self.next().await {
                Frame::Ping(payload) => self.frame(0x8a, &payload).await,
                Frame::Pong(_) => {}
                other => return other,
            }
        }
    }

    /// The code and reason of the close that comes, whatever comes before it; then the end of the connection.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Frame::Close(code, reason) => {
                    // The echo that is due; the other end may have gone already.
                    let echo =
                        if self.masks { masked(0x88, &code.to_be_bytes()) } else { plain(0x88, &code.to_be_bytes()) };
                    let _ = self.io.write_all(&echo).await;
                    assert_eq!(self.next().await, Frame::End, "nothing follows a close");
                    return (code, reason);
                }
                Frame::End => panic!("the connection ended without a close"),
                _ => {}
            }
        }
    }

    async fn read(&mut self) -> Frame {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            // Not into an array: it would make every future that waits for a frame as large.
            self.buffer.reserve(16 << 10);
            match self.io.read_buf(&mut self.buffer).await {
                Ok(0) => return Frame::End,
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Frame::End,
                Err(e) => panic!("read: {e}"),
            }
        }
    }

    /// A whole frame from the buffer. What a gateway sends is whole, in shortest form, and masked by a client only.
    fn take(&mut self) -> Option<Frame> {
        let b = &self.buffer;
        let second = *b.get(1)?;
        assert_eq!(second & 0x80 != 0, !self.masks, "only clients mask");
        let (len, mut at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(b.get(2..4)?.try_into().unwrap())), 4),
            127 => (usize::try_from(u64::from_be_bytes(b.get(2..10)?.try_into().unwrap())).unwrap(), 10),
            short => (usize::from(short), 2),
        };
        let key: Option<[u8; 4]> = if self.masks {
            None
        } else {
            at += 4;
            Some(b.get(at - 4..at)?.try_into().unwrap())
        };
        let mut payload = b.get(at..at + len)?.to_vec();
        if let Some(key) = key {
            payload.iter_mut().enumerate().for_each(|(i, b)| *b ^= key[i % 4]);
        }
        let first = b[0];
        self.buffer.drain(..at + len);
        Some(match first {
            0x81 => Frame::Text(String::from_utf8(payload).unwrap()),
            0xc1 => {
                let text = Frame::Text(String::from_utf8(unpacked(&payload)).unwrap());
                self.packed.push(payload);
                text
            }
            0x82 => Frame::Binary(payload),
            0x88 if payload.is_empty() => Frame::Close(1005, String::new()),
            0x88 => Frame::Close(
                u16::from_be_bytes([payload[0], payload[1]]),
                String::from_utf8(payload[2..].to_vec()).unwrap(),
            ),
            0x89 => Frame::Ping(payload),
            0x8a => Frame::Pong(payload),
            other => panic!("a frame that begins with {other:#x}"),
        })
    }
}
