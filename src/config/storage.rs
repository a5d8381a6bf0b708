//! `[store]`: where sessions, the ledger and all else that outlives a restart are kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Secret;
use super::secret::MASK;

/// `[store]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The database. Default `sqlite://data/ctigate.db`; the file and its folder are made when missing.
    pub url: DatabaseUrl,
    /// What SQLite makes sure of before it says that something is written. PostgreSQL has a setting of its own,
    /// `synchronous_commit`.
    pub synchronous: Synchronous,
    /// For how many days conversations stay in the ledger, with the links of their recordings and faxes; 0: for ever.
    pub keep_calls_days: u32,
    /// For how many days what was written in chats is kept; 0: for ever.
    pub keep_chats_days: u32,
}

super::keyword::keywords! {
    /// What outlives what.
    #[derive(Default)]
    Synchronous: "way of writing" {
        /// The end of the process loses nothing; the loss of power may lose the last moments, never the order of things.
        #[default]
        Normal = "normal",
        /// The loss of power loses nothing either, if the disk keeps its word. Each write waits for the disk.
        Full = "full",
    }
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://PATH`: a file; a path without a leading `/` counts from the folder of the configuration.
    Sqlite(PathBuf),
    /// `sqlite::memory:`: nothing outlives the process. For tests and trials.
    Memory,
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`: a PostgreSQL server.
    Postgres(PostgresUrl),
}

/// The address of a database of PostgreSQL. Prints itself without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    whole: Secret,
    shown: String,
}

impl PostgresUrl {
    /// The address with the password: for connecting only, never for a log.
    pub fn expose(&self) -> &str {
        self.whole.expose()
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("data/ctigate.db"))
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            _ if text == "sqlite::memory:" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() && !path.contains(['?', '#', '\0']) => {
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            Some(("postgres" | "postgresql", rest)) => Ok(Self::Postgres(postgres(text, rest)?)),
            // The url of another database may hold a password, so only its scheme is shown.
            _ => Err(format!(
                "found a url that begins with \"{}\"; the store is kept in SQLite or in PostgreSQL: write \"sqlite://data/ctigate.db\" \
                 (a path, without \"?\" and \"#\"), \"postgres://USER:PASSWORD@HOST/DATABASE\" or \"sqlite::memory:\"",
                text.split(':').next().unwrap_or_default().escape_debug()
            )),
        }
    }
}

/// What may stand behind the `?` of an address of PostgreSQL.
const PARAMETERS: [&str; 6] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"];

/// The values of `sslmode`, from none to all that can be checked.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Checks an address of PostgreSQL. No error shows what may be a password.
fn postgres(whole: &str, rest: &str) -> Result<PostgresUrl, String> {
    const FORM: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    if whole.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') {
        return Err(format!("found a blank or \"#\" in the address; {FORM}, such signs as %20 and %23"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    // A password with an unescaped "@" or "/" would be taken for a host and shown.
    let (login, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if login.contains('@') || database.contains(['@', '/']) {
        return Err(format!(
            "found \"@\" or \"/\" where it ends a part; {FORM}, such signs in a password as %40 and %2F"
        ));
    }
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if database.is_empty() {
        return Err(format!("found an address without a database; {FORM}"));
    }
    let port = if host.ends_with(']') { None } else { host.rsplit_once(':').map(|(_, port)| port) };
    if port.is_some_and(|port| port.parse::<u16>().ok().filter(|port| *port != 0).is_none()) {
        return Err(format!("found a port that is no number from 1 to 65535; {FORM}"));
    }
    let mut elsewhere = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !PARAMETERS.contains(&name) {
            let name = if name == "password" { "a password" } else { "something else" };
            return Err(format!("found {name} behind the \"?\"; allowed: {}; {FORM}", PARAMETERS.join(", ")));
        }
        if name == "sslmode" && !MODES.contains(&value) {
            return Err(format!("found an sslmode that there is not; allowed: {}", MODES.join(", ")));
        }
        elsewhere |= name == "host" && !value.is_empty();
    }
    if host.is_empty() && !elsewhere {
        return Err(format!("found an address without a host; {FORM}, or postgres:///DATABASE?host=/run/postgresql"));
    }
    let login = match (user, password) {
        ("", "") => String::new(),
        (user, "") => format!("{user}@"),
        (user, _) => format!("{user}:{MASK}@"),
    };
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Ok(PostgresUrl { whole: Secret::new(whole), shown: format!("postgres://{login}{host}/{database}{query}") })
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Memory => f.write_str("sqlite::memory:"),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

super::keyword::as_text!(DatabaseUrl, "a url in quotes, like \"sqlite://data/ctigate.db\"");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_postgres_shows_everything_but_its_password() {
        for (given, shown) in [
            (
                "postgres://cti:hunter2@db:5433/gate?sslmode=verify-full",
                "postgres://cti:********@db:5433/gate?sslmode=verify-full",
            ),
            ("postgresql://cti@[::1]/gate", "postgres://cti@[::1]/gate"),
            ("postgres:///gate?host=/run/postgresql", "postgres:///gate?host=/run/postgresql"),
            ("postgres://cti:hunter2%40%2F@h/gate", "postgres://cti:********@h/gate"),
        ] {
            let url: DatabaseUrl = given.parse().unwrap();
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
            let DatabaseUrl::Postgres(url) = url else { panic!("{given}") };
            assert_eq!(url.expose(), given);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for (bad, why) in [
            ("mysql://cti:hunter2@h/gate", "begins with \"mysql\""),
            ("postgres://cti:hunter2@h", "without a database"),
            ("postgres://cti:hunter2@/gate", "without a host"),
            ("postgres://cti:hunter2@h:0/gate", "no number from 1 to 65535"),
            ("postgres://cti:hunter2@x@h/gate", "as %40 and %2F"),
            ("postgres://cti:hun/ter2@h/gate", "as %40 and %2F"),
            ("postgres://cti:hun ter2@h/gate", "a blank"),
            ("postgres://cti@h/gate?password=hunter2", "found a password behind"),
            ("postgres://cti:hunter2@h/gate?sslmode=yes", "allowed: disable"),
        ] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
            assert!(!error.contains("hunter2") && !error.contains("ter2@"), "{error}");
        }
    }
}
