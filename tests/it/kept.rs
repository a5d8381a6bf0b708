//! What an acknowledgement promises is on disk before it is sent.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ctigate::config::LinkMode;
use ctigate::proto::message::Format;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor, Row};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::gateway::link;
use crate::support::peers::{HASH, text};
use crate::support::{FakeCrm, FakeTab, Frame, node, soon};

/// Somebody else at the gateway's database.
struct Other(SqliteConnection);

impl Other {
    async fn at(folder: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(folder.join("ctigate.db"));
        Self(options.connect().await.unwrap())
    }

    /// Nobody writes from now on.
    async fn locks(&mut self) {
        // The writer may be at it just now.
        soon("the lock", async {
            while self.0.execute("BEGIN IMMEDIATE").await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    async fn lets_go(&mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }

    async fn sessions(&mut self) -> i64 {
        self.0.fetch_one("SELECT count(*) FROM session").await.unwrap().get(0)
    }
}

async fn begin_login(tab: &mut FakeTab) {
    tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
}

async fn resume(tab: &mut FakeTab, session: &str) -> Option<i64> {
    tab.0.say(&format!(r#"["login",{{"qid":"s","userlogin":"ivanov","sessionid":"{session}"}}]"#)).await;
    tab.0.hear_named("loginresult").await.body.int("result")
}

/// That nothing but pings comes for a while.
async fn hears_nothing(tab: &mut FakeTab) {
    let heard = tokio::time::timeout(Duration::from_millis(400), tab.0.ws.next_data()).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_on_disk_before_the_login_is_answered_and_nobody_else_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = node::config(folder.path());
    let crm = ctigate::config::Link { bind: Some("127.0.0.1:0".parse().unwrap()), ..link("crm", LinkMode::AcceptWs) };
    config.links.push(crm);
    let node = node::start(&config).await;
    let web = node.addresses.web.unwrap();
    let mut other = Other::at(folder.path()).await;

    let mut first = FakeTab::connect(web, Format::Json).await;
    begin_login(&mut first).await;
    let session = text(&first.0.hear_named("loginresult").await, "sessionid");
    assert_eq!(other.sessions().await, 1);
    let mut crm = FakeCrm::connect(node.addresses.links[0].1, Format::Json).await;
    crm.introduce_bare().await;

    other.locks().await;
    let mut late = FakeTab::connect(web, Format::Xml).await;
    begin_login(&mut late).await;
    crm.0.say(&format!(r#"["login",{{"qid":"t","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    hears_nothing(&mut late).await;
    first.ping().await;
    let mut resumed = FakeTab::connect(web, Format::Json).await;
    assert_eq!(resume(&mut resumed, &session).await, Some(1), "what is on disk already does not wait");
    crm.0.say(r#"["getpbxnumbers",{"qid":"n"}]"#).await;
    let before = soon("a reply to the link", async {
        loop {
            let heard = crm.0.hear().await;
            if heard.name != "userstatechanged" {
                return heard.name.to_string();
            }
        }
    });
    assert_eq!(before.await, "getpbxnumbersresult", "others behind the link do not wait");

    other.lets_go().await;
    let Frame::Text(answer) = late.0.ws.next_data().await else { panic!("a message") };
    assert!(answer.contains("loginresult"), "before anything else: {answer}");
    let tunnelled = crm.0.hear_named("loginresult").await;
    assert_eq!((tunnelled.body.text("qid").as_deref(), tunnelled.body.int("result")), (Some("t"), Some(1)));
    assert_eq!(other.sessions().await, 3);

    // The end of a session is a promise too: it must not come back with a restart.
    other.locks().await;
    late.0.say(r#"["logout",{"qid":"o"}]"#).await;
    hears_nothing(&mut late).await;
    other.lets_go().await;
    late.0.hear_named("logoutresult").await;
    assert_eq!(other.sessions().await, 2);
    assert_eq!(late.0.closed().await.0, 1000);
    assert!(node.stop().await, "a clean stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_for_long_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let node = node::start(&node::config(folder.path())).await;
    let mut other = Other::at(folder.path()).await;
    other.locks().await;
    let began = Instant::now();
    let mut tab = FakeTab::connect(node.addresses.web.unwrap(), Format::Json).await;
    begin_login(&mut tab).await;
    let reply = tab.0.hear_named("loginresult").await;
    assert_eq!(reply.body.int("result"), Some(1));
    assert!(began.elapsed() >= Duration::from_secs(5), "{:?}", began.elapsed());
    other.lets_go().await;
    assert!(node.stop().await, "what waited is written");
    assert_eq!(other.sessions().await, 1);
}

/// A gateway in a process of its own, killed when it is dropped.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn serve(folder: &Path, web: SocketAddr) -> Process {
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_ctigate"))
        .arg("serve")
        .current_dir(folder)
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let process = Process(child);
    soon("the gateway listens", async {
        while TcpStream::connect(web).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_on_when_the_gateway_is_killed_right_after_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let [web, admin] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let config = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[[user]]\nlogin = \"ivanov\"\npassword = \"Secret1\"\n"
    );
    std::fs::write(folder.path().join("ctigate.toml"), config).unwrap();
    let mut given: Vec<String> = Vec::new();
    for _ in 0..4 {
        let gateway = serve(folder.path(), web).await;
        for session in &given {
            let mut tab = FakeTab::connect(web, Format::Json).await;
            assert_eq!(resume(&mut tab, session).await, Some(1), "the session lives on");
        }
        let mut tab = FakeTab::connect(web, Format::Json).await;
        begin_login(&mut tab).await;
        let session = text(&tab.0.hear_named("loginresult").await, "sessionid");
        drop(gateway);
        given.push(session);
    }
}
