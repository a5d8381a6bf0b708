//! Who is behind a link, what they may do there, and when they are gone. `proto-spec/link.md`.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::{Answer, Notice};
use ctigate_proto::message::{Format, Object};
use ctigate_proto::method::Right;
use ctigate_proto::telephony::FormOrder;

use crate::world::{HASH, IVANOV, World, both, settings};

#[test]
fn a_list_of_active_users_is_bounded_and_speaks_for_one_user_in_each_item() {
    let mut settings = settings();
    settings.links[0].trust_users = true;
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    let tabs = |from: usize| (from..from + 40).map(|n| format!(r#""t{n}""#)).collect::<Vec<_>>().join(",");
    let item = |from| format!(r#"{{"userlogin":"ivanov","tabs":[{}]}}"#, tabs(from));
    let too_long = "x".repeat(65);
    w.say(
        crm,
        &format!(
            r#"["activeusers",{{"users":[{},{},{},{{"userlogin":"petrov","userid":"{IVANOV}"}},{{"userlogin":"sidorova","tabs":["{too_long}","a"]}},{{}},7]}}]"#,
            item(0),
            item(0),
            item(30)
        ),
    );
    let view = w.hub.snapshot();
    assert_eq!(view.users[0].tabs.len(), 64, "forty, none twice, and no more than 64");
    assert_eq!(view.users[1].tabs.len(), 0, "an item of two users is of nobody");
    assert_eq!(view.users[2].tabs.iter().map(|t| &*t.tab).collect::<Vec<_>>(), ["a"]);
    assert!(w.notices.iter().any(|n| matches!(n, Notice::Odd { what, .. } if what.contains("two users in one item"))));
}

#[test]
fn with_trust_an_id_is_enough_and_without_it_a_place_in_the_list_is_not() {
    both(|format| {
        for trust in [true, false] {
            let mut settings = settings();
            settings.links[0].trust_users = trust;
            let mut w = World::with(settings);
            let crm = w.introduced("crm", format);
            if !trust {
                w.say(crm, r#"["activeusers",{"users":[{"userlogin":"ivanov"}]}]"#);
            }
            w.say(crm, &format!(r#"["getuserstate",{{"qid":1,"userid":"{IVANOV}"}}]"#));
            let reply = w.expect(crm, "getuserstateresult");
            if trust {
                assert_eq!((reply.int("result"), reply.text("userlogin")), (1, "ivanov".into()));
            } else {
                reply.failed(59003, "not logged in through this link");
                assert_eq!(
                    (reply.text("userid"), reply.text("userlogin")),
                    (IVANOV.into(), "".into()),
                    "whose page waits"
                );
            }
            assert_eq!(w.hub.snapshot().users[0].online, trust);
        }
    });
}

#[test]
fn rights_are_cut_on_both_sides_and_the_crm_itself_has_the_links() {
    let mut settings = settings();
    settings.accounts[0].rights = settings.accounts[0].rights.without(Right::Dynamic);
    settings.links[0].rights = Rights::link_default().with(Right::Users);
    let mut w = World::with(settings.clone());
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "");
    let direct = w.agent("ivanov", Format::Json);
    for door in [crm, direct] {
        w.say(door, r#"["executemethod",{"qid":1,"userlogin":"ivanov","name":"Anything"}]"#);
        w.expect(door, "methodresult").failed(59004, "the right dynamic is missing");
    }
    w.say(crm, r#"["getallusernumbers",{"qid":2}]"#);
    assert_eq!(w.expect(crm, "getallusernumbersresult").int("result"), 1);

    settings.links[0].rights = Rights::NONE;
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["getallusernumbers",{"qid":2}]"#);
    w.expect(crm, "getallusernumbersresult").failed(59004, "the right users is missing");
}

#[test]
fn somebody_who_is_no_user_of_the_link_does_not_log_in_through_it() {
    both(|format| {
        let mut settings = settings();
        settings.links[0].users = Some(vec!["petrov".into()]);
        let mut w = World::with(settings);
        let crm = w.introduced("crm", format);
        w.say(crm, &format!(r#"["login",{{"qid":1,"userlogin":"ivanov","Password":"{HASH}","tabid":"a"}}]"#));
        let reply = w.expect(crm, "loginresult");
        reply.failed(59003, "no user of this link");
        assert_eq!(reply.text("tabid"), "a");
        assert_eq!(w.hub.sizes().sessions, 0);
    });
}

#[test]
fn subscribing_narrows_nothing_on_a_link() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.say(crm, r#"["subscribeevent",{"qid":1,"eventmethod":["flashstatechanged"]}]"#);
        assert_eq!(w.expect(crm, "subscribeeventresult").int("result"), 1);
        w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
        let names: Vec<_> = w.heard(crm).iter().map(|m| m.name().to_owned()).collect();
        let all = ["userstatechanged", "pbxnumberstatechanged", "linestatechanged", "phoneevent_ringstarted"];
        assert_eq!(names, all);
    });
}

#[test]
fn people_of_the_list_leave_with_the_grace_too_and_the_grace_is_a_setting() {
    let mut settings = settings();
    settings.links[0].tunnel_grace = Duration::from_secs(3);
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["activeusers",{"users":[{"userlogin":"petrov","tabs":["p"]}]}]"#);
    w.tunnel_login(crm, "ivanov", "t1");
    w.cut(crm);
    w.pass(Duration::from_millis(2_999));
    assert_eq!(w.hub.sizes().behind_links, 2);
    w.pass(Duration::from_millis(1));
    assert_eq!(w.hub.sizes().behind_links, 0);
    assert!(w.hub.snapshot().users[0].online, "and the five seconds of presence begin now");
    w.pass(Duration::from_secs(5));
    assert!(!w.hub.snapshot().users[0].online);
}

#[test]
fn a_crm_says_that_its_methods_changed_and_is_asked_anew_by_whichever_way_it_said_so() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let post = w.visitor("crm", format);
        w.heard(crm);
        for door in [crm, post] {
            w.say(door, r#"["methodschanged",{"qid":"m"}]"#);
            let reply = w.expect(door, "methodschangedresult");
            assert_eq!((reply.text("qid"), reply.int("result")), ("m".into(), 1));
            let asked: Vec<_> = w.heard(crm).iter().map(|m| m.name().to_owned()).collect();
            assert_eq!(asked, ["getavailablemethods", "getavailableforms", "getactiveusers"]);
            assert!(w.heard(post).is_empty());
        }
    });
}

#[test]
fn forms_and_users_that_are_not_told_in_ten_seconds_are_none() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["activeusers",{"users":[{"userlogin":"ivanov"}]}]"#);
    assert_eq!((w.hub.snapshot().links[0].forms.len(), w.hub.sizes().behind_links), (1, 1));
    w.say(crm, r#"["methodschanged",{}]"#);
    w.pass(Duration::from_secs(10));
    assert_eq!((w.hub.snapshot().links[0].forms.len(), w.hub.sizes().behind_links), (0, 0));
}

#[test]
fn replacements_compete_only_within_a_minute_and_the_state_says_so_no_longer_than_it_lasts() {
    let mut w = World::new();
    w.introduced("crm", Format::Json);
    for _ in 0..2 {
        w.introduced("crm", Format::Json);
    }
    w.pass_alive(Duration::from_secs(61));
    for _ in 0..2 {
        w.introduced("crm", Format::Json);
    }
    let detail = |w: &World| w.hub.snapshot().links[0].detail.clone();
    assert!(!detail(&w).contains("compete"), "two a minute");
    let last = w.introduced("crm", Format::Json);
    assert!(detail(&w).contains("compete") && detail(&w).contains("192.0.2.7"), "{}", detail(&w));
    assert!(w.notices.contains(&Notice::LinkContested { link: "crm".into() }));
    w.pass_alive(Duration::from_secs(30));
    assert_eq!(detail(&w), "connected from 192.0.2.7");
    assert!(w.closed(last).is_none());
}

/// Opens a card for ivanov.
fn open_card() -> Ask {
    Ask::OpenForm(FormOrder {
        name: "clientcard".into(),
        user: "ivanov".into(),
        call: None,
        parameters: Object::new(),
        expire: None,
    })
}

#[test]
fn a_form_reaches_a_link_only_for_people_who_are_behind_it() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let ticket = w.ask(open_card());
        assert!(matches!(w.answer(ticket), Some(Answer::FormOpened { .. })));
        w.expect_no(crm, "showform");
        w.tunnel_login(crm, "petrov", "t1");
        w.expect_no(crm, "showform");
        w.tunnel_login(crm, "ivanov", "t2");
        assert_eq!(w.expect(crm, "showform").text("userlogin"), "ivanov");
    });
}

#[test]
fn a_page_that_is_loaded_again_is_shown_the_forms_and_not_another_in_its_place() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        w.tunnel_login(crm, "ivanov", "t2");
        w.ask(open_card());
        assert_eq!(w.expect(crm, "showform").text("tabid"), "", "it shows in both");
        for tab in ["t1", "t2", "t1"] {
            w.tunnel_login(crm, "ivanov", tab);
            assert_eq!(w.expect(crm, "showform").text("tabid"), tab);
            w.expect_no(crm, "showform");
        }
    });
}
