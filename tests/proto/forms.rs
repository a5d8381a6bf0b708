//! Forms: state that shows in a person's tabs and is answered once. `proto-spec/forms.md`.

use std::time::Duration;

use ctigate_proto::hub::input::Ask;
use ctigate_proto::hub::output::{Answer, Record};
use ctigate_proto::hub::settings::{FormKind, Piece, Settings, Trigger};
use ctigate_proto::message::{Format, Object};
use ctigate_proto::telephony::{CallId, Command, EndCause, Event, FormEnd, FormOrder, Parties, RunId};

use crate::world::{IVANOV, P, Told, World, both, rule, settings};

const CHAIN: &str = "c0ffee00-0000-4000-8000-000000000001";

/// A card that opens when the phone rings and closes when the call is over.
fn ring_card() -> Settings {
    let mut settings = settings();
    let mut card = rule("clientcard");
    card.on = Trigger::Ring;
    card.close_on = vec![Trigger::Hangup];
    card.parameters =
        vec![("phone".into(), vec![Piece::Caller]), ("client".into(), vec![Piece::Text("for ".into()), Piece::User])];
    settings.forms = vec![card];
    settings
}

fn order(user: &'static str) -> FormOrder {
    FormOrder {
        name: "clientcard".into(),
        user: user.into(),
        call: None,
        parameters: Object::new().with("phone", "79001112233").with("extra", 7),
        expire: None,
    }
}

fn open(w: &mut World, user: &'static str) -> String {
    let ticket = w.ask(Ask::OpenForm(order(user)));
    match w.answer(ticket) {
        Some(Answer::FormOpened { id }) => id.to_string(),
        other => panic!("{other:?}"),
    }
}

fn values(w: &mut World, tab: P, card: &str, values: &str) {
    w.say(tab, &format!(r#"["dlgcard_values",{{"qid":"v","cardid":"{card}","values":{values},"comment":"ok"}}]"#));
}

#[test]
fn a_form_opens_in_every_tab_of_its_user_and_closes_when_one_answers() {
    both(|format| {
        let mut w = World::with(ring_card());
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let (a, b) = (w.agent("ivanov", format), w.agent("ivanov", Format::Json));
        let other = w.agent("petrov", format);
        w.ring(CHAIN, "79001112233", "101");
        let card = w.expect(a, "dlgcard_showformdialog");
        let id = card.text("cardid");
        assert_eq!((card.text("formname"), card.text("chainid")), ("clientcard".into(), CHAIN.into()));
        let fields = card.json("fields");
        assert!(
            fields
                .contains(r#"{"name":"phone","type":"string","caption":"phone","value":"79001112233","readonly":true"#),
            "{fields}"
        );
        assert!(fields.contains(r#""value":"for ivanov""#), "{fields}");
        assert!(fields.contains(r#"{"name":"resultcode","type":"string","caption":"resultcode","value":"","readonly":false,"required":true}"#), "{fields}");
        assert_eq!(w.expect(b, "dlgcard_showformdialog").text("cardid"), id);
        let shown = w.expect(crm, "showform");
        assert_eq!(
            (shown.text("formid"), shown.text("userlogin"), shown.text("userid")),
            (id.clone(), "ivanov".into(), IVANOV.into())
        );
        assert_eq!(shown.json("inputparameters"), r#"{"phone":"79001112233","client":"for ivanov"}"#);

        values(&mut w, b, &id, r#"{"resultcode":"sold"}"#);
        assert_eq!(w.expect(b, "dlgcard_valuesresult").int("result"), 1);
        // After a restart the form must not be open again, so its end is kept before the answer counts.
        assert!(w.promised.iter().any(|name| name == "dlgcard_valuesresult"), "{:?}", w.promised);
        w.expect_no(b, "dlgcard_closeall");
        let closed = w.expect(a, "dlgcard_closeall");
        assert_eq!((closed.text("cardid"), closed.text("reason")), (id.clone(), "answered".into()));
        let closed = w.expect(crm, "closeform");
        assert_eq!(
            (closed.text("formid"), closed.text("reason"), closed.text("userlogin")),
            (id.clone(), "answered".into(), "ivanov".into())
        );
        values(&mut w, a, &id, r#"{"resultcode":"late"}"#);
        w.expect(a, "dlgcard_valuesresult").failed(59013, "by ivanov");
        let heard = w.heard(other);
        assert!(heard.iter().all(|m| !m.name().starts_with("dlgcard")), "{heard:?}");
    });
}

#[test]
fn the_crm_answers_for_a_tab_behind_its_link() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let tab = w.agent("ivanov", format);
        let run = Some(RunId(5));
        w.phone(Event::Form { run, form: order("ivanov") });
        let id = w.expect(crm, "showform").text("formid");
        w.expect(tab, "dlgcard_showformdialog");
        w.say(
            crm,
            &format!(r#"["formresult",{{"qid":"f","formid":"{id}","userid":"{IVANOV}","outputparameters":{{"resultcode":"sold"}},"comment":"good"}}]"#),
        );
        assert_eq!(w.expect(tab, "dlgcard_closeall").text("reason"), "answered");
        assert_eq!(w.expect(crm, "formresultresult").int("result"), 1);
        let end = FormEnd::Answered {
            by: "ivanov".into(),
            output: Object::new().with("resultcode", "sold"),
            comment: "good".into(),
        };
        assert_eq!(w.pbx, [Command::FormDone { run: RunId(5), end }]);
    });
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_the_form_stays() {
    both(|format| {
        let mut w = World::new();
        let _crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        let petrov = w.agent("petrov", format);
        let id = open(&mut w, "ivanov");
        values(&mut w, tab, &id, "{}");
        w.expect(tab, "dlgcard_valuesresult").failed(59002, "resultcode is missing");
        values(&mut w, tab, &id, r#"{"resultcode":"x","other":1}"#);
        w.expect(tab, "dlgcard_valuesresult").failed(59002, "other is not declared");
        values(&mut w, petrov, &id, r#"{"resultcode":"x"}"#);
        w.expect(petrov, "dlgcard_valuesresult").failed(59014, "no such form");
        values(&mut w, tab, &id, r#"{"resultcode":"x"}"#);
        assert_eq!(w.expect(tab, "dlgcard_valuesresult").int("result"), 1);
    });
}

#[test]
fn the_call_that_is_over_closes_its_card() {
    both(|format| {
        let mut w = World::with(ring_card());
        let _crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        let call = w.ring(CHAIN, "79001112233", "101");
        let id = w.expect(tab, "dlgcard_showformdialog").text("cardid");
        w.tell(Told::Answered { call: call.clone(), number: "101".into() });
        w.expect_no(tab, "dlgcard_closeall");
        w.tell(Told::Ended { call });
        let closed = w.expect(tab, "dlgcard_closeall");
        assert_eq!((closed.text("cardid"), closed.text("reason")), (id.clone(), "closed".into()));
        values(&mut w, tab, &id, r#"{"resultcode":"x"}"#);
        w.expect(tab, "dlgcard_valuesresult").failed(59014, "closed");
        assert!(w.records.contains(&Record::FormEnded { id: id.into() }));
    });
}

#[test]
fn ringing_that_goes_on_elsewhere_closes_the_card_here() {
    let mut w = World::with(ring_card());
    let a = w.agent("ivanov", Format::Json);
    let b = w.agent("petrov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    w.tell(Told::Ringing { call: call.clone(), number: "102".into() });
    w.expect(b, "dlgcard_showformdialog");
    w.tell(Told::Answered { call: call.clone(), number: "102".into() });
    w.tell(Told::RingStopped { call, number: "101".into(), cause: EndCause::Elsewhere });
    assert_eq!(w.expect(a, "dlgcard_closeall").text("reason"), "closed");
    w.expect_no(b, "dlgcard_closeall");
}

#[test]
fn a_form_nobody_answers_expires() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let run = Some(RunId(1));
    w.phone(Event::Form { run, form: FormOrder { expire: Some(Duration::from_secs(30)), ..order("101") } });
    w.expect(tab, "dlgcard_showformdialog");
    w.pass(Duration::from_secs(30));
    assert_eq!(w.expect(tab, "dlgcard_closeall").text("reason"), "expired");
    assert_eq!(w.pbx, [Command::FormDone { run: RunId(1), end: FormEnd::Expired }]);
    w.phone(Event::Form { run: Some(RunId(2)), form: order("nobody") });
    assert!(
        matches!(&w.pbx[1], Command::FormDone { run: RunId(2), end: FormEnd::Refused(why) } if why.contains("nobody"))
    );
}

#[test]
fn a_tab_that_comes_is_shown_what_is_open_once() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let id = open(&mut w, "ivanov");
        w.expect_no(crm, "showform");
        let tab = w.agent_heard("ivanov", format);
        let cards: Vec<_> = tab.1.iter().filter(|m| m.name() == "dlgcard_showformdialog").collect();
        assert_eq!(cards.len(), 1);
        assert_eq!(cards[0].text("cardid"), id);
        w.say(tab.0, r#"["subscribeevent",{"qid":"s","eventmethod":["dlgcard"]}]"#);
        w.expect_no(tab.0, "dlgcard_showformdialog");
        // Behind the link likewise, and a second tab there is told with its own id.
        w.tunnel_login(crm, "ivanov", "t1");
        assert_eq!(w.expect(crm, "showform").text("formid"), id);
        w.tunnel_login(crm, "ivanov", "t2");
        assert_eq!(w.expect(crm, "showform").text("tabid"), "t2");
        // And again after the link was lost.
        w.cut(crm);
        let crm = w.introduced("crm", format);
        assert_eq!(w.expect(crm, "showform").text("formid"), id);
    });
}

#[test]
fn a_restart_keeps_open_forms() {
    both(|format| {
        let mut w = World::with(ring_card());
        let _crm = w.introduced("crm", format);
        w.ring(CHAIN, "79001112233", "101");
        let stored = w.records.iter().find_map(|r| match r {
            Record::Form(f) => Some(f.clone()),
            _ => None,
        });
        let stored = stored.expect("the form was kept");
        let mut w = World::with(ring_card());
        assert!(w.hub.restore_form(&stored));
        let (tab, heard) = w.agent_heard("ivanov", format);
        let card = heard.iter().find(|m| m.name() == "dlgcard_showformdialog").expect("shown again");
        assert!(card.json("fields").contains("79001112233"));
        values(&mut w, tab, &stored.id, "{}");
        w.expect(tab, "dlgcard_valuesresult").failed(59002, "resultcode is missing");
        values(&mut w, tab, &stored.id, r#"{"resultcode":"sold"}"#);
        assert_eq!(w.expect(tab, "dlgcard_valuesresult").int("result"), 1);
        assert!(w.records.contains(&Record::FormEnded { id: stored.id }));
    });
}

#[test]
fn a_form_for_one_tab_goes_where_the_focus_was_and_moves_on_when_that_tab_is_gone() {
    let mut settings = settings();
    let mut one = rule("clientcard");
    one.one = true;
    settings.forms = vec![one];
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    w.tunnel_login(crm, "ivanov", "t1");
    let a = w.agent("ivanov", Format::Json);
    w.pass(Duration::from_secs(1));
    let b = w.agent("ivanov", Format::Json);
    w.say(a, r#"["tabfocus",{"qid":"f"}]"#);
    w.heard(a);
    w.heard(crm);
    let id = open(&mut w, "ivanov");
    assert_eq!(w.expect(a, "dlgcard_showformdialog").text("cardid"), id);
    w.expect_no(b, "dlgcard_showformdialog");
    w.expect_no(crm, "showform");
    w.cut(a);
    assert_eq!(w.expect(b, "dlgcard_showformdialog").text("cardid"), id);
    w.say(crm, r#"["tabfocus",{"qid":"f","userlogin":"ivanov","tabid":"t1"}]"#);
    w.heard(crm);
    w.cut(b);
    assert_eq!(w.expect(crm, "showform").text("tabid"), "t1");
}

#[test]
fn a_rule_may_ask_the_crm_before_its_form_opens() {
    both(|format| {
        let mut settings = ring_card();
        settings.forms[0].ask = Some("FindClient".into());
        settings.forms[0].parameters = vec![
            ("phone".into(), vec![Piece::Caller]),
            ("client".into(), vec![Piece::Ask("clientid".into())]),
            ("why".into(), vec![Piece::Ask("error".into())]),
        ];
        let mut w = World::with(settings);
        let crm = w.introduced("crm", format);
        let tab = w.agent("ivanov", format);
        let call = w.ring(CHAIN, "79001112233", "101");
        let asked = w.expect(crm, "executemethod");
        assert_eq!(
            (asked.json("inputparameters"), asked.text("userlogin")),
            (r#"{"phone":"79001112233"}"#.into(), "ivanov".into())
        );
        w.expect_no(tab, "dlgcard_showformdialog");
        let id = asked.text("executionid");
        w.say(
            crm,
            &format!(r#"["methodresult",{{"executionid":"{id}","result":1,"outputparameters":{{"clientid":"42"}}}}]"#),
        );
        assert!(w.expect(tab, "dlgcard_showformdialog").json("fields").contains(r#""value":"42""#));
        w.tell(Told::Ended { call });
        w.heard(tab);

        // No answer: the form opens all the same and says so.
        let call = w.ring("c0ffee00-0000-4000-8000-000000000002", "79001112233", "101");
        w.pass(Duration::from_secs(5));
        assert!(w.expect(tab, "dlgcard_showformdialog").json("fields").contains("no answer in time"));
        w.tell(Told::Ended { call });
        w.heard(tab);

        // The call is over before the answer: no form, and the CRM is told.
        let call = w.ring("c0ffee00-0000-4000-8000-000000000003", "79001112233", "101");
        w.heard(crm);
        w.tell(Told::Ended { call });
        w.expect(crm, "cancelmethod");
        w.expect_no(tab, "dlgcard_showformdialog");
    });
}

#[test]
fn kinds_of_cards_have_events_of_their_own() {
    let mut settings = settings();
    for (name, kind) in [("r", FormKind::Reserve), ("c", FormKind::Confirm), ("s", FormKind::Stop)] {
        let mut rule = rule(name);
        rule.kind = kind;
        settings.forms.push(rule);
    }
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let open = |w: &mut World, name: &'static str, run: u64| {
        let form = FormOrder { name: name.into(), ..order("ivanov") };
        w.phone(Event::Form { run: Some(RunId(run)), form });
    };
    open(&mut w, "r", 1);
    let reserve = w.expect(tab, "dlgcard_showreserve").text("cardid");
    values(&mut w, tab, &reserve, "{}");
    w.expect(tab, "dlgcard_valuesresult").failed(59002, "reserve");
    open(&mut w, "c", 2);
    let confirm = w.expect(tab, "dlgcard_showconfirm").text("cardid");
    w.say(tab, &format!(r#"["dlgcard_confirm",{{"qid":"c","cardid":"{confirm}","accept":false}}]"#));
    assert_eq!(w.expect(tab, "dlgcard_confirmresult").int("result"), 1);
    let end =
        FormEnd::Answered { by: "ivanov".into(), output: Object::new().with("accept", false), comment: "".into() };
    assert_eq!(w.pbx, [Command::FormDone { run: RunId(2), end }]);
    open(&mut w, "s", 3);
    let stop = w.expect(tab, "dlgcard_showformstop");
    assert!(stop.has("results"));
    w.say(tab, &format!(r#"["dlgcard_confirm",{{"qid":"c","cardid":"{}","accept":true}}]"#, stop.text("cardid")));
    w.expect(tab, "dlgcard_confirmresult").failed(59002, "dlgcard_values");
}

#[test]
fn a_form_is_closed_on_request_and_the_oldest_gives_way_to_too_many() {
    let mut settings = settings();
    settings.limits.forms_per_user = 2;
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let first = open(&mut w, "ivanov");
    let second = open(&mut w, "ivanov");
    w.heard(tab);
    open(&mut w, "ivanov");
    assert_eq!(w.expect(tab, "dlgcard_closeall").text("cardid"), first);
    let ticket = w.ask(Ask::CloseForm { id: second.clone().into() });
    assert!(matches!(w.answer(ticket), Some(Answer::Done)));
    assert_eq!(w.expect(tab, "dlgcard_closeall").text("cardid"), second);
    let ticket = w.ask(Ask::CloseForm { id: second.into() });
    assert!(matches!(w.answer(ticket), Some(Answer::Refused(_))));
}

#[test]
fn a_form_goes_to_people_in_activeusers_even_without_a_login_there() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.say(crm, r#"["activeusers",{"users":[{"userlogin":"ivanov"}]}]"#);
        let id = open(&mut w, "ivanov");
        assert_eq!(w.expect(crm, "showform").text("formid"), id);
        w.say(
            crm,
            &format!(
                r#"["formresult",{{"formid":"{id}","userlogin":"ivanov","outputparameters":{{"resultcode":"x"}}}}]"#
            ),
        );
        assert_eq!(w.expect(crm, "formresultresult").int("result"), 1);
        assert!(!w.hub.snapshot().users[0].online, "it only says where forms may be shown");
    });
}

#[test]
fn a_form_for_one_tab_behind_a_link_moves_when_that_tab_leaves() {
    both(|format| {
        let mut settings = ring_card();
        settings.forms[0].one = true;
        let mut w = World::with(settings);
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        w.tunnel_login(crm, "ivanov", "t2");
        w.say(crm, r#"["tabfocus",{"qid":"f","userlogin":"ivanov","tabid":"t1","focus":true}]"#);
        w.ring(CHAIN, "79001112233", "101");
        let form = w.expect(crm, "showform");
        assert_eq!(form.text("tabid"), "t1");
        w.say(crm, r#"["logout",{"qid":"o","userlogin":"ivanov","tabid":"t1"}]"#);
        let closed = w.expect(crm, "closeform");
        assert_eq!((closed.text("formid"), closed.text("reason")), (form.text("formid"), "moved".into()));
        assert_eq!(w.expect(crm, "showform").text("tabid"), "t2");
        let tab = w.agent("ivanov", format);
        w.expect_no(tab, "dlgcard_showformdialog");
        w.say(crm, r#"["logout",{"qid":"o","userlogin":"ivanov","tabid":"t2"}]"#);
        assert_eq!(w.expect(crm, "closeform").text("reason"), "moved");
        assert_eq!(w.expect(tab, "dlgcard_showformdialog").text("cardid"), form.text("formid"));
    });
}

#[test]
fn who_comes_back_behind_a_link_is_shown_what_is_open() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let here = r#"["activeusers",{"users":[{"userlogin":"ivanov"}]}]"#;
    w.say(crm, here);
    let id = open(&mut w, "ivanov");
    assert_eq!(w.expect(crm, "showform").text("formid"), id);
    w.say(crm, here);
    w.expect_no(crm, "showform");
    w.say(crm, r#"["activeusers",{"users":[]}]"#);
    w.say(crm, here);
    assert_eq!(w.expect(crm, "showform").text("formid"), id);
}

#[test]
fn a_link_answers_no_form_of_somebody_elses() {
    let mut settings = settings();
    settings.links[0].users = Some(vec!["petrov".into()]);
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    let id = open(&mut w, "ivanov");
    w.say(crm, &format!(r#"["formresult",{{"qid":"v","formid":"{id}","outputparameters":{{}}}}]"#));
    w.expect(crm, "formresultresult").failed(59014, "");
    w.expect(tab, "dlgcard_showformdialog");
    w.expect_no(tab, "dlgcard_closeall");
}

#[test]
fn a_form_after_the_call_knows_who_called_though_it_had_to_ask_first() {
    let mut settings = ring_card();
    settings.forms[0].on = Trigger::Hangup;
    settings.forms[0].close_on.clear();
    settings.forms[0].users = vec!["ivanov".into(), "petrov".into()];
    settings.forms[0].ask = Some("FindClient".into());
    let mut w = World::with(settings);
    let crm = w.introduced("crm", Format::Json);
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    w.tell(Told::Answered { call: call.clone(), number: "101".into() });
    w.tell(Told::Ended { call });
    let m = w.expect(crm, "executemethod");
    let id = m.text("executionid");
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"clientid":"42"}}}}]"#));
    assert_eq!(w.hub.snapshot().forms.len(), 1, "once, and for nobody who was not in the call");
    assert!(w.expect(tab, "dlgcard_showformdialog").json("fields").contains("79001112233"));
}

#[test]
fn a_confirm_card_shows_the_caller_also_when_the_call_is_over() {
    let mut settings = ring_card();
    settings.forms[0].kind = FormKind::Confirm;
    settings.forms[0].close_on.clear();
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    let who = |card: &crate::world::Heard| (card.text("callerid"), card.text("callername"));
    let shown = who(&w.expect(tab, "dlgcard_showconfirm"));
    assert_eq!(shown.0, "79001112233");
    w.tell(Told::Ended { call });
    let again = |w: &mut World| {
        let (_, heard) = w.agent_heard("ivanov", Format::Xml);
        who(heard.iter().find(|m| m.name() == "dlgcard_showconfirm").expect("shown again"))
    };
    assert_eq!(again(&mut w), shown);
    w.restart();
    assert_eq!(again(&mut w), shown, "and after a restart");
}

#[test]
fn a_scenario_takes_back_the_form_it_opened_and_no_other() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let (ivanov, petrov) = (w.agent("ivanov", format), w.agent("petrov", format));
        w.phone(Event::Form { run: Some(RunId(1)), form: order("ivanov") });
        w.phone(Event::Form { run: Some(RunId(2)), form: order("petrov") });
        let id = w.expect(ivanov, "dlgcard_showformdialog").text("cardid");
        w.phone(Event::CloseForm { run: RunId(1) });
        let closed = w.expect(ivanov, "dlgcard_closeall");
        assert_eq!((closed.text("cardid"), closed.text("reason")), (id.clone(), "closed".into()));
        let closed = w.expect(crm, "closeform");
        assert_eq!((closed.text("formid"), closed.text("reason")), (id, "closed".into()));
        w.expect(petrov, "dlgcard_showformdialog");
        w.expect_no(petrov, "dlgcard_closeall");
        assert_eq!(w.pbx, [Command::FormDone { run: RunId(1), end: FormEnd::Closed }]);
        w.phone(Event::CloseForm { run: RunId(1) });
        assert_eq!(w.pbx.len(), 1, "once");
    });
}

#[test]
fn a_call_in_a_queue_opens_the_form_for_whom_the_rule_names() {
    let mut settings = ring_card();
    settings.forms[0].on = Trigger::Queue;
    settings.forms[0].users = vec!["ivanov".into(), "petrov".into()];
    let mut nobodys = rule("nobodys");
    nobodys.on = Trigger::Queue;
    settings.forms.push(nobodys);
    let mut w = World::with(settings);
    let (ivanov, petrov) = (w.agent("ivanov", Format::Json), w.agent("petrov", Format::Xml));
    let call = CallId(CHAIN.into());
    let parties = Parties { caller: "79001112233".into(), caller_name: "".into(), called: "500".into() };
    w.tell(Told::Began { call: call.clone(), parties });
    w.tell(Told::Queued { call: call.clone(), queue: "500".into() });
    assert_eq!(w.hub.snapshot().forms.len(), 2, "a rule without users is for nobody");
    for tab in [ivanov, petrov] {
        assert!(w.expect(tab, "dlgcard_showformdialog").json("fields").contains("79001112233"));
    }
    // One phone that rings in vain closes that person's card; the end of the call closes all.
    w.tell(Told::Ringing { call: call.clone(), number: "101".into() });
    w.tell(Told::RingStopped { call: call.clone(), number: "101".into(), cause: EndCause::NoAnswer });
    w.expect(ivanov, "dlgcard_closeall");
    w.expect_no(petrov, "dlgcard_closeall");
    w.tell(Told::Ended { call });
    w.expect(petrov, "dlgcard_closeall");
}

#[test]
fn an_answer_closes_one_form_and_opens_another() {
    let mut settings = ring_card();
    settings.forms[0].close_on = vec![Trigger::Answer];
    let mut talk = rule("talk");
    talk.on = Trigger::Answer;
    settings.forms.push(talk);
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring(CHAIN, "79001112233", "101");
    let ringing = w.expect(tab, "dlgcard_showformdialog").text("cardid");
    w.tell(Told::Answered { call: call.clone(), number: "101".into() });
    let names: Vec<_> = w.heard(tab).iter().map(|m| (m.name().to_owned(), m.text("cardid") == ringing)).collect();
    let cards: Vec<_> = names.into_iter().filter(|(name, _)| name.starts_with("dlgcard")).collect();
    assert_eq!(cards, [("dlgcard_closeall".into(), true), ("dlgcard_showformdialog".into(), false)]);
    w.tell(Told::Ended { call });
    w.expect_no(tab, "dlgcard_closeall");
}

#[test]
fn a_form_that_no_link_declares_is_for_direct_tabs_and_lasts_ten_minutes() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let tab = w.agent("ivanov", format);
        let free = || FormOrder { name: "free".into(), ..order("ivanov") };
        w.ask(Ask::OpenForm(free()));
        w.expect_no(crm, "showform");
        let card = w.expect(tab, "dlgcard_showformdialog");
        assert_eq!(card.int("timeoutms"), 600_000);
        values(&mut w, tab, &card.text("cardid"), r#"{"any":["thing"]}"#);
        assert_eq!(w.expect(tab, "dlgcard_valuesresult").int("result"), 1, "any answer is taken");
        w.ask(Ask::OpenForm(free()));
        w.heard(tab);
        w.pass_alive(Duration::from_millis(599_999));
        w.expect_no(tab, "dlgcard_closeall");
        w.pass(Duration::from_millis(1));
        assert_eq!(w.expect(tab, "dlgcard_closeall").text("reason"), "expired");
    });
}

#[test]
fn whoever_is_second_hears_who_was_first_through_either_door() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        w.tunnel_login(crm, "ivanov", "t1");
        let tab = w.agent("ivanov", format);
        let by_crm = |w: &mut World, id: &str| {
            w.say(crm, &format!(r#"["formresult",{{"qid":1,"formid":"{id}","userlogin":"ivanov","outputparameters":{{"resultcode":"a"}}}}]"#));
            w.expect(crm, "formresultresult")
        };
        let by_tab = |w: &mut World, id: &str| {
            values(w, tab, id, r#"{"resultcode":"b"}"#);
            w.expect(tab, "dlgcard_valuesresult")
        };
        let id = open(&mut w, "ivanov");
        assert_eq!(by_crm(&mut w, &id).int("result"), 1);
        by_tab(&mut w, &id).failed(59013, "by ivanov (user ivanov behind link crm)");
        let id = open(&mut w, "ivanov");
        assert_eq!(by_tab(&mut w, &id).int("result"), 1);
        by_crm(&mut w, &id).failed(59013, "by ivanov (tab of ivanov)");
    });
}

#[test]
fn whatever_becomes_of_the_question_the_form_opens_and_says_it() {
    let mut settings = ring_card();
    settings.forms[0].ask = Some("FindClient".into());
    settings.forms[0].parameters = vec![
        ("phone".into(), vec![Piece::Caller]),
        ("client".into(), vec![Piece::Ask("clientid".into())]),
        ("why".into(), vec![Piece::Ask("error".into())]),
    ];
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let card = |w: &mut World, chain: &'static str, says: &str| {
        let fields = w.expect(tab, "dlgcard_showformdialog").json("fields");
        assert!(fields.contains(&format!(r#""caption":"why","value":"{says}""#)), "{fields}");
        assert!(fields.contains(r#""name":"client","type":"string","caption":"client","value":"""#), "{fields}");
        w.tell(Told::Ended { call: CallId(chain.into()) });
    };
    w.ring("first", "79001112233", "101");
    card(&mut w, "first", "the CRM is not connected");
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["availableforms",{"forms":[]}]"#);
    w.ring("second", "79001112233", "101");
    let id = w.expect(crm, "executemethod").text("executionid");
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","result":0,"errormsg":"database is away"}}]"#));
    card(&mut w, "second", "database is away");
    w.ring("third", "79001112233", "101");
    let id = w.expect(crm, "executemethod").text("executionid");
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"clientid":7}}}}]"#));
    card(&mut w, "third", "outputparameters: clientid is the number 7, expected string");
    w.ring("fourth", "79001112233", "101");
    w.cut(crm);
    card(&mut w, "fourth", "the CRM is not connected");
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["availablemethods",{"methods":[]}]"#);
    w.say(crm, r#"["availableforms",{"forms":[]}]"#);
    w.ring("fifth", "79001112233", "101");
    card(&mut w, "fifth", "no CRM offers this method");
}
