//! Faxes that have arrived.

use crate::message::Text;
use crate::telephony::{CallId, End, FaxFact, FaxId, FaxState};

use super::conversation::{Conversation, Leg};
use super::line::party_of;
use super::{Calls, Line};

/// A fax that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedFax {
    /// The number that took it.
    pub to: Text,
    /// The line of that number as far as the fax goes: the conversation, and who sent it.
    pub line: Line,
    /// The file, relative to the folder of recordings.
    pub file: Text,
    /// How many pages it has.
    pub pages: u32,
}

impl FaxId {
    /// The path under which the fax can be fetched from the web port.
    pub fn link(&self) -> Text {
        format!("/fax/{}", self.0).into()
    }
}

impl Calls {
    /// A fax of a conversation that is in memory, once it has arrived at an inside number.
    pub fn arrived_fax(&self, call: &CallId, fax: &FaxId) -> Option<ArrivedFax> {
        let conversation = self.calls.get(call)?;
        let fact = conversation.faxes.get(fax)?;
        let FaxState::Done { file, pages } = &fact.state else { return None };
        let End::Inside(to) = &conversation.leg(&fact.to)?.now().end else { return None };
        let line = Line {
            call: Some(call.clone()),
            leg: Some(fact.to.clone()),
            party: conversation.leg(&fact.from).map(|from| party_of(from.now())),
            ..Line::default()
        };
        Some(ArrivedFax { to: to.clone(), line, file: file.clone(), pages: *pages })
    }

    /// The file under a link, and the inside numbers it went between, as long as its conversation is in memory.
    pub fn fax_under(&self, link: &str) -> Option<(Text, Vec<Text>)> {
        let id = FaxId(link.strip_prefix("/fax/")?.into());
        let conversation = self.calls.get(self.fax_of.get(&id)?)?;
        let fact = conversation.faxes.get(&id)?;
        let FaxState::Done { file, .. } = &fact.state else { return None };
        let inside = ends(conversation, fact).into_iter().filter(|e| e.is_inside()).map(|e| e.number().clone());
        Some((file.clone(), inside.collect()))
    }
}

/// Who sent a fax and who took it, as far as their legs are known.
pub(super) fn ends(conversation: &Conversation, fact: &FaxFact) -> Vec<End> {
    let end = |id| conversation.leg(id).map(Leg::now).map(|leg| leg.end.clone());
    [&fact.from, &fact.to].into_iter().filter_map(end).collect()
}
