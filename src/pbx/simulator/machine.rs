//! The telephone system: what can be told to it and what it tells. What follows from it is in [`super::exchange`] (legs),
//! [`super::acts`] (what people do), [`super::run`] (scenarios), [`super::phones`] and [`super::queues`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    Act, CallId, Command, ConferenceId, End, EndCause, Event, FaxId, LegState, OrderId, Parties, Place, Refusal, RunId,
    TalkId,
};

use super::Settings;
use super::fax::Fax;
use super::flow::{Flow, FlowKey, Run};
use super::legs::{Call, CallKey, Conference, Leg, LegKey, NewLeg, News, Talk};
use super::lines::Lines;
use super::phones::Phone;
use super::queues::Queue;
use super::recording::Take;
use super::script::{Behaviour, Happening, Limits, Scenario, Script, ScriptError, Story};
use super::timers::{Alarm, Timers};
use crate::pbx::{CallPicture, Control, ControlError, Directory, Done};

/// The simulated telephone system.
#[derive(Debug)]
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) phones: BTreeMap<Text, Phone>,
    /// The legs of people outside, by number.
    pub(super) strangers: BTreeMap<Text, Vec<LegKey>>,
    /// How people outside behave, by number, and all others.
    pub(super) outside: BTreeMap<Text, Behaviour>,
    pub(super) all_outside: Behaviour,
    pub(super) lines: Lines,
    pub(super) queues: BTreeMap<Text, Queue>,
    /// Phones of numbers that are no more, which are left until their calls are over.
    pub(super) leaving: BTreeSet<Text>,
    pub(super) calls: BTreeMap<CallKey, Call>,
    pub(super) past_calls: VecDeque<CallPicture>,
    pub(super) legs: BTreeMap<LegKey, Leg>,
    pub(super) talks: BTreeMap<TalkId, Talk>,
    pub(super) conferences: BTreeMap<ConferenceId, Conference>,
    pub(super) faxes: BTreeMap<FaxId, Fax>,
    pub(super) flows: BTreeMap<FlowKey, Flow>,
    /// Flows that can take their next step.
    pub(super) ready: VecDeque<FlowKey>,
    pub(super) runs: BTreeMap<RunId, Run>,
    pub(super) timers: Timers<Due>,
    pub(super) counters: Counters,
    /// The moment being handled.
    pub(super) now: Time,
    /// How many times faster than written telephones ring and timelines pass.
    pub(super) speed: u32,
    pub(super) scenarios: BTreeMap<Text, Arc<Scenario>>,
    pub(super) any: Option<Arc<Scenario>>,
    /// By title; also those that answer for no number.
    pub(super) titles: BTreeMap<Text, Arc<Scenario>>,
    pub(super) news: News,
    /// Conversations for which the rules may not be true now.
    pub(super) touched: BTreeSet<CallKey>,
    pub(super) events: VecDeque<Event>,
    pub(super) takes: VecDeque<Take>,
    /// Questions that nobody waits for any more, and that were not told yet.
    pub(super) withdrawn: Vec<RunId>,
    notes: VecDeque<Note>,
    pub(super) last_key: u64,
    pub(super) last_id: u64,
    last_run: u64,
}

/// What is due at some time.
#[derive(Debug)]
pub(super) enum Due {
    /// The end of a flow's wait.
    Wait(FlowKey),
    /// Nobody waits for a scenario's end any more.
    Begun(FlowKey),
    /// A phone answers by itself.
    PickUp(LegKey),
    /// A phone declines by itself.
    Decline(LegKey),
    /// A party hangs up by itself.
    HangUp(LegKey),
    /// A phone has rung long enough.
    Unanswered(LegKey),
    /// A conversation has lasted long enough.
    Longest(CallKey),
    /// The last page of a fax is there.
    FaxIsThere(FaxId),
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
        let phones = settings.directory.extensions.iter().map(|e| (e.number.clone(), Phone::new(e, now))).collect();
        let queues = settings.directory.queues.iter().map(|q| (q.number.clone(), Queue::new(q))).collect();
        let (first_run, lines) = (settings.first_run, Lines::new(settings.lines));
        let mut machine = Self {
            settings,
            phones,
            strangers: BTreeMap::new(),
            outside: BTreeMap::new(),
            all_outside: Behaviour::default(),
            lines,
            queues,
            leaving: BTreeSet::new(),
            calls: BTreeMap::new(),
            past_calls: VecDeque::new(),
            legs: BTreeMap::new(),
            talks: BTreeMap::new(),
            conferences: BTreeMap::new(),
            faxes: BTreeMap::new(),
            flows: BTreeMap::new(),
            ready: VecDeque::new(),
            runs: BTreeMap::new(),
            timers: Timers::new(),
            counters: Counters::default(),
            now,
            speed: 1,
            scenarios: BTreeMap::new(),
            any: None,
            titles: BTreeMap::new(),
            news: News::default(),
            touched: BTreeSet::new(),
            events: VecDeque::new(),
            takes: VecDeque::new(),
            withdrawn: Vec::new(),
            notes: VecDeque::new(),
            last_key: 0,
            last_id: 0,
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
        match command {
            Command::AskDone { run, outcome } => self.ask_done(run, outcome.into()),
            Command::AskLate { run, output } => self.ask_late(run, output),
            Command::FormDone { run, end } => self.form_done(run, end.into()),
            Command::Phone { order, number, act } => {
                let result = self.act(&number, act);
                self.work();
                if let Err(why) = result {
                    self.refused(&number, why);
                }
                self.tell(Event::Done { order, result });
            }
            Command::Redirect { number, to, cascade } => self.redirect(&number, to, cascade),
            Command::Agent { number, away } => self.make_available(&number, away.is_none()),
            Command::Script { order, name, parameters, wait } => self.start_by_name(order, &name, parameters, wait),
        }
        self.work();
    }

    /// The house has other numbers and queues. Calls go on: the phone of a number that is no more cannot be rung, and is gone when its
    /// call is over; whoever waits in a queue that is no more goes on as if nobody had answered.
    pub fn handle_directory(&mut self, now: Time, directory: &Directory) {
        self.catch_up(now);
        self.numbers_are(directory);
        self.work();
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
            Control::Answer { number } => self.person_answers(&number).map(|()| Done::Nothing),
            Control::Hangup { number } => self.person_hangs_up(&number).map(|()| Done::Nothing),
            Control::Hold { number, held } => self.person_holds(&number, held).map(|()| Done::Nothing),
            Control::Keys { number, keys } => self.person_presses(&number, &keys).map(|()| Done::Nothing),
            Control::Fax { number, pages } => self.person_faxes(&number, pages).map(|()| Done::Nothing),
            Control::Act { number, act } => self.person_acts(&number, act).map(|()| Done::Nothing),
            Control::Phone { number, connected } => self.plug(&number, connected).map(|()| Done::Nothing),
            Control::Play { timeline } => {
                let script = read(&timeline, &self.settings.directory)?;
                let done = Done::Playing { scenarios: script.scenarios.len(), cues: script.cues.len() };
                self.load(script);
                Ok(done)
            }
            Control::End { call } => self.end_call(&call).map(|()| Done::Nothing),
            Control::Picture => Ok(Done::Picture(Box::new(self.picture()))),
        };
        self.work();
        done
    }

    /// What it tells, in order. To be asked after every `handle_*` until it says `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// A recording that is to be written before the events that tell of it are handed on.
    pub fn poll_take(&mut self) -> Option<Take> {
        self.takes.pop_front()
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
            self.cut(key, EndCause::Failed);
        }
        self.settle();
        self.flush();
        self.ready.clear();
        for key in self.flows.keys().copied().collect::<Vec<_>>() {
            self.forget(key);
        }
    }

    /// What was counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// How many calls there are, those whose `after` still runs included.
    pub fn calls(&self) -> usize {
        let after = self.flows.values().filter(|flow| flow.leg.is_none()).count();
        self.calls.len() + after
    }

    /// Whether nothing of any call is left: no leg, line, talk, conference, place in a queue, scenario or question.
    pub fn is_idle(&self) -> bool {
        self.calls() == 0
            && self.legs.is_empty()
            && self.talks.is_empty()
            && self.conferences.is_empty()
            && self.faxes.is_empty()
            && self.flows.is_empty()
            && self.runs.is_empty()
            && self.lines.in_use() == 0
            && self.queues.values().all(|queue| queue.waiting.is_empty())
    }

    /// Lets everything happen that was due before or at `now`, each thing at its own time.
    fn catch_up(&mut self, now: Time) {
        while let Some((at, due)) = self.timers.take(now) {
            self.now = self.now.max(at);
            match due {
                Due::Wait(key) => self.wait_is_over(key),
                Due::Begun(key) => self.no_longer_awaited(key),
                Due::PickUp(key) => self.pick_up(key),
                Due::Decline(key) => self.release(key, EndCause::Refused),
                Due::HangUp(key) => self.release(key, EndCause::Hangup),
                Due::Unanswered(key) => self.release(key, EndCause::NoAnswer),
                Due::Longest(key) => self.cut(key, EndCause::Failed),
                Due::FaxIsThere(fax) => self.fax_is_there(&fax),
                Due::Cue(what) => self.happen(what),
            }
            self.work();
        }
        self.now = self.now.max(now);
    }

    /// Lets everything follow that follows at once.
    pub(super) fn work(&mut self) {
        loop {
            self.settle();
            self.flush();
            if let Some(flow) = self.ready.pop_front() {
                self.advance(flow);
            } else if !self.serve_queues() {
                return;
            }
        }
    }

    /// A time of a telephone or a timeline, at the speed of this machine.
    pub(super) fn paced(&self, time: Duration) -> Duration {
        time / self.speed
    }

    /// Takes over what a script says, from now on.
    fn load(&mut self, script: Script) {
        if let Some(speed) = script.speed {
            self.speed = speed;
        }
        if let Some(lines) = script.lines {
            self.lines.set_total(lines);
        }
        for scenario in script.scenarios {
            if scenario.any {
                self.any = Some(Arc::clone(&scenario));
            }
            if !scenario.title.is_empty() {
                self.titles.insert(scenario.title.clone(), Arc::clone(&scenario));
            }
            for (number, _) in &scenario.numbers {
                self.scenarios.insert(number.clone(), Arc::clone(&scenario));
            }
        }
        for line in script.phones {
            self.behave(&line.number, line.behaviour);
        }
        if let Some(behaviour) = script.outside {
            self.all_outside = behaviour;
        }
        for cue in script.cues {
            self.timers.set(self.now + self.paced(cue.at), Due::Cue(cue.what));
        }
    }

    fn happen(&mut self, what: Happening) {
        let happened = match what {
            Happening::Incoming { caller, name, called: (called, _), patience } => {
                let parties = Parties { caller, caller_name: name, called };
                self.incoming(parties, patience.map(|time| self.paced(time))).map(|_| ())
            }
            Happening::Answer(number) => self.person_answers(&number),
            Happening::Hangup(number) => self.person_hangs_up(&number),
            Happening::Hold(number, held) => self.person_holds(&number, held),
            Happening::Keys(number, keys) => self.person_presses(&number, &keys),
            Happening::Fax(number, pages) => self.person_faxes(&number, pages),
            Happening::Phone(number, behaviour) => {
                self.behave(&number, behaviour);
                Ok(())
            }
            Happening::AllOutside(behaviour) => {
                self.all_outside = behaviour;
                Ok(())
            }
            Happening::CallerLeaves => self.newest_caller_leaves(),
            Happening::Redirect { number, to, cascade } => {
                self.redirect(&number, to, cascade);
                Ok(())
            }
            Happening::Agent(number, available) => {
                self.make_available(&number, available);
                Ok(())
            }
            Happening::Act(number, story) => match self.act_of(&number, story) {
                Some(act) => self.person_acts(&number, act),
                None => Err(ControlError::Refused(Refusal::NoSuchConference)),
            },
        };
        if let Err(why) = happened {
            self.note(None, NoteKind::Odd, format!("the timeline: {why}"));
        }
    }

    /// The act that a line of a timeline means, with the ids that only this machine knows.
    fn act_of(&mut self, number: &Text, story: Story) -> Option<Act> {
        let here = |machine: &Self| {
            let of = machine.phones.get(number)?.legs.iter().filter_map(|leg| machine.legs.get(leg));
            of.filter(|leg| !leg.held).find_map(|leg| leg.conference().cloned())
        };
        Some(match story {
            Story::Plain(act) => act,
            Story::Confer(members) => Act::Confer {
                id: self.conference_id(),
                name: Text::new(),
                description: Text::new(),
                room: 0,
                record: true,
                members,
            },
            Story::Widen => Act::Widen { id: self.conference_id(), room: 0 },
            Story::Spy(target) => Act::Spy { id: self.conference_id(), target },
            Story::Invite(members) => Act::Invite { id: here(self)?, members },
            Story::Leave => Act::Leave { id: here(self)? },
            Story::SpyMode(mode) => Act::SpyMode { id: here(self)?, mode, target: None },
            Story::Kick(member) => {
                let id = here(self)?;
                let of_member = |leg: &&LegKey| self.legs.get(leg).is_some_and(|leg| *leg.number() == member);
                let members = self.members(&id);
                let leg = members.iter().find(of_member).and_then(|leg| self.legs.get(leg))?.id.clone();
                Act::Kick { id, leg }
            }
        })
    }

    /// A call comes in.
    fn incoming(&mut self, parties: Parties, patience: Option<Duration>) -> Result<CallId, ControlError> {
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
        let called = parties.called.clone();
        let destination = self.destination(&called, true).ok_or_else(|| ControlError::NoSuchNumber(called.clone()))?;
        if self.is_full() {
            return Err(ControlError::Full(self.settings.calls));
        }
        if !self.lines.any_free() {
            return Err(ControlError::NoLine(self.lines.total()));
        }
        let (number, name) = (parties.caller.clone(), parties.caller_name.clone());
        let call = self.begin_call(parties);
        let leg = self.begin_leg(NewLeg {
            call,
            end: End::Outside { number, name, line: Text::new() },
            state: LegState::Waiting,
            place: Place::None,
            with: None,
            toward: called.clone(),
        });
        let limit = patience.map(|patience| self.timers.set(self.now + patience, Due::HangUp(leg)));
        self.alter(leg, |leg| {
            leg.origin = true;
            leg.limit = limit;
        });
        let id = self.calls.get(&call).map(|call| call.id.clone()).unwrap_or_default();
        self.lead(leg, &called, destination, false);
        Ok(id)
    }

    /// Whether there are as many calls as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.calls() >= self.settings.calls
    }

    /// A new run's id, never given before.
    pub(super) fn next_run(&mut self) -> RunId {
        self.last_run += 1;
        RunId(self.last_run)
    }

    /// Sets when a flow has to be told something, if ever.
    pub(super) fn alarm(&mut self, after: Duration, due: Due) -> Alarm {
        self.timers.set(self.now + after, due)
    }

    /// Tells something, after the facts that became true before it.
    pub(super) fn tell(&mut self, event: Event) {
        self.settle();
        self.flush();
        self.events.push_back(event);
    }

    pub(super) fn note(&mut self, call: Option<&CallId>, kind: NoteKind, text: impl Into<String>) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { call: call.cloned(), kind, text: text.into() });
    }

    fn refused(&mut self, number: &Text, why: Refusal) {
        self.counters.refused_commands += 1;
        self.note(None, NoteKind::Odd, format!("{number}: {}", ControlError::Refused(why)));
    }

    /// Tells that a scenario that was started by name has begun, ended or could not begin.
    pub(super) fn script_done(&mut self, order: OrderId, result: Result<Text, Refusal>) {
        self.tell(Event::ScriptDone { order, result });
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
