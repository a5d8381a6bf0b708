//! A WebSocket as the pump sees it: messages come out, frames go in, whichever version of the protocol it is. The only place
//! that names the WebSocket library.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
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

use crate::engine::Outbox;

use super::deflate::Agreed;
use super::frames::{self, Opcode, Side};
use super::hixie76::Hixie;
use super::line::{Line, Serves, Stuck};
use super::stream::Stream;
use super::wire::Wire;

/// How much the library asks for at once. The wire reads from the kernel in larger pieces.
const READ_BUFFER: usize = 1024;

/// What came from the peer.
#[derive(Debug)]
pub(super) enum Heard {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(#[cfg_attr(not(feature = "echo"), expect(dead_code, reason = "only an echo looks into it"))] Bytes),
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
pub(super) enum Socket {
    /// RFC 6455, or the draft hybi-10 that frames alike.
    Frames(Frames),
    /// The draft hixie-76.
    Hixie(Hixie),
}

/// A socket of RFC 6455. The library comes into being for what is no whole text, and goes when that is over: its buffers with it.
#[derive(Debug)]
pub(super) struct Frames {
    reader: Reader,
    patience: Duration,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly every reader is of the large kind")]
enum Reader {
    /// All that came was whole texts.
    Wire(Wire),
    /// Something else came.
    Library(Box<WebSocketStream<Wire>>),
    /// On the way from one to the other.
    Moving,
}

impl Frames {
    fn wire(&self) -> &Wire {
        match &self.reader {
            Reader::Wire(wire) => wire,
            Reader::Library(library) => library.get_ref(),
            Reader::Moving => unreachable!("it moves within one function"),
        }
    }

    fn wire_mut(&mut self) -> &mut Wire {
        match &mut self.reader {
            Reader::Wire(wire) => wire,
            Reader::Library(library) => library.get_mut(),
            Reader::Moving => unreachable!("it moves within one function"),
        }
    }

    fn line(&self) -> &Arc<Line> {
        self.wire().line()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        loop {
            if let Some(text) = ready!(self.wire_mut().poll_text(cx)) {
                return Poll::Ready(Heard::Text(text));
            }
            let library = self.library();
            match library.poll_next_unpin(cx) {
                Poll::Ready(item) => {
                    if matches!(item, Some(Ok(Message::Ping(_) | Message::Close(_)))) {
                        // Its answer goes into the outgoing buffer now, not when the library is asked for more. Into memory, so
                        // at once; that the connection is closed then is no error here.
                        let _ = library.flush().now_or_never();
                    }
                    return Poll::Ready(heard(item, library.get_ref()));
                }
                Poll::Pending if library.get_ref().is_lent() => return Poll::Pending,
                Poll::Pending => self.without_library(),
            }
        }
    }

    fn library(&mut self) -> &mut WebSocketStream<Wire> {
        self.reader = match std::mem::replace(&mut self.reader, Reader::Moving) {
            Reader::Wire(wire) => {
                let role = match wire.line().side() {
                    Side::Server => Role::Server,
                    Side::Client => Role::Client,
                };
                let made = WebSocketStream::from_raw_socket(wire, role, Some(library_config())).now_or_never();
                Reader::Library(Box::new(made.expect("without a handshake it waits for nothing")))
            }
            reader => reader,
        };
        match &mut self.reader {
            Reader::Library(library) => library,
            Reader::Wire(_) | Reader::Moving => unreachable!("made above"),
        }
    }

    /// Only when the library has handled all that it was given.
    fn without_library(&mut self) {
        self.reader = match std::mem::replace(&mut self.reader, Reader::Moving) {
            Reader::Library(library) => Reader::Wire(library.into_inner()),
            reader => reader,
        };
    }
}

impl Socket {
    /// A WebSocket whose handshake is done. `early` is what the peer sent behind its head; `patience` is how long the peer may
    /// take nothing while something is to be written.
    pub(super) fn new(io: Stream, early: Vec<u8>, side: Side, limit: usize, patience: Duration) -> Self {
        Self::with(io, early, side, limit, patience, None)
    }

    /// The same, with what was agreed on for compression.
    pub(super) fn with(
        io: Stream,
        early: Vec<u8>,
        side: Side,
        limit: usize,
        patience: Duration,
        deflate: Option<Agreed>,
    ) -> Self {
        let mut wire = Wire::new(io, early, side, limit);
        if let Some(agreed) = deflate {
            wire.deflate(agreed, limit);
        }
        Self::Frames(Frames { reader: Reader::Wire(wire), patience })
    }

    /// Says how messages of the Hub become frames, once, before [`Self::send`]. Where it can, what fills the outbox is framed by
    /// whoever fills it, and for a tab written too.
    pub(super) fn serve(&mut self, mut serves: Serves, outbox: &Outbox) {
        match self {
            Self::Frames(frames) => {
                serves.deflate = frames.wire().agreed();
                let line = frames.line();
                outbox.attach(Arc::clone(line) as _);
                line.serve(serves);
            }
            Self::Hixie(hixie) => hixie.serve(serves),
        }
    }

    /// The next thing from the peer. Cancel safe.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self {
            Self::Frames(frames) => frames.poll_next(cx),
            Self::Hixie(hixie) => pin!(hixie.next()).poll(cx),
        }
    }

    /// The same, to be awaited. Cancel safe.
    pub(super) async fn next(&mut self) -> Heard {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next thing from the peer, if it is here already.
    pub(super) fn next_if_here(&mut self) -> Option<Heard> {
        if matches!(self, Self::Frames(frames) if frames.wire().is_dry()) {
            return None;
        }
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(heard) => Some(heard),
            Poll::Pending => None,
        }
    }

    /// Appends a text to what is written next.
    pub(super) fn put_text(&mut self, text: &Text) {
        match self {
            Self::Frames(frames) => frames.line().put_text(text),
            Self::Hixie(hixie) => hixie.put_text(text.as_bytes()),
        }
    }

    /// Appends a message of either kind, compressed where that was agreed on and pays.
    #[cfg(feature = "echo")]
    pub(super) fn put(&mut self, opcode: Opcode, payload: &[u8]) {
        if let Self::Frames(frames) = self {
            let packed = frames.wire().agreed().and_then(|agreed| super::deflate::pack::pack(payload, agreed));
            match packed {
                Some(packed) => frames.line().put_packed(opcode, &packed),
                None => frames.line().put(opcode, payload),
            }
        }
    }

    /// Appends a ping. False when this version has none.
    pub(super) fn put_ping(&mut self) -> bool {
        match self {
            Self::Frames(frames) => {
                frames.line().put(Opcode::Ping, b"");
                true
            }
            Self::Hixie(_) => false,
        }
    }

    /// Appends a close.
    pub(super) fn put_close(&mut self, reason: &CloseReason) {
        match self {
            Self::Frames(frames) => {
                frames.line().put(Opcode::Close, &frames::close_payload(reason.code, &reason.text));
            }
            Self::Hixie(hixie) => hixie.put_close(),
        }
    }

    /// Writes everything that waits here and in the outbox. Says whether the peer is to be closed now. Not cancel safe.
    ///
    /// # Errors
    /// When the peer takes nothing, or is gone.
    pub(super) async fn send(&mut self, outbox: &Outbox) -> Result<Option<CloseReason>, Stuck> {
        match self {
            Self::Frames(frames) => frames.line().send(Some(outbox), frames.patience).await,
            Self::Hixie(hixie) => hixie.send(outbox).await,
        }
    }

    /// Writes what waits here. Not cancel safe.
    ///
    /// # Errors
    /// When the peer takes nothing, or is gone.
    pub(super) async fn flush(&mut self) -> Result<(), Stuck> {
        match self {
            Self::Frames(frames) => frames.line().send(None, frames.patience).await.map(drop),
            Self::Hixie(hixie) => hixie.flush().await,
        }
    }

    /// From now on only last words are sent, by [`Self::flush`], and the peer may take nothing for so long.
    pub(super) fn retire(&mut self, patience: Duration) {
        match self {
            Self::Frames(frames) => {
                frames.line().retire();
                frames.patience = patience;
            }
            Self::Hixie(hixie) => hixie.set_patience(patience),
        }
    }

    /// Sets the largest message, for what begins from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        match self {
            Self::Frames(frames) => frames.wire_mut().set_limit(limit),
            Self::Hixie(hixie) => hixie.set_limit(limit),
        }
    }

    /// How many bytes came so far: a sign of life in the middle of a long message.
    pub(super) fn heard(&mut self) -> u64 {
        match self {
            Self::Frames(frames) => frames.wire_mut().guard().heard(),
            Self::Hixie(hixie) => hixie.heard(),
        }
    }

    /// Lets the kernel forget what was not sent. For a peer that does not read.
    pub(super) fn abandon(&self) {
        match self {
            Self::Frames(frames) => frames.wire().abandon(),
            Self::Hixie(hixie) => hixie.stream().abandon(),
        }
    }

    /// Ends our half and waits a little for the peer to end its own.
    pub(super) async fn linger(&mut self, time: Duration) {
        match self {
            Self::Frames(frames) => frames.wire_mut().linger(time).await,
            Self::Hixie(hixie) => hixie.linger(time).await,
        }
    }
}

/// Sizes are the guard's business, writing is the line's: both are without limit here.
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
        Some(Ok(Message::Binary(bytes))) => Heard::Binary(bytes),
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
