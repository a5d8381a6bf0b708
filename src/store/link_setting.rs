//! Links that were made in the console: each the keys of a `[[link]]` as JSON.

use super::sql::sql;
use super::{Store, StoreError};

pub(super) const PUT: &str = "INSERT INTO link_setting (name, body, changed_ms) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed_ms = excluded.changed_ms";

impl Store {
    /// Keeps a link; one of the same name is replaced. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_link(&self, name: &str, body: &str, now_ms: i64) -> Result<(), StoreError> {
        self.db.run(sql(PUT).bind(name).bind(body).bind(now_ms)).await.map(drop)
    }

    /// Takes a link out. Says whether it was there.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_link(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.db.run(sql("DELETE FROM link_setting WHERE name = $1").bind(name)).await? > 0)
    }
}
