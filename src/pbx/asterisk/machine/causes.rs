//! Why legs end.

use ctigate_proto::telephony::{EndCause, LegState, Place};

use super::Machine;
use super::book::Leg;
use super::channel::{Channel, Gone, Kind, State};
use super::places::Own;

impl Machine {
    /// Why a leg that is not seen any more has ended; `None`: it has not.
    pub(super) fn cause_of_leg(&self, leg: &Leg) -> Option<EndCause> {
        if let Some(mark) = leg.mark {
            return Some(mark);
        }
        let Some(channel) = self.board.channel(&leg.uid) else {
            // A planned leg whose phone is not called yet lives as long as its dialling.
            let dialling = self.asked.get(&leg.uid).is_some_and(|asked| asked.pending);
            return (!dialling).then_some(EndCause::OtherGone);
        };
        // The leg of a dialling waits for its phone.
        if channel.kind == Kind::Local && channel.lives() {
            return None;
        }
        if channel.kind == Kind::Local {
            return Some(self.marks.get(&leg.uid).copied().unwrap_or(EndCause::OtherGone));
        }
        if channel.lives() {
            // The channel lives: it went to another conversation, or is being hung up, or this leg's other side is gone.
            let elsewhere = self.book.root_of.get(&leg.uid).is_some_and(|root| *root != leg.root);
            let mark = || self.marks.get(&leg.uid).copied().unwrap_or(EndCause::OtherGone);
            return Some(if elsewhere { EndCause::Transferred } else { mark() });
        }
        Some(self.cause_of(channel, leg))
    }

    pub(super) fn cause_of(&self, channel: &Channel, leg: &Leg) -> EndCause {
        if let Some(mark) = self.marks.get(&channel.uid) {
            return *mark;
        }
        if unseen(channel) {
            return EndCause::Unseen;
        }
        if channel.transferred {
            return EndCause::Transferred;
        }
        let ringing = matches!(leg.fact.state, LegState::Ringing | LegState::Planned);
        if (channel.dial.is_some() || ringing) && !channel.was_up {
            return self.why_not(channel, leg);
        }
        if self.shutting {
            return EndCause::Failed;
        }
        if !channel.left {
            return EndCause::OtherGone;
        }
        // Who hangs up in a consultation connects the two others: the dialplan does it.
        let others = || {
            let (_, present) = self.book.present(&channel.uid).filter(|(_, leg)| !leg.fact.held)?;
            let other = self.board.live(present.partner.as_deref()?)?;
            let aside = self.holds.iter().any(|(uid, by)| *by == channel.uid && self.board.live(uid).is_some());
            let talks = matches!(present.fact.place, Place::Talk(_)) && present.fact.state == LegState::Up;
            (aside && talks && other.state == State::Up).then_some(())
        };
        if others().is_some() { EndCause::Transferred } else { EndCause::Hangup }
    }

    /// Whether a queue called a channel, and whoever waits there neither hung up nor was told to.
    pub(super) fn was_left_alone(&self, channel: &Channel, leg: &Leg) -> bool {
        if !self.plan.queues.values().any(|queue| *queue == leg.fact.toward) {
            return false;
        }
        let by = channel.dial.as_ref().and_then(|dial| self.board.channel(dial.by.as_deref()?));
        by.is_some_and(|by| by.kind == Kind::Party && !by.left && !self.marks.contains_key(&by.uid) && !unseen(by))
    }

    /// Why a channel that was called did not answer.
    pub(super) fn why_not(&self, channel: &Channel, leg: &Leg) -> EndCause {
        let code = match channel.gone {
            Some(Gone::Hung(code)) => code,
            _ => 0,
        };
        let refused = if channel.rang { EndCause::Refused } else { EndCause::Busy };
        let by_code = |other: EndCause| match code {
            17 => refused,
            18 | 19 => EndCause::NoAnswer,
            1 | 3 | 20 | 22 | 27 | 28 => EndCause::Unreachable,
            21 => EndCause::Refused,
            26 => EndCause::Elsewhere,
            34 | 38 | 41 | 42 | 44 | 47 => EndCause::Failed,
            _ => other,
        };
        match channel.dial.as_ref().and_then(|dial| dial.status.as_deref()) {
            Some("BUSY") if code == 21 => EndCause::Refused,
            Some("BUSY") => refused,
            Some("NOANSWER") => match code {
                1 | 3 | 17 | 20 | 21 | 26 => by_code(EndCause::NoAnswer),
                _ => EndCause::NoAnswer,
            },
            Some("CHANUNAVAIL") => EndCause::Unreachable,
            Some("CONGESTION") => match code {
                17 | 20 | 21 | 1 => by_code(EndCause::Failed),
                _ => EndCause::Failed,
            },
            Some("CANCEL") if code == 26 || self.answered_elsewhere(channel) => EndCause::Elsewhere,
            // A queue that has had its time stops the phones, and the caller has not gone.
            Some("CANCEL") if self.was_left_alone(channel, leg) => EndCause::NoAnswer,
            Some("CANCEL") => EndCause::CallerGone,
            // Nobody saw how the call to it ended: so it is when somebody else has picked it up.
            _ if self.answered_elsewhere(channel) => EndCause::Elsewhere,
            _ => match self.asked.contains_key(&channel.uid) || Own::of(&channel.uid).is_some() {
                true => by_code(EndCause::NoAnswer),
                false => by_code(EndCause::CallerGone),
            },
        }
    }

    /// Whether somebody else has answered who called a channel.
    pub(super) fn answered_elsewhere(&self, channel: &Channel) -> bool {
        let by = channel.dial.as_ref().and_then(|dial| dial.by.as_deref());
        by.is_some_and(|by| self.board.live(by).is_some() && self.board.was_answered(by))
    }
}

/// Whether a channel ended while nobody looked.
fn unseen(channel: &Channel) -> bool {
    channel.gone == Some(Gone::Unseen)
}
