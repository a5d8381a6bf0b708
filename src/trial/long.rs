//! Long messages, and what all messages have in common.

use std::time::{Duration, Instant};

use super::Outcome;
use super::conversation::Conversation;
use super::execution::{long_ping, padding};
use super::finding;
use super::talk::{Fault, Talk, guid};

/// How long the long message is: more than the gateway sends to a link in one frame.
const LONG: usize = 100 << 10;

/// A long message in packets is put together.
pub(super) async fn to_crm(talk: &mut Talk, patience: Duration) -> Outcome {
    let Talk::Socket(conversation) = talk else { return Outcome::skipped("a POST is never cut") };
    match long_pong(conversation, patience).await {
        Ok(outcome) => outcome,
        Err(fault) => fault.outcome(&finding::MULTIPART_UNREAD),
    }
}

async fn long_pong(conversation: &mut Conversation, patience: Duration) -> Result<Outcome, Fault> {
    let mark = guid();
    let ping = long_ping(mark.clone(), LONG);
    conversation.tell_in_packets(&ping, &guid()).await?;
    let until = Instant::now() + patience;
    while let Some((_, heard)) = conversation.hear(until).await? {
        if heard.name != "pong" || heard.body.text("mark").as_deref() != Some(&mark) {
            conversation.mind(&heard).await?;
            continue;
        }
        return Ok(match heard.body.text("padding") {
            Some(text) if text == padding(LONG) => Outcome::good("put together, and answered unchanged"),
            _ => Outcome::bad(&finding::MULTIPART_CHANGED, "pong came, but its text is not that of the ping"),
        });
    }
    Ok(Outcome::bad(&finding::MULTIPART_UNREAD, format!("no pong in {} s", patience.as_secs())))
}

/// Whether the packets of the CRM were right.
pub(super) fn from_crm(talk: &Talk) -> Outcome {
    let noticed = talk.noticed();
    match (&noticed.disorder, noticed.sets) {
        (Some(found), _) => Outcome::bad(&finding::MULTIPART_ORDER, found),
        (None, 0) => Outcome::good("none came: its answers are short, or in one frame"),
        (None, sets) => Outcome::good(format!("{sets} long messages, in order")),
    }
}

/// Whether everything was sent as it is.
pub(super) fn plain(talk: &Talk) -> Outcome {
    match &talk.noticed().base64 {
        Some(found) => Outcome::bad(&finding::BASE64, format!("a message in base64: {found}")),
        None => Outcome::good("all of it"),
    }
}
