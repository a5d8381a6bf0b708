//! Events that grow too long for a tab in translation. `proto-spec/limits.md`, `proto-spec/xml.md`.

use ctigate_proto::hub::input::{ApiCall, Ask};
use ctigate_proto::hub::output::{Answer, Notice};
use ctigate_proto::hub::settings::Trigger;
use ctigate_proto::message::{Format, Number, Object, Value};
use ctigate_proto::telephony::{Command, Event, FormEnd, FormOrder, Outcome, RunId};

use crate::world::{World, both, rule, settings};

const DIGITS: usize = 60_000;

/// 120 kB in JSON; an element for each digit makes more than 1 MiB of it in XML.
fn digits() -> String {
    format!("[{}]", vec!["1"; DIGITS].join(","))
}

fn digits_value() -> Value {
    Value::Array((0..DIGITS).map(|_| Value::Number(Number::from(1))).collect())
}

#[test]
fn a_custom_event_too_long_for_one_tab_reaches_nobody_and_its_sender_is_told() {
    let mut w = World::new();
    let sender = w.agent("ivanov", Format::Json);
    let plain = w.agent("petrov", Format::Json);
    let say = format!(r#"["triggercustomevent",{{"qid":1,"eventname":"n","eventparam":{}}}]"#, digits());
    w.say(sender, &say);
    assert_eq!(w.expect(sender, "triggercustomeventresult").int("result"), 1, "nobody needs it in xml");
    assert_eq!(w.expect(plain, "customevent").json("eventparam"), digits());
    let xml = w.agent("petrov", Format::Xml);
    w.say(sender, &say);
    w.expect(sender, "triggercustomeventresult").failed(59002, "customevent takes 15");
    w.expect_no(xml, "customevent");
    w.expect_no(plain, "customevent");
    // A link takes any length, in packets.
    w.cut(xml);
    let crm = w.introduced("crm", Format::Xml);
    w.say(sender, &say);
    assert_eq!(w.expect(sender, "triggercustomeventresult").int("result"), 1);
    w.expect(crm, "multipart");
}

#[test]
fn what_a_crm_sends_to_tabs_is_measured_too() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", Format::Json);
        let text = "x".repeat((1 << 20) - 200);
        let say = |text: &str| format!(r#"["triggercustomevent",{{"qid":1,"eventname":"n","eventparam":"{text}"}}]"#);
        w.say(crm, &say(&text));
        assert_eq!(w.expect(crm, "triggercustomeventresult").int("result"), 1);
        w.expect(tab, "customevent");
        w.say(crm, &say(&format!("{text}{text}")));
        w.expect(crm, "triggercustomeventresult").failed(59002, "in json, expected at most 1048576 for a tab");
        w.expect_no(tab, "customevent");
    });
}

#[test]
fn a_method_for_the_users_tabs_that_is_too_long_for_one_is_bad_input() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["availablemethods",{"methods":[{"name":"Draw","target":"client"},{"name":"Keep"}]}]"#);
    let json = w.agent("ivanov", Format::Json);
    let xml = w.agent("ivanov", Format::Xml);
    let caller = w.agent("ivanov", Format::Json);
    w.say(caller, &format!(r#"["executemethod",{{"qid":5,"name":"Draw","inputparameters":{{"d":{}}}}}]"#, digits()));
    w.expect(caller, "methodresult").failed(59002, "executemethod takes");
    w.expect_no(json, "executemethod");
    w.expect_no(xml, "executemethod");
    let call = |method: &'static str| ApiCall {
        method: method.into(),
        user: "ivanov".into(),
        input: Object::new().with("d", digits_value()),
        ..ApiCall::default()
    };
    let ticket = w.ask(Ask::Call(call("Draw")));
    assert!(matches!(w.answer(ticket), Some(Answer::Outcome { outcome: Outcome::BadInput(_), error: 59002, .. })));
    assert_eq!((w.hub.sizes().executions, w.hub.sizes().noted), (0, 0), "nothing was begun");
    w.cut(xml);
    w.ask(Ask::Call(call("Draw")));
    w.expect(json, "executemethod");
    w.ask(Ask::Call(call("Keep")));
    w.expect(crm, "multipart");
}

#[test]
fn a_form_whose_card_would_be_too_long_does_not_open() {
    let mut settings = settings();
    settings.limits.forms_per_user = 1;
    let mut card = rule("big");
    card.on = Trigger::Ring;
    card.ask = Some("Find".into());
    card.parameters = vec![("d".into(), vec![ctigate_proto::hub::settings::Piece::Ask("digits".into())])];
    settings.forms = vec![card];
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["availablemethods",{"methods":[{"name":"Find"}]}]"#);
    let tab = w.agent("ivanov", Format::Json);
    let order = |input: Object| FormOrder {
        name: "free".into(),
        user: "ivanov".into(),
        call: None,
        parameters: input,
        expire: None,
    };
    w.ask(Ask::OpenForm(order(Object::new())));
    w.expect(tab, "dlgcard_showformdialog");
    let big = Object::new().with("d", digits_value());
    let ticket = w.ask(Ask::OpenForm(order(big.clone())));
    match w.answer(ticket) {
        Some(Answer::Refused(error)) => assert!(error.errormsg().contains("dlgcard_showformdialog takes"), "{error}"),
        other => panic!("{other:?}"),
    }
    w.phone(Event::Form { run: Some(RunId(1)), form: order(big) });
    assert!(matches!(&w.pbx[..], [Command::FormDone { run: RunId(1), end: FormEnd::Refused(_) }]), "{:?}", w.pbx);
    w.ring("c0ffee00-0000-4000-8000-000000000001", "79001112233", "101");
    let id = w.expect(crm, "executemethod").text("executionid");
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"digits":{}}}}}]"#, digits()));
    let told = |n: &Notice| matches!(n, Notice::Odd { who, what } if who == "form big" && what.contains("not opened"));
    assert!(w.notices.iter().any(told), "{:?}", w.notices);
    assert_eq!(w.hub.snapshot().forms.len(), 1, "and the one that is open stays");
}
