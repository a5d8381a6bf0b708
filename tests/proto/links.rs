//! CRM links: introduction, capability questions, replacement, the tunnel and its tabs. `proto-spec/link.md`.

use std::time::Duration;

use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::dialog::{self, Role};
use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::LinkState;
use ctigate_proto::message::Format;

use crate::world::{IVANOV, World, both, link, settings};

#[test]
fn both_sides_introduce_themselves_and_then_the_crm_is_asked_in_order() {
    both(|format| {
        let mut w = World::new();
        let crm = w.crm("crm", format);
        let hello = w.expect(crm, "whoareyou");
        assert_eq!((hello.text("type"), hello.text("name")), ("commserver".into(), "ctigate".into()));
        w.say(crm, r#"["whoareyou",{"qid":"6F0A","type":"ws-server","name":"Demo","version":"3.1"}]"#);
        let iam = w.expect(crm, "iam");
        assert_eq!((iam.text("qid"), iam.text("type")), ("6F0A".into(), "commserver".into()));
        assert!(w.heard(crm).is_empty(), "nothing is asked before the CRM has said who it is");
        w.say(
            crm,
            &format!(r#"["iam",{{"qid":"{}","type":"ws-server","name":"Demo","version":"3.1"}}]"#, hello.text("qid")),
        );
        let asked: Vec<_> = w.heard(crm).iter().map(|m| m.name().to_owned()).collect();
        assert_eq!(asked, ["getavailablemethods", "getavailableforms", "getactiveusers"]);
        let view = w.hub.snapshot().links[0].clone();
        assert_eq!((view.state, &*view.crm), ("up", "Demo 3.1"));
    });
}

#[test]
fn before_the_introduction_only_three_messages_are_processed() {
    both(|format| {
        let mut w = World::new();
        let crm = w.crm("crm", format);
        w.say(crm, r#"["getpbxnumbers",{"qid":"1","mode":"full","userlogin":"","userid":""}]"#);
        w.expect(crm, "getpbxnumbersresult").failed(59003, "before the introduction");
        w.say(crm, r#"["ping",{"qid":"2"}]"#);
        w.expect(crm, "pong");
    });
}

#[test]
fn a_crm_that_does_not_introduce_itself_is_closed_after_ten_seconds() {
    let mut w = World::new();
    let crm = w.crm("crm", Format::Json);
    w.pass(Duration::from_secs(10));
    let reason = w.closed(crm).expect("closed");
    assert_eq!((reason.code, &*reason.text), (1008, "no introduction"));
}

#[test]
fn a_question_that_is_not_answered_in_ten_seconds_means_none() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    assert_eq!(w.hub.snapshot().links[0].methods.len(), 3);
    w.say(crm, r#"["methodschanged",{"qid":"m"}]"#);
    w.expect(crm, "getavailablemethods");
    w.pass(Duration::from_secs(9));
    assert_eq!(w.hub.snapshot().links[0].methods.len(), 3, "what it offered stands until then");
    w.pass(Duration::from_secs(1));
    assert_eq!(w.hub.snapshot().links[0].methods.len(), 0);
}

#[test]
fn the_newest_crm_wins_and_what_the_old_one_was_asked_fails() {
    both(|format| {
        let mut w = World::new();
        let old = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        w.say(tab, r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{"phone":"1"}}]"#);
        w.expect(old, "executemethod");
        let new = w.crm("crm", format);
        assert!(w.closed(old).is_none(), "a newcomer must say who it is first");
        w.introduce(new);
        let reason = w.closed(old).expect("replaced");
        assert_eq!((reason.code, &*reason.text), (1000, "replaced by a newer connection"));
        w.expect(tab, "methodresult").failed(59010, "");
        assert_eq!(w.hub.snapshot().links[0].state, "up");
    });
}

#[test]
fn crms_that_compete_are_kept_out_for_half_a_minute() {
    let mut w = World::new();
    let mut last = w.introduced("crm", Format::Json);
    for _ in 0..3 {
        last = w.introduced("crm", Format::Json);
    }
    let newcomer = w.crm("crm", Format::Json);
    w.say(newcomer, r#"["iam",{"type":"x","name":"Other","version":"1"}]"#);
    assert_eq!(w.closed(newcomer).map(|r| r.code), Some(1013));
    assert!(w.closed(last).is_none());
    assert!(w.hub.snapshot().links[0].detail.contains("compete"));
    w.pass_alive(Duration::from_secs(30));
    w.introduced("crm", Format::Json);
    assert!(w.closed(last).is_some());
}

#[test]
fn the_crm_itself_may_ask_for_numbers() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.say(crm, r#"["getpbxnumbers",{"qid":"1","mode":"full","userlogin":"","userid":""}]"#);
        let reply = w.expect(crm, "getpbxnumbersresult");
        assert!(
            reply
                .json("numbers")
                .contains(r#""number":"500","id":"15cc7c11-0000-4000-8000-000000000500","caption":"Support""#)
        );
        w.say(crm, r#"["getuserstate",{"qid":"2","userlogin":"","userid":""}]"#);
        w.expect(crm, "getuserstateresult").failed(59002, "userlogin");
    });
}

#[test]
fn a_tunnelled_user_must_log_in_and_every_reply_names_user_and_tab() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.say(crm, r#"["getuserstate",{"qid":"1","userlogin":"ivanov","tabid":"t1"}]"#);
        w.expect(crm, "getuserstateresult").failed(59003, "not logged in through this link");

        w.say(crm, r#"["login",{"qid":"2","userlogin":"ivanov","Password":"0","tabid":"t1"}]"#);
        let failed = w.expect(crm, "loginresult");
        assert_eq!(
            (failed.text("userlogin"), failed.text("errormsg")),
            ("ivanov".into(), "Wrong login/pass combination".into())
        );

        let reply = w.tunnel_login(crm, "ivanov", "t1");
        assert_eq!(reply.int("result"), 1);
        assert_eq!(
            (reply.text("userid"), reply.text("userlogin"), reply.text("tabid")),
            (IVANOV.into(), "ivanov".into(), "t1".into())
        );
        w.heard(crm);
        w.say(crm, r#"["getuserstate",{"qid":"3","userlogin":"ivanov","tabid":"t2"}]"#);
        let reply = w.expect(crm, "getuserstateresult");
        assert_eq!(
            (reply.text("userid"), reply.text("userlogin"), reply.text("tabid")),
            (IVANOV.into(), "ivanov".into(), "t2".into())
        );
        let tabs = w.hub.snapshot().users[0].tabs.clone();
        assert_eq!(tabs.iter().map(|t| (t.door, &*t.tab)).collect::<Vec<_>>(), [("tunnel", "t1"), ("tunnel", "t2")]);
    });
}

#[test]
fn identities_that_disagree_are_refused() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "");
    w.say(crm, &format!(r#"["getuserstate",{{"qid":"1","userlogin":"petrov","userid":"{IVANOV}"}}]"#));
    w.expect(crm, "getuserstateresult").failed(59003, "different users");
    w.say(crm, r#"["getuserstate",{"qid":"1","userlogin":"nobody"}]"#);
    w.expect(crm, "getuserstateresult").failed(59003, "userlogin names no user");
    w.say(crm, &format!(r#"["getuserstate",{{"qid":"1","userlogin":"ivanov","tabid":"{}"}}]"#, "x".repeat(65)));
    w.expect(crm, "getuserstateresult").failed(59002, "tabid");
}

#[test]
fn a_trusted_link_vouches_for_its_users() {
    both(|format| {
        let mut settings = settings();
        settings.links[0].trust_users = true;
        settings.links[0].users = Some(vec!["ivanov".into()]);
        let mut w = World::with(settings);
        let crm = w.introduced("crm", format);
        w.say(crm, r#"["getuserstate",{"qid":"1","userlogin":"ivanov"}]"#);
        assert_eq!(w.expect(crm, "getuserstateresult").int("userstateid"), 1);
        w.say(crm, r#"["getuserstate",{"qid":"1","userlogin":"petrov"}]"#);
        w.expect(crm, "getuserstateresult").failed(59003, "no user of this link");
    });
}

#[test]
fn with_trust_the_list_of_active_users_is_the_tunnel() {
    let mut settings = settings();
    settings.links[0].trust_users = true;
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.say(
        crm,
        r#"["activeusers",{"users":[{"userlogin":"ivanov","type":"x","tabs":["a","b"]},{"userlogin":"petrov"}]}]"#,
    );
    let tabs =
        |w: &World, n: usize| w.hub.snapshot().users[n].tabs.iter().map(|t| t.tab.to_string()).collect::<Vec<_>>();
    assert_eq!((tabs(&w, 0), tabs(&w, 1)), (vec!["a".to_owned(), "b".to_owned()], vec![String::new()]));
    w.say(crm, r#"["activeusers",{"users":[{"userlogin":"ivanov","tabs":["b"]}]}]"#);
    assert_eq!((tabs(&w, 0), tabs(&w, 1)), (vec!["b".to_owned()], vec![]));
    w.pass(Duration::from_secs(5));
    assert!(!w.hub.snapshot().users[1].online);
}

#[test]
fn one_person_through_both_doors_is_one_person() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let direct = w.agent("ivanov", format);
        w.heard(crm);
        w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
        for peer in [crm, direct] {
            let rings: Vec<_> = w.heard(peer).into_iter().filter(|m| m.name() == "phoneevent_ringstarted").collect();
            assert_eq!(rings.len(), 1, "each event once per door");
            assert_eq!((rings[0].text("userlogin"), rings[0].text("userid")), ("ivanov".into(), IVANOV.into()));
        }
        w.cut(direct);
        w.pass(Duration::from_secs(6));
        assert!(w.hub.snapshot().users[0].online, "the tunnel still holds a tab");
        w.say(crm, r#"["logout",{"qid":"9","userlogin":"ivanov","tabid":"t1"}]"#);
        assert_eq!(w.expect(crm, "logoutresult").int("result"), 1);
        w.pass(Duration::from_secs(6));
        assert!(!w.hub.snapshot().users[0].online);
    });
}

#[test]
fn a_lost_link_keeps_its_people_for_a_minute() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "t1");
    w.cut(crm);
    assert_eq!(w.hub.snapshot().links[0].state, "waiting");
    w.pass(Duration::from_secs(59));
    assert!(w.hub.snapshot().users[0].online);
    let crm = w.introduced("crm", Format::Json);
    w.pass_alive(Duration::from_secs(120));
    w.say(crm, r#"["getuserstate",{"qid":"1","userlogin":"ivanov"}]"#);
    assert_eq!(w.expect(crm, "getuserstateresult").int("result"), 1, "still logged in after the link came back");
    w.cut(crm);
    w.pass(Duration::from_secs(66));
    assert!(!w.hub.snapshot().users[0].online);
}

#[test]
fn a_link_hears_all_its_people_without_subscription_and_nothing_it_silenced() {
    let mut settings = settings();
    settings.links = vec![link("all"), link("narrow")];
    settings.links[0].silent_events = vec!["linestatechanged".into()];
    settings.links[1].users = Some(vec!["petrov".into()]);
    let mut w = World::with(settings);
    let all = w.introduced("all", Format::Json);
    let narrow = w.introduced("narrow", Format::Xml);
    w.heard(all);
    w.heard(narrow);
    w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
    let names = |heard: Vec<crate::world::Heard>| heard.iter().map(|m| m.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(w.heard(all)), ["userstatechanged", "pbxnumberstatechanged", "phoneevent_ringstarted"]);
    assert_eq!(names(w.heard(narrow)), ["pbxnumberstatechanged"], "a broadcast, but no event of somebody else's user");
}

#[test]
fn the_rights_of_a_tunnelled_user_are_cut_with_the_links() {
    let mut settings = settings();
    settings.links[0].rights = ctigate_proto::hub::Rights::of(&[ctigate_proto::method::Right::State]);
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "");
    w.say(crm, r#"["executemethod",{"qid":"1","userlogin":"ivanov","name":"FindClient"}]"#);
    w.expect(crm, "methodresult").failed(59004, "dynamic");
}

#[test]
fn what_a_link_is_doing_while_it_is_down_can_be_seen() {
    let mut w = World::new();
    let state = |w: &mut World, state| {
        w.input(Input::LinkState { link: "crm".into(), state });
        let view = w.hub.snapshot().links[0].clone();
        (view.state, view.detail)
    };
    assert_eq!(state(&mut w, LinkState::Dialing).0, "dialing");
    let retry = LinkState::Retrying { why: "connection refused".into(), after: Duration::from_secs(5) };
    assert_eq!(state(&mut w, retry), ("retrying", "connection refused; next try in 5 s".into()));
    assert_eq!(state(&mut w, LinkState::Refused("401".into())), ("refused", "401".into()));
}

#[test]
fn a_posted_link_is_asked_but_hears_no_events() {
    let mut settings = settings();
    settings.links[0].post = true;
    let mut w = World::with(settings);
    let role = Role::Link(Identity::link("crm", Proof::configured_url()));
    let post = dialog::Settings { socket: false, ..dialog::Settings::link() };
    let crm = w.connect(role, Format::Json, post, true);
    w.introduce(crm);
    w.heard(crm);
    w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
    assert!(w.heard(crm).is_empty());
    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{"phone":"1"}}]"#);
    w.expect(crm, "executemethod");
    w.pass(Duration::from_secs(300));
    assert!(w.closed(crm).is_none(), "no heartbeat: there is no connection");
}

#[test]
fn a_users_login_hash_is_checked_behind_a_link_as_anywhere() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let session = w.tunnel_login(crm, "ivanov", "t1").text("sessionid");
    w.say(crm, &format!(r#"["login",{{"qid":"5","userlogin":"ivanov","sessionid":"{session}","tabid":"t2"}}]"#));
    assert_eq!(w.expect(crm, "loginresult").text("sessionid"), session);
    w.say(crm, &format!(r#"["login",{{"qid":"5","userlogin":"petrov","sessionid":"{session}","tabid":"t3"}}]"#));
    assert_eq!(w.expect(crm, "loginresult").text("errormsg"), "Bad request. Invalid session user");
}

#[test]
fn a_crm_that_posts_to_us_is_answered_and_replaces_nobody() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        w.say(tab, r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{"phone":"1"}}]"#);
        let id = w.expect(crm, "executemethod").text("executionid");
        let posted = w.visitor("crm", format);
        assert!(w.heard(posted).is_empty(), "it is asked nothing");
        w.say(posted, r#"["getpbxnumbers",{"qid":"1","mode":"full"}]"#);
        assert_eq!(w.expect(posted, "getpbxnumbersresult").text("qid"), "1");
        w.say(posted, &format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{}}}}]"#));
        assert_eq!(w.expect(tab, "methodresult").int("result"), 1, "a result may come by the other way");
        w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
        assert!(w.heard(posted).is_empty(), "no events");
        w.cut(posted);
        assert!(w.closed(crm).is_none());
        assert_eq!(w.hub.snapshot().links[0].state, "up");
    });
}

#[test]
fn who_logs_in_by_a_post_while_the_link_is_down_stays_for_the_grace_only() {
    let mut w = World::new();
    let visitor = w.visitor("crm", Format::Json);
    w.tunnel_login(visitor, "ivanov", "t1");
    w.cut(visitor);
    let online = |w: &World| w.hub.snapshot().users[0].online;
    w.pass(Duration::from_secs(59));
    assert!(online(&w));
    w.pass(Duration::from_secs(1 + 5));
    assert!(!online(&w));
    assert_eq!(w.hub.sizes().behind_links, 0);
}

#[test]
fn nobody_behind_a_link_has_rights_that_the_link_lacks_by_default() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "t1");
    w.say(crm, r#"["getallusernumbers",{"qid":"n","userlogin":"ivanov"}]"#);
    w.expect(crm, "getallusernumbersresult").failed(59004, "the right users is missing");
}
