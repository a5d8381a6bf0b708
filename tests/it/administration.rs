//! What administrators see and do: a whole node with the simulated telephone system, asked over its admin port.

use ctigate::config::{Config, Log, Secret, User};
use ctigate::telemetry::logging;
use serde_json::{Value, json};

use crate::support::admin::{Admin, Events};
use crate::support::{FakeTab, node, soon};
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
async fn a_call_is_started_for_those_for_whom_programs_may_call() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let node = node::start(&config).await;
    let admin = Admin::of(&node, &config);
    let mut events = admin.follow("/api/v1/events?about=calls").await;
    let dial = async |login: &str, number: &str| {
        admin.ask("POST", "/api/v1/calls", Some(&json!({"login": login, "number": number}))).await
    };
    let (status, refused) = dial("petrov", "101").await;
    assert!(status == 403 && refused["errormsg"].as_str().unwrap().contains("api_call_enabled"), "{refused}");
    assert_eq!(dial("nobody", "101").await.0, 404);
    assert_eq!(dial("ivanov", "102").await, (201, json!({})));
    let found = until(&admin, &mut events, "calls", "/api/v1/calls", |c| c["items"] != json!([])).await;
    assert_eq!((&found["items"][0]["caller"], &found["items"][0]["called"]), (&json!("101"), &json!("102")));
    let (status, busy) = dial("ivanov", "102").await;
    assert_eq!(status, 409, "the phone rings already: {busy}");
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
