//! What operators read of peers: who, why, once; and never a secret.

use std::io;
use std::sync::{Arc, Mutex};

use ctigate::config::{Auth, Link, LinkMode, Log, Secret};
use ctigate::proto::message::Format;
use ctigate::telemetry::logging;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::gateway::link;
use crate::support::http::ask;
use crate::support::peers::HASH;
use crate::support::ws::request;
use crate::support::{FakeCrm, FakeTab, Setup, Ws, until};

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
    let wrong = ctigate::proto::auth::basic::Basic { login: "crm".to_owned(), password: "guess-1".to_owned() };
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
