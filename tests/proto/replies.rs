//! What operators hear of replies: each call once, by the name of the catalogue, with the time that whoever called has waited.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::output::Notice;
use ctigate_proto::message::{Code, Format};
use ctigate_proto::method::Right;
use ctigate_proto::telephony::{Command, Event};

use crate::world::{World, settings};

type Reply = (&'static str, Option<Code>, Duration);

/// What was told since the last time.
fn replies(w: &mut World) -> Vec<Reply> {
    let told = std::mem::take(&mut w.notices).into_iter();
    told.filter_map(|notice| match notice {
        Notice::Replied { method, error, micros } => Some((method, error, Duration::from_micros(micros))),
        _ => None,
    })
    .collect()
}

#[test]
fn each_call_is_told_once_with_what_came_of_it() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    replies(&mut w);
    w.say(tab, r#"["getmyuserinfo",{"qid":1}]"#);
    assert_eq!(replies(&mut w), [("getmyuserinfo", None, Duration::ZERO)]);
    w.say(tab, r#"["pbxautocallstart",{"qid":2}]"#);
    assert_eq!(replies(&mut w), [("pbxautocallstart", Some(Code::BadRequest), Duration::ZERO)]);
    // However many names somebody invents, operators see one.
    for name in ["inventedmethod", "anothermethod"] {
        w.say(tab, &format!(r#"["{name}",{{"qid":3}}]"#));
        assert_eq!(replies(&mut w), [("unknown", Some(Code::UnknownMethod), Duration::ZERO)]);
    }
    let crm = w.introduced("crm", Format::Json);
    replies(&mut w);
    w.tunnel_login(crm, "ivanov", "t1");
    w.say(crm, r#"["getmyuserinfo",{"qid":4,"userlogin":"ivanov","tabid":"t1"}]"#);
    let told = replies(&mut w);
    assert_eq!(told, [("login", None, Duration::ZERO), ("getmyuserinfo", None, Duration::ZERO)]);
}

#[test]
fn a_reply_that_comes_later_is_told_when_it_comes() {
    let mut settings = settings();
    settings.accounts[0].rights = Rights::role("agent").expect("a role").with(Right::Procedures);
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    replies(&mut w);
    let call = r#"["execsvcscript",{"qid":"s","scriptname":"greet","waitresponse":true,"waittimeoutsec":7}]"#;
    w.say(tab, call);
    w.pass_alive(Duration::from_secs(3));
    let waiting = replies(&mut w);
    assert!(waiting.iter().all(|(method, ..)| *method != "execsvcscript"), "{waiting:?}");
    let Some(Command::Script { order, .. }) = w.pbx.pop() else { panic!("{:?}", w.pbx) };
    w.phone(Event::ScriptDone { order, result: Ok("42".into()) });
    assert_eq!(replies(&mut w), [("execsvcscript", None, Duration::from_secs(3))]);
    w.say(tab, call);
    w.pass_alive(Duration::from_secs(7));
    let told: Vec<Reply> = replies(&mut w).into_iter().filter(|(method, ..)| *method == "execsvcscript").collect();
    assert_eq!(told, [("execsvcscript", Some(Code::Timeout), Duration::from_secs(7))]);
}
