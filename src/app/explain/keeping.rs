//! What of the decisions outlives the node: written to the store every other second, read when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;
use crate::shutdown::Shutdown;
use crate::store::{Store, StoryRow};

use super::fact::Fact;

/// How often what was decided is written.
const EVERY: Duration = Duration::from_secs(2);
/// Most decisions that wait for a store that cannot write; the oldest are given up.
const WAITING: usize = 10_000;

/// Keeps what is decided, until the node stops.
pub(in crate::app) fn keep(engine: Arc<Engine>, store: Arc<Store>, shutdown: &Shutdown) {
    let stop = shutdown.token();
    shutdown.spawn("story", async move {
        let mut waiting: Vec<StoryRow> = Vec::new();
        loop {
            let stopped = stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
            waiting.extend(engine.take_unkept_steps().into_iter().map(|step| row(Fact::from(step))));
            let over = waiting.len().saturating_sub(WAITING);
            waiting.drain(..over);
            if !waiting.is_empty() {
                match store.keep_story(&waiting, crate::app::unix_ms()).await {
                    Ok(()) => waiting.clear(),
                    // The store's own writer tells operators.
                    Err(error) => tracing::debug!(%error, waiting = waiting.len(), "decisions could not be kept"),
                }
            }
            if stopped {
                return;
            }
        }
    });
}

fn row(fact: Fact) -> StoryRow {
    StoryRow {
        at_ms: fact.at_ms,
        chain: fact.call.into(),
        form: fact.form.into(),
        login: fact.user.into(),
        what: fact.what.into(),
        detail: fact.detail.to_string().into(),
    }
}

/// What was kept before a moment, oldest first. Without a store that can be read the memory has to do.
pub(super) async fn load(store: &Store, before_ms: i64) -> Vec<Fact> {
    let rows = match store.story(before_ms).await {
        Ok(rows) => rows,
        Err(error) => {
            tracing::warn!(%error, "kept decisions cannot be read");
            Vec::new()
        }
    };
    let fact = |row: StoryRow| Fact {
        at_ms: row.at_ms,
        call: row.chain.to_string(),
        form: row.form.to_string(),
        user: row.login.to_string(),
        what: row.what.to_string(),
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
    };
    rows.into_iter().map(fact).collect()
}
