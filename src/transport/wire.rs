//! What stands between the socket and the WebSocket library. Reading goes through the [`Guard`]. Writing goes into one
//! buffer, the library's own frames (pongs, the echo of a close) and ours alike, and leaves in one write when
//! [`Wire::flush`] is called: so nothing is ever half written by one and overtaken by the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ctigate_proto::dialog::CloseReason;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::frames::{self, LONGEST_HEAD, Opcode, Side};
use super::guard::Guard;
use super::stream::Stream;

/// How many bytes are gathered before they are written.
pub(super) const GATHER: usize = 64 << 10;

/// A buffer above this is given back when it is empty.
const KEEP: usize = 4 << 10;

/// Why nothing could be written.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The peer took nothing for as long as it may.
    Slow,
    /// The socket failed.
    Broken(io::Error),
}

/// A socket with its guard and its outgoing buffer.
#[derive(Debug)]
pub(super) struct Wire {
    io: Stream,
    side: Side,
    guard: Guard,
    out: Vec<u8>,
    sent: usize,
    patience: Duration,
}

impl Wire {
    /// `patience` is how long the peer may take nothing while something is to be written.
    pub(super) fn new(io: Stream, side: Side, limit: usize, patience: Duration) -> Self {
        Self { io, side, guard: Guard::new(side, limit), out: Vec::new(), sent: 0, patience }
    }

    /// The rules for what comes in.
    pub(super) fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// The stream itself.
    pub(super) fn stream(&self) -> &Stream {
        &self.io
    }

    /// What the peer did wrong, if it did.
    pub(super) fn violation(&self) -> Option<&CloseReason> {
        self.guard.violation()
    }

    /// Appends a whole frame to what is written next.
    pub(super) fn put(&mut self, opcode: Opcode, payload: &[u8]) {
        frames::put(&mut self.out, self.side, opcode, payload);
    }

    /// How many bytes wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Writes a long text: its bytes go past the buffer in pieces, each with its own time limit.
    pub(super) async fn send_long(&mut self, text: &[u8]) -> Result<(), Stuck> {
        let key = self.side.mask_key();
        self.out.reserve(LONGEST_HEAD);
        frames::put_head(&mut self.out, Opcode::Text, text.len(), key);
        for (i, piece) in text.chunks(GATHER).enumerate() {
            let start = self.out.len();
            self.out.extend_from_slice(piece);
            if let Some(key) = key {
                frames::mask(&mut self.out[start..], key, i * GATHER);
            }
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what waits. Not cancel safe.
    ///
    /// # Errors
    /// [`Stuck::Slow`] when nothing moved for as long as the peer may take.
    pub(super) async fn flush(&mut self) -> Result<(), Stuck> {
        while self.sent < self.out.len() {
            // Nearly every write ends at once; only the others need a timer.
            let written = match self.io.write(&self.out[self.sent..]).now_or_never() {
                Some(written) => written,
                None => match timeout(self.patience, self.io.write(&self.out[self.sent..])).await {
                    Ok(written) => written,
                    Err(_) => return Err(Stuck::Slow),
                },
            };
            match written {
                Ok(0) => return Err(Stuck::Broken(io::ErrorKind::WriteZero.into())),
                Ok(n) => self.sent += n,
                Err(e) => return Err(Stuck::Broken(e)),
            }
        }
        let flushed = match self.io.flush().now_or_never() {
            Some(flushed) => flushed,
            None => match timeout(self.patience, self.io.flush()).await {
                Ok(flushed) => flushed,
                Err(_) => return Err(Stuck::Slow),
            },
        };
        self.sent = 0;
        self.out.clear();
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        flushed.map_err(Stuck::Broken)
    }

    /// Sets the patience for what is still to be written.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Ends our half and reads a little of what may still come, so that a reset does not eat our last words
    /// (RFC 9112 section 9.6).
    pub(super) async fn linger(&mut self, time: Duration) {
        linger(&mut self.io, time).await;
    }
}

/// Ends our half of a connection, then reads and drops what still comes until the peer's end, at most 64 KiB and `time` long.
pub(super) async fn linger(io: &mut Stream, time: Duration) {
    let drained = async {
        io.shutdown().await?;
        let mut rest = [0; 2048];
        for _ in 0..32 {
            if io.read(&mut rest).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    // Whatever happens, the connection is over.
    let _ = timeout(time, drained).await;
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.guard.violation().is_none() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut wire.io).poll_read(cx, buf))?;
            let good = wire.guard.inspect(&mut buf.filled_mut()[before..]);
            if good > 0 || wire.guard.violation().is_none() {
                buf.set_filled(before + good);
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the peer broke the rules of frames")))
    }
}

/// Takes what the library writes; it leaves with the next [`Wire::flush`].
impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.out.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
