use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::output::Record;
use ctigate_proto::hub::settings::{Settings, Trigger};
use ctigate_proto::message::Format;
use ctigate_proto::method::Right;
use ctigate_proto::telephony::{Act, Command};

use crate::world::{World, both, link, rule, settings};

fn without(login: &str) -> Settings {
    let mut s = settings();
    s.accounts.retain(|a| a.login != login);
    s
}

#[test]
fn whoever_is_removed_leaves_in_order_and_nobody_else_notices() {
    both(|format| {
        let mut s = settings();
        s.forms = vec![rule("clientcard")];
        s.forms[0].on = Trigger::Ring;
        let mut w = World::with(s);
        let crm = w.introduced("crm", format);
        let (ivanov, petrov) = (w.agent("ivanov", format), w.agent("petrov", format));
        assert_eq!(w.tunnel_login(crm, "ivanov", "t1").int("result"), 1);
        w.ring("chain-1", "79001112233", "101");
        let card = w.expect(ivanov, "dlgcard_showformdialog").text("cardid");
        w.heard(crm);
        w.say(ivanov, r#"["executemethod",{"qid":"e","name":"Anything","inputparameters":{}}]"#);
        let asked = w.expect(crm, "executemethod").text("executionid");

        w.reconfigure(without("ivanov"));
        assert_eq!(w.expect(ivanov, "dlgcard_closeall").text("cardid"), card);
        let answer = w.expect(ivanov, "methodresult");
        assert_eq!((answer.text("qid"), answer.int("result")), ("e".to_owned(), 0));
        let reason = w.closed(ivanov).expect("the tab is closed");
        assert_eq!((reason.code, &*reason.text), (1008, "the account was removed"));
        assert_eq!(w.expect(crm, "cancelmethod").text("executionid"), asked);
        assert!(w.closed(crm).is_none() && w.closed(petrov).is_none());
        let ended = w.records.iter().filter(|r| matches!(r, Record::SessionEnded { .. })).count();
        assert_eq!(ended, 2, "the tab's and the tunnel's");
        w.say(crm, r#"["getuserstate",{"qid":"g","userlogin":"ivanov"}]"#);
        w.expect(crm, "getuserstateresult").failed(59003, "names no user");
        w.say(petrov, r#"["getallusernumbers",{"qid":"n"}]"#);
        let known = w.expect(petrov, "getallusernumbersresult").json("users");
        assert!(!known.contains("ivanov") && known.contains("sidorova"), "{known}");

        // By the same login somebody may come again.
        w.reconfigure(settings());
        w.agent("ivanov", format);
        assert_eq!(
            w.hub.snapshot().users.iter().map(|u| &*u.login).collect::<Vec<_>>(),
            ["ivanov", "petrov", "sidorova"]
        );
    });
}

#[test]
fn rights_and_numbers_count_from_the_next_message_on() {
    let mut w = World::new();
    let ivanov = w.agent("ivanov", Format::Json);
    let petrov = w.agent("petrov", Format::Json);
    w.say(ivanov, r#"["pbxautocallstart",{"qid":"1","number":"102"}]"#);
    assert!(matches!(&w.pbx[..], [Command::Phone { number, act: Act::Dial { .. }, .. }] if number == "101"));
    w.pbx.clear();

    let mut s = settings();
    s.accounts[0].rights = Rights::role("agent").expect("a role").without(Right::Call);
    s.accounts[1].number = "177".into();
    w.heard(ivanov);
    w.reconfigure(s);
    let gone = w.expect(ivanov, "pbxnumberstatechanged").json("numbers");
    assert!(gone.contains(r#""num":"102""#) && gone.contains(r#""numstateid":0"#), "{gone}");
    let new = w.expect(ivanov, "pbxnumberstatechanged");
    let new = if new.json("numbers") == gone { w.heard(ivanov)[1].json("numbers") } else { new.json("numbers") };
    assert!(new.contains(r#""num":"177""#), "{new}");

    w.say(ivanov, r#"["pbxautocallstart",{"qid":"2","number":"177"}]"#);
    w.expect(ivanov, "pbxautocallstartresult").failed(59004, "the right call is missing");
    w.say(petrov, r#"["pbxautocallstart",{"qid":"3","number":"101"}]"#);
    let dials =
        w.pbx.iter().any(|c| matches!(c, Command::Phone { number, act: Act::Dial { .. }, .. } if number == "177"));
    assert!(dials, "{:?}", w.pbx);
    assert!(w.closed(ivanov).is_none() && w.closed(petrov).is_none());
}

#[test]
fn a_call_goes_on_while_other_things_change() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    let ivanov = w.agent("ivanov", Format::Xml);
    w.say(ivanov, r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{"phone":"1"}}]"#);
    let id = w.expect(crm, "executemethod").text("executionid");
    let mut s = without("sidorova");
    s.links.insert(0, link("another"));
    s.limits.in_flight_tab = 1;
    s.breaks.clear();
    w.reconfigure(s);
    w.say(crm, &format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"clientid":"42"}}}}]"#));
    let result = w.expect(ivanov, "methodresult");
    assert_eq!((result.int("result"), result.json("outputparameters")), (1, r#"{"clientid":"42"}"#.to_owned()));
    let links = w.hub.snapshot().links;
    let states: Vec<_> = links.iter().map(|l| (&*l.name, l.state)).collect();
    assert_eq!(states, [("another", "waiting"), ("crm", "up")]);
}

#[test]
fn a_link_that_is_removed_closes_and_whoever_waits_for_it_is_told() {
    both(|format| {
        let mut w = World::new();
        let crm = w.introduced("crm", format);
        let ivanov = w.agent("ivanov", format);
        assert_eq!(w.tunnel_login(crm, "petrov", "t1").int("result"), 1);
        w.say(ivanov, r#"["executemethod",{"qid":"e","name":"Anything","inputparameters":{}}]"#);
        let mut s = settings();
        s.links = vec![link("new")];
        w.reconfigure(s);
        w.expect(ivanov, "methodresult").failed(59010, "");
        assert_eq!(w.closed(crm).map(|r| r.code), Some(1001));
        assert!(w.closed(ivanov).is_none());
        w.pass(Duration::from_secs(6));
        let picture = w.hub.snapshot();
        assert_eq!(picture.links.iter().map(|l| &*l.name).collect::<Vec<_>>(), ["new"]);
        assert!(!picture.users[1].online, "who was behind the link has left");
        let late = w.crm("crm", format);
        w.say(late, r#"["iam",{"qid":"whoareyou","type":"demo","name":"Demo CRM","version":"3.1"}]"#);
        assert_eq!(w.closed(late).map(|r| r.code), Some(1008), "nobody comes in by a name that is no more");
        w.introduced("new", format);
        assert_eq!(w.hub.snapshot().links[0].state, "up");
    });
}

#[test]
fn a_link_that_is_for_fewer_people_loses_the_others_and_stays_open() {
    let mut w = World::new();
    let crm = w.introduced("crm", Format::Json);
    assert_eq!(w.tunnel_login(crm, "ivanov", "t1").int("result"), 1);
    assert_eq!(w.tunnel_login(crm, "petrov", "t2").int("result"), 1);
    let mut s = settings();
    s.links[0].users = Some(vec!["petrov".into()]);
    w.reconfigure(s);
    assert!(w.closed(crm).is_none());
    w.say(crm, r#"["getuserstate",{"qid":"a","userlogin":"ivanov"}]"#);
    w.expect(crm, "getuserstateresult").failed(59003, "no user of this link");
    w.say(crm, r#"["getuserstate",{"qid":"b","userlogin":"petrov"}]"#);
    assert_eq!(w.expect(crm, "getuserstateresult").int("result"), 1);
}

#[test]
fn whoever_comes_to_a_queue_takes_its_calls_and_a_break_that_is_no_more_has_no_name() {
    let mut w = World::new();
    let ivanov = w.agent("ivanov", Format::Json);
    w.say(ivanov, r#"["setuserstate",{"qid":"1","userstateid":2,"lunchreasonid":2}]"#);
    w.heard(ivanov);
    let mut s = settings();
    s.numbers[0].members.push("IVANOV".into());
    s.breaks.truncate(1);
    w.pbx.clear();
    w.reconfigure(s);
    let told = w.expect(ivanov, "userstatechanged");
    assert_eq!((told.int("userstateid"), told.int("lunchreasonid")), (2, 0));
    let away = w.pbx.iter().find_map(|c| match c {
        Command::Agent { number, away } if number == "101" => Some(away.clone()),
        _ => None,
    });
    assert_eq!(away, Some(Some("break".into())), "{:?}", w.pbx);
    w.say(ivanov, r#"["getmyuserinfo",{"qid":"2"}]"#);
    assert!(w.expect(ivanov, "getmyuserinforesult").json("isoperator") == "true");
}

#[test]
fn what_belongs_to_somebody_is_there_again_when_the_account_is() {
    let mut w = World::new();
    let petrov = w.agent("petrov", Format::Json);
    let rule = r#""redirectrule":{"id":"r1","destinationnumber":"103","isenabled":true,"onlyforredirectstate":false}"#;
    w.say(petrov, &format!(r#"["saveredirectrules",{{"qid":"1",{rule}}}]"#));
    assert_eq!(w.expect(petrov, "saveredirectrulesresult").int("result"), 1);
    w.pbx.clear();
    w.reconfigure(without("petrov"));
    assert!(
        w.pbx.iter().any(|c| matches!(c, Command::Redirect { number, to: None, .. } if number == "102")),
        "{:?}",
        w.pbx
    );
    w.pbx.clear();
    w.reconfigure(settings());
    let back =
        |c: &Command| matches!(c, Command::Redirect { number, to: Some(to), .. } if number == "102" && to == "103");
    assert!(w.pbx.iter().any(back), "{:?}", w.pbx);
    // Much later another takes the place, and finds nothing there.
    w.reconfigure(without("petrov"));
    w.pass(Duration::from_secs(3 * 3600));
    let mut s = without("petrov");
    s.accounts.push(settings().accounts[1].clone());
    let new = s.accounts.last_mut().expect("just pushed");
    (new.login, new.id, new.number) = ("smirnov".into(), "3f0a7c11-0000-4000-8000-000000000999".into(), "199".into());
    w.reconfigure(s);
    let smirnov = w.agent("smirnov", Format::Json);
    w.say(smirnov, r#"["getredirectrules",{"qid":"2"}]"#);
    assert_eq!(w.expect(smirnov, "getredirectrulesresult").json("redirectrules"), "[]");
}
