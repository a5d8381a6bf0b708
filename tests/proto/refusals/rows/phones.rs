//! Calls, conferences and listening in: each act in each state of the line.

use ctigate_proto::telephony::Refusal;

use super::super::scene::Scene::{self, *};
use super::super::scene::{CHAIN, CONFERENCE, IVANOV, LINES, PETROV, ROBOT, SIDOROVA};
use super::{
    NOBODY, Row, Table, all, conference, exchange, in_conference, lines, no, no_conference, numbers, ok, phone,
};

/// What looks at calls.
pub(super) fn call() -> Table {
    let everywhere = |fields: &str| -> Vec<Row> {
        LINES.iter().chain(&[Unreachable, NoNumber]).map(|scene| ok(*scene, fields)).collect()
    };
    let mut journal = vec![
        ok(Idle, ""),
        ok(PastCall, format!(r#""filter":{{"idchain":"{CHAIN}"}}"#)),
        ok(PastCall, r#""filter":{"datestart":"","connectiontype":"","number":"","minduration":0}"#),
        no(DumbStore, "", 59011, "the store"),
    ];
    journal.extend(all(
        Idle,
        &[
            (r#""filter":{"datestart":"yesterday"}"#, 59002, "filter.datestart is \"yesterday\""),
            (r#""filter":{"datestart":"2026-02-30"}"#, 59002, "filter.datestart"),
            (r#""filter":{"dateend":"２０２６-01-01"}"#, 59002, "filter.dateend"),
            (r#""filter":{"connectiontype":"sideways"}"#, 59002, "filter.connectiontype"),
            (r#""filter":{"limit":0}"#, 59002, "filter.limit is 0"),
            (r#""filter":{"limit":1001}"#, 59002, "filter.limit is 1001"),
            (r#""filter":{"offset":-1}"#, 59002, "filter.offset is -1"),
        ],
    ));
    vec![
        ("getextendedlineinfo", everywhere("")),
        ("getflashedabonentinfo", everywhere("")),
        (
            "getchaincontent",
            vec![
                ok(Talk, ""),
                ok(Talk, format!(r#""chainid":"{}""#, CHAIN.to_uppercase())),
                ok(PastCall, format!(r#""chainid":"{CHAIN}""#)),
                ok(LongPastCall, format!(r#""chainid":"{CHAIN}""#)),
                no(OthersPastCall, format!(r#""chainid":"{CHAIN}""#), 59014, "chainid"),
                no(Idle, "", 59006, "there is no call now"),
                no(CrmItself, "", 59002, "chainid is missing"),
                no(Idle, format!(r#""chainid":"{NOBODY}""#), 59014, "chainid"),
                no(Idle, format!(r#""chainid":"{}""#, "ж".repeat(5000)), 59014, "chainid"),
                no(SidorovaTalks, format!(r#""chainid":"{CHAIN}""#), 59014, "chainid"),
                no(DumbStore, format!(r#""chainid":"{NOBODY}""#), 59011, "the store"),
            ],
        ),
        ("getpbxcalljournal", journal),
    ]
}

/// What is done with one's own phone.
pub(super) fn own_line() -> Table {
    let to = r#""number":"102""#;
    let mut dial = lines(to, &[Idle, Talk, Held, Alone], 59006);
    dial.extend(numbers(Idle, r#""number":"#, "", "number: found "));
    dial.extend([
        no(Idle, r#""number":"1\n2""#, 59002, "number"),
        no(Idle, "\"number\":false", 59002, "number: found \"false\""),
        no(Idle, r#""number":"101""#, 59007, "number is the user's own"),
        ok(Idle, r#""number":102,"sequence":"abonent","intercom":"1""#),
        ok(Idle, format!(r#""number":"{}""#, "1".repeat(64))),
        exchange(Idle, to, Refusal::NoSuchNumber, 59007),
        exchange(Idle, to, Refusal::Busy, 59007),
        exchange(Idle, to, Refusal::Full, 59007),
    ]);
    let transfer = |field: &str| {
        let to = format!(r#""{field}":"102""#);
        let mut rows = lines(&to, &[Talk, Consult], 59006);
        // The name of the catalogue, whichever the client used.
        rows.extend(numbers(Talk, &format!("\"{field}\":"), "", "transferto: found "));
        rows.push(no(Talk, format!(r#""{field}":"101""#), 59007, "the user's own"));
        rows.push(exchange(Talk, &to, Refusal::NoSuchNumber, 59007));
        rows.push(exchange(Talk, &to, Refusal::Busy, 59007));
        rows
    };
    let rings = [Ring, BackRing];
    let mut answer = lines("", &rings, 59006);
    answer.push(exchange(Ring, "", Refusal::Unable, 59006));
    let busy: Vec<Scene> = LINES.into_iter().filter(|scene| *scene != Idle).collect();
    let together = [Consult, ConferHeld];
    let mut flash = lines("", &[Talk, Held, Consult, Confer, Member, ConferHeld], 59006);
    flash.extend(lines(r#""mode":"switch""#, &[Talk, Held, Consult, Confer, Member, ConferHeld], 59006));
    flash.extend(lines(r#""mode":"abort""#, &[Consult, Consulting, ConferHeld], 59006));
    flash.extend(lines(r#""mode":"next""#, &together, 59006));
    flash.push(no(Talk, r#""mode":"hold""#, 59002, "mode: found string, expected one of switch, abort, next"));
    flash.push(no(Talk, r#""mode":"""#, 59002, "mode"));
    vec![
        ("pbxautocallstart", dial),
        ("pbxautocallabort", lines("", &[Planned, BackRing, Waiting, Consulting], 59006)),
        ("pbxabortcall", lines("", &busy, 59006)),
        ("pbxdeclinecall", lines("", &rings, 59006)),
        ("pbxanswercall", answer),
        ("pbxmakeflash", flash),
        ("pbxmaketransfer", transfer("transferto")),
        ("pbxtransfercall", [transfer("transferto"), transfer("number")].concat()),
    ]
}

pub(super) fn conferences() -> Table {
    let new = r#""7A0D7C11000040008000000000000009""#;
    let good = conference(new, "", r#"{"userlogin":"ivanov"},{"number":"102"}"#);
    let mut create = lines(&good, &[Idle, Alone], 59006);
    create.extend(numbers(
        Idle,
        &format!(r#""conference":{{"id":{new}}},"competitors":[{{"number":"102"}},{{"number":"#),
        "}]",
        "competitors[1]",
    ));
    for id in ["\"x\"", "false", "\"\"", "\"{7a0d7c11-0000-4000-8000-00000000000}\""] {
        create.push(no(Idle, conference(id, "", r#"{"number":"102"}"#), 59002, "conference.id"));
    }
    let many: Vec<String> = (0..65).map(|n| format!(r#"{{"number":"2{n}"}}"#)).collect();
    let with = |competitors: &str| conference(new, "", competitors);
    let about = |more: &str| conference(new, more, r#"{"number":"102"}"#);
    create.extend([
        ok(
            Idle,
            conference(
                "\"{7a0d7c11-0000-4000-8000-00000000000a}\"",
                r#","room":8160,"record":true"#,
                &format!(r#"{{"userid":"{PETROV}"}},{{"intnumber":"103"}}"#),
            ),
        ),
        no(
            PastConference,
            conference(&format!("\"{CONFERENCE}\""), "", r#"{"number":"102"}"#),
            59002,
            "conference.id is in use",
        ),
        no(Idle, about(r#","room":-1"#), 59002, "conference.room is -1"),
        no(Idle, about(r#","room":10001"#), 59002, "conference.room is 10001"),
        no(Idle, about(&format!(r#","name":"{}""#, "ж".repeat(129))), 59002, "conference.name has 258 bytes"),
        no(Idle, about(&format!(r#","description":"{}""#, "x".repeat(257))), 59002, "conference.description"),
        no(Idle, with(""), 59002, "competitors names nobody"),
        no(Idle, with(r#"{"userlogin":"ivanov"},{"number":"101"}"#), 59002, "competitors names nobody"),
        no(Idle, with("{}"), 59002, "competitors[0] names nobody"),
        no(Idle, with(r#"{"number":"102"},{"number":"10x"}"#), 59002, "competitors[1].number: found \"10x\""),
        no(Idle, with(r#"{"userlogin":"ivanov"},{"userlogin":"nobody"}"#), 59014, "competitors[1].userlogin"),
        no(Idle, with(&format!(r#"{{"userid":"{NOBODY}"}}"#)), 59014, "competitors[0].userid"),
        no(Idle, with(r#"{"userlogin":"robot"}"#), 59007, "competitors[0]: robot has no number"),
        no(Idle, with(&format!(r#"{{"userid":"{ROBOT}"}}"#)), 59007, "competitors[0]: robot has no number"),
        no(Idle, with(&many.join(",")), 59002, "competitors has 65 members"),
        exchange(Idle, &good, Refusal::NoSuchNumber, 59007),
        exchange(Idle, &good, Refusal::Full, 59007),
    ]);

    let whom = |competitors: &str| in_conference(&format!(r#","competitors":[{competitors}]"#));
    let mut invite = no_conference(r#","competitors":[{"number":"103"}]"#);
    invite.extend(phone(Confer, &whom(r#"{"number":"103"}"#)));
    invite.extend(numbers(Confer, &in_conference(r#","competitors":[{"number":"#), "}]", "competitors[0]"));
    invite.extend([
        ok(Confer, whom(r#"{"number":"103"}"#)),
        ok(Member, whom(&format!(r#"{{"userid":"{SIDOROVA}"}}"#))),
        no(Spy, whom(r#"{"number":"103"}"#), 59006, "listens in"),
        no(Confer, whom(""), 59002, "competitors names nobody"),
        no(Confer, whom(r#"{"userlogin":"ivanov"}"#), 59002, "competitors names nobody"),
        no(Confer, whom(r#"{"userlogin":"nobody"}"#), 59014, "competitors[0].userlogin"),
        no(Confer, whom(r#"{"number":"102"}"#), 59007, "102 is in the conference already"),
        exchange(Confer, &whom(r#"{"number":"103"}"#), Refusal::NoSuchConference, 59008),
    ]);

    let member = |id: &str| in_conference(&format!(r#","competitor":{{"competitorid":"{id}"}}"#));
    let mut kick = no_conference(r#","competitor":{"competitorid":"b"}"#);
    kick.extend(phone(Confer, &member("b")));
    kick.extend([
        ok(Confer, member("B")),
        ok(Member, member("u")),
        no(Confer, member(NOBODY), 59014, "competitor.competitorid"),
        no(Confer, member(""), 59014, "competitor.competitorid"),
        no(Member, member("b"), 59004, "only who made the conference"),
        no(Spy, member("b"), 59014, "competitor.competitorid"),
        exchange(Confer, &member("b"), Refusal::NoSuchConference, 59008),
    ]);
    let mut leave = no_conference("");
    leave.extend(phone(Confer, &in_conference("")));
    leave.extend([Confer, Member, ConferHeld, Spy].map(|scene| ok(scene, in_conference(""))));

    let handle = |on: bool| format!(r#","eventtype":"competitors","handle":{on}"#);
    let mut events = no_conference(&handle(true));
    events.extend([
        ok(Confer, in_conference(&handle(true))),
        ok(Spy, in_conference(&handle(true))),
        ok(PastConference, in_conference(&handle(false))),
        // Known clients switch off what they never had.
        ok(Idle, format!(r#""conferenceid":false{}"#, handle(false))),
        no(Confer, in_conference(r#","eventtype":"all","handle":true"#), 59002, "eventtype is \"all\""),
    ]);
    let look = || {
        let mut rows = no_conference("");
        rows.extend([Confer, Member, ConferHeld, Spy].map(|scene| ok(scene, in_conference(""))));
        rows
    };
    vec![
        ("createnewconference", create),
        ("buildconferencefromcommutation", lines("", &[Talk, Consult], 59006)),
        ("invitetoconference", invite),
        (
            "checkcanconnecttogathertoconference",
            LINES.iter().chain(&[Unreachable, NoNumber]).map(|scene| ok(*scene, "")).collect(),
        ),
        ("connecttogathertoconference", lines("", &[ConferHeld], 59006)),
        ("getconferenceinfo", look()),
        ("getconferencecompetitors", look()),
        ("confdisconnectcompetitor", kick),
        ("exitconference", leave),
        ("confhandleevent", events),
    ]
}

pub(super) fn ghosts() -> Table {
    let whom = |id: &str| format!(r#""ghostedid":"{id}""#);
    let mut attach = phone(PetrovTalks, &whom(PETROV));
    attach.extend([
        ok(PetrovTalks, whom(PETROV)),
        ok(PetrovTalks, whom(&PETROV.to_uppercase())),
        no(PetrovTalks, whom(NOBODY), 59014, "ghostedid names no user"),
        no(PetrovTalks, whom("102"), 59014, "ghostedid names no user"),
        no(PetrovTalks, whom(""), 59014, "ghostedid"),
        no(SidorovaTalks, whom(SIDOROVA), 52710, "sidorova is no subordinate"),
        no(PetrovTalks, whom(IVANOV), 52710, "ivanov is no subordinate"),
        no(Idle, whom(PETROV), 59006, "petrov does not talk"),
        no(Talk, whom(PETROV), 59006, "expected a free phone"),
        no(Consult, whom(PETROV), 59006, "expected a free phone"),
        no(Spy, whom(PETROV), 59006, "expected a free phone"),
    ]);
    let mode = |mode: &str| in_conference(&format!(r#","ghostmode":"{mode}""#));
    let mut modes = no_conference(r#","ghostmode":"help""#);
    modes.extend(phone(Spy, &mode("help")));
    modes.extend(["monitor", "help", "conference"].map(|word| ok(Spy, mode(word))));
    modes.extend([
        no(Spy, mode("whisper"), 59002, "ghostmode: found string, expected one of monitor, conference, help"),
        no(Confer, mode("help"), 59006, "does not listen in"),
        no(Member, mode("help"), 59006, "does not listen in"),
    ]);
    let voice = |id: &str| in_conference(&format!(r#","competitor":{{"competitorid":"{id}","ghosthelp":true}}"#));
    let mut voices = no_conference(r#","competitor":{"competitorid":"b","ghosthelp":true}"#);
    voices.extend(phone(Spy, &voice("b")));
    voices.extend([
        ok(Spy, voice("b")),
        no(Spy, voice("u"), 59014, "competitor.competitorid"),
        no(Spy, voice(NOBODY), 59014, "competitor.competitorid"),
        no(Confer, voice("b"), 59006, "does not listen in"),
    ]);
    vec![("attachasghost", attach), ("confsetghostmode", modes), ("confsetvoiceparams", voices)]
}
