//! The database: opened, asked and written to. The only place that knows there is more than one kind; the statements, in the files
//! beside, are the same for both.

use std::str::FromStr;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Postgres, Sqlite};
use tokio::time::sleep;

use super::error::{Kind, Place, StoreError, kind_of};
use super::sql::{Row, Statement, sql};
use super::{file, schema};
use crate::config::{self, DatabaseUrl, PostgresUrl, Synchronous};

/// How long a statement waits for another program that writes.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// How long after a refusal a file is opened again.
const AGAIN: Duration = Duration::from_millis(10);

/// How long the database may take to write a batch. A server that does not answer is as good as one that is away.
const WRITING: Duration = Duration::from_secs(30);

/// How many connections we open at most.
const CONNECTIONS: u32 = 4;

/// How much of an SQLite database each connection keeps in its own memory, as its `cache_size` says it: 256 KiB. The system keeps
/// the file in memory anyway; the usual 2 MiB for each take hours to fill, and the node grows as long.
const CACHE: &str = "-256";

/// An open database. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Db {
    pool: Pool,
    place: Place,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Db {
    /// Opens the database and brings its tables up to date. A file is made when it is missing.
    pub(super) async fn open(config: &config::Store) -> Result<Self, StoreError> {
        let db = Self::connect(&config.url, config.synchronous).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Opens the database as it is. A file is made when it is missing.
    pub(super) async fn connect(url: &DatabaseUrl, synchronous: Synchronous) -> Result<Self, StoreError> {
        let synchronous = match synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        };
        let base = SqliteConnectOptions::new()
            .foreign_keys(true)
            .pragma("cache_size", CACHE)
            .busy_timeout(BUSY)
            .synchronous(synchronous)
            .disable_statement_logging();
        // A database in memory is its one connection: that one must never be closed.
        let keep = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).acquire_timeout(BUSY * 2);
        let place = Place::of(url);
        let pool = match url {
            DatabaseUrl::Memory => {
                let options = base.in_memory(true).journal_mode(SqliteJournalMode::Memory);
                keep.min_connections(1).max_connections(1).connect_with(options).await.map(Pool::Sqlite)
            }
            DatabaseUrl::Sqlite(path) => {
                file::make(path)?;
                let options = base.filename(path).journal_mode(SqliteJournalMode::Wal);
                // SQLite ends a transaction by itself when the disk is full. The pool does not know and would hand out a connection
                // that can never begin another one.
                let keep = keep.test_before_acquire(true).before_acquire(|connection, _| {
                    let usable = !connection.is_in_transaction();
                    Box::pin(async move { Ok(usable) })
                });
                let keep = keep.max_connections(CONNECTIONS);
                sqlite(&place, keep, &options).await.map(Pool::Sqlite)
            }
            DatabaseUrl::Postgres(url) => postgres(url, "ctigate").await.map(Pool::Postgres),
        };
        let pool = pool.map_err(|error| StoreError::database(&place, error))?;
        let db = Self { pool, place };
        if let Pool::Postgres(_) = db.pool {
            let encoding = db.one(sql("SELECT current_setting('server_encoding')"), |row| row.text(0)).await?;
            if encoding.as_deref() != Some("UTF8") {
                let found = format!("its encoding is {}", encoding.unwrap_or_default());
                return Err(StoreError::new(&db.place, Kind::Encoding, found));
            }
        }
        Ok(db)
    }

    /// Brings the tables up to date.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        match &self.pool {
            // As one change, begun for writing: another program that brings them up to date waits, and finds them done.
            Pool::Sqlite(_) => {
                let mut transaction = self.begin().await?;
                transaction.migrate_to(None).await?;
                transaction.commit().await
            }
            // The steps hold a lock of the server meanwhile.
            Pool::Postgres(pool) => {
                schema::migrator().run(pool).await.map_err(|error| StoreError::migration(&self.place, error))
            }
        }
    }

    /// What a statement gives, each row as `read` makes it.
    pub(super) async fn list<T>(
        &self,
        statement: Statement<'_>,
        read: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(statement).await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| self.failed(error))
    }

    /// The one row that a statement gives, if any.
    pub(super) async fn one<T>(
        &self,
        statement: Statement<'_>,
        read: impl FnOnce(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Option<T>, StoreError> {
        let row = match &self.pool {
            Pool::Sqlite(pool) => {
                let (text, arguments) = statement.for_sqlite().map_err(|error| self.failed(error))?;
                sqlx::query_with(text, arguments).fetch_optional(pool).await.map(|row| row.map(Row::Sqlite))
            }
            Pool::Postgres(pool) => {
                let (text, arguments) = statement.for_postgres().map_err(|error| self.failed(error))?;
                sqlx::query_with(text, arguments).fetch_optional(pool).await.map(|row| row.map(Row::Postgres))
            }
        };
        row.and_then(|row| row.as_ref().map(read).transpose()).map_err(|error| self.failed(error))
    }

    /// Runs a statement that is a change of its own; done when it is on disk. Gives how many rows it changed.
    pub(super) async fn run(&self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let done = match &self.pool {
            Pool::Sqlite(pool) => {
                let (text, arguments) = statement.for_sqlite().map_err(|error| self.failed(error))?;
                sqlx::query_with(text, arguments).execute(pool).await.map(|done| done.rows_affected())
            }
            Pool::Postgres(pool) => {
                let (text, arguments) = statement.for_postgres().map_err(|error| self.failed(error))?;
                sqlx::query_with(text, arguments).execute(pool).await.map(|done| done.rows_affected())
            }
        };
        done.map_err(|error| self.failed(error))
    }

    /// Runs statements, all of them or none; done when they are on disk.
    pub(super) async fn run_all<'a>(&self, all: impl IntoIterator<Item = Statement<'a>>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for statement in all {
            transaction.run(statement).await?;
        }
        transaction.commit().await
    }

    /// Begins changes that happen together or not at all. What is dropped without a commit never happened.
    pub(super) async fn begin(&self) -> Result<Transaction, StoreError> {
        let inner = match &self.pool {
            // A transaction that begins by reading would fail when somebody else wrote in between.
            Pool::Sqlite(pool) => pool.begin_with("BEGIN IMMEDIATE").await.map(Inner::Sqlite),
            Pool::Postgres(pool) => pool.begin().await.map(Inner::Postgres),
        };
        let inner = inner.map_err(|error| self.failed(error))?;
        Ok(Transaction { inner, place: self.place.clone() })
    }

    /// Looks at the database as it is at this moment, however it changes meanwhile. Nothing can be written.
    pub(super) async fn snapshot(&self) -> Result<Transaction, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(pool) => pool.begin().await.map(Inner::Sqlite),
            Pool::Postgres(pool) => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.map(Inner::Postgres)
            }
        };
        let inner = inner.map_err(|error| self.failed(error))?;
        Ok(Transaction { inner, place: self.place.clone() })
    }

    /// As `work`, but a database that takes longer than any should has failed.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let late = |_| StoreError::new(&self.place, Kind::Away, format!("no answer within {} s", WRITING.as_secs()));
        tokio::time::timeout(WRITING, work).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }

    pub(super) async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }

    async fn rows(&self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match &self.pool {
            Pool::Sqlite(pool) => {
                let (text, arguments) = statement.for_sqlite()?;
                let rows = sqlx::query_with(text, arguments).fetch_all(pool).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Pool::Postgres(pool) => {
                let (text, arguments) = statement.for_postgres()?;
                let rows = sqlx::query_with(text, arguments).fetch_all(pool).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError::database(&self.place, error)
    }
}

/// Changes that happen together or not at all.
#[derive(Debug)]
pub(super) struct Transaction {
    inner: Inner,
    place: Place,
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// Runs a statement. Gives how many rows it changed.
    pub(super) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        self.try_run(statement).await.map_err(|error| StoreError::database(&self.place, error))
    }

    /// What a statement gives, each row as `read` makes it.
    pub(super) async fn list<T>(
        &mut self,
        statement: Statement<'_>,
        read: impl Fn(&Row) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(statement).await;
        let read = rows.and_then(|rows| rows.iter().map(read).collect());
        read.map_err(|error| StoreError::database(&self.place, error))
    }

    /// Hands what a statement gives to `take`, row after row, without keeping them.
    pub(super) async fn each<E: From<StoreError>>(
        &mut self,
        statement: Statement<'_>,
        mut take: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| StoreError::database(&self.place, error);
        match &mut self.inner {
            Inner::Sqlite(inner) => {
                let (text, arguments) = statement.for_sqlite().map_err(failed)?;
                let mut rows = sqlx::query_with(text, arguments).fetch(&mut **inner);
                while let Some(row) = rows.try_next().await.map_err(failed)? {
                    take(&Row::Sqlite(row))?;
                }
            }
            Inner::Postgres(inner) => {
                let (text, arguments) = statement.for_postgres().map_err(failed)?;
                let mut rows = sqlx::query_with(text, arguments).fetch(&mut **inner);
                while let Some(row) = rows.try_next().await.map_err(failed)? {
                    take(&Row::Postgres(row))?;
                }
            }
        }
        Ok(())
    }

    /// Brings the tables to a step, or to the newest.
    pub(super) async fn migrate_to(&mut self, step: Option<i64>) -> Result<(), StoreError> {
        let steps = schema::migrator();
        let done = match &mut self.inner {
            Inner::Sqlite(inner) => steps.run_direct(step, &mut **inner, false).await,
            Inner::Postgres(inner) => steps.run_direct(step, &mut **inner, false).await,
        };
        done.map_err(|error| StoreError::migration(&self.place, error))
    }

    /// The numbers of the steps that the database has; none when it has no tables yet.
    pub(super) async fn steps_done(&mut self) -> Result<Vec<i64>, StoreError> {
        let tables = match self.inner {
            Inner::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE name = $1",
            Inner::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
            }
        };
        if self.list(sql(tables).bind(schema::STEPS_DONE), |row| row.text(0)).await?.is_empty() {
            return Ok(Vec::new());
        }
        self.list(sql("SELECT version FROM _sqlx_migrations ORDER BY version"), |row| row.int(0)).await
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The word for its kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self.inner {
            Inner::Sqlite(_) => "sqlite",
            Inner::Postgres(_) => "postgresql",
        }
    }

    /// Makes them happen; done when they are on disk.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let done = match self.inner {
            Inner::Sqlite(inner) => inner.commit().await,
            Inner::Postgres(inner) => inner.commit().await,
        };
        done.map_err(|error| StoreError::database(&self.place, error))
    }

    async fn try_run(&mut self, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(inner) => {
                let (text, arguments) = statement.for_sqlite()?;
                Ok(sqlx::query_with(text, arguments).execute(&mut **inner).await?.rows_affected())
            }
            Inner::Postgres(inner) => {
                let (text, arguments) = statement.for_postgres()?;
                Ok(sqlx::query_with(text, arguments).execute(&mut **inner).await?.rows_affected())
            }
        }
    }

    async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<Row>, sqlx::Error> {
        match &mut self.inner {
            Inner::Sqlite(inner) => {
                let (text, arguments) = statement.for_sqlite()?;
                let rows = sqlx::query_with(text, arguments).fetch_all(&mut **inner).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Inner::Postgres(inner) => {
                let (text, arguments) = statement.for_postgres()?;
                let rows = sqlx::query_with(text, arguments).fetch_all(&mut **inner).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }
}

/// How we connect to a server, under the name that its administrator sees.
pub(super) fn postgres_options(url: &PostgresUrl, name: &str) -> Result<PgConnectOptions, sqlx::Error> {
    let options = PgConnectOptions::from_str(url.expose())?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name(name) };
    // As long as SQLite waits for another program; and a host that went away is noticed by both sides.
    let waits = format!("{}ms", BUSY.as_millis());
    let options = options.options([
        ("lock_timeout", waits.as_str()),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ]);
    Ok(options.disable_statement_logging())
}

/// Opens a file. The first to open a new one makes it a database with a log of its own (WAL); whoever comes in that moment is refused
/// at once, whatever time it would wait for a statement, and so tries again for as long.
async fn sqlite(
    place: &Place,
    pool: SqlitePoolOptions,
    options: &SqliteConnectOptions,
) -> Result<SqlitePool, sqlx::Error> {
    let began = Instant::now();
    loop {
        let opened = pool.clone().connect_with(options.clone()).await;
        match &opened {
            Err(error) if kind_of(place, error) == Kind::Locked && began.elapsed() < BUSY => sleep(AGAIN).await,
            _ => return opened,
        }
    }
}

async fn postgres(url: &PostgresUrl, name: &str) -> Result<PgPool, sqlx::Error> {
    let options = postgres_options(url, name)?;
    // The pool tries a server that refuses again and again, and then only says that it took too long.
    let first = sqlx::PgConnection::connect_with(&options);
    let first = tokio::time::timeout(BUSY * 2, first).await.map_err(|_| {
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer"))
    })??;
    first.close().await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(BUSY * 2);
    Ok(pool.connect_lazy_with(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A health check of the container opens the store in the moment in which the gateway makes it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn several_programs_make_one_store_at_the_same_moment() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let url = DatabaseUrl::Sqlite(folder.path().join("new.db"));
            let config = config::Store { url, ..Default::default() };
            // Each has connections of its own, as programs of their own have.
            let opened = (0..4).map(|_| {
                let config = config.clone();
                tokio::spawn(async move { Db::open(&config).await.map(|_| ()) })
            });
            for opened in opened.collect::<Vec<_>>() {
                opened.await.unwrap().unwrap();
            }
        }
    }
}
