//! Passwords that people changed: the slow hash, and what it stands in place of. The configuration's own password counts again when
//! it is another than then.

use ctigate_proto::message::Text;
use sqlx::sqlite::SqliteRow;

use super::db::{Db, text};
use super::{Store, StoreError};

/// A changed password.
#[derive(Clone)]
pub(super) struct Changed {
    pub(super) login: Text,
    /// argon2id over the hash that clients send.
    pub(super) hash: Text,
    /// What the configuration said then: a slow hash of its password, or the SHA-256 of its slow hash.
    pub(super) instead_of: Text,
}

impl Store {
    pub(super) async fn load_passwords(&self) -> Result<Vec<Changed>, StoreError> {
        let Db::Sqlite { pool, .. } = &self.db;
        let rows = sqlx::query("SELECT login, hash, instead_of FROM password").fetch_all(pool).await;
        let read = |row: &SqliteRow| {
            Ok(Changed { login: text(row, "login")?, hash: text(row, "hash")?, instead_of: text(row, "instead_of")? })
        };
        let rows = rows.map_err(|error| self.db.failed(error))?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.db.failed(error))
    }

    /// Keeps a changed password; done when it is on disk.
    pub(super) async fn keep_password(&self, changed: &Changed) -> Result<(), StoreError> {
        let Db::Sqlite { pool, .. } = &self.db;
        let sql = "INSERT INTO password (login, hash, instead_of) VALUES ($1, $2, $3)
                   ON CONFLICT (login) DO UPDATE SET hash = excluded.hash, instead_of = excluded.instead_of";
        let query = sqlx::query(sql).bind(&*changed.login).bind(&*changed.hash).bind(&*changed.instead_of);
        query.execute(pool).await.map(drop).map_err(|error| self.db.failed(error))
    }

    pub(super) async fn forget_password(&self, login: &str) -> Result<(), StoreError> {
        let Db::Sqlite { pool, .. } = &self.db;
        let query = sqlx::query("DELETE FROM password WHERE login = $1").bind(login);
        query.execute(pool).await.map(drop).map_err(|error| self.db.failed(error))
    }
}
