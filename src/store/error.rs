//! What can go wrong with the store, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use thiserror::Error;

/// The store cannot be used.
#[derive(Debug, Error)]
#[error("the store {place}: {kind}")]
pub struct StoreError {
    /// The database, as people know it: a path.
    place: Place,
    kind: Kind,
    #[source]
    source: Source,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug)]
struct Place(Option<PathBuf>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("in memory"),
            Some(path) => path.display().fmt(f),
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
    #[error("the disk is full")]
    Full,
    #[error("it may not be written")]
    ReadOnly,
    #[error("reading or writing the disk failed")]
    Io,
    #[error("this is no SQLite database, or a damaged one")]
    Damaged,
    #[error("it was made by a newer ctigate")]
    Newer,
    #[error("its tables are not what this ctigate made")]
    Foreign,
    #[error("the database failed")]
    Other,
}

impl StoreError {
    pub(super) fn new(path: Option<&Path>, kind: Kind, source: impl Into<Source>) -> Self {
        Self { place: Place(path.map(Path::to_path_buf)), kind, source: source.into() }
    }

    pub(super) fn database(path: Option<&Path>, error: sqlx::Error) -> Self {
        Self::new(path, kind_of(&error), error)
    }

    pub(super) fn migration(path: Option<&Path>, error: MigrateError) -> Self {
        let kind = match &error {
            MigrateError::VersionMissing(_) => Kind::Newer,
            MigrateError::VersionMismatch(_) | MigrateError::Dirty(_) => Kind::Foreign,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => kind_of(error),
            _ => Kind::Other,
        };
        Self::new(path, kind, error)
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Folder | Kind::Open => {
                "see that the user who runs ctigate may write there, or set [store] url to another place"
            }
            Kind::Locked => "is another ctigate or a database tool open on it? End that one",
            Kind::Full => "make room on the disk; what is to be kept waits in memory until then",
            Kind::ReadOnly => {
                "let the user who runs ctigate write the file and its folder; is the disk mounted read-only?"
            }
            Kind::Io => "look at the disk and the system's log",
            Kind::Damaged => {
                "move the file away and start again with a new one (sessions and open forms are lost), or put a backup back"
            }
            Kind::Newer => "use that ctigate again, or move the file away and start with a new one",
            Kind::Foreign => "move the file away and start with a new one, or set [store] url to another place",
            Kind::Other => "look at the cause above",
        }
    }
}

/// What an error of the database means. The numbers are SQLite's primary result codes.
fn kind_of(error: &sqlx::Error) -> Kind {
    let sqlx::Error::Database(error) = error else {
        return match error {
            sqlx::Error::PoolTimedOut => Kind::Locked,
            sqlx::Error::Io(_) => Kind::Io,
            _ => Kind::Other,
        };
    };
    match error.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
        Some(5 | 6) => Kind::Locked,
        Some(8) => Kind::ReadOnly,
        Some(10) => Kind::Io,
        Some(11 | 26) => Kind::Damaged,
        Some(13) => Kind::Full,
        Some(14) => Kind::Open,
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
        kind_of(&connection.execute(sql).await.unwrap_err())
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
