//! What happened to a line between two looks at it. Clients are told these, in this order.

use crate::telephony::{EndCause, LegState, Place};

use super::{Calls, Line, Phase};

/// One thing that happened to a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The hold changed.
    Flash(Flash),
    /// It rings no more.
    RingStopped,
    /// The telephone system dials for it no more.
    DiallingStopped,
    /// No fax goes over it any more.
    FaxStopped,
    /// A talk is over, or is put on hold.
    TalkStopped,
    /// It left a voice menu.
    MenuStopped,
    /// The telephone system dials for it.
    DiallingStarted,
    /// Anything at all.
    Line,
    /// It rings.
    RingStarted,
    /// It hears a voice menu.
    MenuStarted,
    /// It talks.
    TalkStarted,
    /// A fax goes over it.
    FaxStarted,
}

impl Change {
    /// Whether it tells of what was, so that its event names the party of before.
    pub fn is_of_before(self) -> bool {
        matches!(
            self,
            Self::RingStopped | Self::DiallingStopped | Self::FaxStopped | Self::TalkStopped | Self::MenuStopped
        )
    }
}

/// What happened to the hold, with the numbers of the protocol (`proto-spec/events.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flash {
    /// Somebody was put on hold.
    Put = 1,
    /// The held party is talked with again.
    Return = 2,
    /// The held party was dropped.
    Abort = 3,
    /// The held party left.
    Lost = 4,
    /// The held party was handed to somebody else.
    Switch = 5,
    /// The held party came into the conference.
    Invite = 6,
    /// The two parties were swapped.
    Between = 7,
    /// This line was put on hold by somebody.
    Flashed = 11,
    /// This line was dropped while on hold.
    Aborted = 13,
}

/// What happened between two looks at one line, in the order in which it is told.
pub fn changes(calls: &Calls, before: &Line, after: &Line) -> Vec<Change> {
    let mut all = Vec::new();
    if before == after {
        return all;
    }
    all.extend(flash(calls, before, after).map(Change::Flash));
    let ring = |line: &Line| (line.phase == Phase::Ringing).then(|| line.leg.clone());
    let (rang, rings) = (ring(before), ring(after));
    let dialled = |line: &Line| line.dialling.then(|| line.leg.clone());
    let (dialled, dials) = (dialled(before), dialled(after));
    let (talked, talks) = (before.talk(), after.talk());
    let (menu_before, menu_after) = (before.menu(), after.menu());
    all.extend((rang.is_some() && rang != rings).then_some(Change::RingStopped));
    all.extend((dialled.is_some() && dialled != dials).then_some(Change::DiallingStopped));
    all.extend((before.fax.is_some() && before.fax != after.fax).then_some(Change::FaxStopped));
    all.extend((talked.is_some() && talked != talks).then_some(Change::TalkStopped));
    all.extend((menu_before.is_some() && menu_before != menu_after).then_some(Change::MenuStopped));
    all.extend((dials.is_some() && dialled != dials).then_some(Change::DiallingStarted));
    all.push(Change::Line);
    all.extend((rings.is_some() && rang != rings).then_some(Change::RingStarted));
    all.extend((menu_after.is_some() && menu_before != menu_after).then_some(Change::MenuStarted));
    all.extend((talks.is_some() && talked != talks).then_some(Change::TalkStarted));
    all.extend((after.fax.is_some() && before.fax != after.fax).then_some(Change::FaxStarted));
    all
}

fn flash(calls: &Calls, before: &Line, after: &Line) -> Option<Flash> {
    let key = |line: &Line| line.flashed.as_ref().map(|p| (p.leg.clone(), p.conference.clone()));
    match (&before.flashed, &after.flashed) {
        (Some(_), Some(_)) if key(before) == key(after) => None,
        (None, Some(_)) => Some(Flash::Put),
        (Some(held), Some(_)) => {
            let swapped = after.party.as_ref().is_some_and(|p| same(p, held));
            Some(if swapped { Flash::Between } else { Flash::Put })
        }
        (Some(held), None) => Some(released(calls, before, after, held)),
        (None, None) => match (&before.phase, &after.phase) {
            (Phase::Talking(a), Phase::OnHold(b)) if a == b => Some(Flash::Flashed),
            (Phase::OnHold(_), Phase::Idle | Phase::Alone) => {
                let leg = before.call.as_ref().zip(before.leg.as_ref()).and_then(|(c, l)| calls.leg(c, l));
                let dropped = leg.is_some_and(|l| l.state != LegState::Ended(EndCause::Hangup));
                dropped.then_some(Flash::Aborted)
            }
            _ => None,
        },
    }
}

fn same(a: &super::Party, b: &super::Party) -> bool {
    a.leg == b.leg && a.conference == b.conference
}

/// What became of a party that is on hold no more.
fn released(calls: &Calls, before: &Line, after: &Line, held: &super::Party) -> Flash {
    if after.party.as_ref().is_some_and(|p| same(p, held)) {
        return Flash::Return;
    }
    let leg = before.call.as_ref().zip(held.leg.as_ref()).and_then(|(call, leg)| calls.leg(call, leg));
    match leg.map(|l| (l.state, &l.place)) {
        Some((LegState::Ended(EndCause::Hangup), _)) => Flash::Lost,
        Some((LegState::Ended(_), _)) => Flash::Abort,
        Some((_, Place::Conference(id))) if after.phase == Phase::Conferring(id.clone()) => Flash::Invite,
        Some(_) => Flash::Switch,
        None => Flash::Lost,
    }
}

impl Line {
    /// What makes two talks the same: the id of the talk or conference.
    fn talk(&self) -> Option<&crate::message::Text> {
        match &self.phase {
            Phase::Talking(talk) => Some(&talk.0),
            Phase::Conferring(id) => Some(&id.0),
            _ => None,
        }
    }

    fn menu(&self) -> Option<&crate::message::Text> {
        match &self.phase {
            Phase::Menu { name, .. } => Some(name),
            _ => None,
        }
    }
}
