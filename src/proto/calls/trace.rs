//! The way of a conversation, step by step (`getchaincontent`).

use crate::message::Text;
use crate::telephony::{CallId, FaxState, LegState, Place};

use super::Calls;

/// One step of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What: `began`, `queued`, `ringing`, `ringstopped`, `answered`, `held`, `menu`, `conference`, `fax`, `left`, `ended`.
    pub kind: &'static str,
    /// The number it happened to; may be empty.
    pub number: Text,
    /// The talk, the conference, the queue or the cause; may be empty.
    pub detail: Text,
}

impl Calls {
    /// What has happened to a conversation so far, oldest first.
    pub fn trace(&self, call: &CallId) -> Option<Vec<Step>> {
        let conversation = self.calls.get(call)?;
        let mut steps = Vec::new();
        let parties = conversation.parties().cloned().unwrap_or_default();
        steps.push((
            conversation.began_ms(),
            0,
            Step { at_ms: conversation.began_ms(), kind: "began", number: parties.caller, detail: parties.called },
        ));
        for leg in conversation.legs() {
            let mut before: Option<&crate::telephony::LegFact> = None;
            for fact in leg.story() {
                let answered = before.is_some_and(|b| matches!(b.state, LegState::Up | LegState::Waiting));
                let (kind, detail) = match (&fact.state, &fact.place) {
                    (LegState::Ringing, _) => ("ringing", fact.toward.clone()),
                    (LegState::Ended(cause), _) if answered => ("left", Text::from_static(cause.word())),
                    (LegState::Ended(cause), _) => ("ringstopped", Text::from_static(cause.word())),
                    (LegState::Planned | LegState::Waiting, Place::Queue(queue))
                    | (LegState::Up, Place::Queue(queue)) => ("queued", queue.clone()),
                    (LegState::Up, Place::Talk(talk)) if fact.held => ("held", talk.0.clone()),
                    (LegState::Up, Place::Talk(talk)) => ("answered", talk.0.clone()),
                    (LegState::Up, Place::Conference(id)) => ("conference", id.0.clone()),
                    (LegState::Up, Place::Menu { name, .. }) => ("menu", name.clone()),
                    _ => ("", Text::new()),
                };
                let again = before.is_some_and(|b| {
                    (b.state, &b.place, b.held, &b.toward) == (fact.state, &fact.place, fact.held, &fact.toward)
                });
                if !kind.is_empty() && !again {
                    let number = fact.end.number().clone();
                    steps.push((fact.at_ms, 1, Step { at_ms: fact.at_ms, kind, number, detail }));
                }
                before = Some(fact);
            }
        }
        for fax in conversation.faxes.values().filter(|fax| matches!(fax.state, FaxState::Done { .. })) {
            let number = conversation.leg(&fax.to).map(|leg| leg.now().end.number().clone()).unwrap_or_default();
            steps.push((fax.at_ms, 1, Step { at_ms: fax.at_ms, kind: "fax", number, detail: fax.fax.0.clone() }));
        }
        if let Some(at_ms) = conversation.over_ms() {
            steps.push((at_ms, 2, Step { at_ms, kind: "ended", number: Text::new(), detail: Text::new() }));
        }
        steps.sort_by_key(|(at, rank, _)| (*at, *rank));
        Some(steps.into_iter().map(|(_, _, step)| step).collect())
    }
}
