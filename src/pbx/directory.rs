//! What a backend is told about the house: numbers and queues.

use ctigate_proto::auth::same_login;
use ctigate_proto::message::Text;

/// The inside numbers and queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Inside numbers; each once.
    pub extensions: Vec<Extension>,
    /// Queues; each number once, and none of an extension.
    pub queues: Vec<Queue>,
}

/// An inside number and its phone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {
    /// The number.
    pub number: Text,
    /// The name shown on phones.
    pub name: Text,
    /// Another name for the number in scenarios: the login of whoever works on it.
    pub login: Option<Text>,
}

/// A queue in which callers wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The number that leads into it.
    pub number: Text,
    /// Its name.
    pub name: Text,
    /// The inside numbers that serve it, in order.
    pub members: Vec<Text>,
    /// In which way they are rung.
    pub strategy: Strategy,
}

/// Which free members of a queue ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// All at once.
    #[default]
    All,
    /// One after the other, each call from the first.
    Linear,
    /// One after the other, each call where the one before left off.
    Rotate,
    /// Whoever has talked with nobody for the longest time.
    LongestIdle,
    /// Whoever has answered the fewest calls of the queue.
    FewestCalls,
}

impl Directory {
    /// The inside number that is written so: the number itself, or the login of its extension.
    pub fn find(&self, number_or_login: &str) -> Option<&Extension> {
        let by_number = self.extensions.iter().find(|e| e.number == number_or_login);
        by_number.or_else(|| {
            self.extensions.iter().find(|e| e.login.as_deref().is_some_and(|login| same_login(login, number_or_login)))
        })
    }

    /// The queue with this number.
    pub fn queue(&self, number: &str) -> Option<&Queue> {
        self.queues.iter().find(|q| q.number == number)
    }
}
