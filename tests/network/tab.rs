//! A browser's tab, with a connection of its own or behind its CRM's link: a person's clicks at random, and a page that keeps a
//! picture of the line, the state, the cards and the numbers, from what it asks when it connects and from events alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use ctigate::proto::message::{Envelope, Format, Value};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, sleep_until};

use crate::channel::{Channel, Heard, Socket, text};
use crate::ledger::{self, Ledger, Picture};
use crate::story::{GATEWAY, Phase, Scene};
use crate::tunnel::Relay;

/// MD5 of `Secret1`, the password of everybody in the stories.
const HASH: &str = "d6cb2342e44efb6dd628276f36da2359";
/// How often a page asks whether the gateway is there, and how long it believes in silence.
const PING_EVERY: Duration = Duration::from_secs(6);
const SILENCE: Duration = Duration::from_secs(14);
/// Longest that any call may take on a connection that lives.
const LONGEST: Duration = Duration::from_secs(20);

const EVENTS: &str = r#"["userstatechanged","pbxnumberstatechanged","linestatechanged","flashstatechanged","phoneevent","dlgcard","dynamic"]"#;

/// What the browser keeps when the page is closed.
#[derive(Default)]
pub(crate) struct Storage {
    session: Option<String>,
    lives: u64,
    /// How many pages it has loaded: a call of one is never taken for that of another.
    pages: u64,
}

/// How a page comes to the gateway.
pub(crate) enum Door {
    Direct(Format),
    Behind(Relay),
}

impl Door {
    async fn open(&self, tab: &str, login: &str) -> Option<Channel> {
        match self {
            Self::Direct(format) => Socket::connect(tab, GATEWAY, 4055, *format).await.map(Channel::Direct),
            Self::Behind(relay) => relay.enter(tab, login).map(Channel::Behind),
        }
    }
}

/// Lives until the story ends.
pub(crate) async fn run(name: String, login: &'static str, door: Door, scene: Scene, storage: Rc<RefCell<Storage>>) {
    storage.borrow_mut().lives += 1;
    let seed = scene.seed_of(&name) ^ storage.borrow().lives;
    let mut dice = SmallRng::seed_from_u64(seed);
    loop {
        if let Some(channel) = door.open(&name, login).await {
            storage.borrow_mut().pages += 1;
            let now = Instant::now();
            let mut page = Page {
                name: name.clone(),
                login,
                channel,
                ledger: scene.ledger.clone(),
                scene: scene.clone(),
                dice: SmallRng::seed_from_u64(dice.random()),
                storage: Rc::clone(&storage),
                next: 0,
                calls: BTreeMap::new(),
                answered: Vec::new(),
                expected: BTreeMap::new(),
                changes: 0,
                shown: Picture { login: login.to_owned(), ..Picture::default() },
                open: false,
                leaving: false,
                ringing: false,
                knows: Knows::default(),
                line_told: false,
                closed: BTreeSet::new(),
                heard_at: now,
                since: ledger::now(),
            };
            page.live().await;
            scene.ledger.shows(&name, None);
        }
        sleep(Duration::from_millis(dice.random_range(100..1500))).await;
    }
}

struct Page {
    name: String,
    login: &'static str,
    channel: Channel,
    ledger: Ledger,
    scene: Scene,
    dice: SmallRng,
    storage: Rc<RefCell<Storage>>,
    next: u64,
    /// Calls that wait for their reply.
    calls: BTreeMap<String, Call>,
    /// Those that had it.
    answered: Vec<String>,
    /// What a look is to show, by its qid, and how many changes had been told when it was asked.
    expected: BTreeMap<String, (Expected, u64)>,
    /// Changes of the line and the state that were told.
    changes: u64,
    shown: Picture,
    open: bool,
    /// Whether the person has logged out, and the page only waits for the reply.
    leaving: bool,
    ringing: bool,
    /// What was asked for; from then on events tell of every change.
    knows: Knows,
    /// Whether an event told of the line since it was seen last.
    line_told: bool,
    /// Cards that were closed.
    closed: BTreeSet<String>,
    heard_at: Instant,
    /// Since when it is logged in, by the story's clock.
    since: Duration,
}

#[derive(Default)]
struct Knows {
    state: bool,
    line: bool,
}

struct Call {
    method: &'static str,
    since: Instant,
    /// The same by the story's clock; `None` while the link's CRM has not declared its forms yet.
    asked: Option<Duration>,
    /// The card that is answered, or the token that must come back.
    about: String,
}

/// What an event says is so already.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    State(i64),
    Rings,
    Talks,
}

impl Page {
    async fn live(&mut self) {
        self.log_in();
        let mut ping_at = Instant::now() + PING_EVERY;
        let mut act_at = Instant::now() + self.pause();
        loop {
            let wake = ping_at.min(act_at).min(self.heard_at + SILENCE);
            let heard = tokio::select! {
                biased;
                heard = self.channel.hear(&self.ledger) => Some(heard),
                () = sleep_until(wake) => None,
            };
            let now = Instant::now();
            let lives = match heard {
                Some(Heard::Gone) => false,
                Some(Heard::Alive) => {
                    self.heard_at = now;
                    true
                }
                Some(Heard::Message(message)) => {
                    self.heard_at = now;
                    self.hears(&message)
                }
                None if now >= self.heard_at + SILENCE => false,
                None if now >= ping_at => {
                    ping_at = now + PING_EVERY;
                    self.call("ping", "", "");
                    true
                }
                None => {
                    act_at = now + self.pause();
                    self.acts()
                }
            };
            if !lives {
                return;
            }
        }
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.dice.random_range(200..3000))
    }

    fn log_in(&mut self) {
        let session = self.storage.borrow().session.clone();
        let proof = match &session {
            Some(session) => format!(r#""sessionid":"{session}""#),
            None => format!(r#""Password":"{HASH}""#),
        };
        self.call("login", &proof, "");
    }

    /// Asks, and remembers that it did.
    fn call(&mut self, method: &'static str, parameters: &str, about: &str) {
        self.next += 1;
        let (qid, login) = (self.qid(method), self.login);
        let comma = if parameters.is_empty() { "" } else { "," };
        let asked = self.channel.shows_cards().then(ledger::now);
        self.calls.insert(qid.clone(), Call { method, since: Instant::now(), asked, about: about.to_owned() });
        let call = format!(r#"["{method}",{{"qid":"{qid}","userlogin":"{login}"{comma}{parameters}}}]"#);
        self.channel.say(&call);
    }

    /// That of the newest call.
    fn qid(&self, method: &str) -> String {
        format!("{method}-{}-{}", self.storage.borrow().pages, self.next)
    }

    fn look(&mut self, method: &'static str, expected: Option<Expected>) {
        self.call(method, "", "");
        if let Some(expected) = expected {
            self.expected.insert(self.qid(method), (expected, self.changes));
        }
    }

    /// What the person does.
    fn acts(&mut self) -> bool {
        if !self.open || self.leaving || self.scene.phase() != Phase::Busy {
            return true;
        }
        if self.dice.random_bool(0.05) {
            // The page is loaded again, and nobody says so.
            self.ledger.goodbye(&self.name, 1001);
            return false;
        }
        if self.dice.random_bool(0.02) {
            // Whether or not the reply comes back, the session is over.
            self.storage.borrow_mut().session = None;
            self.leaving = true;
            self.call("logout", "", "");
            return true;
        }
        if self.ringing && self.dice.random_bool(0.7) {
            self.call("pbxanswercall", "", "");
            return true;
        }
        match self.dice.random_range(0..10) {
            0..=1 => {
                let number = ["101", "102", "103", "500"][self.dice.random_range(0..4)];
                let sequence = ["user", "abonent"][self.dice.random_range(0..2)];
                let what = format!(r#""number":"{number}","sequence":"{sequence}""#);
                self.call("pbxautocallstart", &what, "");
            }
            2 if self.dice.random_bool(0.5) => self.look("getpbxnumbers", None),
            2 => self.call("pbxabortcall", "", ""),
            3 => self.call("pbxmakeflash", r#""mode":"switch""#, ""),
            4..=6 => {
                let method = ["FindA", "FindB", "FindC"][self.dice.random_range(0..3)];
                let token = format!("{}-{}", self.name, self.dice.random::<u32>());
                let wait = self.dice.random_range(500..6000);
                let what =
                    format!(r#""name":"{method}","inputparameters":{{"phone":"{token}"}},"waitresponsems":{wait}"#);
                self.call("executemethod", &what, &token);
            }
            7..=8 => match self.shown.cards.first().cloned() {
                Some(card) if self.channel.is_tunnel() => {
                    let what = format!(r#""formid":"{card}","outputparameters":{{"note":"{}"}}"#, self.name);
                    self.call("formresult", &what, &card);
                }
                Some(card) => {
                    let what = format!(r#""cardid":"{card}","values":{{"note":"{}"}}"#, self.name);
                    self.call("dlgcard_values", &what, &card);
                }
                None => {}
            },
            _ => {
                let state = [1, 3][self.dice.random_range(0..2)];
                self.call("setuserstate", &format!(r#""userstateid":{state}"#), "");
            }
        }
        true
    }

    fn hears(&mut self, message: &Envelope) -> bool {
        let name = &*message.name;
        self.ledger.count(|c| &mut c.messages);
        self.ledger.note(&self.name, name);
        let qid = text(message, "qid");
        let call = self.calls.remove(&qid);
        if let Some(call) = call {
            self.ledger.count(|c| &mut c.replies);
            self.answered.push(qid.clone());
            if self.leaving && call.method != "logout" {
                return true;
            }
            return self.hears_reply(&call, &qid, message);
        }
        if self.answered.contains(&qid) {
            self.ledger.fault(format!("{}: a second reply to {qid}: {name}", self.name));
        }
        if self.channel.is_tunnel() && !self.open && !matches!(name, "showform" | "closeform") {
            // The link has its people's events whether this page has logged in or not.
            return true;
        }
        if !self.leaving {
            self.hears_event(name, message);
        }
        true
    }

    fn hears_reply(&mut self, call: &Call, qid: &str, message: &Envelope) -> bool {
        let result = message.body.int("result");
        let tunnelled = self.channel.is_tunnel();
        match call.method {
            "ping" => {
                // Whatever was asked so long before this ping has had its time, on a connection that lives.
                let late = self.calls.iter().find(|(_, other)| other.since + LONGEST < call.since);
                if let Some((qid, _)) = late {
                    self.ledger.fault(format!("{}: no reply to {qid}", self.name));
                    return false;
                }
            }
            "login" if result == Some(1) => {
                self.ledger.count(|c| if tunnelled { &mut c.tunnelled_logins } else { &mut c.logins });
                let session = text(message, "sessionid");
                let before = self.storage.borrow_mut().session.replace(session);
                if before.is_some() {
                    self.ledger.count(|c| &mut c.sessions);
                } else {
                    self.ledger.new_session();
                }
                self.open = true;
                self.since = ledger::now();
                self.call("subscribeevent", &format!(r#""eventmethod":{EVENTS}"#), "");
                self.look("getextendedlineinfo", None);
                self.look("getuserstate", None);
                self.look("getpbxnumbers", None);
                return true;
            }
            "login" => {
                let error = text(message, "errormsg");
                if self.storage.borrow_mut().session.take().is_some() {
                    // What an answer promised over a restart was on disk before it left.
                    self.ledger.fault(format!("{}: the session that was promised is not known: {error}", self.name));
                }
                return false;
            }
            "getextendedlineinfo" => self.sees_line(message),
            "getuserstate" | "setuserstate" => {
                if let Some(state) = message.body.int("userstateid").filter(|_| result == Some(1)) {
                    if self.knows.state && state != self.shown.state {
                        let shown = self.shown.state;
                        self.ledger
                            .fault(format!("{} was told {shown} of its state, and {qid} says {state}", self.name));
                    }
                    self.shown.state = state;
                    self.knows.state = true;
                }
            }
            "getpbxnumbers" => {
                for (number, state) in numbers(message, "number", "state") {
                    if let Some(shown) =
                        self.shown.numbers.insert(number.clone(), state).filter(|shown| *shown != state)
                    {
                        self.ledger
                            .fault(format!("{} was told {shown} of {number}, and {qid} says {state}", self.name));
                    }
                }
            }
            "executemethod" => {
                self.ledger.count(|c| &mut c.outcomes);
                let given = message.body.value("outputparameters");
                let token = given.as_ref().and_then(Value::as_object).and_then(|o| o.get("clientid"));
                let token = token.and_then(Value::to_text).unwrap_or_default();
                if result == Some(1) && *token != *call.about {
                    self.ledger.fault(format!("{} asked for {} and was answered {token}", self.name, call.about));
                }
            }
            "logout" => {
                self.ledger.goodbye(&self.name, 1000);
                return false;
            }
            "dlgcard_values" | "formresult" if result == Some(1) => {
                if tunnelled {
                    self.ledger.count(|c| &mut c.tunnelled_answers);
                }
                self.ledger.answered(&self.name, &call.about);
                self.shown.cards.remove(&call.about);
            }
            _ => {}
        }
        self.compare(qid, message);
        self.show();
        // Not of a call that was made before the page had logged in and subscribed.
        if let Some(asked) = call.asked.filter(|_| !matches!(call.method, "ping" | "login" | "subscribeevent")) {
            self.ledger.has_cards(&self.name, self.login, asked, &self.shown.cards);
        }
        true
    }

    /// What an event said was so when it came, unless something else was told since.
    fn compare(&mut self, qid: &str, message: &Envelope) {
        let Some((expected, changes)) = self.expected.remove(qid).filter(|(_, changes)| *changes == self.changes)
        else {
            return;
        };
        let _ = changes;
        self.ledger.count(|c| &mut c.looks);
        let (line, about) = (text(message, "linestatestr"), message.body.value("abonent"));
        let flag = |name| about.as_ref().and_then(Value::as_object).and_then(|o| o.get(name)?.to_bool()) == Some(true);
        let right = match expected {
            Expected::State(state) => message.body.int("userstateid") == Some(state),
            Expected::Rings => flag("isringing"),
            Expected::Talks => flag("iscommutated") || flag("isconference") || flag("isivr"),
        };
        if !right {
            self.ledger
                .fault(format!("{}: {expected:?} was told, and then it was {line} {about:?} {message:?}", self.name));
        }
    }

    fn hears_event(&mut self, name: &str, message: &Envelope) {
        let state = message.body.int("userstateid");
        let told = matches!(name, "userstatechanged" | "linestatechanged" | "flashstatechanged")
            || name.starts_with("phoneevent_");
        if told {
            self.changes += 1;
            self.line_told |= name != "userstatechanged";
        }
        match name {
            "userstatechanged" => {
                let Some(state) = state else {
                    return self.ledger.fault("a state without its number");
                };
                self.shown.state = state;
                self.look("getuserstate", Some(Expected::State(state)));
            }
            "linestatechanged" | "flashstatechanged" => self.look("getextendedlineinfo", None),
            "phoneevent_ringstarted" => {
                self.ringing = true;
                self.look("getextendedlineinfo", Some(Expected::Rings));
            }
            "phoneevent_ringstopped" => {
                self.ringing = false;
            }
            "phoneevent_commstarted" => {
                self.ledger.count(|c| &mut c.talks);
                self.look("getextendedlineinfo", Some(Expected::Talks));
            }
            "pbxnumberstatechanged" => {
                if !self.channel.is_tunnel() {
                    self.ledger.hears(&self.name, &self.name, self.since, &text(message, "qid"));
                }
                for (number, state) in numbers(message, "num", "numstateid") {
                    self.shown.numbers.insert(number, state);
                }
            }
            "dlgcard_closeall" | "closeform" => {
                let card = card(message);
                self.shown.cards.remove(&card);
                self.closed.insert(card);
            }
            name if name == "showform" || name.starts_with("dlgcard_show") => {
                self.ledger.count(|c| &mut c.cards);
                let card = card(message);
                if self.closed.contains(&card) {
                    self.ledger.fault(format!("{}: a card is shown that was closed: {message:?}", self.name));
                }
                // A CRM is told again when one more of its pages comes in.
                if !self.shown.cards.insert(card) && !self.channel.is_tunnel() {
                    self.ledger.fault(format!("{}: a card is shown twice: {message:?}", self.name));
                }
            }
            _ => {}
        }
        self.show();
    }

    fn sees_line(&mut self, message: &Envelope) {
        let line = text(message, "linestatestr");
        let Some(party) = message.body.value("abonent").and_then(|v| v.as_object().cloned()) else {
            self.ledger.fault(format!("{}: a line without a party: {message:?}", self.name));
            return;
        };
        let line = match (&*line, party.is_empty()) {
            ("lsReady", true) => "ready".to_owned(),
            (line, _) => format!("{line} {}", party.get("number").and_then(Value::to_text).unwrap_or_default()),
        };
        if self.knows.line && !self.line_told && line != self.shown.line {
            let shown = &self.shown.line;
            self.ledger.fault(format!("{} saw the line {shown}, was told nothing, and sees it {line}", self.name));
        }
        self.shown.line = line;
        self.knows.line = true;
        self.line_told = false;
        self.ringing = party.get("isringing").and_then(Value::to_bool) == Some(true);
    }

    fn show(&self) {
        if self.open {
            self.ledger.shows(&self.name, Some(self.shown.clone()));
        }
    }
}

/// A form is a card in a direct tab.
fn card(message: &Envelope) -> String {
    text(message, if message.body.has("cardid") { "cardid" } else { "formid" })
}

fn numbers(message: &Envelope, number: &str, state: &str) -> Vec<(String, i64)> {
    let Some(Value::Array(items)) = message.body.value("numbers") else { return Vec::new() };
    let one = |item: &Value| {
        let item = item.as_object()?;
        Some((item.get(number)?.to_text()?.to_string(), item.get(state)?.to_i64()?))
    };
    items.iter().filter_map(one).collect()
}
