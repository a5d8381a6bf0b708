//! Files, procedures, scripts, passwords; dynamic methods and forms.

use ctigate_proto::telephony::Refusal;

use super::super::scene::Scene::*;
use super::{NOBODY, Table, bare, exchange, no, no_form, ok};
use crate::world::HASH;

pub(super) fn files_and_procedures() -> Table {
    let run = |more: &str| format!(r#""procedure":"everything"{more}"#);
    let script = |more: &str| format!(r#""scriptname":"greet"{more}"#);
    let hash = "0".repeat(32);
    let password = |old: &str, new: &str, more: &str| format!(r#""oldpwdmd5":"{old}","newpwdmd5":"{new}"{more}"#);
    let many = vec!["1"; 65].join(",");
    vec![
        ("gettemphttppass", vec![ok(Idle, ""), ok(Idle, r#""responsetowebsock":true"#)]),
        (
            "execpredefineddbstoredproc",
            vec![
                ok(Idle, r#""procedure":"EVERYTHING","inputparams":{"@since":5}"#),
                // An admin is no agent; a CRM has no role, and its link's right.
                no(Idle, r#""procedure":"of_agents""#, 59009, "of_agents"),
                ok(CrmItself, r#""procedure":"of_agents""#),
                ok(CrmItself, r#""procedure":"everything""#),
                no(Idle, r#""procedure":"SELECT 1; --""#, 59009, "SELECT 1"),
                no(Idle, r#""procedure":"""#, 59009, ""),
                no(Idle, run(r#","inputparams":{"until":1}"#), 59002, "inputparams has \"until\""),
                no(Idle, run(r#","inputparams":{"since":{}}"#), 59002, "inputparams.since is object"),
                no(Idle, run(r#","inputparams":{"since":[1]}"#), 59002, "inputparams.since is array"),
                no(DumbStore, run(""), 59011, "the store"),
            ],
        ),
        (
            "execsvcscript",
            vec![
                ok(Idle, script(r#","startparams":["a",5,null]"#)),
                ok(NoNumber, script(r#","waitresponse":true,"waittimeoutsec":3600"#)),
                no(Idle, r#""scriptname":"""#, 59002, "scriptname has 0 bytes"),
                no(Idle, script(&format!(r#","startparams":[{many}]"#)), 59002, "startparams has 65 items"),
                no(Idle, script(r#","startparams":["a",[1]]"#), 59002, "startparams[1] is array"),
                no(Idle, script(&format!(r#","startparams":["{}"]"#, "x".repeat(4097))), 59002, "startparams[0]"),
                no(Idle, script(r#","waittimeoutsec":0"#), 59002, "waittimeoutsec is 0"),
                no(Idle, script(r#","waittimeoutsec":3601"#), 59002, "waittimeoutsec is 3601"),
                exchange(Idle, r#""scriptname":"nothing""#, Refusal::NoSuchScript, 59014),
                exchange(Idle, r#""scriptname":"greet""#, Refusal::Down, 59005),
                no(DumbExchange, script(""), 59011, "the telephone system"),
            ],
        ),
        (
            "changepassword",
            vec![
                ok(Idle, password(HASH, &hash, r#","newpwd":"Secret2""#)),
                bare(Idle, &password(&hash, &hash, ""), "old password is wrong"),
                bare(Idle, &password("", &hash, ""), "old password is wrong"),
                bare(Idle, &password("ж", &hash, ""), "old password is wrong"),
                no(Idle, password(HASH, "", ""), 59002, "newpwdmd5 has 0 bytes"),
                no(Idle, password(HASH, &"ж".repeat(16), ""), 59002, "newpwdmd5 has 32 bytes"),
                no(Idle, password(HASH, &hash, r#","newpwd":"short""#), 59002, "newpwd is shorter"),
                no(Guessed, password(HASH, &hash, ""), 59012, "try again later"),
                no(DumbStore, password(HASH, &hash, ""), 59011, "the store"),
            ],
        ),
    ]
}

pub(super) fn dynamic_and_forms() -> Table {
    let execution = |more: &str| format!(r#""executionid":"$execution"{more}"#);
    let unknown = format!(r#""executionid":"{NOBODY}""#);
    let card = |more: &str| format!(r#""cardid":"$card"{more}"#);
    let values = |field: &'static str, inner: &'static str| {
        let mut rows = no_form(field, &format!(r#","{inner}":{{}}"#));
        rows.extend([
            ok(Card, format!(r#""{field}":"$card","{inner}":{{"any":[1]}},"comment":"x""#)),
            ok(Card, format!(r#""{field}":"$card""#)),
            no(ReserveCard, format!(r#""{field}":"$card","{inner}":{{}}"#), 59002, &format!("{field}: a reserve card")),
        ]);
        rows
    };
    let mut confirm = no_form("cardid", r#","accept":true"#);
    confirm.extend([
        ok(ConfirmCard, card(r#","accept":false"#)),
        no(ConfirmCard, card(r#","accept":"perhaps""#), 59002, "accept"),
        no(Card, card(r#","accept":true"#), 59002, "asks for no confirmation"),
    ]);
    vec![
        (
            "executemethod",
            vec![
                no(Idle, r#""name":"FindClient""#, 59010, "CRM"),
                no(Crm, r#""name":"Nothing""#, 59014, "name: no CRM offers Nothing"),
                no(Crm, r#""inputparameters":{}"#, 59002, "name"),
                no(Crm, r#""name":"""#, 59002, "name"),
                no(Crm, r#""name":{}"#, 59002, "name"),
                no(Crm, r#""name":"FindClient""#, 59002, "phone"),
                no(Crm, r#""name":"FindClient","inputparameters":{"phone":[1]}"#, 59002, "phone"),
                no(Crm, r#""name":"FindClient","inputparameters":{"phone":"1","odd":1}"#, 59002, "odd"),
                no(Crm, r#""name":"FindClient","inputparameters":[1]"#, 59002, "inputparameters is array"),
                no(Crm, r#""name":"Anything","waitresponsems":0"#, 59002, "waitresponsems"),
                no(Crm, r#""name":"Anything","waitresponsems":-5"#, 59002, "waitresponsems"),
                no(Crm, r#""name":"Anything","waitresponsems":"soon""#, 59002, "waitresponsems"),
                no(Crm, r#""name":"Anything","waitresponsems":1"#, 59011, "Timeout"),
            ],
        ),
        (
            "methodresult",
            vec![
                ok(Serving, execution(r#","result":1,"outputparameters":{"seen":true}"#)),
                ok(Serving, execution(r#","result":0,"errormsg":"no""#)),
                no(Serving, r#""result":1"#, 59002, "executionid is missing"),
                no(Serving, &*unknown, 59014, "executionid"),
                no(OthersServe, execution(""), 59014, "executionid"),
                no(Serving, execution(r#","outputparameters":{"seen":"perhaps"}"#), 59002, "outputparameters"),
                no(Serving, execution(r#","outputparameters":[1]"#), 59002, "outputparameters"),
                no(Serving, execution(r#","result":"perhaps""#), 59002, "result is neither 1 nor 0"),
                no(Served, execution(r#","result":1"#), 59013, "ivanov"),
            ],
        ),
        (
            "cancelmethod",
            vec![
                ok(Asking, execution("")),
                no(Asking, "", 59002, "executionid"),
                no(Asking, r#""executionid":"""#, 59002, "executionid"),
                no(Asking, &*unknown, 59014, "executionid"),
                no(OthersServe, execution(""), 59014, "executionid"),
            ],
        ),
        ("dlgcard_values", values("cardid", "values")),
        ("dlgcard_confirm", confirm),
        ("formresult", values("formid", "outputparameters")),
    ]
}
