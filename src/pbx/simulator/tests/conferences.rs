//! Rows of the call semantics about conferences and listening in.

use ctigate_proto::calls::Change::*;
use ctigate_proto::calls::{Flash, Member, MemberState};
use ctigate_proto::telephony::GhostMode;

use super::table::consulting;
use super::*;

/// The members of a conference that are in it or on the way, by number, those that ring with a mark.
fn members(w: &World, id: &ConferenceId) -> Vec<String> {
    let view = w.calls.conference(&id.0).expect("the conference goes on");
    let present = view.members.iter().filter(|m| m.state.is_present());
    let word = |m: &Member| {
        let rings = if m.state == MemberState::Inviting { "?" } else { "" };
        format!("{}{rings}{}", m.party.number, if m.creator { "*" } else { "" })
    };
    let mut members: Vec<String> = present.map(word).collect();
    // Those of one moment come in no order.
    members.sort();
    members
}

fn confer(w: &mut World, number: &'static str, members: &[&'static str]) -> ConferenceId {
    let id = w.next_conference();
    let members = members.iter().map(|n| Text::from_static(n)).collect();
    let (name, description) = (text("Plans"), Text::new());
    let act = Act::Confer { id: id.clone(), name, description, room: 7, record: false, members };
    w.act(number, act).unwrap();
    id
}

#[test]
fn a_conference_of_three_with_invitation_and_kick() {
    let mut w = World::new("");
    let id = confer(&mut w, "101", &["102", ANNA]);
    assert_eq!(members(&w, &id), ["101?*", "102?", "79001112233?"]);
    assert_eq!((w.line("101").phase, w.line("101").callback), (Phase::Ringing, true));
    assert_eq!((w.changed("101"), w.changed("102")), (vec![DiallingStarted, RingStarted], vec![RingStarted]));
    w.answer("101");
    assert_eq!(w.line("101").phase, Phase::Conferring(id.clone()));
    assert_eq!(w.changed("101"), [RingStopped, DiallingStopped, TalkStarted]);
    w.answer("102");
    w.order(Control::Answer { number: text(ANNA) }).unwrap();
    w.told();
    assert_eq!(members(&w, &id), ["101*", "102", "79001112233"]);
    assert_eq!(w.hears("101"), "voices 102 79001112233");
    w.act("101", Act::Invite { id: id.clone(), members: vec![text("103"), text("102")] }).unwrap();
    assert_eq!(members(&w, &id), ["101*", "102", "103?", "79001112233"]);
    w.answer("103");
    let leg = w.calls.conference(&id.0).unwrap().member_at("102").unwrap().leg.clone();
    w.act("101", Act::Kick { id: id.clone(), leg: leg.clone() }).unwrap();
    assert_eq!((members(&w, &id), w.cause("102")), (vec!["101*".into(), "103".into(), ANNA.into()], EndCause::Kicked));
    assert_eq!(w.act("101", Act::Kick { id: id.clone(), leg }), Err(Refusal::NoSuchConference));
    w.act("101", Act::Leave { id: id.clone() }).unwrap();
    assert!(w.idle("101"));
    assert_eq!(members(&w, &id), ["103", ANNA]);
    w.hangup(ANNA);
    assert!(w.idle("103") && w.calls.conference(&id.0).is_none());
    w.nothing_left();
}

#[test]
fn how_invitations_end() {
    let mut w = World::new("phone 102 busy\nphone 103 refuses after 1s\nphone 104 never answers");
    let id = confer(&mut w, "101", &["102", "103", "104", ANNA]);
    w.answer("101");
    let state = |w: &World, number: &str| {
        let members = w.calls.conference_ever(&id).unwrap().members;
        members.iter().find(|m| m.party.number == number).map(|m| m.state)
    };
    assert_eq!(state(&w, "102"), Some(MemberState::MisInviteBusy));
    assert_eq!(state(&w, "103"), Some(MemberState::Inviting));
    w.pass(1_000);
    w.order(Control::Answer { number: text(ANNA) }).unwrap();
    w.pass(30_000);
    assert_eq!(state(&w, "103"), Some(MemberState::MisInviteRefuse));
    assert_eq!(state(&w, "104"), Some(MemberState::MisInviteNotRespond));
    assert_eq!(state(&w, ANNA), Some(MemberState::InConference));
}

#[test]
fn a_conference_of_one_ends_and_so_does_the_ringing_of_its_members() {
    let mut w = World::new("");
    let id = confer(&mut w, "101", &["102"]);
    w.act("101", Act::Decline).unwrap();
    assert_eq!((w.cause("102"), w.calls.conference(&id.0).is_none()), (EndCause::OtherGone, true));
    w.nothing_left();
    // Alone from the beginning: a room into which others are invited later.
    let id = confer(&mut w, "101", &[]);
    w.answer("101");
    assert_eq!(members(&w, &id), ["101*"]);
    w.act("101", Act::Invite { id: id.clone(), members: vec![text("102")] }).unwrap();
    w.answer("102");
    w.act("102", Act::Leave { id }).unwrap();
    w.nothing_left();
}

#[test]
fn conferences_refuse_what_cannot_be() {
    let mut w = World::new("");
    let id = confer(&mut w, "101", &["102"]);
    let make = |id: &ConferenceId, members: Vec<Text>| Act::Confer {
        id: id.clone(),
        name: Text::new(),
        description: Text::new(),
        room: 0,
        record: false,
        members,
    };
    let other = w.next_conference();
    assert_eq!(w.act("103", make(&id, Vec::new())), Err(Refusal::WrongState), "the id is taken");
    assert_eq!(w.act("103", make(&other, vec![text("999")])), Err(Refusal::NoSuchNumber));
    assert_eq!(w.act("101", make(&other, Vec::new())), Err(Refusal::WrongState), "the phone is in use");
    assert_eq!(w.act("103", Act::Invite { id: other.clone(), members: vec![] }), Err(Refusal::NoSuchConference));
    assert_eq!(w.act("103", Act::Leave { id }), Err(Refusal::WrongState), "not in it");
    assert_eq!(w.act("103", Act::Leave { id: other.clone() }), Err(Refusal::NoSuchConference));
    assert_eq!(w.act("103", Act::Widen { id: other, room: 0 }), Err(Refusal::WrongState), "no talk");
}

#[test]
fn a_talk_becomes_a_conference() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.changed("101");
    let id = w.next_conference();
    w.act("101", Act::Widen { id: id.clone(), room: 5 }).unwrap();
    assert_eq!(members(&w, &id), ["101*", ANNA]);
    assert_eq!(w.changed("101"), [TalkStopped, TalkStarted]);
    assert_eq!(w.line("101").phase, Phase::Conferring(id.clone()));
    w.act("101", Act::Invite { id: id.clone(), members: vec![text("102")] }).unwrap();
    w.answer("102");
    // endCall leaves; the others stay.
    w.act("101", Act::Hangup).unwrap();
    assert_eq!(members(&w, &id), ["102", ANNA]);
    w.hangup("102");
    w.nothing_left();
}

#[test]
fn the_held_party_is_taken_into_the_conference() {
    let mut w = consulting();
    let id = w.next_conference();
    w.act("101", Act::Widen { id: id.clone(), room: 5 }).unwrap();
    assert_eq!((members(&w, &id), &*w.flashed("101")), (vec!["101*".into(), "102".into()], ANNA));
    w.changed("101");
    w.act("101", Act::TakeIn).unwrap();
    assert_eq!((members(&w, &id).len(), &*w.flashed("101")), (3, ""));
    assert_eq!(w.changed("101"), [Flash(Flash::Invite)]);
    assert_eq!(w.act("101", Act::TakeIn), Err(Refusal::WrongState));
}

#[test]
fn a_conference_is_put_on_hold_for_a_call() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    let id = w.next_conference();
    w.act("101", Act::Widen { id: id.clone(), room: 5 }).unwrap();
    w.act("101", Act::Switch).unwrap();
    assert_eq!((w.line("101").phase, w.flashed("101")), (Phase::Idle, id.0.clone()));
    w.dial("101", "102").unwrap();
    w.answer("102");
    assert!(w.talks_with("101", "102"));
    w.act("101", Act::TakeIn).unwrap();
    assert_eq!((w.line("101").phase, members(&w, &id).len()), (Phase::Conferring(id), 3));
}

// Listening in.

fn spy(w: &mut World) -> ConferenceId {
    let id = w.next_conference();
    w.act("103", Act::Spy { id: id.clone(), target: text("101") }).unwrap();
    id
}

#[test]
fn listening_in_three_modes() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    w.changed("101");
    let id = spy(&mut w);
    assert_eq!((w.line("103").phase, w.line("103").callback), (Phase::Ringing, true));
    w.answer("103");
    assert_eq!(w.line("103").phase, Phase::Conferring(id.clone()));
    let view = w.calls.conference(&id.0).unwrap();
    assert_eq!(view.about.ghost.as_ref().map(|g| g.mode), Some(GhostMode::Monitor));
    assert_eq!((view.member_at("103").unwrap().spy, view.member_at("101").unwrap().spied), (true, Some(true)));
    assert_eq!(w.hears("103"), format!("voices 101 {ANNA}"));
    assert!(w.changed("101").is_empty() && w.talks_with("101", ANNA), "who is listened to sees nothing");
    for mode in [GhostMode::Help, GhostMode::Conference, GhostMode::Monitor] {
        w.act("103", Act::SpyMode { id: id.clone(), mode, target: None }).unwrap();
        assert_eq!(w.calls.conference(&id.0).unwrap().about.ghost.map(|g| g.mode), Some(mode));
    }
    assert_eq!(
        w.act("102", Act::SpyMode { id: id.clone(), mode: GhostMode::Help, target: None }),
        Err(Refusal::WrongState)
    );
    w.act("103", Act::Hangup).unwrap();
    assert!(w.calls.conference(&id.0).is_none() && w.talks_with("101", ANNA));
}

#[test]
fn listening_in_ends_with_the_talk() {
    let mut w = World::new("");
    w.talk_with_anna("101");
    let id = spy(&mut w);
    w.answer("103");
    w.hangup(ANNA);
    assert_eq!((w.cause("103"), w.calls.conference(&id.0).is_none()), (EndCause::OtherGone, true));
    w.nothing_left();
    let id = w.next_conference();
    assert_eq!(w.act("103", Act::Spy { id, target: text("101") }), Err(Refusal::WrongState), "101 talks with nobody");
    let entry = w.entry();
    assert_eq!(entry.talks[0].parties.len(), 2, "the listener is no party of the talk");
}
