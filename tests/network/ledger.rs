//! What is written down while a story runs, and what must never be: the invariants of ARCHITECTURE.md as peers and the
//! telephone system see them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctigate::proto::telephony::{Command, Event, Outcome, RunId};

/// Shared by everybody in a story.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    faults: Vec<String>,
    counts: Counts,
    trace: DefaultHasher,
    /// Waits of scenarios in the gateway's present life.
    asks: BTreeMap<RunId, Ask>,
    forms: BTreeSet<RunId>,
    /// Executions that CRMs were asked to carry out, in all lives.
    executions: BTreeSet<String>,
    /// Cards by the first tab that was told its answer counts.
    answered: BTreeMap<String, String>,
    /// What tabs show, by name; a tab that is not connected shows nothing.
    pictures: BTreeMap<String, Picture>,
    /// What the gateway says at the end.
    truth: Option<Truth>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Waits,
    /// Ended without a result: one may come late.
    Empty,
    Over,
}

/// How much happened: a story in which nothing happens shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) logins: u64,
    pub(crate) replies: u64,
    pub(crate) talks: u64,
    pub(crate) executions: u64,
    pub(crate) outcomes: u64,
    pub(crate) cards: u64,
    pub(crate) card_answers: u64,
    pub(crate) introductions: u64,
    pub(crate) sessions: u64,
    pub(crate) asks: u64,
    pub(crate) faults_of_the_network: u64,
    pub(crate) lives: u64,
    pub(crate) looks: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, more) in [
            (&mut self.messages, other.messages),
            (&mut self.logins, other.logins),
            (&mut self.replies, other.replies),
            (&mut self.talks, other.talks),
            (&mut self.executions, other.executions),
            (&mut self.outcomes, other.outcomes),
            (&mut self.cards, other.cards),
            (&mut self.card_answers, other.card_answers),
            (&mut self.introductions, other.introductions),
            (&mut self.sessions, other.sessions),
            (&mut self.asks, other.asks),
            (&mut self.faults_of_the_network, other.faults_of_the_network),
            (&mut self.lives, other.lives),
            (&mut self.looks, other.looks),
        ] {
            *mine += more;
        }
    }
}

/// What a tab shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) login: String,
    /// `userstateid`
    pub(crate) state: i64,
    /// The line in one word, with the party.
    pub(crate) line: String,
    pub(crate) cards: BTreeSet<String>,
    /// The states of numbers.
    pub(crate) numbers: BTreeMap<String, i64>,
}

/// What the gateway knows at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    /// By login: number, state.
    pub(crate) users: BTreeMap<String, (String, i64)>,
    /// Forms by login.
    pub(crate) forms: BTreeMap<String, BTreeSet<String>>,
    pub(crate) calls: usize,
    pub(crate) executions: usize,
    pub(crate) in_flight: usize,
    pub(crate) links: Vec<(String, &'static str)>,
    pub(crate) connections: usize,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that must not be.
    pub(crate) fn fault(&self, what: impl Into<String>) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.book().faults.push(format!("at {:.2} s: {}", at.as_secs_f64(), what.into()));
    }

    /// Something that happened, for the comparison of two tellings of one story.
    /// With `TRACE` set it is printed too.
    pub(crate) fn note(&self, who: &str, what: &str) {
        let at = turmoil::elapsed();
        (at, who, what).hash(&mut self.book().trace);
        if std::env::var_os("TRACE").is_some() {
            eprintln!("{:9.3} {who} {what}", at.as_secs_f64());
        }
    }

    pub(crate) fn count(&self, one: impl FnOnce(&mut Counts) -> &mut u64) {
        *one(&mut self.book().counts) += 1;
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.book().faults.clone()
    }

    pub(crate) fn result(&self) -> (Counts, u64) {
        let book = self.book();
        (book.counts, book.trace.finish())
    }

    // ---- the telephone system

    /// The gateway starts anew: what its earlier life waited for is void.
    pub(crate) fn new_life(&self) {
        let mut book = self.book();
        book.asks.clear();
        book.forms.clear();
        book.truth = None;
        book.counts.lives += 1;
    }

    pub(crate) fn telephone_tells(&self, event: &Event) {
        let mut book = self.book();
        match event {
            Event::Ask { run, .. } => {
                book.counts.asks += 1;
                book.asks.insert(*run, Ask::Waits);
            }
            Event::AskCancelled { run } => drop(book.asks.insert(*run, Ask::Over)),
            Event::Form { run: Some(run), .. } => drop(book.forms.insert(*run)),
            _ => {}
        }
    }

    /// One outcome for each execution, one end for each form.
    pub(crate) fn telephone_hears(&self, command: &Command) {
        let mut book = self.book();
        let wrong = match command {
            Command::AskDone { run, outcome } => {
                let now = match outcome {
                    Outcome::Timeout | Outcome::Fallback(_) => Ask::Empty,
                    _ => Ask::Over,
                };
                let before = book.asks.insert(*run, now);
                // A cancel and its outcome may cross.
                !matches!(before, Some(Ask::Waits)) && !matches!(outcome, Outcome::Cancelled)
            }
            Command::AskLate { run, .. } => book.asks.insert(*run, Ask::Over) != Some(Ask::Empty),
            Command::FormDone { run, .. } => !book.forms.remove(run),
            _ => false,
        };
        drop(book);
        if wrong {
            self.fault(format!("nobody waited for {command:?}"));
        }
    }

    // ---- peers

    /// A CRM is asked to carry out an execution: once.
    pub(crate) fn asked(&self, crm: &str, execution: &str) {
        self.count(|c| &mut c.executions);
        if !self.book().executions.insert(execution.to_owned()) {
            self.fault(format!("{crm} was asked twice to carry out {execution}"));
        }
    }

    /// A tab was told that its answer to a card counts: at most one answer of a card does.
    pub(crate) fn answered(&self, tab: &str, card: &str) {
        self.count(|c| &mut c.card_answers);
        let first = self.book().answered.insert(card.to_owned(), tab.to_owned());
        if let Some(first) = first {
            self.fault(format!("{card} was answered in {first} and again in {tab}"));
        }
    }

    /// What a tab shows now; `None`: it is not connected.
    pub(crate) fn shows(&self, tab: &str, picture: Option<Picture>) {
        let mut book = self.book();
        match picture {
            Some(picture) => drop(book.pictures.insert(tab.to_owned(), picture)),
            None => drop(book.pictures.remove(tab)),
        }
    }

    pub(crate) fn truth(&self, truth: Truth) {
        self.book().truth = Some(truth);
    }

    /// What is not as it is when all is quiet: nobody waits, and every tab shows what is.
    pub(crate) fn wrong(&self, tabs: &[String], links: usize) -> Vec<String> {
        let book = self.book();
        let mut faults = Vec::new();
        let waiting: Vec<_> = book.asks.iter().filter(|(_, ask)| **ask == Ask::Waits).collect();
        if !waiting.is_empty() {
            faults.push(format!("scenarios wait for methods: {waiting:?}"));
        }
        if !book.forms.is_empty() {
            faults.push(format!("scenarios wait for forms: {:?}", book.forms));
        }
        match &book.truth {
            None => faults.push("the gateway said nothing at the end".to_owned()),
            Some(truth) => {
                if (truth.calls, truth.executions, truth.in_flight) != (0, 0, 0) {
                    faults.push(format!("something goes on in the gateway: {truth:?}"));
                }
                if truth.connections != tabs.len() + links {
                    faults.push(format!("{} tabs and {links} links, but {truth:?}", tabs.len()));
                }
                for (link, state) in &truth.links {
                    if *state != "up" {
                        faults.push(format!("the link {link} is {state}"));
                    }
                }
                for name in tabs {
                    let Some(shown) = book.pictures.get(name) else {
                        faults.push(format!("{name} is not connected"));
                        continue;
                    };
                    let forms = truth.forms.get(&shown.login).cloned().unwrap_or_default();
                    let state = truth.users.get(&shown.login).map_or(-1, |(_, state)| *state);
                    let wrong_number = truth
                        .users
                        .values()
                        .find(|(number, state)| shown.numbers.get(number).is_some_and(|shown| shown != state));
                    if shown.state != state || shown.cards != forms || wrong_number.is_some() || shown.line != "ready" {
                        faults.push(format!("{name} shows {shown:?}, but it is {truth:?}"));
                    }
                }
            }
        }
        faults
    }
}
