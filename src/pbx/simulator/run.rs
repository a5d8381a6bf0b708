//! Scenarios: taking steps until one has to be waited for.

use std::time::Duration;

use ctigate_proto::message::{Object, Text, Value};
use ctigate_proto::telephony::{Ask, EndCause, Event, FormOrder, LegState, OrderId, Parties, Refusal, RunId};

use super::flow::{Flow, FlowKey, KeysWait, Run, Stage, Wait};
use super::machine::{Due, Machine, NoteKind};
use super::scope::{Answer, Scope};
use super::script::{AskStep, Expr, FormStep, KeysStep, RingStep, RingWhom, Spot, What, Word};

/// How long a method may take that does not say itself; the longest a declaration may name.
const LONGEST_ASK: Duration = Duration::from_secs(60);
/// How long after the deadline the gateway must have answered. It always does; this keeps a scenario from hanging if not.
const GRACE: Duration = Duration::from_secs(5);

impl Machine {
    /// Starts a scenario that has no caller.
    pub(super) fn start_by_name(&mut self, order: OrderId, name: &Text, parameters: Vec<Text>, wait: Option<Duration>) {
        let lower = name.to_lowercase();
        let titled = self.titles.get(name).or_else(|| {
            self.titles.iter().find(|(title, _)| title.to_lowercase() == lower).map(|(_, scenario)| scenario)
        });
        let Some(scenario) = titled.cloned() else { return self.script_done(order, Err(Refusal::NoSuchScript)) };
        if self.is_full() {
            return self.script_done(order, Err(Refusal::Full));
        }
        let mut scope = Scope::new(Text::new(), Parties::default(), self.now);
        for (at, parameter) in parameters.into_iter().enumerate() {
            scope.set(&format!("param{}", at + 1).into(), Some(Value::String(parameter)));
        }
        let key = self.begin_flow(Flow::new(None, None, scenario, scope));
        match wait {
            None => self.script_done(order, Ok(Text::new())),
            Some(wait) => {
                let until = self.alarm(wait, Due::Begun(key));
                if let Some(flow) = self.flows.get_mut(&key) {
                    flow.waited_by = Some(order);
                    flow.waited_until = Some(until);
                }
            }
        }
        self.go_on(key);
    }

    /// Whoever started a scenario does not wait for its end any longer.
    pub(super) fn no_longer_awaited(&mut self, key: FlowKey) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        self.timers.cancel(&mut flow.waited_until);
        if let Some(order) = flow.waited_by.take() {
            let returned = flow.returned.clone();
            self.script_done(order, Ok(returned));
        }
    }

    /// Takes steps until the flow has to wait, or is over.
    pub(super) fn advance(&mut self, key: FlowKey) {
        loop {
            let Some(flow) = self.flows.get_mut(&key).filter(|flow| matches!(flow.wait, Wait::Nothing)) else { return };
            let live = flow.live();
            match flow.next_step() {
                Some((block, at)) => self.take(key, &block[at].what),
                None if !live => return self.forget(key),
                None if flow.talking => flow.wait = Wait::Talk,
                None => return self.end_flow(key, "the scenario is over"),
            }
            self.settle();
            self.flush();
            if self.flows.get(&key).is_some_and(|flow| flow.live() != live) {
                // Its leg has gone. What comes after that comes after everything that follows at once.
                return;
            }
        }
    }

    /// The steps of a flow are over, and so is its leg.
    fn end_flow(&mut self, key: FlowKey, why: &str) {
        self.step_note(key, why);
        match self.flows.get(&key).and_then(|flow| flow.leg) {
            Some(leg) => self.release(leg, EndCause::OtherGone),
            None => self.leg_gone(key),
        }
    }

    fn step_note(&mut self, key: FlowKey, text: impl Into<String>) {
        self.flow_note(key, NoteKind::Step, text);
    }

    fn flow_note(&mut self, key: FlowKey, kind: NoteKind, text: impl Into<String>) {
        let call = self.flows.get(&key).and_then(|flow| flow.call.clone());
        self.note(call.as_ref(), kind, text);
    }

    fn take(&mut self, key: FlowKey, what: &What) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        match what {
            What::Say(text) => {
                let (text, leg) = (flow.scope.text(text, now), flow.leg);
                self.flow_note(key, NoteKind::Say, &*text);
                if let Some(leg) = leg {
                    self.say_to(leg, text);
                }
            }
            What::Set { name, value } => {
                let value = flow.scope.value(value, now);
                flow.scope.set(name, value);
            }
            What::If { branches, otherwise } => {
                let taken = branches.iter().find(|branch| flow.scope.holds(&branch.when, now));
                flow.enter(taken.map_or(otherwise, |branch| &branch.then));
            }
            What::Wait(time) => {
                let time = self.paced(*time);
                self.wait(key, Wait::Pause, time);
            }
            What::Return(value) => {
                flow.returned = flow.scope.text(value, now);
                self.end_flow(key, "the scenario returns");
            }
            What::Hangup => self.end_flow(key, "the scenario hangs up"),
            What::Ask(ask) => self.ask(key, ask),
            What::Form(form) => self.form(key, form),
            What::Await { name, within } => {
                if let Some(run) = self.open_form(key, name) {
                    self.wait(key, Wait::Form(run), *within);
                }
            }
            What::Close(name) => {
                if let Some(run) = self.open_form(key, name) {
                    self.step_note(key, format!("closes {name}"));
                    self.tell(Event::CloseForm { run });
                }
            }
            What::Answer | What::Keys(_) | What::Ring(_) | What::Queue(_) if flow.leg.is_none() => {
                self.flow_note(
                    key,
                    NoteKind::Odd,
                    "a scenario without a caller cannot answer, ring, queue or wait for keys",
                );
            }
            What::Answer => self.take_call(key),
            What::Keys(step) => self.keys(key, step),
            What::Ring(ring) => self.ring_step(key, ring),
            What::Queue(step) => {
                let queue = flow.scope.text(&step.queue.0, now);
                if self.queues.contains_key(&queue) {
                    self.enter_queue(key, &queue, step.within, &step.talking);
                } else {
                    self.flow_note(key, NoteKind::Odd, format!("there is no queue `{queue}`"));
                }
            }
        }
    }

    /// The form that has this name in the scenario now, while nobody has answered it.
    fn open_form(&self, key: FlowKey, name: &Text) -> Option<RunId> {
        let open = |run: &&RunId| {
            self.runs.get(run).is_some_and(|r| r.name.as_ref() == Some(name) && matches!(r.stage, Stage::Form))
        };
        self.flows.get(&key)?.runs.iter().rev().find(open).copied()
    }

    /// Lets a flow wait, at most so long.
    fn wait(&mut self, key: FlowKey, wait: Wait, at_most: Duration) {
        let alarm = self.alarm(at_most, Due::Wait(key));
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.wait = wait;
            flow.alarm = Some(alarm);
        }
    }

    /// The telephone system takes the call itself.
    fn take_call(&mut self, key: FlowKey) {
        let Some((Some(leg), menu)) = self.flows.get(&key).map(|flow| (flow.leg, flow.menu())) else { return };
        if self.legs.get(&leg).is_some_and(|leg| leg.state == LegState::Waiting) {
            self.step_note(key, "the telephone system answers");
            self.come(leg, menu);
        }
    }

    fn keys(&mut self, key: FlowKey, step: &KeysStep) {
        // Who is not answered cannot press keys.
        self.take_call(key);
        let wait = KeysWait { name: step.name.clone(), digits: step.digits, pressed: String::new() };
        let within = self.paced(step.within);
        self.wait(key, Wait::Keys(wait), within);
    }

    /// The caller has pressed keys. `#` ends a number before it is full.
    pub(super) fn pressed(&mut self, key: FlowKey, keys: &str) {
        let Some(Wait::Keys(wait)) = self.flows.get_mut(&key).map(|flow| &mut flow.wait) else { return };
        for pressed in keys.chars() {
            if pressed != '#' {
                wait.pressed.push(pressed);
            }
            if pressed == '#' || wait.pressed.len() >= wait.digits {
                return self.keys_are_in(key);
            }
        }
    }

    fn keys_are_in(&mut self, key: FlowKey) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        if let Wait::Keys(wait) = &mut flow.wait {
            let pressed = std::mem::take(&mut wait.pressed);
            let name = wait.name.clone();
            flow.scope.set(&name, Some(Value::String(pressed.into())));
            self.go_on(key);
        }
    }

    fn ask(&mut self, key: FlowKey, step: &AskStep) {
        let now = self.now;
        let Some(flow) = self.flows.get(&key) else { return };
        let fallback = step.fallback.as_ref().map(|pairs| flow.scope.object(pairs, now));
        let ask = Ask {
            method: step.method.clone(),
            input: flow.scope.object(&step.input, now),
            call: flow.call.clone(),
            user: step.user.as_ref().map(|user| flow.scope.text(user, now)).unwrap_or_default(),
            deadline: step.deadline,
            late: step.late,
            fallback: fallback.clone(),
        };
        let stage = Stage::Asked { fallback, late: !step.late.is_zero() };
        let run = self.begin_run(key, step.name.clone(), stage);
        self.step_note(key, format!("asks {}", step.method));
        self.tell(Event::Ask { run, ask });
        self.wait(key, Wait::Ask(run), step.deadline.unwrap_or(LONGEST_ASK) + GRACE);
    }

    fn form(&mut self, key: FlowKey, step: &FormStep) {
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        let user = flow.scope.text(&step.user, now);
        if user.is_empty() {
            if let Some(name) = &step.name {
                flow.scope.set_result(name, Answer::refused("it is for nobody"));
            }
            return self.step_note(key, format!("form {} is for nobody: not opened", step.form));
        }
        let form = FormOrder {
            name: step.form.clone(),
            user: user.clone(),
            call: flow.call.clone(),
            parameters: flow.scope.object(&step.parameters, now),
            expire: step.expire,
        };
        self.step_note(key, format!("opens form {} for {user}", step.form));
        let run =
            (step.name.is_some() || step.wait.is_some()).then(|| self.begin_run(key, step.name.clone(), Stage::Form));
        if let (Some(name), Some(flow)) = (&step.name, self.flows.get_mut(&key)) {
            // The name is this form's now: what becomes of an earlier one is not kept under it.
            for earlier in flow.runs.iter().filter(|earlier| Some(**earlier) != run) {
                if let Some(earlier) = self.runs.get_mut(earlier).filter(|r| matches!(r.stage, Stage::Form)) {
                    earlier.name.take_if(|known| known == name);
                }
            }
            flow.scope.set_result(name, Answer::empty(Word::Waiting));
        }
        self.tell(Event::Form { run, form });
        if let Some((run, time)) = run.zip(step.wait) {
            self.wait(key, Wait::Form(run), time);
        }
    }

    fn ring_step(&mut self, key: FlowKey, step: &RingStep) {
        let numbers: Vec<Text> = match &step.whom {
            RingWhom::Everyone => self.phones.keys().cloned().collect(),
            RingWhom::These(these) => these.iter().filter_map(|target| self.target(key, target)).collect(),
        };
        let numbers: Vec<Text> = numbers.iter().map(|number| self.phone_for(number)).collect();
        self.ring_these(key, &numbers, step.within, &step.talking, false);
    }

    /// Whom a `ring` means.
    fn target(&mut self, key: FlowKey, (expr, spot): &(Expr, Spot)) -> Option<Text> {
        let wanted = self.flows.get(&key)?.scope.text(expr, self.now);
        let number = self.inside(&wanted).or_else(|| self.is_outside(&wanted).then(|| wanted.clone()));
        if number.is_none() && !wanted.is_empty() {
            let text = format!("there is no number or login `{wanted}` to ring (line {})", spot.line);
            self.flow_note(key, NoteKind::Odd, text);
        }
        number
    }

    /// The end of a flow's wait has come.
    pub(super) fn wait_is_over(&mut self, key: FlowKey) {
        let Some(flow) = self.flows.get_mut(&key) else { return };
        flow.alarm = None;
        match &flow.wait {
            Wait::Talk => {}
            Wait::Nothing | Wait::Pause => self.go_on(key),
            Wait::Keys(_) => self.keys_are_in(key),
            Wait::Ask(run) => {
                let run = *run;
                self.flow_note(key, NoteKind::Odd, "the gateway never answered an ask");
                if let Some(Run { name, stage: Stage::Asked { fallback, .. }, .. }) = self.runs.remove(&run) {
                    let answer =
                        fallback.map_or_else(|| Answer::empty(Word::Timeout), |o| Answer::new(Word::Fallback, o));
                    self.keep(key, name.as_ref(), answer);
                }
                self.tell(Event::AskCancelled { run });
                self.go_on(key);
            }
            Wait::Form(run) => {
                let name = self.runs.get(run).and_then(|run| run.name.clone());
                self.keep(key, name.as_ref(), Answer::empty(Word::Timeout));
                self.go_on(key);
            }
            Wait::Ring { .. } => {
                self.stop_ringing(key, EndCause::NoAnswer);
                self.go_on(key);
            }
            Wait::Queue(_) => self.queue_timer(key),
        }
    }

    /// The result of a dynamic method.
    pub(super) fn ask_done(&mut self, id: RunId, answer: Answer) {
        let Some(Run { flow: key, stage: stage @ Stage::Asked { .. }, name }) = self.runs.get_mut(&id) else {
            self.counters.ignored_answers += 1;
            return;
        };
        let (key, name) = (*key, name.clone());
        if matches!(stage, Stage::Asked { late: true, .. }) && matches!(answer.word, Word::Timeout | Word::Fallback) {
            *stage = Stage::Late;
        } else {
            self.runs.remove(&id);
        }
        self.resolve(key, name.as_ref(), answer, |wait| matches!(wait, Wait::Ask(run) if *run == id));
    }

    /// A result that came after the deadline.
    pub(super) fn ask_late(&mut self, id: RunId, output: Object) {
        if !self.runs.get(&id).is_some_and(|run| matches!(run.stage, Stage::Late)) {
            self.counters.ignored_answers += 1;
            return;
        }
        if let Some(run) = self.runs.remove(&id) {
            self.resolve(run.flow, run.name.as_ref(), Answer::new(Word::Late, output), |_| false);
        }
    }

    /// The answer to a form.
    pub(super) fn form_done(&mut self, id: RunId, answer: Answer) {
        if !self.runs.get(&id).is_some_and(|run| matches!(run.stage, Stage::Form)) {
            self.counters.ignored_answers += 1;
            return;
        }
        if let Some(run) = self.runs.remove(&id) {
            self.resolve(run.flow, run.name.as_ref(), answer, |wait| matches!(wait, Wait::Form(run) if *run == id));
        }
    }

    /// Keeps a result, and goes on if the flow waited for it.
    fn resolve(&mut self, key: FlowKey, name: Option<&Text>, answer: Answer, waited: impl Fn(&Wait) -> bool) {
        self.keep(key, name, answer);
        if self.flows.get(&key).is_some_and(|flow| waited(&flow.wait)) {
            self.go_on(key);
        }
    }

    fn keep(&mut self, key: FlowKey, name: Option<&Text>, answer: Answer) {
        if let Some(name) = name {
            self.step_note(key, format!("{name}: {}", answer.word.as_str()));
            if let Some(flow) = self.flows.get_mut(&key) {
                flow.scope.set_result(name, answer);
            }
        }
    }

    fn begin_run(&mut self, key: FlowKey, name: Option<Text>, stage: Stage) -> RunId {
        let run = self.next_run();
        self.runs.insert(run, Run { flow: key, name, stage });
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.runs.push(run);
        }
        run
    }

    /// The leg of a flow is gone: what is left of it is its `after`.
    pub(super) fn leg_gone(&mut self, key: FlowKey) {
        self.stop_ringing(key, EndCause::CallerGone);
        let now = self.now;
        let Some(flow) = self.flows.get_mut(&key) else { return };
        self.timers.cancel(&mut flow.alarm);
        flow.leg = None;
        flow.talking = false;
        flow.scope.ended = Some(now);
        let after = flow.scenario.after.clone();
        let mut cancelled = None;
        match &flow.wait {
            Wait::Queue(wait) => {
                let queue = wait.queue.clone();
                self.leave_queue(&queue, key);
            }
            Wait::Ask(run) => {
                let run = *run;
                if let Some(Run { name: Some(name), .. }) = self.runs.remove(&run) {
                    flow.scope.set_result(&name, Answer::empty(Word::Cancelled));
                }
                cancelled = Some(run);
            }
            _ => {}
        }
        if let Some(flow) = self.flows.get_mut(&key) {
            flow.turn_to(&after);
        }
        self.ready.push_back(key);
        if let Some(run) = cancelled {
            self.withdrawn.push(run);
        }
        self.no_longer_awaited(key);
    }

    /// Nothing of a flow is left.
    pub(super) fn forget(&mut self, key: FlowKey) {
        self.no_longer_awaited(key);
        let Some(mut flow) = self.flows.remove(&key) else { return };
        self.timers.cancel(&mut flow.alarm);
        if let Wait::Ask(run) = flow.wait {
            self.tell(Event::AskCancelled { run });
        }
        for run in flow.runs.drain(..) {
            self.runs.remove(&run);
        }
    }
}
