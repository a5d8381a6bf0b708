//! What a CRM declares of its methods, how values are held against it, and when a method rests. `proto-spec/dynamic.md`.

use std::time::Duration;

use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::{ApiCall, Ask, Undelivered};
use ctigate_proto::hub::output::{Answer, Notice};
use ctigate_proto::message::{Format, Number, Object, Text, Value};
use ctigate_proto::telephony::Outcome;

use crate::world::{P, World, both};

fn call(method: &'static str, input: Object) -> Ask {
    Ask::Call(ApiCall { method: method.into(), input, ..ApiCall::default() })
}

/// A CRM that declares these methods.
fn offering(format: Format, methods: &str) -> (World, P) {
    let mut w = World::new();
    let crm = w.introduced("crm", format);
    w.say(crm, &format!(r#"["availablemethods",{{"methods":{methods}}}]"#));
    (w, crm)
}

#[track_caller]
fn outcome(w: &mut World, ask: Ask) -> Outcome {
    let ticket = w.ask(ask);
    match w.answer(ticket) {
        Some(Answer::Outcome { outcome, .. }) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_method_says_how_long_it_may_take() {
    both(|format| {
        let methods = r#"[{"name":"plain"},{"name":"quick","waitms":200},{"name":"slow","waitms":90000},{"name":"odd","waitms":0},{"name":"text","waitms":"700"}]"#;
        let (mut w, crm) = offering(format, methods);
        for (method, wait) in [("plain", 5000), ("quick", 200), ("slow", 60_000), ("odd", 5000), ("text", 700)] {
            let ticket = w.ask(call(method, Object::new()));
            assert_eq!(w.expect(crm, "executemethod").int("waitresponsems"), wait, "{method}");
            w.pass_alive(Duration::from_millis(wait.unsigned_abs() - 1));
            assert!(w.answer(ticket).is_none());
            w.pass(Duration::from_millis(1));
            assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::Timeout, error: 59011, .. })));
        }
    });
}

#[test]
fn each_type_takes_what_it_should() {
    let types = ["string", "int", "float", "bool", "datetime", "guid", "object", "array"];
    let list: Vec<_> = types.iter().map(|t| format!(r#"{{"name":"{t}","type":"{t}"}}"#)).collect();
    let methods = format!(r#"[{{"name":"M","inputparameters":[{}]}}]"#, list.join(","));
    let (mut w, crm) = offering(Format::Json, &methods);
    let guid = "3F0A7C11-0000-4000-8000-00000000010f";
    let number = |text: &'static str| Value::Number(Number::parse(Text::from(text)).expect("one"));
    let good: [(&'static str, Value); 8] = [
        ("string", "".into()),
        ("int", number("-12345678901234567890123")),
        ("float", number("1.50e3")),
        ("bool", true.into()),
        ("datetime", "2026-02-28 23:59:59".into()),
        ("guid", guid.into()),
        ("object", Object::new().into()),
        ("array", Vec::new().into()),
    ];
    let mut all = Object::new();
    good.iter().for_each(|(name, value)| all.set(*name, value.clone()));
    w.ask(call("M", all.clone()));
    assert_eq!(w.expect(crm, "executemethod").json("inputparameters"), {
        let text = ctigate_proto::codec::encode_value(&Value::Object(all));
        text.to_string()
    });
    let bad: [(&'static str, Value); 12] = [
        ("string", Object::new().into()),
        ("int", number("1.0")),
        ("int", "1e3".into()),
        ("float", "much".into()),
        ("bool", "maybe".into()),
        ("datetime", "2026-13-01 00:00:00".into()),
        ("datetime", "2026-01-01T00:00:00".into()),
        ("datetime", "2026-01-01 24:00:00".into()),
        ("guid", "3f0a7c11-0000-4000-8000-00000000010".into()),
        ("guid", "{3f0a7c11-0000-4000-8000-00000000010}".into()),
        ("object", Vec::new().into()),
        ("array", "[]".into()),
    ];
    for (name, value) in bad {
        match outcome(&mut w, call("M", Object::new().with(name, value.clone()))) {
            Outcome::BadInput(why) => assert!(why.starts_with(&format!("{name} is ")), "{why}"),
            other => panic!("{name} took {value:?}: {other:?}"),
        }
    }
    w.expect_no(crm, "executemethod");
    w.ask(call("M", Object::new().with("guid", Value::Null)));
    w.expect(crm, "executemethod");
}

#[test]
fn a_mistake_in_a_declaration_spoils_no_more_than_itself() {
    both(|format| {
        let methods = r#"[{"caption":"nameless"},7,{"name":"M","target":"moon","inputparameters":[{"type":"int"},{"name":"a","type":"colour"},{"name":"b","type":"int","required":"1"}]}]"#;
        let (mut w, crm) = offering(format, methods);
        assert_eq!(w.hub.snapshot().links[0].methods, ["M"]);
        match outcome(&mut w, call("M", Object::new().with("a", "red"))) {
            Outcome::BadInput(why) => assert_eq!(why, "b is missing, expected int"),
            other => panic!("{other:?}"),
        }
        w.ask(call("M", Object::new().with("a", "red").with("b", 1)));
        w.expect(crm, "executemethod");
        let said = |what: &str| {
            let is = |n: &&Notice| matches!(n, Notice::Odd { who, what: w } if who == "link crm" && w.contains(what));
            assert!(w.notices.iter().any(|n| is(&n)), "{what}: {:?}", w.notices);
        };
        ["methods[0] has no name", "methods[1]", "\"moon\"", "parameter without a name", "\"colour\""]
            .into_iter()
            .for_each(said);
    });
}

#[test]
fn other_names_of_method_and_input_are_understood() {
    both(|format| {
        let (mut w, crm) = offering(format, r#"[{"name":"M"}]"#);
        let tab = w.agent("ivanov", format);
        for (name, input) in
            [("name", "inputparameters"), ("method", "params"), ("methodname", "input"), ("name", "input")]
        {
            w.say(tab, &format!(r#"["executemethod",{{"qid":1,"{name}":"M","{input}":{{"a":1}}}}]"#));
            let m = w.expect(crm, "executemethod");
            assert_eq!((m.text("name"), m.json("inputparameters")), ("M".into(), r#"{"a":1}"#.into()));
        }
        w.say(tab, r#"["executemethod",{"qid":1,"Name":"M"}]"#);
        w.expect(tab, "methodresult").failed(59002, "name is missing");
    });
}

fn undelivered(w: &mut World, crm: P, why: Undelivered) {
    let qid = w.expect(crm, "executemethod").0.qid();
    w.input(Input::Undelivered { peer: crm.0, qid, why });
}

#[test]
fn an_answer_that_is_no_message_is_told_from_one_that_did_not_come() {
    let (mut w, crm) = offering(Format::Json, r#"[{"name":"M"}]"#);
    let tab = w.agent("ivanov", Format::Json);
    let ask = r#"["executemethod",{"qid":1,"name":"M"}]"#;
    w.say(tab, ask);
    undelivered(&mut w, crm, Undelivered::BadAnswer("`<` at byte 0".into()));
    w.expect(tab, "methodresult").failed(59002, "`<` at byte 0");
    w.say(tab, ask);
    undelivered(&mut w, crm, Undelivered::Failed("status 500".into()));
    w.expect(tab, "methodresult").failed(59011, "status 500");
}

#[test]
fn only_failures_in_a_row_open_a_circuit_and_a_failed_trial_opens_it_again() {
    let (mut w, crm) = offering(Format::Json, r#"[{"name":"M","waitms":100}]"#);
    let fallback = || {
        let fallback = Some(Object::new().with("a", 1));
        Ask::Call(ApiCall { method: "M".into(), fallback, ..ApiCall::default() })
    };
    let fail = |w: &mut World| {
        w.ask(fallback());
        w.expect(crm, "executemethod");
        w.pass(Duration::from_millis(100));
    };
    (0..4).for_each(|_| fail(&mut w));
    w.ask(fallback());
    let id = w.expect(crm, "executemethod").text("executionid");
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","result":0,"errormsg":"no"}}]"#));
    (0..4).for_each(|_| fail(&mut w));
    fail(&mut w);
    w.heard(crm);
    let at_once = |w: &mut World| assert!(matches!(outcome(w, fallback()), Outcome::Fallback(_)));
    at_once(&mut w);
    w.expect_no(crm, "executemethod");
    let opened = |w: &World| w.notices.iter().filter(|n| matches!(n, Notice::Circuit { open: true, .. })).count();
    assert_eq!(opened(&w), 1);
    w.pass(Duration::from_millis(9_999));
    at_once(&mut w);
    w.pass(Duration::from_millis(1));
    fail(&mut w);
    at_once(&mut w);
    w.pass(Duration::from_secs(10));
    w.heard(crm);
    fail(&mut w);
}

#[test]
fn a_link_that_is_down_gives_the_fallback_at_once() {
    let (mut w, crm) = offering(Format::Json, r#"[{"name":"M"}]"#);
    w.cut(crm);
    let fallback = Object::new().with("a", 1);
    let ask = Ask::Call(ApiCall { method: "M".into(), fallback: Some(fallback.clone()), ..ApiCall::default() });
    assert_eq!(outcome(&mut w, ask), Outcome::Fallback(fallback));
}

#[test]
fn a_second_result_of_a_crm_is_logged_with_who_was_first_and_not_answered() {
    both(|format| {
        let (mut w, crm) = offering(format, r#"[{"name":"M"}]"#);
        let ticket = w.ask(call("M", Object::new()));
        let id = w.expect(crm, "executemethod").text("executionid");
        for _ in 0..2 {
            w.say(crm, &format!(r#"["methodresult",{{"qid":1,"executionid":"{id}","result":1}}]"#));
        }
        assert!(w.answer(ticket).is_some());
        assert!(w.heard(crm).is_empty());
        let said = |n: &Notice| matches!(n, Notice::Odd { what, .. } if what.contains("by link crm"));
        assert_eq!(w.notices.iter().filter(|n| said(n)).count(), 1, "{:?}", w.notices);
    });
}
