use std::time::Duration;

use ctigate_proto::Time;
use ctigate_proto::message::{Object, Text, Value};
use ctigate_proto::telephony::{Command, Event, FormEnd, Outcome, RingEnd, RunId};
use proptest::prelude::*;

use super::*;
use crate::pbx::{Control, ControlError, Done, Extension, Queue, Strategy as Order};

/// The demonstration's numbers, and a queue of the first three.
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
    Directory {
        extensions: extensions.to_vec(),
        queues: vec![queue("600", Order::All), queue("601", Order::Linear), queue("602", Order::Rotate)],
    }
}

/// A machine, a clock that jumps, and what was told.
struct World {
    machine: Machine,
    now: Time,
}

impl World {
    fn new(timeline: &str) -> Self {
        let settings =
            Settings { directory: directory(), timeline: timeline.to_owned(), calls: 20, ..Settings::default() };
        let machine = Machine::new(settings, Time::ZERO).unwrap_or_else(|e| panic!("{e}\n{}", e.excerpt()));
        let mut world = Self { machine, now: Time::ZERO };
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

    fn command(&mut self, command: Command) -> Vec<String> {
        self.machine.handle_command(self.now, command);
        self.told()
    }

    fn done(&mut self, run: u64, outcome: Outcome) -> Vec<String> {
        self.command(Command::AskDone { run: RunId(run), outcome })
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.machine.poll_event()).map(|event| short(&event)).collect()
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
}

/// An event in a few words; calls are left out.
fn short(event: &Event) -> String {
    let fields = |object: &Object| {
        let fields: Vec<String> = object
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_text().unwrap_or(Text::from_static("?"))))
            .collect();
        fields.join(" ")
    };
    match event {
        Event::Began { parties, .. } => format!("{} calls {}", parties.caller, parties.called),
        Event::Queued { queue, .. } => format!("in {queue}"),
        Event::Ringing { number, .. } => format!("{number} rings"),
        Event::RingStopped { number, cause, .. } => format!("{number} {cause:?}"),
        Event::Answered { number, .. } => format!("{number} answers"),
        Event::Left { number, .. } => format!("{number} leaves"),
        Event::Ended { answered, .. } => format!("ended {answered}"),
        Event::Ask { run, ask } => format!("ask {} {} {}", run.0, ask.method, fields(&ask.input)).trim_end().to_owned(),
        Event::AskCancelled { run } => format!("cancel {}", run.0),
        Event::Form { run, form } => {
            let run = run.map_or_else(|| "-".to_owned(), |run| run.0.to_string());
            format!("form {run} {} for {} {}", form.name, form.user, fields(&form.parameters)).trim_end().to_owned()
        }
        Event::CloseForm { run } => format!("close {}", run.0),
        Event::Phone { number, connected } => format!("{number} {}", if *connected { '+' } else { '-' }),
    }
}

fn client(manager: &'static str) -> Object {
    Object::new().with("clientid", "42").with("name", "Anna").with("manager", manager).with("vip", true)
}

#[test]
fn the_demonstration_goes_from_the_ring_to_the_card_to_the_saved_call() {
    let mut w = World::new(DEMO);
    assert_eq!(w.call("500"), ["7900 calls 500", "ask 1 FindClient phone=7900"]);
    assert_eq!(
        w.done(1, Outcome::Ok(client("ivanov"))),
        ["form 2 clientcard for ivanov phone=7900 clientid=42 client=Anna vip=true", "101 rings"]
    );
    w.pass(4_000);
    assert_eq!(w.answer("101"), ["101 answers"]);
    w.pass(30_000);
    assert_eq!(w.hangup("101"), ["101 leaves", "ended true"]);
    let card = Object::new().with("resultcode", "sold").with("comment", "two of them");
    let end = FormEnd::Answered { by: Text::from_static("ivanov"), output: card, comment: Text::new() };
    let saved = w.command(Command::FormDone { run: RunId(2), end });
    assert_eq!(saved, ["ask 3 SaveCall phone=7900 result=sold comment=two of them"]);
    assert_eq!(w.done(3, Outcome::Ok(Object::new())), [""; 0]);
    assert_eq!(w.machine.calls(), 0);
    assert_eq!(w.said(), ["Welcome. One moment, please."]);
}

#[test]
fn without_a_crm_everybody_rings_and_whoever_answers_sees_the_card() {
    let mut w = World::new(DEMO);
    w.call("500");
    let fallback = Object::new().with("manager", "");
    assert_eq!(w.done(1, Outcome::Fallback(fallback)), ["101 rings", "102 rings", "103 rings", "104 rings"]);
    assert_eq!(
        w.answer("103"),
        ["101 Elsewhere", "102 Elsewhere", "104 Elsewhere", "103 answers", "form 2 clientcard for 103 phone=7900"]
    );
    assert_eq!(w.hangup("7900"), ["103 leaves", "ended true"]);
    // The card was not filled in: after two minutes the call is saved without it.
    assert_eq!(w.pass(119_000), [""; 0]);
    assert_eq!(w.pass(1_000), ["ask 3 SaveCall phone=7900"]);
    assert_eq!(w.done(3, Outcome::Failed("disk full".to_owned())), [""; 0]);
    assert_eq!(w.said().last().unwrap(), "The call of 7900 was not saved: failed disk full");
}

#[test]
fn a_manager_who_does_not_answer_is_followed_by_everybody() {
    let mut w = World::new(DEMO);
    w.call("500");
    w.done(1, Outcome::Ok(client("petrov")));
    assert_eq!(w.pass(19_999), [""; 0]);
    assert_eq!(w.pass(1), ["102 NoAnswer", "close 2", "101 rings", "102 rings", "103 rings", "104 rings"]);
    assert_eq!(w.pass(60_000).last().unwrap(), "ended false");
}

#[test]
fn a_form_that_is_taken_back_leaves_its_name_to_the_next() {
    let script = "on 500 {\nform a for 101 as card\nring 102 for 5s\nclose card\nform a for 103 as card\nclose card\n\
                  wait 1m\nsay \"{card:outcome} {card:by}\"\nclose card\n}";
    let mut w = World::new(script);
    assert_eq!(w.call("500"), ["7900 calls 500", "form 1 a for 101", "102 rings"]);
    assert_eq!(w.pass(5_000), ["102 NoAnswer", "close 1", "form 2 a for 103", "close 2"]);
    let answered = |by| FormEnd::Answered { by: Text::from_static(by), output: Object::new(), comment: Text::new() };
    // It was answered at the moment it was taken back: that counts for the form the name stands for.
    w.command(Command::FormDone { run: RunId(2), end: answered("third") });
    w.command(Command::FormDone { run: RunId(1), end: answered("first") });
    assert_eq!(w.pass(60_000), ["ended false"], "nothing is left to close");
    assert_eq!(w.said(), ["answered third"]);
}

#[test]
fn a_hang_up_cancels_the_ask_and_its_answer_is_ignored_and_counted() {
    let mut w = World::new("on 500 {\nask M deadline 5s as m\nring 101\nafter {\nsay \"{m:outcome}\"\n}\n}");
    w.call("500");
    assert_eq!(w.hangup("7900"), ["cancel 1", "ended false"]);
    assert_eq!(w.said(), ["cancelled"]);
    assert_eq!(w.done(1, Outcome::Ok(client("ivanov"))), [""; 0]);
    assert_eq!(w.done(77, Outcome::Timeout), [""; 0]);
    w.command(Command::AskLate { run: RunId(1), output: Object::new() });
    w.command(Command::FormDone { run: RunId(1), end: FormEnd::Closed });
    assert_eq!(w.machine.counters().ignored_answers, 4);
}

#[test]
fn one_run_has_one_result() {
    let mut w = World::new("on 500 {\nask M as m\nsay {m.name}\nwait 1m\nsay {m.name}\n}");
    w.call("500");
    w.done(1, Outcome::Ok(Object::new().with("name", "first")));
    w.done(1, Outcome::Ok(Object::new().with("name", "second")));
    assert_eq!(w.pass(60_000), ["ended false"]);
    assert_eq!(w.said(), ["first", "first"]);
    assert_eq!(w.machine.counters().ignored_answers, 1);
}

#[test]
fn a_late_result_is_seen_by_later_steps() {
    let script = "on 500 {\nask M deadline 1s late 10s fallback a=1 as m\nsay \"{m:outcome} {m.a}\"\nwait 5s\nsay \"{m:outcome} {m.a}\"\n\
                  if late m { say yes }\n}";
    let mut w = World::new(script);
    w.call("500");
    w.pass(1_000);
    w.done(1, Outcome::Fallback(Object::new().with("a", 1)));
    w.pass(2_000);
    w.command(Command::AskLate { run: RunId(1), output: Object::new().with("a", 2) });
    w.command(Command::AskLate { run: RunId(1), output: Object::new().with("a", 3) });
    w.pass(5_000);
    assert_eq!(w.said(), ["fallback 1", "late 2", "yes"]);
    assert_eq!(w.machine.counters().ignored_answers, 1);
}

#[test]
fn a_gateway_that_never_answers_does_not_hang_a_scenario() {
    let mut w = World::new("on 500 {\nask M deadline 3s fallback a=1 as m\nsay {m.a}\nask N as n\nsay {n:outcome}\n}");
    w.call("500");
    assert_eq!(w.pass(7_999), [""; 0]);
    assert_eq!(w.pass(1), ["cancel 1", "ask 2 N"]);
    assert_eq!(w.pass(65_000), ["cancel 2", "ended false"]);
    assert_eq!(w.odd(), ["the gateway never answered an ask"; 2]);
}

#[test]
fn every_outcome_has_its_word() {
    for (outcome, word) in [
        (Outcome::Ok(Object::new()), "ok"),
        (Outcome::Fallback(Object::new()), "fallback"),
        (Outcome::Failed("x".to_owned()), "failed"),
        (Outcome::Timeout, "timeout"),
        (Outcome::Cancelled, "cancelled"),
        (Outcome::NoLink, "nolink"),
        (Outcome::OpenCircuit, "circuit"),
        (Outcome::NoMethod, "nomethod"),
        (Outcome::BadInput("x".to_owned()), "badinput"),
    ] {
        let mut w =
            World::new(&format!("on 500 {{\nask M as m\nif {word} m {{ say {{m:outcome}} }} else {{ say no }}\n}}"));
        w.call("500");
        w.done(1, outcome);
        assert_eq!(w.said(), [word]);
    }
}

#[test]
fn a_form_can_be_waited_for() {
    let script = "on 500 {\nform card for ivanov wait 30s as card\nsay \"{card:outcome} {card.code} {card:by} {card:comment}\"\n}";
    let mut w = World::new(script);
    assert_eq!(w.call("500"), ["7900 calls 500", "form 1 card for ivanov"]);
    let output = Object::new().with("code", 7);
    let end = FormEnd::Answered { by: Text::from_static("ivanov"), output, comment: Text::from_static("fine") };
    assert_eq!(w.command(Command::FormDone { run: RunId(1), end }), ["ended false"]);
    assert_eq!(w.said(), ["answered 7 ivanov fine"]);

    let mut w = World::new(script);
    w.call("500");
    assert_eq!(w.pass(30_000), ["ended false"]);
    assert_eq!(w.said(), ["timeout   "]);
}

#[test]
fn a_form_nobody_wants_to_know_of_has_no_run_and_one_for_nobody_is_not_opened() {
    let mut w = World::new("on 500 {\nform card for 101\nform card for {user} as card\nsay {card:outcome}\n}");
    assert_eq!(w.call("500"), ["7900 calls 500", "form - card for 101", "ended false"]);
    assert_eq!(w.said(), ["refused"]);
}

#[test]
fn phones_do_what_they_were_told() {
    let mut w = World::new(
        "phone 101 busy\nphone 102 unreachable\nphone 103 refuses after 2s\nphone 104 never answers\n\
         on 500 {\nring everyone for 10s\n}",
    );
    assert_eq!(w.call("500"), ["7900 calls 500", "101 Busy", "102 Unreachable", "103 rings", "104 rings"]);
    assert_eq!(w.pass(2_000), ["103 Refused"]);
    assert!(matches!(
        w.order(Control::Answer { number: Text::from_static("104") }),
        Err(ControlError::NeverAnswers(_))
    ));
    assert_eq!(w.pass(8_000), ["104 NoAnswer", "ended false"]);
}

#[test]
fn a_phone_can_answer_and_hang_up_by_itself() {
    let mut w = World::new("phone 101 answers after 3s talks 10s\nat 1s incoming 7900 101\n");
    assert_eq!(w.pass(1_000), ["7900 calls 101", "101 rings"]);
    assert_eq!(w.pass(3_000), ["101 answers"]);
    assert_eq!(w.pass(10_000), ["101 leaves", "ended true"]);
}

#[test]
fn changing_a_phone_while_it_rings_does_not_change_what_it_was_about_to_do() {
    let mut w = World::new("phone 101 answers after 3s\nat 1s incoming 7900 101\nat 2s phone 101 rings\n");
    assert_eq!(w.pass(4_000), ["7900 calls 101", "101 rings", "101 answers"]);
}

#[test]
fn a_phone_that_goes_away_stops_ringing_or_ends_its_talk() {
    let gone = |connected| Control::Phone { number: Text::from_static("101"), connected };
    let mut w = World::new("");
    w.call("101");
    w.order(gone(false)).unwrap();
    assert_eq!(w.told(), ["101 -", "101 Unreachable", "ended false"]);
    w.order(gone(false)).unwrap();
    assert_eq!(w.told(), [""; 0]);
    w.order(gone(true)).unwrap();
    w.call("101");
    w.answer("101");
    w.order(gone(false)).unwrap();
    assert_eq!(w.told(), ["101 -", "101 leaves", "ended true"]);
}

#[test]
fn one_phone_has_one_line() {
    let mut w = World::new("");
    w.call_from("1", "101");
    assert_eq!(w.call_from("2", "101"), ["2 calls 101", "101 Busy", "ended false"]);
    w.answer("101");
    assert_eq!(w.call_from("3", "101"), ["3 calls 101", "101 Busy", "ended false"]);
}

#[test]
fn a_ring_that_is_answered_ends_the_scenario_and_its_block_runs_meanwhile() {
    let mut w = World::new(
        "on 500 {\nring 101, 102 { \nask M user={user}\nsay talking\n}\nsay never\nafter {\nsay after\n}\n}",
    );
    w.call("500");
    assert_eq!(w.answer("102"), ["101 Elsewhere", "102 answers", "ask 1 M user=petrov"]);
    w.done(1, Outcome::Timeout);
    assert_eq!(w.said(), ["talking"]);
    assert_eq!(w.hangup("102"), ["102 leaves", "ended true"]);
    assert_eq!(w.said(), ["after"]);
}

#[test]
fn hanging_up_while_the_talk_asks_cancels_it() {
    let mut w = World::new("on 500 {\nring 101 { \nask M\n}\n}");
    w.call("500");
    w.answer("101");
    assert_eq!(w.hangup("101"), ["cancel 1", "101 leaves", "ended true"]);
}

#[test]
fn ringing_knows_logins_and_skips_who_is_not_there() {
    let mut w = World::new(
        "on 500 {\nset who = {caller}\nring {who}, sidorova, sidorova for 5s\nring {callername}\nsay end\n}",
    );
    assert_eq!(w.call("500"), ["7900 calls 500", "103 rings"]);
    assert_eq!(w.pass(5_000), ["103 NoAnswer", "ended false"]);
    assert_eq!(w.odd(), ["there is no number or login `7900` to ring (line 3)"]);
}

#[test]
fn a_queue_rings_all_its_free_members_in_rounds() {
    let mut w = World::new("");
    assert_eq!(w.call("600"), ["7900 calls 600", "in 600", "101 rings", "102 rings", "103 rings"]);
    assert_eq!(w.pass(15_000), ["101 NoAnswer", "102 NoAnswer", "103 NoAnswer"]);
    assert_eq!(w.pass(1_000), ["101 rings", "102 rings", "103 rings"]);
    assert_eq!(w.answer("102"), ["101 Elsewhere", "103 Elsewhere", "102 answers"]);
    assert_eq!(w.hangup("102"), ["102 leaves", "ended true"]);
}

#[test]
fn a_linear_queue_begins_with_its_first_member_and_a_rotating_one_goes_on() {
    let round = |queue: &'static str| {
        let mut w = World::new("");
        let mut rung = Vec::new();
        for _ in 0..2 {
            rung.extend(w.call(queue).into_iter().filter(|e| e.contains("rings")));
            rung.extend(w.pass(16_000).into_iter().filter(|e| e.contains("rings")));
            w.hangup("7900");
        }
        rung
    };
    assert_eq!(round("601"), ["101 rings", "102 rings", "101 rings", "102 rings"]);
    assert_eq!(round("602"), ["101 rings", "102 rings", "103 rings", "101 rings"]);
}

#[test]
fn who_waited_longest_is_served_first() {
    let mut w = World::new("");
    for number in ["101", "102", "103"] {
        w.call_from("1", number);
        w.answer(number);
    }
    assert_eq!(w.call_from("2", "600"), ["2 calls 600", "in 600"]);
    assert_eq!(w.call_from("3", "600"), ["3 calls 600", "in 600"]);
    assert_eq!(w.hangup("102"), ["102 leaves", "ended true", "102 rings"]);
    assert_eq!(w.answer("102"), ["102 answers"]);
    assert_eq!(w.hangup("2"), ["102 leaves", "ended true", "102 rings"]);
    assert_eq!(w.hangup("3"), ["102 CallerGone", "ended false"]);
}

#[test]
fn a_caller_leaves_a_queue_when_the_time_is_over() {
    let mut w = World::new("on 500 {\nqueue 601 for 20s { \nsay talking\n}\nsay sorry\n}");
    w.call("500");
    assert_eq!(w.pass(20_000), ["101 NoAnswer", "102 rings", "102 NoAnswer", "ended false"]);
    assert_eq!(w.said(), ["sorry"]);
}

#[test]
fn a_queue_of_busy_phones_does_not_spin() {
    let mut w = World::new("phone 101 busy\nphone 102 busy\nphone 103 busy\n");
    assert_eq!(w.call("601").len(), 3);
    assert_eq!(
        w.pass(10_000),
        [
            "102 Busy", "103 Busy", "101 Busy", "102 Busy", "103 Busy", "101 Busy", "102 Busy", "103 Busy", "101 Busy",
            "102 Busy"
        ]
    );
}

#[test]
fn patience_and_the_longest_call_end_a_call() {
    let mut w = World::new("at 0s incoming 7900 101 \"Anna\" for 5s\n");
    assert_eq!(w.pass(5_000), ["7900 calls 101", "101 rings", "101 CallerGone", "ended false"]);
    w.call("101");
    w.answer("101");
    assert_eq!(w.pass(4 * 3_600_000), ["101 leaves", "ended true"]);
}

#[test]
fn orders_that_make_no_sense_say_why() {
    let mut w = World::new("");
    let incoming = |called: &'static str, caller: &'static str| Control::Incoming {
        caller: Text::from_static(caller),
        name: Text::new(),
        called: Text::from_static(called),
    };
    let number = Text::from_static;
    let told = |done: Result<Done, ControlError>| done.unwrap_err().to_string();
    assert_eq!(told(w.order(incoming("999", "7900"))), "nobody answers for the number 999");
    assert_eq!(told(w.order(incoming("101", ""))), "the caller's number is empty or longer than 64 bytes");
    assert_eq!(told(w.order(Control::Answer { number: number("101") })), "the phone of 101 does not ring");
    assert_eq!(told(w.order(Control::Answer { number: number("999") })), "nobody answers for the number 999");
    assert_eq!(told(w.order(Control::Hangup { number: number("101") })), "101 has no call");
    assert_eq!(told(w.order(Control::Hangup { number: number("7900") })), "7900 has no call");
    assert_eq!(
        told(w.order(Control::Phone { number: number("999"), connected: true })),
        "nobody answers for the number 999"
    );
    let play = Control::Play { timeline: "at 1s answer 999".to_owned() };
    assert_eq!(
        told(w.order(play)),
        "line 1, column 14: found `999`, expected the number of a phone (101, 102, 103, 104)"
    );
    for n in 0..20 {
        assert!(w.order(incoming("600", "7900")).is_ok(), "{n}");
    }
    assert_eq!(told(w.order(incoming("600", "7900"))), "20 calls at once are the most");
}

#[test]
fn numbers_that_are_not_there_are_found_before_anything_runs() {
    for (timeline, found) in [
        ("phone 999 busy", "line 1, column 7: found `999`, expected the number of a phone"),
        (
            "on 500 {\nif {caller} { ring 101, nobody }\n}",
            "line 2, column 25: found `nobody`, expected the number or login",
        ),
        ("on 500 {\nqueue 101\n}", "line 2, column 1: found `101`, expected the number of a queue (600, 601, 602)"),
        ("at 1s incoming 1 500", "line 1, column 18: found `500`, expected a number that a scenario"),
    ] {
        let told = check(timeline, &directory()).unwrap_err().to_string();
        assert!(told.starts_with(found), "{told}");
    }
    assert!(check("on any { }\nat 1s incoming 1 500", &directory()).is_ok());
    assert!(check(DEMO, &directory()).is_ok());
}

#[test]
fn a_timeline_can_be_played_later_and_replaces_what_it_names() {
    let mut w = World::new("on 500 { say old }");
    w.pass(10_000);
    let timeline = "on 500 { say new }\nphone 101 busy\nat 1s incoming 1 500\nat 2s incoming 2 101".to_owned();
    assert_eq!(w.order(Control::Play { timeline }), Ok(Done::Playing { scenarios: 1, cues: 2 }));
    assert_eq!(w.pass(1_000), ["1 calls 500", "ended false"]);
    assert_eq!(w.said(), ["new"]);
    assert_eq!(w.pass(1_000), ["2 calls 101", "101 Busy", "ended false"]);
}

#[test]
fn the_caller_who_hangs_up_in_a_timeline_is_the_newest() {
    let mut w = World::new(
        "at 1s incoming 1 101\nat 2s incoming 2 102\nat 3s caller hangs up\nat 4s caller hangs up\nat 5s caller hangs up",
    );
    w.pass(2_000);
    assert_eq!(w.pass(1_000), ["102 CallerGone", "ended false"]);
    assert_eq!(w.pass(1_000), ["101 CallerGone", "ended false"]);
    assert_eq!(w.pass(1_000), [""; 0]);
    assert_eq!(w.odd(), ["the timeline: the caller has no call"]);
}

#[test]
fn values_are_compared_as_they_would_be_written() {
    let holds = |condition: &str| {
        let mut w = World::new(&format!(
            "on 500 {{\nask M as m\nset n = 10\nif {condition} {{ say yes }} else {{ say no }}\n}}"
        ));
        w.call("500");
        let list = Value::Array(vec![Value::from(5), Value::from("six")]);
        w.done(1, Outcome::Ok(client("").with("list", list).with("score", "7.50").with("null", Value::Null)));
        w.said().remove(0) == "yes"
    };
    for yes in [
        "{m.vip} == true",
        "{m.vip} == \"true\"",
        "{m.vip}",
        "{m.score} == 7.5",
        "{m.score} < {n}",
        "{n} >= 10",
        "{n} > 9",
        "{n} <= 10",
        "{m.list.0} == 5",
        "{m.list.1} == six",
        "exists {m.manager}",
        "not {m.manager}",
        "not exists {m.null}",
        "not exists {m.nothing}",
        "{m.nothing} != 1",
        "{m.manager} == \"\"",
        "ok m",
        "not timeout m",
        "{m:outcome} == ok",
        "12345678901234567890 != \"12345678901234567891\"",
        "({caller} == 7900 or {caller} == 1) and {called} == 500",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "{m.vip} == false",
        "{m.list.9} == 5",
        "{m.name} < 5",
        "{m.nothing} == \"\"",
        "{m.nothing}",
        "{m.name.x}",
        "{n} < 10",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn what_does_not_exist_is_left_out_of_a_question() {
    let mut w = World::new("on 500 {\nask M as m\nask N a={m.a} b=\"x{m.a}\" c={m.name}\n}");
    w.call("500");
    assert_eq!(w.done(1, Outcome::Ok(client(""))), ["ask 2 N b=x c=Anna"]);
}

#[test]
fn a_text_that_doubles_itself_is_cut() {
    let doubling = "set x = \"{x}{x}\"\n".repeat(60);
    let mut w = World::new(&format!("on 500 {{\nset x = \"ж12345678\"\n{doubling}\nsay {{x}}\n}}"));
    w.call("500");
    let said = w.said().remove(0);
    assert!(said.len() <= 16 * 1024 && said.len() > 16 * 1024 - 4);
}

#[test]
fn ids_of_calls_come_from_the_seed() {
    let id = |seed| {
        let settings = Settings { directory: directory(), seed, ..Settings::default() };
        let mut machine = Machine::new(settings, Time::ZERO).unwrap();
        let number = Text::from_static("101");
        machine
            .handle_control(Time::ZERO, Control::Incoming { caller: number.clone(), name: Text::new(), called: number })
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    let Ok(Done::Call(call)) = id(1) else { panic!() };
    assert_eq!(call.0.len(), 36);
}

#[test]
fn stopping_ends_every_call_once_and_runs_no_after() {
    let mut w = World::new("on 500 {\nask M\nafter {\nask N\nsay after\n}\n}");
    w.call("500");
    w.call("600");
    w.call("500");
    w.hangup("7900");
    w.machine.end_all(w.now);
    let told = w.told();
    assert_eq!(told.iter().filter(|e| *e == "ended false").count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|e| e.starts_with("cancel")).count(), 2, "{told:?}");
    assert_eq!((w.machine.calls(), w.machine.poll_timeout()), (0, None));
}

/// One thing that can happen to the machine.
#[derive(Clone, Debug)]
enum Act {
    Pass(u64),
    Incoming(usize, usize),
    Answer(usize),
    Hangup(usize),
    Phone(usize, bool),
    AskDone(u64, u8),
    AskLate(u64),
    FormDone(u64, u8),
    Play(usize),
}

const NUMBERS: [&str; 12] = ["101", "102", "103", "104", "500", "501", "502", "600", "601", "602", "7900", "7901"];

/// Scenarios that go through everything the language has.
const EVERYTHING: &str = r#"
phone 104 answers after 2s talks 9s
on 500 "all" {
    answer
    ask A phone={caller} deadline 2s late 5s fallback manager=ivanov as a
    form card for {a.manager} n={a.n} as card
    if {a.manager} and not failed a { ring {a.manager}, 102 for 7s { ask B
 form other for {answeredby} wait 3s } } else if timeout a { queue 600 for 9s } else { wait 500ms }
    ring everyone for 4s
    after { await card 8s
 ask Save who={user} t={talked} deadline 3s }
}
on 501 { queue 601 for 30s { ask T } }
on 502 { form card for 101 wait 5s
 hangup
 after { ask Save } }
"#;

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let number = 0..NUMBERS.len();
    let act = prop_oneof![
        4 => (0u64..20_000).prop_map(Act::Pass),
        4 => (10usize..12, number.clone()).prop_map(|(from, to)| Act::Incoming(from, to)),
        4 => number.clone().prop_map(Act::Answer),
        3 => number.prop_map(Act::Hangup),
        1 => (0usize..4, any::<bool>()).prop_map(|(n, c)| Act::Phone(n, c)),
        6 => (0u64..40, 0u8..9).prop_map(|(run, how)| Act::AskDone(run, how)),
        1 => (0u64..40).prop_map(Act::AskLate),
        2 => (0u64..40, 0u8..4).prop_map(|(run, how)| Act::FormDone(run, how)),
        1 => (0usize..3).prop_map(Act::Play),
    ];
    proptest::collection::vec(act, 0..60)
}

fn perform(machine: &mut Machine, now: &mut Time, act: &Act) {
    let number = |at: usize| Text::from_static(NUMBERS[at]);
    match act {
        Act::Pass(millis) => {
            *now = *now + Duration::from_millis(*millis);
            machine.handle_timeout(*now);
        }
        Act::Incoming(from, to) => {
            let incoming = Control::Incoming { caller: number(*from), name: Text::new(), called: number(*to) };
            let _ = machine.handle_control(*now, incoming);
        }
        Act::Answer(at) => machine.handle_command(*now, Command::Answer { number: number(*at) }),
        Act::Hangup(at) => machine.handle_command(*now, Command::Hangup { number: number(*at) }),
        Act::Phone(at, connected) => {
            let _ = machine.handle_control(*now, Control::Phone { number: number(*at), connected: *connected });
        }
        Act::AskDone(run, how) => {
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
        Act::AskLate(run) => {
            machine.handle_command(*now, Command::AskLate { run: RunId(*run), output: Object::new() });
        }
        Act::FormDone(run, how) => {
            let end = match how {
                0 => FormEnd::Answered { by: number(0), output: Object::new(), comment: Text::new() },
                1 => FormEnd::Closed,
                2 => FormEnd::Expired,
                _ => FormEnd::Refused(String::new()),
            };
            machine.handle_command(*now, Command::FormDone { run: RunId(*run), end });
        }
        Act::Play(which) => {
            let timeline =
                ["at 1s incoming 7900 500 for 3s", "phone 101 busy\nat 3s phone 101 rings", "at 2s caller hangs up"];
            let _ = machine.handle_control(*now, Control::Play { timeline: timeline[*which].to_owned() });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Whatever happens: nothing panics, events of a call come in a possible order, a call ends once, nothing is left.
    #[test]
    fn every_call_ends_once_and_nothing_is_left(acts in acts()) {
        let settings = Settings { directory: directory(), timeline: EVERYTHING.to_owned(), calls: 8, ..Settings::default() };
        let mut machine = Machine::new(settings, Time::ZERO).unwrap();
        let mut now = Time::ZERO;
        let mut events = Vec::new();
        for act in &acts {
            perform(&mut machine, &mut now, act);
            events.extend(std::iter::from_fn(|| machine.poll_event()));
            prop_assert!(machine.calls() <= 8);
            prop_assert!(machine.poll_timeout().is_none_or(|at| at > now));
        }
        for _ in 0..3 {
            now = now + Duration::from_secs(5 * 60 * 60);
            machine.handle_timeout(now);
        }
        events.extend(std::iter::from_fn(|| machine.poll_event()));
        prop_assert_eq!(machine.calls(), 0);
        prop_assert_eq!(machine.poll_timeout(), None);
        prop_assert_eq!(machine.runs.len(), 0);
        check_order(&events)?;
    }

    /// Time that jumps and time that passes in small steps give the same events.
    #[test]
    fn how_often_the_clock_is_looked_at_does_not_matter(acts in acts(), step in 1u64..3_000) {
        let play = |step: u64| {
            let settings = Settings { directory: directory(), timeline: EVERYTHING.to_owned(), ..Settings::default() };
            let mut machine = Machine::new(settings, Time::ZERO).unwrap();
            let mut now = Time::ZERO;
            for act in &acts {
                let Act::Pass(millis) = act else {
                    perform(&mut machine, &mut now, act);
                    continue;
                };
                let until = now + Duration::from_millis(*millis);
                while now < until {
                    now = (now + Duration::from_millis(step)).min(until);
                    machine.handle_timeout(now);
                }
            }
            std::iter::from_fn(move || machine.poll_event()).collect::<Vec<_>>()
        };
        prop_assert_eq!(play(step), play(u64::from(u32::MAX)));
    }
}

/// The order any telephone system keeps.
fn check_order(events: &[Event]) -> Result<(), TestCaseError> {
    use std::collections::{BTreeMap, BTreeSet};
    let mut open: BTreeMap<&Text, bool> = BTreeMap::new();
    let mut ended: BTreeSet<&Text> = BTreeSet::new();
    let mut ringing: BTreeSet<(&Text, &Text)> = BTreeSet::new();
    let mut talking: BTreeMap<&Text, &Text> = BTreeMap::new();
    let mut runs: BTreeSet<RunId> = BTreeSet::new();
    for event in events {
        match event {
            Event::Began { call, .. } => {
                prop_assert!(!ended.contains(&call.0) && open.insert(&call.0, false).is_none(), "began twice");
            }
            Event::Queued { call, .. } => prop_assert!(open.contains_key(&call.0)),
            Event::Ringing { call, number } => {
                prop_assert!(open.contains_key(&call.0) && ringing.insert((&call.0, number)));
                prop_assert!(!talking.values().any(|n| *n == number), "rings while it talks");
                prop_assert_eq!(ringing.iter().filter(|(_, n)| *n == number).count(), 1, "two calls ring one phone");
            }
            Event::RingStopped { call, number, cause } => {
                prop_assert!(open.contains_key(&call.0));
                let rang = ringing.remove(&(&call.0, number));
                prop_assert!(rang || matches!(cause, RingEnd::Busy | RingEnd::Unreachable), "stopped without ringing");
            }
            Event::Answered { call, number } => {
                prop_assert!(ringing.remove(&(&call.0, number)), "answered without ringing");
                prop_assert!(!ringing.iter().any(|(c, _)| *c == &call.0), "others ring on");
                prop_assert!(talking.insert(&call.0, number).is_none());
                open.insert(&call.0, true);
            }
            Event::Left { call, number } => prop_assert_eq!(talking.remove(&call.0), Some(number)),
            Event::Ended { call, answered } => {
                prop_assert_eq!(open.remove(&call.0), Some(*answered), "ended wrongly");
                prop_assert!(ended.insert(&call.0));
                prop_assert!(!talking.contains_key(&call.0) && !ringing.iter().any(|(c, _)| *c == &call.0));
            }
            Event::Ask { run, ask } => {
                prop_assert!(runs.insert(*run), "a run twice");
                let call = &ask.call.as_ref().unwrap().0;
                prop_assert!(open.contains_key(call) || ended.contains(call));
            }
            Event::AskCancelled { run } => prop_assert!(runs.contains(run), "cancelled what was not asked"),
            Event::CloseForm { run } => prop_assert!(runs.contains(run), "closed what was not opened"),
            Event::Form { run, .. } => prop_assert!(run.is_none_or(|run| runs.insert(run))),
            Event::Phone { .. } => {}
        }
    }
    prop_assert!(open.is_empty(), "a call without an end");
    Ok(())
}
