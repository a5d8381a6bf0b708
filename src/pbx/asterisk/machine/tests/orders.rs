//! What people want of their phones: the machine sends what it sent when it was recorded, and tells what comes of it.

use ctigate_proto::Time;
use ctigate_proto::telephony::{Act, CallId, Command, EndCause, Event, Fact, LegState, OrderId, Refusal};

use super::super::super::ami::Message;
use super::super::{Machine, Now, Out};
use super::play::{Line, lines, plan, play_with};
use super::{Told, play};

fn refused(told: &Told) -> Vec<(u64, Refusal)> {
    told.done.iter().filter_map(|(order, result)| Some((*order, result.err()?))).collect()
}

/// Every order has been answered once, in order.
fn answered(told: &Told, orders: u64) {
    let numbers: Vec<u64> = told.done.iter().map(|(order, _)| *order).collect();
    assert_eq!(numbers, (1..=orders).collect::<Vec<_>>());
}

#[test]
fn calls_for_a_user_in_both_orders() {
    let told = play(include_str!("transcripts/dials.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 ringing user",
            "1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "1:101 hangup, 2:102 othergone, over1",
            "call2 101>102, 3:101 planned abonent",
            "4:102 ringing for 3",
            "4:102 up, 3:101 ringing",
            "4:102 up t2, 3:101 up t2",
            "3:101 hangup, 4:102 othergone, over2",
            "call3 101>102, 5:101 planned abonent",
            "6:102 ringing for 5",
            "5:101 hangup, 6:102 callergone for 5, over3",
            "call4 101>102, 7:101 ringing user",
            "7:101 refused, over4",
            "call5 101>102, 8:101 ringing user",
            "8:101 up t3, 9:102 up t3",
            "8:101 hangup, 9:102 othergone, over5",
            "call6 101>102, 10:101 waiting, 11:102 ringing for 10",
            "10:101 up t4, 11:102 up t4",
            "10:101 othergone, 11:102 hangup, over6",
            "call7 101>102, 12:101 waiting, 13:102 ringing for 12",
            "12:101 othergone, 13:102 refused for 12, over7",
        ]
    );
    answered(&told, 14);
    assert_eq!(refused(&told), [(9, Refusal::NoPhone)]);
}

#[test]
fn who_answers_the_call_back_is_told_of_once_both_are_connected() {
    let whole = lines(include_str!("transcripts/dials.txt"));
    let bridged = 3_952_844;
    let at = whole.iter().position(|(at, _)| *at == bridged).expect("the bridge of the call-back");
    let moved = |(at, line): &(u64, Line)| (at + 100_000, line.clone());
    let mut late = whole[..at].to_vec();
    // Time enough to tell what is known so far.
    late.push((bridged + 50_000, Line::Tick));
    late.extend(whole[at..].iter().map(moved));
    assert_eq!(play_with(late, false, true).story, play_with(whole, false, true).story);
}

#[test]
fn somebody_is_held_and_another_asked_back() {
    let told = play(include_str!("transcripts/consults.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "2:102 up t1 holds, recorded t1",
            "1:101 up t2, 2:102 up t2",
            "2:102 up t2 holds, 3:102 waiting, 4:103 ringing for 3, recorded t2",
            "3:102 up t3, 4:103 up t3",
            "1:101 up t4, 3:102 up t3 holds, 2:102 up t4, recorded t3",
            "2:102 up t4 holds, 3:102 up t5, 4:103 up t5, recorded t4",
            "1:101 up t6, 4:103 up t6, 2:102 transferred holds, 3:102 transferred, recorded t5",
            "1:101 othergone, 4:103 hangup, recorded t6, over1",
            "call2 101>102, 5:101 waiting, 6:102 ringing for 5",
            "5:101 up t7, 6:102 up t7",
            "6:102 up t7 holds, 7:102 waiting, 8:103 ringing for 7, recorded t7",
            "7:102 up t8, 8:103 up t8",
            "5:101 up t9, 8:103 up t9, 6:102 transferred holds, 7:102 transferred, recorded t8",
            "5:101 othergone, 8:103 hangup, recorded t9, over2",
            "call3 101>102, 9:101 waiting, 10:102 ringing for 9",
            "9:101 up t10, 10:102 up t10",
            "10:102 up t10 holds, 11:102 waiting, 12:103 ringing for 11, recorded t10",
            "9:101 up t11, 10:102 up t11, 11:102 othergone, 12:103 refused for 11",
            "10:102 up t11 holds, 13:102 waiting, 14:103 ringing for 13, recorded t11",
            "13:102 up t12, 14:103 up t12",
            "9:101 up t13, 10:102 up t13, 13:102 hangup, 14:103 othergone, recorded t12",
            "10:102 up t13 holds, 15:102 waiting, 16:103 ringing for 15, recorded t13",
            "9:101 up t14, 10:102 up t14, 15:102 hangup, 16:103 callergone for 15",
            "9:101 othergone, 10:102 hangup, recorded t14, over3",
        ]
    );
    answered(&told, 13);
    assert_eq!(refused(&told), []);
}

#[test]
fn calls_are_handed_on() {
    let told = play(include_str!("transcripts/transfers.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "2:102 up t1 holds, 3:102 waiting, 4:103 ringing for 3",
            "3:102 up t2, 4:103 up t2",
            "1:101 othergone, 2:102 hangup holds",
            "3:102 hangup, 4:103 othergone, over1",
            "call2 101>102, 5:101 waiting, 6:102 ringing for 5",
            "5:101 up t3, 6:102 up t3",
            "6:102 up t3 holds, 7:102 waiting, 8:103 ringing for 7",
            "7:102 up t4, 8:103 up t4",
            "5:101 up t5, 6:102 up t5, 8:103 waiting, 9:104 ringing for 8, 7:102 transferred",
            "8:103 up t6, 9:104 up t6",
            "5:101 othergone, 6:102 hangup",
            "8:103 othergone, 9:104 hangup, over2",
            "call3 101>102, 10:101 waiting, 11:102 ringing for 10",
            "10:101 up t7, 11:102 up t7",
            "11:102 up t7 holds, 12:102 waiting, 13:103 ringing for 12",
            "10:101 waiting, 14:103 ringing for 10, 11:102 transferred holds, 12:102 transferred, 13:103 callergone for 12",
            "10:101 up t8, 14:103 up t8",
            "10:101 othergone, 14:103 hangup, over3",
            "call4 101>102, 15:101 waiting, 16:102 ringing for 15",
            "15:101 up t9, 16:102 up t9",
            "15:101 waiting, 17:103 ringing for 15, 16:102 transferred",
            "15:101 othergone, 17:103 refused for 15, over4",
            "call5 101>102, 18:101 waiting, 19:102 ringing for 18",
            "18:101 up t10, 19:102 up t10",
            "19:102 up t10 holds",
            "18:101 hangup, 19:102 othergone holds",
            "over5",
            "call6 101>102, 20:101 waiting, 21:102 ringing for 20",
            "20:101 up t11, 21:102 up t11",
            "21:102 up t11 holds",
            "20:101 up, 21:102 hangup holds",
            "20:101 othergone, over6",
        ]
    );
    answered(&told, 11);
    assert_eq!(refused(&told), []);
}

#[test]
fn conferences_are_made_and_left() {
    let told = play(include_str!("transcripts/conferences.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, c1, 1:101 ringing c1 user, 2:103 ringing c1 for 1, 3:102 ringing c1 for 1",
            "1:101 up c1",
            "3:102 up c1",
            "2:103 up c1",
            "2:103 kicked",
            "c1 over, 1:101 hangup, recorded t1",
            "3:102 othergone, over1",
            "call2 101>102, 4:101 waiting, 5:102 ringing for 4",
            "4:101 up t2, 5:102 up t2",
            "c3, 4:101 up c3, 5:102 up c3, recorded t2",
            "6:103 ringing c3 for 5",
            "6:103 up c3",
            "5:102 up c3 holds",
            "7:102 waiting, 8:104 ringing for 7",
            "7:102 up t4, 8:104 up t4",
            "5:102 up c3, 8:104 up c3, 7:102 transferred, recorded t4",
            "5:102 hangup",
            "8:104 hangup",
            "c3 over, 6:103 hangup, recorded t3",
            "4:101 othergone, over2",
        ]
    );
    answered(&told, 9);
    assert_eq!(refused(&told), []);
}

#[test]
fn somebody_listens_in() {
    let told = play(include_str!("transcripts/listening.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "c2 monitor 2, 3:103 ringing c2 ghost user",
            "3:103 up c2 ghost",
            "c2 help 2",
            "c2 conference 2",
            "c2 monitor 1",
            "c2 monitor 1 over, 1:101 hangup, 2:102 othergone, 3:103 othergone ghost, over1",
        ]
    );
    answered(&told, 4);
    assert_eq!(refused(&told), []);
}

#[test]
fn a_gap_in_a_consultation() {
    let told = play(include_str!("transcripts/gaps.txt"));
    assert_eq!(
        told.story,
        [
            "call1 101>102, 1:101 waiting, 2:102 ringing for 1",
            "1:101 up t1, 2:102 up t1",
            "2:102 up t1 holds, recorded t1",
            "3:102 waiting, 4:103 ringing for 3",
            "3:102 up t2, 4:103 up t2",
            "1:101 up t3, 3:102 up t2 holds, 2:102 up t3, recorded t2",
            "call2 104>101, 5:104 waiting, 6:101 ringing for 5, 1:101 unseen, 2:102 unseen, 3:102 unseen holds, 4:103 unseen, recorded t3, over1",
            "5:104 hangup, 6:101 callergone for 5, over2",
        ]
    );
    answered(&told, 3);
    assert_eq!(refused(&told), []);
}

/// Whoever connected two others and is slow to go has handed the call on, however short their talk was.
#[test]
fn who_connects_two_and_goes_late_has_handed_the_call_on() {
    let (joined, over) = (4_740_865, 5_466_301);
    let late =
        |line: &Line| matches!(line, Line::Said(m) if m.event() == "Hangup" && m.get("Uniqueid") == "1795325420.1851");
    for wait in [100_000, 1_000_000, 3_000_000] {
        let mut lines = lines(include_str!("transcripts/consults.txt"));
        lines.retain(|(at, _)| *at <= over);
        for (at, line) in &mut lines {
            if *at > joined && late(line) {
                *at = over + wait;
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        let told = play_with(lines, true, false);
        let of_102: Vec<EndCause> =
            told.entries()[0].legs.iter().filter(|leg| leg.end.number() == "102").map(|leg| leg.cause).collect();
        assert_eq!(of_102, [EndCause::Transferred; 2], "{wait}: {:#?}", told.story);
    }
}

pub(super) fn at(ms: u64) -> Now {
    Now { mono: Time::from_millis(ms), wall_ms: 1_800_000_000_000 + i64::try_from(ms).unwrap() }
}

pub(super) fn said(machine: &mut Machine, ms: u64, fields: &[(&str, &str)]) -> Out {
    let mut out = Out::default();
    machine.heard(at(ms), &Message::from_fields(fields.iter().copied()), &mut out);
    out
}

/// A machine that has read an Asterisk without calls, whose phones 101 and 102 are registered.
pub(super) fn ready() -> Machine {
    let mut machine = Machine::new(plan(false));
    let mut out = Out::default();
    machine.connected(at(0), &mut out);
    for number in 101..=110 {
        let state = if number < 103 { "NOT_INUSE" } else { "UNAVAILABLE" };
        let device = format!("PJSIP/{number}");
        said(&mut machine, 1, &[("Event", "DeviceStateChange"), ("Device", &device), ("State", state)]);
    }
    for action in out.actions {
        said(&mut machine, 1, &[("Event", "Done"), ("ActionID", action.action_id()), ("EventList", "Complete")]);
    }
    machine.tick(at(100), &mut Out::default());
    machine
}

fn dial(machine: &mut Machine, ms: u64) -> Out {
    let mut out = Out::default();
    let act = Act::Dial { to: "102".into(), sequence: Default::default(), intercom: false };
    machine.command(at(ms), Command::Phone { order: OrderId(7), number: "101".into(), act }, &mut out);
    out
}

fn done(out: &Out) -> Option<Result<(), Refusal>> {
    let mut done = out.events.iter().filter_map(|event| match event {
        Event::Done { order: OrderId(7), result } => Some(*result),
        _ => None,
    });
    let first = done.next();
    assert!(done.next().is_none(), "an order is answered once");
    first
}

/// Lets time pass until the machine wants nothing more, and gives what it tells.
fn later(machine: &mut Machine, ms: u64) -> Out {
    let mut out = Out::default();
    while let Some(due) = machine.due().filter(|due| *due <= Time::from_millis(ms)) {
        machine.tick(Now { mono: due, ..at(ms) }, &mut out);
    }
    out
}

#[test]
fn an_order_is_answered_in_time_whatever_asterisk_does() {
    // It says nothing.
    let mut machine = ready();
    let out = dial(&mut machine, 200);
    assert_eq!((out.actions.len(), done(&out)), (1, None));
    assert_eq!(done(&later(&mut machine, 5_100)), None);
    assert_eq!(done(&later(&mut machine, 6_000)), Some(Err(Refusal::Down)));

    // It says yes, and nothing comes of it.
    let mut machine = ready();
    let id = dial(&mut machine, 200).actions[0].action_id().to_owned();
    assert_eq!(done(&said(&mut machine, 210, &[("Response", "Success"), ("ActionID", &id)])), None);
    assert_eq!(done(&later(&mut machine, 6_000)), Some(Err(Refusal::Unable)));

    // It says no.
    let mut machine = ready();
    let id = dial(&mut machine, 200).actions[0].action_id().to_owned();
    let no = [("Response", "Error"), ("ActionID", &*id), ("Message", "Permission denied")];
    said(&mut machine, 210, &no);
    assert_eq!(done(&later(&mut machine, 6_000)), Some(Err(Refusal::Unable)));

    // There is no phone to call.
    let mut machine = ready();
    let id = dial(&mut machine, 200).actions[0].action_id().to_owned();
    said(&mut machine, 210, &[("Response", "Success"), ("ActionID", &id)]);
    let failed = [("Event", "OriginateResponse"), ("Response", "Failure"), ("ActionID", &id), ("Reason", "0")];
    said(&mut machine, 220, &failed);
    assert_eq!(done(&later(&mut machine, 6_000)), Some(Err(Refusal::NoPhone)));

    // The connection is lost; and while it is, nothing is done.
    let mut machine = ready();
    dial(&mut machine, 200);
    let mut out = Out::default();
    machine.lost(at(210), &mut out);
    assert_eq!(done(&out), Some(Err(Refusal::Down)));
    assert!(later(&mut machine, 60_000).events.is_empty());
    let out = dial(&mut machine, 60_000);
    assert_eq!((done(&out), out.actions.len()), (Some(Err(Refusal::Down)), 0));
}

#[test]
fn redirections_stand_in_the_database_with_the_end_of_their_chain() {
    let mut machine = ready();
    let mut redirect = |number: &str, to: Option<&str>| {
        let mut out = Out::default();
        let to = to.map(Into::into);
        machine.command(at(200), Command::Redirect { number: number.into(), to, cascade: true }, &mut out);
        let put = |action: &super::super::super::ami::Action| {
            format!("{} {} {}", action.name(), action.get("Key"), action.get("Val"))
        };
        out.actions.iter().map(put).collect::<Vec<_>>()
    };
    assert_eq!(redirect("102", Some("79161234567")), ["DBPut 102 979161234567"]);
    assert_eq!(redirect("101", Some("102")), ["DBPut 101 979161234567", "DBPut 102 979161234567"]);
    // A circle ends with its last number.
    assert_eq!(redirect("102", Some("101")), ["DBPut 101 102", "DBPut 102 101"]);
    assert_eq!(redirect("102", None), ["DBPut 101 102", "DBDel 102 "]);
    assert_eq!(redirect("999", Some("101")), [""; 0]);
    // An Asterisk that was away is told again.
    let mut out = Out::default();
    machine.lost(at(300), &mut out);
    machine.connected(at(400), &mut out);
    let mut again = Out::default();
    for action in std::mem::take(&mut out.actions) {
        let fields = [("Event", "Done"), ("ActionID", action.action_id()), ("EventList", "Complete")];
        machine.heard(at(401), &Message::from_fields(fields), &mut again);
    }
    assert!(again.actions.iter().any(|action| action.name() == "DBPut" && action.get("Key") == "101"));
}

#[test]
fn until_asterisk_is_heard_no_phone_can_be_reached() {
    let mut out = Out::default();
    let mut machine = Machine::new(plan(false));
    machine.begun(&mut out);
    let phones = machine.plan().phones.len();
    let away = |event: &&Event| matches!(event, Event::Phone { connected: false, .. });
    assert!(phones > 0);
    assert_eq!(out.events.iter().filter(away).count(), phones);
    let order = Command::Phone { order: OrderId(1), number: "101".into(), act: Act::Hangup };
    machine.command(Now { mono: Time::ZERO, wall_ms: 1 }, order, &mut out);
    assert_eq!(out.events.last(), Some(&Event::Done { order: OrderId(1), result: Err(Refusal::Down) }));
}

#[test]
fn an_operator_ends_a_conversation_for_everybody_who_takes_part() {
    let mut machine = Machine::new(plan(false));
    let (mut up, mut call) = (std::collections::BTreeSet::new(), None);
    for (micros, line) in lines(include_str!("transcripts/incoming.txt")) {
        let now = Now { mono: Time::from_micros(micros), wall_ms: 1_800_000_000_000 };
        let mut out = Out::default();
        while machine.due().is_some_and(|due| due <= now.mono) {
            machine.tick(now, &mut out);
        }
        match line {
            Line::Connected(_) => machine.connected(now, &mut out),
            Line::Said(message) => machine.heard(now, &message, &mut out),
            Line::Tick => machine.tick(now, &mut out),
            Line::Lost | Line::Sent(_) | Line::Wanted(_) => {}
        }
        let facts = out.events.into_iter().flat_map(|event| match event {
            Event::Facts(facts) => facts,
            _ => Vec::new(),
        });
        for fact in facts {
            if let Fact::Leg(leg) = fact
                && leg.state == LegState::Up
            {
                up.insert(leg.leg.clone());
                call = Some(leg.call.clone());
            }
        }
        let Some(call) = call.as_ref().filter(|_| up.len() == 2) else { continue };
        let mut out = Out::default();
        assert!(!machine.end_call(now, &CallId("none".into()), &mut out) && out.actions.is_empty());
        assert!(machine.end_call(now, call, &mut out));
        let hung: Vec<&str> =
            out.actions.iter().filter(|a| a.name() == "Hangup").map(|action| action.get("Channel")).collect();
        assert_eq!(hung.len(), 2, "{hung:?}");
        assert!(hung.iter().any(|channel| channel.starts_with("PJSIP/101")), "{hung:?}");
        return;
    }
    panic!("nobody talked");
}
