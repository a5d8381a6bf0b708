//! The bounded queue towards one peer. Whoever fills it never waits: full means that the peer is too slow and is closed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Shared;
use tokio::sync::Notify;

/// What waits to be sent to one peer. Shared between the engine, which fills it while it holds the Hub (so order is kept),
/// and the connection's task, which empties it.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    limit: Limit,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Messages.
    pub messages: usize,
    /// Bytes, by [`Shared::weight`].
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Arc<Shared>>,
    bytes: usize,
    close: Option<CloseReason>,
    /// How many wait for a promise to be kept, and how many messages before the first of them may go meanwhile.
    held: Option<(usize, usize)>,
}

impl Outbox {
    /// An empty one.
    pub fn new(limit: Limit) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), filled: Notify::new(), limit })
    }

    /// Appends a message. When that would pass the limit the peer is marked for closing as slow instead, and what waited is
    /// dropped: it would not read it anyway. Call [`Self::wake`] when the batch is done. Says how many messages were dropped.
    pub fn push(&self, message: &Arc<Shared>) -> usize {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if q.close.is_some() {
            return 0;
        }
        let bytes = q.bytes + message.weight();
        if q.messages.len() >= self.limit.messages || bytes > self.limit.bytes {
            let dropped = q.messages.len() + 1;
            q.messages = VecDeque::new();
            q.bytes = 0;
            q.close = Some(CloseReason::SLOW);
            q.held = None;
            return dropped;
        }
        q.bytes = bytes;
        q.messages.push_back(Arc::clone(message));
        0
    }

    /// Holds back what is pushed from now on, and a close, until [`Self::release`] was called as often as this.
    pub fn hold(&self) {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let (holders, free) = q.held.unwrap_or((0, q.messages.len()));
        q.held = Some((holders + 1, free));
    }

    /// One hold less. Call [`Self::wake`] after it.
    pub fn release(&self) {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        q.held = q.held.and_then(|(holders, free)| (holders > 1).then(|| (holders - 1, free)));
    }

    /// Marks the peer for closing once what waits has been sent. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).close.get_or_insert(reason);
    }

    /// Wakes the connection's task.
    pub fn wake(&self) {
        self.filled.notify_one();
    }

    /// Waits until there may be something to take. Cancel safe.
    pub async fn ready(&self) {
        self.filled.notified().await;
    }

    /// Takes all that waits and is not held back, in order, and whether the peer is to be closed after it. Returns at once.
    pub fn take(&self, into: &mut Vec<Arc<Shared>>) -> Option<CloseReason> {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((holders, free)) = q.held {
            let Queue { messages, bytes, .. } = &mut *q;
            into.extend(messages.drain(..free).inspect(|message| *bytes -= message.weight()));
            q.held = Some((holders, 0));
            return None;
        }
        q.bytes = 0;
        into.extend(q.messages.drain(..));
        if q.messages.capacity() > 64 {
            q.messages = VecDeque::new();
        }
        q.close.clone()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).messages.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Envelope;

    use super::*;

    fn message(name: &'static str) -> Arc<Shared> {
        Arc::new(Shared::new(Envelope::new(name, ctigate_proto::message::Body::new())))
    }

    fn taken(outbox: &Outbox) -> (Vec<String>, Option<u16>) {
        let mut all = Vec::new();
        let close = outbox.take(&mut all);
        (all.iter().map(|m| m.envelope().name.to_string()).collect(), close.map(|reason| reason.code))
    }

    #[test]
    fn what_is_held_back_keeps_its_place_and_the_close_behind_it() {
        let outbox = Outbox::new(Limit { messages: 10, bytes: 10_000 });
        outbox.push(&message("a"));
        outbox.hold();
        outbox.push(&message("b"));
        outbox.hold();
        outbox.push(&message("c"));
        outbox.close(CloseReason::NORMAL);
        assert_eq!(taken(&outbox), (vec!["a".to_owned()], None));
        assert_eq!(taken(&outbox), (vec![], None));
        outbox.release();
        assert_eq!(taken(&outbox), (vec![], None), "one promise is still to be kept");
        outbox.release();
        assert_eq!(taken(&outbox), (vec!["b".to_owned(), "c".to_owned()], Some(1000)));
        outbox.release();
    }

    #[test]
    fn who_is_too_slow_is_closed_whatever_is_held_back() {
        let outbox = Outbox::new(Limit { messages: 2, bytes: 10_000 });
        outbox.hold();
        let dropped: Vec<usize> = (0..4).map(|_| outbox.push(&message("a"))).collect();
        assert_eq!(dropped, [0, 0, 3, 0]);
        assert_eq!(taken(&outbox), (vec![], Some(CloseReason::SLOW.code)));
        outbox.release();
    }
}
