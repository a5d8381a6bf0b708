//! What stands between the socket and the WebSocket library, on the way in. The way out is the [`Line`].
//!
//! Reading takes all that the kernel has, into a large buffer of the thread: so a burst is one call to the kernel, and a quiet
//! connection holds no buffer at all. A text that is here as one whole frame is taken out at once ([`Wire::poll_text`]), after
//! the [`Guard`]'s checks. Everything else (control frames, fragments, what is cut by the end of a read) goes by the guard to
//! whoever reads the wire as an [`AsyncRead`]: the library. What the library writes by itself (pongs, the echo of a close) is
//! framed already and goes to the line.

use std::cell::{Cell, RefCell};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Text;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::deflate::{Agreed, Unpacker};
use super::frames::Side;
use super::guard::Guard;
use super::line::Line;
use super::sink::{self, Source};
use super::stream::Stream;

/// How many bytes are read at once.
const READ: usize = 64 << 10;

/// Where the kernel's bytes are read into, and what TLS makes of them.
struct Scratch {
    received: Vec<u8>,
    opened: Vec<u8>,
}

thread_local! {
    /// Of whichever connection reads on this thread. What is received has always room for [`READ`] bytes.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch { received: vec![0; READ], opened: Vec::new() });

    /// What becomes the scratch when the rest of a burst stays where it was received: a large piece of the heap that comes and goes with
    /// every burst makes the allocator tidy up each time.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What was read and nobody has looked at. Empty, and without a piece of the heap, but in a burst.
#[derive(Debug, Default)]
struct Rest {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Rest {
    fn of(bytes: Vec<u8>) -> Self {
        Self { from: 0, to: bytes.len(), bytes }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.from..self.to]
    }

    /// Keeps what stands at a place in what was received: much of it by taking the buffer, which another replaces. Whoever sends a piece of a
    /// frame and then nothing must not sit on a large one. Only when nothing is kept.
    fn keep(&mut self, received: &mut Vec<u8>, place: Range<usize>) {
        if place.is_empty() {
            return;
        }
        if place.len() < received.capacity() / 4 {
            *self = Self::of(received[place].to_vec());
            return;
        }
        let mut spare = SPARE.take();
        spare.resize(received.len(), 0);
        *self = Self { bytes: std::mem::replace(received, spare), from: place.start, to: place.end };
    }

    /// So many bytes were looked at.
    fn skip(&mut self, looked: usize) {
        self.from += looked;
        if self.is_empty() {
            let bytes = std::mem::take(self).bytes;
            if (READ / 2..=2 * READ).contains(&bytes.capacity()) {
                SPARE.set(bytes);
            }
        }
    }
}

/// The way in, with its guard.
#[derive(Debug)]
pub(super) struct Wire {
    source: Source,
    line: Arc<Line>,
    tls: bool,
    guard: Guard,
    /// Where compression was agreed on.
    packing: Option<Box<Packing>>,
    raw: Rest,
    /// Whether whoever reads the wire may hold bytes: set when it was given some, until it asks for more between two messages.
    lent: bool,
    /// Whether TLS may hold something from before the wire began.
    before: bool,
    end: Option<End>,
}

/// What a connection with compression has besides: between guard and library, the unpacker.
#[derive(Debug)]
struct Packing {
    agreed: Agreed,
    unpacker: Unpacker,
    /// What came out and did not fit into what the library asked for, and how much of it was given.
    held: Vec<u8>,
    given: usize,
}

impl Packing {
    /// Gives of what is held; false when nothing is.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let rest = &self.held[self.given..];
        let given = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..given]);
        self.given += given;
        if self.given == self.held.len() {
            self.held = Vec::new();
            self.given = 0;
        }
        given > 0
    }
}

/// Nothing follows.
#[derive(Debug)]
enum End {
    Ended,
    Failed(Option<io::Error>),
}

impl Wire {
    /// `early` is what was read from the stream already. A message is at most `limit` bytes.
    pub(super) fn new(io: Stream, early: Vec<u8>, side: Side, limit: usize) -> Self {
        let tls = io.is_tls();
        let (source, sink) = sink::split(io);
        let line = Line::new(sink, side);
        let guard = Guard::new(side, limit);
        Self { source, line, tls, guard, packing: None, raw: Rest::of(early), lent: false, before: tls, end: None }
    }

    /// The way out.
    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Lets compressed messages come and go. Before anything is read.
    pub(super) fn deflate(&mut self, agreed: Agreed, limit: usize) {
        self.guard.allow_packed();
        let unpacker = Unpacker::new(self.line.side(), limit);
        self.packing = Some(Box::new(Packing { agreed, unpacker, held: Vec::new(), given: 0 }));
    }

    /// What was agreed on for compression.
    pub(super) fn agreed(&self) -> Option<Agreed> {
        self.packing.as_ref().map(|packing| packing.agreed)
    }

    /// Changes the size limit for what begins from now on.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.guard.set_limit(limit);
        if let Some(packing) = &mut self.packing {
            packing.unpacker.set_limit(limit);
        }
    }

    /// The rules for what comes in.
    pub(super) fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }

    /// What the peer did wrong, if it did.
    pub(super) fn violation(&self) -> Option<&CloseReason> {
        self.guard.violation()
    }

    /// Whether whoever reads the wire may hold a piece of a message.
    pub(super) fn is_lent(&self) -> bool {
        self.lent
    }

    /// Whether all that was read has been handled; then nothing more is here before the kernel says so.
    pub(super) fn is_dry(&self) -> bool {
        self.raw.is_empty() && !self.lent && !self.before && self.end.is_none()
    }

    /// The next text, if it is here as one whole frame; waits for the kernel. `None`: what comes next is for whoever reads the
    /// wire. Cancel safe.
    pub(super) fn poll_text(&mut self, cx: &mut Context<'_>) -> Poll<Option<Text>> {
        if self.lent || self.violation().is_some() {
            return Poll::Ready(None);
        }
        if self.raw.is_empty() && self.end.is_none() {
            return SCRATCH.with_borrow_mut(|scratch| {
                let (received, length) = ready!(self.poll_receive(cx, scratch));
                let (taken, text) = whole_text(&mut self.guard, self.packing.as_deref(), &mut received[..length]);
                self.raw.keep(received, taken..length);
                Poll::Ready(text)
            });
        }
        let (taken, text) = whole_text(&mut self.guard, self.packing.as_deref(), self.raw.bytes());
        self.raw.skip(taken);
        Poll::Ready(text)
    }

    /// Reads once from the kernel: gives the buffer, and how many bytes at its beginning were received. None: that was the end.
    fn poll_receive<'a>(&mut self, cx: &mut Context<'_>, scratch: &'a mut Scratch) -> Poll<(&'a mut Vec<u8>, usize)> {
        let Scratch { received, opened } = scratch;
        opened.clear();
        loop {
            let mut all = ReadBuf::new(received);
            if !std::mem::take(&mut self.before) {
                match ready!(Pin::new(&mut self.source).poll_read(cx, &mut all)) {
                    Ok(()) if all.filled().is_empty() => self.end = Some(End::Ended),
                    Ok(()) => {}
                    Err(error) => self.end = Some(End::Failed(Some(error))),
                }
                if self.end.is_some() {
                    return Poll::Ready((received, 0));
                }
                if !self.tls {
                    let length = all.filled().len();
                    return Poll::Ready((received, length));
                }
            }
            match self.line.open(all.filled(), opened) {
                Ok(false) => {}
                // An end of TLS is an end of all: frames know their own length.
                Ok(true) => self.end = Some(End::Ended),
                Err(error) => self.end = Some(End::Failed(Some(error))),
            }
            // A piece of a record is nothing yet.
            if self.end.is_some() || !opened.is_empty() {
                let length = opened.len();
                return Poll::Ready((opened, length));
            }
        }
    }

    /// Lets the kernel forget what was not sent. For a peer that does not read.
    pub(super) fn abandon(&self) {
        self.source.abandon();
    }

    /// Ends our half and reads a little of what may still come, so that a reset does not eat our last words
    /// (RFC 9112 section 9.6).
    pub(super) async fn linger(&mut self, time: Duration) {
        if self.line.shutdown().is_ok() {
            // Whatever happens, the connection is over.
            let _ = timeout(time, drained(&mut self.source)).await;
        }
    }
}

/// The text at the front, compressed or not, if it is here as one whole frame, and how many bytes it took.
fn whole_text(guard: &mut Guard, packing: Option<&Packing>, bytes: &mut [u8]) -> (usize, Option<Text>) {
    if let Some(packing) = packing
        && let Some(payload) = guard.whole_packed(bytes)
    {
        let taken = payload.end;
        return match packing.unpacker.whole_text(&bytes[payload]) {
            Ok(text) => (taken, Some(text)),
            Err(reason) => {
                guard.accuse(reason);
                (taken, None)
            }
        };
    }
    guard.whole_text(bytes)
}

/// The socket is closed when its connection's task is over, whoever still holds the line.
impl Drop for Wire {
    fn drop(&mut self) {
        self.line.cut();
    }
}

/// Ends our half of a connection, then reads and drops what still comes until the peer's end, at most 64 KiB and `time` long.
pub(super) async fn linger(io: &mut Stream, time: Duration) {
    let over = async {
        io.shutdown().await?;
        drained(io).await
    };
    // Whatever happens, the connection is over.
    let _ = timeout(time, over).await;
}

async fn drained(io: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut rest = [0; 2048];
    for _ in 0..32 {
        if io.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// What is no whole text, unmasked and checked. Between two messages it gives nothing and wakes nobody: [`Wire::poll_text`] is to be
/// asked then, which may find a text that whoever reads here never sees.
impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if wire.packing.as_mut().is_some_and(|packing| packing.give(buf)) {
            wire.lent = true;
            return Poll::Ready(Ok(()));
        }
        let is_over = wire.raw.is_empty() && wire.end.is_some();
        if wire.lent && wire.guard.is_between_messages() && !is_over {
            wire.lent = false;
            return Poll::Pending;
        }
        loop {
            if wire.raw.is_empty() && wire.end.is_none() && wire.violation().is_none() {
                ready!(SCRATCH.with_borrow_mut(|scratch| {
                    let (received, length) = ready!(wire.poll_receive(cx, scratch));
                    wire.raw.keep(received, 0..length);
                    Poll::Ready(())
                }));
            }
            if wire.raw.is_empty() || wire.violation().is_some() {
                break;
            }
            let rest = wire.raw.bytes();
            let length = rest.len().min(buf.remaining());
            let good = wire.guard.inspect(&mut rest[..length]);
            match &mut wire.packing {
                None => buf.put_slice(&rest[..good]),
                Some(packing) => {
                    if let Err(reason) = packing.unpacker.take(&rest[..good], &mut packing.held) {
                        wire.guard.accuse(reason);
                    }
                    packing.give(buf);
                }
            }
            wire.raw.skip(length);
            wire.lent = true;
            if !buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        match &mut wire.end {
            _ if wire.guard.violation().is_some() => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the peer broke the rules of frames")))
            }
            Some(End::Failed(error)) => {
                Poll::Ready(Err(error.take().unwrap_or_else(|| io::ErrorKind::NotConnected.into())))
            }
            Some(End::Ended) | None => Poll::Ready(Ok(())),
        }
    }
}

/// Takes what the library writes, whole frames; it leaves with what is sent next.
impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line.put_framed(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
