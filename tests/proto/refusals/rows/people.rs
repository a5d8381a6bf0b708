//! Coming and going, people, their states and redirections, and what they write.

use super::super::scene::Scene::*;
use super::super::scene::{IVANOV, PETROV, SIDOROVA};
use super::{NOBODY, Row, Table, bare, no, no_chat, numbers, ok};
use crate::world::HASH;

pub(super) fn session() -> Table {
    let names = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("\"event-{n}\"")).collect();
        format!(r#""eventmethod":[{}]"#, names.join(","))
    };
    vec![
        ("ping", vec![ok(Idle, r#""x":1"#), ok(Unreachable, r#""userlogin":"petrov""#)]),
        ("whoareyou", vec![ok(Idle, r#""type":"x""#)]),
        (
            "login",
            vec![
                ok(Idle, format!(r#""userlogin":"ivanov","Password":"{HASH}""#)),
                no(Idle, format!(r#""Password":"{HASH}""#), 59002, "userlogin"),
                no(Idle, format!(r#""userlogin":"petrov","Password":"{HASH}""#), 59003, "log out first"),
                no(Idle, format!(r#""userlogin":"nobody","Password":"{HASH}""#), 59003, "log out first"),
                bare(Idle, r#""userlogin":"ivanov""#, "Wrong login/pass combination"),
                bare(Idle, r#""userlogin":"ivanov","Password":"""#, "Wrong login/pass combination"),
                bare(Idle, r#""userlogin":"ivanov","sessionid":"x""#, "Bad request. Session does not exist"),
            ],
        ),
        ("logout", vec![ok(Idle, "")]),
        (
            "subscribeevent",
            vec![
                ok(Idle, names(256)),
                ok(Idle, r#""event":"nonsense""#),
                ok(Idle, r#""eventmethod":[]"#),
                no(Idle, names(257), 59012, "eventmethod has 257 names"),
            ],
        ),
        ("getversion", vec![ok(Idle, r#""showalloweddbstoredprocs":1"#)]),
        ("tabfocus", vec![ok(Idle, ""), ok(Idle, r#""focus":false"#), no(CrmItself, "", 59002, "userlogin")]),
        ("methodschanged", vec![no(Idle, "", 59001, "methodschanged is for CRMs"), ok(CrmItself, "")]),
        (
            "triggercustomevent",
            vec![
                ok(Idle, r#""eventname":"x","recipients":false"#),
                ok(Idle, format!(r#""eventname":"x","recipients":["{NOBODY}"],"sendback":"0""#)),
                no(Idle, r#""eventname":"""#, 59002, "eventname"),
                no(Idle, format!(r#""eventname":"x","eventparam":"{}""#, "x".repeat(1_000_000)), 0, ""),
            ],
        ),
    ]
}

pub(super) fn user() -> Table {
    let states = ["0", "4", "6", "7", "-1", "1000"];
    let mut state: Vec<Row> =
        states.iter().map(|s| no(Idle, format!(r#""userstateid":{s}"#), 59002, "userstateid is ")).collect();
    state.extend([
        ok(Idle, ""),
        ok(Idle, r#""userstateid":2,"oncallcenter":true,"onredirect":false,"lunchreasonid":"2""#),
        ok(NoNumber, r#""userstateid":3"#),
        ok(Talk, r#""userstateid":1"#),
        no(Idle, r#""userstateid":9223372036854775808"#, 59002, "userstateid: found int past 64 bits"),
        no(Idle, r#""userstateid":2,"lunchreasonid":99"#, 59014, "lunchreasonid 99 is none of 1, 2"),
        no(Idle, r#""userstateid":2,"lunchreasonid":-1"#, 59014, "lunchreasonid"),
        no(Idle, format!(r#""lunchreasonmsg":"{}""#, "ж".repeat(129)), 59002, "lunchreasonmsg has 258 bytes"),
    ]);
    let redirect =
        |id: &str, to: &str, more: &str| format!(r#""redirectrule":{{"id":"{id}","destinationnumber":"{to}"{more}}}"#);
    let mut save = numbers(
        Idle,
        r#""redirectrule":{"id":"r","destinationnumber":"#,
        "}",
        "redirectrule.destinationnumber: found ",
    );
    save.extend([
        ok(Idle, redirect("8a6f6a256b8d5506f1af1460560c90b8", "+7 (900) 555-66-77", "")),
        ok(OneRule, redirect("RULE0", "103", "")),
        ok(Idle, redirect("r", "", r#","isenabled":false"#)),
        ok(Unreachable, redirect("r", "102", "")),
        no(Idle, redirect("r", "101", ""), 59007, "redirectrule.destinationnumber is the user's own"),
        no(Idle, redirect("", "102", ""), 59002, "redirectrule.id"),
        no(Idle, redirect(&"x".repeat(65), "102", ""), 59002, "redirectrule.id"),
        no(Idle, redirect("r", "102", &format!(r#","userid":"{PETROV}""#)), 59004, "redirectrule.userid"),
        no(Idle, redirect("r", "102", &format!(r#","userid":"{NOBODY}""#)), 59014, "redirectrule.userid"),
        no(
            Idle,
            redirect("r", "102", &format!(r#","caption":"{}""#, "x".repeat(4096))),
            59002,
            "redirectrule is longer",
        ),
        no(AllRules, redirect("one more", "102", ""), 59012, "64 rules"),
        ok(AllRules, redirect("rule-7", "103", "")),
    ]);
    vec![
        ("getmyuserinfo", vec![ok(Idle, ""), ok(NoNumber, "")]),
        ("getpbxnumbers", vec![ok(Idle, r#""mode":"full""#), ok(Idle, r#""userid":"","userlogin":"""#)]),
        ("getallusernumbers", vec![ok(Idle, r#""fillsubordinates":true"#)]),
        ("getuserphoto", vec![ok(Idle, r#""mode":"page""#)]),
        ("getalluserphotolink", vec![ok(Idle, r#""mode":"page""#)]),
        (
            "setmyuserphoto",
            vec![
                ok(Uploaded, r#""filepath":"\\storage\\a.png""#),
                no(Uploaded, r#""filepath":"/storage/b.png""#, 59014, "filepath"),
                no(Idle, r#""filepath":"/etc/passwd""#, 59014, "filepath"),
                no(Idle, r#""filepath":"""#, 59014, "filepath"),
                no(DumbStore, r#""filepath":"/storage/a.png""#, 59011, "the store"),
            ],
        ),
        ("getuserstate", vec![ok(Idle, ""), ok(Unreachable, ""), ok(NoNumber, "")]),
        ("setuserstate", state),
        ("cc_getlunchtypes", vec![ok(Idle, "")]),
        ("entercallcenter", vec![ok(Idle, ""), ok(NoNumber, "")]),
        ("exitcallcenter", vec![ok(Idle, ""), ok(NoNumber, "")]),
        ("getcurrentqueue", vec![ok(Idle, ""), ok(NoNumber, "")]),
        ("gettotalqueue", vec![ok(Idle, "")]),
        ("getredirectrules", vec![ok(Idle, ""), ok(OneRule, "")]),
        ("saveredirectrules", save),
        (
            "deleteredirectrules",
            vec![
                ok(OneRule, r#""ids":["RULE-0"]"#),
                ok(OneRule, r#""ids":[]"#),
                no(OneRule, r#""ids":["rule-0","rule-1"]"#, 59014, "rule1"),
                no(Idle, r#""ids":["r"]"#, 59014, "ids"),
            ],
        ),
    ]
}

pub(super) fn words() -> Table {
    let to = |who: &str, more: &str| format!(r#""recipients":[{who}]{more}"#);
    let petrov = format!("\"{PETROV}\"");
    let crowd = vec![petrov.clone(); 257].join(",");
    let people = |more: &str| {
        vec![
            ok(Idle, to(&petrov, more)),
            no(Idle, to("", more), 59002, "recipients has 0 ids"),
            no(Idle, to(&crowd, more), 59002, "recipients has 257 ids"),
            no(Idle, to(&format!("{petrov},\"{NOBODY}\""), more), 59014, "recipients[1] names no user"),
            no(Idle, to("\"petrov\"", more), 59014, "recipients[0] names no user"),
        ]
    };
    let long = "x".repeat(8193);
    let mut text = people(r#","text":"hello""#);
    text.push(no(Idle, to(&petrov, r#","text":"""#), 59002, "text has 0 bytes"));
    text.push(no(Idle, to(&petrov, &format!(r#","text":"{long}""#)), 59002, "text has 8193 bytes"));
    let mut notice = people(r#","caption":"c","text":"hello""#);
    notice.extend([
        no(Idle, to(&petrov, r#","caption":"c","text":"""#), 59002, "text has 0 bytes"),
        no(Idle, to(&petrov, &format!(r#","caption":"{long}","text":"x""#)), 59002, "caption has 8193 bytes"),
        no(Idle, to(&petrov, r#","caption":"","text":"x","timeoutms":0"#), 59002, "timeoutms is 0"),
        no(Idle, to(&petrov, r#","caption":"","text":"x","timeoutms":86400001"#), 59002, "timeoutms"),
    ]);
    let chat = |more: &str| format!(r#""chatid":"$chat"{more}"#);
    let member = |id: &str| chat(&format!(r#","memberid":"{id}""#));
    let add = [
        no_chat(&format!(r#","memberid":"{SIDOROVA}""#)),
        vec![
            ok(Chat, member(SIDOROVA)),
            ok(Chat, member(PETROV)),
            no(Chat, member(NOBODY), 59014, "memberid names no user"),
            no(Chat, member(""), 59014, "memberid"),
        ],
    ];
    let remove = [
        no_chat(&format!(r#","memberid":"{PETROV}""#)),
        vec![
            ok(Chat, member(PETROV)),
            ok(PetrovsChat, member(IVANOV)),
            no(Chat, member(NOBODY), 59014, "memberid names no user"),
            no(Chat, member(SIDOROVA), 59014, "memberid is no member"),
            no(PetrovsChat, member(PETROV), 59004, "only who made the chat"),
        ],
    ];
    vec![
        ("sendusertextmessage", text),
        ("sendnotifymessage", notice),
        (
            "chatcreate",
            vec![
                ok(Idle, format!(r#""name":"Смена","members":[{petrov}]"#)),
                no(Idle, r#""members":[]"#, 59002, "members has 0 ids"),
                no(Idle, format!(r#""members":["{NOBODY}"]"#), 59014, "members[0] names no user"),
                no(Idle, format!(r#""members":[{petrov}],"name":"{}""#, "ж".repeat(129)), 59002, "name has 258 bytes"),
                no(Idle, format!(r#""members":[{crowd}]"#), 59002, "members has 257 ids"),
            ],
        ),
        (
            "chatsend",
            [
                no_chat(r#","text":"x""#),
                vec![
                    ok(Chat, chat(r#","text":"x""#)),
                    no(Chat, chat(r#","text":"""#), 59002, "text has 0 bytes"),
                    no(Chat, chat(&format!(r#","text":"{long}""#)), 59002, "text has 8193 bytes"),
                ],
            ]
            .concat(),
        ),
        (
            "chatviewed",
            [
                no_chat(r#","messageid":"$message""#),
                vec![
                    ok(Chat, chat(r#","messageid":"$message""#)),
                    no(Chat, chat(&format!(r#","messageid":"{NOBODY}""#)), 59014, "messageid"),
                    no(DumbStore, chat(r#","messageid":"$message""#), 59011, "the store"),
                ],
            ]
            .concat(),
        ),
        ("chataddmember", add.concat()),
        ("chatremovemember", remove.concat()),
        (
            "chatrename",
            [
                no_chat(r#","name":"x""#),
                vec![
                    ok(PetrovsChat, chat(r#","name":"""#)),
                    no(Chat, chat(&format!(r#","name":"{long}""#)), 59002, "name has 8193 bytes"),
                ],
            ]
            .concat(),
        ),
        ("chatlist", vec![ok(Idle, ""), ok(Chat, "")]),
        (
            "chathistory",
            [
                no_chat(""),
                vec![
                    ok(Chat, chat(r#","limit":200"#)),
                    no(Chat, chat(r#","limit":0"#), 59002, "limit is 0"),
                    no(Chat, chat(r#","limit":201"#), 59002, "limit is 201"),
                    no(DumbStore, chat(""), 59011, "the store"),
                ],
            ]
            .concat(),
        ),
    ]
}
