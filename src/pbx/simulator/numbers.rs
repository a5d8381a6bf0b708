//! Other numbers and queues while calls go on.

use std::collections::BTreeSet;

use ctigate_proto::message::Text;
use ctigate_proto::telephony::Event;

use super::machine::Machine;
use super::phones::Phone;
use super::queues::Queue;
use crate::pbx::Directory;

impl Machine {
    pub(super) fn numbers_are(&mut self, directory: &Directory) {
        self.settings.directory = directory.clone();
        let named: BTreeSet<&Text> = directory.extensions.iter().map(|extension| &extension.number).collect();
        let gone: Vec<Text> = self.phones.keys().filter(|number| !named.contains(number)).cloned().collect();
        gone.into_iter().for_each(|number| self.number_gone(number));
        for extension in &directory.extensions {
            let back = self.leaving.remove(&extension.number);
            match self.phones.get_mut(&extension.number) {
                Some(phone) => {
                    phone.login = extension.login.clone().unwrap_or_default();
                    if !back {
                        continue;
                    }
                    phone.connected = true;
                }
                None => {
                    self.phones.insert(extension.number.clone(), Phone::new(extension, self.now));
                }
            }
            self.tell(Event::Phone { number: extension.number.clone(), connected: true });
        }

        let gone: Vec<Text> = self.queues.keys().filter(|number| directory.queue(number).is_none()).cloned().collect();
        for number in gone {
            let waiting = self.queues.get(&number).map(|queue| queue.waiting.clone()).unwrap_or_default();
            waiting.into_iter().for_each(|flow| self.queue_in_vain(flow, &number));
            self.queues.remove(&number);
        }
        for queue in &directory.queues {
            match self.queues.get_mut(&queue.number) {
                Some(there) => there.is_now(queue),
                None => {
                    self.queues.insert(queue.number.clone(), Queue::new(queue));
                }
            }
        }
    }

    fn number_gone(&mut self, number: Text) {
        let Some(phone) = self.phones.get_mut(&number) else { return };
        let was = std::mem::replace(&mut phone.connected, false);
        (phone.redirect, phone.available) = (None, true);
        if phone.legs.is_empty() {
            self.phones.remove(&number);
        } else {
            self.leaving.insert(number.clone());
        }
        if was {
            self.tell(Event::Phone { number, connected: false });
        }
    }

    /// The phone of a number that is no more is gone when its last call is over.
    pub(super) fn has_left(&mut self, number: &Text) {
        if self.leaving.contains(number) && self.phones.get(number).is_some_and(|phone| phone.legs.is_empty()) {
            self.leaving.remove(number);
            self.phones.remove(number);
        }
    }
}
