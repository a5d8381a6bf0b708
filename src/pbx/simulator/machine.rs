//! The telephone system: what can be told to it and what it tells. What follows from it is in [`super::run`] (scenarios),
//! [`super::phones`] and [`super::queues`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallId, Command, Event, Parties, RingEnd, RunId};
use uuid::Uuid;

use super::Settings;
use super::call::{Call, CallKey, Run};
use super::phones::{Act, Phone};
use super::queues::Queue;
use super::scope::Scope;
use super::script::{
    Behaviour, Block, Expr, Happening, Limits, RingStep, RingWhom, Scenario, Script, ScriptError, Spot, Step, What,
};
use super::timers::Timers;
use crate::pbx::{Control, ControlError, Directory, Done};

/// The simulated telephone system.
#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) phones: BTreeMap<Text, Phone>,
    pub(super) queues: BTreeMap<Text, Queue>,
    pub(super) calls: BTreeMap<CallKey, Call>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) timers: Timers<Due>,
    pub(super) counters: Counters,
    /// The moment being handled.
    pub(super) now: Time,
    scenarios: BTreeMap<Text, Arc<Scenario>>,
    any: Option<Arc<Scenario>>,
    events: VecDeque<Event>,
    notes: VecDeque<Note>,
    last_call: u64,
    last_run: u64,
}

/// What is due at some time.
#[derive(Debug)]
pub(super) enum Due {
    /// The end of a call's wait.
    Wait(CallKey),
    /// The end of a caller's patience.
    Patience(CallKey),
    /// A phone does something by itself.
    Phone(Text, Act),
    /// A line of a timeline.
    Cue(Happening),
}

/// What the machine counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that began.
    pub calls: u64,
    /// Answers to a run that is finished or never was; they are ignored.
    pub ignored_answers: u64,
    /// Commands that could not be followed: a phone that does not ring, a number without a call.
    pub refused_commands: u64,
}

/// Something people may want to read: what a scenario says and does, and what was odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The call it is about.
    pub call: Option<CallId>,
    /// What kind of note.
    pub kind: NoteKind,
    /// What.
    pub text: String,
}

/// What kind of note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// A scenario says something.
    Say,
    /// A scenario did something.
    Step,
    /// Something is not as it should be.
    Odd,
}

/// Notes that nobody took; older ones are dropped.
const NOTES: usize = 10_000;
/// The longest number.
const LONGEST_NUMBER: usize = 64;
/// The longest name of a caller.
const LONGEST_NAME: usize = 256;

impl Machine {
    /// A telephone system at rest. It tells of every phone first, and plays its timeline from `now` on.
    ///
    /// # Errors
    /// The timeline is wrong.
    pub fn new(settings: Settings, now: Time) -> Result<Self, ScriptError> {
        let script = read(&settings.timeline, &settings.directory)?;
        let phones = settings.directory.extensions.iter().map(|e| (e.number.clone(), Phone::new(e))).collect();
        let queues = settings.directory.queues.iter().map(|q| (q.number.clone(), Queue::new(q))).collect();
        let first_run = settings.first_run;
        let mut machine = Self {
            settings,
            phones,
            queues,
            calls: BTreeMap::new(),
            runs: BTreeMap::new(),
            timers: Timers::new(),
            counters: Counters::default(),
            now,
            scenarios: BTreeMap::new(),
            any: None,
            events: VecDeque::new(),
            notes: VecDeque::new(),
            last_call: 0,
            last_run: first_run,
        };
        for number in machine.phones.keys().cloned().collect::<Vec<_>>() {
            machine.tell(Event::Phone { number, connected: true });
        }
        machine.load(script);
        Ok(machine)
    }

    /// Something the Hub tells.
    pub fn handle_command(&mut self, now: Time, command: Command) {
        self.catch_up(now);
        let followed = match command {
            Command::AskDone { run, outcome } => {
                self.ask_done(run, outcome.into());
                Ok(())
            }
            Command::AskLate { run, output } => {
                self.ask_late(run, output);
                Ok(())
            }
            Command::FormDone { run, end } => {
                self.form_done(run, end.into());
                Ok(())
            }
            Command::Answer { number } => self.pick_up(&number),
            Command::Hangup { number } => self.hang_up(&number),
        };
        if let Err(why) = followed {
            self.counters.refused_commands += 1;
            self.note(None, NoteKind::Odd, why.to_string());
        }
        self.serve_queues();
    }

    /// Something a person orders.
    ///
    /// # Errors
    /// Why it was not done; then nothing was.
    pub fn handle_control(&mut self, now: Time, control: Control) -> Result<Done, ControlError> {
        self.catch_up(now);
        let done = match control {
            Control::Incoming { caller, name, called } => {
                let parties = Parties { caller, caller_name: name, called };
                self.incoming(parties, None).map(Done::Call)
            }
            Control::Answer { number } => self.pick_up(&number).map(|()| Done::Nothing),
            Control::Hangup { number } => self.hang_up(&number).map(|()| Done::Nothing),
            Control::Phone { number, connected } => self.connect(&number, connected).map(|()| Done::Nothing),
            Control::Play { timeline } => {
                let script = read(&timeline, &self.settings.directory)?;
                let done = Done::Playing { scenarios: script.scenarios.len(), cues: script.cues.len() };
                self.load(script);
                Ok(done)
            }
        };
        self.serve_queues();
        done
    }

    /// What it tells, in order. To be asked after every `handle_*` until it says `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What people may want to read.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    /// When to call [`Self::handle_timeout`] if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// Lets everything happen that is due. Safe to call early or twice. What was due earlier happens as of its own time, so
    /// late calls change nothing but the moment at which events are told.
    pub fn handle_timeout(&mut self, now: Time) {
        self.catch_up(now);
    }

    /// Ends every call, without any `after`: the node stops.
    pub fn end_all(&mut self, now: Time) {
        self.catch_up(now);
        for key in self.calls.keys().copied().collect::<Vec<_>>() {
            if let Some(mut call) = self.calls.remove(&key) {
                if call.live() {
                    self.end_call(&mut call, "the telephone system stops");
                }
                self.forget(&mut call);
            }
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many calls there are, those whose `after` still runs included.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Lets everything happen that was due before or at `now`, each thing at its own time.
    fn catch_up(&mut self, now: Time) {
        while let Some((at, due)) = self.timers.take(now) {
            self.now = self.now.max(at);
            match due {
                Due::Wait(key) => self.wait_is_over(key),
                Due::Patience(key) => self.caller_leaves(key),
                Due::Phone(number, act) => self.phone_acts(&number, act),
                Due::Cue(what) => self.happen(what),
            }
            self.serve_queues();
        }
        self.now = self.now.max(now);
    }

    /// Takes over what a script says, from now on.
    fn load(&mut self, script: Script) {
        for scenario in script.scenarios {
            if scenario.numbers.is_empty() {
                self.any = Some(Arc::clone(&scenario));
            }
            for (number, _) in &scenario.numbers {
                self.scenarios.insert(number.clone(), Arc::clone(&scenario));
            }
        }
        for line in script.phones {
            self.behave(&line.number, line.behaviour);
        }
        for cue in script.cues {
            self.timers.set(self.now + cue.at, Due::Cue(cue.what));
        }
    }

    fn happen(&mut self, what: Happening) {
        let happened = match what {
            Happening::Incoming { caller, name, called: (called, _), patience } => {
                let parties = Parties { caller, caller_name: name, called };
                self.incoming(parties, patience).map(|_| ())
            }
            Happening::Answer(number) => self.pick_up(&number),
            Happening::Hangup(number) => self.hang_up(&number),
            Happening::Phone(number, behaviour) => {
                self.behave(&number, behaviour);
                Ok(())
            }
            Happening::CallerLeaves => match self.calls.values().rev().find(|call| call.live()).map(|call| call.key) {
                Some(key) => {
                    self.caller_leaves(key);
                    Ok(())
                }
                None => Err(ControlError::NoCall(Text::from_static("the caller"))),
            },
        };
        if let Err(why) = happened {
            self.note(None, NoteKind::Odd, format!("the timeline: {why}"));
        }
    }

    /// A call comes in.
    fn incoming(&mut self, parties: Parties, patience: Option<std::time::Duration>) -> Result<CallId, ControlError> {
        for (what, text, most) in [
            ("the caller's number", &parties.caller, LONGEST_NUMBER),
            ("the called number", &parties.called, LONGEST_NUMBER),
        ] {
            if text.is_empty() || text.len() > most {
                return Err(ControlError::BadNumber { what, most });
            }
        }
        if parties.caller_name.len() > LONGEST_NAME {
            return Err(ControlError::BadNumber { what: "the caller's name", most: LONGEST_NAME });
        }
        let scenario =
            self.scenario(&parties.called).ok_or_else(|| ControlError::NoSuchNumber(parties.called.clone()))?;
        if self.calls.len() >= self.settings.calls {
            return Err(ControlError::Full(self.settings.calls));
        }
        self.last_call += 1;
        self.counters.calls += 1;
        let key = CallKey(self.last_call);
        let chain = Uuid::new_v5(&Uuid::from_u128(self.settings.seed), &self.last_call.to_be_bytes()).to_string();
        let mut call = Call::new(key, scenario, Scope::new(chain.into(), parties.clone(), self.now));
        let longest = patience.unwrap_or(self.settings.longest_call).min(self.settings.longest_call);
        call.patience = Some(self.timers.set(self.now + longest, Due::Patience(key)));
        let id = call.id.clone();
        self.calls.insert(key, call);
        self.tell(Event::Began { call: id.clone(), parties });
        self.advance(key);
        Ok(id)
    }

    /// What happens to a call to this number: its scenario, or what a queue or phone does without one.
    fn scenario(&self, called: &Text) -> Option<Arc<Scenario>> {
        if let Some(scenario) = self.scenarios.get(called) {
            return Some(Arc::clone(scenario));
        }
        let here = Spot::default();
        let number = (Expr::Literal(called.into()), here);
        let what = if self.queues.contains_key(called) {
            What::Queue(super::script::QueueStep {
                queue: number,
                within: self.settings.longest_call,
                talking: Block::default(),
            })
        } else if self.phones.contains_key(called) {
            What::Ring(RingStep {
                whom: RingWhom::These(vec![number]),
                within: std::time::Duration::from_secs(60),
                talking: Block::default(),
            })
        } else {
            return self.any.clone();
        };
        Some(Arc::new(Scenario {
            numbers: vec![(called.clone(), here)],
            title: Text::new(),
            steps: Block::from([Step { spot: here, what }]),
            after: Block::default(),
            spot: here,
        }))
    }

    /// A new run's id, never given before.
    pub(super) fn next_run(&mut self) -> RunId {
        self.last_run += 1;
        RunId(self.last_run)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn note(&mut self, call: Option<&CallId>, kind: NoteKind, text: impl Into<String>) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { call: call.cloned(), kind, text: text.into() });
    }

    /// Tells that a phone stopped ringing, or did not even begin to.
    pub(super) fn ring_stopped(&mut self, call: &CallId, number: &Text, cause: RingEnd) {
        self.tell(Event::RingStopped { call: call.clone(), number: number.clone(), cause });
    }
}

/// Reads a timeline and looks up the numbers it names.
pub(super) fn read(timeline: &str, directory: &Directory) -> Result<Script, ScriptError> {
    let script = Script::parse(timeline, &Limits::default())?;
    script.check(timeline, directory)?;
    Ok(script)
}

impl Behaviour {
    /// Whether a phone that behaves so can be rung at all.
    pub(super) fn connected(&self) -> bool {
        *self != Self::Unreachable
    }
}
