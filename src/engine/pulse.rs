//! Which parts of the node have changed, for pages that show them: not what has become of them, only that it is worth looking
//! again. Costs one atomic read a visit of the Hub while nobody follows; a follower holds one number for each part, however
//! much happens and however slowly it reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ctigate_proto::hub::output::{Notice, Record};
use ctigate_proto::hub::{Input, Output};
use ctigate_proto::telephony;
use tokio::sync::Notify;

/// A part of the node that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Links and what their CRMs offer.
    Links,
    /// Calls that go on.
    Calls,
    /// People, their states and tabs.
    Users,
    /// Open forms.
    Forms,
    /// Calls of the past.
    Journal,
    /// Dynamic methods: one has ended.
    Methods,
    /// The configuration.
    Settings,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 7] =
        [Self::Links, Self::Calls, Self::Users, Self::Forms, Self::Journal, Self::Methods, Self::Settings];

    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Calls => "calls",
            Self::Users => "users",
            Self::Forms => "forms",
            Self::Journal => "journal",
            Self::Methods => "methods",
            Self::Settings => "settings",
        }
    }

    /// The part of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

/// A set of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts(u8);

impl Parts {
    /// The set with this part.
    pub fn add(&mut self, part: Part) {
        self.0 |= 1 << part as u8;
    }

    fn has(self, part: Part) -> bool {
        self.0 & 1 << part as u8 != 0
    }

    /// What an input may change without any output that says so.
    pub(super) fn by_input(&mut self, input: &Input) {
        let parts: &[Part] = match input {
            Input::Opened { .. } | Input::Closed { .. } => &[Part::Links, Part::Users],
            Input::LinkState { .. } => &[Part::Links],
            Input::Pbx(telephony::Event::Facts(_)) => &[Part::Calls, Part::Users],
            Input::Pbx(telephony::Event::Phone { .. }) => &[Part::Users],
            Input::Reconfigure(_) => &[Part::Links, Part::Users, Part::Forms, Part::Settings],
            _ => &[],
        };
        parts.iter().for_each(|part| self.add(*part));
    }

    /// What an output says has changed.
    pub(super) fn by_output(&mut self, output: &Output) {
        let part = match output {
            Output::Notice(Notice::LinkUp { .. } | Notice::LinkDown { .. } | Notice::LinkContested { .. }) => {
                Part::Links
            }
            Output::Notice(Notice::Circuit { .. }) => Part::Links,
            Output::Notice(Notice::Presence { .. } | Notice::Tabs { .. }) => Part::Users,
            Output::Notice(Notice::Form { .. }) => Part::Forms,
            Output::Notice(Notice::MethodDone { .. }) => Part::Methods,
            Output::Record(Record::Call(_)) => Part::Journal,
            Output::Send { message, .. } | Output::Fan { message, .. }
                if message.envelope().name == "userstatechanged" =>
            {
                Part::Users
            }
            _ => return,
        };
        self.add(part);
    }
}

/// Tells followers what changes.
#[derive(Debug, Default)]
pub struct Pulse {
    followers: AtomicUsize,
    /// How often each part has changed while somebody followed.
    counts: [AtomicU64; Part::ALL.len()],
    bell: Notify,
}

impl Pulse {
    /// Whether anybody follows.
    pub fn is_on(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    /// These parts have changed; whoever looks from now on sees it.
    pub fn mark(&self, parts: Parts) {
        if parts == Parts::default() || !self.is_on() {
            return;
        }
        for part in Part::ALL.into_iter().filter(|part| parts.has(*part)) {
            self.counts[part as usize].fetch_add(1, Ordering::Release);
        }
        self.bell.notify_waiters();
    }

    /// Follows from now on.
    pub fn follow(self: &Arc<Self>) -> Follower {
        self.followers.fetch_add(1, Ordering::Relaxed);
        Follower { seen: self.now(), pulse: Arc::clone(self) }
    }

    fn now(&self) -> [u64; Part::ALL.len()] {
        std::array::from_fn(|at| self.counts[at].load(Ordering::Acquire))
    }
}

/// A follower's end. Dropping it ends the following.
#[derive(Debug)]
pub struct Follower {
    pulse: Arc<Pulse>,
    seen: [u64; Part::ALL.len()],
}

impl Follower {
    /// The parts that have changed since the last time, as soon as there are any. Cancel safe.
    pub async fn changed(&mut self) -> Vec<Part> {
        loop {
            // Listens before it looks, so that no change falls between the two.
            let mut rung = std::pin::pin!(self.pulse.bell.notified());
            rung.as_mut().enable();
            let now = self.pulse.now();
            let changed: Vec<Part> =
                Part::ALL.into_iter().filter(|part| now[*part as usize] != self.seen[*part as usize]).collect();
            if !changed.is_empty() {
                self.seen = now;
                return changed;
            }
            rung.await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.pulse.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn parts(all: &[Part]) -> Parts {
        let mut parts = Parts::default();
        all.iter().for_each(|part| parts.add(*part));
        parts
    }

    #[test]
    fn a_follower_hears_once_of_whatever_often_changed_and_of_nothing_before() {
        let pulse: Arc<Pulse> = Arc::default();
        pulse.mark(parts(&[Part::Calls]));
        assert!(!pulse.is_on());
        let (mut one, mut other) = (pulse.follow(), pulse.follow());
        assert!(one.changed().now_or_never().is_none());
        for _ in 0..1000 {
            pulse.mark(parts(&[Part::Calls, Part::Users]));
        }
        pulse.mark(parts(&[Part::Settings]));
        let all = Some(vec![Part::Calls, Part::Users, Part::Settings]);
        assert_eq!(one.changed().now_or_never(), all);
        assert!(one.changed().now_or_never().is_none());
        assert_eq!(other.changed().now_or_never(), all, "a slow one hears of it later");
        drop((one, other));
        assert!(!pulse.is_on());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let pulse: Arc<Pulse> = Arc::default();
        let mut follower = pulse.follow();
        let waits = tokio::spawn(async move { follower.changed().await });
        while !waits.is_finished() {
            pulse.mark(parts(&[Part::Links]));
            tokio::task::yield_now().await;
        }
        assert_eq!(waits.await.unwrap(), [Part::Links]);
    }

    #[test]
    fn every_word_names_its_part() {
        assert!(Part::ALL.into_iter().all(|part| Part::parse(part.word()) == Some(part)));
        assert_eq!(Part::parse("everything"), None);
    }
}
