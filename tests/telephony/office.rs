//! An office in a box: the Hub and its dialogs, the simulated telephone system, and clients, on one clock that jumps.

use std::collections::BTreeMap;
use std::time::Duration;

use ctigate::pbx::simulator::{Machine, Settings};
use ctigate::pbx::{Control, Directory, Done, Extension, Queue, Strategy};
use ctigate_proto::Time;
use ctigate_proto::hub::output::Record;
use ctigate_proto::hub::settings::Account;
use ctigate_proto::hub::settings::Settings as HubSettings;
use ctigate_proto::hub::{Hub, Rights};
use ctigate_proto::message::{Format, Object, Text, Value};

use crate::client::Client;
use crate::world::{Heard, P, Tape, World, settings};

/// Begins to write down what happens to a Hub.
type Begin = Box<dyn FnOnce(&mut Hub, &HubSettings) -> Tape>;

const EVENTS: &str = r#"["userstatechanged","pbxnumberstatechanged","linestatechanged","flashstatechanged","phoneevent","confcompositionchanged","confcompetitorstatechanged","customevent"]"#;

pub(crate) struct Office {
    pub(crate) w: World,
    machine: Machine,
    tabs: BTreeMap<&'static str, P>,
    clients: BTreeMap<&'static str, Client>,
    heard: BTreeMap<&'static str, Vec<Heard>>,
    next: u64,
}

/// Who works here, with their numbers. The fourth looks after the others.
const PEOPLE: [(&str, &str); 4] = [("ivanov", "101"), ("petrov", "102"), ("sidorova", "103"), ("boss", "104")];

impl Office {
    /// Everybody at work, each with a tab, all phones free.
    pub(crate) fn open(timeline: &str) -> Self {
        Self::with(timeline, false)
    }

    /// The same, with a folder for what is recorded and faxed (nothing is written here).
    pub(crate) fn open_with_recordings(timeline: &str) -> Self {
        Self::with(timeline, true)
    }

    fn with(timeline: &str, record: bool) -> Self {
        Self::made(timeline, record, |_| {}, None)
    }

    /// The same with other settings, heard from the beginning.
    pub(crate) fn taped(
        change: impl FnOnce(&mut HubSettings),
        tape: impl FnOnce(&mut Hub, &HubSettings) -> Tape + 'static,
    ) -> Self {
        Self::made("", false, change, Some(Box::new(tape)))
    }

    fn made(timeline: &str, record: bool, change: impl FnOnce(&mut HubSettings), tape: Option<Begin>) -> Self {
        let mut s = settings();
        let mut boss: Account = s.accounts[0].clone();
        boss.id = "3f0a7c11-0000-4000-8000-000000000104".into();
        (boss.login, boss.number, boss.name) = ("boss".into(), "104".into(), "boss by name".into());
        boss.number_id = "11aa7c11-0000-4000-8000-000000000104".into();
        boss.rights = Rights::role("supervisor").expect("a role");
        boss.subordinates = vec!["ivanov".into(), "petrov".into(), "sidorova".into()];
        s.accounts.push(boss);
        s.numbers[0].members = vec!["petrov".into(), "sidorova".into()];
        let wall_ms = s.wall_ms;
        change(&mut s);
        let w = match tape {
            None => World::with(s),
            Some(tape) => World::taped(s, tape),
        };
        let extension = |(login, number): (&'static str, &'static str)| Extension {
            number: number.into(),
            name: Text::new(),
            login: Some(login.into()),
        };
        let queue = Queue {
            number: "500".into(),
            name: "Support".into(),
            members: vec!["102".into(), "103".into()],
            strategy: Strategy::All,
        };
        let directory = Directory { extensions: PEOPLE.map(extension).into(), queues: vec![queue] };
        let machine = Machine::new(
            Settings { directory, timeline: timeline.to_owned(), wall_ms, record, ..Settings::default() },
            Time::ZERO,
        );
        let mut office = Self {
            w,
            machine: machine.expect("a good timeline"),
            tabs: BTreeMap::new(),
            clients: BTreeMap::new(),
            heard: BTreeMap::new(),
            next: 1,
        };
        office.settle();
        for (login, _) in PEOPLE {
            let tab = office.w.agent(login, Format::Json);
            office.w.say(tab, &format!(r#"["subscribeevent",{{"qid":0,"eventmethod":{EVENTS}}}]"#));
            office.w.heard(tab);
            office.tabs.insert(login, tab);
            office.clients.insert(login, Client::default());
            office.heard.insert(login, Vec::new());
        }
        office.settle();
        for (login, _) in PEOPLE {
            office.look(login);
        }
        office
    }

    /// A person's tab calls a method; gives the reply.
    #[track_caller]
    pub(crate) fn call(&mut self, login: &'static str, method: &str, parameters: &str) -> Heard {
        self.next += 1;
        let qid = format!("q{}", self.next);
        let comma = if parameters.is_empty() { "" } else { "," };
        let tab = self.tabs[login];
        self.w.say(tab, &format!(r#"["{method}",{{"qid":"{qid}","userlogin":"{login}"{comma}{parameters}}}]"#));
        self.settle();
        let heard = self.heard.get_mut(login).expect("a person");
        let at = heard.iter().position(|h| h.text("qid") == qid);
        heard.remove(at.unwrap_or_else(|| panic!("{method} was not answered")))
    }

    /// The same, and it must succeed; then everything that follows has a second to happen.
    #[track_caller]
    pub(crate) fn does(&mut self, login: &'static str, method: &str, parameters: &str) -> Heard {
        let reply = self.call(login, method, parameters);
        assert_eq!(reply.0.body.int("result"), Some(1), "{method} {parameters}: {reply:?}");
        self.pass(Duration::from_secs(1));
        reply
    }

    /// Something happens outside, or on a phone by hand.
    #[track_caller]
    pub(crate) fn order(&mut self, control: Control) -> Done {
        let now = self.w.now;
        let done = self.machine.handle_control(now, control).expect("it can be done");
        self.settle();
        self.pass(Duration::from_secs(1));
        done
    }

    /// The same, if it can be done.
    pub(crate) fn may_order(&mut self, control: Control) {
        let now = self.w.now;
        drop(self.machine.handle_control(now, control));
        self.settle();
    }

    /// A person's tab says something, whatever comes of it.
    pub(crate) fn says(&mut self, login: &'static str, json: &str) {
        let tab = self.tabs[login];
        self.w.say(tab, json);
        self.settle();
    }

    /// Somebody outside calls a number.
    #[track_caller]
    pub(crate) fn incoming(&mut self, caller: &'static str, called: &'static str) {
        self.order(Control::Incoming { caller: caller.into(), name: Text::new(), called: called.into() });
    }

    /// A party hangs up or declines by hand.
    #[track_caller]
    pub(crate) fn hangs_up(&mut self, number: &'static str) {
        self.order(Control::Hangup { number: number.into() });
    }

    /// A party picks up by hand.
    #[track_caller]
    pub(crate) fn picks_up(&mut self, number: &'static str) {
        self.order(Control::Answer { number: number.into() });
    }

    /// The states a client went through since it was asked last.
    pub(crate) fn states(&mut self, login: &'static str) -> Vec<String> {
        let states = &mut self.clients.get_mut(login).expect("a person").states;
        let last = states.last().cloned();
        let all = std::mem::take(states);
        states.extend(last);
        all
    }

    /// What a client shows now.
    pub(crate) fn now(&self, login: &str) -> String {
        self.clients[login].states.last().cloned().unwrap_or_default()
    }

    /// What all four show now.
    pub(crate) fn all(&self) -> [String; 4] {
        PEOPLE.map(|(login, _)| self.now(login))
    }

    /// Events that a person's tab heard since it was asked last, by name.
    pub(crate) fn events(&mut self, login: &'static str) -> Vec<Heard> {
        std::mem::take(self.heard.get_mut(login).expect("a person"))
    }

    /// What is kept of conversations: the newest entry of each.
    pub(crate) fn entries(&self) -> Vec<ctigate_proto::calls::Entry> {
        let mut entries: Vec<ctigate_proto::calls::Entry> = Vec::new();
        for record in &self.w.records {
            if let Record::Call(entry) = record {
                entries.retain(|e| e.call != entry.call);
                entries.push((**entry).clone());
            }
        }
        entries
    }

    /// Everybody has hung up: no leg, no order and no talk is left.
    #[track_caller]
    pub(crate) fn closes(mut self) {
        // A conversation is remembered for a minute, and forgotten at most a minute later.
        self.pass(Duration::from_secs(130));
        assert_eq!(self.all(), ["ready"; 4].map(str::to_owned));
        for (login, client) in &self.clients {
            assert_eq!(client.talks, 0, "{login}: talks that began and did not end");
        }
        let sizes = self.w.hub.sizes();
        assert_eq!((sizes.calls, sizes.orders), (0, 0));
        assert_eq!(self.machine.calls(), 0);
    }

    /// Lets the clock run from one deadline to the next.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.w.now + time;
        loop {
            let reload = self.clients.values().filter_map(|c| c.reloads.first().copied()).min();
            let next = self.machine.poll_timeout().into_iter().chain(reload).min();
            let to = next.filter(|t| *t <= until).unwrap_or(until);
            self.w.pass_alive(to.since(self.w.now));
            let now = self.w.now;
            self.machine.handle_timeout(now);
            self.settle();
            if next.is_none_or(|t| t > until) {
                return;
            }
        }
    }

    /// Carries orders and facts to and fro, and lets clients look at their lines, until nothing is left to do now.
    pub(crate) fn settle(&mut self) {
        loop {
            let now = self.w.now;
            let commands = std::mem::take(&mut self.w.pbx);
            let mut still = commands.is_empty();
            for command in commands {
                self.machine.handle_command(now, command);
            }
            while let Some(event) = self.machine.poll_event() {
                still = false;
                self.w.phone(event);
            }
            for (login, tab) in self.tabs.clone() {
                for heard in self.w.heard(tab) {
                    let body: Object = heard.0.body.iter().map(|(name, part)| (name.clone(), part.open())).collect();
                    self.clients.get_mut(login).expect("a person").hears(now, heard.name(), &body);
                    self.heard.get_mut(login).expect("a person").push(heard);
                    still = false;
                }
            }
            if still {
                break;
            }
        }
        let now = self.w.now;
        for (login, _) in PEOPLE {
            let due = self.clients.get(login).is_some_and(|c| c.reloads.first().is_some_and(|t| *t <= now));
            if due {
                self.look(login);
            }
        }
    }

    fn look(&mut self, login: &'static str) {
        let tab = self.tabs[login];
        let now = self.w.now;
        self.clients.get_mut(login).expect("a person").reloads.retain(|t| *t > now);
        self.w.say(tab, r#"["getextendedlineinfo",{"qid":"look"}]"#);
        let (replies, others): (Vec<Heard>, Vec<Heard>) =
            self.w.heard(tab).into_iter().partition(|h| h.text("qid") == "look");
        assert_eq!(others.len(), 0, "left unheard: {others:?}");
        let reply = replies.into_iter().next().expect("a look is answered at once");
        let line: Object = reply.0.body.iter().map(|(name, part)| (name.clone(), part.open())).collect();
        assert!(matches!(line.get("abonent"), Some(Value::Object(_))));
        self.clients.get_mut(login).expect("a person").sees(&line);
    }
}
