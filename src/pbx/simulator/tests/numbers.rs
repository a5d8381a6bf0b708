//! Other numbers and queues while the exchange runs.

use super::*;

fn with(number: &'static str, login: &'static str) -> Directory {
    let mut new = directory();
    let extension = Extension { number: text(number), name: text(login), login: Some(text(login)) };
    new.extensions.push(extension);
    new
}

fn without(number: &str) -> Directory {
    let mut new = directory();
    new.extensions.retain(|extension| extension.number != number);
    new.queues.iter_mut().for_each(|queue| queue.members.retain(|member| member != number));
    new
}

#[test]
fn a_new_number_is_rung_at_once_by_its_number_and_by_its_login() {
    let mut w = World::new("");
    let incoming = Control::Incoming { caller: text(ANNA), name: Text::new(), called: text("105") };
    assert_eq!(w.order(incoming), Err(ControlError::NoSuchNumber(text("105"))));
    assert_eq!(w.rebuild(&with("105", "popov")), ["105 +"]);
    assert_eq!(w.call_from(ANNA, "105"), ["79001112233 calls 105", "105 rings"]);
    w.hangup(ANNA);
    // A timeline may name whoever is there by now.
    w.order(Control::Play { timeline: "on 500 {\nring popov\n}".to_owned() }).unwrap();
    assert_eq!(w.call_from(ANNA, "500"), ["79001112233 calls 500", "105 rings"]);
    w.hangup(ANNA);
    assert_eq!(w.rebuild(&with("105", "popov")), Vec::<String>::new(), "the same again tells nothing");
}

#[test]
fn a_talk_outlives_its_number_and_nobody_rings_it_any_more() {
    let mut w = World::new("");
    w.talk_with_anna("104");
    assert_eq!(w.rebuild(&without("104")), ["104 -"]);
    assert!(w.talks_with("104", ANNA), "nothing drops");
    assert_eq!(w.call_from(BORIS, "104")[1..], ["104 Unreachable", "ended false"]);
    w.hangup("104");
    let incoming = Control::Incoming { caller: text(ANNA), name: Text::new(), called: text("104") };
    assert_eq!(w.order(incoming), Err(ControlError::NoSuchNumber(text("104"))));
    assert_eq!(w.rebuild(&directory()), ["104 +"]);
    assert_eq!(w.call_from(ANNA, "104"), ["79001112233 calls 104", "104 rings"]);
    w.hangup(ANNA);
    // Back before the talk is over.
    w.talk_with_anna("104");
    w.rebuild(&without("104"));
    assert_eq!(w.rebuild(&directory()), ["104 +"]);
    w.hangup("104");
    assert_eq!(w.call_from(ANNA, "104"), ["79001112233 calls 104", "104 rings"]);
    w.hangup(ANNA);
    w.nothing_left();
}

#[test]
fn a_queue_gets_members_and_loses_them_while_callers_wait() {
    let mut w = World::new("");
    let only = |members: &[&str]| {
        let mut new = directory();
        new.queues[0].members = members.iter().map(|member| text(member)).collect();
        new
    };
    w.rebuild(&only(&[]));
    assert_eq!(w.call_from(ANNA, "600"), ["79001112233 calls 600", "in 600"]);
    assert_eq!(w.rebuild(&only(&["104"])), ["104 rings"]);
    assert_eq!(w.rebuild(&only(&["103"])), Vec::<String>::new(), "who rings may answer");
    assert_eq!(w.answer("104"), ["104 answers"]);
    w.hangup(ANNA);
    assert_eq!(w.call_from(ANNA, "600")[2..], ["103 rings"]);
    w.hangup(ANNA);
    w.nothing_left();
}

#[test]
fn who_waits_in_a_queue_that_is_no_more_goes_on_as_if_nobody_had_answered() {
    let mut w = World::new("on 500 {\nqueue 601 for 60s\nring 104\n}");
    assert_eq!(w.call_from(ANNA, "500")[1..], ["in 601", "101 rings"]);
    assert_eq!(w.call_from(BORIS, "601")[1..], ["in 601", "102 rings"]);
    let mut new = directory();
    new.queues.retain(|queue| queue.number != "601");
    let told = w.rebuild(&new);
    assert!(
        ["101 NoAnswer", "102 NoAnswer", "104 rings", "ended false"].iter().all(|t| told.iter().any(|is| is == t)),
        "{told:?}"
    );
    // The end of the wait that is no more disturbs nobody.
    assert_eq!(w.answer("104"), ["104 answers"]);
    assert_eq!(w.pass(60_000), Vec::<String>::new());
    assert!(w.talks_with("104", ANNA));
    w.hangup(ANNA);
    w.nothing_left();
}
