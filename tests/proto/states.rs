//! What people say of themselves, and what follows: the state that is told, what queues may do, where calls go.
//! `proto-spec/methods/user.md`, `redirect.md`, `queue.md`.

use std::time::Duration;

use ctigate_proto::hub::output::{Kept, Record};
use ctigate_proto::message::Format;
use ctigate_proto::telephony::{Command, EndCause, Event};

use crate::world::{Heard, IVANOV, P, Told, World, settings};

const CHAIN: &str = "c0ffee00-0000-4000-8000-000000000001";

fn set(w: &mut World, tab: P, fields: &str) -> Heard {
    w.say(tab, &format!(r#"["setuserstate",{{"qid":"7",{fields}}}]"#));
    w.expect(tab, "setuserstateresult")
}

fn flags(heard: &Heard) -> (i64, String, String, String) {
    (heard.int("userstateid"), heard.json("oncallcenter"), heard.json("onccmanual"), heard.json("onredirect"))
}

fn is(state: i64, callcenter: bool, manual: bool, redirect: bool) -> (i64, String, String, String) {
    (state, callcenter.to_string(), manual.to_string(), redirect.to_string())
}

#[test]
fn what_known_clients_send_gives_the_state_they_want() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    for (sent, state) in [
        (r#""userstateid":1,"oncallcenter":true,"onccmanual":false,"onredirect":false"#, is(1, true, false, false)),
        (r#""userstateid":1,"oncallcenter":true,"onccmanual":true,"onredirect":false"#, is(1, true, true, false)),
        (r#""userstateid":1,"oncallcenter":false,"onccmanual":false,"onredirect":false"#, is(1, false, false, false)),
        (r#""userstateid":2,"oncallcenter":true,"onredirect":false,"lunchreasonid":2"#, is(2, true, false, false)),
        (r#""userstateid":3,"oncallcenter":false,"onredirect":false"#, is(3, false, false, false)),
        (r#""onredirect":true"#, is(3, false, false, true)),
        (r#""userstateid":5,"onredirect":false"#, is(5, false, false, false)),
        (r#""userstateid":1"#, is(1, false, false, false)),
        (r#""userstateid":"2","lunchreasonid":"2""#, is(2, true, false, false)),
        (r#""oncallcenter":true"#, is(2, true, false, false)),
    ] {
        assert_eq!(flags(&set(&mut w, tab, sent)), state, "{sent}");
    }
    let on_break = set(&mut w, tab, r#""userstateid":2,"lunchreasonid":2"#);
    assert_eq!((on_break.text("userstatestr"), on_break.int("lunchreasonid")), ("usLunch".into(), 2));
    assert_eq!(on_break.json("onlunch"), "true");
    w.say(tab, r#"["cc_getlunchtypes",{"qid":1}]"#);
    let types = w.expect(tab, "cc_getlunchtypesresult").json("items");
    assert_eq!(types, r#"[{"id":1,"name":"Lunch"},{"id":2,"name":"Call-back"}]"#);
}

#[test]
fn a_break_without_a_reason_takes_the_first_and_words_are_a_reason_too() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    assert_eq!(set(&mut w, tab, r#""userstateid":2"#).int("lunchreasonid"), 1);
    set(&mut w, tab, r#""userstateid":1"#);
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let words = set(&mut w, tab, r#""userstateid":2,"lunchreasonmsg":"dentist""#);
    assert_eq!((words.int("lunchreasonid"), words.text("lunchreasonmsg")), (0, "dentist".into()));
}

#[test]
fn a_state_that_is_none_changes_nothing() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    for (sent, code, says) in [
        (r#""userstateid":4"#, 59002, "expected 1, 2, 3 or 5"),
        (r#""userstateid":7"#, 59002, "expected 1, 2, 3 or 5"),
        (r#""userstateid":"ready""#, 59002, "userstateid"),
        (r#""userstateid":3,"oncallcenter":"perhaps""#, 59002, "oncallcenter"),
        (r#""userstateid":2,"lunchreasonid":9"#, 59014, "1, 2"),
    ] {
        set(&mut w, tab, sent).failed(code, says);
    }
    w.expect_no(tab, "userstatechanged");
    w.say(tab, r#"["getuserstate",{"qid":1}]"#);
    assert_eq!(w.expect(tab, "getuserstateresult").int("userstateid"), 1);
}

#[test]
fn all_tabs_of_the_user_hear_it_and_everybody_hears_the_number() {
    let mut w = World::new();
    let (a, b) = (w.agent("ivanov", Format::Json), w.agent("ivanov", Format::Xml));
    let other = w.agent("petrov", Format::Json);
    let crm = w.introduced("crm", Format::Json);
    for peer in [a, b, other, crm] {
        w.heard(peer);
    }
    w.say(a, r#"["setuserstate",{"qid":"7","userstateid":3}]"#);
    for peer in [a, b, crm] {
        assert_eq!(w.expect(peer, "userstatechanged").int("userstateid"), 3);
    }
    assert!(w.expect(other, "pbxnumberstatechanged").json("numbers").contains(r#""numstateid":3"#));
    w.expect_no(other, "userstatechanged");
    // The same again is no news.
    w.say(a, r#"["setuserstate",{"qid":"8","userstateid":3}]"#);
    w.expect_no(b, "userstatechanged");
}

#[test]
fn a_call_makes_busy_and_what_was_chosen_meanwhile_counts_afterwards() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    w.tell(Told::Answered { call: call.clone(), number: "101".into() });
    w.heard(tab);
    let chosen = set(&mut w, tab, r#""userstateid":2,"lunchreasonid":2"#);
    assert_eq!((chosen.int("userstateid"), chosen.json("onlunch")), (5, "true".into()));
    w.heard(tab);
    w.tell(Told::Ended { call });
    let after = w.expect(tab, "userstatechanged");
    assert_eq!((after.int("userstateid"), after.int("lunchreasonid")), (2, 2));
}

#[test]
fn queues_are_told_who_may_be_rung_and_a_telephone_system_that_begins_is_told_again() {
    let mut w = World::new();
    let tab = w.agent("petrov", Format::Json);
    let told = |w: &mut World| std::mem::take(&mut w.pbx);
    let may = || Command::Agent { number: "102".into(), away: None };
    let away = |why: &'static str| Command::Agent { number: "102".into(), away: Some(why.into()) };
    assert_eq!(told(&mut w), [], "whoever is at a queue may be rung");
    w.say(tab, r#"["getuserstate",{"qid":1}]"#);
    assert_eq!(w.expect(tab, "getuserstateresult").json("oncallcenter"), "true");
    set(&mut w, tab, r#""userstateid":2,"lunchreasonid":2"#);
    let lunch = w.settings.breaks[1].name.clone();
    assert_eq!(
        told(&mut w),
        [Command::Agent { number: "102".into(), away: Some(lunch) }],
        "with the name of the break"
    );
    set(&mut w, tab, r#""userstateid":3"#);
    assert_eq!(told(&mut w), [away("do not disturb")], "and when it is another");
    set(&mut w, tab, r#""userstateid":1"#);
    assert_eq!(told(&mut w), [may()]);
    set(&mut w, tab, r#""onccmanual":true"#);
    assert_eq!(told(&mut w), [away("manual")]);
    w.say(tab, r#"["exitcallcenter",{"qid":1}]"#);
    assert_eq!(w.expect(tab, "exitcallcenterresult").int("result"), 1);
    assert_eq!(told(&mut w), [away("out of the queues")]);
    w.phone(Event::Phone { number: "102".into(), connected: true });
    assert_eq!(told(&mut w), [away("out of the queues")], "it has just begun to run");
    w.say(tab, r#"["entercallcenter",{"qid":1}]"#);
    w.expect(tab, "entercallcenterresult");
    assert_eq!(told(&mut w), [may()]);
    // Who is at no queue is no business of queues.
    let other = w.agent("ivanov", Format::Json);
    set(&mut w, other, r#""userstateid":3"#);
    assert_eq!(told(&mut w), []);
}

const RULE: &str = r#""id":"8a6f6a256b8d5506f1af1460560c90b8","caption":"mine","description":"","priority":1,"userid":"","isenabled":true,"allowcascade":true,"state":2,"onlyforredirectstate":true,"definesources":false"#;

fn save(w: &mut World, tab: P, to: &str) -> Heard {
    w.say(tab, &format!(r#"["saveredirectrules",{{"qid":1,"redirectrule":{{{RULE},"destinationnumber":"{to}"}}}}]"#));
    w.expect(tab, "saveredirectrulesresult")
}

#[test]
fn a_rule_redirects_while_the_user_says_so_and_outlives_the_node() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let to = |to: Option<&'static str>| {
        let cascade = to.is_some();
        Command::Redirect { number: "101".into(), to: to.map(Into::into), cascade }
    };
    w.say(tab, r#"["getredirectrules",{"qid":1}]"#);
    assert_eq!(w.expect(tab, "getredirectrulesresult").json("redirectrules"), "[]");
    assert_eq!(save(&mut w, tab, "102").int("result"), 1);
    assert_eq!(w.pbx, [], "it is for the state of redirection alone");
    set(&mut w, tab, r#""onredirect":true"#);
    assert_eq!(std::mem::take(&mut w.pbx), [to(Some("102"))]);
    assert_eq!(save(&mut w, tab, "8 (900) 111").int("result"), 1);
    assert_eq!(std::mem::take(&mut w.pbx), [to(Some("8900111"))]);
    w.say(tab, r#"["getredirectrules",{"qid":1}]"#);
    let rules = w.expect(tab, "getredirectrulesresult").json("redirectrules");
    assert!(rules.contains(r#""destinationnumber":"8 (900) 111""#) && rules.contains(r#""state":2"#), "{rules}");
    set(&mut w, tab, r#""onredirect":false"#);
    assert_eq!(std::mem::take(&mut w.pbx), [to(None)]);

    // Kept, and given back to another node.
    let kept = w.records.iter().rev().find_map(|r| match r {
        Record::Kept(Kept { kind: "redirect", key, body }) => Some((key.clone(), body.clone())),
        _ => None,
    });
    let (key, body) = kept.expect("it is kept");
    let mut again = World::new();
    assert!(again.hub.restore_kept("redirect", &key, &body.expect("not ended")));
    let tab2 = again.agent("ivanov", Format::Json);
    again.say(tab2, r#"["getredirectrules",{"qid":1}]"#);
    assert!(again.expect(tab2, "getredirectrulesresult").json("redirectrules").contains("8 (900) 111"));
    for (kind, key, body) in [("redirect", "nobody", "{}"), ("redirect", "ivanov", "[]"), ("what", "ivanov", "{}")] {
        assert!(!again.hub.restore_kept(kind, key, &body.into()));
    }

    // Deleted with dashes though saved without.
    let id = r#"["8a6f6a25-6b8d-5506-F1AF-1460560c90b8"]"#;
    w.say(tab, &format!(r#"["deleteredirectrules",{{"qid":1,"ids":{id}}}]"#));
    assert_eq!(w.expect(tab, "deleteredirectrulesresult").int("result"), 1);
    w.say(tab, &format!(r#"["deleteredirectrules",{{"qid":1,"ids":{id}}}]"#));
    w.expect(tab, "deleteredirectrulesresult").failed(59014, "8a6f6a25");
}

#[test]
fn a_rule_that_cannot_work_is_refused() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    save(&mut w, tab, "abc").failed(59002, "destinationnumber");
    save(&mut w, tab, "").failed(59002, "destinationnumber");
    save(&mut w, tab, "101").failed(59007, "own");
    let other = r#""id":"x","destinationnumber":"102","userid":"3f0a7c11-0000-4000-8000-000000000102""#;
    w.say(tab, &format!(r#"["saveredirectrules",{{"qid":1,"redirectrule":{{{other}}}}}]"#));
    w.expect(tab, "saveredirectrulesresult").failed(59004, "another's");
    for n in 0..64 {
        let rule = format!(r#""id":"r{n}","destinationnumber":"102","userid":"{IVANOV}""#);
        w.say(tab, &format!(r#"["saveredirectrules",{{"qid":1,"redirectrule":{{{rule}}}}}]"#));
        assert_eq!(w.expect(tab, "saveredirectrulesresult").int("result"), 1);
    }
    save(&mut w, tab, "102").failed(59012, "64 rules");
}

#[test]
fn who_is_at_the_queue_sees_who_waits_and_everybody_sees_the_total() {
    let mut w = World::with(settings());
    let (at_queue, other) = (w.agent("petrov", Format::Json), w.agent("ivanov", Format::Json));
    let call = w.ring(CHAIN, "79001112233", "103");
    w.tell(Told::RingStopped { call: call.clone(), number: "103".into(), cause: EndCause::NoAnswer });
    w.tell(Told::Queued { call: call.clone(), queue: "500".into() });
    w.pass(Duration::from_millis(12_400));
    w.say(at_queue, r#"["getcurrentqueue",{"qid":1}]"#);
    let queue = w.expect(at_queue, "getcurrentqueueresult").json("queue");
    for part in [r#""callerid":"79001112233""#, r#""lenqueue":12.4"#, r#""taskname":"Support""#, r#""isextline":true"#]
    {
        assert!(queue.contains(part), "{queue}");
    }
    w.say(other, r#"["getcurrentqueue",{"qid":1}]"#);
    assert_eq!(w.expect(other, "getcurrentqueueresult").json("queue"), "[]");
    w.say(other, r#"["gettotalqueue",{"qid":1}]"#);
    let total = w.expect(other, "gettotalqueueresult").json("result");
    assert!(total.contains(r#""rulename":"Support""#) && total.contains(CHAIN), "{total}");
    w.tell(Told::Answered { call, number: "102".into() });
    w.say(at_queue, r#"["getcurrentqueue",{"qid":2}]"#);
    assert_eq!(w.expect(at_queue, "getcurrentqueueresult").json("queue"), "[]");
    w.say(at_queue, r#"["getuserstate",{"qid":3}]"#);
    assert_eq!(w.expect(at_queue, "getuserstateresult").json("ontask"), "true", "the call came through a queue");
}

#[test]
fn the_way_of_a_call_can_be_read_while_it_goes_on() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    w.pass(Duration::from_secs(3));
    w.tell(Told::Answered { call, number: "101".into() });
    w.say(tab, r#"["getchaincontent",{"qid":1}]"#);
    let content = w.expect(tab, "getchaincontentresult").json("content");
    for part in [r#""kind":"began""#, r#""kind":"ringing","userid""#, r#""kind":"answered""#, CHAIN] {
        assert!(content.contains(part), "{content}");
    }
    let other = w.agent("petrov", Format::Json);
    w.say(other, &format!(r#"["getchaincontent",{{"qid":1,"chainid":"{CHAIN}"}}]"#));
    w.expect(other, "getchaincontentresult").failed(59014, "chainid");
    let boss = w.agent("sidorova", Format::Json);
    w.say(boss, &format!(r#"["getchaincontent",{{"qid":1,"chainid":"{CHAIN}"}}]"#));
    assert_eq!(w.expect(boss, "getchaincontentresult").int("result"), 1, "a subordinate's");
    w.say(other, r#"["getchaincontent",{"qid":2}]"#);
    w.expect(other, "getchaincontentresult").failed(59006, "no call");
}
