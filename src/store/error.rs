//! What can go wrong with the store, and what to do about it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;
use thiserror::Error;

use crate::config::DatabaseUrl;

/// The store cannot be used.
#[derive(Debug, Error)]
#[error("the store {place}: {kind}")]
pub struct StoreError {
    /// The database, as people know it.
    place: Place,
    kind: Kind,
    #[source]
    source: Source,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Where a database is, as people know it: without a password.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Memory,
    File(Arc<Path>),
    Server(Arc<str>),
}

impl Place {
    pub(super) fn of(url: &DatabaseUrl) -> Self {
        match url {
            DatabaseUrl::Memory => Self::Memory,
            DatabaseUrl::Sqlite(path) => Self::File(path.as_path().into()),
            DatabaseUrl::Postgres(url) => Self::Server(url.to_string().into()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("in memory"),
            Self::File(path) => path.display().fmt(f),
            Self::Server(address) => f.write_str(address),
        }
    }
}

/// What went wrong, told apart by what an operator does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Kind {
    #[error("its folder cannot be made or entered")]
    Folder,
    #[error("the file cannot be opened for reading and writing")]
    Open,
    #[error("another program holds it locked")]
    Locked,
    #[error("a gateway runs on it")]
    Held,
    #[error("the disk is full")]
    Full,
    #[error("it may not be written")]
    ReadOnly,
    #[error("reading or writing the disk failed")]
    Io,
    #[error("this is no SQLite database, or a damaged one")]
    Damaged,
    #[error("the server cannot be reached, or does not answer")]
    Away,
    #[error("the server refuses the login")]
    Login,
    #[error("the server has no such database")]
    NoDatabase,
    #[error("the server has no connection to spare")]
    Crowded,
    #[error("no secure connection could be made")]
    Tls,
    #[error("the database keeps texts in another encoding than UTF-8")]
    Encoding,
    #[error("it was made by a newer ctigate")]
    Newer,
    #[error("its tables are not what this ctigate made")]
    Foreign,
    #[error("the database refuses what is to be written")]
    Refused,
    #[error("the database failed")]
    Other,
}

impl StoreError {
    pub(super) fn new(place: &Place, kind: Kind, source: impl Into<Source>) -> Self {
        Self { place: place.clone(), kind, source: source.into() }
    }

    pub(super) fn database(place: &Place, error: sqlx::Error) -> Self {
        Self::new(place, kind_of(place, &error), error)
    }

    pub(super) fn migration(place: &Place, error: MigrateError) -> Self {
        let kind = match &error {
            MigrateError::VersionMissing(_) => Kind::Newer,
            MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => Kind::Foreign,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => kind_of(place, error),
            _ => Kind::Other,
        };
        Self::new(place, kind, error)
    }

    /// The error with all that caused it, on one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        if let Place::Server(_) = self.place {
            return self.advice_for_server();
        }
        match self.kind {
            Kind::Folder | Kind::Open => {
                "see that the user who runs ctigate may write there, or set [store] url to another place"
            }
            Kind::Locked => "is another ctigate or a database tool open on it? End that one",
            Kind::Held => HELD,
            Kind::Full => "make room on the disk; what is to be kept waits in memory until then",
            Kind::ReadOnly => {
                "let the user who runs ctigate write the file and its folder; is the disk mounted read-only?"
            }
            Kind::Io | Kind::Away => "look at the disk and the system's log",
            Kind::Damaged => {
                "move the file away and start again with a new one (sessions and open forms are lost), or put a backup back"
            }
            Kind::Newer => "use that ctigate again, or move the file away and start with a new one",
            Kind::Foreign => "move the file away and start with a new one, or set [store] url to another place",
            Kind::Login
            | Kind::NoDatabase
            | Kind::Crowded
            | Kind::Tls
            | Kind::Encoding
            | Kind::Refused
            | Kind::Other => "look at the cause above",
        }
    }

    /// What is the matter, in a few words without places.
    pub fn what(&self) -> String {
        self.kind.to_string()
    }

    /// Whether it is the row that is wrong, and another would be written.
    pub(super) fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// Whether a gateway runs on it.
    pub(super) fn is_held(&self) -> bool {
        self.kind == Kind::Held
    }

    const fn advice_for_server(&self) -> &'static str {
        match self.kind {
            Kind::Away => {
                "is PostgreSQL running, and are the host and port of [store] url right? What is to be kept waits in memory"
            }
            Kind::Login => "check the user and the password of [store] url, and pg_hba.conf of the server",
            Kind::NoDatabase => "make it: CREATE DATABASE … OWNER …, or name another in [store] url",
            Kind::Crowded => "raise max_connections of the server; ctigate takes up to 8",
            Kind::Tls => "check sslmode and sslrootcert of [store] url, and the certificate of the server",
            Kind::Encoding => "make the database with ENCODING 'UTF8'",
            Kind::Held => HELD,
            Kind::Locked => "does another program hold the tables locked? pg_stat_activity shows who",
            Kind::Full => "make room on the disk of the server; what is to be kept waits in memory until then",
            Kind::ReadOnly => {
                "let the user of [store] url write there: own the tables, or CREATE on the schema; is this a standby?"
            }
            Kind::Newer => "use that ctigate again, or name another database in [store] url",
            Kind::Foreign => "name another database in [store] url",
            Kind::Damaged | Kind::Io => "look at the log of the server, or put a backup back",
            Kind::Folder | Kind::Open | Kind::Refused | Kind::Other => "look at the cause above",
        }
    }
}

const HELD: &str = "end that gateway first, or set [store] url to another place: a store serves one gateway at a time";

/// What an error of the database means.
pub(super) fn kind_of(place: &Place, error: &sqlx::Error) -> Kind {
    let sqlx::Error::Database(error) = error else {
        return match (place, error) {
            (_, sqlx::Error::Io(error)) if error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>()) => {
                Kind::Tls
            }
            (Place::Server(_), sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => Kind::Away,
            (_, sqlx::Error::PoolTimedOut) => Kind::Locked,
            (_, sqlx::Error::Io(_)) => Kind::Io,
            (_, sqlx::Error::Tls(_)) => Kind::Tls,
            _ => Kind::Other,
        };
    };
    match error.try_downcast_ref::<PgDatabaseError>() {
        Some(error) => of_state(error.code()),
        None => of_code(error.code().and_then(|code| code.parse().ok()).unwrap_or_default()),
    }
}

/// A result code of SQLite.
const fn of_code(code: u32) -> Kind {
    /// The file that its connections share could not be made as large as it must be.
    const IOERR_SHMSIZE: u32 = 4874;
    match code & 0xff {
        _ if code == IOERR_SHMSIZE => Kind::Full,
        5 | 6 => Kind::Locked,
        8 => Kind::ReadOnly,
        10 => Kind::Io,
        11 | 26 => Kind::Damaged,
        13 => Kind::Full,
        14 => Kind::Open,
        // Too large, a constraint, another type.
        18..=20 => Kind::Refused,
        _ => Kind::Other,
    }
}

/// An SQLSTATE of PostgreSQL.
fn of_state(state: &str) -> Kind {
    match state {
        "28000" | "28P01" => Kind::Login,
        "3D000" => Kind::NoDatabase,
        "53300" | "57P04" => Kind::Crowded,
        "53100" => Kind::Full,
        "25006" | "42501" => Kind::ReadOnly,
        // Lock timeout, deadlock, two that wrote the same.
        "55P03" | "40P01" | "40001" => Kind::Locked,
        // Ended by the administrator, fallen, still starting.
        "57P01" | "57P02" | "57P03" => Kind::Away,
        "58030" => Kind::Io,
        "XX001" | "XX002" => Kind::Damaged,
        // Data that does not fit, a constraint, more than an index takes.
        state if ["22", "23", "54"].iter().any(|class| state.starts_with(class)) => Kind::Refused,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
    use sqlx::{ConnectOptions, Connection, Executor};

    use super::*;

    async fn open(path: &Path, options: fn(SqliteConnectOptions) -> SqliteConnectOptions) -> SqliteConnection {
        let base = SqliteConnectOptions::new().filename(path).create_if_missing(true).busy_timeout(Duration::ZERO);
        options(base).connect().await.unwrap()
    }

    async fn fails(connection: &mut SqliteConnection, sql: &'static str) -> Kind {
        kind_of(&Place::Memory, &connection.execute(sql).await.unwrap_err())
    }

    #[tokio::test]
    async fn an_error_of_the_database_is_told_by_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut one = open(&path, |options| options).await;
        one.execute("CREATE TABLE t (x TEXT)").await.unwrap();

        let mut other = open(&path, |options| options).await;
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        assert_eq!(fails(&mut one, "INSERT INTO t VALUES ('x')").await, Kind::Locked);
        other.execute("ROLLBACK").await.unwrap();

        let mut reader = open(&path, |options| options.read_only(true)).await;
        assert_eq!(fails(&mut reader, "INSERT INTO t VALUES ('x')").await, Kind::ReadOnly);

        one.execute("PRAGMA max_page_count = 3").await.unwrap();
        assert_eq!(fails(&mut one, "INSERT INTO t VALUES (zeroblob(100000))").await, Kind::Full);
        assert_eq!(fails(&mut one, "SELECT * FROM missing").await, Kind::Other);
        one.close().await.unwrap();
    }
}
