//! Queues: who waits, and which members ring.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Event, RingEnd};

use super::call::{Call, CallKey, QueueWait, Wait};
use super::machine::{Due, Machine};
use super::script::Block;
use crate::pbx::{self, Strategy};

/// A queue and who waits in it, longest first.
#[derive(Debug)]
pub(super) struct Queue {
    members: Vec<Text>,
    strategy: Strategy,
    waiting: VecDeque<CallKey>,
    /// Where the next round begins, for queues that go on where they left off.
    cursor: usize,
}

impl Queue {
    pub(super) fn new(queue: &pbx::Queue) -> Self {
        Self { members: queue.members.clone(), strategy: queue.strategy, waiting: VecDeque::new(), cursor: 0 }
    }
}

/// How long members ring before the queue tries others.
const ROUND: Duration = Duration::from_secs(15);
/// How long it waits between two rounds.
const REST: Duration = Duration::from_secs(1);

impl Machine {
    /// Puts a call into a queue.
    pub(super) fn enter_queue(&mut self, call: &mut Call, queue: Text, within: Duration, talking: &Block) {
        if let Some(there) = self.queues.get_mut(&queue) {
            there.waiting.push_back(call.key);
        }
        let until = self.now + within;
        call.alarm = Some(self.timers.set(until, Due::Wait(call.key)));
        self.tell(Event::Queued { call: call.id.clone(), queue: queue.clone() });
        call.wait = Wait::Queue(QueueWait {
            queue,
            until,
            phones: BTreeSet::new(),
            resting: false,
            cursor: 0,
            talking: Block::clone(talking),
        });
    }

    pub(super) fn leave_queue(&mut self, queue: &Text, key: CallKey) {
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.waiting.retain(|waiting| *waiting != key);
        }
    }

    /// Lets free members ring for whoever waits. Called after everything that happens.
    pub(super) fn serve_queues(&mut self) {
        let waiting: Vec<CallKey> = self.queues.values().flat_map(|queue| queue.waiting.iter().copied()).collect();
        for key in waiting {
            let Some(mut call) = self.calls.remove(&key) else { continue };
            self.serve(&mut call);
            self.calls.insert(key, call);
        }
    }

    fn serve(&mut self, call: &mut Call) {
        let Wait::Queue(wait) = &mut call.wait else { return };
        if wait.resting || !wait.phones.is_empty() {
            return;
        }
        let Some(queue) = self.queues.get_mut(&wait.queue) else { return };
        let members = queue.members.len();
        let is_free = |at: &usize| self.phones.get(&queue.members[*at]).is_some_and(|phone| phone.free());
        let cursor = match queue.strategy {
            Strategy::All | Strategy::Linear => &mut wait.cursor,
            Strategy::Rotate => &mut queue.cursor,
        };
        let mut free = (0..members).map(|step| (*cursor + step) % members).filter(is_free);
        let chosen: Vec<usize> = match queue.strategy {
            Strategy::All => free.collect(),
            Strategy::Linear | Strategy::Rotate => free.next().into_iter().collect(),
        };
        let Some(last) = chosen.last() else { return };
        if queue.strategy != Strategy::All {
            *cursor = last + 1;
        }
        let numbers: Vec<Text> = chosen.iter().map(|at| queue.members[*at].clone()).collect();
        let ringing = self.ring(call, numbers);
        if ringing.is_empty() {
            self.rest(call);
        } else if let Wait::Queue(wait) = &mut call.wait {
            wait.phones = ringing;
            self.arm(call, ROUND);
        }
    }

    /// Nobody answered: the queue pauses before it rings again.
    pub(super) fn rest(&mut self, call: &mut Call) {
        if let Wait::Queue(wait) = &mut call.wait {
            wait.resting = true;
            self.arm(call, REST);
        }
    }

    /// The end of a round, of a pause, or of the wait itself. Says whether the caller has left the queue.
    pub(super) fn queue_timer(&mut self, call: &mut Call) -> bool {
        let Wait::Queue(wait) = &mut call.wait else { return false };
        if self.now >= wait.until {
            let queue = wait.queue.clone();
            self.stop_ringing(call, RingEnd::NoAnswer);
            self.leave_queue(&queue, call.key);
            return true;
        }
        if wait.phones.is_empty() {
            wait.resting = false;
            self.arm(call, Duration::MAX);
        } else {
            self.stop_ringing(call, RingEnd::NoAnswer);
            self.rest(call);
        }
        false
    }

    /// Sets the call's timer to `after`, or to the end of its wait if that is sooner.
    fn arm(&mut self, call: &mut Call, after: Duration) {
        let Wait::Queue(wait) = &call.wait else { return };
        let at = (self.now + after).min(wait.until);
        self.timers.cancel(&mut call.alarm);
        call.alarm = Some(self.timers.set(at, Due::Wait(call.key)));
    }
}
