//! Stored procedures, scripts, passwords, and programs that act by HTTP.

use std::time::Duration;

use ctigate_proto::hub::Rights;
use ctigate_proto::hub::input::{Ask, Run};
use ctigate_proto::hub::output::Answer;
use ctigate_proto::hub::settings::{Procedure, Settings};
use ctigate_proto::message::{Body, Code, Format, Text, Value};
use ctigate_proto::method::Right;
use ctigate_proto::telephony::{Act, Command, Event, OrderId, Refusal};

use crate::world::{HASH, IVANOV, P, World, both, settings};

const NEW: &str = "578dd15b518cb3a96e450822ebae36d3";

fn with_procedures() -> Settings {
    let procedure = |name: &'static str, roles: &[&'static str]| Procedure {
        name: name.into(),
        roles: roles.iter().map(|r| Text::from_static(r)).collect(),
        parameters: vec!["since".into(), "userid".into()],
    };
    let mut s = settings();
    s.procedures = vec![procedure("web_gettasks", &["agent"]), procedure("everything", &[])];
    s.accounts[2].role = "supervisor".into();
    s.accounts[2].rights = Rights::role("supervisor").expect("a role").with(Right::Procedures);
    s
}

fn exec(w: &mut World, tab: P, name: &str, input: &str) -> crate::world::Heard {
    w.say(tab, &format!(r#"["execpredefineddbstoredproc",{{"qid":"x","procedure":"{name}","inputparams":{input}}}]"#));
    w.expect(tab, "execpredefineddbstoredprocresult")
}

#[test]
fn a_procedure_is_run_by_name_with_parameters_and_never_as_another() {
    both(|format| {
        let mut w = World::with(with_procedures());
        let tab = w.agent("ivanov", format);
        let reply = exec(&mut w, tab, "Web_GetTasks", r#"{"@Since":5,"userid":"somebody else"}"#);
        assert_eq!((reply.int("result"), reply.int("errorcode")), (1, 0));
        assert_eq!(reply.json("dataset"), r#"[[["id","name"],["t1","Inbound"]]]"#);
        let (name, input) = w.archive.ran.pop().unwrap();
        assert_eq!(&*name, "web_gettasks");
        assert_eq!(input, [("since".into(), Value::from(5)), ("userid".into(), Value::from(IVANOV))]);
        exec(&mut w, tab, "web_gettasks", "{}");
        assert_eq!(w.archive.ran.pop().unwrap().1[0].1, Value::Null);
        exec(&mut w, tab, "web_gettasks", r#"{"limit":1}"#).failed(59002, "expected some of since, userid");
        exec(&mut w, tab, "web_gettasks", r#"{"since":[1]}"#).failed(59002, "inputparams.since is array");
        exec(&mut w, tab, "SELECT 1", "{}").failed(59009, "SELECT 1");
        assert!(w.archive.ran.is_empty());
    });
}

#[test]
fn the_version_lists_the_procedures_of_the_role_and_no_others_run() {
    let mut w = World::with(with_procedures());
    let (agent, supervisor) = (w.agent("ivanov", Format::Json), w.agent("sidorova", Format::Json));
    for (tab, may, may_not) in [(agent, "web_gettasks", "everything"), (supervisor, "everything", "web_gettasks")] {
        w.say(tab, r#"["getversion",{"qid":"v","showalloweddbstoredprocs":1}]"#);
        let allowed = w.expect(tab, "getversionresult").json("alloweddbstoredprocs");
        assert_eq!(allowed, format!(r#"{{"{may}":1}}"#));
        assert_eq!(exec(&mut w, tab, may, "{}").int("result"), 1);
        exec(&mut w, tab, may_not, "{}").failed(59009, may_not);
    }
    let crm = w.introduced("crm", Format::Json);
    exec(&mut w, crm, "web_gettasks", "{}").failed(59009, "web_gettasks");
}

#[test]
fn a_script_is_started_and_its_end_waited_for_when_wanted() {
    let mut s = settings();
    s.accounts[0].rights = Rights::role("integrator").unwrap();
    let mut w = World::with(s);
    let (tab, agent) = (w.agent("ivanov", Format::Json), w.agent("petrov", Format::Json));
    let script = |w: &mut World, more: &str| -> OrderId {
        w.pbx.clear();
        w.say(tab, &format!(r#"["execsvcscript",{{"qid":"s","scriptname":"greet"{more}}}]"#));
        match &w.pbx[..] {
            [Command::Script { order, name, parameters, wait }] => {
                assert_eq!((&**name, parameters.len()), ("greet", 2));
                assert_eq!(*wait, more.contains("waitresponse").then_some(Duration::from_secs(7)));
                *order
            }
            other => panic!("{other:?}"),
        }
    };
    let order = script(&mut w, r#","startparams":["a",5]"#);
    w.phone(Event::ScriptDone { order, result: Ok(Text::new()) });
    assert_eq!(w.expect(tab, "execsvcscriptresult").json("started"), "true");
    let order = script(&mut w, r#","startparams":["a",5],"waitresponse":true,"waittimeoutsec":7"#);
    w.phone(Event::ScriptDone { order, result: Ok("42".into()) });
    assert_eq!(w.expect(tab, "execsvcscriptresult").text("returnvalue"), "42");
    let order = script(&mut w, r#","startparams":["a",null]"#);
    w.phone(Event::ScriptDone { order, result: Err(Refusal::NoSuchScript) });
    w.expect(tab, "execsvcscriptresult").failed(59014, "scriptname");
    script(&mut w, r#","startparams":["a",5],"waitresponse":true,"waittimeoutsec":7"#);
    w.pass_alive(Duration::from_secs(7));
    w.expect(tab, "execsvcscriptresult").failed(59011, "");
    for (more, says) in
        [(r#","startparams":[[1]]"#, "startparams[0] is array"), (r#","waittimeoutsec":0"#, "waittimeoutsec is 0")]
    {
        w.say(tab, &format!(r#"["execsvcscript",{{"qid":"s","scriptname":"greet"{more}}}]"#));
        w.expect(tab, "execsvcscriptresult").failed(59002, says);
    }
    w.say(agent, r#"["execsvcscript",{"qid":"s","scriptname":"greet"}]"#);
    w.expect(agent, "execsvcscriptresult").failed(59004, "procedures");
}

#[test]
fn a_change_of_the_password_ends_the_other_sessions() {
    both(|format| {
        let mut w = World::new();
        let (tab, other, petrov) = (w.agent("ivanov", format), w.agent("ivanov", format), w.agent("petrov", format));
        let change = |w: &mut World, old: &str, new: &str, more: &str| {
            w.say(tab, &format!(r#"["changepassword",{{"qid":"c","oldpwdmd5":"{old}","newpwdmd5":"{new}"{more}}}]"#));
            w.expect(tab, "changepasswordresult")
        };
        for wrong in [NEW, "nonsense"] {
            let reply = change(&mut w, wrong, NEW, "");
            assert_eq!((reply.int("result"), reply.text("errormsg")), (0, "old password is wrong".to_owned()));
            assert!(!reply.has("error"), "the text stands bare");
        }
        change(&mut w, HASH, "short", "").failed(59002, "newpwdmd5 has 5 bytes");
        change(&mut w, HASH, NEW, r#","newpwd":"abc""#).failed(59002, "newpwd is shorter than 6 characters");
        assert!(w.closed(other).is_none());
        assert_eq!(change(&mut w, &HASH.to_uppercase(), NEW, r#","newpwd":"demo-PASS""#).int("result"), 1);
        assert_eq!(&*w.archive.passwords["ivanov"], NEW);
        assert_eq!(w.closed(other).expect("its session has ended").code, 1000);
        assert!(w.closed(tab).is_none() && w.closed(petrov).is_none());
        w.say(tab, r#"["ping",{"qid":"p"}]"#);
        w.expect(tab, "pong");
    });
}

#[test]
fn old_passwords_cannot_be_guessed_fast() {
    let mut w = World::new();
    let tab = w.agent("ivanov", Format::Json);
    let change = |w: &mut World| {
        w.say(tab, &format!(r#"["changepassword",{{"qid":"c","oldpwdmd5":"{NEW}","newpwdmd5":"{NEW}"}}]"#));
        w.expect(tab, "changepasswordresult")
    };
    (0..5).for_each(|_| assert_eq!(change(&mut w).text("errormsg"), "old password is wrong"));
    change(&mut w).failed(59012, "try again later");
    w.pass_alive(Duration::from_secs(60));
    assert_eq!(change(&mut w).text("errormsg"), "old password is wrong");
}

fn program(w: &mut World, login: &str, user: &str, method: &str, body: Body) -> Option<Answer> {
    let run = Run { login: login.into(), user: user.into(), handed_on: false, method: method.into(), body };
    let ticket = w.ask(Ask::Run(run));
    w.answer(ticket)
}

#[track_caller]
fn refused(answer: Option<Answer>, code: Code, says: &str) {
    match answer {
        Some(Answer::Refused(error)) => {
            assert_eq!(error.code, Some(code), "{error}");
            assert!(error.detail.contains(says), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_acts_in_the_name_of_those_who_allow_it() {
    let mut s = settings();
    s.accounts[1].rights = Rights::role("integrator").unwrap();
    s.accounts[0].api_calls = true;
    let mut w = World::with(s);
    let watcher = w.agent("ivanov", Format::Json);
    for user in ["ivanov", IVANOV, "101"] {
        match program(&mut w, "petrov", user, "getuserstate", Body::new()) {
            Some(Answer::Ran(body)) => assert_eq!(body.text("userlogin").as_deref(), Some("ivanov")),
            other => panic!("{other:?}"),
        }
    }
    let on = Body::new().with("oncallcenter", true);
    assert!(matches!(program(&mut w, "petrov", "ivanov", "setuserstate", on), Some(Answer::Ran(_))));
    assert_eq!(w.expect(watcher, "userstatechanged").json("oncallcenter"), "true");

    let dial = || Body::new().with("number", "79001112233");
    assert!(
        program(&mut w, "petrov", "ivanov", "pbxautocallstart", dial()).is_none(),
        "when the telephone system says so"
    );
    let Some(Command::Phone { order, number, act: Act::Dial { .. } }) = w.pbx.last().cloned() else {
        panic!("{:?}", w.pbx)
    };
    assert_eq!(&*number, "101");
    w.phone(Event::Done { order, result: Ok(()) });
    refused(program(&mut w, "petrov", "sidorova", "pbxautocallstart", dial()), Code::AccessDenied, "api_call_enabled");
    refused(program(&mut w, "petrov", "nobody", "getuserstate", Body::new()), Code::NotFound, "user names no user");
    refused(program(&mut w, "petrov", "", "logout", Body::new()), Code::UnknownMethod, "logout");
    refused(program(&mut w, "ivanov", "", "getuserstate", Body::new()), Code::AccessDenied, "webapi");
}
