//! What is left for whoever is at the Hub just now. A task that finds it taken need not wait, nor the kernel put its thread to sleep and wake it
//! again: it leaves what it has read and goes on reading, and whoever is there sees to it before leaving.
//!
//! Nothing is forgotten: whoever leaves something looks once more whether the place has become free, and whoever frees it looks once more
//! whether something was left; one of both is late enough to see the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ctigate_proto::message::{Envelope, PeerId};

/// Most messages that are left at a time, and about how many bytes.
const MOST: usize = 1024;
const BYTES: usize = 1 << 20;

/// The place at the Hub, and what is left for whoever has it.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    taken: AtomicBool,
    /// Whether something is left: looked at without the lock. Whoever leaves something says so before looking whether the place is free.
    any: AtomicBool,
    left: Mutex<Left>,
}

#[derive(Debug, Default)]
struct Left {
    messages: Vec<(PeerId, Envelope)>,
    bytes: usize,
}

impl Inbox {
    /// Takes the place. False when somebody has it.
    pub(super) fn enter(&self) -> bool {
        !self.taken.swap(true, Ordering::SeqCst)
    }

    /// Frees the place, unless something was left meanwhile: true then, and the place is still, or again, the caller's.
    pub(super) fn leave(&self) -> bool {
        self.taken.store(false, Ordering::SeqCst);
        self.any.load(Ordering::SeqCst) && self.enter()
    }

    /// Leaves messages of a peer, and empties `batch`. False when there is no room for them: they stay with the caller.
    pub(super) fn put(&self, peer: PeerId, batch: &mut Vec<Envelope>) -> bool {
        let weight: usize = batch.iter().map(|envelope| envelope.body.weight()).sum();
        let mut left = self.left();
        if left.messages.len() + batch.len() > MOST || left.bytes + weight > BYTES {
            return false;
        }
        left.bytes += weight;
        left.messages.extend(batch.drain(..).map(|envelope| (peer, envelope)));
        self.any.store(!left.messages.is_empty(), Ordering::SeqCst);
        true
    }

    /// All that was left, in order, instead of `empty`.
    pub(super) fn take(&self, empty: Vec<(PeerId, Envelope)>) -> Vec<(PeerId, Envelope)> {
        if !self.any.load(Ordering::SeqCst) {
            return Vec::new();
        }
        let mut left = self.left();
        left.bytes = 0;
        self.any.store(!empty.is_empty(), Ordering::SeqCst);
        std::mem::replace(&mut left.messages, empty)
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use ctigate_proto::message::Body;

    use super::*;

    fn message(n: usize) -> Envelope {
        Envelope::new("ping", Body::new().with("qid", n as i64))
    }

    #[test]
    fn the_place_is_free_again_only_when_nothing_is_left() {
        let inbox = Inbox::default();
        assert!(inbox.enter() && !inbox.enter());
        assert!(inbox.put(PeerId(1), &mut vec![message(0)]));
        assert!(inbox.leave(), "something was left");
        assert!(!inbox.enter());
        assert_eq!(inbox.take(Vec::new()).len(), 1);
        assert!(!inbox.leave());
        assert!(inbox.enter());
    }

    #[test]
    fn what_has_no_room_stays_with_whoever_brings_it() {
        let inbox = Inbox::default();
        let mut many: Vec<_> = (0..MOST + 1).map(message).collect();
        assert!(!inbox.put(PeerId(1), &mut many));
        assert_eq!(many.len(), MOST + 1);
        let mut large = vec![Envelope::new("ping", Body::new().with("qid", "x".repeat(BYTES)))];
        assert!(!inbox.put(PeerId(1), &mut large));
        many.pop();
        assert!(inbox.put(PeerId(1), &mut many) && many.is_empty());
        assert!(!inbox.put(PeerId(1), &mut vec![message(0)]), "full");
        inbox.take(Vec::new());
        assert!(inbox.put(PeerId(1), &mut vec![message(0)]), "room again");
    }

    #[test]
    fn whoever_comes_from_however_many_threads_nothing_is_forgotten_and_each_keeps_its_order() {
        const EACH: usize = 20_000;
        let (inbox, at_once, seen) = (Inbox::default(), AtomicUsize::new(0), Mutex::new(vec![0; 4]));
        std::thread::scope(|scope| {
            for peer in 0..4 {
                let (inbox, at_once, seen) = (&inbox, &at_once, &seen);
                scope.spawn(move || {
                    for n in 0..EACH {
                        while !inbox.put(PeerId(peer), &mut vec![message(n)]) {
                            std::thread::yield_now();
                        }
                        let mut here = inbox.enter();
                        while here {
                            assert_eq!(at_once.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                            let mut seen = seen.lock().unwrap();
                            for (peer, message) in inbox.take(Vec::new()) {
                                let next = &mut seen[peer.0 as usize];
                                assert_eq!(message.body.int("qid"), Some(*next as i64), "the order of {peer:?}");
                                *next += 1;
                            }
                            drop(seen);
                            at_once.fetch_sub(1, Ordering::SeqCst);
                            here = inbox.leave();
                        }
                    }
                });
            }
        });
        assert_eq!(*seen.lock().unwrap(), vec![EACH; 4]);
    }
}
