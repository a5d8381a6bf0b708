//! Integration keys: 256 random bits that a program shows in place of a login. Only their SHA-256 is kept. [`Keys`] holds them in
//! memory, so that a check costs no look at the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;
use ctigate_proto::auth::grant::{Grant, Scope};
use ctigate_proto::message::Text;
use subtle::ConstantTimeEq;

use super::account::key;
use super::console_session::{hashed, random_hex};
use super::sql::{Row, sql};
use super::{Store, StoreError};
use crate::config::{Right, Secret};

/// What a key begins with, so that people and scanners see what it is.
const PREFIX: &str = "ctk_";

/// An integration key, without the key.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// Its name.
    pub client: String,
    /// Whom it is for.
    pub scope: Scope,
    /// What it may.
    pub rights: Vec<Right>,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
    /// When it ends; 0: never.
    pub expires_ms: i64,
    /// When it was used last, to the minute; 0: never.
    pub used_ms: i64,
    /// When it was replaced last; 0: never.
    pub replaced_ms: i64,
}

impl ApiKey {
    /// What it allows.
    pub fn grant(&self) -> Grant {
        Grant {
            client: Text::from(self.client.as_str()),
            scope: self.scope.clone(),
            rights: self.rights.iter().map(|right| Text::from_static(right.0.word())).collect(),
        }
    }

    /// Whether it is over.
    pub fn expired(&self, now_ms: i64) -> bool {
        self.expires_ms != 0 && self.expires_ms <= now_ms
    }
}

impl Store {
    /// All keys, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.hashed_keys().await?.into_iter().map(|(key, _)| key).collect())
    }

    async fn hashed_keys(&self) -> Result<Vec<(ApiKey, String)>, StoreError> {
        let all = "SELECT client_id, kind, login, numbers, rights, made_ms, expires_ms, used_ms, replaced_ms, hash
                   FROM api_key ORDER BY client_id";
        let read = |row: &Row| {
            let scope = match &*row.text(1)? {
                "widget" => Scope::Widget(row.text(2)?),
                // A row that cannot be read allows nothing.
                _ => match row.text(3)?.parse() {
                    Ok(numbers) => Scope::Service(numbers),
                    Err(_) => return Ok(None),
                },
            };
            let key = ApiKey {
                client: row.text(0)?.to_string(),
                scope,
                rights: row.text(4)?.split_whitespace().filter_map(|word| word.parse().ok()).collect(),
                made_ms: row.int(5)?,
                expires_ms: row.int(6)?,
                used_ms: row.int(7)?,
                replaced_ms: row.int(8)?,
            };
            Ok(Some((key, row.text(9)?.to_string())))
        };
        Ok(self.db.list(sql(all), read).await?.into_iter().flatten().collect())
    }

    /// Makes a key. `None` when there is one of this name already.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_key(&self, new: &ApiKey) -> Result<Option<Secret>, StoreError> {
        let secret = format!("{PREFIX}{}", random_hex());
        let (login, numbers) = match &new.scope {
            Scope::Service(numbers) => (String::new(), numbers.to_string()),
            Scope::Widget(login) => (key(login), String::new()),
        };
        let rights = new.rights.iter().map(|right| right.0.word()).collect::<Vec<_>>().join(" ");
        let hash = hashed(&secret);
        let put = "INSERT INTO api_key (client_id, kind, hash, login, numbers, rights, made_ms, expires_ms, used_ms, replaced_ms)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0) ON CONFLICT (client_id) DO NOTHING";
        let kind = new.scope.word();
        let put = sql(put).bind(&new.client).bind(kind).bind(&hash).bind(&login).bind(&numbers).bind(&rights);
        let made = self.db.run(put.bind(new.made_ms).bind(new.expires_ms)).await? == 1;
        Ok(made.then(|| Secret::new(secret)))
    }

    /// Puts another key in the place of one; the old one counts no more. `None` when there is none of this name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn replace_key(&self, client: &str, now_ms: i64) -> Result<Option<Secret>, StoreError> {
        let secret = format!("{PREFIX}{}", random_hex());
        let hash = hashed(&secret);
        let another = sql("UPDATE api_key SET hash = $1, replaced_ms = $2 WHERE client_id = $3");
        let made = self.db.run(another.bind(&hash).bind(now_ms).bind(client)).await? == 1;
        Ok(made.then(|| Secret::new(secret)))
    }

    /// Takes a key away. Says whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_key(&self, client: &str) -> Result<bool, StoreError> {
        Ok(self.db.run(sql("DELETE FROM api_key WHERE client_id = $1").bind(client)).await? == 1)
    }

    /// Notes when keys were used.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_keys_used(&self, all: &[(String, i64)]) -> Result<(), StoreError> {
        const NOTE: &str = "UPDATE api_key SET used_ms = $1 WHERE client_id = $2 AND used_ms < $1";
        let all: Vec<_> = all.iter().map(|(client, at_ms)| sql(NOTE).bind(*at_ms).bind(client)).collect();
        if all.is_empty() { Ok(()) } else { self.db.run_all(all).await }
    }
}

/// The keys in memory.
#[derive(Debug, Default)]
pub struct Keys {
    all: ArcSwap<Vec<(ApiKey, String)>>,
    /// When keys were used since it was noted last.
    used: Mutex<HashMap<String, i64>>,
}

impl Keys {
    /// Reads the keys anew. Gives the names of those that count no more: taken away, replaced, changed or over.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self, store: &Store, now_ms: i64) -> Result<Vec<String>, StoreError> {
        let new = store.hashed_keys().await?;
        let counts = |(old, hash): &(ApiKey, String)| {
            let same = |(key, other): &&(ApiKey, String)| {
                key.client == old.client && other == hash && key.scope == old.scope && key.rights == old.rights
            };
            new.iter().find(same).is_some_and(|(key, _)| !key.expired(now_ms))
        };
        let old = self.all.load_full();
        let gone = old.iter().filter(|old| !counts(old)).map(|(old, _)| old.client.clone()).collect();
        self.all.store(new.into());
        Ok(gone)
    }

    /// The key that was shown, if there is one and it is not over. Every key is looked at, in the same time.
    pub fn find(&self, shown: &str, now_ms: i64) -> Option<ApiKey> {
        if !shown.starts_with(PREFIX) {
            return None;
        }
        let shown = hashed(shown);
        let mut found = None;
        let all = self.all.load();
        for (key, hash) in all.iter() {
            if bool::from(hash.as_bytes().ct_eq(shown.as_bytes())) {
                found = Some(key);
            }
        }
        let found = found.filter(|key| !key.expired(now_ms))?.clone();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(found.client.clone(), now_ms);
        Some(found)
    }

    /// Which keys were used since this was asked last, and when.
    pub fn take_used(&self) -> Vec<(String, i64)> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::telemetry::Telemetry;

    fn key(client: &str, scope: Scope) -> ApiKey {
        ApiKey {
            client: client.into(),
            scope,
            rights: vec!["call".parse().unwrap(), "journal".parse().unwrap()],
            made_ms: 5,
            expires_ms: 1000,
            used_ms: 0,
            replaced_ms: 0,
        }
    }

    #[tokio::test]
    async fn a_key_is_shown_once_counts_until_it_is_replaced_and_is_kept_only_as_its_hash() {
        let config = config::Store { url: "sqlite::memory:".parse().unwrap(), ..config::Store::default() };
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        let service = key("amo", Scope::Service("100-199".parse().unwrap()));
        let secret = store.add_key(&service).await.unwrap().unwrap();
        assert_eq!(secret.expose().len(), PREFIX.len() + 64);
        assert!(store.add_key(&service).await.unwrap().is_none(), "the name is taken");
        let widget = key("tab", Scope::Widget("ivanov".into()));
        let other = store.add_key(&widget).await.unwrap().unwrap();
        assert_eq!(store.keys().await.unwrap(), [service.clone(), widget.clone()]);
        let hashes = store.db.list(sql("SELECT hash FROM api_key"), |row| row.text(0)).await.unwrap();
        assert!(hashes.iter().all(|hash| !secret.expose().contains(&**hash) && hash.len() == 64));

        let keys = Keys::default();
        assert!(keys.find(secret.expose(), 10).is_none(), "nothing was read yet");
        assert!(keys.refresh(&store, 10).await.unwrap().is_empty());
        assert_eq!(keys.find(secret.expose(), 10).as_ref(), Some(&service));
        assert_eq!(keys.find(other.expose(), 999).as_ref(), Some(&widget));
        assert!(keys.find(other.expose(), 1000).is_none(), "it is over");
        for wrong in ["", "ctk_", "ctk_0", &secret.expose()[4..], &other.expose()[..20]] {
            assert!(keys.find(wrong, 10).is_none(), "{wrong}");
        }
        let mut used = keys.take_used();
        used.sort();
        assert_eq!(used, [("amo".to_owned(), 10), ("tab".to_owned(), 999)]);
        store.note_keys_used(&used).await.unwrap();
        assert_eq!(store.keys().await.unwrap()[1].used_ms, 999);

        let new = store.replace_key("amo", 20).await.unwrap().unwrap();
        assert_eq!(keys.refresh(&store, 20).await.unwrap(), ["amo"]);
        assert!(keys.find(secret.expose(), 20).is_none() && keys.find(new.expose(), 20).is_some());
        assert!(store.remove_key("amo").await.unwrap() && !store.remove_key("amo").await.unwrap());
        assert_eq!(keys.refresh(&store, 1000).await.unwrap(), ["amo", "tab"]);
        assert!(store.replace_key("amo", 20).await.unwrap().is_none());
    }
}
