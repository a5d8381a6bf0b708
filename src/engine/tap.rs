//! Following the messages that pass: what `ctigate tail` and the demo page show. Costs one atomic read a message while
//! nobody follows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ctigate_proto::codec;
use ctigate_proto::message::{Body, Envelope, Format, Qid};
use ctigate_proto::method;
use serde::Serialize;
use tokio::sync::mpsc;

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
    /// The link, or empty.
    pub link: String,
    /// The user it is from, for or about, or empty.
    pub user: String,
    /// The method or event.
    pub method: String,
    /// The qid as it was written, or empty.
    pub qid: String,
    /// Length of the text in JSON.
    pub bytes: usize,
    /// The text in JSON, secrets masked, cut at 4 KiB.
    pub text: String,
}

/// What a follower wants to see; empty: everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this user, by login.
    pub user: String,
    /// Only of this link.
    pub link: String,
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

    pub(super) fn line(&self, direction: Direction, link: &str, user: &str, envelope: &Envelope) {
        let about = envelope.body.text("userlogin").unwrap_or_default();
        let user = if user.is_empty() { &*about } else { user };
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|f| !f.lines.is_closed());
        self.count.store(followers.len(), Ordering::Relaxed);
        let wanted = |f: &&Follower| {
            (f.filter.user.is_empty() || f.filter.user == *user) && (f.filter.link.is_empty() || f.filter.link == *link)
        };
        let mut line = None;
        for follower in followers.iter().filter(wanted) {
            let line = line.get_or_insert_with(|| TapLine::of(direction, link, user, envelope)).clone();
            if follower.lines.try_send(line).is_err() {
                follower.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl TapLine {
    fn of(direction: Direction, link: &str, user: &str, envelope: &Envelope) -> Self {
        let text = codec::encode(&masked(envelope), Format::Json);
        let mut end = text.len().min(MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            ms: unix_ms(),
            direction: if direction == Direction::In { "in" } else { "out" },
            peer: if link.is_empty() { format!("tab {user}") } else { format!("link {link}") },
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
            link: String::new(),
            user: String::new(),
            method: String::new(),
            qid: String::new(),
            bytes: 0,
            text: format!("{count} lines were not read in time and are lost"),
        }
    }
}

/// The message without its secrets. Which parameters are secret is said by the catalogue; a message nobody knows is masked by
/// the names that secrets usually have.
pub fn masked(envelope: &Envelope) -> Envelope {
    let known = method::find(&envelope.name);
    let secret = |name: &str| match known {
        Some(message) if message.fields().any(|f| f.name == name) => {
            message.fields().any(|f| f.name == name && f.secret)
        }
        _ => {
            let name = name.to_ascii_lowercase();
            ["pass", "pwd", "session", "secret", "ticket", "token"].iter().any(|word| name.contains(word))
        }
    };
    let mut body = Body::new();
    for (name, part) in envelope.body.iter() {
        match secret(name) {
            true => body.push_new(name.clone(), "***".into()),
            false => body.push_new(name.clone(), part.clone()),
        }
    }
    Envelope { name: envelope.name.clone(), body }
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
