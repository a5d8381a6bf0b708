//! What lasts: where the calls of a number go, and whether queues may ring it. It stands in Asterisk too, so that it holds
//! while the gateway is away.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;

use super::super::ami::Action;
use super::places::REDIRECT;
use super::{Machine, Out};

/// How many redirections are followed.
const REDIRECTIONS: usize = 8;
/// The longest reason of a pause that Asterisk keeps, bytes.
const LONGEST_REASON: usize = 79;

impl Machine {
    /// Calls to a number go elsewhere from now on.
    pub(super) fn redirect_number(&mut self, number: &Text, to: Option<Text>, cascade: bool, out: &mut Out) {
        if !self.plan.phones.contains_key(number) {
            // Of a number that is no more nothing is kept.
            if to.is_some() {
                tracing::warn!(%number, "redirect: nobody has this number");
            }
            return;
        }
        match to {
            Some(to) => self.redirects.insert(number.clone(), (to, cascade)),
            None => self.redirects.remove(number),
        };
        let others = self.redirects.iter().filter(|(_, (_, cascade))| *cascade).map(|(other, _)| other.clone());
        let numbers: BTreeSet<Text> = others.chain([number.clone()]).collect();
        self.write_redirects(&numbers, out);
    }

    /// Writes where the calls of numbers go into Asterisk's own database: the end of the chain, so that the dialplan need not
    /// follow it.
    pub(super) fn write_redirects(&mut self, numbers: &BTreeSet<Text>, out: &mut Out) {
        if !self.up {
            return;
        }
        for number in numbers {
            let key = |action: Action| action.with("Family", REDIRECT).with("Key", &**number);
            let action = match self.end_of_chain(number) {
                Some(to) => key(Action::new("DBPut")).with("Val", self.plan.for_dialling(&to)),
                None => key(Action::new("DBDel")),
            };
            self.send(action, out);
        }
    }

    /// The number whose phone rings when this one is called; `None`: its own. Of a circle the last number is taken.
    fn end_of_chain(&self, number: &Text) -> Option<Text> {
        let mut seen = vec![number.clone()];
        let mut follow = true;
        while let Some((to, cascade)) = self.redirects.get(&seen[seen.len() - 1]) {
            if !follow || !self.plan.leads(to) || seen.contains(to) || seen.len() > REDIRECTIONS {
                break;
            }
            follow = *cascade;
            seen.push(to.clone());
        }
        (seen.len() > 1).then(|| seen.swap_remove(seen.len() - 1))
    }

    /// Whether queues may ring a number.
    pub(super) fn make_available(&mut self, number: &Text, away: Option<Text>, out: &mut Out) {
        if !self.plan.phones.contains_key(number) {
            if away.is_some() {
                tracing::warn!(%number, "agent: nobody has this number");
            }
            return;
        }
        self.away.insert(number.clone(), away);
        self.write_available(number, out);
    }

    pub(super) fn write_available(&mut self, number: &Text, out: &mut Out) {
        let Some(endpoint) = self.plan.endpoint(number).filter(|_| self.up).map(str::to_owned) else { return };
        let away = self.away.get(number).and_then(|away| away.as_deref()).map(reason);
        let serves: Vec<String> = self
            .plan
            .queues
            .iter()
            .filter(|(_, queue)| self.plan.directory.queue(queue).is_some_and(|q| q.members.contains(number)))
            .map(|(name, _)| name.clone())
            .collect();
        let name = self.plan.name_of(number);
        for queue in serves {
            let there = self.board.serving.get(&(queue.clone(), endpoint.clone())).cloned();
            let paused = if away.is_some() { "true" } else { "false" };
            let because = away.clone().unwrap_or_default();
            let action = match there {
                // Whoever is no member yet comes in, ready or not.
                None => Action::new("QueueAdd")
                    .with("Queue", queue)
                    .with("Interface", &*endpoint)
                    .with("MemberName", if name.is_empty() { &**number } else { &*name })
                    .with("Paused", paused)
                    .with("Reason", because),
                Some(there) if there != away => Action::new("QueuePause")
                    .with("Queue", queue)
                    .with("Interface", &*endpoint)
                    .with("Paused", paused)
                    .with("Reason", because),
                Some(_) => continue,
            };
            self.send(action, out);
        }
    }

    /// After a time in which Asterisk heard nothing, it is told again.
    pub(super) fn write_lasting(&mut self, out: &mut Out) {
        let mut numbers: BTreeSet<Text> = self.redirects.keys().cloned().collect();
        numbers.append(&mut self.forgotten);
        self.write_redirects(&numbers, out);
        let numbers: Vec<Text> = self.away.keys().cloned().collect();
        for number in numbers {
            self.write_available(&number, out);
        }
    }
}

/// A reason as Asterisk keeps it.
fn reason(why: &str) -> String {
    let mut end = why.len().min(LONGEST_REASON);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    why[..end].to_owned()
}
