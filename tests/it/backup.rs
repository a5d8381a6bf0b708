//! Backups: made while others write, put back whole or not at all, from one kind of database into the other.

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use ctigate::config;
use ctigate::store::upkeep::{self, UpkeepError};
use ctigate::store::{Lock, Store};
use ctigate::telemetry::Telemetry;

use crate::support::database::{Database, Kind, on_both};
use crate::support::node;

const BOUND: Duration = Duration::from_secs(20);

/// A row for each table, with what is hard to keep; two where the order matters.
const ROWS: &[&str] = &[
    "INSERT INTO session VALUES ('h1', 'ivanov', 9223372036854775807, 1), ('h2', 'Иванов ''quoted''', -5, 0)",
    "INSERT INTO form VALUES ('f', 'ivanov', 9000000000000, '{\"имя\":\"card\\n\"}')",
    "INSERT INTO call VALUES ('c1', '{}'), ('c2', '{}')",
    "INSERT INTO journal VALUES ('c1', 't1', 1, 2, 'in', 'answered', '7900', '101', '101', '7900', 0, '', '/var/a.wav'),
     ('c2', '', 3, 0, 'in', 'missed', '7900', '101', '', '7900', 9, 'sales', NULL)",
    "INSERT INTO journal_number VALUES ('c1', 't1', '101', 1), ('c1', 't1', '7900', 0)",
    "INSERT INTO recording VALUES ('/record/1', 'c1', 't1')",
    "INSERT INTO kept VALUES ('redirect', 'ivanov', '{}')",
    "INSERT INTO chat_text VALUES ('m1', 'chat', 1, 'ivanov', 'строка один\nстрока два \"\\', 5)",
    "INSERT INTO password VALUES ('ivanov', '$argon2id$…', 'sha256:00')",
    "INSERT INTO person VALUES ('ivanov', '{1}', 'Иван', '101', '', 'agent')",
    "INSERT INTO fax VALUES ('/fax/1', 'c1', '/var/a.tif', '101')",
    "INSERT INTO account VALUES ('petrov', '{\"login\":\"Petrov\"}', 1, 0)",
    "INSERT INTO second_factor VALUES ('petrov', 'secret', 1, 2)",
    "INSERT INTO link_setting VALUES ('crm', '{}', 1)",
    "INSERT INTO setting VALUES ('limits.max_message_tab', '1024', 1)",
    "INSERT INTO api_key VALUES ('amo', 'service', 'h', '', '', '', 1, 0, 0, 0)",
    "INSERT INTO console_session VALUES ('h', 'petrov', 1, 2)",
    "INSERT INTO audit VALUES (1, 2, 'petrov', '127.0.0.1', 'user.add', 'ivanov', '{}')",
    "INSERT INTO story VALUES (1, 2, 'c1', '', 'ivanov', 'call', '{}')",
];

async fn store(database: &Database) -> Store {
    Store::open(&config::Store { url: database.url(), ..config::Store::default() }, Telemetry::default()).await.unwrap()
}

/// A database with a row in each table.
async fn full(kind: Kind) -> Database {
    let database = Database::new(kind).await;
    store(&database).await.close(BOUND).await;
    let mut other = database.other().await;
    for row in ROWS {
        other.run(*row).await;
    }
    database
}

async fn written(database: &Database) -> Vec<u8> {
    let mut backup = Vec::new();
    upkeep::backup(&database.url(), &mut backup, |_| {}).await.unwrap();
    backup
}

async fn put_back(database: &Database, backup: &[u8], replace: bool) -> Result<u64, UpkeepError> {
    upkeep::restore(&database.url(), BufReader::new(backup), replace, |_| {}).await.map(|done| done.rows)
}

/// Without the head, which names the kind and the moment, and the end, whose checksum is over the head too.
fn rows(backup: &[u8]) -> Vec<String> {
    let lines: Vec<String> = std::str::from_utf8(backup).unwrap().lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_takes_what_the_other_wrote() {
    for (from, to) in [
        (Kind::Sqlite, Kind::Postgres),
        (Kind::Postgres, Kind::Sqlite),
        (Kind::Sqlite, Kind::Sqlite),
        (Kind::Postgres, Kind::Postgres),
    ] {
        let source = full(from).await;
        let backup = written(&source).await;
        let target = Database::new(to).await;
        assert_eq!(put_back(&target, &backup, false).await.unwrap(), 23);
        assert_eq!(rows(&written(&target).await), rows(&backup), "{from:?} into {to:?}");
        let mut other = target.other().await;
        // Not only as the backup tells it.
        assert_eq!(other.texts("SELECT login FROM session ORDER BY hash").await, ["ivanov", "Иванов 'quoted'"]);
        assert_eq!(other.number("SELECT expires_ms FROM session WHERE hash = 'h1'").await, i64::MAX);
        assert_eq!(other.number("SELECT count(*) FROM journal WHERE recording IS NULL").await, 1);
        assert_eq!(other.texts("SELECT text FROM chat_text").await, ["строка один\nстрока два \"\\"]);
        assert_eq!(other.number("SELECT count(*) FROM journal_v1").await, 2, "the views are there");
        other.run("DELETE FROM call").await;
        assert_eq!(other.number("SELECT count(*) FROM fax").await, 0, "the tables still refer to each other");
        other.is_sound().await;
    }
}

on_both! {
    async fn a_backup_shows_one_moment_while_others_write(database: Database) {
        store(&database).await.close(BOUND).await;
        let mut other = database.other().await;
        other.run("INSERT INTO session VALUES ('one', 'a', 9000000000000, 0)").await;
        other.run("INSERT INTO setting VALUES ('limits.max_users', '0', 1)").await;
        // Each change is of two tables, which a backup reads one after the other: one that mixed moments would show halves.
        let (stop, backups) = (std::sync::atomic::AtomicBool::new(false), 5);
        let write = async {
            for n in 1_i64.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let both = format!(
                    "BEGIN; UPDATE session SET life_ms = {n} WHERE hash = 'one';
                     UPDATE setting SET value = '{n}' WHERE key = 'limits.max_users'; COMMIT"
                );
                other.run(both).await;
                tokio::task::yield_now().await;
            }
        };
        let read = async {
            let mut moments: Vec<i64> = Vec::new();
            while moments.len() < backups || moments.first() == moments.last() {
                let lines = rows(&written(&database).await);
                let row = |of: &str| {
                    let line = lines.iter().find(|line| line.starts_with(of)).unwrap_or_else(|| panic!("{of}: {lines:?}"));
                    serde_json::from_str::<serde_json::Value>(line).unwrap()
                };
                let life = row("[\"one\"")[3].as_i64().unwrap();
                assert_eq!(row("[\"limits.max_users\"")[1], life.to_string(), "halves of two moments");
                moments.push(life);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        tokio::time::timeout(BOUND, async { tokio::join!(write, read) }).await.expect("backups of two moments");
    }

    async fn what_is_there_is_only_replaced_when_asked_and_never_by_half(database: Database) {
        let backup = written(&full(Kind::Sqlite).await).await;
        store(&database).await.close(BOUND).await;
        let mut other = database.other().await;
        other.run("INSERT INTO person VALUES ('x', '', '', '', '', '')").await;
        other.run("INSERT INTO account VALUES ('mine', '{}', 1, 0)").await;
        let before = written(&database).await;

        let refused = put_back(&database, &backup, false).await.unwrap_err();
        assert!(refused.to_string().contains("is not empty: 1 rows in table account"), "{refused}");
        assert!(refused.advice().contains("--replace"));

        let text = String::from_utf8(backup.clone()).unwrap();
        let (cut, end) = (text.rfind("{\"rows\"").unwrap(), text.len());
        let damaged: Vec<(String, &str)> = vec![
            (text[..cut].to_owned(), "ends too early"),
            (text[..end - 3].to_owned(), "has no end"),
            (text[..end / 2].to_owned(), "line"),
            (text.replace("7900", "7901"), "the checksum does not fit"),
            (text.replace("\"table\":\"call\"", "\"table\":\"pg_authid\""), "found the table \"pg_authid\""),
            (text.replace("\"chain\",\"body\"", "\"chain\",\"body\\\") --\""), "no list of names"),
            (text.replace("\"chain\",\"body\"", "\"chain\""), "a row of 2 values, expected 1"),
            (text.replace("9223372036854775807", "1.5"), "not whole"),
            (format!("{text}[]\n"), "after the end"),
            (text.replace("\"ctigate_backup\":1", "\"ctigate_backup\":2"), "another form"),
            ("PGDMP".to_owned(), "this is no backup"),
            (String::new(), "this is no backup"),
        ];
        for (damaged, why) in damaged {
            let refused = put_back(&database, damaged.as_bytes(), true).await.unwrap_err();
            assert!(refused.to_string().contains(why), "{why}: {refused}");
            assert_eq!(rows(&written(&database).await), rows(&before), "{why}: nothing has changed");
        }
        let newer = text.replace("\"step\":", "\"step\":500");
        let refused = put_back(&database, newer.as_bytes(), true).await.unwrap_err();
        assert!(refused.to_string().contains("the backup was made by a newer ctigate: it has step 500"), "{refused}");

        assert_eq!(put_back(&database, &backup, true).await.unwrap(), 23);
        assert_eq!(rows(&written(&database).await), rows(&backup));
    }

    async fn a_backup_of_older_tables_is_brought_up_to_date(database: Database) {
        let head = r#"{"ctigate_backup":1,"step":2,"made_ms":1,"made_by":"0.0.9","kind":"sqlite"}"#;
        let before = format!("{head}\n{}\n{}\n", r#"{"table":"call","columns":["chain","body"]}"#, r#"["c","{}"]"#);
        let sum: String = <sha2::Sha256 as sha2::Digest>::digest(&before).iter().map(|byte| format!("{byte:02x}")).collect();
        let backup = format!("{before}{{\"rows\":1,\"sha256\":\"{sum}\"}}\n");
        assert_eq!(put_back(&database, backup.as_bytes(), false).await.unwrap(), 1);
        assert!(upkeep::steps(&database.url()).await.unwrap().iter().all(|step| step.done));
        assert_eq!(database.other().await.number("SELECT count(*) FROM account").await, 0);
        store(&database).await.close(BOUND).await;
    }

    async fn steps_are_shown_and_done_and_those_of_tomorrow_refused(database: Database) {
        let url = database.url();
        assert!(upkeep::steps(&url).await.unwrap().iter().all(|step| !step.done));
        assert!(database.kind == Kind::Postgres || !database.path().exists(), "looking makes no file");
        let done = upkeep::migrate(&url).await.unwrap();
        assert_eq!(done.iter().map(|step| step.number).collect::<Vec<_>>(), (1..=done.len() as i64).collect::<Vec<_>>());
        assert!(upkeep::migrate(&url).await.unwrap().is_empty(), "nothing is left to do");
        let tomorrow = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                        VALUES (999, 'from tomorrow', TRUE, '', 0)";
        database.other().await.run(tomorrow).await;
        for refused in [
            upkeep::steps(&url).await.unwrap_err(),
            upkeep::migrate(&url).await.unwrap_err(),
            upkeep::backup(&url, Vec::new(), |_| {}).await.unwrap_err(),
            put_back(&database, &written(&full(Kind::Sqlite).await).await, true).await.unwrap_err(),
        ] {
            assert!(refused.to_string().contains("made by a newer ctigate: it has step 999"), "{refused}");
        }
        let refused = Store::open(&config::Store { url, ..config::Store::default() }, Telemetry::default()).await.unwrap_err();
        assert!(refused.to_string().contains("made by a newer ctigate"), "{refused}");
    }

    async fn a_store_serves_one_gateway_and_is_not_replaced_under_it(database: Database) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = node::config(folder.path());
        config.store.url = database.url();
        let running = node::start(&config).await;
        let backup = written(&database).await;
        let refused = put_back(&database, &backup, true).await.unwrap_err();
        assert!(refused.to_string().contains("a gateway runs on it"), "{refused}");
        assert!(refused.advice().contains("end that gateway first"));
        let second = ctigate::app::start(&config, false, ctigate::shutdown::Shutdown::new()).await.unwrap_err();
        assert!(second.to_string().contains("a gateway runs on it"), "{second}");
        // A command that changes a row is no gateway.
        store(&database).await.close(BOUND).await;
        assert!(running.stop().await);
        put_back(&database, &backup, true).await.unwrap();
        let lock = Lock::take(&database.url()).await.unwrap();
        assert!(put_back(&database, &backup, true).await.is_err());
        drop(lock);
        assert!(node::start(&config).await.stop().await);
    }

    async fn the_commands_say_what_they_did_and_what_to_do(database: Database) {
        let folder = database.folder.path();
        let ctigate = |words: &[&str]| ctigate(folder, database.address(), words);
        let out = ctigate(&["db", "migrate", "--list"]);
        assert!(out.0.contains("open") && !out.0.contains("done"), "{out:?}");
        let out = ctigate(&["db", "migrate"]);
        assert!(out.0.starts_with("step 1: sessions and forms\n") && out.0.contains("is up to date"), "{out:?}");
        assert!(!out.0.contains("hunter2"), "{out:?}");
        assert!(ctigate(&["db", "migrate"]).0.contains("was up to date"));
        let mut other = database.other().await;
        for row in ROWS {
            other.run(*row).await;
        }
        let out = ctigate(&["db", "backup", "today.backup"]);
        assert!(out.1.contains("backup: 23 rows, "), "{out:?}");
        let made = folder.join("today.backup");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&made).unwrap().permissions()) & 0o777, 0o600);
        assert!(!folder.join("today.backup.part").exists());
        let out = ctigate(&["db", "backup", "today.backup"]);
        assert!(out.2 == 1 && out.1.contains("there is a file today.backup") && out.1.contains("--replace"), "{out:?}");
        assert_eq!(ctigate(&["db", "backup", "--replace", "today.backup"]).2, 0);
        let out = ctigate(&["db", "backup", "nowhere/today.backup"]);
        assert!(out.2 == 1 && out.1.contains("the backup cannot be written"), "{out:?}");
        let out = ctigate(&["db", "restore", "today.backup"]);
        assert!(out.2 == 1 && out.1.contains("is not empty") && out.1.contains("--replace"), "{out:?}");
        other.run("DELETE FROM session").await;
        let out = ctigate(&["db", "restore", "--replace", "today.backup"]);
        assert!(out.2 == 0 && out.1.contains("restore: 23 rows"), "{out:?}");
        assert_eq!(other.number("SELECT count(*) FROM session").await, 2);
        let out = ctigate(&["db", "restore", "missing.backup"]);
        assert!(out.2 == 1 && out.1.contains("the backup missing.backup cannot be read"), "{out:?}");

        // By pipes, as with gzip.
        let piped = |words: &str| {
            let line = format!("{} {words}", env!("CARGO_BIN_EXE_ctigate"));
            command(Path::new("sh"), folder, database.address(), &["-c", &line])
        };
        let out = piped("db backup - | grep -c ''");
        assert_eq!(out.0, "44\n", "{out:?}");
        let out = piped("db restore --replace - < today.backup");
        assert_eq!(out.2, 0, "{out:?}");
    }
}

/// What it says on both channels, and its exit code.
fn ctigate(folder: &Path, url: &str, words: &[&str]) -> (String, String, i32) {
    command(Path::new(env!("CARGO_BIN_EXE_ctigate")), folder, url, words)
}

fn command(program: &Path, folder: &Path, url: &str, words: &[&str]) -> (String, String, i32) {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(words)
        .current_dir(folder)
        .env("CTIGATE_STORE__URL", url)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(stdout), text(stderr), status.code().unwrap_or(-1))
}

/// A store of 40 MB, with little more to work in than an empty one needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_store_needs_little_memory() {
    let from = Database::new(Kind::Sqlite).await;
    store(&from).await.close(BOUND).await;
    let many = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2500)
                INSERT INTO call SELECT 'c' || x, '\"' || hex(randomblob(8000)) || '\"' FROM n";
    from.other().await.run(many).await;
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let to = Database::new(kind).await;
        let script =
            "ulimit -v 80000; \"$0\" db backup big; CTIGATE_STORE__URL=$1 \"$0\" db restore big; grep -c '' big";
        let words = ["-c", script, env!("CARGO_BIN_EXE_ctigate"), to.address()];
        let out = command(Path::new("sh"), from.folder.path(), from.address(), &words);
        assert_eq!((out.0.trim(), out.2), ("2503", 0), "{out:?}");
        assert_eq!(to.other().await.number("SELECT count(*) FROM call").await, 2500);
        fs::remove_file(from.folder.path().join("big")).unwrap();
    }
}
