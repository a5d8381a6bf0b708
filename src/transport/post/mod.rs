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
}

impl Posted {
    /// From the configuration.
    ///
    /// # Errors
    /// When its address, its authorities or its pin cannot be used.
    pub fn new(config: &Config, link: &Link) -> Result<Self, TlsError> {
        let format = link.format.into();
        let allowance = Allowance::new(config, link);
        Ok(Self {
            name: link.name.as_str().into(),
            format,
            server: Arc::new(Server::new(Way::new(link)?, Credentials::of(link), format, allowance.clone())),
            allowance,
            poll: link.poll_interval,
            connections: link.post_connections.max(1),
        })
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
    let mut retry = Retry::default();
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
            () = stop.cancelled() => return,
            () = sleep(after) => {}
        }
    }
}
