//! What a store, a database and a disk would answer, kept in memory: the ledger, what was written in chats, passwords, photos.

use std::collections::BTreeMap;

use ctigate_proto::calls::{Entry, JournalRow};
use ctigate_proto::hub::OLD_PASSWORD_IS_WRONG;
use ctigate_proto::hub::archive::{ChatText, Fetch, FetchResult, Fetched, Photo, Recording};
use ctigate_proto::hub::output::{Kept, Record};
use ctigate_proto::message::{CallError, Text, Value};
use ctigate_proto::telephony::CallId;

use super::HASH;

#[derive(Debug, Default)]
pub(crate) struct Archive {
    pub(crate) entries: BTreeMap<CallId, Entry>,
    pub(crate) texts: Vec<ChatText>,
    pub(crate) kept: BTreeMap<(&'static str, Text), Text>,
    /// Passwords that were changed, by login.
    pub(crate) passwords: BTreeMap<Text, Text>,
    pub(crate) photos: usize,
    /// The procedures that were run, with their parameters.
    pub(crate) ran: Vec<(Text, Vec<(Text, Value)>)>,
}

impl Archive {
    pub(crate) fn record(&mut self, record: &Record) {
        match record {
            Record::Call(entry) => drop(self.entries.insert(entry.call.clone(), (**entry).clone())),
            Record::Kept(Kept { kind, key, body: Some(body) }) => {
                drop(self.kept.insert((*kind, key.clone()), body.clone()))
            }
            Record::Kept(Kept { kind, key, body: None }) => drop(self.kept.remove(&(*kind, key.clone()))),
            Record::Text(text) => self.texts.push(text.clone()),
            Record::TextsEnded { chat } => self.texts.retain(|t| t.chat != *chat),
            Record::Session(_) | Record::SessionEnded { .. } | Record::Form(_) | Record::FormEnded { .. } => {}
        }
    }

    pub(crate) fn answer(&mut self, fetch: Fetch) -> FetchResult {
        Ok(match fetch {
            Fetch::Journal(query) => {
                let mut rows: Vec<_> = self.entries.values().flat_map(Entry::rows).filter(|r| query.fits(r)).collect();
                rows.sort_by(|a, b| (b.began_ms, &b.call, &b.talk).cmp(&(a.began_ms, &a.call, &a.talk)));
                let rows = rows.into_iter().skip(query.offset).take(query.limit);
                Fetched::Journal(rows.map(|row| (row.clone(), link(&row))).collect())
            }
            Fetch::Call(call) => Fetched::Call(self.entries.get(&call).cloned().map(Box::new)),
            Fetch::Recording { link: wanted } => {
                let mut rows = self.entries.values().flat_map(Entry::rows);
                let found = rows.find(|row| link(row).as_ref() == Some(&wanted));
                let found = found.and_then(|row| Some(Recording { file: row.recording?, inside: row.inside }));
                Fetched::Recording(found)
            }
            Fetch::Texts { chat, before, limit } => {
                let before = before.and_then(|b| Some(self.texts.iter().find(|t| t.message == b)?.number));
                let newest = self.texts.iter().rev().filter(|t| t.chat == chat);
                let newest = newest.filter(|t| before.is_none_or(|before| t.number < before));
                Fetched::Texts(newest.take(limit).cloned().collect())
            }
            Fetch::Text { chat, message } => {
                let found = self.texts.iter().find(|t| t.chat == chat && t.message == message);
                Fetched::Texts(found.cloned().into_iter().collect())
            }
            Fetch::Procedure { name, input } => {
                self.ran.push((name, input));
                let row = |items: [&'static str; 2]| Value::Array(items.into_iter().map(Value::from).collect());
                Fetched::Tables(vec![Value::Array(vec![row(["id", "name"]), row(["t1", "Inbound"])])])
            }
            Fetch::Password { login, old, new } => {
                let known = self.passwords.get(&login).map_or(HASH, |p| &**p);
                if *old != *known {
                    return Err(CallError::bare(OLD_PASSWORD_IS_WRONG));
                }
                self.passwords.insert(login, new);
                Fetched::Done
            }
            Fetch::Photo { file, .. } => {
                self.photos += 1;
                let path = |size: &str| Text::from(format!("/photo/{}{size}{file}", self.photos));
                Fetched::Photo(Photo { link: path(""), small: path("s"), large: path("l") })
            }
        })
    }
}

/// The link of a recorded talk here.
fn link(row: &JournalRow) -> Option<Text> {
    row.recording.as_ref().map(|_| format!("/record/{}", row.talk.as_ref().map_or("", |t| &t.0)).into())
}
