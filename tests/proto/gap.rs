//! What a link is told when events towards it were lost.

use std::collections::BTreeSet;
use std::time::Duration;

use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::settings::{Account, Trigger};
use ctigate_proto::message::{Format, Object};
use ctigate_proto::telephony::FormOrder;

use crate::world::{World, both, rule, settings};

#[test]
fn a_link_is_told_the_state_of_each_user_anew() {
    both(|format| {
        let mut settings = settings();
        let mut card = rule("clientcard");
        card.on = Trigger::Ring;
        settings.forms = vec![card];
        let mut world = World::with(settings);
        let crm = world.introduced("crm", format);
        world.agent("ivanov", format);
        world.ring("c1", "79001112233", "101");
        world.heard(crm);
        world.input(Input::EventsLost { peer: crm.0 });
        let told: Vec<_> = world.heard(crm).into_iter().filter(|m| m.name() == "statereset").collect();
        let logins: Vec<_> = told.iter().map(|m| m.text("userlogin")).collect();
        assert_eq!(logins, ["ivanov", "petrov", "sidorova"], "each user of the link, once");
        let first = &told[0];
        assert_eq!(first.text("reason"), "overflow");
        assert!(first.json("userstate").contains(r#""userstateid":5"#), "{}", first.json("userstate"));
        assert!(first.json("lineinfo").contains("lsRing"), "{}", first.json("lineinfo"));
        assert!(first.json("forms").contains("clientcard"), "{}", first.json("forms"));
        assert!(first.json("numbers").contains(r#""num":"103""#), "{}", first.json("numbers"));
        assert!(!told[1].has("numbers"), "the numbers are told once");
    });
}

#[test]
fn a_link_with_many_users_is_told_of_them_little_by_little() {
    let mut settings = settings();
    let person = |n: usize| Account {
        id: format!("3f0a7c11-0000-4000-8000-{n:012}").into(),
        login: format!("p{n}").into(),
        ..Account::default()
    };
    settings.accounts = (0..1_050).map(person).collect();
    let mut world = World::with(settings);
    let crm = world.introduced("crm", Format::Json);
    world.heard(crm);
    let timers = world.hub.sizes().timers;
    world.input(Input::EventsLost { peer: crm.0 });
    let mut told = Vec::new();
    let mut hear = |world: &mut World| {
        let now: Vec<_> = world.heard(crm).into_iter().filter(|m| m.name() == "statereset").collect();
        told.extend(now.iter().map(|m| m.text("userlogin")));
        now.len()
    };
    assert_eq!(hear(&mut world), 100, "at once");
    world.pass(Duration::from_millis(249));
    assert_eq!(hear(&mut world), 0);
    world.pass(Duration::from_millis(1));
    assert_eq!(hear(&mut world), 100);
    // Lost again: from the first, and never two at a time.
    world.input(Input::EventsLost { peer: crm.0 });
    assert_eq!(hear(&mut world), 100);
    assert_eq!(world.hub.sizes().timers, timers + 1);
    world.pass(Duration::from_millis(250 * 9));
    assert_eq!(hear(&mut world), 900);
    world.pass_alive(Duration::from_secs(5));
    assert_eq!(hear(&mut world), 50, "and then it is over");
    assert_eq!(told[200..].iter().collect::<BTreeSet<_>>().len(), 1_050);
    assert_eq!(world.hub.sizes().timers, timers);
    world.input(Input::EventsLost { peer: crm.0 });
    world.cut(crm);
    world.introduced("crm", Format::Json);
    let again = world.hub.sizes().timers;
    world.pass(Duration::from_secs(1));
    assert_eq!(world.hub.sizes().timers, again, "a new connection asks for itself");
}

#[test]
fn cards_too_long_for_a_tab_are_left_out_of_what_it_is_told_anew() {
    let mut world = World::new();
    let tab = world.agent("ivanov", Format::Json);
    let long = "x".repeat(600_000);
    for _ in 0..2 {
        let order = FormOrder {
            name: "free".into(),
            user: "ivanov".into(),
            call: None,
            parameters: Object::new().with("long", long.clone()),
            expire: None,
        };
        world.ask(Ask::OpenForm(order));
    }
    world.heard(tab);
    world.input(Input::EventsLost { peer: tab.0 });
    let told = world.expect(tab, "statereset");
    assert_eq!((told.has("forms"), told.has("userstate"), told.has("numbers")), (false, true, true));
}

#[test]
fn a_tab_is_told_the_state_of_its_user_anew() {
    let mut world = World::new();
    let tab = world.agent("petrov", Format::Json);
    world.input(Input::EventsLost { peer: tab.0 });
    let told = world.expect(tab, "statereset");
    assert_eq!((told.text("userlogin"), told.json("forms"), told.has("numbers")), ("petrov".into(), "[]".into(), true));
    assert!(world.heard(tab).is_empty(), "once");
}
