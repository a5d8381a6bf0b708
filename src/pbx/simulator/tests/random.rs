//! Random people: whatever they do, what is told keeps its order and nothing is left.

use std::collections::BTreeSet;

use ctigate_proto::telephony::{End, FaxId, FaxState, FormEnd, GhostMode};
use proptest::prelude::*;

use super::*;

/// One thing that can happen to the machine.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Incoming(usize, usize),
    Answer(usize),
    Hangup(usize),
    Hold(usize, bool),
    Keys(usize),
    Fax(usize, u32),
    Phone(usize, bool),
    Person(usize, usize, usize, usize),
    Redirect(usize, usize, bool),
    Agent(usize, bool),
    Script(bool),
    AskDone(u64, u8),
    AskLate(u64),
    FormDone(u64, u8),
    Play(usize),
}

const NUMBERS: [&str; 13] =
    ["101", "102", "103", "104", "500", "501", "502", "600", "601", "602", ANNA, BORIS, "79007778899"];

/// Scenarios that go through everything the language has.
const EVERYTHING: &str = r#"
lines 5
phone 104 answers after 2s talks 9s
phone 79007778899 answers after 1s
on 500 "all" {
    answer
    ask A phone={caller} deadline 2s late 5s fallback manager=ivanov as a
    form card for {a.manager} n={a.n} as card
    if {a.manager} and not failed a { ring {a.manager}, 102, 79007778899 for 7s { ask B
 form other for {answeredby} wait 3s } } else if timeout a { queue 600 for 9s } else { wait 500ms }
    close card
    keys k digits 2 for 3s
    if {k} { return {k} }
    ring everyone for 4s
    after { await card 8s
 ask Save who={user} t={talked} deadline 3s }
}
on 501 { queue 601 for 30s { ask T } }
on 502 { form card for 101 wait 5s
 hangup
 after { ask Save } }
script "name" { ask N p={param1}
 return {N.n} }
"#;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0..NUMBERS.len();
    let step = prop_oneof![
        4 => (0u64..20_000).prop_map(Step::Pass),
        3 => (10usize..13, number.clone()).prop_map(|(from, to)| Step::Incoming(from, to)),
        8 => number.clone().prop_map(Step::Answer),
        2 => number.clone().prop_map(Step::Hangup),
        2 => (number.clone(), any::<bool>()).prop_map(|(n, held)| Step::Hold(n, held)),
        1 => number.clone().prop_map(Step::Keys),
        2 => (number.clone(), 0u32..4).prop_map(|(n, pages)| Step::Fax(n, pages)),
        1 => (0usize..4, any::<bool>()).prop_map(|(n, c)| Step::Phone(n, c)),
        14 => (0usize..4, 0usize..22, number.clone(), 0usize..4)
            .prop_map(|(who, what, whom, which)| Step::Person(who, what, whom, which)),
        1 => (0usize..4, number, any::<bool>()).prop_map(|(n, to, cascade)| Step::Redirect(n, to, cascade)),
        1 => (0usize..4, any::<bool>()).prop_map(|(n, available)| Step::Agent(n, available)),
        1 => any::<bool>().prop_map(Step::Script),
        4 => (0u64..40, 0u8..9).prop_map(|(run, how)| Step::AskDone(run, how)),
        1 => (0u64..40).prop_map(Step::AskLate),
        2 => (0u64..40, 0u8..4).prop_map(|(run, how)| Step::FormDone(run, how)),
        1 => (0usize..3).prop_map(Step::Play),
    ];
    proptest::collection::vec(step, 0..80)
}

/// A person does something; the conference is the first that is there, the member any leg of it.
fn act(machine: &Machine, what: usize, whom: usize, which: usize) -> Act {
    let to = text(NUMBERS[whom]);
    let new = ConferenceId(format!("c{what}{whom}{which}").into());
    let known = machine.conferences.keys().nth(which).cloned().unwrap_or_else(|| new.clone());
    let leg = machine.legs.values().nth(which * 2).map_or_else(LegId::default, |leg| leg.id.clone());
    let mode = [GhostMode::Monitor, GhostMode::Help, GhostMode::Conference][which % 3];
    match what {
        0 => Act::Dial { to, sequence: Sequence::User, intercom: which == 0 },
        1 => Act::Dial { to, sequence: Sequence::Abonent, intercom: false },
        2 => Act::StopDialling,
        3 | 4 => Act::Answer,
        5 => Act::Decline,
        6 => Act::Hangup,
        7 => Act::Join,
        8 | 9 => Act::Switch,
        10 => Act::Return,
        11 => Act::DropHeld,
        12 => Act::Transfer { to },
        13 => Act::Confer {
            id: new,
            name: Text::new(),
            description: Text::new(),
            room: 1,
            record: true,
            members: if which == 0 { Vec::new() } else { vec![to, text("103")] },
        },
        14 => Act::Widen { id: new, room: 1 },
        15 => Act::Invite { id: known, members: vec![to] },
        16 => Act::TakeIn,
        17 => Act::Kick { id: known, leg },
        18 => Act::Leave { id: known },
        19 => Act::Spy { id: new, target: to },
        20 => Act::SpyMode { id: known, mode, target: None },
        _ => Act::SpyMode { id: known, mode, target: Some(leg) },
    }
}

fn perform(machine: &mut Machine, now: &mut Time, order: &mut u64, step: &Step) {
    let number = |at: usize| Text::from_static(NUMBERS[at]);
    *order += 1;
    let next = OrderId(*order);
    let control = |machine: &mut Machine, control| drop(machine.handle_control(*now, control));
    match step {
        Step::Pass(millis) => {
            *now = *now + Duration::from_millis(*millis);
            machine.handle_timeout(*now);
        }
        Step::Incoming(from, to) => {
            control(machine, Control::Incoming { caller: number(*from), name: Text::new(), called: number(*to) });
        }
        Step::Answer(at) => control(machine, Control::Answer { number: number(*at) }),
        Step::Hangup(at) => control(machine, Control::Hangup { number: number(*at) }),
        Step::Hold(at, held) => control(machine, Control::Hold { number: number(*at), held: *held }),
        Step::Fax(at, pages) => control(machine, Control::Fax { number: number(*at), pages: *pages }),
        Step::Keys(at) => control(machine, Control::Keys { number: number(*at), keys: text("1") }),
        Step::Phone(at, connected) => {
            control(machine, Control::Phone { number: number(*at), connected: *connected });
        }
        Step::Person(who, what, whom, which) => {
            let act = act(machine, *what, *whom, *which);
            machine.handle_command(*now, Command::Phone { order: next, number: number(*who), act });
        }
        Step::Redirect(at, to, cascade) => {
            let to = (to % 3 != 0).then(|| number(*to));
            machine.handle_command(*now, Command::Redirect { number: number(*at), to, cascade: *cascade });
        }
        Step::Agent(at, available) => {
            machine.handle_command(*now, Command::Agent { number: number(*at), away: (!available).then(Text::new) });
        }
        Step::Script(wait) => {
            let (name, wait) = (text("name"), wait.then(|| Duration::from_secs(5)));
            machine.handle_command(*now, Command::Script { order: next, name, parameters: vec![text("x")], wait });
        }
        Step::AskDone(run, how) => {
            let output = Object::new().with("manager", if how % 2 == 0 { "petrov" } else { "" });
            let outcome = match how {
                0 | 1 => Outcome::Ok(output),
                2 => Outcome::Fallback(output),
                3 => Outcome::Failed(String::new()),
                4 => Outcome::Timeout,
                5 => Outcome::Cancelled,
                6 => Outcome::NoLink,
                7 => Outcome::OpenCircuit,
                _ => Outcome::NoMethod,
            };
            machine.handle_command(*now, Command::AskDone { run: RunId(*run), outcome });
        }
        Step::AskLate(run) => {
            machine.handle_command(*now, Command::AskLate { run: RunId(*run), output: Object::new() });
        }
        Step::FormDone(run, how) => {
            let end = match how {
                0 => FormEnd::Answered { by: number(0), output: Object::new(), comment: Text::new() },
                1 => FormEnd::Closed,
                2 => FormEnd::Expired,
                _ => FormEnd::Refused(String::new()),
            };
            machine.handle_command(*now, Command::FormDone { run: RunId(*run), end });
        }
        Step::Play(which) => {
            let timeline = [
                "at 1s incoming 7900 500 for 3s\nat 2s dial 101 102\nat 3s conference 103 101 102\nat 4s kick 103 101",
                "phone 101 busy\nat 3s phone 101 rings\nspeed 2",
                "at 2s caller hangs up\nlines 1\nat 3s spy 101 102",
            ];
            control(machine, Control::Play { timeline: timeline[*which].to_owned() });
        }
    }
}

fn play(steps: &[Step], stride: u64) -> Vec<Event> {
    let settings = Settings {
        timeline: EVERYTHING.to_owned(),
        record: true,
        longest_call: Duration::from_secs(1200),
        ..settings("")
    };
    let mut machine = Machine::new(settings, Time::ZERO).unwrap();
    let (mut now, mut order) = (Time::ZERO, 0);
    for step in steps {
        let Step::Pass(millis) = step else {
            perform(&mut machine, &mut now, &mut order, step);
            continue;
        };
        order += 1;
        let until = now + Duration::from_millis(*millis);
        while now < until {
            now = (now + Duration::from_millis(stride)).min(until);
            machine.handle_timeout(now);
        }
    }
    std::iter::from_fn(move || machine.poll_event()).collect()
}

proptest! {
    /// Whatever happens: nothing panics, what is told keeps its order, every order is answered once, nothing is left.
    #[test]
    fn what_is_told_keeps_its_order_and_nothing_is_left(steps in steps()) {
        let settings = Settings { timeline: EVERYTHING.to_owned(), calls: 8, record: true, longest_call: Duration::from_secs(1200), ..settings("") };
        let mut machine = Machine::new(settings, Time::ZERO).unwrap();
        let mut calls = Calls::new(["101", "102", "103", "104"].map(Text::from_static));
        let mut watch = Watch::default();
        let (mut now, mut order) = (Time::ZERO, 0);
        for step in &steps {
            perform(&mut machine, &mut now, &mut order, step);
            while let Some(event) = machine.poll_event() {
                if let Event::Facts(facts) = &event {
                    calls.apply(now, facts.clone());
                }
                watch.event(&event)?;
            }
            prop_assert!(machine.calls() <= 8);
            prop_assert!(machine.poll_timeout().is_none_or(|at| at > now) || machine.timers.next() == Some(now));
            check_lines(&machine, &calls)?;
        }
        for _ in 0..3 {
            now = now + Duration::from_secs(5 * 60 * 60);
            machine.handle_timeout(now);
        }
        while let Some(event) = machine.poll_event() {
            if let Event::Facts(facts) = &event {
                calls.apply(now, facts.clone());
            }
            watch.event(&event)?;
        }
        prop_assert!(machine.is_idle(), "{:#?}", machine);
        prop_assert_eq!(machine.poll_timeout(), None);
        prop_assert!(calls.is_empty());
        for number in ["101", "102", "103", "104"] {
            prop_assert_eq!(calls.line(number), Line::default());
        }
        watch.end()?;
    }

    /// Time that jumps and time that passes in small steps give the same events, to the byte.
    #[test]
    fn how_often_the_clock_is_looked_at_does_not_matter(steps in steps(), stride in 1u64..3_000) {
        let (small, large) = (play(&steps, stride), play(&steps, u64::from(u32::MAX)));
        prop_assert_eq!(format!("{small:?}"), format!("{large:?}"));
    }

    /// Facts that come doubled and shuffled leave the same entries behind.
    #[test]
    fn the_order_of_facts_does_not_matter_to_the_ledger(steps in steps(), seed in any::<u64>()) {
        let facts: Vec<Fact> = play(&steps, 1_000)
            .into_iter()
            .filter_map(|event| if let Event::Facts(facts) = event { Some(facts) } else { None })
            .flatten()
            .collect();
        let shuffled = ledger::shuffled(facts.iter().chain(&facts).cloned().collect(), seed);
        prop_assert_eq!(ledger::entries(&facts), ledger::entries(&shuffled));
    }
}

/// What the model says of a line is what the machine does.
fn check_lines(machine: &Machine, calls: &Calls) -> Result<(), TestCaseError> {
    for (number, phone) in &machine.phones {
        let line = calls.line(number);
        prop_assert_eq!(line.busy(), !phone.legs.is_empty(), "{}: {:?}", number, line);
        prop_assert!(phone.legs.len() <= 2);
        prop_assert!(phone.legs.iter().filter(|leg| machine.legs[leg].held).count() <= 1, "two on hold");
        prop_assert!(phone.legs.iter().filter(|leg| !machine.legs[leg].held).count() <= 1, "two present");
        prop_assert_eq!(line.flashed.is_some(), phone.legs.iter().any(|leg| machine.legs[leg].held));
    }
    Ok(())
}

/// The order that any telephone system keeps.
#[derive(Default)]
struct Watch {
    open: BTreeSet<CallId>,
    over: BTreeSet<CallId>,
    /// Those that are not ended.
    legs: BTreeMap<LegId, LegFact>,
    ended: BTreeSet<LegId>,
    conferences: BTreeMap<ConferenceId, (u64, bool)>,
    talks: BTreeSet<Text>,
    /// Those on their way.
    faxes: BTreeSet<FaxId>,
    runs: BTreeSet<RunId>,
    orders: BTreeSet<OrderId>,
}

impl Watch {
    fn event(&mut self, event: &Event) -> Result<(), TestCaseError> {
        match event {
            Event::Facts(facts) => {
                prop_assert!(!facts.is_empty());
                for fact in facts {
                    self.fact(fact, facts)?;
                }
                self.together()?;
            }
            Event::Done { order, .. } | Event::ScriptDone { order, .. } => {
                prop_assert!(self.orders.insert(*order), "an order is answered twice");
            }
            Event::Ask { run, ask } => {
                prop_assert!(self.runs.insert(*run), "a run twice");
                let known = ask.call.as_ref().is_none_or(|call| self.open.contains(call) || self.over.contains(call));
                prop_assert!(known);
            }
            Event::AskCancelled { run } => prop_assert!(self.runs.contains(run), "cancelled what was not asked"),
            Event::Form { run, .. } => prop_assert!(run.is_none_or(|run| self.runs.insert(run))),
            Event::CloseForm { run } => prop_assert!(self.runs.contains(run), "closed what was not opened"),
            Event::Phone { .. } => {}
        }
        Ok(())
    }

    fn fact(&mut self, fact: &Fact, together: &[Fact]) -> Result<(), TestCaseError> {
        match fact {
            Fact::Call(about) => {
                prop_assert!(!self.over.contains(&about.call) && self.open.insert(about.call.clone()), "began twice");
                let origin = |f: &Fact| matches!(f, Fact::Leg(leg) if leg.call == about.call && leg.origin);
                prop_assert!(together.iter().any(origin), "a conversation begins with its origin");
            }
            Fact::Leg(leg) => {
                prop_assert!(self.open.contains(&leg.call), "a leg of no conversation");
                prop_assert!(!self.ended.contains(&leg.leg), "something after the end");
                let before = self.legs.insert(leg.leg.clone(), leg.clone());
                if leg.state.is_ended() {
                    self.legs.remove(&leg.leg);
                    self.ended.insert(leg.leg.clone());
                }
                prop_assert_eq!(leg.seq, before.as_ref().map_or(0, |b| b.seq) + 1);
                if let Some(before) = before {
                    prop_assert_eq!(&before.call, &leg.call);
                    prop_assert_eq!(&before.end, &leg.end);
                    prop_assert_eq!(before.origin, leg.origin);
                    prop_assert!(before.at_ms <= leg.at_ms);
                    let mut unlike = before;
                    (unlike.seq, unlike.at_ms) = (leg.seq, leg.at_ms);
                    prop_assert_ne!(&unlike, leg, "a fact that is no news");
                } else {
                    prop_assert!(leg.state != LegState::Up, "up at once");
                }
                let ringing = leg.state == LegState::Ringing && leg.autocall.is_none();
                prop_assert!(!ringing || leg.with.is_some() || leg.place != Place::None, "rings for nobody");
            }
            Fact::Conference(conference) => {
                prop_assert!(self.open.contains(&conference.call));
                let before = self.conferences.insert(conference.id.clone(), (conference.seq, conference.over));
                // An id may be used again when its conference is over.
                let before = before.filter(|(_, over)| !over).map_or(0, |(seq, _)| seq);
                prop_assert_eq!(conference.seq, before + 1);
            }
            Fact::Recording { call, talk, file } => {
                prop_assert!(self.open.contains(call) && self.talks.contains(&talk.0));
                prop_assert_eq!(&**file, format!("{}.wav", talk.0));
            }
            Fact::Fax(fax) => {
                prop_assert!(self.open.contains(&fax.call));
                if fax.state == FaxState::Going {
                    let known = [&fax.from, &fax.to].iter().all(|leg| self.legs.contains_key(*leg));
                    prop_assert!(known && self.faxes.insert(fax.fax.clone()), "a fax of nobody, or told twice");
                } else {
                    prop_assert!(self.faxes.remove(&fax.fax), "a fax ends twice, or never began");
                }
            }
            Fact::Over { call, .. } => {
                prop_assert!(self.open.remove(call) && self.over.insert(call.clone()), "over twice");
                let alive = self.legs.values().find(|leg| leg.call == *call);
                prop_assert!(alive.is_none(), "over with a leg: {:?}", alive);
            }
        }
        Ok(())
    }

    /// What has to be true whenever something was told.
    fn together(&mut self) -> Result<(), TestCaseError> {
        let mut talks: BTreeMap<&Text, usize> = BTreeMap::new();
        let mut phones: BTreeMap<(&Text, bool), usize> = BTreeMap::new();
        for leg in self.legs.values() {
            match &leg.place {
                Place::Talk(talk) => {
                    prop_assert_eq!(leg.state, LegState::Up);
                    *talks.entry(&talk.0).or_default() += 1;
                }
                Place::Conference(id) => prop_assert_eq!(self.conferences.get(id).map(|c| c.1), Some(false)),
                _ => {}
            }
            if let End::Inside(number) = &leg.end {
                *phones.entry((number, leg.held)).or_default() += 1;
            }
        }
        for (talk, legs) in talks {
            prop_assert_eq!(legs, 2, "a talk is of two");
            self.talks.insert(talk.clone());
        }
        self.talks.extend(self.conferences.keys().map(|id| id.0.clone()));
        prop_assert!(phones.values().all(|legs| *legs == 1), "two legs at one ear: {:?}", phones);
        Ok(())
    }

    fn end(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.open.is_empty(), "a conversation without an end");
        prop_assert!(self.conferences.values().all(|(_, over)| *over), "a conference without an end");
        Ok(())
    }
}
