//! What was decided about calls and forms, for whoever asks later why: bounded by number and by age, the oldest forgotten first.

use ctigate_proto::message::Text;

use super::sql::{Row, sql};
use super::{Store, StoreError};

/// Most decisions that are kept.
const MOST: i64 = 100_000;
/// How long they are kept at most, milliseconds.
const LIFE_MS: i64 = 14 * 24 * 3_600_000;

/// A decision as it is kept. The store knows none of its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoryRow {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The conversation, or empty.
    pub chain: Text,
    /// The form, or empty.
    pub form: Text,
    /// The user, or empty.
    pub login: Text,
    /// What, in one word.
    pub what: Text,
    /// What is known of it: a JSON object.
    pub detail: Text,
}

impl Store {
    /// Keeps decisions, in their order, and forgets those that are too old or too many. Done when they are on disk.
    ///
    /// # Errors
    /// When the database cannot be written; nothing of it is kept then.
    pub async fn keep_story(&self, rows: &[StoryRow], now_ms: i64) -> Result<(), StoreError> {
        let mut to = self.db.begin().await?;
        let last = to.list(sql("SELECT COALESCE(MAX(id), 0) AS last FROM story"), |row| row.int("last")).await?;
        let mut id = last.first().copied().unwrap_or(0);
        for row in rows {
            id += 1;
            let put = sql(
                "INSERT INTO story (id, at_ms, chain, form, login, what, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            );
            let put = put.bind(id).bind(row.at_ms).bind(&row.chain).bind(&row.form);
            to.run(put.bind(&row.login).bind(&row.what).bind(&row.detail)).await?;
        }
        to.run(sql("DELETE FROM story WHERE id <= $1 OR at_ms < $2").bind(id - MOST).bind(now_ms - LIFE_MS)).await?;
        to.commit().await
    }

    /// What was decided before a moment (milliseconds since 1970), oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn story(&self, before_ms: i64) -> Result<Vec<StoryRow>, StoreError> {
        let rows = sql("SELECT at_ms, chain, form, login, what, detail FROM story WHERE at_ms < $1 ORDER BY id");
        let read = |row: &Row| {
            Ok(StoryRow {
                at_ms: row.int("at_ms")?,
                chain: row.text("chain")?,
                form: row.text("form")?,
                login: row.text("login")?,
                what: row.text("what")?,
                detail: row.text("detail")?,
            })
        };
        self.db.list(rows.bind(before_ms), read).await
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Telemetry;

    use super::*;

    fn row(at_ms: i64) -> StoryRow {
        let text = |name: &str| Text::from(format!("{name} {at_ms}"));
        StoryRow {
            at_ms,
            chain: text("chain"),
            form: Text::new(),
            login: text("login"),
            what: text("what"),
            detail: "{}".into(),
        }
    }

    #[tokio::test]
    async fn what_is_kept_comes_back_in_order_until_it_is_too_old() {
        let url = "sqlite::memory:".parse().unwrap();
        let store =
            Store::open(&crate::config::Store { url, ..Default::default() }, Telemetry::default()).await.unwrap();
        let day = 24 * 3_600_000;
        store.keep_story(&[row(1), row(2)], 2).await.unwrap();
        store.keep_story(&[row(day)], day).await.unwrap();
        assert_eq!(store.story(i64::MAX).await.unwrap(), [row(1), row(2), row(day)]);
        assert_eq!(store.story(day).await.unwrap(), [row(1), row(2)]);
        store.keep_story(&[], 14 * day + 2).await.unwrap();
        assert_eq!(store.story(i64::MAX).await.unwrap(), [row(2), row(day)], "the first is older than two weeks");
    }
}
