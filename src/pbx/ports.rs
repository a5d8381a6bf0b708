//! The channels between the house and a backend.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ctigate_proto::telephony::{Command, Event, Refusal};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use super::ledger::Ledger;
use super::{BackendError, Control, ControlError, Directory, Done};

/// How the house reaches a backend. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    orders: mpsc::Sender<Order>,
    /// For the refusal of what does not fit. Weak, so that what is told ends with the backend.
    events: mpsc::WeakSender<Event>,
    directory: watch::Sender<Option<Arc<Directory>>>,
    up: watch::Receiver<bool>,
}

/// How a backend reaches the house. It outlives the backend, and remembers what is open.
#[derive(Debug)]
pub struct Ports {
    commands: mpsc::Receiver<Command>,
    orders: mpsc::Receiver<Order>,
    /// The newest one; `None`: that of the start.
    directory: watch::Receiver<Option<Arc<Directory>>>,
    events: mpsc::Sender<Event>,
    ledger: Ledger,
    /// What was told to an earlier life of the backend and lasts: it is heard again first.
    again: VecDeque<Command>,
    up: watch::Sender<bool>,
}

/// Something a backend is told.
#[derive(Debug)]
pub enum Heard {
    /// By the operator: other numbers and queues than before.
    Directory(Arc<Directory>),
    /// By the Hub.
    Command(Command),
    /// By an operator.
    Order(Order),
}

/// An order and the way its answer goes back.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub control: Control,
    /// Where to say what came of it. Whoever asked may be gone.
    pub answer: oneshot::Sender<Result<Done, ControlError>>,
}

/// The command did not fit: it is given back.
#[derive(Debug, Error)]
#[error("the telephone system is busy or down")]
pub struct Busy(pub Box<Command>);

/// The two ends of a backend's channels, and what it tells. Each queue holds at most `capacity`.
pub fn channels(capacity: usize) -> (Handle, Ports, mpsc::Receiver<Event>) {
    let (commands, commands_in) = mpsc::channel(capacity);
    let (orders, orders_in) = mpsc::channel(capacity);
    let (events, events_in) = mpsc::channel(capacity);
    let (up_told, up) = watch::channel(false);
    let (directory, directory_in) = watch::channel(None);
    let handle = Handle { commands, orders, events: events.downgrade(), directory, up };
    let (ledger, again) = (Ledger::default(), VecDeque::new());
    let ports =
        Ports { commands: commands_in, orders: orders_in, directory: directory_in, events, ledger, again, up: up_told };
    (handle, ports, events_in)
}

impl Handle {
    /// Tells the backend something. Never waits. An order that does not fit is refused in the backend's name, so that nobody
    /// waits for its end.
    ///
    /// # Errors
    /// [`Busy`] with the command when the queue is full or the backend is gone.
    pub fn command(&self, command: Command) -> Result<(), Busy> {
        self.commands.try_send(command).map_err(|full| {
            let command = full.into_inner();
            let refusal = match &command {
                Command::Phone { order, .. } => Some(Event::Done { order: *order, result: Err(Refusal::Down) }),
                Command::Script { order, .. } => Some(Event::ScriptDone { order: *order, result: Err(Refusal::Down) }),
                _ => None,
            };
            if let Some((events, refusal)) = self.events.upgrade().zip(refusal) {
                // Should that be full too, the Hub's own patience has to do.
                let _ = events.try_send(refusal);
            }
            Busy(Box::new(command))
        })
    }

    /// Orders something and waits for what comes of it. When the caller goes away the order is still followed.
    ///
    /// # Errors
    /// [`ControlError`]: the order was not followed, or the queue is full, or the backend is gone.
    pub async fn control(&self, control: Control) -> Result<Done, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.orders.try_send(Order { control, answer }).map_err(|full| match full {
            mpsc::error::TrySendError::Full(_) => ControlError::Busy,
            mpsc::error::TrySendError::Closed(_) => ControlError::Down,
        })?;
        answered.await.unwrap_or(Err(ControlError::Down))
    }

    /// The house has these numbers and queues from now on. Never waits; only the newest counts. It is heard before every command
    /// that is given after it.
    pub fn directory(&self, directory: Directory) {
        self.directory.send_replace(Some(Arc::new(directory)));
    }
}

impl Handle {
    /// Whether the telephone system is there and follows orders.
    pub fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// The same, as it changes.
    pub fn ups(&self) -> watch::Receiver<bool> {
        self.up.clone()
    }

    /// How many commands and orders wait for the backend, and how many events for the house.
    pub fn waiting(&self) -> (usize, usize) {
        fn used<T>(queue: &mpsc::Sender<T>) -> usize {
            queue.max_capacity() - queue.capacity()
        }
        (used(&self.commands) + used(&self.orders), self.events.upgrade().map_or(0, |events| used(&events)))
    }
}

impl Ports {
    /// Says whether the telephone system is there. [`super::supervise`] says for a life that ended that it is not.
    pub fn set_up(&self, up: bool) {
        self.up.send_if_modified(|was| std::mem::replace(was, up) != up);
    }

    /// Tells the house something; waits while the house is behind. The house never waits for a backend, so this ends.
    ///
    /// # Errors
    /// [`BackendError::Unheard`] when the house has gone.
    pub async fn tell(&mut self, event: Event) -> Result<(), BackendError> {
        self.ledger.told(&event);
        self.events.send(event).await.map_err(|_| BackendError::Unheard)
    }

    /// The next thing the backend is told. Cancel safe.
    ///
    /// # Errors
    /// [`BackendError::Unheard`] when the house has gone.
    pub async fn hear(&mut self) -> Result<Heard, BackendError> {
        if let Some(directory) = self.newer_directory() {
            return Ok(Heard::Directory(directory));
        }
        if let Some(command) = self.again.pop_front() {
            return Ok(Heard::Command(command));
        }
        tokio::select! {
            // In one order, so that a story that is told again goes as it went, and because what is said of a number means nothing
            // before the number is there. None can keep the others away for long: the queues are bounded, and the Hub tells
            // what it is asked.
            biased;
            Ok(Some(directory)) = next(&mut self.directory) => Ok(Heard::Directory(directory)),
            Some(command) = self.commands.recv() => {
                self.ledger.heard(&command);
                Ok(Heard::Command(command))
            }
            Some(order) = self.orders.recv() => Ok(Heard::Order(order)),
            else => Err(BackendError::Unheard),
        }
    }

    fn newer_directory(&mut self) -> Option<Arc<Directory>> {
        let newer = self.directory.has_changed().unwrap_or(false);
        newer.then(|| self.directory.borrow_and_update().clone()).flatten()
    }

    /// Tells in a dead backend's name that everything it had open has ended; its calls only if they do not `live_on`.
    pub(super) async fn settle(&mut self, live_on: bool) -> Result<(), BackendError> {
        let events = self.ledger.settle((!live_on).then(wall_ms));
        self.tell_all(events).await
    }

    /// Hears one thing in the name of a backend that is down: an order is refused, what lasts is kept for its next life, and
    /// what answers the dead one is dropped. Cancel safe but for the answer to one order.
    pub(super) async fn refuse(&mut self) -> Result<(), BackendError> {
        match self.hear().await? {
            // The next life hears of it first.
            Heard::Directory(_) => {}
            Heard::Command(command) => {
                tracing::debug!(command = command.word(), "not followed: the telephone system is down");
            }
            Heard::Order(order) => {
                let _ = order.answer.send(Err(ControlError::Down));
            }
        }
        let refusals = self.ledger.refusals();
        self.tell_all(refusals).await
    }

    /// The next thing that is heard is what an earlier life was told and lasts.
    pub(super) fn begin_again(&mut self) {
        if self.directory.borrow().is_some() {
            self.directory.mark_changed();
        }
        self.again = self.ledger.lasting().into();
    }

    async fn tell_all(&mut self, events: Vec<Event>) -> Result<(), BackendError> {
        for event in events {
            self.events.send(event).await.map_err(|_| BackendError::Unheard)?;
        }
        Ok(())
    }
}

/// The next directory. Cancel safe.
async fn next(
    directory: &mut watch::Receiver<Option<Arc<Directory>>>,
) -> Result<Option<Arc<Directory>>, watch::error::RecvError> {
    directory.changed().await?;
    Ok(directory.borrow_and_update().clone())
}

fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ctigate_proto::message::Text;
    use ctigate_proto::telephony::{Act, OrderId};

    use super::super::Queue;
    use super::*;

    #[test]
    fn a_full_queue_gives_the_command_back_at_once() {
        let (handle, _ports, _events) = channels(1);
        let command = Command::Agent { number: Text::from_static("101"), away: None };
        assert!(handle.command(command.clone()).is_ok());
        assert_eq!(*handle.command(command.clone()).unwrap_err().0, command);
        assert_eq!(handle.waiting(), (1, 0));
    }

    #[tokio::test]
    async fn an_order_that_does_not_fit_is_refused_at_once() {
        let (handle, ports, mut events) = channels(1);
        let order = |n| Command::Phone { order: OrderId(n), number: Text::from_static("101"), act: Act::Hangup };
        handle.command(order(1)).unwrap();
        assert!(handle.command(order(2)).is_err());
        assert_eq!(events.recv().await, Some(Event::Done { order: OrderId(2), result: Err(Refusal::Down) }));
        drop(ports);
        assert_eq!(events.recv().await, None, "the handle does not keep it open");
    }

    #[tokio::test]
    async fn the_newest_directory_is_heard_before_what_follows_it_and_again_by_the_next_life() {
        let (handle, mut ports, _events) = channels(4);
        let of = |number: &'static str| {
            let queue = Queue { number: Text::from_static(number), ..Queue::default() };
            Directory { extensions: Vec::new(), queues: vec![queue] }
        };
        let agent = Command::Agent { number: Text::from_static("101"), away: None };
        handle.command(agent.clone()).unwrap();
        handle.directory(of("600"));
        handle.directory(of("700"));
        for life in 0..2 {
            match ports.hear().await.unwrap() {
                Heard::Directory(heard) => assert_eq!(*heard, of("700"), "life {life}"),
                other => panic!("{other:?} in life {life}"),
            }
            assert!(matches!(ports.hear().await.unwrap(), Heard::Command(heard) if heard == agent), "life {life}");
            ports.begin_again();
        }
    }

    #[tokio::test]
    async fn an_order_to_a_dead_backend_is_answered() {
        let (handle, ports, _events) = channels(1);
        let order = Control::Answer { number: Text::from_static("101") };
        let waiting = tokio::spawn({
            let (handle, order) = (handle.clone(), order.clone());
            async move { handle.control(order).await }
        });
        tokio::task::yield_now().await;
        drop(ports);
        assert_eq!(waiting.await.unwrap(), Err(ControlError::Down));
        assert_eq!(handle.control(order).await, Err(ControlError::Down));
    }
}
