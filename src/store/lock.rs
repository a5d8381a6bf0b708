//! That a database serves one gateway at a time: two would tell each other's sessions and calls apart badly, and a backup must not be
//! put back under a running one. Commands that only change a row do not ask for it.
//!
//! For SQLite it is a lock on a file beside the database, for PostgreSQL an advisory lock of a connection of its own. Both end with the
//! process, however it ends.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::db::{BUSY, postgres_options};
use super::error::{Kind, Place, StoreError};
use super::file;
use crate::config::DatabaseUrl;

/// How long a server may need to notice that the process before us is gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the connection that holds the lock is tried.
const TRYING: Duration = Duration::from_secs(20);

/// What the advisory lock is known by: "ctigate", in bytes.
const NUMBER: i64 = 0x0063_7469_6761_7465;

/// The right to run a gateway on a database. Given back when it is dropped.
#[derive(Debug)]
pub struct Lock {
    /// Holds the file, or the task that holds the connection.
    _held: Held,
}

#[derive(Debug)]
enum Held {
    Nothing,
    File(File),
    Server(JoinHandle<()>),
}

impl Drop for Held {
    fn drop(&mut self) {
        match self {
            Self::Nothing => {}
            // To close it is not enough: a program that is just being started has inherited it until it runs.
            Self::File(file) => drop(file.unlock()),
            Self::Server(task) => task.abort(),
        }
    }
}

impl Lock {
    /// Takes the database for a gateway, or for what no gateway may see. A database in memory is nobody else's anyway.
    ///
    /// # Errors
    /// [`StoreError`]: a gateway runs on it, or it cannot be reached.
    pub async fn take(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let place = Place::of(url);
        let held = match url {
            DatabaseUrl::Memory => Held::Nothing,
            DatabaseUrl::Sqlite(path) => Held::File(lock_file(path, &place)?),
            DatabaseUrl::Postgres(url) => {
                let options = postgres_options(url, "ctigate lock").map_err(|e| StoreError::database(&place, e))?;
                let connection = lock_server(&options, &place).await?;
                Held::Server(tokio::spawn(hold(connection, options, place)))
            }
        };
        Ok(Self { _held: held })
    }
}

fn lock_file(database: &Path, place: &Place) -> Result<File, StoreError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = Path::new(&name);
    file::make(path)?;
    let failed = |error: std::io::Error| StoreError::new(place, Kind::Open, error);
    let mut file = File::options().read(true).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Whoever holds it may not have written it yet.
            let _ = file.take(20).read_to_string(&mut holder);
            return Err(StoreError::new(
                place,
                Kind::Held,
                format!("process {} holds {}", holder.trim(), path.display()),
            ));
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // For whoever comes next; the lock itself does not depend on it.
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = written {
        tracing::debug!(%error, "the number of the process is not in the lock file");
    }
    Ok(file)
}

/// A connection that holds the lock.
async fn lock_server(options: &PgConnectOptions, place: &Place) -> Result<PgConnection, StoreError> {
    let failed = |error| StoreError::database(place, error);
    let connect = async {
        let mut connection = options.connect().await.map_err(failed)?;
        let began = Instant::now();
        loop {
            let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(NUMBER).fetch_one(&mut connection);
            if taken.await.map_err(failed)? {
                return Ok(connection);
            }
            if began.elapsed() > PATIENCE {
                let why =
                    "a connection named \"ctigate lock\" holds its advisory lock (see pg_locks and pg_stat_activity)";
                return Err(StoreError::new(place, Kind::Held, why));
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let late = |_| StoreError::new(place, Kind::Away, "the server does not answer");
    tokio::time::timeout(PATIENCE + BUSY, connect).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// Keeps the lock: a server that was started anew has forgotten it.
async fn hold(mut connection: PgConnection, options: PgConnectOptions, place: Place) {
    loop {
        sleep(TRYING).await;
        let there = tokio::time::timeout(BUSY, connection.ping()).await;
        if matches!(there, Ok(Ok(()))) {
            continue;
        }
        match lock_server(&options, &place).await {
            Ok(again) => connection = again,
            Err(why) if why.is_held() => {
                tracing::error!(store = %place, "another ctigate took the store while the server was away: end one of them");
            }
            // The writer tells that the server is away.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_ends_when_it_is_given_back_whoever_has_inherited_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("a.db"));
        let first = Lock::take(&url).await.unwrap();
        let Held::File(file) = &first._held else { panic!("{first:?}") };
        let inherited = file.try_clone().unwrap();
        assert!(Lock::take(&url).await.unwrap_err().is_held());
        drop(first);
        let second = Lock::take(&url).await;
        assert!(second.is_ok(), "{second:?}");
        drop(inherited);
        assert!(Lock::take(&url).await.unwrap_err().is_held(), "the second has it");
    }
}
