//! Random stories: a few bytes are one step of one, and a ledger checks after every step what must always hold. Shared by the
//! property test `interleaving` and the fuzz target `hub`: [`Story::run`] takes the bytes of a whole story.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ctigate_proto::hub::input::{ApiCall, Ask, Ticket, Undelivered};
use ctigate_proto::hub::output::Notice;
use ctigate_proto::hub::settings::{FormKind, Piece, Settings, Trigger};
use ctigate_proto::hub::{Hub, Input, Rights};
use ctigate_proto::message::{Format, Object, Qid, Text};
use ctigate_proto::method::{Right, is_reply};
use ctigate_proto::telephony::{self, CallId, Command, Event, FormOrder, Outcome, RunId};

use super::{HASH, Heard, P, Told, World, link, rule, settings};

/// Bytes of one step: what is done, and three choices.
pub(crate) const STEP: usize = 4;
const LOGINS: [&str; 3] = ["ivanov", "petrov", "sidorova"];
const METHODS: [&str; 4] = ["FindClient", "Anything", "ShowHint", "Nonsense"];
const FORMS: [&str; 4] = ["clientcard", "onlyone", "sure", "nobodys"];
const TABS: [&str; 3] = ["t1", "t2", "t3"];
/// Most peers open at a time.
const PEERS: usize = 12;

pub(crate) struct Story {
    w: World,
    peers: Vec<Peer>,
    next: u64,
    /// Runs of scenarios that wait for a method, and how those ended that did.
    runs: BTreeMap<RunId, Run>,
    form_runs: BTreeSet<RunId>,
    tickets: BTreeSet<Ticket>,
    /// Open forms, and those that ended.
    forms: BTreeMap<Text, bool>,
    /// Executions that a peer heard of since the start, by id; how often one ended.
    executions: BTreeSet<String>,
    ended: usize,
    calls: Vec<CallId>,
}

#[derive(PartialEq)]
enum Run {
    Waits,
    /// Ended without a result: one may come late.
    Empty,
    Over,
}

struct Peer {
    p: P,
    door: Door,
    /// Replies heard to each call, by qid.
    calls: BTreeMap<String, (String, usize)>,
    /// Executions it was asked to carry out, and whether it may still answer.
    asked: BTreeMap<String, bool>,
    /// Cards and forms that show here.
    shown: BTreeSet<String>,
    /// Those that ever did.
    seen: Vec<String>,
    session: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Door {
    Tab(usize),
    Link(usize),
    Visitor(usize),
}

/// Two links, three people, and every kind of form; bounds that are soon reached.
fn small() -> Settings {
    let mut s = settings();
    s.links = vec![link("crm"), link("second")];
    s.links[1].users = Some(vec!["ivanov".into(), "petrov".into()]);
    s.links[1].trust_users = true;
    s.limits.in_flight_tab = 4;
    s.limits.in_flight_link = 6;
    s.limits.tabs_per_user = 4;
    s.limits.sessions_per_user = 5;
    s.limits.forms_per_user = 3;
    let mut card = rule("clientcard");
    card.on = Trigger::Ring;
    card.close_on = vec![Trigger::Hangup];
    card.ask = Some("FindClient".into());
    card.parameters =
        vec![("phone".into(), vec![Piece::Caller]), ("client".into(), vec![Piece::Ask("clientid".into())])];
    let mut one = rule("onlyone");
    one.on = Trigger::Answer;
    one.one = true;
    one.expire = Duration::from_secs(30);
    let mut sure = rule("sure");
    sure.kind = FormKind::Confirm;
    let mut after = rule("after");
    after.on = Trigger::Hangup;
    after.ask = Some("Anything".into());
    after.kind = FormKind::Stop;
    s.forms = vec![card, one, sure, after];
    s
}

impl Story {
    /// Tells a whole story and its end.
    ///
    /// # Panics
    /// When something does not hold.
    pub(crate) fn run(bytes: &[u8]) {
        let mut story = Self {
            w: World::with(small()),
            peers: Vec::new(),
            next: 0,
            runs: BTreeMap::new(),
            form_runs: BTreeSet::new(),
            tickets: BTreeSet::new(),
            forms: BTreeMap::new(),
            executions: BTreeSet::new(),
            ended: 0,
            calls: Vec::new(),
        };
        for step in bytes.chunks_exact(STEP) {
            story.step(step[0], [step[1], step[2], step[3]].map(usize::from));
            story.settle();
        }
        story.end();
    }

    fn step(&mut self, what: u8, [a, b, c]: [usize; 3]) {
        match what % 30 {
            0 | 1 => self.tab(a, b, c),
            2 | 3 => self.crm(a, b, c),
            4 => self.cut(a),
            5..=7 => self.execute(a, b, c),
            8 => self.scenario_asks(a, b, c),
            9 => self.program_asks(a, b, c),
            10..=12 => self.result(a, b, c),
            13 => self.pass(a),
            14 => self.withdraw(a, b),
            15 => self.ring(a),
            16 => self.phone(a, b, c),
            17 => self.form_ordered(a, b, c),
            18 | 19 => self.form_answered(a, b, c),
            20 => self.focus_or_subscribe(a, b, c),
            21 => self.logout(a, b, c),
            22 | 23 => self.tunnel_login(a, b, c),
            24 => self.says_what_it_has(a, b, c),
            25 => self.again(a, b),
            26 => self.post(a, b, c),
            27 | 28 => self.reconfigure(a, b, c),
            _ => match a % 4 {
                0 => self.restart(),
                1 => self.undelivered(b, c),
                2 => self.w.hold = b % 2 == 0,
                _ => self.w.release(),
            },
        }
    }

    // ---- steps

    fn tab(&mut self, who: usize, format: usize, subscribed: usize) {
        if self.peers.len() >= PEERS {
            return;
        }
        let (login, format) = (LOGINS[who % 3], if format.is_multiple_of(2) { Format::Json } else { Format::Xml });
        let p = self.w.tab(format);
        self.enter(p, Door::Tab(who % 3));
        let names = r#"["dynamic","dynamicwaitabort","dlgcard","phoneevent","userstatechanged"]"#;
        if !subscribed.is_multiple_of(3) {
            self.call(p, "subscribeevent", &format!(r#""eventmethod":{names}"#));
        }
        self.call(p, "login", &format!(r#""userlogin":"{login}","Password":"{HASH}""#));
    }

    fn crm(&mut self, which: usize, format: usize, answers: usize) {
        if self.peers.len() >= PEERS {
            return;
        }
        let p =
            self.w.crm(["crm", "second"][which % 2], if format.is_multiple_of(2) { Format::Json } else { Format::Xml });
        self.enter(p, Door::Link(which % 2));
        self.w.say(p, r#"["iam",{"qid":"whoareyou","type":"demo","name":"Demo CRM","version":"3.1"}]"#);
        self.settle();
        if !answers.is_multiple_of(4) && self.peers.iter().any(|peer| peer.p == p) {
            self.offer(p, answers % 4 > 1);
        }
    }

    fn offer(&mut self, p: P, all: bool) {
        let find = if all {
            r#"{"name":"FindClient","inputparameters":[{"name":"phone","type":"string"}],"outputparameters":[{"name":"clientid","type":"string"}]},"#
        } else {
            ""
        };
        let hint = r#"{"name":"ShowHint","target":"client","outputparameters":[{"name":"clientid","type":"string"}]}"#;
        self.w.say(p, &format!(r#"["availablemethods",{{"methods":[{find}{{"name":"Anything"}},{hint}]}}]"#));
        let card = r#"{"name":"clientcard","outputparameters":[{"name":"note","type":"string"}]}"#;
        self.w.say(p, &format!(r#"["availableforms",{{"forms":[{card},{{"name":"onlyone"}}]}}]"#));
        self.w.say(p, r#"["activeusers",{"users":[]}]"#);
    }

    fn cut(&mut self, a: usize) {
        if let Some(p) = self.pick(a) {
            self.w.cut(p);
        }
    }

    fn execute(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a) else { return };
        let wait = ["", r#","waitresponsems":700"#, r#","waitresponsems":60000"#][c % 3];
        let input = if c.is_multiple_of(7) { r#"{"odd":1}"# } else { r#"{"phone":"1"}"# };
        let input = if METHODS[b % 4] == "ShowHint" { "{}" } else { input };
        let who = self.speaks_for(p, b / 4, c);
        self.call(p, "executemethod", &format!(r#""name":"{}","inputparameters":{input}{wait}{who}"#, METHODS[b % 4]));
    }

    fn scenario_asks(&mut self, a: usize, b: usize, c: usize) {
        let run = RunId(self.fresh());
        self.runs.insert(run, Run::Waits);
        let ask = telephony::Ask {
            method: METHODS[a % 4].into(),
            input: if METHODS[a % 4] == "FindClient" { Object::new().with("phone", "1") } else { Object::new() },
            call: self.calls.get(b % 4).cloned(),
            user: ["", "ivanov", "102", "nobody"][b % 4].into(),
            deadline: [None, Some(Duration::from_secs(1)), Some(Duration::from_secs(90))][c % 3],
            late: Duration::from_secs([0, 5, 20][c / 3 % 3]),
            fallback: c.is_multiple_of(2).then(|| Object::new().with("clientid", "")),
        };
        self.w.phone(Event::Ask { run, ask });
    }

    fn program_asks(&mut self, a: usize, b: usize, c: usize) {
        let call = ApiCall {
            method: METHODS[a % 4].into(),
            input: Object::new(),
            deadline: Some(Duration::from_millis([1, 900, 30_000][c % 3])),
            late: Duration::from_secs([0, 5][c / 3 % 2]),
            fallback: c.is_multiple_of(5).then(Object::new),
            link: ["", "", "second", "nowhere"][b % 4].into(),
            user: ["", "ivanov", "petrov"][b / 4 % 3].into(),
            chain: Text::new(),
        };
        let ticket = self.w.ask(Ask::Call(call));
        self.tickets.insert(ticket);
    }

    /// Somebody who was asked answers: rightly, wrongly, for others, twice.
    fn result(&mut self, a: usize, b: usize, c: usize) {
        let known: Vec<(P, String)> =
            self.peers.iter().flat_map(|p| p.asked.keys().map(|id| (p.p, id.clone()))).collect();
        let Some((mut p, id)) = known.get(a % known.len().max(1)).cloned() else { return };
        if c.is_multiple_of(11) {
            let Some(other) = self.pick(c) else { return };
            p = other;
        }
        let said = [
            r#""result":1,"outputparameters":{"clientid":"42"}"#,
            r#""outputparameters":{}"#,
            r#""result":0,"error":7001,"errormsg":"no""#,
            r#""result":1,"outputparameters":{"clientid":42}"#,
            r#""result":"perhaps""#,
        ][b % 5];
        let who = if b.is_multiple_of(2) { String::new() } else { self.speaks_for(p, b, c) };
        // Whoever has answered is not asked any more; what a CRM posts counts for its link.
        let door = self.door(p);
        for peer in &mut self.peers {
            let same = peer.p == p || matches!((door, peer.door), (Door::Visitor(a), Door::Link(b)) if a == b);
            if let Some(open) = peer.asked.get_mut(&id).filter(|_| same) {
                *open = false;
            }
        }
        self.call(p, "methodresult", &format!(r#""executionid":"{id}",{said}{who}"#));
    }

    fn pass(&mut self, a: usize) {
        let ms = [1, 300, 800, 2_000, 5_100, 10_000, 21_000, 31_000, 61_000, 130_000][a % 10];
        self.w.pass_alive(Duration::from_millis(ms));
    }

    fn withdraw(&mut self, a: usize, b: usize) {
        match a % 3 {
            0 => {
                let Some(run) = self.runs.keys().nth(b % self.runs.len().max(1)).copied() else { return };
                self.w.phone(Event::AskCancelled { run });
                self.settle();
                self.runs.insert(run, Run::Over);
            }
            1 => {
                let Some(ticket) = self.tickets.iter().nth(b % self.tickets.len().max(1)).copied() else { return };
                self.w.input(Input::AskGone { ticket });
                self.tickets.remove(&ticket);
            }
            _ => {
                let Some(p) = self.pick(b) else { return };
                let Some(id) = self.executions.iter().nth(a % self.executions.len().max(1)).cloned() else { return };
                let who = self.speaks_for(p, b, a);
                self.call(p, "cancelmethod", &format!(r#""executionid":"{id}"{who}"#));
            }
        }
    }

    fn ring(&mut self, a: usize) {
        let call = CallId(format!("call-{}", self.fresh()).into());
        let parties = telephony::Parties { caller: "79001112233".into(), caller_name: "".into(), called: "500".into() };
        self.w.tell(Told::Began { call: call.clone(), parties });
        self.w.tell(Told::Ringing { call: call.clone(), number: ["101", "102", "103"][a % 3].into() });
        self.calls.push(call);
    }

    fn phone(&mut self, a: usize, b: usize, c: usize) {
        let Some(call) = self.calls.get(a % self.calls.len().max(1)).cloned() else { return };
        let number = Text::from_static(["101", "102", "103"][b % 3]);
        self.w.tell(match c % 6 {
            0 => Told::Queued { call, queue: "500".into() },
            1 => Told::Answered { call, number },
            2 => Told::Left { call, number },
            3 => Told::Ended { call },
            4 => return self.w.phone(Event::Phone { number, connected: a.is_multiple_of(2) }),
            _ => Told::RingStopped { call, number, cause: telephony::EndCause::NoAnswer },
        });
    }

    fn form_ordered(&mut self, a: usize, b: usize, c: usize) {
        let order = FormOrder {
            name: FORMS[a % 4].into(),
            user: ["ivanov", "102", "nobody"][b % 3].into(),
            call: self.calls.get(c).cloned(),
            parameters: Object::new().with("phone", "1"),
            expire: c.is_multiple_of(2).then(|| Duration::from_secs(20)),
        };
        match c % 4 {
            0 => {
                let run = RunId(self.fresh());
                self.form_runs.insert(run);
                self.w.phone(Event::Form { run: Some(run), form: order });
            }
            1 => self.w.phone(Event::Form { run: None, form: order }),
            2 => drop(self.w.ask(Ask::OpenForm(order))),
            _ => {
                let Some(id) = self.forms.keys().nth(b % self.forms.len().max(1)).cloned() else { return };
                self.w.ask(Ask::CloseForm { id });
            }
        }
    }

    fn form_answered(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a) else { return };
        let seen = &self.peers.iter().find(|x| x.p == p).expect("picked").seen;
        let id = match seen.get(b % seen.len().max(1)) {
            Some(id) if !c.is_multiple_of(5) => id.clone(),
            _ => match self.forms.keys().nth(b % self.forms.len().max(1)) {
                Some(id) => id.to_string(),
                None => return,
            },
        };
        let who = self.speaks_for(p, b, c);
        match (self.door(p), c % 4) {
            (Door::Tab(_), 0) => self.call(p, "dlgcard_confirm", &format!(r#""cardid":"{id}","accept":true"#)),
            (Door::Tab(_), 1) => self.call(p, "dlgcard_values", &format!(r#""cardid":"{id}","values":{{"x":1}}"#)),
            (Door::Tab(_), _) => self.call(p, "dlgcard_values", &format!(r#""cardid":"{id}","values":{{}}"#)),
            (_, 0) => self.call(p, "formresult", &format!(r#""formid":"{id}","outputparameters":{{"x":1}}{who}"#)),
            _ => self.call(p, "formresult", &format!(r#""formid":"{id}","outputparameters":{{}}{who}"#)),
        }
    }

    fn focus_or_subscribe(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a) else { return };
        let who = self.speaks_for(p, b, c);
        match b % 3 {
            0 => self.call(p, "subscribeevent", &format!(r#""eventmethod":["dlgcard","unheard of","dynamic"]{who}"#)),
            n => self.call(p, "tabfocus", &format!(r#""focus":{}{who}"#, n == 1)),
        }
    }

    fn logout(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a) else { return };
        let who = self.speaks_for(p, b, c);
        self.call(p, "logout", &format!(r#""x":0{who}"#));
    }

    fn tunnel_login(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a).filter(|p| !matches!(self.door(*p), Door::Tab(_))) else { return };
        let tab = if c % 4 == 3 { String::new() } else { format!(r#","tabid":"{}""#, TABS[c % 3]) };
        let wrong = if c % 9 == 8 { "x" } else { "" };
        self.call(p, "login", &format!(r#""userlogin":"{}","Password":"{HASH}{wrong}"{tab}"#, LOGINS[b % 3]));
    }

    fn says_what_it_has(&mut self, a: usize, b: usize, c: usize) {
        let Some(p) = self.pick(a).filter(|p| !matches!(self.door(*p), Door::Tab(_))) else { return };
        match b % 3 {
            0 => self.offer(p, c.is_multiple_of(2)),
            1 => self.w.say(p, r#"["methodschanged",{}]"#),
            _ => {
                let (tab, who) = (TABS[c % 3], LOGINS[c / 3 % 3]);
                let tabs = if c.is_multiple_of(2) { String::new() } else { format!(r#","tabs":["{tab}"]"#) };
                self.w.say(p, &format!(r#"["activeusers",{{"users":[{{"userlogin":"{who}"{tabs}}}]}}]"#));
            }
        }
    }

    /// A tab logs in again: by its session, by password, as somebody else; or says what nobody knows.
    fn again(&mut self, a: usize, b: usize) {
        let Some(p) = self.pick(a) else { return };
        let Door::Tab(who) = self.door(p) else { return self.call(p, "nonsense", r#""x":1"#) };
        let session = self.peers.iter().find(|x| x.p == p).expect("picked").session.clone();
        let login = LOGINS[who];
        match b % 4 {
            0 => self.call(p, "login", &format!(r#""userlogin":"{login}","sessionid":"{session}""#)),
            1 => self.call(p, "login", &format!(r#""userlogin":"{login}","Password":"{HASH}""#)),
            2 => self.call(p, "login", &format!(r#""userlogin":"{}","Password":"{HASH}""#, LOGINS[(who + 1) % 3])),
            _ => {
                // Another tab comes by the same session.
                if self.peers.len() < PEERS && !session.is_empty() {
                    let p = self.w.tab(Format::Json);
                    self.enter(p, Door::Tab(who));
                    self.call(p, "login", &format!(r#""userlogin":"{login}","sessionid":"{session}""#));
                }
            }
        }
    }

    fn post(&mut self, a: usize, b: usize, c: usize) {
        if self.peers.len() >= PEERS {
            return;
        }
        let p = self.w.visitor(["crm", "second"][a % 2], Format::Json);
        self.enter(p, Door::Visitor(a % 2));
        if b.is_multiple_of(2) {
            self.tunnel_login(self.peers.len() - 1, b / 2, c);
        }
    }

    fn undelivered(&mut self, a: usize, b: usize) {
        let Some(p) = self.pick(a).filter(|p| matches!(self.door(*p), Door::Link(_))) else { return };
        let qid = Some(Qid::ours(Text::from(format!("c{}", b % 64))));
        let why =
            if b.is_multiple_of(2) { Undelivered::Failed("off".into()) } else { Undelivered::BadAnswer("odd".into()) };
        self.w.input(Input::Undelivered { peer: p.0, qid, why });
    }

    /// The operator wants other people, links and rules.
    fn reconfigure(&mut self, a: usize, b: usize, c: usize) {
        let mut s = small();
        // Everybody stays more often than not, or the story soon has nobody in it.
        s.accounts.retain(|account| !a.is_multiple_of(4) || account.login != LOGINS[b % 3]);
        for account in &mut s.accounts {
            match (b + account.login.len()) % 7 {
                0 => account.rights = Rights::of(&[Right::Dynamic, Right::Forms]),
                1 => account.number = Text::new(),
                2 => account.number = format!("{}", 200 + c % 4).into(),
                3 => account.id = format!("3f0a7c11-0000-4000-8000-{:012}", c + account.login.len()).into(),
                _ => {}
            }
        }
        let mut numbers = BTreeSet::new();
        s.accounts.retain(|account| account.number.is_empty() || numbers.insert(account.number.clone()));
        if c.is_multiple_of(5) {
            s.accounts.reverse();
        }
        match c % 6 {
            0 => drop(s.links.remove(a % 2)),
            1 => s.links.reverse(),
            2 => s.links[0].users = Some(vec!["sidorova".into()]),
            3 => s.links[1].trust_users = false,
            4 => s.links.insert(a % 3, link("third")),
            _ => {}
        }
        match b % 4 {
            0 => s.forms.clear(),
            1 => s.forms.reverse(),
            2 => s.numbers.clear(),
            _ => s.limits.forms_per_user = 2,
        }
        self.w.reconfigure(s);
    }

    /// The node stops and starts anew with what was kept.
    fn restart(&mut self) {
        self.w.restart();
        self.peers.clear();
        self.runs.clear();
        self.form_runs.clear();
        self.tickets.clear();
        self.calls.clear();
        self.executions.clear();
        self.ended = 0;
    }

    // ---- who and what

    fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn enter(&mut self, p: P, door: Door) {
        let (calls, asked) = (BTreeMap::new(), BTreeMap::new());
        let (shown, seen, session) = (BTreeSet::new(), Vec::new(), String::new());
        self.peers.push(Peer { p, door, calls, asked, shown, seen, session });
    }

    fn pick(&self, n: usize) -> Option<P> {
        self.peers.get(n % self.peers.len().max(1)).map(|p| p.p)
    }

    fn door(&self, p: P) -> Door {
        self.peers.iter().find(|x| x.p == p).expect("a peer of the story").door
    }

    /// The parameters that say who acts behind a link; nothing for a tab.
    fn speaks_for(&self, p: P, who: usize, tab: usize) -> String {
        match self.door(p) {
            Door::Tab(_) => String::new(),
            _ if tab % 5 == 4 => format!(r#","userlogin":"{}""#, LOGINS[who % 3]),
            _ => format!(r#","userlogin":"{}","tabid":"{}""#, LOGINS[who % 3], TABS[tab % 3]),
        }
    }

    /// Says a call that is due a reply.
    fn call(&mut self, p: P, name: &str, body: &str) {
        let qid = format!("q{}", self.fresh());
        let peer = self.peers.iter_mut().find(|x| x.p == p).expect("a peer of the story");
        // A link's results are not answered.
        if name != "methodresult" || matches!(peer.door, Door::Tab(_)) {
            peer.calls.insert(qid.clone(), (name.to_owned(), 0));
        }
        self.w.say(p, &format!(r#"["{name}",{{"qid":"{qid}",{body}}}]"#));
    }

    // ---- what must hold

    /// Everybody reads what came; the ledger is kept.
    fn settle(&mut self) {
        for i in 0..self.peers.len() {
            for message in self.w.heard(self.peers[i].p) {
                self.peers[i].hears(&message);
                if message.name() == "executemethod" {
                    self.executions.insert(message.text("executionid"));
                }
            }
        }
        for command in std::mem::take(&mut self.w.pbx) {
            self.telephone_hears(&command);
        }
        for notice in std::mem::take(&mut self.w.notices) {
            match notice {
                Notice::Form { id, state: "open", .. } => {
                    assert!(self.forms.insert(id.clone(), true).is_none(), "{id} opened twice");
                }
                Notice::Form { id, state, .. } => {
                    assert_eq!(self.forms.insert(id.clone(), false), Some(true), "{id} ended twice: {state}");
                }
                Notice::MethodDone { .. } => self.ended += 1,
                _ => {}
            }
        }
        let answered: Vec<Ticket> = self.tickets.iter().copied().filter(|t| self.w.answer(*t).is_some()).collect();
        self.tickets.retain(|t| !answered.contains(t));
        let w = &mut self.w;
        self.peers.retain(|p| w.closed(p.p).is_none());
        let open = self.forms.values().filter(|open| **open).count();
        assert_eq!(self.w.hub.snapshot().forms.len(), open, "forms");
        let sizes = self.w.hub.sizes();
        assert!(sizes.peers <= self.peers.len(), "{sizes:?}");
    }

    fn telephone_hears(&mut self, command: &Command) {
        match command {
            Command::AskDone { run, outcome } => {
                let now = match outcome {
                    Outcome::Timeout | Outcome::Fallback(_) => Run::Empty,
                    _ => Run::Over,
                };
                let before = self.runs.insert(*run, now);
                assert!(before == Some(Run::Waits), "{command:?} was not waited for");
            }
            Command::AskLate { run, .. } => {
                let before = self.runs.insert(*run, Run::Over);
                assert!(before == Some(Run::Empty), "{command:?} was not waited for");
            }
            Command::FormDone { run, .. } => assert!(self.form_runs.remove(run), "{command:?} twice"),
            Command::Phone { .. } | Command::Redirect { .. } | Command::Agent { .. } | Command::Script { .. } => {}
        }
    }

    /// The story is over: whatever waits comes to its end, all leave, and nothing stays.
    fn end(mut self) {
        self.w.hold = false;
        self.w.release();
        self.settle();
        // The longest wait of a method is a minute, the longest welcome of a late result twenty seconds.
        self.w.pass_alive(Duration::from_secs(90));
        self.settle();
        for peer in &self.peers {
            for (qid, (name, replies)) in &peer.calls {
                assert_eq!(*replies, 1, "replies to {name} {qid}");
            }
        }
        assert!(self.runs.values().all(|r| *r != Run::Waits), "a scenario was left waiting");
        assert_eq!(self.tickets, BTreeSet::new(), "programs were left waiting");
        assert_eq!(self.executions.len(), self.ended, "executions and their ends");
        let left: Vec<(P, &BTreeMap<String, bool>)> =
            self.peers.iter().map(|p| (p.p, &p.asked)).filter(|(_, asked)| asked.values().any(|open| *open)).collect();
        assert!(left.is_empty(), "asked and neither answered nor told that it is over: {left:?}");
        assert_eq!(self.w.hub.sizes().noted, 0, "notes of executions that are over");
        for call in std::mem::take(&mut self.calls) {
            self.w.tell(Told::Ended { call });
        }
        self.settle();
        self.w.pass_alive(Duration::from_secs(700));
        self.settle();
        assert!(self.forms.values().all(|open| !open), "a form was left open");
        assert_eq!(self.form_runs, BTreeSet::new(), "scenarios were left waiting for forms");
        for peer in &self.peers {
            assert_eq!(peer.shown, BTreeSet::new(), "cards were left at {:?}", peer.p);
        }
        for peer in std::mem::take(&mut self.peers) {
            self.w.cut(peer.p);
        }
        self.w.pass(Duration::from_secs(25 * 3600));
        let snapshot = self.w.hub.snapshot();
        assert!(snapshot.users.iter().all(|u| !u.online && u.tabs.is_empty()), "{:?}", snapshot.users);
        let sizes = self.w.hub.sizes();
        let nothing = Hub::new(small()).sizes();
        assert_eq!(sizes, nothing, "something was left");
        assert_eq!(self.w.kept(), (0, 0), "sessions and forms were left in the store");
    }
}

impl Peer {
    fn hears(&mut self, message: &Heard) {
        let (qid, name) = (message.text("qid"), message.name());
        if name == "loginresult" && message.has("sessionid") {
            self.session = message.text("sessionid");
        }
        if let Some((call, replies)) = self.calls.get_mut(&qid) {
            assert!(is_reply(name) || name.ends_with("result"), "{message:?} replies to {call}");
            *replies += 1;
            assert_eq!(*replies, 1, "{message:?} is one reply too many");
            let answered = message.text(if self.door.is_tab() { "cardid" } else { "formid" });
            if self.door.is_tab() && call.starts_with("dlgcard_") && message.int("result") == 1 {
                assert!(self.shown.remove(&answered) || !answered.is_empty(), "{message:?}");
            }
        }
        let execution = message.text("executionid");
        match name {
            "executemethod" => {
                assert!(self.asked.insert(execution, true).is_none(), "asked twice: {message:?}");
            }
            "cancelmethod" => {
                assert_eq!(self.asked.insert(execution, false), Some(true), "{message:?} for nothing");
            }
            _ if name.starts_with("dlgcard_show") => {
                let card = message.text("cardid");
                self.seen.push(card.clone());
                assert!(self.shown.insert(card), "shown twice: {message:?}");
            }
            "dlgcard_closeall" => assert!(self.shown.remove(&message.text("cardid")), "{message:?} for nothing"),
            "showform" => {
                let form = message.text("formid");
                self.seen.push(form.clone());
                self.shown.insert(form);
            }
            "closeform" => assert!(self.shown.remove(&message.text("formid")), "{message:?} for nothing"),
            _ => {}
        }
    }
}

impl Door {
    fn is_tab(self) -> bool {
        matches!(self, Self::Tab(_))
    }
}
