//! What outlives a restart: sessions, open forms, the ledger of calls, chats, what people set, in SQLite or PostgreSQL behind one
//! writer task; and the accounts.
//!
//! - [`Store::record`] takes a fact and returns at once; the writer puts what has gathered into one transaction. While the
//!   disk is slow or away, only the latest state of each session and form waits, so no more waits than lives.
//! - [`Store::load_sessions`] and [`Store::load_forms`] give back at the start what was kept.
//! - [`Store::journal`], [`Store::call`], [`Store::texts`] look into the ledger and into chats; what was recorded before is found.
//! - [`Accounts`] checks passwords. Who they belong to comes from the configuration.
//! - [`Store::accounts`], [`Store::keys`], [`Store::audit`] and their neighbours are what administrators change: accounts, second factors,
//!   sessions of the console, integration keys, and the trail of who changed what.
//! - [`Procedures`] runs the stored procedures, over connections of their own that can only read.
//! - [`Lock`] sees to it that a database serves one gateway; [`upkeep`] makes backups and puts them back.
//! - [`token`] keeps the token of the admin port.
//!
//! # Statements for both databases
//!
//! Each file beside this one holds the statements of its tables, as methods of [`Store`]. A statement is written once:
//!
//! ```ignore
//! use super::sql::sql;
//!
//! impl Store {
//!     pub async fn link_setting(&self, name: &str) -> Result<Option<Text>, StoreError> {
//!         self.db.one(sql("SELECT body FROM link_setting WHERE name = $1").bind(name), |row| row.text("body")).await
//!     }
//! }
//! ```
//!
//! - `self.db.list(statement, read)`, `.one(statement, read)`, `.run(statement)` (says how many rows it changed, done when they are on
//!   disk), `.run_all(statements)` and `.begin()` for what happens together or not at all. Rows: `text`, `maybe_text`, `int`, by
//!   the name of the column or its number from 0.
//! - `push` and `push_bind` add to a statement that is put together. Whatever comes from outside is bound, never pushed.
//! - Columns are TEXT and BIGINT; a moment is milliseconds since 1970; yes and no are 1 and 0; JSON is a text.
//! - `$1`, `$2`… for what is bound; the same may stand twice. `ON CONFLICT (key) DO UPDATE SET x = excluded.x`, `RETURNING`, `LIMIT`
//!   and `OFFSET` are the same in both. No functions of one database alone, no `||` with NULL, no `AUTOINCREMENT`, no `INSERT OR`,
//!   no `rowid`.
//! - `sum` of BIGINT is no BIGINT in PostgreSQL: `CAST(sum(x) AS BIGINT)`. `LIKE` minds case there. `IN ()` is an error there.
//!   NULL sorts first in SQLite and last in PostgreSQL; so columns are NOT NULL, with '' and 0.
//! - New tables are a new step in `schema.rs`, with a primary key each (a backup reads them by it) and a line in its list of tables.
//!
//! The store knows rows, not what they mean: which session is whose and which form is open is the Hub's business.

mod account;
mod accounts;
mod api_key;
mod audit;
mod chat;
mod console_session;
mod db;
mod error;
mod file;
mod ledger;
mod link_setting;
mod lock;
mod password;
mod pending;
mod people;
mod procedure;
mod prune;
mod schema;
mod second_factor;
mod setting;
mod sql;
mod state;
mod story;
pub mod token;
pub mod upkeep;
mod writer;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ctigate_proto::hub::output::{Record, StoredForm, StoredSession};
use ctigate_proto::message::Text;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::telemetry::Telemetry;

pub use account::StoredUser;
pub use accounts::{Accounts, ChangeError, HashError, hash_password};
pub use api_key::{ApiKey, Keys};
pub use audit::{Change, Noted};
pub use console_session::CONSOLE_SESSION;
pub use error::StoreError;
pub use lock::Lock;
pub use people::Person;
pub use procedure::{Failed, ProcedureError, Procedures};
pub use second_factor::Enrolment;
#[cfg(test)]
pub(crate) use second_factor::totp;
pub use story::StoryRow;

use db::Db;
use pending::Pending;

/// How long a question waits for what was recorded before it.
const SETTLING: Duration = Duration::from_secs(2);

/// The store of a node. Held in an `Arc` by whoever records.
#[derive(Debug)]
pub struct Store {
    db: Db,
    pending: Arc<Pending>,
    /// Up to which fact everything is written.
    written: watch::Receiver<u64>,
    closing: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database, making it when missing (readable by the owner alone), brings its tables up to date, and starts
    /// the writer. Call it inside a runtime.
    ///
    /// # Errors
    /// [`StoreError`], which says what to do.
    pub async fn open(config: &config::Store, telemetry: Telemetry) -> Result<Self, StoreError> {
        let db = Db::open(config).await?;
        let pending = Arc::new(Pending::new(state::keys(&db).await?));
        let (progress, written) = watch::channel(0);
        let closing = CancellationToken::new();
        let writer = writer::Writer {
            db: db.clone(),
            keep: prune::Keep::of(config),
            pending: Arc::clone(&pending),
            progress,
            closing: closing.clone(),
            telemetry,
        };
        let writer = Mutex::new(Some(tokio::spawn(writer.run())));
        Ok(Self { db, pending, written, closing, writer })
    }

    /// Looks whether the database can be opened as it is, without changing anything in it: for a server only. A file is not opened.
    ///
    /// # Errors
    /// [`StoreError`], which says what to do.
    pub async fn probe(url: &config::DatabaseUrl) -> Result<(), StoreError> {
        if let config::DatabaseUrl::Postgres(_) = url {
            Db::connect(url, config::Synchronous::Normal).await?.close().await;
        }
        Ok(())
    }

    /// Keeps a fact. Never waits and never fails: what cannot be written now is written later, the latest state of each
    /// session and form once.
    pub fn record(&self, record: Record) {
        self.pending.push(record);
    }

    /// How many facts wait to be written.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// The sessions that live at `now_ms` (milliseconds since 1970). Call it before anything is recorded.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_sessions(&self, now_ms: i64) -> Result<Vec<StoredSession>, StoreError> {
        state::sessions(&self.db, now_ms).await
    }

    /// The forms that are open at `now_ms` (milliseconds since 1970), oldest expiry first. Call it before anything is
    /// recorded.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_forms(&self, now_ms: i64) -> Result<Vec<StoredForm>, StoreError> {
        state::forms(&self.db, now_ms).await
    }

    /// All that was kept: kind, key and what the Hub wrote ([`ctigate_proto::hub::Hub::restore_kept`]). Call it before anything is
    /// recorded.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_kept(&self) -> Result<Vec<(String, Text, Text)>, StoreError> {
        state::kept(&self.db).await
    }

    /// Lets the writer write what was recorded before a question, so that the answer tells of it. A slow disk holds no question up
    /// for long: then the answer is that of a moment ago.
    async fn settled(&self) {
        self.flush(SETTLING).await;
    }

    /// Ends when everything recorded before the call is written, or the store is closed; `None` when it is written already.
    pub fn kept(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let due = self.pending.recorded();
        let mut written = self.written.clone();
        if *written.borrow_and_update() >= due {
            return None;
        }
        Some(Box::pin(async move { drop(written.wait_for(|written| *written >= due).await) }))
    }

    /// Waits until everything recorded before the call is written, at most `within`. Says whether it is.
    pub async fn flush(&self, within: Duration) -> bool {
        let due = self.pending.recorded();
        let mut written = self.written.clone();
        timeout(within, written.wait_for(|written| *written >= due)).await.is_ok_and(|waited| waited.is_ok())
    }

    /// Writes what waits, at most for `within`, and closes the database. Says how many facts were left behind. Call it last.
    pub async fn close(&self, within: Duration) -> usize {
        self.closing.cancel();
        if let Some(mut writer) = self.writer.lock().await.take()
            && timeout(within, &mut writer).await.is_err()
        {
            writer.abort();
        }
        self.db.close().await;
        self.pending.len()
    }
}

/// Milliseconds since 1970.
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
