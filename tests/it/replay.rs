//! What a running gateway writes down: it plays again to the same bytes, and no secret is in it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use ctigate::app::{self, Node};
use ctigate::capture::{Played, play};
use ctigate::config::{Config, Sources};
use ctigate::proto::message::Format;
use ctigate::shutdown::Shutdown;

use crate::support::http::ask;
use crate::support::peers::{HASH, text};
use crate::support::{FakeCrm, FakeTab};

const FORMS: &str = r#"[{"name":"card","inputparameters":[{"name":"phone","type":"string"}],"outputparameters":[{"name":"note","type":"string"}]}]"#;

fn config(folder: &Path) -> Config {
    let text = format!(
        r#"
[web]
bind = "127.0.0.1:0"
tls_bind = ""
admin_bind = "127.0.0.1:0"
admin_token = "{folder}/admin.token"
[store]
url = "sqlite://{folder}/ctigate.db"
[files]
folder = "{folder}/files"
[recordings]
folder = "{folder}/recordings"
[[user]]
login = "ivanov"
number = "101"
password = "Secret1"
[[user]]
login = "petrov"
number = "102"
password = "Secret1"
[[queue]]
number = "500"
name = "Support"
users = ["ivanov", "petrov"]
[[link]]
name = "crm"
mode = "accept-ws"
bind = "127.0.0.1:0"
auth = "none"
[[form]]
name = "card"
ask = "Find"
parameters = {{ phone = "{{caller}}" }}
"#,
        folder = folder.display()
    );
    Config::load(&Sources::text(text)).unwrap_or_else(|e| panic!("{e}")).config
}

async fn start(config: &Config, record: &Path) -> Node {
    app::start_recorded(config, false, Shutdown::new(), Vec::new(), Some(record)).await.unwrap()
}

async fn call(tab: &mut FakeTab, name: &str, fields: &str) -> ctigate::proto::message::Envelope {
    tab.0.say(&format!(r#"["{name}",{{"qid":"one"{fields}}}]"#)).await;
    tab.0.hear_named(&format!("{name}result")).await
}

async fn post(node: &Node, token: &str, method: &str, path: &str, body: &str) -> crate::support::http::Answer {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    ask(node.addresses.admin.unwrap(), request).await.0
}

fn played(file: &Path) -> Played {
    let open = || BufReader::new(File::open(file).unwrap());
    let first = play(open(), None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(first.difference, None);
    assert_eq!(first, play(open(), None).unwrap(), "twice the same");
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_people_a_crm_and_calls_plays_again_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (first, second) = (folder.path().join("first.capture"), folder.path().join("second.capture"));
    let mut secrets = vec![HASH.to_owned(), "Secret1".to_owned()];

    let node = start(&config, &first).await;
    let web = node.addresses.web.unwrap();
    let token = std::fs::read_to_string(config.admin_token()).unwrap().trim().to_owned();
    secrets.push(token.clone());
    let mut crm = FakeCrm::connect(node.addresses.links[0].1, Format::Xml).await;
    crm.introduce(r#"[{"name":"Find"}]"#, FORMS, "[]").await;
    crm.0.say(&format!(r#"["login",{{"qid":"tl","userlogin":"petrov","Password":"{HASH}","tabid":"t7"}}]"#)).await;
    secrets.push(text(&crm.0.hear_named("loginresult").await, "sessionid"));
    let wrong = "0123456789abcdef0123456789abcdef";
    crm.0.say(&format!(r#"["login",{{"qid":"tw","userlogin":"petrov","Password":"{wrong}","tabid":"t8"}}]"#)).await;
    assert_eq!(crm.0.hear_named("loginresult").await.body.int("result"), Some(0));
    secrets.push(wrong.to_owned());

    let mut tab = FakeTab::connect(web, Format::Json).await;
    tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    let session = text(&tab.0.hear_named("loginresult").await, "sessionid");
    secrets.push(session.clone());
    call(&mut tab, "subscribeevent", r#","eventmethod":["dlgcard","phoneevent"]"#).await;
    secrets.push(text(&call(&mut tab, "gettemphttppass", "").await, "password"));
    let nested = "a-secret-of-a-form-77";
    call(
        &mut tab,
        "triggercustomevent",
        &format!(r#","eventname":"x","eventparam":{{"userPassword":"{nested}"}},"recipients":false"#),
    )
    .await;
    secrets.push(nested.to_owned());

    let began = post(&node, &token, "POST", "/api/v1/captures", r#"{"user":"ivanov"}"#).await;
    assert_eq!(began.status, 201, "{began:?}");
    let called =
        post(&node, &token, "POST", "/api/v1/sim", r#"{"op":"incoming","caller":"79001112233","called":"101"}"#).await;
    assert_eq!(called.status, 200, "{called:?}");
    let asked = crm.0.hear_named("executemethod").await;
    let id = text(&asked, "executionid");
    crm.0.say(&format!(r#"["methodresult",{{"qid":"r","executionid":"{id}","result":1,"outputparameters":{{"a":1.50,"b":[null,"Ы"]}}}}]"#)).await;
    let card = text(&tab.0.hear_named("dlgcard_showformdialog").await, "cardid");
    call(&mut tab, "dlgcard_values", &format!(r#","cardid":"{card}","values":{{"note":"x"}}"#)).await;
    assert_eq!(call(&mut tab, "pbxanswercall", "").await.body.int("result"), Some(1));
    assert_eq!(call(&mut tab, "pbxabortcall", "").await.body.int("result"), Some(1));
    let journal = call(&mut tab, "getpbxcalljournal", "").await;
    assert_eq!(journal.body.int("result"), Some(1));

    // Somebody new while all is written down, with a number, and at once in a call.
    let new = r#"{"login":"sidorova","number":"105","password":"a new secret"}"#;
    let added = post(&node, &token, "POST", "/api/v1/users", new).await;
    assert_eq!(added.status, 201, "{added:?}");
    secrets.push("a new secret".to_owned());
    assert_eq!(call(&mut tab, "pbxautocallstart", r#","number":"105""#).await.body.int("result"), Some(1));
    assert_eq!(call(&mut tab, "pbxabortcall", "").await.body.int("result"), Some(1));

    // The inspector's: of ivanov alone.
    let inspected = post(&node, &token, "GET", "/api/v1/captures/1", "").await;
    assert_eq!(inspected.status, 200, "{inspected:?}");
    assert!(inspected.body.contains("dlgcard_showformdialog") && !inspected.body.contains("\"user\":\"petrov\""));
    assert_eq!(post(&node, &token, "DELETE", "/api/v1/captures/1", "").await.status, 200);
    assert_eq!(post(&node, &token, "DELETE", "/api/v1/captures/2", "").await.status, 404);
    assert!(post(&node, &token, "GET", "/api/v1/captures", "").await.body.contains("\"runs\":false"));
    let narrowed = folder.path().join("narrowed.capture");
    std::fs::write(&narrowed, &inspected.body).unwrap();
    drop(tab);
    assert!(node.stop().await);

    // Another life: a session of the first one is known by what stands for it.
    let node = start(&config, &second).await;
    let mut tab = FakeTab::connect(node.addresses.web.unwrap(), Format::Xml).await;
    tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","sessionid":"{session}"}}]"#)).await;
    assert_eq!(tab.0.hear_named("loginresult").await.body.int("result"), Some(1));
    assert_eq!(call(&mut tab, "logout", "").await.body.int("result"), Some(1));
    assert!(node.stop().await);

    assert!(std::fs::read_to_string(&first).unwrap().contains(r#""in":{"reconfigure":"#));
    let (a, b) = (played(&first), played(&second));
    assert!(a.inputs >= 30 && a.outputs > 50 && a.end == "stopped", "{a:?}");
    assert!(b.outputs > 3 && b.end == "stopped", "{b:?}");
    for file in [&first, &second, &narrowed] {
        let written = std::fs::read_to_string(file).unwrap().to_lowercase();
        assert!(written.contains("ivanov"));
        for secret in &secrets {
            assert!(
                !secret.is_empty() && !written.contains(&secret.to_lowercase()),
                "{secret} is in {}",
                file.display()
            );
        }
    }
    commands(&first, &narrowed);
}

/// The same by the command.
fn commands(whole: &Path, narrowed: &Path) {
    let run = |arguments: &[&str], file: &Path| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_ctigate")).arg("replay").arg(file).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    };
    let (code, said) = run(&[], whole);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the same, byte for byte") && said.contains("played in"), "{said}");
    let (code, said) = run(&["--json"], whole);
    let told: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &told["difference"]), (0, &serde_json::Value::Null), "{said}");
    assert!(told["seconds"].as_f64().unwrap() > 0.0 && told["span_s"].as_f64().unwrap() > 0.0, "{said}");
    let (code, said) = run(&["--show", "--user", "ivanov"], whole);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("dlgcard_showformdialog") && !said.contains("petrov"), "{said}");

    // One that began in the middle plays what passed, twice the same.
    let (code, said) = run(&[], narrowed);
    assert_eq!(code, 0, "{said}");
    for due in ["pbxanswercall", "dlgcard_showformdialog", "played in", "nothing is compared"] {
        assert!(said.contains(due), "{due}: {said}");
    }
    let digest = |said: &str| said.split("sha256 of what passed: ").nth(1).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(digest(&said), digest(&run(&[], narrowed).1));
    let (code, told) = run(&["--json"], narrowed);
    let told: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!((code, &told["whole"], &told["end"]), (0, &serde_json::json!(false), &serde_json::json!("")), "{told}");
    assert_eq!(told["digest"], digest(&said));
    let (code, said) = run(&["--show", "--speed", "1000"], narrowed);
    assert!(code == 0 && said.contains("pbxanswercall"), "{said}");

    // Somebody changed it.
    let changed = std::fs::read_to_string(whole).unwrap().replacen("dlgcard_closeall", "dlgcard_closeal1", 1);
    let changed = changed.replacen("\"note\\\":\\\"x\\\"", "\"note\\\":\\\"y\\\"", 1);
    let file = whole.with_file_name("changed.capture");
    std::fs::write(&file, changed.replacen("\"phoneevent_ringstarted\\\"", "\"phoneevent_ringstopped\\\"", 1)).unwrap();
    let (code, said) = run(&[], &file);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another output") && said.contains("recorded:") && said.contains("played:"), "{said}");
}
