//! Other numbers and queues while Asterisk is connected.

use ctigate_proto::message::Text;
use ctigate_proto::telephony::{Act, Command, Event, OrderId, Refusal};

use super::super::super::ami::{Action, Message};
use super::super::{Machine, Out, Phone, Plan};
use super::orders::{at, ready, said};
use super::play::plan;
use crate::pbx::Extension;

/// The plan of the test bed with one more phone, which serves the queue.
fn with_111() -> Plan {
    let mut plan = plan(false);
    let number = Text::from("111");
    plan.phones.insert(number.clone(), Phone { endpoint: "PJSIP/111".to_owned(), ..Phone::default() });
    plan.directory.extensions.push(Extension { number: number.clone(), name: "Agent 111".into(), login: None });
    plan.directory.queues[0].members.push(number);
    plan
}

fn is_now(machine: &mut Machine, ms: u64, plan: Plan) -> Out {
    let mut out = Out::default();
    machine.plan_is(at(ms), plan, &mut out);
    out
}

fn sent<'a>(out: &'a Out, name: &str) -> Vec<&'a Action> {
    out.actions.iter().filter(|action| action.name() == name).collect()
}

fn dial(machine: &mut Machine, ms: u64, number: &str) -> Out {
    let mut out = Out::default();
    let act = Act::Dial { to: "101".into(), sequence: Default::default(), intercom: false };
    machine.command(at(ms), Command::Phone { order: OrderId(ms), number: number.into(), act }, &mut out);
    machine.tick(at(ms + 90), &mut out);
    out
}

#[test]
fn a_new_number_is_asked_for_told_of_and_follows_orders_at_once() {
    let mut machine = ready();
    let refused = dial(&mut machine, 200, "111");
    assert_eq!(refused.events, [Event::Done { order: OrderId(200), result: Err(Refusal::NoSuchNumber) }]);

    let out = is_now(&mut machine, 300, with_111());
    let asked = sent(&out, "Getvar");
    assert_eq!(asked.iter().map(|action| action.get("Variable")).collect::<Vec<_>>(), ["DEVICE_STATE(PJSIP/111)"]);
    let fields = [("Response", "Success"), ("ActionID", asked[0].action_id()), ("Value", "NOT_INUSE")];
    machine.heard(at(310), &Message::from_fields(fields), &mut Out::default());
    let mut told = Out::default();
    machine.tick(at(400), &mut told);
    assert!(told.events.contains(&Event::Phone { number: "111".into(), connected: true }), "{:?}", told.events);

    let out = dial(&mut machine, 500, "111");
    assert_eq!(sent(&out, "Originate")[0].get("Channel"), "PJSIP/111");
    // A person of the new number who may be rung becomes a member of the queue.
    let mut out = Out::default();
    machine.command(at(600), Command::Agent { number: "111".into(), away: None }, &mut out);
    assert_eq!(sent(&out, "QueueAdd")[0].get("Interface"), "PJSIP/111");
}

#[test]
fn what_asterisk_said_of_a_phone_before_is_known_and_what_it_was_told_of_a_number_that_is_no_more_is_taken_back() {
    let mut machine = ready();
    said(&mut machine, 150, &[("Event", "DeviceStateChange"), ("Device", "PJSIP/111"), ("State", "NOT_INUSE")]);
    let out = is_now(&mut machine, 200, with_111());
    assert!(sent(&out, "Getvar").is_empty(), "its state was heard");
    assert!(out.events.contains(&Event::Phone { number: "111".into(), connected: true }));
    let mut out = Out::default();
    let redirect = Command::Redirect { number: "111".into(), to: Some("102".into()), cascade: false };
    machine.command(at(210), redirect, &mut out);
    let member = [
        ("Event", "QueueMemberAdded"),
        ("Queue", "support"),
        ("Interface", "PJSIP/111"),
        ("Paused", "0"),
        ("PausedReason", ""),
    ];
    said(&mut machine, 220, &member);

    let out = is_now(&mut machine, 300, plan(false));
    assert_eq!(sent(&out, "DBDel")[0].get("Key"), "111");
    assert_eq!(sent(&out, "QueueRemove")[0].get("Interface"), "PJSIP/111");
    assert!(out.events.contains(&Event::Phone { number: "111".into(), connected: false }));
    let refused = dial(&mut machine, 400, "111");
    assert_eq!(refused.events, [Event::Done { order: OrderId(400), result: Err(Refusal::NoSuchNumber) }]);
    // Others are as they were.
    assert!(!out.events.iter().any(|event| matches!(event, Event::Phone { number, .. } if number != "111")));
}

#[test]
fn a_phone_that_asterisk_itself_knows_stays_when_the_house_changes() {
    let mut machine = Machine::new(plan(false));
    machine.learn([("140".into(), Phone { endpoint: "PJSIP/140".to_owned(), ..Phone::default() })]);
    is_now(&mut machine, 100, with_111());
    assert!(machine.plan().phones.contains_key("140") && machine.plan().phones.contains_key("111"));
}

#[test]
fn what_changes_while_asterisk_is_away_is_made_good_when_it_is_back() {
    let mut machine = ready();
    let redirect = Command::Redirect { number: "110".into(), to: Some("102".into()), cascade: false };
    machine.command(at(150), redirect, &mut Out::default());
    machine.lost(at(200), &mut Out::default());
    let mut less = plan(false);
    less.phones.remove("110");
    is_now(&mut machine, 300, less);
    let mut out = Out::default();
    machine.connected(at(400), &mut out);
    let mut again = Out::default();
    for action in std::mem::take(&mut out.actions) {
        let fields = [("Event", "Done"), ("ActionID", action.action_id()), ("EventList", "Complete")];
        machine.heard(at(401), &Message::from_fields(fields), &mut again);
    }
    assert_eq!(sent(&again, "DBDel")[0].get("Key"), "110");
}
