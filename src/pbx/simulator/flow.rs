//! One run of a scenario: where it stands and what it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ctigate_proto::Time;
use ctigate_proto::message::{Object, Text};
use ctigate_proto::telephony::{CallId, OrderId, Place, RunId};

use super::legs::LegKey;
use super::scope::Scope;
use super::script::{Block, Scenario};
use super::timers::Alarm;

/// A flow inside the machine, in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowKey(pub(super) u64);

/// What leads a leg to where it dialled: the run of a scenario, or plain ringing or queueing, which is a scenario without
/// steps. It lives on after its leg is gone, for the `after` of its scenario.
#[derive(Debug)]
pub(super) struct Flow {
    /// The leg it leads; `None` when there is none (any more).
    pub(super) leg: Option<LegKey>,
    /// The conversation of that leg, for what is asked and opened.
    pub(super) call: Option<CallId>,
    pub(super) scenario: Arc<Scenario>,
    /// The number that led here; empty for a scenario that was started by name.
    pub(super) dialled: Text,
    /// The blocks it is in, the innermost last, each with the number of its next step.
    frames: Vec<(Block, usize)>,
    pub(super) wait: Wait,
    /// When the wait ends by itself.
    pub(super) alarm: Option<Alarm>,
    /// Whether its leg has come to talk with somebody: it has nothing more to find out.
    pub(super) talking: bool,
    pub(super) scope: Scope,
    /// What it asked for and has not forgotten.
    pub(super) runs: Vec<RunId>,
    /// Who waits for its end, of a scenario that was started by name.
    pub(super) waited_by: Option<OrderId>,
    /// When that one has waited long enough.
    pub(super) waited_until: Option<Alarm>,
    /// What `return` gave.
    pub(super) returned: Text,
}

/// What a flow waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// Nothing: the next step can be taken.
    Nothing,
    /// Time to pass.
    Pause,
    /// The result of a dynamic method.
    Ask(RunId),
    /// The answer to a form.
    Form(RunId),
    /// Keys that the caller presses.
    Keys(KeysWait),
    /// One of these legs to be answered.
    Ring { legs: BTreeSet<LegKey>, talking: Block },
    /// Its turn in a queue.
    Queue(QueueWait),
    /// The end of its leg: it has nothing more to do meanwhile.
    Talk,
}

#[derive(Debug)]
pub(super) struct KeysWait {
    pub(super) name: Text,
    pub(super) digits: usize,
    pub(super) pressed: String,
}

#[derive(Debug)]
pub(super) struct QueueWait {
    pub(super) queue: Text,
    /// When the caller gives up waiting.
    pub(super) until: Time,
    /// The members that ring now.
    pub(super) legs: BTreeSet<LegKey>,
    /// Whether it rests between two rounds of ringing.
    pub(super) resting: bool,
    /// How many rounds one after the other have rung nobody.
    pub(super) in_vain: u32,
    /// Where the next round begins, for queues that ring one after the other.
    pub(super) cursor: usize,
    /// How often each member has been rung for this caller, for queues that choose.
    pub(super) tried: BTreeMap<Text, u32>,
    pub(super) talking: Block,
}

/// An `ask` or `form` that is not finished.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) flow: FlowKey,
    /// The name its result gets.
    pub(super) name: Option<Text>,
    pub(super) stage: Stage,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// A method was asked; what to go on with when the gateway itself never answers, and whether a late result is welcome.
    Asked { fallback: Option<Object>, late: bool },
    /// The method's time is over, but a late result is still welcome.
    Late,
    /// A form is open.
    Form,
}

impl Flow {
    pub(super) fn new(leg: Option<LegKey>, call: Option<CallId>, scenario: Arc<Scenario>, scope: Scope) -> Self {
        Self {
            leg,
            call,
            frames: vec![(Arc::clone(&scenario.steps), 0)],
            scenario,
            dialled: scope.parties.called.clone(),
            wait: Wait::Nothing,
            alarm: None,
            talking: false,
            scope,
            runs: Vec::new(),
            waited_by: None,
            waited_until: None,
            returned: Text::new(),
        }
    }

    /// Whether its steps are still taken, and not its `after`.
    pub(super) fn live(&self) -> bool {
        self.scope.ended.is_none()
    }

    /// Where its leg is while the scenario speaks.
    pub(super) fn menu(&self) -> Place {
        let title = &self.scenario.title;
        let name = if title.is_empty() { self.dialled.clone() } else { title.clone() };
        Place::Menu { name, routing: true }
    }

    /// Goes into a block; it comes back behind the step that led there.
    pub(super) fn enter(&mut self, block: &Block) {
        self.frames.push((Arc::clone(block), 0));
    }

    /// Leaves everything and goes on with a block.
    pub(super) fn turn_to(&mut self, block: &Block) {
        self.frames.clear();
        self.enter(block);
        self.wait = Wait::Nothing;
    }

    /// The next step, as its block and its place there; `None` when there is none.
    pub(super) fn next_step(&mut self) -> Option<(Block, usize)> {
        while let Some((block, next)) = self.frames.last_mut() {
            if *next < block.len() {
                *next += 1;
                return Some((Arc::clone(block), *next - 1));
            }
            self.frames.pop();
        }
        None
    }

    /// The legs that ring for it.
    pub(super) fn ringing(&mut self) -> Option<&mut BTreeSet<LegKey>> {
        match &mut self.wait {
            Wait::Ring { legs, .. } | Wait::Queue(QueueWait { legs, .. }) => Some(legs),
            _ => None,
        }
    }

    /// Whether phones ring for it now.
    pub(super) fn rings(&self) -> bool {
        match &self.wait {
            Wait::Ring { legs, .. } | Wait::Queue(QueueWait { legs, .. }) => !legs.is_empty(),
            _ => false,
        }
    }
}
