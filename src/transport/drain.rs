//! Emptying a node while it runs: nobody new is taken, and whoever is here goes, one after the other over a time, each with a word when
//! to come back. Whoever waits for an answer gets it first.

use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::message::{CloseReason, PeerId};
use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use rand::RngExt;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Transport;
use super::http::Refusal;

/// How often it is looked whether an answer has come.
const LOOK: Duration = Duration::from_millis(50);

/// A node that is being emptied.
#[derive(Debug)]
pub struct Draining {
    /// When everybody is to have gone who waits for nothing.
    pub until: Instant,
    /// After how long those who went should come back.
    pub back: Duration,
    cancelled: CancellationToken,
}

impl Draining {
    /// What those who go are told.
    pub fn reason(&self) -> CloseReason {
        CloseReason::with_text(
            1001,
            format!("the gateway is emptied; connect again in {} s", self.back.as_secs().max(1)),
        )
    }
}

impl Transport {
    /// How the node is being emptied, if it is.
    pub fn draining(&self) -> Option<Arc<Draining>> {
        self.draining.load_full()
    }

    /// What a newcomer is told while the node is being emptied.
    pub(super) fn turned_away(&self) -> Option<Refusal> {
        let draining = self.draining()?;
        let seconds = HeaderValue::from(draining.back.as_secs().max(1));
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the gateway is emptied, come back later");
        Some(refusal.with(header::RETRY_AFTER, seconds))
    }

    /// Takes nobody new from now on and closes every connection, each at a moment of its own within `over`. One that waits for an answer,
    /// or owes one, is closed when it is there, at most `grace` later. Emptying that goes on already is begun anew.
    pub fn begin_drain(self: &Arc<Self>, over: Duration, back: Duration, grace: Duration) {
        let cancelled = self.stop.child_token();
        let draining = Arc::new(Draining { until: Instant::now() + over, back, cancelled: cancelled.clone() });
        if let Some(before) = self.draining.swap(Some(Arc::clone(&draining))) {
            before.cancelled.cancel();
        }
        let mut all: Vec<(Instant, PeerId)> = {
            let mut random = rand::rng();
            let now = Instant::now();
            let millis = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
            let at = |random: &mut _| now + Duration::from_millis(RngExt::random_range(random, 0..=millis));
            self.running.iter().map(|entry| (at(&mut random), *entry.key())).collect()
        };
        all.sort_unstable();
        let transport = Arc::clone(self);
        self.tasks.spawn(async move {
            let last = draining.until + grace;
            let going = async {
                let mut waiting = Vec::new();
                for (at, peer) in all {
                    sleep_until(at).await;
                    waiting.push(peer);
                    waiting.retain(|peer| !transport.goes(*peer, &draining, false));
                }
                while !waiting.is_empty() {
                    sleep(LOOK).await;
                    let late = Instant::now() >= last;
                    waiting.retain(|peer| !transport.goes(*peer, &draining, late));
                }
            };
            cancelled.run_until_cancelled(going).await;
        });
    }

    /// Takes newcomers again; whoever has not gone yet stays. False: the node was not being emptied.
    pub fn end_drain(&self) -> bool {
        match self.draining.swap(None) {
            Some(draining) => {
                draining.cancelled.cancel();
                true
            }
            None => false,
        }
    }

    /// Waits while the node is being emptied: nothing is dialed then.
    pub(super) async fn taking(&self) {
        while let Some(draining) = self.draining() {
            draining.cancelled.cancelled().await;
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Closes a connection, unless somebody waits for an answer there. Says whether it is closed.
    fn goes(&self, peer: PeerId, draining: &Draining, late: bool) -> bool {
        let Some(entry) = self.running.get(&peer) else { return true };
        if !late && self.engine.is_busy(peer) {
            return false;
        }
        entry.outbox.close(draining.reason());
        entry.outbox.wake();
        true
    }
}
