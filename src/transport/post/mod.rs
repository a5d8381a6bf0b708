//! Links that are posted to (`proto-spec/post.md`): a CRM that only answers. For the engine such a link is a peer like any
//! other: it has an outbox, and what its answers hold is received from it.
//!
//! `life` is the one task of a link: it decides what is posted when. `exchange` posts. `pending` is what waits for the next
//! poll. [`Poster`] is for whoever tries a CRM out.

mod exchange;
mod life;
mod pending;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::hub::input::LinkState;
use ctigate_proto::message::{Format, Text};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Link};

use super::Transport;
use super::credentials::Credentials;
use super::dial::Way;
use super::gate::Allowance;
use super::network::Network;
use super::retry::Retry;
use super::tls::TlsError;

use exchange::Server;

pub use trial::Poster;

/// A link to be posted to.
pub struct Posted {
    name: Text,
    format: Format,
    server: Arc<Server>,
    allowance: Allowance,
    /// How often it is asked whether it wants something.
    poll: Option<Duration>,
    /// Connections for dynamic methods.
    connections: usize,
    /// Of the pauses between attempts.
    seed: u64,
}

impl Posted {
    /// From the configuration.
    ///
    /// # Errors
    /// When its address, its authorities or its pin cannot be used.
    pub fn new(config: &Config, link: &Link) -> Result<Self, TlsError> {
        Ok(Self::by(Way::new(link)?, config, link, rand::random()))
    }

    /// The same over another network, with pauses by this seed.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn over(config: &Config, link: &Link, network: Arc<dyn Network>, seed: u64) -> Result<Self, TlsError> {
        let mut way = Way::new(link)?;
        way.over(network);
        Ok(Self::by(way, config, link, seed))
    }

    fn by(way: Way, config: &Config, link: &Link, seed: u64) -> Self {
        let format = link.format.into();
        let allowance = Allowance::new(config, link);
        Self {
            name: link.name.as_str().into(),
            format,
            server: Arc::new(Server::new(way, Credentials::of(link), format, allowance.clone())),
            allowance,
            poll: link.poll_interval,
            connections: link.post_connections.max(1),
            seed,
        }
    }
}

impl Posted {
    /// What it is allowed, to be changed while it lives.
    pub fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

/// Keeps one link going until `stop`.
pub async fn run(transport: Arc<Transport>, link: Posted, stop: CancellationToken) {
    let mut retry = Retry::new(link.seed);
    loop {
        if stop.run_until_cancelled(transport.taking()).await.is_none() {
            return;
        }
        transport.link_state(&link.name, LinkState::Dialing);
        let ended = life::live(&transport, &link).await;
        if stop.is_cancelled() {
            return;
        }
        tracing::warn!(link = &*link.name, why = ended.failure.to_string(), "the link cannot be posted to");
        let (state, after) = retry.after(ended.failure, ended.open_for);
        transport.link_state(&link.name, state);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(after) => {}
        }
    }
}
