//! Inside numbers and queues: those that Asterisk itself knows, and others than before while calls go on.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::Event;

use super::super::ami::{Action, Message};
use super::{Machine, Now, Out, Phone, Plan};

impl Machine {
    /// Takes in phones of inside numbers that the plan did not know. Call it before [`Self::connected`].
    pub fn learn(&mut self, phones: impl IntoIterator<Item = (Text, Phone)>) {
        self.learned.extend(phones);
        self.join_learned();
    }

    /// The house has other numbers and queues. Calls go on. A phone that is new is asked how it is; queues get their members, and lose
    /// those who serve them no more; where calls of a number went that is no more is forgotten.
    pub fn plan_is(&mut self, now: Now, plan: Plan, out: &mut Out) {
        self.now = now.mono;
        // What was heard before is told by the numbers of before.
        self.look_now(now, out);
        let before = self.members();
        self.plan = plan;
        self.numbers =
            self.plan.phones.iter().map(|(number, phone)| (phone.endpoint.clone(), number.clone())).collect();
        self.join_learned();

        let gone = |number: &&Text| !self.plan.phones.contains_key(*number);
        let forgotten: Vec<Text> = self.redirects.keys().filter(gone).cloned().collect();
        let left: Vec<Text> = self.phones.keys().filter(gone).cloned().collect();
        self.away.retain(|number, _| self.plan.phones.contains_key(number));
        self.redirects.retain(|number, _| !forgotten.contains(number));
        self.forgotten.extend(forgotten);
        self.forgotten.retain(|number| !self.redirects.contains_key(number));
        for number in left {
            if self.phones.remove(&number) == Some(true) {
                out.events.push(Event::Phone { number, connected: false });
            }
        }
        if !self.up {
            return self.tell_phones(out);
        }
        // A chain may lead elsewhere now.
        let mut numbers: BTreeSet<Text> = self.redirects.keys().cloned().collect();
        numbers.append(&mut self.forgotten);
        self.write_redirects(&numbers, out);
        let after = self.members();
        for (queue, endpoint) in before.difference(&after) {
            if self.board.serving.contains_key(&(queue.clone(), endpoint.clone())) {
                let action = Action::new("QueueRemove").with("Queue", queue.clone()).with("Interface", &**endpoint);
                self.send(action, out);
            }
        }
        let present: Vec<Text> = self.away.keys().cloned().collect();
        present.iter().for_each(|number| self.write_available(number, out));
        // While everything is read, the phones are asked for by the reading.
        if self.reading.is_none() {
            self.ask_phones(out);
        }
        self.tell_phones(out);
        self.look_soon(now);
    }

    /// Which endpoints serve which queues of Asterisk, by the plan.
    fn members(&self) -> BTreeSet<(String, String)> {
        let queues =
            self.plan.queues.iter().filter_map(|(name, number)| Some((name, self.plan.directory.queue(number)?)));
        let of = |(name, queue): (&String, &crate::pbx::Queue)| {
            let endpoint = |member: &Text| Some((name.clone(), self.plan.endpoint(member)?.to_owned()));
            queue.members.iter().filter_map(endpoint).collect::<Vec<_>>()
        };
        queues.flat_map(of).collect()
    }

    fn join_learned(&mut self) {
        for (number, phone) in &self.learned {
            if !self.plan.phones.contains_key(number) {
                self.numbers.entry(phone.endpoint.clone()).or_insert_with(|| number.clone());
                self.plan.phones.insert(number.clone(), phone.clone());
            }
        }
    }

    /// Asks how those phones are of which nothing was heard.
    fn ask_phones(&mut self, out: &mut Out) {
        for (number, endpoint) in self.unheard_phones() {
            let id = self.send(Action::new("Getvar").with("Variable", format!("DEVICE_STATE({endpoint})")), out);
            self.asked_phones.insert(id, number);
        }
    }

    /// The phones of which nothing was heard, with their endpoints.
    pub(super) fn unheard_phones(&self) -> Vec<(Text, String)> {
        let unheard = |(_, phone): &(&Text, &Phone)| !self.board.devices.contains_key(&phone.endpoint);
        self.plan
            .phones
            .iter()
            .filter(unheard)
            .map(|(number, phone)| (number.clone(), phone.endpoint.clone()))
            .collect()
    }

    /// Whether a message says how a phone is that was asked for; then it is noted.
    pub(super) fn phone_answered(&mut self, now: Now, message: &Message) -> bool {
        if message.response().is_empty() {
            return false;
        }
        let Some(number) = self.asked_phones.remove(message.action_id()) else { return false };
        self.note_phone(&number, message);
        self.look_soon(now);
        true
    }

    /// Notes the answer to a question how a phone is.
    pub(super) fn note_phone(&mut self, number: &Text, message: &Message) {
        if let Some(endpoint) = self.plan.endpoint(number).map(str::to_owned) {
            let state = if message.response() == "Success" { message.get("Value") } else { "UNKNOWN" };
            self.board.devices.insert(endpoint, state.to_owned());
        }
    }
}
