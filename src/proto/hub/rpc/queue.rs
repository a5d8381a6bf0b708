//! Calls that wait in queues. `proto-spec/methods/queue.md`.

use crate::auth::same_login;
use crate::calls::Waiting;
use crate::hub::Hub;
use crate::hub::ids::ZERO_GUID;
use crate::hub::route::{Caller, Handled};
use crate::message::{Body, Number, Object, Text, Value};

impl Hub {
    /// The waiting calls that concern the caller: of the queues at which the user is.
    pub(in crate::hub) fn current_queue(&self, caller: &Caller) -> Handled {
        let login = &self.users[self.acting(caller)?].account.login;
        let own = |queue: &Text| {
            let group = self.settings.numbers.iter().find(|g| g.number == *queue);
            group.is_some_and(|g| g.members.iter().any(|m| same_login(m, login)))
        };
        let waiting = self.calls.waiting(None);
        let queue: Vec<Value> = waiting.iter().filter(|w| own(&w.queue)).map(|w| self.queue_item(w)).collect();
        Ok(Some(Body::new().with("queue", queue)))
    }

    /// All queues. `result` is the data itself, as known clients want it.
    pub(in crate::hub) fn total_queue(&self) -> Handled {
        let mut waiting = self.calls.waiting(None);
        let queues = self.settings.numbers.iter().map(|group| {
            let (here, others) = std::mem::take(&mut waiting).into_iter().partition(|w| w.queue == group.number);
            waiting = others;
            let here: Vec<Waiting> = here;
            Value::Object(
                Object::new()
                    .with("numid", group.id.clone())
                    .with("rulename", group.name.clone())
                    .with("ruleid", group.id.clone())
                    .with("numprefix", "")
                    .with("queue", here.iter().map(|w| self.queue_item(w)).collect::<Vec<_>>()),
            )
        });
        let queues: Vec<Value> = queues.collect();
        Ok(Some(Body::new().with("result", queues)))
    }

    fn queue_item(&self, waiting: &Waiting) -> Value {
        let group = self.settings.numbers.iter().find(|g| g.number == waiting.queue);
        let inside = self.users.by_number(&waiting.caller.number).filter(|_| !waiting.caller.outside);
        let waited_ms = (self.wall(self.now) - waiting.since_ms).max(0);
        let seconds = Number::parse(format!("{}.{}", waited_ms / 1000, waited_ms % 1000 / 100));
        let name = group.map_or_else(|| waiting.queue.clone(), |g| g.name.clone());
        let zero = Text::from_static(ZERO_GUID);
        let mut item = self.abonent(&waiting.caller);
        item.set("chainid", waiting.call.0.clone());
        item.set("calledid", waiting.called.clone());
        item.set("isuser", inside.is_some());
        item.set("istask", true);
        item.set("taskid", group.map_or_else(|| zero.clone(), |g| g.id.clone()));
        item.set("taskname", name);
        item.set("taskdirection", "incoming");
        item.set("lenqueue", seconds.map_or_else(|| Value::from(0), Value::Number));
        item.set("startqueuetime", self.local_time(waiting.since_ms));
        item.set("queuepriority", 0);
        item.set("queuesource", 5);
        item.set("queuesourcestr", "qsIncomingTask");
        item.set("objectid", group.map_or(zero, |g| g.id.clone()));
        item.set("objecttype", 0);
        item.set("objecttypestr", "qotQueueLogic");
        Value::Object(item)
    }
}
