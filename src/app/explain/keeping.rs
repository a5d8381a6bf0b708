//! What of the decisions outlives the node.

use std::sync::Arc;

use crate::engine::Engine;
use crate::shutdown::Shutdown;
use crate::store::Store;

use super::fact::Fact;

/// Keeps what is decided, until the node stops.
pub(in crate::app) fn keep(_engine: Arc<Engine>, _store: Arc<Store>, _shutdown: &Shutdown) {}

/// What was kept before a moment, oldest first.
pub(super) async fn load(_store: &Store, _before_ms: i64) -> Vec<Fact> {
    Vec::new()
}
