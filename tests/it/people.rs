//! People and programs: the commands with and without a gateway, the interface of a running one, and keys on the WebSocket.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use ctigate::config::{Role, Secret, User};
use ctigate::proto::message::Format;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::peers::Channel;
use crate::support::{FakeTab, Ws, http, node, soon, ws};

/// How a command ended: its code, what it printed, what it complained of.
fn run(folder: &Path, args: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctigate"));
    command.args(args).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CTIGATE_")) {
        command.env_remove(name);
    }
    let mut child = command.spawn().unwrap();
    // One that wants no input may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code().unwrap_or(-1), text(ended.stdout), text(ended.stderr))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[test]
fn people_and_keys_are_looked_after_while_no_gateway_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[[user]]\nlogin = \"ivanov\"\nnumber = \"101\"\npassword = \"Secret1\"\n\
                [web]\nadmin_bind = \"127.0.0.1:1\"\n";
    std::fs::write(folder.path().join("ctigate.toml"), file).unwrap();
    let run = |args: &[&str], input: &str| run(folder.path(), args, input);

    let (code, out, err) = run(&["user", "add", "petrov", "--number", "102", "--password-stdin"], "Secret2\n");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "petrov is added; no gateway runs here, it counts from the next start\n");
    let (code, _, err) = run(&["user", "add", "petrov", "--generate"], "");
    assert!(code == 1 && err.contains("there is a user petrov already"), "{err}");
    let (code, _, err) = run(&["user", "add", "sidorova", "--number", "101", "--generate"], "");
    assert!(code == 1 && err.contains("number: ") && err.contains("number of ivanov"), "{err}");
    let (code, _, err) = run(&["user", "add", "sidorova"], "");
    assert!(code == 2 && err.contains("--generate"), "{err}");
    let (code, out, _) = run(
        &["user", "add", "sidorova", "--role", "supervisor", "--subordinate", "petrov", "--generate", "--must-change"],
        "",
    );
    let password = out.lines().next().and_then(|line| line.strip_prefix("password: ")).unwrap_or_default();
    assert_eq!((code, password.len()), (0, 16), "{out}");
    let (code, _, err) = run(&["user", "remove", "petrov"], "");
    assert!(code == 1 && err.contains("subordinates"), "{err}");
    let (code, _, err) = run(&["user", "set", "ivanov", "--name", "I"], "");
    assert!(code == 1 && err.contains("configuration file"), "{err}");
    let (code, out, _) =
        run(&["user", "set", "petrov", "--right", "+ghost", "--right", "-files", "--api-calls", "yes"], "");
    assert_eq!(code, 0, "{out}");

    let (_, out, _) = run(&["user", "list", "--json"], "");
    let people = lines(&out);
    let told: Vec<_> = people.iter().map(|p| (p["login"].as_str().unwrap(), p["origin"].as_str().unwrap())).collect();
    assert_eq!(told, [("ivanov", "file"), ("petrov", "store"), ("sidorova", "store")]);
    assert_eq!(people[1]["rights"], json!(["+ghost", "-files"]));
    assert_eq!(people[2]["must_change_password"], true);
    assert!(run(&["user", "list"], "").1.contains("must change the password"));

    let table = "\u{feff}login;number;role\r\nkim;103;agent\r\nlee;103;agent\r\nmin;104;boss\r\n";
    std::fs::write(folder.path().join("people.csv"), table).unwrap();
    let (code, out, err) = run(&["user", "import", "people.csv", "--try"], "");
    assert!(code == 1 && out.contains("line 4, role: ") && out.contains("line 3, number: "), "{out}{err}");
    let (code, out, _) = run(&["user", "import", "-"], "login,number\nkim,103\nlee,105\n");
    assert!(code == 0 && out.contains("2 new, 0 changed"), "{out}");

    let (code, out, _) = run(&["key", "add", "amo", "--numbers", "100-199", "--expires", "90d"], "");
    let key = out.lines().next().and_then(|line| line.strip_prefix("key: ")).unwrap_or_default().to_owned();
    assert!(code == 0 && key.starts_with("ctk_") && key.len() == 68, "{out}");
    let (code, _, err) = run(&["key", "add", "amo"], "");
    assert!(code == 1 && err.contains("ctigate key replace amo"), "{err}");
    let (code, _, err) = run(&["key", "add", "w", "--kind", "widget", "--login", "kim"], "");
    assert!(code == 1 && err.contains("--api-calls yes"), "{err}");
    assert_eq!(run(&["key", "add", "w", "--kind", "widget", "--login", "petrov"], "").0, 0);
    let keys = lines(&run(&["key", "list", "--json"], "").1);
    assert_eq!((keys[0]["numbers"].as_str(), keys[1]["login"].as_str()), (Some("100-199"), Some("petrov")));
    let (code, out, _) = run(&["key", "replace", "amo"], "");
    assert!(code == 0 && !out.contains(&key), "{out}");
    assert_eq!(run(&["key", "remove", "amo"], "").0, 0);
    assert_eq!(run(&["key", "remove", "amo"], "").0, 1);

    let (_, out, _) = run(&["audit", "--json"], "");
    let what: Vec<String> = lines(&out).iter().map(|e| e["what"].as_str().unwrap().to_owned()).collect();
    let expected =
        ["user.add", "user.add", "user.set", "user.import", "key.add", "key.add", "key.replace", "key.remove"];
    assert_eq!(what, expected);
    assert!(out.contains("(command line)") || out.contains("command line"), "{out}");
    for secret in ["Secret2", password, &key, "$argon2id"] {
        assert!(!out.contains(secret), "{out}");
    }
    let store = std::fs::read(folder.path().join("data/ctigate.db")).unwrap();
    let kept = |secret: &str| store.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!kept(&key[4..]) && !kept("Secret2"), "a secret is in the file");
}

/// A house with an administrator.
fn house(folder: &Path) -> ctigate::config::Config {
    let mut config = node::config(folder);
    config.users[0].api_call_enabled = true;
    config.users.push(User {
        login: "boss".to_owned(),
        role: Role::Admin,
        password: Some(Secret::new("Secret1")),
        ..User::default()
    });
    config
}

/// A program that connects with a key in the address.
async fn program(web: std::net::SocketAddr, key: &str) -> Channel {
    let io = soon("connect", tokio::net::TcpStream::connect(web)).await.unwrap();
    let path = format!("/?ticket={key}");
    let ws = Ws::shake(Box::new(io), &path, &[("Sec-WebSocket-Protocol", "json")]).await;
    Channel::new(ws, Format::Json)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_added_comes_in_at_once_and_changes_the_password_first() {
    let folder = tempfile::tempdir().unwrap();
    let config = house(folder.path());
    let node = node::start(&config).await;
    let (admin, web) = (Admin::of(&node, &config), node.addresses.web.unwrap());
    let new = json!({ "login": "petrov", "number": "102", "password": "Secret1", "must_change_password": true });
    assert_eq!(admin.ask("POST", "/api/v1/users", Some(&new)).await.0, 201);
    assert_eq!(admin.ask("POST", "/api/v1/users", Some(&new)).await.0, 409);
    let mut tab = FakeTab::connect(web, Format::Json).await;
    tab.0
        .say(&format!(r#"["login",{{"qid":"l","userlogin":"petrov","Password":"{}"}}]"#, crate::support::peers::HASH))
        .await;
    let reply = tab.0.hear_named("loginresult").await;
    assert_eq!((reply.body.int("result"), reply.body.flag("mustchangepassword")), (Some(1), Some(true)));
    tab.0.say(r#"["getuserstate",{"qid":"s"}]"#).await;
    assert_eq!(tab.0.hear_named("getuserstateresult").await.body.int("error"), Some(59004));
    let change = r#"["changepassword",{"qid":"c","oldpwdmd5":"d6cb2342e44efb6dd628276f36da2359","newpwdmd5":"578dd15b518cb3a96e450822ebae36d3"}]"#;
    tab.0.say(change).await;
    assert_eq!(tab.0.hear_named("changepasswordresult").await.body.int("result"), Some(1));
    tab.0.say(r#"["getuserstate",{"qid":"s"}]"#).await;
    assert_eq!(tab.0.hear_named("getuserstateresult").await.body.int("result"), Some(1));

    let users = admin.get("/api/v1/users").await;
    let petrov = users["items"].as_array().unwrap().iter().find(|user| user["login"] == "petrov").unwrap().clone();
    assert_eq!(
        (&petrov["online"], &petrov["must_change_password"], &petrov["origin"]),
        (&json!(true), &json!(false), &json!("store"))
    );
    assert_eq!(admin.ask("DELETE", "/api/v1/users/petrov/sessions", None).await.0, 200);
    tab.0.closed().await;
    assert_eq!(admin.ask("DELETE", "/api/v1/users/petrov", None).await.0, 200);
    assert_eq!(admin.ask("DELETE", "/api/v1/users/ivanov", None).await.0, 409, "he stands in the file");
    let trail = admin.get("/api/v1/audit?limit=2").await;
    assert_eq!(trail["items"][0]["what"], "user.remove");
    assert_eq!((&trail["items"][0]["who"], &trail["items"][0]["from_where"]), (&json!("token"), &json!("127.0.0.1")));
    let rest = admin.get(&format!("/api/v1/audit?after={}", trail["next"].as_str().unwrap())).await;
    assert_eq!((&rest["items"][0]["what"], &rest["next"]), (&json!("user.add"), &json!("")));
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_opens_the_websocket_and_the_interface_until_it_is_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let config = house(folder.path());
    let node = node::start(&config).await;
    let (admin, web) = (Admin::of(&node, &config), node.addresses.web.unwrap());
    let make = async |wish: Value| {
        let (status, made) = admin.ask("POST", "/api/v1/keys", Some(&wish)).await;
        assert_eq!(status, 201, "{made}");
        made["key"].as_str().unwrap().to_owned()
    };
    let service = make(json!({ "client_id": "amo", "rights": ["call", "users"] })).await;
    let widget = make(json!({ "client_id": "w", "kind": "widget", "login": "ivanov", "rights": ["call"] })).await;
    assert_eq!(admin.ask("POST", "/api/v1/keys", Some(&json!({ "client_id": "amo" }))).await.0, 409);

    let mut amo = program(web, &service).await;
    assert_eq!(amo.hear_named("loginresult").await.body.int("result"), Some(1));
    let mut tab = program(web, &widget).await;
    assert_eq!(tab.hear_named("loginresult").await.body.text("userlogin").as_deref(), Some("ivanov"));
    let online = amo.hear_named("userstatechanged").await;
    assert_eq!(online.body.text("userlogin").as_deref(), Some("ivanov"));
    amo.say(r#"["pbxautocallstart",{"qid":"d","userlogin":"ivanov","number":"79001112233"}]"#).await;
    // The line may change before the order is done, or after.
    let mut heard = Vec::new();
    while !["pbxautocallstartresult", "linestatechanged"].iter().all(|name| heard.iter().any(|h| h == name)) {
        let envelope = amo.hear().await;
        if envelope.name == "pbxautocallstartresult" {
            assert_eq!(envelope.body.int("result"), Some(1));
        }
        heard.push(envelope.name.to_string());
    }

    // The same key on both ports, in the header and in the address.
    for (address, path, status) in [
        (web, "/api/v1/snapshot", 200),
        (admin.address, "/api/v1/snapshot", 200),
        (web, "/api/v1/users", 403),
        (admin.address, "/api/v1/audit", 403),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {service}\r\n\r\n");
        assert_eq!(http::ask(address, head).await.0.status, status, "{path}");
        let bare = format!("GET {path}?ticket={service} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        assert_eq!(http::ask(address, bare).await.0.status, status, "{path}");
    }
    let wrong = ws::request("/?ticket=ctk_wrong", &[("Sec-WebSocket-Protocol", "json")]);
    assert_eq!(http::ask(web, wrong).await.0.status, 401);

    let (status, made) = admin.ask("POST", "/api/v1/keys/amo/replace", None).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(amo.closed().await, (1008, "the key counts no more".to_owned()));
    let old = ws::request(&format!("/?ticket={service}"), &[("Sec-WebSocket-Protocol", "json")]);
    assert_eq!(http::ask(web, old).await.0.status, 401);
    let mut again = program(web, made["key"].as_str().unwrap()).await;
    again.hear_named("loginresult").await;
    assert_eq!(admin.ask("DELETE", "/api/v1/keys/w", None).await.0, 200);
    assert_eq!(tab.closed().await.0, 1008);
    let keys = admin.get("/api/v1/keys").await;
    assert_eq!(keys["items"].as_array().unwrap().len(), 1);
    assert!(!keys.to_string().contains("ctk_"), "{keys}");
    assert!(node.stop().await);
}

/// The log of a real gateway, at its most talkative, has no key that was shown in an address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_never_logged() {
    use std::io::BufRead;

    let folder = tempfile::tempdir().unwrap();
    let ports = "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n";
    std::fs::write(folder.path().join("ctigate.toml"), ports).unwrap();
    let (_, out, _) = run(folder.path(), &["key", "add", "amo"], "");
    let key = out.lines().next().and_then(|line| line.strip_prefix("key: ")).unwrap().to_owned();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ctigate"))
        .args(["serve", "--log", "trace"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = Vec::new();
    let ready = loop {
        let line = lines.next().unwrap().unwrap();
        log.push(line.clone());
        if line.contains(" ready ") {
            break line;
        }
    };
    let address = |name: &str| {
        let rest = ready.split(&format!("{name}: Some(")).nth(1).unwrap();
        rest.split(')').next().unwrap().parse::<std::net::SocketAddr>().unwrap()
    };
    let (web, admin) = (address("web"), address("admin"));
    let mut amo = program(web, &key).await;
    amo.hear_named("loginresult").await;
    for address in [web, admin] {
        for ticket in [key.as_str(), "ctk_of_nobody"] {
            let bare = format!("GET /api/v1/me?ticket={ticket} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            let status = http::ask(address, bare).await.0.status;
            assert_eq!(status, if ticket == key { 200 } else { 401 });
        }
    }
    drop(amo);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    log.extend(lines.map_while(Result::ok));
    assert!(child.wait().unwrap().success());
    assert!(log.len() > 5, "{log:?}");
    let told: Vec<&String> =
        log.iter().filter(|line| line.contains(&key[..12]) || line.contains("ctk_of_nobody")).collect();
    assert!(told.is_empty(), "{told:?}");
}
