use std::net::TcpListener;
use std::path::Path;

use ctigate::app::{self, Node};
use ctigate::config::Sources;
use ctigate::proto::message::Format;
use ctigate::shutdown::Shutdown;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::admin::Admin;
use crate::support::database::Other;
use crate::support::http::ask;
use crate::support::peers::{HASH, text};
use crate::support::process::free_address;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, soon};

/// A gateway without a file, as a first start has it, with its data in `folder` and ports of the system's choice.
pub(crate) async fn bare(folder: &Path) -> Node {
    let at = |name: &str| folder.join(name).display().to_string();
    let flags = [
        ("web.bind", "127.0.0.1:0".to_owned()),
        ("web.tls_bind", String::new()),
        ("web.admin_bind", "127.0.0.1:0".to_owned()),
        ("web.admin_token", at("admin.token")),
        ("files.folder", at("files")),
        ("recordings.folder", at("recordings")),
        ("store.url", format!("sqlite://{}", at("ctigate.db"))),
    ];
    let sources = flags.into_iter().fold(Sources::search(), |sources, (key, value)| sources.with_flag(key, value));
    let begun = app::begin(sources).await.unwrap_or_else(|e| panic!("{e}"));
    app::start_begun(begun, false, Shutdown::new(), Vec::new()).await.unwrap()
}

pub(crate) fn admin(node: &Node, folder: &Path) -> Admin {
    let token = std::fs::read_to_string(folder.join("admin.token")).unwrap().trim().to_owned();
    Admin { address: node.addresses.admin.unwrap(), token }
}

/// The first run with this administrator; his password is `Secret1-admin`.
async fn with_administrator(node: &Node, link: Option<Value>) -> (u16, Value) {
    let code = node.first_run().expect("nobody administers it");
    let mut body = json!({"code": code, "admin": {"login": "Anna", "name": "Anna A", "password": "Secret1-admin"}});
    if let Some(link) = link {
        body["link"] = link;
    }
    nobody(node).ask("POST", "/api/v1/setup", Some(&body)).await
}

/// Somebody without a token.
fn nobody(node: &Node) -> Admin {
    Admin { address: node.addresses.admin.unwrap(), token: "none".to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_makes_the_administrator_and_the_link_and_its_code_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    let code = node.first_run().expect("nobody administers it");
    assert_eq!(node.first_run(), None, "one address is enough");
    let stranger = nobody(&node);
    let (status, refused) = stranger.ask("GET", "/api/v1/setup?code=guess", None).await;
    assert_eq!(status, 403, "{refused}");
    let (status, asked) = stranger.ask("GET", &format!("/api/v1/setup?code={code}"), None).await;
    assert_eq!((status, &asked["needed"]), (200, &json!(true)));
    assert_eq!(asked["schema"]["items"].as_array().unwrap().len(), 6);

    let bind = free_address();
    let link = json!({"name": "crm", "mode": "accept-ws", "bind": bind.to_string()});
    let short = json!({"code": code, "admin": {"login": "anna", "password": "short"}, "link": link});
    assert_eq!(stranger.ask("POST", "/api/v1/setup", Some(&short)).await.0, 400);
    let wrong = json!({"code": code, "admin": {"login": "anna", "password": "Secret1-admin"}, "link": {"name": "crm", "mode": "dial-ws"}});
    let (status, refused) = stranger.ask("POST", "/api/v1/setup", Some(&wrong)).await;
    assert_eq!((status, &refused["findings"][0]["layer"]), (409, &json!("store")), "{refused}");
    let right =
        json!({"code": code, "admin": {"login": "Anna", "name": "Anna A", "password": "Secret1-admin"}, "link": link});
    let (status, done) = stranger.ask("POST", "/api/v1/setup", Some(&right)).await;
    assert_eq!((status, done["changes"].as_array().map(Vec::len)), (200, Some(2)), "{done}");
    assert_eq!(stranger.ask("GET", &format!("/api/v1/setup?code={code}"), None).await.0, 403, "it counts once");

    FakeCrm::connect(bind, Format::Json).await.introduce_bare().await;
    assert!(node.stop().await);
    let again = bare(folder.path()).await;
    assert_eq!(again.first_run(), None, "somebody administers it");
    let users = admin(&again, folder.path()).get("/api/v1/snapshot").await;
    assert_eq!(users["users"][0]["login"], "Anna");
    let trail = admin(&again, folder.path()).get("/api/v1/audit").await;
    let first = &trail["items"][0];
    assert_eq!(
        (&first["what"], &first["who"], &first["from_where"]),
        (&json!("setup"), &json!("Anna"), &json!("127.0.0.1"))
    );
    assert!(!trail.to_string().contains("Secret1-admin") && !trail.to_string().contains("argon2"), "{trail}");
    assert!(again.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_whose_link_cannot_be_leaves_nobody_behind() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    let code = node.first_run().expect("nobody administers it");
    // Its settings are right; only the port is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let body = json!({"code": code, "admin": {"login": "Anna", "password": "Secret1-admin"},
        "link": {"name": "crm", "mode": "accept-ws", "bind": taken.local_addr().unwrap().to_string()}});
    let (status, refused) = nobody(&node).ask("POST", "/api/v1/setup", Some(&body)).await;
    assert_eq!(status, 409, "{refused}");
    let admin = admin(&node, folder.path());
    assert_eq!(admin.get("/api/v1/users").await["items"], json!([]));
    assert_eq!(admin.get("/api/v1/links").await["items"], json!([]));
    let mut other = Other::file(&folder.path().join("ctigate.db")).await;
    assert_eq!(other.number("SELECT count(*) FROM account").await, 0);

    // Nor does a link whose row the database refuses.
    other.run("CREATE TRIGGER no_links BEFORE INSERT ON link_setting BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    drop(taken);
    let (status, refused) = nobody(&node).ask("POST", "/api/v1/setup", Some(&body)).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(other.number("SELECT count(*) FROM account").await, 0, "both or neither");
    other.run("DROP TRIGGER no_links").await;
    // The code still counts.
    assert_eq!(nobody(&node).ask("POST", "/api/v1/setup", Some(&body)).await.0, 200);
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_first_run_where_the_store_has_accounts_whatever_they_are_worth() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    assert!(node.first_run().is_some());
    let user = json!({"login": "petrov", "password": "Secret3-petrov"});
    assert_eq!(admin(&node, folder.path()).ask("POST", "/api/v1/users", Some(&user)).await.0, 201);
    assert!(node.stop().await);
    let node = bare(folder.path()).await;
    assert_eq!(node.first_run(), None);
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_does_to_a_running_gateway_is_in_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    let admin = admin(&node, folder.path());
    let link = json!({"name": "crm", "mode": "accept-ws", "bind": free_address().to_string()});
    let wider = json!({"name": "crm", "mode": "accept-ws", "bind": link["bind"], "trust_users": true});
    for (method, path, body, status) in [
        ("POST", "/api/v1/links", Some(&link), 201),
        ("PUT", "/api/v1/links/crm", Some(&wider), 200),
        ("POST", "/api/v1/links/crm/reconnect", None, 200),
        ("POST", "/api/v1/links/none/reconnect", None, 404),
        ("DELETE", "/api/v1/links/crm", None, 200),
        ("POST", "/api/v1/drain", Some(&json!({"over_ms": 60_000})), 200),
        ("DELETE", "/api/v1/drain", None, 200),
        ("DELETE", "/api/v1/drain", None, 200),
    ] {
        let (found, said) = admin.ask(method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {said}");
    }
    let trail = admin.get("/api/v1/audit").await;
    let rows = trail["items"].as_array().unwrap().iter();
    let mut told: Vec<String> =
        rows.map(|row| format!("{} {}", row["what"].as_str().unwrap(), row["about"].as_str().unwrap())).collect();
    told.reverse();
    assert_eq!(
        told,
        [
            "link.add link[crm]",
            "link.set link[crm].trust_users",
            "link.reconnect crm",
            "link.remove link[crm]",
            "drain ",
            "drain.end "
        ],
        "what was refused, and what ended nothing, is not there"
    );
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_added_changed_tried_and_removed_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    assert_eq!(with_administrator(&node, None).await.0, 200);
    let admin = admin(&node, folder.path());
    let bind = free_address();
    let wanted = json!({"name": "crm", "mode": "accept-ws", "bind": bind.to_string(), "login": "crm", "password": "the-secret", "auth": "basic"});
    let (status, done) = admin.ask("POST", "/api/v1/links", Some(&wanted)).await;
    assert_eq!((status, &done["changes"][0]["key"]), (201, &json!("link[crm]")), "{done}");
    assert!(!done.to_string().contains("the-secret"));
    assert_eq!(admin.ask("POST", "/api/v1/links", Some(&wanted)).await.0, 409, "the name is taken");

    let one = admin.get("/api/v1/links/crm").await;
    assert_eq!(
        (&one["origin"], &one["state"], &one["settings"]["password"]),
        (&json!("store"), &json!("waiting"), &json!("***"))
    );
    assert_eq!(admin.ask("GET", "/api/v1/links/none", None).await.0, 404);
    let check = async |query: String| admin.get(&format!("/api/v1/ports/check?{query}")).await;
    assert_eq!(check(format!("address={bind}")).await, json!({"free": false, "why": "link crm has it"}));
    assert_eq!(check(format!("address={bind}&except=crm")).await["free"], true);
    assert_eq!(check(format!("address={}", free_address())).await["free"], true);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(check(format!("address={}", taken.local_addr().unwrap())).await["free"], false);

    // With the secret kept, and another port.
    let other = free_address();
    let changed = json!({"name": "crm", "mode": "accept-ws", "bind": other.to_string(), "login": "crm", "password": "***", "auth": "basic"});
    let (status, done) = admin.ask("PUT", "/api/v1/links/crm", Some(&changed)).await;
    assert_eq!(
        (status, done["changes"].as_array().map(Vec::len), &done["changes"][0]["effect"]),
        (200, Some(1), &json!("relink")),
        "{done}"
    );
    let basic = ctigate::proto::auth::basic::Basic { login: "crm".to_owned(), password: "the-secret".to_owned() };
    let header = basic.header().unwrap();
    let headers = [("Sec-WebSocket-Protocol", "json"), ("Authorization", &*header)];
    let ws = crate::support::Ws::connect(other, &headers).await;
    let mut crm = FakeCrm(crate::support::peers::Channel::new(ws, Format::Json));
    crm.introduce_bare().await;
    let up = async || admin.get("/api/v1/links").await["items"][0]["state"] == "up";
    soon("the link", async {
        while !up().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(admin.ask("POST", "/api/v1/links/crm/reconnect", None).await.0, 200);
    assert_eq!(crm.0.closed().await.0, 1012);

    // A trial of a CRM that is there, and of one that is not.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let crm = tokio::spawn(async move {
        // The first connection only looks whether somebody is there.
        drop(server.accept().await.unwrap());
        let (tcp, _) = server.accept().await.unwrap();
        let mut crm = FakeCrm::accept(Box::new(tcp), Format::Json).await;
        let who = crm.0.hear_named("whoareyou").await;
        crm.0
            .say(&format!(r#"["iam",{{"qid":"{}","type":"crm","name":"Tried","version":"1"}}]"#, text(&who, "qid")))
            .await;
        loop {
            let asked = crm.0.hear().await;
            let (name, list) = match &*asked.name {
                "getavailablemethods" => ("availablemethods", "methods"),
                "getavailableforms" => ("availableforms", "forms"),
                "getactiveusers" => ("activeusers", "users"),
                "ping" => {
                    let body = asked.body.clone();
                    let pong = ctigate::proto::message::Envelope::new("pong", body);
                    crm.0.say(&crate::support::peers::json(&pong)).await;
                    continue;
                }
                _ => continue,
            };
            crm.0.say(&format!(r#"["{name}",{{"qid":"{}","{list}":[]}}]"#, text(&asked, "qid"))).await;
            if name == "activeusers" {
                return;
            }
        }
    });
    let steps = trial(&admin, &json!({"name": "new", "mode": "dial-ws", "url": url})).await;
    let ended: Vec<String> = steps
        .iter()
        .filter(|step| step["state"] != "running")
        .map(|step| {
            format!("{} {}", step["step"].as_str().unwrap_or("done"), step["state"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        ended,
        [
            "settings ok",
            "resolve ok",
            "connect ok",
            "upgrade ok",
            "sub_protocol ok",
            "introduction ok",
            "ping ok",
            "methods ok",
            "forms ok",
            "users ok",
            "done "
        ]
    );
    assert_eq!(steps.last().unwrap(), &json!({"done": true, "ok": true}));
    crm.await.unwrap();
    let steps = trial(&admin, &json!({"name": "new", "mode": "dial-ws", "url": url})).await;
    let failed = &steps[steps.len() - 2];
    assert_eq!((&failed["step"], &failed["state"]), (&json!("connect"), &json!("fail")), "{steps:?}");
    assert!(failed["advice_ru"].as_str().unwrap().contains("запустите CRM"), "{failed}");
    assert_eq!(steps.last().unwrap()["ok"], false);
    let steps = trial(&admin, &json!({"name": "new", "mode": "dial-ws"})).await;
    assert_eq!((&steps[0]["step"], &steps[0]["state"]), (&json!("settings"), &json!("fail")));

    assert_eq!(admin.ask("DELETE", "/api/v1/links/crm", None).await.0, 200);
    assert_eq!(admin.get("/api/v1/links").await["items"], json!([]));
    assert_eq!(admin.ask("DELETE", "/api/v1/links/crm", None).await.0, 404);
    assert!(node.stop().await);
}

/// The events of a trial.
async fn trial(admin: &Admin, link: &Value) -> Vec<Value> {
    let mut tcp = TcpStream::connect(admin.address).await.unwrap();
    let body = link.to_string();
    let head = format!(
        "POST /api/v1/links/test HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        admin.address,
        admin.token,
        body.len()
    );
    tcp.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut all = Vec::new();
    soon("the trial", tcp.read_to_end(&mut all)).await.unwrap();
    let all = String::from_utf8(all).unwrap();
    all.lines().filter_map(|line| line.strip_prefix("data: ")).map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_emptied_and_whoever_waits_gets_the_answer_first() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    let bind = free_address();
    let link = json!({"name": "crm", "mode": "accept-ws", "bind": bind.to_string()});
    assert_eq!(with_administrator(&node, Some(link)).await.0, 200);
    let admin = admin(&node, folder.path());
    let web = node.addresses.web.unwrap();
    let mut crm = FakeCrm::connect(bind, Format::Json).await;
    crm.introduce(r#"[{"name":"FindClient"}]"#, "[]", "[]").await;
    let password = ctigate::proto::auth::password::hash("Secret1-admin").unwrap();
    assert_ne!(password, HASH);
    let login = async || {
        let mut tab = FakeTab::connect(web, Format::Json).await;
        tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"anna","Password":"{password}"}}]"#)).await;
        assert_eq!(tab.0.hear_named("loginresult").await.body.int("result"), Some(1));
        tab
    };
    let (mut idle, mut asking) = (login().await, login().await);
    asking.0.say(r#"["executemethod",{"qid":"e","name":"FindClient","inputparameters":{}}]"#).await;
    let id = text(&crm.0.hear_named("executemethod").await, "executionid");

    let (status, begun) = admin.ask("POST", "/api/v1/drain", Some(&json!({"over_ms": 0, "back_ms": 7000}))).await;
    assert_eq!((status, &begun["draining"], &begun["back_ms"]), (200, &json!(true), &json!(7000)), "{begun}");
    assert_eq!(idle.0.closed().await, (1001, "the gateway is emptied; connect again in 7 s".to_owned()));
    let (ready, _) = ask(admin.address, format!("GET /readyz HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address)).await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("draining"), "{}", ready.body);
    for address in [web, bind] {
        let (answer, _) = ask(address, request("/", &[("Sec-WebSocket-Protocol", "json")])).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("7")), "{address}");
    }
    crm.0.say(&format!(r#"["methodresult",{{"executionid":"{id}","outputparameters":{{"clientid":"42"}}}}]"#)).await;
    let result = asking.0.hear_named("methodresult").await;
    assert_eq!((text(&result, "qid"), result.body.int("result")), ("e".to_owned(), Some(1)));
    assert_eq!(asking.0.closed().await.0, 1001);
    assert_eq!(crm.0.closed().await.0, 1001);
    soon("nobody to be left", async {
        while admin.get("/api/v1/drain").await["left"] != 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    let (status, over) = admin.ask("DELETE", "/api/v1/drain", None).await;
    assert_eq!((status, &over["draining"]), (200, &json!(false)));
    login().await.ping().await;
    assert!(node.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_says_of_everything_how_it_is_in_two_languages() {
    let folder = tempfile::tempdir().unwrap();
    let node = bare(folder.path()).await;
    let nobody_there = json!({"name": "crm", "mode": "dial-ws", "url": format!("ws://{}/", free_address())});
    assert_eq!(with_administrator(&node, Some(nobody_there)).await.0, 200);
    let admin = admin(&node, folder.path());
    let found = admin.get("/api/v1/doctor").await;
    let items = found["items"].as_array().unwrap();
    for item in items {
        let state = item["state"].as_str().unwrap();
        assert!(["green", "amber", "red"].contains(&state), "{item}");
        for key in ["name_en", "name_ru", "group"] {
            assert!(!item[key].as_str().unwrap().is_empty(), "{item}");
        }
        assert_eq!(item["advice_en"] == "", item["advice_ru"] == "", "{item}");
    }
    let of =
        |name: &str| items.iter().find(|item| item["name_en"] == name).unwrap_or_else(|| panic!("{name}: {found}"));
    for name in ["users", "store", "writing", "settings", "disk", "clock", "dynamic methods"] {
        of(name);
    }
    let link = of("link crm");
    assert_eq!((&link["group"], &link["state"]), (&json!("links"), &json!("amber")));
    assert_eq!(link["advice_ru"], "запустите CRM или проверьте межсетевой экран");
    assert!(items.iter().all(|item| item["name_en"] != "ports"), "its own ports are in use by it");
    let (status, _) = admin.ask("PUT", "/api/v1/settings", Some(&json!({"log.format": "json"}))).await;
    assert_eq!(status, 200);
    let found = admin.get("/api/v1/doctor").await;
    let settings = found["items"].as_array().unwrap().iter().find(|item| item["name_en"] == "settings").unwrap();
    assert_eq!(
        (&settings["state"], &settings["detail_en"]),
        (&json!("amber"), &json!("counts after a restart: log.format"))
    );
    assert!(node.stop().await);
}
