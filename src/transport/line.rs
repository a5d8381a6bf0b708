//! The way out to one peer. Everything that is sent to it is framed here, in one order: what its own task says (pongs, pings,
//! replies of its dialog, the close) and what the Hub sends.
//!
//! Two may write: whoever filled the peer's outbox, at once and as far as the socket takes it ([`Taker`]); and the connection's
//! own task, which waits where the socket takes no more. Messages are taken from the outbox under the same lock under which
//! they are framed, so neither overtakes the other. Whoever only fills never waits: what is locked or stuck is left to the owner.
//! To a link many have something to say: each frames its own, while it is at hand, and the link's task sends it all by one write.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use ctigate_proto::codec;
use ctigate_proto::dialog::{CloseReason, Writer};
use ctigate_proto::message::{Shared, Text};
use tokio::time::timeout;

use crate::engine::Outbox;
use crate::engine::outbox::{Taken, Taker};
use crate::telemetry::Telemetry;

use super::deflate::Agreed;
use super::deflate::pack::pack;
use super::frames::{self, LONGEST_HEAD, Opcode, Side};
use super::sink::Sink;

/// How many bytes are gathered before they are written.
pub(super) const GATHER: usize = 64 << 10;

/// So many full buffers whoever fills a link's outbox writes at most.
const MOST_BUFFERS: usize = 8;

/// A buffer above this is not kept for the next.
const KEEP: usize = 2 * GATHER;

/// A small one is at most this long, and so many of them are kept.
const KEEP_SMALL: usize = 4 << 10;
const SMALLS: usize = 64;

thread_local! {
    /// The buffer that frames are gathered in, by whichever link is written to on this thread. A connection holds one only while its
    /// peer has not taken all.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };

    /// Small ones, for tabs: whoever has something for many of them makes many ready before it writes the first.
    static SMALL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };

    /// What is taken from an outbox to be framed at once lies here.
    static TAKEN: Cell<VecDeque<Arc<Shared>>> = const { Cell::new(VecDeque::new()) };
}

/// Why nothing could be written.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The peer took nothing for as long as it may.
    Slow,
    /// The socket failed.
    Broken(io::Error),
}

/// How messages of the Hub become frames for this peer.
#[derive(Debug)]
pub(super) struct Serves {
    /// How it is written to; `None`: it has no format, and nothing is sent.
    pub writer: Option<Writer>,
    /// Where what was sent is counted.
    pub telemetry: Telemetry,
    /// As which kind.
    pub is_link: bool,
    /// What was agreed on for compression. [`super::socket::Socket::serve`] puts it in.
    pub deflate: Option<Agreed>,
}

/// A message, or a packet of one, on its way to this peer.
pub(super) enum Payload<'a> {
    Text(&'a Text),
    /// Compressed.
    Packed(Bytes),
}

impl Serves {
    /// Hands on the texts of a message, in order. The one place where a message for a peer becomes bytes.
    pub(super) fn texts(&self, message: &Shared, text: impl FnMut(&Text)) {
        if let Some(writer) = &self.writer {
            writer.write(message, guid, text);
        }
    }

    /// The same, compressed where that was agreed on and pays: a message to many once, however many of them take it so.
    fn payloads(&self, message: &Shared, mut payload: impl FnMut(Payload<'_>)) {
        let Some(agreed) = self.deflate else { return self.texts(message, |text| payload(Payload::Text(text))) };
        let Some(writer) = &self.writer else { return };
        writer.write(message, guid, |text| {
            let is_whole = std::ptr::eq(text, codec::outgoing::text(message, writer.format));
            let packed = if is_whole && agreed.is_largest() {
                message.packed(writer.format, || pack(text.as_bytes(), agreed))
            } else {
                pack(text.as_bytes(), agreed)
            };
            payload(packed.map_or(Payload::Text(text), Payload::Packed));
        });
    }

    pub(super) fn count(&self, sent: u64) {
        if sent > 0 {
            self.telemetry.metrics().traffic(self.is_link).sent.add(sent);
        }
    }
}

/// A GUID for a set of packets.
fn guid() -> Text {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    id.hyphenated().encode_upper(&mut uuid::Uuid::encode_buffer()).to_owned().into()
}

/// The way out.
#[derive(Debug)]
pub(super) struct Line {
    side: Side,
    serves: OnceLock<Serves>,
    out: Mutex<Out>,
}

#[derive(Debug)]
struct Out {
    /// `None` when the connection is over.
    sink: Option<Sink>,
    /// Frames on their way, and how many of their bytes are gone.
    bytes: Vec<u8>,
    sent: usize,
    /// What is framed after them: behind a long text, or too long to be copied as a whole.
    later: Queued,
    /// Messages that were taken from the outbox and come after that.
    messages: VecDeque<Arc<Shared>>,
    /// Whether the connection's own task sees to what is left, and looks into the outbox again before it rests.
    kept: bool,
    /// Whether nobody else may write any more.
    retired: bool,
    /// Whether much is written at once, by the connection's own task alone: a link.
    wide: bool,
}

#[derive(Debug)]
enum Later {
    Text(Text),
    Framed(Vec<u8>),
}

/// Mostly nothing, and then no more than a word of a quiet connection's memory.
#[derive(Debug, Default)]
struct Queued(Option<Box<Row>>);

#[derive(Debug, Default)]
struct Row {
    all: VecDeque<Later>,
    /// How far the first is, if it is begun, and its mask.
    begun: Option<(usize, Option<[u8; 4]>)>,
}

impl Queued {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn push_back(&mut self, later: Later) {
        self.0.get_or_insert_default().all.push_back(later);
    }

    fn pop_front(&mut self) {
        self.0.take_if(|row| {
            row.all.pop_front();
            row.all.is_empty()
        });
    }
}

/// What a try to write ended in.
enum Tried {
    /// All is written; whether the peer is to be closed now.
    Done(Option<CloseReason>),
    /// More is there than one may write in one go.
    More,
    /// The socket takes no more now.
    Blocked,
}

/// What is in the buffer now.
enum Gathered {
    /// All there is, and what the outbox says of a close.
    All(Option<CloseReason>),
    /// As much as is written at once.
    Some,
}

impl Line {
    pub(super) fn new(sink: Sink, side: Side) -> Arc<Self> {
        let out = Out {
            sink: Some(sink),
            bytes: Vec::new(),
            sent: 0,
            later: Queued::default(),
            messages: VecDeque::new(),
            kept: false,
            retired: false,
            wide: false,
        };
        Arc::new(Self { side, serves: OnceLock::new(), out: Mutex::new(out) })
    }

    pub(super) fn side(&self) -> Side {
        self.side
    }

    /// Says how messages become frames, once, before any is sent.
    pub(super) fn serve(&self, serves: Serves) {
        self.even_broken().wide = serves.is_link;
        let _ = self.serves.set(serves);
    }

    /// Appends a whole frame to what is written next.
    pub(super) fn put(&self, opcode: Opcode, payload: &[u8]) {
        self.even_broken().put(self.side, opcode, payload);
    }

    /// Appends a whole frame that is a compressed message.
    #[cfg(feature = "echo")]
    pub(super) fn put_packed(&self, opcode: Opcode, payload: &[u8]) {
        self.even_broken().put_packed(self.side, opcode, payload);
    }

    /// Appends frames that somebody else has made.
    pub(super) fn put_framed(&self, frames: &[u8]) {
        self.even_broken().put_framed(frames);
    }

    /// Appends a text, which may be long.
    pub(super) fn put_text(&self, text: &Text) {
        self.even_broken().put_text(self.side, text);
    }

    /// Writes all that waits, and what is in the outbox, until nothing is left. Says whether the peer is to be closed now. Only
    /// for the connection's own task. Not cancel safe.
    ///
    /// # Errors
    /// [`Stuck::Slow`] when a piece was not taken for as long as `patience`.
    pub(super) async fn send(&self, outbox: Option<&Outbox>, patience: Duration) -> Result<Option<CloseReason>, Stuck> {
        loop {
            match self.lock().and_then(|mut out| out.try_all(self, outbox, usize::MAX)).map_err(Stuck::Broken)? {
                Tried::Done(close) => return Ok(close),
                Tried::More | Tried::Blocked => {}
            }
            // Nearly every write ends at once; only the others need a timer.
            let gone = poll_fn(|cx| self.poll_gone(cx));
            Box::pin(timeout(patience, gone)).await.map_err(|_| Stuck::Slow)?.map_err(Stuck::Broken)?;
        }
    }

    /// From now on nobody but the connection's own task writes.
    pub(super) fn retire(&self) {
        self.even_broken().retired = true;
    }

    /// Opens what was received, where TLS is between us; see [`Sink::open`].
    pub(super) fn open(&self, received: &[u8], plain: &mut Vec<u8>) -> io::Result<bool> {
        let mut out = self.lock()?;
        let Some(sink) = &mut out.sink else { return Err(over()) };
        let opened = sink.open(received, plain);
        if sink.has_own_words() {
            // What does not go now goes with the next that is written.
            match sink.try_flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return opened.and(Err(error)),
                _ => {}
            }
        }
        opened
    }

    /// Ends our half of the connection.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        self.lock()?.sink.as_mut().map_or(Ok(()), Sink::shutdown)
    }

    /// Ends the connection, whoever still holds this.
    pub(super) fn cut(&self) {
        let mut out = self.even_broken();
        out.retired = true;
        out.sink = None;
        out.bytes = Vec::new();
        out.later = Queued::default();
        out.messages = VecDeque::new();
    }

    /// Done when what was gathered is written.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = self.lock()?;
        loop {
            if out.write()? {
                return Poll::Ready(Ok(()));
            }
            let Some(sink) = &mut out.sink else { return Poll::Ready(Err(over())) };
            ready!(sink.poll_ready(cx))?;
        }
    }

    /// A frame that a panic left half made must not be followed by another.
    fn lock(&self) -> io::Result<MutexGuard<'_, Out>> {
        self.out.lock().map_err(|_| io::Error::other("a task panicked while it wrote"))
    }

    /// For what is never sent when that has happened.
    fn even_broken(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taker for Line {
    fn take(&self, outbox: &Outbox) -> Taken {
        let Ok(mut out) = self.out.try_lock() else { return Taken::Left };
        if out.kept || out.retired {
            return Taken::Nothing;
        }
        let mut gathered = out.gather(self, Some(outbox));
        // Where a buffer is full, what follows is to be framed while it is at hand too.
        for _ in 0..MOST_BUFFERS {
            if !out.wide || matches!(gathered, Gathered::All(_)) || !matches!(out.write(), Ok(true)) {
                break;
            }
            gathered = out.gather(self, Some(outbox));
        }
        match gathered {
            Gathered::All(None) if out.waiting() == 0 => Taken::Nothing,
            // Sent together with what others have to say.
            Gathered::All(None) if out.wide => Taken::Left,
            Gathered::All(None) => Taken::Ready,
            Gathered::All(Some(_)) | Gathered::Some => {
                out.kept = true;
                Taken::Left
            }
        }
    }

    fn send(&self) -> bool {
        let Ok(mut out) = self.out.try_lock() else { return false };
        if out.kept || out.retired {
            return true;
        }
        let done = matches!(out.write(), Ok(true));
        out.kept |= !done;
        done
    }
}

fn over() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the connection is over")
}

impl Out {
    /// Gathers and writes, at most `rounds` times.
    fn try_all(&mut self, line: &Line, outbox: Option<&Outbox>, rounds: usize) -> io::Result<Tried> {
        for _ in 0..rounds {
            let gathered = self.gather(line, outbox);
            if !self.write()? {
                self.kept = true;
                return Ok(Tried::Blocked);
            }
            if let Gathered::All(close) = gathered {
                self.kept = false;
                return Ok(Tried::Done(close));
            }
        }
        Ok(Tried::More)
    }

    /// Frames what comes next, about as much as is written at once.
    fn gather(&mut self, line: &Line, outbox: Option<&Outbox>) -> Gathered {
        let (mut looked, mut count) = (None, 0);
        let gathered = loop {
            self.frame_later(line.side);
            if self.waiting() >= GATHER {
                break Gathered::Some;
            }
            if let Some(message) = self.messages.pop_front() {
                if let Some(serves) = line.serves.get() {
                    if self.put_alone(line.side, serves, &message) {
                        count += 1;
                        continue;
                    }
                    serves.payloads(&message, |payload| match payload {
                        Payload::Text(text) => self.put_text(line.side, text),
                        Payload::Packed(packed) => self.put_packed(line.side, Opcode::Text, &packed),
                    });
                    count += 1;
                }
                continue;
            }
            match (outbox, looked.take()) {
                (Some(outbox), None) => {
                    if self.messages.capacity() == 0 {
                        self.messages = TAKEN.take();
                    }
                    looked = Some(outbox.take(&mut self.messages));
                }
                (_, close) => break Gathered::All(close.flatten()),
            }
        };
        if let Some(serves) = line.serves.get() {
            serves.count(count);
        }
        if self.messages.is_empty() {
            let messages = std::mem::take(&mut self.messages);
            if messages.capacity() <= 1024 {
                TAKEN.set(messages);
            }
        }
        gathered
    }

    fn waiting(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// Takes the thread's buffer, if it holds none.
    fn begin(&mut self) {
        if self.bytes.capacity() == 0 {
            self.bytes = if self.wide { SPARE.take() } else { SMALL.with_borrow_mut(Vec::pop).unwrap_or_default() };
        }
    }

    fn put(&mut self, side: Side, opcode: Opcode, payload: &[u8]) {
        if self.later.is_empty() {
            self.begin();
            frames::put(&mut self.bytes, side, opcode, payload);
        } else {
            let mut framed = Vec::new();
            frames::put(&mut framed, side, opcode, payload);
            self.later.push_back(Later::Framed(framed));
        }
    }

    fn put_framed(&mut self, frames: &[u8]) {
        if self.later.is_empty() {
            self.begin();
            self.bytes.extend_from_slice(frames);
        } else {
            self.later.push_back(Later::Framed(frames.to_vec()));
        }
    }

    fn put_text(&mut self, side: Side, text: &Text) {
        if self.later.is_empty() && text.len() <= GATHER && self.waiting() <= GATHER {
            self.begin();
            frames::put(&mut self.bytes, side, Opcode::Text, text.as_bytes());
        } else {
            self.later.push_back(Later::Text(text.clone()));
        }
    }

    /// A message that nobody else waits for, short and not compressed, is written where it is sent from. False: it is not of that kind.
    fn put_alone(&mut self, side: Side, serves: &Serves, message: &Arc<Shared>) -> bool {
        let Some(writer) = serves.writer.as_ref().filter(|_| serves.deflate.is_none()) else { return false };
        if Arc::strong_count(message) > 1 || !self.later.is_empty() || self.waiting() > GATHER {
            return false;
        }
        let Some(expected) = writer.expected(message).filter(|expected| *expected <= GATHER) else { return false };
        self.begin();
        frames::put_by(&mut self.bytes, side, Opcode::Text, expected, |out| writer.append(message, out));
        true
    }

    fn put_packed(&mut self, side: Side, opcode: Opcode, payload: &[u8]) {
        if self.later.is_empty() && payload.len() <= GATHER && self.waiting() <= GATHER {
            self.begin();
            frames::put_packed(&mut self.bytes, side, opcode, payload);
        } else {
            let mut framed = Vec::new();
            frames::put_packed(&mut framed, side, opcode, payload);
            self.later.push_back(Later::Framed(framed));
        }
    }

    /// Frames what had to wait, a piece at a time: a long text is never here as a whole copy.
    fn frame_later(&mut self, side: Side) {
        while self.waiting() < GATHER {
            if self.later.is_empty() {
                return;
            }
            self.begin();
            let Some(Row { all, begun }) = self.later.0.as_deref_mut() else { return };
            match all.front() {
                None => return,
                Some(Later::Framed(frames)) => self.bytes.extend_from_slice(frames),
                Some(Later::Text(text)) => {
                    let (done, key) = match *begun {
                        Some(begun) => begun,
                        None => {
                            let key = side.mask_key();
                            self.bytes.reserve(LONGEST_HEAD);
                            frames::put_head(&mut self.bytes, Opcode::Text, text.len(), key);
                            (0, key)
                        }
                    };
                    let room = GATHER.saturating_sub(self.bytes.len() - self.sent).max(1);
                    let piece = &text.as_bytes()[done..text.len().min(done.saturating_add(room))];
                    let start = self.bytes.len();
                    self.bytes.extend_from_slice(piece);
                    if let Some(key) = key {
                        frames::mask(&mut self.bytes[start..], key, done);
                    }
                    let done = done + piece.len();
                    *begun = (done < text.len()).then_some((done, key));
                }
            }
            if begun.is_none() {
                self.later.pop_front();
            }
        }
    }

    /// Writes what was gathered, as far as the socket takes it. False when something is left.
    fn write(&mut self) -> io::Result<bool> {
        let Some(sink) = &mut self.sink else { return Err(over()) };
        let all = |sink: &mut Sink, bytes: &[u8], sent: &mut usize| {
            while *sent < bytes.len() {
                match sink.try_write(&bytes[*sent..]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(n) => *sent += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            sink.try_flush()
        };
        match all(sink, &self.bytes, &mut self.sent) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        self.sent = 0;
        if self.bytes.capacity() > 0 {
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            if bytes.capacity() <= KEEP_SMALL {
                SMALL.with_borrow_mut(|small| {
                    if small.len() < SMALLS {
                        small.push(bytes);
                    }
                });
                return Ok(true);
            }
            let spare = SPARE.take();
            SPARE.set(if (spare.capacity()..=KEEP).contains(&bytes.capacity()) { bytes } else { spare });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
