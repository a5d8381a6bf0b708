//! The catalogue as its callers see it: lenient readers, strict writers, named mistakes.

use ctigate_proto::message::{Body, Code, Object, Part, Value};
use ctigate_proto::method::{
    self, Class, Flow, Head, MESSAGES, Members, Right, Typed, call, custom, dynamic, session, user,
};

fn errormsg<T>(result: Result<T, ctigate_proto::message::CallError>) -> String {
    let error = result.err().expect("it is refused");
    assert_eq!(error.code, Some(Code::BadRequest));
    error.errormsg()
}

#[test]
fn scalars_written_as_strings_are_understood_and_written_typed() {
    let body = Body::new()
        .with("userstateid", "2")
        .with("oncallcenter", "true")
        .with("onredirect", 0)
        .with("lunchreasonid", Value::Null)
        .with("lunchreasonmsg", 5);
    let read = user::SetUserState::from_body(&body).unwrap();
    let written = read.into_body();
    let expected = Object::new()
        .with("userstateid", 2)
        .with("oncallcenter", true)
        .with("onredirect", false)
        .with("lunchreasonmsg", "5");
    assert_eq!(written.open(), expected);
}

#[test]
fn a_wrong_parameter_is_named_with_what_was_found_and_what_was_expected() {
    let body = Body::new().with("userstateid", "two");
    assert_eq!(errormsg(user::SetUserState::from_body(&body)), "Bad request: userstateid: found string, expected int");
    assert_eq!(
        errormsg(call::PbxAutoCallStart::from_body(&Body::new())),
        "Bad request: number: found nothing, expected string"
    );
    let body = Body::new().with("number", "102").with("sequence", "both");
    assert_eq!(
        errormsg(call::PbxAutoCallStart::from_body(&body)),
        "Bad request: sequence: found string, expected one of user, abonent"
    );
    let parameter = Object::new().with("name", "phone").with("required", "perhaps");
    let method = Object::new().with("name", "Find").with("inputparameters", vec![Value::from(parameter)]);
    let body = Body::new().with("methods", vec![Value::from(method)]);
    assert_eq!(
        errormsg(dynamic::AvailableMethods::from_body(&body)),
        "Bad request: methods[0].inputparameters[0].required: found string, expected bool"
    );
}

#[test]
fn other_names_of_a_parameter_are_understood_and_written_under_the_first() {
    let body = Body::new().with("methodname", "Find").with("params", Object::new().with("phone", "1"));
    let read = dynamic::ExecuteMethod::from_body(&body).unwrap();
    assert_eq!(&*read.name, "Find");
    let written = read.into_body();
    assert!(written.has("name") && written.has("inputparameters") && !written.has("params"));

    let one = session::SubscribeEvent::from_body(&Body::new().with("event", "phoneevent")).unwrap();
    assert_eq!(one.eventmethod.0, ["phoneevent"]);
}

#[test]
fn nobody_named_means_everybody() {
    for none in [Value::Null, Value::from(false), Value::from("false")] {
        let body = Body::new().with("eventname", "x").with("recipients", none).with("sendback", "0");
        let read = custom::TriggerCustomEvent::from_body(&body).unwrap();
        assert_eq!((read.recipients.0, read.sendback), (None, Some(0)));
    }
    let body = Body::new().with("eventname", "x").with("recipients", true);
    assert_eq!(
        errormsg(custom::TriggerCustomEvent::from_body(&body)),
        "Bad request: recipients: found bool, expected string[] or false"
    );
}

#[test]
fn a_reply_begins_with_its_result() {
    let reply = session::LoginResult { userid: "u".into(), ..Default::default() }.into_envelope();
    assert_eq!(&*reply.name, "loginresult");
    assert_eq!(
        reply.body.iter().next().map(|(name, part)| (name.to_string(), part.open())),
        Some(("result".to_owned(), Value::from(1)))
    );
}

#[test]
fn secrets_do_not_print() {
    let body = Body::new().with("userlogin", "ivanov").with("Password", "d6cb2342").with("sessionid", "a4c2");
    let printed = format!("{:?}", session::Login::from_body(&body).unwrap());
    assert!(!printed.contains("d6cb") && !printed.contains("a4c2"), "{printed}");
    let secret: Vec<_> = method::find("login").unwrap().fields().filter(|f| f.secret).map(|f| f.name).collect();
    assert_eq!(secret, ["Password", "password", "sessionid"]);
}

#[test]
fn free_form_parameters_stay_as_they_are() {
    let object = Object::new().with("a", Object::new().with("b", 1));
    let members = Members::from(object.clone());
    assert_eq!(members.open(), object);
    let run = dynamic::ExecuteMethod { name: "Find".into(), inputparameters: Some(members), ..Default::default() };
    assert!(matches!(run.into_body().get("inputparameters"), Some(Part::Value(Value::Object(o))) if *o == object));
}

#[test]
fn before_login_only_four_calls_are_allowed() {
    let allowed: Vec<_> = MESSAGES.iter().filter(|m| m.before_login).map(|m| m.name).collect();
    assert_eq!(allowed, ["login", "ping", "subscribeevent", "whoareyou"]);
}

#[test]
fn calls_and_replies_fit_each_other() {
    for message in &MESSAGES {
        assert!(message.directions().next().is_some(), "{} goes nowhere", message.name);
        if message.class == Class::Event {
            assert!(message.reply.is_none() || message.flows(Flow::TabToGateway), "{}", message.name);
            assert_eq!(message.right, None, "{}", message.name);
        }
        let Some(reply) = message.reply else { continue };
        let reply = method::find(reply).unwrap_or_else(|| panic!("no reply {reply}"));
        assert_eq!(reply.class, Class::Reply, "{}", message.name);
        for (there, back) in [
            (Flow::TabToGateway, Flow::GatewayToTab),
            (Flow::LinkToGateway, Flow::GatewayToLink),
            (Flow::GatewayToLink, Flow::LinkToGateway),
        ] {
            let due = message.class == Class::Call && message.flows(there);
            assert!(!due || reply.flows(back), "{} is not answered {back:?}", message.name);
        }
    }
    for group in &method::GROUPS {
        for member in group.members {
            let event = method::find(member).unwrap_or_else(|| panic!("no event {member}"));
            assert!(event.subscribed, "{member} is in a group, but needs no subscription");
        }
    }
}

#[test]
fn a_link_with_the_default_rights_may_ask_for_the_number_plan() {
    assert_eq!(method::find("getpbxnumbers").unwrap().right, None);
    assert_eq!(method::find("attachasghost").unwrap().right, Some(Right::Ghost));
}

#[test]
fn common_parameters_are_read_loosely() {
    let head = Head::of(&Body::new().with("qid", 7).with("userid", 5)).unwrap();
    assert_eq!(head.qid.and_then(|qid| qid.to_text()).as_deref(), Some("7"));
    assert_eq!(head.userid.as_deref(), Some("5"));
    assert_eq!(
        errormsg(Head::of(&Body::new().with("userlogin", Object::new()))),
        "Bad request: userlogin: found object, expected string"
    );
}
