//! The FastAGI server: the dialplan of Asterisk asks here, and goes on with the answer in variables.
//!
//! ```text
//! AGI(agi://gateway:4573/dynamic/FindClient?phone=${CALLERID(num)})      asks a dynamic method
//! AGI(agi://gateway:4573/form/clientcard?_user=101&phone=…)              opens a form beside the call
//! AGI(agi://gateway:4573/route)                                          asks who should get the call
//! ```
//!
//! - `request`: what is wanted, out of the address and the arguments; pure.
//! - `wire`: lines, quoting, names of variables; pure.
//! - `desk`: what sessions wait for, in the hands of the backend.
//! - `session`: one connection, which is one step of one call.
//!
//! Whatever happens, the dialplan gets its call back within the time it allowed: it is never held up by a CRM that is slow or
//! away. Bounded: sessions at once, the header of each, and the time of each.

mod desk;
mod request;
mod session;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::Directory;
use crate::config::Cidr;
use crate::telemetry::Event;

pub(super) use desk::{Desk, Runs, Whose, Wish, Wishes};

/// Most sessions at a time. Each is a call that waits for an answer.
pub const SESSIONS: usize = 1000;
/// How often it is told that some were turned away.
const TELL: Duration = Duration::from_secs(60);

/// What the server is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may connect.
    pub allow: Vec<Cidr>,
    /// How long a dynamic method is waited for that is asked without a time.
    pub timeout: Duration,
    /// The dynamic method that `/route` asks unless it names another.
    pub route_method: String,
    /// The inside numbers and who works on them, as they are now.
    pub directory: Arc<ArcSwap<Directory>>,
}

/// Serves until it is dropped; then every session ends.
pub(super) async fn serve(listener: &TcpListener, all: &super::Settings, wishes: Wishes, runs: Runs) {
    let settings = Arc::new(all.agi.clone());
    let room = Arc::new(Semaphore::new(SESSIONS));
    let mut sessions = JoinSet::new();
    let mut turned_away = Seldom::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = sessions.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: those of sessions that end come back.
                turned_away.tell(|count| tracing::warn!(%error, count, "a call of the dialplan could not be accepted"));
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if !settings.allow.iter().any(|range| range.contains(peer.ip())) {
            turned_away.tell(|count| {
                tracing::warn!(%peer, count, "turned away at agi_bind: this address is not in pbx.asterisk.agi_allow");
            });
            continue;
        }
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            turned_away
                .tell(|count| tracing::warn!(count, SESSIONS, "turned away at agi_bind: too many calls ask at once"));
            continue;
        };
        let session = session::run(stream, Arc::clone(&settings), wishes.clone(), runs.clone());
        let telemetry = all.telemetry.clone();
        sessions.spawn(async move {
            if let Some(status) = session.await {
                telemetry.event(Event::Dialplan { status: &status });
            }
            drop(place);
        });
    }
}

/// Counts, and speaks once in a while.
#[derive(Debug, Default)]
struct Seldom {
    count: u64,
    last: Option<Instant>,
}

impl Seldom {
    fn tell(&mut self, say: impl FnOnce(u64)) {
        self.count += 1;
        if self.last.is_none_or(|last| last.elapsed() >= TELL) {
            say(self.count);
            self.last = Some(Instant::now());
        }
    }
}
