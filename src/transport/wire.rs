//! What stands between the socket and the WebSocket library.
//!
//! Reading takes all that the kernel has, into one large buffer of the thread, lets the [`Guard`] look at it, and hands the
//! library its small pieces: so a burst is one call to the kernel, and a quiet connection holds no large buffer.
//!
//! Writing goes into one buffer, the library's own frames (pongs, the echo of a close) and ours alike, and leaves in one write
//! when [`Wire::flush`] is called: so nothing is ever half written by one and overtaken by the other.

use std::cell::RefCell;
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

/// How many bytes are read at once.
const READ: usize = 64 << 10;

thread_local! {
    /// What the kernel's bytes are read into, by whichever connection reads on this thread.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A buffer above this is given back when it is empty.
const KEEP: usize = 512;

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
    /// What was read and looked at, and did not fit into what the library asked for. Empty but in a burst.
    held: Vec<u8>,
    given: usize,
    out: Vec<u8>,
    sent: usize,
    patience: Duration,
}

impl Wire {
    /// `patience` is how long the peer may take nothing while something is to be written.
    pub(super) fn new(io: Stream, side: Side, limit: usize, patience: Duration) -> Self {
        let guard = Guard::new(side, limit);
        Self { io, side, guard, held: Vec::new(), given: 0, out: Vec::new(), sent: 0, patience }
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
        // Nearly every write ends at once; only the others need a timer.
        let flushed = match self.write_out().now_or_never() {
            Some(flushed) => flushed,
            None => {
                let patience = self.patience;
                Box::pin(timeout(patience, self.write_out())).await.map_err(|_| Stuck::Slow)?
            }
        };
        self.sent = 0;
        self.out.clear();
        if self.out.capacity() > KEEP {
            self.out = Vec::new();
        }
        flushed.map_err(Stuck::Broken)
    }

    /// Writes what is left. Cancel safe: `sent` says how far it came.
    async fn write_out(&mut self) -> io::Result<()> {
        while self.sent < self.out.len() {
            match self.io.write(&self.out[self.sent..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.sent += written,
            }
        }
        self.io.flush().await
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

impl Wire {
    /// Hands out of what is held.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.held[self.given..];
        let given = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..given]);
        self.given += given;
        if self.given == self.held.len() {
            self.held = Vec::new();
            self.given = 0;
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.held.is_empty() && wire.guard.violation().is_none() {
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let mut all = ReadBuf::new(scratch);
                ready!(Pin::new(&mut wire.io).poll_read(cx, &mut all))?;
                let good = wire.guard.inspect(all.filled_mut());
                let good = &all.filled()[..good];
                let (now, later) = good.split_at(good.len().min(buf.remaining()));
                buf.put_slice(now);
                wire.held.extend_from_slice(later);
                Poll::Ready(io::Result::Ok(good.len()))
            });
            let good = ready!(read)?;
            if good > 0 || wire.guard.violation().is_none() {
                return Poll::Ready(Ok(()));
            }
        }
        if !wire.held.is_empty() {
            wire.give(buf);
            return Poll::Ready(Ok(()));
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
