//! A database for one test, of either kind, and somebody else who looks at it with statements of their own.

use std::path::PathBuf;

use ctigate::config::DatabaseUrl;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};

use super::postgres;

/// The kinds of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A database that only one test uses. The folder goes with it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) folder: tempfile::TempDir,
    address: String,
}

impl Database {
    pub(crate) async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = match kind {
            Kind::Sqlite => format!("sqlite://{}", folder.path().join("ctigate.db").display()),
            Kind::Postgres => postgres::fresh().await,
        };
        Self { kind, folder, address }
    }

    /// As it stands in a file of configuration.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> DatabaseUrl {
        self.address.parse().unwrap()
    }

    /// The file of SQLite.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ctigate.db")
    }

    /// A connection of somebody else.
    pub(crate) async fn other(&self) -> Other {
        match self.kind {
            Kind::Sqlite => Other::Sqlite(SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()),
            Kind::Postgres => Other::Postgres(PgConnection::connect(&self.address).await.unwrap()),
        }
    }
}

/// Somebody else at a database.
#[derive(Debug)]
pub(crate) enum Other {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Other {
    pub(crate) async fn file(path: &std::path::Path) -> Self {
        Self::Sqlite(SqliteConnectOptions::new().filename(path).connect().await.unwrap())
    }

    /// Goes, and what it held open is closed: a dropped one is closed a moment later.
    pub(crate) async fn leaves(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }

    pub(crate) async fn run(&mut self, sql: impl Into<String>) {
        self.try_run(sql).await.unwrap();
    }

    pub(crate) async fn try_run(&mut self, sql: impl Into<String>) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(connection) => connection.execute(sql).await.map(drop),
            Self::Postgres(connection) => connection.execute(sql).await.map(drop),
        }
    }

    /// The one number that a question gives.
    pub(crate) async fn number(&mut self, sql: impl Into<String>) -> i64 {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(connection) => connection.fetch_one(sql).await.unwrap().get(0),
            Self::Postgres(connection) => connection.fetch_one(sql).await.unwrap().get(0),
        }
    }

    /// The texts that a question gives.
    pub(crate) async fn texts(&mut self, sql: impl Into<String>) -> Vec<String> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(connection) => connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect(),
            Self::Postgres(connection) => {
                connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Nobody writes `table` from now on, until [`Self::lets_go`].
    pub(crate) async fn locks(&mut self, table: &str) {
        match self {
            Self::Sqlite(_) => {
                // The writer may be at it just now.
                super::soon("the lock", async {
                    while self.try_run("BEGIN IMMEDIATE").await.is_err() {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                })
                .await;
            }
            Self::Postgres(_) => self.run(format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE")).await,
        }
    }

    pub(crate) async fn lets_go(&mut self) {
        self.run("ROLLBACK").await;
    }

    /// That the database has nothing to find fault with in itself.
    pub(crate) async fn is_sound(&mut self) {
        match self {
            Self::Sqlite(_) => assert_eq!(self.texts("PRAGMA integrity_check").await, ["ok"]),
            // Every table and every index is read whole.
            Self::Postgres(_) => {
                self.run("CREATE EXTENSION IF NOT EXISTS amcheck").await;
                let all = "SELECT count(bt_index_check(c.oid, true)) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
                           JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree' AND i.indisvalid AND c.relpersistence = 'p'";
                assert!(self.number(all).await > 0);
            }
        }
    }
}

/// Makes of each story two tests: `sqlite` and `postgres`, in a module of its name.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($database:ident: Database) $body:block)*) => {$(
        mod $name {
            use crate::support::database::{Database, Kind};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(Database::new(Kind::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(Database::new(Kind::Postgres).await).await;
            }
        }

        $(#[$meta])*
        async fn $name($database: Database) $body
    )*};
}

pub(crate) use on_both;
