//! One call: where its scenario stands and what it waits for.

use std::collections::BTreeSet;
use std::sync::Arc;

use ctigate_proto::Time;
use ctigate_proto::message::{Object, Text};
use ctigate_proto::telephony::{CallId, RunId};

use super::scope::Scope;
use super::script::{Block, Scenario, Step};
use super::timers::Alarm;

/// A call inside the machine, in the order in which calls began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallKey(pub(super) u64);

#[derive(Debug)]
pub(super) struct Call {
    pub(super) key: CallKey,
    pub(super) id: CallId,
    pub(super) scenario: Arc<Scenario>,
    /// The blocks it is in, the innermost last, each with the number of its next step.
    frames: Vec<(Block, usize)>,
    pub(super) wait: Wait,
    /// When the wait ends by itself.
    pub(super) alarm: Option<Alarm>,
    /// When the caller leaves, whatever happens.
    pub(super) patience: Option<Alarm>,
    /// The inside number the caller talks with now.
    pub(super) talking: Option<Text>,
    pub(super) scope: Scope,
    /// What it asked for and has not forgotten.
    pub(super) runs: Vec<RunId>,
}

/// What a call waits for.
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
    /// One of these phones to be answered.
    Ring { phones: BTreeSet<Text>, talking: Block },
    /// Its turn in a queue.
    Queue(QueueWait),
    /// The talk to end: the scenario has nothing more to do meanwhile.
    Talk,
}

#[derive(Debug)]
pub(super) struct QueueWait {
    pub(super) queue: Text,
    /// When the caller gives up waiting.
    pub(super) until: Time,
    /// The members that ring now.
    pub(super) phones: BTreeSet<Text>,
    /// Whether it rests between two rounds of ringing.
    pub(super) resting: bool,
    /// Where the next round begins, for queues that ring one after the other.
    pub(super) cursor: usize,
    pub(super) talking: Block,
}

/// An `ask` or `form` that is not finished.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) call: CallKey,
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

impl Call {
    pub(super) fn new(key: CallKey, scenario: Arc<Scenario>, scope: Scope) -> Self {
        Self {
            key,
            id: CallId(scope.chain.clone()),
            frames: vec![(Arc::clone(&scenario.steps), 0)],
            scenario,
            wait: Wait::Nothing,
            alarm: None,
            patience: None,
            talking: None,
            scope,
            runs: Vec::new(),
        }
    }

    /// Whether the caller is still there.
    pub(super) fn live(&self) -> bool {
        self.scope.ended.is_none()
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

    /// The phones that ring for it.
    pub(super) fn ringing(&mut self) -> Option<&mut BTreeSet<Text>> {
        match &mut self.wait {
            Wait::Ring { phones, .. } | Wait::Queue(QueueWait { phones, .. }) => Some(phones),
            _ => None,
        }
    }
}

/// The step at a place of a block.
pub(super) fn step(block: &Block, at: usize) -> &Step {
    &block[at]
}
