//! A database in trouble: a full disk, a lock, a server that is away, data that it refuses. What it is, is told; nothing is lost; and
//! all goes on when the trouble is over.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ctigate::config::{self, DatabaseUrl};
use ctigate::proto::hub::archive::ChatText;
use ctigate::proto::hub::output::{Record, StoredSession};
use ctigate::proto::message::Format;
use ctigate::store::{Store, StoreError};
use ctigate::telemetry::Telemetry;
use rand::RngExt;
use rand::distr::Alphanumeric;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::database::{Database, Kind, Other, on_both};
use crate::support::http::ask;
use crate::support::peers::HASH;
use crate::support::process::{self, free_addresses};
use crate::support::{FakeTab, node, postgres, soon};

const BOUND: Duration = Duration::from_secs(20);
const FAR: i64 = 9_000_000_000_000;

async fn open(url: DatabaseUrl, telemetry: &Telemetry) -> Result<Store, StoreError> {
    Store::open(&config::Store { url, ..config::Store::default() }, telemetry.clone()).await
}

fn session(hash: &str) -> Record {
    Record::Session(StoredSession { hash: hash.into(), login: "ivanov".into(), expires_ms: FAR, life_ms: 1 })
}

/// What `/readyz` says.
async fn ready(admin: SocketAddr) -> String {
    let (answer, _) = ask(admin, format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")).await;
    format!("{} {}", answer.status, answer.body)
}

async fn says(admin: SocketAddr, wanted: &str) {
    let mut said = String::new();
    let heard = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            said = ready(admin).await;
            if said.contains(wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    if heard.await.is_err() {
        panic!("/readyz never said {wanted}: {said}");
    }
}

on_both! {
    async fn a_lock_is_told_and_what_waited_is_written_after(database: Database) {
        let mut config = node::config(database.folder.path());
        config.store.url = database.url();
        let node = node::start(&config).await;
        let (web, admin) = (node.addresses.web.unwrap(), node.addresses.admin.unwrap());
        says(admin, "200 ").await;
        let mut other = database.other().await;
        other.locks("session").await;
        let mut tab = FakeTab::connect(web, Format::Json).await;
        tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
        says(admin, "another program holds it locked; facts waiting: 1").await;
        assert!(ready(admin).await.starts_with("503 "));
        other.lets_go().await;
        says(admin, "200 ").await;
        assert_eq!(other.number("SELECT count(*) FROM session").await, 1);
        drop(tab);
        assert!(node.stop().await);
    }

    async fn what_is_old_leaves_a_little_at_a_time_and_the_rest_stays(database: Database) {
        let forever = config::Store { url: database.url(), ..config::Store::default() };
        Store::open(&forever, Telemetry::default()).await.unwrap().close(BOUND).await;
        let mut other = database.other().await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let now = i64::try_from(now).unwrap();
        let day = 24 * 3600 * 1000;
        // 500 conversations of the last 500 days, each with two talks, a recording and a fax; as many texts.
        for n in 0..500_i64 {
            let at = now - n * day - 1000;
            other.run(format!("INSERT INTO call VALUES ('c{n}', '{{}}')")).await;
            other.run(format!(
                "INSERT INTO journal VALUES ('c{n}', 't1', {at}, 1, 'in', 'answered', '', '', '', '', 0, '', 'f'), ('c{n}', 't2', {at}, 1, 'in', 'answered', '', '', '', '', 0, '', NULL);
                 INSERT INTO journal_number VALUES ('c{n}', 't1', '101', 1);
                 INSERT INTO recording VALUES ('/record/{n}', 'c{n}', 't1');
                 INSERT INTO fax VALUES ('/fax/{n}', 'c{n}', 'f', '');
                 INSERT INTO chat_text VALUES ('m{n}', 'chat', {n}, 'a', 'x', {at})"
            )).await;
        }
        let all = ["call", "journal", "journal_number", "recording", "fax", "chat_text"];
        let store = Store::open(&forever, Telemetry::default()).await.unwrap();
        store.record(session("a"));
        assert!(store.flush(BOUND).await);
        store.close(BOUND).await;
        assert_eq!(other.number("SELECT count(*) FROM call").await, 500, "for ever is for ever");

        let some = config::Store { keep_calls_days: 30, keep_chats_days: 7, ..forever };
        let store = Store::open(&some, Telemetry::default()).await.unwrap();
        soon("the old is gone", async {
            while other.number("SELECT count(*) FROM journal").await > 60 || other.number("SELECT count(*) FROM chat_text").await > 7 {
                // Whoever writes goes on meanwhile.
                store.record(session("b"));
                assert!(store.flush(BOUND).await);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let mut left = Vec::new();
        for table in all {
            left.push(other.number(format!("SELECT count(*) FROM {table}")).await);
        }
        assert_eq!(left, [30, 60, 30, 30, 30, 7]);
        assert_eq!(other.number("SELECT count(*) FROM call WHERE chain IN ('c0', 'c29')").await, 2, "the young stay");
        store.close(BOUND).await;
    }
}

/// A small disk, in memory. Away with this value.
struct Disk(PathBuf);

impl Disk {
    /// `None` without the right to mount one.
    fn mounted(at: PathBuf, megabytes: usize) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let size = format!("size={megabytes}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output().unwrap();
        done.status.success().then_some(Self(at))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        for size in [65_536, 4096, 1] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn configure(folder: &Path, url: &str) -> [SocketAddr; 2] {
    let [web, admin] = free_addresses();
    let config = format!(
        "[web]\nbind = \"{web}\"\ntls_bind = \"\"\nadmin_bind = \"{admin}\"\n[store]\nurl = \"{url}\"\n\
         [[user]]\nlogin = \"ivanov\"\nnumber = \"101\"\npassword = \"Secret1\"\n[[user]]\nlogin = \"petrov\"\nnumber = \"102\"\npassword = \"Secret1\"\n"
    );
    fs::write(folder.join("ctigate.toml"), config).unwrap();
    [web, admin]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stderr, reason = "whoever runs the tests should know what was not tried")]
async fn a_full_disk_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mounted(folder.path().join("disk"), 4) else {
        eprintln!("a full disk is not tried: it needs the right to mount one (root)");
        return;
    };
    let path = disk.0.join("ctigate.db");
    let [web, admin] = configure(folder.path(), &format!("sqlite://{}", path.display()));
    let gateway = process::serve(folder.path(), web).await;
    let mut tab = FakeTab::login(web, Format::Json, "ivanov").await;
    tab.0.say(r#"["getallusernumbers",{"qid":"u"}]"#).await;
    let users = tab.0.hear_named("getallusernumbersresult").await.body.value("users").unwrap();
    let petrov = users.as_array().unwrap()[1].as_object().unwrap().get("id").unwrap().to_text().unwrap();
    tab.0.say(&format!(r#"["chatcreate",{{"qid":"c","members":["{petrov}"]}}]"#)).await;
    let chat = tab.0.hear_named("chatcreateresult").await.body.text("chatid").unwrap();

    disk.fill();
    let filler = "x".repeat(3000);
    let mut acknowledged = Vec::new();
    let mut said = String::new();
    // The log of the database has some room yet.
    while !said.contains("the disk is full") {
        let text = format!("text {} {filler}", acknowledged.len());
        tab.0.say(&format!(r#"["chatsend",{{"qid":"c","chatid":"{chat}","text":"{text}"}}]"#)).await;
        assert_eq!(tab.0.hear_named("chatsendresult").await.body.int("result"), Some(1));
        acknowledged.push(text);
        assert!(acknowledged.len() < 2000, "4 MB hold no more: {said}");
        said = ready(admin).await;
    }
    assert!(said.starts_with("503 ") && said.contains("facts waiting: "), "{said}");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("the disk is full") && log.contains("make room on the disk"), "{log}");

    disk.empty();
    says(admin, "200 ").await;
    drop(gateway);
    let mut other = Other::file(&path).await;
    let kept = other.texts("SELECT text FROM chat_text ORDER BY number").await;
    assert_eq!(kept, acknowledged, "killed after it had recovered");
    other.is_sound().await;
    // The last to leave writes the log into the database and removes it, which makes room.
    other.leaves().await;

    // A start on a full disk says so, and changes nothing.
    disk.fill();
    let mut gateway = process::start(folder.path());
    assert_eq!(gateway.ended().await, 4);
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("the disk is full") && log.contains("make room on the disk"), "{log}");
    disk.empty();
    drop(process::serve(folder.path(), web).await);
    assert_eq!(Other::file(&path).await.texts("SELECT text FROM chat_text ORDER BY number").await, acknowledged);
}

/// Stands between a gateway and PostgreSQL.
struct Wire {
    port: u16,
    open: watch::Sender<bool>,
}

impl Wire {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                if !*state.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.changed() => {}
                    }
                });
            }
        });
        Self { port: own, open }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_and_what_waited_is_written_when_it_is_back() {
    let database = Database::new(Kind::Postgres).await;
    let port = tokio::task::spawn_blocking(|| postgres::server().port).await.unwrap();
    let wire = Wire::to(port).await;
    let mut config = node::config(database.folder.path());
    config.store.url =
        database.address().replace(&format!("localhost:{port}"), &format!("127.0.0.1:{}", wire.port)).parse().unwrap();
    let node = node::start(&config).await;
    let (web, admin) = (node.addresses.web.unwrap(), node.addresses.admin.unwrap());
    // It stays: its end would be a fact too, which may come before the server goes or after.
    let first = FakeTab::login(web, Format::Json, "ivanov").await;
    wire.open.send_replace(false);
    let mut tab = FakeTab::connect(web, Format::Json).await;
    tab.0.say(&format!(r#"["login",{{"qid":"l","userlogin":"ivanov","Password":"{HASH}"}}]"#)).await;
    says(admin, "the server cannot be reached, or does not answer; facts waiting: 1").await;
    wire.open.send_replace(true);
    says(admin, "200 ").await;
    assert_eq!(database.other().await.number("SELECT count(*) FROM session").await, 2);
    drop((first, tab));
    assert!(node.stop().await);
}

#[tokio::test]
async fn a_fact_that_the_database_refuses_does_not_hold_up_the_others() {
    let database = Database::new(Kind::Postgres).await;
    let telemetry = Telemetry::default();
    let store = open(database.url(), &telemetry).await.unwrap();
    // More than an index takes, and nothing that could be made shorter.
    let endless: String = rand::rng().sample_iter(Alphanumeric).take(20_000).map(char::from).collect();
    let text = |message: &str, text: &str| {
        Record::Text(ChatText { chat: "c".into(), message: message.into(), text: text.into(), ..ChatText::default() })
    };
    store.record(session("a"));
    store.record(text(&endless, "lost"));
    store.record(text("m", "zero \0 is no letter"));
    assert!(store.flush(BOUND).await);
    store.record(session("b"));
    assert!(store.flush(BOUND).await);
    assert_eq!(store.load_sessions(0).await.unwrap().len(), 2);
    assert_eq!(database.other().await.texts("SELECT text FROM chat_text").await, ["zero \u{fffd} is no letter"]);
    assert_eq!(telemetry.store_trouble(), None);
    store.close(BOUND).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_used_says_why_and_never_the_password() {
    let server = tokio::task::spawn_blocking(postgres::server).await.unwrap();
    let database = Database::new(Kind::Postgres).await;
    let right = database.address().split('?').next().unwrap().to_owned();
    let ca = server.ca();
    let free = free_addresses::<1>()[0].port();
    let plain = format!("{right}?sslmode=disable");
    for (address, why) in [
        (plain.replace(":hunter2", ":wrong-hunter2"), "the server refuses the login"),
        (plain.replace("/it_", "/missing_"), "the server has no such database"),
        (plain.replace(&server.port.to_string(), &free.to_string()), "the server cannot be reached"),
        (format!("{right}?sslmode=verify-full"), "no secure connection could be made"),
        (
            format!("{}?sslmode=verify-full&sslrootcert={}", right.replace("localhost", "127.0.0.1"), ca.display()),
            "no secure connection could be made",
        ),
    ] {
        let error = open(address.parse().unwrap(), &Telemetry::default()).await.unwrap_err();
        let told = format!("{} {} {error:?}", error.with_causes(), error.advice());
        assert!(told.contains(why), "{address}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(!error.advice().contains("cause above"), "{told}");
    }
    for query in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={}", ca.display())] {
        let store = open(format!("{right}?{query}").parse().unwrap(), &Telemetry::default()).await.unwrap();
        let mut other = database.other().await;
        let secure = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid
                      WHERE s.ssl AND a.datname = current_database() AND a.application_name = 'ctigate'";
        assert!(other.number(secure).await > 0, "{query}");
        store.close(BOUND).await;
    }
}
