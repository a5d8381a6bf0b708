//! Who waits in queues.

use crate::message::Text;
use crate::telephony::{CallId, Place};

use super::conversation::Leg;
use super::line::Party;
use super::{Calls, inside_number};

/// A caller who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The conversation.
    pub call: CallId,
    /// The queue's number.
    pub queue: Text,
    /// Who waits.
    pub caller: Party,
    /// Which number was dialled.
    pub called: Text,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// The inside numbers that ring for it now.
    pub rings: Vec<Text>,
}

impl Calls {
    /// Everybody who waits, longest waiting first. `queue`: only in this one.
    pub fn waiting(&self, queue: Option<&str>) -> Vec<Waiting> {
        let mut all = Vec::new();
        for call in &self.queued {
            let Some(conversation) = self.calls.get(call) else { continue };
            for leg in conversation.live() {
                let now = leg.now();
                let Place::Queue(number) = &now.place else { continue };
                if queue.is_some_and(|q| q != &**number) {
                    continue;
                }
                let rings = conversation.live().map(Leg::now).filter(|other| {
                    other.state == crate::telephony::LegState::Ringing && other.with.as_ref() == Some(&now.leg)
                });
                let parties = conversation.parties();
                all.push(Waiting {
                    call: call.clone(),
                    queue: number.clone(),
                    caller: super::line::party_of(now),
                    called: parties.map_or_else(|| number.clone(), |p| p.called.clone()),
                    since_ms: leg.since_ms(),
                    rings: rings.filter_map(|leg| inside_number(leg).cloned()).collect(),
                });
            }
        }
        all.sort_by(|a, b| (a.since_ms, &a.call).cmp(&(b.since_ms, &b.call)));
        all
    }
}
