//! Queues: who waits, and which members ring.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{EndCause, LegState, Place};

use super::flow::{FlowKey, QueueWait, Wait};
use super::machine::{Due, Machine};
use super::script::Block;
use crate::pbx::{self, Strategy};

/// A queue and who waits in it, longest first.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: Text,
    members: Vec<Text>,
    strategy: Strategy,
    pub(super) waiting: VecDeque<FlowKey>,
    /// Where the next round begins, for queues that go on where they left off.
    cursor: usize,
    /// How many calls each member has answered.
    answered: BTreeMap<Text, u64>,
}

impl Queue {
    pub(super) fn new(queue: &pbx::Queue) -> Self {
        Self {
            name: queue.name.clone(),
            members: queue.members.clone(),
            strategy: queue.strategy,
            waiting: VecDeque::new(),
            cursor: 0,
            answered: BTreeMap::new(),
        }
    }

    /// Has another name, other members or another way of ringing from now on. Who waits goes on waiting.
    pub(super) fn is_now(&mut self, queue: &pbx::Queue) {
        self.name = queue.name.clone();
        self.members = queue.members.clone();
        self.strategy = queue.strategy;
        self.answered.retain(|member, _| queue.members.contains(member));
    }
}

/// How long members ring before the queue tries others.
const ROUND: Duration = Duration::from_secs(15);
/// How long it waits between two rounds.
const REST: Duration = Duration::from_secs(1);
/// How often that pause doubles while nobody can be rung.
const LAPS: u32 = 5;

impl Machine {
    /// Puts the leg of a flow into a queue.
    pub(super) fn enter_queue(&mut self, key: FlowKey, queue: &Text, within: Duration, talking: &Block) {
        let until = self.now + self.paced(within);
        let alarm = self.timers.set(until, Due::Wait(key));
        let Some(flow) = self.flows.get_mut(&key) else { return };
        flow.alarm = Some(alarm);
        flow.wait = Wait::Queue(QueueWait {
            queue: queue.clone(),
            until,
            legs: BTreeSet::new(),
            resting: false,
            in_vain: 0,
            cursor: 0,
            tried: BTreeMap::new(),
            talking: Block::clone(talking),
        });
        if let Some(leg) = flow.leg {
            self.alter(leg, |leg| leg.place = Place::Queue(queue.clone()));
        }
        if let Some(there) = self.queues.get_mut(queue) {
            there.waiting.push_back(key);
        }
    }

    pub(super) fn leave_queue(&mut self, queue: &Text, key: FlowKey) {
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.waiting.retain(|waiting| *waiting != key);
        }
    }

    /// The leg of a flow leaves the queue without an answer, and is where it was before.
    fn come_out(&mut self, key: FlowKey) {
        let Some(flow) = self.flows.get(&key) else { return };
        let (Some(leg), menu) = (flow.leg, flow.menu()) else { return };
        self.alter(leg, |leg| leg.place = if leg.state == LegState::Up { menu } else { Place::None });
    }

    /// Lets free members ring for whoever waits; whether any does now that did not. Called after everything that happens.
    pub(super) fn serve_queues(&mut self) -> bool {
        let waiting: Vec<FlowKey> = self.queues.values().flat_map(|queue| queue.waiting.iter().copied()).collect();
        waiting.into_iter().any(|key| self.serve(key))
    }

    fn serve(&mut self, key: FlowKey) -> bool {
        let Some(flow) = self.flows.get_mut(&key) else { return false };
        let Wait::Queue(wait) = &mut flow.wait else { return false };
        if wait.resting || !wait.legs.is_empty() {
            return false;
        }
        let Some(queue) = self.queues.get_mut(&wait.queue) else { return false };
        let free = |at: &usize| self.phones.get(&queue.members[*at]).is_some_and(|phone| phone.serves_queues());
        let members = queue.members.len();
        let from = |cursor: usize| (0..members).map(move |step| (cursor + step) % members).filter(free);
        let chosen: Vec<usize> = match queue.strategy {
            Strategy::All => from(0).collect(),
            Strategy::Linear => from(wait.cursor).next().into_iter().collect(),
            Strategy::Rotate => from(queue.cursor).next().into_iter().collect(),
            // Who did not answer this caller comes after everybody else.
            Strategy::LongestIdle | Strategy::FewestCalls => {
                let order = |at: &usize| {
                    let number = &queue.members[*at];
                    let idle_since = self.phones.get(number).map(|phone| phone.idle_since);
                    let answered = queue.answered.get(number).copied().unwrap_or(0);
                    let by_calls = if queue.strategy == Strategy::FewestCalls { answered } else { 0 };
                    (wait.tried.get(number).copied().unwrap_or(0), by_calls, idle_since, *at)
                };
                from(0).min_by_key(order).into_iter().collect()
            }
        };
        let Some(last) = chosen.last() else { return false };
        match queue.strategy {
            Strategy::Linear => wait.cursor = last + 1,
            Strategy::Rotate => queue.cursor = last + 1,
            Strategy::All | Strategy::LongestIdle | Strategy::FewestCalls => {}
        }
        let numbers: Vec<Text> = chosen.iter().map(|at| queue.members[*at].clone()).collect();
        for number in &numbers {
            *wait.tried.entry(number.clone()).or_default() += 1;
        }
        let toward = wait.queue.clone();
        let ringing = self.ring_for(key, &numbers, &toward, false);
        let Some(Wait::Queue(wait)) = self.flows.get_mut(&key).map(|flow| &mut flow.wait) else { return true };
        if ringing.is_empty() {
            // Members that look free but cannot be rung are left alone for longer and longer.
            wait.in_vain += 1;
            let laps = wait.in_vain / u32::try_from(members).unwrap_or(u32::MAX);
            wait.resting = true;
            self.arm(key, REST * 2_u32.pow(laps.min(LAPS)));
        } else {
            wait.in_vain = 0;
            wait.legs = ringing;
            self.arm(key, ROUND);
        }
        true
    }

    /// Nobody answered: the queue pauses before it rings again.
    pub(super) fn rest(&mut self, key: FlowKey) {
        if let Some(Wait::Queue(wait)) = self.flows.get_mut(&key).map(|flow| &mut flow.wait) {
            wait.resting = true;
            self.arm(key, REST);
        }
    }

    /// The end of a round, of a pause, or of the wait itself.
    pub(super) fn queue_timer(&mut self, key: FlowKey) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        let Wait::Queue(wait) = &mut flow.wait else { return };
        if now >= wait.until {
            let queue = wait.queue.clone();
            self.queue_in_vain(key, &queue);
        } else if wait.legs.is_empty() {
            wait.resting = false;
            self.arm(key, Duration::MAX);
        } else {
            self.stop_ringing(key, EndCause::NoAnswer);
            self.rest(key);
        }
    }

    /// The wait is over, and nobody has answered.
    pub(super) fn queue_in_vain(&mut self, key: FlowKey, queue: &Text) {
        self.stop_ringing(key, EndCause::NoAnswer);
        self.leave_queue(queue, key);
        self.come_out(key);
        self.go_on(key);
    }

    /// A member has answered a caller of the queue.
    pub(super) fn queue_answered(&mut self, queue: &Text, member: &Text) {
        if let Some(queue) = self.queues.get_mut(queue)
            && queue.members.contains(member)
        {
            *queue.answered.entry(member.clone()).or_default() += 1;
        }
    }

    /// Sets the flow's timer to `after`, or to the end of its wait if that is sooner.
    fn arm(&mut self, key: FlowKey, after: Duration) {
        let after = if after == Duration::MAX { after } else { self.paced(after) };
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        let Wait::Queue(wait) = &flow.wait else { return };
        let at = (now + after).min(wait.until);
        self.timers.cancel(&mut flow.alarm);
        flow.alarm = Some(self.timers.set(at, Due::Wait(key)));
    }
}
