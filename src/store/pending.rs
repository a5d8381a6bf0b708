//! What waits to be written: the latest state of each session, form and kept thing, and what is only ever added: entries of the
//! ledger and texts of chats. Whoever records never waits. What waits is bounded by what lives: a state takes the place of the one
//! before it, and what ended before it was ever written leaves nothing behind. What is only added is bounded by a number.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctigate_proto::calls::Entry;
use ctigate_proto::hub::archive::ChatText;
use ctigate_proto::hub::output::{Kept, Record, StoredForm, StoredSession};
use ctigate_proto::message::Text;
use tokio::sync::Notify;

/// What waits, and a bell for the writer.
#[derive(Debug)]
pub(super) struct Pending {
    tables: Mutex<Tables>,
    filled: Notify,
}

#[derive(Debug)]
struct Tables {
    sessions: Table<StoredSession>,
    /// Of each session, what was recorded of it last: when it expires, and how long it lives unused.
    lives: HashMap<Text, (i64, i64)>,
    forms: Table<StoredForm>,
    /// By [`kept_key`].
    kept: Table<Kept>,
    calls: Added<Entry>,
    texts: Added<ChatText>,
    /// Chats whose texts are to be deleted.
    ended_chats: HashSet<Text>,
    /// How many facts were recorded.
    recorded: u64,
}

/// The keys of the rows that a database holds.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) sessions: Vec<Text>,
    pub(super) forms: Vec<Text>,
    /// By [`kept_key`].
    pub(super) kept: Vec<Text>,
}

/// The one key of something kept: its kind and its own key.
pub(super) fn kept_key(kind: &str, key: &str) -> Text {
    format!("{kind}/{key}").into()
}

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) sessions: Vec<Change<StoredSession>>,
    pub(super) forms: Vec<Change<StoredForm>>,
    pub(super) kept: Vec<Change<Kept>>,
    pub(super) calls: Vec<(Text, Entry)>,
    pub(super) texts: Vec<(Text, ChatText)>,
    pub(super) ended_chats: Vec<Text>,
    /// Everything up to this fact is in this batch or was written before.
    pub(super) up_to: u64,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
            + self.forms.len()
            + self.kept.len()
            + self.calls.len()
            + self.texts.len()
            + self.ended_chats.len()
    }
}

impl Batch {
    /// What its first fact is about, for the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self { sessions, .. } if !sessions.is_empty() => "session",
            Self { forms, .. } if !forms.is_empty() => "form",
            Self { kept, .. } if !kept.is_empty() => "setting",
            Self { calls, .. } if !calls.is_empty() => "call",
            _ => "chat",
        }
    }

    /// The same, one fact in each, in the order in which they are written.
    pub(super) fn apart(self) -> Vec<Self> {
        let Self { sessions, forms, kept, calls, texts, ended_chats, up_to } = self;
        let empty = || Self { up_to, ..Self::default() };
        let mut all = Vec::new();
        all.extend(sessions.into_iter().map(|one| Self { sessions: vec![one], ..empty() }));
        all.extend(forms.into_iter().map(|one| Self { forms: vec![one], ..empty() }));
        all.extend(kept.into_iter().map(|one| Self { kept: vec![one], ..empty() }));
        all.extend(calls.into_iter().map(|one| Self { calls: vec![one], ..empty() }));
        all.extend(ended_chats.into_iter().map(|one| Self { ended_chats: vec![one], ..empty() }));
        all.extend(texts.into_iter().map(|one| Self { texts: vec![one], ..empty() }));
        all
    }
}

/// A change of one row.
#[derive(Debug)]
pub(super) struct Change<T> {
    pub(super) key: Text,
    /// The row to be written; `None`: it is to be deleted.
    pub(super) row: Option<T>,
    /// Whether the database held the row before.
    kept_before: bool,
}

impl Tables {
    /// Whether more has changed than that a session was used again: each use begins its life anew, and a hundredth of that is not worth a
    /// write. After a restart it may so end a hundredth earlier.
    fn is_news(&mut self, session: &StoredSession) -> bool {
        let now = (session.expires_ms, session.life_ms);
        if let Some((expires_ms, life_ms)) = self.lives.get(&session.hash)
            && *life_ms == session.life_ms
            && (0..life_ms / 100).contains(&session.expires_ms.saturating_sub(*expires_ms))
        {
            return false;
        }
        self.lives.insert(session.hash.clone(), now);
        true
    }
}

impl Pending {
    /// `kept`: the rows that the database holds now.
    pub(super) fn new(kept: Keys) -> Self {
        let tables = Tables {
            sessions: Table::new(kept.sessions),
            lives: HashMap::new(),
            forms: Table::new(kept.forms),
            kept: Table::new(kept.kept),
            calls: Added::default(),
            texts: Added::default(),
            ended_chats: HashSet::new(),
            recorded: 0,
        };
        Self { tables: Mutex::new(tables), filled: Notify::new() }
    }

    pub(super) fn push(&self, record: Record) {
        let mut tables = self.lock();
        match &record {
            Record::Session(session) if !tables.is_news(session) => return,
            Record::SessionEnded { hash } => drop(tables.lives.remove(hash)),
            _ => {}
        }
        tables.recorded += 1;
        match record {
            Record::Session(session) => tables.sessions.set(session.hash.clone(), session),
            Record::SessionEnded { hash } => tables.sessions.end(hash),
            Record::Form(form) => tables.forms.set(form.id.clone(), form),
            Record::FormEnded { id } => tables.forms.end(id),
            Record::Kept(kept) => {
                let key = kept_key(kept.kind, &kept.key);
                match kept.body {
                    Some(_) => tables.kept.set(key, kept),
                    None => tables.kept.end(key),
                }
            }
            Record::Call(entry) => tables.calls.add(entry.call.0.clone(), *entry),
            Record::Text(text) => tables.texts.add(text.message.clone(), text),
            Record::TextsEnded { chat } => {
                tables.texts.waiting.retain(|_, text| text.chat != chat);
                tables.ended_chats.insert(chat);
            }
        }
        drop(tables);
        self.filled.notify_one();
    }

    /// Waits until there may be something to take. Cancel safe.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    pub(super) fn len(&self) -> usize {
        let tables = self.lock();
        tables.sessions.waiting.len()
            + tables.forms.waiting.len()
            + tables.kept.waiting.len()
            + tables.calls.waiting.len()
            + tables.texts.waiting.len()
            + tables.ended_chats.len()
    }

    pub(super) fn recorded(&self) -> u64 {
        self.lock().recorded
    }

    /// All that waits. One of [`Self::written`] and [`Self::put_back`] is due.
    pub(super) fn take(&self) -> Batch {
        let mut tables = self.lock();
        Batch {
            sessions: tables.sessions.take(),
            forms: tables.forms.take(),
            kept: tables.kept.take(),
            calls: std::mem::take(&mut tables.calls.waiting).into_iter().collect(),
            texts: std::mem::take(&mut tables.texts.waiting).into_iter().collect(),
            ended_chats: std::mem::take(&mut tables.ended_chats).into_iter().collect(),
            up_to: tables.recorded,
        }
    }

    /// The batch is written.
    pub(super) fn written(&self, batch: &Batch) {
        let mut tables = self.lock();
        tables.sessions.written(&batch.sessions);
        tables.forms.written(&batch.forms);
        tables.kept.written(&batch.kept);
    }

    /// The batch was not written: it waits again, but for what has changed since.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut tables = self.lock();
        tables.sessions.put_back(batch.sessions);
        tables.forms.put_back(batch.forms);
        tables.kept.put_back(batch.kept);
        tables.calls.put_back(batch.calls);
        let ended = &tables.ended_chats;
        let texts = batch.texts.into_iter().filter(|(_, text)| !ended.contains(&text.chat)).collect();
        tables.texts.put_back(texts);
        tables.ended_chats.extend(batch.ended_chats);
    }

    /// The database deleted these rows because they had expired.
    pub(super) fn expired(&self, gone: &Keys) {
        let mut tables = self.lock();
        for key in &gone.sessions {
            tables.sessions.kept.remove(key);
        }
        for key in &gone.forms {
            tables.forms.kept.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Most entries, and most texts, that wait while the database is away; what comes beyond is lost, and the log says so.
const MOST_ADDED: usize = 50_000;

/// What is only ever added to a table, or takes the place of the same.
#[derive(Debug)]
struct Added<T> {
    waiting: HashMap<Text, T>,
}

impl<T> Default for Added<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new() }
    }
}

impl<T> Added<T> {
    fn add(&mut self, key: Text, row: T) {
        if self.waiting.len() < MOST_ADDED || self.waiting.contains_key(&key) {
            self.waiting.insert(key, row);
        } else {
            tracing::error!(%key, "the store is away for too long: an entry of the ledger or of a chat is lost");
        }
    }

    fn put_back(&mut self, rows: Vec<(Text, T)>) {
        for (key, row) in rows {
            self.waiting.entry(key).or_insert(row);
        }
    }
}

/// The changes of one table.
#[derive(Debug)]
struct Table<T> {
    /// The latest state by key; `None`: it has ended and is to be deleted.
    waiting: HashMap<Text, Option<T>>,
    /// The rows that the database holds, or may hold when the batch under way is written: only these need deleting.
    kept: HashSet<Text>,
}

impl<T> Table<T> {
    fn new(kept: Vec<Text>) -> Self {
        Self { waiting: HashMap::new(), kept: kept.into_iter().collect() }
    }

    fn set(&mut self, key: Text, row: T) {
        self.waiting.insert(key, Some(row));
    }

    fn end(&mut self, key: Text) {
        if self.kept.contains(&key) {
            self.waiting.insert(key, None);
        } else {
            self.waiting.remove(&key);
        }
    }

    fn take(&mut self) -> Vec<Change<T>> {
        let waiting = std::mem::take(&mut self.waiting);
        let change = |(key, row): (Text, Option<T>)| {
            let kept_before = !self.kept.insert(key.clone());
            Change { key, row, kept_before }
        };
        waiting.into_iter().map(change).collect()
    }

    fn written(&mut self, changes: &[Change<T>]) {
        for change in changes.iter().filter(|change| change.row.is_none()) {
            self.kept.remove(&change.key);
        }
    }

    fn put_back(&mut self, changes: Vec<Change<T>>) {
        for Change { key, row, kept_before } in changes {
            if !kept_before {
                self.kept.remove(&key);
            }
            match self.waiting.get(&key) {
                // It ended while the first state of it was being written in vain.
                Some(None) if !kept_before => drop(self.waiting.remove(&key)),
                Some(_) => {}
                None => drop(self.waiting.insert(key, row)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(hash: &str, expires_ms: i64) -> Record {
        Record::Session(StoredSession { hash: hash.into(), login: "a".into(), expires_ms, life_ms: 1 })
    }

    fn ended(hash: &str) -> Record {
        Record::SessionEnded { hash: hash.into() }
    }

    fn only(batch: &Batch) -> Option<i64> {
        assert_eq!(batch.sessions.len(), 1);
        batch.sessions[0].row.as_ref().map(|row| row.expires_ms)
    }

    #[test]
    fn a_session_that_is_used_again_and_again_is_written_once_in_a_hundredth_of_its_life() {
        let used = |expires_ms, life_ms| {
            Record::Session(StoredSession { hash: "a".into(), login: "a".into(), expires_ms, life_ms })
        };
        let pending = Pending::new(Keys::default());
        (0..250).for_each(|n| pending.push(used(10_000 + n, 10_000)));
        assert_eq!(pending.recorded(), 3, "at 0, 100 and 200 ms");
        assert_eq!(only(&pending.take()), Some(10_200));
        pending.push(used(10_250, 20_000));
        assert_eq!(only(&pending.take()), Some(10_250), "it lives longer");
        pending.push(used(5_000, 20_000));
        assert_eq!(only(&pending.take()), Some(5_000), "it ends earlier");
        pending.push(ended("a"));
        pending.push(used(5_001, 20_000));
        assert_eq!(only(&pending.take()), Some(5_001), "it is another");
    }

    #[test]
    fn the_latest_state_wins() {
        let pending = Pending::new(Keys::default());
        (0..1000).for_each(|n| pending.push(session("a", n)));
        assert_eq!(pending.len(), 1);
        assert_eq!(only(&pending.take()), Some(999));
        assert_eq!((pending.len(), pending.recorded()), (0, 1000));
    }

    #[test]
    fn what_was_written_in_a_chat_that_ended_is_not_written_any_more() {
        let pending = Pending::new(Keys::default());
        let text =
            |n: i64| ChatText { chat: "c".into(), message: n.to_string().into(), number: n, ..ChatText::default() };
        pending.push(Record::Text(text(1)));
        let batch = pending.take();
        pending.push(Record::Text(text(2)));
        pending.push(Record::TextsEnded { chat: "c".into() });
        pending.put_back(batch);
        let batch = pending.take();
        assert_eq!((batch.texts.len(), batch.ended_chats.len()), (0, 1));
    }

    #[test]
    fn what_was_never_written_leaves_nothing_behind() {
        let pending = Pending::new(Keys::default());
        pending.push(session("a", 1));
        pending.push(ended("a"));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn what_was_written_is_deleted_once() {
        let pending = Pending::new(Keys { sessions: vec!["a".into()], ..Keys::default() });
        pending.push(ended("a"));
        let batch = pending.take();
        assert_eq!(only(&batch), None);
        pending.written(&batch);
        pending.push(ended("a"));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_batch_that_failed_waits_again_but_for_what_changed_since() {
        let pending = Pending::new(Keys::default());
        pending.push(session("stays", 1));
        pending.push(session("changes", 1));
        pending.push(session("ends", 1));
        let batch = pending.take();
        pending.push(session("changes", 2));
        pending.push(ended("ends"));
        pending.put_back(batch);
        let mut rows: Vec<_> =
            pending.take().sessions.into_iter().map(|c| (c.key, c.row.map(|r| r.expires_ms))).collect();
        rows.sort();
        assert_eq!(rows, [("changes".into(), Some(2)), ("stays".into(), Some(1))]);
    }

    #[test]
    fn what_ends_while_it_is_written_is_deleted_after() {
        let pending = Pending::new(Keys::default());
        pending.push(session("a", 1));
        let batch = pending.take();
        pending.push(ended("a"));
        pending.written(&batch);
        assert_eq!(only(&pending.take()), None);
    }

    #[test]
    fn failing_for_long_keeps_no_more_than_lives() {
        let pending = Pending::new(Keys::default());
        for n in 0..1000 {
            pending.push(session(&n.to_string(), 1));
            let batch = pending.take();
            pending.push(ended(&n.to_string()));
            pending.put_back(batch);
        }
        assert_eq!(pending.len(), 0);
        assert_eq!(pending.lock().sessions.kept.len(), 0);
    }
}
