//! The store over restarts, crashes and failures of the disk.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use ctigate::config::{self, DatabaseUrl};
use ctigate::proto::hub::output::{Record, StoredForm, StoredSession};
use ctigate::store::{Store, StoreError, token};
use ctigate::telemetry::Telemetry;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::database::{Database, on_both};

/// Nothing here takes longer, unless it hangs.
const BOUND: Duration = Duration::from_secs(20);

/// After all the tests.
const FAR: i64 = 9_000_000_000_000;

/// More than the hundredth of a session's life that is not worth a write, milliseconds.
const LATER: i64 = 1_000_000;

fn session(hash: &str, expires_ms: i64) -> StoredSession {
    StoredSession { hash: hash.into(), login: "ivanov".into(), expires_ms, life_ms: 86_400_000 }
}

fn form(id: &str, expires_ms: i64) -> StoredForm {
    StoredForm { id: id.into(), login: "ivanov".into(), expires_ms, body: "{\"имя\":\"card\"}".into() }
}

async fn open_at(url: DatabaseUrl, telemetry: &Telemetry) -> Result<Store, StoreError> {
    Store::open(&config::Store { url, ..config::Store::default() }, telemetry.clone()).await
}

async fn open(database: &Database) -> Store {
    open_at(database.url(), &Telemetry::default()).await.unwrap()
}

async fn open_file(path: &Path) -> Store {
    open_at(DatabaseUrl::Sqlite(path.to_path_buf()), &Telemetry::default()).await.unwrap()
}

async fn refused(path: &Path) -> StoreError {
    open_at(DatabaseUrl::Sqlite(path.to_path_buf()), &Telemetry::default()).await.unwrap_err()
}

/// A connection of somebody else to the same file.
async fn somebody_else(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

on_both! {
    async fn what_was_recorded_is_there_after_a_restart(database: Database) {
        let store = open(&database).await;
        assert_eq!(store.load_sessions(0).await.unwrap(), []);
        store.record(Record::Session(session("a", FAR)));
        store.record(Record::Session(session("b", FAR)));
        store.record(Record::Session(session("b", FAR + LATER)));
        store.record(Record::Form(form("f", FAR)));
        store.record(Record::Form(form("g", FAR)));
        assert!(store.flush(BOUND).await);
        store.record(Record::SessionEnded { hash: "a".into() });
        store.record(Record::FormEnded { id: "f".into() });
        assert_eq!(store.close(BOUND).await, 0);

        let store = open(&database).await;
        assert_eq!(store.load_sessions(0).await.unwrap(), [session("b", FAR + LATER)]);
        assert_eq!(store.load_forms(0).await.unwrap(), [form("g", FAR)]);
        store.record(Record::SessionEnded { hash: "b".into() });
        store.close(BOUND).await;
        assert_eq!(open(&database).await.load_sessions(0).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_store_in_memory_keeps_while_it_lives() {
    let store = open_at(DatabaseUrl::Memory, &Telemetry::default()).await.unwrap();
    store.record(Record::Session(session("a", FAR)));
    assert!(store.flush(BOUND).await);
    assert_eq!(store.load_sessions(0).await.unwrap().len(), 1);
}

on_both! {
    async fn what_has_expired_is_not_given_back_and_is_deleted(database: Database) {
        let store = open(&database).await;
        store.record(Record::Session(session("old", 1000)));
        store.record(Record::Session(session("new", FAR)));
        store.record(Record::Form(form("old", 1000)));
        store.close(BOUND).await;

        let store = open(&database).await;
        assert_eq!(store.load_sessions(1000).await.unwrap(), [session("new", FAR)]);
        assert_eq!(store.load_forms(1000).await.unwrap(), []);
        let began = Instant::now();
        while store.load_sessions(0).await.unwrap().len() > 1 || !store.load_forms(0).await.unwrap().is_empty() {
            assert!(began.elapsed() < BOUND, "expired rows are not deleted");
            tokio::task::yield_now().await;
        }
    }
}

/// Not a test by itself: the process that [`a_killed_process_leaves_what_it_had_flushed`] kills.
#[tokio::test]
#[ignore = "a part of another test"]
#[allow(clippy::print_stdout, reason = "its parent waits for the word")]
async fn records_until_it_is_killed() {
    let Some(path) = env::var_os("CTIGATE_TEST_STORE").map(PathBuf::from) else { return };
    let store = open_file(&path).await;
    (0..500).for_each(|n| store.record(Record::Session(session(&format!("flushed-{n}"), FAR))));
    assert!(store.flush(BOUND).await);
    println!("flushed");
    for n in 0.. {
        store.record(Record::Session(session(&format!("more-{}", n % 1000), FAR + n)));
        store.record(Record::Form(form(&format!("more-{}", n % 1000), FAR + n)));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_killed_process_leaves_what_it_had_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    for _ in 0..3 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "store::records_until_it_is_killed", "--ignored", "--nocapture"])
            .env("CTIGATE_TEST_STORE", &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The harness may have written the test's name on the same line.
        assert!(lines.any(|line| line.unwrap().ends_with("flushed")));
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open_file(&path).await;
        let found = store.load_sessions(0).await.unwrap();
        assert_eq!(found.iter().filter(|session| session.hash.starts_with("flushed-")).count(), 500);
        store.load_forms(0).await.unwrap();
        store.close(BOUND).await;
        let mut connection = somebody_else(&path).await;
        let answer: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
        assert_eq!(answer, "ok");
    }
}

on_both! {
    async fn a_database_that_fails_is_tried_again_and_only_the_latest_states_wait(database: Database) {
        let telemetry = Telemetry::default();
        let store = open_at(database.url(), &telemetry).await.unwrap();
        let mut other = database.other().await;
        other.run("ALTER TABLE session RENAME TO away").await;
        for n in 0..1000 {
            store.record(Record::Session(session("a", FAR + n * LATER)));
            store.record(Record::Session(session(&format!("short-{n}"), FAR)));
            store.record(Record::SessionEnded { hash: format!("short-{n}").into() });
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        while telemetry.metrics().store_batches.with("failed").get() == 0 {
            assert!(began.elapsed() < BOUND, "the writer did not try");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(store.waiting() <= 1, "{} wait", store.waiting());
        assert!(!store.flush(Duration::from_millis(50)).await);
        other.run("ALTER TABLE away RENAME TO session").await;
        assert!(store.flush(BOUND).await);
        assert_eq!(store.load_sessions(0).await.unwrap(), [session("a", FAR + 999 * LATER)]);
        assert_eq!(telemetry.metrics().store_waiting.get(), 0);
    }
}

on_both! {
    async fn closing_says_how_much_was_left_behind(database: Database) {
        let store = open(&database).await;
        database.other().await.run("DROP TABLE session").await;
        store.record(Record::Session(session("a", FAR)));
        store.record(Record::Session(session("b", FAR)));
        assert_eq!(store.close(Duration::from_millis(300)).await, 2);
    }
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/a.db");
    let store = open_file(&path).await;
    store.record(Record::Session(session("a", FAR)));
    assert!(store.flush(BOUND).await);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for name in ["a.db", "a.db-wal", "a.db-shm"] {
        assert_eq!(mode(&path.with_file_name(name)), 0o600, "{name}");
    }
    store.close(BOUND).await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    open_file(&path).await;
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |error: &StoreError| format!("{error} / {}", error.advice());

    let text = folder.path().join("text.db");
    fs::write(&text, "this is no database, but it is long enough to look at: ".repeat(50)).unwrap();
    let error = told(&refused(&text).await);
    assert!(error.contains("text.db: this is no SQLite database") && error.contains("move the file away"), "{error}");

    let error = told(&refused(&text.join("a.db")).await);
    assert!(error.contains("its folder cannot be made") && error.contains("[store] url"), "{error}");

    let error = told(&refused(folder.path()).await);
    assert!(error.contains("cannot be opened for reading and writing"), "{error}");

    let newer = folder.path().join("newer.db");
    open_file(&newer).await.close(BOUND).await;
    let row = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
               VALUES (999, 'from tomorrow', TRUE, x'00', 0)";
    somebody_else(&newer).await.execute(row).await.unwrap();
    let error = told(&refused(&newer).await);
    assert!(error.contains("made by a newer ctigate"), "{error}");
}

#[tokio::test]
async fn a_database_that_somebody_holds_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    open_file(&path).await.close(BOUND).await;
    let mut other = somebody_else(&path).await;
    other
        .execute("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO form VALUES ('x', 'x', 1, 'x')")
        .await
        .unwrap();
    let error = refused(&path).await;
    assert!(error.to_string().contains("another program holds it locked"), "{error}");
    assert!(error.advice().contains("another ctigate"));
    other.close().await.unwrap();
}

#[test]
fn the_admin_token_is_made_once_and_only_for_the_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/admin.token");
    let missing = token::read(&path).unwrap_err().to_string();
    assert!(missing.contains("admin.token cannot be read or made"), "{missing}");
    let made = token::load_or_create(&path).unwrap();
    assert_eq!(made.expose().len(), 64);
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(token::load_or_create(&path).unwrap(), made);
    assert_eq!(token::read(&path).unwrap(), made);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(token::load_or_create(&path).unwrap(), made);
    assert_eq!(mode(&path), 0o600);

    for unfit in [
        "",
        "short\n",
        "two\nlines that are long enough to be a token\n",
        "with a blank in it, but long enough for one\n",
    ] {
        fs::write(&path, unfit).unwrap();
        let error = token::load_or_create(&path).unwrap_err().to_string();
        assert!(error.contains("remove it and a new one is made"), "{error}");
    }
    let other = folder.path().join("other.token");
    assert_ne!(token::load_or_create(&other).unwrap(), made);
}
