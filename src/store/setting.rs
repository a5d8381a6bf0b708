//! What of the configuration is kept in the store: settings that were changed in the console, and with them the accounts and links,
//! as the rows that [`config::Layer`] reads. What they mean is the configuration's business.

use super::sql::sql;
use super::{Store, StoreError};
use crate::config::{Layer, Row};

impl Store {
    /// What the store says of the configuration: accounts by login, links by name, settings by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn layer(&self) -> Result<Layer, StoreError> {
        let rows = |text: &'static str| self.db.list(sql(text), |row| Ok(Row::new(&*row.text(0)?, &*row.text(1)?)));
        Ok(Layer {
            // A row without a body only notes when somebody of the file signed in.
            accounts: rows("SELECT login, body FROM account WHERE body <> '' ORDER BY login").await?,
            links: rows("SELECT name, body FROM link_setting ORDER BY name").await?,
            settings: rows("SELECT key, value FROM setting ORDER BY key").await?,
        })
    }

    /// Keeps an account as the row it is: the keys of `[[user]]` as JSON, under its login in lower case. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_account_row(&self, login: &str, body: &str, now_ms: i64) -> Result<(), StoreError> {
        const PUT: &str = "INSERT INTO account (login, body, changed_ms, last_sign_in_ms) VALUES ($1, $2, $3, 0)
             ON CONFLICT (login) DO UPDATE SET body = excluded.body, changed_ms = excluded.changed_ms";
        self.db.run(sql(PUT).bind(login).bind(body).bind(now_ms)).await.map(drop)
    }

    /// Takes the row of an account out.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_account_row(&self, login: &str) -> Result<(), StoreError> {
        self.db.run(sql("DELETE FROM account WHERE login = $1").bind(login)).await.map(drop)
    }

    /// Keeps settings, all or none; `None` takes one out. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_settings(&self, settings: &[(String, Option<String>)], now_ms: i64) -> Result<(), StoreError> {
        const PUT: &str = "INSERT INTO setting (key, value, changed_ms) VALUES ($1, $2, $3)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, changed_ms = excluded.changed_ms";
        let mut statements = Vec::with_capacity(settings.len());
        for (key, value) in settings {
            statements.push(match value {
                Some(value) => sql(PUT).bind(key).bind(value).bind(now_ms),
                None => sql("DELETE FROM setting WHERE key = $1").bind(key),
            });
        }
        self.db.run_all(statements).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn what_is_put_is_in_the_layer_until_it_is_taken_out() {
        let url = "sqlite::memory:".parse().unwrap();
        let store =
            Store::open(&config::Store { url, ..config::Store::default() }, Telemetry::default()).await.unwrap();
        assert_eq!(store.layer().await.unwrap(), Layer::default());
        let set = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        store.put_settings(&[set("limits.max_users", "7"), set("limits.tab_rate", "9")], 1).await.unwrap();
        store.put_settings(&[set("limits.max_users", "8"), ("limits.tab_rate".to_owned(), None)], 2).await.unwrap();
        store.put_link("crm", r#"{"mode":"accept-ws"}"#, 3).await.unwrap();
        let layer = store.layer().await.unwrap();
        assert_eq!(layer.settings, [Row::new("limits.max_users", "8")]);
        assert_eq!(layer.links, [Row::new("crm", r#"{"mode":"accept-ws"}"#)]);
        assert!(store.remove_link("crm").await.unwrap());
        assert!(!store.remove_link("crm").await.unwrap(), "it is gone already");
    }
}
