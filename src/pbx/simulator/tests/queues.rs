//! Queues: who rings, in which order, and for whom.

use super::*;

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
    // 102 after a second, 103 after two, then pauses of two seconds, then of four.
    assert_eq!(w.pass(10_000), ["102 Busy", "103 Busy", "101 Busy", "102 Busy", "103 Busy"]);
}

/// Who rings for each of these calls to a queue, when everybody who rings answers, talks a second and hangs up.
fn rung(w: &mut World, queue: &'static str, calls: usize) -> Vec<String> {
    let mut rung = Vec::new();
    for _ in 0..calls {
        let told = w.call(queue);
        let rings = told.iter().find(|e| e.contains("rings")).expect("somebody rings").clone();
        let number = ["101", "102", "103"].into_iter().find(|n| rings.starts_with(n)).unwrap();
        rung.push(number.to_owned());
        w.answer(number);
        w.pass(1_000);
        w.hangup(number);
    }
    rung
}

#[test]
fn whoever_is_idle_longest_rings() {
    let mut w = World::new("");
    assert_eq!(rung(&mut w, "603", 4), ["101", "102", "103", "101"]);
    // Who talks outside of the queue is not idle either.
    w.talk("102", "104");
    w.pass(1_000);
    w.hangup("102");
    assert_eq!(rung(&mut w, "603", 3), ["103", "101", "102"]);
    // Who does not answer is followed by the others.
    w.call("603");
    assert_eq!(w.pass(16_000), ["103 NoAnswer", "101 rings"]);
    assert_eq!(w.pass(16_000), ["101 NoAnswer", "102 rings"]);
    assert_eq!(w.pass(16_000), ["102 NoAnswer", "103 rings"]);
}

#[test]
fn whoever_answered_the_fewest_calls_rings() {
    let mut w = World::new("");
    w.command(Command::Agent { number: text("101"), away: Some(Text::new()) });
    assert_eq!(rung(&mut w, "604", 2), ["102", "103"]);
    w.command(Command::Agent { number: text("101"), away: None });
    // 101 has answered none, then all have one and who is idle longest comes first.
    assert_eq!(rung(&mut w, "604", 2), ["101", "102"]);
}

#[test]
fn only_available_members_ring_until_told_otherwise() {
    let mut w = World::new("");
    w.command(Command::Agent { number: text("102"), away: Some(Text::new()) });
    assert_eq!(w.call("600"), ["7900 calls 600", "in 600", "101 rings", "103 rings"]);
    w.hangup("7900");
    for number in ["101", "103"] {
        w.command(Command::Agent { number: text(number), away: Some(Text::new()) });
    }
    assert_eq!(w.call("600"), ["7900 calls 600", "in 600"]);
    assert_eq!(w.command(Command::Agent { number: text("103"), away: None }), ["103 rings"]);
    // Who is not available for queues can still be called.
    assert_eq!(w.call_from("7901", "101"), ["7901 calls 101", "101 rings"]);
    w.command(Command::Agent { number: text("999"), away: Some(Text::new()) });
    assert_eq!(w.odd(), ["agent: nobody answers for the number 999"]);
}

#[test]
fn a_member_whose_calls_go_elsewhere_is_not_rung() {
    let mut w = World::new("");
    w.command(Command::Redirect { number: text("101"), to: Some(text("104")), cascade: false });
    assert_eq!(w.call("600"), ["7900 calls 600", "in 600", "102 rings", "103 rings"]);
}

#[test]
fn the_model_shows_who_waits_and_who_rings() {
    let mut w = World::new("");
    w.call_from(ANNA, "601");
    w.pass(2_000);
    let waiting = w.calls.waiting(Some("601"));
    assert_eq!((waiting.len(), &*waiting[0].caller.number, &*waiting[0].called), (1, ANNA, "601"));
    assert_eq!((&waiting[0].rings, waiting[0].since_ms), (&vec![text("101")], WALL_MS));
    let line = w.line("101");
    assert_eq!((line.phase, &*line.called, &*line.party.unwrap().number), (Phase::Ringing, "601", ANNA));
    let picture = w.picture();
    assert_eq!(picture.queues.iter().find(|q| q.number == "601").unwrap().waiting.len(), 1);
    assert_eq!(w.hears(ANNA), "music");
    w.answer("101");
    assert!(w.calls.waiting(None).is_empty());
}

#[test]
fn a_call_that_is_sent_to_a_queue_by_hand_waits_there() {
    let mut w = World::new("");
    w.talk_with_anna("104");
    w.act("104", Act::Transfer { to: text("600") }).unwrap();
    assert_eq!(w.calls.waiting(Some("600")).len(), 1);
    w.answer("103");
    assert!(w.talks_with("103", ANNA));
    w.hangup(ANNA);
    w.nothing_left();
    let entry = w.entry();
    assert_eq!((entry.queues.len(), &*entry.queues[0].queue), (1, "600"));
}

#[test]
fn a_caller_who_waits_very_long_does_not_fill_the_memory() {
    let mut w = World::new("phone 101 busy\nphone 102 busy\nphone 103 busy\n");
    w.call_from(ANNA, "600");
    w.pass(3 * 3_600_000);
    assert!(w.legs.len() < 1_100, "{}", w.legs.len());
    w.hangup(ANNA);
    w.nothing_left();
}
