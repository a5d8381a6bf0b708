//! How peers reach us and we them: the only place that knows sockets, WebSocket and POST.
//!
//! - [`listen`] accepts connections for browsers and for links; `http` answers what is no WebSocket, `upgrade` judges what
//!   wants to become one, [`gate`] who may come in.
//! - [`dial`] opens links, `post` speaks to CRMs that only answer POSTs, `rpc` serves those that post to us.
//! - `connection` is the pump of one connection: socket ⇄ Dialog ⇄ engine. `socket`, `wire`, `guard`, `frames` and `hixie76`
//!   lie below it.
//! - [`tls`] holds certificates, [`limit`] counts connections.
//!
//! Called by `app`, which binds the ports and hands in settings. Nothing here decides what a message means, and nothing here
//! outlives [`Transport::drain`].

pub mod browser;
mod connection;
mod frames;
mod guard;
mod hixie76;
mod http;
pub mod limit;
pub mod listen;
mod socket;
mod stream;
pub mod tls;
mod upgrade;
mod wire;

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::dialog::CloseReason;
use ctigate_proto::message::PeerId;
use dashmap::DashMap;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Engine, Outbox};

pub use upgrade::Origins;

/// What all transports share: the engine, the counters, the tasks, and the way to stop.
pub struct Transport {
    engine: Arc<Engine>,
    limits: Arc<limit::Counters>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Every connection that runs now, open or not, so that all can be told to end.
    running: DashMap<PeerId, Arc<Outbox>>,
}

impl Transport {
    /// `stop` ends accepting and dialing; what runs then ends by [`Self::drain`].
    pub fn new(engine: Arc<Engine>, limits: limit::Settings, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            engine,
            limits: limit::Counters::new(limits),
            stop,
            tasks: TaskTracker::new(),
            running: DashMap::new(),
        })
    }

    /// How many connections run now.
    pub fn connections(&self) -> usize {
        self.running.len()
    }

    /// Says goodbye to every connection with 1001, in batches spread over `stagger` so that not all come back at once, each
    /// after what is queued for it; then waits for all tasks to end, at most `grace`. Call it when `stop` was cancelled.
    /// Says whether all ended.
    pub async fn drain(&self, stagger: Duration, grace: Duration) -> bool {
        const BATCHES: usize = 20;
        let all: Vec<_> = self.running.iter().map(|entry| Arc::clone(entry.value())).collect();
        let batch = all.len().div_ceil(BATCHES).max(1);
        for (i, some) in all.chunks(batch).enumerate() {
            if i > 0 {
                sleep(stagger / u32::try_from(BATCHES).unwrap_or(1)).await;
            }
            for outbox in some {
                outbox.close(CloseReason::GOING_AWAY);
                outbox.wake();
            }
        }
        self.tasks.close();
        timeout(grace, self.tasks.wait()).await.is_ok()
    }

    /// Enters a connection in the list of those to be told when the node stops.
    fn register(&self, peer: PeerId, outbox: &Arc<Outbox>) -> Registered<'_> {
        self.running.insert(peer, Arc::clone(outbox));
        if self.stop.is_cancelled() {
            outbox.close(CloseReason::GOING_AWAY);
            outbox.wake();
        }
        Registered { transport: self, peer }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

/// Leaves the list when dropped.
struct Registered<'a> {
    transport: &'a Transport,
    peer: PeerId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.transport.running.remove(&self.peer);
    }
}

/// Text from outside as it may stand in a log: control characters escaped, long values cut.
struct Said<'a>(&'a str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        for (i, c) in self.0.chars().enumerate() {
            if i == LONGEST {
                return f.write_str("…");
            }
            if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_can_forge_no_line() {
        assert_eq!(Said("a\r\nb\u{1b}[1m").to_string(), "a\\u{d}\\u{a}b\\u{1b}[1m");
        assert_eq!(Said(&"ж".repeat(300)).to_string().chars().count(), 201);
    }
}
