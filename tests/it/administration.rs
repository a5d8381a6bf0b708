//! What administrators see and do: a whole node with the simulated telephone system, asked over its admin port.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use ctigate::config::{Config, Link, LinkMode, Log, PbxKind, Secret, User};
use ctigate::telemetry::logging;
use serde_json::{Value, json};

use crate::support::admin::{Admin, Events};
use crate::support::peers::HASH;
use crate::support::{FakeCrm, FakeTab, node, soon};
use ctigate::proto::message::Format;

/// A configuration with ivanov (101), for whom programs may call, and petrov (102), for whom they may not.
fn config(folder: &std::path::Path) -> Config {
    let mut config = node::config(folder);
    config.users[0].name = "Ivan Ivanov".to_owned();
    config.users[0].api_call_enabled = true;
    config.users.push(User {
        login: "petrov".to_owned(),
        number: "102".to_owned(),
        password: Some(Secret::new("Secret1")),
        ..User::default()
    });
    config
}

/// Waits until a part looks as wanted, looking whenever it is said to have changed.
async fn until(admin: &Admin, events: &mut Events, part: &str, path: &str, yes: impl Fn(&Value) -> bool) -> Value {
    let looked = async {
        loop {
            let found = admin.get(path).await;
            if yes(&found) {
                return found;
            }
            let named = |data: &Value| data["what"].as_array().is_some_and(|what| what.contains(&json!(part)));
            events.wait(part, |kind, data| kind == "changed" && named(data)).await;
        }
    };
    soon(path, looked).await
}

#[tokio::test]
async fn a_call_is_seen_while_it_goes_on_ended_and_found_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut events = admin.follow("/api/v1/events").await;
    let all = json!({"what": ["links", "calls", "users", "forms", "journal", "methods", "settings"]});
    assert_eq!(events.next().await, ("changed".to_owned(), all));

    let sim = async |body: Value| admin.ask("POST", "/api/v1/sim", Some(&body)).await;
    let (status, begun) =
        sim(json!({"op": "incoming", "caller": "79001112233", "name": "Anna", "called": "101"})).await;
    assert_eq!(status, 200, "{begun}");
    let chain = begun["chainid"].as_str().unwrap().to_owned();
    let calls = "/api/v1/calls";
    until(&admin, &mut events, "calls", calls, |c| c["items"][0]["state"] == "ringing").await;
    assert_eq!(sim(json!({"op": "answer", "number": "101"})).await.0, 200);
    let found = until(&admin, &mut events, "calls", calls, |c| c["items"][0]["state"] == "talking").await;
    let call = &found["items"][0];
    assert_eq!(
        (&call["chain"], &call["caller"], &call["called"]),
        (&json!(chain), &json!("79001112233"), &json!("101"))
    );
    let [anna, ivan] = call["parties"].as_array().unwrap().as_slice() else { panic!("{call}") };
    assert_eq!(
        (&anna["number"], &anna["name"], &anna["inside"]),
        (&json!("79001112233"), &json!("Anna"), &json!(false))
    );
    assert_eq!((&ivan["name"], &ivan["state"], &ivan["place"]), (&json!("Ivan Ivanov"), &json!("up"), &json!("talk")));
    assert_eq!(ivan["place_name"], anna["place_name"], "one talk");
    assert_eq!((&call["queue"], &call["recording"]), (&json!(""), &json!(false)));
    let overview = admin.get("/api/v1/overview").await;
    assert_eq!((&overview["counts"]["calls"], &overview["counts"]["users"]), (&json!(1), &json!(2)));
    assert!(overview["disk"]["free_bytes"].as_u64().unwrap() > 0, "{overview}");
    assert!(overview["disk"]["store_bytes"].as_u64().unwrap() > 0, "{overview}");
    assert_eq!(overview["node"]["addresses"]["admin"], json!(admin.address.to_string()));
    let states: Vec<_> = overview["parts"].as_array().unwrap().iter().map(|part| &part["state"]).collect();
    assert_eq!(states, ["ok"; 5], "{overview}");

    let path = format!("/api/v1/calls/{chain}");
    assert_eq!(admin.ask("DELETE", &path, None).await, (200, json!({})));
    until(&admin, &mut events, "calls", calls, |c| c["items"] == json!([])).await;
    assert_eq!(admin.ask("DELETE", &path, None).await.0, 404);
    let page = until(&admin, &mut events, "journal", "/api/v1/journal", |j| j["items"] != json!([])).await;
    let row = &page["items"][0];
    let told = (&row["chain"], &row["direction"], &row["outcome"], &row["inside"]);
    assert_eq!(told, (&json!(chain), &json!("incoming"), &json!("answered"), &json!(["101"])));
    for (query, rows) in [
        ("number=79001112233&direction=incoming&outcome=answered", 1),
        ("number=102", 0),
        ("outcome=busy", 0),
        ("queue=500", 0),
        ("to_ms=1000", 0),
    ] {
        let page = admin.get(&format!("/api/v1/journal?{query}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), rows, "{query}");
    }
    let entry = admin.get(&format!("/api/v1/journal/{chain}")).await;
    assert_eq!((&entry["caller_name"], &entry["talks"][0]["parties"].as_array().unwrap().len()), (&json!("Anna"), &2));
    let legs = entry["legs"].as_array().unwrap();
    assert!(legs.iter().any(|leg| leg["end"]["number"] == "101" && leg["answered_ms"].is_i64()), "{entry}");
    let kinds: Vec<_> = entry["steps"].as_array().unwrap().iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("began", "ended"));
    let csv = admin.raw("GET", "/api/v1/journal.csv", None).await;
    assert!(csv.header("transfer-encoding") == Some("chunked") && csv.header("content-length").is_none());
    assert!(soon("a stop", node.stop()).await);
}

#[tokio::test]
async fn an_administrator_calls_for_anybody_and_a_program_for_those_who_let_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut events = admin.follow("/api/v1/events?about=calls").await;
    let wanted = json!({"client_id": "crm", "kind": "service", "rights": ["call"]});
    let (status, made) = admin.ask("POST", "/api/v1/keys", Some(&wanted)).await;
    assert_eq!(status, 201, "{made}");
    let program = Admin { address: admin.address, token: made["key"].as_str().unwrap().to_owned() };
    let dial = async |by: &Admin, login: &str, number: &str| {
        by.ask("POST", "/api/v1/calls", Some(&json!({"login": login, "number": number}))).await
    };
    let now =
        async |by: &Admin| by.get("/api/v1/calls").await["items"][0]["chain"].as_str().unwrap_or_default().to_owned();
    let end = async |by: &Admin, chain: &str| by.ask("DELETE", &format!("/api/v1/calls/{chain}"), None).await;

    let (status, refused) = dial(&program, "petrov", "101").await;
    assert!(status == 403 && refused["errormsg"].as_str().unwrap().contains("api_call_enabled"), "{refused}");
    assert_eq!(dial(&program, "nobody", "101").await.0, 404);
    assert_eq!(dial(&program, "ivanov", "79001112233").await, (201, json!({})));
    let found = until(&admin, &mut events, "calls", "/api/v1/calls", |c| c["items"] != json!([])).await;
    let called = &found["items"][0];
    assert_eq!((&called["caller"], &called["called"]), (&json!("101"), &json!("79001112233")));
    let (status, busy) = dial(&program, "ivanov", "102").await;
    assert_eq!(status, 409, "the phone rings already: {busy}");
    assert_eq!(end(&program, &now(&program).await).await, (200, json!({})));
    until(&admin, &mut events, "calls", "/api/v1/calls", |c| c["items"] == json!([])).await;

    // Whoever administers asks nobody's leave.
    assert_eq!(dial(&admin, "petrov", "101").await, (201, json!({})));
    until(&admin, &mut events, "calls", "/api/v1/calls", |c| c["items"] != json!([])).await;
    let chain = now(&admin).await;
    let (status, refused) = end(&program, &chain).await;
    assert!(status == 403 && refused["errormsg"].as_str().unwrap().contains("petrov"), "{refused}");
    assert_eq!(end(&admin, &chain).await, (200, json!({})));
    until(&admin, &mut events, "calls", "/api/v1/calls", |c| c["items"] == json!([])).await;
    assert_eq!(end(&admin, &chain).await.0, 404);

    // All of it is in the trail.
    let trail = admin.get("/api/v1/audit").await;
    let noted = |row: &Value| {
        format!("{} {} {}", row["who"].as_str().unwrap(), row["what"].as_str().unwrap(), row["about"].as_str().unwrap())
    };
    let noted: Vec<String> = trail["items"].as_array().unwrap().iter().map(noted).collect();
    for due in ["key crm call.start ivanov", "token call.start petrov", &format!("token call.end {chain}")] {
        assert!(noted.iter().any(|row| row == due), "{due}: {noted:?}");
    }
    assert!(soon("a stop", node.stop()).await);
}

#[tokio::test]
async fn a_call_that_is_ended_ends_for_those_on_hold_and_for_strangers_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut events = admin.follow("/api/v1/events?about=calls").await;
    let sim = async |order: Value| {
        let (status, done) = admin.ask("POST", "/api/v1/sim", Some(&order)).await;
        assert_eq!(status, 200, "{order}: {done}");
        done
    };
    // Anna waits on hold while ivanov talks with petrov.
    sim(json!({"op": "incoming", "caller": "79001112233", "called": "101"})).await;
    sim(json!({"op": "answer", "number": "101"})).await;
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    tab.0.say(r#"["pbxautocallstart",{"qid":"d","number":"102"}]"#).await;
    assert_eq!(tab.0.hear_named("pbxautocallstartresult").await.body.int("result"), Some(1));
    sim(json!({"op": "answer", "number": "102"})).await;
    let three = |calls: &Value| calls["items"][0]["parties"].as_array().is_some_and(|parties| parties.len() >= 3);
    let found = until(&admin, &mut events, "calls", "/api/v1/calls", three).await;
    let chain = found["items"][0]["chain"].as_str().unwrap().to_owned();
    let (status, done) = admin.ask("DELETE", &format!("/api/v1/calls/{chain}"), None).await;
    assert_eq!(status, 200, "{done}");
    until(&admin, &mut events, "calls", "/api/v1/calls", |calls| calls["items"] == json!([])).await;
    let picture = sim(json!({"op": "picture"})).await;
    assert_eq!(picture["linesused"], 0, "the stranger is gone: {picture}");

    // Nobody inside takes part yet.
    sim(json!({"op": "play", "timeline": "on 500 {\nanswer\nwait 60s\n}"})).await;
    sim(json!({"op": "incoming", "caller": "79001112233", "called": "500"})).await;
    let found = until(&admin, &mut events, "calls", "/api/v1/calls", |calls| calls["items"] != json!([])).await;
    let chain = found["items"][0]["chain"].as_str().unwrap().to_owned();
    assert_eq!(admin.ask("DELETE", &format!("/api/v1/calls/{chain}"), None).await.0, 200);
    until(&admin, &mut events, "calls", "/api/v1/calls", |calls| calls["items"] == json!([])).await;
    assert!(soon("a stop", node.stop()).await);
}

#[tokio::test]
async fn tabs_are_listed_and_whoever_follows_hears_when_they_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut events = admin.follow("/api/v1/events?about=users").await;
    assert_eq!(admin.get("/api/v1/sessions").await, json!({"items": []}));
    let tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    let one = until(&admin, &mut events, "users", "/api/v1/sessions", |s| s["items"] != json!([])).await;
    let session = &one["items"][0];
    assert_eq!(
        (&session["login"], &session["door"], &session["name"]),
        (&json!("ivanov"), &json!("direct"), &json!("Ivan Ivanov"))
    );
    drop(tab);
    until(&admin, &mut events, "users", "/api/v1/sessions", |s| s["items"] == json!([])).await;
    assert!(soon("a stop", node.stop()).await);
}

#[tokio::test]
async fn every_tab_behind_a_link_is_told_when_it_comes_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let bind = Some("127.0.0.1:0".parse().unwrap());
    config.links.push(Link { name: "crm".to_owned(), mode: LinkMode::AcceptWs, bind, ..Link::default() });
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut crm = FakeCrm::connect(node.addresses.links[0].1, Format::Json).await;
    crm.introduce_bare().await;
    let mut events = admin.follow("/api/v1/events?about=users").await;
    let tabs = |count: usize| move |all: &Value| all["items"].as_array().is_some_and(|all| all.len() == count);
    for (at, tab) in ["t1", "t2", "t3"].into_iter().enumerate() {
        crm.0
            .say(&format!(r#"["login",{{"qid":"{tab}","userlogin":"ivanov","Password":"{HASH}","tabid":"{tab}"}}]"#))
            .await;
        until(&admin, &mut events, "users", "/api/v1/sessions", tabs(at + 1)).await;
    }
    crm.0.say(r#"["logout",{"qid":"o","userlogin":"ivanov","tabid":"t2"}]"#).await;
    until(&admin, &mut events, "users", "/api/v1/sessions", tabs(2)).await;
    assert!(soon("a stop", node.stop()).await);
}

// One thread, so that what is logged anywhere in the story is logged to the story.
#[tokio::test]
async fn the_lines_about_an_order_carry_its_number_from_the_frame_to_the_telephone_system() {
    let log = Log { filter: "info,ctigate=debug".to_owned(), ..Log::default() };
    let _guard = tracing::subscriber::set_default(logging::subscriber(&log, std::io::sink, false).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut follow = admin.follow("/api/v1/logs/follow?level=debug&search=pbxautocallstart").await;
    let since = admin.get("/api/v1/logs").await["next"].clone();
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    tab.0.say(r#"["pbxautocallstart",{"qid":"one-call","number":"102"}]"#).await;
    tab.0.hear_named("pbxautocallstartresult").await;
    // The frame, the order, what the telephone system is told, how it went.
    let is = |message: &'static str| {
        move |_: &str, line: &Value| line["message"] == message && line["fields"]["qid"] == "one-call"
    };
    let frame = follow.wait("the frame", is("received")).await;
    let order = follow.wait("the order", is("order")).await;
    assert_eq!(frame["fields"]["peer"], order["fields"]["peer"]);
    assert_eq!(order["fields"]["who"], "tab of ivanov");
    let number = order["fields"]["order"].as_str().unwrap();
    let lines = admin.get(&format!("/api/v1/logs?level=debug&after={since}")).await;
    let lines = lines["items"].as_array().unwrap();
    let about =
        |message: &str| lines.iter().any(|line| line["message"] == message && line["fields"]["order"] == number);
    assert!(about("to the telephone system") && about("order done"), "{lines:?}");
    let secret = config.users[0].password.as_ref().unwrap().expose();
    assert!(lines.iter().all(|line| !line.to_string().contains(secret)));
    let (status, refused) = admin.ask("GET", "/api/v1/logs?level=loud", None).await;
    assert_eq!(status, 400, "{refused}");
    assert!(soon("a stop", node.stop()).await);
}

/// An Asterisk with a phone 101 that does whatever it is told: its port, and the actions that it hears.
fn asterisk() -> (u16, std::sync::mpsc::Receiver<BTreeMap<String, String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut to = stream.try_clone().unwrap();
        to.write_all(b"Asterisk Call Manager/11.0.0\r\n").unwrap();
        let mut action = BTreeMap::new();
        for line in std::io::BufReader::new(stream).lines().map_while(Result::ok) {
            if let Some((key, value)) = line.split_once(": ") {
                action.insert(key.to_owned(), value.to_owned());
                continue;
            }
            let told: BTreeMap<String, String> = std::mem::take(&mut action);
            let id = told.get("ActionID").cloned().unwrap_or_default();
            let yes = |more: &str| format!("Response: Success\r\nActionID: {id}\r\n{more}\r\n");
            let end = format!("Event: Complete\r\nActionID: {id}\r\nEventList: Complete\r\n\r\n");
            let phone =
                format!("Event: DeviceStateChange\r\nActionID: {id}\r\nDevice: PJSIP/101\r\nState: NOT_INUSE\r\n\r\n");
            let answer = match told.get("Action").map_or("", String::as_str) {
                "Challenge" => yes("Challenge: 5\r\n"),
                "Login" => yes("") + "Event: FullyBooted\r\n\r\n",
                "DeviceStateList" => yes("EventList: start\r\n") + &phone + &end,
                "BridgeList" | "CoreShowChannels" | "QueueStatus" => yes("EventList: start\r\n") + &end,
                _ => yes(""),
            };
            // Nobody has to listen any more.
            let _ = heard.send(told);
            if to.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    (port, hears)
}

// One thread, so that what is logged anywhere in the story is logged to the story.
#[tokio::test]
async fn the_number_of_an_order_stands_beside_the_actionid_that_asterisk_gets() {
    let log = Log { filter: "info,ctigate=debug".to_owned(), ..Log::default() };
    let _guard = tracing::subscriber::set_default(logging::subscriber(&log, std::io::sink, false).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let (port, hears) = asterisk();
    config.pbx.kind = PbxKind::Asterisk;
    config.pbx.asterisk.port = port;
    config.pbx.asterisk.secret = Some(Secret::new("hush"));
    config.pbx.asterisk.agi_bind = None;
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let since = admin.get("/api/v1/logs").await["next"].clone();
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    soon("Asterisk and its phone", async {
        loop {
            let wanted = json!({"op": "picture"});
            let (_, picture) = admin.ask("POST", "/api/v1/sim", Some(&wanted)).await;
            if picture["phones"]
                .as_array()
                .is_some_and(|all| all.iter().any(|phone| phone["number"] == "101" && phone["connected"] == true))
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    tab.0.say(r#"["pbxautocallstart",{"qid":"one-call","number":"79001112233"}]"#).await;
    let lines = soon("the lines", async {
        loop {
            let lines = admin.get(&format!("/api/v1/logs?level=debug&after={since}")).await["items"].clone();
            let lines = lines.as_array().unwrap().clone();
            if lines.iter().any(|line| line["message"] == "to Asterisk" && line["fields"]["action"] == "Originate") {
                return lines;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    let find = |message: &str, field: &str, value: &Value| {
        let is = |line: &&Value| line["message"] == message && line["fields"][field] == *value;
        lines.iter().find(is).unwrap_or_else(|| panic!("{message} with {field} {value}: {lines:#?}"))["fields"].clone()
    };
    // The frame by its qid, the order by the same, Asterisk by the order, and what Asterisk got by its ActionID.
    find("received", "qid", &json!("one-call"));
    let order = find("order", "qid", &json!("one-call"))["order"].clone();
    find("to the telephone system", "order", &order);
    let sent = find("to Asterisk", "order", &order);
    let originated = soon("an Originate", async {
        loop {
            match hears.try_recv() {
                Ok(action) if action["Action"] == "Originate" => return action,
                Ok(_) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    })
    .await;
    assert_eq!(sent["id"], *originated["ActionID"]);
    assert!(!lines.iter().any(|line| line.to_string().contains("hush")));
    drop(tab);
    assert!(soon("a stop", node.stop()).await);
}
