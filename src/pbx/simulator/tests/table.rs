//! Every row of the call semantics, and every phase of the line, both sides watched. What a client makes of it follows from
//! [`Line`] and [`Change`] alone.

use ctigate_proto::calls::Change::*;
use ctigate_proto::calls::Flash;

use super::*;

// Phases.

#[test]
fn idle_and_no_phone() {
    let mut w = World::new("");
    assert!(w.idle("101"));
    w.order(Control::Phone { number: text("101"), connected: false }).unwrap();
    assert_eq!(w.told(), ["101 -"]);
    assert_eq!(w.dial("101", "102"), Err(Refusal::NoPhone));
    assert!(w.idle("101"));
}

#[test]
fn incoming_ring_and_talk_with_somebody_outside() {
    let mut w = World::new("");
    w.call_from(ANNA, "101");
    let line = w.line("101");
    let party = line.party.unwrap();
    assert_eq!((line.phase, &*party.number, party.outside), (Phase::Ringing, ANNA, true));
    assert!(!line.callback && !line.dialling);
    assert_eq!((&*line.called, &*party.line), ("101", "00001"));
    assert_eq!(w.changed("101"), [RingStarted]);
    w.pass(3_000);
    w.answer("101");
    assert_eq!(w.changed("101"), [RingStopped, TalkStarted]);
    assert!(w.talks_with("101", ANNA));
    assert_eq!(w.line("101").since_ms, WALL_MS + 3_000);
    w.pass(10_000);
    w.hangup(ANNA);
    assert_eq!(w.changed("101"), [TalkStopped]);
    assert_eq!(w.cause("101"), EndCause::OtherGone);
    w.nothing_left();
}

#[test]
fn a_call_between_two_insiders_the_user_first() {
    let mut w = World::new("");
    w.dial("101", "102").unwrap();
    let line = w.line("101");
    assert_eq!((line.phase, line.callback, line.dialling), (Phase::Ringing, true, true));
    assert_eq!((&*w.party("101"), w.idle("102")), ("102", true));
    assert_eq!(w.changed("101"), [DiallingStarted, RingStarted]);
    w.answer("101");
    assert_eq!(w.changed("101"), [RingStopped]);
    let line = w.line("101");
    assert_eq!((line.phase, line.dialling, &*line.called), (Phase::Waiting, true, "102"));
    let other = w.line("102");
    assert_eq!((other.phase, other.callback, other.party.unwrap().number), (Phase::Ringing, false, text("101")));
    w.answer("102");
    assert_eq!(w.changed("101"), [DiallingStopped, TalkStarted]);
    assert_eq!(w.changed("102"), [RingStarted, RingStopped, TalkStarted]);
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    w.act("102", Act::Hangup).unwrap();
    assert_eq!((w.changed("101"), w.changed("102")), (vec![TalkStopped], vec![TalkStopped]));
    assert_eq!((w.cause("102"), w.cause("101")), (EndCause::Hangup, EndCause::OtherGone));
    w.nothing_left();
}

#[test]
fn a_call_between_two_insiders_the_other_first() {
    let mut w = World::new("");
    w.dial_in("101", "102", Sequence::Abonent).unwrap();
    let line = w.line("101");
    assert_eq!((line.phase, line.callback, line.dialling), (Phase::Planned, true, true));
    assert_eq!(w.line("102").phase, Phase::Ringing);
    assert_eq!(&*w.party("102"), "101");
    assert_eq!(w.changed("101"), [DiallingStarted]);
    w.answer("102");
    assert_eq!(w.changed("101"), [DiallingStopped, RingStarted]);
    assert_eq!((w.line("101").phase, w.line("101").callback), (Phase::Ringing, true));
    assert_eq!((w.line("102").phase, &*w.party("102"), &*w.hears("102")), (Phase::Waiting, "101", "music"));
    w.answer("101");
    assert_eq!(w.changed("101"), [RingStopped, TalkStarted]);
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();
}

#[test]
fn the_user_does_not_take_the_own_phone() {
    for (how, cause) in [(Some(Act::Decline), EndCause::Refused), (None, EndCause::NoAnswer)] {
        let mut w = World::new("");
        w.dial("101", "102").unwrap();
        match how {
            Some(act) => w.act("101", act).unwrap(),
            None => drop(w.pass(30_000)),
        }
        assert_eq!(w.changed("101"), [DiallingStarted, RingStarted, RingStopped, DiallingStopped]);
        assert_eq!(w.cause("101"), cause);
        assert!(w.changed("102").is_empty());
        w.nothing_left();
    }
    let mut w = World::new("");
    w.dial_in("101", "102", Sequence::Abonent).unwrap();
    w.answer("102");
    w.act("101", Act::Decline).unwrap();
    assert_eq!((w.cause("101"), w.cause("102")), (EndCause::Refused, EndCause::OtherGone));
    w.nothing_left();
}

#[test]
fn dialling_is_stopped_before_the_own_phone_rings() {
    let mut w = World::new("");
    w.dial_in("101", "102", Sequence::Abonent).unwrap();
    w.act("101", Act::StopDialling).unwrap();
    assert_eq!((w.cause("101"), w.cause("102")), (EndCause::Hangup, EndCause::CallerGone));
    assert_eq!(w.changed("101"), [DiallingStarted, DiallingStopped]);
    w.nothing_left();
    assert_eq!(w.act("101", Act::StopDialling), Err(Refusal::WrongState));
    w.dial("101", "102").unwrap();
    assert_eq!(w.act("101", Act::StopDialling), Err(Refusal::WrongState), "the own phone rings");
}

#[test]
fn the_dialled_number_does_not_come() {
    for (phone, cause) in [
        ("phone 102 busy", EndCause::Busy),
        ("phone 102 refuses after 2s", EndCause::Refused),
        ("phone 102 unreachable", EndCause::Unreachable),
        ("phone 102 never answers", EndCause::NoAnswer),
    ] {
        for sequence in [Sequence::User, Sequence::Abonent] {
            let mut w = World::new(phone);
            w.dial_in("101", "102", sequence).unwrap();
            if sequence == Sequence::User {
                w.answer("101");
            }
            w.pass(60_000);
            assert_eq!((w.cause("102"), w.cause("101")), (cause, EndCause::OtherGone), "{phone} {sequence:?}");
            w.nothing_left();
        }
    }
}

#[test]
fn an_outgoing_call_to_somebody_outside() {
    let mut w = World::new("");
    w.dial("101", ANNA).unwrap();
    w.answer("101");
    let line = w.line("101");
    let party = line.party.unwrap();
    assert_eq!((line.phase, &*party.number, party.outside), (Phase::Waiting, ANNA, true));
    w.order(Control::Answer { number: text(ANNA) }).unwrap();
    w.told();
    let party = w.line("101").party.unwrap();
    assert_eq!((&*party.number, party.outside, &*party.line), (ANNA, true, "00001"));
    w.act("101", Act::Hangup).unwrap();
    assert_eq!(w.cause(ANNA), EndCause::OtherGone);
    w.nothing_left();
}

#[test]
fn an_outgoing_call_is_stopped() {
    let mut w = World::new("");
    w.dial("101", "102").unwrap();
    w.answer("101");
    w.act("101", Act::Hangup).unwrap();
    assert_eq!((w.cause("101"), w.cause("102")), (EndCause::Hangup, EndCause::CallerGone));
    w.nothing_left();
}

#[test]
fn intercom_makes_the_called_phone_answer_by_itself() {
    let mut w = World::new("phone 102 never answers");
    w.act("101", Act::Dial { to: text("102"), sequence: Sequence::User, intercom: true }).unwrap();
    w.answer("101");
    w.pass(0);
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    assert_eq!(w.changed("102"), [RingStarted, RingStopped, TalkStarted]);
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();
}

#[test]
fn a_voice_menu() {
    let script = "on 500 \"Main menu\" {\nanswer\nkeys choice digits 1 for 10s\nif {choice} == 1 { ring 102 }\n}";
    let mut w = World::new(script);
    w.dial("101", "500").unwrap();
    w.answer("101");
    let line = w.line("101");
    assert_eq!(line.phase, Phase::Menu { name: text("Main menu"), routing: true });
    assert!(line.talks());
    assert_eq!(w.changed("101"), [DiallingStarted, RingStarted, RingStopped, DiallingStopped, MenuStarted]);
    w.press("101", "1");
    assert_eq!(&*w.party("102"), "101");
    w.answer("102");
    assert_eq!(w.changed("101"), [MenuStopped, TalkStarted]);
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();
}

#[test]
fn a_scenario_is_there_at_once_when_it_is_called_first() {
    let mut w = World::new("on 500 \"Menu\" {\nanswer\nwait 1m\n}");
    w.dial_in("101", "500", Sequence::Abonent).unwrap();
    assert_eq!((w.line("101").phase, w.line("101").callback), (Phase::Ringing, true));
    w.answer("101");
    assert!(matches!(w.line("101").phase, Phase::Menu { .. }));
}

#[test]
fn a_queue_is_dialled_in_both_orders() {
    let mut w = World::new("");
    w.dial("104", "601").unwrap();
    w.answer("104");
    assert_eq!(w.line("104").phase, Phase::Queued(text("601")));
    assert_eq!((&*w.hears("104"), w.calls.waiting(Some("601")).len()), ("music", 1));
    w.answer("101");
    assert!(w.talks_with("104", "101") && w.calls.waiting(None).is_empty());
    w.act("104", Act::Hangup).unwrap();

    w.dial_in("104", "601", Sequence::Abonent).unwrap();
    assert_eq!((w.line("104").phase, w.line("101").phase), (Phase::Planned, Phase::Ringing));
    w.answer("101");
    assert_eq!(w.line("104").phase, Phase::Ringing);
    w.answer("104");
    assert!(w.talks_with("104", "101"));
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();
}

// Rows.

#[test]
fn a_second_call_puts_the_first_party_on_hold() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.changed("101");
    w.dial("101", "102").unwrap();
    let line = w.line("101");
    assert_eq!((line.phase, &*w.flashed("101"), &*w.party("101")), (Phase::Waiting, ANNA, "102"));
    assert!(!line.callback && !line.dialling);
    assert_eq!(w.changed("101"), [Flash(Flash::Put), TalkStopped]);
    assert_eq!((&*w.hears(ANNA), &*w.hears("101"), &*w.party("102")), ("music", "ringing", "101"));
    w.answer("102");
    assert_eq!(w.changed("101"), [TalkStarted]);
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    assert_eq!(w.flashed("101"), ANNA);
    assert_eq!(w.line("101").call, w.line("102").call, "one conversation");
    assert_eq!(w.dial("101", "103"), Err(Refusal::WrongState), "two are enough");
}

/// 101 talks with 102 and has Anna on hold.
pub(super) fn consulting() -> World {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.pass(5_000);
    w.dial("101", "102").unwrap();
    w.answer("102");
    w.pass(5_000);
    w.changed("101");
    w.changed("102");
    w
}

#[test]
fn hold_and_back() {
    let mut w = World::new("");
    w.talk("101", "102");
    w.changed("101");
    w.changed("102");
    w.act("101", Act::Switch).unwrap();
    assert_eq!((w.line("101").phase, &*w.flashed("101")), (Phase::Idle, "102"));
    assert!(w.line("101").busy() && matches!(w.line("102").phase, Phase::OnHold(_)));
    assert_eq!(w.changed("101"), [Flash(Flash::Put), TalkStopped]);
    assert_eq!(w.changed("102"), [Flash(Flash::Flashed), TalkStopped]);
    assert_eq!(w.hears("102"), "music");
    w.act("101", Act::Switch).unwrap();
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    assert_eq!(w.changed("101"), [Flash(Flash::Return), TalkStarted]);
    assert_eq!(w.changed("102"), [TalkStarted]);
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();
}

#[test]
fn a_resumed_talk_is_another_talk() {
    let mut w = World::new("");
    w.talk("101", "102");
    let first = w.line("101").phase;
    w.act("101", Act::Switch).unwrap();
    w.act("101", Act::Switch).unwrap();
    assert_ne!(w.line("101").phase, first);
    assert_eq!(w.line("101").phase, w.line("102").phase);
}

#[test]
fn a_call_is_made_while_somebody_is_on_hold() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.act("101", Act::Switch).unwrap();
    w.dial("101", "102").unwrap();
    w.answer("102");
    assert!(w.talks_with("101", "102"));
    assert_eq!(w.flashed("101"), ANNA);
}

#[test]
fn the_two_parties_are_swapped() {
    let mut w = consulting();
    w.act("101", Act::Switch).unwrap();
    assert!(w.talks_with("101", ANNA));
    assert_eq!(w.flashed("101"), "102");
    assert_eq!(w.changed("101"), [Flash(Flash::Between), TalkStopped, TalkStarted]);
    assert_eq!(w.changed("102"), [Flash(Flash::Flashed), TalkStopped]);
    w.act("101", Act::Switch).unwrap();
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
    assert_eq!(w.flashed("101"), ANNA);
}

#[test]
fn the_present_party_is_dropped_and_the_held_one_comes_back() {
    let mut w = consulting();
    w.act("101", Act::Return).unwrap();
    assert!(w.talks_with("101", ANNA) && w.idle("102"));
    assert_eq!(w.flashed("101"), "");
    assert_eq!(w.changed("101"), [Flash(Flash::Return), TalkStopped, TalkStarted]);
    assert_eq!(w.changed("102"), [TalkStopped]);
    assert_eq!(w.cause("102"), EndCause::OtherGone);
    assert_eq!(w.act("101", Act::Return), Err(Refusal::WrongState));
}

#[test]
fn the_held_party_is_dropped() {
    let mut w = consulting();
    w.act("101", Act::DropHeld).unwrap();
    assert!(w.talks_with("101", "102"));
    assert_eq!((&*w.flashed("101"), w.cause(ANNA)), ("", EndCause::OtherGone));
    assert_eq!(w.changed("101"), [Flash(Flash::Abort)]);
    assert_eq!(w.act("101", Act::DropHeld), Err(Refusal::WrongState));
}

#[test]
fn the_two_are_joined_and_the_user_leaves() {
    let mut w = consulting();
    w.act("101", Act::Join).unwrap();
    assert!(w.idle("101") && w.talks_with("102", ANNA));
    assert_eq!(w.changed("101"), [Flash(Flash::Switch), TalkStopped]);
    assert_eq!(w.changed("102"), [TalkStopped, TalkStarted]);
    assert_eq!((&*w.hears(ANNA), w.cause("101")), ("voices 102", EndCause::Transferred));
    w.hangup(ANNA);
    w.nothing_left();
    assert_eq!(w.act("101", Act::Join), Err(Refusal::WrongState));
}

#[test]
fn the_held_party_leaves() {
    let mut w = consulting();
    w.hangup(ANNA);
    assert!(w.talks_with("101", "102"));
    assert_eq!(w.changed("101"), [Flash(Flash::Lost)]);
    w.act("101", Act::Hangup).unwrap();
    w.nothing_left();

    let mut w = World::new("");
    w.talk_with_anna("101");
    w.act("101", Act::Switch).unwrap();
    w.changed("101");
    w.hangup(ANNA);
    assert_eq!(w.changed("101"), [Flash(Flash::Lost)]);
    w.nothing_left();
}

#[test]
fn the_present_party_leaves_and_the_held_one_comes_back() {
    let mut w = consulting();
    w.act("102", Act::Hangup).unwrap();
    assert!(w.talks_with("101", ANNA) && w.idle("102"));
    assert_eq!(w.changed("101"), [Flash(Flash::Return), TalkStopped, TalkStarted]);
}

#[test]
fn the_second_number_does_not_come_and_the_held_one_comes_back() {
    for (phone, after) in
        [("phone 102 busy", 0), ("phone 102 refuses after 1s", 1_000), ("phone 102 never answers", 60_000)]
    {
        let mut w = World::new(phone);
        w.talk_with_anna("101");
        w.dial("101", "102").unwrap();
        w.pass(after);
        assert!(w.talks_with("101", ANNA) && w.idle("102"), "{phone}");
        assert_eq!(w.flashed("101"), "");
    }
    // The user stops it: both ways.
    for act in [Act::Hangup, Act::Return] {
        let mut w = World::new("");
        w.talk_with_anna("101");
        w.dial("101", "102").unwrap();
        w.act("101", act).unwrap();
        assert!(w.talks_with("101", ANNA) && w.idle("102"));
        assert_eq!(w.cause("102"), EndCause::CallerGone);
    }
}

#[test]
fn hanging_up_with_somebody_on_hold_and_nobody_present_drops_them() {
    let mut w = World::new("");
    w.talk("101", "102");
    w.act("101", Act::Switch).unwrap();
    w.changed("102");
    w.act("101", Act::Hangup).unwrap();
    assert_eq!(w.changed("102"), [Flash(Flash::Aborted)]);
    assert_eq!(w.cause("102"), EndCause::OtherGone);
    w.nothing_left();
}

#[test]
fn putting_down_the_handset_drops_both() {
    let mut w = consulting();
    w.hangup("101");
    assert_eq!((w.cause("102"), w.cause(ANNA)), (EndCause::OtherGone, EndCause::OtherGone));
    w.nothing_left();
}

#[test]
fn a_ring_is_refused() {
    let mut w = World::new("");
    w.call_from(ANNA, "101");
    w.act("101", Act::Decline).unwrap();
    assert_eq!(w.changed("101"), [RingStarted, RingStopped]);
    assert_eq!((w.cause("101"), w.cause(ANNA)), (EndCause::Refused, EndCause::OtherGone));
    w.nothing_left();
    assert_eq!(w.act("101", Act::Decline), Err(Refusal::WrongState));
}

#[test]
fn a_ring_is_answered_by_the_page() {
    let mut w = World::new("phone 102 never answers");
    w.call_from(ANNA, "101");
    w.act("101", Act::Answer).unwrap();
    assert!(w.talks_with("101", ANNA));
    assert_eq!(w.act("101", Act::Answer), Err(Refusal::WrongState));
    w.call_from(BORIS, "102");
    assert_eq!(w.act("102", Act::Answer), Err(Refusal::Unable), "a phone that cannot answer by itself");
}

#[test]
fn a_blind_transfer() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.changed("101");
    w.act("101", Act::Transfer { to: text("102") }).unwrap();
    assert!(w.idle("101"));
    assert_eq!((w.line("102").phase, &*w.party("102"), &*w.hears(ANNA)), (Phase::Ringing, ANNA, "ringing"));
    assert_eq!((w.changed("101"), w.cause("101")), (vec![TalkStopped], EndCause::Transferred));
    w.answer("102");
    assert!(w.talks_with("102", ANNA));
    w.hangup("102");
    w.nothing_left();
    let entry = w.entry();
    assert_eq!((entry.talks.len(), entry.outcome), (2, ctigate_proto::calls::Outcome::Answered));
}

#[test]
fn a_blind_transfer_between_insiders_dials_no_more() {
    let mut w = World::new("");
    w.talk("101", "102");
    w.changed("101");
    w.act("102", Act::Transfer { to: text("103") }).unwrap();
    let line = w.line("101");
    assert_eq!((line.phase, line.callback, line.dialling), (Phase::Waiting, false, false));
    assert_eq!((&*w.party("101"), &*w.party("103")), ("103", "101"));
    assert_eq!(w.changed("101"), [TalkStopped]);
    w.answer("103");
    assert!(w.talks_with("101", "103") && w.idle("102"));
}

#[test]
fn a_blind_transfer_that_fails_ends_the_partys_call() {
    for phone in ["phone 102 busy", "phone 102 refuses", "phone 102 never answers", "phone 102 unreachable"] {
        let mut w = World::new(phone);
        w.talk_with_anna("101");
        w.act("101", Act::Transfer { to: text("102") }).unwrap();
        w.pass(60_000);
        assert_eq!(w.cause(ANNA), EndCause::OtherGone, "{phone}");
        w.nothing_left();
    }
}

#[test]
fn a_transfer_leads_anywhere_a_call_can() {
    let mut w = World::new("on 500 \"Menu\" {\nanswer\nwait 1m\n}");
    w.talk_with_anna("101");
    w.act("101", Act::Transfer { to: text("601") }).unwrap();
    assert_eq!(w.calls.waiting(Some("601"))[0].caller.number, ANNA);
    w.answer("101");
    w.act("101", Act::Transfer { to: text("500") }).unwrap();
    assert_eq!(w.hears(ANNA), "menu");
    w.hangup(ANNA);
    w.talk_with_anna("101");
    w.act("101", Act::Transfer { to: text(BORIS) }).unwrap();
    w.order(Control::Answer { number: text(BORIS) }).unwrap();
    w.told();
    assert_eq!(w.hears(ANNA), format!("voices {BORIS}"));
    assert!(w.idle("101"));
    w.talk("101", "102");
    assert_eq!(w.act("101", Act::Transfer { to: text("999") }), Err(Refusal::NoSuchNumber));
    assert!(w.talks_with("101", "102"));
}

#[test]
fn a_transfer_with_somebody_on_hold_brings_the_held_one_back() {
    let mut w = consulting();
    w.act("101", Act::Transfer { to: text("103") }).unwrap();
    assert!(w.talks_with("101", ANNA));
    assert_eq!((w.line("102").phase, &*w.party("102"), &*w.party("103")), (Phase::Waiting, "103", "102"));
    assert_eq!(w.changed("101"), [Flash(Flash::Return), TalkStopped, TalkStarted]);
    w.answer("103");
    assert!(w.talks_with("102", "103") && w.talks_with("101", ANNA));
}

#[test]
fn the_held_party_is_handed_over_while_the_other_phone_rings() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.dial("101", "102").unwrap();
    w.act("101", Act::Join).unwrap();
    assert!(w.idle("101"));
    assert_eq!(&*w.party("102"), ANNA);
    w.answer("102");
    assert!(w.talks_with("102", ANNA));
}

// What the other party does with the hold.

#[test]
fn somebody_outside_puts_the_user_on_hold() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.changed("101");
    w.hold(ANNA, true);
    assert!(matches!(w.line("101").phase, Phase::OnHold(_)));
    assert_eq!((w.changed("101"), &*w.hears("101")), (vec![Flash(Flash::Flashed), TalkStopped], "music"));
    assert_eq!(w.act("101", Act::Transfer { to: text("102") }), Err(Refusal::WrongState));
    assert!(w.order(Control::Hold { number: text(ANNA), held: true }).is_err());
    w.hold(ANNA, false);
    assert!(w.talks_with("101", ANNA));
    assert_eq!(w.changed("101"), [TalkStarted]);
}

#[test]
fn both_put_each_other_on_hold() {
    let mut w = World::new("");
    w.talk("101", "102");
    w.act("101", Act::Switch).unwrap();
    w.act("102", Act::Switch).unwrap();
    w.act("101", Act::Switch).unwrap();
    assert!(matches!(w.line("101").phase, Phase::OnHold(_)));
    w.act("102", Act::Switch).unwrap();
    assert!(w.talks_with("101", "102") && w.talks_with("102", "101"));
}

#[test]
fn numbers_that_nobody_has_are_refused() {
    let mut w = World::new("");
    for to in ["", "999", "abc", "12345678901234567890123456789012345678901234567890", "٣٤٥٦٧٨٩", "+7(900)1112233"]
    {
        let act = Act::Dial { to: text(to), sequence: Sequence::User, intercom: false };
        assert_eq!(w.act("101", act), Err(Refusal::NoSuchNumber), "{to}");
    }
    assert_eq!(w.dial("101", "101"), Err(Refusal::Busy));
    assert_eq!(w.act("999", Act::Hangup), Err(Refusal::NoSuchNumber));
    w.call_from(ANNA, "102");
    w.dial("101", "103").unwrap();
    assert_eq!(w.dial("101", "104"), Err(Refusal::WrongState));
    assert_eq!(w.act("104", Act::Hangup), Err(Refusal::WrongState));
    assert_eq!(w.act("104", Act::Switch), Err(Refusal::WrongState));
}
