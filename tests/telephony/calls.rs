//! Each thing a person can do with a call, in each state in which it makes sense: what everybody sees before and after.

use ctigate::pbx::Control;
use ctigate_proto::hub::input::{Ask, By};
use ctigate_proto::hub::output::Answer;

use crate::office::Office;

const CLIENT: &str = "79001112233";

fn four(a: &str, b: &str, c: &str, d: &str) -> [String; 4] {
    [a, b, c, d].map(str::to_owned)
}

/// ivanov and petrov talk.
fn talk() -> Office {
    let mut o = Office::open("");
    o.does("ivanov", "pbxautocallstart", r#""number":"102""#);
    o.picks_up("101");
    o.picks_up("102");
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    o
}

/// ivanov talks with petrov and holds somebody outside.
fn consultation() -> Office {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    o.does("ivanov", "pbxanswercall", "");
    o.does("ivanov", "pbxautocallstart", r#""number":"102""#);
    assert_eq!(o.all(), four(&format!("call 102 + {CLIENT}"), "ring 101", "ready", "ready"));
    o.does("petrov", "pbxanswercall", "");
    assert_eq!(o.all(), four(&format!("talk 102 + {CLIENT}"), "talk 101", "ready", "ready"));
    o
}

#[test]
fn a_call_with_the_own_phone_first() {
    let mut o = Office::open("");
    o.does("ivanov", "pbxautocallstart", r#""number":"102","sequence":"user""#);
    assert_eq!(o.all(), four("backring 102", "ready", "ready", "ready"));
    o.does("ivanov", "pbxanswercall", "");
    assert_eq!(o.all(), four("call 102", "ring 101", "ready", "ready"));
    o.does("petrov", "pbxanswercall", "");
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    assert_eq!(o.states("ivanov"), ["ready", "backring 102", "call 102", "talk 102"]);
    assert_eq!(o.states("petrov"), ["ready", "ring 101", "talk 101"]);
    o.does("petrov", "pbxabortcall", "");
    o.closes();
}

#[test]
fn a_call_with_the_other_first() {
    let mut o = Office::open("");
    o.does("ivanov", "pbxautocallstart", r#""number":"102","sequence":"abonent""#);
    assert_eq!(o.all(), four("call 102", "ring 101", "ready", "ready"));
    o.does("petrov", "pbxanswercall", "");
    assert_eq!(o.all(), four("backring 102", "call 101", "ready", "ready"));
    o.does("ivanov", "pbxanswercall", "");
    assert_eq!(o.states("ivanov"), ["ready", "call 102", "backring 102", "talk 102"]);
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    o.does("ivanov", "pbxabortcall", "");
    o.closes();
}

#[test]
fn dialling_is_stopped_in_each_of_its_phases() {
    for (sequence, answered, stop) in [
        ("abonent", None, "pbxautocallabort"),
        ("abonent", Some("petrov"), "pbxdeclinecall"),
        ("user", None, "pbxdeclinecall"),
        ("user", None, "pbxautocallabort"),
        ("user", Some("ivanov"), "pbxabortcall"),
    ] {
        let mut o = Office::open("");
        o.does("ivanov", "pbxautocallstart", &format!(r#""number":"102","sequence":"{sequence}""#));
        if let Some(who) = answered {
            o.does(who, "pbxanswercall", "");
        }
        o.does("ivanov", stop, "");
        assert_eq!(o.all(), four("ready", "ready", "ready", "ready"), "{sequence} {answered:?} {stop}");
        o.closes();
    }
}

#[test]
fn an_intercom_call_is_answered_by_the_called_phone_itself() {
    let mut o = Office::open("");
    o.does("ivanov", "pbxautocallstart", r#""number":"102","sequence":"user","intercom":true"#);
    o.does("ivanov", "pbxanswercall", "");
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    o.hangs_up("101");
    o.closes();
}

#[test]
fn a_call_from_outside_is_answered_refused_or_given_up() {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    assert_eq!(o.all(), four(&format!("ring {CLIENT}"), "ready", "ready", "ready"));
    o.does("ivanov", "pbxdeclinecall", "");
    assert_eq!(o.now("ivanov"), "ready");
    o.incoming(CLIENT, "101");
    o.hangs_up(CLIENT);
    assert_eq!(o.now("ivanov"), "ready");
    o.incoming(CLIENT, "101");
    o.does("ivanov", "pbxanswercall", "");
    assert_eq!(o.now("ivanov"), format!("talk {CLIENT}"));
    o.does("ivanov", "pbxabortcall", "");
    let outcomes: Vec<&str> = o.entries().iter().map(|e| e.outcome.word()).collect();
    assert_eq!(outcomes, ["refused", "cancelled", "answered"]);
    o.closes();
}

#[test]
fn hold_and_take_back() {
    let mut o = talk();
    o.does("ivanov", "pbxmakeflash", r#""mode":"switch""#);
    assert_eq!(o.all(), four("ready + 102", "talk 101", "ready", "ready"));
    o.does("ivanov", "pbxmakeflash", "");
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    // The held party leaves.
    o.does("ivanov", "pbxmakeflash", r#""mode":"switch""#);
    o.does("petrov", "pbxabortcall", "");
    o.closes();
}

#[test]
fn a_second_call_holds_the_first_and_comes_back_to_it() {
    let mut o = consultation();
    // Toggle: the two are swapped, and swapped again.
    o.does("ivanov", "pbxmakeflash", r#""mode":"switch""#);
    assert_eq!(o.all(), four(&format!("talk {CLIENT} + 102"), "talk 101", "ready", "ready"));
    o.does("ivanov", "pbxmakeflash", r#""mode":"switch""#);
    assert_eq!(o.now("ivanov"), format!("talk 102 + {CLIENT}"));
    // Return: the present party is dropped.
    o.does("ivanov", "pbxmakeflash", r#""mode":"abort""#);
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "ready", "ready", "ready"));
    o.does("ivanov", "pbxabortcall", "");
    o.closes();
}

#[test]
fn a_consulted_person_who_refuses_or_leaves_brings_the_held_one_back() {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    o.does("ivanov", "pbxanswercall", "");
    o.does("ivanov", "pbxautocallstart", r#""number":"102""#);
    o.does("petrov", "pbxdeclinecall", "");
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "ready", "ready", "ready"));
    o.hangs_up(CLIENT);
    o.closes();
    let mut o = consultation();
    o.does("petrov", "pbxabortcall", "");
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "ready", "ready", "ready"));
    o.hangs_up(CLIENT);
    o.closes();
}

#[test]
fn the_held_party_is_dropped_with_next() {
    let mut o = consultation();
    o.does("ivanov", "pbxmakeflash", r#""mode":"next""#);
    assert_eq!(o.all(), four("talk 102", "talk 101", "ready", "ready"));
    o.does("ivanov", "pbxabortcall", "");
    o.closes();
}

#[test]
fn to_hang_up_with_somebody_on_hold_joins_the_two_others() {
    let mut o = consultation();
    o.does("ivanov", "pbxabortcall", "");
    assert_eq!(o.all(), four("ready", &format!("talk {CLIENT}"), "ready", "ready"));
    o.hangs_up(CLIENT);
    let entries = o.entries();
    assert_eq!(entries.len(), 1, "one conversation from the first ring to the last word");
    assert_eq!(entries[0].talks.len(), 3, "{:?}", entries[0].talks);
    o.closes();
}

#[test]
fn a_transfer_to_the_held_party_joins_too() {
    let mut o = consultation();
    o.does("ivanov", "pbxmaketransfer", &format!(r#""transferto":"{CLIENT}""#));
    assert_eq!(o.all(), four("ready", &format!("talk {CLIENT}"), "ready", "ready"));
    o.hangs_up("102");
    o.closes();
}

#[test]
fn a_blind_transfer_lets_the_user_go() {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    o.does("ivanov", "pbxanswercall", "");
    o.does("ivanov", "pbxmaketransfer", r#""transferto":"103""#);
    assert_eq!(o.all(), four("ready", "ready", &format!("ring {CLIENT}"), "ready"));
    o.does("sidorova", "pbxanswercall", "");
    assert_eq!(o.now("sidorova"), format!("talk {CLIENT}"));
    o.hangs_up(CLIENT);
    o.closes();
}

#[test]
fn a_transfer_with_somebody_on_hold_brings_that_one_back() {
    let mut o = consultation();
    o.does("ivanov", "pbxmaketransfer", r#""transferto":"103""#);
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "call 103", "ring 102", "ready"));
    o.does("sidorova", "pbxanswercall", "");
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "talk 103", "talk 102", "ready"));
    o.does("ivanov", "pbxabortcall", "");
    assert_eq!(o.all(), four("ready", "talk 103", "talk 102", "ready"));
    o.hangs_up("103");
    o.closes();
}

#[test]
fn busy_unknown_and_refusing_numbers_end_the_dialling() {
    let mut o = talk();
    o.does("sidorova", "pbxautocallstart", r#""number":"102""#);
    o.does("sidorova", "pbxanswercall", "");
    assert_eq!(o.now("sidorova"), "ready", "the number is busy");
    o.call("sidorova", "pbxautocallstart", r#""number":"199""#).failed(59007, "nobody has the number");
    o.hangs_up("101");
    o.closes();
}

#[test]
fn a_talk_becomes_a_conference_of_three() {
    let mut o = talk();
    o.does("ivanov", "buildconferencefromcommutation", "");
    assert_eq!(o.all(), four("talk conference", "talk conference", "ready", "ready"));
    let id = conference(&mut o, "ivanov");
    o.does("ivanov", "confhandleevent", &format!(r#""conferenceid":"{id}","eventtype":"competitors","handle":true"#));
    o.does("ivanov", "invitetoconference", &format!(r#""conferenceid":"{id}","competitors":[{{"number":"103"}}]"#));
    assert_eq!(o.now("sidorova"), "ring 101");
    o.does("sidorova", "pbxanswercall", "");
    assert_eq!(o.now("sidorova"), "talk conference");
    let info = o.does("ivanov", "getconferenceinfo", &format!(r#""conferenceid":"{id}""#));
    assert_eq!(info.json("competitors").matches("InConference").count(), 3);
    let changes = o.events("ivanov");
    assert!(changes.iter().any(|e| e.name() == "confcompositionchanged"), "{changes:?}");
    // Thrown out, left, and over.
    let list =
        o.does("ivanov", "getconferencecompetitors", &format!(r#""conferenceid":"{id}""#)).json("competitorlist");
    let third = competitor(&list, "103");
    let kick = format!(r#""conferenceid":"{id}","competitor":{{"competitorid":"{third}"}}"#);
    o.call("petrov", "confdisconnectcompetitor", &kick).failed(59004, "made the conference");
    o.does("ivanov", "confdisconnectcompetitor", &kick);
    assert_eq!(o.now("sidorova"), "ready");
    o.does("petrov", "exitconference", &format!(r#""conferenceid":"{id}""#));
    o.closes();
}

#[test]
fn a_conference_is_made_with_the_id_that_the_client_chose() {
    const ID: &str = "7a0d7c11-0000-4000-8000-000000000009";
    let mut o = Office::open("");
    let made = format!(
        r#""conference":{{"id":"{ID}","room":8160,"name":"","description":"","accessmode":"free","isselector":false,"record":true,"recordrights":"selected","everyonecaninvite":true,"canvieweachother":true}},"competitors":[{{"userlogin":"ivanov"}},{{"number":"102"}},{{"userid":"3f0a7c11-0000-4000-8000-000000000103"}}]"#
    );
    o.does("ivanov", "createnewconference", &made);
    assert_eq!(o.now("ivanov"), "backring 8160");
    assert_eq!((o.now("petrov"), o.now("sidorova")), ("ring 101".into(), "ring 101".into()));
    for login in ["ivanov", "petrov", "sidorova"] {
        o.does(login, "pbxanswercall", "");
    }
    assert_eq!(o.all(), four("talk conference", "talk conference", "talk conference", "ready"));
    assert_eq!(conference(&mut o, "petrov"), ID);
    o.call("boss", "createnewconference", &made).failed(59002, "in use");
    for login in ["ivanov", "petrov"] {
        o.does(login, "pbxabortcall", "");
    }
    o.closes();
}

#[test]
fn the_held_party_comes_into_the_conference() {
    let mut o = consultation();
    o.does("ivanov", "pbxmakeflash", r#""mode":"switch""#);
    o.call("ivanov", "checkcanconnecttogathertoconference", "");
    o.does("ivanov", "buildconferencefromcommutation", "");
    assert_eq!(o.now("ivanov"), "talk conference + 102");
    let can = o.does("ivanov", "checkcanconnecttogathertoconference", "");
    assert_eq!(can.json("canconnecttogather"), "true");
    o.does("ivanov", "connecttogathertoconference", "");
    assert_eq!(o.all(), four("talk conference", "talk conference", "ready", "ready"));
    o.does("ivanov", "pbxabortcall", "");
    o.hangs_up("102");
    o.closes();
}

#[test]
fn a_supervisor_listens_in_helps_and_joins() {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    o.does("ivanov", "pbxanswercall", "");
    let ivanov = r#""ghostedid":"3f0a7c11-0000-4000-8000-000000000101""#;
    o.call("petrov", "attachasghost", ivanov).failed(59004, "ghost");
    o.does("boss", "attachasghost", ivanov);
    o.does("boss", "pbxanswercall", "");
    assert_eq!(o.all(), four(&format!("talk {CLIENT}"), "ready", "ready", "talk conference"));
    let id = conference(&mut o, "boss");
    let info = o.does("boss", "getconferenceinfo", &format!(r#""conferenceid":"{id}""#));
    assert!(info.json("conference").contains(r#""isghost":true"#), "{info:?}");
    assert_eq!(o.does("boss", "getextendedlineinfo", "").json("actions"), r#"["leave"]"#);
    assert_eq!(info.json("competitors").matches(r#""isghost":true"#).count(), 2, "the two who talk: {info:?}");
    assert_eq!(info.json("competitors").matches(r#""isghostmajor":true"#).count(), 1, "{info:?}");
    for mode in ["help", "conference", "monitor"] {
        o.does("boss", "confsetghostmode", &format!(r#""conferenceid":"{id}","ghostmode":"{mode}""#));
        let info = o.does("boss", "getconferenceinfo", &format!(r#""conferenceid":"{id}""#));
        assert!(info.json("conference").contains(&format!(r#""ghostmode":"{mode}""#)), "{info:?}");
    }
    let outside = competitor(&info.json("competitors"), CLIENT);
    let voice = format!(r#""conferenceid":"{id}","competitor":{{"competitorid":"{outside}","ghosthelp":true}}"#);
    o.does("boss", "confsetvoiceparams", &voice);
    assert_eq!(o.now("ivanov"), format!("talk {CLIENT}"), "who is listened to sees nothing of it");
    o.hangs_up(CLIENT);
    o.closes();
}

#[test]
fn a_queue_rings_its_people_and_the_caller_is_seen_waiting() {
    let mut o = Office::open("");
    o.does("petrov", "setuserstate", r#""userstateid":2"#);
    o.incoming(CLIENT, "500");
    assert_eq!(o.all(), four("ready", "ready", &format!("ring {CLIENT}"), "ready"));
    let queue = o.does("sidorova", "getcurrentqueue", "").json("queue");
    assert!(queue.contains(CLIENT), "{queue}");
    o.does("sidorova", "pbxanswercall", "");
    assert_eq!(o.does("sidorova", "getuserstate", "").json("ontask"), "true");
    o.hangs_up(CLIENT);
    let entry = &o.entries()[0];
    assert_eq!((entry.queues.len(), entry.outcome.word()), (1, "answered"));
    o.does("petrov", "setuserstate", r#""userstateid":1"#);
    o.closes();
}

#[test]
fn a_redirection_really_redirects() {
    let mut o = Office::open("");
    o.does("ivanov", "saveredirectrules", r#""redirectrule":{"id":"r","destinationnumber":"103"}"#);
    o.does("ivanov", "setuserstate", r#""onredirect":true"#);
    o.incoming(CLIENT, "101");
    assert_eq!(o.all(), four("ready", "ready", &format!("ring {CLIENT}"), "ready"));
    o.hangs_up(CLIENT);
    o.does("ivanov", "setuserstate", r#""onredirect":false"#);
    o.incoming(CLIENT, "101");
    assert_eq!(o.now("ivanov"), format!("ring {CLIENT}"));
    o.hangs_up(CLIENT);
    o.closes();
}

#[test]
fn two_tabs_that_act_at_once_one_wins_and_the_other_is_told() {
    let mut o = Office::open("");
    o.incoming(CLIENT, "101");
    assert_eq!(o.call("ivanov", "pbxanswercall", "").int("result"), 1);
    o.call("ivanov", "pbxanswercall", "").failed(59006, "does not ring");
    o.does("ivanov", "pbxabortcall", "");
    o.call("ivanov", "pbxabortcall", "").failed(59006, "idle");
    o.closes();
}

#[test]
fn a_phone_that_is_unplugged_is_shown_so_and_cannot_call() {
    let mut o = Office::open("");
    o.order(Control::Phone { number: "101".into(), connected: false });
    assert_eq!(o.now("ivanov"), "disconnected");
    o.call("ivanov", "pbxautocallstart", r#""number":"102""#).failed(59005, "101");
    o.order(Control::Phone { number: "101".into(), connected: true });
    o.closes();
}

/// The conference in which a person is.
fn conference(o: &mut Office, login: &'static str) -> String {
    let abonent = o.call(login, "getextendedlineinfo", "").json("abonent");
    abonent.split(r#""conferenceid":""#).nth(1).expect("in a conference").chars().take(36).collect()
}

/// The id of the member with this number.
fn competitor(list: &str, number: &str) -> String {
    let member = list.split(r#""competitorid":""#).find(|m| m.contains(&format!(r#""number":"{number}""#)));
    member.expect("a member").split('"').next().expect("an id").to_owned()
}

/// What a tab heard of faxes, in order.
fn faxes(o: &mut Office, who: &'static str) -> Vec<String> {
    let of_fax = |name: &str| {
        name.strip_prefix("phoneevent_fax").or_else(|| name.strip_prefix("phoneevent_comm")).map(str::to_owned)
    };
    o.events(who).iter().filter_map(|heard| of_fax(heard.name())).collect()
}

#[test]
fn a_fax_is_told_to_both_ends_and_received_by_one() {
    let mut o = Office::open_with_recordings("");
    o.does("ivanov", "pbxautocallstart", r#""number":"104""#);
    o.picks_up("101");
    o.picks_up("104");
    faxes(&mut o, "ivanov");
    faxes(&mut o, "boss");
    o.order(Control::Fax { number: "104".into(), pages: 3 });
    assert_eq!((faxes(&mut o, "ivanov"), faxes(&mut o, "boss")), (vec!["started".into()], vec!["started".into()]));
    o.pass(std::time::Duration::from_secs(15));
    let heard = o.events("ivanov");
    let received = heard.iter().find(|heard| heard.name() == "phoneevent_faxreceived").expect("a fax");
    assert_eq!((received.text("callerid"), received.0.body.int("pages")), ("104".to_owned(), Some(3)));
    assert_eq!(received.0.body.int("canfax"), Some(0));
    let names: Vec<&str> = heard.iter().map(|h| h.name()).filter(|n| n.contains("fax")).collect();
    assert_eq!(names, ["phoneevent_faxstopped", "phoneevent_faxreceived"]);
    assert_eq!(faxes(&mut o, "boss"), ["stopped"]);
    let (link, file) = (received.text("filelink"), received.text("filename"));
    assert!(link.starts_with("/fax/") && file.ends_with(".pdf"), "{link} {file}");
    // Those two may read it before the call is over, nobody else.
    for (who, may) in [("ivanov", true), ("boss", true), ("petrov", false)] {
        let ticket = o.w.ask(Ask::Recording { link: link.clone().into(), by: By::User(who.into()) });
        let answer = o.w.answer(ticket).expect("an answer");
        match answer {
            Answer::Recording { file: given } => assert!(may && *given == *file, "{who}"),
            other => assert!(!may && matches!(other, Answer::Refused(_)), "{who}: {other:?}"),
        }
    }
    o.hangs_up("101");
    let kept = o.entries().remove(0);
    assert_eq!(kept.faxes.iter().map(|fax| (&*fax.file, fax.pages)).collect::<Vec<_>>(), [(&*file, 3)]);
    o.closes();
}

#[test]
fn a_fax_that_breaks_off_is_not_received() {
    let mut o = Office::open_with_recordings("");
    o.incoming(CLIENT, "101");
    o.picks_up("101");
    faxes(&mut o, "ivanov");
    o.order(Control::Fax { number: CLIENT.into(), pages: 50 });
    o.does("ivanov", "pbxautocallstart", r#""number":"102""#);
    assert_eq!(faxes(&mut o, "ivanov"), ["started", "stopped", "stopped"], "the fax, then the talk that is held");
    o.hangs_up("101");
    assert_eq!(o.entries().iter().flat_map(|entry| &entry.faxes).count(), 0);
    o.hangs_up(CLIENT);
    o.closes();
}
