//! `[store]`: where sessions and open forms are kept over restarts.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The database. Default `sqlite://data/ctigate.db`; the file and its folder are made when missing.
    pub url: DatabaseUrl,
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://PATH`: a file; a path without a leading `/` counts from the folder of the configuration.
    Sqlite(PathBuf),
    /// `sqlite::memory:`: nothing outlives the process. For tests and trials.
    Memory,
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("data/ctigate.db"))
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sqlite::memory:" => Ok(Self::Memory),
            text => match text.strip_prefix("sqlite://") {
                Some(path) if !path.is_empty() && !path.contains(['?', '#', '\0']) => {
                    Ok(Self::Sqlite(PathBuf::from(path)))
                }
                // The url of another database may hold a password, so only its scheme is shown.
                _ => Err(format!(
                    "found a url that begins with \"{}\"; this build keeps its store in SQLite: write \"sqlite://data/ctigate.db\" \
                     (a path, without \"?\" and \"#\") or \"sqlite::memory:\"",
                    text.split(':').next().unwrap_or_default().escape_debug()
                )),
            },
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Memory => f.write_str("sqlite::memory:"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

super::keyword::as_text!(DatabaseUrl, "a url in quotes, like \"sqlite://data/ctigate.db\"");
