//! What `POST /rpc` needs: messages of a CRM in, its replies out. The route checks who asks, and wraps and unwraps the body;
//! here the messages go the way of any link's messages, by a peer of their own that lives as long as the request.

use std::sync::Arc;
use std::time::Duration;

use ctigate_proto::auth::{Identity, Proof};
use ctigate_proto::codec::{Limits, decode};
use ctigate_proto::dialog::{self, CloseReason, Dialog, Output, Role};
use ctigate_proto::hub::input::Opening;
use ctigate_proto::message::{Body, Envelope, Format};
use ctigate_proto::method;
use tokio::time::{Instant, timeout_at};

use crate::engine::Outbox;

use super::Transport;
use super::connection::Open;
use super::gate::OUTBOX;

/// How long replies are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long at most, where a call names its own wait.
const LONGEST: Duration = Duration::from_secs(61);

/// The place of a reply in the answer.
enum Slot {
    /// Nothing is due: the message was a reply itself.
    Nothing,
    /// The Hub owes one.
    Due(Envelope),
    /// It is here.
    Here(Envelope),
}

impl Transport {
    /// Hands in what the CRM of a link has posted, and waits for the replies, at most 10 s, or as long as a call among the
    /// messages says (`waitresponsems`, at most 60 s). Gives them in the order of their calls; what was not answered in time
    /// is left out. The link need not be up, and no introduction is needed. Whoever calls this has checked that it is the CRM.
    pub async fn rpc(&self, link: &str, format: Format, messages: Vec<Envelope>) -> Vec<Envelope> {
        let engine = &self.engine;
        let until = Instant::now() + patience(&messages);
        let outbox = Outbox::new(OUTBOX);
        let identity = Identity::link(link, Proof::checked_request());
        let mut open = Open::new(Arc::clone(engine), engine.next_peer());
        open.reason = Some(Box::new(CloseReason::NORMAL));
        open.since = Some(Instant::now());
        let opening = Opening { post: true, visitor: true, ..Opening::default() };
        engine.opened(open.peer, identity.clone(), opening, Arc::clone(&outbox));
        let settings = dialog::Settings { socket: false, ..dialog::Settings::link() };
        let mut dialog = Dialog::new(engine.now(), Role::Link(identity), Some(format), settings);
        // No introduction is needed, so the dialog is told of one.
        dialog.handle_envelope(engine.now(), Envelope::new("iam", Body::new()));
        while dialog.poll_output().is_some() {}

        let mut slots = Vec::with_capacity(messages.len());
        let mut batch = Vec::new();
        for message in messages {
            let mut slot = Slot::Nothing;
            dialog.handle_envelope(engine.now(), message);
            while let Some(output) = dialog.poll_output() {
                match output {
                    Output::Deliver(envelope) => {
                        if !method::is_reply(&envelope.name) {
                            slot = Slot::Due(envelope.clone());
                        }
                        batch.push(envelope);
                    }
                    Output::Transmit(text) => slot = decode(format, &text, &Limits::default()).map_or(slot, Slot::Here),
                    Output::Opened(_) | Output::Authenticate(_) | Output::Ping | Output::Close(_) => {}
                    Output::Odd(what) => tracing::info!(link, what, "odd message to /rpc"),
                }
            }
            slots.push(slot);
        }
        engine.received(open.peer, &mut batch);
        let collected = async {
            let mut arrived = Vec::new();
            loop {
                outbox.take(&mut arrived);
                for message in arrived.drain(..) {
                    place(&mut slots, message.envelope());
                }
                if !slots.iter().any(|slot| matches!(slot, Slot::Due(_))) {
                    return;
                }
                outbox.ready().await;
            }
        };
        // What is not here now is left out.
        let _ = timeout_at(until, collected).await;
        slots.into_iter().filter_map(|slot| if let Slot::Here(reply) = slot { Some(reply) } else { None }).collect()
    }
}

fn patience(messages: &[Envelope]) -> Duration {
    let asked = messages.iter().filter_map(|m| m.body.int("waitresponsems")).max();
    let asked =
        asked.and_then(|ms| u64::try_from(ms).ok()).map(|ms| Duration::from_millis(ms) + Duration::from_secs(1));
    asked.unwrap_or(PATIENCE).clamp(PATIENCE, LONGEST)
}

/// Puts a reply where its call stood: the first that has this qid and is answered by this name.
fn place(slots: &mut Vec<Slot>, reply: &Envelope) {
    let qid = reply.body.value("qid");
    let is_call = |slot: &&mut Slot| match slot {
        Slot::Due(call) => method::reply_name(&call.name) == reply.name && call.body.value("qid") == qid,
        Slot::Nothing | Slot::Here(_) => false,
    };
    match slots.iter_mut().find(is_call) {
        Some(slot) => *slot = Slot::Here(reply.clone()),
        None => slots.push(Slot::Here(reply.clone())),
    }
}
