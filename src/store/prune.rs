//! What is old leaves: entries of the ledger and texts of chats, after the days of `[store]`. A little at a time, so that nobody who
//! writes waits for long.

use super::db::Db;
use super::sql::sql;
use super::{StoreError, config};

/// Most conversations, and most texts, that leave in one transaction.
const AT_ONCE: u64 = 200;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// How long what is kept; `None`: for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    calls_ms: Option<i64>,
    chats_ms: Option<i64>,
}

impl Keep {
    pub(super) fn of(config: &config::Store) -> Self {
        let span = |days: u32| (days > 0).then(|| i64::from(days) * DAY_MS);
        Self { calls_ms: span(config.keep_calls_days), chats_ms: span(config.keep_chats_days) }
    }
}

/// Takes away some of what is older than it is kept at `now_ms`. Says whether there may be more.
pub(super) async fn prune(db: &Db, keep: Keep, now_ms: i64) -> Result<bool, StoreError> {
    let mut more = false;
    if let Some(span) = keep.calls_ms {
        more |= calls(db, now_ms - span).await? >= AT_ONCE;
    }
    if let Some(span) = keep.chats_ms {
        more |= texts(db, now_ms - span).await? >= AT_ONCE;
    }
    Ok(more)
}

/// A conversation leaves whole, with the first of its talks that is too old.
async fn calls(db: &Db, before_ms: i64) -> Result<u64, StoreError> {
    let mut transaction = db.begin().await?;
    let old = "SELECT chain FROM journal WHERE began_ms < $1 ORDER BY began_ms, chain, talk LIMIT $2";
    let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let mut chains = transaction.list(sql(old).bind(before_ms).bind(most), |row| row.text(0)).await?;
    let found = chains.len() as u64;
    chains.dedup();
    for chain in &chains {
        // Talks, numbers and faxes go with the call.
        transaction.run(sql("DELETE FROM recording WHERE chain = $1").bind(chain)).await?;
        transaction.run(sql("DELETE FROM call WHERE chain = $1").bind(chain)).await?;
    }
    transaction.commit().await?;
    if found > 0 {
        tracing::debug!(conversations = chains.len(), "what was old left the ledger");
    }
    Ok(found)
}

async fn texts(db: &Db, before_ms: i64) -> Result<u64, StoreError> {
    let old = "DELETE FROM chat_text WHERE message IN (SELECT message FROM chat_text WHERE at_ms < $1 ORDER BY at_ms LIMIT $2)";
    let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let gone = db.run(sql(old).bind(before_ms).bind(most)).await?;
    if gone > 0 {
        tracing::debug!(texts = gone, "what was old left the chats");
    }
    Ok(gone)
}
