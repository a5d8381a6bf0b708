//! Following the messages that pass: what `ctigate tail` and the demo page show. Costs one atomic read a message while
//! nobody follows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ctigate_proto::codec;
use ctigate_proto::message::{Envelope, Format, PeerId, Qid, Text};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::capture::mask;

/// Lines that wait for one follower; a slower one loses lines and is told how many.
const BACKLOG: usize = 1024;
/// Longest text of a line, bytes.
const MAX_TEXT: usize = 4096;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// One message that passed.
#[derive(Clone, Debug, Serialize)]
pub struct TapLine {
    /// When, milliseconds since 1970.
    pub ms: u64,
    /// `in`: the gateway received it, `out`: it sends it; `lost`: so many lines were dropped because they were not read.
    pub direction: &'static str,
    /// The peer in words: `link crm`, `tab ivanov`.
    pub peer: String,
    /// The number of the peer: that of a connection, the same as long as it is open.
    pub id: u64,
    /// The tab: the `tabid` of one behind a link, else the number of its connection; empty for a link.
    pub tab: String,
    /// `json` or `xml`, as it went over the wire; empty when nobody knows.
    pub format: &'static str,
    /// The link, or empty.
    pub link: String,
    /// The user it is from, for or about, or empty.
    pub user: String,
    /// The method or event.
    pub method: String,
    /// The qid as it was written, or empty.
    pub qid: String,
    /// Length of the text.
    pub bytes: usize,
    /// The text in its format, secrets masked, cut at 4 KiB.
    pub text: String,
}

/// What a follower wants to see; empty: everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this user, by login.
    pub user: String,
    /// Only of this link.
    pub link: String,
    /// Only of this tab: the number of the peer, or the `tabid` of a tab behind a link.
    pub tab: String,
    /// How the text is shown.
    pub shown: Shown,
}

/// How a follower wants texts shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// In JSON, whatever it went in.
    #[default]
    Json,
    /// In XML, whatever it went in.
    Xml,
    /// As it went over the wire.
    Wire,
}

/// One message on its way past.
#[derive(Debug)]
pub(super) struct Passing<'a> {
    pub(super) direction: Direction,
    pub(super) peer: PeerId,
    pub(super) link: &'a str,
    pub(super) user: &'a str,
    /// The format of the peer's channel, if it is known.
    pub(super) format: Option<Format>,
    pub(super) envelope: &'a Envelope,
}

/// A follower's end. Dropping it ends the following.
#[derive(Debug)]
pub struct Tail {
    lines: mpsc::Receiver<TapLine>,
    lost: Arc<AtomicUsize>,
}

impl Tail {
    /// The next line; a line with `direction` `lost` tells how many were missed. Cancel safe. `None` never comes while the
    /// engine lives.
    pub async fn next(&mut self) -> Option<TapLine> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            return Some(TapLine::lost(lost));
        }
        self.lines.recv().await
    }
}

#[derive(Debug, Default)]
pub(super) struct Tap {
    followers: Mutex<Vec<Follower>>,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Follower {
    filter: Filter,
    lines: mpsc::Sender<TapLine>,
    lost: Arc<AtomicUsize>,
}

impl Tap {
    pub(super) fn is_on(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    pub(super) fn follow(&self, filter: Filter) -> Tail {
        let (lines, tail) = mpsc::channel(BACKLOG);
        let lost = Arc::new(AtomicUsize::new(0));
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.push(Follower { filter, lines, lost: Arc::clone(&lost) });
        self.count.store(followers.len(), Ordering::Relaxed);
        Tail { lines: tail, lost }
    }

    pub(super) fn line(&self, passing: &Passing<'_>) {
        let text = |name: &str| passing.envelope.body.text(name).unwrap_or_default();
        let about = text("userlogin");
        let user = if passing.user.is_empty() { &*about } else { passing.user };
        let connection = passing.peer.0.to_string();
        let tabid = text("tabid");
        let tab = if passing.link.is_empty() { connection.as_str() } else { &*tabid };
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|f| !f.lines.is_closed());
        self.count.store(followers.len(), Ordering::Relaxed);
        let wanted = |f: &&Follower| {
            let Filter { user: of_user, link, tab: of_tab, .. } = &f.filter;
            (of_user.is_empty() || of_user == user)
                && (link.is_empty() || link == passing.link)
                && (of_tab.is_empty() || of_tab == tab || *of_tab == connection)
        };
        // Each way of showing it is made once.
        let mut lines: [Option<TapLine>; 2] = [None, None];
        for follower in followers.iter().filter(wanted) {
            let format = match follower.filter.shown {
                Shown::Json => Format::Json,
                Shown::Xml => Format::Xml,
                Shown::Wire => passing.format.unwrap_or(Format::Json),
            };
            let line = &mut lines[usize::from(format == Format::Xml)];
            let line = line.get_or_insert_with(|| TapLine::of(passing, user, tab, format)).clone();
            if follower.lines.try_send(line).is_err() {
                follower.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl TapLine {
    fn of(passing: &Passing<'_>, user: &str, tab: &str, shown: Format) -> Self {
        let &Passing { direction, peer, link, format, envelope, .. } = passing;
        let text = codec::encode(&masked(envelope), shown);
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            ms: unix_ms(),
            direction: if direction == Direction::In { "in" } else { "out" },
            peer: if link.is_empty() { format!("tab {user}") } else { format!("link {link}") },
            id: peer.0,
            tab: tab.to_owned(),
            format: format.map_or("", Format::word),
            link: link.to_owned(),
            user: user.to_owned(),
            method: envelope.name.to_string(),
            qid: envelope.qid().as_ref().and_then(Qid::to_text).map(|q| q.to_string()).unwrap_or_default(),
            bytes: text.len(),
            text: text[..end].to_owned(),
        }
    }

    fn lost(count: usize) -> Self {
        Self {
            ms: unix_ms(),
            direction: "lost",
            peer: String::new(),
            id: 0,
            tab: String::new(),
            format: "",
            link: String::new(),
            user: String::new(),
            method: String::new(),
            qid: String::new(),
            bytes: 0,
            text: format!("{count} lines were not read in time and are lost"),
        }
    }
}

/// The message without its secrets.
pub fn masked(envelope: &Envelope) -> Envelope {
    mask::replaced(envelope, &|_| Text::from_static("***"))
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
