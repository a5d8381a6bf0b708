//! What operators read of peers: who, why, once; and never a secret.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctigate::config::{Auth, Link, LinkMode, Log, Secret};
use ctigate::proto::auth::{basic::Basic, digest};
use ctigate::proto::message::Format;
use ctigate::telemetry::logging;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::gateway::link;
use crate::support::http::ask;
use crate::support::peers::{HASH, text};
use crate::support::post_crm::PostCrm;
use crate::support::server::Server;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, Setup, Ws, node, soon, until};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines that hold all of these.
    fn lines(&self, parts: &[&str]) -> usize {
        self.text().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

// One thread, so that what is logged anywhere in the story is logged to the story.
#[tokio::test]
async fn every_end_is_told_once_with_who_and_why_and_no_secret() {
    let kept = Kept::default();
    let log = Log { filter: "trace".to_owned(), ..Log::default() };
    let _guard = tracing::subscriber::set_default(logging::subscriber(&log, kept.clone(), false).unwrap());

    let basic = Link {
        auth: Some(Auth::Basic),
        login: "crm".to_owned(),
        password: Some(Secret::new("pass-word-1")),
        ticket: Some(Secret::new("ticket-0123456789")),
        ..link("guarded", LinkMode::AcceptWs)
    };
    let gateway = Setup::new().link(basic).link(link("crm", LinkMode::AcceptWs)).start().await;
    let at = gateway.link("guarded");
    let wrong = Basic { login: "crm".to_owned(), password: "guess-1".to_owned() };
    ask(at, request("/", &[("Authorization", &wrong.header().unwrap())])).await;
    ask(at, request("/?ticket=ticket-wrong", &[])).await;
    ask(at, request("/?ticket=ticket-0123456789", &[])).await;
    assert_eq!(kept.lines(&["guarded", "127.0.0.1", "wrong login or password"]), 1, "{}", kept.text());
    assert_eq!(kept.lines(&["guarded", "the ticket is wrong"]), 1);

    let mut tab = FakeTab::connect(gateway.web, Format::Json).await;
    tab.0
        .say(r#"["login",{"qid":1,"userlogin":"iva\nnov FAKE LINE","Password":"0123456789abcdef0123456789abcdef"}]"#)
        .await;
    tab.0.hear_named("loginresult").await;
    assert_eq!(kept.lines(&["login refused", r"iva\nnov"]), 1, "{}", kept.text());
    tab.log_in("ivanov").await;
    tab.0.ws.raw(&[0x83, 0x80, 0, 0, 0, 0]).await;
    tab.0.closed().await;
    until("the line", || kept.lines(&["connection closed", "ivanov", "1002", "unknown opcode"]) == 1).await;

    let mut crm = FakeCrm::connect(gateway.link("crm"), Format::Json).await;
    crm.introduce_bare().await;
    crm.0.ws.close(4001, "gone\r\nfishing").await;
    crm.0.closed().await;
    until("the line", || kept.lines(&["connection closed", "crm", "4001", r"gone\r\nfishing"]) == 1).await;

    let probe = Ws::connect(gateway.web, &[("Sec-WebSocket-Protocol", "json")]).await;
    drop(probe);
    until("the probe is gone", || gateway.transport.connections() == 0).await;
    assert_eq!(kept.lines(&["WARN", "connection closed"]), 1, "a socket that only looked is nothing: {}", kept.text());

    let text = kept.text();
    let encoded = wrong.header().unwrap();
    for secret in [
        "pass-word-1",
        "guess-1",
        "ticket-wrong",
        "ticket-0123456789",
        HASH,
        "0123456789abcdef0123456789abcdef",
        &encoded["Basic ".len()..],
    ] {
        assert!(!text.contains(secret), "{secret} stands in the log");
    }
    assert!(text.lines().all(|line| !line.starts_with("nov FAKE")), "nobody forges a line");
}

fn basic(login: &str, password: &str) -> String {
    Basic { login: login.to_owned(), password: password.to_owned() }.header().unwrap()
}

#[tokio::test]
async fn what_proves_somebody_stands_in_no_line_whichever_way_it_comes_or_goes() {
    let kept = Kept::default();
    let log = Log { filter: "trace".to_owned(), ..Log::default() };
    let _guard = tracing::subscriber::set_default(logging::subscriber(&log, kept.clone(), false).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    let bind = Some("127.0.0.1:0".parse().unwrap());
    let secret = |text: &str| Some(Secret::new(text));
    let crm = |name: &str, mode| Link { login: "crm".to_owned(), ..link(name, mode) };
    config.links.push(Link {
        auth: Some(Auth::Digest),
        password: secret("accept-secret"),
        ticket: secret("ticket-of-the-door"),
        bind,
        ..crm("door", LinkMode::AcceptWs)
    });
    let (dialed, posted) = (Server::new().await, PostCrm::new(Format::Json, None).await);
    let dialing = Link {
        name: "dialed".to_owned(),
        auth: Some(Auth::Basic),
        login: "crm".to_owned(),
        password: secret("dial-secret"),
        ..dialed.link(Format::Json)
    };
    config.links.push(dialing);
    config.links.push(Link {
        name: "posted".to_owned(),
        auth: Some(Auth::Basic),
        login: "crm".to_owned(),
        password: secret("post-secret"),
        rpc_login: "shop".to_owned(),
        rpc_password: secret("rpc-secret"),
        ticket: secret("ticket-of-the-shop"),
        ..posted.link()
    });
    let node = node::start(&config).await;
    let (web, admin, door) = (node.addresses.web.unwrap(), node.addresses.admin.unwrap(), node.addresses.links[0].1);
    let mut planted: Vec<String> = Vec::new();

    // What is dialed and posted with.
    let mut crm = FakeCrm::accept(dialed.accept().await, Format::Json).await;
    crm.introduce_bare().await;
    posted.hears("getactiveusers", 1).await;
    // A CRM that comes by digest, right and wrong, and by ticket.
    for password in ["accept-secret", "wrong-accept"] {
        let (challenge, _) = ask(door, request("/", &[])).await;
        let mut client = digest::Client::new("crm", password);
        client.challenged(challenge.all("www-authenticate")).unwrap();
        let answer = client.answer("GET", "/", rand::random()).unwrap();
        ask(door, request("/", &[("Authorization", &answer)])).await;
        let response = answer.split("response=\"").nth(1).unwrap().split('"').next().unwrap();
        planted.push(response.to_owned());
    }
    for ticket in ["ticket-of-the-door", "wrong-ticket-1"] {
        ask(door, request(&format!("/cti?a=b&ticket={ticket}"), &[])).await;
        ask(door, request("/", &[("Authorization", &format!("Bearer {ticket}"))])).await;
    }
    // A CRM that posts.
    let form = "format=json&data=WyJwaW5nIix7fV0%3D";
    let post = |target: &str, header: &str| {
        let head = "Host: localhost\r\nContent-Type: application/x-www-form-urlencoded";
        format!("POST {target} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n{header}\r\n{form}", form.len())
    };
    for password in ["rpc-secret", "wrong-rpc"] {
        ask(web, post("/rpc", &format!("Authorization: {}\r\n", basic("shop", password)))).await;
    }
    for ticket in ["ticket-of-the-shop", "wrong-ticket-2"] {
        ask(web, post(&format!("/rpc?ticket={ticket}"), "")).await;
    }
    // Programs and pages: what stands in an address is nobody's business either.
    ask(web, "GET /nothing?ticket=stray-ticket&temppass=stray-temppass HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let token = std::fs::read_to_string(config.admin_token()).unwrap().trim().to_owned();
    for token in [token.as_str(), "wrong-admin-token"] {
        let head = format!("Host: localhost\r\nAuthorization: Bearer {token}");
        ask(admin, format!("GET /metrics HTTP/1.1\r\n{head}\r\n\r\n")).await;
    }
    // People: by password, by session, wrongly, and through the link.
    let mut tab = FakeTab::connect(web, Format::Xml).await;
    tab.0.say(&format!(r#"["login",{{"qid":1,"userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    let session = text(&tab.0.hear_named("loginresult").await, "sessionid");
    let mut again = FakeTab::connect(web, Format::Json).await;
    for id in ["wrong-session-id", session.as_str()] {
        again.0.say(&format!(r#"["login",{{"qid":2,"userlogin":"ivanov","sessionid":"{id}"}}]"#)).await;
        again.0.hear_named("loginresult").await;
    }
    again.0.say(r#"["nosuchmethod",{"qid":3,"password":"stray-password"}]"#).await;
    again.0.hear_named("nosuchmethodresult").await;
    again.0.ws.text(r#"["login",{"password":"broken-password"#).await;
    again.0.hear_named("error").await;
    crm.0.say(&format!(r#"["login",{{"qid":4,"userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    let tunnelled = text(&crm.0.hear_named("loginresult").await, "sessionid");
    assert!(soon("a clean stop", node.stop()).await);

    let log = kept.text();
    assert!(log.contains("ivanov") && log.contains("door"), "something is logged at all: {log}");
    for (login, password) in
        [("crm", "dial-secret"), ("crm", "post-secret"), ("shop", "rpc-secret"), ("shop", "wrong-rpc")]
    {
        planted.push(password.to_owned());
        planted.push(STANDARD.encode(format!("{login}:{password}")));
    }
    planted.extend([token, session, tunnelled, HASH.to_owned()]);
    planted.extend(
        [
            "accept-secret",
            "wrong-accept",
            "ticket-of-the-door",
            "ticket-of-the-shop",
            "wrong-ticket",
            "stray-ticket",
            "stray-temppass",
            "stray-password",
            "broken-password",
            "wrong-admin-token",
            "wrong-session-id",
            "Secret1",
        ]
        .map(str::to_owned),
    );
    for secret in planted {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} stands in the log");
    }
}
