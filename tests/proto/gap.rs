//! What a link is told when events towards it were lost.

use ctigate_proto::hub::Input;
use ctigate_proto::hub::settings::Trigger;

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
fn a_tab_is_told_the_state_of_its_user_anew() {
    let mut world = World::new();
    let tab = world.agent("petrov", ctigate_proto::message::Format::Json);
    world.input(Input::EventsLost { peer: tab.0 });
    let told = world.expect(tab, "statereset");
    assert_eq!((told.text("userlogin"), told.json("forms"), told.has("numbers")), ("petrov".into(), "[]".into(), true));
    assert!(world.heard(tab).is_empty(), "once");
}
