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

use ctigate_proto::dialog;
use ctigate_proto::hub::input::LinkState;
use ctigate_proto::message::{Format, Text};
use tokio::time::sleep;

use crate::config::{Config, Link};

use super::Transport;
use super::credentials::Credentials;
use super::dial::Way;
use super::retry::Retry;
use super::tls::TlsError;

use exchange::Server;

pub use trial::Poster;

/// A link to be posted to.
pub struct Posted {
    name: Text,
    format: Format,
    server: Arc<Server>,
    dialog: Arc<dialog::Settings>,
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
        let dialog = dialog::Settings { socket: false, ..super::gate::dialog_settings(config, link) };
        Ok(Self {
            name: link.name.as_str().into(),
            format,
            server: Arc::new(Server::new(Way::new(link)?, Credentials::of(link), format, &dialog)),
            dialog: Arc::new(dialog),
            poll: link.poll_interval,
            connections: link.post_connections.max(1),
        })
    }
}

/// Keeps one link going until the transport stops.
pub async fn run(transport: Arc<Transport>, link: Posted) {
    let mut retry = Retry::default();
    loop {
        transport.link_state(&link.name, LinkState::Dialing);
        let ended = life::live(&transport, &link).await;
        if transport.stop.is_cancelled() {
            return;
        }
        tracing::warn!(link = &*link.name, why = ended.failure.to_string(), "the link cannot be posted to");
        let (state, after) = retry.after(ended.failure, ended.open_for);
        transport.link_state(&link.name, state);
        tokio::select! {
            () = transport.stop.cancelled() => return,
            () = sleep(after) => {}
        }
    }
}
