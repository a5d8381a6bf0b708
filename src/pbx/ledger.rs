//! What a backend has begun and not ended, so that nothing hangs when it dies; and what it was told that lasts, so that its
//! next life knows it too.

use std::collections::{BTreeMap, BTreeSet};

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{CallId, Command, Event, Fact, OrderId, Refusal, RunId};

/// Open calls, orders, waits and connected phones, as told so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    calls: BTreeSet<CallId>,
    runs: BTreeSet<RunId>,
    /// Orders to phones, and scenarios that were started by name, whose end was not told yet.
    orders: BTreeSet<OrderId>,
    scripts: BTreeSet<OrderId>,
    phones: BTreeSet<Text>,
    /// The newest order of each number that lasts: where its calls go, and whether queues may ring it.
    redirects: BTreeMap<Text, Command>,
    agents: BTreeMap<Text, Command>,
}

impl Ledger {
    /// Writes down what was told.
    pub(super) fn told(&mut self, event: &Event) {
        match event {
            Event::Facts(facts) => facts.iter().for_each(|fact| self.told_fact(fact)),
            Event::Done { order, .. } => {
                self.orders.remove(order);
            }
            Event::ScriptDone { order, .. } => {
                self.scripts.remove(order);
            }
            Event::Ask { run, .. } => {
                self.runs.insert(*run);
            }
            Event::AskCancelled { run } => {
                self.runs.remove(run);
            }
            Event::Phone { number, connected: true } => {
                self.phones.insert(number.clone());
            }
            Event::Phone { number, connected: false } => {
                self.phones.remove(number);
            }
            Event::Form { .. } | Event::CloseForm { .. } => {}
        }
    }

    fn told_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Call(about) => {
                self.calls.insert(about.call.clone());
            }
            Fact::Over { call, .. } => {
                self.calls.remove(call);
            }
            Fact::Leg(_) | Fact::Conference(_) | Fact::Fax(_) | Fact::Recording { .. } => {}
        }
    }

    /// Writes down what was heard.
    pub(super) fn heard(&mut self, command: &Command) {
        match command {
            Command::AskDone { run, .. } => {
                self.runs.remove(run);
            }
            Command::Phone { order, .. } => {
                self.orders.insert(*order);
            }
            Command::Script { order, .. } => {
                self.scripts.insert(*order);
            }
            Command::Redirect { number, .. } => {
                self.redirects.insert(number.clone(), command.clone());
            }
            Command::Agent { number, .. } => {
                self.agents.insert(number.clone(), command.clone());
            }
            Command::AskLate { .. } | Command::FormDone { .. } => {}
        }
    }

    /// What has to be told because the backend can tell nothing any more. What lasts stays in the ledger. `over_ms`: when the
    /// calls ended, unless they live on.
    pub(super) fn settle(&mut self, over_ms: Option<i64>) -> Vec<Event> {
        let runs = std::mem::take(&mut self.runs).into_iter().map(|run| Event::AskCancelled { run });
        let calls = std::mem::take(&mut self.calls);
        let over = |at_ms| calls.into_iter().map(move |call| Event::Facts(vec![Fact::Over { call, at_ms }]));
        let calls = over_ms.map(over).into_iter().flatten();
        let phones = std::mem::take(&mut self.phones).into_iter();
        let phones = phones.map(|number| Event::Phone { number, connected: false });
        runs.chain(calls).chain(self.refusals()).chain(phones).collect()
    }

    /// The ends of all orders that the backend will not follow.
    pub(super) fn refusals(&mut self) -> Vec<Event> {
        let orders = std::mem::take(&mut self.orders).into_iter();
        let orders = orders.map(|order| Event::Done { order, result: Err(Refusal::Down) });
        let scripts = std::mem::take(&mut self.scripts).into_iter();
        orders.chain(scripts.map(|order| Event::ScriptDone { order, result: Err(Refusal::Down) })).collect()
    }

    /// What the next life of the backend has to be told first.
    pub(super) fn lasting(&self) -> Vec<Command> {
        self.redirects.values().chain(self.agents.values()).cloned().collect()
    }
}
