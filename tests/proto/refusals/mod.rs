//! Every method of the catalogue and how it fails: the name of the reply, `result` 0, the code of `proto-spec/errors.md`, and a
//! text that names what was wrong. The methods come from the catalogue, so one without rows fails here.
//!
//! `scene`: how things stand; `rows`: what is said then, and what is due; `moments`: two who act at the same time. What holds for all methods alike (rights, types of
//! fields, who speaks) is asked of each by the tests of this page, with its vector of the specification.

mod moments;
mod rows;
mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use ctigate_proto::codec::{self, Limits};
use ctigate_proto::hub::Rights;
use ctigate_proto::message::{Body, Envelope, Format, Object, Text, Value};
use ctigate_proto::method::{self, Class, Flow, MESSAGES, Message, Outcome, Type, reply_name};
use ctigate_proto::telephony::{Command, Event, OrderId, Refusal};

use crate::world::{Heard, P, World, both};

use scene::{Office, Scene, people};

/// One case.
#[derive(Clone, Debug)]
struct Row {
    scene: Scene,
    /// The fields of the call, in JSON. What the scene made is named by `$`.
    fields: String,
    /// 0: it goes well. -1: it fails without a code, with a text alone.
    code: i64,
    says: String,
    /// What the telephone system says to an order.
    exchange: Result<(), Refusal>,
}

/// What a dialog answers by itself, whatever the fields.
const BY_DIALOG: [&str; 2] = ["ping", "whoareyou"];

/// What names its mistakes by itself, because a CRM's words for its fields differ. Their rows say all.
const BY_ITSELF: [&str; 2] = ["executemethod", "methodresult"];

/// Whether the gateway answers it.
fn answered(message: &Message, flow: Flow) -> bool {
    let tab_too = flow == Flow::TabToGateway && message.reply.is_some();
    message.flows(flow) && (message.class == Class::Call || tab_too)
}

fn methods() -> impl Iterator<Item = &'static Message> {
    MESSAGES.iter().filter(|m| answered(m, Flow::TabToGateway) || answered(m, Flow::LinkToGateway))
}

#[test]
fn every_method_has_rows_and_there_is_no_other() {
    let known: BTreeSet<&str> = methods().map(|m| m.name).collect();
    let table = rows::table();
    let named: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, known);
    assert_eq!(named.len(), table.len(), "a method stands twice");
    for (name, rows) in table {
        // That a CRM carries out what it is asked is a story of its own.
        assert!(rows.iter().any(|row| row.code == 0) || name == "executemethod", "{name} never goes well");
    }
}

#[test]
fn each_row_is_answered_as_it_says() {
    both(|format| {
        let mut said = 0;
        let mut wrong = Vec::new();
        for (name, rows) in rows::table() {
            for row in rows {
                said += 1;
                let fields: String = row.fields.chars().take(200).collect();
                if let Err(why) = said_and_heard(name, &row, format) {
                    wrong.push(format!("{name} {{{fields}}} in {:?} ({:?}): {why}", row.scene, row.exchange));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {said}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(said > 850, "{said} rows only");
    });
}

fn said_and_heard(name: &'static str, row: &Row, format: Format) -> Result<(), String> {
    let mut o = row.scene.office(format);
    let (records, line) = (o.w.records.len(), o.w.hub.snapshot());
    let reply = ask(&mut o, name, &row.fields, row.scene, row.exchange)?;
    if reply.name() != &*reply_name(name) {
        return Err(format!("answered by {reply:?}"));
    }
    let message = method::find(name).expect("in the catalogue");
    check(message, &reply, row)?;
    let refused_here = row.code != 0 && row.exchange.is_ok() && row.scene != Scene::DumbExchange;
    // A result that is none ends what was waited for.
    if refused_here && row.code != 59011 && name != "methodresult" {
        if !o.w.pbx.is_empty() {
            return Err(format!("refused, but the telephone system was told {:?}", o.w.pbx));
        }
        if o.w.records.len() != records || o.w.hub.snapshot() != line {
            return Err("refused, but something has changed".to_owned());
        }
    }
    Ok(())
}

/// Says a call, lets the telephone system answer what it is told, and gives the one reply.
fn ask(o: &mut Office, name: &str, fields: &str, scene: Scene, exchange: Result<(), Refusal>) -> Result<Heard, String> {
    let comma = if fields.is_empty() { "" } else { "," };
    let text = o.filled(&format!(r#"["{name}",{{"qid":"row"{comma}{fields}}}]"#));
    o.w.say(o.tab, &text);
    if scene == Scene::DumbExchange || scene == Scene::DumbStore || name == "executemethod" {
        o.w.pass_alive(Duration::from_secs(16));
    } else {
        for order in orders(&o.w.pbx) {
            match order {
                (order, true) => o.w.phone(Event::ScriptDone { order, result: exchange.map(|()| "42".into()) }),
                (order, false) => o.w.phone(Event::Done { order, result: exchange }),
            }
        }
    }
    let all = o.w.heard(o.tab);
    let mut mine: Vec<Heard> = all.iter().filter(|m| m.text("qid") == "row").cloned().collect();
    match mine.len() {
        1 => Ok(mine.remove(0)),
        n => Err(format!("{n} replies: {all:?}")),
    }
}

/// The orders among commands, and whether a script was started.
fn orders(commands: &[Command]) -> Vec<(OrderId, bool)> {
    let order = |command: &Command| match command {
        Command::Phone { order, .. } => Some((*order, false)),
        Command::Script { order, .. } => Some((*order, true)),
        _ => None,
    };
    commands.iter().filter_map(order).collect()
}

fn check(message: &Message, reply: &Heard, row: &Row) -> Result<(), String> {
    let body = &reply.0.body;
    let (result, error, text) = (body.int("result"), body.int("error"), reply.text("errormsg"));
    let good = match row.code {
        0 => {
            let outcome = method::find(reply.name()).map(|r| r.outcome);
            let result = match outcome {
                Some(Outcome::None) => result.is_none(),
                Some(Outcome::Data) => body.value("result").is_some_and(|v| v.as_array().is_some()),
                _ => result == Some(1),
            };
            result && error.is_none() && text.is_empty()
        }
        -1 => result == Some(0) && error.is_none() && text == row.says,
        code => result == Some(0) && error == Some(code) && text.contains(&row.says),
    };
    // Known clients throw without this list.
    let list = message.name != "getconferencecompetitors" || body.value("competitorlist").is_some();
    if good && list {
        return Ok(());
    }
    Err(format!("heard {reply:?}, expected {} {:?}", row.code, row.says))
}

// ---- what holds for all alike

/// The vector of a message, said by nobody in particular.
fn vector(name: &str) -> Body {
    let path = crate::schema::spec(&format!("vectors/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let mut body = codec::decode(Format::Json, &Text::from(text), &Limits::default()).expect(name).body;
    for field in ["qid", "userid", "userlogin", "tabid"] {
        body.remove(field);
    }
    body
}

/// Says a message and gives the one reply to it.
#[track_caller]
fn reply(w: &mut World, peer: P, name: &str, mut body: Body) -> Heard {
    body.set("qid", "all");
    // Nobody is to be too fast.
    w.pass_alive(Duration::from_millis(10));
    let text = codec::encode(&Envelope { name: Text::from(name), body: Body::from(body.open()) }, Format::Json);
    w.heard(peer);
    w.say(peer, &text);
    let all: Vec<Heard> = w.heard(peer).into_iter().filter(|m| m.text("qid") == "all").collect();
    let [reply] = &all[..] else { panic!("{name}: {all:?}") };
    assert_eq!(reply.name(), &*reply_name(name));
    reply.clone()
}

#[test]
fn before_the_login_nothing_else_is_done() {
    both(|format| {
        // To results nothing is said before anything was asked.
        for message in methods().filter(|m| !m.before_login && m.class != Class::Reply) {
            let mut w = World::with(people());
            let guest = w.tab(format);
            reply(&mut w, guest, message.name, vector(message.name)).failed(59003, "before the login");
        }
    });
}

#[test]
fn each_right_is_asked_for_and_named() {
    both(|format| {
        let mut asked = 0;
        for message in methods() {
            let Some(right) = message.right else { continue };
            let mut s = people();
            s.accounts[0].rights = s.accounts[0].rights.without(right);
            s.links[0].rights = Rights::role("admin").expect("all").without(right);
            s.links[0].trust_users = true;
            let mut w = World::with(s);
            let says = format!("the right {} is missing", right.word());
            let tab = w.agent("ivanov", format);
            reply(&mut w, tab, message.name, vector(message.name)).failed(59004, &says);
            if answered(message, Flow::LinkToGateway) {
                let crm = w.introduced("crm", format);
                reply(&mut w, crm, message.name, vector(message.name)).failed(59004, &says);
                let petrov = vector(message.name).with("userlogin", "petrov");
                reply(&mut w, crm, message.name, petrov).failed(59004, &says);
            }
            asked += 1;
        }
        assert!(asked > 30, "{asked} methods only");
    });
}

#[test]
fn nobody_speaks_for_another() {
    both(|format| {
        let mut w = World::with(people());
        let (tab, crm) = (w.agent("ivanov", format), w.introduced("crm", format));
        for message in methods().filter(|m| !BY_DIALOG.contains(&m.name) && m.name != "login") {
            for login in ["petrov", "nobody"] {
                let said = || vector(message.name).with("userlogin", login);
                reply(&mut w, tab, message.name, said()).failed(59003, "userlogin");
                if answered(message, Flow::LinkToGateway) {
                    reply(&mut w, crm, message.name, said()).failed(59003, "userlogin");
                    let said = vector(message.name).with("userid", "nobody");
                    reply(&mut w, crm, message.name, said).failed(59003, "userid");
                }
            }
        }
    });
}

/// What a CRM may ask for itself.
const FOR_ITSELF: [&str; 21] = [
    "cancelmethod",
    "cc_getlunchtypes",
    "execpredefineddbstoredproc",
    "execsvcscript",
    "formresult",
    "getallusernumbers",
    "getalluserphotolink",
    "getchaincontent",
    "getpbxcalljournal",
    "getpbxnumbers",
    "gettemphttppass",
    "gettotalqueue",
    "getversion",
    "login",
    "methodschanged",
    "ping",
    "sendnotifymessage",
    "sendusertextmessage",
    "subscribeevent",
    "triggercustomevent",
    "whoareyou",
];

#[test]
fn what_a_person_does_a_crm_does_not_do_for_itself() {
    both(|format| {
        for message in methods().filter(|m| answered(m, Flow::LinkToGateway) || m.name == "cancelmethod") {
            let mut s = people();
            s.links[0].rights = Rights::role("admin").expect("all");
            let mut w = World::with(s);
            let crm = w.introduced("crm", format);
            w.heard(crm);
            let mut said = vector(message.name).with("qid", "all");
            if message.name == "login" {
                said.set("userlogin", "ivanov");
            }
            let text = codec::encode(&Envelope { name: message.name.into(), body: said }, Format::Json);
            w.say(crm, &text);
            for (order, _) in orders(&std::mem::take(&mut w.pbx)) {
                w.phone(Event::ScriptDone { order, result: Ok(Text::new()) });
            }
            let heard = w.heard(crm);
            let reply = heard.iter().find(|m| m.text("qid") == "all").unwrap_or_else(|| panic!("{}", message.name));
            if !FOR_ITSELF.contains(&message.name) {
                reply.failed(59002, "userlogin is missing");
                continue;
            }
            assert!(!reply.text("errormsg").contains("userlogin is missing"), "{reply:?}");
            assert_ne!(reply.0.body.int("error"), Some(59001), "{reply:?}");
        }
    });
}

#[test]
fn what_no_tab_says_is_no_method_of_a_tab() {
    both(|format| {
        let mut w = World::with(people());
        let tab = w.agent("ivanov", format);
        for message in MESSAGES.iter().filter(|m| !m.flows(Flow::TabToGateway)) {
            let text = codec::encode(
                &Envelope { name: message.name.into(), body: vector(message.name).with("qid", "all") },
                Format::Json,
            );
            w.heard(tab);
            w.say(tab, &text);
            let heard = w.heard(tab);
            // Nobody answers answers.
            match message.class {
                Class::Reply => assert!(heard.is_empty(), "{}: {heard:?}", message.name),
                Class::Call | Class::Event => {
                    assert_eq!(heard.len(), 1, "{}: {heard:?}", message.name);
                    assert_eq!(heard[0].name(), &*reply_name(message.name));
                    heard[0].failed(59001, message.name);
                }
            }
        }
        for name in ["nosuchmethod", "PING", "", "пинг", &"x".repeat(10_000)] {
            w.say(tab, &format!(r#"["{name}",{{"qid":"all"}}]"#));
            let heard = w.heard(tab);
            assert_eq!(heard.len(), 1, "{name}");
            assert_eq!(heard[0].int("result"), 0);
        }
    });
}

/// Values that are none of the type.
fn none_of(ty: Type) -> Vec<Value> {
    let (object, array) = (Value::from(Object::new().with("a", 1)), Value::Array(vec![Value::from(1)]));
    let (word, empty) = (Value::from("ж"), Value::from(""));
    let long = codec::decode_value(&Text::from("99999999999999999999"), 4).expect("a number");
    let half = codec::decode_value(&Text::from("1.5"), 4).expect("a number");
    match ty {
        Type::Any => vec![],
        Type::String => vec![object, array],
        Type::Int => vec![object, array, word, empty, half, long],
        Type::Float => vec![object, array, word],
        Type::Bool => vec![object, array, word, empty, half, Value::from(2)],
        Type::Choice(_) => vec![object, array, word, empty, Value::from(5)],
        Type::Object | Type::Record(_) => vec![array, word, Value::from(5), Value::from(true)],
        Type::Array | Type::List(_) => vec![object, word, Value::from(5), Value::from(true)],
        Type::OneOrMany => vec![object],
        Type::ListOrFalse => vec![object, Value::from(5), Value::from(true)],
    }
}

/// The vector's fields with one of them wrong or missing, each with the path that is to be named.
fn spoilt(fields: &[&'static method::Field], good: &Object) -> Vec<(String, Object)> {
    let mut all = Vec::new();
    for field in fields {
        let names = || std::iter::once(field.name).chain(field.aliases.iter().copied());
        let at = names().find(|name| good.get(name).is_some()).unwrap_or(field.name);
        let mut with = |path: String, value: Value| {
            let mut spoilt = good.clone();
            spoilt.set(at, value);
            all.push((path, spoilt));
        };
        none_of(field.ty).into_iter().for_each(|value| with(format!("{at}: found "), value));
        let inner = |record: &'static method::Record, value: Option<&Value>| match value.and_then(Value::as_object) {
            Some(object) => spoilt(&record.all_fields().collect::<Vec<_>>(), object),
            None => Vec::new(),
        };
        match field.ty {
            Type::Record(record) => {
                for (path, value) in inner(record, good.get(at)) {
                    with(format!("{at}.{path}"), Value::Object(value));
                }
            }
            Type::List(item) => {
                let known: Vec<Value> =
                    good.get(at).and_then(Value::as_array).map(<[Value]>::to_vec).unwrap_or_default();
                for value in none_of(*item) {
                    let items = known.iter().cloned().chain([value]).collect();
                    with(format!("{at}[{}]: found ", known.len()), Value::Array(items));
                }
                if let Type::Record(record) = item {
                    for (path, value) in inner(record, known.first()) {
                        with(format!("{at}[0].{path}"), Value::Array(vec![Value::Object(value)]));
                    }
                }
            }
            _ => {}
        }
        if field.required {
            let mut spoilt = good.clone();
            names().for_each(|name| drop(spoilt.remove(name)));
            all.push((format!("{}: found nothing", field.name), spoilt));
        }
    }
    all
}

#[test]
fn each_field_of_another_type_or_left_out_is_named() {
    let mut said = 0;
    let mut w = World::with(people());
    let tab = w.agent("ivanov", Format::Json);
    for message in methods() {
        if BY_DIALOG.contains(&message.name) || BY_ITSELF.contains(&message.name) {
            continue;
        }
        if !message.flows(Flow::TabToGateway) {
            continue;
        }
        // Who speaks is asked for first, and of another type in the stories of the doors.
        let fields: Vec<_> = message.fields().filter(|f| !["userid", "userlogin", "tabid"].contains(&f.name)).collect();
        let mut good = vector(message.name).open();
        if message.name == "login" {
            good.set("userlogin", "ivanov");
        }
        for (path, spoilt) in spoilt(&fields, &good) {
            reply(&mut w, tab, message.name, Body::from(spoilt)).failed(59002, &path);
            said += 1;
        }
    }
    assert!(said > 300, "{said} fields only");
}
