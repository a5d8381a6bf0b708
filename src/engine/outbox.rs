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
}

impl Outbox {
    /// An empty one.
    pub fn new(limit: Limit) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::default(), filled: Notify::new(), limit })
    }

    /// Appends a message. When that would pass the limit the peer is marked for closing as slow instead, and what waited is
    /// dropped: it would not read it anyway. Call [`Self::wake`] when the batch is done.
    pub fn push(&self, message: &Arc<Shared>) {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if q.close.is_some() {
            return;
        }
        let bytes = q.bytes + message.weight();
        if q.messages.len() >= self.limit.messages || bytes > self.limit.bytes {
            q.messages = VecDeque::new();
            q.bytes = 0;
            q.close = Some(CloseReason::SLOW);
            return;
        }
        q.bytes = bytes;
        q.messages.push_back(Arc::clone(message));
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

    /// Takes all that waits, in order, and whether the peer is to be closed after it. Returns at once.
    pub fn take(&self, into: &mut Vec<Arc<Shared>>) -> Option<CloseReason> {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
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
