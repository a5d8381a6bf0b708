//! Calls of the past: who sees which, by which filter, and that they are there after a restart.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::archive::Fetch;
use ctigate_proto::hub::input::{Ask, By};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::message::{Format, Text};
use ctigate_proto::method::Right;
use ctigate_proto::telephony::{CallId, Event, Fact, TalkId};

use crate::world::{P, Told, World, both, settings};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A call from outside that somebody answers after three seconds and talks for a minute. Gives the talk.
fn talk(w: &mut World, chain: &'static str, caller: &'static str, number: &'static str) -> TalkId {
    let call = w.ring(chain, caller, number);
    w.pass_alive(seconds(3));
    w.tell(Told::Answered { call: call.clone(), number: number.into() });
    w.pass_alive(seconds(60));
    w.tell(Told::Ended { call: call.clone() });
    TalkId(w.archive.entries[&call].talks[0].talk.0.clone())
}

/// A call from outside that nobody answers.
fn missed(w: &mut World, chain: &'static str, caller: &'static str, number: &'static str) {
    let call = w.ring(chain, caller, number);
    w.pass_alive(seconds(5));
    w.tell(Told::Ended { call });
}

fn ask(w: &mut World, tab: P, filter: &str) -> Vec<serde_json::Value> {
    w.say(tab, &format!(r#"["getpbxcalljournal",{{"qid":"j"{filter}}}]"#));
    let reply = w.expect(tab, "getpbxcalljournalresult");
    assert_eq!(reply.int("result"), 1, "{reply:?}");
    serde_json::from_str(&reply.json("data")).expect("an array")
}

fn chains(entries: &[serde_json::Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["chainid"].as_str().expect("a chain")).collect()
}

#[test]
fn an_agent_sees_the_own_calls_a_supervisor_the_subordinates_and_a_crm_all() {
    both(|format| {
        let mut w = World::new();
        let (ivanov, petrov) = (w.agent("ivanov", format), w.agent("petrov", format));
        let sidorova = w.agent("sidorova", format);
        let crm = w.introduced("crm", format);
        talk(&mut w, "c1", "79001112233", "101");
        talk(&mut w, "c2", "79004445566", "102");
        missed(&mut w, "c3", "79001112233", "101");
        assert_eq!(chains(&ask(&mut w, ivanov, "")), ["c3", "c1"]);
        assert_eq!(chains(&ask(&mut w, petrov, "")), ["c2"]);
        assert_eq!(chains(&ask(&mut w, sidorova, "")), ["c3", "c1"], "of ivanov, who is her subordinate");
        assert_eq!(chains(&ask(&mut w, crm, r#","userid":"","userlogin":"""#)), ["c3", "c2", "c1"]);
    });
}

#[test]
fn a_link_that_is_for_some_sees_their_calls_alone() {
    let mut s = settings();
    s.links[0].users = Some(vec!["petrov".into()]);
    let mut w = World::with(s);
    let crm = w.introduced("crm", Format::Json);
    talk(&mut w, "c1", "79001112233", "101");
    talk(&mut w, "c2", "79004445566", "102");
    assert_eq!(chains(&ask(&mut w, crm, "")), ["c2"]);
}

#[test]
fn an_entry_tells_who_talked_how_long_and_how_long_it_took() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    talk(&mut w, "c1", "79001112233", "101");
    missed(&mut w, "c2", "79004445566", "101");
    let all = ask(&mut w, tab, "");
    let (lost, kept) = (&all[0], &all[1]);
    assert_eq!(kept["duration"], 60);
    assert_eq!(kept["waitduration"], 3);
    assert_eq!(kept["outcome"], "answered");
    assert_eq!(kept["connectiontype"], "incoming");
    assert_eq!((&kept["callerid"], &kept["calledid"]), (&"79001112233".into(), &"500".into()));
    assert_eq!(kept["username"], "ivanov by name");
    assert!(kept.get("recordlink").is_none());
    assert_eq!(lost["commutationid"], "00000000-0000-0000-0000-000000000000");
    assert_eq!((&lost["duration"], &lost["outcome"]), (&0.into(), &"cancelled".into()));
}

#[test]
fn a_filter_lets_through_what_it_says() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    talk(&mut w, "c1", "79001112233", "101");
    w.pass_alive(seconds(86_400));
    missed(&mut w, "c2", "79001112233", "101");
    talk(&mut w, "c3", "79004445566", "101");
    for (filter, expected) in [
        (r#"{}"#, vec!["c3", "c2", "c1"]),
        (r#"{"idchain":"C1"}"#, vec!["c1"]),
        (r#"{"missed":true}"#, vec!["c2"]),
        (r#"{"missed":false}"#, vec!["c3", "c1"]),
        (r#"{"minduration":60}"#, vec!["c3", "c1"]),
        (r#"{"minduration":61}"#, vec![]),
        (r#"{"number":"79001112233"}"#, vec!["c2", "c1"]),
        (r#"{"number":"101"}"#, vec!["c3", "c2", "c1"]),
        (r#"{"connectiontype":"outgoing"}"#, vec![]),
        (r#"{"connectiontype":"incoming","limit":1}"#, vec!["c3"]),
        (r#"{"limit":1,"offset":1}"#, vec!["c2"]),
        (r#"{"offset":3}"#, vec![]),
        (r#"{"showcallcenter":false}"#, vec!["c3", "c2", "c1"]),
        // The clock of the world stands at 16:53:20 of 2026-09-21, three hours east of Greenwich, when it begins.
        (r#"{"datestart":"2026-09-22"}"#, vec!["c3", "c2"]),
        (r#"{"dateend":"2026-09-21"}"#, vec!["c1"]),
        (r#"{"datestart":"2026-09-21","dateend":"2026-09-22"}"#, vec!["c3", "c2", "c1"]),
        (r#"{"datestart":"2026-09-23"}"#, vec![]),
    ] {
        assert_eq!(chains(&ask(&mut w, tab, &format!(r#","filter":{filter}"#))), expected, "{filter}");
    }
    assert_eq!(chains(&ask(&mut w, tab, "")), ["c3", "c2"], "of today");
    for (filter, says) in [
        (r#"{"datestart":"yesterday"}"#, "filter.datestart is \"yesterday\""),
        (r#"{"dateend":"2026-02-30"}"#, "filter.dateend"),
        (r#"{"connectiontype":"sideways"}"#, "filter.connectiontype is \"sideways\""),
        (r#"{"limit":0}"#, "filter.limit is 0, expected 1 to 1000"),
        (r#"{"limit":1001}"#, "filter.limit"),
        (r#"{"offset":-1}"#, "filter.offset"),
        (r#"{"minduration":"long"}"#, "filter.minduration: found string"),
    ] {
        w.say(tab, &format!(r#"["getpbxcalljournal",{{"qid":"j","filter":{filter}}}]"#));
        w.expect(tab, "getpbxcalljournalresult").failed(59002, says);
    }
}

#[test]
fn calls_of_the_call_centre_can_be_left_out() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring("c1", "79001112233", "101");
    w.tell(Told::Queued { call: call.clone(), queue: "500".into() });
    w.pass_alive(seconds(2));
    w.tell(Told::Answered { call: call.clone(), number: "101".into() });
    w.pass_alive(seconds(2));
    w.tell(Told::Ended { call });
    let all = ask(&mut w, tab, r#","filter":{"showcallcenter":true}"#);
    assert_eq!(all[0]["queue"], "500");
    assert!(ask(&mut w, tab, r#","filter":{"showcallcenter":false}"#).is_empty());
}

#[test]
fn the_way_of_a_call_is_told_while_it_goes_on_and_long_after() {
    both(|format| {
        let mut w = World::new();
        let (ivanov, petrov, sidorova) =
            (w.agent("ivanov", format), w.agent("petrov", format), w.agent("sidorova", format));
        let kinds = |w: &mut World, tab: P| {
            w.say(tab, r#"["getchaincontent",{"qid":"c","chainid":"c1"}]"#);
            let reply = w.expect(tab, "getchaincontentresult");
            if reply.int("result") == 0 {
                reply.failed(59014, "chainid is no call");
                return Vec::new();
            }
            let content: serde_json::Value = serde_json::from_str(&reply.json("content")).unwrap();
            let steps = content["trace"].as_array().unwrap().iter();
            steps.map(|step| step["kind"].as_str().unwrap().to_owned()).collect()
        };
        talk(&mut w, "c1", "79001112233", "101");
        let at_once = kinds(&mut w, ivanov);
        assert!(at_once.contains(&"answered".to_owned()), "{at_once:?}");
        w.pass_alive(seconds(3600));
        let later = kinds(&mut w, ivanov);
        assert_eq!(later, ["began", "ringing", "answered", "answered", "left", "left", "ended"]);
        assert_eq!(kinds(&mut w, sidorova), later);
        assert!(kinds(&mut w, petrov).is_empty(), "it is none of his business");
        assert!(w.archive.entries.contains_key(&CallId("c1".into())));
    });
}

#[test]
fn what_never_answers_is_a_timeout_and_a_late_answer_is_dropped() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.dumb = true;
    w.say(tab, r#"["getpbxcalljournal",{"qid":"j"}]"#);
    assert!(matches!(w.unanswered[..], [(_, Fetch::Journal(_))]));
    w.expect_no(tab, "getpbxcalljournalresult");
    w.pass_alive(seconds(15));
    w.expect(tab, "getpbxcalljournalresult").failed(59011, "the store did not answer");
    w.release_fetches();
    w.expect_no(tab, "getpbxcalljournalresult");
    assert_eq!(w.hub.sizes().fetches, 0);
}

#[test]
fn who_asked_and_went_away_is_not_answered_and_leaves_nothing_behind() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    w.dumb = true;
    for _ in 0..256 {
        w.say(tab, r#"["getpbxcalljournal",{"qid":"j"}]"#);
    }
    w.say(tab, r#"["getpbxcalljournal",{"qid":"j"}]"#);
    w.expect(tab, "getpbxcalljournalresult").failed(59012, "too many calls wait");
    w.cut(tab);
    w.release_fetches();
    assert_eq!(w.hub.sizes().fetches, 0);
}

fn recording(w: &mut World, link: &str, by: By) -> Result<Text, Option<i64>> {
    let ticket = w.ask(Ask::Recording { link: link.into(), by });
    match w.answer(ticket).expect("an answer") {
        Answer::Recording { file } => Ok(file),
        Answer::Refused(error) => Err(error.code.map(|c| c.number())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recording_is_for_whom_the_talk_was_and_for_who_looks_after_them() {
    let mut s = settings();
    s.accounts[1].rights = Rights::role("agent").unwrap();
    s.accounts.push(s.accounts[1].clone());
    let last = s.accounts.last_mut().unwrap();
    (last.login, last.id, last.number) = ("deaf".into(), "3f0a7c11-0000-4000-8000-000000000104".into(), "104".into());
    last.rights = last.rights.without(Right::Journal);
    s.links[0].rights = s.links[0].rights.with(Right::Files);
    let mut w = World::with(s);
    let tab = w.agent("ivanov", Format::Json);
    let call = w.ring("c1", "79001112233", "101");
    w.tell(Told::Answered { call: call.clone(), number: "101".into() });
    w.pass_alive(seconds(10));
    let talk = w.heard(tab).iter().find(|m| m.name() == "phoneevent_commstarted").unwrap().text("commutationid");
    let file = "2026/a.wav".into();
    w.phone(Event::Facts(vec![Fact::Recording { call: call.clone(), talk: TalkId(talk.into()), file }]));
    w.tell(Told::Ended { call });
    let entries = ask(&mut w, tab, "");
    let link = entries[0]["recordlink"].as_str().unwrap().to_owned();
    assert!(link.starts_with('/') && !link.contains('?'));
    let user = |login: &str| By::User(login.into());
    assert_eq!(recording(&mut w, &link, user("ivanov")).as_deref(), Ok("2026/a.wav"));
    assert_eq!(recording(&mut w, &link, user("sidorova")).as_deref(), Ok("2026/a.wav"));
    assert_eq!(recording(&mut w, &link, user("petrov")), Err(Some(59014)));
    assert_eq!(recording(&mut w, &link, user("deaf")), Err(Some(59004)));
    assert_eq!(recording(&mut w, "/record/nonsense", user("ivanov")), Err(Some(59014)));

    w.say(tab, r#"["gettemphttppass",{"qid":"p"}]"#);
    let password = w.expect(tab, "gettemphttppassresult").text("password");
    for _ in 0..3 {
        assert!(recording(&mut w, &link, By::Pass(password.as_str().into())).is_ok(), "any number of times");
    }
    assert_eq!(recording(&mut w, &link, By::Pass("guessed".into())), Err(Some(59003)));

    // A CRM for itself hears all of its users.
    let crm = w.introduced("crm", Format::Json);
    w.say(crm, r#"["gettemphttppass",{"qid":"p"}]"#);
    let of_crm = w.expect(crm, "gettemphttppassresult").text("password");
    assert!(recording(&mut w, &link, By::Pass(of_crm.as_str().into())).is_ok());
    w.pass_alive(seconds(600));
    assert_eq!(recording(&mut w, &link, By::Pass(password.into())), Err(Some(59003)), "ten minutes are over");
}
