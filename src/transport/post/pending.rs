//! What waits for the next poll of a link that can only be posted to: replies to its calls, and events.

use std::collections::VecDeque;
use std::sync::Arc;

use ctigate_proto::codec::outgoing;
use ctigate_proto::message::{Format, Shared, Text};
use ctigate_proto::method;

/// Most messages that wait.
const MESSAGES: usize = 10_000;
/// Most bytes that wait, by weight.
const BYTES: usize = 16 << 20;
/// How much goes into one batch: some servers take no more at once.
const BATCH_MESSAGES: usize = 500;
const BATCH_BYTES: usize = 1 << 20;

/// One message that waits: shared with other peers, or the dialog's own words.
#[derive(Debug)]
enum Waiting {
    Shared(Arc<Shared>),
    Said(Text),
}

impl Waiting {
    fn weight(&self) -> usize {
        match self {
            Self::Shared(message) => message.weight(),
            Self::Said(text) => text.len(),
        }
    }

    fn is_reply(&self) -> bool {
        match self {
            Self::Shared(message) => method::is_reply(&message.envelope().name),
            Self::Said(_) => true,
        }
    }
}

/// The queue. Replies are kept before events when there is no room for both.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<Waiting>,
    bytes: usize,
    lost: bool,
}

impl Pending {
    /// A message of the Hub.
    pub(super) fn push(&mut self, message: Arc<Shared>) {
        self.add(Waiting::Shared(message));
    }

    /// Words of the dialog.
    pub(super) fn push_said(&mut self, text: Text) {
        self.add(Waiting::Said(text));
    }

    fn add(&mut self, message: Waiting) {
        self.bytes += message.weight();
        self.queue.push_back(message);
        while self.queue.len() > MESSAGES || self.bytes > BYTES {
            // The oldest event; where there is none, the oldest of all.
            let at = self.queue.iter().position(|m| !m.is_reply()).unwrap_or(0);
            let Some(dropped) = self.queue.remove(at) else { break };
            self.bytes -= dropped.weight();
            self.lost = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether something was dropped since this was asked last.
    pub(super) fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// Takes the oldest messages, as many as fit into one batch, at least one.
    pub(super) fn take_batch(&mut self, format: Format) -> Vec<Text> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_MESSAGES
            && let Some(next) = self.queue.pop_front()
        {
            self.bytes -= next.weight();
            let text = match &next {
                Waiting::Shared(message) => outgoing::text(message, format).clone(),
                Waiting::Said(text) => text.clone(),
            };
            bytes += text.len();
            batch.push(text);
            if bytes >= BATCH_BYTES {
                break;
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctigate_proto::message::{Body, Envelope};

    fn event(n: usize) -> Arc<Shared> {
        Arc::new(Shared::new(Envelope::new("userstatechanged", Body::new().with("n", i64::try_from(n).unwrap()))))
    }

    #[test]
    fn the_oldest_events_go_first_and_replies_stay() {
        let mut pending = Pending::default();
        pending.push(Arc::new(Shared::new(Envelope::new("getuserstateresult", Body::new().with("n", -1)))));
        (0..MESSAGES + 5).for_each(|n| pending.push(event(n)));
        assert!(pending.take_lost());
        assert!(!pending.take_lost(), "told once");
        let batch = pending.take_batch(Format::Json);
        assert_eq!(batch.len(), BATCH_MESSAGES);
        assert_eq!(batch[0], r#"["getuserstateresult",{"n":-1}]"#);
        assert_eq!(batch[1], r#"["userstatechanged",{"n":6}]"#, "0 to 5 are gone");
        let mut rest = batch.len();
        while !pending.is_empty() {
            rest += pending.take_batch(Format::Json).len();
        }
        assert_eq!(rest, MESSAGES);
        assert_eq!(pending.bytes, 0);
    }

    #[test]
    fn bytes_count_too() {
        let mut pending = Pending::default();
        for _ in 0..20 {
            pending.push_said(Text::from("x".repeat(1 << 20)));
        }
        assert!(pending.take_lost());
        assert!(pending.bytes <= BYTES);
        assert_eq!(pending.take_batch(Format::Json).len(), 1, "a batch is as large as one such message");
    }
}
