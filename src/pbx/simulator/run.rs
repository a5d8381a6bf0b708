//! Scenarios: taking steps until one has to be waited for.

use std::time::Duration;

use ctigate_proto::message::{Object, Text};
use ctigate_proto::telephony::{Ask, Event, FormOrder, RingEnd, RunId};

use super::call::{Call, CallKey, Run, Stage, Wait, step};
use super::machine::{Due, Machine, NoteKind};
use super::scope::Answer;
use super::script::{AskStep, Expr, FormStep, RingStep, RingWhom, Spot, What, Word};

/// How long a method may take that does not say itself; the longest a declaration may name.
const LONGEST_ASK: Duration = Duration::from_secs(60);
/// How long after the deadline the gateway must have answered. It always does; this keeps a scenario from hanging if not.
const GRACE: Duration = Duration::from_secs(5);

impl Machine {
    /// Takes steps until the call has to wait, or is over.
    pub(super) fn advance(&mut self, key: CallKey) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        while matches!(call.wait, Wait::Nothing) {
            match call.next_step() {
                Some((block, at)) => self.take(&mut call, &step(&block, at).what),
                None if !call.live() => {
                    self.forget(&mut call);
                    return;
                }
                None if call.talking.is_some() => call.wait = Wait::Talk,
                None => self.end_call(&mut call, "the scenario is over"),
            }
        }
        self.calls.insert(key, call);
    }

    fn take(&mut self, call: &mut Call, what: &What) {
        match what {
            What::Answer => self.note(Some(&call.id), NoteKind::Step, "the telephone system answers"),
            What::Say(text) => {
                let text = call.scope.text(text, self.now);
                self.note(Some(&call.id), NoteKind::Say, &*text);
            }
            What::Set { name, value } => {
                let value = call.scope.value(value, self.now);
                call.scope.set(name, value);
            }
            What::If { branches, otherwise } => {
                let taken = branches.iter().find(|branch| call.scope.holds(&branch.when, self.now));
                call.enter(taken.map_or(otherwise, |branch| &branch.then));
            }
            What::Wait(time) => self.wait(call, Wait::Pause, *time),
            What::Hangup => self.end_call(call, "the scenario hangs up"),
            What::Ask(ask) => self.ask(call, ask),
            What::Form(form) => self.form(call, form),
            What::Await { name, within } => {
                if let Some(run) = self.open_form(call, name) {
                    self.wait(call, Wait::Form(run), *within);
                }
            }
            What::Close(name) => {
                if let Some(run) = self.open_form(call, name) {
                    self.note(Some(&call.id), NoteKind::Step, format!("closes {name}"));
                    self.tell(Event::CloseForm { run });
                }
            }
            What::Ring(ring) => self.ring_step(call, ring),
            What::Queue(step) => {
                let queue = call.scope.text(&step.queue.0, self.now);
                if self.queues.contains_key(&queue) {
                    self.enter_queue(call, queue, step.within, &step.talking);
                } else {
                    self.note(Some(&call.id), NoteKind::Odd, format!("there is no queue `{queue}`"));
                }
            }
        }
    }

    /// The form that has this name in the scenario now, while nobody has answered it.
    fn open_form(&self, call: &Call, name: &Text) -> Option<RunId> {
        let open = |run: &&RunId| {
            self.runs.get(run).is_some_and(|r| r.name.as_ref() == Some(name) && matches!(r.stage, Stage::Form))
        };
        call.runs.iter().rev().find(open).copied()
    }

    /// Lets a call wait, at most so long.
    fn wait(&mut self, call: &mut Call, wait: Wait, at_most: Duration) {
        call.wait = wait;
        call.alarm = Some(self.timers.set(self.now + at_most, Due::Wait(call.key)));
    }

    fn ask(&mut self, call: &mut Call, step: &AskStep) {
        let fallback = step.fallback.as_ref().map(|pairs| call.scope.object(pairs, self.now));
        let ask = Ask {
            method: step.method.clone(),
            input: call.scope.object(&step.input, self.now),
            call: Some(call.id.clone()),
            user: step.user.as_ref().map(|user| call.scope.text(user, self.now)).unwrap_or_default(),
            deadline: step.deadline,
            late: step.late,
            fallback: fallback.clone(),
        };
        let stage = Stage::Asked { fallback, late: !step.late.is_zero() };
        let run = self.begin(call, step.name.clone(), stage);
        self.note(Some(&call.id), NoteKind::Step, format!("asks {}", step.method));
        self.tell(Event::Ask { run, ask });
        self.wait(call, Wait::Ask(run), step.deadline.unwrap_or(LONGEST_ASK) + GRACE);
    }

    fn form(&mut self, call: &mut Call, step: &FormStep) {
        let user = call.scope.text(&step.user, self.now);
        if user.is_empty() {
            self.note(Some(&call.id), NoteKind::Step, format!("form {} is for nobody: not opened", step.form));
            if let Some(name) = &step.name {
                call.scope.set_result(name, Answer::refused("it is for nobody"));
            }
            return;
        }
        self.note(Some(&call.id), NoteKind::Step, format!("opens form {} for {user}", step.form));
        let form = FormOrder {
            name: step.form.clone(),
            user,
            call: Some(call.id.clone()),
            parameters: call.scope.object(&step.parameters, self.now),
            expire: step.expire,
        };
        let run =
            (step.name.is_some() || step.wait.is_some()).then(|| self.begin(call, step.name.clone(), Stage::Form));
        if let Some(name) = &step.name {
            // The name is this form's now: what becomes of an earlier one is not kept under it.
            for earlier in call.runs.iter().filter(|earlier| Some(**earlier) != run) {
                if let Some(earlier) = self.runs.get_mut(earlier).filter(|r| matches!(r.stage, Stage::Form)) {
                    earlier.name.take_if(|known| known == name);
                }
            }
            call.scope.set_result(name, Answer::empty(Word::Waiting));
        }
        self.tell(Event::Form { run, form });
        if let Some((run, time)) = run.zip(step.wait) {
            self.wait(call, Wait::Form(run), time);
        }
    }

    fn ring_step(&mut self, call: &mut Call, step: &RingStep) {
        let numbers: Vec<Text> = match &step.whom {
            RingWhom::Everyone => self.phones.keys().cloned().collect(),
            RingWhom::These(these) => these.iter().filter_map(|target| self.target(call, target)).collect(),
        };
        let phones = self.ring(call, numbers);
        if phones.is_empty() {
            self.note(Some(&call.id), NoteKind::Step, "nobody can be rung");
            return;
        }
        self.wait(call, Wait::Ring { phones, talking: step.talking.clone() }, step.within);
    }

    /// Whom a `ring` means.
    fn target(&mut self, call: &Call, (expr, spot): &(Expr, Spot)) -> Option<Text> {
        let wanted = call.scope.text(expr, self.now);
        let number = self.inside(&wanted);
        if number.is_none() && !wanted.is_empty() {
            let text = format!("there is no number or login `{wanted}` to ring (line {})", spot.line);
            self.note(Some(&call.id), NoteKind::Odd, text);
        }
        number
    }

    /// The end of a call's wait has come.
    pub(super) fn wait_is_over(&mut self, key: CallKey) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        call.alarm = None;
        match &call.wait {
            Wait::Nothing | Wait::Talk | Wait::Pause => call.wait = Wait::Nothing,
            Wait::Ask(run) => {
                let run = *run;
                self.note(Some(&call.id), NoteKind::Odd, "the gateway never answered an ask");
                if let Some(Run { name, stage: Stage::Asked { fallback, .. }, .. }) = self.runs.remove(&run) {
                    let answer =
                        fallback.map_or_else(|| Answer::empty(Word::Timeout), |o| Answer::new(Word::Fallback, o));
                    self.keep(&mut call, name.as_ref(), answer);
                }
                self.tell(Event::AskCancelled { run });
                call.wait = Wait::Nothing;
            }
            Wait::Form(run) => {
                let name = self.runs.get(run).and_then(|run| run.name.clone());
                self.keep(&mut call, name.as_ref(), Answer::empty(Word::Timeout));
                call.wait = Wait::Nothing;
            }
            Wait::Ring { .. } => {
                self.stop_ringing(&mut call, RingEnd::NoAnswer);
                call.wait = Wait::Nothing;
            }
            Wait::Queue(_) => {
                if self.queue_timer(&mut call) {
                    call.wait = Wait::Nothing;
                }
            }
        }
        self.calls.insert(key, call);
        self.advance(key);
    }

    /// The result of a dynamic method.
    pub(super) fn ask_done(&mut self, id: RunId, answer: Answer) {
        let Some(Run { call: key, stage: stage @ Stage::Asked { .. }, name }) = self.runs.get_mut(&id) else {
            self.counters.ignored_answers += 1;
            return;
        };
        let (key, name) = (*key, name.clone());
        if matches!(stage, Stage::Asked { late: true, .. }) && matches!(answer.word, Word::Timeout | Word::Fallback) {
            *stage = Stage::Late;
        } else {
            self.runs.remove(&id);
        }
        self.go_on(key, name.as_ref(), answer, |wait| matches!(wait, Wait::Ask(run) if *run == id));
    }

    /// A result that came after the deadline.
    pub(super) fn ask_late(&mut self, id: RunId, output: Object) {
        if !self.runs.get(&id).is_some_and(|run| matches!(run.stage, Stage::Late)) {
            self.counters.ignored_answers += 1;
            return;
        }
        if let Some(run) = self.runs.remove(&id) {
            self.go_on(run.call, run.name.as_ref(), Answer::new(Word::Late, output), |_| false);
        }
    }

    /// The answer to a form.
    pub(super) fn form_done(&mut self, id: RunId, answer: Answer) {
        if !self.runs.get(&id).is_some_and(|run| matches!(run.stage, Stage::Form)) {
            self.counters.ignored_answers += 1;
            return;
        }
        if let Some(run) = self.runs.remove(&id) {
            self.go_on(run.call, run.name.as_ref(), answer, |wait| matches!(wait, Wait::Form(run) if *run == id));
        }
    }

    /// Keeps a result, and goes on if the call waited for it.
    fn go_on(&mut self, key: CallKey, name: Option<&Text>, answer: Answer, waited: impl Fn(&Wait) -> bool) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        self.keep(&mut call, name, answer);
        if waited(&call.wait) {
            self.timers.cancel(&mut call.alarm);
            call.wait = Wait::Nothing;
        }
        self.calls.insert(key, call);
        self.advance(key);
    }

    fn keep(&mut self, call: &mut Call, name: Option<&Text>, answer: Answer) {
        if let Some(name) = name {
            self.note(Some(&call.id), NoteKind::Step, format!("{name}: {}", answer.word.as_str()));
            call.scope.set_result(name, answer);
        }
    }

    fn begin(&mut self, call: &mut Call, name: Option<Text>, stage: Stage) -> RunId {
        let run = self.next_run();
        self.runs.insert(run, Run { call: call.key, name, stage });
        call.runs.push(run);
        run
    }

    /// Ends a call for everybody; what is left of it is its `after`.
    pub(super) fn end_call(&mut self, call: &mut Call, why: &str) {
        self.note(Some(&call.id), NoteKind::Step, why);
        self.timers.cancel(&mut call.alarm);
        self.timers.cancel(&mut call.patience);
        self.stop_ringing(call, RingEnd::CallerGone);
        match &call.wait {
            Wait::Queue(wait) => self.leave_queue(&wait.queue, call.key),
            Wait::Ask(run) => {
                let run = *run;
                if let Some(Run { name: Some(name), .. }) = self.runs.remove(&run) {
                    call.scope.set_result(&name, Answer::empty(Word::Cancelled));
                }
                self.tell(Event::AskCancelled { run });
            }
            _ => {}
        }
        if let Some(number) = call.talking.take() {
            self.free(&number);
            self.tell(Event::Left { call: call.id.clone(), number });
        }
        self.tell(Event::Ended { call: call.id.clone(), answered: call.scope.answered.is_some() });
        call.scope.ended = Some(self.now);
        let after = call.scenario.after.clone();
        call.turn_to(&after);
    }

    /// Nothing of the call is left.
    pub(super) fn forget(&mut self, call: &mut Call) {
        self.timers.cancel(&mut call.alarm);
        if let Wait::Ask(run) = call.wait {
            self.tell(Event::AskCancelled { run });
        }
        for run in call.runs.drain(..) {
            self.runs.remove(&run);
        }
    }
}
