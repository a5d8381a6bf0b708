//! The telephone system with a clock that jumps, watched through the one model of calls.

mod conferences;
mod day;
mod ledger;
mod numbers;
mod people;
mod queues;
mod random;
mod scenarios;
mod steps;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::calls::{Calls, Change, Entry, Line, Phase, changes};
use ctigate_proto::message::{Object, Text};
use ctigate_proto::telephony::{
    Act, CallId, Command, ConferenceId, EndCause, Event, Fact, LegFact, LegId, LegState, OrderId, Outcome, Place,
    Refusal, RunId, Sequence,
};

use super::*;
use crate::pbx::{Control, ControlError, Done, Extension, Picture, Queue, Strategy as Order};

/// The demonstration's numbers, and queues of the first three.
fn directory() -> Directory {
    let people = [("101", "ivanov"), ("102", "petrov"), ("103", "sidorova"), ("104", "kuznetsova")];
    let extensions = people.map(|(number, login)| Extension {
        number: Text::from_static(number),
        name: Text::from_static(login),
        login: Some(Text::from_static(login)),
    });
    let members = ["101", "102", "103"].map(Text::from_static).to_vec();
    let queue = |number, strategy| Queue {
        number: Text::from_static(number),
        name: Text::from_static("Sales"),
        members: members.clone(),
        strategy,
    };
    let queues = [
        ("600", Order::All),
        ("601", Order::Linear),
        ("602", Order::Rotate),
        ("603", Order::LongestIdle),
        ("604", Order::FewestCalls),
    ];
    Directory {
        extensions: extensions.to_vec(),
        queues: queues.map(|(number, strategy)| queue(number, strategy)).to_vec(),
    }
}

/// An outside number.
const ANNA: &str = "79001112233";
/// Another.
const BORIS: &str = "79004445566";

fn text(text: &str) -> Text {
    text.into()
}

/// When the clock of the machine says zero.
const WALL_MS: i64 = 1_800_000_000_000;

fn settings(timeline: &str) -> Settings {
    Settings {
        directory: directory(),
        timeline: timeline.to_owned(),
        calls: 20,
        wall_ms: WALL_MS,
        ..Settings::default()
    }
}

/// A machine, a clock that jumps, what was told, and the model that is made of it.
struct World {
    machine: Machine,
    now: Time,
    calls: Calls,
    /// Everything that was told.
    events: Vec<Event>,
    /// The newest fact of each leg.
    legs: BTreeMap<LegId, LegFact>,
    /// Whether anybody answered, of each call.
    answered: BTreeMap<CallId, bool>,
    /// What the line of each watched number did, since it was last asked.
    changes: BTreeMap<&'static str, Vec<Change>>,
    orders: u64,
    conference: u64,
}

impl World {
    fn new(timeline: &str) -> Self {
        Self::with(settings(timeline))
    }

    fn with(settings: Settings) -> Self {
        let inside = ["101", "102", "103", "104", "500", "600", "601", "602", "603", "604"].map(Text::from_static);
        let machine = Machine::new(settings, Time::ZERO).unwrap_or_else(|e| panic!("{e}\n{}", e.excerpt()));
        let mut world = Self {
            machine,
            now: Time::ZERO,
            calls: Calls::new(inside),
            events: Vec::new(),
            legs: BTreeMap::new(),
            answered: BTreeMap::new(),
            changes: ["101", "102", "103", "104"].map(|n| (n, Vec::new())).into(),
            orders: 0,
            conference: 0,
        };
        let told = world.told();
        assert!(told.starts_with(&["101 +", "102 +", "103 +", "104 +"].map(str::to_owned)), "{told:?}");
        world
    }

    /// Lets so many milliseconds pass in one jump; what was told meanwhile.
    fn pass(&mut self, millis: u64) -> Vec<String> {
        self.now = self.now + Duration::from_millis(millis);
        self.machine.handle_timeout(self.now);
        self.told()
    }

    fn order(&mut self, control: Control) -> Result<Done, ControlError> {
        self.machine.handle_control(self.now, control)
    }

    /// Somebody calls; what was told.
    fn call(&mut self, called: &'static str) -> Vec<String> {
        self.call_from("7900", called)
    }

    fn call_from(&mut self, caller: &'static str, called: &'static str) -> Vec<String> {
        let (caller, called) = (Text::from_static(caller), Text::from_static(called));
        self.order(Control::Incoming { caller, name: Text::new(), called }).unwrap();
        self.told()
    }

    fn answer(&mut self, number: &'static str) -> Vec<String> {
        self.order(Control::Answer { number: Text::from_static(number) }).unwrap();
        self.told()
    }

    fn hangup(&mut self, number: &'static str) -> Vec<String> {
        self.order(Control::Hangup { number: Text::from_static(number) }).unwrap();
        self.told()
    }

    fn hold(&mut self, number: &'static str, held: bool) -> Vec<String> {
        self.order(Control::Hold { number: Text::from_static(number), held }).unwrap();
        self.told()
    }

    fn press(&mut self, number: &'static str, keys: &'static str) -> Vec<String> {
        self.order(Control::Keys { number: Text::from_static(number), keys: Text::from_static(keys) }).unwrap();
        self.told()
    }

    fn command(&mut self, command: Command) -> Vec<String> {
        self.machine.handle_command(self.now, command);
        self.told()
    }

    /// The house has other numbers and queues.
    fn rebuild(&mut self, directory: &Directory) -> Vec<String> {
        self.machine.handle_directory(self.now, directory);
        self.told()
    }

    fn done(&mut self, run: u64, outcome: Outcome) -> Vec<String> {
        self.command(Command::AskDone { run: RunId(run), outcome })
    }

    /// A person does something with the own phone, as the Hub tells it; what came of it. The order is answered once, last.
    fn act(&mut self, number: &'static str, act: Act) -> Result<(), Refusal> {
        self.orders += 1;
        let order = OrderId(self.orders);
        self.machine.handle_command(self.now, Command::Phone { order, number: Text::from_static(number), act });
        let before = self.events.len();
        self.told();
        let done: Vec<_> = self.events[before..]
            .iter()
            .filter_map(|event| match event {
                Event::Done { order: of, result } if *of == order => Some(*result),
                _ => None,
            })
            .collect();
        assert_eq!(done.len(), 1, "an order is answered once");
        let facts_after = self.events[before..].iter().skip_while(|e| !matches!(e, Event::Done { .. })).count();
        assert!(done[0].is_ok() || facts_after == self.events.len() - before, "a refusal tells no facts");
        done[0]
    }

    fn dial(&mut self, number: &'static str, to: &'static str) -> Result<(), Refusal> {
        self.dial_in(number, to, Sequence::User)
    }

    fn dial_in(&mut self, number: &'static str, to: &'static str, sequence: Sequence) -> Result<(), Refusal> {
        self.act(number, Act::Dial { to: Text::from_static(to), sequence, intercom: false })
    }

    /// Two inside numbers talk with each other.
    fn talk(&mut self, one: &'static str, other: &'static str) {
        self.dial(one, other).unwrap();
        self.answer(one);
        self.answer(other);
        assert!(matches!(self.line(one).phase, Phase::Talking(_)), "{:?}", self.line(one));
    }

    /// One inside number talks with Anna, who called.
    fn talk_with_anna(&mut self, number: &'static str) {
        self.call_from(ANNA, number);
        self.answer(number);
        assert_eq!(self.party(number), ANNA);
    }

    fn next_conference(&mut self) -> ConferenceId {
        self.conference += 1;
        ConferenceId(format!("00000000-0000-4000-8000-{:012}", self.conference).into())
    }

    // What the model says.

    fn line(&self, number: &str) -> Line {
        self.calls.line(number)
    }

    /// Who is at the other end, by number; a conference by its id.
    fn party(&self, number: &str) -> Text {
        named(self.line(number).party)
    }

    /// Who is on hold.
    fn flashed(&self, number: &str) -> Text {
        named(self.line(number).flashed)
    }

    fn talks_with(&self, number: &str, other: &str) -> bool {
        matches!(self.line(number).phase, Phase::Talking(_)) && self.party(number) == other
    }

    fn idle(&self, number: &str) -> bool {
        self.line(number) == Line::default()
    }

    /// What happened to a watched line since it was last asked, but for the word that anything happened.
    fn changed(&mut self, number: &'static str) -> Vec<Change> {
        let all = std::mem::take(self.changes.get_mut(number).unwrap());
        all.into_iter().filter(|change| *change != Change::Line).collect()
    }

    /// Why the newest leg of a number ended.
    fn cause(&self, number: &str) -> EndCause {
        let of = self.legs.values().filter(|leg| leg.end.number() == number);
        match of.max_by_key(|leg| (leg.at_ms, leg.seq)).map(|leg| leg.state) {
            Some(LegState::Ended(cause)) => cause,
            other => panic!("{number} has not ended: {other:?}"),
        }
    }

    /// The conversation that began last.
    fn newest(&self) -> CallId {
        let began = |event: &Event| match event {
            Event::Facts(facts) => facts.iter().find_map(|fact| match fact {
                Fact::Call(about) => Some(about.call.clone()),
                _ => None,
            }),
            _ => None,
        };
        self.events.iter().rev().find_map(began).expect("a conversation")
    }

    fn entry(&self) -> Entry {
        self.calls.entry(&self.newest()).expect("a conversation that is over")
    }

    fn picture(&mut self) -> Picture {
        match self.order(Control::Picture) {
            Ok(Done::Picture(picture)) => *picture,
            other => panic!("{other:?}"),
        }
    }

    /// What somebody hears, in words.
    fn hears(&mut self, number: &str) -> String {
        let picture = self.picture();
        let mut legs = picture.calls.iter().flat_map(|call| &call.legs);
        let newest = legs.rfind(|leg| leg.end.number() == number && !leg.held).expect("a leg");
        let voices = newest.voices.join(" ");
        format!("{} {voices}", newest.hears.word()).trim_end().to_owned()
    }

    /// Everything that was told since, in a few words; the model is told it all.
    fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = self.machine.poll_event() {
            if let Event::Facts(facts) = &event {
                let before: Vec<(&'static str, Line)> = self.changes.keys().map(|n| (*n, self.calls.line(n))).collect();
                self.calls.apply(self.now, facts.clone());
                for (number, before) in before {
                    let all = changes(&self.calls, &before, &self.calls.line(number));
                    self.changes.get_mut(number).unwrap().extend(all);
                }
                for fact in facts {
                    told.extend(self.short(fact));
                }
            } else {
                told.extend(short(&event));
            }
            self.events.push(event);
        }
        told
    }

    /// A fact in a few words, if it is one that tests ask for.
    fn short(&mut self, fact: &Fact) -> Option<String> {
        match fact {
            Fact::Call(about) => {
                assert!(self.answered.insert(about.call.clone(), false).is_none(), "began twice");
                Some(format!("{} calls {}", about.parties.caller, about.parties.called))
            }
            Fact::Over { call, .. } => Some(format!("ended {}", self.answered[call])),
            Fact::Leg(leg) => {
                let before = self.legs.insert(leg.leg.clone(), leg.clone());
                let was = before.as_ref().map(|b| b.state);
                let number = leg.end.number();
                let queue_before = before.as_ref().map(|b| &b.place);
                match (leg.state, &leg.place) {
                    (LegState::Ended(_), _) if leg.origin && !leg.end.is_inside() => None,
                    (LegState::Ended(_), _) if was == Some(LegState::Up) => Some(format!("{number} leaves")),
                    (LegState::Ended(cause), _) => Some(format!("{number} {cause:?}")),
                    (LegState::Ringing, _) if was != Some(LegState::Ringing) => Some(format!("{number} rings")),
                    (LegState::Up, Place::Talk(_)) if was == Some(LegState::Ringing) => {
                        self.answered.insert(leg.call.clone(), true);
                        Some(format!("{number} answers"))
                    }
                    (_, place @ Place::Queue(queue)) if queue_before != Some(place) => Some(format!("in {queue}")),
                    _ => None,
                }
            }
            Fact::Conference(_) | Fact::Fax(_) | Fact::Recording { .. } => None,
        }
    }

    fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll_note())
            .filter(|note| note.kind == NoteKind::Say)
            .map(|note| note.text)
            .collect()
    }

    fn odd(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll_note())
            .filter(|note| note.kind == NoteKind::Odd)
            .map(|note| note.text)
            .collect()
    }

    /// That nothing of any call is left, in the machine and in the model.
    fn nothing_left(&mut self) {
        assert!(self.machine.is_idle(), "{:#?}", self.machine);
        assert_eq!(self.machine.poll_timeout(), None);
        assert!(self.calls.is_empty() && self.calls.waiting(None).is_empty());
        for number in ["101", "102", "103", "104"] {
            assert!(self.idle(number), "{number}: {:?}", self.line(number));
        }
    }
}

fn named(party: Option<ctigate_proto::calls::Party>) -> Text {
    party.map_or_else(Text::new, |party| match party.conference {
        Some(id) => id.0,
        None => party.number,
    })
}

/// An event in a few words, if it is one that tests ask for.
fn short(event: &Event) -> Option<String> {
    let fields = |object: &Object| {
        let fields: Vec<String> = object
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_text().unwrap_or(Text::from_static("?"))))
            .collect();
        fields.join(" ")
    };
    Some(match event {
        Event::Facts(_) => unreachable!("facts have words of their own"),
        Event::Done { .. } => return None,
        Event::ScriptDone { order, result: Ok(value) } => format!("script {} {value}", order.0).trim_end().to_owned(),
        Event::ScriptDone { order, result: Err(why) } => format!("script {} {why:?}", order.0),
        Event::Ask { run, ask } => format!("ask {} {} {}", run.0, ask.method, fields(&ask.input)).trim_end().to_owned(),
        Event::AskCancelled { run } => format!("cancel {}", run.0),
        Event::Form { run, form } => {
            let run = run.map_or_else(|| "-".to_owned(), |run| run.0.to_string());
            format!("form {run} {} for {} {}", form.name, form.user, fields(&form.parameters)).trim_end().to_owned()
        }
        Event::CloseForm { run } => format!("close {}", run.0),
        Event::Phone { number, connected } => format!("{number} {}", if *connected { '+' } else { '-' }),
    })
}
