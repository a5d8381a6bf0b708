//! The dialplan of Asterisk asks the gateway by FastAGI: a whole node, a CRM on its link, and sockets that speak as Asterisk
//! does. There is no Asterisk behind AMI here: what its dialplan asks does not depend on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ctigate::app::Node;
use ctigate::config::{Config, LinkMode, PbxKind, Secret};
use ctigate::proto::message::Format;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::curl::curl;
use crate::support::gateway::link;
use crate::support::peers::{json, text};
use crate::support::{FakeCrm, FakeTab, node, soon};

const METHODS: &str = r#"[
    {"name":"FindClient","inputparameters":[{"name":"phone","type":"string"},{"name":"n","type":"int","required":false}],
     "outputparameters":[{"name":"name","type":"string"},{"name":"vip","type":"bool","required":false}]},
    {"name":"GetRoute"},{"name":"Any"}]"#;

/// A node with `kind = "asterisk"`, and nobody where Asterisk should be.
fn configuration(folder: &Path) -> Config {
    let mut config = node::config(folder);
    let mut crm = link("crm", LinkMode::AcceptWs);
    crm.bind = Some("127.0.0.1:0".parse().unwrap());
    config.links.push(crm);
    config.pbx.kind = PbxKind::Asterisk;
    let asterisk = &mut config.pbx.asterisk;
    asterisk.port = 1;
    asterisk.secret = Some(Secret::new("x"));
    asterisk.agi_bind = Some("127.0.0.1:0".parse().unwrap());
    asterisk.agi_timeout = Duration::from_millis(800);
    config
}

fn metrics(node: &Node) -> String {
    format!("http://{}/metrics", node.addresses.admin.unwrap())
}

fn authorized(folder: &Path) -> String {
    format!("Authorization: Bearer {}", std::fs::read_to_string(folder.join("data/admin.token")).unwrap().trim())
}

async fn with_crm(node: &Node) -> FakeCrm {
    let (_, address) = node.addresses.links[0];
    let mut crm = FakeCrm::connect(address, Format::Json).await;
    crm.introduce(METHODS, "[]", "[]").await;
    // The last answer is read when a later message of ours is answered.
    crm.0.say(r#"["ping",{"qid":"p"}]"#).await;
    crm.0.hear_named("pong").await;
    crm
}

async fn answer(crm: &mut FakeCrm, execution: &str, rest: &str) {
    crm.0.say(&format!(r#"["methodresult",{{"qid":"r","executionid":"{execution}",{rest}}}]"#)).await;
}

/// A call in the dialplan.
struct Call {
    stream: BufReader<TcpStream>,
    began: Instant,
}

impl Call {
    async fn bare(node: &Node) -> Self {
        let stream = TcpStream::connect(node.addresses.agi.expect("a FastAGI port")).await.unwrap();
        Self { stream: BufReader::new(stream), began: Instant::now() }
    }

    /// Says what it wants, as Asterisk does.
    async fn asks(node: &Node, script: &str, arguments: &[&str]) -> Self {
        let mut call = Self::bare(node).await;
        let mut header = format!(
            "agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\n\
             agi_channel: PJSIP/trunk-00000001\nagi_uniqueid: 1795321221.1\nagi_callerid: 79001112233\n\
             agi_calleridname: unknown\nagi_dnid: unknown\nagi_extension: 500\nagi_context: from-trunk\n"
        );
        for (n, argument) in arguments.iter().enumerate() {
            header.push_str(&format!("agi_arg_{}: {argument}\n", n + 1));
        }
        header.push('\n');
        call.say(&header).await;
        call
    }

    async fn say(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    /// Does what it is told until it gets its call back: the variables.
    async fn goes_on(mut self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        soon("the call back", async {
            loop {
                let mut line = String::new();
                if self.stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return variables;
                }
                let set = line.strip_prefix("SET VARIABLE ").expect(&line);
                let (name, value) = set.trim_end_matches('\n').split_once(' ').expect(&line);
                let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).expect(&line);
                variables.insert(name.to_owned(), value.replace("\\\"", "\"").replace("\\\\", "\\"));
                self.say("200 result=1\n").await;
            }
        })
        .await
    }

    /// Whether it is turned away without a word.
    async fn ends_without_a_word(mut self) -> bool {
        let mut bytes = Vec::new();
        let read = soon("the end", self.stream.read_to_end(&mut bytes)).await;
        read.is_err() || bytes.is_empty()
    }
}

fn of<'a>(variables: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    variables.get(name).map_or("(not set)", String::as_str)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dynamic_method_answers_into_variables() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut crm = with_crm(&node).await;
    let script = "dynamic/FindClient?phone=%2B7900&_user=ivanov";
    let call = Call::asks(&node, script, &["n:=5"]).await;
    let asked = crm.0.hear_named("executemethod").await;
    assert!(json(&asked).contains(r#""inputparameters":{"phone":"+7900","n":5}"#), "{}", json(&asked));
    assert_eq!(text(&asked, "userlogin"), "ivanov");
    answer(&mut crm, &text(&asked, "executionid"), r#""result":1,"outputparameters":{"name":"Ann"}"#).await;
    let variables = call.goes_on().await;
    assert_eq!((of(&variables, "CTI_STATUS"), of(&variables, "CTI_NAME")), ("OK", "Ann"), "{variables:?}");

    let call = Call::asks(&node, "dynamic/Any", &[]).await;
    let asked = crm.0.hear_named("executemethod").await;
    let output = r#"{"name":"A \"B\\\" C\nHANGUP","vip":true,"more":[1,{"x":null}],"status":"forged"}"#;
    let output = format!(r#""result":1,"outputparameters":{output}"#);
    answer(&mut crm, &text(&asked, "executionid"), &output).await;
    let variables = call.goes_on().await;
    assert_eq!(of(&variables, "CTI_STATUS"), "OK");
    assert_eq!(of(&variables, "CTI_NAME"), "A \"B\\\" C HANGUP");
    assert_eq!((of(&variables, "CTI_VIP"), of(&variables, "CTI_MORE")), ("1", "[1,{\"x\":null}]"));
    assert_eq!(of(&variables, "CTI_ERROR"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dialplan_goes_on_in_time_whatever_the_crm_does() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    // Absent.
    let ended = Call::asks(&node, "dynamic/FindClient?phone=1", &[]).await.goes_on().await;
    assert_eq!(of(&ended, "CTI_STATUS"), "NOLINK");
    let fallback = "_fallback:={\"name\":\"nobody\"}";
    let ended = Call::asks(&node, "dynamic/FindClient?phone=1", &[fallback]).await.goes_on().await;
    assert_eq!((of(&ended, "CTI_STATUS"), of(&ended, "CTI_NAME")), ("FALLBACK", "nobody"));

    // Slow: by the time of the configuration, and by one of its own.
    let mut crm = with_crm(&node).await;
    for (script, least, most) in
        [("dynamic/FindClient?phone=1", 800, 2000), ("dynamic/FindClient?phone=1&_deadline=200ms", 200, 750)]
    {
        let call = Call::asks(&node, script, &[]).await;
        let began = call.began;
        let ended = call.goes_on().await;
        let took = began.elapsed();
        assert_eq!(of(&ended, "CTI_STATUS"), "TIMEOUT");
        assert!((Duration::from_millis(least)..Duration::from_millis(most)).contains(&took), "{script}: {took:?}");
        crm.0.hear_named("cancelmethod").await;
    }

    // Operators see how it goes.
    let page = curl(&["--header", &authorized(folder.path()), &metrics(&node)]).await.text();
    for due in ["ctigate_dialplan_total{status=\"TIMEOUT\"} 2\n", "ctigate_dialplan_total{status=\"NOLINK\"} 1\n"] {
        assert!(page.contains(due), "{page}");
    }
    assert!(page.contains("ctigate_telephone_up 0\n"), "{page}");

    // Failing, and asked wrongly.
    let call = Call::asks(&node, "dynamic/FindClient?phone=1", &[]).await;
    let asked = crm.0.hear_named("executemethod").await;
    answer(&mut crm, &text(&asked, "executionid"), r#""result":0,"error":7001,"errormsg":"database is away""#).await;
    let ended = call.goes_on().await;
    assert_eq!(of(&ended, "CTI_STATUS"), "FAILED");
    assert!(of(&ended, "CTI_ERROR").contains("database is away"), "{ended:?}");
    for (script, told) in [
        ("dynamic/FindClient?phone=1&n=many", "n"),
        ("dynamic/Nope", "no CRM offers"),
        ("dynamic/FindClient?phone=1&_user=nobody", "nobody"),
        ("dynamic/FindClient?phone", "NAME=VALUE"),
        ("weather", "/dynamic/METHOD"),
    ] {
        let ended = Call::asks(&node, script, &[]).await.goes_on().await;
        assert_eq!(of(&ended, "CTI_STATUS"), "FAILED", "{script}");
        assert!(of(&ended, "CTI_ERROR").contains(told), "{script}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_up_during_the_wait_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut crm = with_crm(&node).await;
    let script = "dynamic/FindClient?phone=1&_deadline=1m";
    let mut call = Call::asks(&node, script, &[]).await;
    let asked = crm.0.hear_named("executemethod").await;
    call.say("HANGUP\n").await;
    let cancelled = crm.0.hear_named("cancelmethod").await;
    assert_eq!(text(&cancelled, "executionid"), text(&asked, "executionid"));
    assert_eq!(of(&call.goes_on().await, "CTI_STATUS"), "CANCELLED");

    let call = Call::asks(&node, script, &[]).await;
    let asked = crm.0.hear_named("executemethod").await;
    drop(call);
    let cancelled = crm.0.hear_named("cancelmethod").await;
    assert_eq!(text(&cancelled, "executionid"), text(&asked, "executionid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_opens_beside_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut tab = FakeTab::login(node.addresses.web.unwrap(), Format::Json, "ivanov").await;
    tab.0.say(r#"["subscribeevent",{"qid":"s","eventmethod":["dlgcard"]}]"#).await;
    tab.0.hear_named("subscribeeventresult").await;

    // Not waited for.
    let ended = Call::asks(&node, "form/clientcard?_user=101&phone=7900", &[]).await.goes_on().await;
    assert_eq!(of(&ended, "CTI_STATUS"), "OK");
    let shown = tab.0.hear_named("dlgcard_showformdialog").await;
    assert!(json(&shown).contains("7900"), "{}", json(&shown));

    // Waited for, and answered.
    let call = Call::asks(&node, "form/clientcard?_user=ivanov&_wait=30s", &["phone=1"]).await;
    let shown = tab.0.hear_named("dlgcard_showformdialog").await;
    let card = text(&shown, "cardid");
    tab.0
        .say(&format!(
            r#"["dlgcard_values",{{"qid":"v","cardid":"{card}","values":{{"resultcode":"sold"}},"comment":"ok"}}]"#
        ))
        .await;
    let ended = call.goes_on().await;
    assert_eq!((of(&ended, "CTI_STATUS"), of(&ended, "CTI_RESULTCODE")), ("OK", "sold"));
    assert_eq!((of(&ended, "CTI_BY"), of(&ended, "CTI_COMMENT")), ("ivanov", "ok"));

    // Nobody answers in time: it is taken back, because that is wanted.
    let ended = Call::asks(&node, "form/clientcard?_user=101&_wait=100ms&_close=yes", &[]).await.goes_on().await;
    assert_eq!(of(&ended, "CTI_STATUS"), "TIMEOUT");
    let shown = text(&tab.0.hear_named("dlgcard_showformdialog").await, "cardid");
    let closed = tab.0.hear_named("dlgcard_closeall").await;
    assert_eq!(text(&closed, "cardid"), shown);

    // For nobody.
    for script in ["form/clientcard?phone=1", "form/clientcard?_user=999&_wait=5s"] {
        let ended = Call::asks(&node, script, &[]).await.goes_on().await;
        assert_eq!(of(&ended, "CTI_STATUS"), "FAILED", "{script}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crm_says_who_gets_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut crm = with_crm(&node).await;
    for (output, status, route) in [
        (r#"{"route":"IVANOV"}"#, "OK", "101"),
        (r#"{"route":"79161234567"}"#, "OK", "79161234567"),
        (r#"{"route":205}"#, "OK", "205"),
        ("{}", "OK", ""),
        (r#"{"route":"101&PJSIP/199"}"#, "FAILED", ""),
        (r#"{"route":"101,1)\n;System(x)"}"#, "FAILED", ""),
    ] {
        let call = Call::asks(&node, "route", &[]).await;
        let asked = crm.0.hear_named("executemethod").await;
        assert_eq!(text(&asked, "name"), "GetRoute");
        assert!(json(&asked).contains(r#"{"phone":"79001112233","called":"500"}"#), "{}", json(&asked));
        answer(&mut crm, &text(&asked, "executionid"), &format!(r#""result":1,"outputparameters":{output}"#)).await;
        let ended = call.goes_on().await;
        assert_eq!((of(&ended, "CTI_STATUS"), of(&ended, "CTI_ROUTE")), (status, route), "{output}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_allowed_ends_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path());
    config.pbx.asterisk.agi_allow = vec!["192.0.2.0/24".parse().unwrap()];
    let node = node::start(&config).await;
    assert!(Call::bare(&node).await.ends_without_a_word().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_agi_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut silent = Call::bare(&node).await;
    silent.say("agi_network: y").await;
    let endless = "agi_x: y\n".repeat(20_000);
    let long = "x".repeat(200_000);
    for text in [endless.as_bytes(), long.as_bytes(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff\xfe\n\n", b"\n"] {
        let mut call = Call::bare(&node).await;
        // It may hang up while we still write.
        let _ = call.stream.get_mut().write_all(text).await;
        let ended = async {
            let mut bytes = Vec::new();
            loop {
                let mut chunk = [0; 1024];
                match call.stream.read(&mut chunk).await {
                    Ok(0) | Err(_) => return bytes,
                    Ok(n) => bytes.extend_from_slice(&chunk[..n]),
                }
                // Whatever it is told is refused.
                let _ = call.stream.get_mut().write_all(b"510 Invalid or unknown command\n").await;
            }
        };
        let said = String::from_utf8(soon("the end", ended).await).unwrap();
        assert!(said.is_empty() || said.starts_with("SET VARIABLE CTI_STATUS \"FAILED\"\n"), "{said}");
    }
    // Others are served all the while, and who says too little is left.
    assert_eq!(of(&Call::asks(&node, "dynamic/M", &[]).await.goes_on().await, "CTI_STATUS"), "NOLINK");
    assert!(silent.ends_without_a_word().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_calls_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&configuration(folder.path())).await;
    let mut crm = with_crm(&node).await;
    let mut calls = Vec::new();
    for n in 0..300 {
        calls.push((n, Call::asks(&node, &format!("dynamic/FindClient?phone={n}&_deadline=20s"), &[]).await));
    }
    for _ in 0..300 {
        let asked = crm.0.hear_named("executemethod").await;
        let phone = json(&asked).split_once(r#"{"phone":""#).unwrap().1.split('"').next().unwrap().to_owned();
        let rest = format!(r#""result":1,"outputparameters":{{"name":"client {phone}"}}"#);
        answer(&mut crm, &text(&asked, "executionid"), &rest).await;
    }
    for (n, call) in calls {
        let ended = call.goes_on().await;
        assert_eq!((of(&ended, "CTI_STATUS"), of(&ended, "CTI_NAME")), ("OK", format!("client {n}").as_str()));
    }
}
