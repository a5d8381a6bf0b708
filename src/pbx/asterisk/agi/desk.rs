//! What sessions wait for. They say what they wish; the backend tells it to the house, and brings back what comes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ctigate_proto::telephony::{Ask, CallId, Command, Event, FormEnd, FormOrder, Outcome, RunId};
use tokio::sync::{mpsc, oneshot};

/// How sessions reach the backend.
pub(in crate::pbx::asterisk) type Wishes = mpsc::Sender<Wish>;

/// Makes the ids of waits; each once while the node runs.
#[derive(Clone, Debug, Default)]
pub(in crate::pbx::asterisk) struct Runs(Arc<AtomicU64>);

impl Runs {
    /// An id that nobody has.
    pub(super) fn next(&self) -> RunId {
        RunId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Something a session wishes.
#[derive(Debug)]
pub(in crate::pbx::asterisk) enum Wish {
    /// To know the conversation of a channel.
    Call {
        /// Its `Uniqueid`.
        uniqueid: String,
        /// Where to say it.
        answer: oneshot::Sender<Whose>,
    },
    /// To ask a dynamic method.
    Ask {
        /// The wait.
        run: RunId,
        /// What.
        ask: Ask,
        /// Where to say how it ended.
        answer: oneshot::Sender<Outcome>,
    },
    /// To open a form.
    Form {
        /// What.
        form: FormOrder,
        /// The wait, if it is waited for, and where to say how it ended.
        wait: Option<(RunId, oneshot::Sender<FormEnd>)>,
    },
    /// To wait no longer.
    Gone {
        /// The wait.
        run: RunId,
        /// Whether a form is taken back.
        close: bool,
    },
}

/// Whose a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pbx::asterisk) enum Whose {
    /// It is part of this conversation.
    Call(CallId),
    /// Nothing was heard of it yet.
    NotYet,
    /// Nothing is heard of any: there is no connection.
    Unknown,
}

/// The waits.
#[derive(Debug, Default)]
pub(in crate::pbx::asterisk) struct Desk {
    asks: BTreeMap<RunId, oneshot::Sender<Outcome>>,
    forms: BTreeMap<RunId, oneshot::Sender<FormEnd>>,
}

impl Desk {
    /// Takes a wish; gives what the house is to be told.
    pub(in crate::pbx::asterisk) fn wish(&mut self, wish: Wish, whose: impl FnOnce(&str) -> Whose) -> Option<Event> {
        match wish {
            Wish::Call { uniqueid, answer } => {
                // The session may be gone.
                let _ = answer.send(whose(&uniqueid));
                None
            }
            Wish::Ask { run, ask, answer } => {
                self.asks.insert(run, answer);
                Some(Event::Ask { run, ask })
            }
            Wish::Form { form, wait } => {
                let run = wait.as_ref().map(|(run, _)| *run);
                self.forms.extend(wait);
                Some(Event::Form { run, form })
            }
            Wish::Gone { run, close } => match (self.asks.remove(&run), self.forms.remove(&run)) {
                (Some(_), _) => Some(Event::AskCancelled { run }),
                (None, Some(_)) if close => Some(Event::CloseForm { run }),
                _ => None,
            },
        }
    }

    /// Takes what is for a session; gives back what is not.
    pub(in crate::pbx::asterisk) fn heard(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::AskDone { run, outcome } => {
                if let Some(answer) = self.asks.remove(&run) {
                    let _ = answer.send(outcome);
                }
                None
            }
            Command::FormDone { run, end } => {
                if let Some(answer) = self.forms.remove(&run) {
                    let _ = answer.send(end);
                }
                None
            }
            // The dialplan has gone on: a late result is for the CRM's own log.
            Command::AskLate { .. } => None,
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ctigate_proto::message::{Object, Text};

    use super::*;

    fn ask() -> Ask {
        Ask {
            method: Text::from_static("M"),
            input: Object::new(),
            call: None,
            user: Text::new(),
            deadline: None,
            late: Duration::ZERO,
            fallback: None,
        }
    }

    fn form() -> FormOrder {
        let name = Text::from_static("card");
        FormOrder { user: name.clone(), name, call: None, parameters: Object::new(), expire: None }
    }

    #[test]
    fn an_ask_is_told_answered_once_and_forgotten() {
        let (mut desk, runs) = (Desk::default(), Runs::default());
        let run = runs.next();
        let (answer, mut answered) = oneshot::channel();
        let told = desk.wish(Wish::Ask { run, ask: ask(), answer }, |_| Whose::Unknown);
        assert_eq!(told, Some(Event::Ask { run, ask: ask() }));
        assert_eq!(desk.heard(Command::AskDone { run, outcome: Outcome::Timeout }), None);
        assert_eq!(answered.try_recv(), Ok(Outcome::Timeout));
        assert_eq!(desk.wish(Wish::Gone { run, close: false }, |_| Whose::Unknown), None);
        assert_ne!(runs.next(), run);
    }

    #[test]
    fn who_waits_no_longer_is_told_of() {
        let (mut desk, runs) = (Desk::default(), Runs::default());
        let run = runs.next();
        desk.wish(Wish::Ask { run, ask: ask(), answer: oneshot::channel().0 }, |_| Whose::Unknown);
        let gone = |run, close| Wish::Gone { run, close };
        assert_eq!(desk.wish(gone(run, false), |_| Whose::Unknown), Some(Event::AskCancelled { run }));
        for (close, told) in [(true, true), (false, false)] {
            let run = runs.next();
            let wait = Some((run, oneshot::channel().0));
            assert_eq!(
                desk.wish(Wish::Form { form: form(), wait }, |_| Whose::Unknown),
                Some(Event::Form { run: Some(run), form: form() })
            );
            assert_eq!(desk.wish(gone(run, close), |_| Whose::Unknown), told.then_some(Event::CloseForm { run }));
        }
        assert_eq!(
            desk.wish(Wish::Form { form: form(), wait: None }, |_| Whose::Unknown),
            Some(Event::Form { run: None, form: form() })
        );
    }

    #[test]
    fn other_commands_are_given_back() {
        let command = Command::Agent { number: Text::new(), away: None };
        assert_eq!(Desk::default().heard(command.clone()), Some(command));
    }
}
