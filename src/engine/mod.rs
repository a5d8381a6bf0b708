//! What owns the Hub. A task that has read a batch from its peer locks the Hub once, hands the batch in, moves what came out
//! into the outboxes (so that order is kept), lets go, and only then anybody writes. Nothing is awaited under the lock.

pub mod outbox;

use std::sync::Arc;

use ctigate_proto::Time;
use ctigate_proto::auth::{Attempt, Identity, LoginError};
use ctigate_proto::dialog::CloseReason;
use ctigate_proto::hub::Input;
use ctigate_proto::hub::input::Opening;
use ctigate_proto::message::{Envelope, PeerId};

pub use outbox::Outbox;

/// The Hub and everything its outputs reach. Held in an `Arc` by whoever has something to tell it.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// The node's clock.
    pub fn now(&self) -> Time {
        Time::ZERO
    }

    /// A peer id that was never given before.
    pub fn next_peer(&self) -> PeerId {
        PeerId(0)
    }

    /// A peer is open: enters its outbox in the address book and tells the Hub. [`Self::closed`] is due, once.
    pub fn opened(&self, peer: PeerId, identity: Identity, opening: Opening, outbox: Arc<Outbox>) {
        let _ = (peer, identity, opening, outbox);
    }

    /// What one peer sent, in order; empties `batch`.
    pub fn received(&self, peer: PeerId, batch: &mut Vec<Envelope>) {
        let _ = (peer, batch);
    }

    /// The peer is gone: leaves the address book, the Hub is told.
    pub fn closed(&self, peer: PeerId, reason: CloseReason) {
        let _ = (peer, reason);
    }

    /// Anything else that happened.
    pub fn handle(&self, input: Input) {
        let _ = input;
    }

    /// Checks a login: by password with the accounts, by session with the Hub; counts failures by address.
    ///
    /// # Errors
    /// Why the login is refused.
    pub async fn authenticate(&self, attempt: &Attempt, address: std::net::IpAddr) -> Result<Identity, LoginError> {
        let _ = (attempt, address);
        Err(LoginError::NotAvailable)
    }
}
