//! Who asks for a method, what is checked before it goes out, and to whom it goes.

use std::sync::Arc;
use std::time::Duration;

use crate::hub::declaration::{self, MAX_WAIT, Method, Target};
use crate::hub::input::{ApiCall, Ticket};
use crate::hub::link::qid_of_call;
use crate::hub::route::{Caller, Handled, take_object};
use crate::hub::timer::Timer;
use crate::hub::trace::{About, What, why_of};
use crate::hub::{Hub, Peer};
use crate::message::{Body, CallError, Code, Envelope, Part, Shared, Text, Value};
use crate::telephony::{Ask, Outcome, RunId};

use super::{Asker, Done, Execution, Order, Targets};

impl Hub {
    /// A scenario asks.
    pub(in crate::hub) fn execute_for_scenario(&mut self, run: RunId, ask: Ask) {
        if self.executions.scenarios.contains_key(&run) {
            return;
        }
        let user = self.users.by_login(&ask.user).or_else(|| self.users.by_number(&ask.user));
        if !ask.user.is_empty() && user.is_none() {
            let outcome = Outcome::BadInput(format!("{} is no user", ask.user));
            return self.deliver(Asker::Scenario(run), None, &ask.method, Done::new(outcome), None);
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
    pub(in crate::hub) fn execute_for_api(&mut self, ticket: Ticket, call: ApiCall) {
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
            return self.deliver(Asker::Api(ticket), None, &call.method, done, None);
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
    pub(in crate::hub) fn execute_for_peer(&mut self, caller: &Caller, mut body: Body) -> Handled {
        let user = self.acting(caller)?;
        let method = ["name", "method", "methodname"].into_iter().find_map(|f| body.text(f)).filter(|m| !m.is_empty());
        let method =
            method.ok_or_else(|| CallError::new(Code::BadRequest, "name is missing, expected the method's name"))?;
        let input = take_object(&mut body, &["inputparameters", "params", "input"])?;
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
            Asker::Tab(caller.to_keep()),
            Order {
                method,
                input,
                deadline,
                late: Duration::ZERO,
                fallback: None,
                link: None,
                user: Some(user),
                // A copy: the trace keeps it.
                chain: body.text("chainid").map(|chain| Text::from(&*chain)).unwrap_or_default(),
            },
        );
        Ok(None)
    }

    /// Begins an execution. Whatever comes of it, the asker hears it exactly once.
    pub(in crate::hub) fn execute(&mut self, asker: Asker, mut order: Order) {
        let chosen = match self.choose_link(&order) {
            Ok(chosen) => chosen,
            Err(outcome) => return self.refuse(asker, order, outcome),
        };
        let (link, method) = chosen;
        let input = std::mem::replace(&mut order.input, Part::Value(Value::Null));
        let input = match accept_input(input, &method) {
            Ok(input) => input,
            Err(why) => return self.refuse(asker, order, Outcome::BadInput(why)),
        };
        let targets: Targets = match method.target {
            Target::Server => self.links[link].peer.into_iter().collect(),
            Target::Client => self.client_targets(order.user),
        };
        if targets.is_empty() {
            return self.refuse(asker, order, Outcome::NoLink);
        }
        let server = (method.target == Target::Server).then_some(link);
        if let Some(link) = server {
            if self.links[link].in_flight >= self.settings.limits.in_flight_link {
                let (waiting, name) = (self.links[link].in_flight, &self.links[link].settings.name);
                let why = format!("{waiting} calls wait for link {name} already");
                let done = Done::failed(why, Code::TooManyRequests.number());
                return self.deliver(asker, None, &order.method, done, order.fallback);
            }
            if !self.circuit_lets_pass(link, &method.name) {
                return self.refuse(asker, order, Outcome::OpenCircuit);
            }
        }
        let id = self.ids.execution();
        let text = id.text();
        let call = self.call_number();
        let wait = order.deadline.unwrap_or(method.wait).clamp(Duration::from_millis(1), MAX_WAIT);
        let wait_ms = if wait == method.wait { method.wait_ms.clone() } else { declaration::milliseconds(wait) };
        let (user_id, login) = match order.user {
            Some(user) => (self.users[user].account.id.clone(), self.users[user].account.login.clone()),
            None => (Text::new(), Text::new()),
        };
        let body = Body::of([
            ("qid", qid_of_call(call).into()),
            ("executionid", text.clone().into()),
            ("name", method.name.clone().into()),
            ("inputparameters", input),
            ("waitresponse", true.into()),
            ("waitresponsems", Value::Number(wait_ms).into()),
            ("userid", user_id.into()),
            ("userlogin", login.into()),
            ("chainid", order.chain.clone().into()),
        ]);
        let about = About { call: order.chain.clone(), ..About::default().and_user(order.user) };
        let message = Shared::new(Envelope::new("executemethod", body));
        if server.is_none()
            && let Err(why) = self.fits_tabs(&targets, &message)
        {
            return self.refuse(asker, order, Outcome::BadInput(why.detail));
        }
        self.share(&targets, Arc::new(message));
        let key = self.timers.set(self.now + wait, Timer::ExecutionDeadline(id));
        match &asker {
            Asker::Scenario(run) => drop(self.executions.scenarios.insert(*run, id)),
            Asker::Api(ticket) => drop(self.executions.api.insert(*ticket, id)),
            Asker::Tab(Caller { link: Some(link), .. }) => drop(self.links[*link].asked.insert(id)),
            Asker::Tab(caller) => {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(&caller.peer) {
                    tab.asked.push(id);
                }
            }
            Asker::Rule(ask) => self.forms.note_ask(id, ask),
        }
        if let Some(link) = server {
            self.links[link].in_flight += 1;
        } else {
            for peer in &targets {
                if let Some(Peer::Tab(tab)) = self.peers.get_mut(peer) {
                    tab.serving.push(id);
                }
            }
        }
        let execution = Box::new(Execution {
            method,
            asker,
            link: server,
            targets,
            text,
            call,
            fallback: order.fallback,
            late: order.late.min(Duration::from_secs(3600)),
            aborted: false,
            key,
            started: self.now,
            since_ms: self.wall(self.now),
            about: about.clone(),
        });
        if self.is_traced() {
            let link = server.map(|l| self.links[l].settings.name.clone()).unwrap_or_default();
            let (method, by) = (execution.method.name.clone(), execution.asker.word());
            self.step(about, What::Asked { method, link, by });
        }
        self.executions.in_flight.insert(id, execution);
    }

    /// The first link in the order of the configuration that is up, declares the method and has the user.
    fn choose_link(&self, order: &Order) -> Result<(usize, Arc<Method>), Outcome> {
        let mut down = false;
        for (i, link) in self.links.numbered() {
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
        Err(if down || self.links.in_order().next().is_none() { Outcome::NoLink } else { Outcome::NoMethod })
    }

    /// An execution that does not even begin.
    fn refuse(&mut self, asker: Asker, order: Order, outcome: Outcome) {
        if self.is_traced() {
            let about = About { call: order.chain.clone(), ..About::default().and_user(order.user) };
            // A copy: the trace is kept longer than the message that named it.
            let (method, why, by) = (Text::from(&*order.method), why_of(&outcome), asker.word());
            self.step(about, What::NotAsked { method, outcome: outcome.word(), why, by });
        }
        self.deliver(asker, None, &order.method, Done::new(outcome), order.fallback);
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
