//! What is written down while a story runs, and what must never be: the invariants of ARCHITECTURE.md as peers and the
//! telephone system see them.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctigate::proto::hub::snapshot::Snapshot;
use ctigate::proto::telephony::{Command, Event, Outcome, RunId};

use crate::story::{GATEWAY, Seat};

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
    /// Whether somebody has been given a new session of late.
    fresh: bool,
    /// Until when something last befell a host.
    torn: BTreeMap<String, Duration>,
    /// Events for everybody, and when somebody heard them first.
    events: BTreeMap<String, Duration>,
    /// Since when tabs are connected, those that were before included.
    since: BTreeMap<String, Duration>,
    /// Which cards pages showed of late.
    notes: Vec<Note>,
    /// Cards by the first time that a page showed them.
    cards: BTreeMap<String, Duration>,
    /// When the gateway was looked at last, and the forms that were open then.
    look: Option<(Duration, BTreeSet<String>)>,
    /// Since when people have been without a tab.
    without: BTreeMap<String, Duration>,
    /// When the last connection of a tab or CRM ended in order, and how.
    ends: BTreeMap<String, (Duration, u16)>,
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
    /// Messages of pages that went through a tunnel, and logins there.
    pub(crate) forwarded: u64,
    pub(crate) tunnelled_logins: u64,
    pub(crate) tunnelled_answers: u64,
    /// Gateways that stopped in order, and those who were told.
    pub(crate) stops: u64,
    pub(crate) farewells: u64,
    /// Events for everybody that came to pages.
    pub(crate) broadcasts: u64,
    /// Comparisons of a page's cards with the open forms.
    pub(crate) notes: u64,
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
            (&mut self.forwarded, other.forwarded),
            (&mut self.tunnelled_logins, other.tunnelled_logins),
            (&mut self.tunnelled_answers, other.tunnelled_answers),
            (&mut self.stops, other.stops),
            (&mut self.farewells, other.farewells),
            (&mut self.broadcasts, other.broadcasts),
            (&mut self.notes, other.notes),
        ] {
            *mine += more;
        }
    }
}

/// The code of a connection that ended without a word.
const LOST: u16 = 1006;

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

/// The cards of a page at a moment: when it heard a reply, and when it had asked.
struct Note {
    name: String,
    login: &'static str,
    asked: Duration,
    heard: Duration,
    cards: BTreeSet<String>,
}

/// How much later than others somebody whom nothing has befallen may hear an event.
const SOON: Duration = Duration::from_secs(3);

/// How long after a stop was asked for somebody may hear of it: the goodbyes are spread, and may wait for a promise and its disk.
const TOLD: Duration = Duration::from_secs(4);

/// How long a person without a tab may still be there: five seconds, and as much as two looks may be apart.
const LEAVES: Duration = Duration::from_secs(6);

/// How far the clocks of two hosts may be apart: the longest tick.
const SKEW: Duration = Duration::from_millis(200);

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
    /// Who is there, by login: the link, empty for a direct one, and the tab behind it.
    pub(crate) tabs: BTreeMap<String, Vec<(String, String)>>,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that must not be.
    pub(crate) fn fault(&self, what: impl Into<String>) {
        let at = now();
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
        // An answer that nobody was promised may be forgotten, and its form open again.
        book.notes.clear();
        book.cards.clear();
        book.look = None;
        book.without.clear();
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

    // ---- connections

    /// A connection is closed in order: by the other side, or by the page itself.
    pub(crate) fn goodbye(&self, name: &str, code: u16) {
        self.note(name, &format!("closed {code}"));
        if matches!(code, 1002 | 1003 | 1007 | 1009..=1012) {
            self.fault(format!("{name} is closed with {code}"));
        }
        self.book().ends.insert(name.to_owned(), (now(), code));
    }

    /// Something befalls a host until that moment.
    pub(crate) fn befalls(&self, host: &str, until: Duration) {
        self.book().torn.insert(host.to_owned(), until);
    }

    /// Whether nothing has befallen a host since then.
    pub(crate) fn is_untouched(&self, host: &str, since: Duration) -> bool {
        self.book().torn.get(host).is_none_or(|torn| *torn < since)
    }

    /// The same for its connection with the gateway.
    fn is_whole(&self, host: &str, since: Duration) -> bool {
        self.is_untouched(host, since) && self.is_untouched(GATEWAY, since)
    }

    /// Whether a tab is connected, and nothing has befallen its connection.
    pub(crate) fn is_connected(&self, name: &str) -> bool {
        let since = {
            let book = self.book();
            book.since.get(name).copied().filter(|_| book.pictures.contains_key(name))
        };
        since.is_some_and(|since| self.is_whole(name, since))
    }

    /// An event for everybody has come to a page on this host: soon after it came to others.
    pub(crate) fn hears(&self, name: &str, host: &str, since: Duration, event: &str) {
        let now = now();
        let first = *self.book().events.entry(event.to_owned()).or_insert(now);
        self.count(|c| &mut c.broadcasts);
        if now - first > SOON && since < first && self.is_whole(host, since) {
            self.fault(format!("{name} heard at {now:?} what others heard at {first:?}"));
        }
    }

    /// The gateway has stopped in order: these were to be told.
    pub(crate) fn stopped(&self, since: Duration, told: &[String]) {
        self.count(|c| &mut c.stops);
        for name in told {
            self.count(|c| &mut c.farewells);
            let end = self.book().ends.get(name).copied();
            if !end.is_some_and(|(at, code)| (since..since + TOLD).contains(&at) && code != LOST) {
                self.fault(format!("the gateway stopped at {since:?} and did not tell {name}: {end:?}"));
            }
        }
    }

    // ---- peers

    /// Somebody has been given a new session.
    pub(crate) fn new_session(&self) {
        self.book().fresh = true;
    }

    /// Whether somebody has since this was asked last.
    pub(crate) fn take_new_session(&self) -> bool {
        std::mem::take(&mut self.book().fresh)
    }

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

    /// A person has come or gone, as the gateway writes down. A visit may be too short for a look to see it, and the five seconds of whoever
    /// leaves begin anew with it.
    pub(crate) fn comes_or_goes(&self, login: &str) {
        self.book().without.remove(login);
    }

    /// What a tab shows now; `None`: it is not connected.
    pub(crate) fn shows(&self, tab: &str, picture: Option<Picture>) {
        let mut book = self.book();
        let (name, now) = (tab.to_owned(), now());
        match picture {
            Some(picture) => {
                if book.pictures.insert(name.clone(), picture).is_none() {
                    book.since.insert(name, now);
                }
            }
            None => {
                let since = book.since.get(tab).copied().unwrap_or_default();
                if book.pictures.remove(tab).is_some() && book.ends.get(tab).is_none_or(|(at, _)| *at < since) {
                    book.ends.insert(name, (now, LOST));
                }
            }
        }
    }

    pub(crate) fn truth(&self, truth: Truth) {
        self.book().truth = Some(truth);
    }

    /// A page has heard a reply to what it asked at this moment, and shows these cards.
    pub(crate) fn has_cards(&self, name: &str, login: &'static str, asked: Duration, cards: &BTreeSet<String>) {
        let (mut book, now) = (self.book(), now());
        for card in cards {
            book.cards.entry(card.clone()).or_insert(now);
        }
        book.notes.push(Note { name: name.to_owned(), login, asked, heard: now, cards: cards.clone() });
    }

    /// What must hold at any moment: nobody stays behind a link that is down for longer than `grace`, nobody is there without a tab, and
    /// whoever was answered while a form was open shows it, and after it does not.
    pub(crate) fn looks_at(&self, snapshot: &Snapshot, wall_ms: i64, grace: Duration) {
        let long_ago = |since_ms: i64, long: Duration| wall_ms - since_ms > millis(long);
        for link in snapshot.links.iter().filter(|l| l.state != "up" && long_ago(l.since_ms, grace)) {
            if (link.tunnel, link.active) != (0, 0) {
                self.fault(format!("behind {}, which is {}, there are still people", link.name, link.state));
            }
        }
        let (mut book, now) = (self.book(), now());
        let mut wrong = Vec::new();
        for user in &snapshot.users {
            let since = if user.tabs.is_empty() && user.online {
                *book.without.entry(user.login.to_string()).or_insert(now)
            } else {
                book.without.remove(&*user.login);
                now
            };
            if now - since > LEAVES {
                wrong.push(format!("{} is there, and in no tab since {since:?}", user.login));
            }
        }
        let open: BTreeSet<String> = snapshot.forms.iter().map(|form| form.id.to_string()).collect();
        let before = book.look.replace((now, open));
        let notes: Vec<Note> = book.notes.extract_if(.., |note| note.heard + SKEW <= now).collect();
        book.counts.notes += notes.len() as u64;
        for note in &notes {
            let asked_ms = wall_ms - millis(now - note.asked);
            let opened = |since_ms: i64| since_ms + millis(SKEW) < asked_ms;
            for form in snapshot.forms.iter().filter(|form| *form.login == *note.login && opened(form.since_ms)) {
                if !note.cards.contains(&*form.id) {
                    wrong.push(format!("{} did not show {} at {:?}, which was open", note.name, form.id, note.heard));
                }
            }
            let Some((at, open)) = before.as_ref().filter(|(at, _)| note.asked > *at + SKEW) else { continue };
            let over = |card: &&String| !open.contains(*card) && book.cards.get(*card).is_some_and(|first| first < at);
            for card in note.cards.iter().filter(over) {
                wrong.push(format!("{} shows {card} at {:?}, which was over at {at:?}", note.name, note.heard));
            }
        }
        drop(book);
        wrong.into_iter().for_each(|what| self.fault(what));
    }

    /// What is not as it is when all is quiet: nobody waits, everybody is there once, and every tab shows what is.
    pub(crate) fn wrong(&self, seats: &[Seat], links: usize) -> Vec<String> {
        let book = self.book();
        let mut faults = Vec::new();
        let waiting: Vec<_> = book.asks.iter().filter(|(_, ask)| **ask == Ask::Waits).collect();
        if !waiting.is_empty() {
            faults.push(format!("scenarios wait for methods: {waiting:?}"));
        }
        if !book.forms.is_empty() {
            faults.push(format!("scenarios wait for forms: {:?}", book.forms));
        }
        let Some(truth) = &book.truth else {
            faults.push("the gateway said nothing at the end".to_owned());
            return faults;
        };
        if (truth.calls, truth.executions, truth.in_flight) != (0, 0, 0) {
            faults.push(format!("something goes on in the gateway: {truth:?}"));
        }
        let direct = seats.iter().filter(|seat| seat.behind.is_none()).count();
        if truth.connections != direct + links {
            faults.push(format!("{direct} tabs and {links} links, but {truth:?}"));
        }
        for (link, state) in &truth.links {
            if *state != "up" {
                faults.push(format!("the link {link} is {state}"));
            }
        }
        for (login, (_, state)) in &truth.users {
            let mut seated: Vec<_> = seats.iter().filter(|seat| seat.login == login).map(Seat::place).collect();
            let mut there = truth.tabs.get(login).cloned().unwrap_or_default();
            seated.sort();
            there.sort();
            if seated != there {
                faults.push(format!("{login} is in {seated:?}, and the gateway says {there:?}"));
            }
            if seated.is_empty() != (*state == 0) {
                faults.push(format!("{login} is in {seated:?}, and in the state {state}"));
            }
        }
        for seat in seats {
            let name = &seat.name;
            let Some(shown) = book.pictures.get(name) else {
                faults.push(format!("{name} is not connected"));
                continue;
            };
            let forms = truth.forms.get(&shown.login).cloned().unwrap_or_default();
            let state = truth.users.get(&shown.login).map_or(-1, |(_, state)| *state);
            let wrong_number =
                truth.users.values().find(|(number, state)| shown.numbers.get(number).is_some_and(|n| n != state));
            if shown.state != state || shown.cards != forms || wrong_number.is_some() || shown.line != "ready" {
                faults.push(format!("{name} shows {shown:?}, but it is {truth:?}"));
            }
        }
        faults
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The story's time.
pub(crate) fn now() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}
