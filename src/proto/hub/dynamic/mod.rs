//! Dynamic methods: what the CRM answers for a scenario, a tab or an outside caller, and what a person's tabs answer for the
//! telephone system. One execution, one outcome. `proto-spec/dynamic.md`.
//!
//! `asking`: who asks and whom; `answering`: results; `ending`: every other end, and what the asker hears.

mod answering;
mod asking;
mod ending;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::Time;
use crate::message::{Code, Object, Part, PeerId, Text, Value};
use crate::telephony::{CallId, Outcome, RunId};

use super::declaration::Method;
use super::form::RuleAsk;
use super::ids::ExecutionId;
use super::input::Ticket;
use super::route::Caller;
use super::timer::Key;
use super::trace::About;
use super::user::UserIx;

/// How long it is remembered who answered an execution.
const REMEMBER: Duration = Duration::from_secs(60);
/// How many of them.
const MAX_REMEMBERED: usize = 4096;

/// Who waits for an outcome.
#[derive(Debug)]
pub(super) enum Asker {
    /// A scenario of the telephone system.
    Scenario(RunId),
    /// A tab, direct or behind a link.
    Tab(Caller),
    /// The HTTP interface or the command line.
    Api(Ticket),
    /// A form rule that needs values before it opens its form.
    Rule(RuleAsk),
}

impl Asker {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Scenario(_) => "scenario",
            Self::Tab(_) => "tab",
            Self::Api(_) => "api",
            Self::Rule(_) => "form",
        }
    }
}

/// What is asked.
pub(super) struct Order {
    pub(super) method: Text,
    pub(super) input: Part,
    pub(super) deadline: Option<Duration>,
    pub(super) late: Duration,
    pub(super) fallback: Option<Object>,
    /// A link that was named; else the first that can.
    pub(super) link: Option<usize>,
    pub(super) user: Option<UserIx>,
    pub(super) chain: Text,
}

/// Who is asked: mostly one.
pub(super) type Targets = SmallVec<[PeerId; 2]>;

/// One execution that somebody waits for.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) method: Arc<Method>,
    pub(super) asker: Asker,
    /// The link that answers; `None`: the user's tabs.
    pub(super) link: Option<usize>,
    /// Who was asked and may still answer.
    targets: Targets,
    /// Its id as peers see it.
    text: Text,
    /// The number of the call by which it was asked.
    call: u64,
    fallback: Option<Object>,
    late: Duration,
    /// The caller has its outcome; only a late result is still welcome.
    aborted: bool,
    key: Key,
    started: Time,
    pub(super) since_ms: i64,
    /// What it is about, for the trace.
    about: About,
}

/// All executions in flight, and who answered those that ended a moment ago.
#[derive(Debug, Default)]
pub(super) struct Executions {
    /// Boxed: what lies in a table by itself is moved when the table is put in order anew, which many that come and go bring about.
    in_flight: HashMap<ExecutionId, Box<Execution>, BuildHasherDefault<GuidHasher>>,
    scenarios: HashMap<RunId, ExecutionId>,
    api: HashMap<Ticket, ExecutionId>,
    ended: VecDeque<(Time, ExecutionId, By)>,
}

/// What a table by our own GUIDs is hashed with: they are drawn at random, so nobody can choose them to meet.
#[derive(Debug, Default)]
struct GuidHasher(u64);

impl Hasher for GuidHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, part: u64) {
        self.0 = (self.0 ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Who has ended an execution, for whoever comes too late. The places of links and people that are gone are given to others much later than
/// this is forgotten.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// The CRM behind this link.
    Link(usize),
    /// A tab of this user.
    TabOf(UserIx),
    /// Anybody or anything else, in words.
    Words(&'static str),
}

impl Executions {
    pub(super) fn len(&self) -> usize {
        self.in_flight.len() + self.ended.len()
    }

    /// In flight, oldest first.
    pub(super) fn list(&self) -> Vec<(ExecutionId, &Execution)> {
        let mut all: Vec<_> = self.in_flight.iter().map(|(id, e)| (*id, &**e)).collect();
        all.sort_by_key(|(id, e)| (e.started, *id));
        all
    }

    /// Those of which this is true, by their ids: the order of a table is another in each process, and what follows is to be the same whenever
    /// the same has happened.
    fn those(&self, is: impl Fn(&Execution) -> bool) -> Vec<ExecutionId> {
        let mut all: Vec<_> = self.in_flight.iter().filter(|(_, e)| is(e)).map(|(id, _)| *id).collect();
        all.sort_unstable();
        all
    }

    pub(super) fn sweep(&mut self, now: Time) {
        while self.ended.front().is_some_and(|(at, ..)| now.since(*at) > REMEMBER) {
            self.ended.pop_front();
        }
    }

    fn remember(&mut self, now: Time, id: ExecutionId, by: By) {
        if self.ended.len() >= MAX_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back((now, id, by));
    }
}

/// How an execution ended: with a result, checked but not necessarily opened, or in another way, with its error code.
struct Done {
    outcome: Result<Part, Outcome>,
    error: i64,
}

impl Done {
    fn new(outcome: Outcome) -> Self {
        let error = match outcome {
            Outcome::Ok(_) | Outcome::Fallback(_) => 0,
            Outcome::Failed(_) | Outcome::BadInput(_) => Code::BadRequest.number(),
            Outcome::Timeout => Code::Timeout.number(),
            Outcome::NoLink | Outcome::OpenCircuit => Code::CrmNotConnected.number(),
            Outcome::NoMethod | Outcome::Cancelled => Code::NotFound.number(),
        };
        Self { outcome: Err(outcome), error }
    }

    fn result(output: Part) -> Self {
        Self { outcome: Ok(output), error: 0 }
    }

    fn failed(why: String, error: i64) -> Self {
        Self { outcome: Err(Outcome::Failed(why)), error }
    }
}

/// The chain of a call, for who asks on its behalf.
pub(super) fn chain_of(call: Option<&CallId>) -> Text {
    call.map(|c| c.0.clone()).unwrap_or_default()
}

/// An output that has to be read here.
fn opened(output: &Part) -> Object {
    match output.open() {
        Value::Object(output) => output,
        _ => Object::new(),
    }
}
