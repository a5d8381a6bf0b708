//! The desk where people and programs are looked after: accounts, second factors, sessions of the console, integration keys; and the
//! trail of who changed what. Used by the admin port and, while no gateway runs, by the commands.
//!
//! Who somebody is and what they may do are two questions: a check gives a login or a [`Grant`](ctigate_proto::auth::grant::Grant), and
//! only then [`Desk::person`] or the grant says what is allowed. What is changed here is rows of the store, never the file; what the
//! file says of a login counts more than a row of the same login.

mod account;
mod import;
mod key;
mod merge;
mod patch;
pub mod rights;
mod signin;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ctigate_proto::auth::same_login;
use serde_json::Value;
use thiserror::Error;

use crate::config::{Config, DatabaseUrl, Secret, User};
use crate::store::{Accounts, Change, HashError, Store};
use crate::telemetry::Telemetry;

pub use crate::store::{ApiKey, Noted, StoreError};
pub use account::Listed;
pub use import::{Imported, RefusedLine};
pub use key::{KeyWish, Kind};
pub use merge::merge;
pub use patch::Patch;
pub use signin::{Person, SignIn};

/// Who does something, for the trail.
#[derive(Clone, Debug)]
pub struct Doer {
    /// A login, `token`, `key CLIENT_ID`, or `NAME (command line)`.
    pub who: String,
    /// An address, or `this machine`.
    pub from: String,
}

/// Why something was not done.
#[derive(Debug, Error)]
pub enum Refused {
    /// There is no such person or key.
    #[error("{0}")]
    Unknown(String),
    /// There is one already, or it cannot be changed here.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for does not fit; one line for each mistake.
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
    /// The password or the code is wrong.
    #[error("{0}")]
    Wrong(String),
    /// The database cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    fn unfit(why: impl Into<String>) -> Self {
        Self::Unfit(vec![why.into()])
    }
}

impl From<HashError> for Refused {
    fn from(error: HashError) -> Self {
        Self::unfit(format!("password: {error}"))
    }
}

/// The desk. Held in an `Arc` by whoever changes something.
#[derive(Debug)]
pub struct Desk {
    store: Arc<Store>,
    accounts: Accounts,
    /// The configuration without the accounts of the store.
    file: ArcSwap<Config>,
    /// The configuration in effect.
    effective: ArcSwap<Config>,
}

impl Desk {
    /// A desk over an open store. [`Self::refresh`] is due before anybody is asked for.
    pub fn new(store: Arc<Store>, accounts: Accounts, file: Config) -> Self {
        let file = Arc::new(file);
        Self { store, accounts, effective: ArcSwap::new(Arc::clone(&file)), file: ArcSwap::new(file) }
    }

    /// A desk while no gateway runs: opens the store of a configuration. [`Self::close`] is due.
    ///
    /// # Errors
    /// [`Refused`]; also when the store is in memory, where nothing outlives the command.
    pub async fn open(config: Config) -> Result<Self, Refused> {
        if config.store.url == DatabaseUrl::Memory {
            return Err(Refused::unfit("[store] url is in memory: what a command changes there is gone when it ends"));
        }
        let store = Arc::new(Store::open(&config.store, Telemetry::default()).await?);
        let desk = Self::new(store, Accounts::new(&config), config);
        desk.refresh().await?;
        Ok(desk)
    }

    /// Closes the store.
    pub async fn close(&self) {
        self.store.close(std::time::Duration::from_secs(5)).await;
    }

    /// Who may log in, and the keys.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The file says something else now. [`Self::refresh`] is due.
    pub fn file_is(&self, config: Config) {
        self.file.store(Arc::new(config));
    }

    /// Puts file and store together anew; gives what is in effect from now on, and what of the store could not be used.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh(&self) -> Result<(Arc<Config>, Vec<String>), StoreError> {
        let stored = self.store.accounts().await?;
        let (mut config, findings) = merge(&self.file.load(), &stored);
        self.accounts.reload(&config, &self.store).await?;
        for user in config.users.iter_mut().filter(|user| user.must_change_password) {
            // A password that was changed meanwhile is another than the file's.
            user.must_change_password = self.accounts.must_change(&user.login);
        }
        let config = Arc::new(config);
        self.effective.store(Arc::clone(&config));
        Ok((config, findings))
    }

    /// The configuration in effect.
    pub fn effective(&self) -> Arc<Config> {
        self.effective.load_full()
    }

    fn user(&self, login: &str) -> Option<User> {
        self.effective.load().users.iter().find(|user| same_login(&user.login, login)).cloned()
    }

    /// Notes what was done. A trail that cannot be written is an error of its own: what was done is done.
    async fn note(&self, doer: &Doer, what: &str, about: &str, detail: Value) -> Result<(), StoreError> {
        let change = Change {
            who: doer.who.clone(),
            from: doer.from.clone(),
            what: what.to_owned(),
            about: about.to_owned(),
            detail,
        };
        tracing::info!(who = %change.who, from = %change.from, what, about, "changed");
        self.store.note(unix_ms(), &change).await
    }

    /// Notes a change that was made elsewhere: a link, a setting, an order.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn noted(&self, doer: &Doer, what: &str, about: &str, detail: Value) -> Result<(), StoreError> {
        self.note(doer, what, about, detail).await
    }

    /// The trail since a moment (milliseconds since 1970), the newest first, below a number (0: from the newest), so many at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, since_ms: i64, below: i64, limit: i64) -> Result<Vec<Noted>, StoreError> {
        self.store.audit(since_ms, below, limit).await
    }
}

/// A password of 16 letters and digits that nobody takes for another: 92 bits.
fn generated() -> Secret {
    const SIGNS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut text = String::new();
    while text.len() < 16 {
        // A byte beyond the last whole multiple would favour the first signs.
        let byte = usize::from(rand::random::<u8>());
        if byte < 256 - 256 % SIGNS.len() {
            text.push(char::from(SIGNS[byte % SIGNS.len()]));
        }
    }
    Secret::new(text)
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
