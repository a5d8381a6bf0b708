//! Dynamic methods: who asks, what is checked, and the one outcome of each execution. `proto-spec/dynamic.md`.

use std::time::Duration;

use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::{ApiCall, Ask, Undelivered};
use ctigate_proto::hub::output::{Answer, Notice};
use ctigate_proto::message::{Format, Object, Value};
use ctigate_proto::telephony::{self, CallId, Command, Event, Outcome, RunId};

use crate::world::{IVANOV, P, World, both, link, settings};

fn scenario(w: &mut World, run: u64, method: &'static str, input: Object, change: impl Fn(&mut telephony::Ask)) {
    let mut ask = telephony::Ask {
        method: method.into(),
        input,
        call: Some(CallId("c0ffee00-0000-4000-8000-000000000001".into())),
        user: "".into(),
        deadline: None,
        late: Duration::ZERO,
        fallback: None,
    };
    change(&mut ask);
    w.phone(Event::Ask { run: RunId(run), ask });
}

fn phone(text: &'static str) -> Object {
    Object::new().with("phone", text)
}

/// The only outcome that was given to this run.
#[track_caller]
fn outcome(w: &World, run: u64) -> Outcome {
    let all: Vec<_> = w
        .pbx
        .iter()
        .filter_map(|c| match c {
            Command::AskDone { run: r, outcome } if *r == RunId(run) => Some(outcome.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(all.len(), 1, "one execution, one outcome: {all:?}");
    all[0].clone()
}

fn result(w: &mut World, crm: P, execution: &str, rest: &str) {
    w.say(crm, &format!(r#"["methodresult",{{"qid":"r","executionid":"{execution}",{rest}}}]"#));
}

fn api(method: &'static str, input: Object) -> ApiCall {
    ApiCall { method: method.into(), input, ..ApiCall::default() }
}

#[test]
fn a_scenario_asks_the_crm_and_gets_the_result() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        scenario(&mut w, 1, "FindClient", phone("79001112233"), |_| {});
        let m = w.expect(crm, "executemethod");
        assert_eq!(
            (m.text("name"), m.json("inputparameters")),
            ("FindClient".into(), r#"{"phone":"79001112233"}"#.into())
        );
        assert_eq!((m.int("waitresponsems"), m.text("chainid")), (5000, "c0ffee00-0000-4000-8000-000000000001".into()));
        result(&mut w, crm, &m.text("executionid"), r#""result":1,"outputparameters":{"clientid":"42","vip":true}"#);
        assert_eq!(outcome(&w, 1), Outcome::Ok(Object::new().with("clientid", "42").with("vip", true)));
        assert_eq!(w.hub.sizes().timers, World::new().hub.sizes().timers, "the deadline is taken back");
    });
}

#[test]
fn a_tab_asks_and_what_it_says_about_ids_is_not_believed() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        w.say(
            tab,
            r#"["executemethod",{"qid":77,"executionid":"mine","userid":"someone","method":"FindClient","params":{"phone":"1"},"waitresponsems":900}]"#,
        );
        let m = w.expect(crm, "executemethod");
        assert_ne!(m.text("executionid"), "mine");
        assert_eq!(
            (m.text("userid"), m.text("userlogin"), m.int("waitresponsems")),
            (IVANOV.into(), "ivanov".into(), 900)
        );
        result(&mut w, crm, &m.text("executionid"), r#""outputparameters":{"clientid":"42"}"#);
        let reply = w.expect(tab, "methodresult");
        assert_eq!(
            (reply.int("qid"), reply.int("result"), reply.json("outputparameters")),
            (77, 1, r#"{"clientid":"42"}"#.into())
        );
    });
}

#[test]
fn a_tab_behind_the_link_asks_and_the_reply_names_it() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        w.say(crm, r#"["executemethod",{"qid":"e","userlogin":"ivanov","tabid":"t1","name":"Anything","inputparameters":{"a":[1]}}]"#);
        let m = w.expect(crm, "executemethod");
        result(&mut w, crm, &m.text("executionid"), r#""result":1,"outputparameters":{"any":"thing"}"#);
        let reply = w.expect(crm, "methodresult");
        assert_eq!(
            (reply.text("qid"), reply.text("tabid"), reply.text("userlogin")),
            ("e".into(), "t1".into(), "ivanov".into())
        );
        assert_eq!(reply.json("outputparameters"), r#"{"any":"thing"}"#);
    });
}

#[test]
fn input_is_checked_before_it_is_sent() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    for (input, says) in [
        (Object::new(), "phone is missing, expected string"),
        (phone("1").with("x", 1), "x is not declared"),
        (phone("1").with("tries", "many"), "tries is the string \"many\", expected int"),
    ] {
        let ticket = w.ask(Ask::Call(api("FindClient", input)));
        match w.answer(ticket) {
            Some(Answer::Outcome { outcome: Outcome::BadInput(why), error: 59002, .. }) => {
                assert!(why.contains(says), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }
    w.expect_no(crm, "executemethod");
    w.ask(Ask::Call(api("FindClient", phone("1").with("tries", "2"))));
    assert_eq!(
        w.expect(crm, "executemethod").json("inputparameters"),
        r#"{"phone":"1","tries":2}"#,
        "loose values are typed"
    );
}

#[test]
fn output_is_checked_when_it_returns() {
    both(|format| {
        for (output, says) in [
            (r#"{"clientid":42}"#, "clientid is the number 42, expected string"),
            (r#"{"secret":"x"}"#, "secret is not declared"),
            (r#"[1]"#, "outputparameters is array, expected an object"),
        ] {
            let mut w = World::new();
            let crm = w.introduced("crm", format);
            let tab = w.agent("ivanov", format);
            w.say(tab, r#"["executemethod",{"qid":1,"name":"FindClient","inputparameters":{"phone":"1"}}]"#);
            let id = w.expect(crm, "executemethod").text("executionid");
            result(&mut w, crm, &id, &format!(r#""result":1,"outputparameters":{output}"#));
            w.expect(tab, "methodresult").failed(59002, says);
            let log = w
                .notices
                .iter()
                .any(|n| matches!(n, Notice::Odd { who, what } if who == "link crm" && what.contains(says)));
            assert!(log, "{:?}", w.notices);
        }
    });
}

#[test]
fn a_failure_of_the_crm_reaches_the_caller_with_its_text() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["executemethod",{"qid":1,"name":"FindClient","inputparameters":{"phone":"1"}}]"#);
    let id = w.expect(crm, "executemethod").text("executionid");
    result(&mut w, crm, &id, r#""result":0,"error":7001,"errormsg":"database is away""#);
    w.expect(tab, "methodresult").failed(7001, "database is away");
}

#[test]
fn at_the_deadline_the_caller_gets_the_fallback_or_a_timeout_and_the_crm_a_cancel() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        scenario(&mut w, 1, "FindClient", phone("1"), |a| {
            a.deadline = Some(Duration::from_secs(2));
            a.fallback = Some(Object::new().with("clientid", ""));
        });
        let id = w.expect(crm, "executemethod").text("executionid");
        w.say(
            tab,
            r#"["executemethod",{"qid":1,"name":"FindClient","inputparameters":{"phone":"1"},"waitresponsems":2000}]"#,
        );
        w.pass(Duration::from_millis(1_999));
        assert!(w.pbx.is_empty());
        w.pass(Duration::from_millis(1));
        assert_eq!(outcome(&w, 1), Outcome::Fallback(Object::new().with("clientid", "")));
        w.expect(tab, "methodresult").failed(59011, "");
        assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);
        // What comes now changes nothing.
        result(&mut w, crm, &id, r#""result":1,"outputparameters":{"clientid":"42"}"#);
        outcome(&w, 1);
    });
}

#[test]
fn a_late_result_is_welcome_as_long_as_the_caller_said() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        for run in [1, 2] {
            scenario(&mut w, run, "FindClient", phone("1"), |a| {
                a.deadline = Some(Duration::from_secs(1));
                a.late = Duration::from_secs(10);
            });
        }
        let first = w.expect(crm, "executemethod").text("executionid");
        let second = w.expect(crm, "executemethod").text("executionid");
        w.pass(Duration::from_secs(1));
        assert_eq!(outcome(&w, 1), Outcome::Timeout);
        let aborted = w.expect(crm, "executemethodwaitaborted");
        assert_eq!((aborted.text("executionid"), aborted.int("waitresponsems")), (first.clone(), 10_000));
        w.pass(Duration::from_secs(9));
        result(&mut w, crm, &first, r#""result":1,"outputparameters":{"clientid":"42"}"#);
        assert!(w.pbx.contains(&Command::AskLate { run: RunId(1), output: Object::new().with("clientid", "42") }));
        w.pass(Duration::from_secs(2));
        result(&mut w, crm, &second, r#""result":1,"outputparameters":{"clientid":"43"}"#);
        assert!(!w.pbx.iter().any(|c| matches!(c, Command::AskLate { run: RunId(2), .. })), "expired");
        outcome(&w, 2);
        assert_eq!(w.hub.snapshot().executions.len(), 0);
    });
}

#[test]
fn a_caller_that_goes_away_cancels() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    scenario(&mut w, 1, "FindClient", phone("1"), |_| {});
    let id = w.expect(crm, "executemethod").text("executionid");
    w.phone(Event::AskCancelled { run: RunId(1) });
    assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);
    assert!(w.pbx.is_empty(), "nobody waits");

    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["executemethod",{"qid":1,"name":"FindClient","inputparameters":{"phone":"1"}}]"#);
    let id = w.expect(crm, "executemethod").text("executionid");
    w.cut(tab);
    assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);

    let ticket = w.ask(Ask::Call(api("FindClient", phone("1"))));
    let id = w.expect(crm, "executemethod").text("executionid");
    w.input(Input::AskGone { ticket });
    assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);
    assert!(w.answer(ticket).is_none());
}

#[test]
fn a_lost_link_fails_what_waits_on_it_at_once() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let ticket = w.ask(Ask::Call(api("FindClient", phone("1"))));
        w.cut(crm);
        assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::NoLink, error: 59010, .. })));
        let ticket = w.ask(Ask::Call(api("FindClient", phone("1"))));
        assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::NoLink, .. })), "known, but down");
        let call = ApiCall { fallback: Some(Object::new().with("clientid", "")), ..api("FindClient", phone("1")) };
        let ticket = w.ask(Ask::Call(call));
        assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::Fallback(_), .. })));
    });
}

#[test]
fn an_unknown_method_is_told_from_a_link_that_is_down() {
    let mut w = World::new();
    let _crm = w.introduced("crm", Format::Json);
    let ticket = w.ask(Ask::Call(api("Nonsense", Object::new())));
    assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::NoMethod, error: 59014, .. })));
    let call = ApiCall { link: "other".into(), ..api("FindClient", phone("1")) };
    let ticket = w.ask(Ask::Call(call));
    assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::BadInput(_), .. })));
}

#[test]
fn of_several_links_the_first_that_is_up_and_has_the_user_is_asked() {
    let mut settings = settings();
    settings.links = vec![link("first"), link("second")];
    settings.links[0].users = Some(vec!["petrov".into()]);
    let mut w = World::with(settings);
    let first = w.introduced("first", Format::Json);
    let second = w.introduced("second", Format::Json);
    let ivanov = w.agent("ivanov", Format::Json);
    let petrov = w.agent("petrov", Format::Json);
    let call = r#"["executemethod",{"qid":1,"name":"FindClient","inputparameters":{"phone":"1"}}]"#;
    w.say(ivanov, call);
    w.expect(second, "executemethod");
    w.expect_no(first, "executemethod");
    w.say(petrov, call);
    w.expect(first, "executemethod");
    w.cut(first);
    w.say(petrov, call);
    w.expect(second, "executemethod");
    let named = ApiCall { link: "second".into(), ..api("FindClient", phone("1")) };
    w.ask(Ask::Call(named));
    w.expect(second, "executemethod");
}

#[test]
fn five_failures_in_a_row_open_the_circuit_for_ten_seconds_then_one_may_try() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let call = |w: &mut World| w.ask(Ask::Call(ApiCall { fallback: None, ..api("FindClient", phone("1")) }));
    for _ in 0..5 {
        let ticket = call(&mut w);
        let qid = w.expect(crm, "executemethod").0.qid();
        w.input(Input::Undelivered { peer: crm.0, qid, why: Undelivered::Failed("connection refused".into()) });
        match w.answer(ticket) {
            Some(Answer::Outcome { outcome: Outcome::Failed(why), error: 59011, .. }) => {
                assert_eq!(why, "connection refused")
            }
            other => panic!("{other:?}"),
        }
    }
    let ticket = call(&mut w);
    assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::OpenCircuit, .. })));
    w.expect_no(crm, "executemethod");
    let other = w.ask(Ask::Call(api("Anything", Object::new())));
    assert!(w.answer(other).is_none(), "another method is another circuit");
    w.pass(Duration::from_secs(10));
    w.heard(crm);
    let trial = call(&mut w);
    let id = w.expect(crm, "executemethod").text("executionid");
    let second = call(&mut w);
    assert!(
        matches!(w.answer(second), Some(Answer::Outcome { outcome: Outcome::OpenCircuit, .. })),
        "one trial at a time"
    );
    result(&mut w, crm, &id, r#""result":1,"outputparameters":{}"#);
    assert!(matches!(w.answer(trial), Some(Answer::Outcome { outcome: Outcome::Ok(_), .. })));
    call(&mut w);
    w.expect(crm, "executemethod");
}

#[test]
fn a_client_method_goes_to_the_users_tabs_and_the_first_valid_answer_wins() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let ask = |w: &mut World, run| {
            scenario(w, run, "ShowHint", Object::new().with("text", "VIP"), |a| a.user = "ivanov".into());
        };
        ask(&mut w, 1);
        assert_eq!(outcome(&w, 1), Outcome::NoLink, "nobody there");
        let a = w.agent("ivanov", format);
        let b = w.agent("ivanov", Format::Json);
        let other = w.agent("petrov", format);
        w.tunnel_login(crm, "ivanov", "t1");
        w.heard(crm);
        ask(&mut w, 2);
        let id = w.expect(a, "executemethod").text("executionid");
        for peer in [b, crm] {
            assert_eq!(w.expect(peer, "executemethod").text("executionid"), id);
        }
        w.expect_no(other, "executemethod");
        result(&mut w, b, &id, r#""outputparameters":{"seen":"what"}"#);
        w.expect(b, "methodresultresult").failed(59002, "seen");
        assert!(
            !w.pbx.iter().any(|c| matches!(c, Command::AskDone { run: RunId(2), .. })),
            "an invalid answer does not count"
        );
        result(&mut w, a, &id, r#""outputparameters":{"seen":true}"#);
        assert_eq!(w.expect(a, "methodresultresult").int("result"), 1);
        assert_eq!(outcome(&w, 2), Outcome::Ok(Object::new().with("seen", true)));
        assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);
        w.expect_no(a, "cancelmethod");
        result(&mut w, other, &id, r#""outputparameters":{"seen":true}"#);
        w.expect(other, "methodresultresult").failed(59013, "by a tab of ivanov");
    });
}

#[test]
fn when_all_tabs_that_were_asked_are_gone_the_caller_hears_it() {
    let mut w = World::new();
    let _crm = w.introduced("crm", Format::Json);
    let a = w.agent("ivanov", Format::Json);
    let b = w.agent("ivanov", Format::Json);
    scenario(&mut w, 1, "ShowHint", Object::new(), |a| a.user = "101".into());
    w.cut(a);
    assert!(w.pbx.is_empty());
    w.cut(b);
    assert_eq!(outcome(&w, 1), Outcome::NoLink);
}

#[test]
fn a_tab_may_have_256_calls_waiting_and_no_more() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    let call = r#"["executemethod",{"qid":1,"name":"Anything"}]"#;
    for _ in 0..256 {
        w.say(tab, call);
    }
    assert!(w.heard(tab).is_empty());
    w.say(tab, call);
    w.expect(tab, "methodresult").failed(59012, "wait for an answer");
    let id = w.expect(crm, "executemethod").text("executionid");
    result(&mut w, crm, &id, r#""result":1"#);
    w.expect(tab, "methodresult");
    w.say(tab, call);
    assert!(w.heard(tab).is_empty(), "room again");
}

#[test]
fn the_longest_wait_is_a_minute_and_values_pass_to_the_last_digit() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    w.say(tab, r#"["executemethod",{"qid":1,"name":"Anything","waitresponsems":999999999,"inputparameters":{"n":1.500,"s":"\u0001ж"}}]"#);
    let m = w.expect(crm, "executemethod");
    assert_eq!((m.int("waitresponsems"), m.json("inputparameters")), (60_000, r#"{"n":1.500,"s":"\u0001ж"}"#.into()));
    w.say(tab, r#"["executemethod",{"qid":1,"name":"Anything","waitresponsems":"soon"}]"#);
    w.expect(tab, "methodresult").failed(59002, "waitresponsems");
    w.say(tab, r#"["executemethod",{"qid":1,"name":"Anything","inputparameters":[1]}]"#);
    w.expect(tab, "methodresult").failed(59002, "inputparameters is array, expected an object");
    let _ = Value::Null;
}

#[test]
fn a_call_that_is_taken_back_is_told_so_and_so_is_the_crm() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        w.say(tab, r#"["executemethod",{"qid":1,"name":"Anything"}]"#);
        let id = w.expect(crm, "executemethod").text("executionid");
        w.say(tab, &format!(r#"["cancelmethod",{{"qid":2,"executionid":"{id}"}}]"#));
        let outcome = w.expect(tab, "methodresult");
        assert_eq!(outcome.int("qid"), 1);
        outcome.failed(59014, "cancelled");
        assert_eq!(w.expect(tab, "cancelmethodresult").int("result"), 1);
        assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id);
    });
}

#[test]
fn a_full_link_refuses_what_goes_to_it_and_what_comes_from_it() {
    let mut settings = settings();
    settings.links = vec![link("crm"), link("second")];
    settings.limits.in_flight_link = 3;
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    for _ in 0..3 {
        w.ask(Ask::Call(api("FindClient", phone("1"))));
    }
    let ticket = w.ask(Ask::Call(api("FindClient", phone("1"))));
    match w.answer(ticket) {
        Some(Answer::Outcome { outcome: Outcome::Failed(why), error: 59012, .. }) => {
            assert_eq!(why, "3 calls wait for link crm already")
        }
        other => panic!("{other:?}"),
    }
    // Calls of its own people count apart, whoever carries them out.
    w.tunnel_login(crm, "ivanov", "t1");
    let _tab = w.agent("ivanov", Format::Json);
    let call = r#"["executemethod",{"qid":"e","userlogin":"ivanov","tabid":"t1","name":"ShowHint"}]"#;
    (0..3).for_each(|_| w.say(crm, call));
    w.expect_no(crm, "methodresult");
    w.say(crm, call);
    w.expect(crm, "methodresult").failed(59012, "3 calls of this link");
    w.say(crm, &format!(r#"["login",{{"qid":"l","userlogin":"petrov","Password":"{}"}}]"#, crate::world::HASH));
    w.expect(crm, "loginresult").failed(59012, "3 calls of this link");
}

#[test]
fn a_link_that_is_lost_takes_back_what_its_people_asked_elsewhere() {
    let mut settings = settings();
    settings.links = vec![link("crm"), link("second")];
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    let second = w.introduced("second", Format::Json);
    w.tunnel_login(second, "ivanov", "t1");
    let ask = |w: &mut World, from: P| {
        w.say(from, r#"["executemethod",{"qid":"e","userlogin":"ivanov","name":"Anything"}]"#);
        w.expect(crm, "executemethod").text("executionid")
    };
    let id = ask(&mut w, second);
    w.cut(second);
    assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id, "cut");
    let again = w.introduced("second", Format::Json);
    let id = ask(&mut w, again);
    let newer = w.crm("second", Format::Json);
    w.say(newer, r#"["iam",{}]"#);
    assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), id, "replaced");
    assert_eq!(w.hub.sizes().noted, 0);
}

#[test]
fn a_link_that_was_the_last_to_carry_it_out_is_not_waited_for_when_it_is_gone() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "t1");
    scenario(&mut w, 1, "ShowHint", Object::new(), |a| a.user = "ivanov".into());
    w.expect(crm, "executemethod");
    w.cut(crm);
    assert_eq!(outcome(&w, 1), Outcome::NoLink);
}

#[test]
fn a_tab_that_failed_keeps_no_note_of_it() {
    let mut w = World::new();
    let _crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    scenario(&mut w, 1, "ShowHint", Object::new(), |a| a.user = "ivanov".into());
    let id = w.expect(tab, "executemethod").text("executionid");
    result(&mut w, tab, &id, r#""result":0,"error":1,"errormsg":"no""#);
    assert_eq!(outcome(&w, 1), Outcome::Failed("no".into()));
    assert_eq!(w.hub.sizes().noted, 0);
}

#[test]
fn a_trial_that_ends_with_the_link_does_not_keep_the_circuit_open() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    for _ in 0..5 {
        w.ask(Ask::Call(api("FindClient", phone("1"))));
        let qid = w.expect(crm, "executemethod").0.qid();
        w.input(Input::Undelivered { peer: crm.0, qid, why: Undelivered::Failed("off".into()) });
    }
    w.pass(Duration::from_secs(10));
    let trial = w.ask(Ask::Call(api("FindClient", phone("1"))));
    w.expect(crm, "executemethod");
    // A newer connection that does not say again what it offers.
    let newer = w.crm("crm", Format::Json);
    w.say(newer, r#"["iam",{}]"#);
    assert!(matches!(w.answer(trial), Some(Answer::Outcome { outcome: Outcome::NoLink, .. })));
    w.ask(Ask::Call(api("FindClient", phone("1"))));
    w.expect(newer, "executemethod");
}

#[test]
fn only_tabs_that_subscribed_hear_that_the_wait_is_over() {
    let mut w = World::new();
    let _crm = w.introduced("crm", Format::Json);
    let all = w.agent("ivanov", Format::Json);
    let some = w.tab(Format::Json);
    w.say(some, r#"["subscribeevent",{"eventmethod":"dynamic"}]"#);
    w.say(some, &format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{}"}}]"#, crate::world::HASH));
    scenario(&mut w, 1, "ShowHint", Object::new(), |a| {
        a.user = "ivanov".into();
        a.deadline = Some(Duration::from_secs(1));
        a.late = Duration::from_secs(5);
    });
    w.pass(Duration::from_secs(1));
    assert_eq!(outcome(&w, 1), Outcome::Timeout);
    let done = |w: &World| w.notices.iter().filter(|n| matches!(n, Notice::MethodDone { millis: 1000, .. })).count();
    assert_eq!(done(&w), 1, "counted when its caller had its outcome");
    w.expect(all, "executemethodwaitaborted");
    w.expect(some, "executemethod");
    w.expect_no(some, "executemethodwaitaborted");
    w.pass(Duration::from_secs(5));
    w.expect(all, "cancelmethod");
    w.expect(some, "cancelmethod");
    assert_eq!(w.notices.iter().filter(|n| matches!(n, Notice::MethodDone { .. })).count(), 1);
}
