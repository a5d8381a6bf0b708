//! The database: the only place that speaks SQL. Another database is another variant; the statements are the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::hub::output::{StoredForm, StoredSession};
use ctigate_proto::message::Text;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};

use super::error::{Kind, StoreError};
use super::pending::{Batch, Keys};
use super::{chat, ledger, schema};
use crate::config::DatabaseUrl;

/// How long a statement waits for another program that writes.
const BUSY: Duration = Duration::from_secs(5);

const PUT_SESSION: &str = "INSERT INTO session (hash, login, expires_ms, life_ms) VALUES ($1, $2, $3, $4)
     ON CONFLICT (hash) DO UPDATE SET login = excluded.login, expires_ms = excluded.expires_ms, life_ms = excluded.life_ms";
const PUT_FORM: &str = "INSERT INTO form (id, login, expires_ms, body) VALUES ($1, $2, $3, $4)
     ON CONFLICT (id) DO UPDATE SET login = excluded.login, expires_ms = excluded.expires_ms, body = excluded.body";

const PUT_KEPT: &str = "INSERT INTO kept (kind, key, body) VALUES ($1, $2, $3)
     ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body";

/// An open database. Clones are the same.
#[derive(Clone, Debug)]
pub(super) enum Db {
    Sqlite { pool: SqlitePool, path: Option<Arc<PathBuf>> },
}

impl Db {
    pub(super) async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let base = SqliteConnectOptions::new()
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .synchronous(SqliteSynchronous::Normal)
            .disable_statement_logging();
        // A database in memory is its one connection: that one must never be closed.
        let keep = SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).acquire_timeout(BUSY * 2);
        let (pool, path) = match url {
            DatabaseUrl::Memory => {
                let options = base.in_memory(true).journal_mode(SqliteJournalMode::Memory);
                (keep.min_connections(1).max_connections(1).connect_with(options).await, None)
            }
            DatabaseUrl::Sqlite(path) => {
                make_file(path)?;
                let options = base.filename(path).journal_mode(SqliteJournalMode::Wal);
                (keep.max_connections(4).connect_with(options).await, Some(Arc::new(path.clone())))
            }
        };
        let place = path.as_ref().map(|path| path.as_path());
        let pool = pool.map_err(|error| StoreError::database(place, error))?;
        schema::migrator().run(&pool).await.map_err(|error| StoreError::migration(place, error))?;
        Ok(Self::Sqlite { pool, path })
    }

    pub(super) async fn sessions(&self, now_ms: i64) -> Result<Vec<StoredSession>, StoreError> {
        let Self::Sqlite { pool, .. } = self;
        let sql =
            "SELECT hash, login, expires_ms, life_ms FROM session WHERE expires_ms > $1 ORDER BY expires_ms, hash";
        let rows = sqlx::query(sql).bind(now_ms).fetch_all(pool).await.map_err(|error| self.failed(error))?;
        let session = |row: &SqliteRow| {
            Ok(StoredSession {
                hash: text(row, "hash")?,
                login: text(row, "login")?,
                expires_ms: row.try_get("expires_ms")?,
                life_ms: row.try_get("life_ms")?,
            })
        };
        rows.iter().map(session).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    pub(super) async fn forms(&self, now_ms: i64) -> Result<Vec<StoredForm>, StoreError> {
        let Self::Sqlite { pool, .. } = self;
        let sql = "SELECT id, login, expires_ms, body FROM form WHERE expires_ms > $1 ORDER BY expires_ms, id";
        let rows = sqlx::query(sql).bind(now_ms).fetch_all(pool).await.map_err(|error| self.failed(error))?;
        let form = |row: &SqliteRow| {
            Ok(StoredForm {
                id: text(row, "id")?,
                login: text(row, "login")?,
                expires_ms: row.try_get("expires_ms")?,
                body: text(row, "body")?,
            })
        };
        rows.iter().map(form).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    /// All that was kept, by kind and key.
    pub(super) async fn kept(&self) -> Result<Vec<(String, Text, Text)>, StoreError> {
        let Self::Sqlite { pool, .. } = self;
        let rows = sqlx::query("SELECT kind, key, body FROM kept ORDER BY kind, key").fetch_all(pool).await;
        let kept = |row: &SqliteRow| Ok((text(row, "kind")?.to_string(), text(row, "key")?, text(row, "body")?));
        let rows = rows.map_err(|error| self.failed(error))?;
        rows.iter().map(kept).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    /// The keys of all rows.
    pub(super) async fn keys(&self) -> Result<Keys, StoreError> {
        Ok(Keys {
            sessions: self.column("SELECT hash FROM session", None).await?,
            forms: self.column("SELECT id FROM form", None).await?,
            kept: self.column("SELECT kind || '/' || key FROM kept", None).await?,
        })
    }

    /// Deletes what has expired; says what that was.
    pub(super) async fn delete_expired(&self, now_ms: i64) -> Result<Keys, StoreError> {
        Ok(Keys {
            sessions: self.column("DELETE FROM session WHERE expires_ms <= $1 RETURNING hash", Some(now_ms)).await?,
            forms: self.column("DELETE FROM form WHERE expires_ms <= $1 RETURNING id", Some(now_ms)).await?,
            kept: Vec::new(),
        })
    }

    /// Writes a batch, whole or not at all.
    pub(super) async fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        self.try_write(batch).await.map_err(|error| self.failed(error))
    }

    async fn try_write(&self, batch: &Batch) -> Result<(), sqlx::Error> {
        let Self::Sqlite { pool, .. } = self;
        // A transaction that begins by reading would fail when somebody else wrote in between.
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        for change in &batch.sessions {
            let query = match &change.row {
                Some(row) => {
                    sqlx::query(PUT_SESSION).bind(&*row.hash).bind(&*row.login).bind(row.expires_ms).bind(row.life_ms)
                }
                None => sqlx::query("DELETE FROM session WHERE hash = $1").bind(&*change.key),
            };
            query.execute(&mut *transaction).await?;
        }
        for change in &batch.forms {
            let query = match &change.row {
                Some(row) => {
                    sqlx::query(PUT_FORM).bind(&*row.id).bind(&*row.login).bind(row.expires_ms).bind(&*row.body)
                }
                None => sqlx::query("DELETE FROM form WHERE id = $1").bind(&*change.key),
            };
            query.execute(&mut *transaction).await?;
        }
        for change in &batch.kept {
            let query = match &change.row {
                Some(row) => {
                    sqlx::query(PUT_KEPT).bind(row.kind).bind(&*row.key).bind(row.body.as_deref().unwrap_or_default())
                }
                None => {
                    let (kind, key) = change.key.split_once('/').unwrap_or_default();
                    sqlx::query("DELETE FROM kept WHERE kind = $1 AND key = $2").bind(kind).bind(key)
                }
            };
            query.execute(&mut *transaction).await?;
        }
        for (_, entry) in &batch.calls {
            ledger::write(&mut transaction, entry).await?;
        }
        for chat in &batch.ended_chats {
            sqlx::query("DELETE FROM chat_text WHERE chat = $1").bind(&**chat).execute(&mut *transaction).await?;
        }
        for (_, text) in &batch.texts {
            chat::write(&mut transaction, text).await?;
        }
        transaction.commit().await
    }

    pub(super) async fn close(&self) {
        let Self::Sqlite { pool, .. } = self;
        pool.close().await;
    }

    /// The first column of what a statement gives.
    async fn column(&self, sql: &'static str, argument: Option<i64>) -> Result<Vec<Text>, StoreError> {
        let Self::Sqlite { pool, .. } = self;
        let query = sqlx::query(sql);
        let query = match argument {
            None => query,
            Some(argument) => query.bind(argument),
        };
        let rows = query.fetch_all(pool).await.map_err(|error| self.failed(error))?;
        let key = |row: &SqliteRow| row.try_get::<&str, _>(0).map(Text::from);
        rows.iter().map(key).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> StoreError {
        let Self::Sqlite { path, .. } = self;
        StoreError::database(path.as_ref().map(|path| path.as_path()), error)
    }
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<Text, sqlx::Error> {
    row.try_get::<&str, _>(column).map(Text::from)
}

/// Makes the file and its folder when they are missing, and sees to it that only the owner reads the file: session hashes
/// and people's data are in it. The files that SQLite puts beside it take its mode.
fn make_file(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private_folder(folder).map_err(|error| StoreError::new(Some(path), Kind::Folder, error))?;
    }
    private_file(path).map_err(|error| StoreError::new(Some(path), Kind::Open, error))
}

/// Makes a folder that only the owner enters, unless it is there.
pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a file that only the owner reads; one that is there loses what others may.
fn private_file(path: &Path) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    take_from_others(&file, path)
}

/// Takes from a file what others than its owner may do with it.
#[cfg(unix)]
pub(super) fn take_from_others(file: &fs::File, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(file = %path.display(), mode = format!("{:o}", permissions.mode() & 0o777), "others could read it; now only its owner can");
    permissions.set_mode(permissions.mode() & !0o077);
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
pub(super) fn take_from_others(_: &fs::File, _: &Path) -> std::io::Result<()> {
    Ok(())
}
