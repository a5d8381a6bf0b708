//! Dynamic methods: what the CRM answers for a scenario, a tab or an outside caller, and what a person's tabs answer for the
//! telephone system. One execution, one outcome. `proto-spec/dynamic.md`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::Time;
use crate::message::{Body, CallError, Code, Envelope, Object, Part, PeerId, Shared, Text, Value};
use crate::telephony::{Ask, CallId, Command, Outcome, RunId};

use super::declaration::{self, MAX_WAIT, Method, Target};
use super::form::RuleAsk;
use super::input::{ApiCall, Ticket, Undelivered};
use super::output::{Answer, Notice, Output};
use super::route::{Caller, Handled, object_part, required};
use super::subscription::Event;
use super::timer::{Key, Timer};
use super::user::UserIx;
use super::{Hub, Peer};

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

/// One execution that somebody waits for.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) method: Arc<Method>,
    pub(super) asker: Asker,
    /// The link that answers; `None`: the user's tabs.
    pub(super) link: Option<usize>,
    /// Who was asked and may still answer.
    targets: Vec<PeerId>,
    qid: Text,
    fallback: Option<Object>,
    late: Duration,
    /// The caller has its outcome; only a late result is still welcome.
    aborted: bool,
    key: Key,
    started: Time,
    pub(super) since_ms: i64,
}

/// All executions in flight, and who answered those that ended a moment ago.
#[derive(Debug, Default)]
pub(super) struct Executions {
    in_flight: HashMap<Text, Execution>,
    scenarios: HashMap<RunId, Text>,
    api: HashMap<Ticket, Text>,
    ended: VecDeque<(Time, Text, String)>,
}

impl Executions {
    pub(super) fn len(&self) -> usize {
        self.in_flight.len() + self.ended.len()
    }

    /// In flight, oldest first.
    pub(super) fn list(&self) -> Vec<(&Text, &Execution)> {
        let mut all: Vec<_> = self.in_flight.iter().collect();
        all.sort_by_key(|(id, e)| (e.started, *id));
        all
    }

    pub(super) fn sweep(&mut self, now: Time) {
        while self.ended.front().is_some_and(|(at, ..)| now.since(*at) > REMEMBER) {
            self.ended.pop_front();
        }
    }

    fn remember(&mut self, now: Time, id: Text, by: String) {
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

impl Hub {
    /// A scenario asks.
    pub(super) fn execute_for_scenario(&mut self, run: RunId, ask: Ask) {
        if self.executions.scenarios.contains_key(&run) {
            return;
        }
        let user = self.users.by_login(&ask.user).or_else(|| self.users.by_number(&ask.user));
        if !ask.user.is_empty() && user.is_none() {
            let outcome = Outcome::BadInput(format!("{} is no user", ask.user));
            return self.deliver(Asker::Scenario(run), Text::new(), &ask.method, Done::new(outcome), None);
        }
        self.execute(
            Asker::Scenario(run),
            Order {
                method: ask.method,
                input: Part::from(ask.input),
                deadline: ask.deadline,
                late: ask.late,
                fallback: ask.fallback,
                link: None,
                user,
                chain: ask.call.map(|c| c.0).unwrap_or_default(),
            },
        );
    }

    /// The HTTP interface or the command line asks.
    pub(super) fn execute_for_api(&mut self, ticket: Ticket, call: ApiCall) {
        let user = self.users.by_login(&call.user);
        let link = self.link_index(&call.link);
        let bad = if !call.user.is_empty() && user.is_none() {
            Some(format!("userlogin: {} is no user", call.user))
        } else if !call.link.is_empty() && link.is_none() {
            Some(format!("link: no link is named {}", call.link))
        } else {
            None
        };
        if let Some(why) = bad {
            let done = Done::new(Outcome::BadInput(why));
            return self.deliver(Asker::Api(ticket), Text::new(), &call.method, done, None);
        }
        self.execute(
            Asker::Api(ticket),
            Order {
                method: call.method,
                input: Part::from(call.input),
                deadline: call.deadline,
                late: call.late,
                fallback: call.fallback,
                link,
                user,
                chain: call.chain,
            },
        );
    }

    /// A tab asks; what it says about ids and users is not believed.
    pub(super) fn execute_for_peer(&mut self, caller: &Caller, body: &Body) -> Handled {
        let user = self.acting(caller)?;
        let method = ["name", "method", "methodname"].into_iter().find_map(|f| body.text(f)).filter(|m| !m.is_empty());
        let method =
            method.ok_or_else(|| CallError::new(Code::BadRequest, "name is missing, expected the method's name"))?;
        let input = object_part(body, &["inputparameters", "params", "input"])?;
        let deadline = match body
            .get("waitresponsems")
            .map(|_| body.int("waitresponsems").and_then(|ms| u64::try_from(ms).ok()))
        {
            None => None,
            Some(Some(ms)) if ms > 0 => Some(Duration::from_millis(ms)),
            Some(_) => {
                return Err(CallError::new(Code::BadRequest, "waitresponsems is no number of milliseconds above 0"));
            }
        };
        if let Some(Peer::Tab(tab)) = self.peers.get(&caller.peer)
            && tab.asked.len() >= self.settings.limits.in_flight_tab
        {
            let detail = format!("{} calls of this tab wait for an answer already", tab.asked.len());
            return Err(CallError::new(Code::TooManyRequests, detail));
        }
        if let Some(link) = caller.link {
            self.room_for_call_of(link)?;
        }
        self.execute(
            Asker::Tab(caller.clone()),
            Order {
                method,
                input,
                deadline,
                late: Duration::ZERO,
                fallback: None,
                link: None,
                user: Some(user),
                chain: body.text("chainid").unwrap_or_default(),
            },
        );
        Ok(None)
    }

    /// Begins an execution. Whatever comes of it, the asker hears it exactly once.
    pub(super) fn execute(&mut self, asker: Asker, order: Order) {
        let chosen = match self.choose_link(&order) {
            Ok(chosen) => chosen,
            Err(outcome) => return self.refuse(asker, order, outcome),
        };
        let (link, method) = chosen;
        let input = match accept_input(order.input.clone(), &method) {
            Ok(input) => input,
            Err(why) => return self.refuse(asker, order, Outcome::BadInput(why)),
        };
        let targets = match method.target {
            Target::Server => self.links[link].peer.into_iter().collect(),
            Target::Client => self.client_targets(order.user),
        };
        if targets.is_empty() {
            return self.refuse(asker, order, Outcome::NoLink);
        }
        let server = (method.target == Target::Server).then_some(link);
        if let Some(link) = server {
            if self.links[link].in_flight.len() >= self.settings.limits.in_flight_link {
                let (waiting, name) = (self.links[link].in_flight.len(), &self.links[link].settings.name);
                let why = format!("{waiting} calls wait for link {name} already");
                let done = Done::failed(why, Code::TooManyRequests.number());
                return self.deliver(asker, Text::new(), &order.method, done, order.fallback);
            }
            if !self.circuit_lets_pass(link, &method.name) {
                return self.refuse(asker, order, Outcome::OpenCircuit);
            }
        }
        let id = self.ids.guid();
        let qid = self.call_qid();
        let wait = order.deadline.unwrap_or(method.wait).clamp(Duration::from_millis(1), MAX_WAIT);
        let key = self.timers.set(self.now + wait, Timer::ExecutionDeadline(id.clone()));
        let (user_id, login) = match order.user {
            Some(user) => (self.users[user].account.id.clone(), self.users[user].account.login.clone()),
            None => (Text::new(), Text::new()),
        };
        let body = Body::new()
            .with("qid", qid.clone())
            .with("executionid", id.clone())
            .with("name", method.name.clone())
            .with("inputparameters", input)
            .with("waitresponse", true)
            .with("waitresponsems", i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
            .with("userid", user_id)
            .with("userlogin", login)
            .with("chainid", order.chain);
        self.send_to_all(&targets, Envelope::new("executemethod", body));
        match &asker {
            Asker::Scenario(run) => drop(self.executions.scenarios.insert(*run, id.clone())),
            Asker::Api(ticket) => drop(self.executions.api.insert(*ticket, id.clone())),
            Asker::Tab(Caller { link: Some(link), .. }) => drop(self.links[*link].asked.insert(id.clone())),
            Asker::Tab(caller) => {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                    tab.asked.push(id.clone());
                }
            }
            Asker::Rule(ask) => self.forms.note_ask(id.clone(), ask),
        }
        if let Some(link) = server {
            self.links[link].in_flight.insert(id.clone());
        } else {
            for peer in &targets {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(peer) {
                    tab.serving.push(id.clone());
                }
            }
        }
        let execution = Execution {
            method,
            asker,
            link: server,
            targets,
            qid,
            fallback: order.fallback,
            late: order.late.min(Duration::from_secs(3600)),
            aborted: false,
            key,
            started: self.now,
            since_ms: self.wall(self.now),
        };
        self.executions.in_flight.insert(id, execution);
    }

    /// The first link in the order of the configuration that is up, declares the method and has the user.
    fn choose_link(&self, order: &Order) -> Result<(usize, Arc<Method>), Outcome> {
        let mut down = false;
        for (i, link) in self.links.iter().enumerate() {
            if order.link.is_some_and(|l| l != i) || order.user.is_some_and(|u| !link.has_user(u)) {
                continue;
            }
            match link.method(&order.method) {
                Some(method) if link.peer.is_some() => return Ok((i, Arc::clone(method))),
                Some(_) => down = true,
                // Nobody knows yet what it will offer.
                None => down |= link.peer.is_none() || link.introducing(),
            }
        }
        Err(if down || self.links.is_empty() { Outcome::NoLink } else { Outcome::NoMethod })
    }

    /// Who can carry out a method directed to the user's own tabs.
    fn client_targets(&self, user: Option<UserIx>) -> Vec<PeerId> {
        let Some(user) = user else { return Vec::new() };
        let mut to = self.tabs_hearing(user, "executemethod");
        to.extend(self.links.iter().filter(|l| l.tunnel.contains_key(&user)).filter_map(|l| l.peer));
        to
    }

    /// An execution that does not even begin.
    fn refuse(&mut self, asker: Asker, order: Order, outcome: Outcome) {
        self.deliver(asker, Text::new(), &order.method, Done::new(outcome), order.fallback);
    }

    fn send_to_all(&mut self, to: &[PeerId], envelope: Envelope) {
        let message = Arc::new(Shared::new(envelope));
        self.out.push_back(match to {
            [to] => Output::Send { to: *to, message },
            to => Output::Fan { to: to.into(), message },
        });
    }

    /// `methodresult` of a CRM or a tab.
    pub(super) fn method_result(&mut self, peer: PeerId, body: &Body) -> Result<(), CallError> {
        let id = required(body, "executionid")?;
        let Some(execution) = self.executions.in_flight.get_mut(&id) else {
            return Err(match self.executions.ended.iter().find(|(_, ended, _)| *ended == id) {
                Some((.., by)) => CallError::new(Code::AlreadyAnswered, by.clone()),
                None => CallError::new(Code::NotFound, format!("executionid: no execution {id} waits for a result")),
            });
        };
        if !execution.targets.contains(&peer) {
            return Err(CallError::new(Code::NotFound, "executionid: this execution was given to somebody else"));
        }
        let result = read_result(body, &execution.method);
        let by = self.peer_words(peer);
        match result {
            Ok(output) => {
                self.finish_from(&id, Some(peer), &by, Done::result(output));
                Ok(())
            }
            Err((error, why)) => {
                let ill_typed = error == Code::BadRequest.number() && body.int("result") != Some(0);
                let Some(execution) = self.executions.in_flight.get_mut(&id) else { return Ok(()) };
                execution.targets.retain(|t| *t != peer);
                let nobody_left = execution.targets.is_empty();
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&peer) {
                    tab.serving.retain(|s| *s != id);
                }
                if nobody_left {
                    self.finish_from(&id, Some(peer), &by, Done::failed(why.clone(), error));
                }
                if ill_typed { Err(CallError::new(Code::BadRequest, why)) } else { Ok(()) }
            }
        }
    }

    /// Whoever was to answer says that it will not.
    pub(super) fn cancel_for_peer(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = required(body, "executionid")?;
        let asked_here = matches!(self.executions.in_flight.get(&id).map(|e| &e.asker),
            Some(Asker::Tab(c)) if c.peer == caller.peer && c.user == caller.user);
        if !asked_here {
            return Err(CallError::new(Code::NotFound, "executionid: no execution that was asked here"));
        }
        self.cancel_execution(&id, "cancelled by its caller");
        Ok(Some(Body::new()))
    }

    /// The caller waits no longer.
    pub(super) fn execution_deadline(&mut self, id: &Text) {
        let Some(execution) = self.executions.in_flight.get_mut(id) else { return };
        let link = execution.link;
        let (late, method) = (execution.late, execution.method.name.clone());
        if let Some(link) = link {
            self.circuit_failed(link, &method);
        }
        let Some(execution) = self.executions.in_flight.get_mut(id) else { return };
        if late.is_zero() {
            return self.finish_from(id, None, "nobody in time", Done::new(Outcome::Timeout));
        }
        // The caller gets its outcome now; the execution lives on for the late result.
        execution.aborted = true;
        let key = self.timers.set(self.now + late, Timer::ExecutionLate(id.clone()));
        let Some(execution) = self.executions.in_flight.get_mut(id) else { return };
        execution.key = key;
        let (mut targets, fallback) = (execution.targets.clone(), execution.fallback.take());
        let started = execution.started;
        let waits = match &execution.asker {
            Asker::Scenario(run) => Some(Asker::Scenario(*run)),
            Asker::Api(ticket) => Some(Asker::Api(*ticket)),
            Asker::Tab(_) | Asker::Rule(_) => None,
        };
        let millis = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
        let qid = self.call_qid();
        let body = Body::new().with("qid", qid).with("executionid", id.clone()).with("waitresponsems", millis);
        // For a link it is a call of its own; a tab hears it as an event, if it subscribed.
        let event = Event::of("executemethodwaitaborted");
        targets.retain(|t| !matches!(self.peers.get(t), Some(Peer::Tab(tab)) if !tab.hears(event)));
        if !targets.is_empty() {
            self.send_to_all(&targets, Envelope::new("executemethodwaitaborted", body));
        }
        let outcome = outcome_word(&Err(Outcome::Timeout), fallback.is_some());
        self.method_done(&method, link, outcome, started);
        if let Some(asker) = waits {
            self.deliver(asker, id.clone(), &method, Done::new(Outcome::Timeout), fallback);
        }
    }

    /// Nor is a late result welcome any more.
    pub(super) fn execution_expired(&mut self, id: &Text) {
        self.finish_from(id, None, "nobody in time", Done::new(Outcome::Timeout));
    }

    /// Nobody waits for it any more.
    pub(super) fn cancel_execution(&mut self, id: &Text, why: &str) {
        self.finish_from(id, None, why, Done::new(Outcome::Cancelled));
    }

    pub(super) fn scenario_gone(&mut self, run: RunId) {
        if let Some(id) = self.executions.scenarios.get(&run).cloned() {
            self.cancel_execution(&id, "the scenario is gone");
        }
    }

    pub(super) fn asker_gone(&mut self, ticket: Ticket) {
        if let Some(id) = self.executions.api.get(&ticket).cloned() {
            self.cancel_execution(&id, "the caller is gone");
        }
    }

    /// One of several tabs that were asked is gone.
    pub(super) fn target_gone(&mut self, id: &Text, peer: PeerId) {
        let Some(execution) = self.executions.in_flight.get_mut(id) else { return };
        execution.targets.retain(|t| *t != peer);
        if execution.targets.is_empty() {
            self.finish_from(id, None, "nobody is left", Done::new(Outcome::NoLink));
        }
    }

    /// A peer of a link is gone: what was asked through it is taken back, and it carries out nothing for its users any more.
    pub(super) fn link_peer_gone(&mut self, link: usize, peer: PeerId) {
        let here = |id: &&Text| matches!(self.executions.in_flight.get(*id).map(|e| &e.asker), Some(Asker::Tab(c)) if c.peer == peer);
        let asked: Vec<Text> = self.links[link].asked.iter().filter(here).cloned().collect();
        asked.iter().for_each(|id| self.cancel_execution(id, "the caller is gone"));
        let serves = |(_, e): &(&Text, &Execution)| e.link.is_none() && e.targets.contains(&peer);
        let serving: Vec<Text> = self.executions.in_flight.iter().filter(serves).map(|(id, _)| id.clone()).collect();
        serving.iter().for_each(|id| self.target_gone(id, peer));
    }

    /// The link is gone: all that waits on it fails.
    pub(super) fn fail_in_flight(&mut self, link: usize) {
        for id in std::mem::take(&mut self.links[link].in_flight) {
            self.finish_from(&id, None, "the link was lost", Done::new(Outcome::NoLink));
        }
    }

    /// A POST failed.
    pub(super) fn execution_undelivered(&mut self, link: usize, qid: &Text, why: &Undelivered) {
        let found = self.links[link]
            .in_flight
            .iter()
            .find(|id| self.executions.in_flight.get(*id).is_some_and(|e| e.qid == *qid));
        let Some(id) = found.cloned() else { return };
        if let Some(method) = self.executions.in_flight.get(&id).map(|e| e.method.name.clone()) {
            self.circuit_failed(link, &method);
        }
        let done = match why {
            Undelivered::Failed(why) => Done::failed(why.clone(), Code::Timeout.number()),
            Undelivered::BadAnswer(why) => Done::failed(why.clone(), Code::BadRequest.number()),
        };
        self.finish_from(&id, None, "the CRM was not reached", done);
    }

    /// Ends an execution: it leaves every table, those who were asked and did not answer are told, the asker hears the outcome.
    fn finish_from(&mut self, id: &Text, answered: Option<PeerId>, by: &str, done: Done) {
        let Some(execution) = self.executions.in_flight.remove(id) else { return };
        self.timers.cancel(execution.key);
        self.executions.remember(self.now, id.clone(), by.to_owned());
        if let Some(link) = execution.link {
            self.links[link].in_flight.remove(id);
            match done.outcome {
                // Whatever it said, it was there.
                _ if answered.is_some() => self.circuit_closed(link, &execution.method.name),
                Err(Outcome::Cancelled | Outcome::NoLink) => self.circuit_trial_over(link, &execution.method.name),
                _ => {}
            }
        }
        for peer in &execution.targets {
            if let Some(Peer::Tab(tab)) = self.peers.get_mut(peer) {
                tab.serving.retain(|s| s != id);
            }
        }
        let others: Vec<PeerId> =
            execution.targets.iter().filter(|t| Some(**t) != answered && self.peers.contains_key(t)).copied().collect();
        if !others.is_empty() {
            let qid = self.call_qid();
            let body = Body::new().with("qid", qid).with("executionid", id.clone());
            self.send_to_all(&others, Envelope::new("cancelmethod", body));
        }
        let method = execution.method.name.clone();
        if !execution.aborted {
            let outcome = outcome_word(&done.outcome, execution.fallback.is_some());
            self.method_done(&method, execution.link, outcome, execution.started);
        }
        self.forget_asker(&execution.asker, id);
        if execution.aborted {
            if let (Asker::Scenario(run), Ok(output)) = (&execution.asker, done.outcome) {
                self.out.push_back(Output::Pbx(Command::AskLate { run: *run, output: opened(&output) }));
            }
            return;
        }
        self.deliver(execution.asker, id.clone(), &method, done, execution.fallback);
    }

    fn method_done(&mut self, method: &Text, link: Option<usize>, outcome: &'static str, started: Time) {
        let millis = u64::try_from(self.now.since(started).as_millis()).unwrap_or(u64::MAX);
        let link = link.map(|l| self.links[l].settings.name.clone()).unwrap_or_default();
        self.out.push_back(Output::Notice(Notice::MethodDone { method: method.clone(), link, outcome, millis }));
    }

    fn forget_asker(&mut self, asker: &Asker, id: &Text) {
        match asker {
            Asker::Scenario(run) => drop(self.executions.scenarios.remove(run)),
            Asker::Api(ticket) => drop(self.executions.api.remove(ticket)),
            Asker::Tab(Caller { link: Some(link), .. }) => drop(self.links[*link].asked.remove(id)),
            Asker::Tab(caller) => {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                    tab.asked.retain(|a| a != id);
                }
            }
            Asker::Rule(_) => self.forms.forget_ask(id),
        }
    }

    /// Tells the asker. The fallback takes the place of a CRM that failed or was not there.
    fn deliver(&mut self, asker: Asker, id: Text, method: &str, done: Done, fallback: Option<Object>) {
        let Done { outcome, error } = done;
        // To a tab the result goes as it came: nobody here has to read it.
        if let Asker::Tab(caller) = &asker {
            return self.method_result_to_tab(caller, &id, method, outcome, error);
        }
        let outcome = match (outcome, fallback) {
            (Ok(output), _) => Outcome::Ok(opened(&output)),
            (Err(Outcome::Failed(_) | Outcome::Timeout | Outcome::NoLink | Outcome::OpenCircuit), Some(output)) => {
                Outcome::Fallback(output)
            }
            (Err(outcome), _) => outcome,
        };
        match asker {
            Asker::Scenario(run) => {
                if outcome != Outcome::Cancelled {
                    self.out.push_back(Output::Pbx(Command::AskDone { run, outcome }));
                }
            }
            Asker::Api(ticket) => {
                if outcome != Outcome::Cancelled {
                    let answer = Answer::Outcome { outcome, execution: id, error };
                    self.out.push_back(Output::Answer { ticket, answer });
                }
            }
            Asker::Tab(_) => {}
            Asker::Rule(ask) => self.rule_asked(&ask, outcome),
        }
    }

    fn method_result_to_tab(
        &mut self,
        caller: &Caller,
        id: &Text,
        method: &str,
        outcome: Result<Part, Outcome>,
        error: i64,
    ) {
        if !self.peers.contains_key(&caller.peer) {
            return;
        }
        let mut body = Body::new().with_some("executionid", Some(id.clone()).filter(|id| !id.is_empty()));
        let output = match outcome {
            Ok(output) => output,
            Err(outcome) => {
                body.set("result", 0);
                body.set("error", error);
                body.set("errormsg", failure_text(outcome, method, error));
                Part::from(Object::new())
            }
        };
        body.set("outputparameters", output);
        self.succeed(caller, "executemethod", body);
    }

    fn peer_words(&self, peer: PeerId) -> String {
        match self.peers.get(&peer) {
            Some(Peer::Link(link)) => format!("by link {}", self.links[*link].settings.name),
            Some(Peer::Tab(tab)) => format!("by a tab of {}", self.users[tab.user].account.login),
            None => "by a peer that is gone".to_owned(),
        }
    }
}

/// Checks the input; brings loosely typed values to the declared types. What fits as it came is passed on unopened.
fn accept_input(input: Part, method: &Method) -> Result<Part, String> {
    let Some(declared) = &method.input else { return Ok(input) };
    let Value::Object(values) = input.open() else { return Err("inputparameters is no object".to_owned()) };
    if declaration::check(&values, declared).is_ok() {
        return Ok(input);
    }
    let values = declaration::coerce(values, declared);
    declaration::check(&values, declared)?;
    Ok(Part::from(values))
}

/// What a tab is told when its call failed.
fn failure_text(outcome: Outcome, method: &str, error: i64) -> String {
    match outcome {
        Outcome::Failed(why) => {
            let code = Code::ALL.into_iter().find(|c| c.number() == error);
            match code {
                Some(code) => CallError::new(code, why).errormsg(),
                None => why,
            }
        }
        Outcome::Timeout => Code::Timeout.text().to_owned(),
        Outcome::Cancelled => CallError::new(Code::NotFound, "executionid: it was cancelled").errormsg(),
        Outcome::OpenCircuit => {
            let detail = "it failed several times in a row and is not asked for some seconds";
            CallError::new(Code::CrmNotConnected, detail).errormsg()
        }
        Outcome::NoMethod => CallError::new(Code::NotFound, format!("name: no CRM offers {method}")).errormsg(),
        Outcome::BadInput(why) => CallError::new(Code::BadRequest, format!("inputparameters: {why}")).errormsg(),
        Outcome::NoLink | Outcome::Ok(_) | Outcome::Fallback(_) => Code::CrmNotConnected.text().to_owned(),
    }
}

fn opened(output: &Part) -> Object {
    match output.open() {
        Value::Object(output) => output,
        _ => Object::new(),
    }
}

/// Reads a result: the output, opened only if it must be checked; or the error code and what went wrong.
fn read_result(body: &Body, method: &Method) -> Result<Part, (i64, String)> {
    let bad = |why: String| (Code::BadRequest.number(), why);
    let failed = match body.get("result").map(|_| body.int("result")) {
        None => body.int("error").is_some_and(|e| e != 0),
        Some(Some(1)) => false,
        Some(Some(0)) => true,
        Some(_) => return Err(bad("result is neither 1 nor 0".to_owned())),
    };
    if failed {
        let message = body.text("errormsg").unwrap_or_default();
        let message =
            if message.is_empty() { "the CRM says that the method failed".to_owned() } else { message.to_string() };
        return Err((body.int("error").filter(|e| *e != 0).unwrap_or(Code::Internal.number()), message));
    }
    let output = object_part(body, &["outputparameters"]).map_err(|e| bad(e.detail))?;
    if let Some(declared) = &method.output {
        declaration::check(&opened(&output), declared).map_err(|why| bad(format!("outputparameters: {why}")))?;
    }
    Ok(output)
}

fn outcome_word(outcome: &Result<Part, Outcome>, fallback: bool) -> &'static str {
    match outcome {
        Ok(_) | Err(Outcome::Ok(_)) => "ok",
        Err(Outcome::Cancelled) => "cancelled",
        Err(Outcome::NoMethod) => "no_method",
        Err(Outcome::BadInput(_)) => "bad_input",
        Err(_) if fallback => "fallback",
        Err(Outcome::Fallback(_)) => "fallback",
        Err(Outcome::Failed(_)) => "failed",
        Err(Outcome::Timeout) => "timeout",
        Err(Outcome::NoLink) => "no_link",
        Err(Outcome::OpenCircuit) => "open_circuit",
    }
}

/// The chain of a call, for who asks on its behalf.
pub(super) fn chain_of(call: Option<&CallId>) -> Text {
    call.map(|c| c.0.clone()).unwrap_or_default()
}
