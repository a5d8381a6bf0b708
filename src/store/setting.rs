//! What of the configuration is kept in the store: settings that were changed in the console, and with them the accounts and links,
//! as the rows that [`config::Layer`] reads. What they mean is the configuration's business.

use super::db::Db;
use super::schema::TABLES;
use super::sql::sql;
use super::{Store, StoreError};
use crate::config::{self, DatabaseUrl, Layer, Row};

const PUT_ACCOUNT: &str = "INSERT INTO account (login, body, changed_ms, last_sign_in_ms) VALUES ($1, $2, $3, 0)
     ON CONFLICT (login) DO UPDATE SET body = excluded.body, changed_ms = excluded.changed_ms";

impl Store {
    /// What the store says of the configuration: accounts by login, links by name, settings by key.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn layer(&self) -> Result<Layer, StoreError> {
        layer(&self.db).await
    }

    /// The same of a store that nobody has opened here: for a look at the configuration. Nothing is made or changed, and a gateway may
    /// run on it. A store that is not there yet, or whose tables are older than that, says nothing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn layer_of(config: &config::Store) -> Result<Layer, StoreError> {
        let is_there = match &config.url {
            DatabaseUrl::Sqlite(path) => path.exists(),
            DatabaseUrl::Memory => false,
            DatabaseUrl::Postgres(_) => true,
        };
        if !is_there {
            return Ok(Layer::default());
        }
        let db = Db::connect(&config.url, config.synchronous).await?;
        let since = TABLES.iter().find(|table| table.name == "setting").map_or(i64::MAX, |table| table.since);
        let read = async {
            let newest = db.snapshot().await?.steps_done().await?.last().copied().unwrap_or_default();
            if newest < since { Ok(Layer::default()) } else { layer(&db).await }
        };
        let read = read.await;
        db.close().await;
        read
    }

    /// Keeps an account as the row it is: the keys of `[[user]]` as JSON, under its login in lower case. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_account_row(&self, login: &str, body: &str, now_ms: i64) -> Result<(), StoreError> {
        self.db.run(sql(PUT_ACCOUNT).bind(login).bind(body).bind(now_ms)).await.map(drop)
    }

    /// Keeps the first account and, if there is one, the first link, both or neither. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written: then neither is kept.
    pub async fn put_first(&self, account: &Row, link: Option<&Row>, now_ms: i64) -> Result<(), StoreError> {
        let account = sql(PUT_ACCOUNT).bind(&account.name).bind(&account.body).bind(now_ms);
        let link = link.map(|link| sql(super::link_setting::PUT).bind(&link.name).bind(&link.body).bind(now_ms));
        let mut both = vec![account];
        both.extend(link);
        self.db.run_all(both).await
    }

    /// Takes both out again.
    ///
    /// # Errors
    /// When the database cannot be written: then both stay.
    pub async fn remove_first(&self, account: &Row, link: Option<&Row>) -> Result<(), StoreError> {
        let account = sql("DELETE FROM account WHERE login = $1").bind(&account.name);
        let link = link.map(|link| sql("DELETE FROM link_setting WHERE name = $1").bind(&link.name));
        let mut both = vec![account];
        both.extend(link);
        self.db.run_all(both).await
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

async fn layer(db: &Db) -> Result<Layer, StoreError> {
    let rows = |text: &'static str| db.list(sql(text), |row| Ok(Row::new(&*row.text(0)?, &*row.text(1)?)));
    Ok(Layer {
        // A row without a body only notes when somebody of the file signed in.
        accounts: rows("SELECT login, body FROM account WHERE body <> '' ORDER BY login").await?,
        links: rows("SELECT name, body FROM link_setting ORDER BY name").await?,
        settings: rows("SELECT key, value FROM setting ORDER BY key").await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[tokio::test]
    async fn a_look_sees_what_a_running_store_says_and_makes_no_store() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("data/x.db");
        let config = config::Store { url: DatabaseUrl::Sqlite(place.clone()), ..config::Store::default() };
        assert_eq!(Store::layer_of(&config).await.unwrap(), Layer::default());
        assert!(!place.exists() && !place.parent().unwrap().exists());
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        store.put_settings(&[("limits.max_users".to_owned(), Some("7".to_owned()))], 1).await.unwrap();
        assert_eq!(Store::layer_of(&config).await.unwrap(), store.layer().await.unwrap());
        // An empty file, as a start that failed early leaves it.
        let empty = folder.path().join("empty.db");
        std::fs::write(&empty, "").unwrap();
        let config = config::Store { url: DatabaseUrl::Sqlite(empty), ..config::Store::default() };
        assert_eq!(Store::layer_of(&config).await.unwrap(), Layer::default());
    }
}
