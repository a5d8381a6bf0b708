//! What is due when. A timer is data; nothing sleeps here.

use std::collections::BTreeMap;

use ctigate_proto::Time;

/// Things that are due at some time, in the order of time, those of one moment in the order they were set.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeMap<Alarm, T>,
    set: u64,
}

/// A timer that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    at: Time,
    number: u64,
}

impl<T> Timers<T> {
    pub(super) const fn new() -> Self {
        Self { due: BTreeMap::new(), set: 0 }
    }

    pub(super) fn set(&mut self, at: Time, what: T) -> Alarm {
        self.set += 1;
        let alarm = Alarm { at, number: self.set };
        self.due.insert(alarm, what);
        alarm
    }

    /// Takes a timer back, if there is one and it has not gone off.
    pub(super) fn cancel(&mut self, alarm: &mut Option<Alarm>) {
        if let Some(alarm) = alarm.take() {
            self.due.remove(&alarm);
        }
    }

    pub(super) fn next(&self) -> Option<Time> {
        self.due.keys().next().map(|alarm| alarm.at)
    }

    /// The first thing due at `now`, and since when.
    pub(super) fn take(&mut self, now: Time) -> Option<(Time, T)> {
        let first = self.due.first_entry().filter(|first| first.key().at <= now)?;
        let (alarm, what) = first.remove_entry();
        Some((alarm.at, what))
    }
}
