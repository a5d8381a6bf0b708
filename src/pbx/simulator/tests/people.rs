//! People inside and outside: redirections, outside lines, keys, pictures and recordings.

use std::collections::BTreeSet;

use super::*;
use crate::pbx::Sound;

fn redirect(w: &mut World, number: &'static str, to: Option<&'static str>, cascade: bool) {
    w.command(Command::Redirect { number: text(number), to: to.map(text), cascade });
}

#[test]
fn calls_go_elsewhere() {
    let mut w = World::new("on 500 \"Menu\" {\nring 101\n}");
    redirect(&mut w, "101", Some("102"), false);
    assert_eq!(w.call_from(ANNA, "101"), ["79001112233 calls 101", "102 rings"]);
    assert_eq!(&*w.line("102").called, "101", "the number that was dialled to reach it");
    w.answer("102");
    assert!(w.talks_with("102", ANNA));
    w.hangup("102");
    // Whoever calls, and however.
    w.dial("103", "101").unwrap();
    assert_eq!(w.answer("103"), ["102 rings"]);
    w.hangup("103");
    assert_eq!(w.call_from(ANNA, "500"), ["79001112233 calls 500", "102 rings"]);
    w.hangup(ANNA);
    w.talk_with_anna("104");
    w.act("104", Act::Transfer { to: text("101") }).unwrap();
    assert_eq!(w.line("102").phase, Phase::Ringing);
    w.hangup(ANNA);
    redirect(&mut w, "101", None, false);
    assert_eq!(w.call_from(ANNA, "101"), ["79001112233 calls 101", "101 rings"]);
    redirect(&mut w, "999", Some("101"), false);
    assert_eq!(w.odd(), ["redirect: nobody answers for the number 999"]);
}

#[test]
fn calls_go_into_queues_and_out_of_the_house() {
    let mut w = World::new("");
    redirect(&mut w, "101", Some("601"), false);
    redirect(&mut w, "102", Some(BORIS), false);
    redirect(&mut w, "103", Some("999"), false);
    assert_eq!(w.call_from(ANNA, "101"), ["79001112233 calls 101", "in 601"], "101 and 102 are elsewhere, 103 too");
    w.hangup(ANNA);
    assert_eq!(w.call_from(ANNA, "102"), ["79001112233 calls 102", "79004445566 rings"]);
    w.order(Control::Answer { number: text(BORIS) }).unwrap();
    w.told();
    assert_eq!(w.hears(ANNA), format!("voices {BORIS}"));
    assert_eq!(w.picture().lines_used, 2);
    w.hangup(ANNA);
    // Nowhere: the phone rings as if nothing had been said.
    assert_eq!(w.call_from(ANNA, "103"), ["79001112233 calls 103", "103 rings"]);
}

#[test]
fn redirections_cascade_when_they_are_told_to_and_circles_end() {
    let mut w = World::new("");
    redirect(&mut w, "101", Some("102"), false);
    redirect(&mut w, "102", Some("103"), false);
    assert_eq!(w.call("101"), ["7900 calls 101", "102 rings"]);
    w.hangup("7900");
    redirect(&mut w, "101", Some("102"), true);
    assert_eq!(w.call("101"), ["7900 calls 101", "103 rings"]);
    w.hangup("7900");
    redirect(&mut w, "102", Some("103"), true);
    redirect(&mut w, "103", Some("101"), true);
    assert_eq!(w.call("101"), ["7900 calls 101", "103 rings"], "the last of the circle");
    w.hangup("7900");
    redirect(&mut w, "102", Some("101"), true);
    assert_eq!(w.call("101"), ["7900 calls 101", "102 rings"]);
    w.hangup("7900");
    redirect(&mut w, "101", Some("101"), true);
    assert_eq!(w.call("101"), ["7900 calls 101", "101 rings"]);
}

#[test]
fn outside_lines_are_limited() {
    let mut w = World::new("lines 2");
    w.call_from(ANNA, "101");
    w.answer("101");
    w.dial("102", BORIS).unwrap();
    w.answer("102");
    let incoming = Control::Incoming { caller: text("79007778899"), name: Text::new(), called: text("103") };
    assert_eq!(w.order(incoming.clone()), Err(ControlError::NoLine(2)));
    assert_eq!(w.dial("103", "79007778899"), Err(Refusal::Full));
    assert_eq!(w.act("101", Act::Transfer { to: text("79007778899") }), Err(Refusal::Full));
    // A scenario that rings out finds no line either: the caller is told as with any number that does not come.
    w.order(Control::Play { timeline: "on 500 {\nring 79007778899 for 5s\nsay sorry\n}".into() }).unwrap();
    w.dial("104", "500").unwrap();
    assert_eq!(w.answer("104"), ["79007778899 Failed", "104 OtherGone", "ended false"]);
    assert_eq!(w.said(), ["sorry"]);
    w.hangup(ANNA);
    assert!(w.order(incoming).is_ok());
    assert_eq!(w.picture().lines_used, 2);
}

#[test]
fn lines_have_names_and_are_used_again() {
    let mut w = World::new("");
    let line = |w: &World, number: &str| w.line(number).party.unwrap().line;
    w.call_from(ANNA, "101");
    w.call_from(BORIS, "102");
    assert_eq!((line(&w, "101"), line(&w, "102")), (text("00001"), text("00002")));
    w.hangup(ANNA);
    w.call_from(ANNA, "103");
    assert_eq!(line(&w, "103"), "00001");
}

#[test]
fn people_outside_behave_as_they_are_told() {
    let mut w = World::new("phone outside busy\nphone 79001112233 answers after 2s talks 5s");
    w.dial("101", BORIS).unwrap();
    assert_eq!(w.answer("101"), ["79004445566 Busy", "101 OtherGone", "ended false"]);
    w.dial("101", ANNA).unwrap();
    assert_eq!(w.answer("101"), ["79001112233 rings"]);
    assert_eq!(w.pass(2_000), ["79001112233 answers"]);
    assert_eq!(w.pass(5_000), ["79001112233 leaves", "101 leaves", "ended true"]);
    w.order(Control::Play { timeline: "phone outside refuses after 1s\nat 5s phone outside rings".into() }).unwrap();
    w.dial("101", BORIS).unwrap();
    w.answer("101");
    assert_eq!(w.pass(1_000), ["79004445566 Refused", "101 OtherGone", "ended false"]);
    w.pass(5_000);
    w.dial("101", BORIS).unwrap();
    w.answer("101");
    assert_eq!(w.hangup(BORIS), ["79004445566 Refused", "101 OtherGone", "ended false"]);
    // Somebody who calls can be called at the same time as little as anybody.
    w.call_from(BORIS, "104");
    w.dial("101", BORIS).unwrap();
    assert_eq!(w.answer("101"), ["79004445566 Busy", "101 OtherGone", "ended false"]);
}

#[test]
fn keys_are_pressed_in_talks_too_and_nonsense_is_refused() {
    let mut w = World::new("");
    let press =
        |w: &mut World, number: &str, keys: &str| w.order(Control::Keys { number: text(number), keys: text(keys) });
    assert_eq!(press(&mut w, ANNA, "1"), Err(ControlError::NoCall(text(ANNA))));
    w.talk_with_anna("101");
    assert_eq!(press(&mut w, ANNA, "12*#"), Ok(Done::Nothing));
    assert_eq!(press(&mut w, "101", "0"), Ok(Done::Nothing));
    for keys in ["", "a", &"1".repeat(65)] {
        assert_eq!(press(&mut w, ANNA, keys), Err(ControlError::BadKeys(64)));
    }
}

#[test]
fn a_page_orders_acts_and_is_told_why_not() {
    let mut w = World::new("");
    let act = |w: &mut World, number: &str, act: Act| w.order(Control::Act { number: text(number), act });
    let dial = Act::Dial { to: text("102"), sequence: Sequence::User, intercom: false };
    assert_eq!(act(&mut w, "101", dial.clone()), Ok(Done::Nothing));
    assert_eq!(w.told(), ["101 calls 102", "101 rings"]);
    let told = |e: Result<Done, ControlError>| e.unwrap_err().to_string();
    assert_eq!(told(act(&mut w, "101", dial.clone())), "the phone is in no state for it");
    assert_eq!(told(act(&mut w, "999", dial)), "nobody answers for the number 999");
    let nobody = Act::Dial { to: text("999"), sequence: Sequence::User, intercom: false };
    assert_eq!(told(act(&mut w, "103", nobody)), "nobody has this number");
    assert_eq!(told(w.order(Control::Hold { number: text("103"), held: true })), "the phone is in no state for it");
    assert_eq!(told(w.order(Control::Hold { number: text(ANNA), held: true })), "79001112233 has no call");
}

#[test]
fn a_picture_shows_the_conversation() {
    let mut w =
        World::new("on 500 \"Support\" {\nanswer\nsay Welcome\nkeys k for 5s\nring 101, 102 for 20s\nsay Sorry\n}");
    w.call_from(ANNA, "500");
    let leg = w.picture().calls[0].legs[0].clone();
    assert_eq!((leg.hears, leg.keys, leg.said.len(), &*leg.said[0].text), (Sound::Menu, true, 1, "Welcome"));
    w.press(ANNA, "1");
    assert_eq!((&*w.hears(ANNA), &*w.hears("101"), &*w.hears("102")), ("ringing", "bell", "bell"));
    assert!(w.picture().phones[0].in_use && !w.picture().phones[2].in_use);
    w.answer("101");
    assert_eq!((&*w.hears(ANNA), &*w.hears("101"), &*w.hears("102")), ("voices 101", "voices 79001112233", "silence"));
    w.hold("101", true);
    assert_eq!(w.hears(ANNA), "music");
    w.hold("101", false);
    w.hangup("101");
    let picture = w.picture();
    assert_eq!((picture.calls.len(), picture.calls[0].ended_ms), (1, Some(WALL_MS)));
    assert_eq!((&*w.hears(ANNA), &*w.hears("101")), ("busy", "silence"));
    // As pages get it.
    let value = ctigate_proto::message::Value::from(w.picture());
    let calls = value.as_object().and_then(|o| o.get("calls")).cloned();
    let Some(ctigate_proto::message::Value::Array(calls)) = calls else { panic!("{value:?}") };
    let caller = calls[0].as_object().and_then(|o| o.get("caller")).and_then(|c| c.to_text());
    assert_eq!(caller.as_deref(), Some(ANNA));
}

#[test]
fn pictures_are_bounded() {
    let mut w = World::new("on 500 {\nanswer\nwait 1h\n}");
    for _ in 0..50 {
        w.call_from(ANNA, "101");
        w.hangup(ANNA);
    }
    assert_eq!(w.picture().calls.len(), 16);
}

fn recorded(w: &mut World) -> BTreeSet<Text> {
    let of = |event: &Event| match event {
        Event::Facts(facts) => facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Recording { file, .. } => Some(file.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    w.events.iter().flat_map(of).collect()
}

#[test]
fn talks_and_recorded_conferences_are_recorded_when_they_end() {
    let mut w = World::with(Settings { record: true, ..settings("") });
    w.talk_with_anna("101");
    w.pass(4_000);
    assert!(recorded(&mut w).is_empty());
    w.act("101", Act::Switch).unwrap();
    w.pass(4_000);
    w.act("101", Act::Switch).unwrap();
    assert_eq!(recorded(&mut w).len(), 1, "the talk before the hold has ended");
    w.pass(4_000);
    w.hangup(ANNA);
    let entry = w.entry();
    assert_eq!(entry.talks.len(), 2);
    for talk in &entry.talks {
        assert_eq!(talk.recording, Some(format!("{}.wav", talk.talk.0).into()));
    }
    for record in [true, false] {
        let id = w.next_conference();
        let (name, description, members) = (Text::new(), Text::new(), vec![text("102")]);
        w.act("101", Act::Confer { id, name, description, room: 0, record, members }).unwrap();
        w.answer("101");
        w.answer("102");
        w.pass(1_000);
        w.hangup("102");
        assert_eq!(w.entry().talks[0].recording.is_some(), record);
    }
    let takes: BTreeSet<Text> = std::iter::from_fn(|| w.machine.poll_take()).map(|take| take.file).collect();
    assert_eq!(takes, recorded(&mut w));
    w.nothing_left();
}

#[test]
fn nothing_is_recorded_without_a_folder() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.pass(4_000);
    w.hangup(ANNA);
    assert!(recorded(&mut w).is_empty() && w.machine.poll_take().is_none());
}
