//! A WebSocket as the pump sees it: messages come out, frames go in, whichever version of the protocol it is. The only place
//! that names the WebSocket library.

use std::time::Duration;

use bytes::Bytes;
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Text;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::frames::{self, Opcode, Side};
use super::hixie76::Hixie;
use super::stream::Stream;
use super::wire::{Stuck, Wire};

/// How much the library asks for at once, and how much memory a quiet connection holds for reading. The wire reads from the
/// kernel in larger pieces.
const READ_BUFFER: usize = 1024;

/// Messages above this make the library's buffer grow; it is given back when the connection is quiet.
const GROWN: u64 = 16 << 10;

/// What came from the peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary,
    /// A ping or a pong. A ping's answer waits to be written.
    Alive,
    /// The peer closes. The echo waits to be written.
    Close(CloseReason),
    /// The peer broke the rules: to be closed with this.
    Broken(CloseReason),
    /// The connection is gone without a close.
    Gone(String),
}

/// A WebSocket.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every socket is of the large kind")]
pub(super) enum Socket {
    /// RFC 6455, or the draft hybi-10 that frames alike.
    Frames(WebSocketStream<Wire>),
    /// The draft hixie-76.
    Hixie(Hixie),
}

impl Socket {
    /// A WebSocket whose handshake is done. `early` is what the peer sent behind its head.
    pub(super) async fn new(io: Stream, mut early: Vec<u8>, side: Side, limit: usize, patience: Duration) -> Self {
        let mut wire = Wire::new(io, side, limit, patience);
        let good = wire.guard().inspect(&mut early);
        early.truncate(good);
        let role = match side {
            Side::Server => Role::Server,
            Side::Client => Role::Client,
        };
        Self::Frames(WebSocketStream::from_partially_read(wire, early, role, Some(library_config())).await)
    }

    /// The next thing from the peer. Cancel safe.
    pub(super) async fn next(&mut self) -> Heard {
        match self {
            Self::Frames(ws) => {
                let item = ws.next().await;
                if matches!(item, Some(Ok(Message::Ping(_) | Message::Close(_)))) {
                    // Its answer goes into the outgoing buffer now, not when the library is asked for more. Into memory, so at
                    // once; that the connection is closed then is no error here.
                    let _ = ws.flush().now_or_never();
                }
                heard(item, ws.get_ref())
            }
            Self::Hixie(hixie) => hixie.next().await,
        }
    }

    /// The next thing from the peer, if it is here already.
    pub(super) fn next_if_here(&mut self) -> Option<Heard> {
        self.next().now_or_never()
    }

    /// Appends a text to what is written next.
    pub(super) fn put_text(&mut self, text: &[u8]) {
        match self {
            Self::Frames(ws) => ws.get_mut().put(Opcode::Text, text),
            Self::Hixie(hixie) => hixie.put_text(text),
        }
    }

    /// Writes a long text in pieces.
    ///
    /// # Errors
    /// When the peer takes nothing, or is gone.
    pub(super) async fn send_long(&mut self, text: &[u8]) -> Result<(), Stuck> {
        match self {
            Self::Frames(ws) => ws.get_mut().send_long(text).await,
            Self::Hixie(hixie) => {
                hixie.put_text(text);
                hixie.flush().await
            }
        }
    }

    /// Appends a ping. False when this version has none.
    pub(super) fn put_ping(&mut self) -> bool {
        match self {
            Self::Frames(ws) => {
                ws.get_mut().put(Opcode::Ping, b"");
                true
            }
            Self::Hixie(_) => false,
        }
    }

    /// Appends a close.
    pub(super) fn put_close(&mut self, reason: &CloseReason) {
        match self {
            Self::Frames(ws) => {
                ws.get_mut().put(Opcode::Close, &frames::close_payload(reason.code, &reason.text));
            }
            Self::Hixie(hixie) => hixie.put_close(),
        }
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Frames(ws) => ws.get_ref().waiting(),
            Self::Hixie(hixie) => hixie.waiting(),
        }
    }

    /// Writes what waits. Not cancel safe.
    ///
    /// # Errors
    /// When the peer takes nothing, or is gone.
    pub(super) async fn flush(&mut self) -> Result<(), Stuck> {
        match self {
            Self::Frames(ws) => ws.get_mut().flush().await,
            Self::Hixie(hixie) => hixie.flush().await,
        }
    }

    /// Sets how long the peer may take nothing.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        match self {
            Self::Frames(ws) => ws.get_mut().set_patience(patience),
            Self::Hixie(hixie) => hixie.set_patience(patience),
        }
    }

    /// Sets the largest message, for what begins from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        match self {
            Self::Frames(ws) => ws.get_mut().guard().set_limit(limit),
            Self::Hixie(hixie) => hixie.set_limit(limit),
        }
    }

    /// How many bytes came so far: a sign of life in the middle of a long message.
    pub(super) fn heard(&mut self) -> u64 {
        match self {
            Self::Frames(ws) => ws.get_mut().guard().heard(),
            Self::Hixie(hixie) => hixie.heard(),
        }
    }

    /// The stream below.
    pub(super) fn stream(&self) -> &Stream {
        match self {
            Self::Frames(ws) => ws.get_ref().stream(),
            Self::Hixie(hixie) => hixie.stream(),
        }
    }

    /// Ends our half and waits a little for the peer to end its own.
    pub(super) async fn linger(&mut self, time: Duration) {
        match self {
            Self::Frames(ws) => ws.get_mut().linger(time).await,
            Self::Hixie(hixie) => hixie.linger(time).await,
        }
    }

    /// Whether a long message has left a big buffer behind that may go now.
    pub(super) fn is_fat(&mut self) -> bool {
        match self {
            Self::Frames(ws) => {
                let guard = ws.get_mut().guard();
                guard.is_between_messages() && guard.take_longest() > GROWN
            }
            Self::Hixie(_) => false,
        }
    }

    /// The same socket with fresh buffers. Only when [`Self::is_fat`] said so and nothing was heard since: the library's
    /// buffer is empty then, and starting it anew loses nothing.
    pub(super) async fn slim(self, side: Side) -> Self {
        match self {
            Self::Frames(ws) => {
                let role = match side {
                    Side::Server => Role::Server,
                    Side::Client => Role::Client,
                };
                Self::Frames(WebSocketStream::from_raw_socket(ws.into_inner(), role, Some(library_config())).await)
            }
            hixie @ Self::Hixie(_) => hixie,
        }
    }
}

/// Sizes are the guard's business, writing is the wire's: both are without limit here.
fn library_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(None)
        .max_frame_size(None)
}

fn heard(item: Option<Result<Message, Error>>, wire: &Wire) -> Heard {
    match item {
        Some(Ok(Message::Text(text))) => match Text::try_from(Bytes::from(text)) {
            Ok(text) => Heard::Text(text),
            Err(_) => Heard::Broken(CloseReason::new(1007, "a text is not UTF-8")),
        },
        Some(Ok(Message::Binary(_))) => Heard::Binary,
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Heard::Alive,
        Some(Ok(Message::Close(None))) => Heard::Close(CloseReason::NORMAL),
        Some(Ok(Message::Close(Some(close)))) => {
            Heard::Close(CloseReason::with_text(close.code.into(), close.reason.as_str()))
        }
        Some(Err(error)) => match (wire.violation(), error) {
            (Some(reason), _) => Heard::Broken(reason.clone()),
            (None, Error::Utf8(_)) => Heard::Broken(CloseReason::new(1007, "a text is not UTF-8")),
            (None, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                Heard::Gone("the peer ended the connection without a close".to_owned())
            }
            (None, Error::Protocol(e)) => Heard::Broken(CloseReason::with_text(1002, e.to_string())),
            (None, Error::Capacity(e)) => Heard::Broken(CloseReason::with_text(1009, e.to_string())),
            (None, e) => Heard::Gone(e.to_string()),
        },
        None => Heard::Gone("the connection is closed".to_owned()),
    }
}

/// The value of `Sec-WebSocket-Accept` that proves that a key was read: RFC 6455 section 4.2.2.
pub(super) fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}
