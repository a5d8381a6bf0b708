//! Accounts that are rows of the store and not tables of the file: what `ctigate user` and the console change. A row is the
//! `[[user]]` of the configuration written as JSON; the password is in it only as its slow hash.

use ctigate_proto::message::Text;
use serde_json::{Map, Value};

use super::sql::sql;
use super::{Store, StoreError};
use crate::config::User;

/// An account of the store.
#[derive(Clone, Debug)]
pub struct StoredUser {
    /// The login in lower case, which names the row.
    pub key: String,
    /// The account, or why its row cannot be read.
    pub user: Result<User, String>,
    /// When it was changed, milliseconds since 1970.
    pub changed_ms: i64,
}

impl Store {
    /// The accounts, by login.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn accounts(&self) -> Result<Vec<StoredUser>, StoreError> {
        // A row without a body only notes when somebody of the file signed in.
        let all = "SELECT login, body, changed_ms FROM account WHERE body <> '' ORDER BY login";
        let stored =
            |key: Text, body: Text, changed_ms| StoredUser { key: key.to_string(), user: read(&body), changed_ms };
        self.db.list(sql(all), |row| Ok(stored(row.text(0)?, row.text(1)?, row.int(2)?))).await
    }

    /// Keeps accounts, all or none; those that are there are replaced. Done when it is on disk. A password must be given as its
    /// slow hash: a clear one is not kept.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_accounts(&self, users: &[User], now_ms: i64) -> Result<(), StoreError> {
        const PUT: &str = "INSERT INTO account (login, body, changed_ms, last_sign_in_ms) VALUES ($1, $2, $3, 0)
             ON CONFLICT (login) DO UPDATE SET body = excluded.body, changed_ms = excluded.changed_ms";
        let rows: Vec<(String, String)> = users.iter().map(|user| (key(&user.login), write(user))).collect();
        let all: Vec<_> = rows.iter().map(|(key, body)| sql(PUT).bind(key).bind(body).bind(now_ms)).collect();
        self.db.run_all(all).await
    }

    /// The account of a login whose row has this password hash.
    pub(super) async fn account_of(&self, login: &str, hash: &str) -> Result<Option<User>, StoreError> {
        let body = sql("SELECT body FROM account WHERE login = $1").bind(key(login));
        let user = self.db.one(body, |row| row.text(0)).await?.and_then(|body| read(&body).ok());
        Ok(user.filter(|user| user.password_hash.as_ref().is_some_and(|kept| kept.expose() == hash)))
    }

    /// Takes an account away, with everything that is its own: second factor, sessions of the console, keys of its widgets, and a
    /// password that was changed.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remove_account(&self, login: &str) -> Result<(), StoreError> {
        let key = key(login);
        let all = [
            "DELETE FROM account WHERE login = $1",
            "DELETE FROM second_factor WHERE login = $1",
            "DELETE FROM console_session WHERE login = $1",
            "DELETE FROM api_key WHERE login = $1",
            "DELETE FROM password WHERE lower(login) = $1",
        ];
        self.db.run_all(all.map(|statement| sql(statement).bind(&key))).await
    }

    /// When people signed in last, by login in lower case, milliseconds since 1970.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sign_ins(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let all = sql("SELECT login, last_sign_in_ms FROM account WHERE last_sign_in_ms > 0 ORDER BY login");
        self.db.list(all, |row| Ok((row.text(0)?.to_string(), row.int(1)?))).await
    }

    /// Notes when people signed in.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note_sign_ins(&self, all: &[(String, i64)]) -> Result<(), StoreError> {
        const NOTE: &str = "INSERT INTO account (login, body, changed_ms, last_sign_in_ms) VALUES ($1, '', 0, $2)
             ON CONFLICT (login) DO UPDATE SET last_sign_in_ms = excluded.last_sign_in_ms";
        if all.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = all.iter().map(|(key, at_ms)| sql(NOTE).bind(key).bind(*at_ms)).collect();
        self.db.run_all(all).await
    }
}

/// What the row of a login is named.
pub(super) fn key(login: &str) -> String {
    ctigate_proto::auth::login_key(login).into_owned()
}

/// The account as a row keeps it: what differs from the defaults.
fn write(user: &User) -> String {
    let shown = serde_json::to_value(user).unwrap_or_default();
    let plain = serde_json::to_value(User::default()).unwrap_or_default();
    let secrets = ["password", "password_file", "password_env", "password_hash"];
    let mut body = Map::new();
    for (name, value) in shown.as_object().into_iter().flatten() {
        if !secrets.contains(&name.as_str()) && plain.get(name) != Some(value) {
            body.insert(name.clone(), value.clone());
        }
    }
    if let Some(hash) = &user.password_hash {
        body.insert("password_hash".to_owned(), Value::from(hash.expose()));
    }
    Value::Object(body).to_string()
}

fn read(body: &str) -> Result<User, String> {
    serde_json::from_str(body).map_err(|error| {
        let text = error.to_string();
        // The place in one long line tells people nothing.
        text.split(" at line ").next().unwrap_or_default().to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Role, Secret};
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn an_account_comes_back_as_it_was_kept_and_goes_whole() {
        let config = config::Store { url: "sqlite::memory:".parse().unwrap(), ..config::Store::default() };
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        let user = User {
            login: "Petrov".into(),
            number: "102".into(),
            role: Role::Supervisor,
            rights: vec!["-journal".parse().unwrap()],
            subordinates: vec!["ivanov".into()],
            password: Some(Secret::new("never kept")),
            password_hash: Some(Secret::new("$argon2id$x")),
            ..User::default()
        };
        store.put_accounts(std::slice::from_ref(&user), 5).await.unwrap();
        store.note_sign_ins(&[("petrov".into(), 7), ("ivanov".into(), 8)]).await.unwrap();
        let kept = store.accounts().await.unwrap();
        assert_eq!(kept.len(), 1, "a note of somebody of the file is no account");
        assert_eq!((kept[0].key.as_str(), kept[0].changed_ms), ("petrov", 5));
        assert_eq!(*kept[0].user.as_ref().unwrap(), User { password: None, ..user.clone() });
        store.put_accounts(&[User { name: "P".into(), ..user }], 9).await.unwrap();
        assert_eq!(store.sign_ins().await.unwrap(), [("ivanov".to_owned(), 8), ("petrov".to_owned(), 7)]);
        store.remove_account("PETROV").await.unwrap();
        assert!(store.accounts().await.unwrap().is_empty());
        assert!(read("{\"role\":\"boss\"}").unwrap_err().contains("boss"));
    }
}
