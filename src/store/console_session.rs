//! Sessions of people who signed in to the console. Kept by the hash of their id; each use prolongs it.

use sha2::{Digest, Sha256};

use super::account::key;
use super::sql::sql;
use super::{Store, StoreError};
use crate::config::Secret;

/// How long a session lives after its last use, milliseconds.
pub const CONSOLE_SESSION: i64 = 12 * 3600 * 1000;
/// A use prolongs it only when this much of its life has passed, so that not every request writes.
const COARSE: i64 = 60_000;

impl Store {
    /// A new session of a person. Gives its id: 256 random bits in hex. More than 32 of one person push out the oldest.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn begin_console_session(&self, login: &str, now_ms: i64) -> Result<Secret, StoreError> {
        let (id, login) = (random_hex(), key(login));
        let hash = hashed(&id);
        let crowd = "DELETE FROM console_session WHERE login = $1 AND hash NOT IN
             (SELECT hash FROM console_session WHERE login = $1 ORDER BY made_ms DESC, hash LIMIT 31)";
        let put = "INSERT INTO console_session (hash, login, made_ms, expires_ms) VALUES ($1, $2, $3, $4)";
        self.db
            .run_all([
                sql("DELETE FROM console_session WHERE expires_ms <= $1").bind(now_ms),
                sql(crowd).bind(&login),
                sql(put).bind(&hash).bind(&login).bind(now_ms).bind(now_ms + CONSOLE_SESSION),
            ])
            .await?;
        Ok(Secret::new(id))
    }

    /// Whose session this is, in lower case, if it lives; it lives on.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub async fn console_session(&self, id: &str, now_ms: i64) -> Result<Option<String>, StoreError> {
        let hash = hashed(id);
        let one = sql("SELECT login, expires_ms FROM console_session WHERE hash = $1 AND expires_ms > $2");
        let found =
            self.db.one(one.bind(&hash).bind(now_ms), |row| Ok((row.text(0)?.to_string(), row.int(1)?))).await?;
        let Some((login, expires_ms)) = found else { return Ok(None) };
        let until = now_ms + CONSOLE_SESSION;
        if until - expires_ms >= COARSE {
            let prolong = sql("UPDATE console_session SET expires_ms = $1 WHERE hash = $2");
            self.db.run(prolong.bind(until).bind(&hash)).await?;
        }
        Ok(Some(login))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_console_session(&self, id: &str) -> Result<(), StoreError> {
        self.db.run(sql("DELETE FROM console_session WHERE hash = $1").bind(hashed(id))).await.map(drop)
    }

    /// Ends the sessions of a person but one (empty: all).
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn end_console_sessions(&self, login: &str, but: &str) -> Result<(), StoreError> {
        let others = sql("DELETE FROM console_session WHERE login = $1 AND hash <> $2");
        self.db.run(others.bind(key(login)).bind(hashed(but))).await.map(drop)
    }
}

/// 256 random bits in hex.
pub(super) fn random_hex() -> String {
    hex(&rand::random::<[u8; 32]>())
}

/// SHA-256 in hex.
pub(super) fn hashed(text: &str) -> String {
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn a_session_slides_and_ends() {
        let config = config::Store { url: "sqlite::memory:".parse().unwrap(), ..config::Store::default() };
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        let id = store.begin_console_session("Ivanov", 0).await.unwrap();
        let whose = async |id: &str, now_ms| store.console_session(id, now_ms).await.unwrap();
        let half = CONSOLE_SESSION / 2;
        assert_eq!(whose(id.expose(), half).await.as_deref(), Some("ivanov"));
        assert_eq!(whose(id.expose(), half * 2 + 1000).await.as_deref(), Some("ivanov"), "the use prolonged it");
        assert_eq!(whose(id.expose(), half * 4 + 1000).await, None, "nobody used it");
        let (one, other) = (
            store.begin_console_session("ivanov", 0).await.unwrap(),
            store.begin_console_session("ivanov", 0).await.unwrap(),
        );
        store.end_console_sessions("IVANOV", other.expose()).await.unwrap();
        assert_eq!((whose(one.expose(), 1).await, whose(other.expose(), 1).await), (None, Some("ivanov".to_owned())));
        store.end_console_session(other.expose()).await.unwrap();
        assert_eq!(whose(other.expose(), 1).await, None);
        let first = store.begin_console_session("ivanov", 0).await.unwrap();
        for now_ms in 1..=32 {
            store.begin_console_session("ivanov", now_ms).await.unwrap();
        }
        assert_eq!(whose(first.expose(), 40).await, None, "the oldest made room");
    }
}
