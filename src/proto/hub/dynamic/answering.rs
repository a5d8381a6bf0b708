//! Results, and whoever was to give one: a CRM, or a person's tabs, of which the first valid result wins.

use crate::hub::declaration::{self, Method};
use crate::hub::ids::ExecutionId;
use crate::hub::route::{Caller, Handled, required, take_object};
use crate::hub::user::UserIx;
use crate::hub::{Hub, Peer};
use crate::message::{Body, CallError, Code, Part, PeerId, Value};
use crate::telephony::Outcome;

use super::{Asker, By, Done, Targets, opened};

impl Hub {
    /// `methodresult` of a CRM or a tab.
    pub(in crate::hub) fn method_result(&mut self, peer: PeerId, mut body: Body) -> Result<(), CallError> {
        let id = execution_id(&body)?;
        let Some((id, execution)) = id.and_then(|id| Some((id, self.executions.in_flight.get(&id)?))) else {
            return Err(match self.executions.ended.iter().find(|(_, ended, _)| Some(*ended) == id) {
                Some((.., by)) => CallError::new(Code::AlreadyAnswered, self.in_words(by)),
                None => {
                    let text = body.text("executionid").unwrap_or_default();
                    CallError::new(Code::NotFound, format!("executionid: no execution {text} waits for a result"))
                }
            });
        };
        if !execution.targets.contains(&peer) {
            return Err(CallError::new(Code::NotFound, "executionid: this execution was given to somebody else"));
        }
        let result = read_result(&mut body, &execution.method);
        let by = self.by(peer);
        match result {
            Ok(output) => {
                self.finish_from(id, Some(peer), by, Done::result(output));
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
                    self.finish_from(id, Some(peer), by, Done::failed(why.clone(), error));
                }
                if ill_typed { Err(CallError::new(Code::BadRequest, why)) } else { Ok(()) }
            }
        }
    }

    /// Whoever was to answer says that it will not.
    pub(in crate::hub) fn cancel_for_peer(&mut self, caller: &Caller, body: &Body) -> Handled {
        let id = execution_id(body)?;
        let asked_here = |id: &ExecutionId| {
            matches!(self.executions.in_flight.get(id).map(|e| &e.asker),
                Some(Asker::Tab(c)) if c.peer == caller.peer && c.user == caller.user)
        };
        let Some(id) = id.filter(asked_here) else {
            return Err(CallError::new(Code::NotFound, "executionid: no execution that was asked here"));
        };
        self.cancel_execution(id, "cancelled by its caller");
        Ok(Some(Body::new()))
    }

    fn by(&self, peer: PeerId) -> By {
        match self.peers.get(&peer) {
            Some(Peer::Link(link)) => By::Link(*link),
            Some(Peer::Tab(tab)) => By::TabOf(tab.user),
            Some(Peer::Service(_)) => By::Words("by a service"),
            None => By::Words("by a peer that is gone"),
        }
    }

    fn in_words(&self, by: &By) -> String {
        match by {
            By::Link(link) => format!("by link {}", self.links[*link].settings.name),
            By::TabOf(user) => format!("by a tab of {}", self.users[*user].account.login),
            By::Words(words) => (*words).to_owned(),
        }
    }

    /// Who can carry out a method directed to the user's own tabs.
    pub(super) fn client_targets(&self, user: Option<UserIx>) -> Targets {
        let Some(user) = user else { return Targets::new() };
        let mut to = Targets::from_vec(self.tabs_hearing(user, "executemethod"));
        to.extend(self.links.iter().filter(|l| l.tunnel.contains_key(&user)).filter_map(|l| l.peer));
        to
    }

    /// One of several tabs that were asked is gone.
    pub(in crate::hub) fn target_gone(&mut self, id: ExecutionId, peer: PeerId) {
        let Some(execution) = self.executions.in_flight.get_mut(&id) else { return };
        execution.targets.retain(|t| *t != peer);
        if execution.targets.is_empty() {
            self.finish_from(id, None, By::Words("nobody is left"), Done::new(Outcome::NoLink));
        }
    }

    /// A peer of a link is gone: what was asked through it is taken back, and it carries out nothing for its users any more.
    pub(in crate::hub) fn link_peer_gone(&mut self, link: usize, peer: PeerId) {
        let here = |id: &ExecutionId| matches!(self.executions.in_flight.get(id).map(|e| &e.asker), Some(Asker::Tab(c)) if c.peer == peer);
        let asked: Vec<_> = self.links[link].asked.iter().copied().filter(here).collect();
        asked.into_iter().for_each(|id| self.cancel_execution(id, "the caller is gone"));
        let serving = self.executions.those(|e| e.link.is_none() && e.targets.contains(&peer));
        serving.into_iter().for_each(|id| self.target_gone(id, peer));
    }
}

/// The execution that a message names; `None`: the text is no GUID, so nothing has that id.
fn execution_id(body: &Body) -> Result<Option<ExecutionId>, CallError> {
    match body.get("executionid") {
        Some(Part::Value(Value::String(text))) if !text.is_empty() => Ok(ExecutionId::parse(text)),
        _ => Ok(ExecutionId::parse(&required(body, "executionid")?)),
    }
}

/// Reads a result: the output, opened only if it must be checked; or the error code and what went wrong.
fn read_result(body: &mut Body, method: &Method) -> Result<Part, (i64, String)> {
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
    let output = take_object(body, &["outputparameters"]).map_err(|e| bad(e.detail))?;
    if let Some(declared) = &method.output {
        declaration::check(&opened(&output), declared).map_err(|why| bad(format!("outputparameters: {why}")))?;
    }
    Ok(output)
}
