//! Who may do what: every role with every method, programs with a key, and people who must change their password first.

use ctigate_proto::auth::grant::{Grant, Scope};
use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::dialog::{self, Role};
use ctigate_proto::hub::settings::Settings;
use ctigate_proto::hub::{BEFORE_CHANGE, Rights};
use ctigate_proto::message::{Format, Text};
use ctigate_proto::method::{Class, Flow, MESSAGES, Message, Right};
use ctigate_proto::telephony::Command;

use crate::world::{HASH, Heard, P, World, settings};

const ROLES: [&str; 4] = ["agent", "supervisor", "integrator", "admin"];

/// Everything a tab may say that is answered.
fn calls() -> impl Iterator<Item = &'static Message> {
    let answered = |m: &&Message| m.reply.is_some() && matches!(m.class, Class::Call | Class::Reply);
    MESSAGES.iter().filter(|m| m.flows(Flow::TabToGateway)).filter(answered)
}

fn one_with(rights: Rights) -> Settings {
    let mut settings = settings();
    settings.accounts[0].rights = rights;
    settings
}

/// Whether ivanov is refused a call for want of a right.
fn is_refused(settings: Settings, message: &Message) -> bool {
    let mut w = World::with(settings);
    let tab = w.agent("ivanov", Format::Json);
    let reply = say(&mut w, tab, message.name, "");
    reply.0.body.int("error") == Some(59004)
}

fn say(w: &mut World, peer: P, name: &str, fields: &str) -> Heard {
    let comma = if fields.is_empty() { "" } else { "," };
    w.say(peer, &format!(r#"["{name}",{{"qid":"cell"{comma}{fields}}}]"#));
    let heard = w.heard(peer);
    let replies: Vec<&Heard> = heard.iter().filter(|m| m.text("qid") == "cell").collect();
    assert_eq!(replies.len(), 1, "{name}: {heard:?}");
    replies[0].clone()
}

#[test]
fn each_role_is_refused_exactly_the_methods_whose_right_it_has_not() {
    let mut cells = 0;
    for role in ROLES {
        let rights = Rights::role(role).expect("a role");
        for message in calls() {
            let may = message.right.is_none_or(|right| rights.has(right));
            assert_eq!(is_refused(one_with(rights), message), !may, "{role} {}", message.name);
            cells += 1;
        }
    }
    assert!(cells >= 4 * 60, "{cells} cells only");
}

#[test]
fn each_right_alone_opens_its_methods_and_no_others() {
    for right in Right::ALL {
        for message in calls().filter(|m| m.right.is_some()) {
            let refused = is_refused(one_with(Rights::NONE.with(right)), message);
            assert_eq!(refused, message.right != Some(right), "{} {}", right.word(), message.name);
        }
    }
}

fn program(w: &mut World, scope: Scope, rights: &[&'static str]) -> P {
    let rights = rights.iter().map(|word| Text::from_static(word)).collect();
    let identity = Identity::program(Grant { client: "amo".into(), scope, rights }, Proof::known_key());
    w.connect(Role::Program(identity), Format::Json, dialog::Settings::tab(), false)
}

fn service(w: &mut World, numbers: &str, rights: &[&'static str]) -> P {
    program(w, Scope::Service(numbers.parse().expect("numbers")), rights)
}

#[test]
fn a_service_hears_the_people_of_its_numbers_and_nobody_else() {
    let mut w = World::new();
    let (some, all) = (service(&mut w, "100-101", &["call"]), service(&mut w, "", &[]));
    for peer in [some, all] {
        let welcome = w.expect(peer, "loginresult");
        assert_eq!(
            (welcome.int("result"), welcome.text("userlogin"), welcome.text("sessionid")),
            (1, "".into(), "".into())
        );
    }
    let _tabs = (w.agent("ivanov", Format::Json), w.agent("petrov", Format::Xml));
    let told = |w: &mut World, peer: P| -> Vec<(String, String)> {
        let heard = w.heard(peer);
        heard.iter().map(|m| (m.name().to_owned(), m.text("userlogin"))).collect()
    };
    let online = told(&mut w, some);
    assert!(online.contains(&("userstatechanged".into(), "ivanov".into())), "{online:?}");
    assert!(online.iter().all(|(_, login)| login != "petrov"), "{online:?}");
    let numbers = online.iter().filter(|(name, _)| name == "pbxnumberstatechanged").count();
    assert_eq!(numbers, 1, "of its own numbers: {online:?}");
    assert!(told(&mut w, all).contains(&("userstatechanged".into(), "petrov".into())));

    w.ring("11111111-0000-4000-8000-00000000000a", "79001112233", "101");
    w.ring("11111111-0000-4000-8000-00000000000b", "79001112234", "102");
    let rings = |told: Vec<(String, String)>| -> Vec<String> {
        told.into_iter().filter(|(name, _)| name == "phoneevent_ringstarted").map(|(_, login)| login).collect()
    };
    let (of_some, of_all) = (told(&mut w, some), told(&mut w, all));
    assert_eq!(rings(of_some), ["ivanov"]);
    assert_eq!(rings(of_all), ["ivanov", "petrov"]);
    w.cut(some);
    w.pass_alive(std::time::Duration::from_secs(1));
    assert_eq!(w.hub.snapshot().services.len(), 1);
}

#[test]
fn a_service_acts_for_its_people_with_the_rights_of_both() {
    let mut s = settings();
    s.accounts[0].api_calls = true;
    s.accounts[0].rights = s.accounts[0].rights.without(Right::State);
    s.accounts[2].number = "104".into();
    let mut w = World::with(s);
    let service = service(&mut w, "101,104", &["call", "state", "users"]);
    w.heard(service);
    let _tab = w.agent("ivanov", Format::Json);
    w.heard(service);
    let dial = r#""userlogin":"ivanov","number":"79001112233""#;
    w.say(service, &format!(r#"["pbxautocallstart",{{"qid":"d",{dial}}}]"#));
    assert!(w.pbx.iter().any(|c| matches!(c, Command::Phone { .. })), "{:?}", w.pbx);
    say(&mut w, service, "setuserstate", r#""userlogin":"ivanov","userstateid":2"#).failed(59004, "state");
    say(&mut w, service, "getpbxcalljournal", r#""userlogin":"ivanov""#).failed(59004, "journal");
    say(&mut w, service, "getuserstate", r#""userlogin":"petrov""#).failed(59003, "outside the numbers");
    say(&mut w, service, "getuserstate", r#""userlogin":"nobody""#).failed(59003, "names no user");
    say(&mut w, service, "pbxautocallstart", r#""userlogin":"sidorova","number":"1""#)
        .failed(59004, "api_call_enabled");
    assert_eq!(say(&mut w, service, "getuserstate", r#""userlogin":"sidorova""#).int("result"), 1);
    assert_eq!(say(&mut w, service, "getallusernumbers", "").int("result"), 1);
    assert_eq!(say(&mut w, service, "subscribeevent", r#""eventmethod":["phoneevent"]"#).int("result"), 1);
    for not in
        ["login", "logout", "changepassword", "chatlist", "executemethod", "gettemphttppass", "triggercustomevent"]
    {
        let fields = r#""userlogin":"ivanov""#;
        let reply = say(&mut w, service, not, fields);
        assert_eq!(reply.0.body.int("error"), Some(59001), "{not}: {reply:?}");
    }
    assert_eq!(say(&mut w, service, "nosuchmethod", "").0.body.int("error"), Some(59001));
}

#[test]
fn a_widget_is_a_tab_of_its_person_with_less_rights() {
    let mut s = settings();
    s.accounts[0].api_calls = true;
    let mut w = World::with(s);
    let widget = program(&mut w, Scope::Widget("Ivanov".into()), &["call"]);
    let welcome = w.expect(widget, "loginresult");
    assert_eq!(
        (welcome.int("result"), welcome.text("userlogin"), welcome.text("sessionid")),
        (1, "ivanov".into(), "".into())
    );
    assert!(w.hub.snapshot().users[0].online);
    say(&mut w, widget, "subscribeevent", r#""eventmethod":["phoneevent"]"#);
    w.ring("11111111-0000-4000-8000-00000000000a", "79001112233", "101");
    assert_eq!(w.expect(widget, "phoneevent_ringstarted").text("userlogin"), "ivanov");
    say(&mut w, widget, "getpbxcalljournal", "").failed(59004, "journal");
    say(&mut w, widget, "getuserstate", r#""userlogin":"petrov""#).failed(59003, "ivanov");
    assert_eq!(say(&mut w, widget, "getmyuserinfo", "").text("mainpbxnumber"), "101");
    assert_eq!(w.hub.sizes().sessions, 0, "it makes no session");
    w.cut(widget);
    w.pass(std::time::Duration::from_secs(6));
    assert!(!w.hub.snapshot().users[0].online);

    for (login, says) in [("petrov", "api_call_enabled"), ("nobody", "no user")] {
        let widget = program(&mut w, Scope::Widget(login.into()), &["call"]);
        let reply = w.expect(widget, "loginresult");
        assert!(reply.int("result") == 0 && reply.text("errormsg").contains(says), "{reply:?}");
        assert_eq!(w.closed(widget).map(|reason| reason.code), Some(1008));
    }
}

#[test]
fn whoever_must_change_the_password_can_do_nothing_else_until_then() {
    let mut s = settings();
    s.accounts[0].must_change_password = true;
    let mut w = World::with(s);
    let tab = w.tab(Format::Json);
    w.say(tab, &format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#));
    let reply = w.expect(tab, "loginresult");
    assert_eq!((reply.int("result"), reply.json("mustchangepassword").as_str()), (1, "true"));
    for message in calls().filter(|m| m.name != "logout") {
        let reply = say(&mut w, tab, message.name, "");
        let refused = reply.0.body.int("error") == Some(59004) && reply.text("errormsg").contains("changed first");
        let dialog = ["ping", "whoareyou"].contains(&message.name);
        assert_eq!(refused, !dialog && !BEFORE_CHANGE.contains(&message.name), "{}: {reply:?}", message.name);
    }
    let events = r#""eventmethod":["phoneevent","userstatechanged","dlgcard"]"#;
    assert_eq!(say(&mut w, tab, "subscribeevent", events).int("result"), 1);
    for known in ["getversion", "getmyuserinfo", "getextendedlineinfo"] {
        assert_eq!(say(&mut w, tab, known, "").int("result"), 1, "known clients connect with {known}");
    }
    w.ring("11111111-0000-4000-8000-00000000000a", "79001112233", "101");
    assert!(w.heard(tab).is_empty(), "nothing is told");

    let new = "578dd15b518cb3a96e450822ebae36d3";
    w.say(tab, &format!(r#"["changepassword",{{"qid":"c","oldpwdmd5":"{HASH}","newpwdmd5":"{new}"}}]"#));
    let all = w.heard(tab);
    assert!(all.iter().any(|m| m.name() == "changepasswordresult" && m.int("result") == 1), "{all:?}");
    assert!(all.iter().any(|m| m.name() == "statereset"), "how things are is told: {all:?}");
    assert_eq!(say(&mut w, tab, "getuserstate", "").int("result"), 1);
    w.ring("11111111-0000-4000-8000-00000000000b", "79001112233", "101");
    assert_eq!(say(&mut w, tab, "getpbxcalljournal", "").int("result"), 1);
}
