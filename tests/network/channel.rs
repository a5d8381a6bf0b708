//! What a page speaks through: a WebSocket of its own on the simulated network, or its CRM's tunnel. The WebSocket is written for the
//! stories and by nobody else's code, so that a fault of the gateway's own cannot hide itself. Nothing here panics: on this network
//! everything may break off at any time.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use ctigate::proto::codec::{self, Limits};
use ctigate::proto::message::{Envelope, Format, Text};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use turmoil::net::TcpStream;

use crate::ledger::Ledger;
use crate::tunnel::Tunnel;

/// How long TCP and the handshake may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The sample key of RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What came.
pub(crate) enum Heard {
    Message(Envelope),
    /// A sign of life.
    Alive,
    /// The connection is over.
    Gone,
}

/// A page's way to the gateway and back.
pub(crate) enum Channel {
    Direct(Socket),
    Behind(Tunnel),
}

impl Channel {
    /// Says a message that is written in JSON here. That the way is gone is heard, not said.
    pub(crate) fn say(&mut self, json: &str) {
        match self {
            Self::Direct(socket) => socket.say(json),
            Self::Behind(tunnel) => tunnel.say(json),
        }
    }

    /// What comes next. Cancel safe.
    pub(crate) async fn hear(&mut self, ledger: &Ledger) -> Heard {
        match self {
            Self::Direct(socket) => socket.hear(ledger).await,
            Self::Behind(tunnel) => tunnel.hear().await.map_or(Heard::Gone, Heard::Message),
        }
    }

    /// Whether the gateway knows by now that cards show here.
    pub(crate) fn shows_cards(&self) -> bool {
        match self {
            Self::Direct(_) => true,
            Self::Behind(tunnel) => tunnel.shows_cards(),
        }
    }

    pub(crate) fn is_tunnel(&self) -> bool {
        matches!(self, Self::Behind(_))
    }
}

/// One end of a WebSocket.
pub(crate) struct Socket {
    /// Whose end, for the ledger.
    name: String,
    io: TcpStream,
    buffer: Vec<u8>,
    /// What was said and not written yet: it goes in one piece when nothing more is here to be heard.
    said: Vec<u8>,
    masks: bool,
    format: Format,
}

impl Socket {
    /// Connects and shakes hands. `None`: it did not come about.
    pub(crate) async fn connect(name: &str, host: &str, port: u16, format: Format) -> Option<Self> {
        let opened = async {
            let mut io = TcpStream::connect((host, port)).await.ok()?;
            let request = format!(
                "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                format.word()
            );
            io.write_all(request.as_bytes()).await.ok()?;
            let mut buffer = Vec::new();
            let head = head(&mut io, &mut buffer).await?;
            head.starts_with("HTTP/1.1 101 ").then(|| Self {
                name: name.to_owned(),
                io,
                buffer,
                said: Vec::new(),
                masks: true,
                format,
            })
        };
        timeout(PATIENCE, opened).await.ok().flatten()
    }

    /// Takes the part of the server.
    pub(crate) async fn accept(name: &str, mut io: TcpStream, format: Format) -> Option<Self> {
        let opened = async {
            let mut buffer = Vec::new();
            let head = head(&mut io, &mut buffer).await?;
            let key = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
            })?;
            let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                format.word()
            );
            io.write_all(answer.as_bytes()).await.ok()?;
            Some(Self { name: name.to_owned(), io, buffer, said: Vec::new(), masks: false, format })
        };
        timeout(PATIENCE, opened).await.ok().flatten()
    }

    /// Says a message that is written in JSON here; it goes when nothing more is here to be heard.
    pub(crate) fn say(&mut self, json: &str) {
        let text = match self.format {
            Format::Json => Text::from(json),
            format => codec::encode(&read(Format::Json, json), format),
        };
        self.frame(0x81, text.as_bytes());
    }

    /// Writes what was said as far as it goes, and reads something. Cancel safe. False: the connection is gone.
    async fn passes(&mut self) -> bool {
        let Self { io, buffer, said, .. } = self;
        poll_fn(|cx| {
            while !said.is_empty() {
                match Pin::new(&mut *io).poll_write(cx, said) {
                    Poll::Ready(Ok(n @ 1..)) => drop(said.drain(..n)),
                    Poll::Ready(_) => return Poll::Ready(false),
                    Poll::Pending => break,
                }
            }
            let mut piece = [0; 4096];
            let mut read = ReadBuf::new(&mut piece);
            let result = ready!(Pin::new(&mut *io).poll_read(cx, &mut read));
            buffer.extend(read.filled());
            Poll::Ready(result.is_ok() && !read.filled().is_empty())
        })
        .await
    }

    /// What comes next. Cancel safe: what was read stays, and what was said.
    pub(crate) async fn hear(&mut self, ledger: &Ledger) -> Heard {
        loop {
            match self.take() {
                Ok(Some((0x81, payload))) => {
                    let Ok(text) = String::from_utf8(payload) else {
                        ledger.fault("a text that is no UTF-8");
                        return Heard::Gone;
                    };
                    return match codec::decode(self.format, &Text::from(text.as_str()), &Limits::default()) {
                        Ok(envelope) => Heard::Message(envelope),
                        Err(e) => {
                            ledger.fault(format!("what cannot be read: {e}: {text}"));
                            Heard::Gone
                        }
                    };
                }
                Ok(Some((0x89, payload))) => {
                    self.frame(0x8a, &payload);
                    return Heard::Alive;
                }
                Ok(Some((0x8a, _))) => return Heard::Alive,
                Ok(Some((0x88, payload))) => {
                    let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                    ledger.goodbye(&self.name, code);
                    self.frame(0x88, &payload);
                    let _ = timeout(PATIENCE, self.io.write_all(&self.said)).await;
                    return Heard::Gone;
                }
                Ok(Some((first, _))) => {
                    ledger.fault(format!("a frame that begins with {first:#x}"));
                    return Heard::Gone;
                }
                Ok(None) => {
                    if !self.passes().await {
                        return Heard::Gone;
                    }
                }
                Err(why) => {
                    ledger.fault(why);
                    return Heard::Gone;
                }
            }
        }
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        let mask = if self.masks { 0x80 } else { 0 };
        match payload.len() {
            len @ 0..=125 => frame.push(mask | len as u8),
            len @ 126..=65535 => {
                frame.push(mask | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(mask | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        let key = if self.masks { [0x37, 0xfa, 0x21, 0x3d] } else { [0; 4] };
        if self.masks {
            frame.extend(key);
        }
        frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        self.said.extend(frame);
    }

    /// A whole frame from the buffer: its first byte and what it holds.
    fn take(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let b = &self.buffer;
        let Some(&second) = b.get(1) else { return Ok(None) };
        if (second & 0x80 != 0) == self.masks {
            return Err("only clients mask".to_owned());
        }
        let (len, at) = match second & 0x7f {
            126 if b.len() >= 4 => (usize::from(u16::from_be_bytes([b[2], b[3]])), 4),
            127 if b.len() >= 10 => (u64::from_be_bytes(std::array::from_fn(|i| b[2 + i])) as usize, 10),
            126 | 127 => return Ok(None),
            short => (usize::from(short), 2),
        };
        let at = if self.masks { at } else { at + 4 };
        if b.len() < at + len {
            return Ok(None);
        }
        let mut payload = b[at..at + len].to_vec();
        if !self.masks {
            let key = [b[at - 4], b[at - 3], b[at - 2], b[at - 1]];
            payload.iter_mut().enumerate().for_each(|(i, byte)| *byte ^= key[i % 4]);
        }
        let first = b[0];
        self.buffer.drain(..at + len);
        Ok(Some((first, payload)))
    }
}

/// Reads to the blank line; what follows stays in the buffer.
pub(crate) async fn head(io: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = buffer.drain(..at + 4).collect();
            return String::from_utf8(head).ok();
        }
        if io.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A message of the stories.
pub(crate) fn read(format: Format, text: &str) -> Envelope {
    codec::decode(format, &Text::from(text), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A value of a message as text; empty when it is not there.
pub(crate) fn text(envelope: &Envelope, name: &str) -> String {
    envelope.body.text(name).unwrap_or_default().to_string()
}
