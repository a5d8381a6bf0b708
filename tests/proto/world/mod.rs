//! A node in a box: the Hub, a dialog for each peer, accounts and a telephone system joined in memory, with a clock that jumps.
//! What a peer says goes through the real codec in its own format; what it hears is checked against the catalogue.

mod archive;
pub(crate) mod story;
mod switchboard;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::auth::{Attempt, Identity, LoginBy, LoginError, Proof, same_login};
use ctigate_proto::codec::{self, Limits};
use ctigate_proto::dialog::{self, CloseReason, Dialog, Role};
use ctigate_proto::hub::archive::Fetch;
use ctigate_proto::hub::input::{Ask, Opening, Ticket};
use ctigate_proto::hub::output::{Answer, Notice, Record, StoredForm, StoredSession};
use ctigate_proto::hub::settings::{Account, BreakReason, FormRule, GroupNumber, LinkSettings, Notation, Settings};
use ctigate_proto::hub::{Hub, Input, Output, Rights};
use ctigate_proto::message::{Envelope, Format, PeerId, Shared, Text, Value};
use ctigate_proto::method::{self, Failure, Flow};
use ctigate_proto::telephony::{CallId, Command, Event, Parties};

use crate::schema::assert_may_say;

use switchboard::Switchboard;
pub(crate) use switchboard::Told;

/// MD5 of `Secret1`, the password of everybody here.
pub(crate) const HASH: &str = "d6cb2342e44efb6dd628276f36da2359";
/// The id of ivanov.
pub(crate) const IVANOV: &str = "3f0a7c11-0000-4000-8000-000000000101";

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) now: Time,
    pub(crate) settings: Settings,
    conns: BTreeMap<PeerId, Conn>,
    next_peer: u64,
    next_ticket: u64,
    pub(crate) pbx: Vec<Command>,
    switchboard: Switchboard,
    pub(crate) records: Vec<Record>,
    pub(crate) notices: Vec<Notice>,
    /// The names of messages that are sent once all facts before them are kept.
    #[allow(dead_code, reason = "not every crate of stories looks")]
    pub(crate) promised: Vec<String>,
    answers: BTreeMap<Ticket, Answer>,
    /// Logins behind links are checked only at [`World::release`].
    pub(crate) hold: bool,
    held: Vec<(Ticket, Attempt)>,
    /// What lies outside the Hub.
    pub(crate) archive: archive::Archive,
    /// Nothing outside answers; what was asked.
    pub(crate) dumb: bool,
    pub(crate) unanswered: Vec<(Ticket, Fetch)>,
    tape: Option<Tape>,
}

/// Hears what goes into the Hub and what comes out.
pub(crate) type Tape = Box<dyn FnMut(Time, Taped<'_>)>;

/// What a tape hears.
#[allow(dead_code, reason = "not every crate of stories has a tape")]
pub(crate) enum Taped<'a> {
    In(&'a Input),
    Time,
    /// With the secrets that were made since the last.
    Out(&'a Output, Vec<(Text, Text)>),
}

struct Conn {
    dialog: Dialog,
    format: Format,
    link: bool,
    post: bool,
    opened: bool,
    heard: VecDeque<Envelope>,
    closed: Option<CloseReason>,
}

/// A peer of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct P(pub(crate) PeerId);

/// Settings with three people and one link, to be changed by a test.
pub(crate) fn settings() -> Settings {
    let person = |n: u32, login: &'static str, role: &str, subordinates: Vec<Text>| Account {
        id: format!("3f0a7c11-0000-4000-8000-000000000{n}").into(),
        login: Text::from_static(login),
        name: format!("{login} by name").into(),
        number: n.to_string().into(),
        number_id: format!("11aa7c11-0000-4000-8000-000000000{n}").into(),
        department: Text::from_static("Sales"),
        department_id: Text::from_static("d0d07c11-0000-4000-8000-000000000001"),
        role: Text::from(role),
        rights: Rights::role(role).expect("a role"),
        must_change_password: false,
        api_calls: false,
        subordinates,
    };
    Settings {
        seed: [7; 32],
        wall_ms: 1_790_000_000_000,
        web_ports: (4055, 4056),
        accounts: vec![
            person(101, "ivanov", "agent", vec![]),
            person(102, "petrov", "agent", vec![]),
            person(103, "sidorova", "supervisor", vec!["ivanov".into()]),
        ],
        links: vec![link("crm")],
        forms: Vec::new(),
        numbers: vec![GroupNumber {
            number: "500".into(),
            id: "15cc7c11-0000-4000-8000-000000000500".into(),
            name: "Support".into(),
            members: vec!["petrov".into()],
        }],
        procedures: Vec::new(),
        breaks: vec![BreakReason { id: 1, name: "Lunch".into() }, BreakReason { id: 2, name: "Call-back".into() }],
        utc_offset: |_| 10_800,
        limits: ctigate_proto::hub::settings::Limits::default(),
        notation: Notation {
            write: |o| codec::encode_value(&Value::Object(o.clone())),
            read: |t| match codec::decode_value(t, 64) {
                Ok(Value::Object(o)) => Some(o),
                _ => None,
            },
            size: codec::outgoing::size,
        },
    }
}

pub(crate) fn link(name: &'static str) -> LinkSettings {
    LinkSettings {
        name: Text::from_static(name),
        mode: Text::from_static("accept-wss"),
        post: false,
        users: None,
        trust_users: false,
        rights: Rights::link_default(),
        tunnel_grace: Duration::from_secs(60),
        silent_events: Vec::new(),
    }
}

pub(crate) fn rule(name: &'static str) -> FormRule {
    FormRule::default_for(Text::from_static(name))
}

/// Runs a story once for each format.
pub(crate) fn both(story: impl Fn(Format)) {
    story(Format::Json);
    story(Format::Xml);
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self {
            hub: Hub::new(settings.clone()),
            now: Time::ZERO,
            settings,
            conns: BTreeMap::new(),
            next_peer: 1,
            next_ticket: 1,
            pbx: Vec::new(),
            switchboard: Switchboard::default(),
            records: Vec::new(),
            notices: Vec::new(),
            promised: Vec::new(),
            answers: BTreeMap::new(),
            hold: false,
            held: Vec::new(),
            archive: archive::Archive::default(),
            dumb: false,
            unanswered: Vec::new(),
            tape: None,
        }
    }

    /// A world of which everything is heard from the beginning.
    #[allow(dead_code, reason = "not every crate of stories has a tape")]
    pub(crate) fn taped(settings: Settings, tape: impl FnOnce(&mut Hub, &Settings) -> Tape) -> Self {
        let mut world = Self::with(settings);
        world.tape = Some(tape(&mut world.hub, &world.settings));
        world
    }

    fn hear_in(&mut self, input: Input) {
        if let Some(tape) = &mut self.tape {
            tape(self.now, Taped::In(&input));
        }
        self.hub.handle(self.now, input);
    }

    /// The node stops without a word and starts anew with what was kept.
    pub(crate) fn restart(&mut self) {
        for peer in self.conns.keys().copied().collect::<Vec<_>>() {
            let conn = self.conns.get_mut(&peer).expect("just listed");
            conn.opened = false;
            self.end(peer, CloseReason::new(0, "the node stopped"));
        }
        let (sessions, forms) = self.in_store();
        self.settings.wall_ms += i64::try_from(self.now.as_millis()).expect("a story is shorter");
        self.settings.seed[0] = self.settings.seed[0].wrapping_add(1);
        (self.now, self.hub) = (Time::ZERO, Hub::new(self.settings.clone()));
        self.held.clear();
        sessions.into_values().for_each(|session| self.hub.restore_session(session));
        forms.into_values().for_each(|form| assert!(self.hub.restore_form(&form)));
        self.unanswered.clear();
        for ((kind, key), body) in &self.archive.kept {
            assert!(self.hub.restore_kept(kind, key, body), "{kind} {key}: {body}");
        }
    }

    /// The operator wants other people, links and rules.
    pub(crate) fn reconfigure(&mut self, settings: Settings) {
        self.settings = Settings { seed: self.settings.seed, wall_ms: self.settings.wall_ms, ..settings };
        self.input(Input::Reconfigure(Box::new(self.settings.clone().into())));
    }

    /// How many sessions and forms a store would hold now.
    pub(crate) fn kept(&self) -> (usize, usize) {
        let (sessions, forms) = self.in_store();
        (sessions.len(), forms.len())
    }

    fn in_store(&self) -> (BTreeMap<Text, StoredSession>, BTreeMap<Text, StoredForm>) {
        let (mut sessions, mut forms) = (BTreeMap::new(), BTreeMap::new());
        for record in &self.records {
            match record {
                Record::Session(s) => drop(sessions.insert(s.hash.clone(), s.clone())),
                Record::SessionEnded { hash } => drop(sessions.remove(hash)),
                Record::Form(f) => drop(forms.insert(f.id.clone(), f.clone())),
                Record::FormEnded { id } => drop(forms.remove(id)),
                Record::Call(_) | Record::Kept(_) | Record::Text(_) | Record::TextsEnded { .. } => {}
            }
        }
        (sessions, forms)
    }

    /// The logins that were held are checked.
    pub(crate) fn release(&mut self) {
        for (ticket, attempt) in std::mem::take(&mut self.held) {
            let verdict = self.verify(&attempt);
            self.input(Input::Authenticated { ticket, verdict });
        }
    }

    // ---- peers

    /// What was asked of things outside is answered, late.
    pub(crate) fn release_fetches(&mut self) {
        for (ticket, fetch) in std::mem::take(&mut self.unanswered) {
            let result = self.archive.answer(fetch);
            self.input(Input::Fetched { ticket, result });
        }
    }

    /// A browser connects.
    pub(crate) fn tab(&mut self, format: Format) -> P {
        self.connect(Role::Tab, format, dialog::Settings::tab(), false)
    }

    /// A CRM connects to this link; it has said nothing yet.
    pub(crate) fn crm(&mut self, link: &str, format: Format) -> P {
        let identity = Identity::link(Text::from(link), Proof::open_listener());
        self.connect(Role::Link(identity), format, dialog::Settings::link(), false)
    }

    pub(crate) fn connect(&mut self, role: Role, format: Format, settings: dialog::Settings, post: bool) -> P {
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let link = matches!(role, Role::Link(_));
        let dialog = Dialog::new(self.now, role, Some(format), settings);
        let conn = Conn { dialog, format, link, post, opened: false, heard: VecDeque::new(), closed: None };
        self.conns.insert(peer, conn);
        self.pump(peer);
        P(peer)
    }

    /// A browser connects, logs in and subscribes to everything.
    pub(crate) fn agent(&mut self, login: &str, format: Format) -> P {
        let tab = self.tab(format);
        self.say(tab, &format!(r#"["login",{{"qid":"l","userlogin":"{login}","Password":"{HASH}"}}]"#));
        assert_eq!(self.expect(tab, "loginresult").int("result"), 1);
        self.say(
            tab,
            r#"["subscribeevent",{"qid":"s","eventmethod":["dynamic","dynamicwaitabort","dlgcard","phoneevent","userstatechanged","linestatechanged","pbxnumberstatechanged"]}]"#,
        );
        self.heard(tab);
        tab
    }

    /// A CRM posts to us: a peer that hears replies only.
    pub(crate) fn visitor(&mut self, link: &str, format: Format) -> P {
        let identity = Identity::link(Text::from(link), Proof::open_listener());
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        let mut dialog = Dialog::new(self.now, Role::Link(identity.clone()), Some(format), dialog::Settings::link());
        dialog.handle_text(self.now, &codec::encode(&Envelope::new("iam", Default::default()), format));
        while dialog.poll_output().is_some() {}
        let conn = Conn { dialog, format, link: true, post: true, opened: true, heard: VecDeque::new(), closed: None };
        self.conns.insert(peer, conn);
        self.input(Input::Opened { peer, identity, opening: Opening { visitor: true, ..Opening::default() }.into() });
        P(peer)
    }

    /// The same, with all that was heard on the way.
    pub(crate) fn agent_heard(&mut self, login: &str, format: Format) -> (P, Vec<Heard>) {
        let tab = self.tab(format);
        self.say(tab, r#"["subscribeevent",{"qid":"s","eventmethod":["dlgcard"]}]"#);
        self.say(tab, &format!(r#"["login",{{"qid":"l","userlogin":"{login}","Password":"{HASH}"}}]"#));
        (tab, self.heard(tab))
    }

    /// A CRM connects, introduces itself and offers what the stories use.
    pub(crate) fn introduced(&mut self, link: &str, format: Format) -> P {
        let crm = self.crm(link, format);
        self.introduce(crm);
        crm
    }

    pub(crate) fn introduce(&mut self, crm: P) {
        self.say(crm, r#"["iam",{"qid":"whoareyou","type":"demo","name":"Demo CRM","version":"3.1"}]"#);
        let qid = |m: &Heard| m.text("qid");
        let methods = qid(&self.expect(crm, "getavailablemethods"));
        let forms = qid(&self.expect(crm, "getavailableforms"));
        let users = qid(&self.expect(crm, "getactiveusers"));
        self.say(
            crm,
            &format!(
                r#"["availablemethods",{{"qid":"{methods}","methods":[
                {{"name":"FindClient","inputparameters":[{{"name":"phone","type":"string","required":true}},{{"name":"tries","type":"int"}}],
                  "outputparameters":[{{"name":"clientid","type":"string"}},{{"name":"vip","type":"bool"}}]}},
                {{"name":"Anything"}},
                {{"name":"ShowHint","target":"client","inputparameters":[{{"name":"text","type":"string"}}],"outputparameters":[{{"name":"seen","type":"bool"}}]}}]}}]"#
            ),
        );
        self.say(
            crm,
            &format!(
                r#"["availableforms",{{"qid":"{forms}","forms":[{{"name":"clientcard","caption":"Client card",
                "inputparameters":[{{"name":"phone","type":"string"}},{{"name":"client","type":"string"}}],
                "outputparameters":[{{"name":"resultcode","type":"string","required":true}},{{"name":"note","type":"string"}}]}}]}}]"#
            ),
        );
        self.say(crm, &format!(r#"["activeusers",{{"qid":"{users}","users":[]}}]"#));
    }

    /// Somebody logs in through the link.
    pub(crate) fn tunnel_login(&mut self, crm: P, login: &str, tab: &str) -> Heard {
        self.say(
            crm,
            &format!(r#"["login",{{"qid":"tl","userlogin":"{login}","Password":"{HASH}","tabid":"{tab}"}}]"#),
        );
        self.expect(crm, "loginresult")
    }

    /// A peer says this JSON; one that speaks XML says the same in XML.
    pub(crate) fn say(&mut self, peer: P, json: &str) {
        let text = Text::from(json);
        let text = match self.conn(peer).format {
            Format::Json => text,
            Format::Xml => {
                let envelope =
                    codec::decode(Format::Json, &text, &Limits::default()).expect("the story's JSON is right");
                codec::encode(&envelope, Format::Xml)
            }
        };
        self.say_raw(peer, &text);
    }

    /// A peer sends this text, as it stands.
    pub(crate) fn say_raw(&mut self, peer: P, text: &str) {
        let now = self.now;
        self.conn(peer).dialog.handle_text(now, &Text::from(text));
        self.pump(peer.0);
    }

    /// A peer's connection breaks.
    pub(crate) fn cut(&mut self, peer: P) {
        self.end(peer.0, CloseReason::new(0, "cut by the test"));
    }

    /// Everything a peer has heard since it was asked last.
    pub(crate) fn heard(&mut self, peer: P) -> Vec<Heard> {
        self.conn(peer).heard.drain(..).map(Heard).collect()
    }

    /// The next message of this name, leaving others that came before it out.
    #[track_caller]
    pub(crate) fn expect(&mut self, peer: P, name: &str) -> Heard {
        let all = self.heard(peer);
        let Some(at) = all.iter().position(|m| m.0.name == name) else {
            panic!("{name} was not heard, but {all:#?}; closed: {:?}", self.conn(peer).closed)
        };
        let mut all: VecDeque<Heard> = all.into();
        all.drain(..at);
        let found = all.pop_front().expect("it is there");
        self.conn(peer).heard = all.into_iter().map(|h| h.0).collect();
        found
    }

    /// Nothing of this name was heard; what was heard is left out.
    #[track_caller]
    pub(crate) fn expect_no(&mut self, peer: P, name: &str) {
        let all = self.heard(peer);
        assert!(all.iter().all(|m| m.0.name != name), "{name} was heard: {all:#?}");
    }

    /// Why the peer was closed.
    pub(crate) fn closed(&mut self, peer: P) -> Option<CloseReason> {
        self.conn(peer).closed.clone()
    }

    fn conn(&mut self, peer: P) -> &mut Conn {
        self.conns.get_mut(&peer.0).expect("a peer of this world")
    }

    // ---- time and the outside

    /// Lets the clock run: jumps from one deadline to the next.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let hub = self.hub.poll_timeout();
            let dialogs = self.conns.values().filter_map(|c| c.dialog.poll_timeout());
            let Some(next) = hub.into_iter().chain(dialogs).min().filter(|t| *t <= until) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            if hub.is_some_and(|t| t <= now) {
                if let Some(tape) = &mut self.tape {
                    tape(now, Taped::Time);
                }
                self.hub.handle_timeout(now);
                self.settle();
            }
            for peer in self.conns.keys().copied().collect::<Vec<_>>() {
                let conn = self.conns.get_mut(&peer).expect("just listed");
                if conn.dialog.poll_timeout().is_some_and(|t| t <= now) {
                    conn.dialog.handle_timeout(now);
                    self.pump(peer);
                }
            }
        }
        self.now = until;
    }

    /// Everybody alive says so, while the clock runs on: for stories longer than the heartbeat.
    pub(crate) fn pass_alive(&mut self, time: Duration) {
        let step = Duration::from_secs(10);
        let mut left = time;
        while !left.is_zero() {
            let now = self.now;
            self.conns.values_mut().for_each(|c| c.dialog.handle_alive(now));
            self.pass(left.min(step));
            left = left.saturating_sub(step);
        }
    }

    pub(crate) fn phone(&mut self, event: Event) {
        self.input(Input::Pbx(event));
    }

    /// Something happens to a call.
    pub(crate) fn tell(&mut self, told: Told) {
        let at_ms = self.settings.wall_ms + i64::try_from(self.now.as_millis()).expect("a short story");
        let facts = self.switchboard.facts(at_ms, told);
        self.phone(Event::Facts(facts));
    }

    /// A call from outside rings at a number. Gives its chain.
    pub(crate) fn ring(&mut self, chain: &'static str, caller: &'static str, number: &'static str) -> CallId {
        let call = CallId(Text::from_static(chain));
        let parties = Parties { caller: caller.into(), caller_name: Text::new(), called: "500".into() };
        self.tell(Told::Began { call: call.clone(), parties });
        self.tell(Told::Ringing { call: call.clone(), number: number.into() });
        call
    }

    pub(crate) fn ask(&mut self, ask: Ask) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.input(Input::Ask { ticket, ask: Box::new(ask) });
        ticket
    }

    pub(crate) fn answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.answers.remove(&ticket)
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.hear_in(input);
        self.settle();
    }

    // ---- the machinery

    /// Takes everything out of a dialog.
    fn pump(&mut self, peer: PeerId) {
        while let Some(output) = self.conns.get_mut(&peer).expect("a peer").dialog.poll_output() {
            match output {
                dialog::Output::Deliver(envelope) => self.input(Input::Received { peer, envelope }),
                dialog::Output::Transmit(text) => self.hear(peer, &text),
                dialog::Output::Ping | dialog::Output::Odd(_) => {}
                dialog::Output::Authenticate(attempt) => {
                    let verdict = self.verify(&attempt);
                    let now = self.now;
                    self.conns.get_mut(&peer).expect("a peer").dialog.handle_verdict(now, verdict);
                }
                dialog::Output::Opened(opened) => {
                    let conn = self.conns.get_mut(&peer).expect("a peer");
                    conn.opened = true;
                    let opening = Opening {
                        qid: opened.qid,
                        expires: opened.expires,
                        subscribed: opened.subscribed,
                        format: Some(conn.format),
                        address: "192.0.2.7".into(),
                        introduction: opened.introduction,
                        post: conn.post,
                        polls: false,
                        tls: false,
                        visitor: false,
                    };
                    self.input(Input::Opened { peer, identity: opened.identity, opening: opening.into() });
                }
                dialog::Output::Close(reason) => self.end(peer, reason),
            }
        }
    }

    fn end(&mut self, peer: PeerId, reason: CloseReason) {
        let conn = self.conns.get_mut(&peer).expect("a peer");
        if conn.closed.is_some() {
            return;
        }
        conn.closed = Some(reason.clone());
        conn.dialog.close(reason.clone());
        if std::mem::take(&mut conn.opened) {
            self.input(Input::Closed { peer, reason });
        }
    }

    /// Takes everything out of the Hub.
    fn settle(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            if let Some(tape) = &mut self.tape {
                tape(self.now, Taped::Out(&output, self.hub.take_twins()));
            }
            match output {
                Output::Send { to, message } => self.deliver(to, &message),
                Output::SendOnceKept { to, message } => {
                    self.promised.push(message.envelope().name.to_string());
                    self.deliver(to, &message);
                }
                Output::Fan { to, message } => to.iter().for_each(|to| self.deliver(*to, &message)),
                Output::Close { peer, reason } => self.end(peer, reason),
                Output::Authenticate { ticket, attempt, .. } if self.hold => self.held.push((ticket, *attempt)),
                Output::Authenticate { ticket, attempt, .. } => {
                    let verdict = self.verify(&attempt);
                    self.hear_in(Input::Authenticated { ticket, verdict });
                }
                Output::Pbx(command) => self.pbx.push(*command),
                Output::Record(record) => {
                    self.archive.record(&record);
                    self.records.push(record);
                }
                Output::Fetch { ticket, fetch } if self.dumb => self.unanswered.push((ticket, *fetch)),
                Output::Fetch { ticket, fetch } => {
                    let result = self.archive.answer(*fetch);
                    self.hear_in(Input::Fetched { ticket, result });
                }
                Output::Answer { ticket, answer } => {
                    assert!(self.answers.insert(ticket, answer).is_none(), "{ticket:?} was answered twice");
                }
                Output::Notice(notice) => self.notices.push(notice),
            }
        }
    }

    fn deliver(&mut self, peer: PeerId, message: &Shared) {
        let Some(conn) = self.conns.get(&peer).filter(|c| c.closed.is_none()) else { return };
        let writer = conn.dialog.writer().expect("it has a format");
        let mut frames = Vec::new();
        writer.write(
            message,
            || Text::from_static("11111111-0000-4000-8000-000000000001"),
            |frame| frames.push(frame.clone()),
        );
        frames.iter().for_each(|frame| self.hear(peer, frame));
    }

    fn hear(&mut self, peer: PeerId, text: &Text) {
        let conn = self.conns.get_mut(&peer).expect("a peer");
        let envelope = codec::decode(conn.format, text, &Limits::default())
            .unwrap_or_else(|e| panic!("we sent what cannot be read: {e}: {text}"));
        check_by_catalogue(&envelope);
        let flow = if conn.link { Flow::GatewayToLink } else { Flow::GatewayToTab };
        assert_may_say(&envelope, flow);
        conn.heard.push_back(envelope);
    }

    fn verify(&self, attempt: &Attempt) -> Result<Identity, LoginError> {
        if attempt.hash.is_none()
            && let Some(session) = &attempt.session
        {
            return self.hub.check_session(self.now, session, &attempt.login);
        }
        let known = self.settings.accounts.iter().find(|a| same_login(&a.login, &attempt.login));
        match known.filter(|_| attempt.hash.as_deref() == Some(HASH)) {
            Some(account) => Ok(Identity::user(account.login.clone(), LoginBy::Password, Proof::slow_hash())),
            None => Err(LoginError::WrongPassword),
        }
    }
}

/// What we send is in the catalogue: its name, every field, and every type.
fn check_by_catalogue(envelope: &Envelope) {
    let name = &envelope.name;
    let Some(message) = method::find(name) else {
        // A call of a name nobody knows is answered under that name.
        assert!(name.ends_with("result") && Failure::of(&envelope.body).is_some(), "{name} is not in the catalogue");
        return;
    };
    if Failure::of(&envelope.body).is_some() {
        return;
    }
    if let Err(error) = (message.retype)(&envelope.body) {
        panic!("{name} does not fit the catalogue: {error}: {:?}", envelope.body.open());
    }
    let common = ["qid", "userid", "userlogin", "tabid", "result", "error", "errormsg"];
    for (field, _) in envelope.body.iter().filter(|_| name != "pong") {
        let known = common.contains(&&**field) || message.fields().any(|f| f.name == &**field);
        assert!(known, "{name} has the field {field}, which the catalogue does not know");
    }
}

/// A message that a peer heard.
#[derive(Clone)]
pub(crate) struct Heard(pub(crate) Envelope);

impl Heard {
    /// A parameter as text; empty when absent.
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.body.text(name).unwrap_or_default().to_string()
    }

    #[track_caller]
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.0.body.int(name).unwrap_or_else(|| panic!("{name} is no integer in {self:?}"))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.body.has(name)
    }

    /// The parameter as JSON text.
    pub(crate) fn json(&self, name: &str) -> String {
        self.0.body.value(name).map(|v| codec::encode_value(&v).to_string()).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// It failed with this code, and its text says this.
    #[track_caller]
    pub(crate) fn failed(&self, code: i64, says: &str) {
        assert_eq!((self.int("result"), self.0.body.int("error")), (0, Some(code)), "{self:?}");
        assert!(self.text("errormsg").contains(says), "{self:?} does not say {says:?}");
    }
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&codec::encode(&self.0, Format::Json))
    }
}
