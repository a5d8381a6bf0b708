//! What an operator does with the database as a whole: bring its tables up to date, make a backup, put a backup back.
//!
//! A backup is a text of one form for both kinds of database, so what one wrote the other takes. It is JSON, one value a line:
//!
//! - the head: `{"ctigate_backup":1,"step":4,"made_ms":…,"made_by":"0.1.0","kind":"sqlite"}`;
//! - for each table that has rows `{"table":"call","columns":["chain","body"]}`, then its rows, `["…",…]`: texts, whole numbers, null;
//! - the end: `{"rows":…,"sha256":"…"}`, over every byte before that line.
//!
//! It shows the database as it was at one moment, while others write on. Both ways hold a few rows in memory, never all.

mod backup;
mod restore;

use std::io;

use thiserror::Error;

use super::StoreError;
use super::db::Db;
use super::schema;
use crate::config::{DatabaseUrl, Synchronous};

pub use backup::backup;
pub use restore::restore;

/// The form of a backup that this program writes and reads.
const FORM: i64 = 1;

/// The longest line of a backup. The longest row is an entry of the ledger: far below a MiB.
const LONGEST: usize = 64 << 20;

/// A step of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub number: i64,
    /// What it makes.
    pub what: &'static str,
    /// Whether the database has it.
    pub done: bool,
}

/// How far a backup has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows so far.
    pub rows: u64,
    /// Bytes of the backup so far.
    pub bytes: u64,
}

/// Why a backup was not made or not put back. Nothing was changed.
#[derive(Debug, Error)]
pub enum UpkeepError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The backup cannot be read.
    #[error("the backup cannot be read: {0}")]
    Read(#[source] io::Error),
    /// There is no database to make a backup of.
    #[error("there is no database {0}")]
    Missing(String),
    /// The database is not empty.
    #[error("the store {place} is not empty: {rows} rows in table {table}")]
    NotEmpty {
        /// Which database.
        place: String,
        /// The first table with rows.
        table: &'static str,
        /// How many.
        rows: i64,
    },
    /// The backup, or the database, is of a newer program.
    #[error("{what} was made by a newer ctigate: it has step {found} of the tables, this one knows {newest}")]
    Newer {
        /// The backup or the database.
        what: &'static str,
        /// Its step.
        found: i64,
        /// Our newest.
        newest: i64,
    },
    /// This is no backup, or a damaged one.
    #[error("line {line} of the backup: {why}")]
    Damaged {
        /// Counted from 1.
        line: u64,
        /// What was found.
        why: String,
    },
}

impl UpkeepError {
    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Store(error) => error.advice(),
            Self::Write(_) => "is there room on the disk, and may you write there? What was written is no backup",
            Self::Read(_) => {
                "the store is as it was; give the name of a file that ctigate db backup wrote, or - for standard input"
            }
            Self::Missing(_) => "check [store] url; the first start makes the database",
            Self::NotEmpty { .. } => "make a backup of it first, then use --replace: it removes what is there",
            Self::Newer { .. } => "the store is as it was; use that ctigate",
            Self::Damaged { .. } => "the store is as it was; use another backup",
        }
    }
}

/// The steps of the tables, and which of them a database has. Changes nothing.
///
/// # Errors
/// When it cannot be read, or is of a newer program.
pub async fn steps(url: &DatabaseUrl) -> Result<Vec<Step>, UpkeepError> {
    let done = if exists(url) {
        let db = Db::connect(url, Synchronous::Full).await?;
        let done = db.snapshot().await?.steps_done().await?;
        db.close().await;
        done
    } else {
        Vec::new()
    };
    known("the store", done.last().copied().unwrap_or_default())?;
    Ok(schema::steps().map(|(number, what)| Step { number, what, done: done.contains(&number) }).collect())
}

/// Brings the tables up to date; the database is made when it is a file that is missing. Gives the steps that it did now.
///
/// # Errors
/// When a gateway runs on it, or it cannot be changed: then it is as it was before the step that failed.
pub async fn migrate(url: &DatabaseUrl) -> Result<Vec<Step>, UpkeepError> {
    let open: Vec<Step> = steps(url).await?.into_iter().filter(|step| !step.done).collect();
    if open.is_empty() {
        return Ok(open);
    }
    let _lock = super::Lock::take(url).await?;
    let db = Db::connect(url, Synchronous::Full).await?;
    db.migrate().await?;
    db.close().await;
    Ok(open)
}

/// Whether there may be a database: only a missing file is known not to be one.
fn exists(url: &DatabaseUrl) -> bool {
    match url {
        DatabaseUrl::Sqlite(path) => path.exists(),
        DatabaseUrl::Memory => false,
        DatabaseUrl::Postgres(_) => true,
    }
}

fn known(what: &'static str, found: i64) -> Result<(), UpkeepError> {
    let newest = schema::newest();
    if found > newest { Err(UpkeepError::Newer { what, found, newest }) } else { Ok(()) }
}
