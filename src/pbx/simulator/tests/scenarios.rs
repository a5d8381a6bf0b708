//! Scenarios, phones and timelines.

use ctigate_proto::message::Value;
use ctigate_proto::telephony::FormEnd;

use super::*;

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
        (
            "on 500 {\nqueue 101\n}",
            "line 2, column 1: found `101`, expected the number of a queue (600, 601, 602, 603, 604)",
        ),
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
