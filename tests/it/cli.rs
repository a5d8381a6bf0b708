//! The commands as people and programs use them: through the real binary, with what they print and how they end.

use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use ctigate::proto::auth::password;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Nothing here takes longer, unless it hangs.
const BOUND: Duration = Duration::from_secs(30);

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// The binary, in a folder of its own and with nothing of ours in its environment.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ctigate"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CTIGATE_") {
            command.env_remove(name);
        }
    }
    command
}

/// How a command ended: its code, what it printed, what it complained of.
#[derive(Debug, PartialEq)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    command(folder, args).output().unwrap().into()
}

fn run_with_input(folder: &Path, args: &[&str], input: &str) -> Ended {
    let mut child = command(folder, args).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn alone_it_teaches() {
    let ended = run(folder().path(), &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    for phrase in ["ctigate demo", "ctigate check-config", "ctigate COMMAND --help"] {
        assert!(ended.out.contains(phrase), "{}", ended.out);
    }
    let commands = [
        "serve",
        "demo",
        "demo-crm",
        "check-config",
        "print-config",
        "hash-password",
        "call",
        "sim",
        "status",
        "tail",
        "convert",
        "doctor",
        "completions",
        "man",
        "check-crm",
        "user",
        "key",
        "audit",
    ];
    for name in commands {
        let help = run(folder().path(), &[name, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.out.contains("Examples:"), "{}", help.out);
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [
        &["nonsense"][..],
        &["convert"],
        &["call"],
        &["serve", "--set", "x"],
        &["call", "F", "x"],
        &["sim", "incoming", "1"],
    ] {
        let ended = run(folder().path(), args);
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{args:?}");
        assert!(ended.err.contains("error:"), "{}", ended.err);
    }
}

#[test]
fn check_config_tells_what_is_wrong_and_ends_with_3() {
    let folder = folder();
    fs::write(folder.path().join("ctigate.toml"), "[web]\nbind = \"127.0.0.1\"\ntls = \"bot\"\n").unwrap();
    let ended = run(folder.path(), &["check-config"]);
    let expected = "\
error: web.bind: found \"127.0.0.1\", which is no IP address with a port; write one like \"127.0.0.1:4055\" or \"[::1]:4055\"
 --> ctigate.toml:2:8
  |
2 | bind = \"127.0.0.1\"
  |        ^^^^^^^^^^^
error: web.tls: found \"bot\", which is no way to serve TLS; allowed: separate, both; did you mean \"both\"?
 --> ctigate.toml:3:7
  |
3 | tls = \"bot\"
  |       ^^^^^
error: the configuration has 2 errors
";
    assert_eq!(ended, Ended { code: 3, out: String::new(), err: expected.to_owned() });
    assert_eq!(run(folder.path(), &["serve"]), ended);
    assert_eq!(run(folder.path(), &["status"]).code, 3);
    assert_eq!(run(folder.path(), &["check-config", "--config", "missing.toml"]).code, 3);
}

#[test]
fn check_config_sums_up_what_is_right() {
    let folder = folder();
    let text = "[[user]]\nlogin = \"a\"\npassword = \"x\"\n[[user]]\nlogin = \"b\"\nrole = \"admin\"\n\
                [[link]]\nname = \"crm\"\nmode = \"dial-ws\"\nurl = \"ws://127.0.0.1:9/\"\nformat = \"xml\"\n\
                [[form]]\nname = \"card\"\nask = \"Find\"\n";
    fs::write(folder.path().join("c.toml"), text).unwrap();
    let ended = run(folder.path(), &["check-config", "--config", "c.toml", "--set", "web.bind=127.0.0.1:9000"]);
    let expected = "\
OK  c.toml
  web        http://127.0.0.1:9000  https://127.0.0.1:4056
  admin      http://127.0.0.1:4058
  store      sqlite://data/ctigate.db
  telephone  simulator
  users      2 (1 agent, 1 admin)
  links      crm: dial-ws ws://127.0.0.1:9/, auth none, xml
  forms      card: on ring, asks Find
";
    assert_eq!((ended.code, ended.out.as_str()), (0, expected));
    assert!(ended.err.starts_with("warning: user[1].password: \"b\" has no password"), "{}", ended.err);
    let by_environment = command(folder.path(), &["check-config"]).env("CTIGATE_CONFIG", "c.toml").output().unwrap();
    assert!(Ended::from(by_environment).out.starts_with("OK  c.toml"));
}

#[test]
fn check_config_reads_the_timeline_too() {
    let folder = folder();
    let config = "[pbx]\ntimeline = \"play.cti\"\n[[user]]\nlogin = \"a\"\nnumber = \"101\"\npassword = \"x\"\n";
    fs::write(folder.path().join("ctigate.toml"), config).unwrap();
    let timeline = folder.path().join("play.cti");
    fs::write(&timeline, "on 500 {\n    answer\n    ring 101 for 5s\n}\n").unwrap();
    let good = run(folder.path(), &["check-config"]);
    assert_eq!(good.code, 0, "{good:?}");
    fs::write(&timeline, "on 500 {\n    answer\n    ring 109 for 5s\n}\n").unwrap();
    let wrong = run(folder.path(), &["check-config"]);
    assert_eq!((wrong.code, wrong.out.as_str()), (3, ""), "{wrong:?}");
    for part in ["pbx.timeline = ", "play.cti: ", "`109`", "3 |     ring 109 for 5s", "^"] {
        assert!(wrong.err.contains(part), "{part}: {}", wrong.err);
    }
    let start = run(folder.path(), &["serve"]);
    assert!(start.code == 4 && start.err.contains("ring 109"), "the start says so too: {start:?}");
    fs::remove_file(&timeline).unwrap();
    assert_eq!(run(folder.path(), &["check-config"]).code, 3);
}

#[test]
fn print_config_shows_where_values_come_from() {
    let folder = folder();
    fs::write(folder.path().join("ctigate.toml"), "[web]\nbrowsers = false\n").unwrap();
    let output = command(folder.path(), &["print-config", "--set", "web.deflate=true"])
        .env("CTIGATE_LIMITS__TAB_RATE", "7")
        .output()
        .unwrap();
    let ended = Ended::from(output);
    for (key, origin) in [
        ("browsers = false ", "# line 2"),
        ("deflate = true ", "# --set web.deflate"),
        ("tab_rate = 7 ", "# CTIGATE_LIMITS__TAB_RATE"),
        ("tab_burst = 400 ", "# default"),
    ] {
        let line = ended.out.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.ends_with(origin), "{line}");
    }
}

#[test]
fn hash_password_makes_what_accounts_take() {
    let folder = folder();
    let ended = run_with_input(folder.path(), &["hash-password"], "Secret1\nnot this\n");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let hash = ended.out.trim_end();
    let text = format!("[[user]]\nlogin = \"a\"\npassword_hash = \"{hash}\"\n");
    let config = ctigate::config::Config::load(&ctigate::config::Sources::text(text)).unwrap().config;
    let accounts = ctigate::store::Accounts::new(&config);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(accounts.verify_clear("a", "Secret1")).is_ok());
    assert!(runtime.block_on(accounts.verify_clear("a", "not this")).is_err());
    assert!(!ended.out.contains(&password::hash("Secret1").unwrap()));
    for (wrong, told) in [("漢\n", "character 1"), ("\n", "empty"), ("", "empty")] {
        let ended = run_with_input(folder.path(), &["hash-password"], wrong);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""));
        assert!(ended.err.contains(told), "{}", ended.err);
    }
}

#[test]
fn convert_translates_both_ways_and_points_at_what_is_wrong() {
    let folder = folder();
    let json = "[\"ping\",{\"qid\":1.50,\"a\":{\"b\":[true,null,\"<\"]}}]";
    let xml = "<message name=\"ping\"><param name=\"qid\" type=\"float\">1.50</param><param name=\"a\" type=\"object\">\
               <param name=\"b\" type=\"array\"><item type=\"bool\">true</item><item type=\"null\"/><item>&lt;</item></param></param></message>";
    let to_xml = run_with_input(folder.path(), &["convert", "--to", "xml"], &format!("{json}\n"));
    assert_eq!(to_xml, Ended { code: 0, out: format!("{xml}\n"), err: String::new() });
    fs::write(folder.path().join("m.xml"), format!("\u{feff}{xml}")).unwrap();
    let to_json = run(folder.path(), &["convert", "--to", "json", "m.xml"]);
    assert_eq!(to_json, Ended { code: 0, out: format!("{json}\n"), err: String::new() });
    let wrong = run_with_input(folder.path(), &["convert", "--to", "xml"], "[\"ping\",\n {\"a\":x}]");
    assert_eq!((wrong.code, wrong.out.as_str()), (1, ""));
    assert!(
        wrong.err.contains("this is no message in json") && wrong.err.contains("line 2, column 7"),
        "{}",
        wrong.err
    );
    assert!(run_with_input(folder.path(), &["convert", "--to", "xml"], " \n").err.contains("no message to convert"));
    assert!(run(folder.path(), &["convert", "--to", "xml", "none"]).err.contains("cannot read none"));
}

/// An admin port that answers what a story wants, and keeps what it was asked.
struct Admin {
    folder: TempDir,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Ends the server when dropped.
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone, Debug, PartialEq)]
struct Asked {
    what: String,
    authorization: String,
    body: Value,
}

type Answers = fn(&str) -> (StatusCode, &'static str, String);

impl Admin {
    fn start(answers: Answers) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Self::router(answers, &asked);
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder: Self::folder(address, ""), address, asked, _runtime: runtime }
    }

    /// The same by TLS, with a certificate of its own.
    fn start_tls(answers: Answers) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let pair = rcgen::generate_simple_self_signed(["cti.example".to_owned()]).unwrap();
        let folder = Self::folder(address, "admin_tls = true\n");
        fs::create_dir(folder.path().join("certs")).unwrap();
        fs::write(folder.path().join("certs/server.pem"), pair.cert.pem()).unwrap();
        fs::write(folder.path().join("certs/server.key"), pair.signing_key.serialize_pem()).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let router = Self::router(answers, &asked);
        runtime.spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let Ok(tls) = acceptor.accept(tcp).await else { continue };
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tls), service).await;
            }
        });
        Self { folder, address, asked, _runtime: runtime }
    }

    fn folder(address: SocketAddr, more: &str) -> TempDir {
        let folder = folder();
        fs::write(folder.path().join("ctigate.toml"), format!("[web]\nadmin_bind = \"{address}\"\n{more}")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/admin.token"), format!("{TOKEN}\n")).unwrap();
        folder
    }

    fn router(answers: Answers, asked: &Arc<Mutex<Vec<Asked>>>) -> Router {
        Router::new().fallback(Self::answer).with_state((answers, Arc::clone(asked)))
    }

    async fn answer(
        State((answers, asked)): State<(Answers, Arc<Mutex<Vec<Asked>>>)>,
        request: Request<Body>,
    ) -> Result<Response<Body>, Infallible> {
        let what = format!("{} {}", request.method(), request.uri());
        let header = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
        let authorization = header.to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (status, kind, text) = if authorization == format!("Bearer {TOKEN}") {
            answers(&what)
        } else {
            (StatusCode::UNAUTHORIZED, "text/plain", String::new())
        };
        asked.lock().unwrap().push(Asked { what, authorization, body });
        Ok(Response::builder().status(status).header("content-type", kind).body(Body::from(text)).unwrap())
    }

    fn run(&self, args: &[&str]) -> Ended {
        run(self.folder.path(), args)
    }

    fn asked(&self) -> (String, Value) {
        let asked = self.asked.lock().unwrap().last().unwrap().clone();
        (asked.what, asked.body)
    }
}

fn json_answer(value: &Value) -> (StatusCode, &'static str, String) {
    (StatusCode::OK, "application/json", value.to_string())
}

fn snapshot(_: &str) -> (StatusCode, &'static str, String) {
    json_answer(&json!({
        "links": [
            {"name": "crm", "mode": "accept-wss", "state": "up", "since_ms": 0, "detail": "from 127.0.0.1", "crm": "Demo 1",
             "methods": ["FindClient"], "forms": ["clientcard"], "in_flight": 2},
            {"name": "shop", "mode": "post-http", "state": "retrying", "since_ms": 0, "detail": "bad\u{1b}[31m", "crm": "",
             "methods": [], "forms": [], "in_flight": 0}
        ],
        "users": [
            {"id": "3f", "login": "ivanov", "name": "Иван", "number": "101", "department": "Sales", "state": 1, "online": true,
             "tabs": [{"door": "direct", "link": ""}, {"door": "direct", "link": ""}, {"door": "tunnel", "link": "crm"}]},
            {"id": "40", "login": "petrov", "name": "", "number": "", "department": "", "state": 0, "online": false, "tabs": []}
        ],
        "forms": [{"id": "f0", "name": "clientcard", "login": "ivanov", "chain": "c0", "since_ms": 0, "shown": 3}],
        "executions": [],
        "calls": [{"chain": "c0", "caller": "79001112233", "called": "500", "state": "ringing", "number": "101", "since_ms": 0}]
    }))
}

const STATUS: &str = "\
LINK  MODE        STATE     FOR  CRM     METHODS     FORMS       WAITING  DETAIL
crm   accept-wss  up             Demo 1  FindClient  clientcard  2        from 127.0.0.1
shop  post-http   retrying                                       0        bad\\u{1b}[31m

USER    NAME  NUMBER  ONLINE  STATE    TABS
ivanov  Иван  101     yes     ready    2 direct, 1 crm
petrov                no      offline

CALLER       CALLED  STATE    NUMBER  FOR
79001112233  500     ringing  101

FORM        USER    TABS  FOR
clientcard  ivanov  3
";

#[test]
fn status_shows_tables_and_json() {
    let admin = Admin::start(snapshot);
    assert_eq!(admin.run(&["status"]), Ended { code: 0, out: STATUS.to_owned(), err: String::new() });
    assert_eq!(admin.asked().0, "GET /api/v1/snapshot");
    let json = admin.run(&["status", "--json"]);
    let value: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["links"][0]["name"], "crm");
}

#[test]
fn by_tls_only_the_gateways_own_certificate_is_taken() {
    let admin = Admin::start_tls(snapshot);
    assert_eq!(admin.run(&["status"]), Ended { code: 0, out: STATUS.to_owned(), err: String::new() });
    let other = rcgen::generate_simple_self_signed(["cti.example".to_owned()]).unwrap();
    fs::write(admin.folder.path().join("certs/server.pem"), other.cert.pem()).unwrap();
    let ended = admin.run(&["status"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("cannot be spoken to by TLS"), "{}", ended.err);
}

#[test]
fn a_gateway_that_is_not_there_is_told_with_what_to_do() {
    let admin = Admin::start(snapshot);
    let address = admin.address;
    let wrong = folder();
    fs::write(wrong.path().join("ctigate.toml"), format!("[web]\nadmin_bind = \"{address}\"\n")).unwrap();
    let ended = run(wrong.path(), &["status"]);
    assert_eq!((ended.code, ended.out.as_str()), (1, ""));
    assert!(
        ended.err.contains("data/admin.token cannot be read") && ended.err.contains("first start"),
        "{}",
        ended.err
    );

    fs::create_dir(wrong.path().join("data")).unwrap();
    fs::write(wrong.path().join("data/admin.token"), "f".repeat(64)).unwrap();
    let ended = run(wrong.path(), &["status"]);
    assert!(ended.err.contains(&format!("the gateway at {address} does not take our admin token")), "{}", ended.err);

    drop(admin);
    let ended = run(wrong.path(), &["tail"]);
    assert_eq!(ended.code, 1);
    let told = format!("error: no gateway answers at {address} (Connection refused");
    assert!(ended.err.starts_with(&told) && ended.err.contains("\"ctigate serve\""), "{}", ended.err);
}

#[test]
fn something_else_on_the_port_is_told() {
    let admin = Admin::start(|_| (StatusCode::OK, "text/html", "<html>\u{1b}[2J".to_owned()));
    let ended = admin.run(&["status"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("is not JSON") && ended.err.contains("\\u{1b}[2J"), "{}", ended.err);
}

fn method(asked: &str) -> (StatusCode, &'static str, String) {
    let (status, body) = match asked {
        "POST /api/v1/methods/Find%20Client" => (
            StatusCode::OK,
            json!({"outcome": "ok", "output": {"clientid": "42", "vip": true}, "error": 0, "executionid": "8d7e"}),
        ),
        "POST /api/v1/methods/Slow" => (
            StatusCode::GATEWAY_TIMEOUT,
            json!({"outcome": "timeout", "error": 59011, "errormsg": "Timeout: the CRM did not answer"}),
        ),
        "POST /api/v1/methods/Down" => (StatusCode::SERVICE_UNAVAILABLE, json!({"outcome": "no_link", "errormsg": ""})),
        _ => (StatusCode::NOT_FOUND, json!({"error": 59014, "errormsg": "Not found: no such method"})),
    };
    (status, "application/json", body.to_string())
}

#[test]
fn call_asks_and_shows_the_outcome() {
    let admin = Admin::start(method);
    let ended = admin.run(&[
        "call",
        "Find Client",
        "phone=7900",
        "stars:=5",
        "--deadline",
        "2s",
        "--late",
        "1m",
        "--link",
        "crm",
        "--user",
        "ivanov",
        "--chain",
        "c0",
        "--fallback",
        "{\"clientid\":\"\"}",
    ]);
    let expected = "ok  8d7e\n  clientid  42\n  vip       true\n";
    assert_eq!(ended, Ended { code: 0, out: expected.to_owned(), err: String::new() });
    let (what, body) = admin.asked();
    assert_eq!(what, "POST /api/v1/methods/Find%20Client");
    assert_eq!(
        body,
        json!({"input": {"phone": "7900", "stars": 5}, "deadline_ms": 2000, "late_ms": 60000, "fallback": {"clientid": ""},
               "link": "crm", "userlogin": "ivanov", "chainid": "c0"})
    );
    let ended = admin.run(&["call", "Slow"]);
    let told = "error: timeout: Timeout: the CRM did not answer\n  help: a longer --deadline gives the CRM more time\n";
    assert_eq!(ended, Ended { code: 1, out: String::new(), err: told.to_owned() });
    assert_eq!(admin.asked().1.get("deadline_ms"), None);
    let ended = admin.run(&["call", "Down"]);
    assert!(ended.err.starts_with("error: no_link\n"), "{}", ended.err);
    let ended = admin.run(&["call", "Other"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, "error: Not found: no such method\n"));
    let json = admin.run(&["call", "Slow", "--json"]);
    assert_eq!((json.code, json.err.as_str()), (1, ""));
    assert_eq!(serde_json::from_str::<Value>(&json.out).unwrap()["outcome"], "timeout");
}

fn simulator(asked: &str) -> (StatusCode, &'static str, String) {
    assert_eq!(asked, "POST /api/v1/sim");
    json_answer(&json!({}))
}

#[test]
fn sim_gives_orders() {
    let admin = Admin::start(simulator);
    fs::write(admin.folder.path().join("a.timeline"), "at 0 …\n").unwrap();
    for (args, body) in [
        (&["sim", "incoming", "7900", "500"][..], json!({"op": "incoming", "caller": "7900", "called": "500"})),
        (&["sim", "answer", "101"], json!({"op": "answer", "number": "101"})),
        (&["sim", "hangup", "101"], json!({"op": "hangup", "number": "101"})),
        (&["sim", "play", "a.timeline"], json!({"op": "play", "timeline": "at 0 …\n"})),
    ] {
        assert_eq!(admin.run(args), Ended { code: 0, out: "done\n".to_owned(), err: String::new() });
        assert_eq!(admin.asked().1, body);
    }
    assert!(admin.run(&["sim", "play", "none"]).err.contains("cannot read none"));
    let refusing = Admin::start(|_| {
        (StatusCode::BAD_REQUEST, "application/json", json!({"errormsg": "no number 999"}).to_string())
    });
    assert_eq!(refusing.run(&["sim", "answer", "999"]).err, "error: no number 999\n");
}

fn stream(_: &str) -> (StatusCode, &'static str, String) {
    let one = json!({"ms": 78_060_123, "direction": "in", "peer": 7, "link": "crm", "user": "ivanov", "method": "ping",
                     "qid": "8D", "bytes": 21, "text": "[\"ping\",{\"qid\":\"8D\"}]"});
    let two = json!({"ms": 78_060_999, "direction": "out", "peer": 8, "link": "", "user": "", "method": "pong\u{1b}", "qid": "67cedc44-6346",
                     "bytes": 300, "text": "x".repeat(300)});
    (StatusCode::OK, "text/event-stream", format!(": hello\n\ndata: {one}\n\ndata: {two}\n\n"))
}

#[test]
fn tail_shows_messages_as_they_pass() {
    let admin = Admin::start(stream);
    let ended = admin.run(&["tail", "--user", "ivanov", "--link", "c r"]);
    assert_eq!(admin.asked().0, "GET /api/v1/tail?user=ivanov&link=c%20r");
    let expected = format!(
        "21:41:00.123 <- crm/ivanov           ping                       8D             21B  [\"ping\",{{\"qid\":\"8D\"}}]\n\
         21:41:00.999 -> 8                    pong\\u{{1b}}                 67cedc44-…    300B  {}…\n",
        "x".repeat(160)
    );
    assert_eq!(ended.out, expected);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("the gateway ended the stream"), "{}", ended.err);
    let json = admin.run(&["tail", "--json"]);
    assert_eq!(admin.asked().0, "GET /api/v1/tail");
    let lines: Vec<Value> = json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["method"]), (2, &json!("ping")));
}

/// A gateway of its own process, on ports of the system's choice.
struct Serving {
    child: Child,
    /// Where its admin port is.
    admin: String,
}

impl Serving {
    fn start(folder: &Path) -> Self {
        Self::start_with(folder, "")
    }

    /// With more keys of `[web]`.
    fn start_with(folder: &Path, more: &str) -> Self {
        let ports = "[web]\nbind = \"127.0.0.1:0\"\ntls_bind = \"\"\nadmin_bind = \"127.0.0.1:0\"\n";
        fs::write(folder.join("ctigate.toml"), format!("{ports}{more}")).unwrap();
        let mut child = command(folder, &["serve", "--log", "info"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = lines.find_map(|line| line.ok().filter(|line| line.contains(" ready "))).unwrap();
        let admin = ready.split("admin: Some(").nth(1).and_then(|rest| rest.split(')').next()).unwrap().to_owned();
        // Whoever writes the log must not meet a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, admin }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < BOUND {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_admin_port_by_tls_answers_our_commands_and_nothing_plain() {
    let folder = folder();
    let mut serving = Serving::start_with(folder.path(), "admin_tls = true\n");
    let bind = format!("web.admin_bind={}", serving.admin);
    let ended = run(folder.path(), &["status", "--set", &bind]);
    assert_eq!(ended, Ended { code: 0, out: "no links\n\nno users\n".to_owned(), err: String::new() });
    let plain = run(folder.path(), &["status", "--set", &bind, "--set", "web.admin_tls=false"]);
    assert_eq!(plain.code, 1);
    assert!(plain.err.contains("is it ctigate that listens there?"), "{}", plain.err);
    // Whoever follows does not hold up the stop.
    let tail = command(folder.path(), &["tail", "--set", &bind]).spawn().unwrap();
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
    assert_eq!(tail.wait_with_output().unwrap().status.code(), Some(1));
}

#[test]
fn serve_stops_in_order_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let folder = folder();
        let mut serving = Serving::start(folder.path());
        serving.signal(signal);
        assert_eq!(serving.ended(), Some(0), "{signal}");
        assert!(folder.path().join("data/ctigate.db").exists());
    }
}

#[test]
fn serve_that_cannot_start_says_why_and_ends_with_4() {
    let folder = folder();
    fs::write(folder.path().join("data"), "a file in the way").unwrap();
    let args = ["serve", "--log", "off", "--set", "web.bind=127.0.0.1:0", "--set", "web.tls_bind="];
    let ended = run(folder.path(), &args);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("its folder cannot be made") && ended.err.contains("[store] url"), "{}", ended.err);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = format!("web.bind={}", taken.local_addr().unwrap());
    let ended = run(folder.path(), &["serve", "--log", "off", "--set", "store.url=sqlite::memory:", "--set", &bind]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("web.bind"), "{}", ended.err);
}

/// Not a test by itself: the process of [`a_second_signal_ends_at_once`].
#[tokio::test]
#[ignore = "a part of another test"]
#[allow(clippy::print_stdout, reason = "its parent waits for the words")]
async fn stops_for_ever() {
    if std::env::var_os("CTIGATE_TEST_STOP").is_none() {
        return;
    }
    let shutdown = ctigate::shutdown::Shutdown::on_signals().unwrap();
    println!("listening");
    shutdown.requested().await;
    println!("stopping");
    std::future::pending::<()>().await;
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cli::stops_for_ever", "--ignored", "--nocapture"])
        .env("CTIGATE_TEST_STOP", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut serving = Serving { child, admin: String::new() };
    // The harness may have written the test's name on the same line.
    for word in ["listening", "stopping"] {
        assert!(lines.any(|line| line.unwrap().ends_with(word)), "{word}");
        serving.signal("TERM");
    }
    assert_eq!(serving.ended(), Some(5));
}
