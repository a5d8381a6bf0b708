//! Logging in, sessions, presence, logout, subscriptions: what a browser does first. `proto-spec/auth.md`.

use std::time::Duration;

use ctigate_proto::hub::Input;
use ctigate_proto::hub::output::{Notice, Record};
use ctigate_proto::message::{Body, Envelope, Format};

use crate::world::{HASH, IVANOV, World, both, settings};

#[test]
fn a_ping_is_answered_before_login_with_all_it_brought() {
    both(|format| {
        let mut w = World::new();
        let tab = w.tab(format);
        w.say(tab, r#"["ping",{"qid":"0.11","x":[1,{"y":null}]}]"#);
        let pong = w.expect(tab, "pong");
        assert_eq!((pong.text("qid"), pong.json("x")), ("0.11".into(), r#"[1,{"y":null}]"#.into()));
    });
}

#[test]
fn a_qid_comes_back_as_it_was_written() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    for qid in [r#""0.30""#, "1.50", "12345678901234567890123", "null", r#"{"a":[1]}"#, "true", r#""\u0041""#] {
        w.say(tab, &format!(r#"["ping",{{"qid":{qid}}}]"#));
        let pong = w.expect(tab, "pong");
        let text = ctigate_proto::codec::encode(&pong.0, Format::Json);
        assert_eq!(&*text, format!(r#"["pong",{{"qid":{qid}}}]"#));
    }
}

#[test]
fn a_login_by_password_gives_a_session_and_one_by_session_gives_the_same() {
    both(|format| {
        let mut w = World::new();
        let tab = w.tab(format);
        w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","showid":1,"qid":"0.12"}}]"#));
        let reply = w.expect(tab, "loginresult");
        assert_eq!((reply.int("result"), reply.text("userid"), reply.text("qid")), (1, IVANOV.into(), "0.12".into()));
        let session = reply.text("sessionid");
        assert_eq!(session.len(), 64);
        assert!(!reply.has("error") && !reply.has("errormsg"), "known clients take them for a failure");

        w.cut(tab);
        let again = w.tab(format);
        w.say(again, &format!(r#"["login",{{"userlogin":"ivanov","sessionid":"{session}","qid":"1"}}]"#));
        assert_eq!(w.expect(again, "loginresult").text("sessionid"), session);

        let third = w.tab(format);
        w.say(third, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"1"}}]"#));
        assert_ne!(w.expect(third, "loginresult").text("sessionid"), session, "a password makes a new one");
    });
}

#[test]
fn failed_logins_have_the_texts_that_clients_compare() {
    both(|format| {
        let mut w = World::new();
        let ivanov = w.agent("ivanov", format);
        w.say(ivanov, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"2"}}]"#));
        let session = w.expect(ivanov, "loginresult").text("sessionid");
        for (login, with, says) in [
            ("ivanov", r#""Password":"0""#.to_owned(), "Wrong login/pass combination"),
            ("nobody", format!(r#""Password":"{HASH}""#), "Wrong login/pass combination"),
            ("ivanov", r#""sessionid":"abc""#.to_owned(), "Bad request. Session does not exist"),
            ("petrov", format!(r#""sessionid":"{session}""#), "Bad request. Invalid session user"),
        ] {
            let tab = w.tab(format);
            w.say(tab, &format!(r#"["login",{{"userlogin":"{login}",{with},"qid":"1"}}]"#));
            let reply = w.expect(tab, "loginresult");
            assert_eq!(
                (reply.int("result"), reply.text("errormsg"), reply.text("userlogin")),
                (0, says.into(), login.into())
            );
            assert!(w.closed(tab).is_none(), "the client closes by itself");
        }
    });
}

#[test]
fn before_login_only_four_methods_are_served() {
    both(|format| {
        let mut w = World::new();
        let tab = w.tab(format);
        w.say(tab, r#"["getuserstate",{"qid":"1"}]"#);
        w.expect(tab, "getuserstateresult").failed(59003, "before the login");
        // The result that a tab hands in is a call like others.
        w.say(tab, r#"["methodresult",{"qid":"r","executionid":"x","result":1}]"#);
        w.expect(tab, "methodresultresult").failed(59003, "before the login");
        w.say(tab, r#"["whoareyou",{"qid":"2"}]"#);
        assert_eq!(w.expect(tab, "iam").text("type"), "commserver");
        w.say(tab, r#"["subscribeevent",{"qid":"3","eventmethod":["userstatechanged"]}]"#);
        assert_eq!(w.expect(tab, "subscribeeventresult").int("result"), 1);
        // What was subscribed before the login counts after it.
        w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"4"}}]"#));
        assert_eq!(w.expect(tab, "userstatechanged").int("userstateid"), 1);
    });
}

#[test]
fn a_channel_that_does_not_log_in_is_closed_after_thirty_seconds() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.pass(Duration::from_millis(29_999));
    assert!(w.closed(tab).is_none());
    w.pass(Duration::from_millis(1));
    assert_eq!(w.closed(tab).map(|r| r.code), Some(1008));
}

#[test]
fn silence_of_a_minute_ends_a_connection_and_any_sign_keeps_it() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.pass_alive(Duration::from_secs(600));
    assert!(w.closed(tab).is_none());
    w.pass(Duration::from_secs(61));
    assert_eq!(w.closed(tab).map(|r| r.code), Some(0), "the peer is gone, nothing is awaited of it");
}

#[test]
fn a_second_login_of_the_same_user_is_answered_and_of_another_refused() {
    both(|format| {
        let mut w = World::new();
        let tab = w.agent("ivanov", format);
        w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"2"}}]"#));
        assert_eq!(w.expect(tab, "loginresult").int("result"), 1);
        w.say(tab, &format!(r#"["login",{{"userlogin":"petrov","Password":"{HASH}","qid":"3"}}]"#));
        w.expect(tab, "loginresult").failed(59003, "ivanov is logged in here");
        w.say(tab, r#"["getmyuserinfo",{"userlogin":"petrov","qid":"4"}]"#);
        w.expect(tab, "getmyuserinforesult").failed(59003, "userlogin");
    });
}

#[test]
fn logout_ends_the_session_and_closes_its_channels_but_noother() {
    both(|format| {
        let mut w = World::new();
        let a = w.agent("ivanov", format);
        let other = w.agent("ivanov", format);
        w.say(a, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"2"}}]"#));
        let session = w.expect(a, "loginresult").text("sessionid");
        let b = w.tab(format);
        w.say(b, &format!(r#"["login",{{"userlogin":"ivanov","sessionid":"{session}","qid":"1"}}]"#));
        w.heard(b);
        w.say(b, r#"["logout",{"userlogin":"ivanov","qid":"9"}]"#);
        assert_eq!(w.expect(b, "logoutresult").int("result"), 1);
        assert_eq!(w.closed(b).map(|r| r.code), Some(1000));
        assert_eq!(w.closed(a).map(|r| r.code), Some(1000), "the same session");
        assert!(w.closed(other).is_none(), "another session of the same user lives");
        let c = w.tab(format);
        w.say(c, &format!(r#"["login",{{"userlogin":"ivanov","sessionid":"{session}","qid":"1"}}]"#));
        assert_eq!(w.expect(c, "loginresult").text("errormsg"), "Bad request. Session does not exist");
    });
}

#[test]
fn a_session_slides_with_use_and_ends_when_its_time_is_over() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","expires":3600,"qid":"1"}}]"#));
    let session = w.expect(tab, "loginresult").text("sessionid");
    let login = format!(r#"["login",{{"userlogin":"ivanov","sessionid":"{session}","qid":"1"}}]"#);
    w.pass_alive(Duration::from_secs(7200));
    w.cut(tab);
    w.pass(Duration::from_secs(3000));
    let tab = w.tab(Format::Json);
    w.say(tab, &login);
    assert_eq!(w.expect(tab, "loginresult").int("result"), 1, "an open tab keeps it, and leaving begins the hour anew");
    w.cut(tab);
    w.pass(Duration::from_secs(3601));
    let tab = w.tab(Format::Json);
    w.say(tab, &login);
    assert_eq!(w.expect(tab, "loginresult").text("errormsg"), "Bad request. Session does not exist");
    assert!(w.records.iter().any(|r| matches!(r, Record::SessionEnded { .. })));
}

#[test]
fn a_session_survives_a_restart_by_its_hash_alone() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"1"}}]"#));
    let session = w.expect(tab, "loginresult").text("sessionid");
    let Some(Record::Session(stored)) = w.records.iter().rev().find(|r| matches!(r, Record::Session(_))).cloned()
    else {
        panic!("nothing was kept")
    };
    assert_ne!(stored.hash, session, "the id itself is never kept");
    let mut w = World::new();
    w.hub.restore_session(stored);
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"userlogin":"ivanov","sessionid":"{session}","qid":"1"}}]"#));
    assert_eq!(w.expect(tab, "loginresult").int("result"), 1);
}

#[test]
fn a_user_is_online_from_the_first_tab_until_five_seconds_after_the_last() {
    let mut w = World::new();
    let a = w.agent("ivanov", Format::Json);
    let b = w.agent("ivanov", Format::Xml);
    let watcher = w.agent("petrov", Format::Json);
    w.cut(a);
    w.cut(b);
    w.pass(Duration::from_millis(4_900));
    w.expect_no(watcher, "pbxnumberstatechanged");
    let back = w.agent("ivanov", Format::Json);
    w.pass(Duration::from_secs(10));
    w.expect_no(watcher, "pbxnumberstatechanged");
    w.cut(back);
    w.pass(Duration::from_secs(5));
    assert_eq!(w.expect(watcher, "pbxnumberstatechanged").json("numbers"), r#"[{"num":"101","numstateid":0}]"#);
    let presence: Vec<_> =
        w.notices.iter().filter(|n| matches!(n, Notice::Presence { login, .. } if login == "ivanov")).collect();
    assert_eq!(presence.len(), 2, "{presence:?}");
}

#[test]
fn events_go_to_who_subscribed_and_groups_bring_their_members() {
    let mut w = World::new();
    let deaf = w.tab(Format::Json);
    w.say(deaf, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"1"}}]"#));
    let phone = w.tab(Format::Json);
    w.say(phone, &format!(r#"["login",{{"userlogin":"ivanov","Password":"{HASH}","qid":"1"}}]"#));
    w.say(phone, r#"["subscribeevent",{"qid":"3","event":"phoneevent"}]"#);
    w.heard(deaf);
    w.heard(phone);
    w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
    assert_eq!(w.heard(deaf).len(), 0);
    let heard = w.heard(phone);
    assert_eq!(heard.iter().map(|m| m.name()).collect::<Vec<_>>(), ["phoneevent_ringstarted"]);
    assert_eq!(heard[0].text("callerid"), "79001112233");
}

#[test]
fn a_custom_event_reaches_whom_it_names_and_the_sender_only_on_request() {
    both(|format| {
        let mut w = World::new();
        let me = w.agent("ivanov", format);
        let myother_tab = w.agent("ivanov", Format::Json);
        let petrov = w.agent("petrov", Format::Xml);
        let say = |recipients: &str, back: &str| {
            format!(
                r#"["triggercustomevent",{{"qid":"1","userlogin":"ivanov","eventname":"order","eventparam":{{"id":55}},"recipients":{recipients},"sendback":{back}}}]"#
            )
        };
        w.say(me, &say("false", r#""0""#));
        assert_eq!(w.expect(petrov, "customevent").json("eventparam"), r#"{"id":55}"#);
        assert_eq!(w.expect(myother_tab, "customevent").text("eventname"), "order");
        w.expect_no(me, "customevent");
        w.say(me, &say(&format!(r#"["{IVANOV}"]"#), "1"));
        w.expect(me, "customevent");
        w.expect_no(petrov, "customevent");
    });
}

#[test]
fn the_seats_of_max_users_are_for_users_not_for_tabs() {
    let mut settings = settings();
    settings.limits.max_users = 1;
    let mut w = World::with(settings);
    w.agent("ivanov", Format::Json);
    w.agent("ivanov", Format::Json);
    let petrov = w.tab(Format::Json);
    w.say(petrov, &format!(r#"["login",{{"userlogin":"petrov","Password":"{HASH}","qid":"1"}}]"#));
    w.expect(petrov, "loginresult").failed(50025, "");
}

#[test]
fn a_tab_that_logs_in_again_keeps_its_place_though_its_session_is_the_oldest_of_too_many() {
    let mut settings = settings();
    settings.limits.sessions_per_user = 2;
    let mut w = World::with(settings);
    let (tab, other) = (w.agent("ivanov", Format::Json), w.agent("ivanov", Format::Json));
    w.say(tab, &format!(r#"["login",{{"qid":"again","userlogin":"ivanov","Password":"{HASH}"}}]"#));
    assert_eq!(w.expect(tab, "loginresult").int("result"), 1);
    assert!(w.closed(tab).is_none());
    assert_eq!(w.hub.sizes().sessions, 2);
    w.cut(tab);
    w.cut(other);
    w.pass(Duration::from_secs(25 * 3600));
    assert_eq!(w.hub.sizes().sessions, 0, "nobody uses any");
}

#[test]
fn nonsense_answers_unknown_method() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["nosuchthing",{"qid":"1"}]"#);
    w.expect(tab, "nosuchthingresult").failed(59001, "nosuchthing");
}

#[test]
fn a_session_that_ends_while_it_is_checked_lets_nobody_in() {
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"qid":1,"userlogin":"ivanov","Password":"{HASH}"}}]"#));
    let session = w.expect(tab, "loginresult").text("sessionid");
    // Checked, and the shell is about to say so when the other tab logs out.
    let identity = w.hub.check_session(w.now, &session, "ivanov").expect("it lives");
    w.say(tab, r#"["logout",{"qid":2}]"#);
    let late = w.tab(Format::Json);
    w.input(Input::Opened { peer: late.0, identity, opening: Box::default() });
    assert_eq!(w.expect(late, "loginresult").text("errormsg"), "Bad request. Session does not exist");
    assert!(w.closed(late).is_some());
    assert_eq!((w.hub.sizes().sessions, w.hub.sizes().peers), (0, 0));
}

#[test]
fn a_login_that_is_checked_when_its_tab_logs_out_leaves_nothing() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.hold = true;
    let login = format!(r#"["login",{{"qid":3,"userlogin":"ivanov","Password":"{HASH}"}}]"#);
    w.say(tab, &login);
    w.say(tab, &login);
    w.expect(tab, "loginresult").failed(59012, "being checked");
    // The tab has said goodbye and is not closed yet.
    w.hub.handle(w.now, Input::Received { peer: tab.0, envelope: Envelope::new("logout", Body::new()) });
    w.release();
    assert_eq!(w.hub.sizes().sessions, 0);
}

#[test]
fn more_than_256_names_at_once_are_refused_and_the_same_ones_again_are_not() {
    let names = |n: usize| (0..n).map(|i| format!(r#""unheard{i}""#)).collect::<Vec<_>>().join(",");
    let mut w = World::new();
    let tab = w.tab(Format::Json);
    let subscribe = |n| format!(r#"["subscribeevent",{{"qid":1,"eventmethod":[{}]}}]"#, names(n));
    for _ in 0..3 {
        w.say(tab, &subscribe(256));
        assert_eq!(w.expect(tab, "subscribeeventresult").int("result"), 1);
    }
    w.say(tab, &subscribe(257));
    w.expect(tab, "subscribeeventresult").failed(59012, "256");
    let tab = w.agent("ivanov", Format::Json);
    for _ in 0..3 {
        w.say(tab, &subscribe(256));
        assert_eq!(w.expect(tab, "subscribeeventresult").int("result"), 1);
    }
    w.say(tab, &subscribe(257));
    w.expect(tab, "subscribeeventresult").failed(59012, "257");
}
