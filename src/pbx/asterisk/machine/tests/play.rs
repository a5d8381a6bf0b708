//! Plays transcripts.

use std::collections::{BTreeMap, HashMap, HashSet};

use ctigate_proto::Time;
use ctigate_proto::calls::{Calls, Entry};
use ctigate_proto::message::Text;
use ctigate_proto::telephony::{
    Act, CallId, Command, ConferenceFact, ConferenceId, End, Event, Fact, GhostMode, LegFact, LegId, LegState, OrderId,
    Place, Refusal, Sequence,
};

use super::super::super::ami::Message;
use super::super::{Answer, Machine, Now, Numbering, Out, Phone, Plan, Rewrite};
use crate::pbx::{Directory, Extension, Queue, Strategy};

/// Everything that was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) facts: Vec<Vec<Fact>>,
    pub(crate) done: Vec<(u64, Result<(), Refusal>)>,
    pub(crate) phones: BTreeMap<Text, bool>,
    /// Facts in words, one line for each event.
    pub(crate) story: Vec<String>,
    legs: HashMap<LegId, usize>,
    talks: HashMap<Text, usize>,
    calls: HashMap<CallId, usize>,
    now: HashMap<LegId, LegFact>,
}

/// The plan of the test bed: phones 101 to 110, the queue `support` with the number 600, and a line outside.
pub(crate) fn plan(recordings: bool) -> Plan {
    let numbers: Vec<Text> = (101..=110).map(|n: u32| n.to_string().into()).collect();
    let phone = |n: &Text| Phone {
        endpoint: format!("PJSIP/{n}"),
        answer: if n == "109" { Answer::Never } else { Answer::Intercom },
    };
    let extension = |n: &Text| Extension { number: n.clone(), name: format!("Agent {n}").into(), login: None };
    let rule = |begins: &str, length, cut, put: &str| Rewrite {
        begins: begins.to_owned(),
        length: Some(length),
        cut,
        put: put.to_owned(),
    };
    let queue = Queue {
        number: "600".into(),
        name: "Support".into(),
        members: vec!["104".into(), "105".into()],
        strategy: Strategy::All,
    };
    Plan {
        system: "probe".to_owned(),
        directory: Directory { extensions: numbers.iter().map(extension).collect(), queues: vec![queue] },
        phones: numbers.iter().map(|n| (n.clone(), phone(n))).collect(),
        queues: [("support".to_owned(), "600".into())].into(),
        services: ["800", "801", "802", "7010"].map(Text::from).into(),
        numbering: Numbering { told: vec![rule("97", 12, 1, "")], dialled: vec![rule("7", 11, 0, "9")] },
        recordings: recordings.then(|| "/recordings".to_owned()),
        ..Plan::default()
    }
}

/// What a line says.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Connected(i64),
    Lost,
    Tick,
    Said(Message),
    Sent(String),
    Wanted(String),
}

/// The lines of a transcript, with their moments in microseconds.
pub(crate) fn lines(transcript: &str) -> Vec<(u64, Line)> {
    let mut lines = Vec::new();
    for line in transcript.lines().filter(|line| !line.starts_with('#')) {
        let (at, rest) = line.split_once(' ').expect("a moment");
        let at = at.parse().expect("microseconds");
        let what = match rest.split_once(' ') {
            Some(("<", fields)) => {
                let fields = fields.split('\t').filter_map(|field| field.split_once(": "));
                Line::Said(Message::from_fields(fields))
            }
            Some((">", action)) => Line::Sent(action.replace('\t', "\n")),
            Some(("!", wish)) => Line::Wanted(wish.to_owned()),
            Some(("wall", ms)) => Line::Connected(ms.parse().expect("milliseconds")),
            None if rest == "tick" => Line::Tick,
            _ => Line::Lost,
        };
        lines.push((at, what));
    }
    lines
}

/// Plays a transcript as it was.
pub(crate) fn play(transcript: &str) -> Told {
    play_with(lines(transcript), transcript.contains("MixMonitor"), true)
}

/// Plays lines, in order. `strict`: time passes when it passed in the transcript, and what is sent must be the same.
pub(crate) fn play_with(lines: Vec<(u64, Line)>, recordings: bool, strict: bool) -> Told {
    let mut machine = Machine::new(plan(recordings));
    let mut told = Told::default();
    let mut wall = (0, 0);
    let mut sent: Vec<String> = Vec::new();
    let mut order = 0;
    let now_at = |at: u64, wall: (u64, i64)| Now {
        mono: Time::from_micros(at),
        wall_ms: wall.1 + i64::try_from(at.saturating_sub(wall.0) / 1000).expect("a short run"),
    };
    let end = lines.last().map_or(0, |(at, _)| at + 5_000_000);
    let rest = (end, Line::Sent(String::new()));
    for (at, line) in lines.into_iter().chain([rest]) {
        let by_itself = !strict || at == end;
        while let Some(due) = machine.due().filter(|due| by_itself && due.as_micros() <= at) {
            let mut out = Out::default();
            machine.tick(now_at(due.as_micros(), wall), &mut out);
            told.take(out, &mut sent);
            assert!(machine.due().is_none_or(|next| next > due), "time stands still");
        }
        let now = now_at(at, wall);
        let mut out = Out::default();
        match line {
            Line::Connected(ms) => {
                wall = (at, ms);
                machine.connected(now_at(at, wall), &mut out);
            }
            Line::Lost => machine.lost(now, &mut out),
            Line::Tick if strict => machine.tick(now, &mut out),
            Line::Tick => {}
            Line::Said(message) => machine.heard(now, &message, &mut out),
            Line::Wanted(wish) => {
                let (number, act) = told.act(&wish);
                order += 1;
                machine.command(now, Command::Phone { order: OrderId(order), number, act }, &mut out);
            }
            Line::Sent(action) if action.is_empty() || !strict => {}
            Line::Sent(action) => match sent.iter().position(|sent| *sent == action) {
                Some(at) => drop(sent.remove(at)),
                None => panic!("at {at} not sent:\n{action}\nbut:\n{}", sent.join("\n\n")),
            },
        }
        told.take(out, &mut sent);
    }
    assert!(!strict || sent.is_empty(), "sent, but not in the transcript:\n{}", sent.join("\n\n"));
    told
}

impl Told {
    fn take(&mut self, out: Out, sent: &mut Vec<String>) {
        for action in out.actions {
            let mut bytes = Vec::new();
            action.encode(&mut bytes).expect("it can be sent");
            let text = String::from_utf8(bytes).expect("text");
            sent.push(text.trim_end().replace("\r\n", "\n"));
        }
        for event in out.events {
            match event {
                Event::Facts(facts) => self.facts(facts),
                Event::Done { order, result } => self.done.push((order.0, result)),
                Event::Phone { number, connected } => {
                    self.phones.insert(number, connected);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn facts(&mut self, facts: Vec<Fact>) {
        let mut words = Vec::new();
        for fact in &facts {
            let word = match fact {
                Fact::Call(call) => {
                    let next = self.calls.len() + 1;
                    let nth = *self.calls.entry(call.call.clone()).or_insert(next);
                    format!("call{nth} {}>{}", call.parties.caller, call.parties.called)
                }
                Fact::Leg(leg) => self.leg(leg),
                Fact::Conference(conference) => self.conference(conference),
                Fact::Recording { talk, .. } => format!("recorded {}", self.talk(&talk.0)),
                Fact::Fax(_) => panic!("no Asterisk tells of faxes"),
                Fact::Over { call, .. } => format!("over{}", self.calls.get(call).copied().unwrap_or(0)),
            };
            words.push(word);
        }
        self.story.push(words.join(", "));
        self.facts.push(facts);
    }

    fn leg(&mut self, leg: &LegFact) -> String {
        let next = self.legs.len() + 1;
        let nth = *self.legs.entry(leg.leg.clone()).or_insert(next);
        if let Some(before) = self.now.insert(leg.leg.clone(), leg.clone()) {
            assert_eq!(leg.seq, before.seq + 1, "every fact of a leg has the next number");
            assert_eq!(leg.call, before.call, "a leg never changes its conversation");
            assert!(!before.state.is_ended(), "an end is final");
        } else {
            assert_eq!(leg.seq, 1);
        }
        let state = match leg.state {
            LegState::Ended(cause) => cause.word().to_owned(),
            state => format!("{state:?}").to_lowercase(),
        };
        let place = match &leg.place {
            _ if leg.state.is_ended() => String::new(),
            Place::None => String::new(),
            Place::Talk(talk) => format!(" {}", self.talk(&talk.0)),
            Place::Conference(id) => format!(" {}", self.talk(&id.0).replace('t', "c")),
            Place::Queue(queue) => format!(" q{queue}"),
            Place::Menu { name, .. } => format!(" menu {name}"),
        };
        let with = leg
            .with
            .as_ref()
            .map_or_else(String::new, |with| format!(" for {}", self.legs.get(with).copied().unwrap_or(0)));
        let held = if leg.held { " holds" } else { "" };
        let ghost = if leg.role.ghost { " ghost" } else { "" };
        let auto = match leg.autocall {
            Some(Sequence::User) if leg.seq == 1 => " user",
            Some(Sequence::Abonent) if leg.seq == 1 => " abonent",
            _ => "",
        };
        format!("{nth}:{} {state}{place}{with}{held}{ghost}{auto}", leg.end.number())
    }

    fn conference(&mut self, fact: &ConferenceFact) -> String {
        let name = self.talk(&fact.id.0).replace('t', "c");
        let ghost = fact.ghost.as_ref().map_or_else(String::new, |ghost| {
            format!(" {:?} {}", ghost.mode, self.legs.get(&ghost.target).copied().unwrap_or(0)).to_lowercase()
        });
        format!("{name}{ghost}{}", if fact.over { " over" } else { "" })
    }

    fn talk(&mut self, id: &Text) -> String {
        let next = self.talks.len() + 1;
        format!("t{}", self.talks.entry(id.clone()).or_insert(next))
    }

    fn act(&self, wish: &str) -> (Text, Act) {
        let words: Vec<&str> = wish.split_whitespace().collect();
        let text = |word: &str| Text::from(word);
        let texts = |words: &[&str]| words.iter().copied().map(Text::from).collect();
        let conference = |name: &str| {
            let nth = ["A", "B", "S"].iter().position(|known| *known == name).expect("a known name");
            let first = if name == "S" { 1 } else { nth + 1 };
            ConferenceId(format!("00000000-0000-4000-8000-{first:012}").into())
        };
        let leg_of = |number: &str| {
            let own = |leg: &&LegFact| leg.end.number() == number && !leg.state.is_ended();
            self.now.values().find(own).map(|leg| leg.leg.clone()).unwrap_or_default()
        };
        let dial = |to: &str, sequence, intercom| Act::Dial { to: text(to), sequence, intercom };
        let act = match words[1..] {
            ["dial", to] => dial(to, Sequence::User, false),
            ["intercom", to] => dial(to, Sequence::User, true),
            ["abonent", to] => dial(to, Sequence::Abonent, false),
            ["stop"] => Act::StopDialling,
            ["answer"] => Act::Answer,
            ["decline"] => Act::Decline,
            ["hangup"] => Act::Hangup,
            ["join"] => Act::Join,
            ["switch"] => Act::Switch,
            ["return"] => Act::Return,
            ["drop"] => Act::DropHeld,
            ["transfer", to] => Act::Transfer { to: text(to) },
            ["confer", id, ref members @ ..] => Act::Confer {
                id: conference(id),
                name: text("Planning"),
                description: Text::new(),
                room: 5,
                record: true,
                members: texts(members),
            },
            ["widen", id] => Act::Widen { id: conference(id), room: 7 },
            ["invite", id, ref members @ ..] => Act::Invite { id: conference(id), members: texts(members) },
            ["takein"] => Act::TakeIn,
            ["kick", id, who] => Act::Kick { id: conference(id), leg: leg_of(who) },
            ["leave", id] => Act::Leave { id: conference(id) },
            ["spy", id, target] => Act::Spy { id: conference(id), target: text(target) },
            ["mode", id, mode, ref target @ ..] => {
                let mode = match mode {
                    "help" => GhostMode::Help,
                    "conf" => GhostMode::Conference,
                    _ => GhostMode::Monitor,
                };
                Act::SpyMode { id: conference(id), mode, target: target.first().map(|who| leg_of(who)) }
            }
            _ => panic!("what is {wish}?"),
        };
        (text(words[0]), act)
    }

    /// The ledger's entries of all conversations, in the order in which they began, without their moments.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut calls = Calls::new((101..=110).map(|n: u32| n.to_string().into()));
        let mut seen = HashSet::new();
        let mut ids = Vec::new();
        for facts in &self.facts {
            for fact in facts {
                if let Fact::Call(call) = fact
                    && seen.insert(call.call.clone())
                {
                    ids.push(call.call.clone());
                }
            }
            calls.apply(Time::ZERO, facts.clone());
        }
        let entry = |id| calls.entry(id).expect("every conversation comes to its end");
        let mut entries: Vec<Entry> = ids.iter().map(entry).collect();
        for entry in &mut entries {
            (entry.began_ms, entry.ended_ms, entry.wait_ms, entry.talk_ms) = (0, 0, 0, 0);
            for leg in &mut entry.legs {
                (leg.began_ms, leg.answered_ms, leg.ended_ms) = (0, leg.answered_ms.map(|_| 0), 0);
            }
            entry.legs.sort_by(|a, b| a.leg.cmp(&b.leg));
            for talk in &mut entry.talks {
                (talk.began_ms, talk.ended_ms) = (0, 0);
                talk.parties.sort_by_key(|end: &End| end.number().clone());
            }
            for queue in &mut entry.queues {
                (queue.began_ms, queue.ended_ms) = (0, 0);
            }
        }
        entries
    }
}
