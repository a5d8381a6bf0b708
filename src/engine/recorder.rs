//! Writes down what goes into the Hub and what comes out ([`crate::capture`]): into a file from the beginning of the node, and into
//! memory for whoever wants to look at a while of it. Costs one atomic read a visit while nobody records.
//!
//! Nobody waits for a disk: lines go to a thread of their own, and when it does not keep up the capture ends and says so. Every capture
//! has a bound; a file that reached it ends too.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use ctigate_proto::Time;
use ctigate_proto::hub::settings::Settings;
use ctigate_proto::hub::{Hub, Input, Output};
use ctigate_proto::message::{Envelope, PeerId, Text};

use crate::capture::line::Kept;
use crate::capture::{About, Scribe};

use super::tap::Filter;

/// Lines that wait for the disk.
const WAITING: usize = 65_536;
/// How often what was written is handed to the system.
const FLUSH: Duration = Duration::from_secs(1);
/// Room that is left for the last line.
const LAST: u64 = 4096;
/// Captures in memory, and how large each may become.
const MOST: usize = 8;
const LARGEST: usize = 32 << 20;

/// A capture that is begun with a node: it plays.
#[derive(Debug)]
pub struct Tape {
    scribe: Scribe,
    file: Disk,
}

impl Tape {
    /// Begins a file of at most `most` bytes; nothing may have happened to the Hub yet. `salt` must come from the system's generator.
    ///
    /// # Errors
    /// The file is there already, or cannot be made.
    pub fn begin(path: &Path, most: u64, hub: &mut Hub, settings: &Settings, salt: [u8; 32]) -> io::Result<Self> {
        let mut file = Disk::open(path, most)?;
        file.put(Scribe::head(settings.wall_ms, Some((settings, hub.begin_twin()))));
        Ok(Self { scribe: Scribe::new(salt), file })
    }

    /// What the store gives back to the Hub.
    pub fn kept(&mut self, kept: Kept) {
        let line = self.scribe.kept(kept);
        self.file.put(line);
    }
}

/// A capture in memory.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Which.
    pub id: u64,
    /// Since when, milliseconds since 1970.
    pub begun_ms: i64,
    /// What it is narrowed to.
    pub filter: Filter,
    /// Whether it goes on.
    pub runs: bool,
    /// How large it is.
    pub bytes: usize,
}

/// What somebody wants captured.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of these; what is empty does not narrow.
    pub filter: Filter,
    /// Whether what the telephone system says belongs to it though it is nobody's.
    pub pbx: bool,
    /// How long it runs at most.
    pub longest: Duration,
}

/// All captures of a node.
#[derive(Debug)]
pub(super) struct Recorder {
    on: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    scribe: Scribe,
    file: Option<Disk>,
    memory: Vec<Capture>,
    next: u64,
}

#[derive(Debug)]
struct Capture {
    wanted: Wanted,
    until: Time,
    lines: Vec<u8>,
    about: Captured,
}

/// Who a peer is.
pub(super) type Whose = (Text, Text);

impl Recorder {
    /// `salt` for captures without a tape.
    pub(super) fn new(tape: Option<Tape>, salt: [u8; 32]) -> Self {
        let (scribe, file) = match tape {
            Some(Tape { scribe, file }) => (scribe, Some(file)),
            None => (Scribe::new(salt), None),
        };
        let on = AtomicBool::new(file.is_some());
        Self { on, inner: Mutex::new(Inner { scribe, file, memory: Vec::new(), next: 1 }) }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(super) fn input(&self, now: Time, input: &Input, whose: impl Fn(PeerId) -> Whose) {
        let peer = match input {
            Input::Received { peer, .. }
            | Input::Undelivered { peer, .. }
            | Input::EventsLost { peer }
            | Input::Closed { peer, .. }
            | Input::Opened { peer, .. } => Some(*peer),
            _ => None,
        };
        let message = match input {
            Input::Received { envelope, .. } => Some(envelope),
            _ => None,
        };
        let of_pbx = matches!(input, Input::Pbx(_));
        let mut inner = self.lock();
        let Inner { scribe, file, memory, .. } = &mut *inner;
        let whose = Whom::of(peer.as_slice(), message, whose);
        put(now, file, memory, &whose, of_pbx, |about| scribe.input(now, input, about));
        self.settle(now, &mut inner);
    }

    pub(super) fn time(&self, now: Time) {
        let mut inner = self.lock();
        if let Some(file) = &mut inner.file {
            file.put(Scribe::time(now));
        }
        self.settle(now, &mut inner);
    }

    /// What the Hub has made, and what comes out of it.
    pub(super) fn output(&self, now: Time, twins: Vec<(Text, Text)>, output: &Output, whose: impl Fn(PeerId) -> Whose) {
        let mut inner = self.lock();
        let Inner { scribe, file, memory, .. } = &mut *inner;
        scribe.learn(twins);
        let (peers, message) = match output {
            Output::Send { to, message } | Output::SendOnceKept { to, message } => {
                (std::slice::from_ref(to), Some(message.envelope()))
            }
            Output::Fan { to, message } => (&**to, Some(message.envelope())),
            Output::Close { peer, .. } | Output::Authenticate { peer, .. } => (std::slice::from_ref(peer), None),
            _ => (&[][..], None),
        };
        let of_pbx = matches!(output, Output::Pbx(_));
        let whose = Whom::of(peers, message, whose);
        put(now, file, memory, &whose, of_pbx, |about| scribe.output(now, output, about));
    }

    /// Begins a capture in memory; the oldest that has ended makes room. `None` when as many run as may.
    pub(super) fn begin(&self, now: Time, wall_ms: i64, wanted: Wanted) -> Option<u64> {
        let mut inner = self.lock();
        if inner.memory.len() >= MOST {
            let ended = inner.memory.iter().position(|c| !c.about.runs)?;
            inner.memory.remove(ended);
        }
        let id = inner.next;
        inner.next += 1;
        let at_zero = wall_ms - i64::try_from(now.as_millis()).unwrap_or(0);
        let head = Scribe::head(at_zero, None);
        let about = Captured { id, begun_ms: wall_ms, filter: wanted.filter.clone(), runs: true, bytes: 0 };
        let until = now + wanted.longest;
        let mut capture = Capture { wanted, until, lines: Vec::new(), about };
        capture.put(&head);
        inner.memory.push(capture);
        self.on.store(true, Ordering::Relaxed);
        Some(id)
    }

    /// Ends one; false when there is none of this id.
    pub(super) fn end(&self, now: Time, id: u64) -> bool {
        let mut inner = self.lock();
        let Some(capture) = inner.memory.iter_mut().find(|c| c.about.id == id) else { return false };
        capture.end(now, "stopped");
        self.settle(now, &mut inner);
        true
    }

    pub(super) fn list(&self) -> Vec<Captured> {
        self.lock().memory.iter().map(|c| Captured { bytes: c.lines.len(), ..c.about.clone() }).collect()
    }

    /// What was captured so far.
    pub(super) fn lines(&self, id: u64) -> Option<Bytes> {
        self.lock().memory.iter().find(|c| c.about.id == id).map(|c| Bytes::copy_from_slice(&c.lines))
    }

    /// Ends the file, and waits until it is written.
    pub(super) fn end_file(&self, now: Time) {
        let file = self.lock().file.take();
        if let Some(file) = file {
            file.end(now, "stopped");
        }
    }

    /// Ends what is over, and records no more when nobody wants it.
    fn settle(&self, now: Time, inner: &mut Inner) {
        for capture in inner.memory.iter_mut().filter(|c| c.about.runs && now >= c.until) {
            capture.end(now, "time");
        }
        if inner.file.as_ref().is_some_and(Disk::is_over)
            && let Some(file) = inner.file.take()
        {
            tracing::warn!("the capture has reached its bound, or the disk does not keep up: it ends");
            // The thread ends by itself; nobody here waits for a disk.
            drop(file);
        }
        let on = inner.file.is_some() || inner.memory.iter().any(|c| c.about.runs);
        self.on.store(on, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a line wherever it is wanted; it is made at most once.
fn put(
    now: Time,
    file: &mut Option<Disk>,
    memory: &mut [Capture],
    whom: &Whom,
    of_pbx: bool,
    make: impl FnOnce(About<'_>) -> Option<String>,
) {
    let wanted = memory.iter().any(|c| c.wants(whom, of_pbx));
    if !wanted && file.is_none() {
        return;
    }
    let Some(line) = make(About { link: &whom.link, user: &whom.user, tab: &whom.tab }) else { return };
    for capture in memory.iter_mut().filter(|c| c.wants(whom, of_pbx)) {
        if capture.lines.len() + line.len() > LARGEST {
            capture.end(now, "full");
        } else {
            capture.put(&line);
        }
    }
    if let Some(file) = file {
        file.put(line);
    }
}

/// Whose a line is.
#[derive(Debug, Default)]
struct Whom {
    link: Text,
    user: Text,
    tab: Text,
    /// All of them, for an event to many.
    all: Vec<(Whose, PeerId)>,
}

impl Whom {
    fn of(peers: &[PeerId], message: Option<&Envelope>, whose: impl Fn(PeerId) -> Whose) -> Self {
        let text = |name: &str| message.and_then(|m| m.body.text(name)).unwrap_or_default();
        let all: Vec<(Whose, PeerId)> = peers.iter().map(|peer| (whose(*peer), *peer)).collect();
        let (link, user) = match all.as_slice() {
            [((link, user), _)] => (link.clone(), user.clone()),
            _ => Whose::default(),
        };
        let user = if user.is_empty() { text("userlogin") } else { user };
        let tab = text("tabid");
        let tab = match all.as_slice() {
            [(_, peer)] if tab.is_empty() => peer.0.to_string().into(),
            _ => tab,
        };
        Self { link, user, tab, all }
    }
}

impl Capture {
    fn wants(&self, whom: &Whom, of_pbx: bool) -> bool {
        let Filter { user, link, tab, .. } = &self.wanted.filter;
        let fits = |one: &Whose, peer: PeerId| {
            let named = if one.1.is_empty() { &whom.user } else { &one.1 };
            (link.is_empty() || *link == *one.0)
                && (user.is_empty() || *user == **named)
                && (tab.is_empty() || *tab == *whom.tab || *tab == peer.0.to_string())
        };
        let everything = user.is_empty() && link.is_empty() && tab.is_empty();
        self.about.runs
            && (everything || (of_pbx && self.wanted.pbx) || whom.all.iter().any(|(one, peer)| fits(one, *peer)))
    }

    fn put(&mut self, line: &str) {
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.push(b'\n');
    }

    fn end(&mut self, now: Time, why: &str) {
        if std::mem::take(&mut self.about.runs) {
            self.put(&Scribe::end(now, why));
        }
    }
}

/// A file, and the thread that writes it.
#[derive(Debug)]
struct Disk {
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    left: u64,
}

impl Disk {
    fn open(path: &Path, most: u64) -> io::Result<Self> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let (lines, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("capture".to_owned()).spawn(move || write(file, &waiting))?;
        Ok(Self { lines: Some(lines), thread: Some(thread), left: most.saturating_sub(LAST) })
    }

    fn put(&mut self, mut line: String) {
        line.push('\n');
        let Some(lines) = &self.lines else { return };
        let Some(left) = self.left.checked_sub(line.len() as u64) else {
            self.lines = None;
            return;
        };
        self.left = left;
        if lines.try_send(line).is_err() {
            self.lines = None;
        }
    }

    /// Whether no more is written.
    fn is_over(&self) -> bool {
        self.lines.is_none()
    }

    fn end(mut self, now: Time, why: &str) {
        if let Some(lines) = self.lines.take() {
            // Whoever stops may wait a moment.
            drop(lines.send(Scribe::end(now, why) + "\n"));
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Writes until nobody has a line any more.
fn write(file: File, lines: &Receiver<String>) {
    let mut to = BufWriter::with_capacity(1 << 20, file);
    loop {
        let done = match lines.recv_timeout(FLUSH) {
            Ok(line) => to.write_all(line.as_bytes()),
            Err(RecvTimeoutError::Timeout) => to.flush(),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Err(error) = done {
            tracing::warn!(%error, "the capture cannot be written: it ends");
            return;
        }
    }
    if let Err(error) = to.flush() {
        tracing::warn!(%error, "the end of the capture cannot be written");
    }
}
