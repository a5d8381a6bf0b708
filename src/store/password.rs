//! Passwords that people changed: the slow hash, and what it stands in place of. The configuration's own password counts again when
//! it is another than then.

use ctigate_proto::message::Text;

use super::sql::sql;
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
        let all = sql("SELECT login, hash, instead_of FROM password");
        self.db
            .list(all, |row| {
                Ok(Changed { login: row.text("login")?, hash: row.text("hash")?, instead_of: row.text("instead_of")? })
            })
            .await
    }

    /// Keeps a changed password; done when it is on disk.
    pub(super) async fn keep_password(&self, changed: &Changed) -> Result<(), StoreError> {
        let put = "INSERT INTO password (login, hash, instead_of) VALUES ($1, $2, $3)
                   ON CONFLICT (login) DO UPDATE SET hash = excluded.hash, instead_of = excluded.instead_of";
        let put = sql(put).bind(&changed.login).bind(&changed.hash).bind(&changed.instead_of);
        self.db.run(put).await.map(drop)
    }

    pub(super) async fn forget_password(&self, login: &str) -> Result<(), StoreError> {
        self.db.run(sql("DELETE FROM password WHERE login = $1").bind(login)).await.map(drop)
    }
}
