//! How peers reach us and we them: the only place that knows sockets, WebSocket and POST.
//!
//! - [`listen`] accepts connections for browsers and for links; `http` answers what is no WebSocket, `upgrade` judges what
//!   wants to become one, [`gate`] who may come in.
//! - [`dial`] opens links, [`post`] speaks to CRMs that only answer POSTs, [`rpc`] serves those that post to us.
//! - `connection` is the pump of one connection: socket ⇄ Dialog ⇄ engine. `socket` lies below it; below that `wire` and `guard` on
//!   the way in, `line` and `frames` on the way out, `sink` where the bytes leave, and `hixie76` for the oldest.
//! - [`client`] is the other end of a link, for the demo's CRM; [`trial`] our end of one, for whoever tries a CRM out.
//! - [`network`] is where connections come from and go to when it is not the system's own network.
//! - `deflate` is the compression of messages; `echo`, for suites that judge us by one, is in no program that is installed.
//! - [`tls`] holds certificates, [`limit`] counts connections.
//!
//! Called by `app`, which binds the ports and hands in settings. Nothing here decides what a message means, and nothing here
//! outlives [`Transport::drain`].

pub mod browser;
pub mod client;
mod connection;
mod credentials;
mod deflate;
pub mod dial;
mod drain;
#[cfg(feature = "echo")]
pub mod echo;
mod frames;
pub mod gate;
mod guard;
mod handshake;
mod heads;
mod hixie76;
mod http;
pub mod limit;
mod line;
pub mod listen;
pub mod network;
pub mod post;
mod retry;
pub mod rpc;
mod sink;
mod socket;
mod stream;
pub mod tls;
pub mod trial;
mod upgrade;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::LinkState;
use ctigate_proto::hub::trace::What;
use ctigate_proto::message::{PeerHash, PeerId, Text};
use dashmap::DashMap;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Engine, Outbox};
use crate::telemetry::Telemetry;

pub use drain::Draining;
pub use upgrade::Origins;

/// What all transports share: the engine, the counters, the tasks, and the way to stop.
pub struct Transport {
    engine: Arc<Engine>,
    telemetry: Telemetry,
    limits: Arc<limit::Counters>,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Set while nobody new is taken.
    draining: ArcSwapOption<Draining>,
    /// Every connection that runs now, open or not, so that all can be told to end.
    running: DashMap<PeerId, Running, PeerHash>,
}

/// One connection that runs.
struct Running {
    outbox: Arc<Outbox>,
    /// The link it is of, if it is of one.
    link: Option<Text>,
}

impl Transport {
    /// `stop` ends accepting and dialing; what runs then ends by [`Self::drain`].
    pub fn new(
        engine: Arc<Engine>,
        telemetry: Telemetry,
        limits: limit::Settings,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            telemetry,
            limits: limit::Counters::new(limits),
            stop,
            tasks: TaskTracker::new(),
            draining: ArcSwapOption::empty(),
            running: DashMap::default(),
        })
    }

    /// How many connections run now.
    pub fn connections(&self) -> usize {
        self.running.len()
    }

    /// How many connections are counted now, handshakes included, and how many there may be (0: no bound).
    pub fn room(&self) -> (usize, usize) {
        (self.limits.all(), self.limits.most())
    }

    /// Whether no new connection is accepted or dialed any more.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Says goodbye to every connection with 1001, in batches spread over `stagger` so that not all come back at once, each
    /// after what is queued for it; then waits for all tasks to end, at most `grace`. Call it when `stop` was cancelled.
    /// Says whether all ended.
    pub async fn drain(&self, stagger: Duration, grace: Duration) -> bool {
        const BATCHES: usize = 20;
        let all: Vec<_> = self.running.iter().map(|entry| Arc::clone(&entry.outbox)).collect();
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

    /// Closes the connections of a link, each after what is queued for it. Those that only dial or shake hands are stopped by the
    /// link's own token.
    pub fn close_link(&self, link: &str, reason: &CloseReason) {
        for entry in self.running.iter().filter(|entry| entry.link.as_deref() == Some(link)) {
            entry.outbox.close(reason.clone());
            entry.outbox.wake();
        }
    }

    /// A token for one link: it stops with the transport, or alone.
    pub fn link_token(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Other bounds for connections, from now on.
    pub fn set_limits(&self, limits: limit::Settings) {
        self.limits.set(limits);
    }

    /// Tells what a link that is not open does.
    fn link_state(&self, link: &Text, state: LinkState) {
        self.engine.handle(Input::LinkState { link: link.clone(), state });
    }

    /// A page was not let in: whoever asks why is to be told so.
    fn told_of_origin(&self, foreign: Option<(String, String)>) {
        if let Some((origin, host)) = foreign {
            self.engine.tell_step("", What::OriginRefused { origin: origin.into(), host: host.into() });
        }
    }

    /// Enters a connection in the list of those to be told when the node stops.
    fn register(self: &Arc<Self>, peer: PeerId, outbox: &Arc<Outbox>, link: Option<Text>) -> Registered {
        self.running.insert(peer, Running { outbox: Arc::clone(outbox), link });
        if self.stop.is_cancelled() {
            outbox.close(CloseReason::GOING_AWAY);
            outbox.wake();
        }
        Registered { transport: Arc::clone(self), peer }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("running", &self.running.len()).finish_non_exhaustive()
    }
}

/// Leaves the list when dropped.
struct Registered {
    transport: Arc<Transport>,
    peer: PeerId,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.transport.running.remove(&self.peer);
    }
}
