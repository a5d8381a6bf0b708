//! The audit trail: every change that an administrator made, with who, from where, what and about what. Bounded: a year, and a
//! million rows.

use serde_json::Value;

use super::sql::sql;
use super::{Store, StoreError};

/// How long an entry is kept, milliseconds.
const KEPT_FOR: i64 = 366 * 24 * 3600 * 1000;
/// How many entries are kept.
const MOST: i64 = 1_000_000;
/// Old ones are looked for once in so many entries.
const EVERY: i64 = 256;

/// Something that is to be noted.
#[derive(Clone, Debug)]
pub struct Change {
    /// Who did it: a login, `token`, `key CLIENT_ID`, or `USER (command line)`.
    pub who: String,
    /// From which address, or `this machine`.
    pub from: String,
    /// What: `user.add`, `key.replace`, `signin`.
    pub what: String,
    /// About whom or what: a login, a CLIENT_ID, a link.
    pub about: String,
    /// What was and what is, without secrets.
    pub detail: Value,
}

/// An entry.
#[derive(Clone, Debug)]
pub struct Noted {
    /// Its number; rising.
    pub number: i64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What was noted.
    pub change: Change,
}

impl Store {
    /// Notes a change. Done when it is on disk.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn note(&self, at_ms: i64, change: &Change) -> Result<(), StoreError> {
        let put = "INSERT INTO audit (number, at_ms, who, from_where, what, about, detail)
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6 FROM audit";
        let detail = change.detail.to_string();
        let Change { who, from, what, about, .. } = change;
        let put = || sql(put).bind(at_ms).bind(who).bind(from).bind(what).bind(about).bind(&detail);
        // Where two databases' clients take the same number at the same time, the later asks again.
        let mut tries = 0;
        while let Err(error) = self.db.run(put()).await {
            tries += 1;
            if tries == 5 {
                return Err(error);
            }
        }
        let last = self.db.one(sql("SELECT COALESCE(MAX(number), 0) FROM audit"), |row| row.int(0)).await?;
        let last = last.unwrap_or(0);
        if last % EVERY == 0 {
            let old = sql("DELETE FROM audit WHERE at_ms < $1 OR number <= $2");
            self.db.run(old.bind(at_ms - KEPT_FOR).bind(last - MOST)).await?;
        }
        Ok(())
    }

    /// Entries since a moment, the newest first, below a number (0: from the newest), so many at most.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit(&self, since_ms: i64, below: i64, limit: i64) -> Result<Vec<Noted>, StoreError> {
        let some = "SELECT number, at_ms, who, from_where, what, about, detail FROM audit
                   WHERE at_ms >= $1 AND number < $2 ORDER BY number DESC LIMIT $3";
        let below = if below == 0 { i64::MAX } else { below };
        self.db
            .list(sql(some).bind(since_ms).bind(below).bind(limit), |row| {
                let change = Change {
                    who: row.text(2)?.to_string(),
                    from: row.text(3)?.to_string(),
                    what: row.text(4)?.to_string(),
                    about: row.text(5)?.to_string(),
                    detail: serde_json::from_str(&row.text(6)?).unwrap_or_default(),
                };
                Ok(Noted { number: row.int(0)?, at_ms: row.int(1)?, change })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::telemetry::Telemetry;

    #[tokio::test]
    async fn the_trail_is_read_in_pages_and_forgets_what_is_old() {
        let config = config::Store { url: "sqlite::memory:".parse().unwrap(), ..config::Store::default() };
        let store = Store::open(&config, Telemetry::default()).await.unwrap();
        let change = |about: i64| Change {
            who: "admin".into(),
            from: "127.0.0.1".into(),
            what: "user.set".into(),
            about: about.to_string(),
            detail: serde_json::json!({ "was": { "role": "agent" } }),
        };
        for n in 1..EVERY {
            store.note(n, &change(n)).await.unwrap();
        }
        let numbers = |page: &[Noted]| page.iter().map(|noted| noted.number).collect::<Vec<_>>();
        let page = store.audit(0, 0, 3).await.unwrap();
        assert_eq!(numbers(&page), [255, 254, 253]);
        assert_eq!((page[0].at_ms, &*page[0].change.about), (255, "255"));
        assert_eq!(page[0].change.detail["was"]["role"], "agent");
        assert_eq!(numbers(&store.audit(0, 253, 2).await.unwrap()), [252, 251]);
        assert_eq!(numbers(&store.audit(254, 0, 9).await.unwrap()), [255, 254]);
        store.note(KEPT_FOR + 100, &change(0)).await.unwrap();
        assert_eq!(store.audit(0, 0, 1000).await.unwrap().len(), 157, "what is older than a year is gone");
    }
}
