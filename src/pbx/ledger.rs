//! What a backend has begun and not ended, so that nothing hangs when it dies.

use std::collections::{BTreeMap, BTreeSet};

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallId, Command, Event, RunId};

/// Open calls, open waits and connected phones, as told so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Calls that go on, and whether anybody answered.
    calls: BTreeMap<CallId, bool>,
    runs: BTreeSet<RunId>,
    phones: BTreeSet<Text>,
}

impl Ledger {
    /// Writes down what was told.
    pub(super) fn told(&mut self, event: &Event) {
        match event {
            Event::Began { call, .. } => {
                self.calls.insert(call.clone(), false);
            }
            Event::Answered { call, .. } => {
                if let Some(answered) = self.calls.get_mut(call) {
                    *answered = true;
                }
            }
            Event::Ended { call, .. } => {
                self.calls.remove(call);
            }
            Event::Ask { run, .. } => {
                self.runs.insert(*run);
            }
            Event::AskCancelled { run } => {
                self.runs.remove(run);
            }
            Event::Phone { number, connected: true } => {
                self.phones.insert(number.clone());
            }
            Event::Phone { number, connected: false } => {
                self.phones.remove(number);
            }
            _ => {}
        }
    }

    /// Writes down what was heard.
    pub(super) fn heard(&mut self, command: &Command) {
        if let Command::AskDone { run, .. } = command {
            self.runs.remove(run);
        }
    }

    /// What has to be told because the backend can tell nothing any more. Leaves the ledger empty.
    pub(super) fn settle(&mut self) -> Vec<Event> {
        let Self { calls, runs, phones } = std::mem::take(self);
        let runs = runs.into_iter().map(|run| Event::AskCancelled { run });
        let calls = calls.into_iter().map(|(call, answered)| Event::Ended { call, answered });
        let phones = phones.into_iter().map(|number| Event::Phone { number, connected: false });
        runs.chain(calls).chain(phones).collect()
    }
}
