//! Timers are data: why each exists, and when the next one is due. No task sleeps for a deadline.

use std::collections::BTreeMap;

use crate::Time;
use crate::message::Text;

use super::ids::ExecutionId;
use super::input::Ticket;
use crate::telephony::OrderId;

/// Why something happens later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The caller of a dynamic method waits no longer.
    ExecutionDeadline(ExecutionId),
    /// A late result is welcome no longer.
    ExecutionLate(ExecutionId),
    /// A form was not answered in time.
    FormExpires(Text),
    /// The last tab of a user left some seconds ago. (index of the user)
    UserLeaves(usize),
    /// A lost link's tunnelled users leave. (index of the link)
    TunnelGrace(usize),
    /// A question to a CRM was not answered. (index of the link, qid)
    Question(usize, Text),
    /// A link that lost events is told of more users. (index of the link, the next user)
    TellAnew(usize, usize),
    /// A link is open to newcomers again. (index of the link)
    ContestOver(usize),
    /// The telephone system did not say whether it followed an order.
    Order(OrderId),
    /// What was asked of something outside did not come.
    Fetch(Ticket),
    /// A login through a link was not checked.
    Login(Ticket),
    /// Ended things are forgotten.
    Sweep,
}

/// The handle by which a timer is taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Time, u64);

/// All timers, in the order of their time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Key, Timer>,
    next: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Time, timer: Timer) -> Key {
        let key = Key(at, self.next);
        self.next += 1;
        self.due.insert(key, timer);
        key
    }

    pub(super) fn cancel(&mut self, key: Key) {
        self.due.remove(&key);
    }

    pub(super) fn first(&self) -> Option<Time> {
        self.due.first_key_value().map(|(k, _)| k.0)
    }

    /// The next timer that is due at `now`.
    pub(super) fn pop(&mut self, now: Time) -> Option<Timer> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}
