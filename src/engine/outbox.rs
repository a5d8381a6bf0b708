//! The bounded queue towards one peer. Whoever fills it never waits: full means that the peer is too slow and is closed.
//!
//! It is emptied in one of two ways. A [`Taker`] takes in the task of whoever filled it, so that a lone message wakes nobody; what
//! the taker leaves, and everything where there is none, is for the connection's own task, which [`Outbox::ready`] wakes.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::Shared;
use futures_util::task::AtomicWaker;
use smallvec::SmallVec;

/// What waits to be sent to one peer. Shared between the engine, which fills it while it holds the Hub (so order is kept),
/// and whoever empties it.
pub struct Outbox {
    queue: Mutex<Queue>,
    filled: AtomicBool,
    /// Wakes the connection's own task. It stays: to put it here again for each time that the task waits would take its turn with whoever wakes.
    owner: OnceLock<Waker>,
    /// Wakes whoever else waits, now or later.
    other: AtomicWaker,
    taker: OnceLock<Arc<dyn Taker>>,
    limit: Limit,
}

/// Takes from an outbox at once and without waiting, in the task of whoever filled it. In two steps, so that whoever has filled many does the
/// first for all of them and then the second: what one step needs is still at hand for the next outbox.
pub trait Taker: Send + Sync {
    /// Takes what waits and makes it ready to be sent.
    fn take(&self, outbox: &Outbox) -> Taken;

    /// Sends what is ready, as far as that goes. False when something is left, or may be left, that the connection's own task must see to.
    fn send(&self) -> bool;
}

/// What came of [`Taker::take`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is ready: [`Taker::send`] is due.
    Ready,
    /// Nothing is to be done.
    Nothing,
    /// Something is left, or may be left, that the connection's own task must see to.
    Left,
}

/// What came of [`Outbox::push`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// How many messages were dropped.
    pub dropped: usize,
    /// Whether [`Outbox::wake`] is due from whoever pushed this; else somebody who pushed before owes it already.
    pub wake: bool,
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
    /// Mostly one, which needs no piece of the heap.
    messages: SmallVec<[Arc<Shared>; 2]>,
    bytes: usize,
    close: Option<Box<CloseReason>>,
    /// How many wait for a promise to be kept, and how many messages before the first of them may go meanwhile.
    held: Option<Box<(usize, usize)>>,
    /// Whether somebody who pushed owes a wake since this was emptied last.
    owed: bool,
}

impl Outbox {
    /// An empty one.
    pub fn new(limit: Limit) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            filled: AtomicBool::new(false),
            owner: OnceLock::new(),
            other: AtomicWaker::new(),
            taker: OnceLock::new(),
            limit,
        })
    }

    /// From now on whoever fills it has this take from it. The first one stays.
    pub fn attach(&self, taker: Arc<dyn Taker>) {
        let _ = self.taker.set(taker);
    }

    /// Appends a message. When that would pass the limit the peer is marked for closing as slow instead, and what waited is
    /// dropped: it would not read it anyway. Call [`Self::wake`] when the batch is done, if the answer says so.
    pub fn push(&self, message: Arc<Shared>) -> Pushed {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if q.close.is_some() {
            return Pushed { dropped: 0, wake: false };
        }
        let wake = !std::mem::replace(&mut q.owed, true);
        let bytes = q.bytes + message.weight();
        if q.messages.len() >= self.limit.messages || bytes > self.limit.bytes {
            let dropped = q.messages.len() + 1;
            q.messages = SmallVec::new();
            q.bytes = 0;
            q.close = Some(Box::new(CloseReason::SLOW));
            q.held = None;
            return Pushed { dropped, wake: true };
        }
        q.bytes = bytes;
        q.messages.push(message);
        Pushed { dropped: 0, wake }
    }

    /// Holds back what is pushed from now on, and a close, until [`Self::release`] was called as often as this.
    pub fn hold(&self) {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = q.messages.len();
        q.held.get_or_insert_with(|| Box::new((0, waiting))).0 += 1;
    }

    /// One hold less. Call [`Self::wake`] after it.
    pub fn release(&self) {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = &mut q.held {
            held.0 -= 1;
        }
        q.held.take_if(|held| held.0 == 0);
    }

    /// Marks the peer for closing once what waits has been sent. The first reason stays.
    pub fn close(&self, reason: CloseReason) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).close.get_or_insert_with(|| Box::new(reason));
    }

    /// Has what waits taken: at once where there is a taker, else by the connection's own task, which is woken.
    pub fn wake(&self) {
        if self.begin_wake() {
            self.end_wake();
        }
    }

    /// The first half of [`Self::wake`]. Whether the second is due.
    pub fn begin_wake(&self) -> bool {
        match self.taker.get().map_or(Taken::Left, |taker| taker.take(self)) {
            Taken::Ready => return true,
            Taken::Nothing => {}
            Taken::Left => self.wake_owner(),
        }
        false
    }

    /// The second half of [`Self::wake`].
    pub fn end_wake(&self) {
        if !self.taker.get().is_some_and(|taker| taker.send()) {
            self.wake_owner();
        }
    }

    /// Wakes the connection's own task.
    pub fn wake_owner(&self) {
        // Whoever set it wakes, or has woken, and is seen by the owner together with this.
        if !self.filled.swap(true, Ordering::AcqRel) {
            if let Some(owner) = self.owner.get() {
                owner.wake_by_ref();
            }
            self.other.wake();
        }
    }

    /// Waits until there may be something for the connection's own task. One task waits at a time. Cancel safe.
    pub async fn ready(&self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }

    /// The same, for whoever waits for several things.
    pub fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.take_filled() {
            return Poll::Ready(());
        }
        match self.owner.get() {
            // Whoever has filled it since then has woken this task, or is about to.
            Some(owner) if owner.will_wake(cx.waker()) => return Poll::Pending,
            Some(_) => self.other.register(cx.waker()),
            None => {
                if self.owner.set(cx.waker().clone()).is_err() {
                    self.other.register(cx.waker());
                }
            }
        }
        // It may have been filled just before the waker was there to be woken.
        if self.filled.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the connection's own task was called since this, or [`Self::poll_ready`], said so last. For that task.
    pub fn take_filled(&self) -> bool {
        self.filled.load(Ordering::Relaxed) && self.filled.swap(false, Ordering::Acquire)
    }

    /// Takes all that waits and is not held back, in order, and whether the peer is to be closed after it. Returns at once.
    pub fn take(&self, into: &mut impl Extend<Arc<Shared>>) -> Option<CloseReason> {
        let mut q = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        q.owed = false;
        if let Queue { messages, bytes, held: Some(held), .. } = &mut *q {
            let free = std::mem::take(&mut held.1);
            into.extend(messages.drain(..free).inspect(|message| *bytes -= message.weight()));
            return None;
        }
        q.bytes = 0;
        into.extend(q.messages.drain(..));
        if q.messages.capacity() > 64 {
            q.messages = SmallVec::new();
        }
        q.close.as_deref().cloned()
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

/// Outboxes of which [`Outbox::begin_wake`] has said that the second half is due. It is done by [`Self::send`], or when this is dropped.
#[derive(Debug, Default)]
pub struct Ready(SmallVec<[Arc<Outbox>; 1]>);

/// So many are sent in one go.
pub(super) const AT_ONCE: usize = 64;

impl Ready {
    /// Does the first half of [`Outbox::wake`], and notes it where the second is due.
    pub fn wake(&mut self, outbox: Arc<Outbox>) {
        if outbox.begin_wake() {
            self.0.push(outbox);
            if self.0.len() >= AT_ONCE {
                self.send();
            }
        }
    }

    /// Sends to all that were noted.
    pub fn send(&mut self) {
        for outbox in &self.0 {
            outbox.end_wake();
        }
        self.0.clear();
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.send();
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("messages", &self.len()).finish_non_exhaustive()
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
        outbox.push(message("a"));
        outbox.hold();
        outbox.push(message("b"));
        outbox.hold();
        outbox.push(message("c"));
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
        let dropped: Vec<usize> = (0..4).map(|_| outbox.push(message("a")).dropped).collect();
        assert_eq!(dropped, [0, 0, 3, 0]);
        assert_eq!(taken(&outbox), (vec![], Some(CloseReason::SLOW.code)));
        outbox.release();
    }

    #[test]
    fn one_wake_is_owed_until_somebody_has_taken() {
        let outbox = Outbox::new(Limit { messages: 10, bytes: 10_000 });
        let owed = |name| outbox.push(message(name)).wake;
        assert_eq!([owed("a"), owed("b")], [true, false]);
        taken(&outbox);
        assert_eq!([owed("c"), owed("d")], [true, false]);
    }

    /// Takes all, and sends no more than one message.
    #[derive(Default)]
    struct One(Mutex<usize>);

    impl Taker for One {
        fn take(&self, outbox: &Outbox) -> Taken {
            *self.0.lock().unwrap() = taken(outbox).0.len();
            Taken::Ready
        }

        fn send(&self) -> bool {
            *self.0.lock().unwrap() < 2
        }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_waits_is_woken_each_time_and_another_that_waits_later_too() {
        let outbox = Outbox::new(Limit { messages: 10, bytes: 10_000 });
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let waits = |who: &Arc<Woken>| {
            let waker = Waker::from(Arc::clone(who));
            outbox.poll_ready(&mut Context::from_waker(&waker)).is_pending()
        };
        let times = |who: &Woken| who.0.load(Ordering::SeqCst);
        for n in 1..4 {
            assert!(waits(&first) && waits(&first));
            outbox.wake();
            outbox.wake();
            assert_eq!(times(&first), n, "once for all that came before it looked");
            assert!(!waits(&first), "it was filled");
        }
        for n in 1..4 {
            assert!(waits(&second));
            outbox.wake();
            assert_eq!(times(&second), n);
            assert!(!waits(&second));
        }
    }

    #[test]
    fn what_is_ready_is_sent_when_many_are_when_somebody_says_so_and_at_the_end() {
        #[derive(Default)]
        struct Counts(Mutex<(usize, usize)>);
        impl Taker for Counts {
            fn take(&self, outbox: &Outbox) -> Taken {
                self.0.lock().unwrap().0 += taken(outbox).0.len();
                Taken::Ready
            }
            fn send(&self) -> bool {
                self.0.lock().unwrap().1 += 1;
                true
            }
        }
        let counts = Arc::new(Counts::default());
        let mut ready = Ready::default();
        let wake = |ready: &mut Ready| {
            let outbox = Outbox::new(Limit { messages: 10, bytes: 10_000 });
            outbox.attach(Arc::clone(&counts) as _);
            outbox.push(message("a"));
            ready.wake(outbox);
            *counts.0.lock().unwrap()
        };
        assert_eq!((wake(&mut ready), wake(&mut ready)), ((1, 0), (2, 0)), "taken at once, and not sent");
        ready.send();
        assert_eq!(wake(&mut ready), (3, 2));
        for n in 1..AT_ONCE - 1 {
            assert_eq!(wake(&mut ready), (3 + n, 2));
        }
        assert_eq!(wake(&mut ready), (2 + AT_ONCE, 2 + AT_ONCE));
        wake(&mut ready);
        drop(ready);
        assert_eq!(*counts.0.lock().unwrap(), (3 + AT_ONCE, 3 + AT_ONCE));
    }

    #[test]
    fn the_owner_is_woken_for_what_a_taker_leaves() {
        let outbox = Outbox::new(Limit { messages: 10, bytes: 10_000 });
        outbox.attach(Arc::new(One::default()));
        let woken = || outbox.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready();
        outbox.push(message("a"));
        outbox.wake();
        assert!(!woken(), "all was taken");
        outbox.push(message("b"));
        outbox.push(message("c"));
        outbox.wake();
        assert!(woken());
        assert!(!woken(), "once");
    }
}
