//! How executions end: a deadline, a lost link, a caller that went away; and what the asker is told, once.

use std::sync::Arc;

use crate::Time;
use crate::hub::ids::ExecutionId;
use crate::hub::input::{Ticket, Undelivered};
use crate::hub::link::call_of_qid;
use crate::hub::output::{Answer, Notice, Output};
use crate::hub::route::Caller;
use crate::hub::subscription::Event;
use crate::hub::timer::Timer;
use crate::hub::trace::{What, why_of};
use crate::hub::user::UserIx;
use crate::hub::{Hub, Peer};
use crate::message::{Body, CallError, Code, Envelope, Object, Part, PeerId, Text};
use crate::telephony::{Command, Outcome, RunId};

use super::{Asker, By, Done, Execution, opened};

impl Hub {
    /// The caller waits no longer.
    pub(in crate::hub) fn execution_deadline(&mut self, id: ExecutionId) {
        let Some(execution) = self.executions.in_flight.get_mut(&id) else { return };
        let link = execution.link;
        let (late, method) = (execution.late, execution.method.name.clone());
        if let Some(link) = link {
            self.circuit_failed(link, &method);
        }
        let Some(execution) = self.executions.in_flight.get_mut(&id) else { return };
        if late.is_zero() {
            return self.finish_from(id, None, By::Words("nobody in time"), Done::new(Outcome::Timeout));
        }
        // The caller gets its outcome now; the execution lives on for the late result.
        execution.aborted = true;
        let key = self.timers.set(self.now + late, Timer::ExecutionLate(id));
        let Some(execution) = self.executions.in_flight.get_mut(&id) else { return };
        execution.key = key;
        let (mut targets, fallback) = (execution.targets.clone(), execution.fallback.take());
        let text = execution.text.clone();
        let started = execution.started;
        let waits = match &execution.asker {
            Asker::Scenario(run) => Some(Asker::Scenario(*run)),
            Asker::Api(ticket) => Some(Asker::Api(*ticket)),
            Asker::Tab(_) | Asker::Rule(_) => None,
        };
        let millis = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
        let qid = self.call_qid();
        let body = Body::new().with("qid", qid).with("executionid", text.clone()).with("waitresponsems", millis);
        // For a link it is a call of its own; a tab hears it as an event, if it subscribed.
        let event = Event::of("executemethodwaitaborted");
        targets.retain(|t| !matches!(self.peers.get(t), Some(Peer::Tab(tab)) if !tab.hears(event)));
        if !targets.is_empty() {
            self.share(&targets, Arc::new(Envelope::new("executemethodwaitaborted", body).into()));
        }
        let outcome = outcome_word(&Err(Outcome::Timeout), fallback.is_some());
        if let Some(about) = self.executions.in_flight.get(&id).map(|e| e.about.clone()) {
            let link = link.map(|l| self.links[l].settings.name.clone()).unwrap_or_default();
            let millis = u64::try_from(self.now.since(started).as_millis()).unwrap_or(u64::MAX);
            let what = What::Done { method: method.clone(), link, outcome, why: Text::new(), millis };
            self.step(about, what);
        }
        self.method_done(&method, link, outcome, started);
        if let Some(asker) = waits {
            self.deliver(asker, Some(text), &method, Done::new(Outcome::Timeout), fallback);
        }
    }

    /// Nor is a late result welcome any more.
    pub(in crate::hub) fn execution_expired(&mut self, id: ExecutionId) {
        self.finish_from(id, None, By::Words("nobody in time"), Done::new(Outcome::Timeout));
    }

    /// Nobody waits for it any more.
    pub(in crate::hub) fn cancel_execution(&mut self, id: ExecutionId, why: &'static str) {
        self.finish_from(id, None, By::Words(why), Done::new(Outcome::Cancelled));
    }

    /// A user is gone: what the user asked for, through whichever door, is taken back, and each door hears of it.
    pub(in crate::hub) fn cancel_executions_of(&mut self, user: UserIx) {
        let of_user = |asker: &Asker| matches!(asker, Asker::Tab(caller) if caller.user == Some(user));
        let mut asked = self.executions.those(|e| of_user(&e.asker));
        asked.extend(self.forms.asked_for(user));
        asked.sort_unstable();
        asked.into_iter().for_each(|id| self.cancel_execution(id, "the account is gone"));
    }

    pub(in crate::hub) fn scenario_gone(&mut self, run: RunId) {
        if let Some(id) = self.executions.scenarios.get(&run).copied() {
            self.cancel_execution(id, "the scenario is gone");
        }
    }

    pub(in crate::hub) fn asker_gone(&mut self, ticket: Ticket) {
        if let Some(id) = self.executions.api.get(&ticket).copied() {
            self.cancel_execution(id, "the caller is gone");
        }
    }

    /// The link is gone: all that waits on it fails.
    pub(in crate::hub) fn fail_in_flight(&mut self, link: usize) {
        let waits = |e: &Execution| e.link == Some(link);
        for id in self.executions.those(waits) {
            self.finish_from(id, None, By::Words("the link was lost"), Done::new(Outcome::NoLink));
        }
    }

    /// A POST failed.
    pub(in crate::hub) fn execution_undelivered(&mut self, link: usize, qid: &Text, why: &Undelivered) {
        let Some(call) = call_of_qid(qid) else { return };
        let found = self.executions.in_flight.iter().find(|(_, e)| e.link == Some(link) && e.call == call);
        let Some((id, method)) = found.map(|(id, e)| (*id, e.method.name.clone())) else { return };
        self.circuit_failed(link, &method);
        let done = match why {
            Undelivered::Failed(why) => Done::failed(why.clone(), Code::Timeout.number()),
            Undelivered::BadAnswer(why) => Done::failed(why.clone(), Code::BadRequest.number()),
        };
        self.finish_from(id, None, By::Words("the CRM was not reached"), done);
    }

    /// Ends an execution: it leaves every table, those who were asked and did not answer are told, the asker hears the outcome.
    pub(super) fn finish_from(&mut self, id: ExecutionId, answered: Option<PeerId>, by: By, done: Done) {
        let Some(mut execution) = self.executions.in_flight.remove(&id) else { return };
        self.timers.cancel(execution.key);
        self.executions.remember(self.now, id, by);
        if let Some(link) = execution.link {
            self.links[link].in_flight -= 1;
            match done.outcome {
                // Whatever it said, it was there.
                _ if answered.is_some() => self.circuit_closed(link, &execution.method.name),
                Err(Outcome::Cancelled | Outcome::NoLink) => self.circuit_trial_over(link, &execution.method.name),
                _ => {}
            }
        }
        if execution.link.is_none() {
            for peer in &execution.targets {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(peer) {
                    tab.serving.retain(|s| *s != id);
                }
            }
        }
        let others: Vec<PeerId> =
            execution.targets.iter().filter(|t| Some(**t) != answered && self.peers.contains_key(t)).copied().collect();
        if !others.is_empty() {
            let qid = self.call_qid();
            let body = Body::new().with("qid", qid).with("executionid", execution.text.clone());
            self.share(&others, Arc::new(Envelope::new("cancelmethod", body).into()));
        }
        let method = &execution.method.name;
        if !execution.aborted {
            let outcome = outcome_word(&done.outcome, execution.fallback.is_some());
            if self.is_traced() {
                let link = execution.link.map(|l| self.links[l].settings.name.clone()).unwrap_or_default();
                let why = done.outcome.as_ref().err().map(why_of).unwrap_or_default();
                let millis = u64::try_from(self.now.since(execution.started).as_millis()).unwrap_or(u64::MAX);
                let what = What::Done { method: method.clone(), link, outcome, why, millis };
                self.step(std::mem::take(&mut execution.about), what);
            }
            self.method_done(method, execution.link, outcome, execution.started);
        }
        self.forget_asker(&execution.asker, id);
        if execution.aborted {
            if let (Asker::Scenario(run), Ok(output)) = (&execution.asker, done.outcome) {
                self.out.push_back(Output::Pbx(Box::new(Command::AskLate { run: *run, output: opened(&output) })));
            }
            return;
        }
        self.deliver(execution.asker, Some(execution.text), method, done, execution.fallback);
    }

    fn method_done(&mut self, method: &Text, link: Option<usize>, outcome: &'static str, started: Time) {
        let millis = u64::try_from(self.now.since(started).as_millis()).unwrap_or(u64::MAX);
        let link = link.map(|l| self.links[l].settings.name.clone()).unwrap_or_default();
        self.out.push_back(Output::Notice(Notice::MethodDone { method: method.clone(), link, outcome, millis }));
    }

    fn forget_asker(&mut self, asker: &Asker, id: ExecutionId) {
        match asker {
            Asker::Scenario(run) => drop(self.executions.scenarios.remove(run)),
            Asker::Api(ticket) => drop(self.executions.api.remove(ticket)),
            Asker::Tab(Caller { link: Some(link), .. }) => drop(self.links[*link].asked.remove(&id)),
            Asker::Tab(caller) => {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                    tab.asked.retain(|a| *a != id);
                }
            }
            Asker::Rule(_) => self.forms.forget_ask(id),
        }
    }

    /// Tells the asker. The fallback takes the place of a CRM that failed or was not there.
    pub(super) fn deliver(
        &mut self,
        asker: Asker,
        id: Option<Text>,
        method: &str,
        done: Done,
        fallback: Option<Object>,
    ) {
        let Done { outcome, error } = done;
        // To a tab the result goes as it came: nobody here has to read it.
        if let Asker::Tab(caller) = &asker {
            return self.method_result_to_tab(caller, id, method, outcome, error);
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
                    self.out.push_back(Output::Pbx(Box::new(Command::AskDone { run, outcome })));
                }
            }
            Asker::Api(ticket) => {
                if outcome != Outcome::Cancelled {
                    let execution = id.unwrap_or_default();
                    let answer = Answer::Outcome { outcome, execution, error };
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
        id: Option<Text>,
        method: &str,
        outcome: Result<Part, Outcome>,
        error: i64,
    ) {
        if !self.peers.contains_key(&caller.peer) {
            return;
        }
        let mut body = Body::new().with_some("executionid", id);
        let output = match outcome {
            Ok(output) => output,
            Err(outcome) => {
                body.set("result", 0);
                body.set("error", error);
                body.set("errormsg", failure_text(outcome, method, error));
                Part::from(Object::new())
            }
        };
        body.push_new(Text::from_static("outputparameters"), output);
        self.succeed(caller, "executemethod", body);
    }
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
