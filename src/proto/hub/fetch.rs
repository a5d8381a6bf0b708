//! Calls that wait for something outside ([`super::archive`]): who waits, until when, and what becomes of the answer. Bounded, with
//! a deadline each, answered once. Who asked may be gone by then.

use std::collections::BTreeMap;

use crate::message::{Body, CallError, Code, PeerId, Text};

use super::Hub;
use super::archive::{FETCH_WAIT, Fetch, FetchResult, Fetched};
use super::input::Ticket;
use super::output::Output;
use super::route::{Caller, Handled};
use super::timer::{Key, Timer};
use super::user::UserIx;

/// Most questions under way at a time, of everybody.
const MOST: usize = 1024;

/// Questions under way.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    open: BTreeMap<Ticket, Waiting>,
}

impl Fetches {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether a call of this peer waits.
    pub(super) fn any_of(&self, peer: PeerId) -> bool {
        self.open.values().any(|waiting| waiting.caller.peer == peer)
    }
}

#[derive(Debug)]
struct Waiting {
    caller: Caller,
    method: &'static str,
    then: Then,
    key: Key,
}

/// What is done with an answer.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// The journal is told.
    Journal,
    /// The way of a call is told.
    Steps,
    /// The history of a chat is told.
    History { chat: Text },
    /// A chat counts as read up to a text.
    Viewed { chat: Text },
    /// The tables of a procedure are told.
    Tables,
    /// A user's password is another now.
    Password { user: UserIx },
    /// A user has a photo now.
    Photo { user: UserIx },
    /// Somebody who may hear a recording is given it.
    Recording,
}

impl Hub {
    /// Asks for something outside. The reply follows.
    pub(super) fn fetch(&mut self, caller: &Caller, method: &'static str, fetch: Fetch, then: Then) -> Handled {
        let most = match caller.link {
            None if caller.ask.is_none() => self.settings.limits.in_flight_tab,
            _ => self.settings.limits.in_flight_link,
        };
        let own = self.fetches.open.values().filter(|w| w.caller.peer == caller.peer).count();
        if self.fetches.len() >= MOST || own >= most {
            return Err(CallError::new(Code::TooManyRequests, "too many calls wait for the store already"));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let key = self.timers.set(self.now + FETCH_WAIT, Timer::Fetch(ticket));
        self.fetches.open.insert(ticket, Waiting { caller: caller.to_keep(), method, then, key });
        self.out.push_back(Output::Fetch { ticket, fetch: Box::new(fetch) });
        Ok(None)
    }

    /// What was asked for is there.
    pub(super) fn fetched(&mut self, ticket: Ticket, result: FetchResult) {
        let Some(Waiting { caller, method, then, key }) = self.fetches.open.remove(&ticket) else { return };
        self.timers.cancel(key);
        // What was changed outside is changed, whoever still hears of it.
        let handled = result.and_then(|fetched| self.settle(&caller, then, fetched));
        if !self.listens(&caller) {
            return;
        }
        match handled {
            Ok(Some(body)) => self.succeed(&caller, method, body),
            Ok(None) => {}
            Err(error) => self.fail(&caller, method, &error),
        }
    }

    /// It did not come in time.
    pub(super) fn fetch_unanswered(&mut self, ticket: Ticket) {
        let Some(waiting) = self.fetches.open.remove(&ticket) else { return };
        if self.listens(&waiting.caller) {
            let error = CallError::new(Code::Timeout, "the store did not answer");
            self.fail(&waiting.caller, waiting.method, &error);
        }
    }

    fn settle(&mut self, caller: &Caller, then: Then, fetched: Fetched) -> Handled {
        match (then, fetched) {
            (Then::Journal, Fetched::Journal(rows)) => Ok(Some(self.journal_reply(caller, rows))),
            (Then::Steps, Fetched::Call(entry)) => self.past_chain(caller, entry.as_deref()),
            (Then::History { chat }, Fetched::Texts(texts)) => self.history_reply(caller, &chat, texts),
            (Then::Viewed { chat }, Fetched::Texts(texts)) => self.viewed(caller, &chat, texts.first()),
            (Then::Tables, Fetched::Tables(tables)) => {
                Ok(Some(Body::new().with("errorcode", 0).with("dataset", tables)))
            }
            (Then::Password { user }, Fetched::Done) => self.password_changed(caller, user),
            (Then::Photo { user }, Fetched::Photo(photo)) => self.photo_made(user, photo),
            (Then::Recording, Fetched::Recording(recording)) => self.recording_found(caller, recording),
            _ => Err(Code::Internal.into()),
        }
    }

    /// Whether whoever made a call can still be answered.
    pub(super) fn listens(&self, caller: &Caller) -> bool {
        caller.ask.is_some() || self.peers.contains_key(&caller.peer)
    }
}
